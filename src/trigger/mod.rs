//! What an HTTP trigger of Function Compute does in front of a function.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use std::convert::Infallible;
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_fc::trigger::HttpTrigger;
//! use tower_fc::{Credentials, Signer, StaticKeys, VerifyLayer, Verifier};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let function = service_fn(async |_: Request<_>| {
//!     Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("hello")))
//! });
//! let keys = StaticKeys::from_secrets([("LTAI5tExample", "secret")])?;
//! let trigger = HttpTrigger::new(VerifyLayer::new(Verifier::new(keys))).layer(function);
//!
//! // Signed:
//! let mut request = Request::get("/").body(Full::<Bytes>::default())?;
//! let signer = Signer::new(Credentials::new("LTAI5tExample", "secret")?);
//! signer.sign_request_at(&mut request, std::time::SystemTime::now())?;
//! let response = trigger.clone().oneshot(request).await?;
//! assert_eq!(response.status(), 200);
//! assert!(response.headers().contains_key("x-fc-request-id"));
//!
//! // Longer than a trigger takes: the function is not called.
//! let request = Request::get(format!("/{}", "a".repeat(5000))).body(Full::default())?;
//! assert_eq!(trigger.oneshot(request).await?.status(), 400);
//! # Ok(())
//! # }
//! ```
//!
//! [`HttpTrigger`] has all rules in their order. Each is a layer by itself too, by
//! [`RuleLayer`] or under its own name:
//!
//! | | rule | refuses with |
//! |---|---|---|
//! | 1 | [`RequestIds`]: names every request | |
//! | 2 | [`RequestLimits`]: target and headers | 400 `InvalidArgument` |
//! | 3 | [`Domain`]: the built-in address, if it is switched off | 403 `AccessDenied` |
//! | 4 | [`Cors`]: a preflight that is configured | answers it with 204 |
//! | 5 | [`Methods`] | 405 `MethodNotAllowed` |
//! | 6 | authentication: [`AnonymousLayer`], [`VerifyLayer`](crate::VerifyLayer) | 403, 503 |
//! | 7 | [`CheckDigestLayer`](crate::digest::CheckDigestLayer): bodies that have a signed digest | 403 `AccessDenied` |
//! | 8 | [`BodyLimitLayer`]: the body while it streams | 400 `InvalidArgument` |
//! | 9 | [`FunctionHeaders`]: what must not pass, and what the function is given | |
//! | 10 | the function | 502 `BadResponse` if it fails |
//! | 11 | [`ResponseLimits`]: the headers of its response | 502 `BadResponse` |
//! | 12 | [`FunctionHeaders`], [`Domain`], [`Cors`], [`RequestIds`]: headers of the response | 400 for Android packages |

mod anonymous;
mod asked;
mod body;
mod body_limit;
mod composed;
pub mod config;
mod cors;
mod domain;
mod fault;
pub(crate) mod headers;
#[cfg(feature = "jwt")]
pub mod jwt;
mod layer;
mod limits;
mod methods;
mod request_id;
mod rule;

pub use anonymous::{Anonymous, AnonymousLayer};
pub use body::{BodyLimitExceeded, GuardedBody, LimitedBody};
pub use body_limit::{BodyLimit, BodyLimitFuture, BodyLimitLayer, DEFAULT_MAX_BODY_LEN};
pub use composed::{Inside, Outside};
pub use cors::Cors;
pub use domain::Domain;
pub use headers::FunctionHeaders;
pub use layer::{Function, HttpTrigger, Limited};
pub use limits::{DEFAULT_MAX_HEADERS_LEN, DEFAULT_MAX_TARGET_LEN, RequestLimits, ResponseLimits};
pub use methods::Methods;
pub use request_id::RequestIds;
pub use rule::{Rule, RuleLayer, Ruled, RuledFuture};
