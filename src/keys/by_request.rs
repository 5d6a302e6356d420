use super::store::AsyncKeyStore;
use crate::protocol::key_store::IntoKeys;
use crate::protocol::{KeyQuery, KeyStore, KeyStoreError, Keys};
use std::fmt;
use std::future::Future;

/// Makes a key store of a closure that is asked about the whole request: its security token and
/// its head, beside the access key id.
///
/// The closure takes a [`KeyQuery`], and returns what closures that are key stores by themselves do, or a future of it.
/// What it is asked about is not verified: an unknown token has to cost little, and gets no key.
///
/// ```
/// use std::time::SystemTime;
/// use tower_fc::keys::{ByRequest, KeyQuery, VerifyingKey};
/// use tower_fc::{Credentials, Signer, Verifier};
///
/// // Whoever gives out the tokens seals the secret into them, and this opens them again.
/// fn open(token: &[u8]) -> Option<&str> {
///     std::str::from_utf8(token).ok()?.strip_prefix("sealed:")
/// }
/// let store = ByRequest::new(|query: &KeyQuery<'_>| {
///     open(query.security_token()?).and_then(|secret| VerifyingKey::new(secret).ok())
/// });
/// let verifier = Verifier::new(store);
///
/// let now = SystemTime::now();
/// let mut request = http::Request::get("/").body(())?;
/// let temporary = Credentials::new("STS.example", "one")?.with_security_token("sealed:one")?;
/// Signer::new(temporary).sign_request_at(&mut request, now)?;
/// assert!(verifier.verify_request_at(&request, now).is_ok());
///
/// let forged = Credentials::new("STS.example", "guess")?.with_security_token("sealed:one")?;
/// Signer::new(forged).sign_request_at(&mut request, now)?;
/// assert!(verifier.verify_request_at(&request, now).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct ByRequest<F>(F);

impl<F> ByRequest<F> {
    /// Looks keys up by this closure.
    pub const fn new(look_up: F) -> Self {
        Self(look_up)
    }
}

impl<F, R> KeyStore for ByRequest<F>
where
    F: Fn(&KeyQuery<'_>) -> R,
    R: IntoKeys,
{
    fn lookup(&self, access_key_id: &str) -> Result<Keys<'_>, KeyStoreError> {
        self.lookup_for(&KeyQuery::new(access_key_id))
    }

    fn lookup_for(&self, query: &KeyQuery<'_>) -> Result<Keys<'_>, KeyStoreError> {
        (self.0)(query).into_keys()
    }
}

impl<F, Fut, R> AsyncKeyStore for ByRequest<F>
where
    F: Fn(&KeyQuery<'_>) -> Fut,
    Fut: Future<Output = R> + Send,
    R: IntoKeys,
{
    fn lookup(
        &self,
        access_key_id: &str,
    ) -> impl Future<Output = Result<Keys<'static>, KeyStoreError>> + Send {
        let keys = (self.0)(&KeyQuery::new(access_key_id));
        async { keys.await.into_keys() }
    }

    fn lookup_for(
        &self,
        query: &KeyQuery<'_>,
    ) -> impl Future<Output = Result<Keys<'static>, KeyStoreError>> + Send {
        let keys = (self.0)(query);
        async { keys.await.into_keys() }
    }
}

impl<F> fmt::Debug for ByRequest<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByRequest(..)")
    }
}
