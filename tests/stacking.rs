//! The layers among others: tower's, tower-http's, and in tonic's server and channel.

use crate::common::{
    self, Counting, ID, at, call, client, credentials, key, read, read_error, serve, signed,
    signer, temporary_credentials, verifier, verify_layer,
};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::retry::Policy;
use tower::util::BoxCloneService;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt as _, service_fn};
use tower_fc::clock::FixedClock;
use tower_fc::error::{Error, ErrorKind};
use tower_fc::keys::VerifyingKey;
use tower_fc::{
    Credentials, Rejection, RejectionKind, Scheme, SignLayer, Signer, VerifiedCaller, Verifier,
    VerifyLayer,
};
use tower_http::body::Limited;
use tower_http::cors::{Any, CorsLayer};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::{OnResponse, TraceLayer};

type Body = Full<Bytes>;

fn request(method: Method, target: &str, body: &'static [u8]) -> Request<Body> {
    let body = Full::from(Bytes::from_static(body));
    Request::builder().method(method).uri(target).body(body).unwrap()
}

#[tokio::test]
async fn verifying_stands_under_cors_timeout_body_limit_and_trace() {
    let Observer(seen) = Observer::default();
    let trace = TraceLayer::new_for_http().on_response(Observer(Arc::clone(&seen)));
    let minute = Duration::from_secs(60);
    let service = ServiceBuilder::new()
        .layer(trace)
        .layer(CorsLayer::new().allow_origin(Any).allow_methods([Method::PUT]))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, minute))
        .layer(RequestBodyLimitLayer::new(8))
        .layer(verify_layer())
        .service(service_fn(|request: Request<Limited<Body>>| async move {
            let caller: VerifiedCaller = request.extensions().get().cloned().unwrap();
            let text = match request.into_body().collect().await {
                Ok(body) => format!("{} {}", caller.access_key_id(), body.to_bytes().len()),
                Err(_) => "too long".to_owned(),
            };
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(text)))
        }));

    let response =
        service.clone().oneshot(signed(request(Method::PUT, "/a", b"12345678"))).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert_eq!(response.collect_text().await, format!("{ID} 8"));

    let response = service.clone().oneshot(request(Method::PUT, "/a", b"")).await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(response.headers()["access-control-allow-origin"], "*", "browsers may read it");
    assert!(response.collect_text().await.contains("MissingRequiredHeader"));

    // The limit acts first where the length is known, and while reading where not.
    let mut long = signed(request(Method::PUT, "/a", b"123456789"));
    let response = service.clone().oneshot(long.clone()).await.unwrap();
    assert_eq!(response.collect_text().await, "too long");
    long.headers_mut().insert("content-length", "9".parse().unwrap());
    assert_eq!(service.clone().oneshot(long).await.unwrap().status(), 413);

    // A preflight carries no credentials and is answered by the layer outside.
    let mut preflight = request(Method::OPTIONS, "/a", b"");
    preflight.headers_mut().insert("origin", "https://page.example".parse().unwrap());
    preflight.headers_mut().insert("access-control-request-method", "PUT".parse().unwrap());
    let response = service.oneshot(preflight).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["access-control-allow-methods"], "PUT");

    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], (StatusCode::OK, None));
    assert_eq!(seen[1], (StatusCode::FORBIDDEN, Some(RejectionKind::MissingCredentials)));
}

/// Sees of every response what a layer that traces or counts would: what was refused,
/// and why.
#[derive(Clone, Default)]
struct Observer(Arc<Mutex<Vec<Answer>>>);

type Answer = (StatusCode, Option<RejectionKind>);

impl<B> OnResponse<B> for Observer {
    fn on_response(self, response: &Response<B>, _: Duration, _: &tracing::Span) {
        let kind = response.extensions().get::<Rejection>().map(Rejection::kind);
        self.0.lock().unwrap().push((response.status(), kind));
    }
}

trait CollectText {
    async fn collect_text(self) -> String;
}

impl<B: http_body::Body> CollectText for Response<B> {
    async fn collect_text(self) -> String {
        let body = self.into_body().collect().await;
        let bytes = body.unwrap_or_else(|_| panic!("the body broke")).to_bytes();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[tokio::test]
async fn the_same_stack_stands_around_an_axum_router_over_a_connection() {
    async fn hello(caller: axum::Extension<VerifiedCaller>) -> String {
        caller.access_key_id().to_owned()
    }
    let minute = Duration::from_secs(60);
    let stack = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(CorsLayer::permissive())
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, minute))
        .layer(RequestBodyLimitLayer::new(4096))
        .layer(VerifyLayer::new(verifier()));
    let app = axum::Router::new().route("/", axum::routing::any(hello)).layer(stack);
    let address = serve(app).await;

    // And a client that limits, waits and signs.
    let mut signing = ServiceBuilder::new()
        .timeout(minute)
        .layer(SignLayer::new(credentials()))
        .buffer(1)
        .concurrency_limit(1)
        .service(client(false));
    let uri = format!("http://{address}/");
    for _ in 0..3 {
        let response = call(&mut signing, request(Method::POST, &uri, b"body")).await.unwrap();
        assert_eq!(read(response).await, ID);
    }
    let response = call(&mut client(false), request(Method::GET, &uri, b"")).await.unwrap();
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert_eq!(read_error(response).await.0, "MissingRequiredHeader");
}

#[tokio::test]
async fn what_is_boxed_can_be_verified_and_signed() {
    let inner = service_fn(|_: Request<Body>| async {
        Ok::<_, BoxError>(Response::new(Full::<Bytes>::from("inner")))
    });
    let service = ServiceBuilder::new()
        .boxed_clone()
        .layer(SignLayer::new(credentials()).with_clock(common::clock()))
        .layer(verify_layer())
        .service(inner.boxed_clone());
    let response = service.oneshot(request(Method::GET, "/", b"")).await.unwrap();
    assert_eq!(read(response).await, "inner");
}

/// Sends again what failed, a few times.
#[derive(Clone)]
struct Again(usize);

impl<B: Clone, R, E> Policy<Request<B>, R, E> for Again {
    type Future = std::future::Ready<()>;

    fn retry(&mut self, _: &mut Request<B>, result: &mut Result<R, E>) -> Option<Self::Future> {
        self.0 = self.0.checked_sub(usize::from(result.is_err()))?;
        result.is_err().then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        Some(request.clone())
    }
}

/// For what cannot be sent again, as streams cannot.
#[derive(Clone)]
struct Once;

impl<Q, R, E> Policy<Q, R, E> for Once {
    type Future = std::future::Ready<()>;

    fn retry(&mut self, _: &mut Q, _: &mut Result<R, E>) -> Option<Self::Future> {
        None
    }

    fn clone_request(&mut self, _: &Q) -> Option<Q> {
        None
    }
}

/// A layer that signs around a client: alone, under and over each of tower's layers that have an
/// error of their own, and around an error that is boxed. The stacks have names and the same error.
macro_rules! stacks_of {
    ($sign:expr, $client:expr, $policy:expr) => {{
        let minute = Duration::from_secs(60);
        let (sign, client, policy) = (&$sign, $client, $policy);
        let new = ServiceBuilder::new;
        [
            ("alone", boxed(new().layer(sign).service(client.clone()))),
            ("under a buffer", boxed(new().buffer(1).layer(sign).service(client.clone()))),
            ("over a buffer", boxed(new().layer(sign).buffer(1).service(client.clone()))),
            ("under a timeout", boxed(new().timeout(minute).layer(sign).service(client.clone()))),
            ("over a timeout", boxed(new().layer(sign).timeout(minute).service(client.clone()))),
            (
                "under a retry",
                boxed(new().retry(policy.clone()).layer(sign).service(client.clone())),
            ),
            (
                "over a retry",
                boxed(new().layer(sign).retry(policy.clone()).service(client.clone())),
            ),
            ("over a boxed error", {
                let client = client.clone().map_err(BoxError::from).boxed_clone();
                boxed(new().layer(sign).service(client))
            }),
            ("among all of them", {
                let outside = new().buffer(1).timeout(minute).retry(policy.clone()).layer(sign);
                // Two places: a request that is not sent leaves one with the idle service, and
                // another attempt asks for the other.
                boxed(outside.buffer(2).timeout(minute).retry(policy.clone()).service(client))
            }),
        ]
    }};
}

fn boxed<S, B, R>(service: S) -> BoxCloneService<Request<B>, Response<R>, BoxError>
where
    S: Service<Request<B>, Response = Response<R>, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + 'static,
    B: 'static,
    R: 'static,
{
    service.map_err(Into::into).boxed_clone()
}

/// An address where nobody listens.
async fn closed() -> SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// The error of a kind among those that led to an error, itself included.
fn cause<E: std::error::Error + 'static>(error: &BoxError) -> Option<&E> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&**error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[tokio::test]
async fn an_error_of_signing_or_of_the_client_is_the_same_in_every_stack() {
    let counting = Counting::default();
    let server = serve(counting.clone()).await;
    let closed = closed().await;
    let layer = SignLayer::new(credentials());
    let twin = SignLayer::new(Signer::new(|| async { Ok(credentials()) })).awaiting_credentials();
    let stacks = stacks_of!(layer, client(false), Again(2)).map(|stack| ("Sign", stack));
    let twins = stacks_of!(twin, client(false), Again(2)).map(|stack| ("AsyncSign", stack));
    for (sign, (name, mut stack)) in stacks.into_iter().chain(twins) {
        let before = counting.calls();
        let mut send = async |target: String| {
            let request = request(Method::GET, &target, b"");
            call(&mut stack, request).await
        };
        let response = send(format!("http://{server}/?comment=hi")).await.unwrap();
        assert_eq!(response.status(), 200, "{sign} {name}");
        assert_eq!(counting.calls(), before + 1, "{sign} {name}");

        // What cannot be signed is not sent.
        let target = format!("http://{server}/?comment=hi%0Arole=admin");
        let error = send(target).await.unwrap_err();
        let error =
            error.downcast_ref::<Error>().unwrap_or_else(|| panic!("{sign} {name} {error}"));
        assert_eq!(error.kind(), ErrorKind::Ambiguous, "{sign} {name}");
        assert_eq!(counting.calls(), before + 1, "{sign} {name}");

        // Nobody there: the error of the client, as it is without signing.
        let error = send(format!("http://{closed}/")).await.unwrap_err();
        assert!(error.is::<hyper_util::client::legacy::Error>(), "{sign} {name} {error}");
        let refused = cause::<std::io::Error>(&error).map(std::io::Error::kind);
        assert_eq!(refused, Some(std::io::ErrorKind::ConnectionRefused), "{sign} {name}");
    }
}

#[tokio::test]
async fn a_response_of_one_layer_of_verifying_passes_another() {
    let service = ServiceBuilder::new().layer(verify_layer()).layer(verify_layer()).service(
        service_fn(|_: Request<Body>| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("inner")))
        }),
    );
    let request = signed(request(Method::GET, "/", b""));
    assert_eq!(read(service.oneshot(request).await.unwrap()).await, "inner");
}

/// Serves tonic's health service behind a layer that verifies.
macro_rules! health_behind {
    ($layer:expr) => {{
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (reporter, service) = tonic_health::server::health_reporter();
        reporter.set_service_status("", ServingStatus::Serving).await;
        let server = Server::builder().layer($layer).add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        address
    }};
}

async fn channel(address: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

fn origin(address: SocketAddr) -> http::Uri {
    format!("http://{address}").parse().unwrap()
}

fn check() -> HealthCheckRequest {
    HealthCheckRequest { service: String::new() }
}

const SERVING: i32 = ServingStatus::Serving as i32;

#[tokio::test]
async fn tonic_serves_signed_calls_and_answers_unsigned_ones_unauthenticated() {
    let address = health_behind!(VerifyLayer::new(verifier()));
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256] {
        let signing = ServiceBuilder::new()
            .layer(SignLayer::new(signer(scheme)))
            .service(channel(address).await);
        let mut client = HealthClient::with_origin(signing, origin(address));
        let answer = client.check(check()).await.unwrap();
        assert_eq!(answer.into_inner().status, SERVING, "{scheme}");

        // A stream of answers passes as well.
        let mut stream = client.watch(check()).await.unwrap().into_inner();
        assert_eq!(stream.message().await.unwrap().unwrap().status, SERVING, "{scheme}");
    }

    let status = HealthClient::new(channel(address).await).check(check()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unauthenticated);
    assert_eq!(
        status.message(),
        "MissingRequiredHeader: required HTTP header Authorization was not specified"
    );
    assert!(status.metadata().contains_key("x-fc-request-id"));
}

#[tokio::test]
async fn tonic_is_told_by_the_status_what_was_wrong() {
    let address = health_behind!(VerifyLayer::new(verifier()));
    let stranger = Signer::new(Credentials::new("stranger", "secret").unwrap());
    let wrong = Signer::new(Credentials::new(ID, "another-secret").unwrap());
    for (name, signer, clock, code) in [
        ("unknown key", stranger, SystemTime::now(), tonic::Code::Unauthenticated),
        ("wrong secret", wrong, SystemTime::now(), tonic::Code::Unauthenticated),
        ("expired", signer(Scheme::Fc), at(-86_400 * 365), tonic::Code::PermissionDenied),
    ] {
        let layer = SignLayer::new(signer).with_clock(FixedClock::at(clock));
        let signing = ServiceBuilder::new().layer(layer).service(channel(address).await);
        let status = HealthClient::new(signing).check(check()).await.unwrap_err();
        assert_eq!(status.code(), code, "{name}: {status:?}");
    }
    let down = |_: &str| Err::<VerifyingKey, _>(tower_fc::keys::KeyStoreError::new("down"));
    let address = health_behind!(VerifyLayer::new(Verifier::new(down)));
    let layer = SignLayer::new(credentials());
    let signing = ServiceBuilder::new().layer(layer).service(channel(address).await);
    let status = HealthClient::new(signing).check(check()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unavailable);
}

#[tokio::test]
async fn tonic_is_told_what_became_of_a_call_by_every_stack_around_its_channel() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let count = tower::util::MapRequestLayer::new(move |request| {
        counted.fetch_add(1, Ordering::SeqCst);
        request
    });
    let server = channel(health_behind!(count)).await;
    let closed = format!("http://{}", closed().await);
    let closed = Channel::from_shared(closed).unwrap().connect_lazy();
    let layer = SignLayer::new(credentials());
    let twin = SignLayer::new(Signer::new(|| async { Ok(credentials()) })).awaiting_credentials();
    let stacks = |channel: &Channel| {
        let stacks = stacks_of!(layer, channel.clone(), Once).map(|stack| ("Sign", stack));
        let twins = stacks_of!(twin, channel.clone(), Once).map(|stack| ("AsyncSign", stack));
        stacks.into_iter().chain(twins)
    };
    for (sign, (name, stack)) in stacks(&server) {
        let before = calls.load(Ordering::SeqCst);
        let mut client = HealthClient::new(stack);
        let answer = client.check(check()).await.unwrap();
        assert_eq!(answer.into_inner().status, SERVING, "{sign} {name}");
        assert_eq!(calls.load(Ordering::SeqCst), before + 1, "{sign} {name}");

        // What cannot be signed is not sent: `FC` signs no header of this name.
        let mut unsigned = tonic::Request::new(check());
        unsigned.metadata_mut().insert("x-acs-a", "1".parse().unwrap());
        let status = client.check(unsigned).await.unwrap_err();
        assert!(status.message().contains("is not signed"), "{sign} {name} {status:?}");
        assert_eq!(calls.load(Ordering::SeqCst), before + 1, "{sign} {name}");
    }
    for (sign, (name, stack)) in stacks(&closed) {
        let status = HealthClient::new(stack).check(check()).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unavailable, "{sign} {name} {status:?}");
    }
}

#[cfg(feature = "tonic")]
#[tokio::test]
async fn a_call_that_cannot_be_signed_is_unauthenticated_and_others_are_as_tonic_has_them() {
    use tonic::{Code, Status};
    let server = channel(health_behind!(VerifyLayer::new(verifier()))).await;
    let closed = format!("http://{}", closed().await);
    let closed = Channel::from_shared(closed).unwrap().connect_lazy();
    let acs3 = || signer(Scheme::Acs3HmacSha256);
    let none = || async { Err(Error::provider("no role")) };
    let awaiting = |signer| SignLayer::new(signer).awaiting_credentials();
    let status = async |service: BoxCloneService<_, _, Status>, wanted: &str| {
        let mut request = tonic::Request::new(check());
        request.metadata_mut().insert("x-acs-a", wanted.parse().unwrap());
        HealthClient::new(service).check(request).await.unwrap_err()
    };
    macro_rules! stack {
        ($sign:expr, $channel:expr) => {{
            let stack = ServiceBuilder::new().map_err(Status::from).layer($sign);
            stack.service($channel.clone()).boxed_clone()
        }};
    }
    for (name, stack, code) in [
        ("no host", stack!(SignLayer::new(acs3()), server), Code::Unauthenticated),
        ("ambiguous", stack!(SignLayer::new(credentials()), server), Code::Unauthenticated),
        ("no credentials", stack!(awaiting(Signer::new(none)), server), Code::Unauthenticated),
        (
            "no server",
            {
                let acs = SignLayer::new(signer(Scheme::Acs));
                stack!(acs, closed)
            },
            Code::Unavailable,
        ),
    ] {
        let status = status(stack, "1").await;
        assert_eq!(status.code(), code, "{name}: {status:?}");
        let source = std::error::Error::source(&status).unwrap();
        assert_eq!(source.is::<Error>(), code == Code::Unauthenticated, "{name}: {status:?}");
    }
}

#[tokio::test]
async fn tonic_takes_the_layers_that_await_keys_and_credentials() {
    let keys = |id: String| async move { (id == ID).then(key) };
    let address = health_behind!(VerifyLayer::new(Verifier::new(keys)).awaiting_keys());
    let provider = || async { Ok(temporary_credentials()) };
    let signing = ServiceBuilder::new()
        .layer(SignLayer::new(Signer::new(provider)).awaiting_credentials())
        .service(channel(address).await);
    let answer = HealthClient::new(signing).check(check()).await.unwrap();
    assert_eq!(answer.into_inner().status, SERVING);
    let status = HealthClient::new(channel(address).await).check(check()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unauthenticated);
}

#[tokio::test]
async fn in_tonic_acs3_signs_the_host_where_the_client_knows_it() {
    let strict = verifier().with_required_headers([http::header::HOST]);
    let address = health_behind!(VerifyLayer::new(strict));
    let signing = ServiceBuilder::new()
        .layer(SignLayer::new(signer(Scheme::Acs3HmacSha256)))
        .service(channel(address).await);
    // The channel adds scheme and authority below the layer, unless the client has them.
    let mut client = HealthClient::with_origin(signing.clone(), origin(address));
    let answer = client.check(check()).await.unwrap();
    assert_eq!(answer.into_inner().status, SERVING);
    // A client that does not know it is told so, and nothing is sent.
    let status = HealthClient::new(signing).check(check()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unknown, "which `map_err(Status::from)` would mend");
    assert!(status.message().contains("with_origin"), "{status:?}");

    // Unless it is to go unsigned.
    let unsigned = signer(Scheme::Acs3HmacSha256).with_insecure_unsigned_header(http::header::HOST);
    let signing =
        ServiceBuilder::new().layer(SignLayer::new(unsigned)).service(channel(address).await);
    let status = HealthClient::new(signing).check(check()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::PermissionDenied);
    assert!(status.message().contains("the HTTP header host must be signed"), "{status:?}");
}
