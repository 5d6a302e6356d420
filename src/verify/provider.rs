use super::layer::Settings;
use super::{AsyncKeyStore, ResponseBody, VerifyLayer};
use crate::clock::{Clock, SystemClock};
use crate::rejection::{FcResponse, RejectionResponse};
use crate::verifier::Verifier;
use http::{Request, Response};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

/// The sibling of [`VerifyLayer`] for keys that have to be awaited.
///
/// Made from a [`VerifyLayer`] with all its settings
/// ([`VerifyLayer::awaiting_keys`]). Each request costs one boxed future and one
/// clone of the inner service more.
pub struct AsyncVerifyLayer<K, R = FcResponse, C = SystemClock>(VerifyLayer<K, R, C>);

impl<K, R: Clone, C: Clone> Clone for AsyncVerifyLayer<K, R, C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, R, C> fmt::Debug for AsyncVerifyLayer<K, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.settings.debug("AsyncVerifyLayer", &self.0.verifier, f)
    }
}

impl<K, R, C> VerifyLayer<K, R, C> {
    /// The same for keys that have to be awaited.
    pub fn awaiting_keys(self) -> AsyncVerifyLayer<K, R, C> {
        AsyncVerifyLayer(self)
    }
}

impl<S, K, R: Clone, C: Clone> Layer<S> for AsyncVerifyLayer<K, R, C> {
    type Service = AsyncVerify<S, K, R, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let VerifyLayer { verifier, settings } = self.0.clone();
        AsyncVerify { inner, verifier, settings }
    }
}

/// The service of [`AsyncVerifyLayer`].
pub struct AsyncVerify<S, K, R = FcResponse, C = SystemClock> {
    inner: S,
    verifier: Arc<Verifier<K>>,
    settings: Settings<R, C>,
}

impl<S, K, R, C> AsyncVerify<S, K, R, C> {
    inner_accessors!();
}

impl<S, K, R, C, B, ResBody> Service<Request<B>> for AsyncVerify<S, K, R, C>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    K: AsyncKeyStore + Send + Sync + 'static,
    R: RejectionResponse + Clone + Send + Sync + 'static,
    C: Clock + Clone + Send + Sync + 'static,
    B: Send + 'static,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = AsyncResponseFuture<ResBody, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The service that was polled ready has to be the one that is called, and a
        // clone of it is not: https://docs.rs/tower-service/0.3/tower_service/trait.Service.html#be-careful-when-cloning-inner-services
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let verifier = Arc::clone(&self.verifier);
        let settings = self.settings.clone();
        AsyncResponseFuture(Box::pin(async move {
            if settings.is_exempt(&request) {
                settings.pass(&mut request);
                return Ok(inner.call(request).await?.map(ResponseBody::inner));
            }
            // The head alone is held while keys are awaited: a body is not `Sync`.
            let (parts, body) = request.into_parts();
            let target = settings.target(&parts.uri, &parts.extensions);
            let now = settings.clock.now();
            let verdict = verifier.check_async(&parts.method, target, &parts.headers, now).await;
            let mut request = Request::from_parts(parts, body);
            match settings.admit(&mut request, verdict) {
                Ok(()) => Ok(inner.call(request).await?.map(ResponseBody::inner)),
                Err(rejection) => {
                    Ok(settings.refuse(request, rejection).map(ResponseBody::refused))
                }
            }
        }))
    }
}

impl<S, K, R, C> fmt::Debug for AsyncVerify<S, K, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.debug("AsyncVerify", &self.verifier, f)
    }
}

/// The response future of [`AsyncVerify`].
pub struct AsyncResponseFuture<B, E>(Answer<B, E>);

type Answer<B, E> =
    Pin<Box<dyn Future<Output = Result<Response<ResponseBody<B>>, E>> + Send + 'static>>;

impl<B, E> Future for AsyncResponseFuture<B, E> {
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<B, E> fmt::Debug for AsyncResponseFuture<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncResponseFuture").finish_non_exhaustive()
    }
}

impl<S: Clone, K, R: Clone, C: Clone> Clone for AsyncVerify<S, K, R, C> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            verifier: Arc::clone(&self.verifier),
            settings: self.settings.clone(),
        }
    }
}
