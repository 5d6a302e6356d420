//! Verifying: from the parts of a request to a decision.

pub(crate) mod caller;
pub(crate) mod credentials;
mod decide;
pub(crate) mod limits;
pub(crate) mod rejection;
mod settings;
pub(crate) mod time;

use super::dialect::Dialects;
use super::external::Base;
use super::host::Hosts;
use super::key::VerifyingKey;
use super::key_store::KeyStore;
use super::others::Others;
use super::request::{Head, ProtocolHeaders, Readings, RequestRef};
use super::scheme::Schemes;
use super::scheme::ambiguity::Ambiguity;
use super::scheme::coverage::{List, Uncovered};
use super::scheme::strict::Strict;
use crate::headers::OF_PLATFORM;
use caller::VerifiedCaller;
use credentials::{Claim, check_target, left_to};
use decide::Forms;
use http::request::Parts;
use http::{Request, Uri};
use limits::Limits;
use rejection::{Rejection, RejectionKind};
use std::fmt;
use std::time::SystemTime;
use time::Window;

/// Checks the signatures of requests, whatever receives them.
///
/// [`VerifyLayer`](crate::VerifyLayer) does this for tower services; use a verifier
/// by itself anywhere else. By default it accepts [`Scheme::Fc`](crate::Scheme::Fc) and
/// [`Scheme::Acs3HmacSha256`](crate::Scheme::Acs3HmacSha256) in
/// [`Dialect::Standard`](crate::protocol::Dialect::Standard), a clock difference of 15 minutes
/// either way, and nothing that is ambiguous.
///
/// The access key id is not signed, but in a presigned URL. What tells who a request is from is
/// the secret, so [no two ids](KeyStore) should have the same.
///
/// # Order of checks
///
/// 1. *Size* of the target and of all headers, and the number of signed ones.
/// 2. *Shape*: one set of credentials, of a scheme that is switched on, that can be
///    read; dates and nonces at the most once; `host` and the target agree; and the host is one
///    of [those that are accepted](Verifier::with_hosts).
/// 3. *Time*: the clock difference, or the end of a presigned URL.
/// 4. *Coverage*: what must be signed is.
/// 5. *Key*: looked up by its id. An unknown id costs the same HMAC as one with one secret.
/// 6. *Ambiguity*, found while canonicalising.
/// 7. *Signature*, under each dialect that could make a difference, in constant time.
///
/// The first check that fails decides the [`Rejection`]; an ambiguity is reported
/// before an unknown key. With [`Verifier::with_platform_headers`] there may be two readings of a
/// request, of which one has to pass 2 to 7.
///
/// # Strict
///
/// A request is refused when another of different meaning could have its
/// string-to-sign, or when something that is acted upon is unsigned. Let one case
/// through by name with [`Verifier::with_insecure_allowance`], or all of them, to see
/// which occur, with [`Verifier::with_insecure_observation`].
///
/// So of all requests with one signature, those that are accepted mean the same. Which one was
/// meant by whoever signed is for the signer to say: a [`Signer`](crate::Signer) refuses the same,
/// others do not. Under `FC` and `acs`, and in the samples of `ACS3`, what they sign can be good for
/// another request than theirs, which no verifier can tell; the official SDKs do sign such requests
/// (`SECURITY.md` counts them, by dialect). Where others sign, prefer
/// [`Scheme::Acs3HmacSha256`](crate::Scheme::Acs3HmacSha256) in its documented form: no twin was
/// found of a request that all parsers read in one way.
///
/// | refused ([`Ambiguity`]) | because | in |
/// |---|---|---|
/// | `PathNewline`, `PathSlash`: `%0A`, `%2F` in the path | the path is signed decoded | `FC` but of Java and Node; the Go and Java samples of `ACS3` |
/// | `PathPercent`: `%25` in the path | `/a%2520b` is signed as `/a%20b`, which others sign for what it is | the same |
/// | `PathUnreserved`: an escape of a letter, a digit, `-`, `.` or `_` in the path | `/%61ll` is signed as `/all`, and routed otherwise | the same; the documented form of `ACS3` |
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
/// | `PaddedHeader`: white space around a value | it is not signed, and HTTP/2 lets it through | all |
/// | `UnsignedHeader`: an `x-acs-` or `x-fc-` header that the scheme or the list leaves out | a trigger acts upon them | all; exempt one with [`Verifier::with_insecure_unsigned_header`] |
/// | `ExpiresAsDate`: `x-fc-expires` in the query beside a signature in headers | `FC` of Go and Java sign it in place of the date | all |
/// | `AcceptUndefined`: `Accept: undefined` | Node signs that for no header | `acs` |
/// | `QueryCredentials`, `AbsentHeader` | two sets of credentials; a listed header that is not there | all; cannot be let through |
///
/// The order of the values of one parameter is signed by no scheme: `?to=alice&to=bob` has the
/// signature of `?to=bob&to=alice`. Such a request is let through and reported
/// ([`VerifiedCaller::ambiguities`], `ValueOrder`), unless it is
/// [refused by name](Verifier::with_refused).
///
/// The Go and Node helpers for `ACS3` cannot sign `x-fc-` headers: exempt those you
/// need, one by one, or name the SDKs by [`Verifier::with_sdks`].
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
    hosts: Hosts,
    window: Window,
    platform: bool,
    base: Option<Base>,
    others: Others,
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
            hosts: Hosts::default(),
            window: Window::default(),
            platform: false,
            base: None,
            others: Others::default(),
            strict: Strict::default(),
            forms: Dialects::STANDARD.into(),
        }
    }

    /// The keys it verifies by.
    pub fn keys(&self) -> &K {
        &self.keys
    }
}

impl<K> Verifier<K> {
    /// Sees a request as its client sent it, where a proxy changes what clients call. `room` is for
    /// the target.
    pub(crate) fn see<'a>(
        &'a self,
        head: &mut Head<'a>,
        room: &'a mut Option<Uri>,
    ) -> Result<(), Rejection> {
        let Some(base) = &self.base else { return Ok(()) };
        self.limits.check(head)?;
        check_target(head)?;
        base.see(head, room).ok_or_else(|| {
            let rule = "the target is not one below the external base";
            Rejection::new(RejectionKind::MalformedTarget, rule)
        })
    }

    /// A request without what the platform added to it, if it may have. The headers that stay are
    /// listed in `rest`.
    pub(crate) fn own<'r, 'a: 'r>(
        &self,
        head: &Head<'a>,
        rest: &'r mut ProtocolHeaders<'a>,
    ) -> Option<Head<'r>> {
        if self.platform { head.without(&OF_PLATFORM, rest) } else { None }
    }

    /// Checks size, shape, time and coverage of a request, in the first reading in which they are
    /// as they have to be.
    ///
    /// # Errors
    /// The first fault of the first reading.
    pub(crate) fn read<'a>(
        &self,
        readings: &mut Readings<'_, 'a>,
        list: &mut List<'a>,
        now: SystemTime,
    ) -> Result<Claim<'a>, Rejection> {
        let Some(other) = readings.other else {
            return self.read_head(readings.head, list, now);
        };
        self.read_head(readings.head, list, now).or_else(|rejection| {
            *readings = Readings::of(other, None);
            list.clear();
            self.read_head(other, list, now).map_err(|_| rejection)
        })
    }

    /// Checks size, shape, time and coverage of a request.
    #[inline(always)] // Saves a move, 1 % of verifying.
    pub(crate) fn read_head<'a>(
        &self,
        head: &Head<'a>,
        list: &mut List<'a>,
        now: SystemTime,
    ) -> Result<Claim<'a>, Rejection> {
        self.limits.check(head)?;
        let claim = Claim::read(head, self.schemes, list);
        let mut claim = claim.map_err(|rejection| left_to(&self.others, head, rejection))?;
        let scheme = claim.scheme;
        if !self.hosts.contain(|| head.named_host()) {
            let message = "the request is not for a host that is accepted here";
            let rejection = Rejection::new(RejectionKind::ForeignHost, message);
            return Err(rejection.by(&claim.access_key_id));
        }
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
    #[inline(always)] // As above.
    pub(crate) fn decide<'a>(
        &self,
        head: &Head<'a>,
        claim: &Claim<'a>,
        list: &List<'a>,
        keys: &[VerifyingKey],
        now: SystemTime,
    ) -> Result<VerifiedCaller, Rejection> {
        let matched = self.forms.decide(head, claim, list, self.strict.ambiguity, keys, now)?;
        let value = keys.get(matched.key_position).and_then(|key| key.value().cloned());
        let end = self.window.end(claim.time);
        Ok(VerifiedCaller::new(head, claim, matched, now, end, value))
    }
}

// The bounds are those of the functions, so that the compiler says what is no key store.
impl<K> Verifier<K> {
    /// Verifies a request as of `now`.
    ///
    /// # Errors
    /// A [`Rejection`] that says which [check](Verifier#order-of-checks) failed.
    pub fn verify_at(&self, parts: &Parts, now: SystemTime) -> Result<VerifiedCaller, Rejection>
    where
        K: KeyStore,
    {
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
    ) -> Result<VerifiedCaller, Rejection>
    where
        K: KeyStore,
    {
        self.check(request.into(), now)
    }

    pub(crate) fn check(
        &self,
        request: RequestRef<'_>,
        now: SystemTime,
    ) -> Result<VerifiedCaller, Rejection>
    where
        K: KeyStore,
    {
        let (mut protocol, mut room) = (ProtocolHeaders::new(), None);
        let mut head = Head::of(request, &mut protocol);
        self.see(&mut head, &mut room)?;
        let mut rest = ProtocolHeaders::new();
        let own = self.own(&head, &mut rest);
        let mut readings = Readings::of(&head, own.as_ref());
        let mut list = List::new();
        let claim = self.read(&mut readings, &mut list, now)?;
        let query = claim.query(readings.head);
        let keys = self.keys.lookup_for(&query);
        let keys = keys.map_err(|error| claim.unavailable(error))?;
        let decided = self.decide(readings.head, &claim, &list, keys.as_slice(), now);
        let Some(head) = readings.other.filter(|_| decided.is_err()) else { return decided };
        let mut list = List::new();
        let Ok(other) = self.read_head(head, &mut list, now) else { return decided };
        let keys = match query.is_by_token() {
            false => Ok(keys),
            true => self.keys.lookup_for(&other.query(head)),
        };
        let keys = keys.map_err(|error| other.unavailable(error))?;
        self.decide(head, &other, &list, keys.as_slice(), now).or(decided)
    }
}

impl<K> fmt::Debug for Verifier<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("schemes", &self.schemes)
            .field("dialects", &self.forms.dialects)
            .field("hosts", &self.hosts)
            .field("max_skew", &self.window.max_skew)
            .field("max_lifetime", &self.window.max_lifetime)
            .field("platform_headers", &self.platform)
            .field("external_base", &self.base)
            .field("other_schemes", &self.others)
            .field("strict", &self.strict)
            .finish_non_exhaustive()
    }
}
