//! What a check answers in place of the inner service.

use super::{Broken, LIMIT, MD5, Read, Refused, Way, ask, echo, full, hex, post};
use crate::common::bodies::{Generated, Pieces};
use crate::common::{ID, Told, call, read, read_error, verify_layer};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use sha2::Digest as _;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tower::{Layer as _, Service, ServiceExt as _, service_fn};
use tower_fc::digest::CheckedBody;
use tower_fc::digest::{BodyPolicy, CheckDigestLayer};
use tower_fc::{Rejection, RejectionKind, Scheme, headers};

#[tokio::test]
async fn a_buffered_body_of_just_the_limit_passes_and_one_byte_more_is_400() {
    let (fits, more) = ("0123456789abcdef".repeat(4), "0123456789abcdef".repeat(4) + "0");
    assert_eq!((fits.len(), more.len()), (LIMIT, LIMIT + 1));
    let digest = |text: &str| hex(&md5::Md5::digest(text));
    let too_large = || Refused(StatusCode::BAD_REQUEST, RejectionKind::BodyTooLarge);

    let request = post(Scheme::Fc, &[("content-md5", &digest(&fits))], full(fits.clone()));
    assert_eq!(ask(Way::Buffered, BodyPolicy::CheckWhenSigned, request).await, Read(fits));
    let request = post(Scheme::Fc, &[("content-md5", &digest(&more))], full(more.clone()));
    assert_eq!(ask(Way::Buffered, BodyPolicy::CheckWhenSigned, request).await, too_large());
    // Without a length in advance, and without an end at all.
    let request = post(Scheme::Fc, &[("content-md5", MD5)], Generated::of(u64::MAX));
    assert_eq!(ask(Way::Buffered, BodyPolicy::CheckWhenSigned, request).await, too_large());
    // One that is not to be checked has no limit here.
    let request = post(Scheme::Fc, &[], full(more.clone()));
    assert_eq!(ask(Way::Buffered, BodyPolicy::CheckWhenSigned, request).await, Read(more));

    let body = Pieces::of(["abc"]).claiming(1 << 30);
    let polls = Arc::clone(&body.polls);
    let request = post(Scheme::Fc, &[("content-md5", MD5)], body);
    assert_eq!(ask(Way::Buffered, BodyPolicy::CheckWhenSigned, request).await, too_large());
    assert_eq!(polls.load(Ordering::SeqCst), 0, "what says it is too large is not read");
}

#[tokio::test]
async fn an_error_of_the_body_passes_while_streaming_and_is_400_when_buffered() {
    let broken = |reset| Pieces::of(["ab"]).then(Err(io::Error::from(reset)));
    let request =
        || post(Scheme::Fc, &[("content-md5", MD5)], broken(io::ErrorKind::ConnectionReset));
    let incomplete = Refused(StatusCode::BAD_REQUEST, RejectionKind::BodyIncomplete);
    let policy = BodyPolicy::CheckWhenSigned;
    assert_eq!(ask(Way::Streaming, policy, request()).await, Broken);
    assert_eq!(ask(Way::Buffered, policy, request()).await, incomplete);
    // One that is not checked is the inner service's to read.
    let request = post(Scheme::Fc, &[], broken(io::ErrorKind::ConnectionReset));
    assert_eq!(ask(Way::Buffered, policy, request).await, Broken);
}

#[tokio::test]
async fn an_observer_is_told_of_what_is_refused_and_of_bodies_that_turn_out_wrong() {
    async fn check<S, B>(way: Way, told: &Told, mut service: S)
    where
        S: Service<Request<Pieces>, Response = Response<B>, Error = Infallible>,
    {
        let digest = [("content-md5", MD5)];
        let reset = || Pieces::of(["ab"]).then(Err(io::ErrorKind::ConnectionReset.into()));
        let incomplete = if way == Way::Buffered { "BodyIncomplete" } else { "" };
        for (headers, body, expected) in [
            (&digest[..], Pieces::of(["a", "bc"]), ""),
            (&digest, Pieces::of(["a", "bd"]), "BodyDigestMismatch"),
            (&digest, Pieces::of(["a", "bd"]).knowing(), "BodyDigestMismatch"),
            (&digest, Pieces::of(["abc", "d", "e"]), "BodyDigestMismatch"),
            (&digest, Pieces::of([]).knowing(), "BodyDigestMismatch"),
            (&digest, reset(), incomplete),
            (&[], Pieces::of(["abc"]), "BodyNotCovered"),
        ] {
            call(&mut service, post(Scheme::Fc, headers, body)).await.unwrap();
            let expected = match expected {
                "" => vec![],
                kind => vec![format!("{kind} of {ID}")],
            };
            assert_eq!(told.take(), expected, "{way:?}");
        }
    }
    let told = Told::default();
    let layer =
        CheckDigestLayer::new().with_policy(BodyPolicy::Require).with_observer(told.observer());
    let inner = service_fn(echo::<CheckedBody<Pieces>>);
    check(Way::Streaming, &told, verify_layer().layer(layer.clone().layer(inner))).await;
    check(Way::Buffered, &told, verify_layer().layer(layer.clone().buffered(LIMIT).layer(inner)))
        .await;
    // No VerifyLayer is outside.
    let request = || post(Scheme::Fc, &[("content-md5", MD5)], Pieces::of(["abc"]));
    let streaming = layer.layer(inner).oneshot(request()).await.unwrap();
    let buffered = layer.buffered(LIMIT).layer(inner).oneshot(request()).await.unwrap();
    assert_eq!([streaming.status(), buffered.status()], [StatusCode::INTERNAL_SERVER_ERROR; 2]);
    assert_eq!(told.take(), ["NotLookedAt of nobody"; 2]);
}

/// An error that can be made into no other.
#[derive(Debug, PartialEq)]
struct Own;

#[tokio::test]
async fn refusals_are_worded_by_the_responder_and_inner_errors_pass_unchanged() {
    let responder = |rejection: &Rejection, parts: &Parts| {
        let text = format!("{} {}: {rejection}", parts.method, parts.uri.path());
        let mut response = Response::new(Bytes::from(text));
        *response.status_mut() = StatusCode::IM_A_TEAPOT;
        response
    };
    let inner = |request: Request<CheckedBody<Full<Bytes>>>| async {
        drop(request);
        Err::<Response<String>, _>(Own)
    };
    let layer = CheckDigestLayer::new().with_rejection_response(responder);
    let require = layer.clone().with_policy(BodyPolicy::Require);
    let streaming = verify_layer().layer(require.layer(service_fn(inner)));
    let buffered = verify_layer().layer(layer.buffered(LIMIT).layer(service_fn(inner)));

    let right = || post(Scheme::Fc, &[("content-md5", MD5)], full("abc"));
    assert_eq!(streaming.clone().oneshot(right()).await.unwrap_err(), Own);
    assert_eq!(buffered.clone().oneshot(right()).await.unwrap_err(), Own);

    let response = streaming.oneshot(post(Scheme::Fc, &[], full("abc"))).await.unwrap();
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    let rejection: &Rejection = response.extensions().get().unwrap();
    assert_eq!(rejection.claimed_access_key_id(), Some(ID));
    assert_eq!(
        read(response).await,
        "POST /a: AccessDenied: the signature does not cover the request body: Content-MD5, or \
         x-acs-content-sha256 under ACS3, has to be sent and signed"
    );
    let changed = post(Scheme::Fc, &[("content-md5", MD5)], full("abd"));
    let response = buffered.oneshot(changed).await.unwrap();
    assert_eq!(
        read(response).await,
        "POST /a: AccessDenied: the request body does not match its signed content-md5"
    );
}

#[tokio::test]
async fn refusals_say_what_function_compute_says_and_grpc_hears_it_its_own_way() {
    let service = verify_layer().layer(
        CheckDigestLayer::new()
            .with_policy(BodyPolicy::Require)
            .buffered(2)
            .layer(service_fn(echo::<CheckedBody<Full<Bytes>>>)),
    );
    let md5 = ("content-md5", MD5);
    for (headers, body, status, code, message, grpc) in [
        (
            vec![md5],
            "abc",
            400,
            "InvalidArgument",
            "the request body is larger than the limit of 2 bytes",
            "3",
        ),
        (
            vec![md5],
            "ab",
            403,
            "AccessDenied",
            "the request body does not match its signed content-md5",
            "7",
        ),
        (
            vec![("content-md5", "?")],
            "ab",
            403,
            "AccessDenied",
            "the HTTP header content-md5 is not base64 or lower-case hexadecimal of an MD5 digest",
            "7",
        ),
        (
            vec![],
            "ab",
            403,
            "AccessDenied",
            "the signature does not cover the request body: Content-MD5, or \
             x-acs-content-sha256 under ACS3, has to be sent and signed",
            "7",
        ),
    ] {
        let request = post(Scheme::Fc, &headers, full(body));
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        assert!(response.headers().contains_key(&headers::X_FC_REQUEST_ID));
        assert_eq!(read_error(response).await, (code.to_owned(), message.to_owned()));

        let mut headers = headers;
        headers.push((CONTENT_TYPE.as_str(), "application/grpc"));
        let request = post(Scheme::Fc, &headers, full(body));
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.headers()["grpc-status"] == grpc),
            (200, true)
        );
    }
}
