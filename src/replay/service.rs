use super::guard::{Claimed, ReplayClaim, ReplayGuard, ReplayGuardError, ReplayGuardErrorKind};
use super::layer::ReplayLayer;
use crate::clock::{Clock, SystemClock, later};
use crate::protocol::verifier::caller::looked_at;
use crate::protocol::{Rejection, RejectionKind};
use crate::response::{FcResponse, RejectionResponse, ResponseBody, ResponseFuture};
use bytes::Bytes;
use http::request::Parts;
use http::{Extensions, Method, Request, Response};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};
use tower_service::Service;

/// The service of [`ReplayLayer`].
///
/// It costs no allocation and no clone of the inner service.
pub struct Replay<S, G, R = FcResponse, C = SystemClock> {
    inner: S,
    layer: ReplayLayer<G, R, C>,
}

service!(Replay, ReplayLayer, G, R, C);

impl<S, G, R, C, B, ResBody> Service<Request<B>> for Replay<S, G, R, C>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    G: ReplayGuard,
    R: RejectionResponse,
    C: Clock,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (layer, now) = (&self.layer, self.layer.clock.now());
        let verdict = match layer.due(request.method(), request.extensions(), now) {
            Ok(Some(claim)) => decide(layer.guard.claim(claim)),
            Ok(None) => Ok(()),
            Err(rejection) => Err(rejection),
        };
        match verdict {
            Ok(()) => ResponseFuture::inner(self.inner.call(request)),
            Err(rejection) => {
                ResponseFuture::refused(layer.refuse(rejection, now, &request.into_parts().0))
            }
        }
    }
}

impl<G, R, C> ReplayLayer<G, R, C> {
    /// What has to be claimed before a request may go on, if anything has.
    pub(super) fn due(
        &self,
        method: &Method,
        extensions: &Extensions,
        now: SystemTime,
    ) -> Result<Option<ReplayClaim>, Rejection> {
        let Some(caller) = looked_at(extensions)? else { return Ok(None) };
        if self.settings.methods.as_ref().is_some_and(|methods| !methods.contains(method))
            || caller.signed_at().is_none() && !self.settings.presigned
        {
            return Ok(None);
        }
        let end = caller.valid_until();
        if end < now {
            // It may have been forgotten.
            let message = "the request ceased to be valid before it was told from a replay";
            return Err(Rejection::new(RejectionKind::RequestTimeTooSkewed, message));
        }
        Ok(Some(ReplayClaim::new(caller.replay_key(), now, later(end, MARGIN))))
    }

    /// The response to a refused request.
    pub(super) fn refuse(
        &self,
        rejection: Rejection,
        now: SystemTime,
        parts: &Parts,
    ) -> Box<Response<Bytes>>
    where
        R: RejectionResponse,
    {
        self.settings.observer.answer(rejection, now, &self.response, parts)
    }
}

/// How much longer a signature is remembered than it verifies by this clock: as long it
/// verifies for servers whose clocks are behind.
const MARGIN: Duration = Duration::from_secs(60);

pub(super) fn decide(outcome: Result<Claimed, ReplayGuardError>) -> Result<(), Rejection> {
    let error = match outcome {
        Ok(Claimed::First) => return Ok(()),
        Ok(Claimed::Already) => {
            let message = "the same signed request has been received before";
            return Err(Rejection::new(RejectionKind::Replayed, message));
        }
        Err(error) => error,
    };
    let message = match error.kind() {
        ReplayGuardErrorKind::Full => {
            "too many requests are remembered at the moment to tell whether this is a replay"
        }
        ReplayGuardErrorKind::Unavailable | ReplayGuardErrorKind::Refused => {
            "it cannot be told at the moment whether the request is a replay"
        }
    };
    Err(Rejection::new(RejectionKind::ReplayStoreUnavailable, message).because_of(error))
}
