//! Key stores for servers: access keys in a file that may change at any time, and a
//! cache in front of a store that is slow to answer.
//!
//! `KeyFile` (feature `key-file`) is a [`KeyStore`]: it is given to a
//! [`Verifier`](crate::Verifier) like any other, and sees a changed file by itself.
//! `CachedKeys` (feature `key-cache`) wraps an [`AsyncKeyStore`] and
//! is one. Either shows a whole program.

mod by_request;
#[cfg(feature = "key-cache")]
mod cache;
#[cfg(feature = "key-file")]
mod file;
pub(crate) mod static_keys;
mod store;

pub use by_request::ByRequest;
#[cfg(feature = "key-cache")]
pub use cache::CachedKeys;
#[cfg(feature = "key-file")]
pub use file::KeyFile;
pub use store::{AsyncKeyStore, DynAsyncKeyStore};

pub use crate::protocol::key::VerifyingKey;
pub use crate::protocol::key_store::{IntoKeys, KeyQuery, KeyStore, KeyStoreError, Keys};
