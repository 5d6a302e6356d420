//! What signing and verifying refuse alike.

use super::ambiguity::{Ambiguities, Ambiguity, Policy};
use super::coverage::{Required, Uncovered};
use super::presigned::Presigned;
use super::terms::Terms;
use crate::error::{Error, ErrorKind};
use crate::protocol::request::{Fault, Head};

/// What must be covered, and what may be ambiguous.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strict {
    pub(crate) required: Required,
    pub(crate) ambiguity: Policy,
}

impl Strict {
    /// Whether a request may be signed, as far as that is told before anything is written.
    /// `beside` is what its query has of a presigned URL, if it is signed in its headers.
    pub(crate) fn check(
        &self,
        head: &Head<'_>,
        terms: &Terms<'_>,
        beside: Option<&Presigned<'_>>,
    ) -> Result<Ambiguities, Error> {
        let scheme = terms.scheme();
        if let Some(Fault::Host(rule) | Fault::Target(rule)) = head.fault() {
            return Err(Error::new(ErrorKind::InvalidUri, rule));
        }
        let found = beside.map_or(Ok(Ambiguities::empty()), Presigned::beside_headers);
        let found = found.map_err(ambiguous)?;
        let checked = self.required.check(head, scheme, terms.listed(), self.ambiguity);
        let covered = checked.map_err(|fault| match fault {
            Uncovered::Header(name) => unsigned(&format!(
                "the scheme {scheme} does not sign the header {name}: remove it, sign by \
                 another scheme, or exempt it by with_insecure_unsigned_header"
            )),
            Uncovered::Nonce(name) => unsigned(&format!("the nonce {name} is missing")),
            Uncovered::Absent => ambiguous(Ambiguity::AbsentHeader),
        });
        Ok(found | covered?)
    }

    /// Whether a request may be signed in spite of what is ambiguous about it.
    pub(crate) fn judge(&self, found: Ambiguities, refuses: Ambiguities) -> Result<(), Error> {
        self.ambiguity.judge(found, refuses).map(drop).map_err(ambiguous)
    }
}

/// The error of a request that is ambiguous.
fn ambiguous(ambiguity: Ambiguity) -> Error {
    let rule = ambiguity.rule();
    unsigned(&match ambiguity.can_be_allowed() {
        true => format!(
            "{rule}: change it, sign by acs3 if that scheme tells the two apart, or let it \
             through by with_insecure_allowance(Ambiguity::{ambiguity:?})"
        ),
        false => rule.to_owned(),
    })
}

fn unsigned(why: &str) -> Error {
    Error::new(ErrorKind::Ambiguous, format!("the request is not signed: {why}"))
}
