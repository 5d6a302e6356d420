//! Schemes `ACS3-HMAC-SHA256` and `ACS3-HMAC-SM3`: signature V3.

use super::{access_key_id, dialect::Form};
use crate::canonical::fields::{Field, is_protocol};
use crate::canonical::{Head, Quirks, Sink};
use crate::headers::X_ACS_CONTENT_SHA256;
use crate::signature::Tag;
use http::header::HOST;
use smallvec::SmallVec;

pub(crate) const TOKEN: &str = "ACS3-HMAC-SHA256";
#[cfg(feature = "sm3")]
pub(crate) const TOKEN_SM3: &str = "ACS3-HMAC-SM3";

/// The names of signed headers, in ascending order.
pub(crate) type Names<'a> = SmallVec<[&'a str; 24]>;

/// What follows the token in an `Authorization` value.
pub(crate) struct Credential<'a> {
    pub(crate) access_key_id: &'a str,
    /// As it was sent.
    pub(crate) list: &'a str,
    pub(crate) signed_headers: Names<'a>,
    pub(crate) signature: &'a [u8],
}

impl<'a> Credential<'a> {
    /// Reads `Credential=…,SignedHeaders=…,Signature=…`, in this order and with
    /// no more than white space between them.
    pub(crate) fn parse(rest: &'a [u8]) -> Option<Self> {
        let (credential, rest) = cut(rest)?;
        let (list, signature) = cut(rest.trim_ascii_start())?;
        let id = access_key_id(credential.strip_prefix(b"Credential=")?.trim_ascii_end())?;
        let list = list.strip_prefix(b"SignedHeaders=")?.trim_ascii_end();
        let list = std::str::from_utf8(list).ok()?;
        let signature = signature.trim_ascii_start().strip_prefix(b"Signature=")?;
        Some(Self { access_key_id: id, list, signed_headers: names(list)?, signature })
    }
}

fn cut(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let comma = memchr::memchr(b',', text)?;
    Some((&text[..comma], &text[comma + 1..]))
}

/// The names of a list that is lower-case, in ascending order, and joined by semicolons.
fn names(list: &str) -> Option<Names<'_>> {
    let odd = |byte: u8| byte.is_ascii_uppercase() || !byte.is_ascii_graphic() || byte == b',';
    if list.bytes().fold(false, |found, byte| found | odd(byte)) {
        return None;
    }
    let mut names = Names::new();
    let mut start = 0;
    for end in memchr::memchr_iter(b';', list.as_bytes()).chain([list.len()]) {
        let name = &list[start..end];
        if names.last().map_or(name.is_empty(), |last| *last >= name) {
            return None;
        }
        names.push(name);
        start = end + 1;
    }
    Some(names)
}

/// The names of the headers that are signed of a request, in order: `host`,
/// `content-type`, and all that begin with `x-acs-` or `x-fc-`.
///
/// The documentation asks for the first three. The last are signed because a
/// trigger acts upon them, so a verifier should not take them unsigned.
pub(crate) fn signed_headers<'a>(head: &Head<'a>) -> Names<'a> {
    let fields = &head.fields;
    let mut names = Names::new();
    if fields.content_type.value.is_some() {
        names.push("content-type");
    }
    if head.host().is_some() {
        names.push("host");
    }
    names.extend(fields.protocol.iter().map(|header| header.name));
    names.dedup();
    names
}

/// Writes names joined by semicolons.
pub(crate) fn write_names<S: Sink>(names: &[&str], sink: &mut S) {
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            sink.put_byte(b';');
        }
        sink.put(name.as_bytes());
    }
}

/// Writes the canonical request with these headers, which are in ascending order.
pub(crate) fn write_canonical<S: Sink>(
    head: &Head<'_>,
    form: &Form,
    signed_headers: &[&str],
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
    quirks |= write_headers(head, form, signed_headers, sink);
    sink.put_byte(b'\n');
    write_names(signed_headers, sink);
    sink.put_byte(b'\n');
    // The general way sends the hash of the body; the documented samples for HTTP
    // triggers send none and sign nothing in its place.
    let payload = head.fields.protocol(X_ACS_CONTENT_SHA256.as_str());
    sink.put(payload.text());
    if payload.repeated { quirks | Quirks::REPEATED_HEADER } else { quirks }
}

/// Writes a line for each signed header, walking through them and through the
/// headers that a trigger acts upon side by side.
fn write_headers<S: Sink>(
    head: &Head<'_>,
    form: &Form,
    signed_headers: &[&str],
    sink: &mut S,
) -> Quirks {
    let mut quirks = Quirks::NONE;
    let mut rest = head.fields.protocol;
    for name in signed_headers {
        sink.put(name.as_bytes());
        sink.put_byte(b':');
        if is_protocol(name) {
            let before = rest.iter().take_while(|header| header.name < *name).count();
            let (passed, from) = rest.split_at(before);
            quirks |= unsigned(passed.iter().map(|header| header.name));
            let same = from.iter().take_while(|header| header.name == *name).count();
            let (values, after) = from.split_at(same);
            rest = after;
            if values.is_empty() {
                quirks |= Quirks::ABSENT_HEADER;
            }
            quirks |= form.repeated_header.write(values.iter().map(|header| header.value), sink);
        } else {
            quirks |= write_other(head, form, name, sink);
        }
        sink.put_byte(b'\n');
    }
    quirks | unsigned(rest.iter().map(|header| header.name))
}

/// Writes the value of a header that a trigger does not act upon.
fn write_other<S: Sink>(head: &Head<'_>, form: &Form, name: &str, sink: &mut S) -> Quirks {
    let known = match name {
        "content-type" => head.fields.content_type,
        "host" => head.fields.host,
        _ => Field::default(),
    };
    if let (Some(_), false) = (known.value, known.repeated) {
        sink.put(known.text());
        return Quirks::NONE;
    }
    let mut values = head.headers.get_all(name).iter().peekable();
    if values.peek().is_some() {
        return form.repeated_header.write(values, sink);
    }
    match head.host() {
        Some(host) if name == HOST => {
            sink.put(host);
            Quirks::NONE
        }
        _ => Quirks::ABSENT_HEADER,
    }
}

/// What it means that headers of these names are not signed. The payload hash is
/// signed in its own line.
fn unsigned<'a>(mut names: impl Iterator<Item = &'a str>) -> Quirks {
    match names.any(|name| name != X_ACS_CONTENT_SHA256) {
        true => Quirks::UNSIGNED_HEADER,
        false => Quirks::NONE,
    }
}

/// Writes the string-to-sign over the hash of a canonical request.
pub(crate) fn write_string_to_sign<S: Sink>(token: &str, canonical: &Tag, sink: &mut S) {
    sink.put(token.as_bytes());
    sink.put_byte(b'\n');
    canonical.put_hex(sink);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_headers_is_lower_case_visible_ascii_in_ascending_order() {
        for list in ["a", "host", "a;b;c", "content-type;host;x-acs-date", "!;~"] {
            let read = names(list).map(|names| names.join(";"));
            assert_eq!(read.as_deref(), Some(list));
        }
        for list in ["", ";", "a;", ";a", "a;;b", "b;a", "a;a", "a;b;a", "a;bé", "a,b;c"] {
            assert!(names(list).is_none(), "{list}");
        }
        for odd in ["A", " ", "\t", "\n", "\0", "\x7f", ","] {
            for list in [format!("a;b{odd}"), format!("b;{odd}"), format!("a{odd};b")] {
                assert!(names(&list).is_none(), "{list:?}");
            }
            // One does not make up for another.
            for other in ["Z", " ", "\n", ","] {
                assert!(names(&format!("a{odd};b{other}")).is_none(), "{odd:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_credential_has_three_fields_in_order_and_white_space_between_them_at_the_most() {
        let texts = |text: &str| {
            let credential = Credential::parse(text.as_bytes())?;
            let signature = String::from_utf8_lossy(credential.signature).into_owned();
            Some((credential.access_key_id.to_owned(), credential.list.to_owned(), signature))
        };
        let expected = Some(("id".to_owned(), "a;b".to_owned(), "0f".to_owned()));
        for text in [
            "Credential=id,SignedHeaders=a;b,Signature=0f",
            "Credential=id, SignedHeaders=a;b, Signature=0f",
            "Credential=id ,\tSignedHeaders=a;b ,  Signature=0f",
        ] {
            assert_eq!(texts(text), expected, "{text}");
        }
        for text in [
            "",
            "Credential=id",
            "Credential=id,SignedHeaders=a;b",
            "Credential=id,Signature=0f",
            "Credential= id,SignedHeaders=a;b,Signature=0f",
            "Credential=id,SignedHeaders= a;b,Signature=0f",
            "Credential=id,SignedHeaders=a;b Signature=0f",
            "credential=id,SignedHeaders=a;b,Signature=0f",
            "Credential=id,SignedHeaders=a;b,Signature 0f",
        ] {
            assert_eq!(texts(text), None, "{text}");
        }
    }
}
