use super::layer::SignLayer;
use crate::clock::{Clock, SystemClock};
use crate::protocol::Credentials;
use http::Request;
use std::task::{Context, Poll};
use tower_service::Service;

/// The service of [`SignLayer`].
pub struct Sign<S, P = Credentials, C = SystemClock> {
    inner: S,
    layer: SignLayer<P, C>,
}

service!(Sign, SignLayer, P, C);

impl<S, C, B> Service<Request<B>> for Sign<S, Credentials, C>
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
        let _ = self.layer.signer.sign_request_at(&mut request, self.layer.clock.now());
        self.inner.call(request)
    }
}
