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

mod body;
mod future;
mod key_store;
mod layer;
mod outcome;
mod provider;
mod service;

pub use body::ResponseBody;
pub use future::ResponseFuture;
pub use key_store::{AsyncKeyStore, IntoKeys, KeyStore, KeyStoreError, Keys, StaticKeys};
pub use layer::{Mode, VerifyLayer};
pub use outcome::Outcome;
pub use provider::{AsyncResponseFuture, AsyncVerify, AsyncVerifyLayer};
pub use service::Verify;
