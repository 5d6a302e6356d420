use super::outcome::{Observer, Outcome};
use crate::protocol::others::OtherScheme;
use crate::protocol::{Rejection, VerifiedCaller};
use http::Extensions;
use std::sync::{Arc, OnceLock};

/// A request that passed, of which it is told what became of it once it is over: when the last
/// copy of this is dropped, with its extensions, or with its body if that is still being checked.
#[derive(Clone)]
pub(crate) struct Undecided(Arc<Open>);

struct Open {
    observer: Observer,
    passed: Passed,
    refused: OnceLock<Rejection>,
    /// That of a layer further out.
    outer: Option<Undecided>,
}

/// How a request passed.
pub(crate) enum Passed {
    Verified(VerifiedCaller),
    Anonymous,
    Other(OtherScheme),
    Exempt,
}

impl Undecided {
    /// Puts one into the extensions of a request, if anybody listens.
    pub(crate) fn put(
        observer: &Observer,
        extensions: &mut Extensions,
        passed: impl FnOnce() -> Passed,
    ) {
        if observer.listens() {
            let (observer, passed) = (observer.clone(), passed());
            let (refused, outer) = (OnceLock::new(), extensions.remove::<Self>());
            extensions.insert(Self(Arc::new(Open { observer, passed, refused, outer })));
        }
    }

    /// The request was refused after all. The first refusal counts.
    pub(crate) fn refuse(&self, rejection: &Rejection) {
        // Whoever refused it before told of it then.
        let _ = self.0.refused.set(rejection.clone());
        if let Some(outer) = &self.0.outer {
            outer.refuse(rejection);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.observer.tell(match (self.refused.get(), &self.passed) {
            (Some(rejection), _) => Outcome::Refused(rejection),
            (None, Passed::Verified(caller)) => Outcome::Verified(caller),
            (None, Passed::Anonymous) => Outcome::Anonymous,
            (None, Passed::Other(other)) => Outcome::Other(other),
            (None, Passed::Exempt) => Outcome::Exempt,
        });
    }
}
