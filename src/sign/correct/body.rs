use super::answer::is_about_time;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// The body of an answer, as it was sent. Of some refusals the beginning has been read, and is
    /// given out again.
    pub struct AnswerBody<B: Body> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<B: Body> {
        Unread { #[pin] body: B },
        Read { body: Read<B> },
    }
}

impl<B: Body> AnswerBody<B> {
    pub(super) fn unread(body: B) -> Self {
        Self { kind: Kind::Unread { body } }
    }

    pub(super) fn read(body: Read<B>) -> Self {
        Self { kind: Kind::Read { body } }
    }
}

/// So much of a refusal is read to find out why, in bytes: more than any gateway writes.
const LIMIT: usize = 8 * 1024;

/// A body whose beginning has been read.
pub(super) struct Read<B: Body> {
    frames: VecDeque<Frame<Bytes>>,
    error: Option<B::Error>,
    ended: bool,
    // Boxed, so that it can be handed on once it was polled.
    rest: Pin<Box<B>>,
}

/// Nothing of it is pinned but what is in the box.
impl<B: Body> Unpin for Read<B> {}

impl<B: Body<Data = Bytes>> Read<B> {
    pub(super) fn new(body: B) -> Self {
        Self { frames: VecDeque::new(), error: None, ended: false, rest: Box::pin(body) }
    }

    /// Whether it says that a request was refused because of time: reads it to its end, if that is
    /// no further than it may be.
    pub(super) fn poll_reason(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        while !self.ended && self.frames.len() < LIMIT {
            let known = self.rest.size_hint().lower().saturating_add(self.len());
            if known > LIMIT as u64 {
                break;
            }
            match ready!(self.rest.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => self.frames.push_back(frame),
                Some(Err(error)) => (self.error, self.ended) = (Some(error), true),
                None => self.ended = true,
            }
        }
        let mut text = Vec::new();
        for data in self.frames.iter().filter_map(Frame::data_ref) {
            text.extend_from_slice(&data[..data.len().min(LIMIT - text.len())]);
        }
        Poll::Ready(is_about_time(&text))
    }

    /// How much data has been read and not been given out again.
    fn len(&self) -> u64 {
        self.frames.iter().filter_map(Frame::data_ref).map(|data| data.len() as u64).sum()
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if let Some(frame) = self.frames.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        match self.ended {
            true => Poll::Ready(self.error.take().map(Err)),
            false => self.rest.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        let is_over = if self.ended { self.error.is_none() } else { self.rest.is_end_stream() };
        is_over && self.frames.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.len();
        if self.ended && self.error.is_none() {
            return SizeHint::with_exact(read);
        }
        let (rest, mut hint) = (self.rest.size_hint(), SizeHint::new());
        hint.set_lower(rest.lower().saturating_add(read));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(read));
        }
        hint
    }
}

impl<B: Body<Data = Bytes>> Body for AnswerBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProj::Unread { body } => body.poll_frame(cx),
            KindProj::Read { body } => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Unread { body } => body.is_end_stream(),
            Kind::Read { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Unread { body } => body.size_hint(),
            Kind::Read { body } => body.size_hint(),
        }
    }
}

impl<B: Body> fmt::Debug for AnswerBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerBody").finish_non_exhaustive()
    }
}
