//! A closure that takes its argument as another type.

use http::Request;
use std::collections::HashMap;
use tower_fc::Verifier;
use tower_fc::keys::VerifyingKey;

fn main() {
    let keys: HashMap<String, VerifyingKey> = HashMap::new();
    let verifier = Verifier::new(move |id: String| keys.get(&id).cloned());
    let _ = verifier.verify_request(&Request::new(()));
}
