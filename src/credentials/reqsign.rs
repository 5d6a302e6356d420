//! The credential chain of reqsign-aliyun-oss 3.

use super::provider::ProvideCredentials;
use crate::error::Error;
use crate::protocol::Credentials;
use reqsign_aliyun_oss::{Credential, DefaultCredentialProvider};
use reqsign_core::{Context, ProvideCredential};
use std::fmt;

/// Finds credentials where Alibaba Cloud's tools and SDKs look for them, by `reqsign-aliyun-oss` 3:
/// AssumeRole, the environment, the credentials file and the configuration of the `aliyun` command,
/// a credentials URI, the RAM role of an ECS instance, and a role by OIDC (RRSA), in this order.
///
/// It asks anew each time, so put a [`CachedCredentials`](super::CachedCredentials) in front. Its
/// [`Context`] says how files are read and requests sent: `reqsign-file-read-tokio` and
/// `reqsign-http-send-reqwest` are what its authors offer for that.
///
/// ```
/// use reqsign_core::{Context, StaticEnv};
/// use tower_fc::credentials::{CachedCredentials, ProvideCredentials, ReqsignCredentials};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_fc::error::Error> {
/// // In a program: `OsEnv`, and `with_file_read` and `with_http_send`.
/// let variables = [("ALIBABA_CLOUD_ACCESS_KEY_ID", "id"), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "s")];
/// let env = StaticEnv {
///     envs: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
///     home_dir: None,
/// };
/// let chain = ReqsignCredentials::new(Context::new().with_env(env));
/// let credentials = CachedCredentials::new(chain).credentials().await?;
/// assert_eq!(credentials.access_key_id(), "id");
/// # Ok(())
/// # }
/// ```
pub struct ReqsignCredentials<P = DefaultCredentialProvider> {
    provider: P,
    context: Context,
}

impl ReqsignCredentials {
    /// Goes through the default chain.
    pub fn new(context: Context) -> Self {
        Self::with_provider(DefaultCredentialProvider::new(), context)
    }
}

impl<P> ReqsignCredentials<P> {
    /// Asks one provider of `reqsign-aliyun-oss`, or a chain of one's own.
    pub fn with_provider(provider: P, context: Context) -> Self {
        Self { provider, context }
    }
}

impl<P: ProvideCredential<Credential = Credential>> ProvideCredentials for ReqsignCredentials<P> {
    async fn credentials(&self) -> Result<Credentials, Error> {
        let found = self.provider.provide_credential(&self.context).await;
        let found = found.map_err(Error::provider)?;
        let found = found.ok_or_else(|| Error::provider("no source of the chain has any"))?;
        let mut credentials = Credentials::new(&found.access_key_id, &found.access_key_secret)?;
        if let Some(token) = found.security_token.filter(|token| !token.is_empty()) {
            credentials = credentials.with_security_token(token)?;
        }
        Ok(match found.expires_in {
            Some(end) => credentials.with_expires_at(end.as_system_time()),
            None => credentials,
        })
    }
}

impl<P> fmt::Debug for ReqsignCredentials<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReqsignCredentials(..)")
    }
}
