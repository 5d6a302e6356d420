//! Whether a request carries credentials, any part of them, and of which kind: what it
//! says about who signed it, and when, before any of it is believed.

use super::rejection::{Rejection, RejectionKind};
use super::time::Time;
use crate::headers::{OF_CREDENTIALS, QUERY_ACCESS_KEY_ID, QUERY_EXPIRES, QUERY_SIGNATURE};
use crate::protocol::crypto::tag::Tag;
use crate::protocol::date::{from_unix, to_unix};
use crate::protocol::key::access_key_id;
use crate::protocol::key_store::{KeyQuery, KeyStoreError};
use crate::protocol::others::Others;
use crate::protocol::request::{Fault, Field, Head, RequestRef, trim};
use crate::protocol::scheme::ambiguity::Ambiguities;
use crate::protocol::scheme::authorization::{Authorization, Unreadable, scheme_of};
use crate::protocol::scheme::coverage::{self, List};
use crate::protocol::scheme::presigned::Presigned;
use crate::protocol::scheme::terms::Terms;
use crate::protocol::scheme::{Covers, Scheme, Schemes};
use http::header::{HeaderName, HeaderValue};
use std::borrow::Cow;
use std::time::SystemTime;

/// The credentials of a request, read but not yet verified.
pub(crate) struct Claim<'a> {
    pub(crate) scheme: Scheme,
    /// The `Authorization` header, `None` for presigned URLs.
    pub(crate) authorization: Option<&'a HeaderValue>,
    pub(crate) access_key_id: Cow<'a, str>,
    /// `SignedHeaders` as it was sent, under a scheme that has it.
    pub(crate) signed_headers: Option<&'a str>,
    pub(crate) security_token: Option<Cow<'a, [u8]>>,
    /// `None` when its text cannot be that of a signature.
    pub(crate) signature: Option<Tag>,
    pub(crate) time: Time,
    /// The query parameter `x-fc-expires`.
    expires: Option<Cow<'a, [u8]>>,
    /// What is ambiguous about where credentials are.
    pub(crate) found: Ambiguities,
}

impl<'a> Claim<'a> {
    /// Reads the credentials of a request under the schemes that are switched on. The
    /// signed headers, if it lists any, are put into `list`.
    pub(crate) fn read(
        head: &Head<'a>,
        schemes: Schemes,
        list: &mut List<'a>,
    ) -> Result<Self, Rejection> {
        check_target(head)?;
        if head.authorization.repeated {
            let message = "there is more than one Authorization header";
            return Err(Rejection::new(RejectionKind::ConflictingCredentials, message));
        }
        let query = Presigned::read(head.query());
        match head.authorization.value {
            Some(value) => Self::from_header(head, value, query, schemes, list),
            None => Self::from_query(head, query, schemes),
        }
    }

    fn from_header(
        head: &Head<'a>,
        value: &'a HeaderValue,
        query: Presigned<'a>,
        schemes: Schemes,
        list: &mut List<'a>,
    ) -> Result<Self, Rejection> {
        let read = Authorization::read(value.as_bytes(), list);
        let Authorization { scheme, access_key_id, signed_headers, signature } =
            read.map_err(|why| unreadable(why, schemes))?;
        switched_on(scheme, schemes)?;
        let found = query
            .beside_headers()
            .map_err(|ambiguity| Rejection::ambiguous(ambiguity).by(access_key_id))?;
        let facts = scheme.facts();
        let security_token = once(head, facts.security_token)?;
        once(head, facts.nonce)?;
        let time = Time::SignedAt(signed_at(head, scheme)?);
        coverage::find(head, list);
        Ok(Self {
            scheme,
            authorization: Some(value),
            access_key_id: Cow::Borrowed(access_key_id),
            signed_headers,
            security_token: security_token.map(|token| Cow::Borrowed(trim(token.as_bytes()))),
            signature,
            time,
            expires: query.expires,
            found,
        })
    }

    fn from_query(
        head: &Head<'a>,
        query: Presigned<'a>,
        schemes: Schemes,
    ) -> Result<Self, Rejection> {
        if let Some(name) = query.repeated {
            return Err(bad_parameter(name, "is given twice"));
        }
        if query.access_key_id.is_none() && query.signature.is_none() {
            return Err(missing(head, &query));
        }
        switched_on(Scheme::FcPresigned, schemes)?;
        let required = |value: Option<Cow<'a, [u8]>>, name| {
            value.ok_or_else(|| bad_parameter(name, "is missing"))
        };
        let id = required(query.access_key_id, QUERY_ACCESS_KEY_ID)?;
        let access_key_id = access_key_id(&id)
            .ok_or_else(|| bad_parameter(QUERY_ACCESS_KEY_ID, "is not an access key id"))?
            .to_owned();
        let expires = required(query.expires, QUERY_EXPIRES)?;
        let until = unix_seconds(&expires)
            .ok_or_else(|| bad_parameter(QUERY_EXPIRES, "is not a number of Unix seconds"))?;
        let signature = required(query.signature, QUERY_SIGNATURE)?;
        Ok(Self {
            scheme: Scheme::FcPresigned,
            authorization: None,
            access_key_id: Cow::Owned(access_key_id),
            signed_headers: None,
            security_token: query.security_token,
            signature: Tag::from_base64(&signature, Scheme::FcPresigned.facts().mac.len()),
            time: Time::Until(until),
            expires: Some(expires),
            found: Ambiguities::empty(),
        })
    }

    /// What a key store is asked about a request that makes this claim.
    pub(crate) fn query<'q>(&'q self, head: &Head<'q>) -> KeyQuery<'q> {
        let Head { method, uri, headers, .. } = *head;
        let request = RequestRef { method, uri, headers };
        KeyQuery::of(&self.access_key_id, self.security_token.as_deref(), request)
    }

    /// The refusal where it cannot be told which keys there are.
    pub(crate) fn unavailable(&self, error: KeyStoreError) -> Rejection {
        let message = "access keys cannot be looked up at the moment";
        let rejection = Rejection::new(RejectionKind::KeyStoreUnavailable, message);
        rejection.by(&self.access_key_id).because_of(error)
    }

    /// What the claim says to have signed.
    pub(crate) fn terms<'l>(&'l self, list: &'l List<'a>) -> Terms<'l> {
        Terms::of(self.scheme, list, self.expires.as_deref())
    }
}

/// Checks that a request names a target that can be one, and no more than one host.
pub(crate) fn check_target(head: &Head<'_>) -> Result<(), Rejection> {
    let two_hosts = "the Host header and the authority of the target name different hosts";
    let two_hosts = head.has_two_hosts().then_some(Fault::Host(two_hosts));
    match head.fault().or(two_hosts) {
        Some(Fault::Host(rule)) => Err(Rejection::new(RejectionKind::HostMismatch, rule)),
        Some(Fault::Target(rule)) => Err(Rejection::new(RejectionKind::MalformedTarget, rule)),
        None => Ok(()),
    }
}

/// What becomes of a request that is refused, if its credentials are of a scheme that is left to
/// others: it is refused as such, or for what it has of ours besides.
#[cold] // Keeps it out of the way of requests that are signed.
pub(crate) fn left_to(others: &Others, head: &Head<'_>, rejection: Rejection) -> Rejection {
    let value = head.authorization.text();
    let is_unknown = rejection.kind() == RejectionKind::UnsupportedScheme;
    let Some(other) = others.named(value).filter(|_| is_unknown) else { return rejection };
    // A proxy may have joined two headers.
    let is_ours = |part: &[u8]| scheme_of(part.trim_ascii()).is_some();
    let joined = value.split(|byte| *byte == b',').any(is_ours).then_some("a signature");
    match joined.or_else(|| beside(head, &Presigned::read(head.query()))) {
        None => Rejection::other(other.clone()),
        Some(ours) => {
            let message =
                format!("there is {ours} beside credentials of scheme '{}'", other.name());
            Rejection::new(RejectionKind::ConflictingCredentials, message)
        }
    }
}

/// Something of credentials that a request has beside an `Authorization` header.
fn beside(head: &Head<'_>, query: &Presigned<'_>) -> Option<&'static str> {
    let header = OF_CREDENTIALS.iter().find(|name| head.protocol(name).value.is_some());
    header.map(|name| name.as_str()).or(query.any())
}

/// The refusal of a request without an `Authorization` header, and without an access key id
/// or a signature in its query: it is anonymous if there is nothing else of credentials.
fn missing(head: &Head<'_>, query: &Presigned<'_>) -> Rejection {
    match beside(head, query) {
        None => Rejection::new(
            RejectionKind::MissingCredentials,
            "required HTTP header Authorization was not specified",
        ),
        Some(name) => Rejection::new(
            RejectionKind::IncompleteCredentials,
            format!("required HTTP header Authorization was not specified, though there is {name}"),
        ),
    }
}

/// When the date header of a scheme says that the request was signed.
fn signed_at(head: &Head<'_>, scheme: Scheme) -> Result<SystemTime, Rejection> {
    let (name, form) = scheme.facts().date;
    let Some(value) = once(head, name)? else {
        let message = format!("required HTTP header {} was not specified", label(name));
        return Err(Rejection::new(RejectionKind::MissingDate, message));
    };
    form.read(trim(value.as_bytes())).ok_or_else(|| {
        let (label, example) = (label(name), form.example());
        let message = format!("the HTTP header {label} is not a date of the form '{example}'");
        Rejection::new(RejectionKind::MalformedDate, message)
    })
}

/// A header of which there can be one.
fn once<'a>(head: &Head<'a>, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Rejection> {
    let Field { value, repeated } = head.field(name);
    if repeated {
        let message = format!("there is more than one {} header", label(name));
        return Err(Rejection::new(RejectionKind::RepeatedHeader, message));
    }
    Ok(value)
}

/// A header as the gateway writes it in its messages.
fn label(name: &HeaderName) -> &str {
    if *name == http::header::DATE { "Date" } else { name.as_str() }
}

fn switched_on(scheme: Scheme, schemes: Schemes) -> Result<(), Rejection> {
    if schemes.contains(scheme.into()) {
        return Ok(());
    }
    Err(Rejection::new(
        RejectionKind::UnsupportedScheme,
        format!("the signature scheme '{scheme}' is not accepted here"),
    ))
}

fn unreadable(why: Unreadable, schemes: Schemes) -> Rejection {
    let Unreadable::Form(scheme) = why else {
        let message = "the Authorization header names no signature scheme that is known here";
        return Rejection::new(RejectionKind::UnsupportedScheme, message);
    };
    if let Err(rejection) = switched_on(scheme, schemes) {
        return rejection;
    }
    let form = match scheme.facts().covers {
        Covers::Listed { .. } => {
            "Credential=<access key id>,SignedHeaders=<lower-case names in order, joined by ;>,\
             Signature=<hexadecimal>"
        }
        Covers::Names { .. } => "<access key id>:<base64>",
    };
    let token = scheme.token().unwrap_or_default();
    let message = format!("the Authorization header is not of the form '{token} {form}'");
    Rejection::new(RejectionKind::MalformedCredentials, message)
}

fn bad_parameter(name: &str, what: &str) -> Rejection {
    let message = format!("the query parameter {name} {what}");
    Rejection::new(RejectionKind::MalformedCredentials, message)
}

/// A time from its decimal digits alone: no sign, no space.
fn unix_seconds(text: &[u8]) -> Option<SystemTime> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = std::str::from_utf8(text).ok()?.parse().ok()?;
    let time = from_unix(seconds);
    (to_unix(time) == seconds).then_some(time)
}
