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
//! Nothing is read of claims before the signature was verified. Until then the work is bounded:
//! a token of at most 8 KB, one key, 64 KB of a form where one is looked into.
//!
//! # What is documented, and what was chosen
//!
//! | Function Compute | here | setting |
//! |---|---|---|
//! | RS, PS, ES and HS with 256, 384 and 512, and EdDSA | all of them | `alg` of a key |
//! | `alg` of a key is required | without one, its type says for which algorithms it is | |
//! | a key is chosen by `kid`, which has to agree; at most one key has none, or an empty one | a token without `kid` goes to that one, or to the only key there is; one with another is refused | |
//! | keys are given | or fetched, with the feature `jwks-fetch`: every 10 minutes, for an unknown `kid` at most once in 30 s, kept for a day while that fails; 503 when there are none | `JwksFetch` |
//! | places in order, `header:name:prefix`, `cookie:`, `query:`, `form:`; the first token found is verified | a place with two values is refused; `query:` on every method, `form:` on POST alone, up to 64 KB | [`JwtLayer::with_token_lookup`] |
//! | how long a token may be is open | 8 KB | [`JwtLayer::with_max_token_len`] |
//! | whether `exp` is required is open | it is | [`JwtLayer::with_insecure_endless_tokens`] |
//! | how far clocks may be apart is open | 60 s, for `exp` and `nbf` | [`JwtLayer::with_leeway`] |
//! | `iss` and `aud` are open | not looked at unless set | [`JwtLayer::with_issuers`], [`JwtLayer::with_audiences`] |
//! | claims as headers, cookies, query and form | [as text](ClaimPassBy); one that cannot stand there is refused with 400 | [`JwtLayer::with_claims`] |
//! | what becomes of what a client sends under the name of a claim is open | it is taken out, in any spelling, on free paths too | |
//! | claims in a form beside a digest, or in a body that may be a form, are open | refused with 400 | |
//! | all paths, all but some, or only some; exact, or a prefix | on the path as the function may read it: what is in doubt needs a token, and in a black list `/a` is `/a/` and `/A` too | [`JwtLayer::with_paths`], [`Paths::with_insecure_literal_matching`] |
//! | whether the token itself reaches the function is open | it does | |
//! | what a refused token is answered is open | 403 `AccessDenied` | [`JwtLayer::with_rejection_response`] |
//! | signatures or tokens | or both, by what a request has | [`SignatureOrJwtLayer`] |
//!
//! A member twice in the header or the claims of a token, and a number in them that cannot be kept
//! to the digit, make it invalid: other parsers would read something else.

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
