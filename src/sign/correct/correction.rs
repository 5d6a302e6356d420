use crate::clock::CorrectedClock;
use crate::sign::origins::Origins;
use std::sync::Arc;
use std::time::Duration;

/// What corrects a clock.
#[derive(Clone)]
pub(super) struct Correction<C, F> {
    pub(super) clock: CorrectedClock<C>,
    /// For which requests are signed.
    pub(super) origins: Origins,
    pub(super) max_offset: Duration,
    pub(super) copy: F,
    pub(super) observer: Option<Arc<Observe>>,
}

/// Who is told of corrections, in milliseconds.
pub(super) type Observe = dyn Fn(i64) + Send + Sync;
