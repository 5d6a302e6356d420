//! The body of a request while it streams.

use crate::common::bodies::{Pieces, trailers};
use crate::common::{at, clock, read_error, refusal, signer, verify_layer};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tower::{Layer, ServiceExt, service_fn};
use tower_fc::error::BoxError;
use tower_fc::trigger::{BodyLimitExceeded, BodyLimitLayer, HttpTrigger, LimitedBody};
use tower_fc::{RejectionKind, Scheme};

/// What a function got of a body: its bytes, and how it ended.
#[derive(Debug, PartialEq)]
enum Got {
    Whole(String),
    Broken(String, String),
}

async fn read<B>(body: B) -> Got
where
    B: Body<Data = Bytes, Error = BoxError>,
{
    let mut body = std::pin::pin!(body);
    let mut text = String::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                let data = frame.data_ref().map_or(&[][..], |data| data);
                text.push_str(std::str::from_utf8(data).unwrap());
            }
            Err(error) => {
                assert!(body.is_end_stream());
                assert!(body.frame().await.is_none());
                return Got::Broken(text, error.to_string());
            }
        }
    }
    Got::Whole(text)
}

/// The answer to a request with this body, and what the function got of it, if it was called.
async fn send(request: Request<Pieces>) -> (Response<()>, Option<Got>) {
    let got = Arc::new(Mutex::new(None));
    let function = service_fn(async |request: Request<_>| {
        let body = read(request.into_body()).await;
        *got.lock().unwrap() = Some(body);
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("done")))
    });
    let service = BodyLimitLayer::new(6).with_clock(clock()).layer(function);
    let response = service.oneshot(request).await.unwrap();
    let got = got.lock().unwrap().take();
    (response.map(drop), got)
}

fn whole(text: &str) -> Option<Got> {
    Some(Got::Whole(text.to_owned()))
}

const OVER: &str = "the request body is over the limit of 6 bytes";

#[tokio::test]
async fn a_body_passes_up_to_the_limit_whether_its_length_is_known_or_not() {
    for pieces in [&["12345"][..], &["123", "456"], &["123456"], &["123456", ""], &["", "1"]] {
        let body =
            || Pieces::from_frames(pieces.iter().map(|piece| Ok(Frame::data((*piece).into()))));
        for body in [
            body(),
            body().knowing(),
            body().ending(),
            body().then(Ok(Frame::trailers(trailers()))),
        ] {
            let (response, got) = send(Request::new(body)).await;
            assert_eq!(response.status(), 200);
            assert_eq!(got, whole(&pieces.concat()));
        }
    }
}

#[tokio::test]
async fn a_body_whose_length_is_known_to_be_over_the_limit_does_not_reach_the_function() {
    let by_itself = Request::new(Pieces::of(["123", "4567"]).knowing());
    let by_header = Request::post("/").header("content-length", "7").body(Pieces::of(["1234567"]));
    for request in [by_itself, by_header.unwrap()] {
        let polls = Arc::clone(&request.body().polls);
        let (response, got) = send(request).await;
        assert_eq!((response.status().as_u16(), got), (400, None));
        assert_eq!(polls.load(std::sync::atomic::Ordering::SeqCst), 0, "it was read");
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_ends_with_an_error_at_the_limit_and_the_client_gets_400() {
    for (body, before) in [
        (Pieces::of(["1234567"]), ""),
        (Pieces::of(["123", "456", "7", "8"]), "123456"),
        (Pieces::of(["123", "4567"]).ending(), "123"),
        // It says less than it sends.
        (Pieces::of(["123", "4567"]).claiming(3), "123"),
    ] {
        let (response, got) = send(Request::new(body)).await;
        assert_eq!(response.status(), 400);
        assert_eq!(refusal(&response), Some(RejectionKind::LimitExceeded));
        assert_eq!(got, Some(Got::Broken(before.to_owned(), OVER.to_owned())));
    }
}

#[tokio::test]
async fn an_error_of_the_transport_is_none_of_ours() {
    let broken = Pieces::of(["123"]).then(Err(std::io::Error::other("reset")));
    let (response, got) = send(Request::new(broken)).await;
    assert_eq!(response.status(), 200);
    assert_eq!(got, Some(Got::Broken("123".to_owned(), "reset".to_owned())));
}

#[tokio::test]
async fn the_400_names_the_limit_and_hides_an_error_of_the_function() {
    let function = service_fn(
        async |request: Request<LimitedBody<_>>| -> Result<Response<String>, BoxError> {
            let body: LimitedBody<Pieces> = request.into_body();
            let error = body.collect().await.map(drop).unwrap_err();
            assert_eq!(error.downcast_ref::<BodyLimitExceeded>().unwrap().limit(), 3);
            Err(error)
        },
    );
    let service = BodyLimitLayer::new(3).with_clock(clock()).layer(function);
    let response = service.oneshot(Request::new(Pieces::of(["1234"]))).await.unwrap();
    let (code, message) = read_error(response).await;
    assert_eq!(code, "InvalidArgument");
    assert_eq!(message, "the request body is over the limit of 3 bytes");
}

/// A function that answers before it has read its request, and goes on answering while it reads.
#[tokio::test]
async fn an_answer_that_has_begun_is_cut_off() {
    for (pieces, is_whole) in [(&["123", "456"][..], true), (&["123", "4567"], false)] {
        let body: Pieces =
            Pieces::from_frames(pieces.iter().map(|piece| Ok(Frame::data((*piece).into()))));
        let function = service_fn(async |request: Request<_>| {
            // Whatever happens to the request, this function calls it the end.
            Ok::<_, Infallible>(Response::new(Echo(request.into_body())))
        });
        let service = BodyLimitLayer::new(6).with_clock(clock()).layer(function);
        let response = service.oneshot(Request::new(body)).await.unwrap();
        assert_eq!(response.status(), 200);
        let collected = response.into_body().collect().await;
        assert_eq!(collected.is_ok(), is_whole);
        if let Err(error) = collected {
            assert!(error.to_string().contains(OVER), "{error}");
        }
    }
}

/// What can be read of a body, as if that were all.
struct Echo<B>(B);

impl<B: Body<Data = Bytes> + Unpin> Body for Echo<B> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = Pin::new(&mut self.0).poll_frame(cx);
        frame.map(|frame| frame?.ok().map(Ok))
    }
}

#[tokio::test]
async fn a_body_that_differs_from_its_signed_digest_is_answered_with_403() {
    for (sent, status) in [("10", 200), ("99", 403)] {
        let function = service_fn(async |request: Request<_>| {
            let got = read(request.into_body()).await;
            assert_eq!(matches!(got, Got::Whole(_)), status == 200);
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("done")))
        });
        let trigger = HttpTrigger::new(verify_layer()).with_clock(clock()).layer(function);
        let mut request = Request::post("/").body(Pieces::of([sent])).unwrap();
        let digest = "09lEaAKkQll1XTjm0WPoIA==".parse().unwrap();
        request.headers_mut().insert("content-md5", digest);
        signer(Scheme::Fc).sign_request_at(&mut request, at(0)).unwrap();
        let response = trigger.oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        let kind = (status == 403).then_some(RejectionKind::BodyDigestMismatch);
        assert_eq!(refusal(&response), kind);
    }
}
