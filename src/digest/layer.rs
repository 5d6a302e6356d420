use super::hash::{Algorithm, Digest, Hash};
use super::{BodyPolicy, BufferedCheckDigest, CheckDigest, Md5Encoding, SetDigest};
use crate::headers::{CONTENT_MD5, X_ACS_CONTENT_SHA256};
use crate::rejection::{FcResponse, RejectionResponse};
use http::{HeaderName, HeaderValue};
use tower_layer::Layer;

/// How much of a streaming body [`SetDigestLayer`] holds by default: 32 MiB, the most
/// that Function Compute takes of a request body.
pub const DEFAULT_LIMIT: usize = 32 * 1024 * 1024;

/// Which header carries the digest of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DigestHeader {
    /// `content-md5`, which the schemes `FC` and `acs` sign.
    ContentMd5(Md5Encoding),
    /// `x-acs-content-sha256`, the payload hash of `ACS3-HMAC-SHA256`: SHA-256 in
    /// lower-case hexadecimal.
    ContentSha256,
}

impl DigestHeader {
    pub(super) fn hash(self) -> Hash {
        Hash::new(match self {
            Self::ContentMd5(_) => Algorithm::Md5,
            Self::ContentSha256 => Algorithm::Sha256,
        })
    }

    pub(super) fn write(self, digest: &Digest) -> (&'static HeaderName, HeaderValue) {
        match self {
            Self::ContentMd5(encoding) => (&CONTENT_MD5, digest.content_md5(encoding)),
            Self::ContentSha256 => (&X_ACS_CONTENT_SHA256, digest.hex()),
        }
    }
}

impl Default for DigestHeader {
    /// `content-md5` as RFC 1864 defines it.
    fn default() -> Self {
        Self::ContentMd5(Md5Encoding::default())
    }
}

impl From<Md5Encoding> for DigestHeader {
    fn from(encoding: Md5Encoding) -> Self {
        Self::ContentMd5(encoding)
    }
}

/// Sets the digest of the body of every request, an empty one included.
///
/// Put it outside [`SignLayer`](crate::SignLayer), which has to sign what is set here,
/// and outside retries. A header of the same name is replaced. The body becomes a
/// [`BufferedBody`](super::BufferedBody); what comes in one piece, as `Full<Bytes>`
/// does, is taken over without a copy, whatever its size. Other bodies are read into
/// memory, up to a limit. [The module](crate::digest) has an example.
///
/// # Errors
/// Boxed, and before anything of the request is sent:
/// [`BodyTooLarge`](super::BodyTooLarge), an error of the body, or an
/// [`Error`](crate::Error) when there is no room for the header. After that, the
/// errors of the inner service.
#[derive(Clone, Copy, Debug)]
pub struct SetDigestLayer {
    pub(super) header: DigestHeader,
    pub(super) limit: usize,
}

impl SetDigestLayer {
    /// Sets this header, `content-md5` for an [`Md5Encoding`].
    pub fn new(header: impl Into<DigestHeader>) -> Self {
        Self { header: header.into(), limit: DEFAULT_LIMIT }
    }

    /// Holds so many bytes of a streaming body, in place of [`DEFAULT_LIMIT`].
    #[must_use]
    pub fn with_limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }
}

impl Default for SetDigestLayer {
    /// Sets `content-md5` as RFC 1864 defines it.
    fn default() -> Self {
        Self::new(DigestHeader::default())
    }
}

impl<S> Layer<S> for SetDigestLayer {
    type Service = SetDigest<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SetDigest { inner, layer: *self }
    }
}

/// Compares bodies with their signed digest while the inner service reads them.
///
/// Memory stays constant, whatever the size of the body. The inner service reads a
/// [`CheckedBody`](super::CheckedBody), and must not act upon it for good before it has
/// come to its end without an error. To have it called for right bodies only, see
/// [`CheckDigestLayer::buffered`]. [The module](crate::digest) has an example.
///
/// Put it *inside* [`VerifyLayer`](crate::VerifyLayer), whose
/// [`VerifiedCaller`](crate::VerifiedCaller) it needs: outside of it, no digest
/// counts. Put it outside whatever decompresses or rewrites the body. What cannot be
/// right is refused without reading the body and without calling the inner service; a
/// refusal has its [`Rejection`](crate::Rejection) in the extensions of the response.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckDigestLayer<R = FcResponse> {
    pub(super) policy: BodyPolicy,
    pub(super) response: R,
}

impl CheckDigestLayer {
    /// Checks by [`BodyPolicy::CheckWhenSigned`].
    pub fn new() -> Self {
        Self::default()
    }
}

impl<R> CheckDigestLayer<R> {
    /// Which bodies are checked.
    #[must_use]
    pub fn with_policy(self, policy: BodyPolicy) -> Self {
        Self { policy, ..self }
    }

    /// Answers refusals in another way than [`FcResponse`].
    pub fn with_rejection_response<T: RejectionResponse>(self, response: T) -> CheckDigestLayer<T> {
        CheckDigestLayer { policy: self.policy, response }
    }

    /// Reads each body that is to be checked into memory, up to so many bytes, and
    /// calls the inner service only if it is right.
    pub fn buffered(self, limit: usize) -> BufferedCheckDigestLayer<R> {
        BufferedCheckDigestLayer { layer: self, limit }
    }
}

impl<S, R: Clone> Layer<S> for CheckDigestLayer<R> {
    type Service = CheckDigest<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        CheckDigest { inner, layer: self.clone() }
    }
}

/// The sibling of [`CheckDigestLayer`] that calls the inner service for right bodies
/// only.
///
/// Made from a [`CheckDigestLayer`] with all its settings
/// ([`CheckDigestLayer::buffered`]). A body that differs is answered with 403, one over
/// the limit, and one that breaks off, with 400. Bodies that are not to be checked
/// pass unread.
#[derive(Clone, Copy, Debug)]
pub struct BufferedCheckDigestLayer<R = FcResponse> {
    pub(super) layer: CheckDigestLayer<R>,
    pub(super) limit: usize,
}

impl<S, R: Clone> Layer<S> for BufferedCheckDigestLayer<R> {
    type Service = BufferedCheckDigest<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        BufferedCheckDigest { inner, layer: self.clone() }
    }
}
