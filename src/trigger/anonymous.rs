use crate::protocol::verifier::caller::without_caller;
use http::Request;
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

/// Lets every request pass, whoever it is from: the authentication of an anonymous trigger.
///
/// Nothing is looked at. An `Authorization` header of any kind reaches the inner service, which
/// may check it itself, and no [`VerifiedCaller`](crate::VerifiedCaller) is in the extensions.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnonymousLayer;

impl<S> Layer<S> for AnonymousLayer {
    type Service = Anonymous<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Anonymous { inner }
    }
}

/// The service of [`AnonymousLayer`].
#[derive(Clone, Copy, Debug)]
pub struct Anonymous<S> {
    inner: S,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Anonymous<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        without_caller(request.extensions_mut());
        self.inner.call(request)
    }
}
