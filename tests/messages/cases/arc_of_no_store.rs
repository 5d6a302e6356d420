//! An `Arc<Db>` where `Db` is no store.

use http::Request;
use std::sync::Arc;
use tower_fc::Verifier;

struct Db;

fn main() {
    let _ = Verifier::new(Arc::new(Db)).verify_request(&Request::new(()));
}
