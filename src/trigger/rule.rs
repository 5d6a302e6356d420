//! What every rule of a trigger is, and the one service that holds to it.

use super::asked::Asked;
use crate::clock::{Clock, SystemClock};
use crate::error::BoxError;
use crate::protocol::Rejection;
use crate::response::{FcResponse, RejectionResponse, ResponseBody, answer};
use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;
use tower_service::Service;

/// A rule of a trigger: what it asks of requests, and what it does to what answers them.
///
/// [`RuleLayer`] holds a service to it. The rules of this module are the only ones.
pub trait Rule: sealed::Rule {}

impl<T: sealed::Rule> Rule for T {}

pub(super) mod sealed {
    use super::{Refusal, Rejection, Request, Response, SystemTime};

    pub trait Rule {
        /// What it keeps of a request for what answers it.
        type Kept: Default;

        /// Looks at a request before it goes on, or does not. What it keeps counts in
        /// either case.
        fn request<B>(
            &self,
            request: &mut Request<B>,
            now: SystemTime,
            kept: &mut Self::Kept,
        ) -> Result<(), Refusal> {
            let _ = (request, now, kept);
            Ok(())
        }

        /// Looks at what answers a request, refusals included. An answer that may not pass is
        /// replaced by a refusal.
        fn response<B>(
            &self,
            kept: &Self::Kept,
            response: &mut Response<B>,
        ) -> Result<(), Rejection> {
            let _ = (kept, response);
            Ok(())
        }

        /// What becomes of an error of the inner service: it passes through by default.
        fn failed<E: Into<super::BoxError>>(&self, error: E) -> Result<Rejection, E> {
            Err(error)
        }
    }
}

/// What a rule answers a request with in place of the service.
#[derive(Debug)]
pub enum Refusal {
    /// The answer to a refused request.
    Rejected(Rejection),
    /// An answer that is none.
    Answered(Box<Response<Bytes>>),
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// Holds a service to one rule of a trigger.
///
/// The rule does its part before the inner service is called, and after it has answered. What
/// is refused has its [`Rejection`] in the extensions of the response.
///
/// A refusal *after* the inner service has answered is made without the request itself: the
/// [`RejectionResponse`] is given its method, a `content-type` of gRPC and the
/// [`RequestId`](crate::response::RequestId), and no target.
#[derive(Clone, Debug)]
pub struct RuleLayer<T, R = FcResponse, C = SystemClock> {
    pub(super) rule: T,
    response: R,
    clock: C,
}

impl<T: Rule> RuleLayer<T> {
    /// Holds services to this rule.
    pub fn new(rule: T) -> Self {
        Self { rule, response: FcResponse, clock: SystemClock }
    }
}

impl<T, R, C> RuleLayer<T, R, C> {
    /// Answers refusals in another way than [`FcResponse`].
    pub fn with_rejection_response<V: RejectionResponse>(self, response: V) -> RuleLayer<T, V, C> {
        RuleLayer { rule: self.rule, response, clock: self.clock }
    }

    /// Tells the time by another clock than the system's.
    pub fn with_clock<V: Clock>(self, clock: V) -> RuleLayer<T, R, V> {
        RuleLayer { rule: self.rule, response: self.response, clock }
    }
}

/// The service of [`RuleLayer`].
pub struct Ruled<S, T, R = FcResponse, C = SystemClock> {
    inner: S,
    layer: RuleLayer<T, R, C>,
}

service!(Ruled, RuleLayer, T, R, C);

impl<S, T, R, C, B, ResBody> Service<Request<B>> for Ruled<S, T, R, C>
where
    S: Service<Request<B>, Response = Response<ResBody>, Error: Into<BoxError>>,
    T: Rule + Clone,
    R: RejectionResponse + Clone,
    C: Clock,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = RuledFuture<S::Future, T, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let RuleLayer { rule, response, clock } = &self.layer;
        let now = clock.now();
        let mut kept = T::Kept::default();
        let state = match rule.request(&mut request, now, &mut kept) {
            Ok(()) => {
                let asked = Asked::of(&request, now);
                State::Calling { future: self.inner.call(request), asked }
            }
            Err(refusal) => {
                let parts = request.into_parts().0;
                let response = match refusal {
                    Refusal::Rejected(rejection) => answer(rejection, now, response, &parts),
                    Refusal::Answered(response) => response,
                };
                State::Answered { response: Some(response) }
            }
        };
        RuledFuture { state, kept, rule: rule.clone(), response: response.clone() }
    }
}

pin_project! {
    /// The response future of [`Ruled`].
    pub struct RuledFuture<F, T: sealed::Rule, R> {
        #[pin]
        state: State<F>,
        kept: T::Kept,
        rule: T,
        response: R,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Calling { #[pin] future: F, asked: Asked },
        Answered { response: Option<Box<Response<Bytes>>> },
    }
}

impl<F, T, R, B, E> Future for RuledFuture<F, T, R>
where
    F: Future<Output = Result<Response<B>, E>>,
    T: sealed::Rule,
    R: RejectionResponse,
    E: Into<BoxError>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let refused = match this.state.project() {
            StateProj::Answered { response } => match response.take() {
                Some(response) => response,
                // Polled after completion, which a future may answer as it likes.
                None => return Poll::Pending,
            },
            StateProj::Calling { future, asked } => {
                let rejection = match ready!(future.poll(cx)) {
                    Ok(mut response) => match this.rule.response(this.kept, &mut response) {
                        Ok(()) => return Poll::Ready(Ok(response.map(ResponseBody::inner))),
                        Err(rejection) => rejection,
                    },
                    Err(error) => match this.rule.failed(error) {
                        Ok(rejection) => rejection,
                        Err(error) => return Poll::Ready(Err(error)),
                    },
                };
                asked.refuse(rejection, this.response)
            }
        };
        let mut response = refused.map(ResponseBody::refused);
        // A refusal cannot be refused.
        let _ = this.rule.response(this.kept, &mut response);
        Poll::Ready(Ok(response))
    }
}

impl<F, T: sealed::Rule, R> std::fmt::Debug for RuledFuture<F, T, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuledFuture").finish_non_exhaustive()
    }
}
