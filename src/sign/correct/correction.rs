use crate::clock::CorrectedClock;
use crate::sign::origins::Origins;
use std::time::Duration;

/// What corrects a clock.
#[derive(Clone)]
pub(super) struct Correction<C, F> {
    pub(super) clock: CorrectedClock<C>,
    /// For which requests are signed.
    pub(super) origins: Origins,
    pub(super) max_offset: Duration,
    pub(super) copy: F,
}
