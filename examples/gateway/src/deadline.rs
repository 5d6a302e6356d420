//! gRPC calls end when their time is over (by default after 60 s, at the most after a day).

use crate::serve::Body;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{HeaderValue, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Empty};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::{Instant, Sleep, sleep_until};
use tower_fc::error::BoxError;

/// `DEADLINE_EXCEEDED`.
const EXCEEDED: HeaderValue = HeaderValue::from_static("4");
const MESSAGE: HeaderValue = HeaderValue::from_static("the call took longer than it may");

/// The answer to a call whose function has not begun to answer in time.
pub(crate) fn exceeded() -> Response<Body> {
    let mut response = Response::new(Empty::<Bytes>::new().map_err(Into::into).boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.extend(outcome());
    response
}

fn outcome() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", EXCEEDED);
    trailers.insert("grpc-message", MESSAGE);
    trailers
}

/// An answer that is ended when its time is over, as the function would have ended it.
pub(crate) struct Limited {
    /// `None` when it has ended.
    body: Option<Body>,
    deadline: Pin<Box<Sleep>>,
}

impl Limited {
    pub(crate) fn new(body: Body, deadline: Instant) -> Self {
        Self { body: Some(body), deadline: Box::pin(sleep_until(deadline)) }
    }
}

impl http_body::Body for Limited {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        if self.deadline.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.body = None;
        Poll::Ready(Some(Ok(Frame::trailers(outcome()))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }
}
