use crate::clock::{Clock, SystemClock};
use crate::signer::Signer;
use http::Request;
use std::task::{Context, Poll};
use tower_service::Service;

/// The service of [`SignLayer`](super::SignLayer).
#[derive(Clone, Debug)]
pub struct Sign<S, C = SystemClock> {
    pub(super) inner: S,
    pub(super) signer: Signer,
    pub(super) clock: C,
}

impl<S, C> Sign<S, C> {
    inner_accessors!();
}

impl<S, C, B> Service<Request<B>> for Sign<S, C>
where
    S: Service<Request<B>>,
    C: Clock,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        // The one error is a header map that is full. It leaves the request unsigned,
        // and there is no error of the inner service to report it by.
        let _ = self.signer.sign_request_at(&mut request, self.clock.now());
        self.inner.call(request)
    }
}
