//! Signing: from the parts of a request to its signature headers.

use crate::canonical::fields::Protocols;
use crate::canonical::{Head, Sink};
use crate::clock::{format_acs_date, format_http_date};
use crate::credentials::Credentials;
use crate::error::{Error, ErrorKind};
use crate::headers::{X_ACS_DATE, X_ACS_SECURITY_TOKEN, X_FC_SECURITY_TOKEN};
use crate::scheme::dialect::Form;
use crate::scheme::{Family, Scheme, Subject, Terms, acs3};
use crate::unique;
use bytes::Bytes;
use http::header::{AUTHORIZATION, DATE, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Uri};
use std::time::SystemTime;

/// Signs requests, whatever sends them.
///
/// [`SignLayer`](crate::SignLayer) does this for tower services; use a signer by
/// itself with any other HTTP client. It adds headers and changes nothing else: the
/// bytes of the target go out as they are. Signature headers from an earlier
/// attempt are replaced. Signing is pure computation, in the
/// [documented form](crate::Dialect::Standard) of the scheme.
///
/// ```
/// use tower_fc::{Credentials, Scheme, Signer};
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let credentials = Credentials::new("YourAccessKeyId", "YourAccessKeySecret")?;
/// let signer = Signer::new(credentials).with_scheme(Scheme::Fc)?;
///
/// let request = http::Request::get("https://demo.example/hello?name=you").body(())?;
/// let (mut parts, ()) = request.into_parts();
/// signer.sign_at(&mut parts, UNIX_EPOCH + Duration::from_secs(1_700_000_000))?;
///
/// assert_eq!(parts.headers["date"], "Tue, 14 Nov 2023 22:13:20 GMT");
/// assert!(parts.headers["authorization"].to_str()?.starts_with("FC YourAccessKeyId:"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Signer {
    credentials: Credentials,
    scheme: Scheme,
    nonce: bool,
}

impl Signer {
    /// Signs with [`Scheme::Fc`].
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials, scheme: Scheme::Fc, nonce: false }
    }

    /// Signs with another scheme.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for [`Scheme::FcPresigned`], which signs URLs: that
    /// is what a [`Presigner`](crate::Presigner) does.
    pub fn with_scheme(self, scheme: Scheme) -> Result<Self, Error> {
        Ok(Self { scheme: Self::header_scheme(scheme)?, ..self })
    }

    /// Makes every request unique by a signed nonce: `x-acs-signature-nonce`, or
    /// `x-fc-signature-nonce` under [`Scheme::Fc`].
    ///
    /// Off by default. Two equal requests within one second otherwise have the same
    /// signature, so a server that refuses replays would refuse the second.
    #[must_use]
    pub fn with_nonce(self) -> Self {
        Self { nonce: true, ..self }
    }

    /// The scheme, if it is one that signs in headers.
    pub(crate) fn header_scheme(scheme: Scheme) -> Result<Scheme, Error> {
        if scheme == Scheme::FcPresigned {
            let rule = "the scheme presigned signs URLs, not headers: use a Presigner";
            return Err(Error::new(ErrorKind::InvalidSetting, rule));
        }
        Ok(scheme)
    }

    /// The credentials it signs with.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The scheme it signs by.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Signs as of now. See [`Signer::sign_at`].
    ///
    /// # Errors
    /// As [`Signer::sign_at`].
    pub fn sign(&self, parts: &mut Parts) -> Result<(), Error> {
        self.sign_at(parts, SystemTime::now())
    }

    /// Signs as of `now`: sets `authorization`, the date header of the scheme (`date`,
    /// or `x-acs-date`) and, with a security token, its header.
    ///
    /// Under the `ACS3` schemes the payload line is what `x-acs-content-sha256` says,
    /// and empty without that header, as in the documented samples for HTTP triggers.
    /// Without a `host` header, what HTTP clients make of the URI's authority is signed.
    ///
    /// # Errors
    /// [`ErrorKind::TooManyHeaders`] when the request has no room for the headers, which
    /// is far beyond what goes over any wire; it is left unsigned.
    pub fn sign_at(&self, parts: &mut Parts, now: SystemTime) -> Result<(), Error> {
        self.apply(&parts.method, &parts.uri, &mut parts.headers, now)
    }

    /// Signs a whole request as of `now`. See [`Signer::sign_at`].
    ///
    /// # Errors
    /// As [`Signer::sign_at`].
    pub fn sign_request_at<B>(
        &self,
        request: &mut Request<B>,
        now: SystemTime,
    ) -> Result<(), Error> {
        // The headers have to leave the request for a moment so that its method and
        // URI can be borrowed beside them.
        let mut headers = std::mem::take(request.headers_mut());
        let signed = self.apply(request.method(), request.uri(), &mut headers, now);
        *request.headers_mut() = headers;
        signed
    }

    /// What would be signed as of `now`, for a look at it. It contains the security
    /// token, so it is no text for logs.
    ///
    /// # Errors
    /// As [`Signer::sign_at`].
    pub fn string_to_sign_at(&self, parts: &Parts, now: SystemTime) -> Result<Vec<u8>, Error> {
        let mut text = Vec::new();
        self.look(parts, now, |subject, form| {
            subject.write(form, &mut text);
        })?;
        Ok(text)
    }

    /// The canonical request whose hash would be signed as of `now`; `None` under a
    /// scheme that has none (`FC` and `acs`). It contains the security token, so it
    /// is no text for logs.
    ///
    /// # Errors
    /// As [`Signer::sign_at`].
    pub fn canonical_request_at(
        &self,
        parts: &Parts,
        now: SystemTime,
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut text = Vec::new();
        let mut written = None;
        self.look(parts, now, |subject, form| written = subject.write_canonical(form, &mut text))?;
        Ok(written.map(|_| text))
    }

    /// Lends `look` what would be signed, without changing the request.
    fn look(
        &self,
        parts: &Parts,
        now: SystemTime,
        look: impl FnOnce(Subject<'_, '_>, &Form),
    ) -> Result<(), Error> {
        let mut headers = parts.headers.clone();
        self.prepare(&mut headers, now)?;
        let mut protocols = Protocols::new();
        let head = Head::new(&parts.method, &parts.uri, &headers, &mut protocols);
        let names = self.signed_headers(&head);
        look(self.subject(&head, &names), self.form());
        Ok(())
    }

    fn apply(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &mut HeaderMap,
        now: SystemTime,
    ) -> Result<(), Error> {
        headers.remove(AUTHORIZATION);
        self.prepare(headers, now)?;
        let value = {
            let mut protocols = Protocols::new();
            self.authorization(&Head::new(method, uri, headers, &mut protocols))
        };
        set(headers, &AUTHORIZATION, value)
    }

    /// Sets everything that is signed.
    fn prepare(&self, headers: &mut HeaderMap, now: SystemTime) -> Result<(), Error> {
        let family = self.scheme.family();
        let (date_name, date, token_name) = match family {
            Family::Fc => (&DATE, text_value(&format_http_date(now)), &X_FC_SECURITY_TOKEN),
            Family::Acs => (&DATE, text_value(&format_http_date(now)), &X_ACS_SECURITY_TOKEN),
            Family::Acs3 => (&X_ACS_DATE, text_value(&format_acs_date(now)), &X_ACS_SECURITY_TOKEN),
        };
        set(headers, date_name, date)?;
        if self.nonce {
            let nonce = text_value(format!("{:032x}", unique::number()).as_bytes());
            set(headers, family.nonce_header(), nonce)?;
        }
        match self.credentials.key().token() {
            Some(token) => set(headers, token_name, token.clone()),
            None => {
                headers.remove(token_name);
                Ok(())
            }
        }
    }

    /// The value of `authorization` for a request that is complete but for it.
    fn authorization(&self, head: &Head<'_>) -> HeaderValue {
        let id = self.credentials.access_key_id();
        let token = self.scheme.token().unwrap_or_default();
        let names = self.signed_headers(head);
        let subject = self.subject(head, &names);
        let (tag, _) = subject.sign(self.form(), self.credentials.key().keyed());
        let mut text = Vec::with_capacity(self.authorization_len(&names));
        text.put(token.as_bytes());
        match subject.terms {
            Terms::SignedHeaders(names) => {
                text.put(b" Credential=");
                text.put(id.as_bytes());
                text.put(b",SignedHeaders=");
                acs3::write_names(names, &mut text);
                text.put(b",Signature=");
                tag.put_hex(&mut text);
            }
            _ => {
                text.put_byte(b' ');
                text.put(id.as_bytes());
                text.put_byte(b':');
                tag.put_base64(&mut text);
            }
        }
        // Shared rather than copied.
        let mut value = HeaderValue::from_maybe_shared(Bytes::from(text))
            .unwrap_or(HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }

    /// How long the value of `authorization` will be.
    fn authorization_len(&self, names: &[&str]) -> usize {
        let ends =
            self.scheme.token().unwrap_or_default().len() + self.credentials.access_key_id().len();
        let list = names.iter().map(|name| name.len() + 1).sum::<usize>();
        ends + match self.scheme.family() {
            Family::Fc => " :".len() + 44,
            Family::Acs => " :".len() + 28,
            Family::Acs3 => " Credential=,SignedHeaders=,Signature=".len() + list - 1 + 64,
        }
    }

    fn signed_headers<'a>(&self, head: &Head<'a>) -> acs3::Names<'a> {
        match self.scheme.family() {
            Family::Acs3 => acs3::signed_headers(head),
            Family::Fc | Family::Acs => acs3::Names::new(),
        }
    }

    fn subject<'a, 'h>(&self, head: &'a Head<'h>, names: &'a [&'a str]) -> Subject<'a, 'h> {
        let terms = match self.scheme.family() {
            Family::Acs3 => Terms::SignedHeaders(names),
            Family::Fc | Family::Acs => Terms::None,
        };
        Subject { head, scheme: self.scheme, terms }
    }

    fn form(&self) -> &'static Form {
        Form::standard(self.scheme.family())
    }
}

/// Sets a header in place of all that are there of its name.
fn set(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) -> Result<(), Error> {
    headers.try_insert(name, value).map(drop).map_err(|_| {
        let rule = "there is no room for another header: the request has as many as http allows";
        Error::new(ErrorKind::TooManyHeaders, rule)
    })
}

/// A header value of text that is made of visible ASCII characters and spaces.
fn text_value(text: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(text).unwrap_or(HeaderValue::from_static(""))
}

impl From<Credentials> for Signer {
    fn from(credentials: Credentials) -> Self {
        Self::new(credentials)
    }
}
