use super::mismatch::BodyDigestMismatch;
use crate::headers::CONTENT_MD5;
use crate::protocol::crypto::{
    hash::{self, Algorithm, Hash},
    tag::Tag,
};
use crate::protocol::{Rejection, RejectionKind, VerifiedCaller};
use http::{Extensions, HeaderMap, HeaderName};

/// Chooses which bodies are compared with their digest.
///
/// What counts is a digest header that the signature of the request covers, as the
/// [`VerifiedCaller`] says; any other counts as none, since whoever passes the
/// request on could have set it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyPolicy {
    /// None is.
    Ignore,
    /// Those with a signed digest are. The others pass, and so do all bodies of
    /// requests without a [`VerifiedCaller`].
    #[default]
    CheckWhenSigned,
    /// All are. Requests without a signed digest are refused, whether they have a
    /// body or not, and so are those without a [`VerifiedCaller`].
    Require,
}

/// The digest that the body of a request has to have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    pub(super) algorithm: Algorithm,
    pub(super) digest: Tag,
    name: &'static HeaderName,
}

impl Expected {
    /// The signed digest of a request, `None` when nothing is to be compared.
    ///
    /// Where the hash of `ACS3` and `content-md5` are both signed, the former, being
    /// the stronger, decides.
    pub(super) fn of(
        policy: BodyPolicy,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Result<Option<Self>, Rejection> {
        if policy == BodyPolicy::Ignore {
            return Ok(None);
        }
        if let Some(caller) = extensions.get::<VerifiedCaller>() {
            for &(name, algorithm) in caller.scheme().facts().digests {
                if caller.covers_header(name)
                    && let Some(text) = only(headers, name)?
                {
                    let digest = hash::read(algorithm, text).ok_or_else(|| unreadable(name))?;
                    return Ok(Some(Self { algorithm, digest, name }));
                }
            }
        }
        match policy {
            BodyPolicy::Require => Err(Rejection::new(
                RejectionKind::BodyNotCovered,
                "the signature does not cover the request body: \
                 Content-MD5, or x-acs-content-sha256 under ACS3, has to be sent and signed",
            )),
            _ => Ok(None),
        }
    }

    /// Whether it is the digest of an empty body.
    pub(super) fn is_of_nothing(&self) -> bool {
        Hash::new(self.algorithm).finish().matches(&self.digest)
    }

    /// The error when a body has another digest.
    pub(super) fn mismatch(&self) -> BodyDigestMismatch {
        BodyDigestMismatch::of(self.name)
    }
}

/// The text of a header of which there can be one, `None` when it is empty or missing.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, Rejection> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(|value| value.as_bytes().trim_ascii());
    if values.next().is_some() {
        let message = format!("there is more than one {name} header");
        return Err(Rejection::new(RejectionKind::RepeatedHeader, message));
    }
    Ok(first.filter(|text| !text.is_empty()))
}

fn unreadable(name: &HeaderName) -> Rejection {
    let form = match *name == CONTENT_MD5 {
        true => "base64 or lower-case hexadecimal of an MD5 digest",
        false => "64 lower-case hexadecimal digits",
    };
    let message = format!("the HTTP header {name} is not {form}");
    Rejection::new(RejectionKind::BodyDigestMismatch, message)
}
