//! Who signs: access keys, their secrets, STS tokens.

use crate::error::{Error, ErrorKind};
use crate::scheme::access_key_id;
use crate::signature::Keyed;
use http::header::HeaderValue;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
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
/// assert_eq!(error.kind(), tower_fc::ErrorKind::InvalidAccessKeySecret);
/// # Ok::<(), tower_fc::Error>(())
/// ```
#[derive(Clone)]
pub struct Credentials {
    access_key_id: Arc<str>,
    key: SigningKey,
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

    fn named(id_name: &str, id: &str, secret_name: &str, secret: &str) -> Result<Self, Error> {
        if access_key_id(id.as_bytes()).is_none() {
            let rule = "must be 1 to 256 visible ASCII characters other than ':', ',' and '='";
            return Err(Error::new(ErrorKind::InvalidAccessKeyId, format!("{id_name} {rule}")));
        }
        Ok(Self { access_key_id: id.into(), key: SigningKey::named(secret_name, secret)? })
    }

    /// The same with the security token that belongs to a temporary access key.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSecurityToken`] when it is empty or has anything in it
    /// but visible ASCII characters.
    pub fn with_security_token(mut self, token: impl AsRef<str>) -> Result<Self, Error> {
        self.key = self.key.with_security_token(token)?;
        Ok(self)
    }

    /// Reads `ALIBABA_CLOUD_ACCESS_KEY_ID`, `ALIBABA_CLOUD_ACCESS_KEY_SECRET` and,
    /// where it is set and not empty, `ALIBABA_CLOUD_SECURITY_TOKEN`.
    ///
    /// # Errors
    /// [`ErrorKind::MissingVariable`] when one of the first two is missing or is not
    /// text, and the errors of [`Credentials::new`] and
    /// [`Credentials::with_security_token`], which name the variable.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_variables(|name| std::env::var_os(name))
    }

    fn from_variables(read: impl Fn(&str) -> Option<std::ffi::OsString>) -> Result<Self, Error> {
        let variable = |name: &str| match read(name).map(std::ffi::OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(Zeroizing::new(value))),
            Some(Err(_)) => Err(missing(name, "is not text")),
        };
        let required = |name| variable(name)?.ok_or_else(|| missing(name, "is not set"));
        let id = required(ENV_ACCESS_KEY_ID)?;
        let secret = required(ENV_ACCESS_KEY_SECRET)?;
        let credentials = Self::named(ENV_ACCESS_KEY_ID, &id, ENV_ACCESS_KEY_SECRET, &secret)?;
        match variable(ENV_SECURITY_TOKEN)? {
            Some(token) if !token.is_empty() => Ok(Self {
                key: credentials.key.with_named_token(ENV_SECURITY_TOKEN, &token)?,
                ..credentials
            }),
            _ => Ok(credentials),
        }
    }

    /// The id of the access key, which is public.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// Whether there is a security token.
    pub fn has_security_token(&self) -> bool {
        self.key.token().is_some()
    }

    /// The prepared secret, to verify with what these credentials sign.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }
}

const ENV_ACCESS_KEY_ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const ENV_ACCESS_KEY_SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
const ENV_SECURITY_TOKEN: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";

fn missing(name: &str, what: &str) -> Error {
    Error::new(ErrorKind::MissingVariable, format!("the environment variable {name} {what}"))
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
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
pub struct SigningKey {
    keyed: Arc<Keyed>,
    token: Option<HeaderValue>,
    not_after: Option<SystemTime>,
}

impl SigningKey {
    /// Makes a secret ready.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidAccessKeySecret`] when it is empty or has white space or
    /// control characters in it.
    pub fn new(secret: impl AsRef<str>) -> Result<Self, Error> {
        Self::named("the access key secret", secret.as_ref())
    }

    fn named(name: &str, secret: &str) -> Result<Self, Error> {
        let rule = if secret.is_empty() {
            "must not be empty"
        } else if secret.chars().any(|char| char.is_whitespace() || char.is_control()) {
            "must not contain white space or control characters"
        } else {
            return Ok(Self {
                keyed: Arc::new(Keyed::new(secret.as_bytes())),
                token: None,
                not_after: None,
            });
        };
        Err(Error::new(ErrorKind::InvalidAccessKeySecret, format!("{name} {rule}")))
    }

    /// The same for a temporary access key: requests must carry this token.
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

    /// The same, live until a time: from then on the secret counts as unknown.
    ///
    /// By default a key does not expire. For a rotation, give the old secret of an
    /// access key an end, and keep both until then.
    #[must_use]
    pub fn with_not_after(mut self, time: SystemTime) -> Self {
        self.not_after = Some(time);
        self
    }

    pub(crate) fn keyed(&self) -> &Keyed {
        &self.keyed
    }

    pub(crate) fn token(&self) -> Option<&HeaderValue> {
        self.token.as_ref()
    }

    pub(crate) fn is_live(&self, now: SystemTime) -> bool {
        self.not_after.is_none_or(|end| now < end)
    }
}

impl AsRef<[Self]> for SigningKey {
    fn as_ref(&self) -> &[Self] {
        std::slice::from_ref(self)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// Where credentials come from when they have to be awaited: an STS client, a
/// metadata service, a file that changes.
///
/// Async closures that return `Result<Credentials, Error>` are providers too. A
/// provider is asked once for each request, so it should keep what it has until
/// shortly before it expires.
pub trait ProvideCredentials {
    /// The credentials to sign the next request with.
    ///
    /// # Errors
    /// Whatever kept the provider from having any; [`Error::provider`] wraps it. The
    /// request is not sent then.
    fn credentials(&self) -> impl Future<Output = Result<Credentials, Error>> + Send;
}

impl ProvideCredentials for Credentials {
    async fn credentials(&self) -> Result<Credentials, Error> {
        Ok(self.clone())
    }
}

impl<F, Fut> ProvideCredentials for F
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<Credentials, Error>> + Send,
{
    fn credentials(&self) -> impl Future<Output = Result<Credentials, Error>> + Send {
        self()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<Credentials, Error> {
        Credentials::from_variables(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
        })
    }

    #[test]
    fn what_is_wrong_with_the_environment_is_said_by_name() {
        let good = [(ENV_ACCESS_KEY_ID, "id"), (ENV_ACCESS_KEY_SECRET, "secret")];
        assert!(!from(&good).unwrap().has_security_token());
        let with_token = [good[0], good[1], (ENV_SECURITY_TOKEN, "token")];
        assert!(from(&with_token).unwrap().has_security_token());
        let with_empty_token = [good[0], good[1], (ENV_SECURITY_TOKEN, "")];
        assert!(!from(&with_empty_token).unwrap().has_security_token());

        for (variables, kind, name) in [
            (vec![], ErrorKind::MissingVariable, ENV_ACCESS_KEY_ID),
            (vec![good[0]], ErrorKind::MissingVariable, ENV_ACCESS_KEY_SECRET),
            (
                vec![(ENV_ACCESS_KEY_ID, "a b"), good[1]],
                ErrorKind::InvalidAccessKeyId,
                ENV_ACCESS_KEY_ID,
            ),
            (
                vec![good[0], (ENV_ACCESS_KEY_SECRET, "canary\n")],
                ErrorKind::InvalidAccessKeySecret,
                ENV_ACCESS_KEY_SECRET,
            ),
            (
                vec![good[0], good[1], (ENV_SECURITY_TOKEN, "canary\r\n")],
                ErrorKind::InvalidSecurityToken,
                ENV_SECURITY_TOKEN,
            ),
        ] {
            let error = from(&variables).unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains(name), "{error}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }
}
