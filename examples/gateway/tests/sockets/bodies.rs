//! Bodies of requests at their limit, and while they stream.

use crate::client::{assert_id, refusal};
use crate::function::{Call, End, Function, body, head};
use crate::gateway::Gateway;
use crate::{EVERY_WAY, Over};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt as _, Full};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// 32 MB.
const LIMIT: usize = 32 * 1024 * 1024;
const PIECE: usize = 64 * 1024;
const OVER_THE_LIMIT: &str = r#"{"ErrorCode":"InvalidArgument","ErrorMessage":"the request body is over the limit of 33554432 bytes"}"#;

/// A body of so many bytes whose length nobody is told.
fn of_unknown_len(len: usize) -> Channel<Bytes> {
    let (mut sender, body) = Channel::new(1);
    tokio::spawn(async move {
        let piece = Bytes::from(vec![b'a'; PIECE]);
        let mut left = len;
        while left > 0 {
            let now = left.min(PIECE);
            if sender.send_data(piece.slice(..now)).await.is_err() {
                return;
            }
            left -= now;
        }
    });
    body
}

#[tokio::test]
async fn a_body_with_its_length_passes_up_to_32_mb_and_no_further() {
    let function = Function::hello().await;
    let gateway = Gateway::anonymous(&function.url);
    for over in EVERY_WAY {
        for len in [LIMIT - 1, LIMIT] {
            let request = Request::post("/").body(Full::new(Bytes::from(vec![b'a'; len])));
            let response = over.send(&gateway, request.unwrap()).await.unwrap();
            assert_eq!(response.status(), 200);
            let call = function.call();
            assert_eq!(call.got().await, (len, End::Whole), "{over:?}");
            assert_eq!(call.headers["content-length"], len.to_string());
        }
        let request = Request::post("/").body(Full::new(Bytes::from(vec![b'a'; LIMIT + 1])));
        let response = over.send(&gateway, request.unwrap()).await.unwrap();
        assert_eq!(response.status(), 400, "{over:?}");
        assert_eq!(refusal(response).await, OVER_THE_LIMIT);
        assert!(function.calls().is_empty());
    }
}

#[tokio::test]
async fn a_body_without_its_length_ends_at_32_mb_and_never_as_if_it_were_whole() {
    let function = Function::hello().await;
    let gateway = Gateway::anonymous(&function.url);
    for over in EVERY_WAY {
        for len in [LIMIT - 1, LIMIT] {
            let request = Request::post("/").body(of_unknown_len(len)).unwrap();
            let response = over.send(&gateway, request).await.unwrap();
            assert_eq!(response.status(), 200);
            let call = function.call();
            assert_eq!(call.got().await, (len, End::Whole), "{over:?}");
            assert!(!call.headers.contains_key("content-length"));
        }
        for len in [LIMIT + 1, LIMIT + PIECE, 2 * LIMIT] {
            let request = Request::post("/").body(of_unknown_len(len)).unwrap();
            let response = over.send(&gateway, request).await.unwrap();
            assert_eq!(response.status(), 400, "{len}, {over:?}");
            assert_eq!(refusal(response).await, OVER_THE_LIMIT);
            let (got, end) = function.call().got().await;
            assert!(got <= LIMIT && end == End::Broken, "{got}, {end:?}, {over:?}");
        }
    }
}

/// Says all that there is to say before it listens, as Python's and Node's clients do.
async fn say(gateway: &Gateway, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(&gateway.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn who_listens_only_after_the_whole_body_hears_of_the_limit_too() {
    let function = Function::hello().await;
    let gateway = Gateway::anonymous(&function.url);
    let body = vec![b'a'; LIMIT + PIECE];
    let head = format!(
        "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let answer = say(&gateway, &head, &body).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with(OVER_THE_LIMIT), "{answer}");
    assert!(function.calls().is_empty());

    let head =
        "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let body = [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
    let answer = say(&gateway, head, &body).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with(OVER_THE_LIMIT), "{answer}");
    let (got, end) = function.call().got().await;
    assert!(got <= LIMIT && end == End::Broken, "{got}, {end:?}");

    // And of everything else that is refused before its body is read.
    let head = format!(
        "TRACE / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let answer = say(&gateway, &head, &body).await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
}

#[tokio::test]
async fn an_answer_whose_head_has_left_is_cut_off_at_the_limit() {
    // Answers at once, and reads on.
    let function = Function::answering(|request, call| async move {
        let (mut sender, body) = Channel::new(1);
        tokio::spawn(async move {
            sender.send_data(Bytes::from("begun")).await.unwrap();
            call.read(request.into_body()).await;
            // More to say only if the body was whole.
            if call.got().await.1 == End::Whole {
                sender.send_data(Bytes::from(" and ended")).await.unwrap();
            } else {
                std::future::pending::<()>().await;
            }
        });
        Response::new(body.boxed_unsync())
    })
    .await;
    let gateway = Gateway::anonymous(&function.url);
    for over in EVERY_WAY {
        let mut response = {
            let request = Request::post("/").body(of_unknown_len(LIMIT)).unwrap();
            over.send(&gateway, request).await.unwrap()
        };
        let text = response.body_mut().collect().await.unwrap().to_bytes();
        assert_eq!(text, "begun and ended", "{over:?}");
        assert_eq!(function.call().got().await, (LIMIT, End::Whole));

        let request = Request::post("/").body(of_unknown_len(LIMIT + 1)).unwrap();
        let response = over.send(&gateway, request).await.unwrap();
        assert_eq!(response.status(), 200, "{over:?}");
        assert_id(response.headers());
        let mut body = response.into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first, "begun", "{over:?}");
        assert!(body.frame().await.unwrap().is_err(), "{over:?}");
        let (got, end) = function.call().got().await;
        assert!(got <= LIMIT && end == End::Broken, "{got}, {end:?}");
    }
}

/// A body that is sent piece by piece.
fn piecewise() -> (Sender<Bytes, Infallible>, Channel<Bytes>) {
    Channel::new(1)
}

#[tokio::test]
async fn a_function_gets_each_piece_as_it_comes_and_answers_when_it_likes() {
    // Says how much it has got, each time that more has come.
    let function = Function::answering(|request, call| async move {
        let (mut sender, answer) = Channel::new(1);
        let mut body = request.into_body();
        tokio::spawn(async move {
            let mut len = 0;
            while let Some(Ok(frame)) = body.frame().await {
                len += frame.data_ref().map_or(0, Bytes::len);
                call.body.send_modify(|got| got.len = len);
                sender.send_data(Bytes::from(format!("{len};"))).await.unwrap();
            }
        });
        Response::new(answer.boxed_unsync())
    })
    .await;
    let gateway = Gateway::anonymous(&function.url);
    for over in EVERY_WAY {
        let (mut sender, body) = piecewise();
        sender.send_data(Bytes::from("one")).await.unwrap();
        let request = Request::post("/").body(body).unwrap();
        let mut answer = over.send(&gateway, request).await.unwrap().into_body();
        for (piece, said) in [("two", "3;"), ("three", "6;"), ("", "11;")] {
            let data = answer.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(data, said, "{over:?}");
            sender.send_data(Bytes::from(piece)).await.unwrap();
        }
        drop(sender);
        assert!(answer.frame().await.is_none_or(|frame| frame.unwrap().data_ref().is_some()));
    }
}

#[tokio::test]
async fn a_body_of_any_method_reaches_the_function() {
    let function = Function::hello().await;
    let gateway = Gateway::anonymous(&function.url);
    for over in EVERY_WAY {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            for is_known in [true, false] {
                let request = Request::builder().method(method).uri("/");
                let response = match is_known {
                    true => {
                        let request = request.body(Full::<Bytes>::from("anything")).unwrap();
                        over.send(&gateway, request).await
                    }
                    false => {
                        let mut request = request.body(of_unknown_len(8)).unwrap();
                        if over == Over::Http1 {
                            // hyper sends none with GET unless it is told to.
                            let chunked = "chunked".parse().unwrap();
                            request.headers_mut().insert("transfer-encoding", chunked);
                        }
                        over.send(&gateway, request).await
                    }
                };
                assert_eq!(response.unwrap().status(), 200);
                let got = function.call().got().await;
                assert_eq!(got, (8, End::Whole), "{method}, {is_known}, {over:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_is_announced_is_asked_for_only_if_it_may_come() {
    let function = Function::hello().await;
    let gateway = Gateway::anonymous(&function.url);
    let announce = async |len: usize| {
        let mut stream = TcpStream::connect(&gateway.address).await.unwrap();
        let lines = format!("host: a\r\nexpect: 100-continue\r\ncontent-length: {len}\r\n\r\n");
        stream.write_all(b"POST / HTTP/1.1\r\n").await.unwrap();
        stream.write_all(lines.as_bytes()).await.unwrap();
        let head = head(&mut stream).await;
        (stream, head)
    };
    let (mut stream, interim) = announce(5).await;
    assert_eq!(interim, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"12345").await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(function.call().got().await, (5, End::Whole));

    let (_, refused) = announce(LIMIT + 1).await;
    assert!(refused.starts_with("HTTP/1.1 400 "), "{refused}");
    assert!(function.calls().is_empty());
}

#[tokio::test]
async fn a_body_that_breaks_off_breaks_off_for_the_function() {
    let function = Function::hello().await;
    let gateway = Gateway::anonymous(&function.url);
    for framing in
        ["content-length: 8\r\n\r\n1234", "transfer-encoding: chunked\r\n\r\n4\r\n1234\r\n"]
    {
        let mut stream = TcpStream::connect(&gateway.address).await.unwrap();
        let text = format!("POST / HTTP/1.1\r\nhost: a\r\n{framing}");
        stream.write_all(text.as_bytes()).await.unwrap();
        let call = loop {
            match function.calls().first() {
                Some(call) => break Arc::clone(call),
                None => tokio::task::yield_now().await,
            }
        };
        call.has_got(4).await;
        drop(stream);
        assert_eq!(function.call().got().await, (4, End::Broken), "{framing:?}");
    }
}

/// A function that reads nothing is not waited for.
#[tokio::test]
async fn an_answer_arrives_although_the_body_was_not_read() {
    let function = Function::answering(|_, _: Arc<Call>| async move {
        let mut response = Response::new(body("too much"));
        *response.status_mut() = http::StatusCode::PAYLOAD_TOO_LARGE;
        response
    })
    .await;
    let gateway = Gateway::anonymous(&function.url);
    for over in [EVERY_WAY; 10].concat() {
        let request = Request::post("/").body(of_unknown_len(LIMIT)).unwrap();
        let response = over.send(&gateway, request).await.unwrap();
        assert_eq!(response.status(), 413, "{over:?}");
        let text = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(text, "too much", "{over:?}");
    }
}
