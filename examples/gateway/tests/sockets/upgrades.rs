//! WebSockets, over HTTP/1.1 and over HTTP/2, and upgrades that do not happen.

use crate::client::{assert_id, refusal};
use crate::function::{Answer, Function, body, raw};
use crate::gateway::Gateway;
use crate::{EVERY_WAY, Over};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

/// Answers the handshake, and sends every message back until there is no more.
async fn echo(mut request: Request<Incoming>) -> Answer {
    let Some(key) = request.headers().get("sec-websocket-key") else {
        let mut response = Response::new(body("no handshake"));
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return response;
    };
    let accept = derive_accept_key(key.as_bytes());
    tokio::spawn(async move {
        let io = TokioIo::new(hyper::upgrade::on(&mut request).await.unwrap());
        let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            // What closes is answered by itself.
            if !message.is_close() && socket.send(message).await.is_err() {
                break;
            }
        }
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-accept", accept)
        .header("sec-websocket-protocol", "chat")
        .header("server", "function")
        .body(body(""))
        .unwrap()
}

fn handshake(over: Over) -> Request<Empty<Bytes>> {
    let request = Request::builder()
        .uri("/socket?room=1")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "chat");
    let request = match over {
        Over::Http1 => request
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        Over::Http2 => request
            .method(Method::CONNECT)
            .extension(hyper::ext::Protocol::from_static("websocket")),
    };
    request.body(Empty::new()).unwrap()
}

async fn open(over: Over, gateway: &Gateway) -> (Response<Incoming>, Upgraded) {
    let mut response = over.send(gateway, handshake(over)).await.unwrap();
    assert_eq!(response.status(), if over == Over::Http1 { 101 } else { 200 }, "{over:?}");
    let upgraded = hyper::upgrade::on(&mut response).await.unwrap();
    (response, upgraded)
}

#[tokio::test]
async fn messages_pass_both_ways() {
    let function = Function::answering(|request, _| echo(request)).await;
    let gateway = Gateway::anonymous(&function.url);
    for over in EVERY_WAY {
        let (response, upgraded) = open(over, &gateway).await;
        let id = assert_id(response.headers());
        assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
        assert!(!response.headers().contains_key("server"));
        if over == Over::Http1 {
            assert_eq!(response.headers()["upgrade"], "websocket");
            let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
            assert_eq!(response.headers()["sec-websocket-accept"], accept);
        }
        let call = function.call();
        assert_eq!((&call.method, call.version), (&Method::GET, Version::HTTP_11));
        assert_eq!(call.target, "/socket?room=1");
        assert_eq!(call.headers["connection"], "upgrade");
        assert_eq!(call.headers["upgrade"], "websocket");
        assert_eq!(call.headers["host"], *gateway.address);
        assert_eq!(call.headers["x-fc-request-id"], id);

        let io = TokioIo::new(upgraded);
        let mut socket = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
        for message in [
            Message::text("hello"),
            Message::text(""),
            Message::binary(vec![7; 1 << 20]),
            Message::text("again"),
        ] {
            socket.send(message.clone()).await.unwrap();
            assert_eq!(socket.next().await.unwrap().unwrap(), message, "{over:?}");
        }
        let close = CloseFrame { code: CloseCode::Normal, reason: "done".into() };
        socket.close(Some(close.clone())).await.unwrap();
        let last = socket.next().await.unwrap().unwrap();
        assert_eq!(last, Message::Close(Some(close)), "{over:?}");
        assert!(socket.next().await.is_none(), "{over:?}");
    }
}

#[tokio::test]
async fn each_side_of_a_tunnel_ends_by_itself() {
    // Says all that it has to say, and then reads on.
    let function = Function::answering(|mut request, call| async move {
        tokio::spawn(async move {
            let mut io = TokioIo::new(hyper::upgrade::on(&mut request).await.unwrap());
            io.write_all(b"from the function").await.unwrap();
            io.shutdown().await.unwrap();
            let mut text = Vec::new();
            io.read_to_end(&mut text).await.unwrap();
            call.body.send_modify(|got| got.len = text.len());
        });
        Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header("connection", "upgrade")
            .header("upgrade", "made-up")
            .body(body(""))
            .unwrap()
    })
    .await;
    let gateway = Gateway::anonymous(&function.url);
    for over in EVERY_WAY {
        let (_, upgraded) = open(over, &gateway).await;
        let mut io = TokioIo::new(upgraded);
        let mut text = String::new();
        io.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "from the function", "{over:?}");
        io.write_all(&[7; 100_000]).await.unwrap();
        io.shutdown().await.unwrap();
        function.call().has_got(100_000).await;
    }
}

#[tokio::test]
async fn a_handshake_that_is_refused_is_answered_like_any_request() {
    // By the function,
    let function = Function::answering(|_, _| async {
        let mut response = Response::new(body("not today"));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response
    })
    .await;
    let anonymous = Gateway::anonymous(&function.url);
    // and by the trigger.
    let keys = crate::gateway::File::new("json", r#"{ "LTAI5tExample": "secret" }"#);
    let signed = Gateway::start(&function.url, &["--keys", keys.path()]);
    for over in EVERY_WAY {
        let response = over.send(&anonymous, handshake(over)).await.unwrap();
        assert_eq!(response.status(), 401, "{over:?}");
        assert_id(response.headers());
        function.call();
        let response = over.send(&signed, handshake(over)).await.unwrap();
        assert_eq!(response.status(), 403, "{over:?}");
        assert!(refusal(response).await.contains("MissingRequiredHeader"));
        assert!(function.calls().is_empty());
    }
}

#[tokio::test]
async fn a_function_does_not_upgrade_what_was_not_to_be() {
    let url = raw(concat!(
        "HTTP/1.1 101 Switching Protocols\r\n",
        "connection: upgrade\r\nupgrade: websocket\r\n\r\n"
    ))
    .await;
    let gateway = Gateway::anonymous(&url);
    for over in EVERY_WAY {
        let response = over.get(&gateway, "/").await;
        assert_eq!(response.status(), 502, "{over:?}");
        assert!(refusal(response).await.contains("BadResponse"));
    }
    // And a handshake over HTTP/2, which any 200 would seem to answer, is not answered so.
    let function = Function::hello().await;
    let gateway = Gateway::anonymous(&function.url);
    let response = Over::Http2.send(&gateway, handshake(Over::Http2)).await.unwrap();
    assert_eq!(response.status(), 502);
    let response = Over::Http1.send(&gateway, handshake(Over::Http1)).await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn http2_is_not_spoken_past_the_trigger() {
    let function = Function::hello().await;
    let gateway = Gateway::anonymous(&function.url);
    let request = Request::get("/")
        .header("connection", "Upgrade, HTTP2-Settings")
        .header("upgrade", "h2c")
        .header("http2-settings", "AAMAAABkAAQAAP__")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = Over::Http1.send(&gateway, request).await.unwrap();
    assert_eq!(response.status(), 200);
    let headers = &function.call().headers;
    for name in ["connection", "upgrade", "http2-settings"] {
        assert!(!headers.contains_key(name), "{headers:?}");
    }
}

#[tokio::test]
async fn a_connect_without_a_protocol_is_no_method_of_a_trigger() {
    let function = Function::hello().await;
    let gateway = Gateway::anonymous(&function.url);
    let mut stream = tokio::net::TcpStream::connect(&gateway.address).await.unwrap();
    stream.write_all(b"CONNECT a.example:443 HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let head = crate::function::head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 405 "), "{head}");
    assert!(head.contains("\r\nx-fc-request-id: "), "{head}");
    assert!(function.calls().is_empty());
}
