//! `SignMiddleware` in a real reqwest client, against a real server.

use crate::common::bodies::{Pieces, trailers};
use crate::common::{
    self, EMPTY_MD5_RFC_1864, HEADER_SCHEMES, ID, TOKEN, clock, credentials, full_headers, key,
    only, serve, signer, temporary_credentials, ticking, verifier,
};
use axum::Router;
use axum::extract::{OriginalUri, Request as AxumRequest};
use axum::response::Redirect;
use axum::routing::{any, get};
use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;
use http_body_util::channel::Channel;
use reqwest::redirect::Policy;
use reqwest::{Body, Client, Method, Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use tower_fc::adapters::reqwest::SignMiddleware;
use tower_fc::clock::Clock;
use tower_fc::digest::{
    self, BodyPolicy, BodyTooLarge, CheckDigestLayer, DigestHeader, SetDigestLayer,
};
use tower_fc::error::{Error, ErrorKind};
use tower_fc::protocol::{Schemes, format_http_date};
use tower_fc::{Scheme, Signer, StaticKeys, VerifiedCaller, Verifier, VerifyLayer};

fn plain() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap()
}

fn signing(signer: impl Into<Signer>) -> ClientWithMiddleware {
    ClientBuilder::new(plain()).with(SignMiddleware::new(signer)).build()
}

/// Serves what says which target and how long a body it was called with.
async fn echo_server() -> SocketAddr {
    async fn echo(
        method: Method,
        OriginalUri(uri): OriginalUri,
        caller: VerifiedCaller,
        body: Bytes,
    ) -> String {
        let target = uri.path_and_query().unwrap();
        format!("{} {method} {target} {}", caller.access_key_id(), body.len())
    }
    let verifier = verifier().with_schemes(Schemes::all());
    serve(Router::new().fallback(echo).layer(VerifyLayer::new(verifier))).await
}

#[tokio::test]
async fn a_get_of_any_target_is_signed_as_it_goes_out() {
    let address = echo_server().await;
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256] {
        let client = signing(signer(scheme));
        // What reqwest is given, and what it makes of it before it is signed.
        for (given, sent) in [
            ("", "/"),
            ("/?", "/?"),
            ("/a b/ü?q=a b&q=ü&q=%7e", "/a%20b/%C3%BC?q=a%20b&q=%C3%BC&q=%7e"),
            ("/a/./b/../c/%2e%2E/d", "/a/d"),
            ("/a//b//?b=2&a=1&&c", "/a//b//?b=2&a=1&&c"),
            ("/?x=1+1%2B1&y='\"{}|", "/?x=1+1%2B1&y=%27%22{}|"),
            ("/a\\b?c\\d", "/a/b?c\\d"),
            ("/a?b#fragment", "/a?b"),
        ] {
            let url = format!("http://{address}{given}");
            let response = client.get(&url).send().await.unwrap();
            let status = response.status();
            let text = response.text().await.unwrap();
            assert_eq!((status.as_u16(), text), (200, format!("{ID} GET {sent} 0")), "{scheme}");
        }
        let url = format!("http://{address}/q");
        let tricky = [("b", "v=&?#/"), ("+", " "), ("你", "好"), ("", ""), ("b", "100%")];
        let url = reqwest::Url::parse_with_params(&url, tricky).unwrap();
        assert_eq!(client.get(url).send().await.unwrap().status(), 200, "{scheme}");
    }
    assert_eq!(plain().get(format!("http://{address}/")).send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_body_goes_out_as_it_is_whether_whole_or_a_stream() {
    let address = echo_server().await;
    let url = format!("http://{address}/upload");
    let client = signing(credentials());
    let post = || client.post(&url).header("content-type", "text/plain");
    let response = post().body("hello").send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), format!("{ID} POST /upload 5"));

    let (mut sender, body) = Channel::<Bytes>::new(1);
    let sending = tokio::spawn(post().body(Body::wrap(body)).send());
    for _ in 0..10 {
        sender.send_data(Bytes::from(vec![b'x'; 1000])).await.unwrap();
    }
    drop(sender);
    let response = sending.await.unwrap().unwrap();
    assert_eq!(response.text().await.unwrap(), format!("{ID} POST /upload 10000"));
}

/// Tries up to three times, as retry middlewares do.
struct Retry;

#[async_trait::async_trait]
impl Middleware for Retry {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        for _ in 0..2 {
            let again = request.try_clone().unwrap();
            let response = next.clone().run(again, extensions).await?;
            if response.status() != StatusCode::SERVICE_UNAVAILABLE {
                return Ok(response);
            }
        }
        next.run(request, extensions).await
    }
}

/// Keeps the headers of every request, and verifies each as of when it was signed.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<HeaderMap>>>);

impl Journal {
    fn note(&self, headers: &HeaderMap) -> usize {
        let mut all = self.0.lock().unwrap();
        all.push(headers.clone());
        all.len()
    }

    fn take(&self) -> Vec<HeaderMap> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[tokio::test]
async fn below_a_retry_middleware_every_attempt_has_a_date_and_a_signature_of_its_own() {
    let journal = Journal::default();
    let noted = journal.clone();
    let flaky = any(move |request: AxumRequest| async move {
        let third = noted.note(request.headers()) == 3;
        if third { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
    });
    let address = serve(Router::new().route("/report", flaky)).await;
    let client = ClientBuilder::new(plain())
        .with(Retry)
        .with(SignMiddleware::new(temporary_credentials()).with_clock(ticking()))
        .build();
    let url = format!("http://{address}/report");
    // Headers of an old signature on it are replaced, not added to.
    let request = client
        .get(url)
        .header("date", "yesterday")
        .header("date", "the day before")
        .header("authorization", "FC old:old")
        .header("x-fc-security-token", "old");
    assert_eq!(request.send().await.unwrap().status(), 200);

    let attempts = journal.take();
    assert_eq!(attempts.len(), 3);
    let bound = StaticKeys::new().with_key(ID, key().with_security_token(TOKEN).unwrap());
    let verifier = Verifier::new(bound);
    for (second, headers) in (0..).zip(&attempts) {
        let time = common::at(second);
        assert_eq!(only(headers, "date").as_bytes(), format_http_date(time), "attempt {second}");
        assert_eq!(only(headers, "x-fc-security-token"), TOKEN);
        let mut parts = http::Request::get("/report").body(()).unwrap().into_parts().0;
        parts.headers = headers.clone();
        assert_eq!(verifier.verify_at(&parts, time).unwrap().access_key_id(), ID);
    }
    let signatures: std::collections::HashSet<_> =
        attempts.iter().map(|headers| only(headers, "authorization").to_owned()).collect();
    assert_eq!(signatures.len(), 3);
}

#[tokio::test]
async fn a_redirect_does_not_carry_the_token_to_a_stranger_with_the_recommended_policy() {
    let journal = Journal::default();
    let noted = journal.clone();
    let stranger = serve(Router::new().fallback(move |request: AxumRequest| async move {
        noted.note(request.headers());
    }))
    .await;
    let target = format!("http://{stranger}/collect");
    let app = Router::new()
        .route("/away", get(move || std::future::ready(Redirect::temporary(&target))))
        .route("/near", get(async || Redirect::temporary("/away")))
        .layer(VerifyLayer::new(verifier().with_schemes(Schemes::all())));
    let address = serve(app).await;

    for (scheme, token) in
        [(Scheme::Fc, "x-fc-security-token"), (Scheme::Acs3HmacSha256, "x-acs-security-token")]
    {
        let signer = Signer::new(temporary_credentials()).with_scheme(scheme).unwrap();
        let sign = SignMiddleware::new(signer);
        let send = async |policy: Policy, path: &str| {
            let inner = Client::builder().redirect(policy).build().unwrap();
            let client = ClientBuilder::new(inner).with(sign.clone()).build();
            client.get(format!("http://{address}{path}")).send().await.unwrap()
        };
        // As documented.
        for path in ["/away", "/near"] {
            let response = send(Policy::none(), path).await;
            assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT, "{scheme} {path}");
            assert!(journal.take().is_empty(), "{scheme} {path}: nobody else was called");
        }
        // What it guards against: reqwest's own policy hands the token on ...
        let response = send(Policy::limited(3), "/away").await;
        assert_eq!(response.status(), StatusCode::OK);
        let leaked = journal.take().pop().unwrap();
        assert_eq!(leaked[token], TOKEN, "{scheme}");
        assert!(!leaked.contains_key("authorization"), "{scheme}");
        // ... and repeats the signature of one target for another of the same origin.
        let response = send(Policy::limited(3), "/near").await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{scheme}");
        assert!(journal.take().is_empty(), "{scheme}");
    }
}

/// Follows a redirect above the middleware that signs, with the headers of the first request.
struct Follow;

#[async_trait::async_trait]
impl Middleware for Follow {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let mut again = request.try_clone().unwrap();
        let response = next.clone().run(request, extensions).await?;
        let Some(location) = response.headers().get(header::LOCATION) else { return Ok(response) };
        let location = location.to_str().unwrap();
        *again.url_mut() = response.url().join(location).unwrap();
        next.run(again, extensions).await
    }
}

#[tokio::test]
async fn for_named_origins_a_redirect_that_is_followed_takes_nothing_of_a_signature_elsewhere() {
    let journal = Journal::default();
    let noted = journal.clone();
    let stranger = serve(Router::new().fallback(move |request: AxumRequest| async move {
        noted.note(request.headers());
    }))
    .await;
    let target = format!("http://{stranger}/collect");
    let app = Router::new()
        .route("/away", get(move || std::future::ready(Redirect::temporary(&target))))
        .route("/near", get(async || Redirect::temporary("/here")))
        .route("/here", get(async || "here"))
        .layer(VerifyLayer::new(verifier().with_schemes(Schemes::all())));
    let address = serve(app).await;
    for scheme in HEADER_SCHEMES {
        let signer = Signer::new(temporary_credentials()).with_scheme(scheme).unwrap().with_nonce();
        let origin = format!("http://{address}");
        let sign = SignMiddleware::for_origins(signer, [&origin]).unwrap();
        let client = ClientBuilder::new(plain()).with(Follow).with(sign.clone()).build();
        let send = async |path: &str| {
            let request = client.get(format!("{origin}{path}")).header("accept", "text/plain");
            request.send().await.unwrap()
        };
        assert_eq!(send("/near").await.text().await.unwrap(), "here", "{scheme}: signed twice");
        assert_eq!(send("/away").await.status(), 200, "{scheme}");
        let got = journal.take().pop().unwrap();
        let mut names: Vec<_> = got.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "host"], "{scheme}");

        // And with the headers of an earlier attempt.
        let request = client.get(format!("{origin}/here")).header("accept", "text/plain");
        let mut request = request.build().unwrap();
        sign.sign(&mut request).await.unwrap();
        assert_eq!(request.headers().len(), 5, "{scheme}");
        *request.url_mut() = format!("http://{stranger}/collect").parse().unwrap();
        sign.sign(&mut request).await.unwrap();
        let own = HeaderMap::from_iter([(header::ACCEPT, "text/plain".parse().unwrap())]);
        assert_eq!(request.headers(), &own, "{scheme}");
    }
}

#[tokio::test]
async fn nothing_else_of_the_request_changes() {
    let sign = SignMiddleware::new(credentials()).with_clock(clock());
    let mut request = Request::new(
        Method::from_bytes(b"PURGE").unwrap(),
        "http://host:8080/a#b".parse().unwrap(),
    );
    for (name, value) in [("x-many", "1"), ("x-many", "2"), ("x-fc-a", "b")] {
        request.headers_mut().append(name, HeaderValue::from_static(value));
    }
    request.headers_mut().append("x-bytes", HeaderValue::from_bytes(b"\xff\xfe").unwrap());
    *request.timeout_mut() = Some(std::time::Duration::from_secs(5));
    *request.version_mut() = http::Version::HTTP_2;
    *request.body_mut() = Some(Body::from("body"));
    sign.sign(&mut request).await.unwrap();

    assert_eq!(request.url().as_str(), "http://host:8080/a#b");
    assert_eq!(request.method(), "PURGE");
    assert_eq!(request.version(), http::Version::HTTP_2);
    assert_eq!(request.timeout().unwrap().as_secs(), 5);
    assert_eq!(request.body().unwrap().as_bytes().unwrap(), b"body");
    let many: Vec<_> = request.headers().get_all("x-many").iter().collect();
    assert_eq!(many, ["1", "2"]);
    assert_eq!(request.headers()["x-bytes"].as_bytes(), b"\xff\xfe");
    let mut names: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["authorization", "date", "x-bytes", "x-fc-a", "x-many"]);
    assert!(request.headers()["authorization"].is_sensitive());
}

#[tokio::test]
async fn a_url_that_cannot_be_sent_is_an_error_that_names_the_rule_and_nothing_is_lost() {
    let signer = Signer::new(credentials());
    let long = format!("http://127.0.0.1:1/?{}", "x".repeat(65_600));
    for (url, kind, rule) in [
        (&*long, ErrorKind::UriTooLong, "65534"),
        ("data:text/plain,hello", ErrorKind::InvalidUri, "http or https"),
    ] {
        let mut request = Request::new(Method::GET, url.parse().unwrap());
        request.headers_mut().insert("x-kept", HeaderValue::from_static("1"));
        let error = signer.sign_reqwest(&mut request).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains(rule), "{error}");
        assert_eq!(request.headers().len(), 1);
        assert_eq!(request.headers()["x-kept"], "1");

        // Through the client: not sent, and the error can be told apart.
        let error = signing(credentials()).execute(request).await.unwrap_err();
        let reqwest_middleware::Error::Middleware(error) = error else {
            panic!("not of a middleware: {error:?}")
        };
        assert_eq!(error.downcast_ref::<Error>().unwrap().kind(), kind);
    }
}

#[tokio::test]
async fn a_request_without_room_for_a_signature_is_not_sent() {
    let mut request = Request::new(Method::GET, "http://127.0.0.1:1/".parse().unwrap());
    *request.headers_mut() = full_headers();
    let error = Signer::new(credentials()).sign_reqwest(&mut request).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManyHeaders);
    assert_eq!(request.headers(), &full_headers());
    let error = signing(credentials()).execute(request).await.unwrap_err();
    assert!(error.is_middleware());
}

#[tokio::test]
async fn acs_signs_the_accept_header_and_so_wants_one() {
    let address = echo_server().await;
    let url = format!("http://{address}/a");
    let client = signing(signer(Scheme::Acs));
    let error = client.get(&url).send().await.unwrap_err();
    assert!(error.is_middleware());
    assert!(error.to_string().contains("accept"), "{error}");
    let response = client.get(&url).header(header::ACCEPT, "text/plain").send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), format!("{ID} GET /a 0"));
    // But for what is not signed.
    let other = SignMiddleware::for_origins(signer(Scheme::Acs), ["http://demo.example"]).unwrap();
    let mut request = client.get(&url).build().unwrap();
    other.sign(&mut request).await.unwrap();
    assert!(request.headers().is_empty());
}

#[tokio::test]
async fn default_headers_of_the_client_come_after_signing_as_documented() {
    let address = echo_server().await;
    let url = format!("http://{address}/a");
    let client = |name: &'static str| {
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static(name),
            HeaderValue::from_static("text/plain"),
        )]);
        let inner = Client::builder().default_headers(headers).build().unwrap();
        ClientBuilder::new(inner).with(SignMiddleware::new(credentials())).build()
    };
    // One that is signed has to be on the request.
    for (name, status) in [("x-other", 200), ("content-type", 403), ("x-fc-a", 403)] {
        let response = client(name).get(&url).send().await.unwrap();
        assert_eq!(response.status(), status, "{name}");
        let response = client(name).get(&url).header(name, "text/plain").send().await.unwrap();
        assert_eq!(response.status(), 200, "{name}");
    }
}

#[test]
fn the_clock_of_a_middleware_can_be_any() {
    struct Own;
    impl Clock for Own {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH
        }
    }
    let _ = SignMiddleware::new(credentials()).with_clock(Own);
}

#[test]
fn a_request_by_itself_is_signed_as_the_middleware_signs_it() {
    for scheme in HEADER_SCHEMES {
        let signer = signer(scheme);
        let plain = plain();
        let request =
            || plain.get("http://demo.example/a?b").header("accept", "a/b").build().unwrap();
        let (mut one, mut other) = (request(), request());
        signer.sign_reqwest_at(&mut one, common::at(0)).unwrap();
        let sign = SignMiddleware::new(signer).with_clock(clock());
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(sign.sign(&mut other))
            .unwrap();
        assert_eq!(one.headers(), other.headers(), "{scheme}");
        assert_eq!(one.headers().len(), 3, "{scheme}");
    }
}

/// Serves behind a check that demands a digest of every body; echoes the body.
async fn checking_server() -> SocketAddr {
    let app = Router::new()
        .fallback(async |body: Bytes| body)
        .layer(CheckDigestLayer::new().with_policy(BodyPolicy::Require))
        .layer(VerifyLayer::new(verifier().with_schemes(Schemes::all())));
    serve(app).await
}

#[tokio::test]
async fn a_digest_is_set_of_what_is_in_memory_and_of_what_streams() {
    let url = format!("http://{}/a", checking_server().await);
    for scheme in HEADER_SCHEMES {
        let sign = SignMiddleware::new(signer(scheme));
        let with = |sign| ClientBuilder::new(plain()).with(sign).build();
        let client = with(sign.clone().with_digest());
        let post = || client.post(&url).header("accept", "a/b");
        let long = vec![b'x'; 100_000];
        for body in [&b""[..], b"hello", &long] {
            let response = post().body(body.to_vec()).send().await.unwrap();
            assert_eq!(response.status(), 200, "{scheme}");
            assert_eq!(response.bytes().await.unwrap(), body, "{scheme}");

            let pieces = body.chunks(1000).map(Bytes::copy_from_slice);
            let frames = pieces.map(|piece| Ok(http_body::Frame::data(piece)));
            let stream = Body::wrap(Pieces::<std::io::Error>::from_frames(frames));
            let response = post().body(stream).send().await.unwrap();
            assert_eq!(response.bytes().await.unwrap(), body, "{scheme}: of a stream");
        }
        assert_eq!(post().send().await.unwrap().status(), 200, "{scheme}: no body");
        // One that is there is replaced.
        let is_acs3 = scheme == Scheme::Acs3HmacSha256;
        let name = if is_acs3 { "x-acs-content-sha256" } else { "content-md5" };
        let response = post().header(name, "1").body("hello").send().await.unwrap();
        assert_eq!(response.status(), 200, "{scheme}");
        // None is set unless it is asked for.
        let response = with(sign).post(&url).header("accept", "a/b").send().await.unwrap();
        assert_eq!(response.status(), 403, "{scheme}");
    }
}

#[tokio::test]
async fn a_body_in_memory_is_not_copied_and_can_be_sent_again_and_a_stream_can_too() {
    let sign = SignMiddleware::new(credentials()).with_digest();
    let data = Bytes::from(vec![b'x'; 1000]);
    let mut request = plain().post("http://demo.example/").body(data.clone()).build().unwrap();
    sign.sign(&mut request).await.unwrap();
    assert_eq!(request.body().unwrap().as_bytes().unwrap().as_ptr(), data.as_ptr());
    assert_eq!(only(request.headers(), "content-md5"), digest::content_md5(&data));

    let stream = Body::wrap(Pieces::of(["he", "llo"]));
    let mut request = plain().post("http://demo.example/").body(stream).build().unwrap();
    assert!(request.try_clone().is_none());
    sign.sign(&mut request).await.unwrap();
    let again = request.try_clone().unwrap();
    assert_eq!(again.body().unwrap().as_bytes().unwrap(), b"hello");
    assert_eq!(only(again.headers(), "content-md5"), digest::content_md5(b"hello"));

    // What has no body has none afterwards.
    let mut request = plain().get("http://demo.example/").build().unwrap();
    sign.sign(&mut request).await.unwrap();
    assert!(request.body().is_none());
    assert_eq!(only(request.headers(), "content-md5"), EMPTY_MD5_RFC_1864);
}

#[tokio::test]
async fn a_stream_over_the_limit_or_that_breaks_is_an_error_before_anything_is_sent() {
    let journal = Journal::default();
    let noted = journal.clone();
    let address = serve(Router::new().fallback(move |request: AxumRequest| async move {
        noted.note(request.headers());
    }))
    .await;
    let url = format!("http://{address}/");
    let digest = SetDigestLayer::new(DigestHeader::default()).with_limit(4);
    let sign = SignMiddleware::new(credentials()).with_digest_layer(digest);
    for with in [
        ClientBuilder::new(plain()).with(sign).build(),
        // Outside of it, as outside of a retry.
        ClientBuilder::new(plain()).with(digest).with(SignMiddleware::new(credentials())).build(),
    ] {
        let send = async |body: Body| with.post(&url).body(body).send().await;
        let error = send(Body::wrap(Pieces::of(["he", "llo"]))).await.unwrap_err();
        let reqwest_middleware::Error::Middleware(error) = error else { panic!("{error:?}") };
        assert_eq!(error.downcast_ref::<BodyTooLarge>().unwrap().limit(), 4);

        let broken = Pieces::of(["he"]).then(Err(std::io::Error::other("broken off")));
        let error = send(Body::wrap(broken)).await.unwrap_err();
        let reqwest_middleware::Error::Reqwest(error) = error else { panic!("{error:?}") };
        assert!(error.is_body(), "{error:?}");
        assert!(journal.take().is_empty());

        // As long as it may be; and what is in memory already, whatever its length.
        for body in [Body::wrap(Pieces::of(["he", "ll"])), Body::from("hello")] {
            assert_eq!(send(body).await.unwrap().status(), 200);
            assert!(journal.take().pop().unwrap().contains_key("content-md5"));
        }
    }
}

#[tokio::test]
async fn nothing_is_read_of_what_goes_to_a_stranger_and_no_credentials_are_asked_for() {
    let asked = Arc::new(AtomicUsize::new(0));
    let asking = Arc::clone(&asked);
    let provider = move || {
        asking.fetch_add(1, Ordering::SeqCst);
        async { Ok(temporary_credentials()) }
    };
    let sign = SignMiddleware::for_origins(Signer::new(provider), ["http://demo.example"]).unwrap();
    let sign = sign.with_digest();
    let body = Pieces::of(["hello"]);
    let polls = Arc::clone(&body.polls);
    let post = |url: &str, body| plain().post(url).body(Body::wrap(body)).build().unwrap();
    let mut request = post("http://stranger.example/", body);
    sign.sign(&mut request).await.unwrap();
    assert!(request.headers().is_empty());
    assert_eq!((polls.load(Ordering::SeqCst), asked.load(Ordering::SeqCst)), (0, 0));

    let mut request = post("http://demo.example/", Pieces::of(["hello"]));
    sign.sign(&mut request).await.unwrap();
    assert_eq!(only(request.headers(), "x-fc-security-token"), TOKEN);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn credentials_are_awaited_for_every_request_and_one_without_is_not_sent() {
    let address = echo_server().await;
    let answers = Arc::new(Mutex::new(vec![
        Err(Error::provider("down")),
        Ok(credentials()),
        Ok(temporary_credentials()),
    ]));
    let provider = move || {
        let answer = answers.lock().unwrap().pop().unwrap();
        async {
            tokio::task::yield_now().await;
            answer
        }
    };
    let client =
        ClientBuilder::new(plain()).with(SignMiddleware::new(Signer::new(provider))).build();
    for _ in 0..2 {
        let response = client.get(format!("http://{address}/a")).send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), format!("{ID} GET /a 0"));
    }
    let error = client.get("http://127.0.0.1:1/").send().await.unwrap_err();
    let reqwest_middleware::Error::Middleware(error) = error else { panic!("{error:?}") };
    assert_eq!(error.downcast_ref::<Error>().unwrap().kind(), ErrorKind::Provider);
}

#[tokio::test]
async fn what_trailers_a_stream_has_are_sent_with_its_digest() {
    let sign = SignMiddleware::new(credentials()).with_digest();
    let stream = Pieces::of(["hello"]).then(Ok(http_body::Frame::trailers(trailers())));
    let mut request =
        plain().post("http://demo.example/").body(Body::wrap(stream)).build().unwrap();
    sign.sign(&mut request).await.unwrap();
    assert_eq!(only(request.headers(), "content-md5"), digest::content_md5(b"hello"));
    let body = request.body_mut().take().unwrap().collect().await.unwrap();
    assert_eq!(body.trailers(), Some(&trailers()));
    assert_eq!(body.to_bytes(), "hello");
}

#[tokio::test]
async fn the_policy_for_origins_hands_back_what_concerns_a_signature_and_follows_the_rest() {
    let journal = Journal::default();
    let noted = journal.clone();
    let app = Router::new()
        .route(
            "/to",
            any(async |request: AxumRequest| Redirect::temporary(request.uri().query().unwrap())),
        )
        .fallback(move |request: AxumRequest| async move {
            noted.note(request.headers());
        });
    let ours = format!("http://{}", serve(app.clone()).await);
    let stranger = format!("http://{}", serve(app.clone()).await);
    let other = format!("http://{}", serve(app).await);
    let policy = tower_fc::adapters::redirect::policy_for_origins([&ours]).unwrap();
    let client = Client::builder().redirect(policy).build().unwrap();
    for (name, from, to, follows) in [
        ("within", &ours, &ours, false),
        ("to a stranger", &ours, &stranger, false),
        ("from a stranger", &stranger, &ours, false),
        ("among strangers", &stranger, &other, true),
        ("within a stranger", &stranger, &stranger, true),
    ] {
        let response = client.get(format!("{from}/to?{to}/end")).send().await.unwrap();
        let status = if follows { 200 } else { 307 };
        assert_eq!(response.status(), status, "{name}");
        assert_eq!(journal.take().len(), usize::from(follows), "{name}");
        if !follows {
            assert_eq!(response.headers()["location"], format!("{to}/end"), "{name}");
        }
        // Two in a row, of which the second counts.
        let twice = format!("{stranger}/to?{from}/to?{to}/end");
        let response = client.get(twice).send().await.unwrap();
        assert_eq!(response.status(), status, "{name} after another");
        journal.take();
    }
    // A presigned URL would be told in `referer`.
    let presigned = format!("{stranger}/to?{other}/end&x-fc-signature=secret");
    assert_eq!(client.get(presigned).send().await.unwrap().status(), 307);
    assert!(journal.take().is_empty());
    // One that a stranger leads to is meant to be followed.
    let presigned = format!("{stranger}/to?{other}/end?x-fc-signature=theirs");
    assert_eq!(client.get(presigned).send().await.unwrap().status(), 200);
    assert_eq!(journal.take().len(), 1);
    // Round and round, as far as reqwest goes by default.
    let app = Router::new().fallback(any(async || Redirect::temporary("/")));
    let error = client.get(format!("http://{}/", serve(app).await)).send().await.unwrap_err();
    assert!(error.is_redirect());

    let error = tower_fc::adapters::redirect::policy_for_origins(["demo.example"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSetting);
}
