#[cfg(feature = "reqwest-middleware")]
use super::buffering::Held;
use super::buffering::{BufferedBody, Buffering, Limit, Unheld};
use crate::awaiting::take_ready;
use crate::error::{BoxError, Error, ErrorKind};
use crate::headers::{CONTENT_MD5, X_ACS_CONTENT_SHA256};
use crate::protocol::crypto::{
    hash::{self, Algorithm, Hash, Md5Encoding},
    tag::Tag,
};
use crate::protocol::{Scheme, Signer};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body::Body;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower_service::Service;

/// Limits how much of a streaming body [`SetDigestLayer`] holds by default: 32 MiB, the most
/// that Function Compute takes of a request body.
pub const DEFAULT_LIMIT: usize = 32 * 1024 * 1024;

/// Chooses the header that carries the digest of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DigestHeader {
    /// `content-md5`, which the schemes `FC` and `acs` sign.
    ContentMd5(Md5Encoding),
    /// `x-acs-content-sha256`, the payload hash of `ACS3-HMAC-SHA256`: SHA-256 in
    /// lower-case hexadecimal.
    ContentSha256,
    /// `x-acs-content-sha256` with SM3 in it, the payload hash of `ACS3-HMAC-SM3`.
    #[cfg(feature = "sm3")]
    ContentSm3,
}

impl DigestHeader {
    fn hash(self) -> Hash {
        Hash::new(match self {
            Self::ContentMd5(_) => Algorithm::Md5,
            Self::ContentSha256 => Algorithm::Sha256,
            #[cfg(feature = "sm3")]
            Self::ContentSm3 => Algorithm::Sm3,
        })
    }

    fn write(self, digest: &Tag) -> (&'static HeaderName, HeaderValue) {
        match self {
            Self::ContentMd5(encoding) => (&CONTENT_MD5, hash::content_md5(digest, encoding)),
            _ => (&X_ACS_CONTENT_SHA256, hash::hex(digest)),
        }
    }

    /// Sets it in place of all of its name.
    fn set(self, digest: &Tag, headers: &mut HeaderMap) -> Result<(), Error> {
        let (name, value) = self.write(digest);
        headers.try_insert(name, value).map(drop).map_err(|_| {
            let rule = "there is no room for a digest header: http allows 32768 headers";
            Error::new(ErrorKind::TooManyHeaders, rule)
        })
    }
}

/// The value of `content-md5` for a body, as RFC 1864 defines it: for requests that are signed
/// without [`SetDigestLayer`].
///
/// ```
/// use http::Request;
/// use std::time::SystemTime;
/// use tower_fc::{Credentials, Signer, digest};
///
/// let body = "pay 10 to alice";
/// let md5 = digest::content_md5(body.as_bytes());
/// assert_eq!(md5, "cw65ljgkof7VrFbiImjdSg==");
/// let mut request = Request::post("https://demo.example/").header("content-md5", md5).body(body)?;
/// let signer = Signer::new(Credentials::new("id", "secret")?);
/// signer.sign_request_at(&mut request, SystemTime::now())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn content_md5(body: &[u8]) -> HeaderValue {
    hash::content_md5(&Hash::of(Algorithm::Md5, body), Md5Encoding::Rfc1864)
}

/// The value of `x-acs-content-sha256` for a body, which the scheme `ACS3-HMAC-SHA256` signs:
/// 64 lower-case hexadecimal digits.
///
/// ```
/// let sha256 = tower_fc::digest::content_sha256(b"");
/// assert_eq!(sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
/// ```
pub fn content_sha256(body: &[u8]) -> HeaderValue {
    hash::hex(&Hash::of(Algorithm::Sha256, body))
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
/// [`Error`](crate::error::Error) when there is no room for the header. After that, the
/// errors of the inner service.
#[derive(Clone, Copy, Debug)]
pub struct SetDigestLayer {
    header: DigestHeader,
    limit: usize,
}

impl SetDigestLayer {
    /// Sets the header that the scheme of a signer covers: `content-md5` as RFC 1864 defines it
    /// for `FC` and `acs`, the payload hash for the `ACS3` schemes.
    pub fn for_signer<P>(signer: &Signer<P>) -> Self {
        Self::new(match signer.scheme() {
            Scheme::Acs3HmacSha256 => DigestHeader::ContentSha256,
            #[cfg(feature = "sm3")]
            Scheme::Acs3HmacSm3 => DigestHeader::ContentSm3,
            Scheme::Fc | Scheme::FcPresigned | Scheme::Acs => DigestHeader::default(),
        })
    }

    /// Sets this header, `content-md5` for an [`Md5Encoding`], whatever signs. A signer refuses
    /// one that its scheme does not cover.
    pub fn new(header: impl Into<DigestHeader>) -> Self {
        Self { header: header.into(), limit: DEFAULT_LIMIT }
    }

    /// Holds so many bytes of a streaming body, in place of [`DEFAULT_LIMIT`].
    #[must_use]
    pub fn with_limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    fn buffering<B: Body>(self, body: B) -> Buffering<B> {
        Buffering::new(body, self.header.hash(), Limit::OfStreams(self.limit))
    }

    /// Reads a body into memory as the service does.
    #[cfg(feature = "reqwest-middleware")]
    pub(crate) async fn hold<B: Body>(self, body: B) -> Held<B::Error> {
        let mut buffering = std::pin::pin!(self.buffering(body));
        std::future::poll_fn(|cx| buffering.as_mut().poll(cx)).await
    }

    /// Sets a digest that it has made.
    #[cfg(feature = "reqwest-middleware")]
    pub(crate) fn set(self, digest: &Tag, headers: &mut HeaderMap) -> Result<(), Error> {
        self.header.set(digest, headers)
    }
}

/// The service of [`SetDigestLayer`].
pub struct SetDigest<S> {
    inner: S,
    layer: SetDigestLayer,
}

service!(SetDigest, SetDigestLayer);

impl<S, B> Service<Request<B>> for SetDigest<S>
where
    S: Service<Request<BufferedBody>, Error: Into<BoxError>> + Clone,
    B: Body<Error: Into<BoxError>>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = SetDigestFuture<S, S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let kind = Kind::Buffering {
            buffering: self.layer.buffering(body),
            parts: Some(parts),
            service: take_ready(&mut self.inner),
            header: self.layer.header,
        };
        SetDigestFuture { kind }
    }
}

pin_project! {
    /// The response future of [`SetDigest`].
    pub struct SetDigestFuture<S, F, B> {
        #[pin]
        kind: Kind<S, F, B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<S, F, B> {
        Buffering {
            #[pin]
            buffering: Buffering<B>,
            parts: Option<Parts>,
            service: S,
            header: DigestHeader,
        },
        Sent { #[pin] future: F },
    }
}

/// Says nothing of the request, whose headers may have a signature.
impl<S, F, B> fmt::Debug for SetDigestFuture<S, F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetDigestFuture").finish_non_exhaustive()
    }
}

impl<S, B> Future for SetDigestFuture<S, S::Future, B>
where
    S: Service<Request<BufferedBody>, Error: Into<BoxError>>,
    B: Body<Error: Into<BoxError>>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut kind = self.project().kind;
        loop {
            let (buffering, parts, service, header) = match kind.as_mut().project() {
                KindProj::Buffering { buffering, parts, service, header } => {
                    (buffering, parts, service, header)
                }
                KindProj::Sent { future } => return future.poll(cx).map_err(Into::into),
            };
            let (body, digest) = ready!(buffering.poll(cx)).map_err(|unheld| match unheld {
                Unheld::TooLarge(error) => error.into(),
                Unheld::Failed(error) => error.into(),
            })?;
            // Polled after completion, which a future may answer as it likes.
            let Some(mut parts) = parts.take() else { return Poll::Pending };
            header.set(&digest, &mut parts.headers)?;
            let future = service.call(Request::from_parts(parts, body));
            kind.set(Kind::Sent { future });
        }
    }
}
