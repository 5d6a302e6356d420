//! The program in front of a real server, over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// A request as the function got it.
#[derive(Clone, Debug)]
struct Seen {
    version: Version,
    headers: HeaderMap,
    bytes: usize,
    is_whole: bool,
}

/// The function.
#[derive(Clone, Default)]
struct Function {
    seen: Arc<Mutex<Vec<Seen>>>,
    next_event: Arc<tokio::sync::Notify>,
}

fn full(text: impl Into<Bytes>) -> UnsyncBoxBody<Bytes, Infallible> {
    Full::new(text.into()).boxed_unsync()
}

impl Function {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let this = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let this = this.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let this = this.clone();
                        async move { Ok::<_, Infallible>(this.answer(request).await) }
                    });
                    let mut server = auto::Builder::new(TokioExecutor::new());
                    server.http1().max_headers(1_000);
                    let io = TokioIo::new(stream);
                    let _ = server.serve_connection_with_upgrades(io, service).await;
                });
            }
        });
        url
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    async fn answer(&self, mut request: Request<Incoming>) -> Answer {
        let path = request.uri().path().to_owned();
        let (version, headers) = (request.version(), request.headers().clone());
        let note = |bytes, is_whole| {
            let seen = Seen { version, headers: headers.clone(), bytes, is_whole };
            self.seen.lock().unwrap().push(seen);
        };
        match path.as_str() {
            "/ws" => {
                note(0, true);
                let key = request.headers()["sec-websocket-key"].as_bytes().to_vec();
                let key = tokio_tungstenite::tungstenite::handshake::derive_accept_key(&key);
                tokio::spawn(async move {
                    let io = TokioIo::new(hyper::upgrade::on(&mut request).await.unwrap());
                    let role = tokio_tungstenite::tungstenite::protocol::Role::Server;
                    let mut socket =
                        tokio_tungstenite::WebSocketStream::from_raw_socket(io, role, None).await;
                    while let Some(Ok(message)) = socket.next().await {
                        if message.is_close() || socket.send(message).await.is_err() {
                            break;
                        }
                    }
                });
                return Response::builder()
                    .status(StatusCode::SWITCHING_PROTOCOLS)
                    .header("connection", "upgrade")
                    .header("upgrade", "websocket")
                    .header("sec-websocket-accept", key)
                    .body(full(""))
                    .unwrap();
            }
            "/events" => {
                note(0, true);
                let next = Arc::clone(&self.next_event);
                let events = futures_util::stream::unfold(0, move |number| {
                    let next = Arc::clone(&next);
                    async move {
                        match number {
                            0 => {}
                            1 => next.notified().await,
                            _ => return None,
                        }
                        let data = Bytes::from(format!("data: {number}\n\n"));
                        Some((Ok(Frame::data(data)), number + 1))
                    }
                });
                return Response::builder()
                    .header("content-type", "text/event-stream")
                    .body(StreamBody::new(events).boxed_unsync())
                    .unwrap();
            }
            _ => {}
        }
        let (mut bytes, mut is_whole) = (0, true);
        let mut body = std::pin::pin!(request.body_mut());
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => bytes += frame.data_ref().map_or(0, Bytes::len),
                Err(_) => is_whole = false,
            }
        }
        note(bytes, is_whole);
        let mut response = Response::builder()
            .header("server", "function")
            .header("x-fc-made-up", "1")
            .header("x-kept", "1");
        if let Some(len) = path.strip_prefix("/headers/") {
            // Those that hyper adds are counted as well.
            let own = "serverfunctionx-fc-made-up1x-kept1".len() + "x-long".len();
            let added = "content-length0".len() + "dateSat, 21 Nov 2026 17:57:00 GMT".len();
            let len = len.parse::<usize>().unwrap() - own - added;
            response = response.header("x-long", "a".repeat(len));
            return response.body(full("")).unwrap();
        }
        if path == "/grpc" {
            let trailers =
                HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
            let frames = [Frame::data(Bytes::from("message")), Frame::trailers(trailers)];
            let frames = futures_util::stream::iter(frames.map(Ok::<_, Infallible>));
            let response = response.header("content-type", "application/grpc");
            return response.body(StreamBody::new(frames).boxed_unsync()).unwrap();
        }
        response.body(full("hello")).unwrap()
    }
}

/// The program, as long as it is not dropped.
struct Gateway {
    child: Child,
    address: String,
}

impl Gateway {
    fn start(upstream: &str, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fc-gateway"))
            .args(["--listen", "127.0.0.1:0", "--upstream", upstream])
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://").unwrap().to_owned();
        Self { child, address }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client<B>(http2: bool) -> Client<HttpConnector, B>
where
    B: Body<Data: Send> + Send + 'static,
{
    let mut builder = Client::builder(TokioExecutor::new());
    builder.http2_only(http2).http1_max_headers(1_000);
    builder.http2_max_header_list_size(1 << 20);
    builder.build_http()
}

async fn get(
    gateway: &Gateway,
    http2: bool,
    path: &str,
    headers: &[(String, String)],
) -> Response<Incoming> {
    let mut request = Request::get(gateway.url(path));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    client(http2).request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap()
}

async fn setup(args: &[&str]) -> (Function, Gateway) {
    let function = Function::default();
    let url = function.start().await;
    (function, Gateway::start(&url, args))
}

const ANONYMOUS: &[&str] = &["--auth", "anonymous"];

#[tokio::test]
async fn headers_of_requests_are_the_triggers_to_refuse() {
    let (function, gateway) = setup(ANONYMOUS).await;
    for http2 in [false, true] {
        // What the client sends beside.
        let host = if http2 { 0 } else { "host".len() + gateway.address.len() };
        for fields in [1, 150] {
            for (len, status) in [(8_191, 200), (8_192, 200), (8_193, 400), (60_000, 400)] {
                let short = "h000v".len();
                let mut headers: Vec<_> =
                    (1..fields).map(|number| (format!("h{number:03}"), "v".to_owned())).collect();
                let rest = len - host - (fields - 1) * short - "x-long".len();
                headers.push(("x-long".to_owned(), "a".repeat(rest)));
                let before = function.seen().len();
                let response = get(&gateway, http2, "/", &headers).await;
                assert_eq!(response.status(), status, "{len} bytes in {fields}, HTTP/2: {http2}");
                assert!(response.headers().contains_key("x-fc-request-id"));
                assert_eq!(function.seen().len() - before, usize::from(status == 200));
            }
        }
    }
}

#[tokio::test]
async fn targets_and_methods_are_the_triggers_to_refuse() {
    let (function, gateway) = setup(ANONYMOUS).await;
    for http2 in [false, true] {
        for (len, status) in [(4_095, 200), (4_096, 200), (4_097, 400)] {
            let response = get(&gateway, http2, &format!("/{}", "a".repeat(len - 1)), &[]).await;
            assert_eq!(response.status(), status, "{len}, HTTP/2: {http2}");
        }
        let request = Request::builder().method("TRACE").uri(gateway.url("/"));
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let response = client(http2).request(request).await.unwrap();
        assert_eq!(response.status(), 405);
        assert!(response.headers().contains_key("allow"));
        assert!(response.headers().contains_key("x-fc-request-id"));
    }
    assert_eq!(function.seen().len(), 4);
}

#[tokio::test]
async fn a_body_over_the_limit_never_reaches_the_function_whole() {
    const LIMIT: usize = 32 * 1024 * 1024;
    let (function, gateway) = setup(ANONYMOUS).await;
    for http2 in [false, true] {
        for (len, status) in [(LIMIT - 1, 200), (LIMIT, 200), (LIMIT + 1, 400)] {
            // With its length.
            let before = function.seen().len();
            let body = Full::new(Bytes::from(vec![b'a'; len]));
            let request = Request::post(gateway.url("/")).body(body).unwrap();
            let response = client(http2).request(request).await;
            // A server that does not read on may close while the client still sends.
            if let Ok(response) = response {
                assert_eq!(response.status(), status, "{len}, HTTP/2: {http2}");
            } else {
                assert_eq!(status, 400);
            }
            let seen = &function.seen()[before..];
            match status {
                200 => assert_eq!((seen[0].bytes, seen[0].is_whole), (len, true)),
                _ => assert!(seen.is_empty(), "{seen:?}"),
            }

            // And without.
            let before = function.seen().len();
            let piece = Bytes::from(vec![b'a'; 64 * 1024]);
            let pieces = (0..len.div_ceil(piece.len())).map(move |at| {
                let rest = len - at * piece.len();
                Ok::<_, Infallible>(Frame::data(piece.slice(..rest.min(piece.len()))))
            });
            let body = StreamBody::new(futures_util::stream::iter(pieces));
            let request = Request::post(gateway.url("/")).body(body).unwrap();
            if let Ok(response) = client(http2).request(request).await {
                assert_eq!(response.status(), status, "{len}, HTTP/2: {http2}");
            } else {
                assert_eq!(status, 400);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            for seen in &function.seen()[before..] {
                assert_eq!(seen.is_whole, status == 200, "{len}");
                assert!(seen.bytes <= LIMIT);
            }
        }
    }
}

#[tokio::test]
async fn headers_of_responses_end_at_8192_bytes() {
    let (_, gateway) = setup(ANONYMOUS).await;
    for http2 in [false, true] {
        for (len, status) in [(8_191, 200), (8_192, 200), (8_193, 502), (60_000, 502)] {
            let response = get(&gateway, http2, &format!("/headers/{len}"), &[]).await;
            assert_eq!(response.status(), status, "{len}, HTTP/2: {http2}");
            assert!(response.headers().contains_key("x-fc-request-id"));
        }
    }
}

#[tokio::test]
async fn headers_that_must_not_pass_do_not() {
    let (function, gateway) = setup(ANONYMOUS).await;
    let headers = [("x-fc-made-up", "1"), ("x-kept", "1"), ("keep-alive", "timeout=5")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let response = get(&gateway, false, "/", &headers).await;
    let seen = &function.seen()[0];
    assert!(seen.headers.contains_key("x-kept"));
    assert!(!seen.headers.contains_key("x-fc-made-up"));
    assert!(!seen.headers.contains_key("keep-alive"));
    let id = &response.headers()["x-fc-request-id"];
    assert_eq!(&seen.headers["x-fc-request-id"], id);
    assert_eq!(seen.headers["host"], *gateway.address);
    assert!(response.headers().contains_key("x-kept"));
    for name in ["server", "x-fc-made-up"] {
        assert!(!response.headers().contains_key(name), "{name}");
    }
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");

    let request = Request::head(gateway.url("/")).body(Empty::<Bytes>::new()).unwrap();
    let response = client(false).request(request).await.unwrap();
    assert_eq!(response.headers()["content-length"], "5");
}

#[tokio::test]
async fn a_function_that_cannot_be_reached_is_answered_with_502() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let gateway = Gateway::start(&url, ANONYMOUS);
    let response = get(&gateway, false, "/", &[]).await;
    assert_eq!(response.status(), 502);
    assert!(response.headers().contains_key("x-fc-request-id"));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(body.starts_with(b"{\"ErrorCode\":\"BadResponse\""), "{body:?}");
}

#[tokio::test]
async fn websockets_pass() {
    let (function, gateway) = setup(ANONYMOUS).await;
    let url = format!("ws://{}/ws", gateway.address);
    let (mut socket, response) = tokio_tungstenite::connect_async(url).await.unwrap();
    assert_eq!(response.status(), 101);
    assert!(response.headers().contains_key("x-fc-request-id"));
    for text in ["hello", "again"] {
        socket.send(text.into()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap(), text);
    }
    let seen = &function.seen()[0];
    assert_eq!(seen.headers["upgrade"], "websocket");
    assert!(seen.headers.contains_key("x-fc-request-id"));
}

#[tokio::test]
async fn events_arrive_as_they_are_sent() {
    let (function, gateway) = setup(ANONYMOUS).await;
    for http2 in [false, true] {
        let mut body = get(&gateway, http2, "/events", &[]).await.into_body();
        for number in 0..2 {
            let event = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(event, format!("data: {number}\n\n"));
            // Only now the next one is sent.
            function.next_event.notify_one();
        }
        assert!(body.collect().await.unwrap().to_bytes().is_empty());
    }
}

#[tokio::test]
async fn grpc_passes_with_its_trailers() {
    let (function, gateway) = setup(ANONYMOUS).await;
    let request = Request::post(gateway.url("/grpc"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::<Bytes>::from("message"))
        .unwrap();
    let response = client(true).request(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    let seen = &function.seen()[0];
    assert_eq!(
        (seen.version, &seen.headers["te"]),
        (Version::HTTP_2, &"trailers".parse().unwrap())
    );
}

#[tokio::test]
async fn what_is_not_signed_is_refused_and_explained() {
    let keys = std::env::temp_dir().join(format!("fc-gateway-keys-{}.json", std::process::id()));
    std::fs::write(&keys, r#"{ "LTAI5tExample": "secret" }"#).unwrap();
    let (function, gateway) = setup(&["--keys", keys.to_str().unwrap(), "--explain"]).await;
    let response = get(&gateway, false, "/", &[]).await;
    assert_eq!(response.status(), 403);
    let mut request = Request::get(gateway.url("/a?b=c")).body(Empty::<Bytes>::new()).unwrap();
    let credentials = tower_fc::Credentials::new("LTAI5tExample", "secret").unwrap();
    let signer = tower_fc::Signer::new(credentials);
    signer.sign_request_at(&mut request, std::time::SystemTime::now()).unwrap();
    let response = client(false).request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(function.seen().len(), 1);
    std::fs::remove_file(keys).unwrap();
}

#[tokio::test]
async fn what_the_parser_reads_first_is_answered_and_the_connection_closed() {
    let (function, gateway) = setup(ANONYMOUS).await;
    let mut stream = TcpStream::connect(&gateway.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nhost : b\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(function.seen().is_empty());
}

#[tokio::test]
async fn tasks_are_carried_out_and_shown() {
    let file = std::env::temp_dir().join(format!("fc-gateway-tasks-{}.sqlite", std::process::id()));
    let store = format!("sqlite:{}", file.display());
    let (function, gateway) = setup(&["--auth", "anonymous", "--store", &store]).await;
    let request = Request::post(gateway.url("/"))
        .header("x-fc-invocation-type", "Async")
        .header("x-fc-async-task-id", "order-1")
        .body(Full::<Bytes>::from("10"))
        .unwrap();
    let response = client(false).request(request).await.unwrap();
    assert_eq!(response.status(), 202);
    let id = response.headers()["x-fc-request-id"].clone();
    while function.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(function.seen()[0].headers["x-fc-request-id"], id);
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(gateway);
    let shown = Command::new(env!("CARGO_BIN_EXE_fc-gateway"))
        .args(["tasks", "--store", &store])
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains(r#""taskId":"order-1""#) && shown.contains("Succeeded"), "{shown}");
    for end in ["", "-wal", "-shm", "-owner"] {
        let _ = std::fs::remove_file(format!("{}{end}", file.display()));
    }
}

#[test]
fn what_cannot_be_set_up_names_the_flag() {
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_fc-gateway"))
            .env_remove("ALIBABA_CLOUD_ACCESS_KEY_ID")
            .args(args)
            .output()
            .unwrap();
        assert!(!output.status.success(), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let upstream = ["--upstream", "http://127.0.0.1:1"];
    for (args, text) in [
        (vec!["--upstream", "https://a.example"], "--upstream: must be of the form"),
        (vec!["--upstream", "http://a.example/path"], "--upstream: must be of the form"),
        (vec!["--upstream", "a"], "--upstream"),
        ([&upstream[..], &["--keys", "/nowhere.json"]].concat(), "--keys"),
        ([&upstream[..], &["--config", "/nowhere.json"]].concat(), "--config"),
        ([&upstream[..], &["--store", "redis:a"]].concat(), "--store: must be of the form"),
        ([&upstream[..], &["--auth", "anonymous", "--listen", "nowhere"]].concat(), "--listen"),
        (upstream.to_vec(), "--keys, or --auth anonymous"),
        (vec![], "--upstream"),
    ] {
        let error = run(&args);
        assert!(error.contains(text), "{args:?}: {error}");
    }
}
