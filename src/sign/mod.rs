//! Signing the requests of a tower client.
//!
//! ```
//! use http::{Request, Response};
//! use std::convert::Infallible;
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_fc::{Credentials, SignLayer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // In place of a real client, such as hyper-util's:
//! let client = service_fn(|request: Request<String>| async move {
//!     assert!(request.headers()["authorization"].to_str().unwrap().starts_with("FC id:"));
//!     assert!(request.headers().contains_key("date"));
//!     Ok::<_, Infallible>(Response::new(()))
//! });
//! let credentials = Credentials::new("id", "secret")?;
//! let client = SignLayer::for_origins(credentials, ["https://demo.example"])?.layer(client);
//!
//! let request = Request::get("https://demo.example/hello").body(String::new())?;
//! assert_eq!(client.oneshot(request).await?.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! [`adapters`](crate::adapters) shows it in hyper, reqwest, tonic and tungstenite.

mod awaiting;
mod correct;
mod error;
mod future;
pub(crate) mod layer;
mod now;
pub(crate) mod origins;
mod service;

pub use awaiting::{AsyncSign, AsyncSignFuture, AsyncSignLayer};
pub use correct::{
    AnswerBody, CloneBody, CopyBody, CorrectClock, CorrectClockFuture, CorrectClockLayer,
    DEFAULT_MAX_OFFSET,
};
pub use error::SignError;
pub use future::SignFuture;
pub use service::Sign;
