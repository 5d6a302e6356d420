use crate::protocol::others::OtherScheme;
use crate::protocol::{Rejection, VerifiedCaller};
use std::fmt;
use std::sync::Arc;

/// Tells what became of a request, for counting.
///
/// [`VerifyLayer`](crate::VerifyLayer) tells of every request once, when it is over: one that a layer
/// inside of it refused, as a replay for instance, is told of as refused, and so is one whose body
/// turned out wrong while it streamed. The layers inside,
/// [`ReplayLayer`](crate::replay::ReplayLayer) and
/// [`CheckDigestLayer`](crate::digest::CheckDigestLayer), tell their own observers of those alone
/// that they refuse themselves. With the features `tracing` and `metrics`, the module `observe` has
/// observers that write down and count.
///
/// From it follow the kind ([`Rejection::kind`]), the scheme
/// ([`VerifiedCaller::scheme`]), the access key ([`VerifiedCaller::access_key_id`],
/// [`Rejection::claimed_access_key_id`]) and which of its secrets was used
/// ([`VerifiedCaller::key_position`]). The id of a refused request is whatever its
/// sender wrote: do not make it a label of its own.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// It was verified, and passed, and nothing inside found fault with it.
    Verified(&'a VerifiedCaller),
    /// It had no credentials, and passed.
    Anonymous,
    /// Its credentials are of a scheme that is [another's](crate::Verifier::with_other_schemes) to
    /// check, and it passed unverified.
    Other(&'a OtherScheme),
    /// It was exempt, and passed unseen.
    Exempt,
    /// It was refused.
    Refused(&'a Rejection),
}

/// Who is told about outcomes.
#[derive(Clone, Default)]
pub(crate) struct Observer(Option<Arc<Observe>>);

type Observe = dyn Fn(Outcome<'_>) + Send + Sync;

impl Observer {
    pub(crate) fn new(observe: impl Fn(Outcome<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(observe)))
    }

    /// Whether there is anybody to be told.
    pub(crate) fn listens(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn tell(&self, outcome: Outcome<'_>) {
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
