//! Nothing that is printed has a secret in it: no access key secret, no security
//! token, no signature that would have been right.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use http::{HeaderMap, Method, Request};
use std::collections::HashMap;
use std::error::Error as _;
use std::fmt::{Debug, Display};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tower::Layer;
use tower_fc::{
    AsyncSignLayer, Credentials, ErrorKind, FcResponse, Keys, Presigner, RejectionResponse, Scheme,
    SignLayer, Signer, SigningKey, StaticKeys, Verifier, VerifyLayer,
};

const SECRET: &str = "canary-secret-5f1c";
const TOKEN: &str = "canary-token-77aa";

fn credentials() -> Credentials {
    Credentials::new("the-id", SECRET).unwrap().with_security_token(TOKEN).unwrap()
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// What was printed, and must not contain any of the canaries.
#[derive(Default)]
struct Printed(Vec<(&'static str, String)>);

impl Printed {
    fn debug(&mut self, what: &'static str, value: &impl Debug) {
        self.0.push((what, format!("{value:?} {value:#?}")));
    }

    fn display(&mut self, what: &'static str, value: &impl Display) {
        self.0.push((what, value.to_string()));
    }

    fn assert_without(&self, canaries: &[&str]) {
        for (what, text) in &self.0 {
            for canary in canaries {
                assert!(!text.contains(canary), "{what} prints {canary}: {text}");
            }
        }
    }
}

#[test]
fn nothing_public_prints_a_secret() {
    let mut printed = Printed::default();
    let key = credentials().key().clone();
    let keys = StaticKeys::new().with_key("the-id", key.clone());
    let verifier = Verifier::new(keys.clone());
    printed.debug("Credentials", &credentials());
    printed.debug("SigningKey", &key);
    printed.debug("Keys", &Keys::from(key.clone()));
    printed.debug("a map of keys", &HashMap::from([("the-id", key.clone())]));
    printed.debug("StaticKeys", &keys);
    printed.debug("Signer", &Signer::new(credentials()));
    printed.debug("Presigner", &Presigner::new(credentials()));
    printed.debug("Verifier", &verifier);
    printed.debug("SignLayer", &SignLayer::new(credentials()));
    printed.debug("Sign", &SignLayer::new(credentials()).layer(()));
    printed.debug("AsyncSignLayer", &AsyncSignLayer::new(credentials()));
    printed.debug("AsyncSign", &AsyncSignLayer::new(credentials()).layer(()));
    printed.debug("VerifyLayer", &VerifyLayer::new(verifier.clone()));
    printed.debug("Verify", &VerifyLayer::new(verifier.clone()).layer(()));
    let awaiting = VerifyLayer::new(verifier.clone()).awaiting_keys();
    printed.debug("AsyncVerifyLayer", &awaiting);
    printed.debug("AsyncVerify", &awaiting.layer(()));
    printed.assert_without(&[SECRET, TOKEN, "canary"]);
}

#[test]
fn what_is_refused_at_construction_is_not_printed() {
    let mut printed = Printed::default();
    let errors = [
        (Credentials::new("the-id", "canary secret").err(), ErrorKind::InvalidAccessKeySecret),
        (SigningKey::new("canary\n").err(), ErrorKind::InvalidAccessKeySecret),
        (
            SigningKey::new(SECRET).unwrap().with_security_token("canary token").err(),
            ErrorKind::InvalidSecurityToken,
        ),
        (credentials().with_security_token("canary\u{e9}").err(), ErrorKind::InvalidSecurityToken),
    ];
    for (error, kind) in errors {
        let error = error.unwrap();
        assert_eq!(error.kind(), kind);
        assert!(error.source().is_none());
        printed.debug("Error", &error);
        printed.display("Error", &error);
    }
    printed.assert_without(&["canary"]);
}

#[test]
fn a_signed_request_prints_neither_its_token_nor_its_signature() {
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256, Scheme::Acs] {
        let signer = Signer::new(credentials()).with_scheme(scheme).unwrap();
        let mut request = Request::get("https://demo.example/").body(()).unwrap();
        signer.sign_request_at(&mut request, now()).unwrap();
        let authorization = request.headers()["authorization"].to_str().unwrap().to_owned();
        let signature = authorization.rsplit([':', '=']).find(|text| text.len() > 20).unwrap();
        let mut printed = Printed::default();
        printed.debug("a signed request", &request);
        printed.assert_without(&[TOKEN, signature]);
    }
}

#[test]
fn a_presigned_url_prints_neither_its_token_nor_its_signature() {
    let url = Presigner::new(credentials())
        .presign_at(
            &Method::GET,
            &"https://demo.example/a?b=c".parse().unwrap(),
            &HeaderMap::new(),
            Duration::from_secs(60),
            now(),
        )
        .unwrap();
    let query = url.uri().query().unwrap().to_owned();
    let signature = query.split("x-fc-signature=").nth(1).unwrap();
    let mut printed = Printed::default();
    printed.debug("PresignedUrl", &url);
    printed.assert_without(&[TOKEN, signature]);
}

#[test]
fn a_refusal_prints_neither_the_token_nor_the_right_signature() {
    let keys = StaticKeys::new().with_key("the-id", SigningKey::new(SECRET).unwrap());
    let verifier = Verifier::new(keys);
    let mut request = Request::get("/").body(()).unwrap();
    Signer::new(credentials()).sign_request_at(&mut request, now()).unwrap();
    let right = request.headers()["authorization"].to_str().unwrap()[10..].to_owned();

    let caller = verifier.verify_request_at(&request, now()).unwrap();
    let mut printed = Printed::default();
    printed.debug("VerifiedCaller", &caller);
    printed.assert_without(&[TOKEN, &right]);

    let wrong = format!("FC the-id:{}=", "A".repeat(43));
    request.headers_mut().insert("authorization", wrong.parse().unwrap());
    let rejection = verifier.verify_request_at(&request, now()).unwrap_err();
    printed.debug("Rejection", &rejection);
    printed.display("Rejection", &rejection);
    let (parts, ()) = request.into_parts();
    let response = FcResponse.rejection_response(&rejection, &parts);
    printed.debug("the response", &response);
    printed.assert_without(&[TOKEN, SECRET, &right]);
}
