use super::asked::Asked;
use super::layer::InvocationLayer;
use super::store::{Added, InvocationStore};
use super::task::{StoredRequest, Task, TaskId};
use crate::clock::{Clock, SystemClock};
use crate::digest::BodyDigestMismatch;
use crate::error::BoxError;
use crate::headers::X_FC_REQUEST_ID;
use crate::protocol::{Rejection, RejectionKind};
use crate::response::{
    FcResponse, RejectionResponse, RequestId, ResponseBody, ResponseFuture, answer,
};
use crate::trigger::BodyLimitExceeded;
use crate::trigger::headers::remove_what_must_not_pass;
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower_service::Service;

/// The service of [`InvocationLayer`].
pub struct Invocation<S, T, R = FcResponse, C = SystemClock> {
    inner: S,
    layer: InvocationLayer<T, R, C>,
}

service!(Invocation, InvocationLayer, T, R, C);

impl<S, T, R, C, B, ResBody> Service<Request<B>> for Invocation<S, T, R, C>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    T: InvocationStore,
    R: RejectionResponse + Clone + Send + Sync + 'static,
    C: Clock + Clone + Send + Sync + 'static,
    B: Body<Error: Into<BoxError>, Data: Send> + Send + 'static,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = InvocationFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let asked = match Asked::of(request.headers(), request.extensions()) {
            Ok(None) => {
                let future = ResponseFuture::inner(self.inner.call(request));
                return InvocationFuture { kind: Kind::Passed { future } };
            }
            Ok(Some(asked)) => Ok(asked),
            Err(rejection) => Err(rejection),
        };
        let layer = &self.layer;
        let (store, response) = (layer.store.clone(), layer.response.clone());
        let (clock, limit) = (layer.clock.clone(), layer.max_body_len);
        let (parts, body) = request.into_parts();
        let id = parts.extensions.get().cloned();
        let id = id.unwrap_or_else(|| RequestId::new_at(clock.now()));
        let accepting = Box::pin(async move {
            let accepted = async {
                let asked = asked?;
                let body = read(body, limit).await?;
                // A delay begins when the request has come.
                let now = clock.now();
                let task = task(asked, &parts, body, &id, now);
                match store.add(task).await {
                    Ok(Added::New) => Ok(()),
                    Ok(Added::Duplicate) => {
                        let message = "there is a task of this id, or was one lately";
                        Err(Rejection::new(RejectionKind::DuplicateTask, message))
                    }
                    Err(error) => {
                        let message = "the request cannot be stored at the moment";
                        let kind = RejectionKind::InvocationStoreUnavailable;
                        Err(Rejection::new(kind, message).because_of(error))
                    }
                }
            };
            let mut response = match accepted.await {
                Ok(()) => {
                    let mut accepted = Response::new(Bytes::new());
                    *accepted.status_mut() = StatusCode::ACCEPTED;
                    Box::new(accepted)
                }
                Err(rejection) => answer(rejection, clock.now(), &response, &parts),
            };
            response.headers_mut().insert(&X_FC_REQUEST_ID, id.header_value().clone());
            response
        });
        InvocationFuture { kind: Kind::Accepting { accepting } }
    }
}

/// The whole body of a request.
async fn read<B>(body: B, limit: usize) -> Result<Bytes, Rejection>
where
    B: Body<Error: Into<BoxError>>,
{
    let too_long = || BodyLimitExceeded::of(limit as u64).into();
    if body.size_hint().lower() > limit as u64 {
        return Err(too_long());
    }
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_long()),
        Err(error) => Err(match error.downcast_ref::<BodyDigestMismatch>() {
            Some(mismatch) => mismatch.clone().into(),
            None => {
                let message = "the request body could not be read to its end";
                Rejection::new(RejectionKind::BodyIncomplete, message)
            }
        }),
    }
}

fn task(
    asked: Asked,
    parts: &Parts,
    body: Bytes,
    id: &RequestId,
    now: std::time::SystemTime,
) -> Task {
    let mut headers = parts.headers.clone();
    remove_what_must_not_pass(&mut headers);
    Task {
        id: asked.id.unwrap_or_else(|| TaskId::of_request(id.as_str())),
        request_id: id.as_str().into(),
        accepted_at: now,
        due_at: now.checked_add(asked.delay).unwrap_or(now),
        request: StoredRequest {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            headers,
            body,
        },
    }
}

type Accepting = Pin<Box<dyn Future<Output = Box<Response<Bytes>>> + Send>>;

pin_project_lite::pin_project! {
    /// The response future of [`Invocation`].
    pub struct InvocationFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project_lite::pin_project! {
    #[project = KindProj]
    enum Kind<F> {
        Passed { #[pin] future: ResponseFuture<F> },
        Accepting { accepting: Accepting },
    }
}

impl<F, B, E> Future for InvocationFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProj::Passed { future } => future.poll(cx),
            KindProj::Accepting { accepting } => {
                let response = ready!(accepting.as_mut().poll(cx));
                Poll::Ready(Ok(response.map(ResponseBody::refused)))
            }
        }
    }
}

/// Says nothing of the request.
impl<F> std::fmt::Debug for InvocationFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InvocationFuture").finish_non_exhaustive()
    }
}
