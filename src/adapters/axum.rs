//! What axum 0.8 needs beside [`VerifyLayer`](crate::VerifyLayer): extractors, and
//! the target of a nested router.
//!
//! [`VerifiedCaller`] is an extractor for handlers that serve nobody else, and
//! `Option<VerifiedCaller>` one for handlers that serve anonymous callers as well. With the
//! feature `jwt`, so is `VerifiedToken`.
//! A router that strips part of the path, as [`nest`](::axum::Router::nest) does,
//! hides from a layer inside it what the client signed; [`original_uri`] gives it back.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode};
//! use tower::ServiceExt;
//! use tower_fc::adapters::axum::original_uri;
//! use tower_fc::{Credentials, Signer, StaticKeys, VerifiedCaller, VerifyLayer, Verifier};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! async fn hello(caller: VerifiedCaller) -> String {
//!     format!("hello {}", caller.access_key_id())
//! }
//!
//! let keys = StaticKeys::from_secrets([("LTAI5tExample", "secret")])?;
//! let verify = VerifyLayer::new(Verifier::new(keys)).with_original_target(original_uri);
//! let api = Router::new().route("/hello", get(hello)).layer(verify);
//! let app = Router::new().nest("/api", api);
//!
//! // Signed, as the client sees the target:
//! let mut request = Request::get("/api/hello?x=1").body(Body::empty())?;
//! let signer = Signer::new(Credentials::new("LTAI5tExample", "secret")?);
//! signer.sign_request_at(&mut request, std::time::SystemTime::now())?;
//! let response = app.clone().oneshot(request).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//! let body = axum::body::to_bytes(response.into_body(), 1024).await?;
//! assert_eq!(body, "hello LTAI5tExample");
//!
//! // Not signed:
//! let request = Request::get("/api/hello?x=1").body(Body::empty())?;
//! assert_eq!(app.oneshot(request).await?.status(), StatusCode::FORBIDDEN);
//! # Ok(())
//! # }
//! ```

use crate::protocol::{Rejection, RejectionKind, VerifiedCaller};
use crate::response::{FcResponse, RejectionResponse};
#[cfg(feature = "jwt")]
use crate::trigger::jwt::VerifiedToken;
use ::axum::body::Body;
use ::axum::extract::{FromRequestParts, OptionalFromRequestParts, OriginalUri};
use ::axum::response::IntoResponse;
use bytes::Bytes;
use http::request::Parts;
use http::{Extensions, Response, Uri};
use std::convert::Infallible;
use std::fmt;

/// The target as the client sent it, before [`nest`](::axum::Router::nest) took the
/// prefix away. For
/// [`VerifyLayer::with_original_target`](crate::VerifyLayer::with_original_target).
///
/// The outermost router keeps it. A layer around that router finds `None` here, and the
/// target it sees is the original.
///
/// ```
/// use axum::extract::OriginalUri;
/// use tower_fc::adapters::axum::original_uri;
///
/// let mut extensions = http::Extensions::new();
/// assert_eq!(original_uri(&extensions), None);
/// extensions.insert(OriginalUri("/api/hello?x=1".parse()?));
/// assert_eq!(original_uri(&extensions).unwrap(), "/api/hello?x=1");
/// # Ok::<(), http::uri::InvalidUri>(())
/// ```
pub fn original_uri(extensions: &Extensions) -> Option<&Uri> {
    extensions.get().map(|OriginalUri(uri)| uri)
}

/// Takes the caller that a [`VerifyLayer`](crate::VerifyLayer) verified. Without one,
/// the handler is not called and [`NotVerified`] is the answer.
///
/// There is none when the request is anonymous
/// ([`Mode::Optional`](crate::verify::Mode::Optional)), when its path is exempt, and when
/// there is no `VerifyLayer` around the handler at all. These cannot be told apart
/// here, so a layer that was forgotten shows as 403 on every request.
impl<S: Sync> FromRequestParts<S> for VerifiedCaller {
    type Rejection = NotVerified;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotVerified> {
        parts.extensions.get().cloned().ok_or_else(|| {
            let message =
                "required HTTP header Authorization was not specified, or was not verified";
            NotVerified::of(parts, RejectionKind::MissingCredentials, message)
        })
    }
}

/// Takes the caller that a [`VerifyLayer`](crate::VerifyLayer) verified, `None` for
/// an anonymous one. Never refuses: see
/// [`Mode::Optional`](crate::verify::Mode::Optional) for what gets here.
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use http::Request;
/// use tower::ServiceExt;
/// use tower_fc::verify::Mode;
/// use tower_fc::{StaticKeys, VerifiedCaller, VerifyLayer, Verifier};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// async fn hello(caller: Option<VerifiedCaller>) -> String {
///     caller.map_or("hello, whoever".into(), |caller| caller.access_key_id().to_owned())
/// }
/// let verify = VerifyLayer::new(Verifier::new(StaticKeys::new())).with_mode(Mode::Optional);
/// let app = Router::new().route("/", get(hello)).layer(verify);
///
/// let response = app.oneshot(Request::get("/").body(Body::empty())?).await?;
/// let body = axum::body::to_bytes(response.into_body(), 1024).await?;
/// assert_eq!(body, "hello, whoever");
/// # Ok(())
/// # }
/// ```
impl<S: Sync> OptionalFromRequestParts<S> for VerifiedCaller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().cloned())
    }
}

/// Takes the token that a [`JwtLayer`] verified. Without one, the handler is not called and
/// [`NotVerified`] is the answer, of [`RejectionKind::MissingToken`].
///
/// There is none on a free path, when the request is signed instead
/// ([`SignatureOrJwtLayer`](crate::trigger::jwt::SignatureOrJwtLayer)), and when there is no
/// [`JwtLayer`] around the handler at all.
///
/// [`JwtLayer`]: crate::trigger::jwt::JwtLayer
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use http::{Request, StatusCode};
/// use tower::ServiceExt;
/// use tower_fc::trigger::jwt::{Jwks, JwtLayer, VerifiedToken};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// async fn hello(token: VerifiedToken) -> String {
///     format!("hello {}", token.subject().unwrap_or("whoever"))
/// }
/// let keys = Jwks::from_json(r#"{"keys": [{"kty": "oct", "alg": "HS256", "k": "c2VjcmV0"}]}"#)?;
/// let app = Router::new().route("/", get(hello)).layer(JwtLayer::new(keys));
///
/// let claims = serde_json::json!({ "sub": "alice", "exp": 4102444800_u64 });
/// let key = jsonwebtoken::EncodingKey::from_secret(b"secret");
/// let token = jsonwebtoken::encode(&Default::default(), &claims, &key)?;
/// let request = Request::get("/").header("authorization", format!("Bearer {token}"));
/// let response = app.clone().oneshot(request.body(Body::empty())?).await?;
/// let body = axum::body::to_bytes(response.into_body(), 1024).await?;
/// assert_eq!(body, "hello alice");
///
/// let response = app.oneshot(Request::get("/").body(Body::empty())?).await?;
/// assert_eq!(response.status(), StatusCode::FORBIDDEN);
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "jwt")]
impl<S: Sync> FromRequestParts<S> for VerifiedToken {
    type Rejection = NotVerified;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotVerified> {
        parts.extensions.get().cloned().ok_or_else(|| {
            let message = "a token is required, and none was verified";
            NotVerified::of(parts, RejectionKind::MissingToken, message)
        })
    }
}

/// Takes the token that a [`JwtLayer`](crate::trigger::jwt::JwtLayer) verified, `None` where
/// there is none. Never refuses.
#[cfg(feature = "jwt")]
impl<S: Sync> OptionalFromRequestParts<S> for VerifiedToken {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().cloned())
    }
}

/// A handler demands a verified caller or token, and the request has none.
///
/// Answered as [`FcResponse`] answers
/// [`RejectionKind::MissingCredentials`]: 403 and `MissingRequiredHeader`, or
/// [`RejectionKind::MissingToken`]: 403 and `AccessDenied`; with the
/// [`Rejection`] in the extensions of the response. An extractor is handed no clock: there are
/// zeros for the time in the `x-fc-request-id`. Another answer of the layer
/// ([`with_rejection_response`](crate::VerifyLayer::with_rejection_response)) is not
/// known here; take an `Option<VerifiedCaller>` where that matters.
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use http::{Request, StatusCode};
/// use tower::ServiceExt;
/// use tower_fc::{Rejection, RejectionKind, VerifiedCaller};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // There is no VerifyLayer here.
/// let app: Router = Router::new().route("/", get(async |_: VerifiedCaller| "hello"));
/// let response = app.oneshot(Request::get("/").body(Body::empty())?).await?;
/// assert_eq!(response.status(), StatusCode::FORBIDDEN);
/// let rejection: &Rejection = response.extensions().get().unwrap();
/// assert_eq!(rejection.kind(), RejectionKind::MissingCredentials);
/// # Ok(())
/// # }
/// ```
pub struct NotVerified {
    rejection: Rejection,
    // Made beforehand: it depends on the request whether it is a gRPC one. Boxed to
    // keep the result of the extractor small.
    response: Box<Response<Bytes>>,
}

impl NotVerified {
    fn of(parts: &Parts, kind: RejectionKind, message: &'static str) -> Self {
        let rejection = Rejection::new(kind, message);
        let response = Box::new(FcResponse.rejection_response(&rejection, parts));
        Self { rejection, response }
    }

    /// The refusal.
    pub fn rejection(&self) -> &Rejection {
        &self.rejection
    }
}

impl IntoResponse for NotVerified {
    fn into_response(self) -> Response<Body> {
        let mut response = self.response.map(Body::from);
        response.extensions_mut().insert(self.rejection);
        response
    }
}

impl fmt::Display for NotVerified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.rejection, f)
    }
}

impl fmt::Debug for NotVerified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotVerified").field("rejection", &self.rejection).finish_non_exhaustive()
    }
}

impl std::error::Error for NotVerified {}
