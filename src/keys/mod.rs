//! Key stores for servers: access keys in a file that may change at any time, and a
//! cache in front of a store that is slow to answer.
//!
//! `KeyFile` (feature `key-file`) is a [`KeyStore`](crate::KeyStore): it is given to a
//! [`Verifier`](crate::Verifier) like any other, and sees a changed file by itself.
//! `CachedKeys` (feature `key-cache`) wraps an [`AsyncKeyStore`](crate::AsyncKeyStore) and
//! is one. Either shows a whole program.

#[cfg(feature = "key-cache")]
mod cache;
#[cfg(feature = "key-file")]
mod file;

#[cfg(feature = "key-cache")]
pub use cache::CachedKeys;
#[cfg(feature = "key-file")]
pub use file::KeyFile;
