use super::DigestHeader;
use super::body::CheckedBody;
use super::buffering::{BufferedBody, Buffering, Unheld};
use super::policy::{Expected, refuse};
use crate::error::{BoxError, Error, ErrorKind};
use crate::rejection::{Rejection, RejectionKind, RejectionResponse};
use crate::verify::{ResponseBody, ResponseFuture};
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower_service::Service;

pin_project! {
    /// The response future of [`SetDigest`](super::SetDigest).
    #[derive(Debug)]
    pub struct SetDigestFuture<S, F, B> {
        #[pin]
        kind: Kind<S, F, B, DigestHeader>,
    }
}

pin_project! {
    /// The response future of [`BufferedCheckDigest`](super::BufferedCheckDigest).
    #[derive(Debug)]
    pub struct BufferedCheckFuture<S, F, B, R> {
        #[pin]
        kind: Kind<S, ResponseFuture<F>, B, (Expected, R)>,
    }
}

pin_project! {
    #[project = KindProj]
    #[derive(Debug)]
    enum Kind<S, F, B, T> {
        Buffering {
            #[pin]
            buffering: Buffering<B>,
            parts: Option<Parts>,
            service: S,
            terms: T,
        },
        Answering { #[pin] future: F },
    }
}

impl<S, F, B> SetDigestFuture<S, F, B> {
    pub(super) fn new(
        buffering: Buffering<B>,
        header: DigestHeader,
        parts: Parts,
        service: S,
    ) -> Self {
        Self { kind: Kind::Buffering { buffering, parts: Some(parts), service, terms: header } }
    }
}

impl<S, F, B, R> BufferedCheckFuture<S, F, B, R> {
    pub(super) fn new(
        buffering: Buffering<B>,
        expected: Expected,
        parts: Parts,
        service: S,
        response: R,
    ) -> Self {
        let terms = (expected, response);
        Self { kind: Kind::Buffering { buffering, parts: Some(parts), service, terms } }
    }

    pub(super) fn answer(future: ResponseFuture<F>) -> Self {
        Self { kind: Kind::Answering { future } }
    }
}

impl<S, B> Future for SetDigestFuture<S, S::Future, B>
where
    S: Service<Request<BufferedBody>, Error: Into<BoxError>>,
    B: Body<Error: Into<BoxError>>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut kind = self.project().kind;
        loop {
            let (buffering, parts, service, header) = match kind.as_mut().project() {
                KindProj::Buffering { buffering, parts, service, terms } => {
                    (buffering, parts, service, terms)
                }
                KindProj::Answering { future } => return future.poll(cx).map_err(Into::into),
            };
            let (body, digest) = ready!(buffering.poll(cx)).map_err(|unheld| match unheld {
                Unheld::TooLarge(error) => error.into(),
                Unheld::Failed(error) => error.into(),
            })?;
            // Polled after completion, which a future may answer as it likes.
            let Some(mut parts) = parts.take() else { return Poll::Pending };
            let (name, value) = header.write(&digest);
            if parts.headers.try_insert(name, value).is_err() {
                let rule = "there is no room for a digest header: http allows 32768 headers";
                return Poll::Ready(Err(Error::new(ErrorKind::TooManyHeaders, rule).into()));
            }
            let future = service.call(Request::from_parts(parts, body));
            kind.set(Kind::Answering { future });
        }
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
            let (buffering, parts, service, (expected, response)) = match kind.as_mut().project() {
                KindProj::Buffering { buffering, parts, service, terms } => {
                    (buffering, parts, service, terms)
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
                    let request = Request::from_parts(parts, CheckedBody::buffered(body));
                    ResponseFuture::inner(service.call(request))
                }
                Err(rejection) => ResponseFuture::refused(refuse(response, rejection, &parts)),
            };
            kind.set(Kind::Answering { future });
        }
    }
}
