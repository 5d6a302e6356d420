//! What is to be signed of a request: one type for all schemes.

use super::ambiguity::Ambiguities;
use super::coverage::Listed;
use super::{Family, Scheme, acs, acs3, fc};
use crate::headers::QUERY_SIGNATURE;
use crate::protocol::canonical::{
    rules::{Form, QueryRules},
    sink::Sink,
};
use crate::protocol::crypto::{
    hmac::{Blocks, Hasher, Keyed, Mac},
    tag::Tag,
};
use crate::protocol::request::Head;

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
            Self::Fc(_) | Self::FcPresigned(_) | Self::Acs => self.write_text(head, form, sink),
            Self::Acs3HmacSha256(_) => self.write_hashed(head, form, Hasher::sha256(), sink),
            #[cfg(feature = "sm3")]
            Self::Acs3HmacSm3(_) => self.write_hashed(head, form, Hasher::sm3(), sink),
        }
    }

    /// Writes a string-to-sign over the hash of a canonical request.
    fn write_hashed<H: Blocks, S: Sink>(
        &self,
        head: &Head<'_>,
        form: &Form,
        mut hash: Hasher<H>,
        sink: &mut S,
    ) -> Ambiguities {
        let found = self.write_text(head, form, &mut hash);
        self.write_over(&hash.finish(), sink);
        found
    }

    /// Writes the string-to-sign over this hash of a canonical request.
    pub(super) fn write_over<S: Sink>(&self, canonical: &Tag, sink: &mut S) {
        let token = self.scheme().token().unwrap_or_default();
        acs3::write_string_to_sign(token, canonical, sink);
    }

    /// Writes the canonical request where there is one, the string-to-sign under other
    /// schemes: the text by which the signatures of two requests differ.
    pub(crate) fn write_text<S: Sink>(
        &self,
        head: &Head<'_>,
        form: &Form,
        sink: &mut S,
    ) -> Ambiguities {
        let mut found = self.write_lines(head, form, sink);
        found |= self.write_headers(head, form, sink);
        found |= form.path.write(head.path(), sink);
        found |= self.write_query(head, form, sink, |rules, except, sink| {
            rules.write(head.query(), except, sink)
        });
        found | self.write_tail(head, form, true, sink)
    }

    /// Writes the lines that this text begins with.
    pub(super) fn write_lines<S: Sink>(
        &self,
        head: &Head<'_>,
        form: &Form,
        sink: &mut S,
    ) -> Ambiguities {
        match self {
            Self::Fc(expires) => {
                fc::write_lines(head, expires.filter(|_| form.expires_as_date), sink)
            }
            Self::FcPresigned(expires) => fc::write_lines(head, Some(expires), sink),
            Self::Acs => acs::write_lines(head, form, sink),
            _ => acs3::write_lines(head, sink),
        }
    }

    /// Writes the headers that precede the path in that text.
    pub(super) fn write_headers<S: Sink>(
        &self,
        head: &Head<'_>,
        form: &Form,
        sink: &mut S,
    ) -> Ambiguities {
        match self {
            Self::Fc(_) | Self::FcPresigned(_) => fc::write_headers(head, form, sink),
            Self::Acs => acs::write_headers(head, form, sink),
            _ => Ambiguities::empty(),
        }
    }

    /// Writes the query in that text by `write`, which is told which parameter is left out.
    pub(super) fn write_query<S: Sink>(
        &self,
        head: &Head<'_>,
        form: &Form,
        sink: &mut S,
        write: impl FnOnce(&QueryRules, Option<&[u8]>, &mut S) -> Ambiguities,
    ) -> Ambiguities {
        match &form.query {
            Some(rules) => {
                if self.scheme().facts().family != Family::Acs {
                    sink.put_byte(b'\n');
                }
                let is_presigned = matches!(self, Self::FcPresigned(_));
                write(rules, is_presigned.then_some(QUERY_SIGNATURE.as_bytes()), sink)
            }
            None if head.query().is_empty() => Ambiguities::empty(),
            None => Ambiguities::UNSIGNED_QUERY,
        }
    }

    /// Writes what follows the query in that text. What is ambiguous about all values of a
    /// header is said if they are new.
    pub(super) fn write_tail<S: Sink>(
        &self,
        head: &Head<'_>,
        form: &Form,
        are_new: bool,
        sink: &mut S,
    ) -> Ambiguities {
        match self {
            Self::Fc(_) | Self::FcPresigned(_) | Self::Acs => Ambiguities::empty(),
            _ => acs3::write_tail(head, form, self.listed(), are_new, sink),
        }
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
