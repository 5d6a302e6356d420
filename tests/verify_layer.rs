//! `VerifyLayer` and `AsyncVerifyLayer` in tower stacks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use bytes::Bytes;
use common::{
    ID, SECRET, TOKEN, at, call, clock, credentials, key, keys, read, read_error, signed,
    signed_at, signer, temporary_credentials, verifier, verify_layer,
};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Full};
use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_fc::verify::Verify;
use tower_fc::{
    Credentials, Dialect, ErrorKind, KeyStoreError, Keys, Mode, Presigner, Rejection,
    RejectionKind, Scheme, Schemes, Signer, SigningKey, StaticKeys, VerifiedCaller, Verifier,
    VerifyLayer,
};

/// A body without `Default` and without `From` of anything.
#[derive(Debug)]
struct NoDefault(Full<Bytes>);

impl Body for NoDefault {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.size_hint()
    }
}

/// What an inner service that must not be called says if it is.
fn unreachable<B>()
-> impl Service<Request<B>, Response = Response<NoDefault>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static
where
    B: Send + 'static,
{
    service_fn(|_: Request<B>| async { panic!("the inner service was called") })
}

/// Answers 200 with the access key id of the caller, or `anonymous`.
fn greeter<B>()
-> impl Service<Request<B>, Response = Response<NoDefault>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static
where
    B: Send + 'static,
{
    service_fn(|request: Request<B>| {
        let caller = request.extensions().get::<VerifiedCaller>();
        let name = caller.map_or("anonymous", VerifiedCaller::access_key_id).to_owned();
        std::future::ready(Ok(Response::new(NoDefault(Full::from(name)))))
    })
}

fn get(target: &str) -> Request<()> {
    Request::get(target).body(()).unwrap()
}

fn rejection_of<B>(response: &Response<B>) -> RejectionKind {
    response.extensions().get::<Rejection>().expect("a rejection is in the extensions").kind()
}

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
        assert_eq!(rejection_of(&response), kind, "{name}");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json", "{name}");
        assert!(response.headers().contains_key("x-fc-request-id"), "{name}");
        let expected = (code.to_owned(), message.to_owned());
        assert_eq!(read_error(response).await, expected, "{name}");
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
        let off = SystemTime::now().duration_since(time).unwrap();
        assert!(off < Duration::from_secs(60), "{id}");
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

    // A digest that ACS3 does not sign is no cover of the body.
    let acs3 = signed_at(request(), Scheme::Acs3HmacSha256, at(-5));
    let acs3 = caller(|verifier| verifier, acs3).await;
    assert_eq!(acs3.scheme(), Scheme::Acs3HmacSha256);
    assert_eq!(acs3.signed_at(), Some(at(-5)));
    assert!(!acs3.covers_body());
    assert_eq!(covers(&acs3, &names), [true, false, false, false, true, false]);

    let mut hashed = request();
    hashed.headers_mut().insert("x-acs-content-sha256", "e3b0".parse().unwrap());
    let hashed = signed_at(hashed, Scheme::Acs3HmacSha256, at(0));
    assert!(caller(|verifier| verifier, hashed).await.covers_body());

    let (presigned, end) = presigned("/a?x=1", &credentials(), 600);
    let presigned = caller(|verifier| verifier.with_schemes(Scheme::FcPresigned), presigned).await;
    assert_eq!(presigned.scheme(), Scheme::FcPresigned);
    assert_eq!((presigned.signed_at(), presigned.expires_at()), (None, Some(end)));
    assert!(!presigned.covers_body());
    assert_eq!(covers(&presigned, &names), [true, false, true, false, false, false]);
}

fn presigned(target: &str, credentials: &Credentials, lifetime: u64) -> (Request<()>, SystemTime) {
    let request = get(target);
    let url = Presigner::new(credentials.clone())
        .presign_at(
            request.method(),
            request.uri(),
            request.headers(),
            Duration::from_secs(lifetime),
            at(0),
        )
        .unwrap();
    (get(&url.uri().to_string()), url.expires_at())
}

#[tokio::test]
async fn optional_lets_absent_credentials_pass_and_bad_ones_never() {
    let verifier = verifier().with_schemes(Schemes::ALL);
    let layer = VerifyLayer::new(verifier).with_clock(clock()).with_mode(Mode::Optional);
    let mut service = layer.layer(greeter());
    let response = call(&mut service, get("/")).await.unwrap();
    assert_eq!(read(response).await, "anonymous");
    // A lone end of validity, or a token, claims nobody.
    let response = call(&mut service, get("/?x-fc-expires=1")).await.unwrap();
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
        ("half a presigned URL", get("/?x-fc-signature=AAAA"), RejectionKind::MalformedCredentials),
        (
            "the other half",
            get(&format!("/?x%2Dfc-access-key-id={ID}&x-fc-expires=9999999999")),
            RejectionKind::MalformedCredentials,
        ),
        (
            "header and query",
            signed(get("/?x-fc-signature=AAAA")),
            RejectionKind::ConflictingCredentials,
        ),
    ] {
        let response = call(&mut service, request).await.unwrap();
        assert_eq!(rejection_of(&response), kind, "{name}");
        assert_eq!(response.status(), 403, "{name}");
    }
}

#[tokio::test]
async fn exempt_requests_pass_whatever_credentials_they_carry() {
    let layer = verify_layer()
        .with_exemption(|method, uri| method == Method::GET && uri.path() == "/health");
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
        assert_eq!(rejection_of(&response), RejectionKind::MissingCredentials);
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
        Ok::<_, Infallible>(Response::new(NoDefault(Full::from(format!("{there:?}")))))
    });
    let request = |scheme| {
        let signer = Signer::new(temporary_credentials()).with_scheme(scheme).unwrap();
        let mut request = Request::get("/").header("x-fc-other", "1").body(()).unwrap();
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

    // What an anonymous client sends as a token goes as well.
    let mut optional =
        verify_layer().with_mode(Mode::Optional).with_stripped_credentials().layer(echo);
    let anonymous = Request::get("/")
        .header("x-fc-security-token", "made up")
        .header("x-acs-security-token", "made up")
        .body(())
        .unwrap();
    let response = call(&mut optional, anonymous).await.unwrap();
    assert_eq!(read(response).await, format!("{:?}", [false; 6]));
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
        Ok::<_, Infallible>(Response::new(Frames(frames.collect())))
    }));
    struct Frames(std::collections::VecDeque<Result<Frame<Bytes>, Broken>>);
    impl Body for Frames {
        type Data = Bytes;
        type Error = Broken;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
            Poll::Ready(self.0.pop_front())
        }
    }
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
            Err::<Response<NoDefault>, _>(Plain(Rc::new(7)))
        }));
    let error: Plain = call(&mut service, signed(get("/"))).await.unwrap_err();
    assert_eq!(error, Plain(Rc::new(7)));
    // A refusal is an answer, not an error.
    assert_eq!(call(&mut service, get("/")).await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_grpc_request_is_refused_the_grpc_way() {
    let skewed = || signed_at(Request::post("/s/m"), at(-3600));
    fn signed_at(request: http::request::Builder, time: SystemTime) -> Request<()> {
        common::signed_at(
            request.header(CONTENT_TYPE, "application/grpc").body(()).unwrap(),
            Scheme::Fc,
            time,
        )
    }
    let unsigned = |content_type: &str| {
        Request::post("/s/m").header(CONTENT_TYPE, content_type).body(()).unwrap()
    };
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
        assert_eq!(rejection_of(&response), RejectionKind::MissingCredentials);
        assert!(response.body().is_end_stream(), "{content_type}");
        assert_eq!(read(response).await, "", "{content_type}");
    }
    let response = call(&mut service, skewed()).await.unwrap();
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
    assert_eq!(rejection_of(&response), RejectionKind::MissingCredentials);
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
        Err::<SigningKey, _>(KeyStoreError::new("password of the database is hunter2"))
    };
    // Not even where credentials are optional.
    let layer =
        VerifyLayer::new(Verifier::new(store)).with_clock(clock()).with_mode(Mode::Optional);
    let mut service = layer.layer(unreachable());
    let response = call(&mut service, signed(get("/"))).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(rejection_of(&response), RejectionKind::KeyStoreUnavailable);
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
    let store = |_: String| async { Err::<SigningKey, _>(KeyStoreError::new("timed out")) };
    let layer = VerifyLayer::new(Verifier::new(store)).with_clock(clock()).awaiting_keys();
    let response = call(&mut layer.layer(unreachable()), signed(get("/"))).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(rejection_of(&response), RejectionKind::KeyStoreUnavailable);
}

/// Keys that take a moment to come.
async fn slow_keys(id: String) -> Result<Vec<SigningKey>, KeyStoreError> {
    tokio::task::yield_now().await;
    Ok(if id == ID { vec![key()] } else { Vec::new() })
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
        .with_exemption(|_, uri| uri.path() == "/health")
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
        let text = format!("{name} {stripped}");
        Ok::<_, Infallible>(Response::new(NoDefault(Full::from(text))))
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
        layer.layer(service_fn(|_: Request<()>| async { Err::<Response<NoDefault>, _>(Plain(7)) }));
    let error: Plain = call(&mut service, signed(get("/"))).await.unwrap_err();
    assert_eq!(error, Plain(7));
}

fn layer_of(
    keys: StaticKeys,
    now: SystemTime,
) -> VerifyLayer<StaticKeys, tower_fc::FcResponse, tower_fc::FixedClock> {
    let verifier = Verifier::new(keys).with_schemes(Schemes::ALL);
    VerifyLayer::new(verifier).with_clock(tower_fc::FixedClock::at(now))
}

async fn outcome(
    keys: &StaticKeys,
    request: &Request<()>,
    now: SystemTime,
) -> Option<RejectionKind> {
    let mut service = layer_of(keys.clone(), now).layer(greeter());
    let response = call(&mut service, request.clone()).await.unwrap();
    response.extensions().get::<Rejection>().map(Rejection::kind)
}

fn signed_with(secret: &str) -> Request<()> {
    let mut request = get("/");
    let credentials = Credentials::new(ID, secret).unwrap();
    Signer::new(credentials).sign_request_at(&mut request, at(0)).unwrap();
    request
}

#[tokio::test]
async fn each_of_several_secrets_verifies() {
    let keys = StaticKeys::from_secrets([(ID, "one"), (ID, "two"), (ID, "three")]).unwrap();
    for secret in ["one", "two", "three"] {
        assert_eq!(outcome(&keys, &signed_with(secret), at(0)).await, None, "{secret}");
    }
    let four = outcome(&keys, &signed_with("four"), at(0)).await;
    assert_eq!(four, Some(RejectionKind::SignatureMismatch));

    let map: HashMap<String, Vec<SigningKey>> =
        HashMap::from([(ID.to_owned(), vec![SigningKey::new("one").unwrap(), key()])]);
    let mut service = VerifyLayer::new(Verifier::new(map)).with_clock(clock()).layer(greeter());
    assert_eq!(call(&mut service, signed_with("one")).await.unwrap().status(), 200);
    assert_eq!(call(&mut service, signed_with(SECRET)).await.unwrap().status(), 200);
    assert_eq!(call(&mut service, signed_with("two")).await.unwrap().status(), 403);
}

#[tokio::test]
async fn an_old_secret_works_until_its_end_and_not_a_moment_longer() {
    let old = SigningKey::new("old").unwrap().with_not_after(at(100));
    let rotating =
        StaticKeys::new().with_key(ID, SigningKey::new("new").unwrap()).with_key(ID, old.clone());
    let by_old = signed_with("old");
    assert_eq!(outcome(&rotating, &by_old, at(99)).await, None);
    let last_moment = at(100) - Duration::from_nanos(1);
    assert_eq!(outcome(&rotating, &by_old, last_moment).await, None);
    let mismatch = Some(RejectionKind::SignatureMismatch);
    assert_eq!(outcome(&rotating, &by_old, at(100)).await, mismatch);
    assert_eq!(outcome(&rotating, &signed_with("new"), at(100)).await, None);

    // With no live secret left there is no such key.
    let alone = StaticKeys::new().with_key(ID, old);
    assert_eq!(outcome(&alone, &by_old, at(99)).await, None);
    let unknown = Some(RejectionKind::UnknownAccessKey);
    assert_eq!(outcome(&alone, &by_old, at(100)).await, unknown);
}

#[tokio::test]
async fn a_security_token_that_belongs_to_a_key_has_to_be_there() {
    let bound = key().with_security_token(TOKEN).unwrap();
    let bound = StaticKeys::new().with_key(ID, bound);
    let other = credentials().with_security_token("another-token").unwrap();
    let mismatch = Some(RejectionKind::SignatureMismatch);
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256, Scheme::Acs] {
        for (name, credentials, expected) in [
            ("its token", temporary_credentials(), None),
            ("another token", other.clone(), mismatch),
            ("no token", credentials(), mismatch),
        ] {
            let mut request = get("/");
            let signer = Signer::new(credentials).with_scheme(scheme).unwrap();
            signer.sign_request_at(&mut request, at(0)).unwrap();
            let got = outcome(&bound, &request, at(0)).await;
            assert_eq!(got, expected, "{scheme}, {name}");
            // A key that is bound to none takes any, signed as it is.
            assert_eq!(outcome(&keys(), &request, at(0)).await, None, "{scheme}, {name}");
        }
    }
    for (name, credentials, expected) in [
        ("its token", temporary_credentials(), None),
        ("another token", other, mismatch),
        ("no token", credentials(), mismatch),
    ] {
        let (request, _) = presigned("/", &credentials, 60);
        assert_eq!(outcome(&bound, &request, at(0)).await, expected, "presigned, {name}");
    }
}

#[tokio::test]
async fn the_clock_may_differ_by_fifteen_minutes_and_no_more() {
    let nano = Duration::from_nanos(1);
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256, Scheme::Acs] {
        let request = signed_at(get("/"), scheme, at(0));
        for (name, now, passes) in [
            ("exactly 15 minutes late", at(900), true),
            ("a second later", at(901), false),
            ("a moment later", at(900) + nano, false),
            ("exactly 15 minutes early", at(-900), true),
            ("a second earlier", at(-901), false),
            ("a moment earlier", at(-900) - nano, false),
            ("at the epoch", SystemTime::UNIX_EPOCH, false),
        ] {
            let expected = (!passes).then_some(RejectionKind::RequestTimeTooSkewed);
            let got = outcome(&keys(), &request, now).await;
            assert_eq!(got, expected, "{scheme}, {name}");
        }
    }
    // Another difference.
    let verifier = verifier().with_max_skew(Duration::from_secs(5));
    let request = signed(get("/")).into_parts().0;
    assert!(verifier.verify_at(&request, at(5)).is_ok());
    assert!(verifier.verify_at(&request, at(6)).is_err());
    let zero = common::verifier().with_max_skew(Duration::ZERO);
    assert!(zero.verify_at(&request, at(0)).is_ok());
    assert!(zero.verify_at(&request, at(1)).is_err());
    let forever = common::verifier().with_max_skew(Duration::MAX);
    assert!(forever.verify_at(&request, SystemTime::UNIX_EPOCH).is_ok());
}

#[tokio::test]
async fn a_presigned_url_works_until_it_expires() {
    let (request, end) = presigned("/report?month=5", &credentials(), 600);
    assert_eq!(end, at(600));
    for (now, expected) in [
        (at(0), None),
        (at(599), None),
        (at(600), Some(RejectionKind::Expired)),
        (at(601), Some(RejectionKind::Expired)),
        (at(-7 * 86_400 + 600), None),
        (at(-7 * 86_400 + 599), Some(RejectionKind::ExpiresTooLate)),
    ] {
        assert_eq!(outcome(&keys(), &request, now).await, expected);
    }
    // By default presigned URLs are not accepted.
    let response = call(&mut verify_layer().layer(unreachable()), request).await.unwrap();
    assert_eq!(rejection_of(&response), RejectionKind::UnsupportedScheme);
}

#[tokio::test]
async fn a_nonce_that_is_required_has_to_be_there_and_signed() {
    let verifier = verifier().with_schemes(Schemes::ALL).with_required_nonce();
    let layer = VerifyLayer::new(verifier).with_clock(clock());
    let by = |signer: Signer| {
        let mut request = get("/");
        signer.sign_request_at(&mut request, at(0)).unwrap();
        request
    };
    let missing = Some(RejectionKind::MissingNonce);
    let mut empty = get("/");
    empty.headers_mut().insert("x-fc-signature-nonce", "".parse().unwrap());
    let mut added = by(signer(Scheme::Acs3HmacSha256));
    added.headers_mut().insert("x-acs-signature-nonce", "1".parse().unwrap());
    let mut changed = by(signer(Scheme::Fc).with_nonce());
    changed.headers_mut().insert("x-fc-signature-nonce", "1".parse().unwrap());
    for (name, request, expected) in [
        ("fc", by(signer(Scheme::Fc).with_nonce()), None),
        ("acs3", by(signer(Scheme::Acs3HmacSha256).with_nonce()), None),
        ("acs", by(signer(Scheme::Acs).with_nonce()), None),
        ("fc without", by(signer(Scheme::Fc)), missing),
        ("acs3 without", by(signer(Scheme::Acs3HmacSha256)), missing),
        ("acs without", by(signer(Scheme::Acs)), missing),
        ("a presigned URL", presigned("/", &credentials(), 60).0, missing),
        ("an empty one", signed(empty), missing),
        ("added afterwards", added, Some(RejectionKind::UnsignedHeader)),
        ("changed afterwards", changed, Some(RejectionKind::SignatureMismatch)),
    ] {
        let response = call(&mut layer.layer(greeter()), request).await.unwrap();
        let got = response.extensions().get().map(Rejection::kind);
        assert_eq!(got, expected, "{name}");
    }
}

#[tokio::test]
async fn settings_that_would_never_hold_are_errors_when_they_are_made() {
    use tower_fc::Ambiguity;
    for ambiguity in [Ambiguity::QueryCredentials, Ambiguity::AbsentHeader] {
        let error = verifier().with_insecure_allowance(ambiguity).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSetting);
    }
    assert!(verifier().with_insecure_allowance(Ambiguity::PathSlash).is_ok());
}

#[tokio::test]
async fn keys_can_be_asked_of_anything_that_finds_them() {
    let map = HashMap::from([(ID.to_owned(), key())]);
    let tree = std::collections::BTreeMap::from([(ID.to_owned(), [key()])]);
    let shared: Arc<HashMap<_, _>> = Arc::new(map.clone());
    let dynamic: Arc<dyn tower_fc::KeyStore> = Arc::new(map.clone());
    let option = |id: &str| (id == ID).then(key);
    let list = |id: &str| Keys::from(if id == ID { vec![key()] } else { Vec::new() });
    let parts = signed(get("/")).into_parts().0;
    let accepts = |id: Result<VerifiedCaller, Rejection>| id.unwrap().access_key_id() == ID;
    assert!(accepts(Verifier::new(map).verify_at(&parts, at(0))));
    assert!(accepts(Verifier::new(tree).verify_at(&parts, at(0))));
    assert!(accepts(Verifier::new(shared).verify_at(&parts, at(0))));
    assert!(accepts(Verifier::new(dynamic).verify_at(&parts, at(0))));
    assert!(accepts(Verifier::new(option).verify_at(&parts, at(0))));
    assert!(accepts(Verifier::new(list).verify_at(&parts, at(0))));
    assert!(accepts(Verifier::new(slow_keys).verify_async_at(&parts, at(0)).await));
}

#[test]
fn debug_of_a_verifying_service_shows_no_secret() {
    let bound = key().with_security_token(TOKEN).unwrap();
    let layer = VerifyLayer::new(Verifier::new(StaticKeys::new().with_key(ID, bound)));
    let awaited = layer.clone().awaiting_keys();
    for text in [
        format!("{layer:?}"),
        format!("{:?}", layer.layer(())),
        format!("{awaited:?}"),
        format!("{:?}", awaited.layer(())),
    ] {
        assert!(!text.contains(SECRET) && !text.contains(TOKEN), "{text}");
    }
}

#[tokio::test]
async fn an_observer_is_told_what_becomes_of_every_request() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let observe = {
        let told = Arc::clone(&told);
        move |outcome: tower_fc::verify::Outcome<'_>| {
            use tower_fc::verify::Outcome;
            told.lock().unwrap().push(match outcome {
                Outcome::Verified(caller) => {
                    format!("{} {}", caller.access_key_id(), caller.key_position())
                }
                Outcome::Refused(rejection) => format!("{:?}", rejection.kind()),
                other => format!("{other:?}"),
            });
        }
    };
    let key = |secret: &str| SigningKey::new(secret).unwrap();
    let keys = StaticKeys::new().with_key(ID, key("old")).with_key(ID, key("new"));
    let layer = VerifyLayer::new(Verifier::new(keys))
        .with_mode(Mode::Optional)
        .with_exemption(|_, uri| uri.path() == "/health")
        .with_observer(observe);
    let mut service = layer.layer(service_fn(async |_: Request<()>| {
        Ok::<_, Infallible>(Response::new(http_body_util::Empty::<bytes::Bytes>::new()))
    }));
    let signed = |secret: &str| {
        let mut request = Request::get("/").body(()).unwrap();
        let credentials = Credentials::new(ID, secret).unwrap();
        let now = std::time::SystemTime::now();
        tower_fc::Signer::new(credentials).sign_request_at(&mut request, now).unwrap();
        request
    };
    let plain = |path: &str| Request::get(path).body(()).unwrap();
    for request in [signed("old"), signed("new"), signed("no"), plain("/"), plain("/health")] {
        call(&mut service, request).await.unwrap();
    }
    let expected = [
        format!("{ID} 0"),
        format!("{ID} 1"),
        "SignatureMismatch".into(),
        "Anonymous".into(),
        "Exempt".into(),
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}
