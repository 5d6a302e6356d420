#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

#[macro_use]
mod macros;

#[cfg(any(feature = "axum", feature = "reqwest-middleware"))]
pub mod adapters;
mod caller;
mod canonical;
mod claim;
mod clock;
mod credentials;
pub mod digest;
mod error;
pub mod headers;
#[cfg(any(feature = "key-cache", feature = "key-file"))]
pub mod keys;
mod presign;
mod rejection;
pub mod replay;
mod scheme;
pub mod sign;
mod signature;
mod signer;
mod unique;
mod verifier;
pub mod verify;

pub use caller::VerifiedCaller;
pub use canonical::quirks::Ambiguity;
pub use clock::{
    Clock, FixedClock, SystemClock, format_acs_date, format_http_date, parse_acs_date,
    parse_http_date,
};
pub use credentials::{Credentials, ProvideCredentials, SigningKey};
pub use digest::{BodyPolicy, CheckDigestLayer, DigestHeader, Md5Encoding, SetDigestLayer};
pub use error::{BoxError, Error, ErrorKind};
pub use presign::{PresignedUrl, Presigner};
pub use rejection::{FcResponse, Rejection, RejectionKind, RejectionResponse};
#[cfg(feature = "redis")]
pub use replay::RedisReplayGuard;
pub use replay::{MemoryReplayGuard, ReplayGuard, ReplayLayer};
pub use scheme::dialect::{Dialect, Dialects};
pub use scheme::{Scheme, Schemes};
pub use sign::{AsyncSignLayer, SignLayer};
pub use signer::Signer;
pub use verifier::{
    DEFAULT_MAX_HEADERS_LEN, DEFAULT_MAX_LIFETIME, DEFAULT_MAX_SIGNED_HEADERS, DEFAULT_MAX_SKEW,
    DEFAULT_MAX_TARGET_LEN, Verifier,
};
pub use verify::{
    AsyncKeyStore, AsyncVerifyLayer, KeyStore, KeyStoreError, Keys, Mode, StaticKeys, VerifyLayer,
};
