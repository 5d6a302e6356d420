//! Signing what reqwest 0.13 sends, through reqwest-middleware 0.5.
//!
//! ```
//! use reqwest::redirect::Policy;
//! use tower_fc::adapters::reqwest::SignMiddleware;
//! use tower_fc::{Credentials, StaticKeys, VerifyLayer, Verifier};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let keys = StaticKeys::from_secrets([("LTAI5tExample", "secret")])?;
//! # let verify = VerifyLayer::new(Verifier::new(keys));
//! # let app = axum::Router::new().fallback(async || "hello").layer(verify);
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let address = listener.local_addr()?;
//! # tokio::spawn(axum::serve(listener, app).into_future());
//! # let origin = format!("http://{address}");
//! let credentials = Credentials::new("LTAI5tExample", "secret")?;
//! let sign = SignMiddleware::for_origins(credentials, [&origin])?;
//! let plain = reqwest::Client::builder().redirect(Policy::none()).build()?;
//! let client = reqwest_middleware::ClientBuilder::new(plain.clone())
//!     // A retry middleware goes here, before the one that signs.
//!     .with(sign)
//!     .build();
//!
//! // `origin` is that of a server behind a VerifyLayer.
//! let url = format!("{origin}/hello?name=you");
//! assert_eq!(client.get(&url).send().await?.status(), 200);
//! assert_eq!(plain.get(&url).send().await?.status(), 403);
//! # Ok(())
//! # }
//! ```
//!
//! # Order
//!
//! Middlewares run in the order they were attached. Attach [`SignMiddleware`] *after*
//! one that retries, so that every attempt is signed anew, and after all that change
//! the URL or a signed header.
//!
//! # Redirects
//!
//! Build the client with `redirect(Policy::none())`. reqwest follows redirects below
//! all middlewares: it repeats the old signature for a target it was not made for, and it
//! takes `authorization` away when the origin changes, but neither
//! `x-fc-security-token` nor `x-acs-security-token`, which so reach a stranger. Follow them in a
//! middleware above: each request is then signed for its own target, and with
//! [`SignMiddleware::for_origins`] for no stranger.
//!
//! # What the client adds
//!
//! The default headers of a reqwest client are added after signing, where the
//! request does not have them. So set a header that is signed (`content-type`,
//! `content-md5`, `x-fc-…`, `x-acs-…`) on the request, not on the client.
//! [`Scheme::Acs`] signs `accept`, which every reqwest client adds: without one, a
//! request is an error under that scheme.

use crate::clock::{Clock, SystemClock};
use crate::error::{Error, ErrorKind};
use crate::protocol::request::{MAX_URI_LEN, RequestRef};
use crate::protocol::{Scheme, Signer};
use crate::sign::origins::{Origins, unsign};
use ::reqwest::{Request, Response};
use http::header::ACCEPT;
use http::{Extensions, Uri};
use reqwest_middleware::{Middleware, Next};

/// Signs every request on its way to reqwest.
///
/// Adds the headers of a [`Signer`] and touches nothing else: the body is not looked
/// at and may be a stream. What is signed is the URL as reqwest puts it on the wire, which
/// is after `url` has removed its dot segments and escaped what must be.
///
/// A request that cannot be signed is not sent; its error is a
/// [`reqwest_middleware::Error::Middleware`] that can be downcast to
/// [`tower_fc::Error`](crate::error::Error). [The module](self) has an example, and says
/// where to attach it.
#[derive(Clone, Debug)]
pub struct SignMiddleware<C = SystemClock> {
    signer: Signer,
    origins: Origins,
    clock: C,
}

impl SignMiddleware {
    /// Signs for whatever origin a request names: see
    /// [`SignLayer::new`](crate::SignLayer::new) for what that risks.
    ///
    /// Takes a [`Signer`], or [`Credentials`](crate::Credentials) to sign by [`Scheme::Fc`].
    pub fn new(signer: impl Into<Signer>) -> Self {
        Self { signer: signer.into(), origins: Origins::default(), clock: SystemClock }
    }

    /// Signs requests to these origins alone, such as `https://demo.example`, as
    /// [`SignLayer::for_origins`](crate::SignLayer::for_origins) does.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for what is no origin, and for none at all.
    pub fn for_origins<I>(signer: impl Into<Signer>, origins: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let origins = Origins::read(origins)?;
        Ok(Self { signer: signer.into(), origins, clock: SystemClock })
    }
}

impl<C> SignMiddleware<C> {
    /// Tells the time by another clock than the system's.
    pub fn with_clock<T: Clock>(self, clock: T) -> SignMiddleware<T> {
        SignMiddleware { signer: self.signer, origins: self.origins, clock }
    }
}

impl<C: Clock> SignMiddleware<C> {
    /// Signs a request by itself, without sending it.
    ///
    /// ```
    /// use reqwest::{Method, Request};
    /// use tower_fc::adapters::reqwest::SignMiddleware;
    /// use tower_fc::Credentials;
    /// use tower_fc::clock::FixedClock;
    ///
    /// let sign = SignMiddleware::new(Credentials::new("id", "secret")?)
    ///     .with_clock(FixedClock::at_unix(1_700_000_000));
    /// let mut request = Request::new(Method::GET, "https://demo.example/hello".parse()?);
    /// sign.sign(&mut request)?;
    /// assert_eq!(request.headers()["date"], "Tue, 14 Nov 2023 22:13:20 GMT");
    /// assert!(request.headers()["authorization"].to_str()?.starts_with("FC id:"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A URL that is no URI by `http`'s rules, and the errors of [`Signer::sign_at`].
    /// The request is left as it was.
    pub fn sign(&self, request: &mut Request) -> Result<(), Error> {
        let uri = uri_of(request)?;
        let (method, headers) = (request.method(), request.headers());
        let head = RequestRef { method, uri: &uri, headers };
        if !self.origins.contain(head)? {
            unsign(request.headers_mut());
            return Ok(());
        }
        if self.signer.scheme() == Scheme::Acs && !headers.contains_key(ACCEPT) {
            let rule = "the scheme acs signs the accept header, and reqwest adds one after \
                        signing: set it on the request";
            return Err(Error::new(ErrorKind::InvalidSetting, rule));
        }
        self.signer.signature_now(head, self.clock.now())?.set(request.headers_mut())
    }
}

/// The URL as reqwest hands it to hyper.
fn uri_of(request: &Request) -> Result<Uri, Error> {
    let url = request.url().as_str();
    url.parse().map_err(|_| {
        if url.len() > MAX_URI_LEN {
            let rule = "the URL is longer than the 65534 bytes that a URI may have";
            return Error::new(ErrorKind::UriTooLong, rule);
        }
        let rule = "the URL is not an absolute http or https URI that hyper can send";
        Error::new(ErrorKind::InvalidUri, rule)
    })
}

#[async_trait::async_trait]
impl<C: Clock + Send + Sync + 'static> Middleware for SignMiddleware<C> {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        self.sign(&mut request).map_err(reqwest_middleware::Error::middleware)?;
        next.run(request, extensions).await
    }
}
