use super::fault::Fault;
use crate::digest::BodyDigestMismatch;
use crate::error::BoxError;
use crate::protocol::{Rejection, RejectionKind};
use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// The body of a request that a function reads at the most up to a limit.
    ///
    /// One that is longer ends with a [`BodyLimitExceeded`], and never as if it were whole. That
    /// error takes the place of the piece which goes beyond the limit.
    #[derive(Debug)]
    pub struct LimitedBody<B> {
        #[pin]
        body: B,
        limit: u64,
        left: u64,
        fault: Option<Fault>,
        has_failed: bool,
    }
}

impl<B> LimitedBody<B> {
    /// One that tells of what is wrong with it, if there is whom to tell.
    pub(super) fn new(body: B, limit: u64, fault: Option<Fault>) -> Self {
        Self { body, limit, left: limit, fault, has_failed: false }
    }
}

impl<B: Body<Error: Into<BoxError>>> Body for LimitedBody<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        if *this.has_failed {
            return Poll::Ready(None);
        }
        let error = match ready!(this.body.poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(Ok(frame)) => {
                let len = frame.data_ref().map_or(0, |data| data.remaining() as u64);
                if let Some(left) = this.left.checked_sub(len) {
                    *this.left = left;
                    let copy = |mut data: B::Data| data.copy_to_bytes(data.remaining());
                    return Poll::Ready(Some(Ok(frame.map_data(copy))));
                }
                BodyLimitExceeded::of(*this.limit).into()
            }
            Some(Err(error)) => error.into(),
        };
        *this.has_failed = true;
        if let (Some(fault), Some(rejection)) = (this.fault, refusal(&*error)) {
            fault.set(rejection);
        }
        Poll::Ready(Some(Err(error)))
    }

    fn is_end_stream(&self) -> bool {
        self.has_failed || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.has_failed {
            true => SizeHint::with_exact(0),
            false => self.body.size_hint(),
        }
    }
}

/// How a client is answered whose body ended with this error: with no refusal if the error is
/// none of ours.
fn refusal(error: &(dyn std::error::Error + 'static)) -> Option<Rejection> {
    if let Some(mismatch) = error.downcast_ref::<BodyDigestMismatch>() {
        return Some(mismatch.clone().into());
    }
    error.downcast_ref::<BodyLimitExceeded>().map(|error| error.clone().into())
}

/// The body of a request is longer than a trigger takes.
///
/// [`LimitedBody`] ends with it, boxed, to be found by `downcast_ref`, or as a `source` where a
/// framework has wrapped it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyLimitExceeded {
    limit: u64,
}

impl BodyLimitExceeded {
    pub(crate) fn of(limit: u64) -> Self {
        Self { limit }
    }

    /// The limit, in bytes.
    pub fn limit(&self) -> u64 {
        self.limit
    }
}

impl fmt::Display for BodyLimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the request body is over the limit of {} bytes", self.limit)
    }
}

impl std::error::Error for BodyLimitExceeded {}

impl From<BodyLimitExceeded> for Rejection {
    fn from(error: BodyLimitExceeded) -> Self {
        Self::new(RejectionKind::LimitExceeded, error.to_string()).because_of(error)
    }
}

pin_project! {
    /// The body of a response, which is cut off when the body of the request turns out to be
    /// wrong.
    #[derive(Debug)]
    pub struct GuardedBody<B> {
        #[pin]
        body: B,
        fault: Option<Fault>,
    }
}

impl<B> GuardedBody<B> {
    pub(super) fn new(body: B, fault: Option<Fault>) -> Self {
        Self { body, fault }
    }

    fn fault(&self) -> Option<&Rejection> {
        self.fault.as_ref().and_then(Fault::get)
    }
}

impl<B: Default> Default for GuardedBody<B> {
    fn default() -> Self {
        Self::new(B::default(), None)
    }
}

impl<B: Body<Error: Into<BoxError>>> Body for GuardedBody<B> {
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let this = self.project();
        let frame = this.body.poll_frame(cx);
        // Looked at last, since the function may have read on just now.
        if let Some(rejection) = this.fault.take_if(|fault| fault.get().is_some()) {
            let error = rejection.get().cloned().map(BoxError::from);
            return Poll::Ready(error.map(Err));
        }
        frame.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.fault().is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
