//! Headers that must not pass, those that must, and the name of each request.

use crate::client::{assert_id, refusal};
use crate::function::{Function, body, head, raw};
use crate::gateway::{ANONYMOUS, Gateway};
use crate::{EVERY_WAY, Over};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, Full};
use std::collections::HashSet;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

#[tokio::test]
async fn headers_of_requests_that_must_not_pass_do_not() {
    let function = Function::hello().await;
    let gateway = Gateway::anonymous(&function.url);
    for over in EVERY_WAY {
        for content_type in ["text/plain", "application/grpc"] {
            let mut request = Request::post("/")
                .header("content-type", content_type)
                .header("authorization", "Basic YTpi")
                .header("cookie", "a=1")
                .header("x-kept", "one")
                .header("x-kept", "two")
                .header("te", "trailers")
                .header("x-fc-request-id", "1-0-0-0")
                .header("x-fc-security-token", "token")
                .header("X-Fc-Made-Up", "1");
            if over == Over::Http1 {
                request = request
                    .header("connection", "keep-alive, x-hop")
                    .header("connection", "X-Other-Hop")
                    .header("keep-alive", "timeout=5")
                    .header("x-hop", "1")
                    .header("x-other-hop", "1");
            }
            let request = request.body(Full::<Bytes>::from("body")).unwrap();
            let response = over.send(&gateway, request).await.unwrap();
            assert_eq!(response.status(), 200);
            let id = assert_id(response.headers());

            let call = function.call();
            let mut seen: Vec<_> = call
                .headers
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .collect();
            seen.sort_unstable();
            let mut expected = vec![
                "authorization: Basic YTpi".to_owned(),
                "content-length: 4".to_owned(),
                format!("content-type: {content_type}"),
                "cookie: a=1".to_owned(),
                format!("host: {}", gateway.address),
                "te: trailers".to_owned(),
                format!("x-fc-request-id: {id}"),
                "x-kept: one".to_owned(),
                "x-kept: two".to_owned(),
            ];
            let is_grpc = over == Over::Http2 && content_type == "application/grpc";
            if is_grpc {
                // Said by the authority.
                expected.retain(|line| !line.starts_with("host: "));
            }
            assert_eq!(seen, expected, "{over:?}");
            assert_eq!(call.version == http::Version::HTTP_2, is_grpc);
        }
    }
}

#[tokio::test]
async fn a_function_is_told_the_host_and_the_target_whatever_form_they_come_in() {
    let function = Function::hello().await;
    let gateway = Gateway::anonymous(&function.url);
    let upstream = function.url.strip_prefix("http://").unwrap();
    for (line, lines, target, host) in [
        ("GET /a HTTP/1.1", "host: a.example\r\n", "/a", "a.example"),
        ("GET /a HTTP/1.0", "", "/a", upstream),
        ("GET /a HTTP/1.1", "host: a.example\r\nconnection: host\r\n", "/a", upstream),
        ("GET http://b.example:81/a?b HTTP/1.1", "host: a.example\r\n", "/a?b", "b.example:81"),
        ("GET http://me:secret@b.example HTTP/1.1", "host: a.example\r\n", "/", "b.example"),
        ("OPTIONS * HTTP/1.1", "host: a.example\r\n", "*", "a.example"),
        ("GET //a/../b%2F HTTP/1.1", "host: a.example\r\n", "//a/../b%2F", "a.example"),
    ] {
        let mut stream = TcpStream::connect(&gateway.address).await.unwrap();
        stream.write_all(format!("{line}\r\n{lines}\r\n").as_bytes()).await.unwrap();
        let head = head(&mut stream).await;
        assert!(head.contains(" 200 OK\r\n"), "{line}: {head}");
        let call = function.call();
        assert_eq!(
            (&*call.target, &call.headers["host"]),
            (target, &host.parse().unwrap()),
            "{line}"
        );
    }
}

#[tokio::test]
async fn headers_of_responses_that_must_not_pass_do_not() {
    let url = raw(concat!(
        "HTTP/1.1 200 OK\r\n",
        "Connection: close, X-Hop\r\n",
        "Content-Length: 5\r\n",
        "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n",
        "Keep-Alive: timeout=5\r\n",
        "Server: function\r\n",
        "Set-Cookie: a=1\r\n",
        "Set-Cookie: b=2\r\n",
        "Upgrade: websocket\r\n",
        "X-Fc-Request-Id: 1-0-0-0\r\n",
        "X-Fc-Made-Up: 1\r\n",
        "X-Hop: 1\r\n",
        "\r\nhello"
    ))
    .await;
    let gateway = Gateway::anonymous(&url);
    for over in EVERY_WAY {
        let response = over.get(&gateway, "/").await;
        let id = assert_id(response.headers());
        assert_ne!(id, "1-0-0-0");
        let date = response.headers()["date"].to_str().unwrap();
        assert!(!date.ends_with("1970 00:00:00 GMT"), "{date}");
        let mut names: Vec<_> = response.headers().keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        // The gateway's own, but for the cookies.
        let own = ["content-length", "date", "set-cookie", "vary", "x-fc-request-id"];
        assert_eq!(names, own, "{over:?}");
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
        assert_eq!(response.headers()["content-length"], "5");
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "hello");
    }
}

#[tokio::test]
async fn an_answer_to_head_has_the_length_that_the_function_said_and_no_other() {
    for (said, len) in [("content-length: 5\r\n", Some("5")), ("x-no: 1\r\n", None)] {
        let url = raw(format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{said}\r\n")).await;
        let gateway = Gateway::anonymous(&url);
        for over in EVERY_WAY {
            let request = Request::head("/").body(Empty::<Bytes>::new()).unwrap();
            let response = over.send(&gateway, request).await.unwrap();
            assert_eq!(response.status(), 200);
            let found = response.headers().get("content-length");
            assert_eq!(found.map(|value| value.to_str().unwrap()), len, "{over:?}");
        }
    }
}

#[tokio::test]
async fn every_answer_has_the_id_that_the_function_was_given_and_no_two_have_one() {
    let function = Function::hello().await;
    let gateway = Gateway::anonymous(&function.url);
    let mut ids = HashSet::new();
    for over in EVERY_WAY {
        for _ in 0..20 {
            let response = over.get(&gateway, "/").await;
            let id = assert_id(response.headers());
            assert_eq!(function.call().headers["x-fc-request-id"], id);
            assert!(ids.insert(id));
        }
        // Refused, with something else each time.
        for (method, target, status) in
            [("TRACE", "/", 405), ("GET", &*format!("/{}", "a".repeat(4_096)), 400)]
        {
            let request = Request::builder().method(method).uri(target);
            let request = request.body(Empty::<Bytes>::new()).unwrap();
            let response = over.send(&gateway, request).await.unwrap();
            assert_eq!(response.status(), status, "{over:?}");
            if status == 405 {
                let allowed = "GET, POST, PUT, DELETE, HEAD, PATCH, OPTIONS";
                assert_eq!(response.headers()["allow"], allowed);
            }
            assert!(ids.insert(assert_id(response.headers())));
        }
    }
    assert!(function.calls().is_empty());
}

#[tokio::test]
async fn what_cannot_be_reached_or_understood_is_answered_with_502() {
    let broken = [
        raw("").await,
        raw("nonsense\r\n\r\n").await,
        raw("HTTP/1.1 200 OK\r\nbad header\r\n\r\n").await,
        // More than is read at all.
        raw(format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "v".repeat(2 << 20))).await,
        raw(format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: v\r\n".repeat(20_000))).await,
        // A port where nobody listens.
        "http://127.0.0.1:1".to_owned(),
    ];
    for url in broken {
        let gateway = Gateway::anonymous(&url);
        for over in EVERY_WAY {
            let response = over.get(&gateway, "/").await;
            assert_eq!(response.status(), 502, "{url}, {over:?}");
            let text = refusal(response).await;
            assert!(text.starts_with(r#"{"ErrorCode":"BadResponse","#), "{text}");
        }
    }
}

#[tokio::test]
async fn a_function_may_close_its_connections_when_it_likes() {
    for says in ["connection: close\r\n", ""] {
        let url = raw(format!("HTTP/1.1 200 OK\r\n{says}content-length: 5\r\n\r\nhello")).await;
        let gateway = Gateway::anonymous(&url);
        for over in [EVERY_WAY; 100].concat() {
            assert_eq!(over.get(&gateway, "/").await.status(), 200, "{says:?}, {over:?}");
        }
    }
}

#[tokio::test]
async fn the_built_in_domain_serves_downloads_and_no_android_packages() {
    let function = Function::answering(|request, _| async move {
        let mut response = Response::new(body("hello"));
        let content_type = request.headers()["x-type"].clone();
        response.headers_mut().insert("content-type", content_type);
        response.headers_mut().insert("content-disposition", "inline".parse().unwrap());
        response
    })
    .await;
    let apk = "application/vnd.android.package-archive";
    for (domain, content_type, status, disposition) in [
        ("builtin", "text/html", 200, Some("attachment")),
        ("builtin", apk, 400, None),
        ("custom", "text/html", 200, Some("inline")),
        ("custom", apk, 200, Some("inline")),
    ] {
        let args = [ANONYMOUS, &["--domain", domain]].concat();
        let gateway = Gateway::start(&function.url, &args);
        for over in EVERY_WAY {
            let request = Request::get("/").header("x-type", content_type);
            let request = request.body(Empty::<Bytes>::new()).unwrap();
            let response = over.send(&gateway, request).await.unwrap();
            assert_eq!(response.status(), status, "{domain}, {content_type}, {over:?}");
            assert_id(response.headers());
            if let Some(disposition) = disposition {
                assert_eq!(response.headers()["content-disposition"], disposition);
            }
        }
    }
}
