//! All the rules that keep a request from being signed or accepted. (Signer and verifier say
//! the first that is broken.)

use super::requests::PRESIGNED;
use crate::headers::X_ACS_DATE;
use crate::protocol::request::Head;
use crate::protocol::scheme::ambiguity::{Ambiguities, Ambiguity};
use crate::protocol::scheme::coverage::Values;
use crate::protocol::scheme::presigned::Presigned;
use crate::protocol::scheme::terms::Terms;
use crate::protocol::scheme::{Covers, Scheme};
use std::fmt;

/// One rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    /// This must not occur.
    Ambiguous(Ambiguity),
    /// The authority of the target has no user information.
    UserInfo,
    /// It has a host, and a port as clients write it.
    Authority,
    /// There is one `host` header.
    RepeatedHost,
    /// It names the host of the target.
    TwoHosts,
    /// There is one `Authorization` header.
    RepeatedAuthorization,
    /// There is one header of the date, the nonce and the security token.
    RepeatedCredential,
    /// The date is among the listed headers.
    UnlistedDate,
    /// There is one of each parameter of a presigned URL.
    RepeatedParameter,
    /// What is presigned was not before.
    AlreadyPresigned,
}

impl Rule {
    /// Those that are not about an ambiguity.
    pub(super) const OTHERS: [Self; 9] = [
        Self::UserInfo,
        Self::Authority,
        Self::RepeatedHost,
        Self::TwoHosts,
        Self::RepeatedAuthorization,
        Self::RepeatedCredential,
        Self::UnlistedDate,
        Self::RepeatedParameter,
        Self::AlreadyPresigned,
    ];

    /// The ambiguity that it is about, if that can be let through by name.
    pub(super) fn allowed(self) -> Option<Ambiguity> {
        match self {
            Self::Ambiguous(ambiguity) if ambiguity.can_be_allowed() => Some(ambiguity),
            _ => None,
        }
    }
}

/// A set of rules.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Rules(u64);

impl Rules {
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn len(self) -> u32 {
        self.0.count_ones()
    }

    pub(super) fn contains(self, other: impl Into<Self>) -> bool {
        let Self(other) = other.into();
        self.0 & other == other
    }

    pub(super) fn with(self, other: impl Into<Self>) -> Self {
        Self(self.0 | other.into().0)
    }

    pub(super) fn without(self, other: impl Into<Self>) -> Self {
        Self(self.0 & !other.into().0)
    }

    /// Those that can be let through by name.
    pub(super) fn allowed(self) -> Self {
        let all = self.each().filter(|rule| rule.allowed().is_some());
        all.fold(Self::default(), Self::with)
    }

    pub(super) fn each(self) -> impl Iterator<Item = Rule> {
        let all = Ambiguity::ALL.iter().copied().map(Rule::Ambiguous).chain(Rule::OTHERS);
        all.filter(move |rule| self.contains(*rule))
    }

    fn add(&mut self, rule: Rule, is_broken: bool) {
        if is_broken {
            *self = self.with(rule);
        }
    }
}

impl From<Ambiguities> for Rules {
    fn from(found: Ambiguities) -> Self {
        Self(u64::from(found.bits()))
    }
}

impl From<Rule> for Rules {
    fn from(rule: Rule) -> Self {
        match rule {
            Rule::Ambiguous(ambiguity) => Ambiguities::from(ambiguity).into(),
            other => {
                let number = Rule::OTHERS.iter().position(|each| *each == other).unwrap();
                Self(1 << (32 + number))
            }
        }
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.each()).finish()
    }
}

/// The rules that a request breaks, whatever the form it is signed in.
pub(super) struct Broken {
    /// Those that keep this crate from signing it; `None` for what it never signs as it is.
    pub(super) unsigned: Option<Rules>,
    /// Those that keep a verifier from accepting it.
    pub(super) refused: Rules,
}

impl Broken {
    pub(super) fn of(head: &Head<'_>, terms: &Terms<'_>, query: &Presigned<'_>) -> Self {
        let facts = terms.scheme().facts();
        let is_presigned = terms.scheme() == Scheme::FcPresigned;
        let both = broken(head, terms, query);

        let mut refused = both;
        refused.add(Rule::TwoHosts, head.has_two_hosts());
        refused.add(Rule::RepeatedAuthorization, head.authorization.repeated);
        // The signature is yet to be added.
        let has_another = query.repeated.is_some() || query.signature.is_some();
        refused.add(Rule::RepeatedParameter, is_presigned && has_another);
        let names = [facts.date.0, facts.nonce, facts.security_token];
        let is_repeated = !is_presigned && names.iter().any(|name| head.field(name).repeated);
        refused.add(Rule::RepeatedCredential, is_repeated);
        if let Covers::Listed { .. } = facts.covers {
            let listed = terms.listed();
            refused.add(Rule::UnlistedDate, !listed.iter().any(|each| X_ACS_DATE == each.name));
            let is_absent = listed.iter().any(|each| matches!(each.values, Values::Absent));
            refused.add(Rule::Ambiguous(Ambiguity::AbsentHeader), is_absent);
        }

        let mut unsigned = both;
        // A presigner puts its parameters at the end, behind an ampersand if there are others.
        let before = head.query().strip_suffix(PRESIGNED.as_bytes()).filter(|_| is_presigned);
        let has_some = before.is_some_and(|before| Presigned::read(before).any().is_some());
        unsigned.add(Rule::AlreadyPresigned, has_some);
        let is_signed_so = match is_presigned {
            true => before.is_some_and(|before| before != b"&"),
            // Signing leaves one of each.
            false => head.authorization.value.is_none() && !is_repeated,
        };
        // Of such a request HTTP/1.1 sends the `host` header without the authority, which is
        // another of those that are tried; HTTP/2 sends both, which is refused.
        let is_signed_so = is_signed_so && !head.has_two_hosts();
        Self { unsigned: is_signed_so.then_some(unsigned), refused }
    }
}

/// The rules of both sides that a request breaks.
fn broken(head: &Head<'_>, terms: &Terms<'_>, query: &Presigned<'_>) -> Rules {
    let mut rules = Rules::default();
    let scheme = terms.scheme();
    if scheme != Scheme::FcPresigned {
        let credentials = [&query.access_key_id, &query.security_token, &query.signature];
        let is_there = credentials.iter().any(|value| value.is_some());
        rules.add(Rule::Ambiguous(Ambiguity::QueryCredentials), is_there);
        rules.add(Rule::Ambiguous(Ambiguity::ExpiresAsDate), query.expires.is_some());
    }
    let is_listed = |name: &str| terms.listed().iter().any(|each| each.name == name);
    let is_unsigned = head.protocol.iter().any(|each| !scheme.covers(each.name, is_listed));
    rules.add(Rule::Ambiguous(Ambiguity::UnsignedHeader), is_unsigned);
    if let Some(authority) = head.uri.authority() {
        let authority = authority.as_str();
        let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
        rules.add(Rule::UserInfo, authority.contains('@'));
        rules.add(Rule::Authority, port.starts_with('0'));
    }
    rules.add(Rule::RepeatedHost, head.host.repeated);
    rules
}
