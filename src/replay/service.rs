use super::layer::Settings;
use super::{
    Claimed, ReplayClaim, ReplayGuard, ReplayGuardError, ReplayGuardErrorKind, ResponseFuture,
};
use crate::caller::VerifiedCaller;
use crate::clock::{Clock, SystemClock, distance};
use crate::rejection::{FcResponse, Rejection, RejectionKind, RejectionResponse};
use crate::verify::ResponseBody;
use http::{Request, Response};
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};
use tower_service::Service;

/// The service of [`ReplayLayer`](super::ReplayLayer).
///
/// A guard that [decides at once](ReplayGuard::claim_now) costs no allocation and no
/// clone of the inner service. One that has to be awaited costs one of each.
pub struct Replay<S, G, R = FcResponse, C = SystemClock> {
    pub(super) inner: S,
    pub(super) guard: Arc<G>,
    pub(super) settings: Settings<R, C>,
}

impl<S, G, R, C> Replay<S, G, R, C> {
    inner_accessors!();
}

impl<S, G, R, C, B, ResBody> Service<Request<B>> for Replay<S, G, R, C>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    G: ReplayGuard + Send + Sync + 'static,
    R: RejectionResponse + Clone + Send + 'static,
    C: Clock,
    B: Send + 'static,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let verdict = match self.settings.due(&request) {
            Ok(None) => Ok(()),
            Ok(Some(claim)) => match self.guard.claim_now(claim) {
                Some(outcome) => decide(outcome),
                None => return self.call_after(claim, request),
            },
            Err(rejection) => Err(rejection),
        };
        match verdict {
            Ok(()) => ResponseFuture::inner(self.inner.call(request)),
            Err(rejection) => ResponseFuture::refused(
                rejection.answer(&self.settings.response, &request.into_parts().0),
            ),
        }
    }
}

impl<S, G, R, C> Replay<S, G, R, C> {
    /// Calls the inner service once the claim is made.
    fn call_after<B, ResBody>(
        &mut self,
        claim: ReplayClaim,
        request: Request<B>,
    ) -> ResponseFuture<S::Future, ResBody, S::Error>
    where
        S: Service<Request<B>, Response = Response<ResBody>> + Clone + Send + 'static,
        S::Future: Send,
        G: ReplayGuard + Send + Sync + 'static,
        R: RejectionResponse + Clone + Send + 'static,
        B: Send + 'static,
    {
        // See AsyncVerify: the ready service is called, the clone stays.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let guard = Arc::clone(&self.guard);
        let response = self.settings.response.clone();
        ResponseFuture::awaited(async move {
            match decide(guard.claim(claim).await) {
                Ok(()) => Ok(inner.call(request).await?.map(ResponseBody::inner)),
                Err(rejection) => {
                    let answer = rejection.answer(&response, &request.into_parts().0);
                    Ok(answer.map(ResponseBody::refused))
                }
            }
        })
    }
}

impl<R, C> Settings<R, C> {
    /// What has to be claimed before a request may go on, if anything has.
    fn due<B>(&self, request: &Request<B>) -> Result<Option<ReplayClaim>, Rejection>
    where
        C: Clock,
    {
        let Some(caller) = request.extensions().get::<VerifiedCaller>() else { return Ok(None) };
        if self.methods.as_ref().is_some_and(|methods| !methods.contains(request.method())) {
            return Ok(None);
        }
        let now = self.clock.now();
        let until = match (caller.signed_at(), caller.expires_at()) {
            (Some(signed), _) if distance(signed, now) <= self.max_skew => {
                let end = self.with_margin(after(signed, self.max_skew));
                end.max(after(now, self.max_skew.saturating_mul(2)))
            }
            // It may have been forgotten, or might be before it ceases to verify.
            (Some(_), _) => return Err(too_skewed()),
            (None, Some(end)) if self.presigned => self.with_margin(end),
            (None, _) => return Ok(None),
        };
        Ok(Some(ReplayClaim::new(caller.replay_key(), now, until)))
    }

    /// A little later than `end`, when a request ceases to verify by this clock: so it
    /// has for servers whose clocks are as much behind.
    fn with_margin(&self, end: SystemTime) -> SystemTime {
        after(end, self.max_skew.min(Duration::from_secs(60)))
    }
}

/// A time later than another; for what cannot be represented, a century.
fn after(time: SystemTime, by: Duration) -> SystemTime {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);
    time.checked_add(by.min(CENTURY)).unwrap_or(time)
}

fn decide(outcome: Result<Claimed, ReplayGuardError>) -> Result<(), Rejection> {
    let (kind, message) = match outcome.map_err(|error| error.kind()) {
        Ok(Claimed::First) => return Ok(()),
        Ok(Claimed::Already) => {
            (RejectionKind::Replayed, "the same signed request has been received before")
        }
        Err(ReplayGuardErrorKind::Full) => (
            RejectionKind::ReplayStoreUnavailable,
            "too many requests are remembered at the moment to tell whether this is a replay",
        ),
        Err(ReplayGuardErrorKind::Unavailable) => (
            RejectionKind::ReplayStoreUnavailable,
            "it cannot be told at the moment whether the request is a replay",
        ),
    };
    Err(Rejection::new(kind, message))
}

fn too_skewed() -> Rejection {
    let message = "the difference between the request time and the current time is larger than \
                   replays are remembered for";
    Rejection::new(RejectionKind::RequestTimeTooSkewed, message)
}

impl<S: fmt::Debug, G, R, C> fmt::Debug for Replay<S, G, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.debug("Replay", f)
    }
}

impl<S: Clone, G, R: Clone, C: Clone> Clone for Replay<S, G, R, C> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            guard: Arc::clone(&self.guard),
            settings: self.settings.clone(),
        }
    }
}
