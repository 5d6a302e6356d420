use super::buffering::{BufferedBody, is_complete};
use super::check::Check;
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
    ///
    /// Trailers, which no signature covers, are dropped, checked or not, unless
    /// [`with_insecure_trailers`](super::CheckDigestLayer::with_insecure_trailers) lets them pass.
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
        Streaming { #[pin] body: B, check: Option<Check>, trailers: bool },
        Buffered { body: BufferedBody },
    }
}

impl<B> CheckedBody<B> {
    /// One that is checked while it streams, if there is what to expect of it; with its
    /// trailers or without.
    pub(super) fn streaming(body: B, check: Option<Check>, trailers: bool) -> Self {
        Self { kind: Kind::Streaming { body, check, trailers } }
    }

    /// One that was checked; with its trailers or without.
    pub(super) fn buffered(body: BufferedBody, trailers: bool) -> Self {
        let body = if trailers { body } else { body.without_trailers() };
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
        let (mut body, check, trailers) = match self.project().kind.project() {
            KindProj::Streaming { body, check, trailers } => (body, check, *trailers),
            KindProj::Buffered { body } => {
                return Pin::new(body).poll_frame(cx).map_err(|never| match never {});
            }
        };
        loop {
            if check.as_ref().is_some_and(Check::has_failed) {
                return Poll::Ready(None);
            }
            let check = check.as_mut();
            let frame = match ready!(body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => frame.map_data(|mut data| data.copy_to_bytes(data.remaining())),
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(check.and_then(|check| check.end().err()).map(Err)),
            };
            let is_last = frame.is_trailers() || is_complete(&*body);
            let data = frame.data_ref().map_or(&[][..], |data| data);
            let checked = check.map_or(Ok(()), |check| check.add(data, is_last));
            if checked.is_err() || trailers || !frame.is_trailers() {
                return Poll::Ready(Some(checked.map(|()| frame)));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Streaming { body, check: None, .. } => body.is_end_stream(),
            // Whoever stops here must not miss the error.
            Kind::Streaming { body, check: Some(check), .. } => {
                check.has_failed() || check.has_passed() && body.is_end_stream()
            }
            Kind::Buffered { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Streaming { check: Some(check), .. } if check.has_failed() => {
                SizeHint::with_exact(0)
            }
            Kind::Streaming { body, .. } => body.size_hint(),
            Kind::Buffered { body } => body.size_hint(),
        }
    }
}
