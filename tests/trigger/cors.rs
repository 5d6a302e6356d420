//! Scripts of other origins.

use crate::common::{Counting, refusal, verify_layer};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response};
use http_body_util::Empty;
use std::convert::Infallible;
use tower::{Layer, Service as _, ServiceExt, service_fn};
use tower_fc::RejectionKind;
use tower_fc::error::ErrorKind;
use tower_fc::trigger::{Cors, CorsConfig, HttpTrigger, RuleLayer};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

const APP: &str = "https://app.example";

fn config() -> CorsConfig {
    CorsConfig::new([APP, "http://localhost:8080"])
        .and_then(|config| config.with_headers(["content-type", "X-Custom"]))
        .and_then(|config| config.with_exposed_headers(["date", "x-fc-request-id"]))
        .and_then(CorsConfig::with_credentials)
        .and_then(|config| config.with_max_age(600))
        .unwrap()
        .with_methods([Method::GET, Method::PUT])
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
    for cors in [Cors::default(), Cors::configured(config())] {
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
            for cors in [Cors::default(), Cors::configured(config())] {
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
    for headers in ["content-type", "X-CUSTOM,content-type", " x-custom , Content-Type ", ""] {
        let asking = [
            ("origin", APP),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", headers),
        ];
        let asking = request(Method::OPTIONS, &asking);
        let (response, calls) = answer(Cors::configured(config()), asking, &[]).await;
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
    ] {
        let request = request(Method::OPTIONS, &asking);
        let (response, calls) = answer(Cors::configured(config()), request, &[]).await;
        assert_eq!((response.status().as_u16(), calls), (200, 1), "{asking:?}");
        assert!(response.headers().keys().all(|name| name == "vary"), "{asking:?}");
    }
    // No preflights at all.
    for (method, asking) in [
        (Method::OPTIONS, vec![("origin", APP)]),
        (Method::OPTIONS, vec![method]),
        (Method::GET, vec![("origin", APP), method]),
    ] {
        let (response, calls) =
            answer(Cors::configured(config()), request(method, &asking), &[]).await;
        assert_eq!((response.status().as_u16(), calls), (200, 1), "{asking:?}");
    }
}

#[tokio::test]
async fn origins_are_compared_as_browsers_write_them() {
    let allowed = |entry: &str, origin: &str| {
        let cors = Cors::configured(CorsConfig::new([entry]).unwrap());
        let get = request(Method::GET, &[("origin", origin)]);
        async move {
            let (response, _) = answer(cors, get, &[]).await;
            response.headers().get("access-control-allow-origin").cloned()
        }
    };
    for (entry, origin) in [
        ("https://app.example", "https://app.example"),
        ("HTTPS://App.Example:443/", "https://app.example"),
        ("http://app.example:80", "http://app.example"),
        ("http://app.example:8080", "http://app.example:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://*", "https://app.example"),
        ("https://*", "https://app.example:8443"),
        ("capacitor://localhost", "capacitor://localhost"),
    ] {
        let value = allowed(entry, origin).await;
        assert_eq!(value.as_ref().map(HeaderValue::as_bytes), Some(origin.as_bytes()), "{entry}");
    }
    assert_eq!(allowed("*", APP).await.unwrap(), "*");
    for (entry, origin) in [
        ("https://app.example", "http://app.example"),
        ("https://app.example", "https://app.example.evil.example"),
        ("https://app.example", "https://app.example:8443"),
        ("https://app.example", "https://evil.example"),
        ("https://app.example", "null"),
        ("https://app.example", "https://app.example/"),
        ("https://*", "http://app.example"),
        ("https://*", "https://"),
        ("https://*", "https://evil.example/app.example"),
        ("https://*", "https://a@evil.example"),
        ("https://*", "null"),
    ] {
        assert_eq!(allowed(entry, origin).await, None, "{entry} {origin}");
    }
}

#[test]
fn what_cannot_be_configured_is_an_error_that_names_the_field() {
    let many = vec![APP; 101];
    let new = |origins: &[&str]| CorsConfig::new(origins);
    let config = || CorsConfig::new([APP]).unwrap();
    assert!(new(&many[..100]).is_ok());
    for (error, field) in [
        (new(&[]).unwrap_err(), "allowOrigins"),
        (new(&many).unwrap_err(), "allowOrigins"),
        (new(&[APP, "app.example"]).unwrap_err(), "allowOrigins[1]"),
        (new(&["https://app.example/path"]).unwrap_err(), "allowOrigins[0]"),
        (new(&["https://a@app.example"]).unwrap_err(), "allowOrigins[0]"),
        (new(&["https://*.example"]).unwrap_err(), "allowOrigins[0]"),
        (new(&["https://"]).unwrap_err(), "allowOrigins[0]"),
        (new(&["null"]).unwrap_err(), "allowOrigins[0]"),
        (config().with_headers(["a b"]).unwrap_err(), "allowHeaders[0]"),
        (config().with_headers(["*", "authorization"]).unwrap_err(), "allowHeaders"),
        (config().with_exposed_headers(["a", ""]).unwrap_err(), "exposeHeaders[1]"),
        (config().with_max_age(86_401).unwrap_err(), "maxAge"),
        (new(&["*"]).unwrap().with_credentials().unwrap_err(), "allowCredentials"),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidSetting);
        assert!(error.to_string().starts_with(&format!("{field}: ")), "{error}");
    }
    assert!(config().with_max_age(86_400).is_ok());
}

#[tokio::test]
async fn any_header_is_any_but_authorization() {
    let config = CorsConfig::new([APP]).unwrap().with_headers(["*"]).unwrap();
    for (names, status) in [("x-one,x-two", 204), ("x-one,authorization", 200)] {
        let asking = [
            ("origin", APP),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", names),
        ];
        let asking = request(Method::OPTIONS, &asking);
        let (response, _) = answer(Cors::configured(config.clone()), asking, &[]).await;
        assert_eq!(response.status(), status);
        if status == 204 {
            assert_eq!(response.headers()["access-control-allow-headers"], names);
        }
    }
}

#[tokio::test]
async fn scripts_can_read_why_they_were_refused_and_preflights_need_no_signature() {
    let unreachable = crate::common::services::unreachable();
    let trigger = HttpTrigger::new(verify_layer()).with_cors(Cors::configured(config()));
    let trigger = trigger.layer(unreachable);
    let unsigned = request(Method::GET, &[("origin", APP)]).map(|()| Empty::<Bytes>::new());
    let response = trigger.clone().oneshot(unsigned).await.unwrap();
    assert_eq!(refusal(&response), Some(RejectionKind::MissingCredentials));
    assert_eq!(response.headers()["access-control-allow-origin"], APP);
    assert_eq!(response.headers()["access-control-expose-headers"], "date,x-fc-request-id");

    // Refused before it was looked at any further.
    let mut long = request(Method::GET, &[("origin", APP)]).map(|()| Empty::<Bytes>::new());
    long.headers_mut().insert("x-long", "a".repeat(9_000).parse().unwrap());
    let response = trigger.clone().oneshot(long).await.unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(response.headers()["access-control-allow-origin"], APP);

    let asking = [("origin", APP), ("access-control-request-method", "PUT")];
    let asking = request(Method::OPTIONS, &asking).map(|()| Empty::<Bytes>::new());
    let response = trigger.oneshot(asking).await.unwrap();
    assert_eq!(response.status(), 204);
    assert!(response.headers().contains_key("x-fc-request-id"));
}

/// Where both mean the same, both say the same.
#[tokio::test]
async fn tower_http_agrees() {
    let origins = [APP, "http://localhost:8080"].map(|origin| origin.parse().unwrap());
    let names = ["content-type", "x-custom"].map(HeaderName::from_static);
    let exposed = ["date", "x-fc-request-id"].map(HeaderName::from_static);
    let oracle = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods(AllowMethods::list([Method::GET, Method::PUT]))
        .allow_headers(AllowHeaders::list(names))
        .expose_headers(exposed)
        .allow_credentials(true)
        .max_age(std::time::Duration::from_secs(600));
    let service =
        service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
    let oracle = oracle.layer(service);
    for origin in [APP, "http://localhost:8080", "https://evil.example"] {
        for (method, asked) in
            [(Method::GET, None), (Method::PUT, None), (Method::OPTIONS, Some("PUT"))]
        {
            let mut headers = vec![("origin", origin)];
            if let Some(asked) = asked {
                headers.push(("access-control-request-method", asked));
                headers.push(("access-control-request-headers", "content-type,x-custom"));
            }
            let expected = oracle.clone().oneshot(request(method.clone(), &headers)).await.unwrap();
            let (found, _) =
                answer(Cors::configured(config()), request(method.clone(), &headers), &[]).await;
            let of_cors = |headers: &HeaderMap| -> Vec<(String, String)> {
                let pairs = pairs(headers).into_iter();
                pairs.filter(|(name, _)| name.starts_with("access-control-")).collect()
            };
            // What is not allowed tower-http tells of methods and headers all the same.
            if origin == "https://evil.example" {
                assert!(of_cors(found.headers()).is_empty());
                assert!(!expected.headers().contains_key("access-control-allow-origin"));
            } else {
                assert_eq!(
                    of_cors(found.headers()),
                    of_cors(expected.headers()),
                    "{method} {origin}"
                );
            }
        }
    }
}
