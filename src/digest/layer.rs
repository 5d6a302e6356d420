use super::policy::BodyPolicy;
use crate::protocol::{Rejection, VerifiedCaller};
use crate::response::{FcResponse, Observer, Outcome, RejectionResponse};
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use std::time::UNIX_EPOCH;

/// Compares bodies with their signed digest while the inner service reads them.
///
/// Memory stays constant, whatever the size of the body. The inner service reads a
/// [`CheckedBody`](super::CheckedBody), and must not act upon it for good before it has
/// come to its end without an error; what reads a wrong one answers, as axum's `Json` does with
/// [400](crate::digest#what-a-wrong-body-is-answered-with). To have it called for right bodies
/// only, see [`CheckDigestLayer::buffered`]. [The module](crate::digest) has an example.
///
/// Put it *inside* [`VerifyLayer`](crate::VerifyLayer), whose
/// [`VerifiedCaller`](crate::VerifiedCaller) it needs: a request that no such layer looked at is
/// answered with 500. Put it outside whatever decompresses or rewrites the body. What cannot be
/// right is refused without reading the body and without calling the inner service; a
/// refusal has its [`Rejection`](crate::Rejection) in the extensions of the response.
///
/// A request that is refused leaves the inner service ready, with what it holds for that: see
/// [`release`](crate::release) for where that matters.
#[derive(Clone, Debug, Default)]
pub struct CheckDigestLayer<R = FcResponse> {
    pub(super) policy: BodyPolicy,
    pub(super) trailers: bool,
    pub(super) response: R,
    pub(super) observer: Observer,
}

impl CheckDigestLayer {
    /// Checks by [`BodyPolicy::CheckWhenSigned`].
    pub fn new() -> Self {
        Self::default()
    }
}

impl<R> CheckDigestLayer<R> {
    /// Chooses which bodies are checked.
    #[must_use]
    pub fn with_policy(self, policy: BodyPolicy) -> Self {
        Self { policy, ..self }
    }

    /// Lets the trailers of requests pass, which are dropped by default.
    ///
    /// Insecure: no signature and no digest covers them, and whoever passes a request on can
    /// set, change and remove them. (The trailers of gRPC are those of responses.)
    #[must_use]
    pub fn with_insecure_trailers(self) -> Self {
        Self { trailers: true, ..self }
    }

    /// Tells `observe` of every request that is refused here, and of every body that turns out
    /// wrong while it streams: as [`Outcome::Refused`], and of no other. It should do no more
    /// than count.
    #[must_use]
    pub fn with_observer(self, observe: impl Fn(Outcome<'_>) + Send + Sync + 'static) -> Self {
        Self { observer: Observer::new(observe), ..self }
    }

    /// Answers refusals in another way than [`FcResponse`].
    pub fn with_rejection_response<T: RejectionResponse>(self, response: T) -> CheckDigestLayer<T> {
        let Self { policy, trailers, observer, .. } = self;
        CheckDigestLayer { policy, trailers, response, observer }
    }

    /// Reads each body that is to be checked into memory, up to so many bytes, and
    /// calls the inner service only if it is right.
    pub fn buffered(self, limit: usize) -> BufferedCheckDigestLayer<R> {
        BufferedCheckDigestLayer { layer: self, limit }
    }
}

/// The sibling of [`CheckDigestLayer`] that calls the inner service for right bodies
/// only.
///
/// Made from a [`CheckDigestLayer`] with all its settings
/// ([`CheckDigestLayer::buffered`]). A body that differs is answered with 403, one over
/// the limit, and one that breaks off, with 400. Bodies that are not to be checked
/// pass unread.
///
/// While a body is read, the inner service is kept ready for it: a slow client holds a
/// place in a concurrency limit inside of this. And a request that was in time when its head came
/// is not looked at again when its body has: one that ends meanwhile is served. Put a timeout
/// outside.
#[derive(Clone, Debug)]
pub struct BufferedCheckDigestLayer<R = FcResponse> {
    pub(super) layer: CheckDigestLayer<R>,
    pub(super) limit: usize,
}

impl<R: RejectionResponse> CheckDigestLayer<R> {
    /// The response to a refused request, as of when it was verified.
    pub(super) fn refuse(&self, rejection: Rejection, parts: &Parts) -> Box<Response<Bytes>> {
        let caller = parts.extensions.get::<VerifiedCaller>();
        let now = caller.map_or(UNIX_EPOCH, VerifiedCaller::verified_at);
        self.observer.answer(rejection, now, &self.response, parts)
    }
}
