//! Giving back what a service held ready for a request that never reached it.
//!
//! A service that was polled ready may hold something for the call that is to come: a permit of
//! a concurrency limit, a slot of a buffer. [`VerifyLayer`](crate::VerifyLayer),
//! [`ReplayLayer`](crate::replay::ReplayLayer) and
//! [`CheckDigestLayer`](crate::digest::CheckDigestLayer) answer a request that they refuse
//! themselves, and so does [`SignLayer`](crate::SignLayer) with one that it cannot sign. The
//! inner service then stays ready, and keeps what it holds until its next call. They ask for no
//! `Clone`, and so cannot give it back. Their siblings that await do, and so does
//! [`ReleaseLayer`] outside of all of them.
//!
//! It is needed where both hold:
//!
//! - inside of these layers is something that limits: `concurrency_limit`, `buffer`;
//! - what calls them keeps the service after the call: tower's `Buffer` does, a balancer does,
//!   and a loop over `ready` and `call`. axum's `Router`, tonic's server and hyper-util's
//!   `TowerToHyperService` do not: they call a clone, which they drop.
//!
//! ```
//! use http::{Request, Response};
//! use std::convert::Infallible;
//! use tower::{Service, ServiceBuilder, ServiceExt, limit::GlobalConcurrencyLimitLayer, service_fn};
//! use tower_fc::release::ReleaseLayer;
//! use tower_fc::{StaticKeys, Verifier, VerifyLayer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let limited = ServiceBuilder::new()
//!     .layer(ReleaseLayer)
//!     .layer(VerifyLayer::new(Verifier::new(StaticKeys::new())))
//!     .layer(GlobalConcurrencyLimitLayer::new(1))
//!     .service(service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new()))));
//!
//! // Two services share a limit of one. The first refuses a request, and is kept.
//! let (mut first, mut second) = (limited.clone(), limited);
//! assert_eq!(first.ready().await?.call(Request::new(())).await?.status(), 403);
//! // Without `ReleaseLayer` the second would now wait for good.
//! assert_eq!(second.ready().await?.call(Request::new(())).await?.status(), 403);
//! # Ok(())
//! # }
//! ```

use crate::awaiting::take_ready;
use std::task::{Context, Poll};
use tower_service::Service;

/// Lets go of what a service held ready for a request that it answered itself.
///
/// The service that was polled ready is called and dropped, and a clone of it, which is not
/// ready, stays. That costs each request one clone of all that is inside, whether it is refused
/// or not; nothing is boxed, and the future is the inner one. [The module](self) says where this
/// is needed.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReleaseLayer;

/// The service of [`ReleaseLayer`].
pub struct Release<S> {
    inner: S,
    layer: ReleaseLayer,
}

service!(Release, ReleaseLayer);

impl<S, T> Service<T> for Release<S>
where
    S: Service<T> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: T) -> S::Future {
        take_ready(&mut self.inner).call(request)
    }
}
