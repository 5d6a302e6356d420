//! What is to be signed of a request: one type for all schemes.

use super::ambiguity::Ambiguities;
use super::coverage::Listed;
use super::{Family, Scheme, acs, acs3, fc};
use crate::protocol::canonical::{rules::Form, sink::Sink};
use crate::protocol::crypto::{
    hmac::{Blocks, Hasher, Keyed, Mac},
    tag::Tag,
};
use crate::protocol::request::Head;
use smallvec::SmallVec;

/// What is to be signed of a request, or has been: by which scheme, and what that one
/// takes beside the request itself.
#[derive(Clone, Copy)]
pub(crate) enum Terms<'a> {
    /// The query parameter `x-fc-expires`, which some sign in place of the date.
    Fc(Option<&'a [u8]>),
    /// The query parameter `x-fc-expires`.
    FcPresigned(&'a [u8]),
    /// The signed headers.
    Acs3HmacSha256(&'a [Listed<'a>]),
    #[cfg(feature = "sm3")]
    Acs3HmacSm3(&'a [Listed<'a>]),
    Acs,
}

impl<'a> Terms<'a> {
    /// Of a scheme, with the headers that are listed under one that lists any, and the
    /// query parameter `x-fc-expires`.
    pub(crate) fn of(scheme: Scheme, listed: &'a [Listed<'a>], expires: Option<&'a [u8]>) -> Self {
        match scheme {
            Scheme::Fc => Self::Fc(expires),
            Scheme::FcPresigned => Self::FcPresigned(expires.unwrap_or_default()),
            Scheme::Acs3HmacSha256 => Self::Acs3HmacSha256(listed),
            #[cfg(feature = "sm3")]
            Scheme::Acs3HmacSm3 => Self::Acs3HmacSm3(listed),
            Scheme::Acs => Self::Acs,
        }
    }

    pub(crate) fn scheme(&self) -> Scheme {
        match self {
            Self::Fc(_) => Scheme::Fc,
            Self::FcPresigned(_) => Scheme::FcPresigned,
            Self::Acs3HmacSha256(_) => Scheme::Acs3HmacSha256,
            #[cfg(feature = "sm3")]
            Self::Acs3HmacSm3(_) => Scheme::Acs3HmacSm3,
            Self::Acs => Scheme::Acs,
        }
    }

    /// The signed headers, under a scheme that lists them.
    pub(crate) fn listed(&self) -> &'a [Listed<'a>] {
        match self {
            Self::Acs3HmacSha256(listed) => listed,
            #[cfg(feature = "sm3")]
            Self::Acs3HmacSm3(listed) => listed,
            _ => &[],
        }
    }

    /// Writes the string-to-sign of a request, and says what is ambiguous about it.
    pub(crate) fn write<S: Sink>(&self, head: &Head<'_>, form: &Form, sink: &mut S) -> Ambiguities {
        match self {
            Self::Fc(expires) => fc::write(head, form, *expires, sink),
            Self::FcPresigned(expires) => fc::write_presigned(head, form, expires, sink),
            Self::Acs => acs::write(head, form, sink),
            Self::Acs3HmacSha256(listed) => {
                self.write_hashed(head, form, listed, Hasher::sha256(), sink)
            }
            #[cfg(feature = "sm3")]
            Self::Acs3HmacSm3(listed) => self.write_hashed(head, form, listed, Hasher::sm3(), sink),
        }
    }

    /// Writes a string-to-sign over the hash of a canonical request.
    fn write_hashed<H: Blocks, S: Sink>(
        &self,
        head: &Head<'_>,
        form: &Form,
        listed: &[Listed<'_>],
        mut hash: Hasher<H>,
        sink: &mut S,
    ) -> Ambiguities {
        let found = acs3::write_canonical(head, form, listed, &mut hash);
        let token = self.scheme().token().unwrap_or_default();
        acs3::write_string_to_sign(token, &hash.finish(), sink);
        found
    }

    /// Writes the canonical request where there is one, the string-to-sign under other
    /// schemes: the text by which the signatures of two requests differ.
    pub(crate) fn write_text<S: Sink>(
        &self,
        head: &Head<'_>,
        form: &Form,
        sink: &mut S,
    ) -> Ambiguities {
        match self.scheme().facts().family {
            Family::Acs3 => acs3::write_canonical(head, form, self.listed(), sink),
            Family::Fc | Family::Acs => self.write(head, form, sink),
        }
    }

    /// The signature over such a text.
    pub(crate) fn sign_text(&self, text: &[u8], keyed: &Keyed) -> Tag {
        let scheme = self.scheme();
        let mut signed = SmallVec::<[u8; 128]>::new();
        let mut hash = |canonical: Tag| {
            acs3::write_string_to_sign(scheme.token().unwrap_or_default(), &canonical, &mut signed);
        };
        match self {
            Self::Fc(_) | Self::FcPresigned(_) | Self::Acs => signed.put(text),
            Self::Acs3HmacSha256(_) => hash(Hasher::sha256().hash(text)),
            #[cfg(feature = "sm3")]
            Self::Acs3HmacSm3(_) => hash(Hasher::sm3().hash(text)),
        }
        keyed.sign(scheme.facts().mac, &signed)
    }

    /// The signature, and what is ambiguous about the request.
    pub(crate) fn sign(&self, head: &Head<'_>, form: &Form, keyed: &Keyed) -> (Tag, Ambiguities) {
        match self.scheme().facts().mac {
            Mac::Sha256 => self.write_into(head, form, &mut keyed.sha256()),
            Mac::Sha1 => self.write_into(head, form, &mut keyed.sha1()),
            #[cfg(feature = "sm3")]
            Mac::Sm3 => self.write_into(head, form, &mut keyed.sm3()),
        }
    }

    fn write_into<M: Blocks>(
        &self,
        head: &Head<'_>,
        form: &Form,
        mac: &mut Hasher<M>,
    ) -> (Tag, Ambiguities) {
        let found = self.write(head, form, mac);
        (mac.finish(), found)
    }
}
