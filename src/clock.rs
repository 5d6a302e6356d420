//! Where the time comes from: the only file that reads the clock of the system.

use crate::protocol::date::from_unix;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

/// Tells the time to layers. The core takes the time as an argument instead.
///
/// Closures that return a [`SystemTime`] are clocks too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no clock",
    label = "not a `Clock`",
    note = "a clock is a `FixedClock`, or a closure that returns a `SystemTime`"
)]
pub trait Clock {
    /// The time now.
    fn now(&self) -> SystemTime;
}

/// The clock of the system: the default everywhere.
///
/// On `wasm32-unknown-unknown` there is none, and reading it panics: give each layer another by
/// its `with_clock`, and the core a time by the functions whose names end in `_at`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A clock that stands still, for tests and for signing as of another time.
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(SystemTime);

impl FixedClock {
    /// A clock that always says `time`.
    pub const fn at(time: SystemTime) -> Self {
        Self(time)
    }

    /// A clock that always says this many seconds after the Unix epoch.
    ///
    /// Times beyond what the system can represent become the epoch.
    pub fn at_unix(seconds: u64) -> Self {
        Self(from_unix(seconds))
    }
}

impl Clock for FixedClock {
    fn now(&self) -> SystemTime {
        self.0
    }
}

/// A clock, and how far it is off as far as that is known: what
/// [`SignLayer::correcting_clock`](crate::SignLayer::correcting_clock) signs by, and corrects.
///
/// Clones share what is known.
#[derive(Clone, Debug)]
pub struct CorrectedClock<C = SystemClock> {
    clock: C,
    offset: Arc<AtomicI64>,
}

impl<C> CorrectedClock<C> {
    /// Of this clock, which is taken to be right at first.
    pub fn new(clock: C) -> Self {
        Self { clock, offset: Arc::default() }
    }

    /// Returns what is added to the time of the clock, in milliseconds: positive where it is slow.
    pub fn offset_millis(&self) -> i64 {
        self.offset.load(Ordering::Relaxed)
    }

    pub(crate) fn correct(&self, millis: i64) {
        self.offset.store(millis, Ordering::Relaxed);
    }
}

impl<C: Clock> CorrectedClock<C> {
    /// What the clock itself says.
    pub(crate) fn uncorrected(&self) -> SystemTime {
        self.clock.now()
    }
}

impl<C: Clock> Clock for CorrectedClock<C> {
    fn now(&self) -> SystemTime {
        let (time, offset) = (self.clock.now(), self.offset_millis());
        let distance = Duration::from_millis(offset.unsigned_abs());
        if offset < 0 { time.checked_sub(distance).unwrap_or(time) } else { later(time, distance) }
    }
}

#[diagnostic::do_not_recommend] // For the closure that is none, the trait has words of its own.
impl<F: Fn() -> SystemTime> Clock for F {
    fn now(&self) -> SystemTime {
        self()
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> SystemTime {
        (**self).now()
    }
}

/// A time later than another; for what cannot be represented, the same.
pub(crate) fn later(time: SystemTime, by: Duration) -> SystemTime {
    time.checked_add(by).unwrap_or(time)
}
