//! An issuer of tokens, with a key of every kind, made for each run; and what became of a request.

#![allow(unreachable_pub, reason = "a module of a test program, which has no public items")]

use crate::common::{NOW, clock, refusal};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
    RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::{Arc, LazyLock, Mutex};
use tower::{Layer, Service, ServiceExt};
use tower_fc::Rejection;
use tower_fc::clock::FixedClock;
use tower_fc::response::FcResponse;
use tower_fc::trigger::jwt::{Jwks, JwtLayer};

pub type Body = Full<Bytes>;

/// All that a key can be for.
pub const ALGORITHMS: [&str; 13] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "HS256",
    "HS384", "HS512", "EdDSA",
];

/// The secret of the HMAC key.
pub const SECRET: &[u8] = b"canary: a secret of more than sixty-four bytes, which HS512 asks for";

pub struct Keys {
    pub rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    pub p521: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

/// The keys of the issuer.
pub static KEYS: LazyLock<Keys> = LazyLock::new(Keys::generate);

impl Keys {
    pub fn generate() -> Self {
        let ec =
            |algorithm: &'static EcdsaSigningAlgorithm| EcdsaKeyPair::generate(algorithm).unwrap();
        Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            p256: ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            p384: ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            p521: ec(&ECDSA_P521_SHA512_FIXED_SIGNING),
            ed25519: Ed25519KeyPair::generate().unwrap(),
        }
    }

    /// The key as jsonwebtoken takes it, which has no ES512.
    pub fn encoding(&self, algorithm: &str) -> EncodingKey {
        match algorithm {
            // Within the PKCS #8 is an RSAPrivateKey.
            "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => {
                EncodingKey::from_rsa_der(&self.rsa.as_der().unwrap().as_ref()[26..])
            }
            "ES256" => EncodingKey::from_ec_der(self.p256.to_pkcs8v1().unwrap().as_ref()),
            "ES384" => EncodingKey::from_ec_der(self.p384.to_pkcs8v1().unwrap().as_ref()),
            "HS256" | "HS384" | "HS512" => EncodingKey::from_secret(SECRET),
            "EdDSA" => EncodingKey::from_ed_der(self.ed25519.to_pkcs8v1().unwrap().as_ref()),
            _ => panic!("{algorithm}"),
        }
    }

    /// The public key, or the secret, as a JWK without `kid` and `alg`.
    pub fn jwk(&self, algorithm: &str) -> Value {
        let ec = |crv: &str, key: &EcdsaKeyPair| {
            let point = &key.public_key().as_ref()[1..];
            let (x, y) = point.split_at(point.len() / 2);
            json!({ "kty": "EC", "crv": crv, "x": base64(x), "y": base64(y) })
        };
        match algorithm {
            "ES256" => ec("P-256", &self.p256),
            "ES384" => ec("P-384", &self.p384),
            "ES512" => ec("P-521", &self.p521),
            "EdDSA" => {
                let x = base64(self.ed25519.public_key().as_ref());
                json!({ "kty": "OKP", "crv": "Ed25519", "x": x })
            }
            "HS256" | "HS384" | "HS512" => json!({ "kty": "oct", "k": base64(SECRET) }),
            _ => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(self.rsa.public_key());
                json!({ "kty": "RSA", "n": base64(public.n), "e": base64(public.e) })
            }
        }
    }

    /// A token of this header and these claims. The `alg` of the header is not looked at.
    pub fn sign(&self, algorithm: &str, header: &Value, claims: &Value) -> String {
        self.sign_text(algorithm, &header.to_string(), &claims.to_string())
    }

    pub fn sign_text(&self, algorithm: &str, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", base64(header), base64(claims));
        let signature = if algorithm == "ES512" {
            base64(self.p521.sign(&SystemRandom::new(), message.as_bytes()).unwrap())
        } else {
            let key = self.encoding(algorithm);
            jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm.parse().unwrap())
                .unwrap()
        };
        format!("{message}.{signature}")
    }
}

pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A JWK with `kid` and `alg`.
pub fn jwk(algorithm: &str, kid: &str) -> Value {
    let mut jwk = KEYS.jwk(algorithm);
    jwk["alg"] = algorithm.into();
    jwk["kid"] = kid.into();
    jwk
}

pub fn jwks(keys: impl IntoIterator<Item = Value>) -> Jwks {
    let keys: Vec<_> = keys.into_iter().collect();
    Jwks::from_json(&json!({ "keys": keys }).to_string()).unwrap()
}

/// A layer as of [`NOW`], by the key `one` of HS256.
pub fn layer() -> JwtLayer<FcResponse, FixedClock> {
    JwtLayer::new(jwks([jwk("HS256", "one")])).with_clock(clock())
}

/// Claims of a token that is good for five minutes.
pub fn claims() -> Value {
    json!({ "sub": "alice", "exp": NOW + 300 })
}

/// A token that [`layer`] lets pass.
pub fn token() -> String {
    token_of(&claims())
}

/// The same with other claims.
pub fn token_of(claims: &Value) -> String {
    KEYS.sign("HS256", &json!({ "alg": "HS256", "kid": "one" }), claims)
}

pub fn bearer(token: &str) -> Request<Body> {
    let value = format!("Bearer {token}");
    Request::get("/").header("authorization", value).body(Body::default()).unwrap()
}

/// What an inner service was called with.
#[derive(Debug)]
pub struct Seen {
    pub parts: Parts,
    pub body: Bytes,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        let values: Vec<_> = self.parts.headers.get_all(name).iter().collect();
        assert!(values.len() < 2, "{name} is there twice");
        values.first().map(|value| str::from_utf8(value.as_bytes()).unwrap())
    }
}

/// Sends a request through a layer: what the inner service saw of it, or why it did not.
pub async fn send<L, S, B>(layer: &L, request: Request<B>) -> Result<Seen, Rejection>
where
    L: Layer<Recorder, Service = S>,
    S: Service<Request<B>, Response = Response<tower_fc::response::ResponseBody<Body>>>,
    S::Error: std::fmt::Debug,
{
    let recorder = Recorder::default();
    let seen = Arc::clone(&recorder.0);
    let response = layer.layer(recorder).oneshot(request).await.unwrap();
    let seen = seen.lock().unwrap().take();
    match response.extensions().get::<Rejection>() {
        Some(rejection) => {
            assert!(seen.is_none(), "the inner service was called");
            assert_eq!(response.status(), rejection.status());
            assert_eq!(refusal(&response), Some(rejection.kind()));
            Err(rejection.clone())
        }
        None => Ok(seen.expect("the inner service was not called")),
    }
}

/// Keeps the request that it was called with.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Option<Seen>>>);

impl Recorder {
    pub fn take(&self) -> Seen {
        self.0.lock().unwrap().take().expect("the inner service was not called")
    }
}

impl<B> Service<Request<B>> for Recorder
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::pin::Pin<
        Box<dyn std::future::Future<Output = Result<Response<Body>, Infallible>> + Send>,
    >;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let seen = Arc::clone(&self.0);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            *seen.lock().unwrap() = Some(Seen { parts, body });
            Ok(Response::new(Body::from("hello")))
        })
    }
}
