use super::{RejectionResponse, answer};
use crate::protocol::others::OtherScheme;
use crate::protocol::{Rejection, VerifiedCaller};
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// Tells what became of a request, for counting.
///
/// [`VerifyLayer`](crate::VerifyLayer) tells of every request. What is inside of it,
/// [`ReplayLayer`](crate::replay::ReplayLayer) and
/// [`CheckDigestLayer`](crate::digest::CheckDigestLayer), tells of those alone that it refuses: by
/// then they have been told of as verified, anonymous or exempt.
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

    /// The [`answer`] to a refused request, which is told of.
    pub(crate) fn answer(
        &self,
        rejection: Rejection,
        now: SystemTime,
        response: &impl RejectionResponse,
        parts: &Parts,
    ) -> Box<Response<Bytes>> {
        let answer = answer(rejection, now, response, parts);
        if let Some(rejection) = answer.extensions().get() {
            self.tell(Outcome::Refused(rejection));
        }
        answer
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Some(..)" } else { "None" })
    }
}
