//! The body of a request on its way, which tells how far it is.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

/// How much is handed over at once.
const PIECE: usize = 64 * 1024;

/// A body in memory that counts what is taken of it.
pub(crate) struct Upload {
    data: Bytes,
    sent: Arc<AtomicU64>,
}

impl Upload {
    pub(crate) fn new(data: Bytes, sent: Arc<AtomicU64>) -> Self {
        Self { data, sent }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let len = self.data.len().min(PIECE);
        if len == 0 {
            return Poll::Ready(None);
        }
        self.sent.fetch_add(len as u64, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(self.data.split_to(len)))))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.len() as u64)
    }
}
