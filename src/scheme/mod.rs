//! What each scheme signs, and how its `Authorization` value reads.

pub(crate) mod acs;
pub(crate) mod acs3;
pub(crate) mod dialect;
pub(crate) mod fc;
#[cfg(test)]
mod forms;
pub(crate) mod reduce;
#[cfg(test)]
mod strictness;

use crate::canonical::{Head, Quirks, Sink};
use crate::headers::{X_ACS_SIGNATURE_NONCE, X_FC_SIGNATURE_NONCE};
use crate::signature::{self, Algorithm, Hasher, Keyed, Tag};
use dialect::Form;
use http::HeaderName;
use std::fmt;
use std::str::FromStr;

/// A way of signing requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Scheme {
    /// `Authorization: FC <id>:<base64>`, HMAC-SHA256 (Function Compute APIs
    /// 2016-08-15 and 2021-04-06). Covers method, path, query, content-md5,
    /// content-type, date and every `x-fc-` header; neither host nor body.
    Fc,
    /// The same in the query of a URL, valid until a time it names.
    FcPresigned,
    /// `Authorization: ACS3-HMAC-SHA256 …` (signature V3 of Alibaba Cloud's APIs;
    /// Function Compute 3.0 HTTP triggers). Covers method, path, query, the
    /// headers it lists, and the payload hash where one is sent.
    Acs3HmacSha256,
    /// `Authorization: ACS3-HMAC-SM3 …`: the same with SM3 for both hash and HMAC.
    /// Needs the feature `sm3`.
    #[cfg(feature = "sm3")]
    Acs3HmacSm3,
    /// `Authorization: acs <id>:<base64>`, HMAC-SHA1 (ROA signature V1, documented
    /// for custom domain names). Covers method, accept, content-md5, content-type,
    /// date, every `x-acs-` header, path and query.
    Acs,
}

impl Scheme {
    /// Every scheme of this build.
    pub const ALL: &'static [Self] = &[
        Self::Fc,
        Self::FcPresigned,
        Self::Acs3HmacSha256,
        #[cfg(feature = "sm3")]
        Self::Acs3HmacSm3,
        Self::Acs,
    ];

    /// Its short name: `fc`, `presigned`, `acs3`, `acs3-sm3` or `acs`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fc => "fc",
            Self::FcPresigned => "presigned",
            Self::Acs3HmacSha256 => "acs3",
            #[cfg(feature = "sm3")]
            Self::Acs3HmacSm3 => "acs3-sm3",
            Self::Acs => "acs",
        }
    }

    /// The word its `Authorization` value begins with, `None` for presigned URLs.
    pub const fn token(self) -> Option<&'static str> {
        match self {
            Self::Fc => Some(fc::TOKEN),
            Self::FcPresigned => None,
            Self::Acs3HmacSha256 => Some(acs3::TOKEN),
            #[cfg(feature = "sm3")]
            Self::Acs3HmacSm3 => Some(acs3::TOKEN_SM3),
            Self::Acs => Some(acs::TOKEN),
        }
    }

    pub(crate) const fn family(self) -> Family {
        match self {
            Self::Fc | Self::FcPresigned => Family::Fc,
            Self::Acs3HmacSha256 => Family::Acs3,
            #[cfg(feature = "sm3")]
            Self::Acs3HmacSm3 => Family::Acs3,
            Self::Acs => Family::Acs,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Scheme {
    type Err = crate::Error;

    /// Reads the short name of a scheme.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownName`](crate::ErrorKind::UnknownName) for any other
    /// text, and for `acs3-sm3` without the feature `sm3`.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|scheme| scheme.name() == name)
            .ok_or_else(|| crate::Error::unknown_name("scheme", name))
    }
}

/// Schemes that share one construction of the string-to-sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Fc,
    Acs3,
    Acs,
}

impl Family {
    /// The header that makes a request unique.
    pub(crate) fn nonce_header(self) -> &'static HeaderName {
        match self {
            Self::Fc => &X_FC_SIGNATURE_NONCE,
            Self::Acs3 | Self::Acs => &X_ACS_SIGNATURE_NONCE,
        }
    }
}

/// A set of schemes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Schemes(u8);

impl Schemes {
    /// `FC` and `ACS3-HMAC-SHA256` in headers: what a verifier accepts by default.
    pub const DEFAULT: Self = Self(Self::of(Scheme::Fc).0 | Self::of(Scheme::Acs3HmacSha256).0);

    /// Every scheme of this build.
    pub const ALL: Self = Self((1 << Scheme::ALL.len()) - 1);

    const fn of(scheme: Scheme) -> Self {
        Self(1 << scheme as u8)
    }

    /// Whether `scheme` is in the set.
    pub const fn contains(self, scheme: Scheme) -> bool {
        self.0 & Self::of(scheme).0 != 0
    }

    /// The schemes of the set.
    pub fn iter(self) -> impl Iterator<Item = Scheme> {
        Scheme::ALL.iter().copied().filter(move |scheme| self.contains(*scheme))
    }
}

impl Default for Schemes {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl From<Scheme> for Schemes {
    fn from(scheme: Scheme) -> Self {
        Self::of(scheme)
    }
}

impl<const N: usize> From<[Scheme; N]> for Schemes {
    fn from(schemes: [Scheme; N]) -> Self {
        schemes.into_iter().collect()
    }
}

impl FromIterator<Scheme> for Schemes {
    fn from_iter<I: IntoIterator<Item = Scheme>>(schemes: I) -> Self {
        Self(schemes.into_iter().fold(0, |set, scheme| set | Self::of(scheme).0))
    }
}

impl fmt::Debug for Schemes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// What is to be signed, or has been: a request under a scheme.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a, 'h> {
    pub(crate) head: &'a Head<'h>,
    pub(crate) scheme: Scheme,
    pub(crate) terms: Terms<'a>,
}

/// What a scheme needs to know beside the request itself.
#[derive(Clone, Copy)]
pub(crate) enum Terms<'a> {
    None,
    /// The value of `x-fc-expires` of a presigned URL.
    Expires(&'a [u8]),
    /// The names of the signed headers of `ACS3`, in ascending order.
    SignedHeaders(&'a [&'a str]),
}

impl Subject<'_, '_> {
    /// Writes the canonical request, which only the `ACS3` schemes have.
    pub(crate) fn write_canonical<S: Sink>(&self, form: &Form, sink: &mut S) -> Option<Quirks> {
        match self.terms {
            Terms::SignedHeaders(names) => {
                Some(acs3::write_canonical(self.head, form, names, sink))
            }
            _ => None,
        }
    }

    /// Writes the string-to-sign.
    pub(crate) fn write<S: Sink>(&self, form: &Form, sink: &mut S) -> Quirks {
        match (self.scheme.family(), self.terms) {
            (Family::Acs3, _) => {
                let (hash, quirks) = self.hash_canonical(form);
                acs3::write_string_to_sign(self.token(), &hash, sink);
                quirks
            }
            (Family::Fc, Terms::Expires(expires)) => {
                fc::write_presigned(self.head, form, expires, sink)
            }
            (Family::Fc, _) => fc::write(self.head, form, sink),
            (Family::Acs, _) => acs::write(self.head, form, sink),
        }
    }

    /// The signature, with what is ambiguous about the request.
    pub(crate) fn sign(&self, form: &Form, keyed: &Keyed) -> (Tag, Quirks) {
        match self.scheme {
            Scheme::Acs => self.write_into(form, &mut keyed.sha1()),
            #[cfg(feature = "sm3")]
            Scheme::Acs3HmacSm3 => self.write_into(form, &mut keyed.sm3()),
            _ => self.write_into(form, &mut keyed.sha256()),
        }
    }

    fn write_into<M: Algorithm>(&self, form: &Form, mac: &mut Hasher<M>) -> (Tag, Quirks) {
        let quirks = self.write(form, mac);
        (mac.finish(), quirks)
    }

    fn hash_canonical(&self, form: &Form) -> (Tag, Quirks) {
        match self.scheme {
            #[cfg(feature = "sm3")]
            Scheme::Acs3HmacSm3 => self.hash_into(form, &mut signature::sm3()),
            _ => self.hash_into(form, &mut signature::sha256()),
        }
    }

    fn hash_into<H: Algorithm>(&self, form: &Form, hash: &mut Hasher<H>) -> (Tag, Quirks) {
        let quirks = self.write_canonical(form, hash).unwrap_or_default();
        (hash.finish(), quirks)
    }

    fn token(&self) -> &'static str {
        self.scheme.token().unwrap_or_default()
    }
}

/// `<id>:<base64>`, what follows the token of `FC` and `acs`.
pub(crate) fn parse_pair(rest: &[u8]) -> Option<(&str, &[u8])> {
    let colon = memchr::memchr(b':', rest)?;
    let id = access_key_id(&rest[..colon])?;
    Some((id, &rest[colon + 1..]))
}

/// An access key id as it may stand in an `Authorization` value: visible ASCII
/// without the separators of any scheme.
pub(crate) fn access_key_id(text: &[u8]) -> Option<&str> {
    let odd = |byte: &u8| !byte.is_ascii_graphic() || matches!(byte, b':' | b',' | b'=');
    if text.is_empty() || text.len() > MAX_ACCESS_KEY_ID {
        return None;
    }
    // Without a way out, so that many bytes are looked at at once.
    if text.iter().fold(false, |found, byte| found | odd(byte)) {
        return None;
    }
    std::str::from_utf8(text).ok()
}

/// The longest access key id that is looked at, in bytes.
const MAX_ACCESS_KEY_ID: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_key_id_is_visible_ascii_without_separators() {
        for id in ["a", "LTAI5tExample", "STS.N_-x", "!~\"/@", &"x".repeat(MAX_ACCESS_KEY_ID)] {
            assert_eq!(access_key_id(id.as_bytes()), Some(id));
        }
        let odd = [" ", "\t", "\n", "\0", "\x7f", ":", ",", "=", "é"];
        for first in odd {
            assert_eq!(access_key_id(first.as_bytes()), None, "{first:?}");
            // One does not make up for another.
            for second in odd {
                let id = format!("a{first}b{second}c");
                assert_eq!(access_key_id(id.as_bytes()), None, "{id:?}");
            }
        }
        assert_eq!(access_key_id(b""), None);
        assert_eq!(access_key_id(&[b'x'; MAX_ACCESS_KEY_ID + 1]), None);
    }

    #[test]
    fn a_pair_is_cut_at_its_first_colon() {
        assert_eq!(parse_pair(b"id:c2ln"), Some(("id", &b"c2ln"[..])));
        assert_eq!(parse_pair(b"id:a:b"), Some(("id", &b"a:b"[..])));
        assert_eq!(parse_pair(b"id:"), Some(("id", &b""[..])));
        for text in ["", "id", ":", ":c2ln", "i d:c2ln"] {
            assert_eq!(parse_pair(text.as_bytes()), None, "{text}");
        }
    }
}
