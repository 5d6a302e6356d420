//! Keys that have to be awaited, and no `.awaiting_keys()`.

use http::{Request, Response};
use std::convert::Infallible;
use tower::{Layer, Service, service_fn};
use tower_fc::keys::{AsyncKeyStore, KeyStoreError, Keys};
use tower_fc::{Verifier, VerifyLayer};

struct Db;

impl AsyncKeyStore for Db {
    async fn lookup(&self, _: &str) -> Result<Keys<'static>, KeyStoreError> {
        Ok(Keys::none())
    }
}

/// As servers and routers do.
fn serve(_: impl Service<Request<()>>) {}

fn main() {
    let inner = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(())));
    serve(VerifyLayer::new(Verifier::new(Db)).layer(inner));
}
