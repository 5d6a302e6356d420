//! What a token has to be: its shape, key, signature, time, and for whom it is.

use super::json;
use super::jwks::Jwks;
use super::verified::VerifiedToken;
use crate::protocol::date::{from_unix, to_unix};
use crate::protocol::{Rejection, RejectionKind};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use std::time::{Duration, SystemTime};

/// A token that was read and not yet verified: a JWS in the compact form (RFC 7515 §7.1).
pub(super) struct Token<'t> {
    /// What is signed: the first two parts.
    message: &'t [u8],
    payload: &'t [u8],
    signature: Vec<u8>,
    algorithm: String,
    kid: Option<String>,
}

impl<'t> Token<'t> {
    /// Reads a token of at most this length.
    pub(super) fn read(text: &'t [u8], max_len: usize) -> Result<Self, Rejection> {
        if text.len() > max_len {
            return Err(invalid("the token is too long"));
        }
        let mut dots = memchr::memchr_iter(b'.', text);
        let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
            return Err(invalid("the token has not three parts"));
        };
        let unreadable = || invalid("the token cannot be read");
        let header = decode(&text[..first]).and_then(|header| json::object(&header));
        let mut header = header.ok_or_else(unreadable)?;
        // What it lists changes what the rest means, and nothing of it is known here
        // (RFC 7515 §4.1.11).
        if header.contains_key("crit") {
            return Err(invalid("the token has a crit header, of which nothing is known here"));
        }
        let Some(Value::String(algorithm)) = header.remove("alg") else {
            return Err(invalid("the token names no algorithm"));
        };
        let kid = match header.remove("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid).filter(|kid| !kid.is_empty()),
            Some(_) => return Err(invalid("the kid of the token is not a text")),
        };
        let signature = decode(&text[second + 1..]).ok_or_else(unreadable)?;
        let (message, payload) = (&text[..second], &text[first + 1..second]);
        Ok(Self { message, payload, signature, algorithm, kid })
    }

    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Verifies it as of `now`, by a key and an algorithm that the set has for it.
    pub(super) fn verify(
        self,
        keys: &Jwks,
        checks: &Checks,
        now: SystemTime,
    ) -> Result<VerifiedToken, Rejection> {
        let key =
            keys.choose(self.kid()).ok_or_else(|| invalid("there is no key for the token"))?;
        let algorithm = key
            .algorithm(&self.algorithm)
            .ok_or_else(|| invalid("the key of the token is not for the algorithm it names"))?;
        if !key.verifies(algorithm, self.message, &self.signature) {
            return Err(invalid("the signature of the token does not match"));
        }
        let claims = decode(self.payload).and_then(|payload| json::object(&payload));
        let claims = claims.ok_or_else(|| invalid("the claims of the token cannot be read"))?;
        let expires_at = checks.check(&claims, now)?;
        Ok(VerifiedToken::new(claims, self.kid, expires_at))
    }
}

/// Base64url, in the one way it can be written.
fn decode(part: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

/// A refusal that says what is wrong with a token, and nothing of what it says.
pub(super) fn invalid(message: &'static str) -> Rejection {
    Rejection::new(RejectionKind::InvalidToken, message)
}

/// What the claims of a token have to be.
#[derive(Clone, Debug)]
pub(super) struct Checks {
    pub(super) leeway: Duration,
    pub(super) must_expire: bool,
    pub(super) issuers: Vec<String>,
    pub(super) audiences: Vec<String>,
}

impl Checks {
    /// Checks claims as of `now`, and gives when they end.
    fn check(
        &self,
        claims: &Map<String, Value>,
        now: SystemTime,
    ) -> Result<Option<SystemTime>, Rejection> {
        // Whole seconds up to here, and fractions only in tokens.
        let (now, leeway) = (to_unix(now) as f64, self.leeway.as_secs_f64());
        let exp = date(claims, "exp", "the exp of the token is not a number")?;
        match exp {
            Some(exp) if exp + leeway <= now => return Err(invalid("the token has expired")),
            None if self.must_expire => return Err(invalid("the token has no exp")),
            _ => {}
        }
        if date(claims, "nbf", "the nbf of the token is not a number")?
            .is_some_and(|nbf| nbf - leeway > now)
        {
            return Err(invalid("the token is not valid yet"));
        }
        let is_one_of = |accepted: &[String], value: &Value| {
            value.as_str().is_some_and(|text| accepted.iter().any(|each| each == text))
        };
        if !self.issuers.is_empty()
            && !claims.get("iss").is_some_and(|iss| is_one_of(&self.issuers, iss))
        {
            return Err(invalid("the token is from another issuer"));
        }
        if !self.audiences.is_empty()
            && !claims.get("aud").is_some_and(|aud| match aud {
                Value::Array(all) => all.iter().any(|aud| is_one_of(&self.audiences, aud)),
                aud => is_one_of(&self.audiences, aud),
            })
        {
            return Err(invalid("the token is for another audience"));
        }
        // A float becomes the nearest number of seconds there is.
        Ok(exp.map(|exp| from_unix(exp as u64)))
    }
}

/// A claim that is a time, in Unix seconds, fractions of which may occur (RFC 7519 §2).
fn date(
    claims: &Map<String, Value>,
    name: &str,
    rule: &'static str,
) -> Result<Option<f64>, Rejection> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| seconds.is_finite());
    seconds.map(Some).ok_or_else(|| invalid(rule))
}
