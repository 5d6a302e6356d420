//! What a request says about who signed it, and when: the shape of its
//! credentials, before any of it is believed.

use crate::canonical::fields::Field;
use crate::canonical::headers::trim;
use crate::canonical::parameters::parameters;
use crate::canonical::{Head, implied_host, without_default_port};
use crate::clock::{from_unix, parse_acs_date, parse_http_date};
use crate::headers::{
    QUERY_ACCESS_KEY_ID, QUERY_EXPIRES, QUERY_SECURITY_TOKEN, QUERY_SIGNATURE, X_ACS_DATE,
    X_ACS_SECURITY_TOKEN, X_FC_SECURITY_TOKEN,
};
use crate::rejection::{Rejection, RejectionKind};
use crate::scheme::{Family, Scheme, Schemes, Subject, Terms, access_key_id, acs3, parse_pair};
use crate::signature::Tag;
use http::header::HeaderValue;
use std::borrow::Cow;
use std::time::SystemTime;

/// The credentials of a request, read but not yet verified.
pub(crate) struct Claim<'a, 'h> {
    pub(crate) head: &'a Head<'h>,
    pub(crate) scheme: Scheme,
    /// The `Authorization` header, `None` for presigned URLs.
    pub(crate) authorization: Option<&'a HeaderValue>,
    pub(crate) access_key_id: Cow<'a, str>,
    pub(crate) security_token: Option<Cow<'a, [u8]>>,
    pub(crate) nonce: Option<&'h HeaderValue>,
    /// `None` when its text cannot be that of a signature.
    pub(crate) signature: Option<Tag>,
    pub(crate) time: Time,
    detail: Detail<'a, 'h>,
}

/// When a claim is valid.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Time {
    /// Around this time.
    SignedAt(SystemTime),
    /// Until this time.
    Until(SystemTime),
}

enum Detail<'a, 'h> {
    None,
    Expires(Cow<'a, [u8]>),
    SignedHeaders { list: &'a str, names: &'a [&'h str] },
}

impl<'a, 'h> Claim<'a, 'h> {
    /// Reads the credentials of a request under the schemes that are switched on.
    /// The names of signed headers, if there are any, are put into `names`.
    #[inline(always)]
    pub(crate) fn read(
        head: &'a Head<'h>,
        schemes: Schemes,
        names: &'a mut acs3::Names<'h>,
    ) -> Result<Self, Rejection> {
        check_host(head)?;
        if head.fields.authorization.repeated {
            let message = "there is more than one Authorization header";
            return Err(Rejection::new(RejectionKind::ConflictingCredentials, message));
        }
        match head.fields.authorization.value {
            Some(value) => Self::from_header(head, value, schemes, names),
            None => Self::from_query(head, schemes),
        }
    }

    #[inline(always)]
    fn from_header(
        head: &'a Head<'h>,
        value: &'h HeaderValue,
        schemes: Schemes,
        names: &'a mut acs3::Names<'h>,
    ) -> Result<Self, Rejection> {
        let text = value.as_bytes();
        let space = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
        let (token, rest) = text.split_at(space);
        let scheme = Scheme::ALL
            .iter()
            .copied()
            .find(|scheme| scheme.token().is_some_and(|known| known.as_bytes() == token))
            .ok_or_else(unknown_scheme)?;
        switched_on(scheme, schemes)?;
        let rest = rest.trim_ascii();
        let (id, signature, detail) = match scheme.family() {
            Family::Acs3 => {
                let credential = acs3::Credential::parse(rest).ok_or_else(|| malformed(scheme))?;
                *names = credential.signed_headers;
                let detail = Detail::SignedHeaders { list: credential.list, names };
                (credential.access_key_id, Tag::from_hex(credential.signature, 32), detail)
            }
            Family::Fc | Family::Acs => {
                let (id, signature) = parse_pair(rest).ok_or_else(|| malformed(scheme))?;
                let len = if scheme.family() == Family::Acs { 20 } else { 32 };
                (id, Tag::from_base64(signature, len), Detail::None)
            }
        };
        let token_header = match scheme.family() {
            Family::Fc => &X_FC_SECURITY_TOKEN,
            Family::Acs3 | Family::Acs => &X_ACS_SECURITY_TOKEN,
        };
        let security_token =
            once(head.fields.protocol(token_header.as_str()), token_header.as_str())?;
        let nonce = scheme.family().nonce_header().as_str();
        let nonce = once(head.fields.protocol(nonce), nonce)?;
        let time = Time::SignedAt(signed_at(head, scheme)?);
        Ok(Self {
            head,
            scheme,
            authorization: Some(value),
            access_key_id: Cow::Borrowed(id),
            security_token: security_token.map(trim).map(Cow::Borrowed),
            nonce: nonce.filter(|nonce| !trim(nonce).is_empty()),
            signature,
            time,
            detail,
        })
    }

    fn from_query(head: &'a Head<'h>, schemes: Schemes) -> Result<Self, Rejection> {
        let (mut id, mut expires, mut token, mut signature) = (None, None, None, None);
        for (key, value) in parameters(head.query()) {
            let (name, slot) = match key.as_ref() {
                key if key == QUERY_ACCESS_KEY_ID.as_bytes() => (QUERY_ACCESS_KEY_ID, &mut id),
                key if key == QUERY_EXPIRES.as_bytes() => (QUERY_EXPIRES, &mut expires),
                key if key == QUERY_SECURITY_TOKEN.as_bytes() => (QUERY_SECURITY_TOKEN, &mut token),
                key if key == QUERY_SIGNATURE.as_bytes() => (QUERY_SIGNATURE, &mut signature),
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(bad_parameter(name, "is given twice"));
            }
        }
        if id.is_none() && signature.is_none() {
            return Err(Rejection::new(
                RejectionKind::MissingCredentials,
                "required HTTP header Authorization was not specified",
            ));
        }
        switched_on(Scheme::FcPresigned, schemes)?;
        let required = |value: Option<Cow<'a, [u8]>>, name| {
            value.ok_or_else(|| bad_parameter(name, "is missing"))
        };
        let id = required(id, QUERY_ACCESS_KEY_ID)?;
        let access_key_id = access_key_id(&id)
            .ok_or_else(|| bad_parameter(QUERY_ACCESS_KEY_ID, "is not an access key id"))?
            .to_owned();
        let expires = required(expires, QUERY_EXPIRES)?;
        let until = unix_seconds(&expires)
            .ok_or_else(|| bad_parameter(QUERY_EXPIRES, "is not a number of Unix seconds"))?;
        let signature = required(signature, QUERY_SIGNATURE)?;
        Ok(Self {
            head,
            scheme: Scheme::FcPresigned,
            authorization: None,
            access_key_id: Cow::Owned(access_key_id),
            security_token: token,
            nonce: None,
            signature: Tag::from_base64(&signature, 32),
            time: Time::Until(until),
            detail: Detail::Expires(expires),
        })
    }

    /// What the claim says to have signed.
    pub(crate) fn subject(&self) -> Subject<'_, 'h> {
        let terms = match &self.detail {
            Detail::None => Terms::None,
            Detail::Expires(expires) => Terms::Expires(expires),
            Detail::SignedHeaders { names, .. } => Terms::SignedHeaders(names),
        };
        Subject { head: self.head, scheme: self.scheme, terms }
    }

    /// The names in `SignedHeaders`, under a scheme that has them.
    pub(crate) fn signed_headers(&self) -> Option<&'a [&'h str]> {
        match &self.detail {
            Detail::SignedHeaders { names, .. } => Some(*names),
            _ => None,
        }
    }

    /// `SignedHeaders` as it was sent, under a scheme that has it.
    pub(crate) fn signed_headers_list(&self) -> Option<&'a str> {
        match self.detail {
            Detail::SignedHeaders { list, .. } => Some(list),
            _ => None,
        }
    }
}

/// `host` and the authority of an HTTP/2 or absolute target must agree.
fn check_host(head: &Head<'_>) -> Result<(), Rejection> {
    let mismatch = |message| Err(Rejection::new(RejectionKind::HostMismatch, message));
    if head.fields.host.repeated {
        return mismatch("there is more than one Host header");
    }
    let (Some(host), Some(authority)) = (head.fields.host.value, head.uri.authority()) else {
        return Ok(());
    };
    let host = without_default_port(trim(host), head.uri);
    if host.eq_ignore_ascii_case(implied_host(authority, head.uri)) {
        return Ok(());
    }
    mismatch("the Host header and the authority of the target name different hosts")
}

/// When the date header of a scheme says that the request was signed.
fn signed_at(head: &Head<'_>, scheme: Scheme) -> Result<SystemTime, Rejection> {
    let fields = &head.fields;
    let (field, label) = match scheme.family() {
        Family::Acs3 => (fields.protocol(X_ACS_DATE.as_str()), "x-acs-date"),
        Family::Fc | Family::Acs => (fields.date, "Date"),
    };
    let Some(value) = once(field, label)? else {
        return Err(Rejection::new(
            RejectionKind::MissingDate,
            format!("required HTTP header {label} was not specified"),
        ));
    };
    let (time, form) = match scheme.family() {
        Family::Acs3 => (parse_acs_date(trim(value)), "2026-11-21T17:57:00Z"),
        Family::Fc | Family::Acs => (parse_http_date(trim(value)), "Sat, 21 Nov 2026 17:57:00 GMT"),
    };
    time.ok_or_else(|| {
        Rejection::new(
            RejectionKind::MalformedDate,
            format!("the HTTP header {label} is not a date of the form '{form}'"),
        )
    })
}

/// A header of which there can be one.
fn once<'a>(field: Field<'a>, label: &str) -> Result<Option<&'a HeaderValue>, Rejection> {
    if field.repeated {
        let message = format!("there is more than one {label} header");
        return Err(Rejection::new(RejectionKind::RepeatedHeader, message));
    }
    Ok(field.value)
}

fn switched_on(scheme: Scheme, schemes: Schemes) -> Result<(), Rejection> {
    if schemes.contains(scheme) {
        return Ok(());
    }
    Err(Rejection::new(
        RejectionKind::UnsupportedScheme,
        format!("the signature scheme '{scheme}' is not accepted here"),
    ))
}

fn unknown_scheme() -> Rejection {
    let message = "the Authorization header names no signature scheme that is known here";
    Rejection::new(RejectionKind::UnsupportedScheme, message)
}

fn malformed(scheme: Scheme) -> Rejection {
    let token = scheme.token().unwrap_or_default();
    let form = match scheme.family() {
        Family::Acs3 => {
            "Credential=<access key id>,SignedHeaders=<lower-case names in order, joined by ;>,\
             Signature=<hexadecimal>"
        }
        Family::Fc | Family::Acs => "<access key id>:<base64>",
    };
    Rejection::new(
        RejectionKind::MalformedCredentials,
        format!("the Authorization header is not of the form '{token} {form}'"),
    )
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
    (crate::clock::to_unix(time) == seconds).then_some(time)
}
