//! Scripts of other origins.

use crate::common::services::unreachable;
use crate::common::{Counting, clock, read, refusal, signed, verify_layer};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response};
use http_body_util::Empty;
use std::convert::Infallible;
use std::time::Duration;
use tower::{Layer, Service as _, ServiceExt, service_fn};
use tower_fc::RejectionKind;
use tower_fc::error::{BoxError, ErrorKind};
use tower_fc::trigger::{Cors, CorsConfig, Domain, HttpTrigger, Methods, RuleLayer};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders};

const APP: &str = "https://app.example";

fn config() -> CorsConfig {
    CorsConfig::new([APP, "http://localhost:8080"])
        .and_then(|config| config.with_methods(["GET", "PUT"]))
        .and_then(|config| config.with_headers(["content-type", "X-Custom"]))
        .and_then(|config| config.with_exposed_headers(["date", "x-fc-request-id"]))
        .and_then(|config| config.with_max_age(600))
        .unwrap()
        .with_credentials()
}

fn configured() -> Cors {
    Cors::configured(config()).unwrap()
}

/// A preflight of the app for a PUT with these headers.
fn preflight(names: &[&str]) -> Request<()> {
    let mut headers = vec![("origin", APP), ("access-control-request-method", "PUT")];
    headers.extend(names.iter().map(|names| ("access-control-request-headers", *names)));
    request(Method::OPTIONS, &headers)
}

fn request(method: Method, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().method(method).body(()).unwrap();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    request
}

/// The answer, and how often the function was called, which sets these headers.
async fn answer(
    cors: Cors,
    request: Request<()>,
    set: &[(&'static str, &'static str)],
) -> (Response<()>, usize) {
    let calls = Counting::default();
    let mut counting = calls.clone();
    let function = service_fn(move |request: Request<()>| {
        drop(counting.call(request));
        let mut response = Response::new(String::new());
        for (name, value) in set {
            let name = HeaderName::from_static(name);
            response.headers_mut().append(name, HeaderValue::from_static(value));
        }
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let response = RuleLayer::new(cors).layer(function).oneshot(request).await.unwrap();
    (response.map(drop), calls.calls())
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let pair = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    let mut pairs: Vec<_> = headers.iter().map(pair).collect();
    pairs.sort();
    pairs
}

fn expect(response: &Response<()>, expected: &[(&str, &str)]) {
    let mut expected: Vec<_> =
        expected.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    expected.sort();
    assert_eq!(pairs(response.headers()), expected);
}

const VARY: (&str, &str) = ("vary", "origin");
const ECHOED: [(&str, &str); 4] = [
    ("access-control-allow-origin", APP),
    ("access-control-allow-credentials", "true"),
    ("access-control-expose-headers", "Date,x-fc-request-id"),
    VARY,
];

#[tokio::test]
async fn by_default_every_origin_may_read() {
    let (response, _) =
        answer(Cors::default(), request(Method::GET, &[("origin", APP)]), &[]).await;
    expect(&response, &ECHOED);
    // Without an origin there is none to name; with two it is not a browser's request.
    for origins in [&[][..], &[("origin", APP), ("origin", "https://b.example")]] {
        let (response, calls) = answer(Cors::default(), request(Method::GET, origins), &[]).await;
        expect(&response, &[VARY]);
        assert_eq!(calls, 1);
    }
    // A preflight is the function's.
    let asking = [("origin", APP), ("access-control-request-method", "PUT")];
    let (response, calls) = answer(Cors::default(), request(Method::OPTIONS, &asking), &[]).await;
    assert_eq!((response.status().as_u16(), calls), (200, 1));
    expect(&response, &ECHOED);
}

#[tokio::test]
async fn switched_off_it_adds_nothing() {
    let set = [("access-control-allow-origin", "https://mine.example")];
    let (response, _) = answer(Cors::off(), request(Method::GET, &[("origin", APP)]), &set).await;
    expect(&response, &set);
}

#[tokio::test]
async fn what_the_function_sets_wins_and_is_not_widened() {
    for cors in [Cors::default(), configured()] {
        let own = ("access-control-allow-origin", "https://mine.example");
        let get = || request(Method::GET, &[("origin", APP)]);
        let (response, _) = answer(cors.clone(), get(), &[own]).await;
        expect(&response, &[own, VARY]);
        let own = ("access-control-expose-headers", "x-mine");
        let (response, _) = answer(cors.clone(), get(), &[own]).await;
        assert_eq!(response.headers()["access-control-expose-headers"], "x-mine");
        assert_eq!(response.headers()["access-control-allow-origin"], APP);
        let own = ("access-control-allow-credentials", "false");
        let (response, _) = answer(cors, get(), &[own]).await;
        assert_eq!(response.headers()["access-control-allow-credentials"], "false");
    }
}

#[tokio::test]
async fn what_depends_on_the_origin_says_so_once() {
    for (set, expected) in [
        (&[("vary", "accept-encoding")][..], &["accept-encoding", "origin"][..]),
        (&[("vary", "Accept, Origin")], &["Accept, Origin"]),
        (&[("vary", "accept"), ("vary", "ORIGIN")], &["accept", "ORIGIN"]),
        (&[("vary", "*")], &["*"]),
        (&[("vary", "x-origin")], &["x-origin", "origin"]),
    ] {
        for origin in [APP, "https://evil.example"] {
            for cors in [Cors::default(), configured()] {
                let get = request(Method::GET, &[("origin", origin)]);
                let (response, _) = answer(cors, get, set).await;
                let values: Vec<_> = response.headers().get_all("vary").iter().collect();
                assert_eq!(values, expected);
            }
        }
    }
}

#[tokio::test]
async fn a_preflight_that_is_allowed_is_answered_and_the_function_not_called() {
    for names in [
        &[][..],
        &[""],
        &["content-type"],
        &["X-CUSTOM,content-type"],
        &[" x-custom ,, Content-Type "],
        &["x-custom", "content-type"],
    ] {
        let (response, calls) = answer(configured(), preflight(names), &[]).await;
        assert_eq!((response.status().as_u16(), calls), (204, 0));
        expect(
            &response,
            &[
                ("access-control-allow-origin", APP),
                ("access-control-allow-credentials", "true"),
                ("access-control-allow-methods", "GET,PUT"),
                ("access-control-allow-headers", "content-type,x-custom"),
                ("access-control-max-age", "600"),
                VARY,
                ("vary", "access-control-request-method"),
                ("vary", "access-control-request-headers"),
            ],
        );
    }
}

#[tokio::test]
async fn another_preflight_goes_on_and_is_told_nothing() {
    let method = ("access-control-request-method", "PUT");
    let headers = |names| ("access-control-request-headers", names);
    for asking in [
        vec![("origin", "https://evil.example"), method],
        vec![("origin", APP), ("access-control-request-method", "DELETE")],
        vec![("origin", APP), ("access-control-request-method", "put")],
        vec![("origin", APP), method, headers("authorization")],
        vec![("origin", APP), method, headers("content-type,x-other")],
        vec![("origin", APP), method, headers("content-type"), headers("x-other")],
        vec![("origin", APP), method, headers("content type")],
        vec![("origin", APP), method, headers("*")],
        // What no browser sends.
        vec![("origin", APP), ("origin", APP), method],
        vec![("origin", APP), method, ("access-control-request-method", "DELETE")],
        vec![("origin", APP), ("access-control-request-method", "PUT, DELETE")],
        vec![("origin", APP), ("access-control-request-method", "")],
    ] {
        let request = request(Method::OPTIONS, &asking);
        let (response, calls) = answer(configured(), request, &[]).await;
        assert_eq!((response.status().as_u16(), calls), (200, 1), "{asking:?}");
        assert!(response.headers().keys().all(|name| name == "vary"), "{asking:?}");
    }
    // No preflights at all.
    for (method, asking) in [
        (Method::OPTIONS, vec![("origin", APP)]),
        (Method::OPTIONS, vec![method]),
        (Method::GET, vec![("origin", APP), method]),
    ] {
        let (response, calls) = answer(configured(), request(method, &asking), &[]).await;
        assert_eq!((response.status().as_u16(), calls), (200, 1), "{asking:?}");
    }
}

#[tokio::test]
async fn what_is_configured_is_said_and_nothing_else() {
    let bare = || CorsConfig::new([APP]).unwrap();
    let (response, _) =
        answer(Cors::configured(bare()).unwrap(), request(Method::GET, &[("origin", APP)]), &[])
            .await;
    expect(&response, &[("access-control-allow-origin", APP), VARY]);
    let (response, _) = answer(Cors::configured(bare()).unwrap(), preflight(&[]), &[]).await;
    let headers = response.headers();
    assert_eq!(headers["access-control-allow-methods"], "GET,POST,PUT,DELETE,HEAD,PATCH,OPTIONS");
    assert_eq!(headers["access-control-max-age"], "3600");
    for name in ["headers", "credentials"] {
        assert!(!headers.contains_key(format!("access-control-allow-{name}")));
    }

    let config = bare()
        .with_max_age(0)
        .and_then(|config| config.with_exposed_headers(["*", "Authorization"]));
    let cors = Cors::configured(config.unwrap()).unwrap();
    let (response, _) = answer(cors.clone(), preflight(&[]), &[]).await;
    assert_eq!(response.headers()["access-control-max-age"], "0");
    let (response, _) = answer(cors, request(Method::GET, &[("origin", APP)]), &[]).await;
    assert_eq!(response.headers()["access-control-expose-headers"], "*,authorization");
}

/// The origin that is allowed when these are configured and a request has this one.
async fn allowed(entries: &[&str], origin: &str) -> Option<HeaderValue> {
    let cors = Cors::configured(CorsConfig::new(entries).unwrap()).unwrap();
    let (response, _) = answer(cors, request(Method::GET, &[("origin", origin)]), &[]).await;
    response.headers().get("access-control-allow-origin").cloned()
}

#[tokio::test]
async fn origins_are_compared_as_browsers_write_them() {
    for (entry, origin) in [
        ("https://app.example", "https://app.example"),
        ("HTTPS://App.Example:443/", "https://app.example"),
        ("https://app.example:0443", "https://app.example"),
        ("https://app.example:", "https://app.example"),
        ("http://app.example:80", "http://app.example"),
        ("http://app.example:443", "http://app.example:443"),
        ("http://app.example:8080", "http://app.example:8080"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://[2001:DB8::1]:443", "https://[2001:db8::1]"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://*", "https://app.example"),
        ("HTTPS://*", "https://app.example:8443"),
        ("https://*", "https://[::1]:8443"),
        ("http://*", "http://localhost"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("chrome-extension://*", "chrome-extension://abcdefghijklmnop"),
    ] {
        let value = allowed(&[entry], origin).await;
        assert_eq!(value.as_ref().map(HeaderValue::as_bytes), Some(origin.as_bytes()), "{entry}");
    }
    for (entry, origin) in [
        ("https://app.example", "http://app.example"),
        ("https://app.example", "https://app.example.evil.example"),
        ("https://app.example", "https://xapp.example"),
        ("https://app.example", "https://app.example:8443"),
        ("https://app.example", "https://evil.example"),
        ("https://app.example", "null"),
        ("https://app.example", "app.example"),
        ("https://app.example", "https://app.example/"),
        ("https://app.example", "https://app.example, https://evil.example"),
        ("https://app.example", "https://app.example https://evil.example"),
        ("https://*", "http://app.example"),
        ("https://*", "https://"),
        ("https://*", "https://:443"),
        ("https://*", "https://*"),
        ("https://*", "https://evil.example/app.example"),
        ("https://*", "https://evil.example#app.example"),
        ("https://*", "https://evil.example?app.example"),
        ("https://*", "https://evil.example\\app.example"),
        ("https://*", "https://a@evil.example"),
        ("https://*", "https://a:b@evil.example"),
        ("https://*", "https://evil.example:port"),
        ("https://*", "https://evil.example:08443"),
        ("https://*", "https://evil.example:443:443"),
        ("https://*", "https://evil.example:444:445"),
        ("https://*", "https://[::1]evil.example"),
        ("https://*", "https://[evil.example]"),
        ("https://*", "https://app.example, https://evil.example"),
        ("https://*", "https://b\u{fc}cher.example"),
        ("https://*", "https-evil://app.example"),
        ("https://*", "null"),
        ("https://*", ""),
    ] {
        assert_eq!(allowed(&[entry], origin).await, None, "{entry} {origin}");
    }
    // Each of several.
    let entries = ["http://localhost:8080", "https://*", APP];
    for origin in ["http://localhost:8080", "https://any.example", APP] {
        assert_eq!(allowed(&entries, origin).await.unwrap(), origin);
    }
}

#[tokio::test]
async fn null_is_an_origin_where_every_origin_is_allowed() {
    for origin in [APP, "null"] {
        assert_eq!(allowed(&["*"], origin).await.unwrap(), "*");
        assert_eq!(allowed(&[APP, "*"], origin).await.unwrap(), "*");
        let get = request(Method::GET, &[("origin", origin)]);
        let (response, _) = answer(Cors::default(), get, &[]).await;
        assert_eq!(response.headers()["access-control-allow-origin"], origin);
    }
    // With several there is none to allow, not even there.
    let two = request(Method::GET, &[("origin", APP), ("origin", "null")]);
    let any = Cors::configured(CorsConfig::new(["*"]).unwrap()).unwrap();
    expect(&answer(any, two, &[]).await.0, &[VARY]);
}

#[test]
fn what_cannot_be_configured_is_an_error_that_names_the_field() {
    let many = vec![APP; 101];
    let new = |origins: &[&str]| CorsConfig::new(origins);
    let config = || CorsConfig::new([APP]).unwrap();
    let any = || new(&[APP, "*"]).unwrap();
    assert!(new(&many[..100]).is_ok());
    assert!(config().with_max_age(86_400).is_ok());
    let none: [&str; 0] = [];
    for (error, field) in [
        (new(&[]).unwrap_err(), "allowOrigins"),
        (new(&many).unwrap_err(), "allowOrigins"),
        (config().with_methods(none).unwrap_err(), "allowMethods"),
        (config().with_methods(["GET", "TRACE"]).unwrap_err(), "allowMethods[1]"),
        (config().with_methods(["get"]).unwrap_err(), "allowMethods[0]"),
        (config().with_methods(["*"]).unwrap_err(), "allowMethods[0]"),
        (config().with_methods(["GET,PUT"]).unwrap_err(), "allowMethods[0]"),
        (config().with_headers(["a b"]).unwrap_err(), "allowHeaders[0]"),
        (config().with_headers(["a", "b,c"]).unwrap_err(), "allowHeaders[1]"),
        (config().with_exposed_headers(["a", ""]).unwrap_err(), "exposeHeaders[1]"),
        (config().with_max_age(86_401).unwrap_err(), "maxAge"),
        (Cors::configured(any().with_credentials()).unwrap_err(), "allowCredentials"),
        (
            Cors::configured(
                config().with_credentials().with_exposed_headers(["date", "*"]).unwrap(),
            )
            .unwrap_err(),
            "exposeHeaders",
        ),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidSetting);
        assert!(error.to_string().starts_with(&format!("{field}: ")), "{error}");
    }
    for entry in [
        "",
        "null",
        "app.example",
        "//app.example",
        "https:app.example",
        "https://",
        "https:///",
        "https://:443",
        "https://app.example/path",
        "https://app.example//",
        "https://app.example?",
        "https://app.example#good",
        "https://app.example:port",
        "https://app.example:65536",
        "https://app.example:08443",
        "https://app.example:444:445",
        "https://user:secret@app.example",
        "https://app.example, https://b.example",
        "https://b\u{fc}cher.example",
        "https://[::1",
        "https://[0::1]",
        "https://[app.example]",
        "https://*.example",
        "https://*:8443",
        "https://*/",
        "*://app.example",
        "://*",
        "1a://*",
        "**",
        " *",
    ] {
        let error = new(&[APP, entry]).unwrap_err();
        let rule = "must be of the form https://host, https://host:port, https://* or *";
        assert_eq!(error.to_string(), format!("allowOrigins[1]: {rule}"), "{entry}");
    }
}

#[test]
fn the_methods_of_the_documents_own_example_can_be_configured() {
    assert!(CorsConfig::new([APP]).unwrap().with_methods(["GET", "POST", "OPTIONS"]).is_ok());
    assert!(CorsConfig::new([APP]).unwrap().with_methods([Method::GET]).is_ok());
}

#[tokio::test]
async fn any_header_is_any_but_authorization_which_has_to_be_named() {
    for (entries, names, allowed) in [
        (&["*"][..], &["x-one,X-Two"][..], Some("x-one,x-two")),
        (&["*"], &["x-one", "x-two"], Some("x-one,x-two")),
        (&["*"], &["x-one,authorization"], None),
        (&["*"], &["Authorization"], None),
        (&["*", "Authorization"], &["authorization,x-one"], Some("authorization,x-one")),
        (&["x-one", "*"], &["x-two"], Some("x-two")),
        (&["x-one", "authorization"], &["authorization"], Some("x-one,authorization")),
        (&[], &["x-one"], None),
    ] {
        let config = CorsConfig::new([APP]).unwrap().with_headers(entries).unwrap();
        let cors = Cors::configured(config).unwrap();
        let (response, calls) = answer(cors, preflight(names), &[]).await;
        let status = if allowed.is_some() { 204 } else { 200 };
        assert_eq!(response.status(), status, "{entries:?} {names:?}");
        assert_eq!(calls, usize::from(allowed.is_none()));
        let value = response.headers().get("access-control-allow-headers");
        assert_eq!(value.map(HeaderValue::as_bytes), allowed.map(str::as_bytes));
    }
}

#[tokio::test]
async fn a_private_network_is_not_allowed_by_what_allows_an_origin() {
    let mut asking = preflight(&[]);
    let yes = HeaderValue::from_static("true");
    asking.headers_mut().insert("access-control-request-private-network", yes);
    let (response, _) = answer(configured(), asking, &[]).await;
    assert_eq!(response.status(), 204);
    assert!(!response.headers().contains_key("access-control-allow-private-network"));
}

#[tokio::test]
async fn a_response_without_room_for_more_headers_allows_nothing() {
    let service = service_fn(async |_: Request<()>| {
        let mut response = Response::new(String::new());
        *response.headers_mut() = crate::common::full_headers();
        Ok::<_, Infallible>(response)
    });
    let get = request(Method::GET, &[("origin", APP)]);
    let response = RuleLayer::new(Cors::default()).layer(service).oneshot(get).await.unwrap();
    assert!(!response.headers().contains_key("access-control-allow-origin"));
}

/// What a trigger answers whose function fails.
async fn of_trigger(cors: Cors, request: Request<()>) -> Response<()> {
    let failing = service_fn(async |request: Request<_>| -> Result<Response<String>, BoxError> {
        drop(request);
        Err("it crashed".into())
    });
    let trigger = HttpTrigger::new(verify_layer()).with_cors(cors).with_clock(clock());
    let request = request.map(|()| Empty::<Bytes>::new());
    trigger.layer(failing).oneshot(request).await.unwrap().map(drop)
}

#[tokio::test]
async fn scripts_can_read_why_they_were_refused() {
    let get = || request(Method::GET, &[("origin", APP)]);
    let mut long = get();
    long.headers_mut().insert("x-long", "a".repeat(9_000).parse().unwrap());
    let signed = signed(request(Method::GET, &[("origin", APP), ("host", "demo.example")]));
    let put = || preflight(&["x-other"]);
    for cors in [Cors::default(), configured()] {
        for (request, kind) in [
            (get(), RejectionKind::MissingCredentials),
            (long.clone(), RejectionKind::LimitExceeded),
            (request(Method::TRACE, &[("origin", APP)]), RejectionKind::MethodNotAllowed),
            (signed.clone(), RejectionKind::FunctionUnreachable),
        ] {
            let response = of_trigger(cors.clone(), request).await;
            assert_eq!(refusal(&response), Some(kind));
            assert_eq!(response.headers()["access-control-allow-origin"], APP, "{kind:?}");
            let exposed = &response.headers()["access-control-expose-headers"];
            assert!(exposed.to_str().unwrap().contains("x-fc-request-id"), "{kind:?}");
        }
        // Another origin can not.
        let other = request(Method::GET, &[("origin", "https://evil.example")]);
        let response = of_trigger(cors.clone(), other).await;
        let is_allowed = response.headers().contains_key("access-control-allow-origin");
        assert_eq!(is_allowed, format!("{cors:?}").contains("Echo"));
        assert_eq!(response.headers()["vary"], "origin");
    }
    // A preflight that does not match is a request like others.
    let response = of_trigger(configured(), put()).await;
    assert_eq!(refusal(&response), Some(RejectionKind::MissingCredentials));
    assert!(!response.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_preflight_needs_no_signature_and_no_allowed_method_and_has_a_request_id() {
    let trigger = HttpTrigger::new(verify_layer())
        .with_cors(configured())
        .with_methods(Methods::new([Method::GET, Method::PUT]).unwrap())
        .layer(unreachable());
    let asking = || preflight(&["content-type"]).map(|()| Empty::<Bytes>::new());
    let response = trigger.clone().oneshot(asking()).await.unwrap();
    assert_eq!(response.status(), 204);
    assert!(response.headers().contains_key("x-fc-request-id"));
    assert!(read(response).await.is_empty());

    // Behind what is looked at before it.
    let mut long = asking();
    long.headers_mut().insert("x-long", "a".repeat(9_000).parse().unwrap());
    assert_eq!(trigger.oneshot(long).await.unwrap().status(), 400);
    let disabled = HttpTrigger::anonymous()
        .with_cors(configured())
        .with_domain(Domain::BuiltInDisabled)
        .layer(unreachable());
    assert_eq!(disabled.oneshot(asking()).await.unwrap().status(), 403);
}

/// A configuration, and tower-http's of the same meaning.
fn with_oracle(
    origins: &[&str],
    headers: &[&str],
    exposed: &[&str],
    credentials: bool,
    max_age: u32,
) -> (Cors, CorsLayer) {
    let methods = [Method::GET, Method::PUT];
    let mut config = CorsConfig::new(origins)
        .and_then(|config| config.with_methods(&methods))
        .and_then(|config| config.with_headers(headers))
        .and_then(|config| config.with_exposed_headers(exposed))
        .and_then(|config| config.with_max_age(max_age))
        .unwrap();
    if credentials {
        config = config.with_credentials();
    }
    let names = |list: &[&str]| list.iter().map(|name| name.parse().unwrap()).collect::<Vec<_>>();
    let is_any = |list: &[&str]| list.contains(&"*");
    let oracle = CorsLayer::new()
        .allow_origin(match is_any(origins) {
            true => AllowOrigin::any(),
            false => AllowOrigin::list(origins.iter().map(|origin| origin.parse().unwrap())),
        })
        .allow_methods(AllowMethods::list(methods))
        .allow_headers(match is_any(headers) {
            true => AllowHeaders::mirror_request(),
            false => AllowHeaders::list(names(headers)),
        })
        .expose_headers(match is_any(exposed) {
            true => ExposeHeaders::any(),
            false => ExposeHeaders::list(names(exposed)),
        })
        .allow_credentials(credentials)
        .max_age(Duration::from_secs(max_age.into()));
    (Cors::configured(config).unwrap(), oracle)
}

/// Where both mean the same, both say the same. They do not where something is not allowed:
/// tower-http names what would be, and leaves it to the browser to compare.
#[tokio::test]
async fn tower_http_agrees() {
    let local = "http://localhost:8080";
    let service =
        service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
    let of_cors = |headers: &HeaderMap| -> Vec<(String, String)> {
        pairs(headers).into_iter().filter(|(name, _)| name.starts_with("access-control-")).collect()
    };
    let mut compared = [0; 2];
    for (origins, credentials) in
        [(&[APP, local][..], true), (&[APP, local], false), (&[APP], false), (&["*"], false)]
    {
        for (headers, exposed, max_age) in [
            (&["content-type", "x-custom"][..], &["date", "x-fc-request-id"][..], 600),
            (&["*"], &[], 0),
            (&["authorization"], &["x-one"], 86_400),
            (&[], if credentials { &[] } else { &["*"] }, 3_600),
        ] {
            let (cors, oracle) = with_oracle(origins, headers, exposed, credentials, max_age);
            let oracle = oracle.layer(service);
            for origin in [APP, local, "https://evil.example", "null"] {
                for (method, asked, names) in [
                    (Method::GET, None, None),
                    (Method::PUT, None, None),
                    (Method::OPTIONS, None, None),
                    (Method::OPTIONS, Some("PUT"), None),
                    (Method::OPTIONS, Some("DELETE"), None),
                    (Method::OPTIONS, Some("PUT"), Some("content-type")),
                    (Method::OPTIONS, Some("PUT"), Some("content-type,x-custom")),
                    (Method::OPTIONS, Some("GET"), Some("authorization")),
                    (Method::OPTIONS, Some("PUT"), Some("x-other")),
                ] {
                    let mut fields = vec![("origin", origin)];
                    fields.extend(asked.map(|value| ("access-control-request-method", value)));
                    fields.extend(names.map(|value| ("access-control-request-headers", value)));
                    let request = || request(method.clone(), &fields);
                    let expected = oracle.clone().oneshot(request()).await.unwrap();
                    let (found, calls) = answer(cors.clone(), request(), &[]).await;
                    let found = of_cors(found.headers());
                    let is_preflight = method == Method::OPTIONS;
                    let is_answered = calls == 0;
                    if is_preflight && !is_answered {
                        let is_asking = asked.is_some();
                        assert!(!is_asking || found.is_empty(), "{fields:?}");
                        continue;
                    }
                    let is_allowed = expected.headers().contains_key("access-control-allow-origin");
                    match is_allowed {
                        true => assert_eq!(found, of_cors(expected.headers()), "{fields:?}"),
                        false => assert!(found.is_empty(), "{fields:?}"),
                    }
                    compared[usize::from(is_answered)] += 1;
                }
            }
        }
    }
    // 16 configurations of 4 origins and 2 methods; 9 origins that are allowed, with 10 preflights.
    assert_eq!(compared, [128, 90], "requests and preflights");
}
