//! The question for the keys that verify a request, and what answers it.

use super::key::VerifyingKey;
use super::request::RequestRef;
use crate::error::BoxError;
use http::header::HeaderMap;
use http::{Method, Uri};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Finds the live secrets of an access key by its id.
///
/// Implemented for maps (`HashMap` and `BTreeMap` from the id to one
/// [`VerifyingKey`] or several), for [`StaticKeys`](crate::StaticKeys), and for closures that return
/// `Option<VerifyingKey>` or a `Result` of it. The id has the shape of one
/// (1 to 256 visible ASCII characters) and is otherwise whatever the client sent.
///
/// Give no two ids one secret. The id is not signed, but in a presigned URL: what was signed as
/// one of them verifies as the other too, so whoever sees a request can change who it is from.
///
/// ```
/// use tower_fc::keys::VerifyingKey;
/// use tower_fc::{StaticKeys, Verifier};
///
/// let rotating = StaticKeys::new()
///     .with_key("LTAI5tExample", VerifyingKey::new("the-new-secret")?)
///     .with_key("LTAI5tExample", VerifyingKey::new("the-old-secret")?);
/// let by_map = Verifier::new(rotating);
///
/// let key = VerifyingKey::new("secret")?;
/// let by_closure = Verifier::new(move |id: &str| (id == "LTAI5tExample").then(|| key.clone()));
/// # fn checked(_: &Verifier<impl tower_fc::keys::KeyStore>) {}
/// # checked(&by_map);
/// # checked(&by_closure);
/// # Ok::<(), tower_fc::error::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no key store that answers at once",
    label = "not a `KeyStore`",
    note = "a closure says what it takes, and returns keys: `|id: &str| -> Option<VerifyingKey>`",
    note = "where keys have to be awaited, call `awaiting_keys()` on the `VerifyLayer`",
    note = "a type of your own implements `keys::KeyStore`; an `Arc` of one that does is a store too"
)]
pub trait KeyStore {
    /// The secrets of an access key, none when there is no such key.
    ///
    /// # Errors
    /// When it cannot be told whether there is one: the request is refused with
    /// [`RejectionKind::KeyStoreUnavailable`](crate::RejectionKind::KeyStoreUnavailable).
    fn lookup(&self, access_key_id: &str) -> Result<Keys<'_>, KeyStoreError>;

    /// The secrets that a request may be signed with: by default those of its access key id.
    ///
    /// This is what a verifier asks. A store that goes by more than the id has its own answer, one
    /// that derives a secret from the security token for instance; see
    /// [`ByRequest`](crate::keys::ByRequest) for closures. A store that wraps another passes the
    /// question on.
    ///
    /// # Errors
    /// As [`KeyStore::lookup`].
    fn lookup_for(&self, query: &KeyQuery<'_>) -> Result<Keys<'_>, KeyStoreError> {
        self.lookup(query.access_key_id())
    }
}

/// What a key store is asked: whose keys, and for which request. Nothing of it is verified yet.
///
/// `Debug` prints neither the token nor the request, whose headers have its signature.
pub struct KeyQuery<'a> {
    access_key_id: &'a str,
    security_token: Option<&'a [u8]>,
    request: Option<RequestRef<'a>>,
    /// Whether the store looked at the token: what it then has is for that token alone.
    by_token: AtomicBool,
}

impl<'a> KeyQuery<'a> {
    /// Asks for the keys of an access key, for no request in particular.
    pub const fn new(access_key_id: &'a str) -> Self {
        let by_token = AtomicBool::new(false);
        Self { access_key_id, security_token: None, request: None, by_token }
    }

    /// Asks for the keys that belong to a security token.
    #[must_use]
    pub fn with_security_token(self, token: &'a [u8]) -> Self {
        Self { security_token: Some(token), ..self }
    }

    pub(crate) const fn of(
        access_key_id: &'a str,
        security_token: Option<&'a [u8]>,
        request: RequestRef<'a>,
    ) -> Self {
        let by_token = AtomicBool::new(false);
        Self { access_key_id, security_token, request: Some(request), by_token }
    }

    /// Whether the answer to this may be another for the same access key with another token.
    pub(crate) fn is_by_token(&self) -> bool {
        self.by_token.load(Ordering::Relaxed)
    }

    /// The id of the access key, as the client sent it.
    pub fn access_key_id(&self) -> &'a str {
        self.access_key_id
    }

    /// The security token, as the client sent it. The signature covers it: a secret that is
    /// derived from one token verifies with no other.
    pub fn security_token(&self) -> Option<&'a [u8]> {
        self.by_token.store(true, Ordering::Relaxed);
        self.security_token
    }

    /// The method of the request; `None` where no request is asked for.
    pub fn method(&self) -> Option<&'a Method> {
        self.request.map(|request| request.method)
    }

    /// The target that was signed; `None` where no request is asked for.
    pub fn uri(&self) -> Option<&'a Uri> {
        self.request.map(|request| request.uri)
    }

    /// The headers of the request as it was received, those of a platform included; `None` where
    /// no request is asked for.
    pub fn headers(&self) -> Option<&'a HeaderMap> {
        self.request.map(|request| request.headers)
    }
}

impl fmt::Debug for KeyQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyQuery")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// The live secrets of one access key.
#[derive(Clone)]
pub struct Keys<'a>(Found<'a>);

#[derive(Clone)]
enum Found<'a> {
    None,
    One(VerifyingKey),
    Borrowed(&'a [VerifyingKey]),
    Shared(Arc<[VerifyingKey]>),
}

impl<'a> Keys<'a> {
    /// No key.
    pub const fn none() -> Self {
        Self(Found::None)
    }

    /// Keys that the store owns.
    pub const fn borrowed(keys: &'a [VerifyingKey]) -> Self {
        Self(Found::Borrowed(keys))
    }

    /// The keys.
    pub fn as_slice(&self) -> &[VerifyingKey] {
        match &self.0 {
            Found::None => &[],
            Found::One(key) => std::slice::from_ref(key),
            Found::Borrowed(keys) => keys,
            Found::Shared(keys) => keys,
        }
    }
}

impl From<VerifyingKey> for Keys<'_> {
    fn from(key: VerifyingKey) -> Self {
        Self(Found::One(key))
    }
}

impl From<Option<VerifyingKey>> for Keys<'_> {
    fn from(key: Option<VerifyingKey>) -> Self {
        key.map_or(Self::none(), Self::from)
    }
}

impl From<Arc<[VerifyingKey]>> for Keys<'_> {
    fn from(keys: Arc<[VerifyingKey]>) -> Self {
        Self(Found::Shared(keys))
    }
}

impl From<Vec<VerifyingKey>> for Keys<'_> {
    fn from(keys: Vec<VerifyingKey>) -> Self {
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

/// Converts what a closure may return in place of [`Keys`].
///
/// Implemented for `Option<VerifyingKey>`, `Vec<VerifyingKey>`, [`Keys`], and a
/// `Result` of any of these with a [`KeyStoreError`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a key store returns",
    label = "not keys",
    note = "return `Option<VerifyingKey>`, `Vec<VerifyingKey>`, `Keys`, or a `Result` of one of these with a `KeyStoreError`"
)]
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

#[diagnostic::do_not_recommend] // For the closure that is no store, the trait has words of its own.
impl<F, R> KeyStore for F
where
    F: Fn(&str) -> R,
    R: IntoKeys,
{
    fn lookup(&self, access_key_id: &str) -> Result<Keys<'_>, KeyStoreError> {
        self(access_key_id).into_keys()
    }
}

impl<V: AsRef<[VerifyingKey]>, S: BuildHasher> KeyStore for HashMap<String, V, S> {
    fn lookup(&self, access_key_id: &str) -> Result<Keys<'_>, KeyStoreError> {
        Ok(self.get(access_key_id).map_or(Keys::none(), |keys| Keys::borrowed(keys.as_ref())))
    }
}

impl<V: AsRef<[VerifyingKey]>> KeyStore for BTreeMap<String, V> {
    fn lookup(&self, access_key_id: &str) -> Result<Keys<'_>, KeyStoreError> {
        Ok(self.get(access_key_id).map_or(Keys::none(), |keys| Keys::borrowed(keys.as_ref())))
    }
}

impl<K: KeyStore + ?Sized> KeyStore for Arc<K> {
    fn lookup(&self, access_key_id: &str) -> Result<Keys<'_>, KeyStoreError> {
        (**self).lookup(access_key_id)
    }

    fn lookup_for(&self, query: &KeyQuery<'_>) -> Result<Keys<'_>, KeyStoreError> {
        (**self).lookup_for(query)
    }
}
