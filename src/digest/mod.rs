//! Digests of bodies: set before signing, compared after verifying.
//!
//! A signature covers a body only by its digest in a signed header. [`SetDigestLayer`]
//! sets that header in a client, outside [`SignLayer`](crate::SignLayer);
//! [`CheckDigestLayer`] compares in a server, inside [`VerifyLayer`](crate::VerifyLayer).
//! Without tower, [`content_md5`] and [`content_sha256`] give the values of the two headers.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::{BodyExt, Full};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_fc::digest::{
//!     BodyDigestMismatch, BodyPolicy, BufferedBody, CheckDigestLayer, CheckedBody, SetDigestLayer,
//! };
//! use tower_fc::error::BoxError;
//! use tower_fc::{Credentials, SignLayer, Signer, StaticKeys, Verifier, VerifyLayer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! // The server reads the body as it comes, and learns at the end whether it is right.
//! async fn store(
//!     request: Request<CheckedBody<Full<Bytes>>>,
//! ) -> Result<Response<Full<Bytes>>, BoxError> {
//!     let mut response = Response::new(Full::default());
//!     match request.into_body().collect().await {
//!         Ok(body) => *response.body_mut() = body.to_bytes().into(),
//!         Err(error) if error.is::<BodyDigestMismatch>() => {
//!             *response.status_mut() = StatusCode::FORBIDDEN;
//!         }
//!         Err(error) => return Err(error),
//!     }
//!     Ok(response)
//! }
//! let keys = StaticKeys::from_secrets([("LTAI5tExample", "secret")])?;
//! let server = ServiceBuilder::new()
//!     .layer(VerifyLayer::new(Verifier::new(keys)))
//!     .layer(CheckDigestLayer::new().with_policy(BodyPolicy::Require))
//!     .service(service_fn(store));
//!
//! // What lies between the two may change the body, but not the digest.
//! let network = |request: Request<BufferedBody>| {
//!     request.map(|body| match body.data().as_ref() {
//!         b"pay 10 to mallory?" => Full::from("pay 99 to mallory!"),
//!         _ => Full::from(body.data().clone()),
//!     })
//! };
//! let signer = Signer::new(Credentials::new("LTAI5tExample", "secret")?);
//! let client = ServiceBuilder::new()
//!     .layer(SetDigestLayer::for_signer(&signer))
//!     .layer(SignLayer::new(signer))
//!     .map_request(network)
//!     .service(server);
//!
//! let request = Request::post("/").body(Full::<Bytes>::from("pay 10 to alice"))?;
//! let response = client.clone().oneshot(request).await?;
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "pay 10 to alice");
//!
//! let request = Request::post("/").body(Full::<Bytes>::from("pay 10 to mallory?"))?;
//! assert_eq!(client.oneshot(request).await?.status(), 403);
//! # Ok(())
//! # }
//! ```
//!
//! # In axum
//!
//! The last `layer` is the outermost: see [the order](crate::verify#order).
//!
//! ```
//! # use axum::{Router, routing::post};
//! # use tower_fc::digest::CheckDigestLayer;
//! # use tower_fc::{StaticKeys, Verifier, VerifyLayer};
//! # let verifier = Verifier::new(StaticKeys::new());
//! let app: Router = Router::new()
//!     .route("/", post(async |body: String| body))
//!     .layer(CheckDigestLayer::new())
//!     .layer(VerifyLayer::new(verifier));
//! ```
//!
//! # What a wrong body is answered with
//!
//! Where it is seen beforehand, and with [`CheckDigestLayer::buffered`]: 403. Where it streams,
//! by what reads it, for which it is a body that breaks off. axum's extractors (`Json`, `Bytes`,
//! `String`) answer 400 then, as they do when a connection is lost, and the handler is
//! not called. A handler that is to tell them apart takes a `Result` of the extractor and finds
//! [`BodyDigestMismatch`] among the sources of the error. The observer
//! ([`CheckDigestLayer::with_observer`]) is told either way, as soon as it is found out.
//!
//! # What is compared
//!
//! | scheme | the header that is signed | forms that a check takes |
//! |---|---|---|
//! | `FC`, presigned `FC`, `acs` | `content-md5` | base64 of the 16 bytes (RFC 1864), 32 hexadecimal digits (Go's SDK), base64 of these (Node's) |
//! | `ACS3-HMAC-SHA256` | `x-acs-content-sha256` | 64 hexadecimal digits of SHA-256 |
//! | `ACS3-HMAC-SM3` | the same | 64 hexadecimal digits of SM3 |
//!
//! Digits are in lower case. Whichever header it is, it counts where the signature covers
//! it: `content-md5` also under `ACS3` if `SignedHeaders` names it, `x-acs-content-sha256`
//! also under `acs`, never under `FC`. Of two the hash decides. A repeated one is refused.
//!
//! The MD5 that Go's older `fc-go-sdk` signs is that of no body on the wire: its requests
//! pass under [`BodyPolicy::Ignore`] only. MD5 withstands accidents, and changes by
//! someone who did not choose the body; against a body whose author prepared a second one
//! with the same MD5, only `x-acs-content-sha256` helps.

mod body;
pub(crate) mod buffering;
mod check;
mod future;
mod layer;
mod mismatch;
mod policy;
mod service;
mod set;

pub use crate::protocol::crypto::hash::Md5Encoding;
pub use body::CheckedBody;
pub use buffering::{BodyTooLarge, BufferedBody};
pub use future::BufferedCheckFuture;
pub use layer::{BufferedCheckDigestLayer, CheckDigestLayer};
pub use mismatch::BodyDigestMismatch;
pub use policy::BodyPolicy;
pub use service::{BufferedCheckDigest, CheckDigest};
pub use set::{
    DEFAULT_LIMIT, DigestHeader, SetDigest, SetDigestFuture, SetDigestLayer, content_md5,
    content_sha256,
};
