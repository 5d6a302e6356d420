use crate::clock::{Clock, SystemClock};
use crate::credentials::{Credentials, ProvideCredentials};
use crate::error::{BoxError, Error};
use crate::scheme::Scheme;
use crate::signer::Signer;
use http::Request;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

/// The sibling of [`SignLayer`](super::SignLayer) for credentials that have to be
/// awaited.
///
/// Asks its provider for every request; one that fails is not sent, and the error,
/// a boxed [`Error`], is returned in its place. Each request costs one boxed
/// future and one clone of the inner service more than [`SignLayer`](super::SignLayer).
pub struct AsyncSignLayer<P, C = SystemClock> {
    provider: Arc<P>,
    scheme: Scheme,
    nonce: bool,
    clock: C,
}

impl<P> AsyncSignLayer<P> {
    /// Signs with what `provider` gives, by [`Scheme::Fc`].
    pub fn new(provider: P) -> Self {
        Self { provider: Arc::new(provider), scheme: Scheme::Fc, nonce: false, clock: SystemClock }
    }
}

impl<P, C> AsyncSignLayer<P, C> {
    /// Signs by another scheme.
    ///
    /// # Errors
    /// As [`Signer::with_scheme`].
    pub fn with_scheme(mut self, scheme: Scheme) -> Result<Self, Error> {
        self.scheme = Signer::header_scheme(scheme)?;
        Ok(self)
    }

    /// Makes every request unique. See [`Signer::with_nonce`].
    #[must_use]
    pub fn with_nonce(mut self) -> Self {
        self.nonce = true;
        self
    }

    /// Tells the time by another clock than the system's.
    pub fn with_clock<T: Clock>(self, clock: T) -> AsyncSignLayer<P, T> {
        let Self { provider, scheme, nonce, .. } = self;
        AsyncSignLayer { provider, scheme, nonce, clock }
    }

    fn signer(&self, credentials: Credentials) -> Result<Signer, Error> {
        let signer = Signer::new(credentials).with_scheme(self.scheme)?;
        Ok(if self.nonce { signer.with_nonce() } else { signer })
    }
}

impl<S, P, C: Clone> Layer<S> for AsyncSignLayer<P, C> {
    type Service = AsyncSign<S, P, C>;

    fn layer(&self, inner: S) -> Self::Service {
        AsyncSign { inner, layer: self.clone() }
    }
}

impl<P, C: Clone> Clone for AsyncSignLayer<P, C> {
    fn clone(&self) -> Self {
        Self {
            provider: Arc::clone(&self.provider),
            scheme: self.scheme,
            nonce: self.nonce,
            clock: self.clock.clone(),
        }
    }
}

impl<P, C: fmt::Debug> fmt::Debug for AsyncSignLayer<P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSignLayer")
            .field("scheme", &self.scheme)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

/// The service of [`AsyncSignLayer`].
pub struct AsyncSign<S, P, C = SystemClock> {
    inner: S,
    layer: AsyncSignLayer<P, C>,
}

impl<S, P, C> AsyncSign<S, P, C> {
    inner_accessors!();
}

impl<S: fmt::Debug, P, C: fmt::Debug> fmt::Debug for AsyncSign<S, P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSign").field("inner", &self.inner).field("layer", &self.layer).finish()
    }
}

impl<S: Clone, P, C: Clone> Clone for AsyncSign<S, P, C> {
    fn clone(&self) -> Self {
        self.layer.layer(self.inner.clone())
    }
}

impl<S, P, C, B> Service<Request<B>> for AsyncSign<S, P, C>
where
    S: Service<Request<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    P: ProvideCredentials + Send + Sync + 'static,
    C: Clock + Clone + Send + Sync + 'static,
    B: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = AsyncSignFuture<S::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // See AsyncVerify: the ready service is called, the clone stays.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let layer = self.layer.clone();
        AsyncSignFuture(Box::pin(async move {
            let signer = layer.signer(layer.provider.credentials().await?)?;
            // Credentials may have been a while in coming.
            signer.sign_request_at(&mut request, layer.clock.now())?;
            inner.call(request).await.map_err(Into::into)
        }))
    }
}

/// The response future of [`AsyncSign`].
pub struct AsyncSignFuture<T>(Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>);

impl<T> Future for AsyncSignFuture<T> {
    type Output = Result<T, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<T> fmt::Debug for AsyncSignFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSignFuture").finish_non_exhaustive()
    }
}
