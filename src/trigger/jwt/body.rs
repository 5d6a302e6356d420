use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The body of a request behind a [`JwtLayer`](super::JwtLayer): with the same bytes, whether a
    /// form was looked into or not, unless claims were set in it.
    pub struct FormBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<B> {
        Unread { #[pin] body: B },
        Read { read: Read<B> },
    }
}

/// A body that was begun to be read.
pub(super) struct Read<B> {
    /// What was read of it,
    pub(super) data: Bytes,
    /// with what ended it,
    pub(super) trailers: Option<HeaderMap>,
    /// and what follows, unless it was read to its end.
    pub(super) rest: Option<Pin<Box<B>>>,
}

impl<B> FormBody<B> {
    pub(super) fn unread(body: B) -> Self {
        Self { kind: Kind::Unread { body } }
    }

    pub(super) fn read(read: Read<B>) -> Self {
        Self { kind: Kind::Read { read } }
    }
}

impl<B: Body> Body for FormBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let body = match self.project().kind.project() {
            KindProj::Unread { body } => body,
            KindProj::Read { read } => {
                let data = std::mem::take(&mut read.data);
                if !data.is_empty() {
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                match &mut read.rest {
                    Some(rest) => rest.as_mut(),
                    None => {
                        return Poll::Ready(read.trailers.take().map(Frame::trailers).map(Ok));
                    }
                }
            }
        };
        let copy = |mut data: B::Data| data.copy_to_bytes(data.remaining());
        body.poll_frame(cx).map_ok(|frame| frame.map_data(copy))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Unread { body } => body.is_end_stream(),
            Kind::Read { read: Read { data, trailers, rest } } => {
                data.is_empty()
                    && trailers.is_none()
                    && rest.as_ref().is_none_or(|rest| rest.is_end_stream())
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Unread { body } => body.size_hint(),
            Kind::Read { read: Read { data, trailers, rest } } => {
                let len = data.len() as u64;
                let rest = match rest {
                    Some(rest) => rest.size_hint(),
                    // For an exact length HTTP/1.1 sends `content-length`, beside which there can
                    // be no trailers.
                    None if trailers.is_some() => SizeHint::new(),
                    None => SizeHint::with_exact(0),
                };
                let mut hint = SizeHint::new();
                hint.set_lower(rest.lower().saturating_add(len));
                if let Some(upper) = rest.upper() {
                    hint.set_upper(upper.saturating_add(len));
                }
                hint
            }
        }
    }
}

impl<B: Default> Default for FormBody<B> {
    fn default() -> Self {
        Self::unread(B::default())
    }
}

/// Says nothing of what was read, which may have a token in it.
impl<B> fmt::Debug for FormBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormBody").finish_non_exhaustive()
    }
}
