//! `SetDigestLayer`: the digest of a body is set on its way out.

use super::{MD5, MD5_BASE64_OF_HEX, MD5_RFC_1864, Read, SHA256, WAYS, ask, full, post};
use crate::common::bodies::{Generated, Pieces, trailers};
use crate::common::{EMPTY_MD5, clock, full_headers, only, signer, verifier};
use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Full};
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tower::{Layer as _, ServiceBuilder, ServiceExt as _, service_fn};
use tower_fc::digest::{BodyPolicy, DigestHeader, Md5Encoding, SetDigestLayer};
use tower_fc::digest::{BodyTooLarge, BufferedBody, DEFAULT_LIMIT};
use tower_fc::error::{BoxError, Error, ErrorKind};
use tower_fc::protocol::Schemes;
use tower_fc::{Scheme, SignLayer, VerifiedCaller, VerifyLayer};

#[tokio::test]
async fn each_digest_is_set_as_its_header_is_defined_and_then_signed() {
    for (header, scheme, name, value) in [
        (DigestHeader::default(), Scheme::Fc, "content-md5", MD5_RFC_1864),
        (Md5Encoding::Rfc1864.into(), Scheme::Fc, "content-md5", MD5_RFC_1864),
        (Md5Encoding::Hex.into(), Scheme::Fc, "content-md5", MD5),
        (Md5Encoding::Base64OfHex.into(), Scheme::Acs, "content-md5", MD5_BASE64_OF_HEX),
        (DigestHeader::ContentSha256, Scheme::Acs3HmacSha256, "x-acs-content-sha256", SHA256),
    ] {
        let server = VerifyLayer::new(verifier().with_schemes(Schemes::all()))
            .with_clock(clock())
            .layer(service_fn(move |request: Request<BufferedBody>| async move {
                let caller: &VerifiedCaller = request.extensions().get().unwrap();
                assert!(caller.covers_body(), "{header:?}");
                assert_eq!(only(request.headers(), name), value, "{header:?}");
                assert_eq!(request.body().data(), "abc", "{header:?}");
                Ok::<_, Infallible>(Response::new(String::new()))
            }));
        let client = ServiceBuilder::new()
            .layer(SetDigestLayer::new(header))
            .layer(SignLayer::new(signer(scheme)).with_clock(clock()))
            .service(server);
        let request = || Request::post("/").header("host", "demo.example").header(name, "stale");
        let whole = request().header(name, "older").body(full("abc")).unwrap();
        assert_eq!(client.clone().oneshot(whole).await.unwrap().status(), 200, "{header:?}");
        let pieces = request().body(Pieces::of(["a", "", "bc"])).unwrap();
        assert_eq!(client.clone().oneshot(pieces).await.unwrap().status(), 200, "{header:?}");
    }
}

/// Sends one body through a `SetDigestLayer`: what goes out, or the error, and how often
/// the inner service was called.
async fn send<B>(layer: SetDigestLayer, body: B) -> (Result<Request<BufferedBody>, BoxError>, usize)
where
    B: Body<Error: Into<BoxError>>,
{
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let service = layer.layer(service_fn(move |request: Request<BufferedBody>| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok::<_, Infallible>(request))
    }));
    let request = Request::post("/").body(body).unwrap();
    let sent = service.oneshot(request).await;
    (sent, calls.load(Ordering::SeqCst))
}

#[tokio::test]
async fn an_empty_body_has_a_digest_too() {
    for body in [Pieces::of([]), Pieces::of([]).knowing(), Pieces::of(["", ""])] {
        let (sent, _) = send(SetDigestLayer::new(Md5Encoding::Hex), body).await;
        let sent = sent.unwrap();
        assert_eq!(sent.headers()["content-md5"], EMPTY_MD5);
        assert!(sent.body().is_end_stream());
        assert_eq!(sent.body().size_hint().exact(), Some(0));
    }
}

#[tokio::test]
async fn a_body_in_memory_is_taken_over_without_a_copy_whatever_its_size() {
    let data = Bytes::from(vec![7; 1000]);
    let buffered =
        send(SetDigestLayer::new(Md5Encoding::default()), Full::new(data.clone())).await.0.unwrap();
    for in_memory in [
        Box::pin(Full::new(data.clone())) as Pin<Box<dyn Body<Data = Bytes, Error = Infallible>>>,
        Box::pin(buffered.into_body()),
        Box::pin(Full::new(data.clone()).with_trailers(std::future::ready(None))),
    ] {
        let (sent, _) =
            send(SetDigestLayer::new(Md5Encoding::default()).with_limit(0), in_memory).await;
        let sent = sent.unwrap();
        assert_eq!(sent.body().data().as_ptr(), data.as_ptr());
        assert_eq!(sent.body().data(), &data);
        assert_eq!(sent.body().size_hint().exact(), Some(1000));
    }
    // An empty piece is none.
    let body = Pieces::of(["", "abc", ""]);
    let data = body.frames[1].as_ref().unwrap().data_ref().unwrap().clone();
    let (sent, _) = send(SetDigestLayer::new(Md5Encoding::default()), body).await;
    assert_eq!(sent.unwrap().body().data().as_ptr(), data.as_ptr());
    // One whose end is known without its length.
    let (sent, _) = send(
        SetDigestLayer::new(Md5Encoding::default()).with_limit(0),
        Pieces::of(["abc"]).ending(),
    )
    .await;
    assert_eq!(sent.unwrap().body().data().as_ptr(), data.as_ptr());
}

#[tokio::test]
async fn a_stream_of_just_the_limit_is_sent_and_one_byte_more_is_not() {
    let all = || Pieces::of(["0123", "4567"]);
    for pieces in [all(), all().knowing(), all().ending()] {
        let (sent, calls) =
            send(SetDigestLayer::new(Md5Encoding::default()).with_limit(8), pieces).await;
        assert_eq!(sent.unwrap().body().data(), "01234567");
        assert_eq!(calls, 1);
    }
    for pieces in [
        Pieces::of(["0123", "4567"]),
        Pieces::of(["0123", "4567"]).knowing(),
        Pieces::of(["0123", "4567"]).ending(),
        Pieces::of(["01234567"]),
        Pieces::of(["01234567", ""]),
    ] {
        let (sent, calls) =
            send(SetDigestLayer::new(Md5Encoding::default()).with_limit(7), pieces).await;
        let error = sent.unwrap_err();
        let too_large: &BodyTooLarge = error.downcast_ref().expect("the error is a named one");
        assert_eq!(too_large.limit(), 7);
        assert_eq!(error.to_string(), "the request body is larger than the limit of 7 bytes");
        assert_eq!(calls, 0, "nothing is sent");
    }
}

#[tokio::test]
async fn a_stream_that_says_it_is_too_large_is_not_read_on() {
    let body = Pieces::of(["0", "1", "2", "3"]).claiming(DEFAULT_LIMIT as u64 + 1);
    let polls = Arc::clone(&body.polls);
    let (sent, calls) = send(SetDigestLayer::new(Md5Encoding::default()), body).await;
    assert_eq!(sent.unwrap_err().downcast_ref::<BodyTooLarge>().unwrap().limit(), DEFAULT_LIMIT);
    assert_eq!((calls, polls.load(Ordering::SeqCst)), (0, 1));
}

#[tokio::test]
async fn a_stream_without_an_end_stops_at_the_limit() {
    let body = Generated::of(u64::MAX);
    let left = body.size_hint();
    assert_eq!(left.exact(), None);
    let (sent, calls) =
        send(SetDigestLayer::new(Md5Encoding::default()).with_limit(1 << 20), body).await;
    assert!(sent.unwrap_err().is::<BodyTooLarge>());
    assert_eq!(calls, 0);
}

#[tokio::test]
async fn an_error_of_the_body_comes_back_and_nothing_is_sent() {
    let body = Pieces::of(["01"]).then(Err(io::ErrorKind::ConnectionReset.into()));
    let (sent, calls) = send(SetDigestLayer::new(Md5Encoding::default()), body).await;
    let error = sent.unwrap_err();
    let error: &io::Error = error.downcast_ref().expect("the error is that of the body");
    assert_eq!((error.kind(), calls), (io::ErrorKind::ConnectionReset, 0));
}

#[tokio::test]
async fn a_request_without_room_for_the_header_is_not_sent() {
    let mut request = Request::post("/").body(full("abc")).unwrap();
    *request.headers_mut() = full_headers();
    let service = SetDigestLayer::new(Md5Encoding::default())
        .layer(service_fn(|_: Request<BufferedBody>| async { panic!("it was sent") as Sent }));
    let error = service.oneshot(request).await.unwrap_err();
    assert_eq!(error.downcast_ref::<Error>().unwrap().kind(), ErrorKind::TooManyHeaders);
}

type Sent = Result<Response<()>, Infallible>;

#[tokio::test]
async fn trailers_go_out_behind_the_body() {
    let body = Pieces::of(["ab", "c"]).then(Ok(Frame::trailers(trailers())));
    let (sent, _) = send(SetDigestLayer::new(Md5Encoding::Hex), body).await;
    let sent = sent.unwrap();
    assert_eq!(sent.headers()["content-md5"], MD5);
    assert_eq!(sent.body().trailers(), Some(&trailers()));
    assert!(!sent.body().is_end_stream());
    // With an exact length HTTP/1.1 would drop them.
    let hint = sent.body().size_hint();
    assert_eq!((hint.lower(), hint.upper()), (3, None));
    let mut body = sent.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "abc");
    assert!(!body.is_end_stream());
    assert_eq!(body.frame().await.unwrap().unwrap().into_trailers().unwrap(), trailers());
    assert!(body.is_end_stream());
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn errors_of_the_inner_service_pass() {
    let service = SetDigestLayer::new(Md5Encoding::default()).layer(service_fn(
        |_: Request<BufferedBody>| async {
            Err::<Response<()>, _>(io::Error::from(io::ErrorKind::NotConnected))
        },
    ));
    let error = service.oneshot(Request::new(full("abc"))).await.unwrap_err();
    assert_eq!(error.downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::NotConnected);
}

#[tokio::test]
async fn pieces_of_any_buffer_are_hashed_and_sent() {
    // Two pieces that are one chunk, and a chunk that is two pieces.
    let chained =
        Full::new(&b"a"[..]).map_frame(|frame| frame.map_data(|a| Buf::chain(a, &b"bc"[..])));
    let (sent, _) = send(SetDigestLayer::new(Md5Encoding::Hex), chained).await;
    let sent = sent.unwrap();
    assert_eq!(sent.headers()["content-md5"], MD5);
    assert_eq!(sent.body().data(), "abc");

    for way in WAYS {
        let body =
            Full::new(&b"a"[..]).map_frame(|frame| frame.map_data(|a| Buf::chain(a, &b"bc"[..])));
        let request = post(Scheme::Fc, &[("content-md5", MD5)], body);
        assert_eq!(ask(way, BodyPolicy::Require, request).await, Read("abc".into()), "{way:?}");
    }
}
