//! Presigned URLs: the signature of scheme `FC` in the query.

use super::canonical::{rules::Form, sink::Sink};
use super::date::{LAST, from_unix};
use super::dialect::Dialect;
use super::key::Credentials;
use super::request::{Head, MAX_URI_LEN, ProtocolHeaders, RequestRef};
use super::scheme::Scheme;
use super::scheme::presigned::{self, Presigned};
use super::scheme::{strict::Strict, terms::Terms};
use crate::error::{Error, ErrorKind};
use http::header::HeaderValue;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Request, Uri};
use std::fmt;
use std::time::{Duration, SystemTime};

/// Makes URLs that anyone who has them can call until they expire.
///
/// ```
/// use tower_fc::{Credentials, Presigner};
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let presigner = Presigner::new(Credentials::new("id", "secret")?);
/// let request = http::Request::get("https://demo.example/report?month=5").body(())?;
/// let (parts, ()) = request.into_parts();
/// let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
/// let url = presigner.presign_at(&parts, Duration::from_secs(600), now)?;
/// assert!(url.uri().query().unwrap().starts_with(
///     "month=5&x-fc-access-key-id=id&x-fc-expires=1700000600&x-fc-signature="
/// ));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Presigner {
    credentials: Credentials,
    strict: Strict,
}

impl Presigner {
    /// Signs with these credentials. A URL made with temporary ones stops working
    /// when they do, so one that would outlive them is an error, if they know
    /// [when they end](Credentials::with_expires_at).
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials, strict: Strict::default() }
    }

    strictness!(strict);

    /// Presigns a request, to be sent within `lifetime` of `now`. The end is in whole seconds,
    /// rounded up.
    ///
    /// What is there of the URI stays as it is; the parameters of the signature are
    /// appended. Of the headers, `content-md5`, `content-type` and those that begin
    /// with `x-fc-` are signed, so whoever uses the URL has to send the same.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidLifetime`] for less than a second, or an end beyond the
    /// year 9999, or after that of the credentials; [`ErrorKind::AlreadyPresigned`] when the URI has a parameter of a
    /// presigned URL; [`ErrorKind::UriTooLong`]; [`ErrorKind::InvalidUri`] for an authority or
    /// an asterisk alone, and for an authority with user information; [`ErrorKind::Ambiguous`] as [`Signer::sign_at`](crate::Signer::sign_at).
    pub fn presign_at(
        &self,
        parts: &Parts,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<PresignedUrl, Error> {
        self.sign(parts.into(), lifetime, now)
    }

    /// Presigns a whole request as of `now`. See [`Presigner::presign_at`].
    ///
    /// # Errors
    /// As [`Presigner::presign_at`].
    pub fn presign_request_at<B>(
        &self,
        request: &Request<B>,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<PresignedUrl, Error> {
        self.sign(request.into(), lifetime, now)
    }

    fn sign(
        &self,
        request: RequestRef<'_>,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<PresignedUrl, Error> {
        let expires = self.end(lifetime, now)?;
        let uri = self.unsigned(request.uri, expires)?;
        let mut signature = Vec::with_capacity(44);
        look(RequestRef { uri: &uri, ..request }, expires, |head, terms, form| {
            let found = self.strict.check(head, terms, None)?;
            let (tag, written) = terms.sign(head, form, self.credentials.key().keyed());
            tag.put_base64(&mut signature);
            self.strict.judge(found | written, form.refuses)
        })?;
        let mut target = target(&uri);
        presigned::write_signature(&signature, &mut target);
        Ok(PresignedUrl { uri: with_target(&uri, target)?, expires_at: from_unix(expires) })
    }

    /// Returns what would be signed, for a look at it. It contains the security token, so it
    /// is no text for logs.
    ///
    /// # Errors
    /// As [`Presigner::presign_at`].
    pub fn string_to_sign_at(
        &self,
        parts: &Parts,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<Vec<u8>, Error> {
        let expires = self.end(lifetime, now)?;
        let uri = self.unsigned(&parts.uri, expires)?;
        let mut text = Vec::new();
        look(RequestRef { uri: &uri, ..parts.into() }, expires, |head, terms, form| {
            terms.write(head, form, &mut text);
            Ok(text)
        })
    }

    /// When a lifetime ends, in Unix seconds.
    fn end(&self, lifetime: Duration, now: SystemTime) -> Result<u64, Error> {
        let end =
            now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().checked_add(lifetime);
        // Up to the next second, so that it is never over sooner than was asked for.
        let end = end.map(|end| end.as_secs().saturating_add(u64::from(end.subsec_nanos() > 0)));
        let is_long = lifetime >= Duration::from_secs(1);
        let end = end.filter(|end| is_long && *end <= LAST).ok_or_else(|| {
            let rule = "a presigned URL lives for one second or more, and ends before the year \
                        10000";
            Error::new(ErrorKind::InvalidLifetime, rule)
        })?;
        if self.credentials.expires_at().is_some_and(|last| from_unix(end) > last) {
            let rule = "a presigned URL cannot outlive the credentials it is signed with";
            return Err(Error::new(ErrorKind::InvalidLifetime, rule));
        }
        Ok(end)
    }

    /// The URI with all parameters that are signed.
    fn unsigned(&self, uri: &Uri, expires: u64) -> Result<Uri, Error> {
        let no_url = match (uri.authority(), uri.scheme()) {
            (Some(_), None) => Some("an authority alone"),
            _ if uri.path() == "*" => Some("an asterisk"),
            _ => None,
        };
        if let Some(what) = no_url {
            let rule = format!("the URI is {what}, which has no query to put a signature into");
            return Err(Error::new(ErrorKind::InvalidUri, rule));
        }
        let query = uri.query().unwrap_or_default();
        if let Some(name) = Presigned::read(query.as_bytes()).any() {
            let message = format!("the URI has the query parameter {name} already");
            return Err(Error::new(ErrorKind::AlreadyPresigned, message));
        }
        let mut target = target(uri);
        match uri.query() {
            None => target.put_byte(b'?'),
            Some("") => {}
            Some(_) => target.put_byte(b'&'),
        }
        let token = self.credentials.key().token().map(HeaderValue::as_bytes);
        let id = self.credentials.access_key_id();
        presigned::write_signed(id, &expires.to_string(), token, &mut target);
        with_target(uri, target)
    }
}

/// Lends `look` what is signed of a request.
fn look<T>(
    request: RequestRef<'_>,
    expires: u64,
    look: impl FnOnce(&Head<'_>, &Terms<'_>, &Form) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut protocol = ProtocolHeaders::new();
    let head = Head::of(request, &mut protocol);
    let expires = expires.to_string();
    let form = Dialect::standard(Scheme::FcPresigned.facts().family);
    look(&head, &Terms::FcPresigned(expires.as_bytes()), form)
}

/// Path and query, with room for the parameters of a signature.
fn target(uri: &Uri) -> Vec<u8> {
    let mut target = Vec::with_capacity(256);
    target.put(uri.path().as_bytes());
    if let Some(query) = uri.query() {
        target.put_byte(b'?');
        target.put(query.as_bytes());
    }
    target
}

fn with_target(uri: &Uri, target: Vec<u8>) -> Result<Uri, Error> {
    let mut parts = uri.clone().into_parts();
    let is_too_long = target.len() > MAX_URI_LEN;
    let bad = || match is_too_long {
        true => {
            let rule = "the presigned URL would be longer than the 65534 bytes that a URI may have";
            Error::new(ErrorKind::UriTooLong, rule)
        }
        false => Error::new(ErrorKind::InvalidUri, "the URI cannot have a query"),
    };
    parts.path_and_query = Some(PathAndQuery::from_maybe_shared(target).map_err(|_| bad())?);
    Uri::from_parts(parts).map_err(|_| bad())
}

/// A URL that carries its signature. Whoever has it can use it: `Display` writes all of it, to be
/// handed out, and `Debug`, which is for logs, neither its query nor a token.
#[derive(Clone)]
pub struct PresignedUrl {
    uri: Uri,
    expires_at: SystemTime,
}

impl PresignedUrl {
    /// The URL, to be handed out.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The URL, for good.
    pub fn into_uri(self) -> Uri {
        self.uri
    }

    /// Returns when it stops working.
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }
}

impl fmt::Display for PresignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uri, f)
    }
}

impl fmt::Debug for PresignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresignedUrl")
            .field("path", &self.uri.path())
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
