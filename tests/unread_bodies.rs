//! What is refused is refused unread: a client that goes on sending its body gets the
//! answer, and the server takes no more of the body than came along with the head.

use crate::common::server::serve_counting;
use crate::common::services::Slow;
use crate::common::{ID, clock, key, signed, verify_layer};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use std::convert::Infallible;
use std::future::ready;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tower::{Service, ServiceBuilder, service_fn};
use tower_fc::digest::{BodyPolicy, CheckDigestLayer};
use tower_fc::error::BoxError;
use tower_fc::replay::{MemoryReplayGuard, ReplayLayer};
use tower_fc::{Verifier, VerifyLayer};

/// What the client would send if the server took it.
const BODY: u64 = 1 << 30;

/// What the server may take of it.
const MOST: u64 = 64 * 1024;

/// The body that is signed, and its digest.
const SIGNED: &str = "x";
const DIGEST: &str = "ndTkYSaMgDT1yFZOFVxnpg==";

/// Reads the body of what it is called with, to the end.
fn reader<B>()
-> impl Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static
where
    B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    service_fn(|request: Request<B>| async move {
        let mut body = std::pin::pin!(request.into_body());
        while let Some(Ok(_)) = body.frame().await {}
        Ok(Response::new(Full::default()))
    })
}

/// Serves a stack, and has each of these requests refused, which are heads and what
/// their refusal is called.
async fn assert_unread<S, B>(stack: &str, service: S, refused: &[(&str, Request<()>, &str)])
where
    S: Service<Request<hyper::body::Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let (address, taken) = serve_counting(service).await;
    let accepted = exchange(address, &post(true), SIGNED.len() as u64).await;
    assert!(accepted.text.starts_with("HTTP/1.1 200 "), "{stack}: {}", accepted.text);
    for (name, request, code) in refused {
        let before = taken.load(Ordering::SeqCst);
        let exchange = exchange(address, request, BODY);
        let answer = tokio::time::timeout(Duration::from_secs(60), exchange).await;
        let answer = answer.unwrap_or_else(|_| panic!("{stack}, {name}: it is left hanging"));
        assert!(answer.text.starts_with("HTTP/1.1 403 "), "{stack}, {name}: {}", answer.text);
        assert!(answer.text.contains(code), "{stack}, {name}: {}", answer.text);
        let body = taken.load(Ordering::SeqCst) - before - answer.head;
        println!("{stack}, {name}: {body} bytes of the body were read, {} sent", answer.body);
        assert!(body <= MOST, "{stack}, {name}: {body} bytes of the body were read");
        assert!(answer.body < BODY, "{stack}, {name}: all was sent");
    }
}

/// A POST to the same target each time, signed or not.
fn post(is_signed: bool) -> Request<()> {
    let request = Request::post("/upload").header("content-md5", DIGEST).body(()).unwrap();
    if is_signed { signed(request) } else { request }
}

fn wrongly_signed() -> Request<()> {
    let mut request = post(true);
    request.headers_mut().insert("x-fc-added", "later".parse().unwrap());
    request
}

/// What a client sent, and what it was answered.
struct Exchanged {
    head: u64,
    body: u64,
    text: String,
}

/// Sends a request with a chunked body of so many bytes, for as long as the server takes
/// it, and reads the answer meanwhile.
async fn exchange(address: SocketAddr, request: &Request<()>, body: u64) -> Exchanged {
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        head += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    head += "host: demo.example\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let (reader, writer) = TcpStream::connect(address).await.unwrap().into_split();
    let head_len = head.len() as u64;
    let (body, text) = tokio::join!(send(writer, head, body), receive(reader));
    Exchanged { head: head_len, body, text }
}

/// How many bytes of the body went out, before the server would take no more.
async fn send(mut writer: OwnedWriteHalf, head: String, body: u64) -> u64 {
    writer.write_all(head.as_bytes()).await.unwrap();
    let bytes = Bytes::from(vec![b'x'; 64 * 1024]);
    let mut sent = 0;
    while sent < body {
        let len = (body - sent).min(bytes.len() as u64) as usize;
        let chunk = [format!("{len:x}\r\n").as_bytes(), &bytes[..len], b"\r\n"].concat();
        if writer.write_all(&chunk).await.is_err() {
            return sent;
        }
        sent += len as u64;
    }
    let _ = writer.write_all(b"0\r\n\r\n").await;
    // Kept open for the answer: a client that closes may not get it.
    writer.forget();
    sent
}

/// All that is answered. That the server reset the connection then, because it did not
/// take the rest of the body, is its right.
async fn receive(mut reader: OwnedReadHalf) -> String {
    let mut text = Vec::new();
    match reader.read_to_end(&mut text).await {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => String::from_utf8(text).unwrap(),
    }
}

#[tokio::test]
async fn an_unsigned_gigabyte_is_refused_unread() {
    let refused = [
        ("unsigned", post(false), "MissingRequiredHeader"),
        ("wrongly signed", wrongly_signed(), "SignatureNotMatch"),
    ];
    let service = ServiceBuilder::new().layer(verify_layer()).service(reader());
    assert_unread("VerifyLayer", service, &refused).await;

    let keys = |id: String| ready((id == ID).then(key));
    let awaiting = VerifyLayer::new(Verifier::new(keys)).with_clock(clock()).awaiting_keys();
    let service = ServiceBuilder::new().layer(awaiting).service(reader());
    assert_unread("AsyncVerifyLayer", service, &refused).await;
}

#[tokio::test]
async fn a_gigabyte_that_is_a_replay_is_refused_unread_even_where_bodies_are_checked() {
    let replay = || ReplayLayer::new(MemoryReplayGuard::new(100)).with_clock(clock());
    let digest = || CheckDigestLayer::new().with_policy(BodyPolicy::Require);
    let refused = [
        ("unsigned", post(false), "MissingRequiredHeader"),
        ("wrongly signed", wrongly_signed(), "SignatureNotMatch"),
        ("a replay", post(true), "received before"),
    ];
    let service = ServiceBuilder::new().layer(verify_layer()).layer(replay()).service(reader());
    assert_unread("with ReplayLayer", service, &refused).await;

    let slow = ReplayLayer::new(Slow(MemoryReplayGuard::new(100))).with_clock(clock());
    let awaited = slow.awaiting_guard();
    let service = ServiceBuilder::new().layer(verify_layer()).layer(awaited).service(reader());
    assert_unread("with a guard that is awaited", service, &refused).await;

    let service = ServiceBuilder::new()
        .layer(verify_layer())
        .layer(replay())
        .layer(digest())
        .service(reader());
    assert_unread("with CheckDigestLayer", service, &refused).await;

    let service = ServiceBuilder::new()
        .layer(verify_layer())
        .layer(replay())
        .layer(digest().buffered(usize::MAX))
        .service(reader());
    assert_unread("with BufferedCheckDigestLayer", service, &refused).await;
}
