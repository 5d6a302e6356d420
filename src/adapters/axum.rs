//! What axum 0.8 needs beside [`VerifyLayer`](crate::VerifyLayer): extractors, refusals made of
//! axum's own responses, and the target of a nested router.
//!
//! [`VerifiedCaller`] is an extractor for handlers that serve nobody else,
//! `Option<VerifiedCaller>` one for handlers that serve anonymous callers as well, and [`Caller`]
//! one for those with several ways in. With the
//! feature `jwt`, `VerifiedToken` is one too. What they refuse, they answer as the layer outside
//! of them does.
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
//!
//! # Among other layers
//!
//! [The order](crate::verify#order) is the other way round in axum: the last `layer` is the
//! outermost. `examples/axum-app` is an app with public, signed and administrators' routes, one
//! tenant for each key, and a WebSocket.
//!
//! A refusal has a body of its own, so that the responses of a [`VerifyLayer`](crate::VerifyLayer)
//! are of another type than those of the service inside. `Router::layer` does not mind. Where it
//! matters, make them axum's: with `option_layer`, which wants both to be the same, and with
//! `axum::serve` for a layer around a whole router.
//!
//! ```
//! use axum::{Router, body::Body, http::Method, response::IntoResponse, routing::get};
//! use http::Request;
//! use tower::{ServiceBuilder, ServiceExt, util::option_layer};
//! use tower_fc::{StaticKeys, Verifier, VerifyLayer};
//! use tower_http::{cors::CorsLayer, trace::TraceLayer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let verify = VerifyLayer::new(Verifier::new(StaticKeys::new()));
//! let verify = ServiceBuilder::new().map_response(IntoResponse::into_response).layer(verify);
//! let stack = |is_checked: bool| {
//!     ServiceBuilder::new()
//!         .layer(TraceLayer::new_for_http())
//!         // Outside, so that preflights are answered, and scripts may read refusals.
//!         .layer(CorsLayer::permissive())
//!         .layer(option_layer(is_checked.then(|| verify.clone())))
//! };
//! let app = |is_checked| Router::new().route("/", get(async || "hello")).layer(stack(is_checked));
//! for (is_checked, status) in [(true, 403), (false, 200)] {
//!     let request = Request::get("/").body(Body::empty())?;
//!     assert_eq!(app(is_checked).oneshot(request).await?.status(), status);
//! }
//! let request = Request::builder().method(Method::OPTIONS).uri("/");
//! let request = request.header("origin", "https://app.example");
//! let request = request.header("access-control-request-method", "GET").body(Body::empty())?;
//! assert_eq!(app(true).oneshot(request).await?.status(), 200);
//!
//! // Around a router, before it looks at the path:
//! let service = verify.service(Router::new().route("/", get(async || "hello")));
//! let service = axum::ServiceExt::<axum::extract::Request>::into_make_service(service);
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! tokio::spawn(axum::serve(listener, service).into_future());
//! # Ok(())
//! # }
//! ```

use crate::protocol::verifier::caller::looked_at;
use crate::protocol::{Rejection, RejectionKind, VerifiedCaller};
use crate::response::{FcResponse, RejectionResponse, refuse};
#[cfg(feature = "jwt")]
use crate::trigger::jwt::VerifiedToken;
use crate::verify::OtherScheme;
use ::axum::body::Body;
use ::axum::extract::{FromRequestParts, OptionalFromRequestParts, OriginalUri};
use ::axum::response::IntoResponse;
use bytes::Bytes;
use http::request::Parts;
use http::{Extensions, Response, Uri};
use http_body_util::BodyExt;
#[cfg(feature = "jwt")]
use std::convert::Infallible;
use std::fmt;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

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

/// Answers refusals with whatever axum can respond with: a status, a `Json`, a tuple of both. For
/// [`VerifyLayer::with_rejection_response`](crate::VerifyLayer::with_rejection_response) and its
/// like.
///
/// The body has to be there at once, as that of a text or of a `Json` is. With one that is not,
/// say a stream that waits, [`FcResponse`] is the answer.
///
/// ```
/// use axum::{Json, Router, body::Body, http::StatusCode, routing::get};
/// use http::Request;
/// use tower::ServiceExt;
/// use tower_fc::adapters::axum::refuse_with;
/// use tower_fc::{StaticKeys, Verifier, VerifyLayer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let own = refuse_with(|rejection, _| {
///     (StatusCode::UNAUTHORIZED, Json(serde_json::json!({ "why": rejection.message() })))
/// });
/// let verify = VerifyLayer::new(Verifier::new(StaticKeys::new())).with_rejection_response(own);
/// let app = Router::new().route("/", get(async || "hello")).layer(verify);
///
/// let response = app.oneshot(Request::get("/").body(Body::empty())?).await?;
/// assert_eq!(response.status(), 401);
/// let body = axum::body::to_bytes(response.into_body(), 1024).await?;
/// assert_eq!(body, r#"{"why":"required HTTP header Authorization was not specified"}"#);
/// # Ok(())
/// # }
/// ```
pub fn refuse_with<F, T>(respond: F) -> RefuseWith<F>
where
    F: Fn(&Rejection, &Parts) -> T,
    T: IntoResponse,
{
    RefuseWith(respond)
}

/// A [`RejectionResponse`] made of axum's: see [`refuse_with`].
#[derive(Clone, Copy)]
pub struct RefuseWith<F>(F);

impl<F, T> RejectionResponse for RefuseWith<F>
where
    F: Fn(&Rejection, &Parts) -> T,
    T: IntoResponse,
{
    fn rejection_response(&self, rejection: &Rejection, parts: &Parts) -> Response<Bytes> {
        let (head, body) = (self.0)(rejection, parts).into_response().into_parts();
        let mut context = Context::from_waker(Waker::noop());
        match pin!(body.collect()).poll(&mut context) {
            Poll::Ready(Ok(body)) => Response::from_parts(head, body.to_bytes()),
            _ => FcResponse.rejection_response(rejection, parts),
        }
    }
}

impl<F> fmt::Debug for RefuseWith<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefuseWith").finish_non_exhaustive()
    }
}

/// Takes the caller that a [`VerifyLayer`](crate::VerifyLayer) verified. Without one,
/// the handler is not called and [`NotVerified`] is the answer.
///
/// There is none when the request is anonymous
/// ([`Mode::Optional`](crate::verify::Mode::Optional)), when its credentials are
/// [another's to check](crate::Verifier::with_other_schemes), when it is exempt, and when
/// there is no `VerifyLayer` around the handler at all: a layer that was forgotten shows as 403
/// on every request.
impl<S: Sync> FromRequestParts<S> for VerifiedCaller {
    type Rejection = NotVerified;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotVerified> {
        let caller = optional(parts)?;
        caller.ok_or_else(|| {
            let message =
                "required HTTP header Authorization was not specified, or was not verified";
            NotVerified::of(parts, Rejection::new(RejectionKind::MissingCredentials, message))
        })
    }
}

/// Takes the caller that a [`VerifyLayer`](crate::VerifyLayer) verified, `None` for
/// an anonymous one: see [`Mode::Optional`](crate::verify::Mode::Optional) for what gets here.
///
/// Credentials that are [another's to check](crate::Verifier::with_other_schemes) are refused:
/// who sends them is not anonymous. [`Caller`] takes them.
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
    type Rejection = NotVerified;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, NotVerified> {
        optional(parts)
    }
}

/// The caller of a request, if it has one and no credentials that are another's.
fn optional(parts: &Parts) -> Result<Option<VerifiedCaller>, NotVerified> {
    match parts.extensions.get::<OtherScheme>() {
        Some(other) => Err(NotVerified::of(parts, Rejection::other(other.clone()))),
        None => Ok(parts.extensions.get().cloned()),
    }
}

/// Tells whom a request is from, where there are several ways in.
///
/// As an extractor it refuses only what no [`VerifyLayer`](crate::VerifyLayer) looked at, as
/// [`RejectionKind::NotLookedAt`].
///
/// ```
/// use axum::{Router, body::Body, http::HeaderMap, http::StatusCode, routing::get};
/// use http::Request;
/// use tower::ServiceExt;
/// use tower_fc::adapters::axum::Caller;
/// use tower_fc::{Credentials, Signer, StaticKeys, VerifyLayer, Verifier, verify::Mode};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// async fn hello(caller: Caller, headers: HeaderMap) -> (StatusCode, String) {
///     match caller {
///         Caller::Verified(caller) => (StatusCode::OK, caller.access_key_id().to_owned()),
///         // Ours to check now:
///         Caller::Other(other) if headers["authorization"] == "Bearer a-good-token" => {
///             (StatusCode::OK, other.name().to_owned())
///         }
///         Caller::Other(_) => (StatusCode::UNAUTHORIZED, String::new()),
///         Caller::Anonymous => (StatusCode::OK, "whoever".to_owned()),
///     }
/// }
/// let keys = StaticKeys::from_secrets([("LTAI5tExample", "secret")])?;
/// let verifier = Verifier::new(keys).with_other_schemes(["Bearer"])?;
/// let verify = VerifyLayer::new(verifier).with_mode(Mode::Optional);
/// let app = Router::new().route("/", get(hello)).layer(verify);
///
/// let mut signed = Request::get("/").body(Body::empty())?;
/// Signer::new(Credentials::new("LTAI5tExample", "secret")?).sign_request(&mut signed)?;
/// let with = |value| Request::get("/").header("authorization", value).body(Body::empty());
/// for (request, status, text) in [
///     (signed, 200, "LTAI5tExample"),
///     (with("Bearer a-good-token")?, 200, "Bearer"),
///     (with("Bearer another")?, 401, ""),
///     (Request::get("/").body(Body::empty())?, 200, "whoever"),
/// ] {
///     let response = app.clone().oneshot(request).await?;
///     assert_eq!(response.status(), status);
///     assert_eq!(axum::body::to_bytes(response.into_body(), 1024).await?, text);
/// }
/// // A scheme that was not named is refused.
/// assert_eq!(app.oneshot(with("Basic YTpi")?).await?.status(), 403);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub enum Caller {
    /// It was verified.
    Verified(VerifiedCaller),
    /// Its credentials are of this scheme. *Nothing of it was verified*: that is for the handler.
    Other(OtherScheme),
    /// It has no credentials, or was exempt from having any.
    Anonymous,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = NotVerified;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotVerified> {
        let caller = looked_at(&parts.extensions);
        match caller.map_err(|rejection| NotVerified::of(parts, rejection))? {
            Some(caller) => Ok(Self::Verified(caller.clone())),
            None => {
                let other = parts.extensions.get().cloned();
                Ok(other.map_or(Self::Anonymous, Self::Other))
            }
        }
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
            NotVerified::of(parts, Rejection::new(RejectionKind::MissingToken, message))
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
/// Answered as the layer answers that let the request pass
/// ([`with_rejection_response`](crate::VerifyLayer::with_rejection_response)), by its clock, with
/// the [`Rejection`] in the extensions of the response: of
/// [`RejectionKind::MissingCredentials`], [`RejectionKind::OtherScheme`], or
/// [`RejectionKind::MissingToken`]. Where no layer let it pass, [`FcResponse`] answers, with zeros
/// for the time in the `x-fc-request-id`.
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
    fn of(parts: &Parts, rejection: Rejection) -> Self {
        let response = refuse(rejection.clone(), parts);
        // With the time of the layer.
        let rejection = response.extensions().get().cloned().unwrap_or(rejection);
        Self { rejection, response }
    }

    /// The refusal.
    pub fn rejection(&self) -> &Rejection {
        &self.rejection
    }
}

impl IntoResponse for NotVerified {
    fn into_response(self) -> Response<Body> {
        self.response.map(Body::from)
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
