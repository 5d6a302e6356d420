//! Verifying: from the parts of a request to a decision.

use crate::caller::VerifiedCaller;
use crate::canonical::quirks::Ambiguity;
use crate::canonical::{Head, Quirks};
use crate::claim::{Claim, Time};
use crate::clock::{distance, format_acs_date, format_http_date};
use crate::credentials::SigningKey;
use crate::error::{Error, ErrorKind};
use crate::headers::{FC_PREFIX, X_ACS_CONTENT_SHA256, X_ACS_DATE};
use crate::rejection::{Rejection, RejectionKind};
use crate::scheme::acs3::Names;
use crate::scheme::dialect::{Dialect, Dialects, Form};
use crate::scheme::reduce::Seen;
use crate::scheme::{Family, Scheme, Schemes};
use crate::signature::{Keyed, same_text};
use crate::verify::{AsyncKeyStore, KeyStore, KeyStoreError};
use http::header::{HeaderMap, HeaderName};
use http::request::Parts;
use http::{Method, Request, Uri};
use smallvec::SmallVec;
use std::fmt;
use std::time::{Duration, SystemTime};

/// Checks the signatures of requests, whatever receives them.
///
/// [`VerifyLayer`](crate::VerifyLayer) does this for tower services; use a verifier
/// by itself anywhere else. By default it accepts [`Scheme::Fc`] and
/// [`Scheme::Acs3HmacSha256`] in [`Dialect::Standard`], a clock difference of 15
/// minutes either way, and nothing that is ambiguous.
///
/// # Order of checks
///
/// 1. *Shape*: one set of credentials, of a scheme that is switched on, that can be
///    read; dates and nonces at the most once; `host` and the target agree.
/// 2. *Time*: the clock difference, or the end of a presigned URL.
/// 3. *Coverage*: what must be signed is.
/// 4. *Key*: looked up by its id. An unknown id costs the same HMAC as a known one.
/// 5. *Ambiguity*, found while canonicalising.
/// 6. *Signature*, under each dialect that could make a difference, in constant time.
///
/// The first check that fails decides the [`Rejection`]; an ambiguity is reported
/// before an unknown key.
///
/// # Strict
///
/// A request is refused when another of different meaning could have its
/// string-to-sign, or when something that is acted upon is unsigned.
/// [`Ambiguity`] lists the cases. Let one through by name with
/// [`Verifier::with_insecure_allowance`], or all of them, to see which occur, with
/// [`Verifier::with_insecure_observation`].
///
/// ```
/// use tower_fc::{Credentials, RejectionKind, Signer, Verifier};
/// use std::{collections::HashMap, time::SystemTime};
///
/// let credentials = Credentials::new("id", "secret")?;
/// let keys = HashMap::from([("id".to_owned(), credentials.key().clone())]);
/// let verifier = Verifier::new(keys);
///
/// let (mut parts, ()) = http::Request::get("/a/b?c=d").body(())?.into_parts();
/// let now = SystemTime::now();
/// Signer::new(credentials).sign_at(&mut parts, now)?;
/// assert_eq!(verifier.verify_at(&parts, now)?.access_key_id(), "id");
///
/// parts.uri = "/a/b?c=e".parse()?;
/// let rejection = verifier.verify_at(&parts, now).unwrap_err();
/// assert_eq!(rejection.kind(), RejectionKind::SignatureMismatch);
/// assert_eq!(rejection.error_code(), "SignatureNotMatch");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Verifier<K> {
    keys: K,
    policy: Policy,
}

/// Everything about a verifier but its keys.
#[derive(Clone)]
struct Policy {
    schemes: Schemes,
    dialects: Dialects,
    forms: Forms,
    max_skew: Duration,
    max_lifetime: Duration,
    allowed: Quirks,
    unsigned_allowed: Vec<HeaderName>,
    must_be_signed: Vec<HeaderName>,
    nonce_required: bool,
    /// Stands in for the secret of an unknown access key.
    decoy: Keyed,
}

/// The clock difference that Function Compute accepts, either way.
pub const DEFAULT_MAX_SKEW: Duration = Duration::from_secs(15 * 60);

/// How far ahead a presigned URL may end by default: 7 days.
pub const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Refused whatever the settings.
const NEVER_ALLOWED: Quirks = Quirks::QUERY_CREDENTIALS.with(Quirks::ABSENT_HEADER);

impl<K> Verifier<K> {
    /// Verifies by the keys of a [`KeyStore`] or an [`AsyncKeyStore`].
    pub fn new(keys: K) -> Self {
        let policy = Policy {
            schemes: Schemes::DEFAULT,
            dialects: Dialects::STANDARD,
            forms: Dialects::STANDARD.into(),
            max_skew: DEFAULT_MAX_SKEW,
            max_lifetime: DEFAULT_MAX_LIFETIME,
            allowed: Quirks::NONE,
            unsigned_allowed: Vec::new(),
            must_be_signed: Vec::new(),
            nonce_required: false,
            decoy: Keyed::new(b"of an access key that does not exist"),
        };
        Self { keys, policy }
    }

    /// Accepts these schemes and no others.
    #[must_use]
    pub fn with_schemes(mut self, schemes: impl Into<Schemes>) -> Self {
        self.policy.schemes = schemes.into();
        self
    }

    /// Accepts these dialects and no others. Presigned URLs are always read in
    /// [`Dialect::Standard`], the only one there is for them.
    ///
    /// Dialects whose strings-to-sign coincide on a request cost nothing; each one
    /// that differs costs one more HMAC before a request is refused.
    #[must_use]
    pub fn with_dialects(mut self, dialects: impl Into<Dialects>) -> Self {
        self.policy.dialects = dialects.into();
        self.policy.forms = self.policy.dialects.into();
        self
    }

    /// Accepts this clock difference, either way, in place of 15 minutes.
    #[must_use]
    pub fn with_max_skew(mut self, skew: Duration) -> Self {
        self.policy.max_skew = skew;
        self
    }

    /// Accepts presigned URLs that end at the most this far ahead, in place of 7 days.
    #[must_use]
    pub fn with_max_lifetime(mut self, lifetime: Duration) -> Self {
        self.policy.max_lifetime = lifetime;
        self
    }

    /// Refuses requests under the `ACS3` schemes that have one of these headers
    /// without signing it. A request without a `host` header has one in its target.
    ///
    /// By default `host` and `content-type` may go unsigned, because the documented
    /// samples for HTTP triggers do not sign them.
    #[must_use]
    pub fn with_required_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.policy.must_be_signed.extend(names);
        self
    }

    /// Refuses requests that carry no signed nonce: `x-acs-signature-nonce`, or
    /// `x-fc-signature-nonce` under [`Scheme::Fc`]. Presigned URLs have none, and so
    /// are refused. Off by default.
    #[must_use]
    pub fn with_required_nonce(mut self) -> Self {
        self.policy.nonce_required = true;
        self
    }

    /// Lets a header of this name go unsigned that would have to be signed, being an
    /// `x-acs-` or `x-fc-` header.
    ///
    /// Insecure: whoever passes a request on can set, change and remove it.
    /// `x-acs-content-sha256` needs no exemption: it is signed as the payload line.
    #[must_use]
    pub fn with_insecure_unsigned_header(mut self, name: HeaderName) -> Self {
        self.policy.unsigned_allowed.push(name);
        self
    }

    /// Lets requests through that are ambiguous in this one way.
    ///
    /// Insecure: see [`Ambiguity`] for what that opens.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for those that are always refused,
    /// [`Ambiguity::QueryCredentials`] and [`Ambiguity::AbsentHeader`].
    pub fn with_insecure_allowance(mut self, ambiguity: Ambiguity) -> Result<Self, Error> {
        let quirk = Quirks::of(ambiguity);
        if NEVER_ALLOWED.contains(quirk) {
            let rule = ambiguity.rule();
            return Err(Error::new(
                ErrorKind::InvalidSetting,
                format!("this can never be let through: {rule}"),
            ));
        }
        self.policy.allowed |= quirk;
        Ok(self)
    }

    /// Lets every request through that is refused for being ambiguous, and reports
    /// what was: see [`VerifiedCaller::ambiguities`]. For finding out which clients
    /// strictness would lock out.
    ///
    /// Insecure for as long as it is on.
    #[must_use]
    pub fn with_insecure_observation(mut self) -> Self {
        let all = Ambiguity::ALL.iter().map(|each| Quirks::of(*each));
        self.policy.allowed = all.fold(Quirks::NONE, Quirks::with).without(NEVER_ALLOWED);
        self
    }

    /// The keys it verifies by.
    pub fn keys(&self) -> &K {
        &self.keys
    }
}

impl<K: KeyStore> Verifier<K> {
    /// Verifies a request as of now. See [`Verifier::verify_at`].
    ///
    /// # Errors
    /// As [`Verifier::verify_at`].
    pub fn verify(&self, parts: &Parts) -> Result<VerifiedCaller, Rejection> {
        self.verify_at(parts, SystemTime::now())
    }

    /// Verifies a request as of `now`.
    ///
    /// # Errors
    /// A [`Rejection`] that says which [check](Verifier#order-of-checks) failed.
    pub fn verify_at(&self, parts: &Parts, now: SystemTime) -> Result<VerifiedCaller, Rejection> {
        self.check(&parts.method, &parts.uri, &parts.headers, now)
    }

    /// Verifies a whole request as of `now`. Its body is not looked at.
    ///
    /// # Errors
    /// As [`Verifier::verify_at`].
    pub fn verify_request_at<B>(
        &self,
        request: &Request<B>,
        now: SystemTime,
    ) -> Result<VerifiedCaller, Rejection> {
        self.check(request.method(), request.uri(), request.headers(), now)
    }

    pub(crate) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        now: SystemTime,
    ) -> Result<VerifiedCaller, Rejection> {
        let head = Head::new(method, uri, headers);
        let mut names = Names::new();
        let claim = self.policy.read(&head, &mut names, now)?;
        let keys = self.keys.lookup(&claim.access_key_id).map_err(|error| unavailable(&error))?;
        self.policy.decide(&claim, keys.as_slice(), now)
    }
}

impl<K: AsyncKeyStore> Verifier<K> {
    /// Verifies a request as of `now` by keys that have to be awaited.
    ///
    /// # Errors
    /// As [`Verifier::verify_at`].
    pub async fn verify_async_at(
        &self,
        parts: &Parts,
        now: SystemTime,
    ) -> Result<VerifiedCaller, Rejection> {
        self.check_async(&parts.method, &parts.uri, &parts.headers, now).await
    }

    pub(crate) async fn check_async(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        now: SystemTime,
    ) -> Result<VerifiedCaller, Rejection> {
        let head = Head::new(method, uri, headers);
        let mut names = Names::new();
        let claim = self.policy.read(&head, &mut names, now)?;
        let keys = self.keys.lookup(&claim.access_key_id).await;
        let keys = keys.map_err(|error| unavailable(&error))?;
        self.policy.decide(&claim, keys.as_slice(), now)
    }
}

impl Policy {
    /// Checks shape, time and coverage.
    fn read<'a, 'h>(
        &self,
        head: &'a Head<'h>,
        names: &'a mut Names<'h>,
        now: SystemTime,
    ) -> Result<Claim<'a, 'h>, Rejection> {
        let claim = Claim::read(head, self.schemes, names)?;
        self.check_time(&claim, now)
            .and_then(|()| self.check_coverage(&claim))
            .map_err(|rejection| rejection.by(&claim.access_key_id))?;
        Ok(claim)
    }

    fn check_time(&self, claim: &Claim<'_, '_>, now: SystemTime) -> Result<(), Rejection> {
        match claim.time {
            Time::SignedAt(time) if distance(time, now) > self.max_skew => {
                let text = |time| match claim.scheme.family() {
                    Family::Acs3 => String::from_utf8_lossy(&format_acs_date(time)).into_owned(),
                    _ => String::from_utf8_lossy(&format_http_date(time)).into_owned(),
                };
                let (time, now) = (text(time), text(now));
                Err(Rejection::new(
                    RejectionKind::RequestTimeTooSkewed,
                    format!(
                        "the difference between the request time '{time}' and the current time \
                         '{now}' is too large"
                    ),
                ))
            }
            Time::Until(end) if end <= now => {
                let message = "the presigned URL has expired";
                Err(Rejection::new(RejectionKind::Expired, message))
            }
            Time::Until(end) if distance(end, now) > self.max_lifetime => {
                let seconds = self.max_lifetime.as_secs();
                let message = format!("the presigned URL ends more than {seconds} seconds ahead");
                Err(Rejection::new(RejectionKind::ExpiresTooLate, message))
            }
            _ => Ok(()),
        }
    }

    /// Whether everything is signed that must be, but for what a trigger acts upon:
    /// that is found while canonicalising.
    fn check_coverage(&self, claim: &Claim<'_, '_>) -> Result<(), Rejection> {
        let nonce = claim.scheme.family().nonce_header();
        if self.nonce_required && claim.nonce.is_none() {
            let message = format!("required HTTP header {nonce} was not specified");
            return Err(Rejection::new(RejectionKind::MissingNonce, message));
        }
        let Some(signed) = claim.signed_headers() else { return Ok(()) };
        let head = claim.head;
        if !signed.contains(&X_ACS_DATE.as_str()) {
            return Err(unsigned(X_ACS_DATE.as_str()));
        }
        if self.nonce_required && !signed.contains(&nonce.as_str()) {
            return Err(unsigned(nonce.as_str()));
        }
        for name in &self.must_be_signed {
            let is_there = head.headers.contains_key(name)
                || name == http::header::HOST && head.host().is_some();
            if is_there && !signed.contains(&name.as_str()) {
                return Err(unsigned(name.as_str()));
            }
        }
        Ok(())
    }

    /// Checks ambiguity and signature against the live keys of the access key id.
    fn decide(
        &self,
        claim: &Claim<'_, '_>,
        keys: &[SigningKey],
        now: SystemTime,
    ) -> Result<VerifiedCaller, Rejection> {
        let live = || keys.iter().filter(|key| key.is_live(now));
        let mut refused = None;
        let mut tried = Tried::new(claim.head);
        for accepted in self.accepted(claim.scheme) {
            if !tried.differs(accepted.form) {
                continue;
            }
            let outcome = match live().next() {
                None => self.compare(claim, accepted, &self.decoy).map(|_| None),
                Some(_) => live().try_fold(None, |found: Option<Quirks>, key| match found {
                    Some(_) => Ok(found),
                    None => {
                        let found = self.compare(claim, accepted, key.keyed())?;
                        Ok(found.filter(|_| token_fits(claim, key)))
                    }
                }),
            };
            match outcome {
                Ok(Some(quirks)) => {
                    let reported = quirks & accepted.refuses;
                    return Ok(VerifiedCaller::new(claim, accepted.dialect, reported));
                }
                Ok(None) => tried.add(accepted.form),
                Err(ambiguity) => refused = refused.or(Some(ambiguity)),
            }
        }
        let rejection = match (refused, live().next()) {
            (Some(Ambiguity::UnsignedHeader), _) => {
                unsigned(self.unsigned_headers(claim).next().unwrap_or_default())
            }
            (Some(ambiguity), _) => Rejection::ambiguous(ambiguity),
            (None, None) => {
                let id = &claim.access_key_id;
                let message = format!("invalid access key ID '{id}'");
                Rejection::new(RejectionKind::UnknownAccessKey, message)
            }
            (None, Some(_)) => Rejection::new(
                RejectionKind::SignatureMismatch,
                "The request signature we calculated does not match the signature you provided. \
                 Check your access key and signing method",
            ),
        };
        Err(rejection.by(&claim.access_key_id))
    }

    /// Compares the claimed signature with the one under a form and a secret: what is
    /// ambiguous if they match, `None` if they do not.
    ///
    /// # Errors
    /// An ambiguity that must not be, whether they match or not.
    fn compare(
        &self,
        claim: &Claim<'_, '_>,
        accepted: &Accepted,
        keyed: &Keyed,
    ) -> Result<Option<Quirks>, Ambiguity> {
        let (tag, quirks) = claim.subject().sign(accepted.form, keyed);
        let expected = match claim.scheme {
            Scheme::FcPresigned => Quirks::QUERY_CREDENTIALS.with(Quirks::EXPIRES_AS_DATE),
            _ => Quirks::NONE,
        };
        let mut quirks = quirks.without(expected);
        if quirks.contains(Quirks::UNSIGNED_HEADER) && self.unsigned_headers(claim).next().is_none()
        {
            quirks = quirks.without(Quirks::UNSIGNED_HEADER);
        }
        match (quirks & accepted.refuses.without(self.allowed)).iter().next() {
            Some(ambiguity) => Err(ambiguity),
            None => {
                let matches = claim.signature.is_some_and(|claimed| claimed.matches(&tag));
                Ok(matches.then_some(quirks))
            }
        }
    }

    /// The headers that a trigger acts upon and that are neither signed nor exempt.
    fn unsigned_headers<'h>(&self, claim: &Claim<'_, 'h>) -> impl Iterator<Item = &'h str> {
        let is_signed = |name: &str| match claim.signed_headers() {
            Some(signed) => signed.contains(&name) || name == X_ACS_CONTENT_SHA256,
            None => claim.scheme.family() == Family::Fc || !name.starts_with(FC_PREFIX),
        };
        let protocol = claim.head.fields.protocol.clone().into_iter();
        protocol.map(|header| header.name).filter(move |name| {
            !is_signed(name) && !self.unsigned_allowed.iter().any(|allowed| allowed == name)
        })
    }

    /// The forms in which a signature may be, the documented one first.
    fn accepted(&self, scheme: Scheme) -> &[Accepted] {
        match scheme.family() {
            _ if scheme == Scheme::FcPresigned => std::slice::from_ref(&PRESIGNED),
            Family::Fc => &self.forms.fc,
            Family::Acs3 => &self.forms.acs3,
            Family::Acs => &self.forms.acs,
        }
    }
}

/// A form in which a signature may be.
#[derive(Clone, Copy)]
struct Accepted {
    dialect: Dialect,
    form: &'static Form,
    /// What must not occur under it.
    refuses: Quirks,
}

/// Presigned URLs have one dialect.
const PRESIGNED: Accepted = Accepted {
    dialect: Dialect::Standard,
    form: Form::standard(Family::Fc),
    refuses: Form::standard(Family::Fc).refuses.with(NEVER_ALLOWED),
};

/// The forms of the accepted dialects for each family of schemes.
#[derive(Clone)]
struct Forms {
    fc: Vec<Accepted>,
    acs3: Vec<Accepted>,
    acs: Vec<Accepted>,
}

impl From<Dialects> for Forms {
    fn from(dialects: Dialects) -> Self {
        let of = |family| {
            let form = |dialect: Dialect| {
                let form = dialect.form(family)?;
                let refuses = dialects.refuses(form, family).with(NEVER_ALLOWED);
                Some(Accepted { dialect, form, refuses })
            };
            dialects.iter().filter_map(form).collect()
        };
        Self { fc: of(Family::Fc), acs3: of(Family::Acs3), acs: of(Family::Acs) }
    }
}

/// Whether the claim carries the security token that belongs to a key.
fn token_fits(claim: &Claim<'_, '_>, key: &SigningKey) -> bool {
    key.token().is_none_or(|token| {
        same_text(token.as_bytes(), claim.security_token.as_deref().unwrap_or_default())
    })
}

/// The forms that a signature was compared under, reduced to where they differ.
struct Tried<'a, 'h> {
    head: &'a Head<'h>,
    seen: Option<Seen>,
    forms: SmallVec<[&'static Form; 4]>,
}

impl<'a, 'h> Tried<'a, 'h> {
    fn new(head: &'a Head<'h>) -> Self {
        Self { head, seen: None, forms: SmallVec::new() }
    }

    fn add(&mut self, form: &'static Form) {
        self.forms.push(form);
    }

    /// Whether a form writes anything that was not tried yet.
    fn differs(&mut self, form: &Form) -> bool {
        if self.forms.is_empty() {
            return true;
        }
        let seen = self.seen.get_or_insert_with(|| Seen::of(self.head));
        let reduced = form.reduced(seen);
        !self.forms.iter().any(|tried| tried.reduced(seen) == reduced)
    }
}

fn unsigned(name: &str) -> Rejection {
    let message = format!("the HTTP header {name} must be signed");
    Rejection::new(RejectionKind::UnsignedHeader, message)
}

fn unavailable(_: &KeyStoreError) -> Rejection {
    let message = "access keys cannot be looked up at the moment";
    Rejection::new(RejectionKind::KeyStoreUnavailable, message)
}

impl<K> fmt::Debug for Verifier<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("schemes", &self.policy.schemes)
            .field("dialects", &self.policy.dialects)
            .field("max_skew", &self.policy.max_skew)
            .field("max_lifetime", &self.policy.max_lifetime)
            .field("allowed", &self.policy.allowed)
            .finish_non_exhaustive()
    }
}
