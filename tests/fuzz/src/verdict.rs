//! A second verifier: it decides as `tower-fc` does that has every scheme switched on.

use crate::dates::{acs_date, at, http_date};
use crate::reference::{Acs, Acs3, Algorithm, Fc, form_pairs};
use crate::requests::{KEYS, Key, NOW, Request, trim};
use crate::strict::ambiguities;
use crate::way::Way;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};
use tower_fc::RejectionKind::{self, *};
use tower_fc::protocol::Ambiguity;

/// What a request says about its signature.
struct Claim {
    /// A way of the scheme, in whichever dialect.
    way: Way,
    id: Vec<u8>,
    token: Option<Vec<u8>>,
    signature: Vec<u8>,
    names: Vec<String>,
}

/// What is decided about a request whose credentials could be read, and are of this time.
pub struct Verdict {
    /// The ways of its scheme, in their order.
    pub candidates: Vec<Candidate>,
    is_key_known: bool,
    /// Whether it has a header that is acted upon and that the scheme does not cover.
    is_part_unsigned: bool,
}

/// A way in which a request could be signed.
pub struct Candidate {
    pub way: Way,
    /// Whether it was. `None` if nobody says what is signed of it.
    pub is_signed: Option<bool>,
    /// What is refused about it unless that is let through.
    pub ambiguities: BTreeSet<Ambiguity>,
}

/// What is decided about a request that could be signed in these ways.
///
/// # Errors
/// Why it is refused whatever it was signed by.
pub fn verdict(ways: &[Way], request: &Request) -> Result<Verdict, RejectionKind> {
    let claim = read(request)?;
    let names: Vec<&str> = claim.names.iter().map(String::as_str).collect();
    let keys: Vec<Key> = KEYS.into_iter().filter(|key| key.id.as_bytes() == claim.id).collect();
    let ways = ways.iter().copied().filter(|way| way.scheme() == claim.way.scheme());
    let candidates = ways.map(|way| {
        let is_signed = way
            .canonical(&names, request)
            .map(|canonical| keys.iter().any(|key| is_signed_by(way, *key, &claim, &canonical)));
        let ambiguities = ambiguities(way, &names, request);
        // What nobody says is refused.
        assert!(is_signed.is_some() || !ambiguities.is_empty(), "{way:?} {request:?}");
        Candidate { way, is_signed, ambiguities }
    });
    let in_general = ambiguities(claim.way, &names, request);
    Ok(Verdict {
        candidates: candidates.collect(),
        is_key_known: !keys.is_empty(),
        is_part_unsigned: in_general.contains(&Ambiguity::UnsignedHeader),
    })
}

impl Verdict {
    /// The way in which it was signed.
    ///
    /// # Errors
    /// Why a verifier refuses it that lets everything through which may be.
    pub fn observed(&self) -> Result<Way, RejectionKind> {
        let signed = self.candidates.iter().find(|candidate| candidate.is_signed == Some(true));
        let refused = if self.is_key_known { SignatureMismatch } else { UnknownAccessKey };
        signed.map(|candidate| candidate.way).ok_or(refused)
    }

    /// The way in which it was signed.
    ///
    /// # Errors
    /// Why a strict verifier refuses it.
    pub fn strict(&self) -> Result<Way, RejectionKind> {
        let is_ambiguous = |candidate: &Candidate| !candidate.ambiguities.is_empty();
        if self.is_part_unsigned {
            return Err(UnsignedHeader);
        }
        if !self.candidates.is_empty() && self.candidates.iter().all(is_ambiguous) {
            return Err(Ambiguous);
        }
        let way = self.observed()?;
        match self.candidates.iter().find(|candidate| candidate.way == way) {
            Some(candidate) if is_ambiguous(candidate) => Err(Ambiguous),
            _ => Ok(way),
        }
    }
}

fn is_signed_by(way: Way, key: Key, claim: &Claim, canonical: &[u8]) -> bool {
    let token_fits = match key.token {
        Some(token) => claim.token.as_deref() == Some(token.as_bytes()),
        None => true,
    };
    token_fits && same(way.signature(key.secret, canonical).as_bytes(), &claim.signature)
}

/// Compares without a word to libFuzzer, which takes both sides of an ordinary
/// comparison down for its dictionary: it found out signatures like that.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

fn read(request: &Request) -> Result<Claim, RejectionKind> {
    let headers_len: usize = request.headers.iter().map(|(n, v)| n.as_str().len() + v.len()).sum();
    let authorization = request.values("authorization");
    let count = |value: &&[u8]| trim(value).split(|byte| *byte == b';').count();
    if request.target().len() > 16 * 1024
        || headers_len > 32 * 1024
        || authorization.first().is_some_and(|value| count(value) > 100)
    {
        return Err(LimitExceeded);
    }

    if !request.has_good_target() {
        return Err(MalformedTarget);
    }
    let hosts = request.values("host");
    if hosts.len() > 1 {
        return Err(HostMismatch);
    }
    if let (Some(host), Some(authority)) = (hosts.first(), request.uri.authority()) {
        let implied = request.host_and_port(authority.as_str().as_bytes());
        let host = request.host_and_port(trim(host));
        if host.is_none() || host != implied {
            return Err(HostMismatch);
        }
    }

    match authorization.as_slice() {
        [] => from_query(request),
        [value] => from_header(request, value),
        _ => Err(ConflictingCredentials),
    }
}

fn from_header(request: &Request, value: &[u8]) -> Result<Claim, RejectionKind> {
    let space = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (scheme, rest) = value.split_at(space);
    let rest = trim(rest);
    let way = match scheme {
        b"FC" => Way::Fc(Fc::STANDARD),
        b"ACS3-HMAC-SHA256" => Way::Acs3(Acs3::Standard, Algorithm::Sha256),
        b"ACS3-HMAC-SM3" => Way::Acs3(Acs3::Standard, Algorithm::Sm3),
        b"acs" => Way::Acs(Acs::STANDARD),
        _ => return Err(UnsupportedScheme),
    };

    let mut claim = match way {
        Way::Acs3(..) => acs3_claim(way, rest),
        _ => pair_claim(way, rest),
    }
    .filter(|claim| is_id(&claim.id))
    .ok_or(MalformedCredentials)?;

    if has_credentials(request.query()) {
        return Err(ConflictingCredentials);
    }
    let token = at_most_one(request, way.token_header())?;
    claim.token = token.map(|token| trim(token).to_vec());
    at_most_one(request, way.nonce_header())?;

    let date = at_most_one(request, way.date_header())?.ok_or(MissingDate)?;
    let time = match way {
        Way::Acs3(..) => acs_date(trim(date)),
        _ => http_date(trim(date)),
    };
    if apart(time.ok_or(MalformedDate)?) > Duration::from_secs(900) {
        return Err(RequestTimeTooSkewed);
    }
    if matches!(way, Way::Acs3(..)) && !claim.names.iter().any(|name| name == "x-acs-date") {
        return Err(UnsignedHeader);
    }
    let lines = request.lines();
    if claim.names.iter().any(|name| !lines.iter().any(|(there, _)| there == name)) {
        return Err(MalformedCredentials);
    }
    Ok(claim)
}

/// Whether a form parser finds credentials in a query.
pub fn has_credentials(query: &[u8]) -> bool {
    let names: [&[u8]; 3] = [b"x-fc-access-key-id", b"x-fc-security-token", b"x-fc-signature"];
    form_pairs(query).iter().any(|(key, _)| names.contains(&key.as_slice()))
}

/// Whether a form parser finds any parameter of a presigned URL in a query.
pub fn is_presigned(query: &[u8]) -> bool {
    has_credentials(query) || form_pairs(query).iter().any(|(key, _)| key == b"x-fc-expires")
}

/// `<id>:<signature>`
fn pair_claim(way: Way, rest: &[u8]) -> Option<Claim> {
    let colon = rest.iter().position(|byte| *byte == b':')?;
    let (id, signature) = (rest[..colon].to_vec(), rest[colon + 1..].to_vec());
    Some(Claim { way, id, token: None, signature, names: Vec::new() })
}

/// `Credential=<id>,SignedHeaders=<names>,Signature=<signature>`, with white space
/// before and after the commas.
fn acs3_claim(way: Way, rest: &[u8]) -> Option<Claim> {
    let parts: Vec<&[u8]> = rest.splitn(3, |byte| *byte == b',').map(trim).collect();
    let [credential, list, signature] = parts.as_slice() else { return None };
    let id = credential.strip_prefix(b"Credential=")?.to_vec();
    let list = std::str::from_utf8(list.strip_prefix(b"SignedHeaders=")?).ok()?;
    let signature = signature.strip_prefix(b"Signature=")?.to_vec();

    // Lower-case names, each once, in order.
    let names: Vec<String> = list.split(';').map(str::to_string).collect();
    let is_name = |name: &String| {
        let odd = |byte: u8| byte.is_ascii_uppercase() || !byte.is_ascii_graphic();
        !name.is_empty() && !name.bytes().any(odd)
    };
    let in_order = names.windows(2).all(|pair| pair[0] < pair[1]);
    (names.iter().all(is_name) && in_order).then_some(())?;
    Some(Claim { way, id, token: None, signature, names })
}

fn is_id(id: &[u8]) -> bool {
    let is_good = |byte: &u8| byte.is_ascii_graphic() && !b":,=".contains(byte);
    (1..=256).contains(&id.len()) && id.iter().all(is_good)
}

fn from_query(request: &Request) -> Result<Claim, RejectionKind> {
    let pairs = form_pairs(request.query());
    let values = |name: &str| -> Vec<&Vec<u8>> {
        let of_name = pairs.iter().filter(|(key, _)| key == name.as_bytes());
        of_name.map(|(_, value)| value).collect()
    };
    let names = ["x-fc-access-key-id", "x-fc-expires", "x-fc-security-token", "x-fc-signature"];
    let [id, expires, token, signature] = names.map(values);
    if [&id, &expires, &token, &signature].iter().any(|values| values.len() > 1) {
        return Err(MalformedCredentials);
    }
    if id.is_empty() && signature.is_empty() {
        let belong = [
            "x-acs-date",
            "x-acs-security-token",
            "x-acs-signature-nonce",
            "x-fc-security-token",
            "x-fc-signature-nonce",
        ];
        let in_headers = belong.iter().any(|name| !request.values(name).is_empty());
        let is_anonymous = !in_headers && expires.is_empty() && token.is_empty();
        return Err(if is_anonymous { MissingCredentials } else { IncompleteCredentials });
    }
    let ([id], [expires], [signature]) = (id.as_slice(), expires.as_slice(), signature.as_slice())
    else {
        return Err(MalformedCredentials);
    };
    let digits = expires.iter().all(u8::is_ascii_digit) && !expires.is_empty();
    let number = String::from_utf8_lossy(expires).parse::<u64>().ok().filter(|_| digits);
    // What no clock can show is no time.
    let number = number.filter(|number| *number <= i64::MAX as u64).ok_or(MalformedCredentials)?;
    if !is_id(id) {
        return Err(MalformedCredentials);
    }
    if number <= NOW {
        return Err(Expired);
    }
    if number - NOW > 7 * 24 * 60 * 60 {
        return Err(ExpiresTooLate);
    }
    Ok(Claim {
        way: Way::Presigned,
        id: id.to_vec(),
        token: token.first().map(|token| token.to_vec()),
        signature: signature.to_vec(),
        names: Vec::new(),
    })
}

fn at_most_one<'a>(request: &'a Request, name: &str) -> Result<Option<&'a [u8]>, RejectionKind> {
    match request.values(name).as_slice() {
        [] => Ok(None),
        [value] => Ok(Some(value)),
        _ => Err(RepeatedHeader),
    }
}

fn apart(time: SystemTime) -> Duration {
    let now = at(NOW);
    time.duration_since(now).or_else(|_| now.duration_since(time)).unwrap_or_default()
}
