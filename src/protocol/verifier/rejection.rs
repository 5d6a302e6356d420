//! Refusals: what was wrong, and why.

use crate::error::BoxError;
use crate::protocol::others::OtherScheme;
use crate::protocol::scheme::ambiguity::Ambiguity;
use http::StatusCode;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// Says why a request is refused.
///
/// Its text is what the client is told. It names the rule and the input, and never
/// a secret, a token, or the signature that would have been right. What the client is not
/// told, say why a key store could not answer, is its
/// [`source`](std::error::Error::source).
#[derive(Clone)]
pub struct Rejection(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: RejectionKind,
    message: Cow<'static, str>,
    access_key_id: Option<Box<str>>,
    ambiguity: Option<Ambiguity>,
    source: Option<Arc<dyn Error + Send + Sync>>,
    time: Option<SystemTime>,
    other: Option<OtherScheme>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $status:ident, $code:literal, $grpc:literal;)*) => {
        /// Tells apart the kinds of [`Rejection`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum RejectionKind {
            $($(#[$doc])* $kind,)*
        }

        impl RejectionKind {
            /// Its name in lower case with underscores, e.g. `signature_mismatch`: a label for
            /// logs and metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// The HTTP status it is answered with: 403 where the caller may not, 400 where the
            /// request is not one that anybody could make, 405 for its method, 500 and 502 for
            /// faults of the set-up and of the function, 503 where it cannot be told.
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$kind => StatusCode::$status,)*
                }
            }

            /// The `ErrorCode` of Function Compute for it.
            pub const fn error_code(self) -> &'static str {
                match self {
                    $(Self::$kind => $code,)*
                }
            }

            /// The gRPC status it is answered with: 16 (unauthenticated) where it is not
            /// clear who calls, 7 (permission denied) where the request is refused whoever
            /// does, 3 (invalid argument), 12 (unimplemented), 13 (internal) and 14
            /// (unavailable) where HTTP says 400, 405, 500 or 502, and 503.
            pub const fn grpc_status(self) -> u8 {
                match self {
                    $(Self::$kind => $grpc,)*
                }
            }
        }
    };
}

kinds! {
    /// Something that belongs to credentials, and neither an `Authorization` header nor an
    /// access key id or a signature in the query: a security token, a nonce, `x-acs-date`, or
    /// a parameter of a presigned URL. A proxy that took `Authorization` away leaves that.
    IncompleteCredentials = "incomplete_credentials", FORBIDDEN, "MissingRequiredHeader", 16;
    /// No credentials at all. The only kind that [`Mode::Optional`](crate::verify::Mode) lets pass.
    MissingCredentials = "missing_credentials", FORBIDDEN, "MissingRequiredHeader", 16;
    /// The header that says when the request was signed is missing.
    MissingDate = "missing_date", FORBIDDEN, "MissingRequiredHeader", 16;
    /// Credentials twice: in two `Authorization` headers, or in a header and the query.
    ConflictingCredentials = "conflicting_credentials", FORBIDDEN, "AccessDenied", 16;
    /// A date, or another header of which there can be one, is there twice.
    RepeatedHeader = "repeated_header", FORBIDDEN, "AccessDenied", 16;
    /// The `Authorization` value, or the parameters of a presigned URL, cannot be read.
    MalformedCredentials = "malformed_credentials", FORBIDDEN, "AccessDenied", 16;
    /// The scheme is unknown, or not switched on.
    UnsupportedScheme = "unsupported_scheme", FORBIDDEN, "AccessDenied", 16;
    /// The credentials are of a scheme that is [another's](crate::Verifier::with_other_schemes) to
    /// check. [`VerifyLayer`](crate::VerifyLayer) lets it pass, marked as such.
    OtherScheme = "other_scheme", FORBIDDEN, "AccessDenied", 16;
    /// The date cannot be read.
    MalformedDate = "malformed_date", FORBIDDEN, "AccessDenied", 16;
    /// The request was signed too long ago, or too far in the future.
    RequestTimeTooSkewed = "request_time_too_skewed", FORBIDDEN, "AccessDenied", 7;
    /// A presigned URL is no longer valid.
    Expired = "expired", FORBIDDEN, "AccessDenied", 7;
    /// A presigned URL is valid for longer than allowed.
    ExpiresTooLate = "expires_too_late", FORBIDDEN, "AccessDenied", 7;
    /// A header that must be signed is not.
    UnsignedHeader = "unsigned_header", FORBIDDEN, "AccessDenied", 7;
    /// The request could be read in more than one way, or part of it is unsigned.
    Ambiguous = "ambiguous", FORBIDDEN, "AccessDenied", 7;
    /// The headers or the target are longer than the verifier looks at.
    LimitExceeded = "limit_exceeded", BAD_REQUEST, "InvalidArgument", 3;
    /// The target has a path that does not begin with a slash, or user information.
    MalformedTarget = "malformed_target", BAD_REQUEST, "InvalidArgument", 3;
    /// `host` and the authority of the target name different hosts.
    HostMismatch = "host_mismatch", BAD_REQUEST, "InvalidArgument", 3;
    /// The request names no host, or one that is not of those that the verifier
    /// [accepts](crate::Verifier::with_hosts).
    ForeignHost = "foreign_host", FORBIDDEN, "AccessDenied", 7;
    /// No such access key.
    UnknownAccessKey = "unknown_access_key", FORBIDDEN, "InvalidAccessKeyID", 16;
    /// The signature differs.
    SignatureMismatch = "signature_mismatch", FORBIDDEN, "SignatureNotMatch", 16;
    /// A request that must have a nonce has none that is signed.
    MissingNonce = "missing_nonce", FORBIDDEN, "AccessDenied", 7;
    /// The same signed request has been seen before.
    Replayed = "replayed", FORBIDDEN, "AccessDenied", 7;
    /// A request whose body must be covered by the signature has no signed digest.
    BodyNotCovered = "body_not_covered", FORBIDDEN, "AccessDenied", 7;
    /// The body differs from its signed digest.
    BodyDigestMismatch = "body_digest_mismatch", FORBIDDEN, "AccessDenied", 7;
    /// The body is larger than what may be read of it before it is checked.
    BodyTooLarge = "body_too_large", BAD_REQUEST, "InvalidArgument", 3;
    /// The body broke off before it could be checked.
    BodyIncomplete = "body_incomplete", BAD_REQUEST, "InvalidArgument", 3;
    /// A layer that goes by the caller is outside of the one that verifies. (In axum the last
    /// `layer` is the outermost.) The client is not at fault.
    NotLookedAt = "not_looked_at", INTERNAL_SERVER_ERROR, "InternalServerError", 13;
    /// Keys could not be looked up. The client is not at fault.
    KeyStoreUnavailable = "key_store_unavailable", SERVICE_UNAVAILABLE, "ServiceUnavailable", 14;
    /// The store of a replay guard cannot tell whether the request has been seen, being
    /// full or out of reach. The client is not at fault.
    ReplayStoreUnavailable = "replay_store_unavailable", SERVICE_UNAVAILABLE, "ServiceUnavailable", 14;
    /// The method is none that a trigger allows.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "MethodNotAllowed", 12;
    /// The public built-in address of a trigger is switched off (`disableURLInternet`).
    AddressDisabled = "address_disabled", FORBIDDEN, "AccessDenied", 7;
    /// What a function answered may not be downloaded from the built-in domain.
    ContentNotAllowed = "content_not_allowed", BAD_REQUEST, "InvalidArgument", 3;
    /// The headers that a function answered with are longer than a trigger lets pass.
    ResponseLimitExceeded = "response_limit_exceeded", BAD_GATEWAY, "BadResponse", 13;
    /// A function failed without an answer, or cannot be reached.
    FunctionUnreachable = "function_unreachable", BAD_GATEWAY, "BadResponse", 13;
    /// A header of asynchronous invocation cannot be what it is.
    InvalidInvocation = "invalid_invocation", BAD_REQUEST, "InvalidArgument", 3;
    /// There is a task of this id already.
    DuplicateTask = "duplicate_task", CONFLICT, "StatefulAsyncInvocationAlreadyExists", 6;
    /// A request that was to be carried out later could not be stored, and will not be. The
    /// client is not at fault.
    InvocationStoreUnavailable = "invocation_store_unavailable", SERVICE_UNAVAILABLE, "ServiceUnavailable", 14;
    /// A token is missing where one is required.
    MissingToken = "missing_token", FORBIDDEN, "AccessDenied", 16;
    /// A token that is not valid: not one that can be read, of an unknown key or another
    /// algorithm, with another signature, too early or too late, for somebody else.
    InvalidToken = "invalid_token", FORBIDDEN, "AccessDenied", 16;
    /// Claims of a token cannot be handed on in its request: their values cannot stand where they
    /// are to be, or its body cannot be changed.
    ClaimsNotPassed = "claims_not_passed", BAD_REQUEST, "InvalidArgument", 3;
    /// There are no keys for tokens: they have never been fetched, or not for too long. The client
    /// is not at fault.
    TokenKeysUnavailable = "token_keys_unavailable", SERVICE_UNAVAILABLE, "ServiceUnavailable", 14;
}

impl Rejection {
    pub(crate) fn new(kind: RejectionKind, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        let (access_key_id, ambiguity, source) = (None, None, None);
        let (time, other) = (None, None);
        Self(Box::new(Inner { kind, message, access_key_id, ambiguity, source, time, other }))
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

    pub(crate) fn other(scheme: OtherScheme) -> Self {
        let message = format!("credentials of scheme '{}' are not checked here", scheme.name());
        let mut rejection = Self::new(RejectionKind::OtherScheme, message);
        rejection.0.other = Some(scheme);
        rejection
    }

    pub(crate) fn by(mut self, access_key_id: &str) -> Self {
        self.0.access_key_id = Some(access_key_id.into());
        self
    }

    pub(crate) fn at(mut self, time: SystemTime) -> Self {
        self.0.time = Some(time);
        self
    }

    pub(crate) fn because_of(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into().into());
        self
    }

    pub(crate) fn unknown(access_key_id: &str) -> Self {
        let message = format!("invalid access key ID '{access_key_id}'");
        Self::new(RejectionKind::UnknownAccessKey, message)
    }

    pub(crate) fn mismatch() -> Self {
        Self::new(
            RejectionKind::SignatureMismatch,
            "The request signature we calculated does not match the signature you provided. \
             Check your access key and signing method",
        )
    }

    pub(crate) fn unsigned(header: &str) -> Self {
        let message = format!("the HTTP header {header} must be signed");
        Self::new(RejectionKind::UnsignedHeader, message)
    }

    /// Returns what kind of refusal it is.
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

    /// Returns when a layer refused the request, by its clock; `None` before it is answered.
    pub fn time(&self) -> Option<SystemTime> {
        self.0.time
    }

    /// Returns the scheme of the credentials, where it is one of
    /// [others](crate::Verifier::with_other_schemes).
    pub fn other_scheme(&self) -> Option<&OtherScheme> {
        self.0.other.as_ref()
    }

    /// Returns what is ambiguous, where that is why the request is refused.
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

impl Error for Rejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
