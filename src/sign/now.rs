//! Signing as of now, and with nonces: what takes a clock and random numbers.

use crate::clock::{Clock, SystemClock};
use crate::error::{Error, ErrorKind};
use crate::protocol::request::RequestRef;
use crate::protocol::signer::{SignatureHeaders, text_value};
use crate::protocol::{PresignedUrl, Presigner, Signer};
use crate::random;
use http::Request;
use http::header::HeaderValue;
use http::request::Parts;
use std::time::{Duration, SystemTime};

impl Signer {
    /// Signs as of now. See [`Signer::sign_at`].
    ///
    /// # Errors
    /// As [`Signer::sign_at`].
    pub fn sign(&self, parts: &mut Parts) -> Result<(), Error> {
        self.sign_at(parts, SystemClock.now())
    }

    /// Signs as of `now`: sets `authorization`, the date header of the scheme (`date`,
    /// or `x-acs-date`), a nonce if the signer is to, and, with a security token, its header.
    ///
    /// Under the `ACS3` schemes the payload line is what `x-acs-content-sha256` says,
    /// and empty without that header, as in the documented samples for HTTP triggers.
    /// Without a `host` header, what HTTP clients make of the URI's authority is signed; a
    /// request with neither is an error, since a host that is added later would go unsigned
    /// (tonic's channel adds one: set it by `with_origin`). The documented samples sign none:
    /// [`with_insecure_unsigned_header`](Signer::with_insecure_unsigned_header) of `host` does as
    /// they do.
    ///
    /// # Errors
    /// [`ErrorKind::Ambiguous`] for what [strictness](crate::Verifier#strict) refuses, and for a
    /// host that would go unsigned; [`ErrorKind::InvalidUri`] for a target that no client sends;
    /// [`ErrorKind::TooManyHeaders`] when the request has no room for the headers, which
    /// is far beyond what goes over any wire; [`ErrorKind::NoRandomness`] when there is to be
    /// a nonce, and the system has no random numbers. The request is left as it was.
    pub fn sign_at(&self, parts: &mut Parts, now: SystemTime) -> Result<(), Error> {
        self.signature_now((&*parts).into(), now)?.set(&mut parts.headers)
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
        self.signature_now((&*request).into(), now)?.set(request.headers_mut())
    }

    /// Signs a whole request as of now. See [`Signer::sign_at`].
    ///
    /// # Errors
    /// As [`Signer::sign_at`].
    pub fn sign_request<B>(&self, request: &mut Request<B>) -> Result<(), Error> {
        self.sign_request_at(request, SystemClock.now())
    }

    /// The headers that sign a request, with a fresh nonce if there is to be one.
    pub(crate) fn signature_now(
        &self,
        request: RequestRef<'_>,
        now: SystemTime,
    ) -> Result<SignatureHeaders, Error> {
        let nonce = if self.has_nonce() { Some(nonce()?) } else { None };
        self.signature(request, now, nonce)
    }
}

/// 32 hexadecimal digits.
fn nonce() -> Result<HeaderValue, Error> {
    let number = random::number().ok_or_else(|| {
        let rule = "the system has no random numbers for nonces: give them by sign_with_nonce_at";
        Error::new(ErrorKind::NoRandomness, rule)
    })?;
    Ok(text_value(format!("{number:032x}").as_bytes()))
}

impl Presigner {
    /// Presigns as of now. See [`Presigner::presign_at`].
    ///
    /// # Errors
    /// As [`Presigner::presign_at`].
    pub fn presign(&self, parts: &Parts, lifetime: Duration) -> Result<PresignedUrl, Error> {
        self.presign_at(parts, lifetime, SystemClock.now())
    }

    /// Presigns a whole request as of now. See [`Presigner::presign_at`].
    ///
    /// # Errors
    /// As [`Presigner::presign_at`].
    pub fn presign_request<B>(
        &self,
        request: &Request<B>,
        lifetime: Duration,
    ) -> Result<PresignedUrl, Error> {
        self.presign_request_at(request, lifetime, SystemClock.now())
    }
}
