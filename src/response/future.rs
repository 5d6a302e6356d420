use super::ResponseBody;
use crate::awaiting::Pending;
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower_service::Service;

pin_project! {
    /// The response future of a service that decides at once: the inner service's, or that of
    /// a refusal.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[project = KindProj]
    #[derive(Debug)]
    enum Kind<F> {
        Inner { #[pin] future: F },
        // Boxed to keep the future of the service, which is the usual case, small.
        Refused { response: Option<Box<Response<Bytes>>> },
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn inner(future: F) -> Self {
        Self { kind: Kind::Inner { future } }
    }

    pub(crate) fn refused(response: Box<Response<Bytes>>) -> Self {
        Self { kind: Kind::Refused { response: Some(response) } }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProj::Inner { future } => Poll::Ready(
                ready!(future.poll(cx)).map(|response| response.map(ResponseBody::inner)),
            ),
            KindProj::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response.map(ResponseBody::refused))),
                // Polled after completion, which a future may answer as it likes.
                None => Poll::Pending,
            },
        }
    }
}

pin_project! {
    /// The response future of a service that awaits its decision first.
    pub struct AwaitingFuture<S, F, B> {
        #[pin]
        kind: AwaitingKind<S, F, B>,
    }
}

pin_project! {
    #[project = AwaitingProj]
    enum AwaitingKind<S, F, B> {
        Deciding { pending: Pending<S, B, Box<Response<Bytes>>> },
        Answering { #[pin] future: ResponseFuture<F> },
    }
}

impl<S, F, B> AwaitingFuture<S, F, B> {
    /// Calls the service with the head that `decision` gives, unless it gives a refusal.
    pub(crate) fn deciding(
        service: S,
        body: B,
        decision: impl Future<Output = Result<Parts, Box<Response<Bytes>>>> + Send + 'static,
    ) -> Self {
        let pending = Pending::new(service, body, decision);
        Self { kind: AwaitingKind::Deciding { pending } }
    }

    /// For what was decided at once.
    pub(crate) fn answering(future: ResponseFuture<F>) -> Self {
        Self { kind: AwaitingKind::Answering { future } }
    }
}

impl<S, B, ResBody> Future for AwaitingFuture<S, S::Future, B>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut kind = self.project().kind;
        loop {
            let future = match kind.as_mut().project() {
                AwaitingProj::Answering { future } => return future.poll(cx),
                AwaitingProj::Deciding { pending } => match ready!(pending.poll(cx)) {
                    Ok((mut service, request)) => ResponseFuture::inner(service.call(request)),
                    Err(response) => ResponseFuture::refused(response),
                },
            };
            kind.set(AwaitingKind::Answering { future });
        }
    }
}

/// Says nothing of the request, whose headers have its signature.
impl<S, F, B> fmt::Debug for AwaitingFuture<S, F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwaitingFuture").finish_non_exhaustive()
    }
}
