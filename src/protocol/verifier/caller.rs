//! Who a request is from, once that is verified.

use super::credentials::Claim;
use super::decide::Match;
use super::rejection::{Rejection, RejectionKind};
use super::time::Time;
use crate::protocol::crypto::tag::Tag;
use crate::protocol::dialect::Dialect;
use crate::protocol::others::OtherScheme;
use crate::protocol::request::Head;
use crate::protocol::scheme::coverage;
use crate::protocol::scheme::{
    Scheme,
    ambiguity::{Ambiguities, Ambiguity},
};
use crate::protocol::value::AppValue;
use http::Extensions;
use http::header::{HOST, HeaderName, HeaderValue};
use std::fmt;
use std::ops::Range;
use std::time::SystemTime;

/// Tells who signed a request, and what the signature covers.
///
/// [`VerifyLayer`](crate::VerifyLayer) puts it into the extensions of every request
/// it lets through with credentials. Clones are cheap.
#[derive(Clone)]
pub struct VerifiedCaller {
    texts: Texts,
    scheme: Scheme,
    dialect: Dialect,
    time: Time,
    verified_at: SystemTime,
    valid_until: SystemTime,
    covers_body: bool,
    /// Headers that were read as if they were not there.
    left_out: &'static [&'static str],
    /// Whether another host was read than the one that arrived.
    is_renamed: bool,
    found: Ambiguities,
    signature: Option<Tag>,
    key_position: usize,
    value: Option<AppValue>,
}

/// What a caller has claimed in words.
#[derive(Clone)]
struct Texts {
    source: Source,
    access_key_id: Range<u16>,
    signed_headers: Option<Range<u16>>,
}

/// What the texts of a caller are taken from.
#[derive(Clone)]
enum Source {
    /// A copy, if it is short.
    Short([u8; SHORT]),
    /// The `Authorization` header, shared.
    Header(HeaderValue),
    Text(Box<str>),
}

/// Longer than the ids that Alibaba Cloud gives out.
const SHORT: usize = 32;

impl Source {
    fn get(&self, range: &Range<u16>) -> &str {
        let bytes = match self {
            Self::Short(bytes) => bytes,
            Self::Header(value) => value.as_bytes(),
            Self::Text(text) => text.as_bytes(),
        };
        let part = bytes.get(usize::from(range.start)..usize::from(range.end));
        part.and_then(|part| std::str::from_utf8(part).ok()).unwrap_or_default()
    }
}

/// Where `part` lies within `whole`, of which it is a piece.
fn range_of(part: &str, whole: &[u8]) -> Option<Range<u16>> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let end = start.checked_add(part.len()).filter(|end| *end <= whole.len())?;
    Some(start.try_into().ok()?..end.try_into().ok()?)
}

impl Texts {
    /// The texts of a claim, out of the header they stand in where they do.
    fn of(claim: &Claim<'_>) -> Self {
        let id = claim.access_key_id.as_ref();
        let list = claim.signed_headers;
        if list.is_none() && id.len() <= SHORT {
            let mut short = [0; SHORT];
            short[..id.len()].copy_from_slice(id.as_bytes());
            let (source, access_key_id) = (Source::Short(short), 0..id.len() as u16);
            return Self { source, access_key_id, signed_headers: None };
        }
        if let Some(value) = claim.authorization {
            let within = |part| range_of(part, value.as_bytes());
            if let (Some(id), list) = (within(id), list.map(within))
                && list != Some(None)
            {
                let source = Source::Header(value.clone());
                return Self { source, access_key_id: id, signed_headers: list.flatten() };
            }
        }
        // A presigned URL, or a header of more than 64 KiB.
        let split = id.len() as u16;
        let text = format!("{id}{}", list.unwrap_or_default());
        let end = text.len().min(usize::from(u16::MAX)) as u16;
        let source = Source::Text(text.into());
        Self { source, access_key_id: 0..split, signed_headers: list.map(|_| split..end) }
    }

    fn access_key_id(&self) -> &str {
        self.source.get(&self.access_key_id)
    }

    fn signed_headers(&self) -> Option<&str> {
        self.signed_headers.as_ref().map(|range| self.source.get(range))
    }
}

impl VerifiedCaller {
    pub(crate) fn new(
        head: &Head<'_>,
        claim: &Claim<'_>,
        matched: Match,
        verified_at: SystemTime,
        valid_until: SystemTime,
        value: Option<AppValue>,
    ) -> Self {
        let mut caller = Self {
            texts: Texts::of(claim),
            scheme: claim.scheme,
            dialect: matched.dialect,
            time: claim.time,
            verified_at,
            valid_until,
            covers_body: false,
            left_out: head.left_out,
            is_renamed: head.is_renamed,
            found: matched.found,
            signature: claim.signature,
            key_position: matched.key_position,
            value,
        };
        let covered = |name| Some(head.field(name).text()).filter(|_| caller.covers_header(name));
        caller.covers_body =
            matches!(coverage::digest(claim.scheme, covered), Some((_, _, Some(_))));
        caller
    }

    /// The id of the access key that signed.
    pub fn access_key_id(&self) -> &str {
        self.texts.access_key_id()
    }

    /// The scheme it was signed by.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The dialect the signature was found to be in: the first that matches, where
    /// several coincide on this request.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Returns which of the secrets that the key store gave for the access key was used,
    /// counted from 0: during a rotation, who still uses the old one.
    pub fn key_position(&self) -> usize {
        self.key_position
    }

    /// The value that is kept with the key it was verified by
    /// ([`VerifyingKey::with_value`](crate::keys::VerifyingKey::with_value)); `None` if there is
    /// none, or one of another type.
    pub fn value<T: 'static>(&self) -> Option<&T> {
        self.value.as_ref().and_then(AppValue::get)
    }

    /// Returns when the request was signed; `None` for presigned URLs, which do not say.
    pub fn signed_at(&self) -> Option<SystemTime> {
        match self.time {
            Time::SignedAt(time) => Some(time),
            Time::Until(_) => None,
        }
    }

    /// Returns until when a presigned URL is valid; `None` for other schemes.
    pub fn expires_at(&self) -> Option<SystemTime> {
        match self.time {
            Time::SignedAt(_) => None,
            Time::Until(time) => Some(time),
        }
    }

    /// The time that it was verified as of.
    pub fn verified_at(&self) -> SystemTime {
        self.verified_at
    }

    /// Returns until when it verifies: the end of a presigned URL, or the time it was signed and the
    /// clock difference that the verifier accepts.
    pub fn valid_until(&self) -> SystemTime {
        self.valid_until
    }

    /// Returns whether a header of this name is covered by the signature, if the request
    /// arrived with one.
    ///
    /// Under the `ACS3` schemes that is what `SignedHeaders` lists, and the payload
    /// hash. Under the others it follows from the name. What the
    /// [platform](crate::Verifier::with_platform_headers) added is covered under none, and
    /// neither is a `host` that is not that of the
    /// [external base](crate::Verifier::with_external_base).
    pub fn covers_header(&self, name: &HeaderName) -> bool {
        let is_read =
            !self.left_out.contains(&name.as_str()) && (!self.is_renamed || *name != HOST);
        is_read
            && self.scheme.covers(name.as_str(), |name| {
                let list = self.texts.signed_headers().unwrap_or_default();
                list.as_bytes().split(|byte| *byte == b';').any(|listed| listed == name.as_bytes())
            })
    }

    /// Returns whether the signature covers a digest of the body. The digest still has to be
    /// compared with the body itself.
    pub fn covers_body(&self) -> bool {
        self.covers_body
    }

    /// Returns what is the same for replays of this request and for no other: its signature,
    /// which covers the nonce where there is one. As 32 bytes, a shorter one being
    /// filled up with zeros.
    pub fn replay_key(&self) -> [u8; 32] {
        self.signature.map(|signature| *signature.padded()).unwrap_or_default()
    }

    /// Returns what was ambiguous about the request and let through all the same, because
    /// the verifier was told to.
    pub fn ambiguities(&self) -> impl Iterator<Item = Ambiguity> {
        self.found.each()
    }
}

impl fmt::Debug for VerifiedCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedCaller")
            .field("access_key_id", &self.access_key_id())
            .field("scheme", &self.scheme)
            .field("dialect", &self.dialect)
            .field("time", &self.time)
            .field("signed_headers", &self.texts.signed_headers())
            .field("covers_body", &self.covers_body)
            .field("ambiguities", &self.found)
            .finish()
    }
}

/// A mark on requests that a verifying layer let through without a caller: what is inside of it
/// can tell that it is.
#[derive(Clone, Copy, Debug)]
struct Uncalled;

/// Says whom a request is from, whatever a layer outside of this one said.
pub(crate) fn with_caller(extensions: &mut Extensions, caller: VerifiedCaller) {
    extensions.remove::<OtherScheme>();
    let value = caller.value.clone();
    if let Some(VerifiedCaller { value: Some(before), .. }) = extensions.insert(caller) {
        before.take(extensions);
    }
    if let Some(value) = value {
        value.put(extensions);
    }
}

/// Says that a request has no caller, whatever a layer outside of this one said.
pub(crate) fn without_caller(extensions: &mut Extensions) {
    extensions.remove::<OtherScheme>();
    if let Some(VerifiedCaller { value: Some(before), .. }) = extensions.remove() {
        before.take(extensions);
    }
    extensions.insert(Uncalled);
}

/// Says that what a request has of credentials is of another scheme.
pub(crate) fn with_other(extensions: &mut Extensions, other: OtherScheme) {
    without_caller(extensions);
    extensions.insert(other);
}

/// The caller of a request that a verifying layer looked at, if it has one.
///
/// # Errors
/// No layer did: a rejection that says so, for whoever set the layers up.
pub(crate) fn looked_at(extensions: &Extensions) -> Result<Option<&VerifiedCaller>, Rejection> {
    let caller = extensions.get::<VerifiedCaller>();
    if caller.is_none() && extensions.get::<Uncalled>().is_none() {
        let message = "the request was not looked at by a VerifyLayer outside of this layer";
        return Err(Rejection::new(RejectionKind::NotLookedAt, message));
    }
    Ok(caller)
}
