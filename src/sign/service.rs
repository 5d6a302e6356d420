use super::error::SignError;
use super::future::SignFuture;
use super::layer::SignLayer;
use super::origins::unsign;
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
    type Error = SignError<S::Error>;
    type Future = SignFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(SignError::Inner)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let SignLayer { signer, origins, clock } = &self.layer;
        let signed = match origins.contain((&request).into()) {
            Ok(true) => signer.sign_request_at(&mut request, clock.now()),
            Ok(false) => {
                unsign(request.headers_mut());
                Ok(())
            }
            Err(error) => Err(error),
        };
        match signed {
            Ok(()) => SignFuture::sent(self.inner.call(request)),
            Err(error) => SignFuture::failed(error),
        }
    }
}
