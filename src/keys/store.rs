use crate::protocol::key_store::IntoKeys;
use crate::protocol::{KeyQuery, KeyStoreError, Keys};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Finds the live secrets of an access key where they have to be awaited: a database, a vault, a service.
///
/// Implemented for async closures that take the id as a `String`, for an [`Arc`] of a store, and
/// for [`DynAsyncKeyStore`], which any store behind a pointer is. Every request
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

    /// The secrets that a request may be signed with: by default those of its access key id. See
    /// [`KeyStore::lookup_for`](super::KeyStore::lookup_for).
    ///
    /// # Errors
    /// As [`KeyStore::lookup`](super::KeyStore::lookup).
    fn lookup_for(
        &self,
        query: &KeyQuery<'_>,
    ) -> impl Future<Output = Result<Keys<'static>, KeyStoreError>> + Send {
        self.lookup(query.access_key_id())
    }
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

impl<K: AsyncKeyStore + ?Sized> AsyncKeyStore for Arc<K> {
    fn lookup(
        &self,
        access_key_id: &str,
    ) -> impl Future<Output = Result<Keys<'static>, KeyStoreError>> + Send {
        (**self).lookup(access_key_id)
    }

    fn lookup_for(
        &self,
        query: &KeyQuery<'_>,
    ) -> impl Future<Output = Result<Keys<'static>, KeyStoreError>> + Send {
        (**self).lookup_for(query)
    }
}

/// An [`AsyncKeyStore`] of any type, to be kept behind a pointer: `Arc<dyn DynAsyncKeyStore>` is a
/// key store as well. Each look-up costs one boxed future more.
///
/// ```
/// use std::sync::Arc;
/// use tower_fc::keys::{DynAsyncKeyStore, VerifyingKey};
/// use tower_fc::{Verifier, VerifyLayer};
///
/// # fn configured() -> bool { true }
/// let store: Arc<dyn DynAsyncKeyStore> = if configured() {
///     Arc::new(async |id: String| (id == "LTAI5tExample").then(|| VerifyingKey::new("secret").ok()).flatten())
/// } else {
///     Arc::new(async |_: String| None::<VerifyingKey>)
/// };
/// let layer = VerifyLayer::new(Verifier::new(store)).awaiting_keys();
/// # let _ = layer;
/// ```
pub trait DynAsyncKeyStore: Send + Sync {
    /// As [`AsyncKeyStore::lookup_for`], boxed.
    fn lookup_boxed<'a>(
        &'a self,
        query: &'a KeyQuery<'a>,
    ) -> Pin<Box<dyn Future<Output = Result<Keys<'static>, KeyStoreError>> + Send + 'a>>;
}

impl<K: AsyncKeyStore + Send + Sync> DynAsyncKeyStore for K {
    fn lookup_boxed<'a>(
        &'a self,
        query: &'a KeyQuery<'a>,
    ) -> Pin<Box<dyn Future<Output = Result<Keys<'static>, KeyStoreError>> + Send + 'a>> {
        Box::pin(self.lookup_for(query))
    }
}

impl AsyncKeyStore for dyn DynAsyncKeyStore + '_ {
    async fn lookup(&self, access_key_id: &str) -> Result<Keys<'static>, KeyStoreError> {
        self.lookup_boxed(&KeyQuery::new(access_key_id)).await
    }

    async fn lookup_for(&self, query: &KeyQuery<'_>) -> Result<Keys<'static>, KeyStoreError> {
        self.lookup_boxed(query).await
    }
}
