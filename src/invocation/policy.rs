//! When a task is tried again, and until when.

use super::store::Settled;
use super::task::{TaskState, Tries};
use crate::error::{Error, ErrorKind};
use http::StatusCode;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often, how long and after what pauses a task is tried.
///
/// There are two kinds of failure (WIRE §5): the *function's*, after which a task is tried again a
/// few times, and the *platform's*, after which it is tried again for hours.
#[derive(Clone)]
pub struct RetryPolicy {
    function_retries: u32,
    platform_window: Duration,
    max_age: Duration,
    is_failure: Arc<dyn Fn(StatusCode) -> bool + Send + Sync>,
}

/// The pause after the first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause. Documented is how pauses begin, and no end to their doubling.
const LONGEST_PAUSE: Duration = Duration::from_secs(512);
/// The longest pause of a task whose worker was lost: after a restart it is run within 60 s.
const LONGEST_PAUSE_OF_LOST: Duration = Duration::from_secs(32);

impl Default for RetryPolicy {
    /// Three retries of the function, five hours for the platform, a maximum age of one day; a
    /// function fails by an answer of 500 and above.
    fn default() -> Self {
        Self {
            function_retries: 3,
            platform_window: Duration::from_secs(5 * 3600),
            max_age: Duration::from_secs(86_400),
            is_failure: Arc::new(|status| status.is_server_error()),
        }
    }
}

impl RetryPolicy {
    /// Tries a task whose function failed so many times again, in place of 3.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for more than 8, the most that Function Compute takes.
    pub fn with_function_retries(self, function_retries: u32) -> Result<Self, Error> {
        if function_retries > 8 {
            let message = format!("{function_retries} retries are more than 8");
            return Err(Error::new(ErrorKind::InvalidSetting, message));
        }
        Ok(Self { function_retries, ..self })
    }

    /// Gives up a task for which the platform failed for so long, in place of 5 hours.
    #[must_use]
    pub fn with_platform_window(self, platform_window: Duration) -> Self {
        Self { platform_window, ..self }
    }

    /// Lets a task expire that no worker has taken at this age, in place of one day.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for less than 1 second and more than 30 days (2 592 000
    /// seconds).
    pub fn with_max_age(self, max_age: Duration) -> Result<Self, Error> {
        if !(1..=2_592_000).contains(&max_age.as_secs()) {
            let message = format!("a maximum age of {max_age:?} is not within 1 s and 30 days");
            return Err(Error::new(ErrorKind::InvalidSetting, message));
        }
        Ok(Self { max_age, ..self })
    }

    /// Says which answers of a function are its failure, in place of those of 500 and above.
    /// What Function Compute takes for one is documented nowhere.
    #[must_use]
    pub fn with_failures(
        self,
        is_failure: impl Fn(StatusCode) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { is_failure: Arc::new(is_failure), ..self }
    }

    pub(super) fn is_failure(&self, status: StatusCode) -> bool {
        (self.is_failure)(status)
    }

    /// Whether a task that is taken for the first time is too old.
    pub(super) fn has_expired(
        &self,
        accepted_at: SystemTime,
        tries: Tries,
        now: SystemTime,
    ) -> bool {
        tries.taken <= 1 && now.duration_since(accepted_at).is_ok_and(|age| age > self.max_age)
    }

    /// What becomes of a task whose function failed.
    pub(super) fn after_function(
        &self,
        mut tries: Tries,
        error: String,
        now: SystemTime,
    ) -> Settled {
        tries.of_function += 1;
        (tries.of_platform, tries.platform_since) = (0, None);
        if tries.of_function > self.function_retries {
            return Settled::Over { state: TaskState::Failed, error: Some(error) };
        }
        again(tries, pause(tries.of_function), error, now)
    }

    /// What becomes of a task for which the platform failed.
    pub(super) fn after_platform(
        &self,
        mut tries: Tries,
        error: String,
        now: SystemTime,
    ) -> Settled {
        tries.of_platform += 1;
        let since = *tries.platform_since.get_or_insert(now);
        if self.is_over(since, now) {
            return Settled::Over { state: TaskState::Failed, error: Some(error) };
        }
        again(tries, pause(tries.of_platform), error, now)
    }

    /// What becomes of a task whose worker was lost, which the store has counted. `None`: it is
    /// run at once, as the first time in a row. It may be the task that ends its workers: others
    /// are run meanwhile, and in the end it is given up.
    pub(super) fn after_lost(&self, tries: Tries, now: SystemTime) -> Option<Settled> {
        let error = "the worker that had it was lost".to_owned();
        if tries.platform_since.is_some_and(|since| self.is_over(since, now)) {
            return Some(Settled::Over { state: TaskState::Failed, error: Some(error) });
        }
        let pause = pause(tries.of_platform.saturating_sub(1)).min(LONGEST_PAUSE_OF_LOST);
        (tries.of_platform > 1).then(|| again(tries, pause, error, now))
    }

    fn is_over(&self, since: SystemTime, now: SystemTime) -> bool {
        now.duration_since(since).is_ok_and(|since| since >= self.platform_window)
    }
}

/// How long a task waits after so many failures in a row.
fn pause(failures: u32) -> Duration {
    let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    FIRST_PAUSE.saturating_mul(factor.max(1)).min(LONGEST_PAUSE)
}

fn again(tries: Tries, pause: Duration, error: String, now: SystemTime) -> Settled {
    Settled::Again { at: now.checked_add(pause).unwrap_or(now), tries, error: Some(error) }
}

impl fmt::Debug for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryPolicy")
            .field("function_retries", &self.function_retries)
            .field("platform_window", &self.platform_window)
            .field("max_age", &self.max_age)
            .finish_non_exhaustive()
    }
}
