//! Among other layers, over HTTP, and in axum.

use super::{LIMIT, MD5, echo, post};
use crate::common::bodies::{Passed, Pieces, trailers};
use crate::common::{call, read, serve, signer, verifier, verify_layer};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::convert::Infallible;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower::{ServiceBuilder, ServiceExt as _, service_fn};
use tower_fc::digest::{BodyDigestMismatch, BufferedBody, CheckedBody};
use tower_fc::digest::{BodyPolicy, CheckDigestLayer, DigestHeader, Md5Encoding, SetDigestLayer};
use tower_fc::error::BoxError;
use tower_fc::protocol::Schemes;
use tower_fc::{Scheme, SignLayer, VerifyLayer};

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_that_is_called() {
    // A buffer of one place panics or hangs if a clone of it is called instead.
    let slow = service_fn(|request: Request<BufferedBody>| async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok::<_, BoxError>(Response::new(request.into_body()))
    });
    let mut client = ServiceBuilder::new()
        .layer(SetDigestLayer::new(Md5Encoding::default()))
        .layer(tower::buffer::BufferLayer::new(1))
        .service(slow);
    let mut server = ServiceBuilder::new()
        .layer(verify_layer())
        .layer(CheckDigestLayer::new().with_policy(BodyPolicy::Require).buffered(LIMIT))
        .layer(tower::buffer::BufferLayer::new(1))
        .service(service_fn(|request: Request<CheckedBody<Pieces>>| async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let body = request.into_body().collect().await?.to_bytes();
            Ok::<_, BoxError>(Response::new(Full::new(body)))
        }));
    let all = async {
        for _ in 0..8 {
            let request = Request::post("/").body(Pieces::of(["a", "bc"])).unwrap();
            let response = call(&mut client, request).await.unwrap();
            assert_eq!(response.body().data(), "abc");
            let request = post(Scheme::Fc, &[("content-md5", MD5)], Pieces::of(["a", "bc"]));
            let response = call(&mut server, request).await.unwrap();
            assert_eq!(response.status(), 200);
            // A refusal gives its place back.
            let request = post(Scheme::Fc, &[("content-md5", MD5)], Pieces::of(["a", "bd"]));
            let response = call(&mut server, request).await.unwrap();
            assert_eq!(response.status(), 403);
        }
    };
    tokio::time::timeout(Duration::from_secs(10), all).await.expect("a place was lost");
}

#[tokio::test]
async fn over_http_a_signed_digest_protects_the_body_in_both_versions_and_ways() {
    let streaming = serve(
        ServiceBuilder::new()
            .layer(VerifyLayer::new(verifier().with_schemes(Schemes::all())))
            .layer(CheckDigestLayer::new().with_policy(BodyPolicy::Require))
            .service(service_fn(echo::<CheckedBody<hyper::body::Incoming>>)),
    )
    .await;
    let buffered = serve(
        ServiceBuilder::new()
            .layer(VerifyLayer::new(verifier().with_schemes(Schemes::all())))
            .layer(CheckDigestLayer::new().with_policy(BodyPolicy::Require).buffered(1 << 20))
            .service(service_fn(echo::<CheckedBody<hyper::body::Incoming>>)),
    )
    .await;
    let large = "0123456789abcdef".repeat(40_000);
    for (address, mismatch) in [(streaming, 418), (buffered, 403)] {
        for http2 in [false, true] {
            let mut builder = Client::builder(TokioExecutor::new());
            let client = builder.http2_only(http2).build_http::<Passed<BufferedBody>>();
            for (scheme, header) in [
                (Scheme::Fc, DigestHeader::default()),
                (Scheme::Acs, Md5Encoding::Base64OfHex.into()),
                (Scheme::Acs3HmacSha256, DigestHeader::ContentSha256),
            ] {
                for text in ["", "abc", &large] {
                    for tamper in [false, true] {
                        for trailers in [None, Some(trailers())] {
                            let client = ServiceBuilder::new()
                                .layer(SetDigestLayer::new(header))
                                .layer(SignLayer::new(signer(scheme)))
                                .map_request(move |request: Request<BufferedBody>| {
                                    request.map(if tamper {
                                        Passed::tampered
                                    } else {
                                        Passed::unchanged
                                    })
                                })
                                .service(client.clone());
                            let body = Full::new(Bytes::from(text.to_owned()));
                            let body = body.with_trailers(std::future::ready(trailers.map(Ok)));
                            let request = Request::post(format!("http://{address}/a?b=c"));
                            let request = request.header("trailer", "x-sum").body(body).unwrap();
                            let response = client.oneshot(request).await.unwrap();
                            let tampered = tamper && !text.is_empty();
                            let expected = if tampered { mismatch } else { 200 };
                            assert_eq!(
                                response.status().as_u16(),
                                expected,
                                "{scheme}, http2: {http2}, {} bytes",
                                text.len()
                            );
                        }
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn over_http_trailers_of_requests_arrive_only_where_they_are_let_through() {
    async fn heard(
        request: Request<CheckedBody<hyper::body::Incoming>>,
    ) -> Result<Response<String>, Infallible> {
        let body = request.into_body().collect().await.unwrap();
        let answer = format!("{:?}", body.trailers().map(|trailers| trailers.get("x-sum")));
        assert_eq!(body.to_bytes(), "abc");
        Ok(Response::new(answer))
    }
    for (check, expected) in [
        (CheckDigestLayer::new(), "None"),
        (CheckDigestLayer::new().with_insecure_trailers(), "Some(Some(\"1\"))"),
    ] {
        let stack = || ServiceBuilder::new().layer(verify_layer());
        let streaming = serve(stack().layer(check.clone()).service(service_fn(heard))).await;
        let check = check.buffered(LIMIT);
        let buffered = serve(stack().layer(check).service(service_fn(heard))).await;
        for address in [streaming, buffered] {
            for digest in [&[("content-md5", MD5)][..], &[]] {
                for http2 in [false, true] {
                    // Without a length, beside which HTTP/1.1 has no trailers.
                    let body = Pieces::of(["abc"]).then(Ok(Frame::trailers(trailers())));
                    let mut request = post(Scheme::Fc, digest, body);
                    *request.uri_mut() = format!("http://{address}/a?b=c").parse().unwrap();
                    request.headers_mut().remove("host");
                    request.headers_mut().insert("trailer", "x-sum".parse().unwrap());
                    let mut builder = Client::builder(TokioExecutor::new());
                    let client = builder.http2_only(http2).build_http();
                    let response = client.request(request).await.unwrap();
                    assert_eq!(response.status(), 200);
                    assert_eq!(read(response).await, expected, "{digest:?}, http2: {http2}");
                }
            }
        }
    }
}

#[tokio::test]
async fn over_http_a_body_that_breaks_off_is_an_error_and_no_mismatch() {
    let (send, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let address =
        serve(ServiceBuilder::new().layer(verify_layer()).layer(CheckDigestLayer::new()).service(
            service_fn(move |request: Request<CheckedBody<hyper::body::Incoming>>| {
                let send = send.clone();
                async move {
                    let error = request.into_body().collect().await.unwrap_err();
                    let is_mismatch = error.is::<BodyDigestMismatch>();
                    send.send((is_mismatch, error.is::<hyper::Error>())).unwrap();
                    Ok::<_, Infallible>(Response::new(String::new()))
                }
            }),
        ))
        .await;
    for framing in [("content-length", "3"), ("transfer-encoding", "chunked")] {
        let request = post(Scheme::Fc, &[("content-md5", MD5), framing], ());
        let mut head = "POST /a?b=c HTTP/1.1\r\n".to_owned();
        for (name, value) in request.headers() {
            head += &format!("{name}: {}\r\n", value.to_str().unwrap());
        }
        let body = if framing.0 == "content-length" { "ab" } else { "2\r\nab\r\n" };
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(heard.recv().await, Some((false, true)), "{framing:?}");
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
}

#[tokio::test]
async fn an_axum_handler_never_sees_a_changed_body() {
    let routes =
        || axum::Router::new().route("/a", axum::routing::post(|body: String| async { body }));
    let streaming = routes().layer(CheckDigestLayer::new()).layer(verify_layer());
    let buffered = routes().layer(CheckDigestLayer::new().buffered(LIMIT)).layer(verify_layer());
    for (app, refusal) in [(streaming, 400), (buffered, 403)] {
        for (body, status) in [("abc", 200), ("abd", refusal), ("ab", refusal), ("", 403)] {
            let body = axum::body::Body::from(body);
            let request = post(Scheme::Fc, &[("content-md5", MD5)], body);
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status().as_u16(), status);
        }
    }
}
