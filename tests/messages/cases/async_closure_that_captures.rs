//! An async closure that uses what it captured.

use http::{Request, Response};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use tower::{Layer, Service, service_fn};
use tower_fc::keys::VerifyingKey;
use tower_fc::{Verifier, VerifyLayer};

/// As servers and routers do.
fn serve(_: impl Service<Request<()>>) {}

fn main() {
    let db: Arc<HashMap<String, VerifyingKey>> = Arc::default();
    let keys = async move |id: String| db.get(&id).cloned();
    let inner = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(())));
    let layer = VerifyLayer::new(Verifier::new(keys)).awaiting_keys();
    serve(layer.layer(inner));
}
