use crate::protocol::key::IntoKeys;
use crate::protocol::{KeyStoreError, Keys};
use std::future::Future;
use std::sync::Arc;

/// Finds the live secrets of an access key where they have to be awaited: a database, a vault, a service.
///
/// Implemented for async closures that take the id as a `String`. Every request
/// with credentials of the right shape asks for keys, so put a cache in front of
/// what is slow.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no key store that can be awaited",
    label = "not an `AsyncKeyStore`",
    note = "an `async move |…|` that uses what it captured cannot be called anew while it runs: write `move |id: String| {{ let db = db.clone(); async move {{ … }} }}`",
    note = "a store that answers at once goes without `.awaiting_keys()`",
    note = "a type of your own implements `tower_fc::keys::AsyncKeyStore`; an `Arc` of one that does is a store too"
)]
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

#[diagnostic::do_not_recommend] // For the closure that is no store, the trait has words of its own.
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

impl<K: AsyncKeyStore> AsyncKeyStore for Arc<K> {
    fn lookup(
        &self,
        access_key_id: &str,
    ) -> impl Future<Output = Result<Keys<'static>, KeyStoreError>> + Send {
        (**self).lookup(access_key_id)
    }
}
