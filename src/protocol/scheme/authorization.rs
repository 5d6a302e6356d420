//! The value of the `Authorization` header, read and written.

use super::coverage::{List, Listed, Values};
use super::{Covers, Scheme, acs3};
use crate::protocol::canonical::sink::Sink;
use crate::protocol::crypto::tag::Tag;
use crate::protocol::key::access_key_id;
use bytes::Bytes;
use http::HeaderValue;

/// What an `Authorization` header says.
pub(crate) struct Authorization<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) access_key_id: &'a str,
    /// `SignedHeaders` as it was sent, under a scheme that has it.
    pub(crate) signed_headers: Option<&'a str>,
    /// `None` when its text cannot be that of a signature.
    pub(crate) signature: Option<Tag>,
}

/// Why a value cannot be read.
#[derive(Clone, Copy)]
pub(crate) enum Unreadable {
    /// It names no scheme of this build.
    Scheme,
    /// It has not the form of its scheme.
    Form(Scheme),
}

impl<'a> Authorization<'a> {
    /// Reads a value, and lists the signed headers in `list`, without their values.
    pub(crate) fn read(value: &'a [u8], list: &mut List<'a>) -> Result<Self, Unreadable> {
        let (scheme, rest) = scheme_of(value).ok_or(Unreadable::Scheme)?;
        let rest = rest.trim_ascii();
        let read = match scheme.facts().covers {
            Covers::Names { .. } => Self::read_pair(scheme, rest),
            Covers::Listed { .. } => Self::read_listing(scheme, rest, list),
        };
        read.ok_or(Unreadable::Form(scheme))
    }

    /// Reads `<id>:<base64>`.
    fn read_pair(scheme: Scheme, rest: &'a [u8]) -> Option<Self> {
        let (id, signature) = cut(rest, b':')?;
        Some(Self {
            scheme,
            access_key_id: access_key_id(id)?,
            signed_headers: None,
            signature: Tag::from_base64(signature, scheme.facts().mac.len()),
        })
    }

    /// Reads `Credential=…,SignedHeaders=…,Signature=…`, in this order and with
    /// no more than white space between them.
    fn read_listing(scheme: Scheme, rest: &'a [u8], list: &mut List<'a>) -> Option<Self> {
        let (credential, rest) = cut(rest, b',')?;
        let (names, signature) = cut(rest.trim_ascii_start(), b',')?;
        let id = access_key_id(credential.strip_prefix(b"Credential=")?.trim_ascii_end())?;
        let names = names.strip_prefix(b"SignedHeaders=")?.trim_ascii_end();
        let names = std::str::from_utf8(names).ok()?;
        read_names(names, list)?;
        let signature = signature.trim_ascii_start().strip_prefix(b"Signature=")?;
        Some(Self {
            scheme,
            access_key_id: id,
            signed_headers: Some(names),
            signature: Tag::from_hex(signature, scheme.facts().mac.len()),
        })
    }
}

/// The scheme that a value names, and what follows its name.
pub(crate) fn scheme_of(value: &[u8]) -> Option<(Scheme, &[u8])> {
    let space = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (token, rest) = value.split_at(space);
    let is_named = |scheme: &Scheme| scheme.token().is_some_and(|known| known.as_bytes() == token);
    let scheme = Scheme::ALL.iter().copied().find(is_named)?;
    Some((scheme, rest))
}

fn cut(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(at, text)?;
    Some((&text[..at], &text[at + 1..]))
}

/// Lists names that are lower-case, in ascending order, and joined by semicolons.
fn read_names<'a>(names: &'a str, list: &mut List<'a>) -> Option<()> {
    let odd = |byte: u8| byte.is_ascii_uppercase() || !byte.is_ascii_graphic() || byte == b',';
    // Without a way out, so that many bytes are looked at at once.
    if names.bytes().fold(false, |found, byte| found | odd(byte)) {
        return None;
    }
    let (mut start, mut before) = (0, "");
    for end in memchr::memchr_iter(b';', names.as_bytes()).chain([names.len()]) {
        let name = &names[start..end];
        if name <= before {
            return None;
        }
        list.push(Listed { name, values: Values::Absent });
        (start, before) = (end + 1, name);
    }
    Some(())
}

/// The value for a signature, with the headers it covers under a scheme that lists them.
pub(crate) fn write(scheme: Scheme, id: &str, listed: &[Listed<'_>], tag: &Tag) -> HeaderValue {
    let token = scheme.token().unwrap_or_default();
    // Exact, because what is left over would cost another allocation.
    let rest = match scheme.facts().covers {
        Covers::Names { .. } => " :".len() + scheme.facts().mac.len().div_ceil(3) * 4,
        Covers::Listed { .. } => {
            let names = listed.iter().map(|each| each.name.len() + 1).sum::<usize>();
            let names = names.saturating_sub(1);
            " Credential=,SignedHeaders=,Signature=".len() + names + scheme.facts().mac.len() * 2
        }
    };
    let mut text = Vec::with_capacity(token.len() + id.len() + rest);
    text.put(token.as_bytes());
    match scheme.facts().covers {
        Covers::Names { .. } => {
            text.put_byte(b' ');
            text.put(id.as_bytes());
            text.put_byte(b':');
            tag.put_base64(&mut text);
        }
        Covers::Listed { .. } => {
            text.put(b" Credential=");
            text.put(id.as_bytes());
            text.put(b",SignedHeaders=");
            acs3::write_names(listed, &mut text);
            text.put(b",Signature=");
            tag.put_hex(&mut text);
        }
    }
    // Shared rather than copied. Ids, names and signatures can always stand in a header.
    let mut value =
        HeaderValue::from_maybe_shared(Bytes::from(text)).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &str) -> Option<String> {
        let mut list = List::new();
        read_names(names, &mut list)?;
        Some(list.iter().map(|each| each.name).collect::<Vec<_>>().join(";"))
    }

    #[test]
    fn a_list_of_headers_is_lower_case_visible_ascii_in_ascending_order() {
        for list in ["a", "host", "a;b;c", "content-type;host;x-acs-date", "!;~"] {
            assert_eq!(names(list).as_deref(), Some(list));
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

    /// Id, list and signature, the latter in hexadecimal.
    fn read(text: &str) -> Option<(String, Option<String>, Option<String>)> {
        let mut list = List::new();
        let read = Authorization::read(text.as_bytes(), &mut list).ok()?;
        let signature = read.signature.map(|tag| {
            let mut text = Vec::new();
            tag.put_hex(&mut text);
            String::from_utf8(text).unwrap()
        });
        Some((read.access_key_id.to_owned(), read.signed_headers.map(str::to_owned), signature))
    }

    #[test]
    fn a_listing_has_three_fields_in_order_and_white_space_between_them_at_the_most() {
        let hex = "0f".repeat(32);
        let expected = Some(("id".to_owned(), Some("a;b".to_owned()), Some(hex.clone())));
        for text in [
            format!("ACS3-HMAC-SHA256 Credential=id,SignedHeaders=a;b,Signature={hex}"),
            format!("ACS3-HMAC-SHA256   Credential=id, SignedHeaders=a;b, Signature={hex} "),
            format!("ACS3-HMAC-SHA256 Credential=id ,\tSignedHeaders=a;b ,  Signature={hex}"),
        ] {
            assert_eq!(read(&text), expected, "{text}");
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
            assert_eq!(read(&format!("ACS3-HMAC-SHA256 {text}")), None, "{text}");
        }
    }

    #[test]
    fn a_pair_is_cut_at_its_first_colon() {
        let read = |pair: &str| read(&format!("FC {pair}"));
        let signature = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let expected = ("id".to_owned(), None, Some("00".repeat(32)));
        assert_eq!(read(&format!("id:{signature}")), Some(expected));
        // A text that is no signature is for the comparison to refuse.
        for pair in ["id:a:b", "id:", "id:c2ln"] {
            assert_eq!(read(pair), Some(("id".to_owned(), None, None)), "{pair}");
        }
        for pair in ["", "id", ":", ":c2ln", "i d:c2ln"] {
            assert_eq!(read(pair), None, "{pair}");
        }
    }

    #[test]
    fn a_value_is_written_as_it_is_read() {
        let tag = Tag::of(&[7; 32]);
        let listed = [Listed { name: "host", values: Values::Absent }];
        for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256] {
            let value = write(scheme, "id", &listed, &tag);
            assert!(value.is_sensitive());
            let mut list = List::new();
            let read = Authorization::read(value.as_bytes(), &mut list).ok().unwrap();
            assert_eq!((read.scheme, read.access_key_id), (scheme, "id"));
            assert!(read.signature.unwrap().matches(&tag));
        }
    }
}
