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
//!
//! # What Function Compute does, and what is done here
//!
//! Where its documents leave something open or contradict each other, one reading was chosen, and
//! there is a setting for another. `tests/trigger/` has a test for each line; `examples/gateway`
//! shows them over real sockets, HTTP/1.1 and HTTP/2.
//!
//! | Function Compute | here | setting |
//! |---|---|---|
//! | allows seven methods, or fewer; what another gets is open | 405 `MethodNotAllowed` with `allow` | [`HttpTrigger::with_methods`]; the answer by [`HttpTrigger::with_rejection_response`] |
//! | headers of a request at most 8 KB, the path with its query 4 KB; how they are counted is open | names and values of every field, without separators and pseudo-headers; path, `?` and query; KB are 1 024 bytes | [`RequestLimits`] |
//! | bodies at most 32 MB, else 400 `InvalidArgument`, which other documents call `EntityTooLarge` | 400 `InvalidArgument`; one without a length is cut off at the limit | [`HttpTrigger::with_max_body_len`] |
//! | headers of a response at most 8 KB, else 502 `BadResponse` | as the function sent them, those counted too that are taken away | [`ResponseLimits`] |
//! | custom request headers `x-fc-*`, `connection`, `keep-alive` do not reach the function | nor what `connection` names; what an upgrade needs stays | |
//! | a function cannot set `x-fc-*`, `connection`, `content-length`, `date`, `keep-alive`, `server`, `upgrade` | taken away; `content-length` stays in the answer to HEAD, and `connection` and `upgrade` in a 101 | |
//! | gives the function `x-fc-` headers, access keys among them | the request id, and what is set | [`FunctionHeaders`] |
//! | from the built-in domain everything is a download, and Android packages are answered with 400, with a code that is open | `content-disposition: attachment`; `InvalidArgument` | [`Domain`] |
//! | `disableURLInternet` answers 403 on the built-in address | so it does, and a custom domain is not concerned | [`Domain::BuiltInDisabled`] |
//! | CORS by default: echoes the origin, with credentials, and exposes `Date,x-fc-request-id` | and adds nothing where the function sets `access-control-allow-origin` itself | [`Cors`] |
//! | CORS configured: a preflight that matches is answered with 204 before authentication, others go on | and are told nothing | [`CorsConfig`] |
//! | an anonymous trigger looks at nothing | `Authorization` reaches the function; no caller is in the extensions | [`HttpTrigger::anonymous`] |
//! | a signed trigger: see [`Verifier`](crate::Verifier) | and a body that differs from its signed digest is answered with 403, or cut off | [`HttpTrigger::with_body_policy`] |
//! | a function that cannot be reached: open | 502 `BadResponse` | [`HttpTrigger::with_rejection_response`] |
//! | every answer has `x-fc-request-id` | refusals, 101 and the 204 of a preflight too | |

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
pub use cors::{Cors, CorsConfig};
pub use domain::Domain;
pub use headers::FunctionHeaders;
pub use layer::{Function, HttpTrigger, Limited};
pub use limits::{DEFAULT_MAX_HEADERS_LEN, DEFAULT_MAX_TARGET_LEN, RequestLimits, ResponseLimits};
pub use methods::Methods;
pub use request_id::RequestIds;
pub use rule::{Rule, RuleLayer, Ruled, RuledFuture};
