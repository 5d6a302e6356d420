use super::mismatch::BodyDigestMismatch;
use crate::headers::{CONTENT_MD5, X_ACS_CONTENT_SHA256};
use crate::protocol::crypto::{
    hash::{Algorithm, Hash},
    tag::Tag,
};
use crate::protocol::scheme::coverage;
use crate::protocol::verifier::caller::looked_at;
use crate::protocol::{Rejection, RejectionKind};
use http::{Extensions, HeaderMap, HeaderName};

/// Chooses which bodies are compared with their digest.
///
/// What counts is a digest header that the signature of the request covers, as the
/// [`VerifiedCaller`](crate::VerifiedCaller) says. One that it does not cover is refused, since
/// whoever passes the request on could have set it. A request that no [`VerifyLayer`](crate::VerifyLayer) looked
/// at is a fault of the set-up, answered with 500.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyPolicy {
    /// None is, and nothing is refused.
    Ignore,
    /// Those with a signed digest are. The others pass, and so do all bodies of
    /// requests without a [`VerifiedCaller`](crate::VerifiedCaller).
    #[default]
    CheckWhenSigned,
    /// All are. Requests without a signed digest are refused, whether they have a
    /// body or not, and so are those without a [`VerifiedCaller`](crate::VerifiedCaller).
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
        if let Some(caller) = looked_at(extensions)? {
            let sha256 = only(headers, &X_ACS_CONTENT_SHA256)?;
            let md5 = only(headers, &CONTENT_MD5)?;
            for (name, text) in [(&X_ACS_CONTENT_SHA256, sha256), (&CONTENT_MD5, md5)] {
                if text.is_some() && !caller.covers_header(name) {
                    let message = format!(
                        "the HTTP header {name} is not signed: anyone may have set it on the way"
                    );
                    return Err(Rejection::new(RejectionKind::BodyNotCovered, message));
                }
            }
            let text = |name: &HeaderName| if *name == CONTENT_MD5 { md5 } else { sha256 };
            if let Some((name, algorithm, digest)) = coverage::digest(caller.scheme(), text) {
                let digest = digest.ok_or_else(|| unreadable(name))?;
                return Ok(Some(Self { algorithm, digest, name }));
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
