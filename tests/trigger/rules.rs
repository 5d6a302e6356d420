//! Each rule by itself.

use crate::common::{clock, read_error, refusal};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tower::{Layer, ServiceExt, service_fn};
use tower_fc::RejectionKind;
use tower_fc::error::ErrorKind;
use tower_fc::response::RequestId;
use tower_fc::trigger::{
    Domain, FunctionHeaders, Methods, RequestIds, RequestLimits, ResponseLimits, Rule, RuleLayer,
};

type Body = Full<Bytes>;

/// What a function under one rule saw, and what the client got.
struct Passed {
    seen: Option<Request<()>>,
    response: Response<Bytes>,
}

/// Sends a request through a rule to a function that answers so.
async fn pass(
    rule: impl Rule + Clone,
    request: Request<()>,
    answer: http::response::Builder,
) -> Passed {
    let seen = Arc::new(Mutex::new(None));
    let answer = Mutex::new(Some(answer.body(Body::from("answer")).unwrap()));
    let function = service_fn(|request: Request<()>| {
        *seen.lock().unwrap() = Some(request);
        let answer = answer.lock().unwrap().take().unwrap();
        async { Ok::<_, Infallible>(answer) }
    });
    let service = RuleLayer::new(rule).with_clock(clock()).layer(function);
    let response = service.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
    let seen = seen.lock().unwrap().take();
    Passed { seen, response: Response::from_parts(parts, body) }
}

fn get() -> Request<()> {
    Request::new(())
}

fn ok() -> http::response::Builder {
    Response::builder()
}

/// A request or response with headers of so many bytes together.
fn headers_of(len: usize, fields: usize) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for number in 0..fields {
        let name = HeaderName::try_from(format!("h{number:03}")).unwrap();
        let len = if number == 0 { len - (fields - 1) * 5 - 4 } else { 1 };
        headers.append(name, HeaderValue::try_from("v".repeat(len)).unwrap());
    }
    headers
}

#[tokio::test]
async fn the_headers_of_a_request_end_at_8192_bytes_however_many_they_are() {
    for fields in [1, 2, 150] {
        for (len, passes) in [(8191, true), (8192, true), (8193, false)] {
            let mut request = get();
            *request.headers_mut() = headers_of(len, fields);
            let passed = pass(RequestLimits::default(), request, ok()).await;
            assert_eq!(passed.seen.is_some(), passes, "{len} in {fields}");
            if !passes {
                assert_eq!(passed.response.status(), 400);
                let (code, message) = read_error(passed.response.map(Full::new)).await;
                assert_eq!(code, "InvalidArgument");
                assert_eq!(
                    message,
                    "the request headers are 8193 bytes long, over the limit of 8192 bytes"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_target_ends_at_4096_bytes_its_query_included() {
    for (path, query) in [(1, 0), (2000, 0), (4090, 0), (1, 4000), (2048, 1000)] {
        for (len, passes) in [(4095, true), (4096, true), (4097, false)] {
            let mut target = format!("/{}", "a".repeat(path - 1));
            if query > 0 {
                target.push_str(&format!("?{}", "b".repeat(query)));
            }
            target.push_str(&"c".repeat(len - target.len()));
            for prefix in ["", "http://demo.example"] {
                let mut request = get();
                *request.uri_mut() = format!("{prefix}{target}").parse().unwrap();
                let passed = pass(RequestLimits::default(), request, ok()).await;
                assert_eq!(passed.seen.is_some(), passes, "{path} {query} {len}");
                if !passes {
                    assert_eq!(passed.response.status(), 400);
                    let (code, message) = read_error(passed.response.map(Full::new)).await;
                    assert_eq!(code, "InvalidArgument");
                    assert!(message.contains("4097") && message.contains("4096"), "{message}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_headers_of_a_response_end_at_8192_bytes_those_counted_that_are_stripped() {
    for (len, passes) in [(8191, true), (8192, true), (8193, false)] {
        for fields in [1, 150] {
            let mut answer = ok();
            *answer.headers_mut().unwrap() = headers_of(len, fields);
            let response = pass(ResponseLimits::default(), get(), answer).await.response;
            assert_eq!(response.status(), if passes { 200 } else { 502 }, "{len}");
            if !passes {
                let (code, message) = read_error(response.map(Full::new)).await;
                assert_eq!(code, "BadResponse");
                assert!(message.contains("8193") && message.contains("8192"), "{message}");
            }
        }
    }
}

#[tokio::test]
async fn limits_are_settable() {
    let limits = RequestLimits::default().with_max_headers_len(10).with_max_target_len(3);
    let request =
        |target: &str, value: &str| Request::get(target).header("name", value).body(()).unwrap();
    for (target, value, passes) in
        [("/ab", "123456", true), ("/abc", "", false), ("/", "1234567", false)]
    {
        let passed = pass(limits, request(target, value), ok()).await;
        assert_eq!(passed.seen.is_some(), passes, "{target} {value}");
    }
    let limits = ResponseLimits::default().with_max_headers_len(10);
    for (value, status) in [("123456", 200), ("1234567", 502)] {
        let response = pass(limits, get(), ok().header("name", value)).await.response;
        assert_eq!(response.status(), status);
    }
}

#[tokio::test]
async fn methods_that_are_not_allowed_are_answered_with_405_and_those_that_are() {
    let some = Methods::new([Method::GET, Method::PUT]).unwrap();
    let all = "GET, POST, PUT, DELETE, HEAD, PATCH, OPTIONS";
    for (methods, allow) in [(some, "GET, PUT"), (Methods::default(), all)] {
        for name in [
            "GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get",
            "PURGE",
        ] {
            let is_allowed = allow.split(", ").any(|each| each == name);
            let request = Request::builder().method(name).uri("*").body(()).unwrap();
            let passed = pass(methods, request, ok()).await;
            assert_eq!(passed.seen.is_some(), is_allowed, "{name} of {allow}");
            if !is_allowed {
                assert_eq!(passed.response.status(), StatusCode::METHOD_NOT_ALLOWED);
                assert_eq!(passed.response.headers()["allow"], allow);
                let (code, message) = read_error(passed.response.map(Full::new)).await;
                assert_eq!(code, "MethodNotAllowed");
                assert!(message.contains(name), "{message}");
            }
        }
    }
    // A function that answers 405 itself says itself what it allows.
    let response = pass(some, get(), ok().status(405)).await.response;
    assert!(!response.headers().contains_key("allow"));
}

#[tokio::test]
async fn a_websocket_over_http_2_is_the_get_that_it_is_over_http_1() {
    let connect = |target: &str| Request::connect(target).body(()).unwrap();
    let handshake = || connect("https://demo.example/chat");
    assert!(pass(Methods::ALL, handshake(), ok()).await.seen.is_some());
    let post = Methods::new([Method::POST]).unwrap();
    assert_eq!(pass(post, handshake(), ok()).await.response.status(), 405);
    // A tunnel through a proxy.
    assert_eq!(pass(Methods::ALL, connect("demo.example:443"), ok()).await.response.status(), 405);
}

#[test]
fn a_trigger_cannot_be_told_to_allow_other_methods_or_none() {
    for methods in [vec![Method::TRACE], vec![Method::GET, Method::CONNECT], vec![]] {
        let error = Methods::new(methods).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSetting);
    }
    let error = Methods::new([Method::TRACE]).unwrap_err().to_string();
    assert!(error.contains("TRACE") && error.contains("OPTIONS"), "{error}");
}

#[tokio::test]
async fn the_public_address_can_be_switched_off_and_a_custom_domain_cannot() {
    for (domain, status) in
        [(Domain::BuiltIn, 200), (Domain::Custom, 200), (Domain::BuiltInDisabled, 403)]
    {
        let passed = pass(domain, get(), ok()).await;
        assert_eq!(passed.response.status(), status);
        assert_eq!(passed.seen.is_some(), status == 200);
    }
    let response = pass(Domain::BuiltInDisabled, get(), ok()).await.response;
    assert_eq!(refusal(&response), Some(RejectionKind::AddressDisabled));
}

#[tokio::test]
async fn from_the_built_in_domain_everything_is_a_download() {
    for set in [None, Some("inline"), Some("attachment; filename=a")] {
        for domain in [Domain::BuiltIn, Domain::Custom] {
            let answer = match set {
                Some(value) => {
                    ok().header("content-disposition", value).header("content-disposition", "b")
                }
                None => ok(),
            };
            let response = pass(domain, get(), answer).await.response;
            let values: Vec<_> = response.headers().get_all("content-disposition").iter().collect();
            match domain {
                Domain::BuiltIn => assert_eq!(values, ["attachment"]),
                _ => {
                    assert_eq!(
                        values.first().map(|value| value.as_bytes()),
                        set.map(str::as_bytes)
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn android_packages_are_not_served_from_the_built_in_domain() {
    let apk = "application/vnd.android.package-archive";
    let spellings =
        [apk.to_owned(), apk.to_uppercase(), format!("{apk};v=1"), format!("{apk} ; charset=a")];
    for value in spellings {
        let answer = || ok().header("content-type", &value);
        let response = pass(Domain::BuiltIn, get(), answer()).await.response;
        assert_eq!(response.status(), 400, "{value}");
        assert_ne!(response.body(), "answer");
        assert_eq!(read_error(response.map(Full::new)).await.0, "InvalidArgument");
        assert_eq!(pass(Domain::Custom, get(), answer()).await.response.status(), 200);
    }
    // Hidden behind another type.
    let answer = ok().header("content-type", "text/plain").header("content-type", apk);
    assert_eq!(pass(Domain::BuiltIn, get(), answer).await.response.status(), 400);
    let answer = ok().header("content-type", "application/vnd.android.package-archive2");
    assert_eq!(pass(Domain::BuiltIn, get(), answer).await.response.status(), 200);
}

#[tokio::test]
async fn headers_that_concern_a_connection_or_the_platform_do_not_reach_a_function() {
    let request = Request::get("/")
        .header("connection", "keep-alive, X-Private")
        .header("connection", "x-other")
        .header("keep-alive", "timeout=5")
        .header("x-private", "1")
        .header("x-private", "2")
        .header("x-other", "3")
        .header("x-fc-security-token", "token")
        .header("x-fc-request-id", "forged")
        .header("x-fc-made-up", "4")
        .header("x-fc-made-up", "5")
        .header("x-kept", "6")
        .header("upgrade", "websocket")
        .header("te", "trailers")
        .header("authorization", "FC a:b")
        .body(())
        .unwrap();
    let seen = pass(FunctionHeaders::new(), request, ok()).await.seen.unwrap();
    let mut names: Vec<_> = seen.headers().keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["authorization", "te", "upgrade", "x-kept"]);
}

#[tokio::test]
async fn a_handshake_keeps_what_it_needs_and_no_more() {
    let request = Request::get("/")
        .header("connection", "Keep-Alive, Upgrade, x-private")
        .header("upgrade", "websocket")
        .header("x-private", "1")
        .header("sec-websocket-key", "a")
        .body(())
        .unwrap();
    let answer = ok()
        .status(101)
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("date", "now")
        .header("server", "me");
    let passed = pass(FunctionHeaders::new(), request, answer).await;
    let seen = passed.seen.unwrap();
    assert_eq!(seen.headers()["connection"], "upgrade");
    assert_eq!(seen.headers()["upgrade"], "websocket");
    assert!(!seen.headers().contains_key("x-private"));
    assert_eq!(passed.response.headers()["connection"], "upgrade");
    assert_eq!(passed.response.headers()["upgrade"], "websocket");
    assert_eq!(passed.response.headers().len(), 2);
}

#[tokio::test]
async fn a_connection_is_not_upgraded_to_http_which_would_pass_the_trigger_by() {
    for (upgrade, passes) in [
        ("websocket", true),
        ("WebSocket", true),
        ("h2o/1", true),
        ("h2c", false),
        ("H2C", false),
        ("HTTP/2.0", false),
        ("TLS/1.0, HTTP/1.1", false),
        ("websocket, h2c", false),
        ("websocket,\th2c ", false),
    ] {
        let request = Request::get("/")
            .header("connection", "Upgrade, HTTP2-Settings")
            .header("upgrade", upgrade)
            .header("http2-settings", "AAMAAABkAAQAAP__")
            .body(())
            .unwrap();
        let seen = pass(FunctionHeaders::new(), request, ok()).await.seen.unwrap();
        let mut names: Vec<_> = seen.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let kept = if passes { &["connection", "upgrade"][..] } else { &[] };
        assert_eq!(names, kept, "{upgrade}");
    }
}

#[tokio::test]
async fn what_the_connection_of_a_response_names_does_not_reach_the_client() {
    let answer = ok()
        .header("connection", "close, X-Private, upgrade")
        .header("upgrade", "websocket")
        .header("x-private", "1")
        .header("x-kept", "2");
    let response = pass(FunctionHeaders::new(), get(), answer).await.response;
    let names: Vec<_> = response.headers().keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["x-kept"]);
}

#[tokio::test]
async fn a_function_cannot_set_the_headers_of_the_gateway() {
    let answer = || {
        let mut answer = ok();
        for name in [
            "connection",
            "content-length",
            "date",
            "keep-alive",
            "server",
            "upgrade",
            "x-fc-request-id",
            "x-fc-error-type",
            "x-fc-error-type",
            "x-kept",
        ] {
            answer = answer.header(name, "1");
        }
        answer
    };
    for (method, kept) in
        [(Method::GET, &["x-kept"][..]), (Method::HEAD, &["content-length", "x-kept"])]
    {
        let request = Request::builder().method(method).body(()).unwrap();
        let response = pass(FunctionHeaders::new(), request, answer()).await.response;
        let mut names: Vec<_> = response.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, kept);
    }
}

#[tokio::test]
async fn a_function_is_given_the_request_id_and_the_headers_of_the_platform_that_are_set() {
    let headers = FunctionHeaders::new()
        .with(HeaderName::from_static("x-fc-function-name"), "first")
        .and_then(|headers| headers.with(HeaderName::from_static("x-fc-function-name"), "demo"))
        .and_then(|headers| headers.with(HeaderName::from_static("x-fc-region"), "cn-hangzhou"))
        .unwrap();
    let mut request = Request::get("/").header("x-fc-function-name", "forged").body(()).unwrap();
    let id = RequestId::new_at(crate::common::at(0));
    request.extensions_mut().insert(id.clone());
    let seen = pass(headers.clone(), request, ok()).await.seen.unwrap();
    assert_eq!(seen.headers().len(), 3);
    assert_eq!(seen.headers()["x-fc-request-id"], id.as_str());
    assert_eq!(seen.headers()["x-fc-function-name"], "demo");
    assert_eq!(seen.headers()["x-fc-region"], "cn-hangzhou");
    // Some are secrets.
    assert!(!format!("{headers:?}").contains("demo"), "{headers:?}");
    for (name, value) in [("x-other", "a"), ("x-fc-region", "a\nb")] {
        let error = headers.clone().with(HeaderName::from_static(name), value).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSetting);
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[tokio::test]
async fn every_request_has_an_id_of_its_own_and_every_answer_the_same() {
    let mut ids = std::collections::HashSet::new();
    for status in [200, 403, 500, 101] {
        let mut request = get();
        request.extensions_mut().insert(RequestId::new_at(crate::common::at(-1)));
        let answer = ok().status(status).header("x-fc-request-id", "forged");
        let passed = pass(RequestIds, request, answer).await;
        let id = passed.seen.unwrap().extensions().get::<RequestId>().unwrap().to_string();
        assert_eq!(crate::common::only(passed.response.headers(), "x-fc-request-id"), id);
        let seconds = id.split('-').nth(1).unwrap();
        assert_eq!(u64::from_str_radix(seconds, 16).unwrap(), crate::common::NOW);
        assert!(ids.insert(id));
    }
}
