//! What an operator sees: observers that write down what happened (feature `tracing`), and that
//! count it (feature `metrics`).
//!
//! They are given to the layers by their `with_observer`, one or both:
//!
//! ```
//! use tower_fc::{StaticKeys, Verifier, VerifyLayer, observe};
//!
//! # fn check() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = StaticKeys::from_secrets([("LTAI5tExample", "secret")])?;
//! # #[cfg(all(feature = "tracing", feature = "metrics"))]
//! let layer = VerifyLayer::new(Verifier::new(keys)).with_observer(|outcome| {
//!     observe::trace(outcome);
//!     observe::count(outcome);
//! });
//! # Ok(())
//! # }
//! ```
//!
//! Give them to [`VerifyLayer`](crate::VerifyLayer) alone of the layers that refuse: it tells of
//! each request once, with what those inside made of it.
//!
//! # Events
//!
//! One for each request, of the target `tower_fc`, and one for whatever else is told. None has a
//! secret, a token or a signature in it. The access key id of a refused request is what its sender
//! wrote.
//!
//! | message | level | fields |
//! |---|---|---|
//! | `request verified` | debug | `access_key_id`, `scheme`, `dialect`, `key` (which of its secrets, from 0), `age_seconds` |
//! | `request passed` | debug | `outcome`: `anonymous` or `exempt` |
//! | `request refused` | info | `kind`, `access_key_id`, `reason` (what the client is told) |
//! | `request could not be decided` | error | the same, and `error`: why a store failed, with all causes |
//! | `credentials obtained` | info | `access_key_id`, `expires_at` in Unix seconds |
//! | `credentials could not be obtained` | warn | `error`, with all causes |
//! | `clock corrected` | warn | `offset_millis` |
//!
//! # Metrics
//!
//! | name | what | labels |
//! |---|---|---|
//! | `tower_fc_requests_total` | counter | `outcome`: `verified`, `anonymous`, `exempt` or `refused`; `kind` of a refusal ([`RejectionKind::name`](crate::RejectionKind::name)); `scheme`, `dialect`, and `key`: `first`, `second` or `later` of the secrets of an access key; or `none` |
//! | `tower_fc_store_failures_total` | counter: requests that could not be decided | `kind` |
//! | `tower_fc_signature_age_seconds` | histogram: how long ago verified requests were signed; below 0 where the client's clock is fast | `scheme` |
//! | `tower_fc_credentials_total` | counter: answers of a provider | `outcome`: `obtained` or `failed` |
//! | `tower_fc_clock_corrections_total` | counter | |
//! | `tower_fc_clock_offset_seconds` | gauge: what the clock is corrected by | |
//!
//! Every label has a fixed number of values: none comes from a request.

#[cfg(feature = "metrics")]
pub use counting::{count, count_clock, count_credentials, describe};
#[cfg(feature = "tracing")]
pub use tracing_events::{trace, trace_clock, trace_credentials};

#[cfg(feature = "tracing")]
mod tracing_events {
    use crate::error::Error;
    use crate::protocol::Credentials;
    use crate::response::Outcome;
    use std::fmt;
    use std::time::SystemTime;

    /// Writes down what became of a request.
    pub fn trace(outcome: Outcome<'_>) {
        match outcome {
            Outcome::Verified(caller) => {
                let age_seconds =
                    caller.signed_at().map(|time| super::seconds(caller.verified_at(), time));
                tracing::debug!(
                    target: "tower_fc",
                    access_key_id = caller.access_key_id(),
                    scheme = caller.scheme().name(),
                    dialect = caller.dialect().name(),
                    key = caller.key_position(),
                    age_seconds,
                    "request verified"
                );
            }
            Outcome::Anonymous => {
                tracing::debug!(target: "tower_fc", outcome = "anonymous", "request passed");
            }
            Outcome::Exempt => {
                tracing::debug!(target: "tower_fc", outcome = "exempt", "request passed");
            }
            Outcome::Refused(rejection) if super::is_undecided(rejection) => {
                tracing::error!(
                    target: "tower_fc",
                    kind = rejection.kind().name(),
                    access_key_id = rejection.claimed_access_key_id(),
                    reason = rejection.message(),
                    error = %Causes(std::error::Error::source(rejection)),
                    "request could not be decided"
                );
            }
            Outcome::Refused(rejection) => {
                tracing::info!(
                    target: "tower_fc",
                    kind = rejection.kind().name(),
                    access_key_id = rejection.claimed_access_key_id(),
                    reason = rejection.message(),
                    "request refused"
                );
            }
        }
    }

    /// Writes down what a [`CachedCredentials`](crate::credentials::CachedCredentials) got.
    pub fn trace_credentials(answer: Result<&Credentials, &Error>) {
        match answer {
            Ok(credentials) => tracing::info!(
                target: "tower_fc",
                access_key_id = credentials.access_key_id(),
                expires_at = credentials.expires_at().map(
                    |end| super::seconds(end, SystemTime::UNIX_EPOCH) as i64
                ),
                "credentials obtained"
            ),
            Err(error) => tracing::warn!(
                target: "tower_fc",
                error = %Causes(Some(error)),
                "credentials could not be obtained"
            ),
        }
    }

    /// Writes down that a clock was corrected, and by how much.
    pub fn trace_clock(offset_millis: i64) {
        tracing::warn!(target: "tower_fc", offset_millis, "clock corrected");
    }

    /// The texts of an error and of all its causes.
    struct Causes<'a>(Option<&'a (dyn std::error::Error + 'static)>);

    impl fmt::Display for Causes<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let mut cause = self.0;
            while let Some(error) = cause {
                write!(f, "{error}")?;
                cause = error.source();
                if cause.is_some() {
                    f.write_str(": ")?;
                }
            }
            Ok(())
        }
    }
}

#[cfg(feature = "metrics")]
mod counting {
    use crate::error::Error;
    use crate::protocol::Credentials;
    use crate::response::Outcome;
    use metrics::{
        Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
    };

    const REQUESTS: &str = "tower_fc_requests_total";
    const STORE_FAILURES: &str = "tower_fc_store_failures_total";
    const AGE: &str = "tower_fc_signature_age_seconds";
    const CREDENTIALS: &str = "tower_fc_credentials_total";
    const CORRECTIONS: &str = "tower_fc_clock_corrections_total";
    const OFFSET: &str = "tower_fc_clock_offset_seconds";

    /// Tells the recorder what the metrics are. Call it once, after it is installed.
    pub fn describe() {
        describe_counter!(REQUESTS, Unit::Count, "Requests, by what became of them");
        describe_counter!(STORE_FAILURES, Unit::Count, "Requests that could not be decided");
        describe_histogram!(AGE, Unit::Seconds, "How long ago verified requests were signed");
        describe_counter!(CREDENTIALS, Unit::Count, "Answers of a provider of credentials");
        describe_counter!(CORRECTIONS, Unit::Count, "How often the clock was corrected");
        describe_gauge!(OFFSET, Unit::Seconds, "What the clock is corrected by");
    }

    /// Counts what became of a request.
    pub fn count(outcome: Outcome<'_>) {
        const NONE: &str = "none";
        let (outcome, kind, scheme, dialect, key) = match outcome {
            Outcome::Verified(caller) => {
                if let Some(time) = caller.signed_at() {
                    let age = super::seconds(caller.verified_at(), time);
                    histogram!(AGE, "scheme" => caller.scheme().name()).record(age);
                }
                let key = match caller.key_position() {
                    0 => "first",
                    1 => "second",
                    _ => "later",
                };
                ("verified", NONE, caller.scheme().name(), caller.dialect().name(), key)
            }
            Outcome::Anonymous => ("anonymous", NONE, NONE, NONE, NONE),
            Outcome::Exempt => ("exempt", NONE, NONE, NONE, NONE),
            Outcome::Refused(rejection) => {
                let kind = rejection.kind().name();
                if super::is_undecided(rejection) {
                    counter!(STORE_FAILURES, "kind" => kind).increment(1);
                }
                ("refused", kind, NONE, NONE, NONE)
            }
        };
        let labels = [
            ("outcome", outcome),
            ("kind", kind),
            ("scheme", scheme),
            ("dialect", dialect),
            ("key", key),
        ];
        counter!(REQUESTS, &labels).increment(1);
    }

    /// Counts what a [`CachedCredentials`](crate::credentials::CachedCredentials) got.
    pub fn count_credentials(answer: Result<&Credentials, &Error>) {
        let outcome = if answer.is_ok() { "obtained" } else { "failed" };
        counter!(CREDENTIALS, "outcome" => outcome).increment(1);
    }

    /// Counts that a clock was corrected, and sets by how much.
    pub fn count_clock(offset_millis: i64) {
        counter!(CORRECTIONS).increment(1);
        gauge!(OFFSET).set(offset_millis as f64 / 1_000.0);
    }
}

/// Whether it could not be told what to do with a request, which its sender is not to blame for.
#[cfg(any(feature = "tracing", feature = "metrics"))]
fn is_undecided(rejection: &crate::Rejection) -> bool {
    rejection.status() == http::StatusCode::SERVICE_UNAVAILABLE
}

/// How much later one time is than another; below 0 if it is earlier.
#[cfg(any(feature = "tracing", feature = "metrics"))]
fn seconds(later: std::time::SystemTime, earlier: std::time::SystemTime) -> f64 {
    match later.duration_since(earlier) {
        Ok(duration) => duration.as_secs_f64(),
        Err(error) => -error.duration().as_secs_f64(),
    }
}
