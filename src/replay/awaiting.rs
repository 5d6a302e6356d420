use super::guard::AsyncReplayGuard;
use super::layer::ReplayLayer;
use super::service::decide;
use crate::awaiting::take_ready;
use crate::clock::{Clock, SystemClock};
use crate::response::{
    AwaitingFuture, FcResponse, RejectionResponse, ResponseBody, ResponseFuture,
};
use http::{Request, Response};
use std::fmt;
use std::task::{Context, Poll};
use tower_service::Service;

/// Refuses a verified request that was seen before, by a guard that has to be awaited.
///
/// Made from a [`ReplayLayer`] with all its settings ([`ReplayLayer::awaiting_guard`]). Each
/// request that is guarded costs one boxed future and one clone of the inner service more.
pub struct AsyncReplayLayer<G, R = FcResponse, C = SystemClock>(ReplayLayer<G, R, C>);

impl<G, R, C> ReplayLayer<G, R, C> {
    /// Makes the layer for a guard that has to be awaited.
    pub fn awaiting_guard(self) -> AsyncReplayLayer<G, R, C> {
        AsyncReplayLayer(self)
    }
}

impl<G, R: Clone, C: Clone> Clone for AsyncReplayLayer<G, R, C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<G, R, C> fmt::Debug for AsyncReplayLayer<G, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncReplayLayer").field(&self.0).finish()
    }
}

/// The service of [`AsyncReplayLayer`].
pub struct AsyncReplay<S, G, R = FcResponse, C = SystemClock> {
    inner: S,
    layer: AsyncReplayLayer<G, R, C>,
}

service!(AsyncReplay, AsyncReplayLayer, G, R, C);

impl<S, G, R, C, B, ResBody> Service<Request<B>> for AsyncReplay<S, G, R, C>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone,
    G: AsyncReplayGuard + Send + Sync + 'static,
    R: RejectionResponse + Clone + Send + Sync + 'static,
    C: Clock + Clone + Send + Sync + 'static,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = AwaitingFuture<S, S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (layer, now) = (&self.layer.0, self.layer.0.clock.now());
        let claim = match layer.due(request.method(), request.extensions(), now) {
            Ok(Some(claim)) => claim,
            Ok(None) => {
                return AwaitingFuture::answering(ResponseFuture::inner(self.inner.call(request)));
            }
            Err(rejection) => {
                let response = layer.refuse(rejection, now, &request.into_parts().0);
                // What is not called is not kept ready.
                drop(take_ready(&mut self.inner));
                return AwaitingFuture::answering(ResponseFuture::refused(response));
            }
        };
        let layer = layer.clone();
        let (parts, body) = request.into_parts();
        AwaitingFuture::deciding(take_ready(&mut self.inner), body, async move {
            let decided = decide(layer.guard.claim(claim).await);
            // It may have ended while the guard was awaited, and its first claim with it.
            let now = layer.clock.now();
            let due = || layer.due(&parts.method, &parts.extensions, now);
            match decided.and_then(|()| due()) {
                Ok(_) => Ok(parts),
                Err(rejection) => Err(layer.refuse(rejection, now, &parts)),
            }
        })
    }
}
