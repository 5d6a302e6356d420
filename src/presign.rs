//! Presigned URLs: the signature of scheme `FC` in the query.

use crate::canonical::fields::Protocols;
use crate::canonical::parameters::parameters;
use crate::canonical::{Head, Sink, percent};
use crate::clock::{LAST, from_unix, to_unix};
use crate::credentials::Credentials;
use crate::error::{Error, ErrorKind};
use crate::headers::{QUERY_ACCESS_KEY_ID, QUERY_EXPIRES, QUERY_SECURITY_TOKEN, QUERY_SIGNATURE};
use crate::scheme::dialect::Form;
use crate::scheme::{Scheme, Subject, Terms};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Uri};
use std::fmt;
use std::time::{Duration, SystemTime};

/// Makes URLs that anyone who has them can call until they expire.
///
/// ```
/// use tower_fc::{Credentials, Presigner};
/// use http::{HeaderMap, Method};
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let presigner = Presigner::new(Credentials::new("id", "secret")?);
/// let uri = "https://demo.example/report?month=5".parse()?;
/// let url = presigner.presign_at(
///     &Method::GET,
///     &uri,
///     &HeaderMap::new(),
///     Duration::from_secs(600),
///     UNIX_EPOCH + Duration::from_secs(1_700_000_000),
/// )?;
/// assert!(url.uri().query().unwrap().starts_with(
///     "month=5&x-fc-access-key-id=id&x-fc-expires=1700000600&x-fc-signature="
/// ));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Presigner {
    credentials: Credentials,
}

impl Presigner {
    /// Signs with these credentials. A URL made with temporary ones stops working
    /// when they do.
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials }
    }

    /// Presigns as of now. See [`Presigner::presign_at`].
    ///
    /// # Errors
    /// As [`Presigner::presign_at`].
    pub fn presign(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        lifetime: Duration,
    ) -> Result<PresignedUrl, Error> {
        self.presign_at(method, uri, headers, lifetime, SystemTime::now())
    }

    /// Presigns a request with this method and these headers, to be sent within
    /// `lifetime` (in whole seconds, rounded down) of `now`.
    ///
    /// What is there of the URI stays as it is; the parameters of the signature are
    /// appended. Of the headers, `content-md5`, `content-type` and those that begin
    /// with `x-fc-` are signed, so whoever uses the URL has to send the same.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidLifetime`] for less than a second, or an end beyond the
    /// year 9999; [`ErrorKind::AlreadyPresigned`] when the URI has a parameter of a
    /// presigned URL; [`ErrorKind::UriTooLong`].
    pub fn presign_at(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<PresignedUrl, Error> {
        let expires = end(lifetime, now)?;
        let mut target = self.unsigned_target(uri, expires)?;
        let mut signature = Vec::with_capacity(44);
        self.look(method, uri, headers, &target, expires, |subject, form| {
            let (tag, _) = subject.sign(form, self.credentials.key().keyed());
            tag.put_base64(&mut signature);
        })?;
        target.put_byte(b'&');
        put_parameter(QUERY_SIGNATURE, &signature, &mut target);
        Ok(PresignedUrl { uri: with_target(uri, target)?, expires_at: from_unix(expires) })
    }

    /// What would be signed, for a look at it. It contains the security token, so it
    /// is no text for logs.
    ///
    /// # Errors
    /// As [`Presigner::presign_at`].
    pub fn string_to_sign_at(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<Vec<u8>, Error> {
        let expires = end(lifetime, now)?;
        let target = self.unsigned_target(uri, expires)?;
        let mut text = Vec::new();
        self.look(method, uri, headers, &target, expires, |subject, form| {
            subject.write(form, &mut text);
        })?;
        Ok(text)
    }

    /// The target with all parameters that are signed.
    fn unsigned_target(&self, uri: &Uri, expires: u64) -> Result<Vec<u8>, Error> {
        refuse_presigned(uri)?;
        let mut target = Vec::with_capacity(256);
        target.put(uri.path().as_bytes());
        target.put_byte(b'?');
        if let Some(query) = uri.query().filter(|query| !query.is_empty()) {
            target.put(query.as_bytes());
            target.put_byte(b'&');
        }
        let id = self.credentials.access_key_id();
        put_parameter(QUERY_ACCESS_KEY_ID, id.as_bytes(), &mut target);
        target.put_byte(b'&');
        put_parameter(QUERY_EXPIRES, expires.to_string().as_bytes(), &mut target);
        if let Some(token) = self.credentials.key().token() {
            target.put_byte(b'&');
            put_parameter(QUERY_SECURITY_TOKEN, token.as_bytes(), &mut target);
        }
        Ok(target)
    }

    /// Lends `look` what is signed.
    fn look(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        target: &[u8],
        expires: u64,
        look: impl FnOnce(Subject<'_, '_>, &Form),
    ) -> Result<(), Error> {
        let unsigned = with_target(uri, target.to_vec())?;
        let mut protocols = Protocols::new();
        let head = Head::new(method, &unsigned, headers, &mut protocols);
        let scheme = Scheme::FcPresigned;
        let expires = expires.to_string();
        let terms = Terms::Expires(expires.as_bytes());
        look(Subject { head: &head, scheme, terms }, Form::standard(scheme.family()));
        Ok(())
    }
}

/// When a lifetime ends, in Unix seconds.
fn end(lifetime: Duration, now: SystemTime) -> Result<u64, Error> {
    let lifetime = lifetime.as_secs();
    to_unix(now).checked_add(lifetime).filter(|end| lifetime > 0 && *end <= LAST).ok_or_else(|| {
        let rule = "a presigned URL lives for one second or more, and ends before the year \
                        10000";
        Error::new(ErrorKind::InvalidLifetime, rule)
    })
}

fn refuse_presigned(uri: &Uri) -> Result<(), Error> {
    let names = [QUERY_ACCESS_KEY_ID, QUERY_EXPIRES, QUERY_SECURITY_TOKEN, QUERY_SIGNATURE];
    let query = uri.query().unwrap_or_default().as_bytes();
    for (key, _) in parameters(query) {
        if let Some(name) = names.iter().find(|name| name.as_bytes() == key.as_ref()) {
            let message = format!("the URI has the query parameter {name} already");
            return Err(Error::new(ErrorKind::AlreadyPresigned, message));
        }
    }
    Ok(())
}

fn put_parameter(name: &str, value: &[u8], target: &mut Vec<u8>) {
    target.put(name.as_bytes());
    target.put_byte(b'=');
    percent::encode(value, target);
}

fn with_target(uri: &Uri, target: Vec<u8>) -> Result<Uri, Error> {
    let mut parts = uri.clone().into_parts();
    let too_long = || {
        let rule = "the presigned URL would be longer than the 65534 bytes that a URI may have";
        Error::new(ErrorKind::UriTooLong, rule)
    };
    parts.path_and_query = Some(PathAndQuery::from_maybe_shared(target).map_err(|_| too_long())?);
    Uri::from_parts(parts).map_err(|_| too_long())
}

/// A URL that carries its signature. Whoever has it can use it, so `Debug` prints
/// neither its query nor a token.
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

    /// When it stops working.
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
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
