//! Who a request is from, once that is verified.

use crate::canonical::Quirks;
use crate::canonical::headers::trim;
use crate::canonical::quirks::Ambiguity;
use crate::claim::{Claim, Time};
use crate::headers::{ACS_PREFIX, CONTENT_MD5, FC_PREFIX, X_ACS_CONTENT_SHA256};
use crate::scheme::dialect::Dialect;
use crate::scheme::{Family, Scheme};
use http::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderName, HeaderValue};
use std::fmt;
use std::ops::Range;
use std::time::SystemTime;

/// Who signed a request, and what the signature covers.
///
/// [`VerifyLayer`](crate::VerifyLayer) puts it into the extensions of every request
/// it lets through with credentials. Clones are cheap.
#[derive(Clone)]
pub struct VerifiedCaller {
    access_key_id: Text,
    scheme: Scheme,
    dialect: Dialect,
    time: Time,
    signed_headers: Option<Text>,
    covers_body: bool,
    quirks: Quirks,
}

/// A piece of the `Authorization` header, or a text of its own.
#[derive(Clone)]
enum Text {
    Within(HeaderValue, Range<usize>),
    Own(Box<str>),
}

impl Text {
    fn of(part: &str, whole: Option<&HeaderValue>) -> Self {
        let within = whole.and_then(|whole| {
            let start = part.as_ptr().addr().checked_sub(whole.as_bytes().as_ptr().addr())?;
            let range = start..start + part.len();
            let found = whole.as_bytes().get(range.clone())? == part.as_bytes();
            found.then(|| Self::Within(whole.clone(), range))
        });
        within.unwrap_or_else(|| Self::Own(part.into()))
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Within(value, range) => {
                std::str::from_utf8(&value.as_bytes()[range.clone()]).unwrap_or_default()
            }
            Self::Own(text) => text,
        }
    }
}

impl VerifiedCaller {
    pub(crate) fn new(claim: &Claim<'_>, dialect: Dialect, quirks: Quirks) -> Self {
        let digest = match claim.scheme.family() {
            Family::Acs3 => &X_ACS_CONTENT_SHA256,
            Family::Fc | Family::Acs => &CONTENT_MD5,
        };
        let digest = claim.head.headers.get(digest).map(trim);
        Self {
            access_key_id: Text::of(&claim.access_key_id, claim.authorization),
            scheme: claim.scheme,
            dialect,
            time: claim.time,
            signed_headers: claim.signed_headers().map(|list| Text::of(list, claim.authorization)),
            covers_body: digest.is_some_and(|digest| !digest.is_empty()),
            quirks,
        }
    }

    /// The id of the access key that signed.
    pub fn access_key_id(&self) -> &str {
        self.access_key_id.as_str()
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

    /// When the request was signed; `None` for presigned URLs, which do not say.
    pub fn signed_at(&self) -> Option<SystemTime> {
        match self.time {
            Time::SignedAt(time) => Some(time),
            Time::Until(_) => None,
        }
    }

    /// Until when a presigned URL is valid; `None` for other schemes.
    pub fn expires_at(&self) -> Option<SystemTime> {
        match self.time {
            Time::SignedAt(_) => None,
            Time::Until(time) => Some(time),
        }
    }

    /// Whether a header of this name is covered by the signature, if the request
    /// arrived with one.
    ///
    /// Under the `ACS3` schemes that is what `SignedHeaders` lists, and the payload
    /// hash. Under the others it follows from the name.
    pub fn covers_header(&self, name: &HeaderName) -> bool {
        let text = name.as_str();
        match (&self.signed_headers, self.scheme.family()) {
            (Some(list), _) => {
                list.as_str().split(';').any(|listed| listed == text)
                    || name == X_ACS_CONTENT_SHA256
            }
            (None, Family::Acs) => {
                text.starts_with(ACS_PREFIX)
                    || [&ACCEPT, &CONTENT_MD5, &CONTENT_TYPE, &DATE].contains(&name)
            }
            (None, _) => {
                text.starts_with(FC_PREFIX)
                    || [&CONTENT_MD5, &CONTENT_TYPE].contains(&name)
                    || name == DATE && self.scheme == Scheme::Fc
            }
        }
    }

    /// Whether the signature covers a digest of the body. The digest still has to be
    /// compared with the body itself.
    pub fn covers_body(&self) -> bool {
        self.covers_body
    }

    /// What was ambiguous about the request and let through all the same, because
    /// the verifier was told to.
    pub fn ambiguities(&self) -> impl Iterator<Item = Ambiguity> {
        self.quirks.iter()
    }
}

impl fmt::Debug for VerifiedCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedCaller")
            .field("access_key_id", &self.access_key_id())
            .field("scheme", &self.scheme)
            .field("dialect", &self.dialect)
            .field("time", &self.time)
            .field("signed_headers", &self.signed_headers.as_ref().map(Text::as_str))
            .field("covers_body", &self.covers_body)
            .field("ambiguities", &self.quirks)
            .finish()
    }
}
