//! A closure that does not say what it takes: `|id: &str|`.

use http::Request;
use std::collections::HashMap;
use std::time::SystemTime;
use tower_fc::Verifier;
use tower_fc::keys::VerifyingKey;

fn main() {
    let keys: HashMap<String, VerifyingKey> = HashMap::new();
    let verifier = Verifier::new(move |id| keys.get(id).cloned());
    let _ = verifier.verify_request_at(&Request::new(()), SystemTime::now());
}
