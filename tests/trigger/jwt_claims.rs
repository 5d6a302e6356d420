//! Claims that are handed on, and what clients put in their place.

use crate::common::bodies::Pieces;
use crate::common::{NOW, full_headers};
use crate::jwt_common::{Body, Seen, bearer, claims, layer, send, token_of};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue};
use http::{Method, Request};
use http_body::Frame;
use http_body_util::Full;
use serde_json::{Value, json};
use tower_fc::clock::FixedClock;
use tower_fc::error::ErrorKind;
use tower_fc::response::FcResponse;
use tower_fc::trigger::jwt::{ClaimPassBy, JwtLayer, MAX_FORM_LEN, Paths, VerifiedToken};
use tower_fc::{Rejection, RejectionKind};

fn passing(claims: &str) -> JwtLayer<FcResponse, FixedClock> {
    layer().with_claims(claims.parse().unwrap())
}

/// A request with a token that has a claim, and with these headers.
fn with(claim: (&str, Value), target: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut claims = claims();
    claims[claim.0] = claim.1;
    let mut request = bearer(&token_of(&claims));
    *request.uri_mut() = target.parse().unwrap();
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request.headers_mut().append(name.parse::<http::HeaderName>().unwrap(), value);
    }
    request
}

/// The same without a token at all.
fn without_token(mut request: Request<Body>) -> Request<Body> {
    request.headers_mut().remove("authorization");
    request
}

fn posting(body: impl Into<Bytes>, mut request: Request<Body>) -> Request<Body> {
    *request.method_mut() = Method::POST;
    let headers = request.headers_mut();
    headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    request.map(|_| Full::new(body.into()))
}

#[test]
fn the_text_of_claims_is_the_services() {
    for (text, read) in [
        ("", ""),
        (" ", ""),
        // What Serverless Devs sends when nothing is configured.
        ("query::", ""),
        ("header:name:name", "header:name:name"),
        ("query:uid:uid,header:name:X-Name", "query:uid:uid,header:name:x-name"),
        ("cookie:a:b , form:c:d", "cookie:a:b,form:c:d"),
        ("header::x-uid", "header:x-uid:x-uid"),
        ("query:https://a.example/uid:uid", ""),
    ] {
        match text.parse::<ClaimPassBy>() {
            Ok(claims) => {
                assert_eq!(claims.to_string(), read, "{text}");
                assert_eq!(read.parse::<ClaimPassBy>().unwrap(), claims);
            }
            Err(error) => assert!(text.contains("https"), "{error}"),
        }
    }
    for (text, rule) in [
        ("header", "does not begin with"),
        ("body:a:b", "does not begin with"),
        ("header:a:b,", "does not begin with"),
        ("header:a", "is not position:claim:parameter"),
        ("query:a:b:c", "is not position:claim:parameter"),
        ("query:a:", "names no parameter"),
        ("header:a:", "names no header"),
        ("header:a:b c", "names no header"),
        ("cookie:a:b=c", "names no cookie"),
        ("cookie:a:b;c", "names no cookie"),
        ("header:a:x,header:b:X", "sets a parameter that another entry sets"),
        ("header:a:x-y,header:b:x_y", "sets a parameter that another entry sets"),
        ("query:a:uid,query:b:UID", "sets a parameter that another entry sets"),
    ] {
        let error = text.parse::<ClaimPassBy>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{text}");
        assert!(error.to_string().contains(rule), "{text}: {error}");
    }
    for name in [
        "connection",
        "Content-Length",
        "content_length",
        "transfer-encoding",
        "host",
        "te",
        "trailer",
        "upgrade",
        "keep-alive",
        "cookie",
        "content-type",
        "content-encoding",
        "x-fc-request-id",
        "X-Fc-Uid",
        "expect",
    ] {
        let error = format!("header:a:{name}").parse::<ClaimPassBy>().unwrap_err();
        assert!(error.to_string().contains("cannot be that of a claim"), "{name}: {error}");
    }
    // The same name at two positions are two parameters.
    assert!("header:a:x,query:a:x,cookie:a:x,form:a:x".parse::<ClaimPassBy>().is_ok());
}

#[tokio::test]
async fn a_claim_is_handed_on_at_each_position() {
    let layer = passing("header:uid:x-uid,query:uid:uid,cookie:uid:uid,form:uid:uid");
    let request = with(("uid", json!("u 1&ü")), "/p?a=1", &[("cookie", "c=1")]);
    let seen = send(&layer, posting("b=2", request)).await.unwrap();
    assert_eq!(seen.header("x-uid"), Some("u 1&ü"));
    assert!(seen.parts.headers["x-uid"].is_sensitive());
    assert_eq!(seen.parts.uri, "/p?a=1&uid=u%201%26%C3%BC");
    assert_eq!(seen.header("cookie"), Some("uid=u%201%26%C3%BC; c=1"));
    assert_eq!(seen.body, "b=2&uid=u%201%26%C3%BC");
    assert_eq!(seen.header("content-length"), Some("22"));

    // Where there is nothing yet.
    let seen = send(&layer, posting("", with(("uid", json!("u")), "/", &[]))).await.unwrap();
    assert_eq!(seen.parts.uri, "/?uid=u");
    assert_eq!((seen.header("cookie"), &*seen.body), (Some("uid=u"), &b"uid=u"[..]));

    // An absolute target keeps the rest.
    let target = "https://demo.example:8443/p";
    let seen = send(&layer, with(("uid", json!("u")), target, &[])).await.unwrap();
    assert_eq!(seen.parts.uri, "https://demo.example:8443/p?uid=u");
}

#[tokio::test]
async fn a_claim_of_any_type_has_a_text() {
    for (claim, text) in [
        (json!("text"), Some("text")),
        (json!(""), Some("")),
        (json!("王"), Some("王")),
        (json!(7), Some("7")),
        (json!(u64::MAX), Some("18446744073709551615")),
        (json!(-1.5), Some("-1.5")),
        (json!(true), Some("true")),
        (json!(["a", "b"]), Some(r#"["a","b"]"#)),
        (json!({ "a": 1 }), Some(r#"{"a":1}"#)),
        (json!(null), None),
    ] {
        let request = with(("c", claim.clone()), "/", &[("x-c", "client's")]);
        let seen = send(&passing("header:c:x-c"), request).await.unwrap();
        assert_eq!(seen.header("x-c"), text, "{claim}");
    }
    let request = with(("c", json!(1)), "/", &[("x-c", "1")]);
    let seen = send(&passing("header:missing:x-c"), request).await.unwrap();
    assert_eq!(seen.header("x-c"), None);
}

#[tokio::test]
async fn a_claim_that_cannot_stand_in_a_header_is_refused() {
    for claim in
        ["a\r\nx-admin: 1", "a\nb", "a\0b", "a\tb", "\u{7f}", " a", "a ", "a\u{3000}", "\u{85}"]
    {
        let request = with(("c", json!(claim)), "/", &[]);
        let rejection = send(&passing("header:c:x-c"), request).await.unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::ClaimsNotPassed, "{claim:?}");
        assert_eq!(rejection.status(), 400);
        // Elsewhere it is encoded.
        let request = with(("c", json!(claim)), "/", &[]);
        let seen = send(&passing("query:c:c,cookie:c:c"), request).await.unwrap();
        let sent = seen.parts.uri.query().unwrap().to_owned();
        assert_eq!(seen.header("cookie"), Some(&*sent));
        assert!(sent.starts_with("c=") && sent.is_ascii() && !sent.contains(' '), "{sent}");
    }
}

/// What a client can send for each position, in the hope that it is taken for the claim.
fn forgeries() -> Vec<Request<Body>> {
    let claim = || ("other", json!(1));
    let header = |name: &str| with(claim(), "/", &[(name, "forged")]);
    let mut forgeries: Vec<_> =
        ["x-uid", "X-UID", "x_uid", "X_Uid", "x.uid", "x-Uid"].into_iter().map(header).collect();
    forgeries.push(with(claim(), "/", &[("x-uid", "forged"), ("x-uid", "forged")]));
    for query in [
        "x-uid=forged",
        "a=1&x-uid=forged&b=2",
        "x-uid=forged&x-uid=forged",
        "%78-uid=forged",
        "x%2Duid=forged",
        "x%2duid=forged",
        "X-UID=forged",
        "x_uid=forged",
        "x.uid=forged",
        "x+uid=forged",
        "+x-uid=forged",
        "%20x-uid%20=forged",
        "x-uid[]=forged",
        "x-uid%5B0%5D=forged",
        "x-uid%00=forged",
        "a=1;x-uid=forged",
        "x-uid=forged;a=1",
        "x-uid=forged&&&;",
    ] {
        forgeries.push(with(claim(), &format!("/?{query}"), &[]));
        forgeries.push(posting(query.to_owned(), with(claim(), "/", &[])));
    }
    for cookie in [
        "x-uid=forged",
        "a=1; x-uid=forged; b=2",
        "a=1;x-uid=forged",
        "a=1,x-uid=forged",
        "X-Uid=forged",
        "x_uid=forged",
        "x%2Duid=forged",
        "a=\"1; x-uid=forged\"",
        "x-uid=forged; x-uid=forged",
        "x-uid = forged",
        "\tx-uid=forged",
    ] {
        forgeries.push(with(claim(), "/", &[("cookie", cookie)]));
        forgeries.push(with(claim(), "/", &[("cookie", "a=1"), ("cookie", cookie)]));
    }
    forgeries
}

/// Whether anything of a forgery is left.
fn is_forged(seen: &Seen) -> bool {
    let Seen { parts, body } = seen;
    let headers = parts.headers.iter().map(|(_, value)| value.as_bytes());
    let texts = headers.chain([parts.uri.to_string().leak().as_bytes(), &**body]);
    texts.into_iter().any(|text| memchr::memmem::find(text, b"forged").is_some())
}

#[tokio::test]
async fn what_a_client_puts_in_the_place_of_a_claim_is_taken_out() {
    let claims = "header:uid:x-uid,query:uid:x-uid,cookie:uid:x-uid,form:uid:x-uid";
    let free = passing(claims).with_paths(Paths::all_but(["/"]).unwrap());
    let with_claim = |mut request: Request<Body>| {
        let token = token_of(&json!({ "uid": "alice", "exp": NOW + 9 }));
        let value = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
        request
    };
    let count = forgeries().len();
    assert!(count > 60, "{count}");
    for at in 0..count {
        let request = || forgeries().swap_remove(at);
        let text = format!("{:?}", request());
        // The token has no such claim.
        let seen = send(&passing(claims), request()).await.unwrap();
        assert!(!is_forged(&seen), "{text} {seen:?}");
        // It has one.
        let seen = send(&passing(claims), with_claim(request())).await.unwrap();
        assert!(!is_forged(&seen), "{text} {seen:?}");
        assert_eq!(seen.header("x-uid"), Some("alice"));
        assert!(seen.parts.uri.query().unwrap().ends_with("x-uid=alice"));
        assert!(seen.header("cookie").unwrap().starts_with("x-uid=alice"));
        // There is none, nor has there to be.
        for request in [without_token(request()), with_claim(request())] {
            let seen = send(&free, request).await.unwrap();
            assert!(!is_forged(&seen), "{text} {seen:?}");
            assert!(seen.parts.extensions.get::<VerifiedToken>().is_none());
        }
    }
    // Without the layer each is there.
    for request in forgeries() {
        let seen = send(&layer(), request).await.unwrap();
        assert!(is_forged(&seen), "{seen:?}");
    }
}

#[tokio::test]
async fn what_is_no_claim_stays_as_it_was_sent() {
    let layer = passing("header:uid:x-uid,query:uid:uid,cookie:uid:uid,form:uid:uid");
    let headers = [
        ("cookie", "user=1; uids=2; u=\"a; b\"; =; c"),
        ("x-uids", "1"),
        ("xuid", "2"),
        ("x-user", "3"),
    ];
    let target = "/a%20b?uids=1&u&&=&a=%zz&b=%41;c&user%20id=+";
    let request = with(("other", json!(1)), target, &headers);
    let expected = request.headers().clone();
    let body = "uids=1&u&&=&a=%zz;b\u{7f}";
    let seen = send(&layer, posting(body, request)).await.unwrap();
    for (name, value) in &expected {
        assert_eq!(seen.parts.headers[name], value);
    }
    assert_eq!(seen.parts.uri, target);
    assert_eq!(seen.body, body);
    assert_eq!(seen.header("content-length"), None);
}

#[tokio::test]
async fn connection_cannot_take_a_claim_away() {
    use tower_fc::trigger::HttpTrigger;
    let jwt = passing("header:sub:x-sub");
    for value in ["x-sub", "close, X-Sub", "keep-alive,x-sub , upgrade"] {
        let request =
            with(("a", json!(1)), "/", &[("connection", value), ("upgrade", "websocket")]);
        let seen = send(&jwt, request).await.unwrap();
        assert_eq!(seen.header("x-sub"), Some("alice"), "{value}");
        // Nor within a whole trigger, which removes what it names.
        let request = with(("a", json!(1)), "/", &[("connection", value), ("x-a", "1")]);
        let trigger = HttpTrigger::new(jwt.clone()).with_clock(crate::common::clock());
        let recorder = crate::jwt_common::Recorder::default();
        let service = tower::Layer::layer(&trigger, recorder.clone());
        let response = tower::ServiceExt::oneshot(service, request).await.unwrap();
        assert_eq!(response.status(), 200);
        let seen = recorder.take();
        assert_eq!(seen.header("x-sub"), Some("alice"), "{value}");
        assert_eq!(seen.header("connection"), None);
    }
}

#[tokio::test]
async fn a_form_gets_a_new_length_and_loses_what_told_the_old_one() {
    let layer = passing("form:sub:sub");
    let request = with(("a", json!(1)), "/", &[("content-length", "3"), ("trailer", "x")]);
    let seen = send(&layer, posting("a=1", request)).await.unwrap();
    assert_eq!(seen.body, "a=1&sub=alice");
    assert_eq!(seen.header("content-length"), Some("13"));
    assert_eq!(seen.header("trailer"), None);
    let request = with(("a", json!(1)), "/", &[("transfer-encoding", "chunked")]);
    let seen = send(&layer, posting("sub=mallory", request)).await.unwrap();
    assert_eq!(seen.body, "sub=alice");
    assert_eq!(seen.header("content-length"), Some("9"));
    assert_eq!(seen.header("transfer-encoding"), None);
}

fn kind(answer: Result<Seen, Rejection>) -> Option<RejectionKind> {
    answer.err().map(|rejection| rejection.kind())
}

#[tokio::test]
async fn a_form_beside_a_digest_is_not_changed() {
    let layer = passing("form:sub:sub");
    let free = passing("form:sub:sub").with_paths(Paths::all_but(["/free"]).unwrap());
    for name in ["content-md5", "x-acs-content-sha256", "digest", "content-digest", "repr-digest"] {
        let request = |target: &str, body: &str| {
            posting(body.to_owned(), with(("a", json!(1)), target, &[(name, "x")]))
        };
        let refused = Some(RejectionKind::ClaimsNotPassed);
        assert_eq!(kind(send(&layer, request("/", "a=1")).await), refused, "{name}");
        assert_eq!(kind(send(&free, request("/free", "sub=mallory")).await), refused, "{name}");
        // Nothing would change.
        let seen = send(&free, request("/free", "a=1")).await.unwrap();
        assert_eq!(seen.body, "a=1");
    }
}

#[tokio::test]
async fn a_form_is_changed_up_to_64_kb() {
    let layer = passing("form:sub:sub");
    let request = |len: usize| posting(vec![b'x'; len], with(("a", json!(1)), "/", &[]));
    let seen = send(&layer, request(MAX_FORM_LEN)).await.unwrap();
    assert_eq!(seen.body.len(), MAX_FORM_LEN + "&sub=alice".len());
    let too_large = Some(RejectionKind::BodyTooLarge);
    assert_eq!(kind(send(&layer, request(MAX_FORM_LEN + 1)).await), too_large);
    // Where no token is needed too, because a field may follow.
    let free = layer.with_paths(Paths::all_but(["/"]).unwrap());
    let request = request(MAX_FORM_LEN + 1);
    assert_eq!(kind(send(&free, without_token(request)).await), too_large);
    let pieces = (0..1_000).map(|_| Ok(Frame::data(Bytes::from_static(&[b'x'; 100]))));
    let body = Pieces::<std::io::Error>::from_frames(pieces);
    let request = posting("", with(("a", json!(1)), "/", &[])).map(|_| body);
    assert_eq!(kind(send(&free, request).await), too_large);
}

#[tokio::test]
async fn bodies_that_others_may_read_as_a_form_are_refused() {
    let layer = passing("form:sub:sub");
    let free = passing("form:sub:sub").with_paths(Paths::all_but(["/"]).unwrap());
    let request = |method: Method, headers: &[(&str, &str)], body: &str| {
        let mut request = with(("a", json!(1)), "/", headers);
        *request.method_mut() = method;
        request.map(|_| Body::from(body.to_owned()))
    };
    let form = "application/x-www-form-urlencoded";
    for (method, headers) in [
        (Method::POST, vec![]),
        (Method::POST, vec![("content-type", "")]),
        (Method::POST, vec![("content-type", "multipart/form-data; boundary=x")]),
        (Method::PUT, vec![("content-type", "Multipart/Form-Data; boundary=x")]),
        (Method::POST, vec![("content-type", form), ("content-type", "text/plain")]),
        (Method::POST, vec![("content-type", "text/plain"), ("content-type", form)]),
        (Method::POST, vec![("content-type", "text/plain, application/x-www-form-urlencoded")]),
        (Method::POST, vec![("content-type", form), ("content-encoding", "gzip")]),
        (Method::POST, vec![("content-type", "application/x-www-form-urlencoded;charset=ibm037")]),
        (Method::POST, vec![("content-type", "application/x-www-form-urlencoded; Charset=utf-7")]),
    ] {
        let text = format!("{method} {headers:?}");
        for layer in [&layer, &free] {
            let answer = send(layer, request(method.clone(), &headers, "sub=mallory")).await;
            assert_eq!(kind(answer), Some(RejectionKind::ClaimsNotPassed), "{text}");
            // There is nothing in it.
            assert!(send(layer, request(method.clone(), &headers, "")).await.is_ok(), "{text}");
        }
    }
    for (method, headers) in [
        (Method::POST, vec![("content-type", "application/json")]),
        (Method::POST, vec![("content-type", "application/grpc")]),
        (Method::PUT, vec![]),
        (Method::GET, vec![]),
    ] {
        let seen = send(&layer, request(method, &headers, "sub=mallory")).await.unwrap();
        assert_eq!(seen.body, "sub=mallory");
    }
    // A form is one by any method.
    for method in [Method::PUT, Method::PATCH, Method::DELETE, Method::GET] {
        let headers = [("content-type", form)];
        let seen = send(&layer, request(method.clone(), &headers, "sub=mallory")).await.unwrap();
        assert_eq!(seen.body, "sub=alice", "{method}");
        let seen = send(&layer, request(method, &headers, "")).await.unwrap();
        assert_eq!(seen.body, "");
    }
}

#[tokio::test]
async fn a_request_without_room_for_a_claim_is_refused() {
    let mut request = bearer(&crate::jwt_common::token());
    let authorization = request.headers()["authorization"].clone();
    let mut headers: HeaderMap = full_headers();
    let gone = headers.keys().next().unwrap().clone();
    headers.remove(gone);
    headers.insert("authorization", authorization);
    *request.headers_mut() = headers;
    let answer = send(&passing("header:sub:x-sub"), request).await;
    assert_eq!(kind(answer), Some(RejectionKind::ClaimsNotPassed));

    let target = format!("/?{}", "x".repeat(65_000));
    let request = with(("c", json!("x".repeat(600))), &target, &[]);
    let answer = send(&passing("query:c:c"), request).await;
    assert_eq!(kind(answer), Some(RejectionKind::ClaimsNotPassed));
}

#[tokio::test]
async fn only_what_is_configured_is_touched() {
    let request =
        with(("a", json!(1)), "/?x-uid=1", &[("x-uid", "1"), ("connection", "x-a"), ("x-a", "1")]);
    let headers = request.headers().clone();
    let seen = send(&layer(), request).await.unwrap();
    assert_eq!(seen.parts.headers, headers);
    assert_eq!(seen.parts.uri, "/?x-uid=1");
}
