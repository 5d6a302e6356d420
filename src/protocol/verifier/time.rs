//! When a request is valid.

use super::rejection::{Rejection, RejectionKind};
use crate::protocol::date::{DateForm, distance};
use std::time::{Duration, SystemTime};

/// Limits the clock difference by default, either way, as Function Compute does: 15 minutes.
pub const DEFAULT_MAX_SKEW: Duration = Duration::from_secs(15 * 60);

/// Limits how far ahead a presigned URL may end by default: 7 days.
pub const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What a request says about when it is valid.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Time {
    /// Around this time.
    SignedAt(SystemTime),
    /// Until this time.
    Until(SystemTime),
}

/// How far off times may be.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) max_skew: Duration,
    pub(crate) max_lifetime: Duration,
}

impl Default for Window {
    fn default() -> Self {
        Self { max_skew: DEFAULT_MAX_SKEW, max_lifetime: DEFAULT_MAX_LIFETIME }
    }
}

impl Window {
    /// Checks a time, which errors show in this form.
    pub(crate) fn check(
        &self,
        time: Time,
        form: DateForm,
        now: SystemTime,
    ) -> Result<(), Rejection> {
        match time {
            Time::SignedAt(time) if distance(time, now) > self.max_skew => {
                let text =
                    |time| form.write(time, |text| String::from_utf8_lossy(text).into_owned());
                let (time, now) = (text(time), text(now));
                Err(Rejection::new(
                    RejectionKind::RequestTimeTooSkewed,
                    format!(
                        "the difference between the request time '{time}' and the current time \
                         '{now}' is too large"
                    ),
                ))
            }
            Time::Until(end) if end <= now => {
                let message = "the presigned URL has expired";
                Err(Rejection::new(RejectionKind::Expired, message))
            }
            Time::Until(end) if distance(end, now) > self.max_lifetime => {
                let seconds = self.max_lifetime.as_secs();
                let message = format!("the presigned URL ends more than {seconds} seconds ahead");
                Err(Rejection::new(RejectionKind::ExpiresTooLate, message))
            }
            _ => Ok(()),
        }
    }

    /// Until when a request verifies.
    pub(crate) fn end(&self, time: Time) -> SystemTime {
        match time {
            Time::SignedAt(time) => {
                let end = time.checked_add(self.max_skew).or_else(|| time.checked_add(FOR_EVER));
                end.unwrap_or(time)
            }
            Time::Until(end) => end,
        }
    }
}

/// As good as that: a thousand years.
const FOR_EVER: Duration = Duration::from_secs(1_000 * 365 * 86_400);
