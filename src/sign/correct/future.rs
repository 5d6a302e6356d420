use super::answer::{Refusal, Trip};
use super::body::{AnswerBody, Read};
use super::correction::Observe;
use crate::clock::{Clock, CorrectedClock};
use bytes::Bytes;
use http::response::Parts;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};
use tower_service::Service;

/// A difference that makes none once requests are signed by it, in milliseconds: dates are in
/// seconds.
const TOLERANCE: u64 = 1_000;

/// What is needed to send a request a second time.
pub(super) struct Again<S, B> {
    pub(super) service: S,
    pub(super) request: Request<B>,
}

/// What a request was signed by, and what becomes of it if that was wrong.
pub(super) struct First<S, B, C> {
    pub(super) clock: CorrectedClock<C>,
    pub(super) max_offset: Duration,
    pub(super) observer: Option<Arc<Observe>>,
    /// What the clock was corrected by when the request was sent, in milliseconds.
    pub(super) offset: i64,
    pub(super) sent: SystemTime,
    pub(super) again: Option<Again<S, B>>,
}

pin_project! {
    /// The response future of [`CorrectClock`](super::CorrectClock).
    pub struct CorrectClockFuture<S, F, B, C, R: Body> {
        first: Option<First<S, B, C>>,
        #[pin]
        kind: Kind<S, F, B, R>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<S, F, B, R: Body> {
        Sent { #[pin] future: F },
        // A refusal, and what its `Date` says the clock is to be corrected by.
        Reading { refusal: Option<(Parts, Read<R>)>, offset: i64 },
        // The copy of a request, for which the service is not ready yet.
        Readying { again: Option<Again<S, B>> },
    }
}

impl<S, F, B, C, R: Body> CorrectClockFuture<S, F, B, C, R> {
    /// Of a request whose answer is the last.
    pub(super) fn last(future: F) -> Self {
        Self { first: None, kind: Kind::Sent { future } }
    }

    /// Of a request that may have been signed by a wrong clock.
    pub(super) fn first(future: F, first: First<S, B, C>) -> Self {
        Self { first: Some(first), kind: Kind::Sent { future } }
    }
}

impl<S, B, C: Clock> First<S, B, C> {
    /// What a refusal says the clock is to be corrected by, if that is another time than the one
    /// that was signed, and may be believed.
    fn offset<R>(&self, response: &Response<R>) -> Option<i64> {
        let trip = Trip { sent: self.sent, received: self.clock.uncorrected() };
        let offset = trip.offset(response.headers())?;
        let is_other = offset.abs_diff(self.offset) > TOLERANCE;
        let is_near = u128::from(offset.unsigned_abs()) <= self.max_offset.as_millis();
        (is_other && is_near).then_some(offset)
    }
}

impl<S, B, C, R> Future for CorrectClockFuture<S, S::Future, B, C, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    C: Clock,
    R: Body<Data = Bytes>,
{
    type Output = Result<Response<AnswerBody<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.kind.as_mut().project() {
                KindProj::Sent { future } => {
                    let response = ready!(future.poll(cx))?;
                    let offset = this.first.as_ref().and_then(|first| first.offset(&response));
                    let Some(offset) = offset else {
                        return Poll::Ready(Ok(response.map(AnswerBody::unread)));
                    };
                    match Refusal::of(&response) {
                        Refusal::No => {
                            return Poll::Ready(Ok(response.map(AnswerBody::unread)));
                        }
                        Refusal::Yes => match learn(this.first, offset) {
                            Some(again) => Kind::Readying { again: Some(again) },
                            None => return Poll::Ready(Ok(response.map(AnswerBody::unread))),
                        },
                        Refusal::InBody => {
                            let (parts, body) = response.into_parts();
                            Kind::Reading { refusal: Some((parts, Read::new(body))), offset }
                        }
                    }
                }
                KindProj::Reading { refusal, offset } => {
                    // Polled after completion, which a future may answer as it likes.
                    let Some((_, body)) = refusal else { return Poll::Pending };
                    let is_about_time = ready!(body.poll_reason(cx));
                    match is_about_time.then(|| learn(this.first, *offset)).flatten() {
                        Some(again) => Kind::Readying { again: Some(again) },
                        None => {
                            let Some((parts, body)) = refusal.take() else { return Poll::Pending };
                            let body = AnswerBody::read(body);
                            return Poll::Ready(Ok(Response::from_parts(parts, body)));
                        }
                    }
                }
                KindProj::Readying { again } => {
                    let Some(waiting) = again else { return Poll::Pending };
                    ready!(waiting.service.poll_ready(cx))?;
                    let Some(Again { mut service, request }) = again.take() else {
                        return Poll::Pending;
                    };
                    Kind::Sent { future: service.call(request) }
                }
            };
            this.kind.set(next);
        }
    }
}

/// Corrects the clock of a request that was refused because of it. Returns how to send it again, if
/// that can be done.
fn learn<S, B, C>(first: &mut Option<First<S, B, C>>, offset: i64) -> Option<Again<S, B>> {
    let First { clock, observer, again, .. } = first.take()?;
    clock.correct(offset);
    if let Some(observe) = observer {
        observe(offset);
    }
    again
}

/// Says nothing of the request, nor of the answer.
impl<S, F, B, C, R: Body> fmt::Debug for CorrectClockFuture<S, F, B, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorrectClockFuture").finish_non_exhaustive()
    }
}
