use super::mismatch::BodyDigestMismatch;
use super::policy::Expected;
use crate::error::BoxError;
use crate::protocol::crypto::hash::Hash;
use crate::protocol::{Rejection, VerifiedCaller};
use crate::response::{Observer, Outcome, Undecided};
use std::fmt;

/// Comparing a body with its digest while it streams.
#[derive(Debug)]
pub(super) struct Check {
    expected: Expected,
    state: State,
    told: Option<Box<Told>>,
}

/// Who is told of a body that is wrong, and who signed its digest.
pub(super) struct Told {
    pub(super) observer: Observer,
    pub(super) caller: VerifiedCaller,
    pub(super) undecided: Option<Undecided>,
}

impl Told {
    fn tell(&self, mismatch: &BodyDigestMismatch) {
        let rejection = Rejection::from(mismatch.clone()).at(self.caller.verified_at());
        let rejection = rejection.by(self.caller.access_key_id());
        if let Some(undecided) = &self.undecided {
            undecided.refuse(&rejection);
        }
        self.observer.tell(Outcome::Refused(&rejection));
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Told").field("caller", &self.caller).finish_non_exhaustive()
    }
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
    pub(super) fn new(expected: Expected, told: Option<Box<Told>>) -> Self {
        // A body that has to be empty is right until a byte of it comes.
        let state = match expected.is_of_nothing() {
            true => State::Right,
            false => State::Hashing(Hash::new(expected.algorithm)),
        };
        Self { expected, state, told }
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
            let mismatch = self.expected.mismatch();
            if let Some(told) = &self.told {
                told.tell(&mismatch);
            }
            return Err(mismatch.into());
        }
        self.state = State::Right;
        Ok(())
    }
}
