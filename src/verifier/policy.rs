//! What a verifier decides by.

use super::{
    DEFAULT_MAX_HEADERS_LEN, DEFAULT_MAX_LIFETIME, DEFAULT_MAX_SIGNED_HEADERS, DEFAULT_MAX_SKEW,
    DEFAULT_MAX_TARGET_LEN,
};
use crate::caller::VerifiedCaller;
use crate::canonical::parameters::names_credentials;
use crate::canonical::quirks::Ambiguity;
use crate::canonical::{Head, Quirks};
use crate::claim::{Claim, Time};
use crate::clock::{distance, format_acs_date, format_http_date};
use crate::credentials::SigningKey;
use crate::headers::{FC_PREFIX, X_ACS_CONTENT_SHA256, X_ACS_DATE};
use crate::rejection::{Rejection, RejectionKind};
use crate::scheme::acs3::Names;
use crate::scheme::dialect::{Dialect, Dialects, Form};
use crate::scheme::reduce::Seen;
use crate::scheme::{Family, Scheme, Schemes};
use crate::signature::{Keyed, same_text};
use http::header::HeaderName;
use smallvec::SmallVec;
use std::time::{Duration, SystemTime};

/// Everything about a verifier but its keys.
#[derive(Clone)]
pub(super) struct Policy {
    pub(super) schemes: Schemes,
    pub(super) dialects: Dialects,
    forms: Forms,
    pub(super) max_skew: Duration,
    pub(super) max_lifetime: Duration,
    pub(super) allowed: Quirks,
    pub(super) unsigned_allowed: Vec<HeaderName>,
    pub(super) must_be_signed: Vec<HeaderName>,
    pub(super) nonce_required: bool,
    pub(super) max_target_len: usize,
    pub(super) max_headers_len: usize,
    pub(super) max_signed_headers: usize,
    /// Stands in for the secret of an unknown access key.
    decoy: Keyed,
}

/// Refused whatever the settings.
pub(super) const NEVER_ALLOWED: Quirks = Quirks::QUERY_CREDENTIALS.with(Quirks::ABSENT_HEADER);

impl Default for Policy {
    fn default() -> Self {
        Self {
            schemes: Schemes::DEFAULT,
            dialects: Dialects::STANDARD,
            forms: Dialects::STANDARD.into(),
            max_skew: DEFAULT_MAX_SKEW,
            max_lifetime: DEFAULT_MAX_LIFETIME,
            allowed: Quirks::NONE,
            unsigned_allowed: Vec::new(),
            must_be_signed: Vec::new(),
            nonce_required: false,
            max_target_len: DEFAULT_MAX_TARGET_LEN,
            max_headers_len: DEFAULT_MAX_HEADERS_LEN,
            max_signed_headers: DEFAULT_MAX_SIGNED_HEADERS,
            decoy: Keyed::new(b"of an access key that does not exist"),
        }
    }
}

impl Policy {
    pub(super) fn set_dialects(&mut self, dialects: Dialects) {
        self.dialects = dialects;
        self.forms = dialects.into();
    }

    /// Checks shape, time and coverage.
    #[inline(always)]
    pub(super) fn read<'a, 'h>(
        &self,
        head: &'a Head<'h>,
        names: &'a mut Names<'h>,
        now: SystemTime,
    ) -> Result<Claim<'a, 'h>, Rejection> {
        self.check_size(head)?;
        let claim = Claim::read(head, self.schemes, names)?;
        self.check_time(&claim, now)
            .and_then(|()| self.check_coverage(&claim))
            .map_err(|rejection| rejection.by(&claim.access_key_id))?;
        Ok(claim)
    }

    /// So that the work for a request that turns out to be refused is bounded.
    fn check_size(&self, head: &Head<'_>) -> Result<(), Rejection> {
        let over = |what: &str, len: usize, most: usize, unit: &str| {
            let message = format!("{what}: {len} {unit}, and {most} at the most are allowed");
            Err(Rejection::new(RejectionKind::LimitExceeded, message))
        };
        let target_len = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
        if target_len > self.max_target_len {
            return over("the length of path and query", target_len, self.max_target_len, "bytes");
        }
        if head.fields.len > self.max_headers_len {
            return over(
                "the length of all headers",
                head.fields.len,
                self.max_headers_len,
                "bytes",
            );
        }
        let authorization = head.fields.authorization.text();
        // A shorter text cannot have that many semicolons.
        if authorization.len() >= self.max_signed_headers {
            let signed = memchr::memchr_iter(b';', authorization).count() + 1;
            if signed > self.max_signed_headers {
                let most = self.max_signed_headers;
                return over("the number of signed headers", signed, most, "names");
            }
        }
        Ok(())
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
    #[inline(always)]
    pub(super) fn decide(
        &self,
        claim: &Claim<'_, '_>,
        keys: &[SigningKey],
        now: SystemTime,
    ) -> Result<VerifiedCaller, Rejection> {
        let live = || keys.iter().enumerate().filter(|(_, key)| key.is_live(now));
        let mut refused = None;
        let mut tried = Tried::new(claim.head);
        for accepted in self.accepted(claim.scheme) {
            if !tried.differs(accepted.form) {
                continue;
            }
            match self.find_key(claim, accepted, live()) {
                Ok(Some((position, quirks))) => {
                    let reported = quirks & accepted.refuses;
                    return Ok(VerifiedCaller::new(claim, accepted.dialect, reported, position));
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

    /// The position of the key that the claimed signature was made with, under a form,
    /// and what is ambiguous.
    fn find_key<'k>(
        &self,
        claim: &Claim<'_, '_>,
        accepted: &Accepted,
        live: impl Iterator<Item = (usize, &'k SigningKey)>,
    ) -> Result<Option<(usize, Quirks)>, Ambiguity> {
        let mut live = live.peekable();
        if live.peek().is_none() {
            // Costs what a wrong signature costs.
            self.compare(claim, accepted, &self.decoy)?;
        }
        for (position, key) in live {
            match self.compare(claim, accepted, key.keyed())? {
                Some(quirks) if token_fits(claim, key) => return Ok(Some((position, quirks))),
                _ => {}
            }
        }
        Ok(None)
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
        // Where nothing is ambiguous, the form reads every parameter as others do.
        if quirks != Quirks::NONE
            && claim.authorization.is_some()
            && names_credentials(claim.head.query())
        {
            quirks |= Quirks::QUERY_CREDENTIALS;
        }
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
        let protocol = claim.head.fields.protocol.iter();
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
