use super::body::FormBody;
use super::form::Form;
use crate::response::{ResponseBody, ResponseFuture};
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower_service::Service;

/// Gives the request that may pass, or what its client is answered.
type Decision<B> = dyn Future<Output = Result<Request<FormBody<B>>, Box<Response<Bytes>>>> + Send;

pin_project! {
    /// The response future of [`Jwt`](super::Jwt) and
    /// [`SignatureOrJwt`](super::SignatureOrJwt).
    pub struct JwtFuture<S, F, B> {
        #[pin]
        kind: Kind<S, F, B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<S, F, B> {
        // Boxed, because it waits for a form or for keys.
        Deciding { decision: Pin<Box<Decision<B>>>, service: Option<S> },
        Answering { #[pin] future: ResponseFuture<F> },
    }
}

/// What decides about requests.
pub(super) trait Decide<B> {
    /// Changes a request to what may pass, or gives what its client is answered.
    fn decide(
        &self,
        parts: &mut Parts,
        form: &mut Form<B>,
    ) -> impl Future<Output = Result<(), Box<Response<Bytes>>>> + Send;
}

impl<S, F, B: Send + 'static> JwtFuture<S, F, B> {
    /// Calls the service, which is ready, with what may pass.
    pub(super) fn deciding(
        service: S,
        request: Request<B>,
        layer: impl Decide<B> + Send + Sync + 'static,
    ) -> Self {
        let decision = Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let mut form = Form::Unread(body);
            layer.decide(&mut parts, &mut form).await?;
            Ok(Request::from_parts(parts, form.into_body()))
        });
        Self { kind: Kind::Deciding { decision, service: Some(service) } }
    }
}

impl<S, B, ResBody> Future for JwtFuture<S, S::Future, B>
where
    S: Service<Request<FormBody<B>>, Response = Response<ResBody>>,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut kind = self.project().kind;
        loop {
            let (decision, service) = match kind.as_mut().project() {
                KindProj::Answering { future } => return future.poll(cx),
                KindProj::Deciding { decision, service } => (decision, service),
            };
            // Polled after completion, which a future may answer as it likes.
            if service.is_none() {
                return Poll::Pending;
            }
            let decided = ready!(decision.as_mut().poll(cx));
            // What is refused lets go of the service.
            let future = match (decided, service.take()) {
                (Ok(request), Some(mut service)) => ResponseFuture::inner(service.call(request)),
                (Err(response), _) => ResponseFuture::refused(response),
                (Ok(_), None) => return Poll::Pending,
            };
            kind.set(Kind::Answering { future });
        }
    }
}

/// Says nothing of the request, which has a token.
impl<S, F, B> fmt::Debug for JwtFuture<S, F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtFuture").finish_non_exhaustive()
    }
}
