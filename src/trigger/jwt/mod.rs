//! Authentication by JSON Web Tokens (RFC 7519), as a trigger of the authType `jwt` does it.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use jsonwebtoken::{EncodingKey, Header, encode};
//! use std::convert::Infallible;
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_fc::trigger::HttpTrigger;
//! use tower_fc::trigger::jwt::{Jwks, JwtLayer, VerifiedToken};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The public keys of whoever gives out tokens; here a secret of both.
//! let jwks = Jwks::from_json(
//!     r#"{"keys": [{"kty": "oct", "alg": "HS256", "kid": "a",
//!         "k": "YSBzZWNyZXQgdGhhdCBpcyBsb25nIGVub3VnaCBmb3IgSFMyNTY"}]}"#,
//! )?;
//! let jwt = JwtLayer::new(jwks).with_claims("header:sub:x-user".parse()?);
//! let function = service_fn(async |request: Request<_>| {
//!     let token: &VerifiedToken = request.extensions().get().expect("it was verified");
//!     assert_eq!(request.headers()["x-user"], token.subject().expect("it has one"));
//!     Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("hello")))
//! });
//! let trigger = HttpTrigger::new(jwt).layer(function);
//!
//! // With a token, and with what a client must not say:
//! let header = Header { kid: Some("a".to_owned()), ..Header::default() };
//! let claims = serde_json::json!({ "sub": "alice", "exp": 4_000_000_000_u64 });
//! let secret = EncodingKey::from_secret(b"a secret that is long enough for HS256");
//! let token = encode(&header, &claims, &secret)?;
//! let request = Request::get("/")
//!     .header("authorization", format!("Bearer {token}"))
//!     .header("x-user", "mallory")
//!     .body(Full::<Bytes>::default())?;
//! assert_eq!(trigger.clone().oneshot(request).await?.status(), 200);
//!
//! // Without:
//! let request = Request::get("/").body(Full::default())?;
//! assert_eq!(trigger.oneshot(request).await?.status(), 403);
//! # Ok(())
//! # }
//! ```
//!
//! # Order of checks
//!
//! 1. Is the path a free one ([`Paths`])? A path that could be read as another is not.
//! 2. Where is the token ([`TokenLookup`])? The first place that has one decides.
//! 3. Its length and its form, an algorithm that is known, no `crit`.
//! 4. Its key, by its `kid` ([`Jwks`]); the key says which algorithms it is for, never the token
//!    alone.
//! 5. Its signature, and then `exp`, `nbf`, `iss` and `aud`.
//! 6. Its claims are handed on ([`ClaimPassBy`]), in place of what the client sent under their
//!    names.
//!
//! # What is documented, and what was chosen
//!
//! | Function Compute | here | setting |
//! |---|---|---|
//! | RS, PS, ES and HS with 256, 384 and 512, and EdDSA | all of them | `alg` of a key |
//! | a key is chosen by `kid`; at most one has none | a token without `kid` goes to that one, or to the only key | |
//! | places in order, `header:name:prefix`, `cookie:`, `query:`, `form:` | a place with two values is refused | [`JwtLayer::with_token_lookup`] |
//! | claims as headers, cookies, query and form | one that cannot stand there is refused with 400 | [`JwtLayer::with_claims`] |
//! | all paths, all but some, or only some; exact, or a prefix | on the path as the function may read it; what is in doubt needs a token | [`JwtLayer::with_paths`] |
//! | what a refused token is answered is open | 403 `AccessDenied` | [`JwtLayer::with_rejection_response`] |
//! | whether `exp` is required is open | it is | [`JwtLayer::with_insecure_endless_tokens`] |
//! | how far clocks may be apart is open | 60 s | [`JwtLayer::with_leeway`] |
//! | keys are given | or fetched, with the feature `jwks-fetch`: `JwksFetch` | |
//! | signatures or tokens | or both, by what a request has | [`SignatureOrJwtLayer`] |

mod algorithm;
mod body;
mod claims;
mod either;
#[cfg(feature = "jwks-fetch")]
mod fetch;
mod fields;
mod form;
mod future;
mod json;
mod jwks;
mod keys;
mod layer;
mod lookup;
mod paths;
mod position;
mod service;
mod token;
mod verified;

pub use body::FormBody;
pub use claims::ClaimPassBy;
pub use either::{SignatureOrJwt, SignatureOrJwtLayer};
#[cfg(feature = "jwks-fetch")]
pub use fetch::{FetchedJwks, JwksFetch, KeySource};
pub use form::MAX_FORM_LEN;
pub use future::JwtFuture;
pub use jwks::Jwks;
pub use keys::TokenKeys;
pub use layer::{DEFAULT_LEEWAY, DEFAULT_MAX_TOKEN_LEN, JwtLayer};
pub use lookup::TokenLookup;
pub use paths::Paths;
pub use service::Jwt;
pub use verified::VerifiedToken;
