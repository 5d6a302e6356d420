use crate::clock::{Clock, SystemClock};
use crate::response::{FcResponse, Observer, Outcome, RejectionResponse};
use http::Method;
use std::fmt;
use std::sync::Arc;

/// Refuses a verified request that was seen before.
///
/// It belongs directly inside [`VerifyLayer`](crate::VerifyLayer), and there once:
/// it goes by the [`VerifiedCaller`](crate::VerifiedCaller) that one leaves, claims the
/// signature of the caller with its [`ReplayGuard`](super::ReplayGuard), and only then
/// calls the inner service. Anonymous and exempt requests pass. One that no `VerifyLayer` looked
/// at, as all are if it is put outside, is answered with 500
/// ([`NotLookedAt`](crate::RejectionKind::NotLookedAt)).
///
/// Replays are answered with 403 ([`Replayed`](crate::RejectionKind::Replayed)), and
/// what the guard cannot decide with 503
/// ([`ReplayStoreUnavailable`](crate::RejectionKind::ReplayStoreUnavailable)), with the
/// [`Rejection`](crate::Rejection) in the extensions of the response. The error of
/// the inner service passes through unchanged. [The module](crate::replay) has an
/// example, and says when to use this and when not.
///
/// A request that is refused leaves the inner service ready, with what it holds for that: see
/// [`release`](crate::release) for where that matters.
pub struct ReplayLayer<G, R = FcResponse, C = SystemClock> {
    pub(super) guard: Arc<G>,
    pub(super) response: R,
    pub(super) clock: C,
    pub(super) settings: Settings,
}

/// Which requests are guarded, and who is told of those that are refused.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// Those of these methods, or all.
    pub(super) methods: Option<Arc<[Method]>>,
    /// Presigned URLs too.
    pub(super) presigned: bool,
    pub(super) observer: Observer,
}

impl<G, R: Clone, C: Clone> Clone for ReplayLayer<G, R, C> {
    fn clone(&self) -> Self {
        Self {
            guard: Arc::clone(&self.guard),
            response: self.response.clone(),
            clock: self.clock.clone(),
            settings: self.settings.clone(),
        }
    }
}

impl<G> ReplayLayer<G> {
    /// Remembers with `guard`. All services that this layer makes share it.
    pub fn new(guard: G) -> Self {
        Self {
            guard: Arc::new(guard),
            response: FcResponse,
            clock: SystemClock,
            settings: Settings::default(),
        }
    }
}

impl<G, R, C> ReplayLayer<G, R, C> {
    /// Guards requests of these methods alone, say those that change something. All
    /// others pass as often as they arrive.
    #[must_use]
    pub fn with_methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.settings.methods = Some(methods.into_iter().collect());
        self
    }

    /// Lets each presigned URL be used once. By default they pass as often as they
    /// arrive until they expire, which is what most are made for.
    ///
    /// They are remembered until they expire, so up to
    /// [7 days](crate::protocol::DEFAULT_MAX_LIFETIME) by default.
    #[must_use]
    pub fn with_presigned(mut self) -> Self {
        self.settings.presigned = true;
        self
    }

    /// Tells `observe` of every request that is refused here: as [`Outcome::Refused`], and of no
    /// other. It should do no more than count.
    #[must_use]
    pub fn with_observer(mut self, observe: impl Fn(Outcome<'_>) + Send + Sync + 'static) -> Self {
        self.settings.observer = Observer::new(observe);
        self
    }

    /// Answers refusals in another way than [`FcResponse`].
    pub fn with_rejection_response<T: RejectionResponse>(
        self,
        response: T,
    ) -> ReplayLayer<G, T, C> {
        let Self { guard, clock, settings, .. } = self;
        ReplayLayer { guard, response, clock, settings }
    }

    /// Tells the time by another clock than the system's: give it the one that
    /// [`VerifyLayer`](crate::VerifyLayer) has.
    pub fn with_clock<T: Clock>(self, clock: T) -> ReplayLayer<G, R, T> {
        let Self { guard, response, settings, .. } = self;
        ReplayLayer { guard, response, clock, settings }
    }
}

impl<G, R, C> fmt::Debug for ReplayLayer<G, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayLayer").field("settings", &self.settings).finish_non_exhaustive()
    }
}
