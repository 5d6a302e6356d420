//! A refusal that is answered with a status alone.

use http::request::Parts;
use http::StatusCode;
use tower_fc::{Rejection, StaticKeys, Verifier, VerifyLayer};

fn main() {
    let _ = VerifyLayer::new(Verifier::new(StaticKeys::new()))
        .with_rejection_response(|_: &Rejection, _: &Parts| StatusCode::UNAUTHORIZED);
}
