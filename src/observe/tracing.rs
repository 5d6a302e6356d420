//! Events of tracing 0.1.

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
            ::tracing::debug!(
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
            ::tracing::debug!(target: "tower_fc", outcome = "anonymous", "request passed");
        }
        Outcome::Other(other) => {
            let scheme = other.name();
            ::tracing::debug!(target: "tower_fc", outcome = "other", scheme, "request passed");
        }
        Outcome::Exempt => {
            ::tracing::debug!(target: "tower_fc", outcome = "exempt", "request passed");
        }
        Outcome::Refused(rejection) if super::is_undecided(rejection) => {
            ::tracing::error!(
                target: "tower_fc",
                kind = rejection.kind().name(),
                access_key_id = rejection.claimed_access_key_id(),
                reason = rejection.message(),
                error = %Causes(std::error::Error::source(rejection)),
                "request could not be decided"
            );
        }
        Outcome::Refused(rejection) => {
            ::tracing::info!(
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
        Ok(credentials) => ::tracing::info!(
            target: "tower_fc",
            access_key_id = credentials.access_key_id(),
            expires_at = credentials.expires_at().map(
                |end| super::seconds(end, SystemTime::UNIX_EPOCH) as i64
            ),
            "credentials obtained"
        ),
        Err(error) => ::tracing::warn!(
            target: "tower_fc",
            error = %Causes(Some(error)),
            "credentials could not be obtained"
        ),
    }
}

/// Writes down that a clock was corrected, and by how much.
pub fn trace_clock(offset_millis: i64) {
    ::tracing::warn!(target: "tower_fc", offset_millis, "clock corrected");
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
