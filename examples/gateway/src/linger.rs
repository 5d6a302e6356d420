//! Connections that end so that the last answer can be read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// How long a connection is open after its end, and how long if nothing comes.
const LONGEST: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(2);

/// A connection that is read on for a while after all was written. What comes is thrown away.
///
/// A client that is refused may still be sending its body. Were the connection closed then, the
/// system would reset it, and the client might not get to read why (RFC 9112 §9.6).
pub(crate) struct Lingering {
    stream: TcpStream,
    tunnel: Tunnel,
    end: Option<End>,
}

/// Tells of a connection that it is one no more, but a tunnel. What comes of it is then read by
/// whoever has the other end.
#[derive(Clone, Default)]
pub(crate) struct Tunnel(Arc<AtomicBool>);

struct End {
    silence: Pin<Box<Sleep>>,
    latest: Instant,
}

impl End {
    fn begin() -> Self {
        Self { silence: Box::pin(sleep(SILENCE)), latest: Instant::now() + LONGEST }
    }
}

impl Tunnel {
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Lingering {
    pub(crate) fn new(stream: TcpStream, tunnel: Tunnel) -> Self {
        Self { stream, tunnel, end: None }
    }
}

impl AsyncRead for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, tunnel, end } = &mut *self;
        if end.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
            if tunnel.0.load(Ordering::Acquire) {
                return Poll::Ready(Ok(()));
            }
        }
        let end = end.get_or_insert_with(End::begin);
        let mut bytes = [0; 16 * 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Pending => return end.silence.as_mut().poll(cx).map(Ok),
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    let now = Instant::now();
                    if now > end.latest {
                        return Poll::Ready(Ok(()));
                    }
                    end.silence.as_mut().reset(now + SILENCE);
                }
                // What a broken connection lacks is not missed any more.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}
