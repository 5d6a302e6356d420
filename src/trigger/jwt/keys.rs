use super::jwks::Jwks;
use super::token::Token;
use crate::protocol::Rejection;
use std::fmt;

/// The keys that a [`JwtLayer`](super::JwtLayer) verifies by: a [`Jwks`], or with the feature
/// `jwks-fetch` a `FetchedJwks`.
#[derive(Clone)]
pub struct TokenKeys(Kind);

#[derive(Clone)]
enum Kind {
    Given(Jwks),
    #[cfg(feature = "jwks-fetch")]
    Fetched(super::fetch::FetchedJwks),
}

impl From<Jwks> for TokenKeys {
    fn from(keys: Jwks) -> Self {
        Self(Kind::Given(keys))
    }
}

#[cfg(feature = "jwks-fetch")]
impl From<super::fetch::FetchedJwks> for TokenKeys {
    fn from(keys: super::fetch::FetchedJwks) -> Self {
        Self(Kind::Fetched(keys))
    }
}

impl TokenKeys {
    /// The set to look for the key of a token in.
    #[cfg_attr(not(feature = "jwks-fetch"), allow(clippy::unused_async, unused_variables))]
    pub(super) async fn for_token(&self, token: &Token<'_>) -> Result<Jwks, Rejection> {
        match &self.0 {
            Kind::Given(keys) => Ok(keys.clone()),
            #[cfg(feature = "jwks-fetch")]
            Kind::Fetched(keys) => keys.with_key(token.kid()).await,
        }
    }
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Given(keys) => keys.fmt(f),
            #[cfg(feature = "jwks-fetch")]
            Kind::Fetched(keys) => keys.fmt(f),
        }
    }
}
