use crate::clock::{Clock, SystemClock};
use crate::error::{Error, ErrorKind};
use crate::protocol::request::{MAX_URI_LEN, RequestRef};
use crate::protocol::{Scheme, Signer};
use ::reqwest::{Request, Url};
use http::Uri;
use http::header::ACCEPT;
use std::time::SystemTime;

impl Signer {
    /// Signs a request of reqwest as of now. See [`Signer::sign_reqwest_at`], and
    /// [the module](crate::adapters::reqwest) for an example.
    ///
    /// # Errors
    /// As [`Signer::sign_reqwest_at`].
    pub fn sign_reqwest(&self, request: &mut Request) -> Result<(), Error> {
        self.sign_reqwest_at(request, SystemClock.now())
    }

    /// Signs a request of reqwest as of `now`, as [`Signer::sign_at`] does.
    ///
    /// What is signed is the URL as reqwest puts it on the wire, which is after `url` has removed
    /// its dot segments and escaped what must be. The body is not looked at:
    /// [`digest`](crate::digest) has what makes its digest.
    ///
    /// ```
    /// use reqwest::{Method, Request};
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use tower_fc::{Credentials, Signer};
    ///
    /// let signer = Signer::new(Credentials::new("id", "secret")?);
    /// let mut request = Request::new(Method::GET, "https://demo.example/hello".parse()?);
    /// signer.sign_reqwest_at(&mut request, UNIX_EPOCH + Duration::from_secs(1_700_000_000))?;
    /// assert_eq!(request.headers()["date"], "Tue, 14 Nov 2023 22:13:20 GMT");
    /// assert!(request.headers()["authorization"].to_str()?.starts_with("FC id:"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Signer::sign_at`]; [`ErrorKind::InvalidUri`] or [`ErrorKind::UriTooLong`] for a URL
    /// that is no URI by `http`'s rules; [`ErrorKind::InvalidSetting`] under [`Scheme::Acs`] for a
    /// request without `accept`, which reqwest would add after signing. The request is left as
    /// it was.
    pub fn sign_reqwest_at(&self, request: &mut Request, now: SystemTime) -> Result<(), Error> {
        let uri = uri_of(request.url())?;
        let (method, headers) = (request.method(), request.headers());
        if self.scheme() == Scheme::Acs && !headers.contains_key(ACCEPT) {
            let rule = "the scheme acs signs the accept header, and reqwest adds one after \
                        signing: set it on the request";
            return Err(Error::new(ErrorKind::InvalidSetting, rule));
        }
        let signature = self.signature_now(RequestRef { method, uri: &uri, headers }, now)?;
        signature.set(request.headers_mut())
    }
}

/// A URL as reqwest hands it to hyper.
pub(crate) fn uri_of(url: &Url) -> Result<Uri, Error> {
    let url = url.as_str();
    url.parse().map_err(|_| {
        if url.len() > MAX_URI_LEN {
            let rule = "the URL is longer than the 65534 bytes that a URI may have";
            return Error::new(ErrorKind::UriTooLong, rule);
        }
        let rule = "the URL is not an absolute http or https URI that hyper can send";
        Error::new(ErrorKind::InvalidUri, rule)
    })
}
