//! An async closure that gives away what it captured, as a provider.

use http::{Request, Response};
use std::convert::Infallible;
use tower::{Layer, Service, service_fn};
use tower_fc::error::Error;
use tower_fc::{Credentials, SignLayer, Signer};

/// As servers and routers do.
fn serve(_: impl Service<Request<()>>) {}

fn main() {
    let credentials = Credentials::new("id", "secret").unwrap();
    let inner = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(())));
    let provider = async move || Ok::<_, Error>(credentials.clone());
    let layer = SignLayer::new(Signer::new(provider)).awaiting_credentials();
    serve(layer.layer(inner));
}
