use super::body::AnswerBody;
use super::copy::{CloneBody, CopyBody};
use super::correction::Correction;
use super::future::{Again, CorrectClockFuture, First};
use crate::awaiting::take_ready;
use crate::clock::{Clock, SystemClock};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use std::fmt;
use std::task::{Context, Poll};
use tower_service::Service;

/// The service of [`CorrectClockLayer`](super::CorrectClockLayer), around one that signs.
#[derive(Clone)]
pub struct CorrectClock<S, C = SystemClock, F = CloneBody> {
    inner: S,
    correction: Correction<C, F>,
}

impl<S, C, F> CorrectClock<S, C, F> {
    pub(super) fn new(inner: S, correction: Correction<C, F>) -> Self {
        Self { inner, correction }
    }
}

inner!(CorrectClock, C, F);

impl<S: fmt::Debug, C, F> fmt::Debug for CorrectClock<S, C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorrectClock")
            .field("inner", &self.inner)
            .field("offset_millis", &self.correction.clock.offset_millis())
            .finish_non_exhaustive()
    }
}

impl<S, C, F, B, ResBody> Service<Request<B>> for CorrectClock<S, C, F>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone,
    C: Clock + Clone,
    F: CopyBody<B>,
    ResBody: Body<Data = Bytes>,
{
    type Response = Response<AnswerBody<ResBody>>;
    type Error = S::Error;
    type Future = CorrectClockFuture<S, S::Future, B, C, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Correction { clock, origins, max_offset, copy, observer } = &self.correction;
        // The answer to one that is not signed teaches nothing.
        if !matches!(origins.contain((&request).into()), Ok(true)) {
            return CorrectClockFuture::last(self.inner.call(request));
        }
        let (parts, body) = request.into_parts();
        let copy = copy.copy_body(&body).map(|body| Request::from_parts(parts.clone(), body));
        let mut service = take_ready(&mut self.inner);
        let (offset, sent) = (clock.offset_millis(), clock.uncorrected());
        let future = service.call(Request::from_parts(parts, body));
        let again = copy.map(|request| Again { service, request });
        let (clock, max_offset, observer) = (clock.clone(), *max_offset, observer.clone());
        let first = First { clock, max_offset, observer, offset, sent, again };
        CorrectClockFuture::first(future, first)
    }
}
