//! Access keys: to sign with, and to verify by.

use super::crypto::hmac::Keyed;
use super::value::AppValue;
use crate::error::{Error, ErrorKind};
use http::header::HeaderValue;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;
use zeroize::Zeroizing;

/// An access key to sign with: its id, its secret and, for temporary ones, the
/// security token that STS gave with them.
///
/// The secret is checked and made ready for HMAC once, here; its text is not
/// kept. Clones are cheap and share it. `Debug` prints the id alone.
///
/// ```
/// use tower_fc::Credentials;
///
/// let credentials = Credentials::new("LTAI5tExample", "example-secret")?;
/// assert_eq!(credentials.access_key_id(), "LTAI5tExample");
/// assert!(!format!("{credentials:?}").contains("example-secret"));
///
/// let error = Credentials::new("LTAI5tExample", "copied with its line end\n").unwrap_err();
/// assert_eq!(error.kind(), tower_fc::error::ErrorKind::InvalidAccessKeySecret);
/// # Ok::<(), tower_fc::error::Error>(())
/// ```
#[derive(Clone)]
pub struct Credentials {
    access_key_id: Arc<str>,
    key: VerifyingKey,
}

impl Credentials {
    /// An access key without a security token.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidAccessKeyId`] when the id is empty, longer than 256
    /// bytes, or has anything in it but visible ASCII characters other than `:`,
    /// `,` and `=`. [`ErrorKind::InvalidAccessKeySecret`] when the secret is empty or has
    /// white space or control characters in it.
    pub fn new(id: impl AsRef<str>, secret: impl AsRef<str>) -> Result<Self, Error> {
        Self::named("the access key id", id.as_ref(), "the access key secret", secret.as_ref())
    }

    /// The same, with what its parts are called in errors.
    pub(crate) fn named(
        id_name: &str,
        id: &str,
        secret_name: &str,
        secret: &str,
    ) -> Result<Self, Error> {
        if access_key_id(id.as_bytes()).is_none() {
            let rule = "must be 1 to 256 visible ASCII characters other than ':', ',' and '='";
            return Err(Error::new(ErrorKind::InvalidAccessKeyId, format!("{id_name} {rule}")));
        }
        Ok(Self { access_key_id: id.into(), key: VerifyingKey::named(secret_name, secret)? })
    }

    /// Adds the security token that belongs to a temporary access key.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSecurityToken`] when it is empty or has anything in it
    /// but visible ASCII characters.
    pub fn with_security_token(self, token: impl AsRef<str>) -> Result<Self, Error> {
        self.with_named_token("the security token", token.as_ref())
    }

    pub(crate) fn with_named_token(mut self, name: &str, token: &str) -> Result<Self, Error> {
        self.key = self.key.with_named_token(name, token)?;
        Ok(self)
    }

    /// The id of the access key, which is public.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// Returns whether there is a security token.
    pub fn has_security_token(&self) -> bool {
        self.key.token().is_some()
    }

    /// Says when they end, as temporary ones do: what
    /// [`CachedCredentials`](crate::credentials::CachedCredentials) goes by, and a
    /// [`Presigner`](crate::Presigner), whose URLs cannot outlive them. By default they do not end.
    #[must_use]
    pub fn with_expires_at(mut self, time: SystemTime) -> Self {
        self.key = self.key.with_not_after(time);
        self
    }

    /// Returns when they end; `None` where that is not known, or never.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.key.not_after
    }

    /// The prepared secret, to verify with what these credentials sign, until they end.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("expires_at", &self.expires_at())
            .field("key", &self.key)
            .finish()
    }
}

/// The secret of an access key, made ready for verifying.
///
/// Making one costs a few hash computations, so make it once for each secret, not
/// for each request. Clones are cheap and share it; the key material is wiped
/// when the last one is dropped. `Debug` prints nothing of it.
#[derive(Clone)]
pub struct VerifyingKey {
    secret: Arc<Secret>,
    token: Option<HeaderValue>,
    not_after: Option<SystemTime>,
    value: Option<AppValue>,
}

impl VerifyingKey {
    /// Makes a secret ready.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidAccessKeySecret`] when it is empty or has white space or
    /// control characters in it.
    pub fn new(secret: impl AsRef<str>) -> Result<Self, Error> {
        Self::named("the access key secret", secret.as_ref())
    }

    fn named(name: &str, secret: &str) -> Result<Self, Error> {
        check_secret(name, secret)?;
        Ok(Self::of(Secret::prepared(secret)))
    }

    /// The same, but made ready when it is first used: it may be one of a million.
    #[cfg(feature = "key-file")]
    pub(crate) fn prepared_when_used(secret: &str) -> Result<Self, Error> {
        check_secret("the access key secret", secret)?;
        Ok(Self::of(Secret::prepared_when_used(secret)))
    }

    fn of(secret: Secret) -> Self {
        Self { secret: Arc::new(secret), token: None, not_after: None, value: None }
    }

    /// Makes it one of a temporary access key: requests must carry this token.
    ///
    /// Without this, a signed token of any content is let through, to be checked by
    /// whoever knows it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSecurityToken`] when it is empty or has anything in it
    /// but visible ASCII characters.
    pub fn with_security_token(self, token: impl AsRef<str>) -> Result<Self, Error> {
        self.with_named_token("the security token", token.as_ref())
    }

    fn with_named_token(mut self, name: &str, token: &str) -> Result<Self, Error> {
        let value = HeaderValue::from_str(token)
            .ok()
            .filter(|_| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()));
        let Some(mut value) = value else {
            let rule = "must be one or more visible ASCII characters";
            return Err(Error::new(ErrorKind::InvalidSecurityToken, format!("{name} {rule}")));
        };
        value.set_sensitive(true);
        self.token = Some(value);
        Ok(self)
    }

    /// Ends it at a time: from then on the secret counts as unknown.
    ///
    /// By default a key does not expire. For a rotation, give the old secret of an
    /// access key an end, and keep both until then.
    #[must_use]
    pub fn with_not_after(mut self, time: SystemTime) -> Self {
        self.not_after = Some(time);
        self
    }

    /// Keeps a value of the application's with it: the tenant that it belongs to, what it may do.
    ///
    /// [`VerifyLayer`](crate::VerifyLayer) puts a clone into the extensions of each request that
    /// this key verifies, under its type, and of no other; in axum it is
    /// `Extension<T>`. [`VerifiedCaller::value`](crate::VerifiedCaller::value) has it too. Of each
    /// key there is one value: another replaces it. `Debug` does not print it.
    ///
    /// ```
    /// use tower_fc::keys::VerifyingKey;
    /// use tower_fc::{Credentials, Signer, Verifier};
    ///
    /// #[derive(Clone, Debug, PartialEq)]
    /// struct Tenant(&'static str);
    ///
    /// let key = VerifyingKey::new("secret")?.with_value(Tenant("acme"));
    /// let verifier = Verifier::new(move |id: &str| (id == "id").then(|| key.clone()));
    ///
    /// let mut request = http::Request::get("/").body(())?;
    /// let now = std::time::SystemTime::now();
    /// Signer::new(Credentials::new("id", "secret")?).sign_request_at(&mut request, now)?;
    /// let caller = verifier.verify_request_at(&request, now)?;
    /// assert_eq!(caller.value(), Some(&Tenant("acme")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_value<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.value = Some(AppValue::new(value));
        self
    }

    pub(crate) fn value(&self) -> Option<&AppValue> {
        self.value.as_ref()
    }

    pub(crate) fn keyed(&self) -> &Keyed {
        self.secret.keyed()
    }

    #[cfg(all(test, feature = "key-file"))]
    pub(crate) fn is_prepared(&self) -> bool {
        self.secret.keyed.get().is_some()
    }

    pub(crate) fn token(&self) -> Option<&HeaderValue> {
        self.token.as_ref()
    }

    pub(crate) fn is_live(&self, now: SystemTime) -> bool {
        self.not_after.is_none_or(|end| now < end)
    }
}

/// Checks that a text can be a secret.
fn check_secret(name: &str, secret: &str) -> Result<(), Error> {
    let rule = if secret.is_empty() {
        "must not be empty"
    } else if secret.chars().any(|char| char.is_whitespace() || char.is_control()) {
        "must not contain white space or control characters"
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::InvalidAccessKeySecret, format!("{name} {rule}")))
}

/// A secret that is made ready, or will be.
struct Secret {
    /// Nothing once it is not needed.
    text: Zeroizing<Box<[u8]>>,
    keyed: OnceLock<Keyed>,
}

impl Secret {
    fn prepared(text: &str) -> Self {
        Self { text: Zeroizing::default(), keyed: Keyed::new(text.as_bytes()).into() }
    }

    #[cfg(feature = "key-file")]
    fn prepared_when_used(text: &str) -> Self {
        Self { text: Zeroizing::new(text.as_bytes().into()), keyed: OnceLock::new() }
    }

    fn keyed(&self) -> &Keyed {
        self.keyed.get_or_init(|| Keyed::new(&self.text))
    }
}

impl AsRef<[Self]> for VerifyingKey {
    fn as_ref(&self) -> &[Self] {
        std::slice::from_ref(self)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyingKey(..)")
    }
}

/// An access key id as it may stand in an `Authorization` value: visible ASCII
/// without the separators of any scheme.
pub(crate) fn access_key_id(text: &[u8]) -> Option<&str> {
    let odd = |byte: &u8| !byte.is_ascii_graphic() || matches!(byte, b':' | b',' | b'=');
    if text.is_empty() || text.len() > MAX_ACCESS_KEY_ID {
        return None;
    }
    // Without a way out, so that many bytes are looked at at once.
    if text.iter().fold(false, |found, byte| found | odd(byte)) {
        return None;
    }
    std::str::from_utf8(text).ok()
}

/// The longest access key id that is looked at, in bytes.
const MAX_ACCESS_KEY_ID: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_key_id_is_visible_ascii_without_separators() {
        for id in ["a", "LTAI5tExample", "STS.N_-x", "!~\"/@", &"x".repeat(MAX_ACCESS_KEY_ID)] {
            assert_eq!(access_key_id(id.as_bytes()), Some(id));
        }
        let odd = [" ", "\t", "\n", "\0", "\x7f", ":", ",", "=", "é"];
        for first in odd {
            assert_eq!(access_key_id(first.as_bytes()), None, "{first:?}");
            // One does not make up for another.
            for second in odd {
                let id = format!("a{first}b{second}c");
                assert_eq!(access_key_id(id.as_bytes()), None, "{id:?}");
            }
        }
        assert_eq!(access_key_id(b""), None);
        assert_eq!(access_key_id(&[b'x'; MAX_ACCESS_KEY_ID + 1]), None);
    }
}
