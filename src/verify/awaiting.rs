use super::layer::VerifyLayer;
use crate::awaiting::take_ready;
use crate::clock::{Clock, SystemClock};
use crate::keys::AsyncKeyStore;
use crate::protocol::request::{Head, ProtocolHeaders, Readings, RequestRef};
use crate::protocol::scheme::coverage::List;
use crate::protocol::{Rejection, VerifiedCaller, Verifier};
use crate::response::{
    AwaitingFuture, FcResponse, RejectionResponse, ResponseBody, ResponseFuture,
};
use http::request::Parts;
use http::{Request, Response};
use std::fmt;
use std::task::{Context, Poll};
use std::time::SystemTime;
use tower_service::Service;

impl<K> Verifier<K> {
    /// Verifies a request as of `now` by keys that have to be awaited.
    ///
    /// # Errors
    /// As [`Verifier::verify_at`].
    pub async fn verify_async_at(
        &self,
        parts: &Parts,
        now: SystemTime,
    ) -> Result<VerifiedCaller, Rejection>
    where
        K: AsyncKeyStore,
    {
        self.check_async(parts.into(), || now).await
    }

    pub(super) async fn check_async(
        &self,
        request: RequestRef<'_>,
        now: impl Fn() -> SystemTime,
    ) -> Result<VerifiedCaller, Rejection>
    where
        K: AsyncKeyStore,
    {
        let (mut protocol, mut room) = (ProtocolHeaders::new(), None);
        let mut head = Head::of(request, &mut protocol);
        self.see(&mut head, &mut room)?;
        let mut rest = ProtocolHeaders::new();
        let own = self.own(&head, &mut rest);
        let mut readings = Readings::of(&head, own.as_ref());
        let mut list = List::new();
        let claim = self.read(&mut readings, &mut list, now())?;
        let query = claim.query(readings.head);
        let keys = self.keys().lookup_for(&query).await;
        let keys = keys.map_err(|error| claim.unavailable(error))?;
        // It may have ended while the keys were awaited.
        let looked_up_at = now();
        self.check_time(&claim, looked_up_at)?;
        let decided = self.decide(readings.head, &claim, &list, keys.as_slice(), looked_up_at);
        let Some(head) = readings.other.filter(|_| decided.is_err()) else { return decided };
        let mut list = List::new();
        let Ok(other) = self.read_head(head, &mut list, looked_up_at) else { return decided };
        let keys = match query.is_by_token() {
            false => Ok(keys),
            true => self.keys().lookup_for(&other.query(head)).await,
        };
        let keys = keys.map_err(|error| other.unavailable(error))?;
        let now = now();
        self.check_time(&other, now)?;
        self.decide(head, &other, &list, keys.as_slice(), now).or(decided)
    }
}

/// Lets a service see only requests whose signature verifies, by keys that have to be
/// awaited.
///
/// Made from a [`VerifyLayer`] with all its settings
/// ([`VerifyLayer::awaiting_keys`]). Each request costs one boxed future and one
/// clone of the inner service more.
pub struct AsyncVerifyLayer<K, R = FcResponse, C = SystemClock>(pub(super) VerifyLayer<K, R, C>);

impl<K, R, C: Clone> Clone for AsyncVerifyLayer<K, R, C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, R, C> fmt::Debug for AsyncVerifyLayer<K, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncVerifyLayer").field(&self.0).finish()
    }
}

impl<K, R, C> VerifyLayer<K, R, C> {
    /// Makes the layer for keys that have to be awaited.
    pub fn awaiting_keys(self) -> AsyncVerifyLayer<K, R, C> {
        AsyncVerifyLayer(self)
    }
}

/// The service of [`AsyncVerifyLayer`].
pub struct AsyncVerify<S, K, R = FcResponse, C = SystemClock> {
    inner: S,
    layer: AsyncVerifyLayer<K, R, C>,
}

service!(AsyncVerify, AsyncVerifyLayer, K, R, C);

impl<S, K, R, C, B, ResBody> Service<Request<B>> for AsyncVerify<S, K, R, C>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone,
    K: AsyncKeyStore + Send + Sync + 'static,
    R: RejectionResponse + Send + Sync + 'static,
    C: Clock + Clone + Send + Sync + 'static,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = AwaitingFuture<S, S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let layer = &self.layer.0;
        if layer.exempts(&mut request) {
            return AwaitingFuture::answering(ResponseFuture::inner(self.inner.call(request)));
        }
        let layer = layer.clone();
        let (mut parts, body) = request.into_parts();
        AwaitingFuture::deciding(take_ready(&mut self.inner), body, async move {
            let uri = layer.target(&parts.uri, &parts.extensions);
            let request = RequestRef { uri, ..(&parts).into() };
            let verdict = layer.verifier.check_async(request, || layer.clock.now()).await;
            let now = layer.clock.now();
            match layer.admit(&mut parts.extensions, verdict, now) {
                Ok(credentials) => {
                    layer.strip(credentials, &mut parts.headers);
                    Ok(parts)
                }
                Err(rejection) => Err(layer.refuse(rejection, now, &parts)),
            }
        })
    }
}
