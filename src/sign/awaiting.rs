use super::error::SignError;
use super::layer::SignLayer;
use super::origins::unsign;
use crate::awaiting::{Pending, take_ready};
use crate::clock::{Clock, SystemClock};
use crate::credentials::ProvideCredentials;
use crate::error::Error;
use http::Request;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tower_service::Service;

/// Signs every request on its way to a service, with credentials that have to be awaited.
///
/// Made from a [`SignLayer`] with all its settings
/// ([`SignLayer::awaiting_credentials`]). Asks its provider for every request; one that
/// fails is not sent, and the error is [`SignError::Signing`]. Each
/// request costs one boxed future and one clone of the inner service more than with
/// [`SignLayer`].
pub struct AsyncSignLayer<P, C = SystemClock>(Arc<SignLayer<P, C>>);

impl<P, C> SignLayer<P, C> {
    /// Makes the layer for credentials that have to be awaited: the signer has their
    /// [provider](ProvideCredentials).
    pub fn awaiting_credentials(self) -> AsyncSignLayer<P, C> {
        AsyncSignLayer(Arc::new(self))
    }
}

impl<P, C> Clone for AsyncSignLayer<P, C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P, C: fmt::Debug> fmt::Debug for AsyncSignLayer<P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSignLayer")
            .field("scheme", &self.0.signer.scheme())
            .field("clock", &self.0.clock)
            .finish_non_exhaustive()
    }
}

/// The service of [`AsyncSignLayer`].
pub struct AsyncSign<S, P, C = SystemClock> {
    inner: S,
    layer: AsyncSignLayer<P, C>,
}

service!(AsyncSign, AsyncSignLayer, P, C);

impl<S, P, C, B> Service<Request<B>> for AsyncSign<S, P, C>
where
    S: Service<Request<B>> + Clone,
    P: ProvideCredentials + Send + Sync + 'static,
    C: Clock + Send + Sync + 'static,
{
    type Response = S::Response;
    type Error = SignError<S::Error>;
    type Future = AsyncSignFuture<S, S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(SignError::Inner)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let AsyncSignLayer(layer) = self.layer.clone();
        let decision = async move {
            if !layer.origins.contain((&parts).into())? {
                unsign(&mut parts.headers);
                return Ok(parts);
            }
            let credentials = layer.signer.credentials().credentials().await?;
            // Credentials may have been a while in coming.
            let now = layer.clock.now();
            layer.signer.with_credentials(credentials).sign_at(&mut parts, now)?;
            Ok(parts)
        };
        let pending = Pending::new(take_ready(&mut self.inner), body, decision);
        AsyncSignFuture { kind: Kind::Signing { pending } }
    }
}

pin_project! {
    /// The response future of [`AsyncSign`].
    pub struct AsyncSignFuture<S, F, B> {
        #[pin]
        kind: Kind<S, F, B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<S, F, B> {
        Signing { pending: Pending<S, B, Error> },
        Sent { #[pin] future: F },
    }
}

impl<S, B> Future for AsyncSignFuture<S, S::Future, B>
where
    S: Service<Request<B>>,
{
    type Output = Result<S::Response, SignError<S::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut kind = self.project().kind;
        loop {
            let future = match kind.as_mut().project() {
                KindProj::Sent { future } => return future.poll(cx).map_err(SignError::Inner),
                KindProj::Signing { pending } => {
                    let (mut service, request) = ready!(pending.poll(cx))?;
                    service.call(request)
                }
            };
            kind.set(Kind::Sent { future });
        }
    }
}

/// Says nothing of the request, whose headers may have its signature.
impl<S, F, B> fmt::Debug for AsyncSignFuture<S, F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSignFuture").finish_non_exhaustive()
    }
}
