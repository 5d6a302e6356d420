//! The names of headers and query parameters that signatures use.

use http::header::HeaderName;

/// `x-fc-security-token`: the STS token of scheme `FC`.
pub static X_FC_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-fc-security-token");
/// `x-fc-access-key-id`: the access key of the function's role, for a custom runtime.
pub static X_FC_ACCESS_KEY_ID: HeaderName = HeaderName::from_static("x-fc-access-key-id");
/// `x-fc-access-key-secret`: its secret.
pub static X_FC_ACCESS_KEY_SECRET: HeaderName = HeaderName::from_static("x-fc-access-key-secret");
/// `x-fc-request-id`: names one request in every answer of the gateway.
pub static X_FC_REQUEST_ID: HeaderName = HeaderName::from_static("x-fc-request-id");
/// `x-acs-date`: when a request was signed, under `ACS3-HMAC-SHA256` and `ACS3-HMAC-SM3`.
pub static X_ACS_DATE: HeaderName = HeaderName::from_static("x-acs-date");
/// `x-acs-security-token`: the STS token of the `ACS3` schemes and of `acs`.
pub static X_ACS_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-acs-security-token");
/// `x-acs-content-sha256`: the hash of the body, in hexadecimal, under the `ACS3` schemes.
pub static X_ACS_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-acs-content-sha256");
/// `x-acs-signature-nonce`: unique for each request, where it is sent.
pub static X_ACS_SIGNATURE_NONCE: HeaderName = HeaderName::from_static("x-acs-signature-nonce");
/// `x-fc-signature-nonce`: unique for each request under `FC`. The name is this
/// crate's: the documentation of `FC` has no nonce, but signs every `x-fc-` header.
pub static X_FC_SIGNATURE_NONCE: HeaderName = HeaderName::from_static("x-fc-signature-nonce");
/// `x-fc-invocation-type`: `Async` for a request that is to be carried out later, or `Sync`.
pub static X_FC_INVOCATION_TYPE: HeaderName = HeaderName::from_static("x-fc-invocation-type");
/// `x-fc-log-type`: `Tail` for a request whose answer is to come with its log, or `None`.
pub static X_FC_LOG_TYPE: HeaderName = HeaderName::from_static("x-fc-log-type");
/// `x-fc-async-delay`: after how many seconds.
pub static X_FC_ASYNC_DELAY: HeaderName = HeaderName::from_static("x-fc-async-delay");
/// `x-fc-async-task-id`: by which name it is looked up.
pub static X_FC_ASYNC_TASK_ID: HeaderName = HeaderName::from_static("x-fc-async-task-id");
/// `x-fc-stateful-async-invocation-id`: the same, in version 2.0 of the service.
pub static X_FC_STATEFUL_INVOCATION_ID: HeaderName =
    HeaderName::from_static("x-fc-stateful-async-invocation-id");
/// `content-md5`: the digest of the body, under every scheme.
pub static CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// `x-fc-access-key-id`: who signed a presigned URL.
pub const QUERY_ACCESS_KEY_ID: &str = "x-fc-access-key-id";
/// `x-fc-expires`: until when a presigned URL is valid, in Unix seconds.
pub const QUERY_EXPIRES: &str = "x-fc-expires";
/// `x-fc-security-token`: the STS token of a presigned URL.
pub const QUERY_SECURITY_TOKEN: &str = "x-fc-security-token";
/// `x-fc-signature`: the signature of a presigned URL, in base64.
pub const QUERY_SIGNATURE: &str = "x-fc-signature";

/// The headers that belong to credentials beside `authorization`, and to nothing else.
pub(crate) static OF_CREDENTIALS: [&HeaderName; 5] = [
    &X_FC_SECURITY_TOKEN,
    &X_ACS_SECURITY_TOKEN,
    &X_FC_SIGNATURE_NONCE,
    &X_ACS_SIGNATURE_NONCE,
    &X_ACS_DATE,
];

/// The headers that Function Compute gives to a custom runtime with each request, as its
/// documentation names them.
pub(crate) static OF_PLATFORM: [&str; 14] = [
    "x-fc-access-key-id",
    "x-fc-access-key-secret",
    "x-fc-account-id",
    "x-fc-control-path",
    "x-fc-function-handler",
    "x-fc-function-memory",
    "x-fc-function-name",
    "x-fc-qualifier",
    "x-fc-region",
    "x-fc-request-id",
    "x-fc-security-token",
    "x-fc-service-logproject",
    "x-fc-service-logstore",
    "x-fc-version-id",
];

/// What the names of the headers begin with that `FC` signs.
pub(crate) const FC_PREFIX: &str = "x-fc-";
/// What the names of the headers begin with that `ACS3` and `acs` sign.
pub(crate) const ACS_PREFIX: &str = "x-acs-";
