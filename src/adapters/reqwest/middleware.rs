use super::request::uri_of;
use crate::clock::{Clock, SystemClock};
use crate::credentials::ProvideCredentials;
use crate::digest::SetDigestLayer;
use crate::digest::buffering::Unheld;
use crate::error::Error;
use crate::protocol::request::RequestRef;
use crate::protocol::{Credentials, Signer};
use crate::sign::layer::SignLayer;
use crate::sign::origins::unsign;
use ::reqwest::{Body, Request, Response};
use http::Extensions;
use reqwest_middleware::{Error as MiddlewareError, Middleware, Next, Result};
use std::fmt;

/// Signs every request on its way to reqwest, through reqwest-middleware 0.5.
///
/// ```
/// use reqwest::redirect::Policy;
/// use tower_fc::adapters::reqwest::SignMiddleware;
/// use tower_fc::{Credentials, StaticKeys, VerifyLayer, Verifier};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = StaticKeys::from_secrets([("LTAI5tExample", "secret")])?;
/// # let verify = VerifyLayer::new(Verifier::new(keys));
/// # let app = axum::Router::new().fallback(async || "hello").layer(verify);
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let address = listener.local_addr()?;
/// # tokio::spawn(axum::serve(listener, app).into_future());
/// # let origin = format!("http://{address}");
/// let credentials = Credentials::new("LTAI5tExample", "secret")?;
/// let plain = reqwest::Client::builder().redirect(Policy::none()).build()?;
/// let client = reqwest_middleware::ClientBuilder::new(plain.clone())
///     // A retry middleware goes here, before the one that signs.
///     .with(SignMiddleware::for_origins(credentials, [&origin])?.with_digest())
///     .build();
///
/// // `origin` is that of a server behind a VerifyLayer.
/// let url = format!("{origin}/hello?name=you");
/// assert_eq!(client.post(&url).body("hello").send().await?.status(), 200);
/// assert_eq!(plain.post(&url).body("hello").send().await?.status(), 403);
/// # Ok(())
/// # }
/// ```
///
/// Adds the headers of a [`Signer`], as [`Signer::sign_reqwest_at`] does. The body is not looked at
/// and may be a stream, unless its digest is to be [set](Self::with_digest). With the
/// [provider](ProvideCredentials) of credentials that have to be awaited in the signer, it is asked
/// for every request that is to be signed.
///
/// # Order
///
/// Middlewares run in the order they were attached. Attach this one *after*
/// one that retries, so that every attempt is signed anew, and after all that change
/// the URL, the body or a signed header. A middleware that retries cannot send a stream again:
/// attach a [`SetDigestLayer`], which is a middleware too and reads it into memory, before it, in
/// place of [`with_digest`](Self::with_digest).
///
/// # Errors
/// A request that cannot be signed is not sent; its error is a
/// [`reqwest_middleware::Error::Middleware`] that can be downcast to
/// [`tower_fc::Error`](crate::error::Error), or to [`BodyTooLarge`](crate::digest::BodyTooLarge)
/// for a stream whose digest is to be set. One of a stream itself is a
/// [`reqwest_middleware::Error::Reqwest`].
#[derive(Clone)]
pub struct SignMiddleware<P = Credentials, C = SystemClock> {
    layer: SignLayer<P, C>,
    digest: Option<SetDigestLayer>,
}

impl<P> SignMiddleware<P> {
    /// Signs for whatever origin a request names: see
    /// [`SignLayer::new`](crate::SignLayer::new) for what that risks.
    ///
    /// Takes a [`Signer`], or [`Credentials`] to sign by [`Scheme::Fc`](crate::Scheme::Fc).
    pub fn new(signer: impl Into<Signer<P>>) -> Self {
        Self { layer: SignLayer::new(signer), digest: None }
    }

    /// Signs requests to these origins alone, such as `https://demo.example`, as
    /// [`SignLayer::for_origins`](crate::SignLayer::for_origins) does.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`](crate::error::ErrorKind::InvalidSetting) for what is no
    /// origin, and for none at all.
    pub fn for_origins<I>(
        signer: impl Into<Signer<P>>,
        origins: I,
    ) -> std::result::Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        Ok(Self { layer: SignLayer::for_origins(signer, origins)?, digest: None })
    }
}

impl<P, C> SignMiddleware<P, C> {
    /// Tells the time by another clock than the system's.
    pub fn with_clock<T: Clock>(self, clock: T) -> SignMiddleware<P, T> {
        SignMiddleware { layer: self.layer.with_clock(clock), digest: self.digest }
    }

    /// Sets the digest of the body of every request that is signed, an empty one included, in the
    /// header that the scheme covers: as [`SetDigestLayer::for_signer`].
    ///
    /// A body in memory is taken over without a copy, whatever its size. A stream is read into
    /// memory, up to [`DEFAULT_LIMIT`](crate::digest::DEFAULT_LIMIT).
    #[must_use]
    pub fn with_digest(self) -> Self {
        let digest = SetDigestLayer::for_signer(&self.layer.signer);
        self.with_digest_layer(digest)
    }

    /// Sets the digest of the body of every request that is signed as this layer does: in another
    /// header, or with another limit.
    #[must_use]
    pub fn with_digest_layer(self, digest: SetDigestLayer) -> Self {
        Self { digest: Some(digest), ..self }
    }
}

impl<P: ProvideCredentials, C: Clock> SignMiddleware<P, C> {
    /// Does to a request what it does to those that it hands on, without sending it.
    ///
    /// # Errors
    /// As when it hands them on. A body that was a stream is lost then.
    pub async fn sign(&self, request: &mut Request) -> Result<()> {
        let SignLayer { signer, origins, clock } = &self.layer;
        let uri = uri_of(request.url()).map_err(MiddlewareError::middleware)?;
        let (method, headers) = (request.method(), request.headers());
        let head = RequestRef { method, uri: &uri, headers };
        if !origins.contain(head).map_err(MiddlewareError::middleware)? {
            unsign(request.headers_mut());
            return Ok(());
        }
        if let Some(digest) = self.digest {
            set_digest(digest, request).await?;
        }
        let credentials = signer.credentials().credentials().await;
        // Credentials may have been a while in coming.
        let now = clock.now();
        let signed = credentials.and_then(|credentials| {
            signer.with_credentials(credentials).sign_reqwest_at(request, now)
        });
        signed.map_err(MiddlewareError::middleware)
    }
}

/// Reads the body of a request into memory if it is not there, and sets its digest.
async fn set_digest(layer: SetDigestLayer, request: &mut Request) -> Result<()> {
    let body = request.body_mut().take();
    let is_some = body.is_some();
    let (body, digest) =
        layer.hold(body.unwrap_or_default()).await.map_err(|unheld| match unheld {
            Unheld::TooLarge(error) => MiddlewareError::middleware(error),
            Unheld::Failed(error) => MiddlewareError::Reqwest(error),
        })?;
    if is_some {
        *request.body_mut() = Some(match body.trailers() {
            // Which can be sent again.
            None => Body::from(body.data().clone()),
            Some(_) => Body::wrap(body),
        });
    }
    layer.set(&digest, request.headers_mut()).map_err(MiddlewareError::middleware)
}

#[async_trait::async_trait]
impl<P, C> Middleware for SignMiddleware<P, C>
where
    P: ProvideCredentials + Send + Sync + 'static,
    C: Clock + Send + Sync + 'static,
{
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        self.sign(&mut request).await?;
        next.run(request, extensions).await
    }
}

/// Sets digests outside of a middleware that retries, which can then send streams again.
#[async_trait::async_trait]
impl Middleware for SetDigestLayer {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        set_digest(*self, &mut request).await?;
        next.run(request, extensions).await
    }
}

impl<P, C: fmt::Debug> fmt::Debug for SignMiddleware<P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignMiddleware")
            .field("scheme", &self.layer.signer.scheme())
            .field("clock", &self.layer.clock)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}
