//! Comparing the claimed signature with the right one, form by form and key by key.

use super::credentials::Claim;
use super::rejection::Rejection;
use crate::protocol::canonical::rules::Form;
use crate::protocol::crypto::{
    hmac::Keyed,
    tag::{Tag, same_text},
};
use crate::protocol::dialect::{Dialect, Dialects};
use crate::protocol::key::VerifyingKey;
use crate::protocol::request::Head;
use crate::protocol::scheme::ambiguity::{Ambiguities, Policy};
use crate::protocol::scheme::coverage::List;
use crate::protocol::scheme::terms::Terms;
use crate::protocol::scheme::texts::Texts;
use crate::protocol::scheme::{Family, Scheme};
use smallvec::SmallVec;
use std::time::SystemTime;

/// The forms in which signatures may be.
#[derive(Clone)]
pub(crate) struct Forms {
    pub(crate) dialects: Dialects,
    /// By family, the documented one first.
    accepted: [Vec<(Dialect, &'static Form)>; 3],
    /// Presigned URLs have one dialect.
    presigned: [(Dialect, &'static Form); 1],
    /// Stands in for the secret of an unknown access key.
    decoy: Keyed,
}

impl From<Dialects> for Forms {
    fn from(dialects: Dialects) -> Self {
        let of = |family| dialects.forms(family).collect();
        Self {
            dialects,
            accepted: [of(Family::Fc), of(Family::Acs3), of(Family::Acs)],
            presigned: [(Dialect::Standard, Dialect::standard(Family::Fc))],
            decoy: Keyed::new(b"of an access key that does not exist"),
        }
    }
}

/// How a request was signed.
#[derive(Clone, Copy)]
pub(crate) struct Match {
    pub(crate) dialect: Dialect,
    /// What is ambiguous about it, and let through.
    pub(crate) found: Ambiguities,
    /// Which of the keys it was signed with.
    pub(crate) key_position: usize,
}

impl Forms {
    fn of(&self, scheme: Scheme) -> &[(Dialect, &'static Form)] {
        match scheme {
            Scheme::FcPresigned => &self.presigned,
            _ => &self.accepted[scheme.facts().family as usize],
        }
    }

    /// How a request was signed, as far as the keys that are live `now` tell.
    ///
    /// # Errors
    /// What is ambiguous, if something is under every form or under the one that matches;
    /// otherwise that there is no live key, which costs the same, or that none matches.
    pub(crate) fn decide<'a>(
        &self,
        head: &Head<'a>,
        claim: &Claim<'a>,
        list: &List<'a>,
        policy: Policy,
        keys: &[VerifyingKey],
        now: SystemTime,
    ) -> Result<Match, Rejection> {
        let live = || keys.iter().enumerate().filter(|(_, key)| key.is_live(now));
        let (terms, forms) = (claim.terms(list), self.of(claim.scheme));
        // The usual case needs no text: the first form matches the only key.
        let is_streamed = live().nth(1).is_none();
        let mut tried = None;
        let (mut refused, mut compared) = (None, false);
        for (number, &(dialect, form)) in forms.iter().enumerate() {
            let (found, position) = if number == 0 && is_streamed {
                let only = live().next();
                let keyed = only.map_or(&self.decoy, |(_, key)| key.keyed());
                let (tag, found) = terms.sign(head, form, keyed);
                (found, only.filter(|(_, key)| fits(claim, &tag, key)).map(|(at, _)| at))
            } else {
                let tried = tried.get_or_insert_with(|| {
                    let mut tried = Tried::of(terms, head, live(), &self.decoy);
                    if is_streamed {
                        tried.texts.add(forms[0].1);
                    }
                    tried
                });
                tried.find(claim, &forms[number..], |found| {
                    number == 0 && is_hopeless(found | claim.found, forms, policy)
                })
            };
            let found = found | claim.found;
            let judged = policy.judge(found, form.refuses);
            match (judged, position) {
                (Ok(found), Some(key_position)) => {
                    return Ok(Match { dialect, found, key_position });
                }
                (Err(ambiguity), Some(_)) => {
                    return Err(Rejection::ambiguous(ambiguity).by(&claim.access_key_id));
                }
                (Err(ambiguity), None) => {
                    refused = refused.or(Some(ambiguity));
                    if number == 0 && is_hopeless(found, forms, policy) {
                        break;
                    }
                }
                (Ok(_), None) => compared = true,
            }
        }
        let rejection = match refused {
            Some(ambiguity) if !compared => Rejection::ambiguous(ambiguity),
            _ if live().next().is_none() => Rejection::unknown(&claim.access_key_id),
            _ => Rejection::mismatch(),
        };
        Err(rejection.by(&claim.access_key_id))
    }
}

/// What was tried of a request.
struct Tried<'t> {
    texts: Texts<'t>,
    /// The live secrets, and where they are among all.
    live: SmallVec<[(usize, &'t VerifyingKey); 4]>,
    /// These, or what stands in for them, so that it costs as much that there is none.
    keyed: SmallVec<[&'t Keyed; 4]>,
}

impl<'t> Tried<'t> {
    fn of(
        terms: Terms<'t>,
        head: &'t Head<'t>,
        live: impl Iterator<Item = (usize, &'t VerifyingKey)>,
        decoy: &'t Keyed,
    ) -> Self {
        let live: SmallVec<[_; 4]> = live.collect();
        let mut keyed: SmallVec<[_; 4]> = live.iter().map(|(_, key)| key.keyed()).collect();
        if keyed.is_empty() {
            keyed.push(decoy);
        }
        Self { texts: Texts::of(terms, head), live, keyed }
    }

    /// Says what is ambiguous under the first of the forms that are left, and the position of
    /// the secret whose signature in that form is the claimed one. No secret is tried on what is
    /// hopeless.
    fn find(
        &mut self,
        claim: &Claim<'_>,
        forms: &[(Dialect, &Form)],
        is_hopeless: impl Fn(Ambiguities) -> bool,
    ) -> (Ambiguities, Option<usize>) {
        let is_first = self.texts.is_empty();
        let (found, text) = self.texts.next(forms);
        let Some(text) = text.filter(|_| !is_hopeless(found)) else { return (found, None) };
        let is_it =
            |at: usize, tag: &Tag| self.live.get(at).is_some_and(|(_, key)| fits(claim, tag, key));
        let at = self.texts.find(&text, &self.keyed, is_first, is_it);
        (found, at.and_then(|at| self.live.get(at)).map(|(position, _)| *position))
    }
}

/// Whether no form will do for a request in which the first one finds this.
fn is_hopeless(found: Ambiguities, forms: &[(Dialect, &Form)], policy: Policy) -> bool {
    let never = |form: &Form| {
        let refused = policy.refused(form.refuses);
        match form.query.is_some() || refused.contains(Ambiguities::UNSIGNED_QUERY) {
            true => refused & Ambiguities::FOUND_BY_ALL,
            false => refused & (Ambiguities::FOUND_BY_ALL - Ambiguities::QUERY_FOUND_BY_ALL),
        }
    };
    !forms.iter().fold(found, |left, (_, form)| left & never(form)).is_empty()
}

/// Whether a claim has the signature that a key makes, and the security token that belongs
/// to it.
fn fits(claim: &Claim<'_>, tag: &Tag, key: &VerifyingKey) -> bool {
    let token = claim.security_token.as_deref().unwrap_or_default();
    claim.signature.is_some_and(|claimed| claimed.matches(tag))
        && key.token().is_none_or(|expected| same_text(expected.as_bytes(), token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::request::{ProtocolHeaders, RequestRef};
    use crate::protocol::scheme::coverage;
    use http::{HeaderMap, Method};

    /// How many texts the dialects of a family write of a target.
    fn texts(family: Family, target: &str) -> usize {
        let (uri, headers) = (target.parse().unwrap(), HeaderMap::new());
        let mut protocol = ProtocolHeaders::new();
        let head = Head::of(
            RequestRef { method: &Method::GET, uri: &uri, headers: &headers },
            &mut protocol,
        );
        let mut list = List::new();
        coverage::list_documented(&head, &mut list);
        let scheme = [Scheme::Fc, Scheme::Acs3HmacSha256, Scheme::Acs][family as usize];
        let terms = Terms::of(scheme, &list, None);
        let mut texts = Texts::of(terms, &head);
        let mut different = Vec::new();
        for (dialect, form) in Dialects::all().forms(family) {
            let mut text = Vec::new();
            terms.write_text(&head, form, &mut text);
            let is_new = texts.next(&[(dialect, form)]).1.is_some();
            assert_eq!(is_new, !different.contains(&text), "{target}");
            if is_new {
                different.push(text);
            }
        }
        different.len()
    }

    #[test]
    fn a_refusal_costs_one_signature_for_each_text_that_is_different() {
        for (target, expected) in [
            ("/", [2, 1, 2]),
            ("/a?b=c", [2, 1, 2]),
            ("/?b=c&d=e", [2, 1, 2]),
            ("/?d=e&b=c", [3, 1, 2]),
            ("/?b=", [2, 2, 2]),
            ("/%2b", [3, 4, 2]),
            ("/+/$/$", [2, 6, 2]),
            ("/?a=%FF&b=c", [3, 2, 3]),
            ("/?a=b;c=d", [3, 3, 2]),
        ] {
            let families = [Family::Fc, Family::Acs3, Family::Acs];
            assert_eq!(families.map(|family| texts(family, target)), expected, "{target}");
        }
    }
}
