use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// The claims of a token that was verified.
///
/// A [`JwtLayer`](super::JwtLayer) puts it into the extensions of every request that it lets
/// through with a token. Clones are cheap. `Debug` prints the names of the claims, and neither
/// values nor the token.
#[derive(Clone)]
pub struct VerifiedToken(Arc<Inner>);

struct Inner {
    claims: Map<String, Value>,
    key_id: Option<String>,
    expires_at: Option<SystemTime>,
}

impl VerifiedToken {
    pub(super) fn new(
        claims: Map<String, Value>,
        key_id: Option<String>,
        expires_at: Option<SystemTime>,
    ) -> Self {
        Self(Arc::new(Inner { claims, key_id, expires_at }))
    }

    /// Whom the token is about: its `sub`, if that is there and a text.
    pub fn subject(&self) -> Option<&str> {
        self.get("sub").and_then(Value::as_str)
    }

    /// The claim of this name, `None` if the token has none.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.claims.get(name)
    }

    /// All claims.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.0.claims
    }

    /// The `kid` of the token: the name of the key it was verified by, `None` if it named none.
    pub fn key_id(&self) -> Option<&str> {
        self.0.key_id.as_deref()
    }

    /// Returns when the token ends, by its `exp` and without leeway; `None` for one that does not.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.0.expires_at
    }
}

impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.claims.keys().collect();
        f.debug_struct("VerifiedToken")
            .field("key_id", &self.0.key_id)
            .field("claims", &names)
            .finish_non_exhaustive()
    }
}
