//! The requests that the benches and `tests/allocations.rs` share.
//!
//! `small`, `typical` and `large` are the shapes that `benches/peers/` measures other
//! libraries on: 0, 6 and 40 parameters; 2, 12 and 40 headers, of which 0, 4 and 16
//! begin with `x-fc-` or `x-acs-`.

// Everyone who uses this uses a part of it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod hostile;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response};
use std::convert::Infallible;
use std::future::Ready;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};
use tower::Service;
use tower_fc::protocol::Schemes;
use tower_fc::{Credentials, Presigner, Scheme, Signer, StaticKeys, Verifier};

const HOST: &str = "123456789.cn-hangzhou.fc.aliyuncs.com";
/// Of the length of real ones.
pub const ID: &str = "LTAI5tExampleExampleKey1";
const SECRET: &str = "ExampleExampleExampleSecret123";

/// The schemes that are measured, those of the targets first.
pub const SCHEMES: [Scheme; 4] =
    [Scheme::Fc, Scheme::Acs3HmacSha256, Scheme::Acs, Scheme::FcPresigned];

/// What a request is made of.
pub struct Shape {
    pub name: &'static str,
    pub method: Method,
    /// Path and query.
    pub target: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Shape {
    fn new(name: &'static str, method: Method, target: String, headers: &[(&str, &str)]) -> Self {
        let mut shape = Self { name, method, target, headers: Vec::new() };
        for (name, value) in headers {
            shape.push(name, value);
        }
        shape
    }

    fn push(&mut self, name: &str, value: &str) {
        // As off the wire: neither name nor value is known to the compiler.
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.headers.push((name, HeaderValue::from_str(value).unwrap()));
    }

    /// The request that a client has in hand: with an absolute target, and with room
    /// for more headers in the map, as in one that was just built.
    pub fn unsigned(&self) -> Parts {
        self.parts(&format!("https://{HOST}{}", self.target))
    }

    fn parts(&self, uri: &str) -> Parts {
        let request = Request::builder().method(self.method.clone()).uri(uri).body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        parts.headers = HeaderMap::with_capacity(self.headers.len() + 8);
        for (name, value) in &self.headers {
            parts.headers.append(name.clone(), value.clone());
        }
        parts
    }

    /// The request that a server has in hand: signed a moment ago, with the target in
    /// origin form.
    pub fn signed(&self, scheme: Scheme) -> Parts {
        let mut parts = self.parts(&self.target);
        if scheme == Scheme::FcPresigned {
            let lifetime = Duration::from_secs(3_600);
            let presigner = Presigner::new(credentials());
            let url = presigner.presign(&parts, lifetime);
            parts.uri = url.unwrap().into_uri();
        } else {
            signer(scheme).sign(&mut parts).unwrap();
        }
        parts
    }

    /// How many bytes are canonicalised and hashed in the course of signing.
    pub fn signed_bytes(&self, scheme: Scheme) -> u64 {
        let (parts, now) = (self.unsigned(), SystemTime::now());
        // Presigned URLs are signed as FC headers are, but for a few bytes.
        let scheme = if scheme == Scheme::FcPresigned { Scheme::Fc } else { scheme };
        let signer = signer(scheme);
        let canonical = signer.canonical_request_at(&parts, now).unwrap().unwrap_or_default();
        (canonical.len() + signer.string_to_sign_at(&parts, now).unwrap().len()) as u64
    }
}

/// An equal request with a header map of its own, with room for more headers. A plain
/// clone has none, and signing would pay for the growth of the map.
pub fn fresh(parts: &Parts) -> Parts {
    let mut headers = HeaderMap::with_capacity(parts.headers.len() + 8);
    for (name, value) in &parts.headers {
        headers.append(name.clone(), value.clone());
    }
    let mut parts = parts.clone();
    parts.headers = headers;
    parts
}

pub fn credentials() -> Credentials {
    Credentials::new(ID, SECRET).unwrap()
}

/// A signer of a scheme; of `FC` for presigned URLs, which are made by a `Presigner`.
pub fn signer(scheme: Scheme) -> Signer {
    let scheme = if scheme == Scheme::FcPresigned { Scheme::Fc } else { scheme };
    Signer::new(credentials()).with_scheme(scheme).unwrap()
}

/// Accepts every scheme, in the documented form, and has 16 keys to look through.
pub fn verifier() -> Verifier<StaticKeys> {
    let others = (0..15).map(|i| (format!("LTAI5tOtherExampleKey{i:02}"), format!("secret-{i}")));
    let keys = others.chain([(ID.to_owned(), SECRET.to_owned())]);
    Verifier::new(StaticKeys::from_secrets(keys).unwrap()).with_schemes(Schemes::all())
}

/// The same without bounds on the size of what it accepts.
pub fn unbounded_verifier() -> Verifier<StaticKeys> {
    verifier()
        .with_max_target_len(usize::MAX)
        .with_max_headers_len(usize::MAX)
        .with_max_signed_headers(usize::MAX)
}

fn prefix(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Fc | Scheme::FcPresigned => "x-fc-",
        _ => "x-acs-",
    }
}

pub fn all(scheme: Scheme) -> [Shape; 3] {
    [small(scheme), typical(scheme), large(scheme)]
}

/// Two headers, one of which is set by the signer.
pub fn small(scheme: Scheme) -> Shape {
    let date = match scheme {
        Scheme::Fc | Scheme::FcPresigned | Scheme::Acs => "date",
        _ => "x-acs-date",
    };
    Shape::new("small", Method::GET, "/hello".to_owned(), &[("host", HOST), (date, "")])
}

/// The headers that a JSON POST usually has.
const COMMON: [(&str, &str); 8] = [
    ("host", HOST),
    ("content-type", "application/json; charset=utf-8"),
    ("content-length", "1024"),
    ("user-agent", "example-client/1.4.2 (linux; x86_64)"),
    ("accept", "application/json, text/plain, */*"),
    ("accept-encoding", "gzip, deflate, br"),
    ("date", ""),
    ("content-md5", "XrY7u+Ae7tCTyyK7j1rNww=="),
];

/// The first of `count` headers that a scheme signs by the beginning of their names.
fn push_prefixed(shape: &mut Shape, scheme: Scheme, count: usize) {
    const FC: [(&str, &str); 4] = [
        ("x-fc-trace-id", "1-65a1f3c2-8d7e6f5a4b3c2d1e0f9a8b7c"),
        ("x-fc-invocation-type", "Async"),
        ("x-fc-log-type", "Tail"),
        ("x-fc-account-tag", "123456789012/production"),
    ];
    const ACS: [(&str, &str); 4] = [
        ("x-acs-date", ""),
        (
            "x-acs-content-sha256",
            "e9ebb1b1d1d3f65a0a4b5a2ef67a8a3c1d6d5f6e3c0d1a5b9f8e7d6c5b4a3928",
        ),
        ("x-acs-signature-nonce", "9fbb1b3e5f7a4c0d8a6e2b1c3d4e5f60"),
        ("x-acs-version", "2023-03-30"),
    ];
    let prefix = prefix(scheme);
    let first = if prefix == "x-fc-" { FC } else { ACS };
    for (name, value) in &first[..count.min(4)] {
        shape.push(name, value);
    }
    for i in 4..count {
        // In an order that is not the sorted one.
        let n = i * 7919 % 10_000;
        let value = format!("meta value {n:04} abcdefghi");
        shape.push(&format!("{prefix}meta-key-{n:04}"), &value);
    }
}

pub fn typical(scheme: Scheme) -> Shape {
    let query =
        "version=2&name=hello%20world&city=%E6%9D%AD%E5%B7%9E&limit=100&cursor=&filter=a%3Db%2Fc";
    let target = format!("/2016-08-15/proxy/svc/func/a%20b/c?{query}");
    let mut shape = Shape::new("typical", Method::POST, target, &COMMON);
    push_prefixed(&mut shape, scheme, 4);
    shape
}

pub fn large(scheme: Scheme) -> Shape {
    let mut target = "/2016-08-15/proxy/service-with-name/function-with-name".to_owned();
    for i in 0..11 {
        target += &format!("/segment%20{i:02}-abcdefgh");
    }
    target.push('?');
    target += &query(40);
    let mut shape = Shape::new("large", Method::POST, target, &COMMON);
    for (name, value) in [
        ("accept-language", "en-US,en;q=0.9,zh-CN;q=0.8"),
        ("cache-control", "no-cache"),
        ("origin", "https://console.example.com"),
        ("referer", "https://console.example.com/functions/list?page=3"),
        ("x-request-id", "7f0c2f64-6b1e-4d0a-9a57-3f1f6f3a2b10"),
        ("x-forwarded-for", "203.0.113.7, 198.51.100.23"),
        ("x-forwarded-proto", "https"),
        ("x-real-ip", "203.0.113.7"),
    ] {
        shape.push(name, value);
    }
    for i in 0..8 {
        let value = format!("application value number {i:02}");
        shape.push(&format!("x-app-field-{i:02}"), &value);
    }
    push_prefixed(&mut shape, scheme, 16);
    shape
}

/// A request with this many parameters, and the headers of `typical`.
pub fn with_parameters(scheme: Scheme, count: usize) -> Shape {
    let target = format!("/2016-08-15/proxy/svc/func?{}", query(count));
    Shape { name: "parameters", target, ..typical(scheme) }
}

/// A request with the parameters of `typical`, and this many headers that are signed
/// by the beginning of their names.
pub fn with_headers(scheme: Scheme, count: usize) -> Shape {
    let mut shape = typical(scheme);
    shape.headers.retain(|(name, _)| !name.as_str().starts_with(prefix(scheme)));
    shape.name = "headers";
    push_prefixed(&mut shape, scheme, count);
    shape
}

/// Parameters in an order that is not the sorted one: a third of them plain, a third
/// with escaped spaces, a third with characters beyond ASCII.
fn query(count: usize) -> String {
    let parameter = |i| {
        let n = i * 7919 % count;
        match n % 3 {
            0 => format!("param-name-{n:02}=plain-value-{n:02}-abcdef"),
            1 => format!("param-name-{n:02}=value%20with%20space%20{n:02}"),
            _ => format!("param-name-{n:02}=%E5%87%BD%E6%95%B0%2F{n:02}"),
        }
    };
    (0..count).map(parameter).collect::<Vec<_>>().join("&")
}

/// The inner service of every stack: drops the request, answers with an empty 200.
#[derive(Clone, Copy)]
pub struct Bare;

impl<B> Service<Request<B>> for Bare {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        drop(request);
        std::future::ready(Ok(Response::new(())))
    }
}

/// One call of a service that is ready at once, and done at the first poll.
pub fn call<S: Service<Request<B>>, B>(service: &mut S, request: Request<B>) -> S::Response {
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(service.poll_ready(cx).is_ready());
    match pin!(service.call(request)).poll(cx) {
        Poll::Ready(Ok(response)) => response,
        _ => unreachable!("the service answers at once"),
    }
}
