use super::buffering::{BufferedBody, is_complete};
use super::hash::Hash;
use super::policy::Expected;
use crate::error::BoxError;
use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// The body of a request as a service behind a check sees it.
    ///
    /// One that is checked while it streams ends with a
    /// [`BodyDigestMismatch`](super::BodyDigestMismatch) if its digest differs. The
    /// error takes the place of the last piece where it is known to be the last (there
    /// is a content length, or HTTP/2 says so), and of the trailers; otherwise it comes
    /// after the last piece. Only a body that was read to its end without an error has
    /// the digest that was signed.
    #[derive(Debug)]
    pub struct CheckedBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProj]
    #[derive(Debug)]
    enum Kind<B> {
        Unchecked { #[pin] body: B },
        Streaming { #[pin] body: B, check: Check },
        Buffered { body: BufferedBody },
    }
}

#[derive(Debug)]
struct Check {
    expected: Expected,
    state: State,
}

#[derive(Debug)]
enum State {
    Hashing(Hash),
    /// All bytes are there, and have the digest.
    Right,
    /// They do not, and that has been reported.
    Wrong,
}

impl<B> CheckedBody<B> {
    pub(super) fn unchecked(body: B) -> Self {
        Self { kind: Kind::Unchecked { body } }
    }

    pub(super) fn streaming(body: B, expected: Expected) -> Self {
        let state = State::Hashing(Hash::new(expected.algorithm));
        Self { kind: Kind::Streaming { body, check: Check { expected, state } } }
    }

    pub(super) fn buffered(body: BufferedBody) -> Self {
        Self { kind: Kind::Buffered { body } }
    }
}

impl<B: Body<Error: Into<BoxError>>> Body for CheckedBody<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let (mut body, check) = match self.project().kind.project() {
            KindProj::Unchecked { body } => (body, None),
            KindProj::Streaming { check: Check { state: State::Wrong, .. }, .. } => {
                return Poll::Ready(None);
            }
            KindProj::Streaming { body, check } => (body, Some(check)),
            KindProj::Buffered { body } => {
                return Pin::new(body).poll_frame(cx).map_err(|never| match never {});
            }
        };
        let frame = match ready!(body.as_mut().poll_frame(cx)) {
            Some(Ok(frame)) => frame.map_data(|mut data| data.copy_to_bytes(data.remaining())),
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            None => return Poll::Ready(check.and_then(|check| check.end().err()).map(Err)),
        };
        let is_last = frame.is_trailers() || is_complete(&*body);
        let data = frame.data_ref().map_or(&[][..], |data| data);
        let checked = check.map_or(Ok(()), |check| check.add(data, is_last));
        Poll::Ready(Some(checked.map(|()| frame)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Unchecked { body } => body.is_end_stream(),
            // Whoever stops here must not miss the error.
            Kind::Streaming { body, check } => match check.state {
                State::Hashing(_) => false,
                State::Right => body.is_end_stream(),
                State::Wrong => true,
            },
            Kind::Buffered { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Unchecked { body } => body.size_hint(),
            Kind::Streaming { check: Check { state: State::Wrong, .. }, .. } => {
                SizeHint::with_exact(0)
            }
            Kind::Streaming { body, .. } => body.size_hint(),
            Kind::Buffered { body } => body.size_hint(),
        }
    }
}

impl Check {
    fn add(&mut self, data: &[u8], is_last: bool) -> Result<(), BoxError> {
        match &mut self.state {
            State::Hashing(hash) => {
                hash.update(data);
                if is_last { self.end() } else { Ok(()) }
            }
            State::Right if data.is_empty() => Ok(()),
            // More came than the body had said there is.
            State::Right | State::Wrong => {
                self.state = State::Wrong;
                self.end()
            }
        }
    }

    fn end(&mut self) -> Result<(), BoxError> {
        let is_right = match std::mem::replace(&mut self.state, State::Wrong) {
            State::Hashing(hash) => hash.finish().matches(&self.expected.digest),
            State::Right => true,
            State::Wrong => false,
        };
        if !is_right {
            return Err(self.expected.mismatch().into());
        }
        self.state = State::Right;
        Ok(())
    }
}
