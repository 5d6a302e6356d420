//! Where tokens are looked for, and what becomes of a form that was looked into.

use crate::common::bodies::{Pieces, trailers};
use crate::jwt_common::{Body, layer, send, token};
use bytes::Bytes;
use http::{Method, Request};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt as _, Full};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use tower::{Layer, ServiceExt, service_fn};
use tower_fc::error::ErrorKind;
use tower_fc::response::FcResponse;
use tower_fc::trigger::jwt::{FormBody, JwtLayer, MAX_FORM_LEN, TokenLookup};
use tower_fc::{Rejection, RejectionKind, Scheme};

fn looking(lookup: &str) -> JwtLayer<FcResponse, tower_fc::clock::FixedClock> {
    layer().with_token_lookup(lookup.parse().unwrap())
}

fn get(target: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::get(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::default()).unwrap()
}

fn form(body: impl Into<Bytes>) -> Request<Body> {
    Request::post("/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::new(body.into()))
        .unwrap()
}

#[test]
fn the_text_of_a_look_up_is_the_services() {
    for (text, read) in [
        ("header:Authorization:Bearer", "header:authorization:Bearer"),
        // As the documentation of Serverless Devs writes prefixes.
        ("header:Authorization:Bearer ", "header:authorization:Bearer"),
        ("header:auth", "header:auth"),
        (
            " header:Authorization:Bearer , cookie:AuthorizationCookie",
            "header:authorization:Bearer,cookie:AuthorizationCookie",
        ),
        ("query:q,form:f,cookie:c,header:h", "query:q,form:f,cookie:c,header:h"),
        ("header:x:a:b", "header:x:a:b"),
    ] {
        let lookup: TokenLookup = text.parse().unwrap();
        assert_eq!(lookup.to_string(), read);
        assert_eq!(read.parse::<TokenLookup>().unwrap(), lookup);
    }
    for (text, rule) in [
        ("", "there is no place for a token"),
        (" ", "there is no place for a token"),
        ("header", "does not begin with"),
        ("Header:a", "does not begin with"),
        ("body:a", "does not begin with"),
        ("header:a,", "does not begin with"),
        (",header:a", "does not begin with"),
        ("header:", "names no header"),
        ("header:a b", "names no header"),
        ("header:é", "names no header"),
        ("header:a:é", "has a prefix that cannot stand in a header"),
        ("cookie:", "names nothing"),
        ("query: ", "names nothing"),
        ("cookie:a:Bearer", "has a prefix, which only a header can have"),
        ("query:a:", "has a prefix, which only a header can have"),
    ] {
        let error = text.parse::<TokenLookup>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{text}");
        assert!(error.to_string().contains(rule), "{text}: {error}");
    }
}

#[tokio::test]
async fn a_token_is_found_in_each_place() {
    let token = token();
    let (bearer, cookie) = (format!("Bearer {token}"), format!("a=1; session={token} ; b"));
    let (query, body) = (format!("/?a=1&q={token}&b"), format!("a=1&f={token}"));
    let escaped = format!("/?%71={}", token.replace('.', "%2e"));
    for (lookup, request, finds) in [
        ("header:Authorization:Bearer", get("/", &[("authorization", &bearer)]), true),
        ("header:x-token", get("/", &[("x-token", &token)]), true),
        ("header:x-token", get("/", &[("x-token", &format!("  {token} "))]), true),
        ("header:x-token:jwt=", get("/", &[("x-token", &format!("jwt={token}"))]), true),
        ("header:x-token:Token", get("/", &[("x-token", &format!("TOKEN\t{token}"))]), true),
        ("header:x-token:Bearer:", get("/", &[("x-token", &format!("Bearer: {token}"))]), true),
        ("cookie:session", get("/", &[("cookie", &cookie)]), true),
        ("cookie:session", get("/", &[("cookie", "a=1"), ("cookie", &cookie)]), true),
        ("query:q", get(&query, &[]), true),
        ("query:q", get(&escaped, &[]), true),
        ("form:f", form(body.clone()), true),
        // Elsewhere it is not looked for.
        ("header:x-token:Bearer", get("/", &[("x-token", &token)]), false),
        ("header:x-token:Bearer", get("/", &[("x-token", &format!("Bearer{token}"))]), false),
        ("header:x-token:Bearer", get("/", &[("x-token", "Bearer "), ("y", "")]), false),
        ("header:x-token:Bearer", get("/", &[("authorization", &bearer)]), false),
        ("cookie:session", get("/", &[("cookie", &format!("Session={token}"))]), false),
        ("cookie:session", get("/", &[("cookie", "session=")]), false),
        ("cookie:session", get("/", &[("x-cookie", &cookie)]), false),
        ("query:q", get(&format!("/?Q={token}"), &[]), false),
        ("query:q", form(format!("q={token}")), false),
        ("form:f", get(&format!("/?f={token}"), &[]), false),
        ("form:q", form(body), false),
    ] {
        let answer = send(&looking(lookup), request).await;
        match finds {
            true => drop(answer.unwrap()),
            false => {
                assert_eq!(answer.unwrap_err().kind(), RejectionKind::MissingToken, "{lookup}");
            }
        }
    }
}

#[tokio::test]
async fn the_first_place_that_has_something_decides() {
    let token = token();
    let (good, bad) = (format!("Bearer {token}"), "Bearer nonsense".to_owned());
    let both = looking("header:authorization:Bearer,cookie:session,query:q");
    for (headers, query, passes) in [
        (vec![("authorization", &*good)], "/?q=nonsense", true),
        (vec![("authorization", &*bad)], &*format!("/?q={token}"), false),
        // Of another scheme, it is no token.
        (vec![("authorization", "Basic YTpi")], &format!("/?q={token}"), true),
        (vec![("cookie", "session=nonsense")], &format!("/?q={token}"), false),
        (vec![("cookie", "session="), ("authorization", "Bearer")], &format!("/?q={token}"), true),
    ] {
        let answer = send(&both, get(query, &headers)).await;
        assert_eq!(answer.is_ok(), passes, "{headers:?} {query}");
        if let Err(rejection) = answer {
            assert_eq!(rejection.kind(), RejectionKind::InvalidToken);
        }
    }
}

#[tokio::test]
async fn a_place_that_has_two_tokens_is_refused() {
    let token = token();
    let bearer = format!("Bearer {token}");
    for (lookup, request) in [
        (
            "header:authorization:Bearer",
            get("/", &[("authorization", &bearer), ("authorization", &bearer)]),
        ),
        (
            "header:authorization:Bearer",
            get("/", &[("authorization", &bearer), ("authorization", "Bearer x")]),
        ),
        ("cookie:s", get("/", &[("cookie", &format!("s={token}; s=x"))])),
        ("cookie:s", get("/", &[("cookie", &format!("s={token}")), ("cookie", "s=x")])),
        ("query:q", get(&format!("/?q={token}&%71=x"), &[])),
        ("form:f", form(format!("f={token}&f=x"))),
    ] {
        let rejection = send(&looking(lookup), request).await.unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::InvalidToken, "{lookup}");
        assert_eq!(rejection.message(), "there is more than one token in one place");
    }
}

/// A service that takes any `Authorization` for a token does not take a signature for one.
#[tokio::test]
async fn a_signature_is_no_token() {
    let layer = looking("header:authorization");
    for scheme in crate::common::HEADER_SCHEMES {
        let request = crate::common::signed_at(get("/", &[]), scheme, crate::common::at(0));
        let rejection = send(&layer, request).await.unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::MissingToken, "{scheme:?}");
    }
    assert!(Scheme::ALL.len() >= crate::common::HEADER_SCHEMES.len());
    assert!(send(&layer, get("/", &[("authorization", &token())])).await.is_ok());
}

#[tokio::test]
async fn a_form_is_an_urlencoded_post() {
    let body = format!("f={}", token());
    let request = |method: Method, content_types: &[&str]| {
        let mut request = Request::builder().method(method).uri("/");
        for content_type in content_types {
            request = request.header("content-type", *content_type);
        }
        request.body(Body::from(body.clone())).unwrap()
    };
    let urlencoded = "application/x-www-form-urlencoded";
    for content_type in [
        urlencoded,
        "Application/X-WWW-Form-Urlencoded",
        "application/x-www-form-urlencoded; charset=UTF-8",
        "application/x-www-form-urlencoded;charset=\"utf-8\"",
        " application/x-www-form-urlencoded ; a=b",
    ] {
        assert!(send(&looking("form:f"), request(Method::POST, &[content_type])).await.is_ok());
    }
    let mut encoded = request(Method::POST, &[urlencoded]);
    encoded.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
    for request in [
        request(Method::PUT, &[urlencoded]),
        request(Method::GET, &[urlencoded]),
        request(Method::POST, &[]),
        request(Method::POST, &["text/plain"]),
        request(Method::POST, &["multipart/form-data; boundary=x"]),
        request(Method::POST, &["text/plain; application/x-www-form-urlencoded"]),
        request(Method::POST, &["application/x-www-form-urlencoded; charset=ibm037"]),
        request(Method::POST, &[urlencoded, "text/plain"]),
        encoded,
    ] {
        let rejection = send(&looking("form:f"), request).await.unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::MissingToken);
    }
}

/// A request whose body comes in pieces and counts how often it was polled.
fn pieces(body: Pieces) -> Request<Pieces> {
    form("").map(|_| body)
}

#[tokio::test]
async fn a_form_is_read_only_where_that_is_asked_for() {
    let token = token();
    for (lookup, headers, reads) in [
        ("header:authorization:Bearer", vec![], false),
        ("header:x-token,form:f", vec![("x-token", &*token)], false),
        ("form:f,header:x-token", vec![("x-token", &*token)], true),
        ("header:x-token,form:f", vec![], true),
    ] {
        let body = Pieces::of(["a=1", "&b=2"]);
        let polls = Arc::clone(&body.polls);
        let mut request = pieces(body);
        for (name, value) in headers {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let unread = service_fn(|_: Request<FormBody<Pieces>>| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(Body::default()))
        });
        looking(lookup).layer(unread).oneshot(request).await.unwrap();
        assert_eq!(polls.load(Ordering::SeqCst) > 0, reads, "{lookup}");
    }
}

#[tokio::test]
async fn the_bytes_of_a_form_are_handed_on_as_they_came() {
    let token = token();
    let fill = "x".repeat(2 * MAX_FORM_LEN);
    let filled = |len: usize| format!("f={token}&x={}", &fill[..len - token.len() - 5]);
    for len in [1_000, MAX_FORM_LEN - 1, MAX_FORM_LEN, MAX_FORM_LEN + 1, 3 * MAX_FORM_LEN / 2] {
        let body = filled(len);
        assert_eq!(body.len(), len);
        for chunk in [1_000, 16_384, usize::MAX] {
            let frames = body.as_bytes().chunks(chunk.min(len));
            let frames = frames.map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece))));
            let pieces = Pieces::<std::io::Error>::from_frames(frames);
            let pieces = pieces.then(Ok(Frame::trailers(trailers())));
            let seen = Arc::new(Mutex::new(None));
            let function = service_fn(|request: Request<FormBody<Pieces>>| {
                let seen = Arc::clone(&seen);
                async move {
                    let collected = request.into_body().collect().await.unwrap();
                    let trailers = collected.trailers().cloned();
                    *seen.lock().unwrap() = Some((collected.to_bytes(), trailers));
                    Ok::<_, std::convert::Infallible>(http::Response::new(Body::default()))
                }
            });
            let service = looking("form:f").layer(function);
            let response = service.oneshot(form("").map(|_| pieces)).await.unwrap();
            assert_eq!(response.status(), 200, "{len} {chunk}");
            let (data, kept) = seen.lock().unwrap().take().unwrap();
            assert_eq!(data, body);
            assert_eq!(kept, Some(trailers()));
        }
    }
}

#[tokio::test]
async fn a_form_is_looked_into_up_to_64_kb() {
    let token = token();
    let behind = |len: usize| format!("x={}&f={token}", "x".repeat(len - 2));
    // The token ends at the limit, or behind it.
    let most = MAX_FORM_LEN - token.len() - 3;
    for (body, finds) in [
        (behind(most), true),
        (behind(most) + "&", true),
        (behind(most - 1) + "&x", true),
        // It may go on.
        (behind(most) + "x", false),
        (behind(most + 1), false),
        (behind(MAX_FORM_LEN), false),
    ] {
        let len = body.len();
        let answer = send(&looking("form:f"), form(body)).await;
        match finds {
            true => drop(answer.unwrap()),
            false => {
                let kind = answer.unwrap_err().kind();
                assert_eq!(kind, RejectionKind::MissingToken, "{len}");
            }
        }
    }
    // No more is read than that, and one piece.
    let endless = Pieces::<std::io::Error>::from_frames(
        (0..1_000).map(|_| Ok(Frame::data(Bytes::from(vec![b'x'; 1_000])))),
    );
    let polls = Arc::clone(&endless.polls);
    let unread = service_fn(|_: Request<FormBody<Pieces>>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(Body::default()))
    });
    let response = looking("form:f").layer(unread).oneshot(pieces(endless)).await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(polls.load(Ordering::SeqCst), MAX_FORM_LEN / 1_000 + 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused() {
    let body = Pieces::of(["f=a"]).then(Err(std::io::Error::other("gone")));
    let unread = service_fn(|_: Request<FormBody<Pieces>>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(Body::default()))
    });
    let response = looking("form:f").layer(unread).oneshot(pieces(body)).await.unwrap();
    let rejection: &Rejection = response.extensions().get().unwrap();
    assert_eq!(rejection.kind(), RejectionKind::BodyIncomplete);
}

#[tokio::test]
async fn a_form_that_was_read_knows_its_length() {
    let token = token();
    let body = format!("a=1&f={token}");
    let len = body.len() as u64;
    let frames = || [Ok(Frame::data(Bytes::from(body.clone())))];
    let none = || Pieces::<std::io::Error>::from_frames(frames());
    for (body, hint) in [
        (none(), (len, Some(len))),
        // Beside trailers there is no exact one.
        (none().then(Ok(Frame::trailers(trailers()))), (len, None)),
        (
            none().then(Ok(Frame::data(Bytes::from(vec![b'&'; MAX_FORM_LEN])))),
            (len + MAX_FORM_LEN as u64, None),
        ),
    ] {
        let function = service_fn(move |request: Request<FormBody<Pieces>>| {
            let body = request.into_body();
            assert_eq!((body.size_hint().lower(), body.size_hint().upper()), hint);
            assert!(!body.is_end_stream());
            async { Ok::<_, std::convert::Infallible>(http::Response::new(Body::default())) }
        });
        let response = looking("form:f").layer(function).oneshot(pieces(body)).await.unwrap();
        assert_eq!(response.status(), 200);
    }
}
