//! Schemes `ACS3-HMAC-SHA256` and `ACS3-HMAC-SM3`: signature V3.

use super::{access_key_id, dialect::Form};
use crate::canonical::headers::write_value;
use crate::canonical::{Head, Quirks, Sink};
use crate::headers::{ACS_PREFIX, FC_PREFIX, X_ACS_CONTENT_SHA256};
use crate::signature::Tag;
use http::header::{CONTENT_TYPE, HOST};
use smallvec::SmallVec;

pub(crate) const TOKEN: &str = "ACS3-HMAC-SHA256";
#[cfg(feature = "sm3")]
pub(crate) const TOKEN_SM3: &str = "ACS3-HMAC-SM3";

/// What follows the token in an `Authorization` value.
pub(crate) struct Credential<'a> {
    pub(crate) access_key_id: &'a str,
    pub(crate) signed_headers: &'a str,
    pub(crate) signature: &'a [u8],
}

impl<'a> Credential<'a> {
    /// Reads `Credential=…,SignedHeaders=…,Signature=…`, in this order and with
    /// no more than white space between them.
    pub(crate) fn parse(rest: &'a [u8]) -> Option<Self> {
        let mut fields = rest.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let id = access_key_id(fields.next()?.strip_prefix(b"Credential=")?)?;
        let signed_headers = fields.next()?.strip_prefix(b"SignedHeaders=")?;
        let signature = fields.next()?.strip_prefix(b"Signature=")?;
        if fields.next().is_some() || !is_sorted_list(signed_headers) {
            return None;
        }
        let signed_headers = std::str::from_utf8(signed_headers).ok()?;
        Some(Self { access_key_id: id, signed_headers, signature })
    }
}

/// Whether `list` is lower-case header names in ascending order, joined by semicolons.
fn is_sorted_list(list: &[u8]) -> bool {
    let name = |name: &[u8]| {
        !name.is_empty()
            && name.iter().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase())
    };
    let names = || list.split(|byte| *byte == b';');
    names().all(name) && names().is_sorted_by(|a, b| a < b)
}

/// Writes the names of the headers that are signed of a request, in order and
/// joined by semicolons: `host`, `content-type`, and all that begin with `x-acs-`
/// or `x-fc-`.
///
/// The documentation asks for the first three. The last are signed because a
/// trigger acts upon them, so a verifier should not take them unsigned.
pub(crate) fn write_signed_headers(head: Head<'_>, sink: &mut impl Sink) {
    let mut names: SmallVec<[&str; 16]> = head
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| is_protocol_header(name) || *name == CONTENT_TYPE)
        .collect();
    if head.host().is_some() {
        names.push(HOST.as_str());
    }
    names.sort_unstable();
    for (index, name) in names.into_iter().enumerate() {
        if index > 0 {
            sink.put_byte(b';');
        }
        sink.put(name.as_bytes());
    }
}

/// Whether a gateway or a trigger acts upon a header of this name.
pub(crate) fn is_protocol_header(name: &str) -> bool {
    name.starts_with(ACS_PREFIX) || name.starts_with(FC_PREFIX)
}

/// Writes the canonical request with the headers of a list as in `SignedHeaders`.
pub(crate) fn write_canonical<S: Sink>(
    head: Head<'_>,
    form: &Form,
    signed_headers: &str,
    sink: &mut S,
) -> Quirks {
    sink.put(head.method.as_str().as_bytes());
    sink.put_byte(b'\n');
    let mut quirks = form.path.write(head.path(), sink);
    sink.put_byte(b'\n');
    if let Some(rules) = &form.query {
        quirks |= rules.write(head.query(), None, sink);
    }
    sink.put_byte(b'\n');
    for name in signed_headers.split(';') {
        sink.put(name.as_bytes());
        sink.put_byte(b':');
        let mut values = head.headers.get_all(name).iter().peekable();
        if values.peek().is_some() {
            quirks |= form.repeated_header.write(values, sink);
        } else if let (true, Some(host)) = (name == HOST, head.host()) {
            sink.put(host);
        } else {
            quirks |= Quirks::ABSENT_HEADER;
        }
        sink.put_byte(b'\n');
    }
    sink.put_byte(b'\n');
    sink.put(signed_headers.as_bytes());
    sink.put_byte(b'\n');
    // The general way sends the hash of the body; the documented samples for HTTP
    // triggers send none and sign nothing in its place.
    quirks | write_value(head.headers, &X_ACS_CONTENT_SHA256, sink)
}

/// Writes the string-to-sign over the hash of a canonical request.
pub(crate) fn write_string_to_sign<S: Sink>(token: &str, canonical: &Tag, sink: &mut S) {
    sink.put(token.as_bytes());
    sink.put_byte(b'\n');
    canonical.put_hex(sink);
}
