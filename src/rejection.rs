//! Refusals: what was wrong, and how that is answered.

use crate::caller::VerifiedCaller;
use crate::canonical::quirks::Ambiguity;
use crate::headers::X_FC_REQUEST_ID;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use std::borrow::Cow;
use std::fmt;

/// Why a request is refused.
///
/// Its text is what the client is told. It names the rule and the input, and never
/// a secret, a token, or the signature that would have been right.
#[derive(Clone)]
pub struct Rejection(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: RejectionKind,
    message: Cow<'static, str>,
    access_key_id: Option<Box<str>>,
    ambiguity: Option<Ambiguity>,
}

/// What kind of refusal a [`Rejection`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RejectionKind {
    /// No credentials at all. The only kind that [`Mode::Optional`](crate::Mode) lets pass.
    MissingCredentials,
    /// The header that says when the request was signed is missing.
    MissingDate,
    /// Credentials twice: in two `Authorization` headers, or in a header and the query.
    ConflictingCredentials,
    /// A date, or another header of which there can be one, is there twice.
    RepeatedHeader,
    /// The `Authorization` value, or the parameters of a presigned URL, cannot be read.
    MalformedCredentials,
    /// The scheme is unknown, or not switched on.
    UnsupportedScheme,
    /// The date cannot be read.
    MalformedDate,
    /// The request was signed too long ago, or too far in the future.
    RequestTimeTooSkewed,
    /// A presigned URL is no longer valid.
    Expired,
    /// A presigned URL is valid for longer than allowed.
    ExpiresTooLate,
    /// A header that must be signed is not.
    UnsignedHeader,
    /// The request could be read in more than one way, or part of it is unsigned.
    Ambiguous,
    /// The headers or the target are longer than the verifier looks at.
    LimitExceeded,
    /// `host` and the authority of the target name different hosts.
    HostMismatch,
    /// No such access key.
    UnknownAccessKey,
    /// The signature differs.
    SignatureMismatch,
    /// A request that must have a nonce has none that is signed.
    MissingNonce,
    /// The same signed request has been seen before.
    Replayed,
    /// A request whose body must be covered by the signature has no signed digest.
    BodyNotCovered,
    /// The body differs from its signed digest.
    BodyDigestMismatch,
    /// The body is larger than what may be read of it before it is checked.
    BodyTooLarge,
    /// The body broke off before it could be checked.
    BodyIncomplete,
    /// Keys could not be looked up. The client is not at fault.
    KeyStoreUnavailable,
    /// The store of a replay guard cannot tell whether the request has been seen, being
    /// full or out of reach. The client is not at fault.
    ReplayStoreUnavailable,
}

impl RejectionKind {
    /// The HTTP status it is answered with: 403, but 400 for
    /// [`LimitExceeded`](Self::LimitExceeded), [`HostMismatch`](Self::HostMismatch),
    /// [`BodyTooLarge`](Self::BodyTooLarge) and
    /// [`BodyIncomplete`](Self::BodyIncomplete), and 503 for
    /// [`KeyStoreUnavailable`](Self::KeyStoreUnavailable) and
    /// [`ReplayStoreUnavailable`](Self::ReplayStoreUnavailable).
    pub const fn status(self) -> StatusCode {
        match self {
            Self::LimitExceeded
            | Self::HostMismatch
            | Self::BodyTooLarge
            | Self::BodyIncomplete => StatusCode::BAD_REQUEST,
            Self::KeyStoreUnavailable | Self::ReplayStoreUnavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::FORBIDDEN,
        }
    }

    /// The `ErrorCode` of Function Compute for it.
    pub const fn error_code(self) -> &'static str {
        match self {
            Self::MissingCredentials | Self::MissingDate => "MissingRequiredHeader",
            Self::UnknownAccessKey => "InvalidAccessKeyID",
            Self::SignatureMismatch => "SignatureNotMatch",
            Self::LimitExceeded
            | Self::HostMismatch
            | Self::BodyTooLarge
            | Self::BodyIncomplete => "InvalidArgument",
            Self::KeyStoreUnavailable | Self::ReplayStoreUnavailable => "ServiceUnavailable",
            _ => "AccessDenied",
        }
    }

    /// The gRPC status it is answered with: 16 (unauthenticated) where it is not
    /// clear who calls, 7 (permission denied) where the request is refused whoever
    /// does, 3 (invalid argument) and 14 (unavailable) where HTTP says 400 and 503.
    pub const fn grpc_status(self) -> u8 {
        match self {
            Self::LimitExceeded
            | Self::HostMismatch
            | Self::BodyTooLarge
            | Self::BodyIncomplete => 3,
            Self::KeyStoreUnavailable | Self::ReplayStoreUnavailable => 14,
            Self::RequestTimeTooSkewed
            | Self::Expired
            | Self::ExpiresTooLate
            | Self::UnsignedHeader
            | Self::Ambiguous
            | Self::MissingNonce
            | Self::Replayed
            | Self::BodyNotCovered
            | Self::BodyDigestMismatch => 7,
            _ => 16,
        }
    }
}

impl Rejection {
    pub(crate) fn new(kind: RejectionKind, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self(Box::new(Inner { kind, message, access_key_id: None, ambiguity: None }))
    }

    pub(crate) fn ambiguous(ambiguity: Ambiguity) -> Self {
        let kind = match ambiguity {
            Ambiguity::QueryCredentials => RejectionKind::ConflictingCredentials,
            Ambiguity::AbsentHeader => RejectionKind::MalformedCredentials,
            Ambiguity::UnsignedHeader => RejectionKind::UnsignedHeader,
            _ => RejectionKind::Ambiguous,
        };
        let mut rejection = Self::new(kind, ambiguity.rule());
        rejection.0.ambiguity = Some(ambiguity);
        rejection
    }

    pub(crate) fn by(mut self, access_key_id: &str) -> Self {
        self.0.access_key_id = Some(access_key_id.into());
        self
    }

    /// The response to the request that `parts` began, with the refusal in its
    /// extensions.
    pub(crate) fn answer(
        mut self,
        response: &impl RejectionResponse,
        parts: &Parts,
    ) -> Box<Response<Bytes>> {
        // What is refused after it was verified is known to be by its caller.
        if let (None, Some(caller)) =
            (self.claimed_access_key_id(), parts.extensions.get::<VerifiedCaller>())
        {
            self = self.by(caller.access_key_id());
        }
        let mut response = response.rejection_response(&self, parts);
        response.extensions_mut().insert(self);
        Box::new(response)
    }

    /// What kind of refusal it is.
    pub fn kind(&self) -> RejectionKind {
        self.0.kind
    }

    /// The HTTP status it is answered with. See [`RejectionKind::status`].
    pub fn status(&self) -> StatusCode {
        self.kind().status()
    }

    /// The `ErrorCode` of Function Compute. See [`RejectionKind::error_code`].
    pub fn error_code(&self) -> &'static str {
        self.kind().error_code()
    }

    /// The `ErrorMessage` for the client.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The access key id that the request named, where it got that far. Nothing says
    /// that the request really came from its owner.
    pub fn claimed_access_key_id(&self) -> Option<&str> {
        self.0.access_key_id.as_deref()
    }

    /// What is ambiguous, where that is why the request is refused.
    pub fn ambiguity(&self) -> Option<Ambiguity> {
        self.0.ambiguity
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error_code(), self.message())
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("kind", &self.kind())
            .field("message", &self.message())
            .field("claimed_access_key_id", &self.claimed_access_key_id())
            .finish()
    }
}

impl std::error::Error for Rejection {}

/// Makes the response to a refused request.
///
/// Closures `Fn(&Rejection, &Parts) -> Response<Bytes>` are such too.
pub trait RejectionResponse {
    /// The response to the request that `parts` began.
    fn rejection_response(&self, rejection: &Rejection, parts: &Parts) -> Response<Bytes>;
}

impl<F: Fn(&Rejection, &Parts) -> Response<Bytes>> RejectionResponse for F {
    fn rejection_response(&self, rejection: &Rejection, parts: &Parts) -> Response<Bytes> {
        self(rejection, parts)
    }
}

/// Answers as Function Compute does: the [status](RejectionKind::status), a JSON
/// object with `ErrorCode` and `ErrorMessage`, and an `x-fc-request-id`.
///
/// A request whose `content-type` is `application/grpc`, or that with something added
/// (`+proto`, `-web`), is answered the gRPC way instead: status 200, `grpc-status` and
/// `grpc-message`.
#[derive(Clone, Copy, Debug, Default)]
pub struct FcResponse;

impl RejectionResponse for FcResponse {
    fn rejection_response(&self, rejection: &Rejection, parts: &Parts) -> Response<Bytes> {
        let mut response = match parts.headers.get(CONTENT_TYPE).filter(|value| is_grpc(value)) {
            Some(content_type) => grpc(rejection, content_type),
            None => json(rejection),
        };
        response.headers_mut().insert(&X_FC_REQUEST_ID, request_id());
        response
    }
}

fn json(rejection: &Rejection) -> Response<Bytes> {
    let mut body = String::with_capacity(128);
    body.push_str("{\"ErrorCode\":\"");
    escape_json(rejection.error_code(), &mut body);
    body.push_str("\",\"ErrorMessage\":\"");
    escape_json(rejection.message(), &mut body);
    body.push_str("\"}");
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = rejection.status();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn escape_json(text: &str, out: &mut String) {
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            char if char.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(char))),
            char => out.push(char),
        }
    }
}

fn is_grpc(content_type: &HeaderValue) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let (begins, rest) = content_type.as_bytes().split_at_checked(GRPC.len()).unwrap_or_default();
    begins.eq_ignore_ascii_case(GRPC) && matches!(rest, [] | [b'+' | b'-' | b';' | b' ', ..])
}

fn grpc(rejection: &Rejection, content_type: &HeaderValue) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type.clone());
    headers.insert("grpc-status", HeaderValue::from(u16::from(rejection.kind().grpc_status())));
    // Percent-encoded, as the gRPC protocol asks for.
    let mut message = String::new();
    for byte in rejection.to_string().bytes() {
        match byte {
            b'%' | ..b' ' | 0x7f.. => message.push_str(&format!("%{byte:02X}")),
            byte => message.push(char::from(byte)),
        }
    }
    if let Ok(message) = HeaderValue::from_str(&message) {
        headers.insert("grpc-message", message);
    }
    response
}

/// A fresh request id in the form of the gateway: `1`, Unix seconds in
/// hexadecimal and 20 random digits, e.g. `1-65d71219-15d63510-fecf237c590c`.
pub(crate) fn request_id() -> HeaderValue {
    let seconds = crate::clock::to_unix(std::time::SystemTime::now());
    let number = crate::unique::number();
    let (head, tail) = (number >> 96, number & 0xffff_ffff_ffff);
    HeaderValue::from_str(&format!("1-{seconds:08x}-{head:08x}-{tail:012x}"))
        .unwrap_or(HeaderValue::from_static("1-0-0-0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(rejection: &Rejection, content_type: &str) -> Response<Bytes> {
        let request = http::Request::post("/").header(CONTENT_TYPE, content_type).body(());
        FcResponse.rejection_response(rejection, &request.unwrap().into_parts().0)
    }

    #[test]
    fn a_message_of_any_text_becomes_valid_json_and_a_valid_header() {
        let message = "\" \\ \n \u{7f} \u{0} é 你 %";
        let rejection = Rejection::new(RejectionKind::MalformedDate, message);
        let response = answer(&rejection, "text/plain");
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["ErrorCode"], "AccessDenied");
        assert_eq!(body["ErrorMessage"], message);

        let response = answer(&rejection, "application/grpc+proto");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["grpc-status"], "16");
        assert_eq!(
            response.headers()["grpc-message"],
            "AccessDenied: \" \\ %0A %7F %00 %C3%A9 %E4%BD%A0 %25"
        );
    }

    #[test]
    fn request_ids_have_the_form_of_the_gateway_and_differ() {
        let ids: std::collections::HashSet<_> = (0..1000).map(|_| request_id()).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            let lens: Vec<_> = id.to_str().unwrap().split('-').map(str::len).collect();
            assert_eq!(lens, [1, 8, 8, 12], "{id:?}");
        }
    }
}
