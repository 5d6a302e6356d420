//! x

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
