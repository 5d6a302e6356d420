//! Verifying requests in front of a tower service.
//!
//! ```
//! use http::{Request, Response};
//! use std::convert::Infallible;
//! use tower::{Layer, Service, ServiceExt, service_fn};
//! use tower_fc::{Credentials, Signer, StaticKeys, VerifiedCaller, VerifyLayer, Verifier};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = StaticKeys::from_secrets([("LTAI5tExample", "secret")])?;
//! let mut service = VerifyLayer::new(Verifier::new(keys)).layer(service_fn(
//!     |request: Request<String>| async move {
//!         let caller: &VerifiedCaller = request.extensions().get().expect("it was verified");
//!         Ok::<_, Infallible>(Response::new(format!("hello {}", caller.access_key_id())))
//!     },
//! ));
//!
//! // Signed:
//! let mut request = Request::get("/").body(String::new())?;
//! let signer = Signer::new(Credentials::new("LTAI5tExample", "secret")?);
//! signer.sign_request_at(&mut request, std::time::SystemTime::now())?;
//! assert_eq!(service.ready().await?.call(request).await?.status(), 200);
//!
//! // Not signed: the service is not called.
//! let request = Request::get("/").body(String::new())?;
//! assert_eq!(service.ready().await?.call(request).await?.status(), 403);
//! # Ok(())
//! # }
//! ```
//!
//! # Order
//!
//! [`VerifyLayer`](crate::VerifyLayer) goes outside of
//! [`ReplayLayer`](crate::replay::ReplayLayer) and that outside of
//! [`CheckDigestLayer`](crate::digest::CheckDigestLayer), which both go by what it found out.
//! tower's `ServiceBuilder` is read from top to bottom: its first layer is the outermost. axum's
//! `Router::layer` puts each layer around what is there already, so that *the last one is the
//! outermost*. The other way round is a fault that every request is answered with: 500,
//! [`NotLookedAt`](crate::RejectionKind::NotLookedAt).
//!
//! ```
//! use axum::{Router, body::Body, routing::post};
//! use http::Request;
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_fc::digest::CheckDigestLayer;
//! use tower_fc::replay::{MemoryReplayGuard, ReplayLayer};
//! use tower_fc::{Credentials, Signer, StaticKeys, Verifier, VerifyLayer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = StaticKeys::from_secrets([("LTAI5tExample", "secret")])?;
//! let verify = VerifyLayer::new(Verifier::new(keys));
//! let replay = || ReplayLayer::new(MemoryReplayGuard::new(1_000));
//! let check = CheckDigestLayer::new();
//! let pay = || Router::new().route("/pay", post(async || "paid"));
//!
//! // Read from bottom to top:
//! let by_router = pay().layer(check.clone()).layer(replay()).layer(verify.clone());
//! // Read from top to bottom:
//! let by_builder = pay().layer(
//!     ServiceBuilder::new().layer(verify.clone()).layer(replay()).layer(check.clone()),
//! );
//! // Upside down:
//! let wrong = pay().layer(verify).layer(replay()).layer(check);
//!
//! let signer = Signer::new(Credentials::new("LTAI5tExample", "secret")?);
//! for (app, status) in [(by_router, 200), (by_builder, 200), (wrong, 500)] {
//!     let mut request = Request::post("/pay").body(Body::empty())?;
//!     signer.sign_request_at(&mut request, std::time::SystemTime::now())?;
//!     assert_eq!(app.oneshot(request).await?.status(), status);
//! }
//! # Ok(())
//! # }
//! ```

mod awaiting;
pub(crate) mod layer;
mod service;
#[cfg(feature = "jwt")]
mod verdict;

pub use crate::protocol::verifier::other::OtherScheme;
pub use awaiting::{AsyncVerify, AsyncVerifyLayer};
pub use layer::Mode;
pub use service::Verify;
#[cfg(feature = "jwt")]
pub use verdict::Verifying;

use crate::clock::{Clock, SystemClock};
use crate::protocol::{KeyStore, Rejection, VerifiedCaller, Verifier};
use http::Request;
use http::request::Parts;

impl<K: KeyStore> Verifier<K> {
    /// Verifies a request as of now. See [`Verifier::verify_at`].
    ///
    /// # Errors
    /// As [`Verifier::verify_at`].
    pub fn verify(&self, parts: &Parts) -> Result<VerifiedCaller, Rejection> {
        self.verify_at(parts, SystemClock.now())
    }

    /// Verifies a whole request as of now. Its body is not looked at.
    ///
    /// # Errors
    /// As [`Verifier::verify_at`].
    pub fn verify_request<B>(&self, request: &Request<B>) -> Result<VerifiedCaller, Rejection> {
        self.verify_request_at(request, SystemClock.now())
    }
}
