//! Signing what reqwest 0.13 sends.
//!
//! A request by itself is signed in one call, [`Signer::sign_reqwest`](crate::Signer::sign_reqwest):
//!
//! ```
//! use tower_fc::{Credentials, Scheme, Signer, digest};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let keys = tower_fc::StaticKeys::from_secrets([("LTAI5tExample", "secret")])?;
//! # let verify = tower_fc::VerifyLayer::new(tower_fc::Verifier::new(keys));
//! # let app = axum::Router::new().fallback(async || "hello").layer(verify);
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let url = format!("http://{}/hello", listener.local_addr()?);
//! # tokio::spawn(axum::serve(listener, app).into_future());
//! let credentials = Credentials::new("LTAI5tExample", "secret")?;
//! let signer = Signer::new(credentials).with_scheme(Scheme::Acs3HmacSha256)?;
//! let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
//!
//! let body = "hello";
//! let sha256 = digest::content_sha256(body.as_bytes());
//! let post = client.post(url).header("x-acs-content-sha256", sha256).body(body);
//! let mut request = post.build()?;
//! signer.sign_reqwest(&mut request)?;
//! assert_eq!(client.execute(request).await?.status(), 200);
//! # Ok(())
//! # }
//! ```
#![cfg_attr(
    feature = "reqwest-middleware",
    doc = "",
    doc = "[`SignMiddleware`] does so for all that a client sends, with digests of bodies if it is told to.",
    doc = "A middleware that retries goes before it, so that every attempt is signed anew."
)]
//!
//! # As a tower service
//!
//! `reqwest::Client` is one, of its own requests. `filter` makes these from `http::Request`, and
//! [`SignLayer`](crate::SignLayer) and tower's other layers go around that:
//!
//! ```
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_fc::{Credentials, SignLayer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower_fc::error::BoxError> {
//! # let keys = tower_fc::StaticKeys::from_secrets([("LTAI5tExample", "secret")])?;
//! # let verify = tower_fc::VerifyLayer::new(tower_fc::Verifier::new(keys));
//! # let app = axum::Router::new().fallback(async || "hello").layer(verify);
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let origin = format!("http://{}", listener.local_addr()?);
//! # tokio::spawn(axum::serve(listener, app).into_future());
//! let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
//! let credentials = Credentials::new("LTAI5tExample", "secret")?;
//! let client = ServiceBuilder::new()
//!     .layer(SignLayer::for_origins(credentials, [&origin])?)
//!     .filter(|request: http::Request<&'static str>| reqwest::Request::try_from(request))
//!     .service(client);
//!
//! let request = http::Request::post(format!("{origin}/hello")).body("hello")?;
//! assert_eq!(client.oneshot(request).await?.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! With [`SetDigestLayer`](crate::digest::SetDigestLayer) outside of it, the request that is
//! filtered has a [`BufferedBody`](crate::digest::BufferedBody):
//! `reqwest::Request::try_from(request.map(reqwest::Body::wrap))`. What is signed here is the URI as
//! it is given. reqwest's `url` then removes dot segments and escapes what must be: a URI in which
//! it finds any is refused by the server, as one that was changed.
//!
//! # Redirects
//!
//! reqwest follows redirects below all that signs. It repeats the old signature for a target that
//! it was not made for, and it takes `authorization` away when the origin changes, but neither
//! `x-fc-security-token` nor `x-acs-security-token`, which so reach a stranger. A URL that is
//! presigned is told to a stranger in `referer`. So build the client with
//! `redirect(Policy::none())`, or with
//! [`redirect::policy_for_origins`](crate::adapters::redirect::policy_for_origins), which hands back
//! those redirects that matter. Follow them above what signs: each request is then signed for its
//! own target, and `for_origins` signs none for a stranger.
//!
//! # What the client adds
//!
//! The default headers of a reqwest client are added after signing, where the
//! request does not have them. So set a header that is signed (`content-type`,
//! `content-md5`, `x-fc-…`, `x-acs-…`) on the request, not on the client.
//! [`Scheme::Acs`](crate::Scheme::Acs) signs `accept`, which every reqwest client adds: without one,
//! a request is an error under that scheme.

#[cfg(feature = "reqwest-middleware")]
mod middleware;
mod request;

#[cfg(feature = "reqwest-middleware")]
pub use middleware::SignMiddleware;
pub(crate) use request::uri_of;
