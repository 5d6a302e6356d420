use super::hash::Hash;
use super::policy::Expected;
use crate::error::BoxError;
use crate::rejection::{Rejection, RejectionKind};
use http::HeaderName;
use std::fmt;

/// Comparing a body with its digest while it streams.
#[derive(Debug)]
pub(super) struct Check {
    expected: Expected,
    state: State,
}

#[derive(Debug)]
enum State {
    Hashing(Hash),
    /// All bytes that there are to be are there, and have the digest.
    Right,
    /// They do not, and that has been reported.
    Wrong,
}

impl Check {
    pub(super) fn new(expected: Expected) -> Self {
        // A body that has to be empty is right until a byte of it comes.
        let state = match expected.is_of_nothing() {
            true => State::Right,
            false => State::Hashing(Hash::new(expected.algorithm)),
        };
        Self { expected, state }
    }

    pub(super) fn has_passed(&self) -> bool {
        matches!(self.state, State::Right)
    }

    /// Whether the body has come to its end with an error.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.state, State::Wrong)
    }

    /// A piece has come, the last one perhaps.
    pub(super) fn add(&mut self, data: &[u8], is_last: bool) -> Result<(), BoxError> {
        match &mut self.state {
            State::Hashing(hash) => {
                hash.update(data);
                if is_last { self.end() } else { Ok(()) }
            }
            State::Right if data.is_empty() => Ok(()),
            // More came than there is to be.
            State::Right | State::Wrong => {
                self.state = State::Wrong;
                self.end()
            }
        }
    }

    /// All has come.
    pub(super) fn end(&mut self) -> Result<(), BoxError> {
        let is_right = match std::mem::replace(&mut self.state, State::Wrong) {
            State::Hashing(hash) => hash.finish().matches(&self.expected.digest),
            State::Right => true,
            State::Wrong => false,
        };
        if !is_right {
            return Err(self.expected.mismatch().into());
        }
        self.state = State::Right;
        Ok(())
    }
}

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
        Self::new(RejectionKind::BodyDigestMismatch, mismatch.to_string())
    }
}
