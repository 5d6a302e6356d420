//! Counters, a histogram and a gauge on the facade metrics 0.24.

use crate::error::Error;
use crate::protocol::Credentials;
use crate::response::Outcome;
use ::metrics::{
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
        Outcome::Other(_) => ("other", NONE, NONE, NONE, NONE),
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
