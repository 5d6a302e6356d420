//! Signing: from the parts of a request to its signature headers.

use super::canonical::rules::Form;
use super::dialect::Dialect;
use super::key::Credentials;
use super::request::{Change, Head, NAME_THE_HOST, ProtocolHeaders, RequestRef};
use super::scheme::ambiguity::Ambiguities;
use super::scheme::coverage::{self, List};
use super::scheme::presigned::Presigned;
use super::scheme::strict::Strict;
use super::scheme::terms::Terms;
use super::scheme::{Covers, Facts, Family, Scheme, authorization};
use crate::error::{Error, ErrorKind};
use http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use std::time::SystemTime;

/// Signs requests, whatever sends them.
///
/// [`SignLayer`](crate::SignLayer) does this for tower services; use a signer by
/// itself with any other HTTP client. It adds headers and changes nothing else: the
/// bytes of the target go out as they are. Signature headers from an earlier
/// attempt are replaced. Signing is pure computation, in the
/// [documented form](crate::protocol::Dialect::Standard) of the scheme.
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
///
/// Whatever signs is made from one: [`SignLayer`](crate::SignLayer), its sibling for
/// credentials that have to be awaited, which takes a signer with a
/// [`ProvideCredentials`](crate::credentials::ProvideCredentials) in place of
/// [`Credentials`], and the adapters.
#[derive(Clone, Debug)]
pub struct Signer<P = Credentials> {
    credentials: P,
    scheme: Scheme,
    nonce: bool,
    strict: Strict,
}

impl<P> Signer<P> {
    /// Signs by [`Scheme::Fc`] with these credentials, or those that a provider gives.
    pub fn new(credentials: P) -> Self {
        Self { credentials, scheme: Scheme::Fc, nonce: false, strict: Strict::default() }
    }

    /// Signs by another scheme.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for [`Scheme::FcPresigned`], which signs URLs: that
    /// is what a [`Presigner`](crate::Presigner) does.
    pub fn with_scheme(self, scheme: Scheme) -> Result<Self, Error> {
        if scheme == Scheme::FcPresigned {
            let rule = "the scheme presigned signs URLs, not headers: use a Presigner";
            return Err(Error::new(ErrorKind::InvalidSetting, rule));
        }
        Ok(Self { scheme, ..self })
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

    strictness!(strict);

    /// The credentials it signs with, or their provider.
    pub fn credentials(&self) -> &P {
        &self.credentials
    }

    /// The scheme it signs by.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Returns whether every request gets a nonce.
    pub fn has_nonce(&self) -> bool {
        self.nonce
    }

    /// The same with other credentials.
    pub(crate) fn with_credentials<T>(&self, credentials: T) -> Signer<T> {
        let strict = self.strict.clone();
        Signer { credentials, scheme: self.scheme, nonce: self.nonce, strict }
    }
}

impl Signer {
    /// Signs as of `now` with a nonce of the caller's. [`Signer::sign_at`] makes one itself
    /// where the signer is to have them.
    ///
    /// # Errors
    /// As [`Signer::sign_at`], and [`ErrorKind::InvalidNonce`] for one that is not 1 to 128
    /// visible ASCII characters.
    pub fn sign_with_nonce_at(
        &self,
        parts: &mut Parts,
        now: SystemTime,
        nonce: &str,
    ) -> Result<(), Error> {
        let is_visible = nonce.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_visible || !(1..=128).contains(&nonce.len()) {
            let rule = "a nonce must be 1 to 128 visible ASCII characters";
            return Err(Error::new(ErrorKind::InvalidNonce, rule));
        }
        let nonce = Some(text_value(nonce.as_bytes()));
        self.signature((&*parts).into(), now, nonce)?.set(&mut parts.headers)
    }

    /// Returns what would be signed as of `now`, with the nonce that the request
    /// has, if any. It contains the security token, so it is no text for logs.
    ///
    /// # Errors
    /// As [`Signer::sign_at`].
    pub fn string_to_sign_at(&self, parts: &Parts, now: SystemTime) -> Result<Vec<u8>, Error> {
        let mut text = Vec::new();
        let set = self.set(now, None);
        self.look(parts.into(), &set, |head, terms, form, _| {
            terms.write(head, form, &mut text);
            Ok(text)
        })
    }

    /// Returns the canonical request whose hash would be signed as of `now`, with the nonce that the
    /// request has, if any; `None` under a scheme that has none (`FC` and `acs`). It
    /// contains the security token, so it is no text for logs.
    ///
    /// # Errors
    /// As [`Signer::sign_at`].
    pub fn canonical_request_at(
        &self,
        parts: &Parts,
        now: SystemTime,
    ) -> Result<Option<Vec<u8>>, Error> {
        if self.scheme.facts().family != Family::Acs3 {
            return Ok(None);
        }
        let mut text = Vec::new();
        let set = self.set(now, None);
        self.look(parts.into(), &set, |head, terms, form, _| {
            terms.write_text(head, form, &mut text);
            Ok(Some(text))
        })
    }

    /// The headers that sign a request as of `now`, which is not touched.
    pub(crate) fn signature(
        &self,
        request: RequestRef<'_>,
        now: SystemTime,
        nonce: Option<HeaderValue>,
    ) -> Result<SignatureHeaders, Error> {
        let set = self.set(now, nonce);
        let authorization = self.look(request, &set, |head, terms, form, query| {
            let found = self.strict.check(head, terms, Some(query))?;
            self.check_host(terms)?;
            let (tag, written) = terms.sign(head, form, self.credentials.key().keyed());
            self.strict.judge(found | written, form.refuses)?;
            let id = self.credentials.access_key_id();
            Ok(authorization::write(self.scheme, id, terms.listed(), &tag))
        })?;
        Ok(SignatureHeaders { set, authorization })
    }

    /// Whether the host is known, under a scheme that signs it. What sends a request may add it
    /// afterwards, unsigned.
    fn check_host(&self, terms: &Terms<'_>) -> Result<(), Error> {
        let Strict { required, ambiguity } = &self.strict;
        let unsigned = Ambiguities::UNSIGNED_HEADER;
        let is_fine = matches!(self.scheme.facts().covers, Covers::Names { .. })
            || terms.listed().iter().any(|each| *each.name == HOST)
            || required.exempt.contains(&HOST)
            || ambiguity.judge(unsigned, unsigned).is_ok();
        if is_fine {
            return Ok(());
        }
        let rule = format!(
            "the request is not signed: it names no host, which the scheme {} signs: \
             {NAME_THE_HOST}, or exempt the host by with_insecure_unsigned_header",
            self.scheme
        );
        Err(Error::new(ErrorKind::Ambiguous, rule))
    }

    /// The headers that are signed with a request.
    fn set(&self, now: SystemTime, nonce: Option<HeaderValue>) -> SetHeaders {
        let facts = self.scheme.facts();
        let date = facts.date.1.write(now, text_value);
        SetHeaders { facts, date, token: self.credentials.key().token().cloned(), nonce }
    }

    /// Lends `look` what is signed of a request once these headers are set.
    fn look<T>(
        &self,
        request: RequestRef<'_>,
        set: &SetHeaders,
        look: impl FnOnce(&Head<'_>, &Terms<'_>, &Form, &Presigned<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let facts = set.facts;
        let changes: [Change<'_>; 3] = [
            (facts.date.0, Some(&set.date)),
            (facts.security_token, set.token.as_ref()),
            (facts.nonce, set.nonce.as_ref()),
        ];
        // Without a nonce of ours, one that the request has stays.
        let changes = if set.nonce.is_some() { &changes[..] } else { &changes[..2] };
        let mut protocol = ProtocolHeaders::new();
        let head = Head::with(request, changes, &mut protocol);
        let mut list = List::new();
        if let Covers::Listed { .. } = facts.covers {
            coverage::list_documented(&head, &mut list);
        }
        let query = Presigned::read(head.query());
        let terms = Terms::of(self.scheme, &list, query.expires.as_deref());
        look(&head, &terms, Dialect::standard(facts.family), &query)
    }
}

/// The headers that are set before a request is signed, in place of all of their names.
struct SetHeaders {
    facts: &'static Facts,
    date: HeaderValue,
    /// Without one, the header is removed.
    token: Option<HeaderValue>,
    nonce: Option<HeaderValue>,
}

/// All headers of a signature.
pub(crate) struct SignatureHeaders {
    set: SetHeaders,
    authorization: HeaderValue,
}

impl SignatureHeaders {
    /// Sets them all, or leaves the headers as they were if there is no room.
    pub(crate) fn set(self, headers: &mut HeaderMap) -> Result<(), Error> {
        // So few leave room for certain, a map being made for at least 24 576.
        if headers.len() < 4_096 {
            return self.apply(headers);
        }
        let mut changed = headers.clone();
        self.apply(&mut changed)?;
        *headers = changed;
        Ok(())
    }

    fn apply(self, headers: &mut HeaderMap) -> Result<(), Error> {
        let SetHeaders { facts, date, token, nonce } = self.set;
        let mut insert = |name: &'static HeaderName, value| {
            headers.try_insert(name, value).map(drop).map_err(|_| {
                let rule = "there is no room for another header: the request has as many as \
                            http allows";
                Error::new(ErrorKind::TooManyHeaders, rule)
            })
        };
        insert(&AUTHORIZATION, self.authorization)?;
        insert(facts.date.0, date)?;
        if let Some(nonce) = nonce {
            insert(facts.nonce, nonce)?;
        }
        match token {
            Some(token) => insert(facts.security_token, token)?,
            None => drop(headers.remove(facts.security_token)),
        }
        Ok(())
    }
}

/// A header value of text that is made of visible ASCII characters and spaces.
pub(crate) fn text_value(text: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(text).unwrap_or(HeaderValue::from_static(""))
}

impl From<Credentials> for Signer {
    fn from(credentials: Credentials) -> Self {
        Self::new(credentials)
    }
}
