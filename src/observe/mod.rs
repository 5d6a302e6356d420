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
//! | `request passed` | debug | `outcome`: `anonymous`, `exempt`, or `other` with the `scheme` that is another's to check |
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
//! | `tower_fc_requests_total` | counter | `outcome`: `verified`, `anonymous`, `other`, `exempt` or `refused`; `kind` of a refusal ([`RejectionKind::name`](crate::RejectionKind::name)); `scheme`, `dialect`, and `key`: `first`, `second` or `later` of the secrets of an access key; or `none` |
//! | `tower_fc_store_failures_total` | counter: requests that could not be decided | `kind` |
//! | `tower_fc_signature_age_seconds` | histogram: how long ago verified requests were signed; below 0 where the client's clock is fast | `scheme` |
//! | `tower_fc_credentials_total` | counter: answers of a provider | `outcome`: `obtained` or `failed` |
//! | `tower_fc_clock_corrections_total` | counter | |
//! | `tower_fc_clock_offset_seconds` | gauge: what the clock is corrected by | |
//!
//! Every label has a fixed number of values: none comes from a request.

#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "tracing")]
mod tracing;

#[cfg(feature = "metrics")]
pub use metrics::{count, count_clock, count_credentials, describe};
#[cfg(feature = "tracing")]
pub use tracing::{trace, trace_clock, trace_credentials};

use crate::protocol::Rejection;
use http::StatusCode;
use std::time::SystemTime;

/// Whether it could not be told what to do with a request, which its sender is not to blame for.
fn is_undecided(rejection: &Rejection) -> bool {
    rejection.status() == StatusCode::SERVICE_UNAVAILABLE
}

/// How much later one time is than another; below 0 if it is earlier.
fn seconds(later: SystemTime, earlier: SystemTime) -> f64 {
    match later.duration_since(earlier) {
        Ok(duration) => duration.as_secs_f64(),
        Err(error) => -error.duration().as_secs_f64(),
    }
}
