use crate::error::{Error, ErrorKind};
use crate::protocol::{Credentials, KeyStore, KeyStoreError, Keys, VerifyingKey};
use std::collections::HashMap;
use std::fmt;

/// Keys that are known from the start.
///
/// No two ids should have one secret: see [`KeyStore`] for what that opens.
#[derive(Clone, Default)]
pub struct StaticKeys(HashMap<String, Vec<VerifyingKey>, foldhash::fast::RandomState>);

impl StaticKeys {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a secret. An access key may have several, for a rotation; they are tried
    /// in the order they were added.
    #[must_use]
    pub fn with_key(mut self, access_key_id: impl Into<String>, key: VerifyingKey) -> Self {
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
        secrets.into_iter().zip(1..).try_fold(Self::new(), |keys, ((id, secret), number)| {
            let id = id.as_ref();
            let credentials = Credentials::new(id, secret).map_err(|error| match error.kind() {
                // It may be the secret, in the place of an id.
                ErrorKind::InvalidAccessKeyId => error.about(&format!("access key {number}")),
                _ => error.about(&format!("access key {id:?}")),
            })?;
            Ok(keys.with_key(id, credentials.key().clone()))
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
