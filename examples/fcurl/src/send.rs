//! One request and its answer, over HTTP/1.1 or HTTP/2.

use crate::connect::Connection;
use crate::exit::{Exit, Failure};
use crate::upload::Upload;
use http::header::{CONNECTION, HOST};
use http::request::Parts;
use http::{Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::error::Error as _;
use std::io;
use std::pin::Pin;

/// Sends a request whose URI is whole and whose `host` header says the same.
pub(crate) async fn send(
    stream: Pin<Box<dyn crate::connect::Stream>>,
    head: Parts,
    body: Upload,
) -> Result<Response<Incoming>, Failure> {
    let version = head.version;
    let request = Request::from_parts(head, body);
    let io = TokioIo::new(stream);
    let sent = if version == Version::HTTP_2 {
        let handshake = http2::Builder::new(TokioExecutor::new()).handshake(io).await;
        let (mut sender, connection) = handshake.map_err(|error| failure(&error))?;
        tokio::spawn(connection);
        sender.send_request(request).await
    } else {
        let mut client = http1::Builder::new();
        client.max_buf_size(1 << 20).max_headers(4_096);
        let (mut sender, connection) =
            client.handshake(io).await.map_err(|error| failure(&error))?;
        tokio::spawn(connection);
        sender.send_request(request).await
    };
    sent.map_err(|error| failure(&error))
}

/// What goes onto this connection: over HTTP/1.1 the target is path and query alone; over HTTP/2
/// the host is in the target, and there are no headers about a connection.
pub(crate) fn fitted(mut head: Parts, connection: &Connection, is_http2: bool) -> Parts {
    if connection.is_http2 || is_http2 {
        head.version = Version::HTTP_2;
        for name in [HOST, CONNECTION] {
            head.headers.remove(name);
        }
    } else {
        head.version = Version::HTTP_11;
        head.uri = head.uri.path_and_query().cloned().map(Uri::from).unwrap_or_default();
    }
    head
}

/// What the connection said.
fn io_kind(error: &hyper::Error) -> Option<io::ErrorKind> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}

/// Whether a body ended before it was whole.
pub(crate) fn is_cut_off(error: &hyper::Error) -> bool {
    error.is_incomplete_message() || io_kind(error) == Some(io::ErrorKind::UnexpectedEof)
}

/// Why an exchange broke off.
pub(crate) fn failure(error: &hyper::Error) -> Failure {
    let detail = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    let with_detail = |text: &str| format!("{text}{detail}");
    if error.is_incomplete_message() {
        return Failure::new(Exit::Empty, "Empty reply from server");
    }
    if error.is_parse() {
        return Failure::new(Exit::UnsupportedProtocol, with_detail("Received no HTTP/1.1"));
    }
    let http2 = error.source().and_then(|cause| cause.downcast_ref::<h2::Error>());
    if http2.is_some_and(h2::Error::is_reset) {
        return Failure::new(
            Exit::Http2Stream,
            with_detail("HTTP/2 stream was not closed cleanly"),
        );
    }
    match io_kind(error) {
        Some(io::ErrorKind::BrokenPipe) => Failure::new(Exit::Send, with_detail("Send failure")),
        Some(_) => Failure::new(Exit::Receive, with_detail("Recv failure")),
        None => Failure::new(Exit::Http2, with_detail("HTTP/2 error")),
    }
}
