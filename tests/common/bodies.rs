//! Bodies that come in pieces, are long, or can do little.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

/// A body that comes in pieces, and says of its end what it is told to.
pub struct Pieces<E = io::Error> {
    pub frames: VecDeque<Result<Frame<Bytes>, E>>,
    /// Whether it knows its length and its end, as one with a content length does.
    knows: bool,
    /// Whether it knows its end without its length, as one of HTTP/2 may.
    ends: bool,
    /// The length it claims in place of the real one.
    claims: Option<u64>,
    pub polls: Arc<AtomicUsize>,
    read: u64,
}

impl Pieces {
    pub fn of<const N: usize>(pieces: [&'static str; N]) -> Self {
        Self::from_frames(pieces.map(|piece| Ok(Frame::data(piece.into()))))
    }
}

impl<E> Pieces<E> {
    pub fn from_frames(frames: impl IntoIterator<Item = Result<Frame<Bytes>, E>>) -> Self {
        Self {
            frames: frames.into_iter().collect(),
            knows: false,
            ends: false,
            claims: None,
            polls: Arc::default(),
            read: 0,
        }
    }

    pub fn knowing(self) -> Self {
        Self { knows: true, ..self }
    }

    pub fn ending(self) -> Self {
        Self { ends: true, ..self }
    }

    pub fn claiming(self, len: u64) -> Self {
        Self { claims: Some(len), ..self }
    }

    pub fn then(mut self, frame: Result<Frame<Bytes>, E>) -> Self {
        self.frames.push_back(frame);
        self
    }

    fn len(&self) -> u64 {
        let data = self.frames.iter().filter_map(|frame| frame.as_ref().ok()?.data_ref());
        data.map(|data| data.len() as u64).sum()
    }
}

impl<E: Unpin> Body for Pieces<E> {
    type Data = Bytes;
    type Error = E;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        let frame = self.frames.pop_front();
        if let Some(Ok(frame)) = &frame {
            self.read += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        (self.knows || self.ends) && self.frames.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        match self.claims {
            Some(len) => SizeHint::with_exact(len.saturating_sub(self.read)),
            None if self.knows => SizeHint::with_exact(self.len()),
            None => SizeHint::default(),
        }
    }
}

pub fn trailers() -> HeaderMap {
    HeaderMap::from_iter([(HeaderName::from_static("x-sum"), HeaderValue::from_static("1"))])
}

/// A body without `Default` and without `From` of anything, whose bytes may be changed on
/// the way.
#[derive(Debug)]
pub struct Passed<B = Full<Bytes>> {
    body: B,
    change: fn(&mut [u8]),
}

impl<B> Passed<B> {
    pub fn unchanged(body: B) -> Self {
        Self { body, change: |_| {} }
    }

    /// The network changes the last byte of each piece.
    pub fn tampered(body: B) -> Self {
        Self { body, change: |data| data.last_mut().into_iter().for_each(|last| *last ^= 1) }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Passed<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let change = self.change;
        Pin::new(&mut self.body).poll_frame(cx).map_ok(|frame| {
            frame.map_data(|data| {
                let mut data = data.to_vec();
                change(&mut data);
                data.into()
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body of zeros in pieces of 64 KiB, all of which are one and the same.
pub struct Generated {
    piece: Bytes,
    left: u64,
}

impl Generated {
    const PIECE: usize = 64 * 1024;

    pub fn of(len: u64) -> Self {
        static ZEROS: [u8; Generated::PIECE] = [0; Generated::PIECE];
        Self { piece: Bytes::from_static(&ZEROS), left: len }
    }
}

impl Body for Generated {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let len = self.left.min(Self::PIECE as u64);
        self.left -= len;
        Poll::Ready(Some(Ok(Frame::data(self.piece.slice(..len as usize)))))
    }
}

/// Reads a body that is ready at every moment, and keeps nothing of it.
pub fn drain<B: Body<Data = Bytes>>(body: B) -> Result<u64, B::Error> {
    let mut body = pin!(body);
    let cx = &mut Context::from_waker(Waker::noop());
    let mut len = 0;
    loop {
        match body.as_mut().poll_frame(cx) {
            Poll::Ready(Some(frame)) => len += frame?.data_ref().unwrap().len() as u64,
            Poll::Ready(None) => return Ok(len),
            Poll::Pending => panic!("the body is not ready"),
        }
    }
}
