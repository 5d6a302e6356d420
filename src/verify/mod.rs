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

mod awaiting;
pub(crate) mod layer;
mod outcome;
mod service;
#[cfg(feature = "jwt")]
mod verdict;

pub use awaiting::{AsyncVerify, AsyncVerifyLayer};
pub use layer::Mode;
pub use outcome::Outcome;
pub use service::Verify;
#[cfg(feature = "jwt")]
pub use verdict::Verifying;

use crate::clock::{Clock, SystemClock};
use crate::protocol::{KeyStore, Rejection, VerifiedCaller, Verifier};
use http::request::Parts;

impl<K: KeyStore> Verifier<K> {
    /// Verifies a request as of now. See [`Verifier::verify_at`].
    ///
    /// # Errors
    /// As [`Verifier::verify_at`].
    pub fn verify(&self, parts: &Parts) -> Result<VerifiedCaller, Rejection> {
        self.verify_at(parts, SystemClock.now())
    }
}
