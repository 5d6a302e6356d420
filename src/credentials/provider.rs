use crate::error::Error;
use crate::protocol::Credentials;
use std::future::Future;

/// Provides credentials that have to be awaited: by an STS client, a
/// metadata service, a file that changes.
///
/// Async closures that return `Result<Credentials, Error>` are providers too. A
/// provider is asked once for each request, so it should keep what it has until
/// shortly before it expires.
#[diagnostic::on_unimplemented(
    message = "`{Self}` provides no credentials",
    label = "not a `ProvideCredentials`",
    note = "an `async move ||` that uses what it captured cannot be called anew while it runs: write `move || {{ let client = client.clone(); async move {{ … }} }}`",
    note = "it returns a `Result<Credentials, tower_fc::error::Error>`"
)]
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

#[diagnostic::do_not_recommend] // For the closure that is none, the trait has words of its own.
impl<F, Fut> ProvideCredentials for F
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<Credentials, Error>> + Send,
{
    fn credentials(&self) -> impl Future<Output = Result<Credentials, Error>> + Send {
        self()
    }
}
