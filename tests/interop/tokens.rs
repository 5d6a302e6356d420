//! Tokens of PyJWT.

use crate::sdks::{Sdk, finish};
use http::{Request, Response};
use http_body_util::{Empty, Full};
use std::convert::Infallible;
use tower::{Layer, ServiceExt, service_fn};
use tower_fc::trigger::jwt::{FormBody, Jwks, JwtLayer, VerifiedToken};

type Body = Empty<bytes::Bytes>;

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn tokens_of_pyjwt_are_judged_rightly() {
    let cases = finish(Sdk::Python.script("tokens"), "").await;
    assert_eq!(cases.len(), 13 * 9);
    let function = service_fn(async |request: Request<FormBody<Body>>| {
        let token: &VerifiedToken = request.extensions().get().unwrap();
        assert_eq!(token.subject(), Some("alice"));
        assert_eq!(request.headers()["x-name"].as_bytes(), "王".as_bytes());
        Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::default()))
    });
    for case in cases {
        let jwks = Jwks::from_json(&case["jwks"].to_string()).unwrap();
        let layer = JwtLayer::new(jwks).with_claims("header:name:x-name".parse().unwrap());
        let value = format!("Bearer {}", case["token"].as_str().unwrap());
        let request = Request::get("/").header("authorization", value).body(Body::new()).unwrap();
        let response = layer.layer(function).oneshot(request).await.unwrap();
        assert_eq!(case["expect"], response.status().as_u16(), "{}", case["name"]);
    }
}
