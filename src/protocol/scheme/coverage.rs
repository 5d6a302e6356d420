//! What a signature covers, and what it must.

use super::ambiguity::{Ambiguities, Policy};
use super::{Covers, Scheme};
use crate::headers::{X_FC_INVOCATION_TYPE, X_FC_LOG_TYPE};
use crate::protocol::crypto::hash::{self, Algorithm};
use crate::protocol::crypto::tag::Tag;
use crate::protocol::request::{Field, Head, ProtocolHeader, is_protocol};
use http::header::{HOST, HeaderName};
use smallvec::SmallVec;

/// A header that a request says to have signed.
#[derive(Clone, Copy)]
pub(crate) struct Listed<'a> {
    pub(crate) name: &'a str,
    pub(crate) values: Values<'a>,
}

/// The values of a listed header.
#[derive(Clone, Copy)]
pub(crate) enum Values<'a> {
    /// There is none.
    Absent,
    /// One.
    One(&'a [u8]),
    /// One or more, of a header that a trigger acts upon.
    Protocol(&'a [ProtocolHeader<'a>]),
    /// Several, of another header.
    Repeated,
}

/// Room for the headers that a request usually lists.
pub(crate) type List<'a> = SmallVec<[Listed<'a>; 24]>;

/// Finds the values of listed headers, whose names are in ascending order.
pub(crate) fn find<'a>(head: &Head<'a>, list: &mut List<'a>) {
    let mut rest = head.protocol;
    for listed in list {
        let name = listed.name;
        if is_protocol(name) {
            let before = rest.iter().take_while(|header| header.name < name).count();
            let from = &rest[before..];
            let same = from.iter().take_while(|header| header.name == name).count();
            let (values, after) = from.split_at(same);
            rest = after;
            listed.values =
                if values.is_empty() { Values::Absent } else { Values::Protocol(values) };
        } else {
            listed.values = find_other(head, name);
        }
    }
}

/// The values of a header that a trigger does not act upon.
fn find_other<'a>(head: &Head<'a>, name: &str) -> Values<'a> {
    let known = match name {
        "content-md5" => head.content_md5,
        "content-type" => head.content_type,
        "host" => head.host,
        _ => Field::default(),
    };
    if let (Some(value), false) = (known.value, known.repeated) {
        return Values::One(value.as_bytes());
    }
    let mut values = head.headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(only), None) => Values::One(only.as_bytes()),
        (Some(_), Some(_)) => Values::Repeated,
        (None, _) if *name == HOST => head.host().map_or(Values::Absent, Values::One),
        (None, _) => Values::Absent,
    }
}

/// The headers that the documented form lists of a request, in order: `content-md5`,
/// `content-type`, `host`, and all that begin with `x-acs-` or `x-fc-`.
///
/// The documentation asks for `content-type`, `host` and `x-acs-`. The others are signed
/// because a trigger or a check of bodies acts upon them, so a verifier should not take them
/// unsigned.
pub(crate) fn list_documented<'a>(head: &Head<'a>, list: &mut List<'a>) {
    let mut push = |name, values| list.push(Listed { name, values });
    if head.content_md5.value.is_some() {
        push("content-md5", find_other(head, "content-md5"));
    }
    if head.content_type.value.is_some() {
        push("content-type", find_other(head, "content-type"));
    }
    if head.host().is_some() {
        push("host", find_other(head, "host"));
    }
    let mut rest = head.protocol;
    while let [first, ..] = rest {
        let same = rest.iter().take_while(|header| header.name == first.name).count();
        let (values, after) = rest.split_at(same);
        rest = after;
        push(first.name, Values::Protocol(values));
    }
}

/// The digest of the body in the strongest covered header that has one: `None` in its place
/// if its text is no digest. `text` gives that of a header that is there and covered.
pub(crate) fn digest<'a>(
    scheme: Scheme,
    mut text: impl FnMut(&'static HeaderName) -> Option<&'a [u8]>,
) -> Option<(&'static HeaderName, Algorithm, Option<Tag>)> {
    scheme.facts().digests.iter().find_map(|&(name, algorithm)| {
        let text = text(name).filter(|text| !text.is_empty())?;
        Some((name, algorithm, hash::read(algorithm, text)))
    })
}

/// What must be covered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Required {
    /// Headers that must be listed if they are there, under a scheme that lists any.
    pub(crate) headers: Vec<HeaderName>,
    /// Headers that need not be covered, though a trigger acts upon them.
    pub(crate) exempt: Vec<HeaderName>,
    /// Whether what says that a request is carried out at once, and its log sent back, need not be
    /// covered either.
    pub(crate) plain_invocation: bool,
    /// Whether there must be a nonce.
    pub(crate) nonce: bool,
}

/// What is wrong with what a signature covers.
pub(crate) enum Uncovered<'a> {
    /// This header is there and not covered.
    Header(&'a str),
    /// There is no nonce, which would be in this header.
    Nonce(&'static HeaderName),
    /// A header is listed that is not there.
    Absent,
}

impl Required {
    /// Checks what a signature of this scheme covers of a request.
    ///
    /// # Errors
    /// The first fault. A header that a trigger acts upon and that is neither covered nor
    /// exempt is none if the policy lets it through; it is then what was found.
    pub(crate) fn check<'a>(
        &'a self,
        head: &Head<'a>,
        scheme: Scheme,
        listed: &[Listed<'a>],
        policy: Policy,
    ) -> Result<Ambiguities, Uncovered<'a>> {
        let facts = scheme.facts();
        // Names are in order, and may be many, as may be headers.
        let is_listed = |name: &str| listed.binary_search_by(|each| each.name.cmp(name)).is_ok();
        // A presigned URL has none that is looked at.
        let has_nonce = || scheme.token().is_some() && !head.field(facts.nonce).text().is_empty();
        if self.nonce && !has_nonce() {
            return Err(Uncovered::Nonce(facts.nonce));
        }
        if let Covers::Listed { .. } = facts.covers {
            let must_be = |name: &'a HeaderName| match is_listed(name.as_str()) {
                true => Ok(()),
                false => Err(Uncovered::Header(name.as_str())),
            };
            must_be(facts.date.0)?;
            if self.nonce {
                must_be(facts.nonce)?;
            }
            for name in &self.headers {
                if head.headers.contains_key(name) || *name == HOST && head.host().is_some() {
                    must_be(name)?;
                }
            }
            let mut unlisted = head.protocol.len();
            for each in listed {
                match each.values {
                    Values::Absent => return Err(Uncovered::Absent),
                    Values::Protocol(values) => unlisted -= values.len(),
                    Values::One(_) | Values::Repeated => {}
                }
            }
            if unlisted == 0 {
                return Ok(Ambiguities::empty());
            }
        } else if let Covers::Names { prefix, .. } = facts.covers
            && let [first, .., last] | [first @ last] = head.protocol
            && first.name.starts_with(prefix)
            && last.name.starts_with(prefix)
        {
            // They are in order, so the others begin so too.
            return Ok(Ambiguities::empty());
        }
        let is_fine = |header: &ProtocolHeader<'_>| {
            scheme.covers(header.name, is_listed)
                || self.exempt.iter().any(|exempt| exempt == header.name)
                || self.plain_invocation && is_plain_invocation(header)
        };
        match head.protocol.iter().find(|header| !is_fine(header)) {
            None => Ok(Ambiguities::empty()),
            Some(header) => policy
                .judge(Ambiguities::UNSIGNED_HEADER, Ambiguities::UNSIGNED_HEADER)
                .map_err(|_| Uncovered::Header(header.name)),
        }
    }
}

/// Whether a header changes nothing about when a request is carried out.
fn is_plain_invocation(header: &ProtocolHeader<'_>) -> bool {
    header.name == X_FC_LOG_TYPE
        || header.name == X_FC_INVOCATION_TYPE && header.value.as_bytes() == b"Sync"
}
