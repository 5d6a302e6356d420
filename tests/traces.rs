//! What is logged and traced around the layers, down to TRACE, has no secret in it: no
//! access key secret, no security token, no signature, no password of a Redis.
//!
//! The subscriber and the logger are those of the whole process, so this is one test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use bytes::Bytes;
use common::{ID, SECRET, TOKEN, at, call, client, clock, serve, signature};
use http::{HeaderName, Request, Response, header::AUTHORIZATION};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::fmt::{Debug, Write as _};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tower::{Layer as _, ServiceBuilder, ServiceExt as _, service_fn};
use tower_fc::digest::Md5Encoding;
use tower_fc::digest::{BufferedBody, CheckedBody};
use tower_fc::digest::{CheckDigestLayer, SetDigestLayer};
use tower_fc::keys::VerifyingKey;
use tower_fc::replay::{MemoryReplayGuard, ReplayLayer};
use tower_fc::{Credentials, Scheme, SignLayer, Signer, StaticKeys, Verifier, VerifyLayer};
use tower_http::classify::{ServerErrorsAsFailures, SharedClassifier};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::trace::{
    DefaultMakeSpan, DefaultOnEos, DefaultOnFailure, DefaultOnRequest, DefaultOnResponse,
    TraceLayer,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// All that was logged and traced.
static WRITTEN: Mutex<String> = Mutex::new(String::new());

fn write(text: impl FnOnce(&mut String)) {
    let mut written = WRITTEN.lock().unwrap();
    text(&mut written);
    written.push('\n');
}

/// Writes down what is traced.
struct Everything;

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        write(|text| {
            text.push_str(span.metadata().target());
            span.record(&mut Fields(text));
        });
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        write(|text| values.record(&mut Fields(text)));
    }

    fn event(&self, event: &Event<'_>) {
        write(|text| {
            text.push_str(event.metadata().target());
            event.record(&mut Fields(text));
        });
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl log::Log for Everything {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        write(|text| write!(text, "{} {}", record.target(), record.args()).unwrap());
    }

    fn flush(&self) {}
}

/// Traces all that tower-http can, headers included.
fn trace() -> TraceLayer<SharedClassifier<ServerErrorsAsFailures>> {
    let level = Level::TRACE;
    TraceLayer::new_for_http()
        .make_span_with(DefaultMakeSpan::new().level(level).include_headers(true))
        .on_request(DefaultOnRequest::new().level(level))
        .on_response(DefaultOnResponse::new().level(level).include_headers(true))
        .on_eos(DefaultOnEos::new().level(level))
        .on_failure(DefaultOnFailure::new().level(level))
}

/// The headers that have to be marked before a server traces headers.
const SENSITIVE: [HeaderName; 3] = [
    AUTHORIZATION,
    HeaderName::from_static("x-fc-security-token"),
    HeaderName::from_static("x-acs-security-token"),
];

/// All layers, with a tracing one around them.
async fn server() -> SocketAddr {
    let key = VerifyingKey::new(SECRET).unwrap().with_security_token(TOKEN).unwrap();
    let verifier = Verifier::new(StaticKeys::new().with_key(ID, key));
    let verify = VerifyLayer::new(verifier).with_clock(clock());
    #[cfg(feature = "tracing")]
    let verify = verify.with_observer(tower_fc::observe::trace);
    let service = ServiceBuilder::new()
        .layer(SetSensitiveRequestHeadersLayer::new(SENSITIVE))
        .layer(trace())
        .layer(verify)
        .layer(ReplayLayer::new(MemoryReplayGuard::new(100)).with_clock(clock()))
        .layer(CheckDigestLayer::new().buffered(1_000))
        .service(service_fn(|request: Request<CheckedBody<Incoming>>| async move {
            let body: Bytes = request.into_body().collect().await.unwrap().to_bytes();
            Ok::<_, Infallible>(Response::new(Full::from(body)))
        }));
    serve(service).await
}

fn signer(secret: &str, scheme: Scheme) -> Signer {
    let credentials = Credentials::new(ID, secret).unwrap().with_security_token(TOKEN).unwrap();
    Signer::new(credentials).with_scheme(scheme).unwrap()
}

/// Sends requests, right and wrong ones and replays, and returns their signatures, and
/// those that would have been right.
async fn exchange(address: SocketAddr, http2: bool, scheme: Scheme) -> Vec<String> {
    let mut signatures = Vec::new();
    for (secret, expected) in [(SECRET, 200), ("another-secret", 403)] {
        let sent = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&sent);
        let mut service = ServiceBuilder::new()
            .layer(SetDigestLayer::new(Md5Encoding::default()))
            .layer(SignLayer::new(signer(secret, scheme).with_nonce()).with_clock(clock()))
            .map_request(move |request: Request<BufferedBody>| {
                let request = request.map(|body| Full::from(body.data().clone()));
                *kept.lock().unwrap() = Some(request.clone());
                request
            })
            .layer(trace())
            .service(client(http2));
        let uri = format!("http://{address}/a?b=c");
        let request = Request::post(uri).body(Full::<Bytes>::from("hello")).unwrap();
        let response = call(&mut service, request).await.unwrap();
        assert_eq!(response.status(), expected, "{scheme}");
        response.into_body().collect().await.unwrap();

        let mut request = sent.lock().unwrap().take().unwrap();
        let replay = trace().layer(client(http2)).oneshot(request.clone()).await.unwrap();
        assert_eq!(replay.status(), 403, "{scheme}");
        signatures.push(signature(&request));
        signer(SECRET, scheme).sign_request_at(&mut request, at(0)).unwrap();
        assert_eq!(signatures.last() == Some(&signature(&request)), secret == SECRET);
        signatures.push(signature(&request));
    }
    signatures
}

#[tokio::test]
async fn nothing_that_is_logged_or_traced_has_a_secret_in_it() {
    tracing::subscriber::set_global_default(Everything).unwrap();
    log::set_boxed_logger(Box::new(Everything)).unwrap();
    log::set_max_level(log::LevelFilter::Trace);

    let address = server().await;
    let mut canaries = vec![SECRET.to_owned(), TOKEN.to_owned(), "another-secret".to_owned()];
    for http2 in [false, true] {
        for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256] {
            canaries.extend(exchange(address, http2, scheme).await);
        }
    }
    #[cfg(feature = "reqwest-middleware")]
    canaries.extend(by_reqwest(address).await);
    #[cfg(feature = "redis")]
    canaries.extend(by_redis().await);

    let written = WRITTEN.lock().unwrap();
    for source in SOURCES {
        let lines = written.lines().filter(|line| line.starts_with(source)).count();
        println!("{lines} lines of {source}");
        assert!(lines > 0, "{source} is not heard");
    }
    assert!(written.contains("\"authorization\": Sensitive"), "headers are traced");
    for canary in canaries {
        assert!(canary.len() > 10);
        let line = written.lines().find(|line| line.contains(&canary));
        assert_eq!(line, None, "{canary}");
    }
}

/// Who writes something.
const SOURCES: &[&str] = &[
    "h2::",
    "hyper_util::",
    "tower_http::",
    #[cfg(feature = "reqwest-middleware")]
    "reqwest",
    #[cfg(feature = "tracing")]
    "tower_fc ",
];

/// By reqwest, with its middleware.
#[cfg(feature = "reqwest-middleware")]
async fn by_reqwest(address: SocketAddr) -> Vec<String> {
    use tower_fc::adapters::reqwest::SignMiddleware;
    let signer = signer(SECRET, Scheme::Fc);
    let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
        .with(SignMiddleware::new(signer.clone()).with_clock(clock()))
        .build();
    let response = client.get(format!("http://{address}/d")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let mut same = Request::get("/d").body(()).unwrap();
    signer.sign_request_at(&mut same, at(0)).unwrap();
    vec![signature(&same)]
}

/// By a Redis that is not there.
#[cfg(feature = "redis")]
async fn by_redis() -> Vec<String> {
    use tower_fc::replay::AsyncReplayGuard as _;
    use tower_fc::replay::ReplayClaim;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let password = "a-redis-password";
    let url = format!("redis://someone:{password}@127.0.0.1:{port}/");
    let guard = tower_fc::replay::RedisReplayGuard::new(&url).unwrap();
    let claim = ReplayClaim::new([7; 32], at(0), at(60));
    let error = guard.claim(claim).await.unwrap_err();
    write(|text| write!(text, "{guard:?} {error} {error:?}").unwrap());
    vec![password.to_owned()]
}
