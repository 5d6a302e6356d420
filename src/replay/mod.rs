//! Refusing requests that were seen before.
//!
//! This is opt-in, and does not suit every client. An `FC` date has whole seconds, and
//! the `FC` scheme of Function Compute has no nonce: two equal requests that an honest
//! client signs within one second have one signature, and the second would be refused
//! as a replay of the first. So either every request is made unique, by
//! [`Signer::with_nonce`](crate::Signer::with_nonce) in the client, which
//! [`Verifier::with_required_nonce`](crate::Verifier::with_required_nonce) can insist on,
//! or the guard is limited to the methods of which no two such requests are sent:
//! [`ReplayLayer::with_methods`]. Only verified requests with a signature in their headers
//! are guarded; anonymous requests pass, and presigned URLs unless
//! [`ReplayLayer::with_presigned`] says otherwise.
//!
//! ```
//! use http::{Request, Response};
//! use std::convert::Infallible;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//! use tower_fc::replay::{MemoryReplayGuard, ReplayLayer};
//! use tower_fc::{Credentials, Signer, StaticKeys, Verifier, VerifyLayer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = StaticKeys::from_secrets([("LTAI5tExample", "secret")])?;
//! let mut service = ServiceBuilder::new()
//!     .layer(VerifyLayer::new(Verifier::new(keys).with_required_nonce()))
//!     .layer(ReplayLayer::new(MemoryReplayGuard::new(1_000_000)))
//!     .service(service_fn(|_: Request<String>| async {
//!         Ok::<_, Infallible>(Response::new("done".to_owned()))
//!     }));
//!
//! let signer = Signer::new(Credentials::new("LTAI5tExample", "secret")?).with_nonce();
//! let mut request = Request::post("/pay").body(String::new())?;
//! signer.sign_request_at(&mut request, std::time::SystemTime::now())?;
//! let recorded = request.clone();
//! assert_eq!(service.ready().await?.call(request).await?.status(), 200);
//!
//! // The same bytes again: the service is not called.
//! assert_eq!(service.ready().await?.call(recorded).await?.status(), 403);
//! # Ok(())
//! # }
//! ```
//!
//! In axum the last `layer` is the outermost: see [the order](crate::verify#order).
//!
//! ```
//! # use axum::{Router, routing::post};
//! # use tower_fc::replay::{MemoryReplayGuard, ReplayLayer};
//! # use tower_fc::{StaticKeys, Verifier, VerifyLayer};
//! # let verifier = Verifier::new(StaticKeys::new());
//! let app: Router = Router::new()
//!     .route("/pay", post(async || "paid"))
//!     .layer(ReplayLayer::new(MemoryReplayGuard::new(1_000_000)))
//!     .layer(VerifyLayer::new(verifier));
//! ```
//!
//! # Rules
//!
//! - What is remembered is the signature, which covers the nonce where there is one. So a
//!   replay is one whatever its sender changed of what is not signed.
//! - It is claimed once it has verified, and before the inner service is called: a bad
//!   signature leaves no trace. A request whose handling fails stays claimed; to try it
//!   again, sign it again, as [`SignLayer`](crate::SignLayer) inside of retry does.
//! - It is remembered until the request ceases to verify
//!   ([`VerifiedCaller::valid_until`](crate::VerifiedCaller::valid_until)), and a minute more for
//!   servers whose clocks differ: 16 minutes by default from when it was signed. One that has
//!   ceased to verify when it comes here is refused, and so is one that does while the guard is
//!   awaited: its first claim may have been forgotten meanwhile.
//! - Nothing is forgotten before its time. A guard that is full, or whose store is away,
//!   refuses with 503. Time is that of the system: a clock that is set forward and back
//!   again by more than a minute lets a request be replayed that was forgotten between.
//!
//! # What it costs
//!
//! On paper, with every request guarded: a load in requests a second, times 960
//! seconds, times the bytes that a signature takes. [`MemoryReplayGuard`] takes 37 for
//! each of its capacity. Redis 7.0 took 129 for each of a million keys (`used_memory`);
//! a claim sends it 88 bytes, and one server on two processors, shared with those who
//! claimed, did 190 000 claims a second over one connection. Requests that are dated in
//! the future are remembered up to twice as long.
//!
//! | requests/s | remembered | memory of a process | memory of Redis | Redis is sent |
//! |---:|---:|---:|---:|---|
//! | 1 000 | 0.96 million | 36 MB | 124 MB | 0.1 MB/s: no load to speak of |
//! | 50 000 | 48 million | 1.8 GB | 6.2 GB | 4.4 MB/s: a quarter of what one server does |
//! | 1 000 000 | 960 million | 36 GB | 124 GB | 88 MB/s: six servers or more |
//!
//! Time is what to save on. With a clock difference of one minute in place of 15, by
//! [`Verifier::with_max_skew`](crate::Verifier::with_max_skew), all memory is an eighth. Methods
//! are the other: what only reads seldom needs a guard.

mod awaiting;
mod guard;
mod layer;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod service;

pub use awaiting::{AsyncReplay, AsyncReplayLayer};
pub use guard::{
    AsyncReplayGuard, Claimed, ReplayClaim, ReplayGuard, ReplayGuardError, ReplayGuardErrorKind,
};
pub use layer::ReplayLayer;
pub use memory::MemoryReplayGuard;
#[cfg(feature = "redis")]
pub use redis::{FailMode, RedisReplayGuard};
pub use service::Replay;
