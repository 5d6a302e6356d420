use super::body::CheckedBody;
use super::buffering::{Buffering, Limit, is_complete};
use super::check::{Check, Told};
use super::future::BufferedCheckFuture;
use super::layer::{BufferedCheckDigestLayer, CheckDigestLayer};
use super::policy::Expected;
use crate::awaiting::take_ready;
use crate::protocol::crypto::hash::Hash;
use crate::protocol::{Rejection, VerifiedCaller};
use crate::response::{FcResponse, RejectionResponse, ResponseBody, ResponseFuture, Undecided};
use http::{Extensions, Request, Response};
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
                let Self { inner, layer } = self;
                let check = expected.map(|expected| layer.check(expected, request.extensions()));
                let request =
                    request.map(|body| CheckedBody::streaming(body, check, layer.trailers));
                ResponseFuture::inner(inner.call(request))
            }
            Err(rejection) => {
                ResponseFuture::refused(self.layer.refuse(rejection, &request.into_parts().0))
            }
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
                let trailers = layer.trailers;
                let request = request.map(|body| CheckedBody::streaming(body, None, trailers));
                let future = ResponseFuture::inner(self.inner.call(request));
                return BufferedCheckFuture::answering(future);
            }
            Err(rejection) => {
                let response = layer.refuse(rejection, &request.into_parts().0);
                // What is not called is not kept ready.
                drop(take_ready(&mut self.inner));
                return BufferedCheckFuture::answering(ResponseFuture::refused(response));
            }
        };
        let (parts, body) = request.into_parts();
        let buffering = Buffering::new(body, Hash::new(expected.algorithm), Limit::Of(*limit));
        let layer = layer.clone();
        BufferedCheckFuture::new(buffering, expected, parts, take_ready(&mut self.inner), layer)
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

    /// What compares a body with its digest while it streams.
    fn check(&self, expected: Expected, extensions: &Extensions) -> Check {
        let undecided = extensions.get::<Undecided>();
        let listens = self.observer.listens() || undecided.is_some();
        let caller = extensions.get::<VerifiedCaller>().filter(|_| listens);
        let told = caller.map(|caller| {
            let (observer, caller) = (self.observer.clone(), caller.clone());
            Box::new(Told { observer, caller, undecided: undecided.cloned() })
        });
        Check::new(expected, told)
    }
}
