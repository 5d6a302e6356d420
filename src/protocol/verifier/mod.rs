//! Verifying: from the parts of a request to a decision.

pub(crate) mod caller;
pub(crate) mod credentials;
mod decide;
pub(crate) mod limits;
pub(crate) mod rejection;
pub(crate) mod time;

use super::dialect::Dialects;
use super::key::{KeyStore, VerifyingKey};
use super::request::{Head, ProtocolHeaders, RequestRef};
use super::scheme::Schemes;
use super::scheme::ambiguity::Ambiguity;
use super::scheme::coverage::{List, Uncovered};
use super::scheme::strict::Strict;
use caller::VerifiedCaller;
use credentials::Claim;
use decide::Forms;
use http::Request;
use http::header::HeaderName;
use http::request::Parts;
use limits::Limits;
use rejection::{Rejection, RejectionKind};
use std::fmt;
use std::time::{Duration, SystemTime};
use time::Window;

/// Checks the signatures of requests, whatever receives them.
///
/// [`VerifyLayer`](crate::VerifyLayer) does this for tower services; use a verifier
/// by itself anywhere else. By default it accepts [`Scheme::Fc`](crate::Scheme::Fc) and
/// [`Scheme::Acs3HmacSha256`](crate::Scheme::Acs3HmacSha256) in
/// [`Dialect::Standard`](crate::protocol::Dialect::Standard), a clock difference of 15 minutes
/// either way, and nothing that is ambiguous.
///
/// # Order of checks
///
/// 1. *Size* of the target and of all headers, and the number of signed ones.
/// 2. *Shape*: one set of credentials, of a scheme that is switched on, that can be
///    read; dates and nonces at the most once; `host` and the target agree.
/// 3. *Time*: the clock difference, or the end of a presigned URL.
/// 4. *Coverage*: what must be signed is.
/// 5. *Key*: looked up by its id. An unknown id costs the same HMAC as one with one secret.
/// 6. *Ambiguity*, found while canonicalising.
/// 7. *Signature*, under each dialect that could make a difference, in constant time.
///
/// The first check that fails decides the [`Rejection`]; an ambiguity is reported
/// before an unknown key.
///
/// # Strict
///
/// A request is refused when another of different meaning could have its
/// string-to-sign, or when something that is acted upon is unsigned. Let one case
/// through by name with [`Verifier::with_insecure_allowance`], or all of them, to see
/// which occur, with [`Verifier::with_insecure_observation`].
///
/// | refused ([`Ambiguity`]) | because | in |
/// |---|---|---|
/// | `PathNewline`, `PathSlash`: `%0A`, `%2F` in the path | the path is signed decoded | `FC` but of Java and Node; the Go and Java samples of `ACS3` |
/// | `PathPercent`: `%25` in the path | `/a%2520b` is signed as `/a%20b`, which others sign for what it is | these |
/// | `PathUnreserved`: an escape of a letter, a digit, `-`, `.` or `_` in the path | `/%61ll` is signed as `/all`, which is another path to most routers | these; the documented form of `ACS3` |
/// | `PathPlus`: `+` in the path | it is signed as a space | `ACS3` of Node and Go |
/// | `PathMalformed`, `Malformed`: `%` that begins no escape | parsers drop, keep or refuse it | all |
/// | `PathNotUtf8`, `NotUtf8` | bytes are signed as U+FFFD | those that replace them |
/// | `Semicolon`: `;` in the query | parsers cut there, or drop the part | all |
/// | `Plus`: `+` in the query | it is signed as such, and read as a space | `FC` of Python's gateway package |
/// | `KeyEquals`, `KeyAmpersand`, `KeyNewline`: `%3D`, `%26`, `%0A` in a name | names are signed unencoded | `FC`, `acs`, `ACS3` of Python, Node and Go |
/// | `KeyPercent`, `KeyPlus`: `%25`, `%2B` in a name | other names are signed like that | `ACS3` of Python, Node and Go; of Go |
/// | `ValueNewline`, `ValueAmpersand`: `%0A`, `%26` in a value | values are signed unencoded | `FC`; `acs`, `FC` of Python's gateway package |
/// | `RepeatedKey`, `BlankValue`, `Nameless` | part of the query is unsigned | the samples of `ACS3`, Python's, Java's |
/// | `UnsignedQuery` | the query is unsigned | `FC` of management calls |
/// | `RepeatedHeader` | values are signed joined, or one of them only | all |
/// | `PaddedHeader` | white space around a value is not signed | all |
/// | `UnsignedHeader`: `x-acs-` or `x-fc-` outside `SignedHeaders`, or of the other scheme | a trigger acts upon them | all; exempt one with [`Verifier::with_insecure_unsigned_header`] |
/// | `ExpiresAsDate`: `x-fc-expires` in the query beside a signature in headers | `FC` of Go and Java sign it in place of the date | all |
/// | `AcceptUndefined`: `Accept: undefined` | Node signs that for no header | `acs` |
/// | `QueryCredentials`, `AbsentHeader` | two sets of credentials; a listed header that is not there | all; cannot be let through |
///
/// The Go and Node helpers for `ACS3` cannot sign `x-fc-` headers: exempt those you
/// need, one by one.
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
    schemes: Schemes,
    limits: Limits,
    window: Window,
    strict: Strict,
    forms: Forms,
}

impl<K> Verifier<K> {
    /// Verifies by the keys of a [`KeyStore`] or an
    /// [`AsyncKeyStore`](crate::keys::AsyncKeyStore).
    pub fn new(keys: K) -> Self {
        Self {
            keys,
            schemes: Schemes::DEFAULT,
            limits: Limits::default(),
            window: Window::default(),
            strict: Strict::default(),
            forms: Dialects::STANDARD.into(),
        }
    }

    /// Accepts these schemes and no others.
    #[must_use]
    pub fn with_schemes(mut self, schemes: impl Into<Schemes>) -> Self {
        self.schemes = schemes.into();
        self
    }

    /// Accepts these dialects and no others. Presigned URLs are always read in
    /// [`Dialect::Standard`](crate::protocol::Dialect::Standard), the only one there is for them.
    ///
    /// Dialects whose strings-to-sign coincide on a request cost nothing; each one
    /// that differs costs one more HMAC before a request is refused.
    #[must_use]
    pub fn with_dialects(mut self, dialects: impl Into<Dialects>) -> Self {
        self.forms = dialects.into().into();
        self
    }

    /// Accepts this clock difference, either way, in place of 15 minutes.
    #[must_use]
    pub fn with_max_skew(mut self, skew: Duration) -> Self {
        self.window.max_skew = skew;
        self
    }

    /// Accepts presigned URLs that end at the most this far ahead, in place of 7 days.
    #[must_use]
    pub fn with_max_lifetime(mut self, lifetime: Duration) -> Self {
        self.window.max_lifetime = lifetime;
        self
    }

    /// Refuses longer targets (path and query), in bytes, in place of those over 16 KiB.
    #[must_use]
    pub fn with_max_target_len(mut self, len: usize) -> Self {
        self.limits.target_len = len;
        self
    }

    /// Refuses requests whose header names and values are longer together, in bytes,
    /// in place of those over 32 KiB.
    #[must_use]
    pub fn with_max_headers_len(mut self, len: usize) -> Self {
        self.limits.headers_len = len;
        self
    }

    /// Refuses longer `SignedHeaders` lists, in names, in place of those over 100.
    #[must_use]
    pub fn with_max_signed_headers(mut self, count: usize) -> Self {
        self.limits.signed_headers = count;
        self
    }

    /// Refuses requests under the `ACS3` schemes that have one of these headers
    /// without signing it. A request without a `host` header has one in its target.
    ///
    /// By default `host` and `content-type` may go unsigned, because the documented
    /// samples for HTTP triggers do not sign them.
    #[must_use]
    pub fn with_required_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.strict.required.headers.extend(names);
        self
    }

    /// Refuses requests that carry no signed nonce: `x-acs-signature-nonce`, or
    /// `x-fc-signature-nonce` under [`Scheme::Fc`](crate::Scheme::Fc). Presigned URLs have none, and so
    /// are refused. Off by default.
    #[must_use]
    pub fn with_required_nonce(mut self) -> Self {
        self.strict.required.nonce = true;
        self
    }

    strictness!(strict);

    /// The keys it verifies by.
    pub fn keys(&self) -> &K {
        &self.keys
    }
}

impl<K> Verifier<K> {
    /// Checks size, shape, time and coverage of a request.
    pub(crate) fn read<'a>(
        &self,
        head: &Head<'a>,
        list: &mut List<'a>,
        now: SystemTime,
    ) -> Result<Claim<'a>, Rejection> {
        self.limits.check(head)?;
        let mut claim = Claim::read(head, self.schemes, list)?;
        let scheme = claim.scheme;
        self.check_time(&claim, now)?;
        let Strict { required, ambiguity } = &self.strict;
        let checked = required.check(head, scheme, list, *ambiguity).map_err(|fault| match fault {
            Uncovered::Header(name) => Rejection::unsigned(name),
            Uncovered::Absent => Rejection::ambiguous(Ambiguity::AbsentHeader),
            Uncovered::Nonce(name) => {
                let message = format!("required HTTP header {name} was not specified");
                Rejection::new(RejectionKind::MissingNonce, message)
            }
        });
        claim.found |= checked.map_err(|rejection| rejection.by(&claim.access_key_id))?;
        Ok(claim)
    }

    /// Checks when a request was signed, or whether it has ended.
    pub(crate) fn check_time(&self, claim: &Claim<'_>, now: SystemTime) -> Result<(), Rejection> {
        let checked = self.window.check(claim.time, claim.scheme.facts().date.1, now);
        checked.map_err(|rejection| rejection.by(&claim.access_key_id))
    }

    /// Checks ambiguity and signature of a request.
    pub(crate) fn decide<'a>(
        &self,
        head: &Head<'a>,
        claim: &Claim<'a>,
        list: &List<'a>,
        keys: &[VerifyingKey],
        now: SystemTime,
    ) -> Result<VerifiedCaller, Rejection> {
        let matched = self.forms.decide(head, claim, list, self.strict.ambiguity, keys, now)?;
        Ok(VerifiedCaller::new(head, claim, matched, now, self.window.end(claim.time)))
    }
}

impl<K: KeyStore> Verifier<K> {
    /// Verifies a request as of `now`.
    ///
    /// # Errors
    /// A [`Rejection`] that says which [check](Verifier#order-of-checks) failed.
    pub fn verify_at(&self, parts: &Parts, now: SystemTime) -> Result<VerifiedCaller, Rejection> {
        self.check(parts.into(), now)
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
        self.check(request.into(), now)
    }

    pub(crate) fn check(
        &self,
        request: RequestRef<'_>,
        now: SystemTime,
    ) -> Result<VerifiedCaller, Rejection> {
        let mut protocol = ProtocolHeaders::new();
        let head = Head::of(request, &mut protocol);
        let mut list = List::new();
        let claim = self.read(&head, &mut list, now)?;
        let keys = self.keys.lookup(&claim.access_key_id);
        let keys = keys.map_err(|error| claim.unavailable(error))?;
        self.decide(&head, &claim, &list, keys.as_slice(), now)
    }
}

impl<K> fmt::Debug for Verifier<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("schemes", &self.schemes)
            .field("dialects", &self.forms.dialects)
            .field("max_skew", &self.window.max_skew)
            .field("max_lifetime", &self.window.max_lifetime)
            .field("strict", &self.strict)
            .finish_non_exhaustive()
    }
}
