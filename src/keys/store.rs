use crate::protocol::key::IntoKeys;
use crate::protocol::{KeyStoreError, Keys};
use std::future::Future;

/// Finds the live secrets of an access key where they have to be awaited: a database, a vault, a service.
///
/// Implemented for async closures that take the id as a `String`. Every request
/// with credentials of the right shape asks for keys, so put a cache in front of
/// what is slow.
pub trait AsyncKeyStore {
    /// The secrets of an access key, none when there is no such key.
    ///
    /// # Errors
    /// As [`KeyStore::lookup`](super::KeyStore::lookup).
    fn lookup(
        &self,
        access_key_id: &str,
    ) -> impl Future<Output = Result<Keys<'static>, KeyStoreError>> + Send;
}

impl<F, Fut, R> AsyncKeyStore for F
where
    F: Fn(String) -> Fut,
    Fut: Future<Output = R> + Send,
    R: IntoKeys,
{
    fn lookup(
        &self,
        access_key_id: &str,
    ) -> impl Future<Output = Result<Keys<'static>, KeyStoreError>> + Send {
        let keys = self(access_key_id.to_owned());
        async { keys.await.into_keys() }
    }
}
