//! `VerifyLayer` and `AsyncVerifyLayer` in tower stacks.

use crate::common::bodies::{Passed, Pieces};
use crate::common::services::{greeter, text, unreachable};
use crate::common::{
    EMPTY_SHA256, ID, SECRET, Told, at, call, clock, credentials, get, key, presigned, read,
    read_error, refusal, signed, signed_at, signed_by, temporary_credentials, verifier,
    verify_layer,
};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_fc::clock::FixedClock;
use tower_fc::keys::{KeyStoreError, VerifyingKey};
use tower_fc::protocol::{Dialect, Schemes};
use tower_fc::verify::{Mode, OtherScheme, Verify};
use tower_fc::{
    Credentials, Rejection, RejectionKind, Scheme, Signer, StaticKeys, VerifiedCaller, Verifier,
    VerifyLayer,
};

#[tokio::test]
async fn a_signed_request_passes_and_is_answered_by_the_inner_service() {
    let mut service = verify_layer().layer(greeter());
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256] {
        let request = signed_at(get("/a?b=c"), scheme, at(0));
        let response = call(&mut service, request).await.unwrap();
        assert_eq!(response.status(), 200, "{scheme}");
        assert!(response.extensions().get::<Rejection>().is_none(), "{scheme}");
        assert!(response.headers().is_empty(), "{scheme}: nothing is added");
        assert_eq!(read(response).await, ID, "{scheme}");
    }
}

#[tokio::test]
async fn what_is_not_signed_right_is_refused_as_function_compute_does() {
    let stranger = Signer::new(Credentials::new("stranger", SECRET).unwrap());
    let wrong = Signer::new(Credentials::new(ID, "another-secret").unwrap());
    let by = |signer: &Signer| {
        let mut request = get("/a?b=c");
        signer.sign_request_at(&mut request, at(0)).unwrap();
        request
    };
    let mut tampered = signed(get("/a?b=c"));
    *tampered.uri_mut() = "/a?b=d".parse().unwrap();
    let mut undated = signed(get("/a?b=c"));
    undated.headers_mut().remove("date");
    for (name, request, kind, code, message) in [
        (
            "unsigned",
            get("/a?b=c"),
            RejectionKind::MissingCredentials,
            "MissingRequiredHeader",
            "required HTTP header Authorization was not specified",
        ),
        (
            "without a date",
            undated,
            RejectionKind::MissingDate,
            "MissingRequiredHeader",
            "required HTTP header Date was not specified",
        ),
        (
            "unknown key",
            by(&stranger),
            RejectionKind::UnknownAccessKey,
            "InvalidAccessKeyID",
            "invalid access key ID 'stranger'",
        ),
        (
            "wrong secret",
            by(&wrong),
            RejectionKind::SignatureMismatch,
            "SignatureNotMatch",
            "The request signature we calculated does not match the signature you provided. \
             Check your access key and signing method",
        ),
        (
            "tampered with",
            tampered,
            RejectionKind::SignatureMismatch,
            "SignatureNotMatch",
            "The request signature we calculated does not match the signature you provided. \
             Check your access key and signing method",
        ),
        (
            "expired",
            signed_at(get("/a?b=c"), Scheme::Fc, at(-3600)),
            RejectionKind::RequestTimeTooSkewed,
            "AccessDenied",
            "the difference between the request time 'Sat, 21 Nov 2026 16:57:00 GMT' and the \
             current time 'Sat, 21 Nov 2026 17:57:00 GMT' is too large",
        ),
        (
            "a scheme that is not switched on",
            signed_at(get("/a?b=c"), Scheme::Acs, at(0)),
            RejectionKind::UnsupportedScheme,
            "AccessDenied",
            "the signature scheme 'acs' is not accepted here",
        ),
    ] {
        let response = call(&mut verify_layer().layer(unreachable()), request).await.unwrap();
        assert_eq!(response.status(), 403, "{name}");
        assert_eq!(refusal(&response), Some(kind), "{name}");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json", "{name}");
        assert!(response.headers().contains_key("x-fc-request-id"), "{name}");
        let expected = (code.to_owned(), message.to_owned());
        assert_eq!(read_error(response).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_request_is_judged_as_of_what_the_clock_of_the_layer_says() {
    let header = |scheme| signed_at(get("/"), scheme, at(0));
    let skewed = Some(RejectionKind::RequestTimeTooSkewed);
    for (request, now, expected) in [
        (header(Scheme::Fc), at(900), None),
        (header(Scheme::Fc), at(901), skewed),
        (header(Scheme::Acs3HmacSha256), at(-900), None),
        (header(Scheme::Acs3HmacSha256), at(-901), skewed),
        (presigned(get("/"), credentials(), 600), at(599), None),
        (presigned(get("/"), credentials(), 600), at(600), Some(RejectionKind::Expired)),
    ] {
        let verifier = verifier().with_schemes(Schemes::all());
        let layer = VerifyLayer::new(verifier).with_clock(FixedClock::at(now));
        let response = call(&mut layer.layer(greeter()), request).await.unwrap();
        assert_eq!(refusal(&response), expected, "{now:?}");
    }
}

#[tokio::test]
async fn the_rejection_in_the_response_says_who_it_claimed_to_be() {
    let stranger = Signer::new(Credentials::new("stranger", SECRET).unwrap());
    let mut request = get("/");
    stranger.sign_request_at(&mut request, at(0)).unwrap();
    let response = call(&mut verify_layer().layer(unreachable()), request).await.unwrap();
    let rejection: &Rejection = response.extensions().get().unwrap();
    assert_eq!(rejection.claimed_access_key_id(), Some("stranger"));
    assert_eq!(rejection.status(), response.status());

    let response = call(&mut verify_layer().layer(unreachable()), get("/")).await.unwrap();
    let rejection: &Rejection = response.extensions().get().unwrap();
    assert_eq!(rejection.claimed_access_key_id(), None);
}

#[tokio::test]
async fn a_request_id_has_the_form_of_the_gateway_and_is_new_each_time() {
    let mut service = verify_layer().layer(unreachable());
    let mut ids = std::collections::HashSet::new();
    for _ in 0..100 {
        let response = call(&mut service, get("/")).await.unwrap();
        let id = response.headers()["x-fc-request-id"].to_str().unwrap().to_owned();
        let parts: Vec<_> = id.split('-').collect();
        let lens: Vec<_> = parts.iter().map(|part| part.len()).collect();
        assert_eq!(lens, [1, 8, 8, 12], "{id}");
        let hex = |part: &&str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        assert!(parts[0] == "1" && parts.iter().all(hex), "{id}");
        let seconds = Duration::from_secs(u64::from_str_radix(parts[1], 16).unwrap());
        let time = SystemTime::UNIX_EPOCH + seconds;
        // That of the layer's clock.
        assert_eq!(time, at(0), "{id}");
        ids.insert(id);
    }
    assert_eq!(ids.len(), 100);
}

#[tokio::test]
async fn the_identity_is_in_the_extensions_of_the_request() {
    async fn caller(
        layer: impl Fn(Verifier<StaticKeys>) -> Verifier<StaticKeys>,
        request: Request<()>,
    ) -> VerifiedCaller {
        let layer = VerifyLayer::new(layer(verifier())).with_clock(clock());
        let mut service = layer.layer(service_fn(|request: Request<()>| async move {
            let caller = request.extensions().get::<VerifiedCaller>().unwrap().clone();
            let mut response = Response::new(());
            response.extensions_mut().insert(caller);
            Ok::<_, Infallible>(response)
        }));
        let response = call(&mut service, request).await.unwrap();
        assert_eq!(response.status(), 200);
        response.extensions().get::<VerifiedCaller>().unwrap().clone()
    }
    let covers = |caller: &VerifiedCaller, names: &[&'static str]| {
        names
            .iter()
            .map(|name| caller.covers_header(&HeaderName::from_static(name)))
            .collect::<Vec<_>>()
    };
    let names = ["content-type", "date", "x-fc-a", "x-acs-a", "host", "x-other"];
    let request = || {
        Request::post("http://demo.example/a")
            .header("content-type", "text/plain")
            .header("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")
            .header("x-other", "1")
            .body(())
            .unwrap()
    };

    let fc = caller(|verifier| verifier, signed(request())).await;
    assert_eq!(fc.access_key_id(), ID);
    assert_eq!((fc.scheme(), fc.dialect()), (Scheme::Fc, Dialect::Standard));
    assert_eq!((fc.signed_at(), fc.expires_at()), (Some(at(0)), None));
    assert!(fc.covers_body());
    assert_eq!(covers(&fc, &names), [true, true, true, false, false, false]);
    assert_eq!(fc.ambiguities().count(), 0);

    // ACS3 signs the digest too.
    let acs3 = signed_at(request(), Scheme::Acs3HmacSha256, at(-5));
    let acs3 = caller(|verifier| verifier, acs3).await;
    assert_eq!(acs3.scheme(), Scheme::Acs3HmacSha256);
    assert_eq!(acs3.signed_at(), Some(at(-5)));
    assert!(acs3.covers_body());
    assert_eq!(covers(&acs3, &names), [true, false, false, false, true, false]);

    let mut hashed = request();
    hashed.headers_mut().insert("x-acs-content-sha256", EMPTY_SHA256.parse().unwrap());
    let hashed = signed_at(hashed, Scheme::Acs3HmacSha256, at(0));
    assert!(caller(|verifier| verifier, hashed).await.covers_body());

    let url = presigned(get("/a?x=1"), credentials(), 600);
    let url = caller(|verifier| verifier.with_schemes(Scheme::FcPresigned), url).await;
    assert_eq!(url.scheme(), Scheme::FcPresigned);
    assert_eq!((url.signed_at(), url.expires_at()), (None, Some(at(600))));
    assert!(!url.covers_body());
    assert_eq!(covers(&url, &names), [true, false, true, false, false, false]);
}

#[tokio::test]
async fn optional_lets_absent_credentials_pass_and_bad_ones_never() {
    let verifier = verifier().with_schemes(Schemes::all());
    let layer = VerifyLayer::new(verifier).with_clock(clock()).with_mode(Mode::Optional);
    let mut service = layer.layer(greeter());
    let response = call(&mut service, get("/")).await.unwrap();
    assert_eq!(read(response).await, "anonymous");
    let response = call(&mut service, signed(get("/"))).await.unwrap();
    assert_eq!(read(response).await, ID);

    let with = |value: &str| {
        let mut request = signed(get("/"));
        request.headers_mut().insert(AUTHORIZATION, value.parse().unwrap());
        request
    };
    let twice = |value: &str| {
        let mut request = signed(get("/"));
        request.headers_mut().append(AUTHORIZATION, value.parse().unwrap());
        request
    };
    let mut both = signed(get("/"));
    *both.uri_mut() = "/?x-fc-signature=AAAA".parse().unwrap();
    let mut service = layer.layer(unreachable());
    for (name, request, kind) in [
        ("an empty header", with(""), RejectionKind::UnsupportedScheme),
        ("a space", with(" "), RejectionKind::UnsupportedScheme),
        ("another scheme", with("Bearer abc"), RejectionKind::UnsupportedScheme),
        ("another scheme", with("Basic YTpi"), RejectionKind::UnsupportedScheme),
        ("a scheme alone", with("FC"), RejectionKind::MalformedCredentials),
        ("in another case", with(&format!("fc {ID}:AAAA")), RejectionKind::UnsupportedScheme),
        ("a bad signature", with(&format!("FC {ID}:AAAA")), RejectionKind::SignatureMismatch),
        ("an unknown key", with("FC stranger:AAAA"), RejectionKind::UnknownAccessKey),
        ("twice", twice("FC a:b"), RejectionKind::ConflictingCredentials),
        ("twice, one empty", twice(""), RejectionKind::ConflictingCredentials),
        ("an end alone", get("/?x-fc-expires=1"), RejectionKind::IncompleteCredentials),
        ("half a presigned URL", get("/?x-fc-signature=AAAA"), RejectionKind::MalformedCredentials),
        (
            "the other half",
            get(&format!("/?x%2Dfc-access-key-id={ID}&x-fc-expires=9999999999")),
            RejectionKind::MalformedCredentials,
        ),
        ("header and query", both, RejectionKind::ConflictingCredentials),
    ] {
        let response = call(&mut service, request).await.unwrap();
        assert_eq!(refusal(&response), Some(kind), "{name}");
        assert_eq!(response.status(), 403, "{name}");
    }
}

#[tokio::test]
async fn exempt_requests_pass_whatever_credentials_they_carry() {
    let layer = verify_layer()
        .with_exemption(|method, uri, _| method == Method::GET && uri.path() == "/health");
    let mut service = layer.layer(greeter());
    let mut bad = get("/health?deep=1");
    bad.headers_mut().insert(AUTHORIZATION, "FC x:y".parse().unwrap());
    for request in [get("/health"), bad, signed(get("/health"))] {
        let response = call(&mut service, request).await.unwrap();
        assert_eq!(read(response).await, "anonymous");
    }
    let mut service = layer.layer(unreachable());
    let post = Request::post("/health").body(()).unwrap();
    for request in [post, get("/healthy"), get("/health/"), get("/health/../x"), get("//health")] {
        let response = call(&mut service, request).await.unwrap();
        assert_eq!(refusal(&response), Some(RejectionKind::MissingCredentials));
    }
}

#[tokio::test]
async fn credentials_are_taken_out_of_what_the_inner_service_sees_when_asked_to() {
    let names = [
        "authorization",
        "x-fc-security-token",
        "x-acs-security-token",
        "date",
        "x-acs-date",
        "x-fc-other",
    ];
    let echo = service_fn(move |request: Request<()>| async move {
        let there = names.map(|name| request.headers().contains_key(name));
        Ok::<_, Infallible>(Response::new(text(format!("{there:?}"))))
    });
    let request = |scheme| {
        let signer = Signer::new(temporary_credentials()).with_scheme(scheme).unwrap();
        let request = Request::get("https://demo.example/").header("x-fc-other", "1");
        let mut request = request.body(()).unwrap();
        signer.sign_request_at(&mut request, at(0)).unwrap();
        request
    };
    let mut kept = verify_layer().layer(echo);
    let mut stripped = verify_layer().with_stripped_credentials().layer(echo);
    for (scheme, all, left) in [
        (
            Scheme::Fc,
            [true, true, false, true, false, true],
            [false, false, false, true, false, true],
        ),
        (
            Scheme::Acs3HmacSha256,
            [true, false, true, false, true, true],
            [false, false, false, false, true, true],
        ),
    ] {
        let response = call(&mut kept, request(scheme)).await.unwrap();
        assert_eq!(read(response).await, format!("{all:?}"), "{scheme}");
        let response = call(&mut stripped, request(scheme)).await.unwrap();
        assert_eq!(read(response).await, format!("{left:?}"), "{scheme}");
    }

    // A token without a signature is no anonymous request.
    let mut optional =
        verify_layer().with_mode(Mode::Optional).with_stripped_credentials().layer(echo);
    let anonymous = Request::get("/")
        .header("x-fc-security-token", "made up")
        .header("x-acs-security-token", "made up")
        .body(())
        .unwrap();
    let response = call(&mut optional, anonymous).await.unwrap();
    assert_eq!(refusal(&response), Some(RejectionKind::IncompleteCredentials));
}

#[tokio::test]
async fn a_refused_request_is_answered_with_any_body_type_of_the_inner_service() {
    let mut service = verify_layer().layer(unreachable());
    let response = call(&mut service, get("/")).await.unwrap();
    let body = response.into_body();
    let hint = body.size_hint();
    assert!(!body.is_end_stream());
    let bytes = body.collect().await.unwrap().to_bytes();
    assert_eq!(hint.exact(), Some(bytes.len() as u64));
    assert!(bytes.starts_with(b"{\"ErrorCode\":\"MissingRequiredHeader\","));

    let mut service = verify_layer().layer(greeter());
    let response = call(&mut service, signed(get("/"))).await.unwrap();
    assert_eq!(response.body().size_hint().exact(), Some(ID.len() as u64));
    assert_eq!(read(response).await, ID);
}

#[tokio::test]
async fn trailers_and_errors_of_a_response_body_pass() {
    #[derive(Debug, PartialEq)]
    struct Broken(Rc<u8>);

    let mut service = verify_layer().layer(service_fn(|_: Request<()>| async {
        let trailers = http::HeaderMap::from_iter([(CONTENT_TYPE, "a/b".parse().unwrap())]);
        let frames = [Ok(Frame::data(Bytes::from("x"))), Ok(Frame::trailers(trailers))];
        let frames = frames.into_iter().chain([Err(Broken(Rc::new(1)))]);
        Ok::<_, Infallible>(Response::new(Pieces::from_frames(frames)))
    }));
    let response = call(&mut service, signed(get("/"))).await.unwrap();
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "x");
    let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(trailers[CONTENT_TYPE], "a/b");
    assert_eq!(body.frame().await.unwrap().unwrap_err(), Broken(Rc::new(1)));
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn the_error_of_the_inner_service_passes_unchanged() {
    #[derive(Debug, PartialEq)]
    struct Plain(Rc<u8>);

    let mut service: Verify<_, _, _, _> =
        verify_layer().layer(service_fn(|_: Request<()>| async {
            Err::<Response<Passed>, _>(Plain(Rc::new(7)))
        }));
    let error: Plain = call(&mut service, signed(get("/"))).await.unwrap_err();
    assert_eq!(error, Plain(Rc::new(7)));
    // A refusal is an answer, not an error.
    assert_eq!(call(&mut service, get("/")).await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_grpc_request_is_refused_the_grpc_way() {
    let unsigned = |content_type: &str| {
        Request::post("/s/m").header(CONTENT_TYPE, content_type).body(()).unwrap()
    };
    let skewed = signed_at(unsigned("application/grpc"), Scheme::Fc, at(-3600));
    let mut service = verify_layer().layer(unreachable());
    for content_type in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc;charset=utf-8",
        "application/grpc-web",
        "application/grpc-web+proto",
        "application/grpc-web-text",
    ] {
        let response = call(&mut service, unsigned(content_type)).await.unwrap();
        assert_eq!(response.status(), 200, "{content_type}");
        assert_eq!(response.headers()["grpc-status"], "16", "{content_type}");
        assert_eq!(
            response.headers()["grpc-message"],
            "MissingRequiredHeader: required HTTP header Authorization was not specified",
            "{content_type}"
        );
        let answered = response.headers()[CONTENT_TYPE].to_str().unwrap();
        assert!(answered.starts_with("application/grpc"), "{content_type}");
        assert!(response.headers().contains_key("x-fc-request-id"), "{content_type}");
        assert_eq!(refusal(&response), Some(RejectionKind::MissingCredentials));
        assert!(response.body().is_end_stream(), "{content_type}");
        assert_eq!(read(response).await, "", "{content_type}");
    }
    let response = call(&mut service, skewed).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["grpc-status"], "7");
    let message = response.headers()["grpc-message"].to_str().unwrap();
    assert!(message.starts_with("AccessDenied: the difference between"), "{message}");

    for content_type in ["application/json", "text/application/grpc", ""] {
        let response = call(&mut service, unsigned(content_type)).await.unwrap();
        assert_eq!(response.status(), 403, "{content_type}");
    }
}

#[tokio::test]
async fn a_closure_answers_refusals_in_its_own_way() {
    let layer = verify_layer().with_rejection_response(|rejection: &Rejection, parts: &Parts| {
        Response::builder()
            .status(StatusCode::UNAUTHORIZED)
            .header("www-authenticate", "FC")
            .body(Bytes::from(format!("{} {:?}", parts.uri, rejection.kind())))
            .unwrap()
    });
    let response = call(&mut layer.layer(unreachable()), get("/a?b")).await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["www-authenticate"], "FC");
    assert!(!response.headers().contains_key("x-fc-request-id"));
    // The rejection is there whatever the answer.
    assert_eq!(refusal(&response), Some(RejectionKind::MissingCredentials));
    assert_eq!(read(response).await, "/a?b MissingCredentials");
}

#[tokio::test]
async fn an_empty_answer_ends_at_once() {
    let layer = verify_layer()
        .with_rejection_response(|_: &Rejection, _: &Parts| Response::new(Bytes::new()));
    let response = call(&mut layer.layer(unreachable()), get("/")).await.unwrap();
    assert!(response.body().is_end_stream());
    assert_eq!(response.body().size_hint().exact(), Some(0));
    assert_eq!(read(response).await, "");
}

#[tokio::test]
async fn a_key_store_that_is_down_is_503_and_the_inner_service_is_not_called() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let store = move |_: &str| {
        count.fetch_add(1, Ordering::SeqCst);
        Err::<VerifyingKey, _>(KeyStoreError::new("password of the database is hunter2"))
    };
    // Not even where credentials are optional.
    let layer =
        VerifyLayer::new(Verifier::new(store)).with_clock(clock()).with_mode(Mode::Optional);
    let mut service = layer.layer(unreachable());
    let response = call(&mut service, signed(get("/"))).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(refusal(&response), Some(RejectionKind::KeyStoreUnavailable));
    let (code, message) = read_error(response).await;
    assert_eq!(code, "ServiceUnavailable");
    assert_eq!(message, "access keys cannot be looked up at the moment");
    assert_eq!(asked.load(Ordering::SeqCst), 1);

    let mut grpc = get("/");
    grpc.headers_mut().insert(CONTENT_TYPE, "application/grpc".parse().unwrap());
    let response = call(&mut service, signed(grpc)).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "14");

    // What fails before the key is needed does not ask for it.
    let late = signed_at(get("/"), Scheme::Fc, at(-3600));
    assert_eq!(call(&mut service, late).await.unwrap().status(), 403);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn awaited_keys_that_cannot_be_had_are_503_too() {
    let store = |_: String| async { Err::<VerifyingKey, _>(KeyStoreError::new("timed out")) };
    let layer = VerifyLayer::new(Verifier::new(store)).with_clock(clock()).awaiting_keys();
    let response = call(&mut layer.layer(unreachable()), signed(get("/"))).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(refusal(&response), Some(RejectionKind::KeyStoreUnavailable));
}

/// Keys that take a moment to come.
async fn slow_keys(id: String) -> Result<Vec<VerifyingKey>, KeyStoreError> {
    tokio::task::yield_now().await;
    Ok(if id == ID { vec![key()] } else { Vec::new() })
}

#[tokio::test]
async fn what_ends_while_keys_are_awaited_is_refused() {
    // Two minutes later, each time it is read.
    let reads = AtomicUsize::new(0);
    let clock = Arc::new(move || at(120 * reads.fetch_add(1, Ordering::SeqCst) as i64));
    let verifier = Verifier::new(slow_keys).with_schemes(Schemes::all());
    let layer = VerifyLayer::new(verifier).with_clock(move || clock()).awaiting_keys();
    let request = presigned(get("https://demo.example/"), credentials(), 60);
    let response = call(&mut layer.layer(unreachable()), request).await.unwrap();
    assert_eq!(refusal(&response), Some(RejectionKind::Expired));
}

#[tokio::test]
async fn awaited_keys_verify_by_the_service_that_was_polled_ready() {
    let layer = || VerifyLayer::new(Verifier::new(slow_keys)).with_clock(clock()).awaiting_keys();
    let limited = ServiceBuilder::new().layer(layer()).concurrency_limit(1).service(greeter());
    let buffered = ServiceBuilder::new().layer(layer()).buffer(1).service(greeter());

    let mut one = limited.clone();
    for _ in 0..3 {
        assert_eq!(call(&mut one, signed(get("/"))).await.unwrap().status(), 200);
        // A refused request gives its permit back.
        assert_eq!(call(&mut one, get("/")).await.unwrap().status(), 403);
    }
    let mut calls = Vec::new();
    for _ in 0..10 {
        calls.push(tokio::spawn(limited.clone().oneshot(signed(get("/")))));
    }
    for call in calls {
        assert_eq!(read(call.await.unwrap().unwrap()).await, ID);
    }
    let mut calls = Vec::new();
    for _ in 0..10 {
        calls.push(tokio::spawn(buffered.clone().oneshot(signed(get("/")))));
    }
    for call in calls {
        assert_eq!(read(call.await.unwrap().unwrap()).await, ID);
    }
}

#[tokio::test]
async fn the_sync_layer_stands_above_a_buffer_of_one() {
    let service = ServiceBuilder::new()
        .layer(verify_layer())
        .buffer(1)
        .concurrency_limit(1)
        .service(greeter());
    let calls: Vec<_> = (0..20)
        .map(|index| {
            let request = if index % 2 == 0 { signed(get("/")) } else { get("/") };
            (index, tokio::spawn(service.clone().oneshot(request)))
        })
        .collect();
    for (index, call) in calls {
        let status = call.await.unwrap().unwrap().status();
        assert_eq!(status, if index % 2 == 0 { 200 } else { 403 });
    }
}

#[tokio::test]
async fn awaited_keys_do_all_that_the_layer_was_told() {
    let layer = VerifyLayer::new(Verifier::new(slow_keys))
        .with_clock(clock())
        .with_mode(Mode::Optional)
        .with_stripped_credentials()
        .with_exemption(|_, uri, _| uri.path() == "/health")
        .with_rejection_response(|rejection: &Rejection, _: &Parts| {
            let mut response = Response::new(Bytes::from(rejection.error_code()));
            *response.status_mut() = StatusCode::IM_A_TEAPOT;
            response
        })
        .awaiting_keys();
    let mut service = layer.layer(service_fn(|request: Request<()>| async move {
        let caller = request.extensions().get::<VerifiedCaller>();
        let name = caller.map_or("anonymous", VerifiedCaller::access_key_id);
        let stripped = !request.headers().contains_key(AUTHORIZATION);
        let shown = format!("{name} {stripped}");
        Ok::<_, Infallible>(Response::new(text(shown)))
    }));
    let mut bad = get("/health");
    bad.headers_mut().insert(AUTHORIZATION, "FC x:y".parse().unwrap());
    let mut tampered = signed(get("/a"));
    *tampered.method_mut() = Method::DELETE;
    for (request, status, text) in [
        (get("/"), 200, "anonymous true"),
        (signed(get("/")), 200, &*format!("{ID} true")),
        (tampered, 418, "SignatureNotMatch"),
        (get("/health"), 200, "anonymous true"),
    ] {
        let response = call(&mut service, request).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(read(response).await, text);
    }
    assert_eq!(call(&mut service, bad).await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_error_of_the_inner_service_of_awaited_keys_passes_unchanged() {
    #[derive(Debug, PartialEq)]
    struct Plain(u8);
    let layer = VerifyLayer::new(Verifier::new(slow_keys)).with_clock(clock()).awaiting_keys();
    let mut service =
        layer.layer(service_fn(|_: Request<()>| async { Err::<Response<Passed>, _>(Plain(7)) }));
    let error: Plain = call(&mut service, signed(get("/"))).await.unwrap_err();
    assert_eq!(error, Plain(7));
}

#[tokio::test]
async fn an_observer_is_told_what_becomes_of_every_request() {
    let told = Told::default();
    let key = |secret: &str| VerifyingKey::new(secret).unwrap();
    let keys = StaticKeys::new().with_key(ID, key("old")).with_key(ID, key("new"));
    let layer = VerifyLayer::new(Verifier::new(keys))
        .with_mode(Mode::Optional)
        .with_exemption(|_, uri, _| uri.path() == "/health")
        .with_observer(told.observer());
    let mut service = layer.layer(greeter());
    let signed = |secret: &str| {
        let signer = Signer::new(Credentials::new(ID, secret).unwrap());
        signed_by(&signer, get("/"), SystemTime::now())
    };
    for request in [signed("old"), signed("new"), signed("no"), get("/"), get("/health")] {
        call(&mut service, request).await.unwrap();
    }
    let expected = [
        format!("{ID} 0"),
        format!("{ID} 1"),
        format!("SignatureMismatch of {ID}"),
        "Anonymous".into(),
        "Exempt".into(),
    ];
    assert_eq!(told.take(), expected);
}

#[tokio::test]
async fn credentials_of_another_scheme_pass_untouched_and_marked_and_nobody_is_verified() {
    let see = service_fn(|request: Request<()>| async move {
        let extensions = request.extensions();
        let other = extensions.get::<OtherScheme>().map(|other| other.name().to_owned());
        let caller =
            extensions.get::<VerifiedCaller>().map(|caller| caller.access_key_id().to_owned());
        let value = request.headers().get(AUTHORIZATION).cloned();
        Ok::<_, Infallible>(Response::new(text(format!("{other:?} {caller:?} {value:?}"))))
    });
    let others = || verifier().with_other_schemes(["Bearer"]).unwrap();
    let layer = || VerifyLayer::new(others()).with_clock(clock()).with_stripped_credentials();
    let bearer = || {
        let request = Request::get("/").header(AUTHORIZATION, "bearer abc");
        request.header("x-own", "1").body(()).unwrap()
    };
    let is_other = "Some(\"Bearer\") None Some(\"bearer abc\")";
    let told = Told::default();
    for mode in [Mode::Required, Mode::Optional] {
        let layer = layer().with_mode(mode).with_observer(told.observer());
        let response = call(&mut layer.layer(see), bearer()).await.unwrap();
        assert_eq!(read(response).await, is_other, "{mode:?}");
        let response = call(&mut layer.layer(see), signed(get("/"))).await.unwrap();
        assert_eq!(read(response).await, format!("None Some({ID:?}) None"), "{mode:?}");
        // Beside what is left of a signature.
        let mut both = bearer();
        both.headers_mut().insert("x-acs-date", "2026-11-21T17:57:00Z".parse().unwrap());
        let response = call(&mut layer.layer(unreachable()), both).await.unwrap();
        assert_eq!(refusal(&response), Some(RejectionKind::ConflictingCredentials), "{mode:?}");
        assert_eq!(
            told.take(),
            [
                "Other(OtherScheme(\"Bearer\"))".to_owned(),
                format!("{ID} 0"),
                "ConflictingCredentials of nobody".to_owned()
            ]
        );
    }
    let keys = |id: String| async move { (id == ID).then(key) };
    let awaiting = Verifier::new(keys).with_other_schemes(["Bearer"]).unwrap();
    let awaiting = VerifyLayer::new(awaiting).with_clock(clock()).with_stripped_credentials();
    let response = call(&mut awaiting.awaiting_keys().layer(see), bearer()).await.unwrap();
    assert_eq!(read(response).await, is_other);

    // The mark of an outer layer does not outlive an inner one.
    let mut inside = layer().layer(verify_layer().with_mode(Mode::Optional).layer(unreachable()));
    let response = call(&mut inside, bearer()).await.unwrap();
    assert_eq!(refusal(&response), Some(RejectionKind::UnsupportedScheme));
    let exempting = verify_layer().with_exemption(|_, _, _| true).layer(see);
    let response = call(&mut layer().layer(exempting), bearer()).await.unwrap();
    assert_eq!(read(response).await, "None None Some(\"bearer abc\")");
}

#[tokio::test]
async fn layers_inside_know_that_another_scheme_was_looked_at_and_claim_nothing() {
    let verifier = verifier().with_other_schemes(["Bearer"]).unwrap();
    let guard = tower_fc::replay::MemoryReplayGuard::new(1);
    let mut service = ServiceBuilder::new()
        .layer(VerifyLayer::new(verifier).with_clock(clock()))
        .layer(tower_fc::replay::ReplayLayer::new(guard).with_clock(clock()))
        .service(greeter());
    for _ in 0..3 {
        let request = Request::get("/").header(AUTHORIZATION, "Bearer abc").body(()).unwrap();
        assert_eq!(call(&mut service, request).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn exemptions_see_method_target_and_headers() {
    let layer = verify_layer().with_exemption(|method, uri, headers| {
        method == Method::OPTIONS
            && uri.path() == "/a"
            && headers.contains_key("access-control-request-method")
    });
    let request = |method, target: &str, name: &'static str| {
        Request::builder().method(method).uri(target).header(name, "GET").body(()).unwrap()
    };
    let asking = "access-control-request-method";
    let mut passing = layer.layer(greeter());
    let response = call(&mut passing, request(Method::OPTIONS, "/a", asking)).await.unwrap();
    assert_eq!(read(response).await, "anonymous");
    let mut service = layer.layer(unreachable());
    for request in [
        request(Method::GET, "/a", asking),
        request(Method::OPTIONS, "/b", asking),
        request(Method::OPTIONS, "/a", "x-other"),
    ] {
        let response = call(&mut service, request).await.unwrap();
        assert_eq!(refusal(&response), Some(RejectionKind::MissingCredentials));
    }
}

#[tokio::test]
async fn a_closure_that_finds_the_original_target_may_capture() {
    #[derive(Clone)]
    struct Targets(Vec<http::Uri>);
    for (at, passes) in [(0, true), (1, false), (2, false)] {
        let layer = verify_layer()
            .with_original_target(move |extensions| extensions.get::<Targets>()?.0.get(at));
        let mut request = signed(get("/signed?a=b"));
        let targets = ["/signed?a=b", "/other"].map(|target| target.parse().unwrap());
        request.extensions_mut().insert(Targets(targets.into()));
        *request.uri_mut() = "/rewritten".parse().unwrap();
        let response = call(&mut layer.layer(greeter()), request).await.unwrap();
        assert_eq!(response.status() == 200, passes, "{at}");
    }
}

/// Whose key it is.
#[derive(Clone, Debug, PartialEq)]
struct Tenant(String);

/// Answers with the tenant in the extensions, and that of the caller.
fn tenants()
-> impl tower::Service<Request<()>, Response = Response<Passed>, Error = Infallible, Future: Send>
+ Clone {
    service_fn(|request: Request<()>| async move {
        let there = request.extensions().get::<Tenant>().cloned();
        let caller = request.extensions().get::<VerifiedCaller>();
        let own = caller.and_then(|caller| caller.value::<Tenant>()).cloned();
        assert_eq!(caller.and_then(|caller| caller.value::<String>()), None);
        Ok::<_, Infallible>(Response::new(text(format!("{there:?} {own:?}"))))
    })
}

#[tokio::test]
async fn the_value_of_a_key_arrives_with_what_that_key_verified_and_with_nothing_else() {
    let secret = |id: &str, number: u8| format!("secret-{number}-of-{id}");
    let key = move |id: &str, number| VerifyingKey::new(secret(id, number)).unwrap();
    let valued =
        move |id: &str, number: u8| key(id, number).with_value(Tenant(format!("{id}{number}")));
    // Two keys each, of which `c` has a value with one alone, and `d` with none.
    let keys = move |id: &str| match id {
        "a" | "b" => vec![valued(id, 0), valued(id, 1)],
        "c" => vec![key(id, 0), valued(id, 1)],
        "d" => vec![key(id, 0), key(id, 1)],
        _ => vec![],
    };
    let layer =
        || VerifyLayer::new(Verifier::new(keys)).with_clock(clock()).with_mode(Mode::Optional);
    let awaiting = Verifier::new(move |id: String| async move { keys(&id) });
    let awaiting = VerifyLayer::new(awaiting).with_clock(clock()).awaiting_keys();
    let sign = |id: &str, number| {
        let signer = Signer::new(Credentials::new(id, secret(id, number)).unwrap());
        signed_by(&signer, get("/"), at(0))
    };
    let expected = |id: &str, number: u8| {
        let has_value = matches!((id, number), ("a" | "b", _) | ("c", 1));
        let tenant = has_value.then(|| Tenant(format!("{id}{number}")));
        format!("{tenant:?} {tenant:?}")
    };
    for id in ["a", "b", "c", "d"] {
        for number in [0, 1] {
            let response = call(&mut layer().layer(tenants()), sign(id, number)).await.unwrap();
            assert_eq!(read(response).await, expected(id, number), "{id} {number}");
            let mut service = awaiting.layer(tenants());
            let response = call(&mut service, sign(id, number)).await.unwrap();
            assert_eq!(read(response).await, expected(id, number), "{id} {number}");
        }
    }
    let mut service = layer().layer(tenants());
    let response = call(&mut service, get("/")).await.unwrap();
    assert_eq!(read(response).await, "None None", "anonymous");
    // With the id of another.
    let mut forged = sign("a", 0);
    let value = forged.headers()[AUTHORIZATION].to_str().unwrap().replace("FC a:", "FC b:");
    forged.headers_mut().insert(AUTHORIZATION, value.parse().unwrap());
    let response = call(&mut layer().layer(unreachable()), forged).await.unwrap();
    assert_eq!(refusal(&response), Some(RejectionKind::SignatureMismatch));
}

#[tokio::test]
async fn no_value_of_an_outer_layers_key_is_left_by_an_inner_layer() {
    let with = |key: VerifyingKey| {
        VerifyLayer::new(Verifier::new(StaticKeys::new().with_key(ID, key))).with_clock(clock())
    };
    let valued = |name: &str| with(key().with_value(Tenant(name.into())));
    let request = || signed(get("/"));
    let mut other = valued("outer").layer(valued("inner").layer(tenants()));
    let inner = format!("{0:?} {0:?}", Some(Tenant("inner".into())));
    assert_eq!(read(call(&mut other, request()).await.unwrap()).await, inner);
    let mut none = valued("outer").layer(with(key()).layer(tenants()));
    assert_eq!(read(call(&mut none, request()).await.unwrap()).await, "None None");
    let exempt = with(key()).with_exemption(|_, _, _| true).layer(tenants());
    let mut exempt = valued("outer").layer(exempt);
    assert_eq!(read(call(&mut exempt, request()).await.unwrap()).await, "None None");
    // What is not of a key is not touched.
    let mut own = with(key()).layer(tenants());
    let mut request = request();
    request.extensions_mut().insert(Tenant("own".into()));
    let own = read(call(&mut own, request).await.unwrap()).await;
    assert_eq!(own, format!("{:?} None", Some(Tenant("own".into()))));
}
