//! Answers that come piece by piece: events, gRPC, trailers.

use crate::client::{assert_id, refusal};
use crate::function::{Answer, End, Function, body};
use crate::gateway::{ANONYMOUS, Gateway, output};
use crate::{EVERY_WAY, Over};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt as _, Empty, Full};
use std::sync::Arc;
use tokio::sync::Notify;

#[tokio::test]
async fn each_event_arrives_before_the_next_one_is_sent() {
    let next = Arc::new(Notify::new());
    let told = Arc::clone(&next);
    let function = Function::answering(move |_, _| {
        let told = Arc::clone(&told);
        async move {
            let (mut sender, body) = Channel::new(1);
            tokio::spawn(async move {
                for number in 0..5 {
                    let event = format!("data: {number}\n\n");
                    sender.send_data(Bytes::from(event)).await.unwrap();
                    told.notified().await;
                }
            });
            let mut response: Answer = Response::new(body.boxed_unsync());
            response.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
            response
        }
    })
    .await;
    let gateway = Gateway::anonymous(&function.url);
    for over in EVERY_WAY {
        let response = over.get(&gateway, "/").await;
        assert_id(response.headers());
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut body = response.into_body();
        for number in 0..5 {
            let event = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(event, format!("data: {number}\n\n"), "{over:?}");
            next.notify_one();
        }
        // HTTP/2 may say at last that there is nothing more in a piece of its own.
        let end = body.collect().await.unwrap().to_bytes();
        assert!(end.is_empty(), "{over:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_for_the_client() {
    for says in ["content-length: 8\r\n\r\n1234", "transfer-encoding: chunked\r\n\r\n4\r\n1234\r\n"]
    {
        let url = crate::function::raw(format!("HTTP/1.1 200 OK\r\n{says}")).await;
        let gateway = Gateway::anonymous(&url);
        for over in EVERY_WAY {
            let response = over.get(&gateway, "/").await;
            assert_eq!(response.status(), 200);
            let collected = response.into_body().collect().await;
            assert!(collected.is_err(), "{says:?}, {over:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_over_http1_0_is_one_over_the_version_of_the_client() {
    // Which ends with its connection.
    let gateway = Gateway::anonymous(&crate::function::raw("HTTP/1.0 200 OK\r\n\r\nhello").await);
    for (over, version) in [(Over::Http1, Version::HTTP_11), (Over::Http2, Version::HTTP_2)] {
        let response = over.get(&gateway, "/").await;
        assert_eq!((response.version(), response.status().as_u16()), (version, 200));
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "hello");
    }
}

fn grpc(body: Full<Bytes>) -> Request<Full<Bytes>> {
    Request::post("/package.Service/Method")
        .header("content-type", "application/grpc+proto")
        .header("te", "trailers")
        .body(body)
        .unwrap()
}

#[tokio::test]
async fn grpc_passes_with_its_trailers() {
    let function = Function::answering(|request, call| async move {
        call.read(request.into_body()).await;
        let (mut sender, body) = Channel::new(2);
        sender.send_data(Bytes::from("message")).await.unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        trailers.insert("x-own", "1".parse().unwrap());
        sender.send_trailers(trailers).await.unwrap();
        let mut response: Answer = Response::new(body.boxed_unsync());
        let grpc = "application/grpc+proto".parse().unwrap();
        response.headers_mut().insert("content-type", grpc);
        response
    })
    .await;
    let gateway = Gateway::anonymous(&function.url);
    let request = grpc(Full::from("message"));
    let response = Over::Http2.send(&gateway, request).await.unwrap();
    assert_id(response.headers());
    assert_eq!(response.headers()["content-type"], "application/grpc+proto");
    let body = response.into_body().collect().await.unwrap();
    let trailers = body.trailers().unwrap();
    assert_eq!(
        (&trailers["grpc-status"], &trailers["x-own"]),
        (&"0".parse().unwrap(), &"1".parse().unwrap())
    );
    assert_eq!(body.to_bytes(), "message");
    let call = function.call();
    assert_eq!(call.version, Version::HTTP_2);
    assert_eq!(call.headers["te"], "trailers");
    assert_eq!(call.got().await, (7, End::Whole));
}

#[tokio::test]
async fn grpc_passes_both_ways_at_once() {
    // Answers each message as it comes, and after the last one in trailers.
    let function = Function::answering(|request, _| async move {
        let (mut sender, answer) = Channel::new(1);
        tokio::spawn(async move {
            let mut body = request.into_body();
            while let Some(frame) = body.frame().await {
                let data = frame.unwrap().into_data().unwrap();
                if !data.is_empty() {
                    sender.send_data(data).await.unwrap();
                }
            }
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            sender.send_trailers(trailers).await.unwrap();
        });
        let mut response: Answer = Response::new(answer.boxed_unsync());
        response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        response
    })
    .await;
    let gateway = Gateway::anonymous(&function.url);
    let (mut sender, body) = Channel::<Bytes>::new(1);
    let request = Request::post("/package.Service/Method")
        .header("content-type", "application/grpc")
        .body(body)
        .unwrap();
    let mut answer = Over::Http2.send(&gateway, request).await.unwrap().into_body();
    for message in ["one", "two", "three"] {
        sender.send_data(Bytes::from(message)).await.unwrap();
        let data = answer.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(data, message);
    }
    drop(sender);
    let trailers = answer.collect().await.unwrap().trailers().cloned();
    assert_eq!(trailers.unwrap()["grpc-status"], "0");
}

#[tokio::test]
async fn an_answer_of_trailers_alone_passes_and_a_refusal_is_one() {
    let function = Function::answering(|_, _| async {
        let mut response = Response::new(Empty::new().boxed_unsync());
        response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        response.headers_mut().insert("grpc-status", "5".parse().unwrap());
        response
    })
    .await;
    let gateway = Gateway::anonymous(&function.url);
    let response = Over::Http2.send(&gateway, grpc(Full::default())).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "5");
    function.call();

    // Refused before, and because it cannot be reached.
    let nobody = Gateway::start("http://127.0.0.1:1", ANONYMOUS);
    let mut long = grpc(Full::default());
    long.headers_mut().insert("x-long", "v".repeat(8_192).parse().unwrap());
    for (gateway, request, status, code) in [
        (&gateway, long, "3", "InvalidArgument"),
        (&nobody, grpc(Full::default()), "13", "BadResponse"),
    ] {
        let response = Over::Http2.send(gateway, request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_id(response.headers());
        assert_eq!(response.headers()["grpc-status"], status);
        let message = response.headers()["grpc-message"].to_str().unwrap().to_owned();
        assert!(message.starts_with(code), "{message}");
    }
    assert!(function.calls().is_empty());
}

#[tokio::test]
async fn what_is_not_grpc_over_http2_reaches_the_function_over_http1() {
    let function = Function::hello().await;
    let gateway = Gateway::anonymous(&function.url);
    for (over, content_type) in [
        (Over::Http1, "application/grpc"),
        (Over::Http2, "application/grpc-web+proto"),
        (Over::Http2, "application/grpcs"),
        (Over::Http2, "text/plain"),
    ] {
        let request = Request::post("/").header("content-type", content_type);
        let request = request.body(Full::<Bytes>::from("message")).unwrap();
        assert_eq!(over.send(&gateway, request).await.unwrap().status(), 200);
        assert_eq!(function.call().version, Version::HTTP_11, "{content_type}");
    }
}

#[tokio::test]
async fn trailers_of_http1_pass_where_they_are_asked_for() {
    let url = crate::function::raw(concat!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n",
        "5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n"
    ))
    .await;
    let gateway = Gateway::anonymous(&url);
    for over in EVERY_WAY {
        let request = Request::get("/").header("te", "trailers").body(Empty::<Bytes>::new());
        let response = over.send(&gateway, request.unwrap()).await.unwrap();
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["x-sum"], "1", "{over:?}");
        assert_eq!(body.to_bytes(), "hello");
    }
}

#[tokio::test]
async fn many_requests_over_one_http2_connection_do_not_wait_for_each_other() {
    // The first one is answered last.
    let last = Arc::new(Notify::new());
    let told = Arc::clone(&last);
    let function = Function::answering(move |request, _| {
        let told = Arc::clone(&told);
        async move {
            if request.uri().path() == "/first" {
                told.notified().await;
            }
            Response::new(body("hello"))
        }
    })
    .await;
    let gateway = Gateway::anonymous(&function.url);
    let stream = tokio::net::TcpStream::connect(&gateway.address).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let mut send = |target: &str| {
        let request = Request::get(gateway.url(target)).body(Empty::<Bytes>::new()).unwrap();
        sender.send_request(request)
    };
    let first = tokio::spawn(send("/first"));
    for _ in 0..100 {
        assert_eq!(send("/").await.unwrap().status(), 200);
    }
    assert!(!first.is_finished());
    last.notify_one();
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
}

/// gRPC keeps its form when it is refused by a signature; others theirs.
#[tokio::test]
async fn a_refusal_is_in_the_way_of_the_protocol() {
    let function = Function::hello().await;
    let keys = crate::gateway::File::new("json", r#"{ "LTAI5tExample": "secret" }"#);
    let gateway = Gateway::start(&function.url, &["--keys", keys.path()]);
    let response = Over::Http2.send(&gateway, grpc(Full::default())).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["grpc-status"]),
        (200, &"16".parse().unwrap())
    );
    assert_id(response.headers());
    for over in EVERY_WAY {
        let response = over.get(&gateway, "/").await;
        assert_eq!(response.status(), 403);
        let text = refusal(response).await;
        assert!(text.contains("MissingRequiredHeader"), "{text}");
    }
    assert!(function.calls().is_empty());
}

#[tokio::test]
async fn a_grpc_call_is_ended_when_its_time_is_over() {
    // One function never begins to answer, the other never ends its answer.
    for begins in [false, true] {
        let function = Function::answering(move |_, _| async move {
            if !begins {
                std::future::pending::<()>().await;
            }
            let (sender, channel) = Channel::<Bytes>::new(1);
            tokio::spawn(async move {
                let mut sender = sender;
                let _ = sender.send_data("message".into()).await;
                std::future::pending::<()>().await;
            });
            let mut response =
                Response::new(channel.map_err(|never| match never {}).boxed_unsync());
            let grpc = "application/grpc+proto".parse().unwrap();
            response.headers_mut().insert("content-type", grpc);
            response
        })
        .await;
        let args = [ANONYMOUS, &["--grpc-timeout", "1"]].concat();
        let gateway = Gateway::start(&function.url, &args);
        let response = Over::Http2.send(&gateway, grpc(Full::from("message"))).await.unwrap();
        assert_eq!(response.status(), 200);
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap();
        let outcome = if begins { body.trailers().unwrap() } else { &head.headers };
        assert_eq!(outcome["grpc-status"], "4");
        assert_eq!(body.to_bytes(), if begins { "message" } else { "" });
    }
    for wrong in ["0", "86401", "-1", "1.5", ""] {
        let args = ["--upstream", "http://127.0.0.1:1", "--grpc-timeout", wrong];
        let error = String::from_utf8(output(&args).stderr).unwrap();
        assert!(error.contains("1 to 86400"), "{error}");
    }
}
