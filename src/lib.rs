#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

#[macro_use]
mod macros;

pub mod adapters;
mod awaiting;
pub mod clock;
pub mod credentials;
pub mod digest;
pub mod error;
pub mod headers;
#[cfg(feature = "async-invocation")]
pub mod invocation;
pub mod keys;
#[cfg(any(feature = "metrics", feature = "tracing"))]
pub mod observe;
pub mod protocol;
mod random;
pub mod release;
pub mod replay;
pub mod response;
pub mod sign;
#[cfg(feature = "test-util")]
pub mod test_util;
#[cfg(feature = "trigger")]
pub mod trigger;
pub mod verify;

#[doc(inline)]
pub use protocol::verifier::{
    Verifier, caller::VerifiedCaller, rejection::Rejection, rejection::RejectionKind,
};
#[doc(inline)]
pub use protocol::{key::Credentials, presigner::Presigner, scheme::Scheme, signer::Signer};
#[doc(inline)]
pub use {keys::static_keys::StaticKeys, sign::layer::SignLayer, verify::layer::VerifyLayer};

/// What the README in Chinese shows, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.zh-CN.md")]
struct ReadmeInChinese;
