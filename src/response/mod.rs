//! How a refusal is answered.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode, request::Parts};
//! use std::convert::Infallible;
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_fc::{Rejection, StaticKeys, Verifier, VerifyLayer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bare = |rejection: &Rejection, _: &Parts| {
//!     let mut response = Response::new(Bytes::new());
//!     *response.status_mut() = rejection.status();
//!     response
//! };
//! let layer = VerifyLayer::new(Verifier::new(StaticKeys::new()));
//! let inner = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
//!
//! // As Function Compute does:
//! let response = layer.layer(inner).oneshot(Request::new(())).await?;
//! assert_eq!(response.headers()["content-type"], "application/json");
//!
//! // In a way of one's own:
//! let response = layer.with_rejection_response(bare).layer(inner).oneshot(Request::new(())).await?;
//! assert_eq!(response.status(), StatusCode::FORBIDDEN);
//! assert!(response.headers().is_empty());
//! # Ok(())
//! # }
//! ```

mod body;
mod fc;
mod future;
mod grpc;
mod in_turn;
mod outcome;
mod request_id;
mod responder;
mod undecided;

pub use body::ResponseBody;
pub use fc::FcResponse;
pub use future::{AwaitingFuture, ResponseFuture};
#[cfg(feature = "trigger")]
pub(crate) use grpc::grpc_content_type;
pub(crate) use in_turn::leave;
#[cfg(feature = "axum")]
pub(crate) use in_turn::refuse;
pub(crate) use outcome::Observer;
pub use outcome::Outcome;
pub use request_id::RequestId;
pub use responder::RejectionResponse;
pub(crate) use responder::answer;
pub(crate) use undecided::{Passed, Undecided};
