use super::store::InvocationStore;
use crate::clock::{Clock, SystemClock};
use crate::response::{FcResponse, RejectionResponse};
use std::fmt;
use std::sync::Arc;

/// 128 KB, in bytes: the limit of the body of a request that is carried out later.
pub const DEFAULT_MAX_ASYNC_BODY_LEN: usize = 128 * 1024;

/// Accepts requests that are to be carried out later: those with `x-fc-invocation-type: Async`.
///
/// Such a request is looked at in full first, then stored, and then answered with 202 and
/// `x-fc-request-id`. Whatever it is answered with otherwise, it is not carried out. Others go on
/// to the inner service. A [`Worker`](super::Worker) carries out what is stored.
///
/// | header | rule | else |
/// |---|---|---|
/// | `x-fc-invocation-type` | `Async` or `Sync`, once | 400 |
/// | `x-fc-async-delay` | whole seconds, over 0 and at most 3600 | 400 |
/// | `x-fc-async-task-id`, or by its name of 2.0, `x-fc-stateful-async-invocation-id` | a [`TaskId`](super::TaskId) that was not used before | 400, 409 |
///
/// Where a request has a [`VerifiedCaller`](crate::VerifiedCaller), its signature has to cover these
/// headers, whatever the verifier was told to let go unsigned: 403.
///
/// It belongs inside of authentication and of the [digest
/// check](crate::digest::CheckDigestLayer); [`HttpTrigger::with_invocation`] puts it there.
///
/// [`HttpTrigger::with_invocation`]: crate::trigger::HttpTrigger::with_invocation
pub struct InvocationLayer<T, R = FcResponse, C = SystemClock> {
    pub(super) store: Arc<T>,
    pub(super) max_body_len: usize,
    pub(super) response: R,
    pub(super) clock: C,
}

impl<T: InvocationStore> InvocationLayer<T> {
    /// Stores requests in `store`.
    pub fn new(store: T) -> Self {
        Self {
            store: Arc::new(store),
            max_body_len: DEFAULT_MAX_ASYNC_BODY_LEN,
            response: FcResponse,
            clock: SystemClock,
        }
    }
}

impl<T, R, C> InvocationLayer<T, R, C> {
    /// Refuses longer bodies, in bytes, in place of those over 128 KB.
    #[must_use]
    pub fn with_max_body_len(mut self, len: usize) -> Self {
        self.max_body_len = len;
        self
    }

    /// Answers refusals in another way than [`FcResponse`].
    pub fn with_rejection_response<V: RejectionResponse>(
        self,
        response: V,
    ) -> InvocationLayer<T, V, C> {
        let Self { store, max_body_len, clock, .. } = self;
        InvocationLayer { store, max_body_len, response, clock }
    }

    /// Tells the time by another clock than the system's.
    pub fn with_clock<V: Clock>(self, clock: V) -> InvocationLayer<T, R, V> {
        let Self { store, max_body_len, response, .. } = self;
        InvocationLayer { store, max_body_len, response, clock }
    }
}

impl<T, R: Clone, C: Clone> Clone for InvocationLayer<T, R, C> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            max_body_len: self.max_body_len,
            response: self.response.clone(),
            clock: self.clock.clone(),
        }
    }
}

impl<T, R, C> fmt::Debug for InvocationLayer<T, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvocationLayer")
            .field("max_body_len", &self.max_body_len)
            .finish_non_exhaustive()
    }
}
