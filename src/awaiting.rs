//! Services that wait for a decision about a request before they call the inner one.

use http::Request;
use http::request::Parts;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The service that was polled ready, which is the one to call; a clone of it, which is not
/// ready, stays in its place:
/// <https://docs.rs/tower-service/0.3/tower_service/trait.Service.html#be-careful-when-cloning-inner-services>
pub(crate) fn take_ready<S: Clone>(inner: &mut S) -> S {
    let clone = inner.clone();
    std::mem::replace(inner, clone)
}

/// A request whose head is being decided about, and the service that is ready for it.
pub(crate) struct Pending<S, B, R> {
    // Boxed, because what key stores, providers and guards do has no name.
    decision: Pin<Box<dyn Future<Output = Result<Parts, R>> + Send>>,
    waiting: Option<(S, B)>,
}

impl<S, B, R> Pending<S, B, R> {
    pub(crate) fn new(
        service: S,
        body: B,
        decision: impl Future<Output = Result<Parts, R>> + Send + 'static,
    ) -> Self {
        Self { decision: Box::pin(decision), waiting: Some((service, body)) }
    }

    /// The service with the request it may have. One that is refused lets go of the service.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(S, Request<B>), R>> {
        // Polled after completion, which a future may answer as it likes.
        if self.waiting.is_none() {
            return Poll::Pending;
        }
        let decided = ready!(self.decision.as_mut().poll(cx));
        match self.waiting.take() {
            Some((service, body)) => {
                Poll::Ready(decided.map(|parts| (service, Request::from_parts(parts, body))))
            }
            None => Poll::Pending,
        }
    }
}
