//! `SetDigestLayer`, `CheckDigestLayer` and `BufferedCheckDigestLayer` in tower stacks.

mod check;
mod large;
mod pairs;
mod refusals;
mod sdks;
mod set;
mod stacks;
mod stream;

use crate::common::{at, clock, read, refusal, signed_at, verifier, verify_layer};
use bytes::{Buf, Bytes};
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use std::convert::Infallible;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_fc::digest::{BodyDigestMismatch, CheckedBody};
use tower_fc::digest::{BodyPolicy, CheckDigestLayer};
use tower_fc::error::BoxError;
use tower_fc::protocol::Schemes;
use tower_fc::verify::Mode;
use tower_fc::{RejectionKind, Scheme, Verifier, VerifyLayer};

/// The digests of `abc`, by RFC 1321, FIPS 180, and `base64`.
const MD5: &str = "900150983cd24fb0d6963f7d28e17f72";
const MD5_RFC_1864: &str = "kAFQmDzST7DWlj99KOF/cg==";
const MD5_BASE64_OF_HEX: &str = "OTAwMTUwOTgzY2QyNGZiMGQ2OTYzZjdkMjhlMTdmNzI=";
const SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// Every scheme that signs in headers, with each digest of `abc` it can carry.
const SIGNED: [(&str, Scheme, &str, &str); 8] = [
    ("FC, RFC 1864", Scheme::Fc, "content-md5", MD5_RFC_1864),
    ("FC, hex", Scheme::Fc, "content-md5", MD5),
    ("FC, base64 of hex", Scheme::Fc, "content-md5", MD5_BASE64_OF_HEX),
    ("acs, RFC 1864", Scheme::Acs, "content-md5", MD5_RFC_1864),
    ("acs, hex", Scheme::Acs, "content-md5", MD5),
    ("acs, base64 of hex", Scheme::Acs, "content-md5", MD5_BASE64_OF_HEX),
    ("acs, SHA-256", Scheme::Acs, "x-acs-content-sha256", SHA256),
    ("ACS3, SHA-256", Scheme::Acs3HmacSha256, "x-acs-content-sha256", SHA256),
];

fn full(text: impl Into<Bytes>) -> Full<Bytes> {
    Full::new(text.into())
}

/// Signs a `POST` with these headers, whatever its body is.
fn post<B>(scheme: Scheme, headers: &[(&str, &str)], body: B) -> Request<B> {
    let mut request = Request::post("/a?b=c").header("host", "demo.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    signed_at(request.body(body).unwrap(), scheme, at(0))
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Streaming,
    Buffered,
}

const WAYS: [Way; 2] = [Way::Streaming, Way::Buffered];

/// What became of a request.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// The inner service read all of this.
    Read(String),
    /// The inner service got the error that there is for a wrong digest.
    Mismatch,
    /// The inner service got another error of the body.
    Broken,
    /// The inner service was not called.
    Refused(StatusCode, RejectionKind),
}
use Outcome::{Broken, Mismatch, Read, Refused};

const WRONG: Outcome = Refused(StatusCode::FORBIDDEN, RejectionKind::BodyDigestMismatch);
const NOT_COVERED: Outcome = Refused(StatusCode::FORBIDDEN, RejectionKind::BodyNotCovered);

/// What becomes of a body that is not the one whose digest was signed.
fn wrong(way: Way) -> Outcome {
    match way {
        Way::Streaming => Mismatch,
        Way::Buffered => WRONG,
    }
}

/// Reads the body of a request, and answers with it or with what is wrong with it.
async fn echo<B>(request: Request<B>) -> Result<Response<String>, Infallible>
where
    B: Body<Data: Buf, Error = BoxError>,
{
    let (status, text) = match request.into_body().collect().await {
        Ok(body) => (200, String::from_utf8(body.to_bytes().to_vec()).unwrap()),
        Err(error) if error.is::<BodyDigestMismatch>() => (418, error.to_string()),
        Err(error) => (500, error.to_string()),
    };
    Ok(Response::builder().status(status).body(text).unwrap())
}

/// How much a buffering check holds in these tests.
const LIMIT: usize = 64;

/// Sends a request through verifier and check to a service that reads all of it.
async fn ask_with<K, B>(
    verifier: Verifier<K>,
    mode: Mode,
    way: Way,
    policy: BodyPolicy,
    request: Request<B>,
) -> Outcome
where
    K: tower_fc::keys::KeyStore,
    B: Body<Error: Into<BoxError>>,
{
    let verify = VerifyLayer::new(verifier).with_clock(clock()).with_mode(mode);
    let check = CheckDigestLayer::new().with_policy(policy);
    let echo = service_fn(echo);
    let response = match way {
        Way::Streaming => {
            let inner = verify.layer(check.layer(echo));
            inner.oneshot(request).await.unwrap().map(http_body_util::Either::Left)
        }
        Way::Buffered => {
            let inner = verify.layer(check.buffered(LIMIT).layer(echo));
            inner.oneshot(request).await.unwrap().map(http_body_util::Either::Right)
        }
    };
    if let Some(kind) = refusal(&response) {
        assert_eq!(response.status(), kind.status());
        return Refused(response.status(), kind);
    }
    match response.status().as_u16() {
        200 => Read(String::from_utf8(read(response).await.to_vec()).unwrap()),
        418 => Mismatch,
        _ => Broken,
    }
}

async fn ask<B: Body<Error: Into<BoxError>>>(
    way: Way,
    policy: BodyPolicy,
    request: Request<B>,
) -> Outcome {
    ask_with(verifier().with_schemes(Schemes::all()), Mode::Optional, way, policy, request).await
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The body that a service inside a check gets.
async fn kept<B: Body>(way: Way, policy: BodyPolicy, request: Request<B>) -> CheckedBody<B> {
    kept_by(CheckDigestLayer::new().with_policy(policy), way, request).await
}

async fn kept_by<B: Body>(
    check: CheckDigestLayer,
    way: Way,
    request: Request<B>,
) -> CheckedBody<B> {
    let (send, mut kept) = tokio::sync::mpsc::unbounded_channel();
    let keep = service_fn(|request: Request<CheckedBody<B>>| {
        assert!(send.send(request.into_body()).is_ok());
        std::future::ready(Ok::<_, Infallible>(Response::new(String::new())))
    });
    let status = match way {
        Way::Streaming => {
            let service = verify_layer().layer(check.layer(keep));
            service.oneshot(request).await.unwrap().status()
        }
        Way::Buffered => {
            let service = verify_layer().layer(check.buffered(LIMIT).layer(keep));
            service.oneshot(request).await.unwrap().status()
        }
    };
    assert_eq!(status, 200);
    kept.try_recv().unwrap()
}
