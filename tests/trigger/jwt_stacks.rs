//! Layers around and inside: readiness, frameworks, real connections.

use crate::common::{call, client, clock, read, refusal, serve};
use crate::jwt_common::{Body, Recorder, bearer, jwk, jwks, layer, token, token_of};
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::json;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_fc::digest::CheckedBody;
use tower_fc::trigger::jwt::{FormBody, JwtLayer, Paths, SignatureOrJwtLayer, VerifiedToken};
use tower_fc::trigger::{HttpTrigger, LimitedBody};
use tower_fc::{Rejection, RejectionKind, VerifiedCaller};

#[tokio::test]
async fn the_service_that_is_called_is_the_one_that_was_ready() {
    let limited =
        ServiceBuilder::new().layer(layer()).concurrency_limit(1).service(Recorder::default());
    let buffered = ServiceBuilder::new().layer(layer()).buffer(1).service(Recorder::default());
    let mut one = limited.clone();
    for _ in 0..3 {
        let response = call(&mut one, bearer(&token())).await.unwrap();
        assert_eq!(response.status(), 200);
        // A refused request gives its permit back.
        let response = call(&mut one, bearer("x")).await.unwrap();
        assert_eq!(response.status(), 403);
    }
    let mut calls = Vec::new();
    for number in 0..20 {
        let (token, expected) = if number % 2 == 0 { (token(), 200) } else { ("x".into(), 403) };
        calls.push((expected, tokio::spawn(limited.clone().oneshot(bearer(&token)))));
    }
    for (expected, call) in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), expected);
    }
    let mut calls = Vec::new();
    for number in 0..20 {
        let (token, expected) = if number % 2 == 0 { (token(), 200) } else { ("x".into(), 403) };
        calls.push((expected, tokio::spawn(buffered.clone().oneshot(bearer(&token)))));
    }
    for (expected, call) in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), expected);
    }
}

#[tokio::test]
async fn a_refusal_is_answered_as_one_likes() {
    let teapot = |rejection: &Rejection, _: &Parts| {
        let mut response = Response::new(Bytes::from(rejection.kind().name()));
        *response.status_mut() = StatusCode::IM_A_TEAPOT;
        response
    };
    let service = layer().with_rejection_response(teapot).layer(Recorder::default());
    let response = service.oneshot(Request::new(Body::default())).await.unwrap();
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(refusal(&response), Some(RejectionKind::MissingToken));
    assert_eq!(read(response).await, "missing_token");
    // gRPC has a way of its own.
    let request = Request::post("/a.B/C").header("content-type", "application/grpc");
    let service = layer().layer(Recorder::default());
    let response = service.oneshot(request.body(Body::default()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["grpc-status"], "16");
}

#[tokio::test]
async fn nobody_outside_can_say_who_calls() {
    let verified = crate::jwt_common::send(
        &layer(),
        bearer(&token_of(&json!({
            "sub": "mallory", "exp": crate::common::NOW + 9,
        }))),
    )
    .await
    .unwrap();
    let of_another = verified.parts.extensions.get::<VerifiedToken>().unwrap();
    let signed = crate::common::signed(crate::common::get("/"));
    let caller = crate::common::verifier().verify_request_at(&signed, crate::common::at(0));
    let free = layer().with_paths(Paths::all_but(["/"]).unwrap());
    for (layer, subject) in [(layer(), Some("alice")), (free, None)] {
        let mut request = bearer(&token());
        request.extensions_mut().insert(of_another.clone());
        request.extensions_mut().insert(caller.clone().unwrap());
        let seen = crate::jwt_common::send(&layer, request).await.unwrap();
        let token: Option<&VerifiedToken> = seen.parts.extensions.get();
        assert_eq!(token.and_then(VerifiedToken::subject), subject);
        assert!(seen.parts.extensions.get::<VerifiedCaller>().is_none());
    }
}

#[tokio::test]
async fn paths_are_those_that_the_inner_service_sees() {
    let layer = layer().with_paths(Paths::only(["/admin/*"]).unwrap());
    for (target, status) in [
        ("/", 200),
        ("/free?a=/admin/x", 200),
        ("/admin/x", 403),
        ("/Admin/x", 403),
        ("//admin/x", 403),
        ("/x/../admin/x", 403),
        ("/%61dmin/x", 403),
        ("http://demo.example/admin/x", 403),
        ("http://demo.example", 200),
        ("*", 403),
    ] {
        let request = Request::get(target).body(Body::default()).unwrap();
        let service = layer.layer(Recorder::default());
        assert_eq!(service.oneshot(request).await.unwrap().status(), status, "{target}");
    }
}

#[tokio::test]
async fn a_trigger_with_tokens_works_over_real_connections() {
    type Read = LimitedBody<CheckedBody<FormBody<hyper::body::Incoming>>>;
    let function = service_fn(async |request: Request<Read>| {
        let token: &VerifiedToken = request.extensions().get().unwrap();
        let name = request.headers()["x-name"].to_str().unwrap().to_owned();
        let text = format!("{} {name}: ", token.subject().unwrap());
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body = Body::from([text.as_bytes(), &body].concat());
        Ok::<_, std::convert::Infallible>(Response::new(body))
    });
    let jwt = layer().with_claims("header:name:x-name,form:sub:sub".parse().unwrap());
    let trigger = HttpTrigger::new(jwt).with_clock(clock()).layer(function);
    let address = serve(trigger).await;
    let token = token_of(&json!({
        "sub": "alice", "name": "Alice", "exp": crate::common::NOW + 9,
    }));
    for http2 in [false, true] {
        let request = || Request::post(format!("http://{address}/a")).header("x-name", "Mallory");
        let good = request()
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from("a=1&sub=mallory"))
            .unwrap();
        let response = call(&mut client(http2), good).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(read(response).await, "alice Alice: a=1&sub=alice");
        let bad = request().body(Body::default()).unwrap();
        let response = call(&mut client(http2), bad).await.unwrap();
        assert_eq!(response.status(), 403);
        assert!(response.headers().contains_key("x-fc-request-id"));
    }
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn a_token_is_an_extractor_of_axum() {
    use axum::Router;
    use axum::routing::get;
    use tower_fc::adapters::axum::NotVerified;
    async fn required(token: VerifiedToken) -> String {
        token.subject().unwrap().to_owned()
    }
    async fn optional(token: Option<VerifiedToken>) -> String {
        token.map_or("whoever".to_owned(), |token| token.subject().unwrap().to_owned())
    }
    async fn own(token: Result<VerifiedToken, NotVerified>) -> StatusCode {
        token.map_or(StatusCode::IM_A_TEAPOT, |_| StatusCode::OK)
    }
    let routes = || {
        let routes = Router::new().route("/required", get(required));
        routes.route("/optional", get(optional)).route("/own", get(own))
    };
    let with = routes().layer(layer());
    let free = routes()
        .layer(layer().with_paths(Paths::all_but(["/required", "/optional", "/own"]).unwrap()));
    let request = |target: &str| {
        let mut request = bearer(&token()).map(|_| axum::body::Body::empty());
        *request.uri_mut() = target.parse().unwrap();
        request
    };
    for (target, status, body) in
        [("/required", 200, "alice"), ("/optional", 200, "alice"), ("/own", 200, "")]
    {
        let response = with.clone().oneshot(request(target)).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(read(response).await, body);
    }
    for (target, status) in [("/required", 403), ("/optional", 200), ("/own", 418)] {
        for app in [&free, &routes()] {
            let response = app.clone().oneshot(request(target)).await.unwrap();
            assert_eq!(response.status(), status, "{target}");
            if status == 403 {
                assert_eq!(refusal(&response), Some(RejectionKind::MissingToken));
            }
        }
    }
    // In the way of the layer that let it pass, and by its clock.
    let teapot = |rejection: &Rejection, _: &Parts| {
        assert_eq!(rejection.time(), Some(crate::common::at(0)));
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::IM_A_TEAPOT;
        response
    };
    let free = layer().with_paths(Paths::all_but(["/required"]).unwrap());
    let free = routes().layer(free.with_rejection_response(teapot));
    let verify = crate::common::verify_layer().with_rejection_response(teapot);
    let either = SignatureOrJwtLayer::new(verify, layer()).unwrap();
    let either = routes().layer(either);
    let signed = Request::get("/required").body(axum::body::Body::empty()).unwrap();
    let signed = crate::common::signed(signed);
    for (app, request) in [(free, request("/required")), (either, signed)] {
        let response = app.oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
        assert_eq!(refusal(&response), Some(RejectionKind::MissingToken));
    }
}

#[test]
fn what_is_public_has_the_traits_it_should_have() {
    use std::fmt::Debug;
    use tower_fc::trigger::jwt::{
        ClaimPassBy, Jwks, Jwt, JwtFuture, SignatureOrJwt, SignatureOrJwtLayer, TokenKeys,
        TokenLookup,
    };
    struct Bare;
    #[derive(Clone, Debug)]
    struct Rich;
    type Future = std::future::Ready<Result<Response<Bare>, Bare>>;
    fn value<T: Send + Sync + Unpin + Clone + Debug + 'static>() {}
    fn future<T: Send + Unpin + Debug + 'static>() {}
    value::<JwtLayer>();
    value::<JwtLayer<Rich, Rich>>();
    value::<SignatureOrJwtLayer<Rich, Rich, Rich>>();
    value::<Jwt<Rich>>();
    value::<SignatureOrJwt<Rich, Rich>>();
    value::<Jwks>();
    value::<TokenKeys>();
    value::<TokenLookup>();
    value::<ClaimPassBy>();
    value::<Paths>();
    value::<VerifiedToken>();
    future::<JwtFuture<Bare, Future, Bare>>();
    fn body<T: Send + Sync + Unpin + Debug + Default + 'static>() {}
    body::<FormBody<Body>>();
    #[cfg(feature = "jwks-fetch")]
    value::<tower_fc::trigger::jwt::FetchedJwks>();
}

/// No token, claim or key is printed.
#[tokio::test]
async fn nothing_that_is_printed_has_a_token_in_it() {
    use tower_fc::trigger::jwt::JwtFuture;
    let canary = "canary-5f1c";
    let secret = crate::jwt_common::base64(crate::jwt_common::SECRET);
    let layer = layer().with_claims("header:c:x-c,form:c:c".parse().unwrap());
    let token = token_of(&json!({ "c": canary, "sub": canary, "exp": crate::common::NOW + 9 }));
    let mut printed = vec![
        format!("{layer:?} {layer:#?}"),
        format!("{:?}", layer.layer(())),
        format!("{:?}", jwks([jwk("HS256", "one")])),
    ];
    let mut service = layer.layer(Recorder::default());
    let future: JwtFuture<_, _, Body> = service.call(bearer(&token));
    printed.push(format!("{future:?}"));
    let response = future.await.unwrap();
    printed.push(format!("{response:?}"));
    let function = service_fn(async |request: Request<FormBody<Body>>| {
        let token: &VerifiedToken = request.extensions().get().unwrap();
        let text =
            format!("{token:?} {token:#?} {:?} {:?}", request.body(), request.headers()["x-c"]);
        Ok::<_, std::convert::Infallible>(Response::new(Body::from(text)))
    });
    let mut request = bearer(&token);
    *request.method_mut() = http::Method::POST;
    let form = "application/x-www-form-urlencoded".parse().unwrap();
    request.headers_mut().insert("content-type", form);
    let response = layer.layer(function).oneshot(request).await.unwrap();
    printed.push(String::from_utf8(read(response).await.to_vec()).unwrap());
    // Refusals of what is nearly right.
    let long = format!("{token}{}", "A".repeat(9_000));
    for bad in [&token[..token.len() - 2], &token.replacen('.', "..", 1), &long] {
        let response = layer.layer(Recorder::default()).oneshot(bearer(bad)).await.unwrap();
        let rejection: &Rejection = response.extensions().get().unwrap();
        printed.push(format!("{rejection} {rejection:?} {response:?}"));
        printed.push(String::from_utf8(read(response).await.to_vec()).unwrap());
    }
    assert!(printed.len() > 10);
    for text in printed {
        for part in token.split('.').chain([canary, &*secret]) {
            assert!(!text.contains(part), "{text}");
        }
    }
}
