use super::asked::Asked;
use super::body::{BodyLimitExceeded, GuardedBody, LimitedBody};
use super::fault::Fault;
use crate::clock::{Clock, SystemClock};
use crate::response::{FcResponse, RejectionResponse, ResponseBody, answer};
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower_service::Service;

/// 32 MB, in bytes: the limit of the body of a request.
pub const DEFAULT_MAX_BODY_LEN: u64 = 32 * 1024 * 1024;

/// Lets the inner service read no body that is longer than a trigger takes.
///
/// One whose length is known to be over the limit is answered with 400 and `InvalidArgument`,
/// naming the limit (seed document, "HTTP Request"), and the inner service is not called. Of one
/// whose length is not known the inner service reads a [`LimitedBody`], which ends with an error
/// at the limit; then the client is answered with 400 whatever the inner service answers, unless
/// it has done so already: that response is cut off.
///
/// Inside a [`CheckDigestLayer`](crate::digest::CheckDigestLayer), a body that differs from its
/// signed digest is answered with 403 in the same way.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimitLayer<R = FcResponse, C = SystemClock> {
    limit: u64,
    response: R,
    clock: C,
}

impl BodyLimitLayer {
    /// Refuses bodies of more than so many bytes.
    pub fn new(limit: u64) -> Self {
        Self { limit, response: FcResponse, clock: SystemClock }
    }
}

impl Default for BodyLimitLayer {
    /// Refuses bodies over [32 MB](DEFAULT_MAX_BODY_LEN).
    fn default() -> Self {
        Self::new(DEFAULT_MAX_BODY_LEN)
    }
}

impl<R, C> BodyLimitLayer<R, C> {
    /// Answers refusals in another way than [`FcResponse`].
    pub fn with_rejection_response<T: RejectionResponse>(
        self,
        response: T,
    ) -> BodyLimitLayer<T, C> {
        BodyLimitLayer { limit: self.limit, response, clock: self.clock }
    }

    /// Tells the time by another clock than the system's.
    pub fn with_clock<T: Clock>(self, clock: T) -> BodyLimitLayer<R, T> {
        BodyLimitLayer { limit: self.limit, response: self.response, clock }
    }
}

/// The service of [`BodyLimitLayer`].
pub struct BodyLimit<S, R = FcResponse, C = SystemClock> {
    inner: S,
    layer: BodyLimitLayer<R, C>,
}

service!(BodyLimit, BodyLimitLayer, R, C);

impl<S, R, C, B, ResBody> Service<Request<B>> for BodyLimit<S, R, C>
where
    S: Service<Request<LimitedBody<B>>, Response = Response<ResBody>>,
    R: RejectionResponse + Clone,
    C: Clock,
    B: Body,
{
    type Response = Response<ResponseBody<GuardedBody<ResBody>>>;
    type Error = S::Error;
    type Future = BodyLimitFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let BodyLimitLayer { limit, response, clock } = &self.layer;
        if known_len(&request) > *limit {
            let rejection = BodyLimitExceeded::of(*limit).into();
            let response = answer(rejection, clock.now(), response, &request.into_parts().0);
            return BodyLimitFuture { state: State::Refused { response: Some(response) } };
        }
        let mut watch = None;
        if !request.body().is_end_stream() {
            let (fault, asked) = (Fault::default(), Asked::of(&request, clock.now()));
            watch = Some(Watch { fault, asked, response: response.clone() });
        }
        let fault = || watch.as_ref().map(|watch| watch.fault.clone());
        let request = request.map(|body| LimitedBody::new(body, *limit, fault()));
        BodyLimitFuture { state: State::Calling { future: self.inner.call(request), watch } }
    }
}

/// How long a body is at least, as far as is known before it is read.
fn known_len<B: Body>(request: &Request<B>) -> u64 {
    let lengths = request.headers().get_all(CONTENT_LENGTH).iter();
    let lengths = lengths.filter_map(|value| value.to_str().ok()?.parse::<u64>().ok());
    lengths.max().unwrap_or(0).max(request.body().size_hint().lower())
}

/// Waits for what a body turns out to be.
#[derive(Debug)]
struct Watch<R> {
    fault: Fault,
    asked: Asked,
    response: R,
}

pin_project! {
    /// The response future of [`BodyLimit`].
    #[derive(Debug)]
    pub struct BodyLimitFuture<F, R> {
        #[pin]
        state: State<F, R>,
    }
}

pin_project! {
    #[project = StateProj]
    #[derive(Debug)]
    enum State<F, R> {
        Calling { #[pin] future: F, watch: Option<Watch<R>> },
        Refused { response: Option<Box<Response<Bytes>>> },
    }
}

impl<F, R, B, E> Future for BodyLimitFuture<F, R>
where
    F: Future<Output = Result<Response<B>, E>>,
    R: RejectionResponse,
{
    type Output = Result<Response<ResponseBody<GuardedBody<B>>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let refused = match self.project().state.project() {
            StateProj::Refused { response } => response.take(),
            StateProj::Calling { future, watch } => {
                let answered = ready!(future.poll(cx));
                let watch = watch.take();
                let fault = watch.as_ref().and_then(|watch| watch.fault.get().cloned());
                match (fault, watch) {
                    (Some(rejection), Some(watch)) => {
                        Some(watch.asked.refuse(rejection, &watch.response))
                    }
                    (_, watch) => {
                        let fault = watch.map(|watch| watch.fault);
                        let guard = |body| ResponseBody::inner(GuardedBody::new(body, fault));
                        return Poll::Ready(answered.map(|response| response.map(guard)));
                    }
                }
            }
        };
        match refused {
            Some(response) => Poll::Ready(Ok(response.map(ResponseBody::refused))),
            // Polled after completion, which a future may answer as it likes.
            None => Poll::Pending,
        }
    }
}
