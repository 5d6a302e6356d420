use crate::protocol::{Rejection, VerifiedCaller};
use std::fmt;
use std::sync::Arc;

/// Tells what became of a request, for counting.
///
/// From it follow the kind ([`Rejection::kind`]), the scheme
/// ([`VerifiedCaller::scheme`]), the access key ([`VerifiedCaller::access_key_id`],
/// [`Rejection::claimed_access_key_id`]) and which of its secrets was used
/// ([`VerifiedCaller::key_position`]). The id of a refused request is whatever its
/// sender wrote: do not make it a label of its own.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// It was verified, and passed.
    Verified(&'a VerifiedCaller),
    /// It had no credentials, and passed.
    Anonymous,
    /// It was exempt, and passed unseen.
    Exempt,
    /// It was refused.
    Refused(&'a Rejection),
}

/// Who is told about outcomes.
#[derive(Clone, Default)]
pub(super) struct Observer(Option<Arc<Observe>>);

type Observe = dyn Fn(Outcome<'_>) + Send + Sync;

impl Observer {
    pub(super) fn new(observe: impl Fn(Outcome<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(observe)))
    }

    pub(super) fn tell(&self, outcome: Outcome<'_>) {
        if let Some(observe) = &self.0 {
            observe(outcome);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Some(..)" } else { "None" })
    }
}
