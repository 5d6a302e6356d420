use crate::protocol::{Rejection, RejectionKind};
use http::HeaderName;
use std::fmt;

/// The body of a request differs from its signed digest: it was changed on its way, or
/// the client signed another.
///
/// [`CheckedBody`](super::CheckedBody) ends with it, boxed, to be found by
/// `downcast_ref`, or as a `source` where a framework has wrapped it.
#[derive(Clone, Debug)]
pub struct BodyDigestMismatch {
    header: &'static HeaderName,
}

impl BodyDigestMismatch {
    pub(super) fn of(header: &'static HeaderName) -> Self {
        Self { header }
    }

    /// The header whose digest the body does not have: `content-md5` or
    /// `x-acs-content-sha256`.
    pub fn header(&self) -> &HeaderName {
        self.header
    }
}

impl fmt::Display for BodyDigestMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the request body does not match its signed {}", self.header)
    }
}

impl std::error::Error for BodyDigestMismatch {}

impl From<BodyDigestMismatch> for Rejection {
    fn from(mismatch: BodyDigestMismatch) -> Self {
        Self::new(RejectionKind::BodyDigestMismatch, mismatch.to_string()).because_of(mismatch)
    }
}
