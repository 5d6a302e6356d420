use super::Replay;
use crate::clock::{Clock, SystemClock};
use crate::rejection::{FcResponse, RejectionResponse};
use crate::verifier::DEFAULT_MAX_SKEW;
use http::Method;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tower_layer::Layer;

/// Refuses a verified request that was seen before.
///
/// It belongs directly inside [`VerifyLayer`](crate::VerifyLayer), and there once:
/// it goes by the [`VerifiedCaller`](crate::VerifiedCaller) that one leaves, claims the
/// signature of the caller with its [`ReplayGuard`](super::ReplayGuard), and only then
/// calls the inner service. Requests without a caller pass, which all do if it is put
/// outside.
///
/// Replays are answered with 403 ([`Replayed`](crate::RejectionKind::Replayed)), and
/// what the guard cannot decide with 503
/// ([`ReplayStoreUnavailable`](crate::RejectionKind::ReplayStoreUnavailable)), with the
/// [`Rejection`](crate::Rejection) in the extensions of the response. The error of
/// the inner service passes through unchanged. [The module](crate::replay) has an
/// example, and says when to use this and when not.
pub struct ReplayLayer<G, R = FcResponse, C = SystemClock> {
    pub(super) guard: Arc<G>,
    pub(super) settings: Settings<R, C>,
}

/// What a replay service does around its guard.
#[derive(Clone)]
pub(super) struct Settings<R, C> {
    pub(super) response: R,
    pub(super) clock: C,
    pub(super) max_skew: Duration,
    pub(super) methods: Option<Arc<[Method]>>,
    pub(super) presigned: bool,
}

impl<G, R: Clone, C: Clone> Clone for ReplayLayer<G, R, C> {
    fn clone(&self) -> Self {
        Self { guard: Arc::clone(&self.guard), settings: self.settings.clone() }
    }
}

impl<G> ReplayLayer<G> {
    /// Remembers with `guard`. All services that this layer makes share it.
    pub fn new(guard: G) -> Self {
        let settings = Settings {
            response: FcResponse,
            clock: SystemClock,
            max_skew: DEFAULT_MAX_SKEW,
            methods: None,
            presigned: false,
        };
        Self { guard: Arc::new(guard), settings }
    }
}

impl<G, R, C> ReplayLayer<G, R, C> {
    /// The clock difference that the verifier accepts, 15 minutes by default: set it
    /// when [`Verifier::with_max_skew`](crate::Verifier::with_max_skew) is.
    ///
    /// A signature is remembered for twice this. A request that was signed further away
    /// is refused, whatever the verifier accepts.
    #[must_use]
    pub fn with_max_skew(mut self, skew: Duration) -> Self {
        self.settings.max_skew = skew;
        self
    }

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
    /// [7 days](crate::DEFAULT_MAX_LIFETIME) by default.
    #[must_use]
    pub fn with_presigned(mut self) -> Self {
        self.settings.presigned = true;
        self
    }

    /// Answers refusals in another way than [`FcResponse`].
    pub fn with_rejection_response<T: RejectionResponse>(
        self,
        response: T,
    ) -> ReplayLayer<G, T, C> {
        let Settings { clock, max_skew, methods, presigned, .. } = self.settings;
        let settings = Settings { response, clock, max_skew, methods, presigned };
        ReplayLayer { guard: self.guard, settings }
    }

    /// Tells the time by another clock than the system's: give it the one that
    /// [`VerifyLayer`](crate::VerifyLayer) has.
    pub fn with_clock<T: Clock>(self, clock: T) -> ReplayLayer<G, R, T> {
        let Settings { response, max_skew, methods, presigned, .. } = self.settings;
        let settings = Settings { response, clock, max_skew, methods, presigned };
        ReplayLayer { guard: self.guard, settings }
    }
}

impl<S, G, R: Clone, C: Clone> Layer<S> for ReplayLayer<G, R, C> {
    type Service = Replay<S, G, R, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Replay { inner, guard: Arc::clone(&self.guard), settings: self.settings.clone() }
    }
}

impl<G, R, C> fmt::Debug for ReplayLayer<G, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.debug("ReplayLayer", f)
    }
}

impl<R, C> Settings<R, C> {
    pub(super) fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("max_skew", &self.max_skew)
            .field("methods", &self.methods)
            .field("presigned", &self.presigned)
            .finish_non_exhaustive()
    }
}
