use super::body::CheckedBody;
use super::buffering::{Buffering, Limit, is_complete};
use super::future::BufferedCheckFuture;
use super::layer::{BufferedCheckDigestLayer, CheckDigestLayer, refuse};
use super::policy::Expected;
use crate::awaiting::take_ready;
use crate::protocol::Rejection;
use crate::protocol::crypto::hash::Hash;
use crate::response::{FcResponse, RejectionResponse, ResponseBody, ResponseFuture};
use http::{Request, Response};
use http_body::Body;
use std::task::{Context, Poll};
use tower_service::Service;

/// The service of [`CheckDigestLayer`].
pub struct CheckDigest<S, R = FcResponse> {
    inner: S,
    layer: CheckDigestLayer<R>,
}

service!(CheckDigest, CheckDigestLayer, R);

/// The service of [`BufferedCheckDigestLayer`].
pub struct BufferedCheckDigest<S, R = FcResponse> {
    inner: S,
    layer: BufferedCheckDigestLayer<R>,
}

service!(BufferedCheckDigest, BufferedCheckDigestLayer, R);

impl<S, R, B, ResBody> Service<Request<B>> for CheckDigest<S, R>
where
    S: Service<Request<CheckedBody<B>>, Response = Response<ResBody>>,
    R: RejectionResponse,
    B: Body,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.layer.look(&request) {
            Ok(expected) => {
                let request = request.map(|body| CheckedBody::streaming(body, expected));
                ResponseFuture::inner(self.inner.call(request))
            }
            Err(rejection) => self.layer.refuse(rejection, request),
        }
    }
}

impl<S, R, B, ResBody> Service<Request<B>> for BufferedCheckDigest<S, R>
where
    S: Service<Request<CheckedBody<B>>, Response = Response<ResBody>> + Clone,
    R: RejectionResponse + Clone,
    B: Body,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = BufferedCheckFuture<S, S::Future, B, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let BufferedCheckDigestLayer { layer, limit } = &self.layer;
        let expected = match layer.look(&request) {
            Ok(Some(expected)) => expected,
            Ok(None) => {
                let request = request.map(|body| CheckedBody::streaming(body, None));
                let future = ResponseFuture::inner(self.inner.call(request));
                return BufferedCheckFuture::answering(future);
            }
            Err(rejection) => {
                return BufferedCheckFuture::answering(layer.refuse(rejection, request));
            }
        };
        let (parts, body) = request.into_parts();
        let buffering = Buffering::new(body, Hash::new(expected.algorithm), Limit::Of(*limit));
        let (service, response) = (take_ready(&mut self.inner), layer.response.clone());
        BufferedCheckFuture::new(buffering, expected, parts, service, response)
    }
}

impl<R> CheckDigestLayer<R> {
    /// The digest that is yet to be compared, `None` when there is nothing to compare.
    fn look<B: Body>(&self, request: &Request<B>) -> Result<Option<Expected>, Rejection> {
        let expected = Expected::of(self.policy, request.headers(), request.extensions())?;
        // A body that was taken away, perhaps, which a service may not even look at.
        if let Some(expected) = &expected
            && is_complete(request.body())
            && !expected.is_of_nothing()
        {
            return Err(expected.mismatch().into());
        }
        Ok(expected)
    }

    fn refuse<B, F>(&self, rejection: Rejection, request: Request<B>) -> ResponseFuture<F>
    where
        R: RejectionResponse,
    {
        ResponseFuture::refused(refuse(rejection, &self.response, &request.into_parts().0))
    }
}
