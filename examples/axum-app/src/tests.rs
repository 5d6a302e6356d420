//! The app over real connections.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{ADMIN, app, keys};
use axum::http::{HeaderMap, Request};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Router, body::Body};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceBuilder;
use tower::util::option_layer;
use tower_fc::test_util::TestKey;
use tower_fc::{Credentials, Presigner, Signer};

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

/// The head and the body of what answers a request, up to so many bytes of it or its end.
async fn send(address: SocketAddr, request: &Request<()>, most: usize) -> (String, Vec<u8>) {
    let target = request.uri().path_and_query().unwrap();
    let mut text = format!("{} {target} HTTP/1.1\r\nHost: {address}\r\n", request.method());
    if !request.headers().contains_key("connection") {
        text.push_str("Connection: close\r\n");
    }
    for (name, value) in request.headers() {
        write!(text, "{name}: {}\r\n", value.to_str().unwrap()).unwrap();
    }
    text.push_str("\r\n");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
        let is_enough = end.is_some_and(|end| bytes.len() - end >= most);
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read_buf(&mut bytes));
        if is_enough || read.await.unwrap().unwrap() == 0 {
            let body = bytes.split_off(end.unwrap());
            return (String::from_utf8(bytes).unwrap(), body);
        }
    }
}

fn request(method: &str, target: &str, headers: &[(&'static str, &str)]) -> Request<()> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, value.parse().unwrap());
    }
    let mut request = Request::builder().method(method).uri(target).body(()).unwrap();
    *request.headers_mut() = map;
    request
}

fn credentials(who: &str) -> Credentials {
    match who {
        "acme" => Credentials::new("LTAI5tAcme", "secret-of-acme").unwrap(),
        _ => Credentials::new(ADMIN, "secret-of-admin").unwrap(),
    }
}

fn signed(who: &str, mut request: Request<()>) -> Request<()> {
    Signer::new(credentials(who)).sign_request(&mut request).unwrap();
    request
}

const ALL: usize = usize::MAX;

#[tokio::test]
async fn each_route_serves_whom_it_is_for() {
    let address = serve(app(keys().unwrap()).unwrap()).await;
    let plain = |target| request("GET", target, &[]);
    let refused = "{\"error\":\"required HTTP header Authorization was not specified\"}";
    let with = |value| request("GET", "/api/either", &[("authorization", value)]);
    let mut both = with("Bearer a-good-token");
    *both.uri_mut() = "/api/either?x-fc-expires=1".parse().unwrap();
    for (name, request, status, body) in [
        ("public", plain("/"), 200, "hello, whoever\n"),
        ("unsigned", plain("/api/me"), 403, refused),
        ("no such route", plain("/api/none"), 404, ""),
        ("signed", signed("acme", plain("/api/me")), 200, "you are LTAI5tAcme of acme\n"),
        ("signed", signed("admin", plain("/api/me")), 200, "you are LTAI5tAdmin of operator\n"),
        ("no administrator", signed("acme", request("POST", "/api/purge", &[])), 403, ""),
        ("administrator", signed("admin", request("POST", "/api/purge", &[])), 204, ""),
        ("either: signed", signed("acme", plain("/api/either")), 200, "LTAI5tAcme"),
        ("either: by token", with("Bearer a-good-token"), 200, "by token"),
        ("either: another token", with("Bearer another"), 401, ""),
        ("either: unsigned", plain("/api/either"), 403, refused),
    ] {
        let (head, answer) = send(address, &request, ALL).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {head}");
        assert_eq!(String::from_utf8(answer).unwrap(), body, "{name}");
    }
    // A token where a signature is asked for, and beside what is left of one.
    for (request, status) in [
        (request("GET", "/api/me", &[("authorization", "Bearer a-good-token")]), 403),
        (request("GET", "/api/socket", &[("authorization", "Bearer a-good-token")]), 403),
        (with("Basic YTpi"), 403),
        (both, 403),
    ] {
        let (head, _) = send(address, &request, ALL).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    }
}

#[tokio::test]
async fn a_web_socket_opens_for_whom_it_is_signed_in_headers_or_in_its_url() {
    let address = serve(app(keys().unwrap()).unwrap()).await;
    let handshake = request(
        "GET",
        "/api/socket",
        &[
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ],
    );
    let minute = Duration::from_secs(60);
    let url = Presigner::new(credentials("acme")).presign_request(&handshake, minute).unwrap();
    let mut presigned = handshake.clone();
    *presigned.uri_mut() = url.to_string().parse().unwrap();
    for request in [signed("acme", handshake.clone()), presigned] {
        let (head, frame) = send(address, &request, 12).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(&frame[..12], b"\x81\x0ahello acme");
    }
    let (head, _) = send(address, &handshake, 0).await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
}

#[tokio::test]
async fn scripts_may_ask_and_are_told_why_not_and_answers_are_compressed() {
    let address = serve(app(keys().unwrap()).unwrap()).await;
    let origin = ("origin", "https://app.example");
    let asking = [
        origin,
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "authorization,date"),
    ];
    let (head, _) = send(address, &request("OPTIONS", "/api/me", &asking), ALL).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("access-control-allow-headers: "), "{head}");

    let asked = request("GET", "/api/me", &[origin, ("accept-encoding", "gzip")]);
    let (head, body) = send(address, &asked, ALL).await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    assert!(head.contains("access-control-allow-origin: *"), "{head}");
    assert!(head.contains("content-encoding: gzip"), "{head}");
    assert_ne!(body.len(), 0);
}

#[tokio::test]
async fn the_layer_is_switched_by_a_flag_and_fits_around_a_router() {
    let key = TestKey::new("LTAI5tExample").unwrap();
    let verify =
        ServiceBuilder::new().map_response(IntoResponse::into_response).layer(key.verify_layer());
    let get_it = || request("GET", "/", &[]);
    for (is_checked, status) in [(true, 403), (false, 200)] {
        let layer = option_layer(is_checked.then(|| verify.clone()));
        let address = serve(Router::new().route("/", get(async || "hello")).layer(layer)).await;
        let (head, _) = send(address, &get_it(), ALL).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        let (head, _) = send(address, &key.sign(get_it()).unwrap(), ALL).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    }

    let around = verify.service(Router::new().route("/", get(async || "hello")));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let make = axum::ServiceExt::<Request<Body>>::into_make_service(around);
    tokio::spawn(axum::serve(listener, make).into_future());
    for (request, status) in [
        (get_it(), 403),
        (request("GET", "/no-route", &[]), 403),
        (key.sign(get_it()).unwrap(), 200),
    ] {
        let (head, _) = send(address, &request, ALL).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    }
}
