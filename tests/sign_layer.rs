//! `SignLayer` and `AsyncSignLayer` in tower stacks.

use crate::common::{
    DATE, HEADER_SCHEMES, ID, TOKEN, at, call, clock, credentials, full_headers, get, only, signer,
    temporary_credentials, ticking, verifier,
};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use std::collections::HashSet;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tower::retry::Policy;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_fc::error::{Error, ErrorKind};
use tower_fc::protocol::{format_acs_date, format_http_date};
use tower_fc::sign::{Sign, SignError};
use tower_fc::{Credentials, Scheme, SignLayer, Signer};

/// What arrived at the inner service, request by request.
type Seen = Arc<Mutex<Vec<HeaderMap>>>;

/// Keeps the headers of every request and answers 200.
fn recorder<B>(
    seen: &Seen,
) -> impl Service<Request<B>, Response = Response<()>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static
where
    B: Send + 'static,
{
    let seen = Arc::clone(seen);
    service_fn(move |request: Request<B>| {
        seen.lock().unwrap().push(request.into_parts().0.headers);
        std::future::ready(Ok(Response::new(())))
    })
}

fn verifies(headers: &HeaderMap, path: &str, now: std::time::SystemTime) {
    let (mut parts, ()) = Request::get(path).body(()).unwrap().into_parts();
    parts.headers = headers.clone();
    let caller = verifier().verify_at(&parts, now).unwrap();
    assert_eq!(caller.access_key_id(), ID);
}

#[tokio::test]
async fn a_request_is_signed_on_its_way_and_otherwise_left_alone() {
    let seen = Seen::default();
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256] {
        let mut service = SignLayer::new(signer(scheme)).with_clock(clock()).layer(recorder(&seen));
        let request = Request::get("https://demo.example/a?b=c")
            .header("accept", "text/plain")
            .header("x-fc-one", "1")
            .body(())
            .unwrap();
        assert_eq!(call(&mut service, request).await.unwrap().status(), 200);
        let headers = seen.lock().unwrap().pop().unwrap();
        verifies(&headers, "https://demo.example/a?b=c", at(0));
        let date = if scheme == Scheme::Fc { "date" } else { "x-acs-date" };
        let mut names: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        let mut expected = ["accept", "authorization", date, "x-fc-one"];
        expected.sort_unstable();
        assert_eq!(names, expected, "{scheme}");
        assert!(headers["authorization"].is_sensitive(), "{scheme}");
    }
}

#[tokio::test]
async fn the_target_method_version_and_extensions_stay() {
    let mut service = SignLayer::new(credentials()).layer(service_fn(
        |request: Request<&'static str>| async move { Ok::<_, Infallible>(request) },
    ));
    let target = "https://demo.example:8443/a%5e/../b//c?q=%7e+%20&&=&x";
    let request = Request::put(target)
        .version(http::Version::HTTP_2)
        .extension(7_u8)
        .body("the body")
        .unwrap();
    let sent = call(&mut service, request).await.unwrap();
    assert_eq!(sent.uri().to_string(), target);
    assert_eq!(sent.method(), "PUT");
    assert_eq!(sent.version(), http::Version::HTTP_2);
    assert_eq!(sent.extensions().get(), Some(&7_u8));
    assert_eq!(sent.into_body(), "the body");
}

#[tokio::test]
async fn it_stands_above_a_buffer_of_one() {
    let seen = Seen::default();
    let service = ServiceBuilder::new()
        .layer(SignLayer::new(credentials()).with_clock(clock()))
        .buffer(1)
        .concurrency_limit(1)
        .service(recorder(&seen));
    let calls = (0..20).map(|_| {
        let service = service.clone();
        tokio::spawn(service.oneshot(Request::get("/").body(()).unwrap()))
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 20);
    seen.iter().for_each(|headers| verifies(headers, "/", at(0)));
}

#[derive(Clone)]
struct Attempts(usize);

impl<E> Policy<Request<()>, Response<()>, E> for Attempts {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<()>,
        result: &mut Result<Response<()>, E>,
    ) -> Option<Self::Future> {
        let unavailable = result.as_ref().is_ok_and(|response| response.status() == 503);
        (unavailable && self.0 > 1).then(|| {
            self.0 -= 1;
            std::future::ready(())
        })
    }

    fn clone_request(&mut self, request: &Request<()>) -> Option<Request<()>> {
        Some(request.clone())
    }
}

/// Answers 503 to all but every third request.
fn flaky(
    seen: &Seen,
) -> impl Service<Request<()>, Response = Response<()>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    let seen = Arc::clone(seen);
    service_fn(move |request: Request<()>| {
        let mut seen = seen.lock().unwrap();
        seen.push(request.headers().clone());
        let status = if seen.len().is_multiple_of(3) { 200 } else { 503 };
        std::future::ready(Ok(Response::builder().status(status).body(()).unwrap()))
    })
}

#[tokio::test]
async fn inside_a_retry_layer_every_attempt_has_a_date_and_a_signature_of_its_own() {
    for (scheme, name) in [(Scheme::Fc, "date"), (Scheme::Acs3HmacSha256, "x-acs-date")] {
        let seen = Seen::default();
        let mut service = ServiceBuilder::new()
            .retry(Attempts(3))
            .layer(SignLayer::new(signer(scheme)).with_clock(ticking()))
            .service(flaky(&seen));
        let request = Request::get("https://demo.example/report").body(()).unwrap();
        assert_eq!(call(&mut service, request).await.unwrap().status(), 200);

        let seen = seen.lock().unwrap();
        assert_eq!(seen.len(), 3);
        for (attempt, headers) in (0_i64..).zip(seen.iter()) {
            let time = at(attempt);
            let date = match scheme {
                Scheme::Fc => String::from_utf8_lossy(&format_http_date(time)).into_owned(),
                _ => String::from_utf8_lossy(&format_acs_date(time)).into_owned(),
            };
            assert_eq!(only(headers, name), date, "{scheme}, attempt {attempt}");
            verifies(headers, "https://demo.example/report", time);
        }
        let signatures: HashSet<_> =
            seen.iter().map(|headers| only(headers, "authorization")).collect();
        assert_eq!(signatures.len(), 3, "{scheme}");
    }
}

#[tokio::test]
async fn inside_a_retry_layer_every_attempt_has_a_nonce_of_its_own() {
    for (scheme, name) in [
        (Scheme::Fc, "x-fc-signature-nonce"),
        (Scheme::Acs3HmacSha256, "x-acs-signature-nonce"),
        (Scheme::Acs, "x-acs-signature-nonce"),
    ] {
        let seen = Seen::default();
        // The clock stands still, so only the nonce makes the attempts differ.
        let sign = SignLayer::new(signer(scheme).with_nonce()).with_clock(clock());
        let mut service =
            ServiceBuilder::new().retry(Attempts(3)).layer(sign).service(flaky(&seen));
        let request = Request::get("https://demo.example/report")
            .header(name, "an old one")
            .body(())
            .unwrap();
        assert_eq!(call(&mut service, request).await.unwrap().status(), 200);
        let seen = seen.lock().unwrap();
        for name in [name, "authorization"] {
            let values: HashSet<_> = seen.iter().map(|headers| only(headers, name)).collect();
            assert_eq!(values.len(), 3, "{scheme} {name}");
            assert!(!values.contains("an old one"), "{scheme} {name}");
        }
    }
}

#[tokio::test]
async fn awaited_credentials_are_asked_for_anew_by_every_attempt() {
    let seen = Seen::default();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let provider = move || {
        counter.fetch_add(1, Ordering::SeqCst);
        async { Ok(credentials()) }
    };
    let mut service = ServiceBuilder::new()
        .retry(Attempts(3))
        .layer(SignLayer::new(Signer::new(provider)).with_clock(ticking()).awaiting_credentials())
        .service(flaky(&seen));
    let request = Request::get("https://demo.example/report").body(()).unwrap();
    assert_eq!(call(&mut service, request).await.unwrap().status(), 200);
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    for (attempt, headers) in (0_i64..).zip(seen.lock().unwrap().iter()) {
        verifies(headers, "https://demo.example/report", at(attempt));
    }
}

#[tokio::test]
async fn signature_headers_of_an_earlier_attempt_are_replaced_never_duplicated() {
    struct Case {
        scheme: Scheme,
        credentials: Credentials,
        names: &'static [&'static str],
        gone: &'static [&'static str],
    }
    for Case { scheme, credentials, names, gone } in [
        Case {
            scheme: Scheme::Fc,
            credentials: temporary_credentials(),
            names: &["authorization", "date", "x-fc-security-token"],
            gone: &[],
        },
        Case {
            scheme: Scheme::Fc,
            credentials: credentials(),
            names: &["authorization", "date"],
            gone: &["x-fc-security-token"],
        },
        Case {
            scheme: Scheme::Acs3HmacSha256,
            credentials: temporary_credentials(),
            names: &["authorization", "x-acs-date", "x-acs-security-token"],
            gone: &[],
        },
        Case {
            scheme: Scheme::Acs3HmacSha256,
            credentials: credentials(),
            names: &["authorization", "x-acs-date"],
            gone: &["x-acs-security-token"],
        },
        Case {
            scheme: Scheme::Acs,
            credentials: credentials(),
            names: &["authorization", "date"],
            gone: &["x-acs-security-token"],
        },
    ] {
        let seen = Seen::default();
        let signer = Signer::new(credentials).with_scheme(scheme).unwrap();
        let sign = SignLayer::new(signer).with_clock(clock());
        // Signed twice over, of a request that has two old values of each already.
        let mut request = Request::get("https://demo.example/").body(()).unwrap();
        for name in names.iter().chain(gone) {
            request.headers_mut().append(*name, "old".parse().unwrap());
            request.headers_mut().append(*name, "older".parse().unwrap());
        }
        let mut service = sign.layer(sign.layer(recorder(&seen)));
        call(&mut service, request).await.unwrap();
        let headers = seen.lock().unwrap().pop().unwrap();
        for name in names {
            assert!(!only(&headers, name).contains("old"), "{scheme} {name}");
        }
        for name in gone {
            assert!(!headers.contains_key(*name), "{scheme} {name}");
        }
    }
}

#[tokio::test]
async fn the_body_keeps_its_type_and_is_not_read() {
    /// Whoever reads it learns that it must not be read.
    struct Untouchable(Rc<str>);

    impl Body for Untouchable {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            panic!("the body was read");
        }
    }

    async fn sent<B>(body: B) -> B {
        // No bound on the body: it need be neither `Body`, nor `Send`, nor `'static`.
        let mut service =
            SignLayer::new(credentials()).layer(service_fn(|request: Request<B>| async move {
                Ok::<_, Infallible>(request.into_body())
            }));
        call(&mut service, Request::post("/").body(body).unwrap()).await.unwrap()
    }

    let () = sent(()).await;
    let full: Full<Bytes> = sent(Full::new(Bytes::from_static(b"full"))).await;
    assert_eq!(full.size_hint().exact(), Some(4));
    let text: &str = sent("a borrowed text").await;
    assert_eq!(text, "a borrowed text");
    let untouchable: Untouchable = sent(Untouchable("not Send".into())).await;
    assert_eq!(&*untouchable.0, "not Send");
}

#[tokio::test]
async fn a_stream_goes_through_frame_by_frame() {
    use http_body_util::{BodyExt, channel::Channel};

    let mut service = SignLayer::new(credentials()).layer(service_fn(
        |request: Request<Channel<Bytes>>| async move { Ok::<_, Infallible>(request.into_body()) },
    ));
    let (mut sender, body) = Channel::<Bytes>::new(1);
    // The request is on its way before there is anything of its body.
    let mut body = call(&mut service, Request::post("/").body(body).unwrap()).await.unwrap();
    for text in ["one", "two"] {
        sender.send_data(Bytes::from(text)).await.unwrap();
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), text);
    }
    drop(sender);
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn the_error_of_the_inner_service_passes_unchanged() {
    /// Neither an `Error` nor `Send`, and so no `BoxError`.
    #[derive(Debug, PartialEq)]
    struct Plain(Rc<u8>);

    let mut service = SignLayer::new(credentials())
        .layer(service_fn(|_: Request<()>| async { Err::<Response<()>, _>(Plain(Rc::new(7))) }));
    let error = call(&mut service, Request::new(())).await.unwrap_err();
    assert!(matches!(error, SignError::Inner(inner) if inner == Plain(Rc::new(7))));
}

#[tokio::test]
async fn readiness_is_that_of_the_inner_service() {
    /// Ready at the third poll, then fails.
    #[derive(Clone, Debug)]
    struct Slow(usize);

    impl Service<Request<()>> for Slow {
        type Response = Response<()>;
        type Error = &'static str;
        type Future = std::future::Ready<Result<Response<()>, &'static str>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
            self.0 += 1;
            match self.0 {
                0..3 => Poll::Pending,
                3 => Poll::Ready(Ok(())),
                _ => Poll::Ready(Err("closed")),
            }
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            std::future::ready(Ok(Response::new(())))
        }
    }

    let mut cx = Context::from_waker(std::task::Waker::noop());
    let mut sign: Sign<Slow> = SignLayer::new(credentials()).layer(Slow(0));
    let mut polls = || sign.poll_ready(&mut cx);
    assert!(polls().is_pending());
    assert!(polls().is_pending());
    assert!(matches!(polls(), Poll::Ready(Ok(()))));
    assert!(matches!(polls(), Poll::Ready(Err(SignError::Inner("closed")))));
    assert_eq!(sign.get_ref().0, 4);
    sign.get_mut().0 = 0;
    assert_eq!(sign.into_inner().0, 0);
}

#[tokio::test]
async fn awaited_credentials_sign_by_the_service_that_was_polled_ready() {
    let sign = || SignLayer::new(credentials()).with_clock(clock()).awaiting_credentials();
    // A permit, or a slot of the buffer, belongs to the service that was polled ready:
    // calling a clone of it would panic.
    let seen = Seen::default();
    let limited = ServiceBuilder::new().layer(sign()).concurrency_limit(1).service(recorder(&seen));
    let buffered = ServiceBuilder::new().layer(sign()).buffer(1).service(recorder(&seen));
    let mut one = limited.clone();
    for _ in 0..3 {
        call(&mut one, Request::new(())).await.unwrap();
    }
    let mut calls = Vec::new();
    for _ in 0..10 {
        let limited = limited.clone().map_err(BoxError::from);
        calls.push(tokio::spawn(limited.oneshot(Request::new(()))));
        let buffered = buffered.clone().map_err(BoxError::from);
        calls.push(tokio::spawn(buffered.oneshot(Request::new(()))));
    }
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 23);
    seen.iter().for_each(|headers| verifies(headers, "/", at(0)));
}

#[tokio::test]
async fn without_credentials_the_request_is_not_sent_and_the_error_says_why() {
    let seen = Seen::default();
    let provider = || async { Err::<Credentials, _>(Error::provider("the vault is sealed")) };
    let mut service = ServiceBuilder::new()
        .layer(SignLayer::new(Signer::new(provider)).awaiting_credentials())
        .concurrency_limit(1)
        .service(recorder(&seen));
    // More than once: the permit of a request that was not sent is given back.
    for _ in 0..3 {
        let error: BoxError = call(&mut service, Request::new(())).await.unwrap_err().into();
        let error = error.downcast::<Error>().unwrap();
        assert_eq!(error.kind(), ErrorKind::Provider);
        let source = std::error::Error::source(&*error).unwrap();
        assert_eq!(source.to_string(), "the vault is sealed");
    }
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_error_of_the_inner_service_of_awaited_credentials_can_be_downcast() {
    #[derive(Debug)]
    struct Refused;

    impl std::fmt::Display for Refused {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("refused")
        }
    }

    impl std::error::Error for Refused {}

    let inner = service_fn(|_: Request<()>| async { Err::<Response<()>, _>(Refused) });
    let mut service = SignLayer::new(credentials()).awaiting_credentials().layer(inner);
    let error = call(&mut service, Request::new(())).await.unwrap_err();
    assert!(BoxError::from(error).downcast::<Refused>().is_ok());
}

#[tokio::test]
async fn awaited_temporary_credentials_sign_with_their_token_by_any_header_scheme() {
    for (scheme, name) in [
        (Scheme::Fc, "x-fc-security-token"),
        (Scheme::Acs3HmacSha256, "x-acs-security-token"),
        (Scheme::Acs, "x-acs-security-token"),
    ] {
        let seen = Seen::default();
        let signer = Signer::new(temporary_credentials()).with_scheme(scheme).unwrap();
        let sign = SignLayer::new(signer).awaiting_credentials();
        let request = Request::get("https://demo.example/").body(()).unwrap();
        call(&mut sign.layer(recorder(&seen)), request).await.unwrap();
        let headers = seen.lock().unwrap().pop().unwrap();
        assert_eq!(only(&headers, name), TOKEN, "{scheme}");
        assert!(headers[name].is_sensitive(), "{scheme}");
        assert!(only(&headers, "authorization").starts_with(scheme.token().unwrap()), "{scheme}");
    }
}

#[test]
fn a_scheme_that_signs_no_headers_is_an_error_when_the_layer_is_made() {
    let error = Signer::new(credentials()).with_scheme(Scheme::FcPresigned).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSetting);
}

#[tokio::test]
async fn a_request_without_room_for_a_signature_is_not_sent() {
    let seen = Seen::default();
    let mut request = Request::new(());
    *request.headers_mut() = full_headers();
    let mut sign = SignLayer::new(credentials()).layer(recorder(&seen));
    let error = call(&mut sign, request.clone()).await.unwrap_err();
    let SignError::Signing(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), ErrorKind::TooManyHeaders);

    let mut sign = SignLayer::new(credentials()).awaiting_credentials().layer(recorder(&seen));
    let error = call(&mut sign, request).await.unwrap_err();
    let error = BoxError::from(error).downcast::<Error>().unwrap();
    assert_eq!(error.kind(), ErrorKind::TooManyHeaders);
    assert!(seen.lock().unwrap().is_empty());
}

/// What a client for one origin sends there, elsewhere, and nowhere.
async fn signs_for_demo_example_only<S>(mut client: S, seen: &Seen)
where
    S: Service<Request<()>, Response = Response<()>, Error = SignError<Infallible>>,
{
    // What the caller sets.
    let own = [("accept", "text/plain"), ("content-type", "text/plain"), ("x-own", "1")];
    let own: HeaderMap = own
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .into_iter()
        .collect();
    let mut send = async |uri: &str, headers: HeaderMap| {
        let mut request = get(uri);
        *request.headers_mut() = headers;
        call(&mut client, request).await.map(|_| seen.lock().unwrap().pop().unwrap())
    };
    let with = |name: &'static str, value: &str| {
        let mut headers = own.clone();
        headers.insert(name, value.parse().unwrap());
        headers
    };

    let sent = send("https://demo.example/a", own.clone()).await.unwrap();
    assert_eq!(sent.len(), own.len() + 4, "signature, date, token and nonce: {sent:?}");
    for uri in [
        "https://evil.example/a",
        "https://demo.example.evil.example/a",
        "https://evil.example/demo.example",
        "http://demo.example/a",
        "https://demo.example:8443/a",
    ] {
        // A redirect that is followed outside of the layer, from which the caller's headers come.
        assert_eq!(send(uri, own.clone()).await.unwrap(), own, "{uri}");
        // And one that repeats what was sent.
        assert_eq!(send(uri, sent.clone()).await.unwrap(), own, "{uri}");
        // What is not of a signature is the caller's.
        for (name, value) in
            [("authorization", "Bearer abc"), ("date", DATE), ("host", "a.example")]
        {
            let headers = with(name, value);
            assert_eq!(send(uri, headers.clone()).await.unwrap(), headers, "{uri}");
        }
    }
    // Where there is no authority, `host` says where it goes.
    let near = send("/a", with("host", "demo.example")).await.unwrap();
    assert!(near.contains_key("authorization"));
    assert_eq!(
        send("/a", with("host", "evil.example")).await.unwrap(),
        with("host", "evil.example")
    );
    let error = send("/a", own.clone()).await.unwrap_err();
    let SignError::Signing(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), ErrorKind::InvalidUri);
    assert!(error.to_string().contains("names no origin"), "{error}");
    assert!(seen.lock().unwrap().is_empty(), "it is not sent");
}

#[tokio::test]
async fn for_named_origins_nothing_of_a_signature_reaches_any_other() {
    for scheme in HEADER_SCHEMES {
        let seen = Seen::default();
        let signer =
            || Signer::new(temporary_credentials()).with_scheme(scheme).unwrap().with_nonce();
        let sign = SignLayer::for_origins(signer(), ["https://demo.example"]).unwrap();
        signs_for_demo_example_only(sign.clone().layer(recorder(&seen)), &seen).await;
        let awaiting = sign.awaiting_credentials();
        signs_for_demo_example_only(awaiting.layer(recorder(&seen)), &seen).await;
    }
}

#[tokio::test]
async fn elsewhere_awaited_credentials_are_not_even_asked_for() {
    let provider = || async { Err::<Credentials, _>(Error::provider("the vault is sealed")) };
    let sign = SignLayer::for_origins(Signer::new(provider), ["https://demo.example"]).unwrap();
    let seen = Seen::default();
    let mut service = sign.awaiting_credentials().layer(recorder(&seen));
    call(&mut service, get("https://evil.example/")).await.unwrap();
    assert!(seen.lock().unwrap().pop().unwrap().is_empty());
    assert!(call(&mut service, get("https://demo.example/")).await.is_err());
    assert!(seen.lock().unwrap().is_empty());
}
