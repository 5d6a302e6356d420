use super::body::CheckedBody;
use super::buffering::{Buffering, Unheld};
use super::layer::CheckDigestLayer;
use super::policy::Expected;
use crate::protocol::{Rejection, RejectionKind};
use crate::response::{RejectionResponse, ResponseBody, ResponseFuture};
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower_service::Service;

pin_project! {
    /// The response future of [`BufferedCheckDigest`](super::BufferedCheckDigest).
    pub struct BufferedCheckFuture<S, F, B, R> {
        #[pin]
        kind: Kind<S, F, B, R>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<S, F, B, R> {
        Buffering {
            #[pin]
            buffering: Buffering<B>,
            expected: Expected,
            parts: Option<Parts>,
            service: S,
            layer: CheckDigestLayer<R>,
        },
        Answering { #[pin] future: ResponseFuture<F> },
    }
}

/// Says nothing of the request, whose headers have its signature.
impl<S, F, B, R> fmt::Debug for BufferedCheckFuture<S, F, B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferedCheckFuture").finish_non_exhaustive()
    }
}

impl<S, F, B, R> BufferedCheckFuture<S, F, B, R> {
    pub(super) fn new(
        buffering: Buffering<B>,
        expected: Expected,
        parts: Parts,
        service: S,
        layer: CheckDigestLayer<R>,
    ) -> Self {
        let parts = Some(parts);
        Self { kind: Kind::Buffering { buffering, expected, parts, service, layer } }
    }

    pub(super) fn answering(future: ResponseFuture<F>) -> Self {
        Self { kind: Kind::Answering { future } }
    }
}

impl<S, B, R, ResBody> Future for BufferedCheckFuture<S, S::Future, B, R>
where
    S: Service<Request<CheckedBody<B>>, Response = Response<ResBody>>,
    B: Body,
    R: RejectionResponse,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut kind = self.project().kind;
        loop {
            let (buffering, expected, parts, service, layer) = match kind.as_mut().project() {
                KindProj::Buffering { buffering, expected, parts, service, layer } => {
                    (buffering, expected, parts, service, layer)
                }
                KindProj::Answering { future } => return future.poll(cx),
            };
            let checked = match ready!(buffering.poll(cx)) {
                Ok((body, digest)) if digest.matches(&expected.digest) => Ok(body),
                Ok(_) => Err(expected.mismatch().into()),
                Err(Unheld::TooLarge(error)) => {
                    Err(Rejection::new(RejectionKind::BodyTooLarge, error.to_string()))
                }
                Err(Unheld::Failed(_)) => Err(Rejection::new(
                    RejectionKind::BodyIncomplete,
                    "the request body could not be read to its end",
                )),
            };
            let Some(parts) = parts.take() else { return Poll::Pending };
            let future = match checked {
                Ok(body) => {
                    let body = CheckedBody::buffered(body, layer.trailers);
                    let request = Request::from_parts(parts, body);
                    ResponseFuture::inner(service.call(request))
                }
                Err(rejection) => ResponseFuture::refused(layer.refuse(rejection, &parts)),
            };
            kind.set(Kind::Answering { future });
        }
    }
}
