//! Signing a request, by headers or in its URL.

use crate::args::Args;
use crate::exit::{Exit, Failure};
use crate::keys::Key;
use crate::request::Draft;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::Full;
use std::convert::Infallible;
use std::time::{Duration, SystemTime};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_fc::digest::{BufferedBody, DigestHeader, SetDigestLayer};
use tower_fc::headers::{
    CONTENT_MD5, X_ACS_CONTENT_SHA256, X_ACS_SIGNATURE_NONCE, X_FC_SIGNATURE_NONCE,
};
use tower_fc::{Presigner, Scheme, Signer};

/// How requests are signed.
pub(crate) struct Way {
    by: By,
    nonce: Option<String>,
    at: Option<SystemTime>,
}

enum By {
    Headers(Signer),
    Url(Presigner, Duration),
}

/// A signed request.
pub(crate) struct Signed {
    pub(crate) head: Parts,
    pub(crate) body: Bytes,
    /// What was signed, with its titles. It has the security token in it.
    pub(crate) texts: Vec<(&'static str, Vec<u8>)>,
}

impl Way {
    pub(crate) fn new(args: &Args, key: &Key) -> Result<Self, Failure> {
        let credentials = key.credentials.clone();
        let mut allowed = args.allow.iter().copied();
        let by = match args.presign {
            Some(lifetime) => {
                let presigner = Presigner::new(credentials);
                By::Url(allowed.try_fold(presigner, Presigner::with_insecure_allowance)?, lifetime)
            }
            None => {
                let signer = Signer::new(credentials).with_scheme(args.scheme)?;
                By::Headers(allowed.try_fold(signer, Signer::with_insecure_allowance)?)
            }
        };
        Ok(Self { by, nonce: args.nonce.clone(), at: args.at })
    }

    fn scheme(&self) -> Scheme {
        match &self.by {
            By::Headers(signer) => signer.scheme(),
            By::Url(..) => Scheme::FcPresigned,
        }
    }

    pub(crate) async fn sign(&self, draft: &Draft) -> Result<Signed, Failure> {
        let body = draft.body.as_ref().map(|body| body.bytes.clone()).unwrap_or_default();
        let mut request = draft.request()?.map(|()| Full::new(body.clone()));
        if let Some(nonce) = &self.nonce {
            request.headers_mut().insert(self.nonce_name(), nonce_value(nonce)?);
        }
        let mut head = match draft.digest.header(self.scheme()) {
            Some(header) if !draft.has(digest_name(header)) => with_digest(header, request).await?,
            _ => request.into_parts().0,
        };
        let now = self.at.unwrap_or_else(SystemTime::now);
        let mut texts = Vec::new();
        match &self.by {
            By::Headers(signer) => {
                if let Some(canonical) = signer.canonical_request_at(&head, now)? {
                    texts.push(("canonical request", canonical));
                }
                texts.push(("string-to-sign", signer.string_to_sign_at(&head, now)?));
                signer.sign_at(&mut head, now)?;
            }
            By::Url(presigner, lifetime) => {
                let text = presigner.string_to_sign_at(&head, *lifetime, now)?;
                texts.push(("string-to-sign", text));
                head.uri = presigner.presign_at(&head, *lifetime, now)?.into_uri();
            }
        }
        Ok(Signed { head, body, texts })
    }

    fn nonce_name(&self) -> &'static HeaderName {
        match self.scheme() {
            Scheme::Fc | Scheme::FcPresigned => &X_FC_SIGNATURE_NONCE,
            _ => &X_ACS_SIGNATURE_NONCE,
        }
    }
}

/// This nonce, or a random one if it is empty.
fn nonce_value(nonce: &str) -> Result<HeaderValue, Failure> {
    let mut random = [0; 16];
    let nonce = match nonce {
        "" => {
            getrandom::fill(&mut random)
                .map_err(|error| Failure::usage(format!("--nonce: {error}")))?;
            format!("{:032x}", u128::from_ne_bytes(random))
        }
        given => given.to_owned(),
    };
    let is_visible = nonce.len() <= 128 && nonce.bytes().all(|byte| byte.is_ascii_graphic());
    let value = HeaderValue::from_str(&nonce).ok().filter(|_| is_visible);
    value.ok_or_else(|| Failure::usage("--nonce: must be 1 to 128 visible ASCII characters"))
}

fn digest_name(header: DigestHeader) -> &'static HeaderName {
    match header {
        DigestHeader::ContentMd5(_) => &CONTENT_MD5,
        _ => &X_ACS_CONTENT_SHA256,
    }
}

/// The head of a request, with the digest of its body.
async fn with_digest(
    header: DigestHeader,
    request: Request<Full<Bytes>>,
) -> Result<Parts, Failure> {
    let head =
        |request: Request<BufferedBody>| async move { Ok::<_, Infallible>(request.into_parts().0) };
    let set = SetDigestLayer::new(header).layer(service_fn(head)).oneshot(request).await;
    set.map_err(|error| Failure::new(Exit::Usage, format!("--digest: {error}")))
}
