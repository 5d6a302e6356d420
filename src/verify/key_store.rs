//! Where a verifier finds the secrets of access keys.

use crate::credentials::{Credentials, SigningKey};
use crate::error::{BoxError, Error};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Finds the live secrets of an access key by its id.
///
/// Implemented for maps (`HashMap` and `BTreeMap` from the id to one
/// [`SigningKey`] or several), for [`StaticKeys`], and for closures that return
/// `Option<SigningKey>` or a `Result` of it. The id has the shape of one
/// (1 to 256 visible ASCII characters) and is otherwise whatever the client sent.
///
/// ```
/// use tower_fc::{SigningKey, StaticKeys, Verifier};
///
/// let rotating = StaticKeys::new()
///     .with_key("LTAI5tExample", SigningKey::new("the-new-secret")?)
///     .with_key("LTAI5tExample", SigningKey::new("the-old-secret")?);
/// let by_map = Verifier::new(rotating);
///
/// let key = SigningKey::new("secret")?;
/// let by_closure = Verifier::new(move |id: &str| (id == "LTAI5tExample").then(|| key.clone()));
/// # fn checked(_: &Verifier<impl tower_fc::KeyStore>) {}
/// # checked(&by_map);
/// # checked(&by_closure);
/// # Ok::<(), tower_fc::Error>(())
/// ```
pub trait KeyStore {
    /// The secrets of an access key, none when there is no such key.
    ///
    /// # Errors
    /// When it cannot be told whether there is one: the request is refused with
    /// [`RejectionKind::KeyStoreUnavailable`](crate::RejectionKind::KeyStoreUnavailable).
    fn lookup(&self, access_key_id: &str) -> Result<Keys<'_>, KeyStoreError>;
}

/// The same for keys that have to be awaited: a database, a vault, a service.
///
/// Implemented for async closures that take the id as a `String`. Every request
/// with credentials of the right shape asks for keys, so put a cache in front of
/// what is slow.
pub trait AsyncKeyStore {
    /// The secrets of an access key, none when there is no such key.
    ///
    /// # Errors
    /// As [`KeyStore::lookup`].
    fn lookup(
        &self,
        access_key_id: &str,
    ) -> impl Future<Output = Result<Keys<'static>, KeyStoreError>> + Send;
}

/// The live secrets of one access key.
#[derive(Clone)]
pub struct Keys<'a>(Found<'a>);

#[derive(Clone)]
enum Found<'a> {
    None,
    One(SigningKey),
    Borrowed(&'a [SigningKey]),
    Shared(Arc<[SigningKey]>),
}

impl<'a> Keys<'a> {
    /// No key.
    pub const fn none() -> Self {
        Self(Found::None)
    }

    /// Keys that the store owns.
    pub const fn borrowed(keys: &'a [SigningKey]) -> Self {
        Self(Found::Borrowed(keys))
    }

    /// The keys.
    pub fn as_slice(&self) -> &[SigningKey] {
        match &self.0 {
            Found::None => &[],
            Found::One(key) => std::slice::from_ref(key),
            Found::Borrowed(keys) => keys,
            Found::Shared(keys) => keys,
        }
    }
}

impl From<SigningKey> for Keys<'_> {
    fn from(key: SigningKey) -> Self {
        Self(Found::One(key))
    }
}

impl From<Option<SigningKey>> for Keys<'_> {
    fn from(key: Option<SigningKey>) -> Self {
        key.map_or(Self::none(), Self::from)
    }
}

impl From<Arc<[SigningKey]>> for Keys<'_> {
    fn from(keys: Arc<[SigningKey]>) -> Self {
        Self(Found::Shared(keys))
    }
}

impl From<Vec<SigningKey>> for Keys<'_> {
    fn from(keys: Vec<SigningKey>) -> Self {
        Self(Found::Shared(keys.into()))
    }
}

impl fmt::Debug for Keys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

/// A key store could not answer.
#[derive(Debug)]
pub struct KeyStoreError(BoxError);

impl KeyStoreError {
    /// Wraps what kept it from answering. The client is not told.
    pub fn new(source: impl Into<BoxError>) -> Self {
        Self(source.into())
    }
}

impl fmt::Display for KeyStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("access keys could not be looked up")
    }
}

impl std::error::Error for KeyStoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.0.as_ref())
    }
}

/// What a closure may return in place of [`Keys`].
///
/// Implemented for `Option<SigningKey>`, `Vec<SigningKey>`, [`Keys`], and a
/// `Result` of any of these with a [`KeyStoreError`].
pub trait IntoKeys: sealed::Sealed {
    #[doc(hidden)]
    fn into_keys(self) -> Result<Keys<'static>, KeyStoreError>;
}

mod sealed {
    pub trait Sealed {}
    impl<T: Into<super::Keys<'static>>> Sealed for T {}
    impl<T: Into<super::Keys<'static>>> Sealed for Result<T, super::KeyStoreError> {}
}

impl<T: Into<Keys<'static>>> IntoKeys for T {
    fn into_keys(self) -> Result<Keys<'static>, KeyStoreError> {
        Ok(self.into())
    }
}

impl<T: Into<Keys<'static>>> IntoKeys for Result<T, KeyStoreError> {
    fn into_keys(self) -> Result<Keys<'static>, KeyStoreError> {
        self.map(Into::into)
    }
}

impl<F, R> KeyStore for F
where
    F: Fn(&str) -> R,
    R: IntoKeys,
{
    fn lookup(&self, access_key_id: &str) -> Result<Keys<'_>, KeyStoreError> {
        self(access_key_id).into_keys()
    }
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

impl<V: AsRef<[SigningKey]>, S: BuildHasher> KeyStore for HashMap<String, V, S> {
    fn lookup(&self, access_key_id: &str) -> Result<Keys<'_>, KeyStoreError> {
        Ok(self.get(access_key_id).map_or(Keys::none(), |keys| Keys::borrowed(keys.as_ref())))
    }
}

impl<V: AsRef<[SigningKey]>> KeyStore for BTreeMap<String, V> {
    fn lookup(&self, access_key_id: &str) -> Result<Keys<'_>, KeyStoreError> {
        Ok(self.get(access_key_id).map_or(Keys::none(), |keys| Keys::borrowed(keys.as_ref())))
    }
}

impl<K: KeyStore + ?Sized> KeyStore for Arc<K> {
    fn lookup(&self, access_key_id: &str) -> Result<Keys<'_>, KeyStoreError> {
        (**self).lookup(access_key_id)
    }
}

/// Keys that are known from the start.
#[derive(Clone, Default)]
pub struct StaticKeys(HashMap<String, Vec<SigningKey>, foldhash::fast::RandomState>);

impl StaticKeys {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a secret. An access key may have several, for a rotation; they are tried
    /// in the order they were added.
    #[must_use]
    pub fn with_key(mut self, access_key_id: impl Into<String>, key: SigningKey) -> Self {
        self.0.entry(access_key_id.into()).or_default().push(key);
        self
    }

    /// Makes keys of pairs of an access key id and its secret.
    ///
    /// # Errors
    /// As [`Credentials::new`] for the first pair that it refuses, naming its id.
    pub fn from_secrets<I, S>(secrets: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item = (S, S)>,
        S: AsRef<str>,
    {
        secrets.into_iter().try_fold(Self::new(), |keys, (id, secret)| {
            let credentials = Credentials::new(id.as_ref(), secret)
                .map_err(|error| error.about(&format!("access key {:?}", id.as_ref())))?;
            Ok(keys.with_key(id.as_ref(), credentials.key().clone()))
        })
    }
}

impl KeyStore for StaticKeys {
    fn lookup(&self, access_key_id: &str) -> Result<Keys<'_>, KeyStoreError> {
        self.0.lookup(access_key_id)
    }
}

impl fmt::Debug for StaticKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
