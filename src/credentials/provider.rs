use crate::error::Error;
use crate::protocol::Credentials;
use std::future::Future;

/// Provides credentials that have to be awaited: by an STS client, a
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
