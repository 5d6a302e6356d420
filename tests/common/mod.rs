//! What the tests share: one access key, one time, and how a request is signed with them.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(unreachable_pub, reason = "a module of test programs, which have no public items")]
#![allow(unused_imports, reason = "each test program uses a part of it")]

pub mod bodies;
pub mod random;
pub mod server;
pub mod services;
pub mod vectors;

pub use random::Random;
pub use server::{client, serve};
pub use services::{Counting, Told, call};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tower_fc::clock::{Clock, FixedClock};
use tower_fc::keys::VerifyingKey;
use tower_fc::response::FcResponse;
use tower_fc::{
    Credentials, Presigner, Rejection, RejectionKind, Scheme, Signer, StaticKeys, Verifier,
    VerifyLayer,
};

pub const ID: &str = "LTAI5tExample";
pub const SECRET: &str = "an-example-secret";
pub const TOKEN: &str = "an-example-sts-token";

/// The time of all tests that have a clock.
pub const NOW: u64 = 1_795_283_820;
/// The same, as `date` and as `x-acs-date`.
pub const DATE: &str = "Sat, 21 Nov 2026 17:57:00 GMT";
pub const ACS_DATE: &str = "2026-11-21T17:57:00Z";

/// The schemes that sign in headers, of those that are always there.
pub const HEADER_SCHEMES: [Scheme; 3] = [Scheme::Fc, Scheme::Acs3HmacSha256, Scheme::Acs];

/// Digests of the empty body.
pub const EMPTY_MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";
pub const EMPTY_MD5_RFC_1864: &str = "1B2M2Y8AsgTpgAmY7PhCfg==";
pub const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// So many seconds after [`NOW`], or before it.
pub fn at(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW.saturating_add_signed(seconds))
}

pub fn clock() -> FixedClock {
    FixedClock::at_unix(NOW)
}

/// A clock that is one second further each time it is read, from [`NOW`] on.
pub fn ticking() -> impl Clock + Clone + Send + Sync {
    let seconds = Arc::new(AtomicU64::new(NOW));
    move || UNIX_EPOCH + Duration::from_secs(seconds.fetch_add(1, Ordering::SeqCst))
}

pub fn credentials() -> Credentials {
    Credentials::new(ID, SECRET).unwrap()
}

pub fn temporary_credentials() -> Credentials {
    credentials().with_security_token(TOKEN).unwrap()
}

pub fn signer(scheme: Scheme) -> Signer {
    Signer::new(credentials()).with_scheme(scheme).unwrap()
}

/// Signs whatever others would, however ambiguous.
pub fn careless(scheme: Scheme) -> Signer {
    signer(scheme).with_insecure_observation()
}

pub fn key() -> VerifyingKey {
    VerifyingKey::new(SECRET).unwrap()
}

pub fn keys() -> StaticKeys {
    StaticKeys::new().with_key(ID, key())
}

pub fn verifier() -> Verifier<StaticKeys> {
    Verifier::new(keys())
}

/// Verifies as of [`NOW`].
pub fn verify_layer() -> VerifyLayer<StaticKeys, FcResponse, FixedClock> {
    VerifyLayer::new(verifier()).with_clock(clock())
}

pub fn get(target: &str) -> Request<()> {
    Request::get(target).body(()).unwrap()
}

/// Signs a request as of [`NOW`] by scheme `FC`, as [`careless`] does.
pub fn signed<B>(request: Request<B>) -> Request<B> {
    signed_at(request, Scheme::Fc, at(0))
}

pub fn signed_at<B>(request: Request<B>, scheme: Scheme, now: SystemTime) -> Request<B> {
    signed_by(&careless(scheme), request, now)
}

pub fn signed_by<B>(signer: &Signer, mut request: Request<B>, now: SystemTime) -> Request<B> {
    signer.sign_request_at(&mut request, now).unwrap();
    request
}

/// Signs a request in its URL, from [`NOW`] on for so many seconds.
pub fn presigned<B>(mut request: Request<B>, by: Credentials, lifetime: u64) -> Request<B> {
    let lifetime = Duration::from_secs(lifetime);
    let presigner = Presigner::new(by).with_insecure_observation();
    let url = presigner.presign_request_at(&request, lifetime, at(0)).unwrap();
    *request.uri_mut() = url.into_uri();
    request
}

/// The signature in the `Authorization` of a request.
pub fn signature<B>(request: &Request<B>) -> String {
    let value = request.headers()[AUTHORIZATION].to_str().unwrap();
    value.rsplit([':', ',']).next().unwrap().trim_start_matches("Signature=").to_owned()
}

/// As many headers as `http` takes.
pub fn full_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    let name = |number| HeaderName::try_from(format!("x-{number}")).unwrap();
    let value = HeaderValue::from_static("");
    let mut numbers = 0..;
    while headers.try_append(name(numbers.next().unwrap()), value.clone()).is_ok() {}
    headers
}

/// Every way in which one bit of these bytes can be another.
pub fn with_another_bit(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut other = bytes.to_vec();
        other[bit / 8] ^= 1 << (bit % 8);
        other
    })
}

/// The kind of refusal in an answer, `None` of an answer of the inner service.
pub fn refusal<B>(response: &Response<B>) -> Option<RejectionKind> {
    response.extensions().get::<Rejection>().map(Rejection::kind)
}

/// The bytes of a body.
pub async fn read<B>(response: Response<B>) -> Bytes
where
    B: http_body::Body<Error: std::fmt::Debug>,
{
    response.into_body().collect().await.unwrap().to_bytes()
}

/// The `ErrorCode` and `ErrorMessage` of an answer.
pub async fn read_error<B>(response: Response<B>) -> (String, String)
where
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let body = read(response).await;
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (text("ErrorCode"), text("ErrorMessage"))
}

/// The one value of a header, which has to be there exactly once.
pub fn only<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let all: Vec<_> = headers.get_all(name).iter().collect();
    assert_eq!(all.len(), 1, "{name} is there {} times", all.len());
    all[0].to_str().unwrap()
}
