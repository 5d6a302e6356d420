#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

#[macro_use]
mod macros;

#[cfg(any(feature = "axum", feature = "reqwest-middleware"))]
pub mod adapters;
mod awaiting;
pub mod clock;
pub mod credentials;
pub mod digest;
pub mod error;
pub mod headers;
pub mod keys;
pub mod protocol;
mod random;
pub mod replay;
pub mod response;
pub mod sign;
pub mod verify;

#[doc(inline)]
pub use keys::static_keys::StaticKeys;
#[doc(inline)]
pub use protocol::key::Credentials;
#[doc(inline)]
pub use protocol::presigner::Presigner;
#[doc(inline)]
pub use protocol::scheme::Scheme;
#[doc(inline)]
pub use protocol::signer::Signer;
#[doc(inline)]
pub use protocol::verifier::Verifier;
#[doc(inline)]
pub use protocol::verifier::caller::VerifiedCaller;
#[doc(inline)]
pub use protocol::verifier::rejection::{Rejection, RejectionKind};
#[doc(inline)]
pub use sign::layer::SignLayer;
#[doc(inline)]
pub use verify::layer::VerifyLayer;
