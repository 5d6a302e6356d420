use crate::error::Error;
use crate::protocol::Credentials;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Provides credentials that have to be awaited: by an STS client, a
/// metadata service, a file that changes.
///
/// Async closures that return `Result<Credentials, Error>` are providers too, and so are an [`Arc`]
/// of one, and [`DynProvideCredentials`], which any provider behind a pointer is. A
/// provider is asked once for each request, so put a
/// [`CachedCredentials`](super::CachedCredentials) in front of one that does not keep what it has.
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

impl<P: ProvideCredentials + ?Sized> ProvideCredentials for Arc<P> {
    fn credentials(&self) -> impl Future<Output = Result<Credentials, Error>> + Send {
        (**self).credentials()
    }
}

/// A [`ProvideCredentials`] of any type, to be kept behind a pointer:
/// `Arc<dyn DynProvideCredentials>` is a provider as well. Each question costs one boxed future
/// more.
///
/// ```
/// use std::sync::Arc;
/// use tower_fc::credentials::{CachedCredentials, DynProvideCredentials};
/// use tower_fc::{Credentials, SignLayer, Signer};
///
/// # fn sts() -> bool { true }
/// # async fn assume_role() -> Result<Credentials, tower_fc::error::Error> { Credentials::new("a", "b") }
/// let provider: Arc<dyn DynProvideCredentials> = if sts() {
///     Arc::new(CachedCredentials::new(assume_role))
/// } else {
///     Arc::new(Credentials::new("LTAI5tExample", "secret")?)
/// };
/// let sign = SignLayer::new(Signer::new(provider)).awaiting_credentials();
/// # let _ = sign;
/// # Ok::<(), tower_fc::error::Error>(())
/// ```
pub trait DynProvideCredentials: Send + Sync {
    /// As [`ProvideCredentials::credentials`], boxed.
    fn credentials_boxed(
        &self,
    ) -> Pin<Box<dyn Future<Output = Result<Credentials, Error>> + Send + '_>>;
}

impl<P: ProvideCredentials + Send + Sync> DynProvideCredentials for P {
    fn credentials_boxed(
        &self,
    ) -> Pin<Box<dyn Future<Output = Result<Credentials, Error>> + Send + '_>> {
        Box::pin(self.credentials())
    }
}

impl ProvideCredentials for dyn DynProvideCredentials + '_ {
    fn credentials(&self) -> impl Future<Output = Result<Credentials, Error>> + Send {
        self.credentials_boxed()
    }
}
