//! The body that the inner service gets, frame by frame.

use super::{MD5, WAYS, Way, full, kept, kept_by, post};
use crate::common::EMPTY_MD5;
use crate::common::bodies::{Pieces, trailers};
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use tower_fc::digest::{BodyDigestMismatch, BodyPolicy, CheckDigestLayer, CheckedBody};
use tower_fc::{Scheme, headers};

/// The same for a body that is said to be `abc` and is checked while it streams.
async fn checked<B: Body>(body: B) -> CheckedBody<B> {
    let request = post(Scheme::Fc, &[("content-md5", MD5)], body);
    kept(Way::Streaming, BodyPolicy::CheckWhenSigned, request).await
}

#[tokio::test]
async fn a_wrong_body_whose_end_is_known_ends_before_its_last_piece() {
    let mut body = checked(Pieces::of(["a", "bd"]).knowing()).await;
    assert_eq!(body.size_hint().exact(), Some(3));
    assert!(!body.is_end_stream());
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.data_ref().unwrap(), "a");
    assert_eq!(body.size_hint().exact(), Some(2));
    let error = body.frame().await.unwrap().unwrap_err();
    let mismatch: &BodyDigestMismatch = error.downcast_ref().unwrap();
    assert_eq!(mismatch.header(), &headers::CONTENT_MD5);
    assert_eq!(error.to_string(), "the request body does not match its signed content-md5");
    assert!(body.is_end_stream(), "there is nothing behind the error");
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_wrong_body_of_unknown_end_ends_behind_its_last_piece() {
    let mut body = checked(Pieces::of(["a", "bd"])).await;
    for piece in ["a", "bd"] {
        assert_eq!(body.frame().await.unwrap().unwrap().data_ref().unwrap(), piece);
        assert!(!body.is_end_stream(), "whoever asks must not miss the error");
    }
    assert!(body.frame().await.unwrap().unwrap_err().is::<BodyDigestMismatch>());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_body_that_learns_late_of_its_end_is_not_at_it_before_it_was_checked() {
    /// As one of HTTP/2 whose end comes in a frame of its own.
    struct Late(Option<Bytes>, Arc<AtomicBool>);

    impl Body for Late {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.take().map(|data| Ok(Frame::data(data))))
        }

        fn is_end_stream(&self) -> bool {
            self.1.load(Ordering::SeqCst)
        }
    }

    for (text, right) in [("abc", true), ("abd", false)] {
        let has_ended = Arc::new(AtomicBool::new(false));
        let mut body = checked(Late(Some(text.into()), Arc::clone(&has_ended))).await;
        assert_eq!(body.frame().await.unwrap().unwrap().data_ref().unwrap(), text);
        has_ended.store(true, Ordering::SeqCst);
        assert!(!body.is_end_stream(), "{text}");
        match body.frame().await {
            None => assert!(right),
            Some(frame) => assert!(!right && frame.unwrap_err().is::<BodyDigestMismatch>()),
        }
        assert!(body.is_end_stream(), "{text}");
    }
}

#[tokio::test]
async fn a_right_body_is_at_its_end_once_that_is_known() {
    let mut body = checked(Pieces::of(["a", "bc"]).knowing()).await;
    for (piece, is_end) in [("a", false), ("bc", true)] {
        assert_eq!(body.frame().await.unwrap().unwrap().data_ref().unwrap(), piece);
        assert_eq!(body.is_end_stream(), is_end);
    }
    assert!(body.frame().await.is_none());
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn an_empty_body_that_is_right_is_at_its_end_from_the_start() {
    let digest = [("content-md5", EMPTY_MD5)];
    for way in WAYS {
        let request = post(Scheme::Fc, &digest, Pieces::of([]).knowing());
        let mut body = kept(way, BodyPolicy::Require, request).await;
        assert!(body.is_end_stream(), "{way:?}");
        assert!(body.frame().await.is_none(), "{way:?}");
    }
}

#[tokio::test]
async fn pieces_behind_the_length_that_was_announced_are_an_error() {
    let mut body = checked(Pieces::of(["abc", "", "d"]).claiming(3)).await;
    assert_eq!(body.frame().await.unwrap().unwrap().data_ref().unwrap(), "abc");
    assert_eq!(body.frame().await.unwrap().unwrap().data_ref().unwrap(), "");
    assert!(body.frame().await.unwrap().unwrap_err().is::<BodyDigestMismatch>());
    assert!(body.frame().await.is_none());
}

/// A body with trailers, behind a check that lets trailers pass or does not.
async fn with_trailers<const N: usize>(
    way: Way,
    policy: BodyPolicy,
    pass: bool,
    pieces: [&'static str; N],
    knows: bool,
) -> CheckedBody<Pieces> {
    let check = CheckDigestLayer::new().with_policy(policy);
    let check = if pass { check.with_insecure_trailers() } else { check };
    let body = Pieces::of(pieces).then(Ok(Frame::trailers(trailers())));
    let body = if knows { body.knowing() } else { body };
    let digest = [("content-md5", MD5)];
    let headers = if policy == BodyPolicy::CheckWhenSigned { &[][..] } else { &digest };
    kept_by(check, way, post(Scheme::Fc, headers, body)).await
}

#[tokio::test]
async fn trailers_are_dropped_checked_or_not_unless_they_are_let_through() {
    for way in WAYS {
        for policy in [BodyPolicy::Ignore, BodyPolicy::CheckWhenSigned, BodyPolicy::Require] {
            for knows in [false, true] {
                let name = format!("{way:?}, {policy:?}, {knows}");
                let body = with_trailers(way, policy, true, ["a", "bc"], knows).await;
                let body = body.collect().await.unwrap();
                assert_eq!(body.trailers(), Some(&trailers()), "{name}");
                assert_eq!(body.to_bytes(), "abc", "{name}");

                let body = with_trailers(way, policy, false, ["a", "bc"], knows).await;
                let body = body.collect().await.unwrap();
                assert_eq!(body.trailers(), None, "{name}");
                assert_eq!(body.to_bytes(), "abc", "{name}");

                let mut body = with_trailers(way, policy, false, ["abc"], knows).await;
                assert!(body.frame().await.unwrap().unwrap().is_data(), "{name}");
                assert!(body.frame().await.is_none(), "{name}");
                assert!(body.frame().await.is_none(), "{name}");
            }
        }
    }
    // In memory without them it has a length.
    let body = with_trailers(Way::Buffered, BodyPolicy::Require, false, ["a", "bc"], false).await;
    assert_eq!(body.size_hint().exact(), Some(3));
}

#[tokio::test]
async fn in_the_place_of_trailers_a_wrong_body_has_its_error() {
    for pass in [false, true] {
        let policy = BodyPolicy::Require;
        let mut body = with_trailers(Way::Streaming, policy, pass, ["abd"], false).await;
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.unwrap().unwrap_err().is::<BodyDigestMismatch>());
        assert!(body.frame().await.is_none());
        let body = with_trailers(Way::Streaming, policy, pass, ["abd"], true).await;
        assert!(body.collect().await.unwrap_err().is::<BodyDigestMismatch>());
    }
}

#[tokio::test]
async fn a_buffered_body_has_a_length() {
    let request = post(Scheme::Fc, &[("content-md5", MD5)], Pieces::of(["a", "bc"]));
    let body = kept(Way::Buffered, BodyPolicy::Require, request).await;
    assert_eq!(body.size_hint().exact(), Some(3));
    assert!(!body.is_end_stream());
    assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
}

#[tokio::test]
async fn what_is_not_checked_keeps_its_hints_and_its_end() {
    for way in WAYS {
        for policy in [BodyPolicy::Ignore, BodyPolicy::CheckWhenSigned] {
            let request = post(Scheme::Fc, &[], Pieces::of(["x", "yz"]).knowing());
            let mut body = kept(way, policy, request).await;
            assert_eq!(body.size_hint().exact(), Some(3), "{way:?}");
            assert!(body.frame().await.unwrap().is_ok());
            assert!(!body.is_end_stream());
            assert!(body.frame().await.unwrap().is_ok());
            assert!(body.is_end_stream());
            assert!(body.frame().await.is_none());
        }
    }
}

#[test]
fn a_wrapped_error_can_still_be_told() {
    // As frameworks wrap the errors of bodies.
    let request = post(Scheme::Fc, &[("content-md5", MD5)], full("abd"));
    let body = futures_now(kept(Way::Streaming, BodyPolicy::Require, request));
    let body = axum::body::Body::new(body);
    let error = futures_now(body.collect()).unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.is::<BodyDigestMismatch>());
}

/// The output of a future that is ready at once.
fn futures_now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is not ready"),
    }
}
