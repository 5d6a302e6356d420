//! Headers and targets at their limits.

use crate::client::{fields, refusal};
use crate::function::{Function, body, raw};
use crate::gateway::Gateway;
use crate::{EVERY_WAY, Over};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};

#[tokio::test]
async fn headers_of_requests_pass_up_to_8192_bytes_however_many_there_are() {
    let function = Function::hello().await;
    let gateway = Gateway::anonymous(&function.url);
    for over in EVERY_WAY {
        for number in [1, 150, 2_000] {
            for (len, passes) in [(8_191, true), (8_192, true), (8_193, false), (60_000, false)] {
                let case = format!("{len} bytes in {number} fields, {over:?}");
                let mut request = Request::new(Empty::<Bytes>::new());
                *request.headers_mut() = fields(number, len - over.own_headers(&gateway));
                let response = over.send(&gateway, request).await.unwrap();
                if passes {
                    assert_eq!(response.status(), 200, "{case}");
                    assert!(function.call().headers.len() > number, "{case}");
                } else {
                    assert_eq!(response.status(), 400, "{case}");
                    let text = refusal(response).await;
                    assert!(text.contains(r#"{"ErrorCode":"InvalidArgument""#), "{case}: {text}");
                    let figures = format!("{len} bytes long, over the limit of 8192 bytes");
                    assert!(text.contains(&figures), "{case}: {text}");
                    assert!(function.calls().is_empty(), "{case}");
                }
            }
        }
    }
}

#[tokio::test]
async fn headers_of_one_byte_each_are_refused_by_the_limit_too() {
    let function = Function::hello().await;
    let gateway = Gateway::anonymous(&function.url);
    for over in EVERY_WAY {
        for (number, status) in [(8_192, 200), (8_193, 400), (9_000, 400)] {
            let number = number - over.own_headers(&gateway);
            let mut request = Request::new(Empty::<Bytes>::new());
            for _ in 0..number {
                request.headers_mut().append("z", "".parse().unwrap());
            }
            let response = over.send(&gateway, request).await.unwrap();
            assert_eq!(response.status(), status, "{number}, {over:?}");
        }
    }
}

#[tokio::test]
async fn targets_pass_up_to_4096_bytes_with_their_query() {
    let function = Function::hello().await;
    let gateway = Gateway::anonymous(&function.url);
    for over in EVERY_WAY {
        for begins in ["/", "/path?query="] {
            for (len, passes) in [(4_095, true), (4_096, true), (4_097, false), (60_000, false)] {
                let target = begins.to_owned() + &"a".repeat(len - begins.len());
                let response = over.get(&gateway, &target).await;
                if passes {
                    assert_eq!(response.status(), 200, "{len}, {over:?}");
                    assert_eq!(function.call().target, target);
                } else {
                    assert_eq!(response.status(), 400, "{len}, {over:?}");
                    let text = refusal(response).await;
                    let figures = format!("{len} bytes long, over the limit of 4096 bytes");
                    assert!(text.contains("InvalidArgument") && text.contains(&figures), "{text}");
                    assert!(function.calls().is_empty());
                }
            }
        }
    }
}

#[tokio::test]
async fn headers_of_responses_pass_up_to_8192_bytes_as_the_function_sent_them() {
    for number in [1, 150, 2_000] {
        for (len, passes) in [(8_191, true), (8_192, true), (8_193, false), (60_000, false)] {
            // Those that are taken away count.
            let taken = "server: f\r\ncontent-length: 5\r\nconnection: close\r\n";
            let taken_len = taken.len() - 3 * ": \r\n".len();
            let mut head = format!("HTTP/1.1 200 OK\r\n{taken}");
            for (name, value) in &fields(number, len - taken_len) {
                head += &format!("{name}: {}\r\n", value.to_str().unwrap());
            }
            let gateway = Gateway::anonymous(&raw(head + "\r\nhello").await);
            for over in EVERY_WAY {
                let case = format!("{len} bytes in {number} fields, {over:?}");
                let response = over.get(&gateway, "/").await;
                if passes {
                    assert_eq!(response.status(), 200, "{case}");
                    let body = response.into_body().collect().await.unwrap();
                    assert_eq!(body.to_bytes(), "hello", "{case}");
                } else {
                    assert_eq!(response.status(), 502, "{case}");
                    let text = refusal(response).await;
                    let figures = format!("{len} bytes long, over the limit of 8192 bytes");
                    assert!(text.contains(r#"{"ErrorCode":"BadResponse""#), "{case}: {text}");
                    assert!(text.contains(&figures), "{case}: {text}");
                }
            }
        }
    }
}

#[tokio::test]
async fn headers_of_grpc_responses_are_counted_too() {
    let function = Function::answering(|_, call| async move {
        let len: usize = call.headers["x-len"].to_str().unwrap().parse().unwrap();
        let number = call.headers["x-number"].to_str().unwrap().parse().unwrap();
        let mut response = Response::new(body(""));
        *response.headers_mut() = fields(number, len);
        response
    })
    .await;
    let gateway = Gateway::anonymous(&function.url);
    for number in ["1", "150", "2000"] {
        for (len, status) in [("8191", None), ("8192", None), ("8193", Some("13"))] {
            let request = Request::post("/")
                .header("content-type", "application/grpc")
                .header("x-len", len)
                .header("x-number", number)
                .body(Empty::<Bytes>::new())
                .unwrap();
            let response = Over::Http2.send(&gateway, request).await.unwrap();
            let found = response.headers().get("grpc-status").map(|value| value.to_str().unwrap());
            assert_eq!((response.status().as_u16(), found), (200, status), "{len}, {number}");
        }
    }
}
