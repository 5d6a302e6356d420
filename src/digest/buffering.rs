use crate::protocol::crypto::{hash::Hash, tag::Tag};
use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A body that is in memory as a whole, with its trailers.
///
/// Requests leave a [`SetDigest`](super::SetDigest) with it.
#[derive(Clone, Debug, Default)]
pub struct BufferedBody {
    data: Bytes,
    trailers: Option<HeaderMap>,
}

impl BufferedBody {
    /// Returns the data that has not been read yet.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// The trailers, until they are read.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }

    pub(super) fn without_trailers(self) -> Self {
        Self { trailers: None, ..self }
    }
}

impl Body for BufferedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = std::mem::take(&mut self.data);
        let frame = match data.is_empty() {
            true => self.trailers.take().map(Frame::trailers),
            false => Some(Frame::data(data)),
        };
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let len = self.data.len() as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(len);
        // For an exact length HTTP/1.1 sends `content-length`, beside which there can be
        // no trailers.
        if self.trailers.is_none() {
            hint.set_upper(len);
        }
        hint
    }
}

/// Whether all data of a body has been read, as far as it says so.
pub(super) fn is_complete<B: Body>(body: &B) -> bool {
    body.is_end_stream() || body.size_hint().exact() == Some(0)
}

/// How much of a body is held.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// So many bytes.
    Of(usize),
    /// So many bytes of one that streams; all of one that comes in a single piece, and
    /// so is in memory already.
    OfStreams(usize),
}

/// A body with its digest, or why it is not held.
pub(crate) type Held<E> = Result<(BufferedBody, Tag), Unheld<E>>;

/// Why a body is not held.
pub(crate) enum Unheld<E> {
    TooLarge(BodyTooLarge),
    Failed(E),
}

pin_project! {
    /// Reads a body to its end and hashes it.
    pub(super) struct Buffering<B> {
        #[pin]
        body: B,
        hash: Option<Hash>,
        limit: Limit,
        // The first piece, which is not copied,
        first: Bytes,
        // until there is a second: many small ones then take no more than their bytes.
        joined: BytesMut,
        trailers: Option<HeaderMap>,
    }
}

impl<B: Body> Buffering<B> {
    pub(super) fn new(body: B, hash: Hash, limit: Limit) -> Self {
        let (first, joined) = (Bytes::new(), BytesMut::new());
        Self { body, hash: Some(hash), limit, first, joined, trailers: None }
    }

    pub(super) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Held<B::Error>> {
        let mut this = self.project();
        loop {
            let held = (this.first.len() + this.joined.len()) as u64;
            let is_one_piece = match held {
                0 => true,
                _ => this.joined.is_empty() && is_complete(&*this.body),
            };
            let known = held.saturating_add(this.body.size_hint().lower());
            match *this.limit {
                Limit::OfStreams(_) if is_one_piece => {}
                Limit::Of(limit) | Limit::OfStreams(limit) if known > limit as u64 => {
                    return Poll::Ready(Err(Unheld::TooLarge(BodyTooLarge { limit })));
                }
                _ => {}
            }
            let frame = match ready!(this.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Err(Unheld::Failed(error))),
                None => break,
            };
            match frame.into_data() {
                Ok(mut data) => {
                    let data = data.copy_to_bytes(data.remaining());
                    if let Some(hash) = this.hash {
                        hash.update(&data);
                    }
                    if held == 0 {
                        *this.first = data;
                    } else if !data.is_empty() {
                        this.joined.extend_from_slice(&std::mem::take(this.first));
                        this.joined.extend_from_slice(&data);
                    }
                }
                Err(frame) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        this.trailers.get_or_insert_default().extend(trailers);
                    }
                }
            }
        }
        // Polled after completion, which a future may answer as it likes.
        let Some(hash) = this.hash.take() else { return Poll::Pending };
        let data = match this.joined.is_empty() {
            true => std::mem::take(this.first),
            false => std::mem::take(this.joined).freeze(),
        };
        let body = BufferedBody { data, trailers: this.trailers.take() };
        Poll::Ready(Ok((body, hash.finish())))
    }
}

/// A body is larger than what may be held of it in memory.
///
/// A [`SetDigest`](super::SetDigest) returns it boxed, to be found by `downcast_ref`;
/// nothing of the request has been sent then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyTooLarge {
    limit: usize,
}

impl BodyTooLarge {
    /// The limit, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

impl fmt::Display for BodyTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the request body is larger than the limit of {} bytes", self.limit)
    }
}

impl std::error::Error for BodyTooLarge {}
