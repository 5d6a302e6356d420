//! The protocol by itself: pure functions of the method, URI and headers of a request, and of
//! a time.
//!
//! [`Signer`], [`Presigner`] and [`Verifier`] are its way in; this module has what they take
//! and give besides.

pub(crate) mod canonical;
pub(crate) mod crypto;
pub(crate) mod date;
pub(crate) mod dialect;
pub(crate) mod external;
pub(crate) mod host;
pub(crate) mod key;
pub(crate) mod key_store;
pub(crate) mod others;
pub(crate) mod presigner;
pub(crate) mod request;
pub(crate) mod scheme;
pub(crate) mod sdk;
pub(crate) mod signer;
#[cfg(test)]
mod theorem;
pub(crate) mod value;
pub(crate) mod verifier;

pub(crate) use key::{Credentials, VerifyingKey};
pub(crate) use key_store::{KeyQuery, KeyStore, KeyStoreError, Keys};
pub(crate) use presigner::Presigner;
pub(crate) use scheme::Scheme;
pub(crate) use signer::Signer;
pub(crate) use verifier::Verifier;
pub(crate) use verifier::caller::VerifiedCaller;
pub(crate) use verifier::rejection::{Rejection, RejectionKind};

pub use date::{format_acs_date, format_http_date, parse_acs_date, parse_http_date};
pub use dialect::{Dialect, Dialects};
pub use presigner::PresignedUrl;
pub use scheme::Schemes;
pub use scheme::ambiguity::Ambiguity;
pub use sdk::Sdk;
pub use verifier::limits::{
    DEFAULT_MAX_HEADERS_LEN, DEFAULT_MAX_SIGNED_HEADERS, DEFAULT_MAX_TARGET_LEN,
};
pub use verifier::time::{DEFAULT_MAX_LIFETIME, DEFAULT_MAX_SKEW};
