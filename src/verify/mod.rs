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

//! # Behind a proxy
//!
//! What is signed is what the client called, to the letter. A proxy that changes the host or the
//! target on the way has to be told not to, or the verifier what it does:
//! [`Verifier::with_external_base`](crate::Verifier::with_external_base). `X-Forwarded-Host` and its
//! like are never believed. `tests/system/proxies.rs` runs the proxies of Debian 12 with the lines
//! below, over plain targets and odd ones (`//`, `.`, `..`, escapes).
//!
//! | proxy | host | target |
//! |---|---|---|
//! | HAProxy 2.6 | kept | kept |
//! | Caddy 2.6 | kept | kept |
//! | Caddy 2.6, `handle_path` | kept | `//` merged, `.` and `..` resolved: such targets do not verify, whatever the base |
//! | Caddy 2.6, `uri path_regexp` | kept | kept, but for `'()*!` in the path, which it escapes: they do not verify under `acs` |
//! | nginx 1.22, `proxy_pass http://app;` | its own, so that `ACS3`, which signs it, does not verify | kept |
//! | nginx 1.22, `proxy_pass http://app/;` | its own | decoded, `//` merged, `.` and `..` resolved, and written anew: such targets do not verify, whatever the base |
//!
//! nginx that keeps both:
//!
//! ```text
//! location / {
//!     proxy_pass http://127.0.0.1:8080;
//!     proxy_set_header Host $http_host;
//! }
//! ```
//!
//! With a prefix that is taken away, and `with_external_base("https://api.example/v2")`, it passes on
//! what it was sent, and not what it made of that:
//!
//! ```text
//! location /v2/ {
//!     if ($request_uri ~ ^/v2(/.*)$) {
//!         proxy_pass http://127.0.0.1:8080$1;
//!     }
//! }
//! ```
//!
//! HAProxy:
//!
//! ```text
//! backend app
//!     http-request replace-path ^/v2(/.*) \1
//!     server app 127.0.0.1:8080
//! ```
//!
//! Caddy:
//!
//! ```text
//! handle /v2/* {
//!     uri path_regexp ^/v2(/.*) $1
//!     reverse_proxy 127.0.0.1:8080
//! }
//! ```
//!
//! # Several ways in
//!
//! A route may take tokens or passwords beside signatures: their schemes are left to others by
//! [`Verifier::with_other_schemes`](crate::Verifier::with_other_schemes). What has no credentials at
//! all passes with [`Mode::Optional`], and what needs none by
//! [`VerifyLayer::with_exemption`](crate::VerifyLayer::with_exemption). In the extensions of what
//! passes is
//!
//! | | a [`VerifiedCaller`] | an [`OtherScheme`] |
//! |---|---|---|
//! | signed | yes | no |
//! | of another scheme that was named: *nothing was verified* | no | yes |
//! | anonymous, exempt | no | no |
//!
//! A scheme that was not named is refused, and so is one that was beside anything of a signature.
//! JSON Web Tokens have a layer of their own, with the feature `jwt`:
//! `trigger::jwt::SignatureOrJwtLayer`.
//!
//! ```
//! use http::{Request, Response};
//! use std::convert::Infallible;
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_fc::verify::OtherScheme;
//! use tower_fc::{StaticKeys, VerifiedCaller, VerifyLayer, Verifier};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let verifier = Verifier::new(StaticKeys::new()).with_other_schemes(["Bearer"])?;
//! let service = VerifyLayer::new(verifier).layer(service_fn(async |request: Request<()>| {
//!     let extensions = request.extensions();
//!     let status = match (extensions.get::<VerifiedCaller>(), extensions.get::<OtherScheme>()) {
//!         (Some(_), _) => 200,
//!         (None, Some(_)) if request.headers()["authorization"] == "Bearer a-good-token" => 200,
//!         _ => 401,
//!     };
//!     Ok::<_, Infallible>(Response::builder().status(status).body(String::new()).unwrap())
//! }));
//! for (value, status) in [("Bearer a-good-token", 200), ("Bearer x", 401), ("Basic YTpi", 403)] {
//!     let request = Request::get("/").header("authorization", value).body(())?;
//!     assert_eq!(service.clone().oneshot(request).await?.status(), status);
//! }
//! # Ok(())
//! # }
//! ```

mod awaiting;
pub(crate) mod layer;
mod service;
#[cfg(feature = "jwt")]
mod verdict;

pub use crate::protocol::others::OtherScheme;
pub use awaiting::{AsyncVerify, AsyncVerifyLayer};
pub use layer::Mode;
pub use service::Verify;
#[cfg(feature = "jwt")]
pub use verdict::Verifying;

use crate::clock::{Clock, SystemClock};
use crate::protocol::{KeyStore, Rejection, VerifiedCaller, Verifier};
use http::Request;
use http::request::Parts;

impl<K> Verifier<K> {
    /// Verifies a request as of now. See [`Verifier::verify_at`].
    ///
    /// # Errors
    /// As [`Verifier::verify_at`].
    pub fn verify(&self, parts: &Parts) -> Result<VerifiedCaller, Rejection>
    where
        K: KeyStore,
    {
        self.verify_at(parts, SystemClock.now())
    }

    /// Verifies a whole request as of now. Its body is not looked at.
    ///
    /// # Errors
    /// As [`Verifier::verify_at`].
    pub fn verify_request<B>(&self, request: &Request<B>) -> Result<VerifiedCaller, Rejection>
    where
        K: KeyStore,
    {
        self.verify_request_at(request, SystemClock.now())
    }
}
