//! axum routers behind `VerifyLayer`, over real connections.

use crate::common::{
    self, ID, Told, call, careless, client, credentials, only, read, read_error, serve, signer,
    verifier,
};
use axum::extract::OriginalUri;
use axum::extract::rejection::JsonRejection;
use axum::routing::{any, get, post};
use axum::{Json, Router};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::Full;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::SystemTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower::{Layer as _, ServiceBuilder, ServiceExt as _};
use tower_fc::adapters::axum::{Caller, NotVerified, original_uri, refuse_with};
use tower_fc::digest::{BodyDigestMismatch, CheckDigestLayer};
use tower_fc::protocol::Schemes;
use tower_fc::replay::{MemoryReplayGuard, ReplayLayer};
use tower_fc::verify::Mode;
use tower_fc::{
    Rejection, RejectionKind, Scheme, SignLayer, Signer, StaticKeys, VerifiedCaller, VerifyLayer,
};

fn verify() -> VerifyLayer<StaticKeys> {
    VerifyLayer::new(verifier()).with_original_target(original_uri)
}

/// Answers with the caller and the target as the client sent it.
async fn echo(caller: VerifiedCaller, OriginalUri(uri): OriginalUri) -> String {
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    format!("{} {} {target}", caller.access_key_id(), caller.scheme())
}

async fn greet(caller: Option<VerifiedCaller>) -> String {
    caller.map_or("anonymous".into(), |caller| caller.access_key_id().to_owned())
}

fn request(address: SocketAddr, target: &str) -> Request<Full<Bytes>> {
    let uri = format!("http://{address}{target}");
    Request::get(uri).body(Full::default()).unwrap()
}

fn sign<B>(mut request: Request<B>, scheme: Scheme) -> Request<B> {
    careless(scheme).sign_request_at(&mut request, SystemTime::now()).unwrap();
    request
}

const VERSIONS: [(Version, bool); 2] = [(Version::HTTP_11, false), (Version::HTTP_2, true)];
const SCHEMES: [Scheme; 2] = [Scheme::Fc, Scheme::Acs3HmacSha256];

#[tokio::test]
async fn a_router_layer_verifies_over_http1_and_http2() {
    let app = Router::new().route("/a/{b}", any(echo)).layer(verify());
    let address = serve(app).await;
    for (version, http2) in VERSIONS {
        for scheme in SCHEMES {
            let mut signing = SignLayer::new(signer(scheme)).layer(client(http2));
            let response = call(&mut signing, request(address, "/a/b?c=d")).await.unwrap();
            assert_eq!(response.status(), 200, "{version:?} {scheme}");
            assert_eq!(response.version(), version, "{scheme}");
            let expected = format!("{ID} {scheme} /a/b?c=d");
            assert_eq!(read(response).await, expected, "{version:?}");
        }
        let response = call(&mut client(http2), request(address, "/a/b?c=d")).await.unwrap();
        assert_eq!(response.status(), 403, "{version:?}");
        assert_eq!(response.headers()["content-type"], "application/json", "{version:?}");
        assert!(response.headers().contains_key("x-fc-request-id"), "{version:?}");
        assert_eq!(read_error(response).await.0, "MissingRequiredHeader", "{version:?}");
    }
}

#[tokio::test]
async fn a_body_of_any_length_goes_to_the_handler() {
    async fn length(_: VerifiedCaller, body: Bytes) -> String {
        body.len().to_string()
    }
    let address = serve(Router::new().route("/", any(length)).layer(verify())).await;
    for (version, http2) in VERSIONS {
        for length in [0, 1, 100_000] {
            let mut signing = SignLayer::new(credentials()).layer(client(http2));
            let request = Request::post(format!("http://{address}/"))
                .header("content-type", "application/octet-stream")
                .body(Full::from(vec![b'x'; length]))
                .unwrap();
            let response = call(&mut signing, request).await.unwrap();
            assert_eq!(read(response).await, length.to_string(), "{version:?}");
        }
    }
}

#[tokio::test]
async fn a_layer_inside_nest_verifies_the_target_that_the_client_sent() {
    let inner = || Router::new().route("/hello", get(echo));
    let inside = Router::new().nest("/api", inner().layer(verify()));
    let deep = Router::new().nest("/api", Router::new().nest("/v1", inner().layer(verify())));
    let outside = Router::new().nest("/api", inner()).layer(verify());
    let around = verify().layer(Router::new().nest("/api", inner()));
    let both = Router::new().nest("/api", inner().layer(verify())).layer(verify());
    let service = Router::new().nest_service("/api", verify().layer(inner()));
    let around = Router::new().fallback_service(around);
    for (name, app, target) in [
        ("inside", inside, "/api/hello?x=%20y"),
        ("inside two", deep, "/api/v1/hello?x=%20y"),
        ("outside", outside, "/api/hello?x=%20y"),
        ("around the router", around, "/api/hello?x=%20y"),
        ("inside and outside", both, "/api/hello?x=%20y"),
        ("a nested service", service, "/api/hello?x=%20y"),
    ] {
        let address = serve(app).await;
        for (version, http2) in VERSIONS {
            for scheme in SCHEMES {
                let name = format!("{name} {version:?} {scheme}");
                let signed = sign(request(address, target), scheme);
                let response = call(&mut client(http2), signed).await.unwrap();
                assert_eq!(response.status(), 200, "{name}");
                assert_eq!(read(response).await, format!("{ID} {scheme} {target}"), "{name}");

                // Signed for what the nested router sees: that is another target.
                let mut other = sign(request(address, "/hello?x=%20y"), scheme);
                *other.uri_mut() = request(address, target).uri().clone();
                let response = call(&mut client(http2), other).await.unwrap();
                assert_eq!(response.status(), 403, "{name}");
                assert_eq!(read_error(response).await.0, "SignatureNotMatch", "{name}");
            }
        }
    }
}

#[tokio::test]
async fn without_original_uri_a_layer_inside_nest_sees_another_target_than_was_signed() {
    let inner = Router::new().route("/hello", get(echo)).layer(VerifyLayer::new(verifier()));
    let app = Router::new().nest("/api", inner);
    let signed =
        sign(Request::get("/api/hello").body(axum::body::Body::empty()).unwrap(), Scheme::Fc);
    let response = app.oneshot(signed).await.unwrap();
    assert_eq!(read_error(response).await.0, "SignatureNotMatch");
}

#[tokio::test]
async fn the_extractors_tell_verified_callers_from_anonymous_ones() {
    let app = Router::new()
        .route("/verified", get(echo))
        .route("/any", get(greet))
        .layer(verify().with_mode(Mode::Optional));
    let address = serve(app).await;
    let mut client = client(false);

    let signed = sign(request(address, "/any"), Scheme::Fc);
    assert_eq!(read(call(&mut client, signed).await.unwrap()).await, ID);
    let anonymous = request(address, "/any");
    assert_eq!(read(call(&mut client, anonymous).await.unwrap()).await, "anonymous");

    let signed = sign(request(address, "/verified"), Scheme::Fc);
    assert_eq!(call(&mut client, signed).await.unwrap().status(), 200);
    let anonymous = request(address, "/verified");
    let response = call(&mut client, anonymous).await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert!(response.headers().contains_key("x-fc-request-id"));
    let (code, message) = read_error(response).await;
    assert_eq!(code, "MissingRequiredHeader");
    assert!(message.starts_with("required HTTP header Authorization was not specified"));

    // Bad credentials are not anonymous, whatever the handler takes.
    let mut bad = request(address, "/any");
    bad.headers_mut().insert("authorization", "FC a:b".parse().unwrap());
    let response = call(&mut client, bad).await.unwrap();
    assert_eq!(read_error(response).await.0, "MissingRequiredHeader", "it has no date");
}

#[tokio::test]
async fn a_handler_that_demands_a_caller_refuses_without_the_layer_too() {
    let app: Router = Router::new().route("/", get(echo)).route("/any", get(greet));
    let get = |target: &str| Request::get(target).body(axum::body::Body::empty()).unwrap();
    // Even a good signature: nobody verified it.
    let response = app.clone().oneshot(sign(get("/"), Scheme::Fc)).await.unwrap();
    assert_eq!(response.status(), 403);
    let rejection: &Rejection = response.extensions().get().unwrap();
    assert_eq!(rejection.kind(), RejectionKind::MissingCredentials);

    let mut grpc = get("/");
    grpc.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    let response = app.clone().oneshot(grpc).await.unwrap();
    assert_eq!((response.status().as_u16(), only(response.headers(), "grpc-status")), (200, "16"));

    let response = app.oneshot(sign(get("/any"), Scheme::Fc)).await.unwrap();
    assert_eq!(read(response).await, "anonymous");
}

#[tokio::test]
async fn a_handler_can_answer_for_the_extractor() {
    async fn own(caller: Result<VerifiedCaller, NotVerified>) -> (http::StatusCode, String) {
        match caller {
            Ok(caller) => (http::StatusCode::OK, caller.access_key_id().to_owned()),
            Err(refusal) => (http::StatusCode::UNAUTHORIZED, refusal.rejection().to_string()),
        }
    }
    let app = Router::new().route("/", get(own)).layer(verify().with_mode(Mode::Optional));
    let anonymous = Request::get("/").body(axum::body::Body::empty()).unwrap();
    let response = app.oneshot(anonymous).await.unwrap();
    assert_eq!(response.status(), 401);
    assert!(read(response).await.starts_with(b"MissingRequiredHeader: "));
}

#[tokio::test]
async fn acs3_signs_the_host_where_http2_has_no_host_header() {
    async fn hosts(caller: VerifiedCaller, uri: OriginalUri, headers: HeaderMap) -> String {
        let covered = caller.covers_header(&http::header::HOST);
        let host = headers.get("host").map(|host| host.to_str().unwrap().to_owned());
        format!("{covered} {host:?} {:?}", uri.authority().map(ToString::to_string))
    }
    let address = serve(Router::new().route("/", get(hosts)).layer(verify())).await;
    let signed = || sign(request(address, "/"), Scheme::Acs3HmacSha256);
    assert!(only(signed().headers(), "authorization").contains("SignedHeaders=host;x-acs-date,"));

    let response = call(&mut client(true), signed()).await.unwrap();
    assert_eq!(read(response).await, format!("true None {:?}", Some(address.to_string())));
    let response = call(&mut client(false), signed()).await.unwrap();
    assert_eq!(read(response).await, format!("true {:?} None", Some(address.to_string())));

    // Signed for another host, over both.
    for (version, http2) in VERSIONS {
        let mut other = Request::get("http://other.example/").body(Full::default()).unwrap();
        other = sign(other, Scheme::Acs3HmacSha256);
        *other.uri_mut() = request(address, "/").uri().clone();
        let response = call(&mut client(http2), other).await.unwrap();
        assert_eq!(read_error(response).await.0, "SignatureNotMatch", "{version:?}");
    }
}

#[tokio::test]
async fn a_host_header_that_differs_from_the_authority_is_400() {
    let address = serve(Router::new().route("/", get(echo)).layer(verify())).await;
    // HTTP/2: `:authority` and `host`.
    for (host, status) in
        [(address.to_string(), 200), ("other.example".into(), 400), (String::new(), 400)]
    {
        for scheme in SCHEMES {
            let mut request = request(address, "/");
            request.headers_mut().insert("host", host.parse().unwrap());
            let response = call(&mut client(true), sign(request, scheme)).await.unwrap();
            assert_eq!(response.status(), status, "{host:?} {scheme}");
            if status == 400 {
                assert_eq!(read_error(response).await.0, "InvalidArgument", "{host:?} {scheme}");
            }
        }
    }
    // HTTP/1.1: a target in absolute form, and Host.
    for (target, hosts, status) in [
        ("http://one.example/", vec!["one.example"], 403),
        ("http://one.example/", vec!["ONE.example"], 403),
        ("http://one.example:80/", vec!["one.example"], 403),
        ("http://one.example/", vec!["two.example"], 400),
        ("http://one.example:8080/", vec!["one.example"], 400),
        ("/", vec!["one.example", "two.example"], 400),
        ("/", vec!["one.example", "one.example"], 400),
        ("/", vec!["one.example"], 403),
        ("/", vec![], 403),
    ] {
        let hosts: String = hosts.iter().map(|host| format!("Host: {host}\r\n")).collect();
        let text = format!("GET {target} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        let answer = raw(address, text.as_bytes()).await;
        let line = answer.lines().next().unwrap_or_default();
        assert!(line.starts_with(&format!("HTTP/1.1 {status} ")), "{text:?}: {line}");
    }
}

/// Sends these bytes and returns all that comes back.
async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Targets on which clients, routers and servers are prone to differ.
const TARGETS: &[&str] = &[
    "/",
    "/?",
    "/?a",
    "/?a=",
    "/?=a",
    "/?&&a=1&&b=2&",
    "/?b=2&a=1&b=1&a=2",
    "/?a=1=2==3",
    "/?a=x+y%20z%2Bw",
    "/?q=%E4%BD%A0%E5%A5%BD",
    "/?q=%e4%bd%a0",
    "/?q=你好",
    "/?redirect=https://other.example/?x=1/y",
    "/?q='(){}[]|\\^`*!$,:@~-._",
    "/a%20b/c",
    "/a+b/c",
    "/%E4%BD%A0/%e4%bd%a0",
    "/你好/é",
    "/a//b///c",
    "//a",
    "/a/./b/../c",
    "/~user/-._!$&'()*+,;=:@",
    "/%7Euser",
    "/a;b=1/c",
    "/{a}\"b",
    "/a%3Fb%23c",
];

#[tokio::test]
async fn targets_of_any_spelling_arrive_byte_for_byte_and_verify() {
    let app = Router::new().fallback(echo).layer(verify());
    let address = serve(app).await;
    for (version, http2) in VERSIONS {
        let client = client(http2);
        for scheme in SCHEMES {
            let mut signing = SignLayer::new(signer(scheme)).layer(client.clone());
            for target in TARGETS {
                let response = call(&mut signing, request(address, target)).await;
                let response = response.unwrap_or_else(|error| panic!("{target}: {error:?}"));
                let status = response.status();
                let body = read(response).await;
                let body = String::from_utf8_lossy(&body);
                let expected = format!("{ID} {scheme} {target}");
                assert_eq!((status.as_u16(), &*body), (200, &*expected), "{version:?}");
            }
        }
    }
}

#[tokio::test]
async fn targets_that_can_be_read_in_two_ways_are_refused_however_well_signed() {
    let app = Router::new().fallback(echo).layer(verify());
    let address = serve(app).await;
    for (version, http2) in VERSIONS {
        for target in [
            "/a/%2e%2E/b",
            "/%41",
            "/a%2Fb",
            "/a%0Ab",
            "/100%",
            "/?a=1%0Ab=2",
            "/?a%3Db=c",
            "/?a;b",
            "/?a=%",
        ] {
            let signed = sign(request(address, target), Scheme::Fc);
            let response = call(&mut client(http2), signed).await.unwrap();
            assert_eq!(response.status(), 403, "{version:?} {target}");
            assert_eq!(read_error(response).await.0, "AccessDenied", "{version:?} {target}");
        }
    }
}

#[tokio::test]
async fn presigned_urls_and_acs_verify_over_real_connections() {
    let layer = VerifyLayer::new(verifier().with_schemes(Schemes::all()));
    let address = serve(Router::new().fallback(echo).layer(layer)).await;
    for (version, http2) in VERSIONS {
        let response = call(&mut client(http2), sign(request(address, "/a?b=c&a"), Scheme::Acs))
            .await
            .unwrap();
        assert_eq!(read(response).await, format!("{ID} acs /a?b=c&a"), "{version:?}");

        let plain = request(address, "/a%20b?b=c&a");
        let presigner = tower_fc::Presigner::new(common::temporary_credentials());
        let minute = std::time::Duration::from_secs(60);
        let url = presigner.presign_request_at(&plain, minute, SystemTime::now()).unwrap();
        let presigned = Request::get(url.uri().clone()).body(Full::default()).unwrap();
        let response = call(&mut client(http2), presigned).await.unwrap();
        let target = url.uri().path_and_query().unwrap();
        assert_eq!(read(response).await, format!("{ID} presigned {target}"), "{version:?}");
        let post = Request::post(url.into_uri()).body(Full::default()).unwrap();
        let response = call(&mut client(http2), post).await.unwrap();
        assert_eq!(read_error(response).await.0, "SignatureNotMatch", "{version:?}");
    }
}

#[tokio::test]
async fn the_layer_fits_a_method_router_and_a_service_of_its_own_error() {
    // `route_layer` and a method router take the same layer.
    let app: Router = Router::new()
        .route("/method", get(echo).layer(verify()))
        .route("/route", get(echo))
        .route_layer(verify());
    for target in ["/method", "/route"] {
        let signed =
            sign(Request::get(target).body(axum::body::Body::empty()).unwrap(), Scheme::Fc);
        let response = app.clone().oneshot(signed).await.unwrap();
        assert_eq!(response.status(), 200, "{target}");
    }
    // Around the whole router; axum::serve wants axum's own body back.
    let whole = tower::ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(axum::body::Body::new))
        .layer(verify())
        .service(app);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let make = axum::ServiceExt::<axum::extract::Request>::into_make_service(whole);
    tokio::spawn(axum::serve(listener, make).into_future());
    let signed = sign(request(address, "/route"), Scheme::Fc);
    assert_eq!(call(&mut client(false), signed).await.unwrap().status(), 200);
    let unsigned = request(address, "/no-route");
    assert_eq!(call(&mut client(false), unsigned).await.unwrap().status(), 403);
}

const TEN: &str = r#"{"pay":10}"#;
const CHANGED: &str = r#"{"pay":99}"#;

/// A `POST` with the signed digest of [`TEN`], which arrives with this body. No two are equal.
fn post_ten(body: &'static str) -> Request<axum::body::Body> {
    let mut request = Request::post("/")
        .header("content-type", "application/json")
        .header("content-md5", "DGOjWslOygcvba+oleVbMg==")
        .body(axum::body::Body::from(body))
        .unwrap();
    let signer = Signer::new(credentials()).with_nonce();
    signer.sign_request_at(&mut request, SystemTime::now()).unwrap();
    request
}

#[tokio::test]
async fn the_last_layer_of_a_router_is_the_outermost_and_upside_down_nothing_passes() {
    let pay = || Router::new().route("/", post(async |body: Bytes| body));
    let replay = || ReplayLayer::new(MemoryReplayGuard::new(100));
    let check = CheckDigestLayer::new;
    let by_router = pay().layer(check()).layer(replay()).layer(verify());
    let stack = ServiceBuilder::new().layer(verify()).layer(replay()).layer(check());
    for (name, app) in [("Router", by_router), ("ServiceBuilder", pay().layer(stack))] {
        let send = async |request: Request<_>| app.clone().oneshot(request).await.unwrap().status();
        let request = post_ten(TEN);
        let mut again = post_ten(TEN);
        again.headers_mut().clone_from(request.headers());
        assert_eq!(send(request).await, 200, "{name}");
        assert_eq!(send(again).await, 403, "{name}: a replay");
        assert_eq!(send(post_ten(CHANGED)).await, 400, "{name}: another body");
    }
    for (name, app) in [
        ("replay", pay().layer(verify()).layer(replay())),
        ("check", pay().layer(verify()).layer(check())),
        ("both", pay().layer(verify()).layer(replay()).layer(check())),
    ] {
        for body in [TEN, CHANGED] {
            let response = app.clone().oneshot(post_ten(body)).await.unwrap();
            assert_eq!(response.status(), 500, "{name}");
            assert_eq!(common::refusal(&response), Some(RejectionKind::NotLookedAt), "{name}");
        }
    }
}

#[tokio::test]
async fn a_body_that_turns_out_wrong_is_400_by_the_extractors_and_403_before_they_are_called() {
    /// What a handler is to be told that tells them apart.
    async fn told_apart(json: Result<Json<Value>, JsonRejection>) -> (StatusCode, String) {
        let error = match json {
            Ok(Json(value)) => return (StatusCode::OK, value.to_string()),
            Err(error) => error,
        };
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            if cause.is::<BodyDigestMismatch>() {
                return (StatusCode::FORBIDDEN, cause.to_string());
            }
            source = cause.source();
        }
        (error.status(), error.body_text())
    }
    let told = Told::default();
    let check = || CheckDigestLayer::new().with_observer(told.observer());
    let router = |handler| Router::new().route("/", handler);
    for (name, handler, status) in [
        ("Json", post(async |Json(value): Json<Value>| value.to_string()), 400),
        (
            "Option<Json>",
            post(async |value: Option<Json<Value>>| value.unwrap().0.to_string()),
            400,
        ),
        ("Bytes", post(async |bytes: Bytes| bytes), 400),
        ("String", post(async |text: String| text), 400),
        ("told apart", post(told_apart), 403),
    ] {
        let streaming = router(handler.clone()).layer(check()).layer(verify());
        let response = streaming.clone().oneshot(post_ten(TEN)).await.unwrap();
        assert_eq!(response.status(), 200, "{name}");
        assert_eq!(read(response).await, TEN, "{name}");
        assert_eq!(told.take(), [""; 0], "{name}");

        let response = streaming.oneshot(post_ten(CHANGED)).await.unwrap();
        assert_eq!(response.status(), status, "{name}");
        let text = String::from_utf8(read(response).await.to_vec()).unwrap();
        assert!(text.contains("the request body does not match its signed content-md5"), "{text}");
        assert_eq!(told.take(), [format!("BodyDigestMismatch of {ID}")], "{name}");

        let buffered = router(handler).layer(check().buffered(100)).layer(verify());
        let response = buffered.oneshot(post_ten(CHANGED)).await.unwrap();
        assert_eq!(response.status(), 403, "{name}");
        assert_eq!(common::refusal(&response), Some(RejectionKind::BodyDigestMismatch), "{name}");
        assert_eq!(told.take(), [format!("BodyDigestMismatch of {ID}")], "{name}");
    }
}

/// Refuses with its kind, and counts the requests that it was asked about by their target.
fn own_response(
    rejection: &Rejection,
    parts: &http::request::Parts,
) -> impl axum::response::IntoResponse + use<> {
    let text = format!("{} of {} at {:?}", rejection.kind().name(), parts.uri, rejection.time());
    (StatusCode::IM_A_TEAPOT, [("x-own", "1")], text)
}

#[tokio::test]
async fn extractors_refuse_in_the_way_and_by_the_clock_of_the_layer_that_let_the_request_pass() {
    async fn caller(_: VerifiedCaller) {}
    async fn optional(caller: Option<VerifiedCaller>) -> String {
        format!("{}", caller.is_some())
    }
    let routes = || Router::new().route("/caller", get(caller)).route("/any", get(optional));
    let verifier = || verifier().with_other_schemes(["Bearer"]).unwrap();
    let layer = || {
        VerifyLayer::new(verifier())
            .with_clock(common::clock())
            .with_rejection_response(refuse_with(own_response))
    };
    let awaiting = tower_fc::Verifier::new(async |_: String| None::<tower_fc::keys::VerifyingKey>);
    let awaiting = VerifyLayer::new(awaiting.with_other_schemes(["Bearer"]).unwrap())
        .with_clock(common::clock())
        .with_rejection_response(refuse_with(own_response));
    let optional = || layer().with_mode(Mode::Optional);
    let exempt = || layer().with_exemption(|_, _, _| true);
    let plain = |target: &str| Request::get(target).body(axum::body::Body::empty()).unwrap();
    let bearer = |target: &str| {
        let request = Request::get(target).header("authorization", "Bearer abc");
        request.body(axum::body::Body::empty()).unwrap()
    };
    let at = format!("{:?}", Some(common::at(0)));
    let missing = format!("missing_credentials of /caller at {at}");
    let other = |target| format!("other_scheme of {target} at {at}");
    for (name, app, request, expected) in [
        ("required", routes().layer(layer()), plain("/caller"), &*missing),
        ("anonymous", routes().layer(optional()), plain("/caller"), &missing),
        ("exempt", routes().layer(exempt()), plain("/caller"), &missing),
        (
            "awaited",
            routes().layer(awaiting.clone().with_mode(Mode::Optional).awaiting_keys()),
            plain("/caller"),
            &missing,
        ),
        ("another scheme", routes().layer(layer()), bearer("/caller"), &other("/caller")),
        ("another scheme", routes().layer(optional()), bearer("/any"), &other("/any")),
        (
            "another scheme, awaited",
            routes().layer(awaiting.awaiting_keys()),
            bearer("/any"),
            &other("/any"),
        ),
        // The innermost layer is the one that let it pass.
        (
            "inside of another",
            routes().layer(optional()).layer(verify().with_mode(Mode::Optional)),
            plain("/caller"),
            &missing,
        ),
    ] {
        let response = app.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 418, "{name}");
        assert_eq!(only(response.headers(), "x-own"), "1", "{name}");
        assert!(common::refusal(&response).is_some(), "{name}");
        assert_eq!(read(response).await, expected, "{name}");
    }
    let response = routes().layer(optional()).oneshot(plain("/any")).await.unwrap();
    assert_eq!(read(response).await, "false");
}

#[tokio::test]
async fn a_caller_is_one_of_three_and_none_of_them_where_nobody_looked() {
    async fn tell(caller: Caller) -> String {
        match caller {
            Caller::Verified(caller) => caller.access_key_id().to_owned(),
            Caller::Other(other) => other.name().to_owned(),
            Caller::Anonymous => "anonymous".to_owned(),
        }
    }
    let verifier = verifier().with_other_schemes(["Bearer", "Basic"]).unwrap();
    let app = Router::new().route("/", get(tell));
    let layer = VerifyLayer::new(verifier).with_mode(Mode::Optional);
    let request = |value: Option<&str>| {
        let mut request = Request::get("/").body(axum::body::Body::empty()).unwrap();
        if let Some(value) = value {
            request.headers_mut().insert("authorization", value.parse().unwrap());
        }
        request
    };
    for (request, expected) in [
        (sign(request(None), Scheme::Fc), ID),
        (request(Some("Basic YTpi")), "Basic"),
        (request(Some("BEARER x")), "Bearer"),
        (request(None), "anonymous"),
    ] {
        let response = app.clone().layer(layer.clone()).oneshot(request).await.unwrap();
        assert_eq!(read(response).await, expected);
    }
    let response = app.oneshot(request(None)).await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(common::refusal(&response), Some(RejectionKind::NotLookedAt));
}

#[tokio::test]
async fn a_refusal_whose_body_is_not_there_at_once_is_function_computes() {
    let slow = refuse_with(|_, _| {
        let (sender, body) = http_body_util::channel::Channel::<Bytes>::new(1);
        // It never ends.
        std::mem::forget(sender);
        (StatusCode::IM_A_TEAPOT, axum::body::Body::new(body))
    });
    let broken = refuse_with(|_, _| {
        let (sender, body) = http_body_util::channel::Channel::<Bytes, std::fmt::Error>::new(1);
        sender.abort(std::fmt::Error);
        (StatusCode::IM_A_TEAPOT, axum::body::Body::new(body))
    });
    let app = || Router::new().route("/", get(echo));
    for app in [
        app().layer(verify().with_rejection_response(slow)),
        app().layer(verify().with_rejection_response(broken)),
    ] {
        let plain = Request::get("/").body(axum::body::Body::empty()).unwrap();
        let response = app.oneshot(plain).await.unwrap();
        assert_eq!(response.status(), 403);
        assert_eq!(read_error(response).await.0, "MissingRequiredHeader");
    }
}

#[tokio::test]
async fn nest_and_an_external_base_go_together() {
    let verifier = verifier().with_external_base("https://api.example/v2").unwrap();
    let layer = VerifyLayer::new(verifier).with_original_target(original_uri);
    let app = Router::new().nest("/api", Router::new().route("/hello", get(echo)).layer(layer));
    for scheme in SCHEMES {
        let sent = |uri: &str| {
            let request = Request::get(uri).body(axum::body::Body::empty()).unwrap();
            let mut request = sign(request, scheme);
            *request.uri_mut() = "/api/hello?x=1".parse().unwrap();
            request.headers_mut().insert("host", "10.0.0.7".parse().unwrap());
            request
        };
        let good = sent("https://api.example/v2/api/hello?x=1");
        let response = app.clone().oneshot(good).await.unwrap();
        assert_eq!(read(response).await, format!("{ID} {scheme} /api/hello?x=1"));
        for other in [
            "https://api.example/v2/hello?x=1",
            "https://api.example/api/hello?x=1",
            "/api/hello?x=1",
        ] {
            let response = app.clone().oneshot(sent(other)).await.unwrap();
            assert_eq!(response.status(), 403, "{scheme} {other}");
        }
    }
}
