use super::claims::ClaimPassBy;
use super::form::Form;
use super::keys::TokenKeys;
use super::lookup::TokenLookup;
use super::paths::Paths;
use super::token::{Checks, Token};
use super::verified::VerifiedToken;
use crate::clock::{Clock, SystemClock};
use crate::protocol::{Rejection, RejectionKind};
use crate::response::{FcResponse, RejectionResponse};
use http::request::Parts;
use http_body::Body;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The longest token that is looked at, in bytes, unless set otherwise: as long as all headers of a
/// request may be.
pub const DEFAULT_MAX_TOKEN_LEN: usize = 8 * 1024;

/// How far clocks may be apart, unless set otherwise.
pub const DEFAULT_LEEWAY: Duration = Duration::from_secs(60);

/// Lets a service see only requests with a valid token: the `jwt` authentication of a trigger.
///
/// The inner service is called with a [`VerifiedToken`] in the extensions. Others are answered at
/// once, with the [`Rejection`] in the extensions of the response. Requests of free paths pass
/// without one, and their tokens are not looked at. No
/// [`VerifiedCaller`](crate::VerifiedCaller) is in the extensions in either case.
/// [The module](crate::trigger::jwt) has an example, and the order of checks.
///
/// Each request costs one boxed future and one clone of the inner service.
pub struct JwtLayer<R = FcResponse, C = SystemClock> {
    pub(super) settings: Arc<Settings>,
    pub(super) response: Arc<R>,
    pub(super) clock: C,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    keys: TokenKeys,
    pub(super) lookup: TokenLookup,
    claims: ClaimPassBy,
    paths: Paths,
    max_token_len: usize,
    checks: Checks,
}

impl JwtLayer {
    /// Verifies by these keys tokens in `authorization: Bearer`, on every path.
    pub fn new(keys: impl Into<TokenKeys>) -> Self {
        let settings = Settings {
            keys: keys.into(),
            lookup: TokenLookup::default(),
            claims: ClaimPassBy::default(),
            paths: Paths::all(),
            max_token_len: DEFAULT_MAX_TOKEN_LEN,
            checks: Checks {
                leeway: DEFAULT_LEEWAY,
                must_expire: true,
                issuers: Vec::new(),
                audiences: Vec::new(),
            },
        };
        Self { settings: Arc::new(settings), response: Arc::new(FcResponse), clock: SystemClock }
    }
}

impl<R, C> JwtLayer<R, C> {
    /// Looks for tokens in these places.
    #[must_use]
    pub fn with_token_lookup(self, lookup: TokenLookup) -> Self {
        self.with(|settings| settings.lookup = lookup)
    }

    /// Hands these claims on, in place of none.
    #[must_use]
    pub fn with_claims(self, claims: ClaimPassBy) -> Self {
        self.with(|settings| settings.claims = claims)
    }

    /// Demands tokens on these paths, in place of all.
    #[must_use]
    pub fn with_paths(self, paths: Paths) -> Self {
        self.with(|settings| settings.paths = paths)
    }

    /// Accepts tokens of these issuers (`iss`) and no others. Without this it is not looked at.
    #[must_use]
    pub fn with_issuers<I: Into<String>>(self, issuers: impl IntoIterator<Item = I>) -> Self {
        let issuers = issuers.into_iter().map(Into::into).collect();
        self.with(|settings| settings.checks.issuers = issuers)
    }

    /// Accepts tokens for one of these audiences (`aud`) and no others. Without this it is not
    /// looked at: then a token that the same issuer gave out for another service passes too.
    #[must_use]
    pub fn with_audiences<A: Into<String>>(self, audiences: impl IntoIterator<Item = A>) -> Self {
        let audiences = audiences.into_iter().map(Into::into).collect();
        self.with(|settings| settings.checks.audiences = audiences)
    }

    /// Lets the clock of an issuer be this far off, in place of 60 seconds, where `exp` and `nbf`
    /// are compared.
    #[must_use]
    pub fn with_leeway(self, leeway: Duration) -> Self {
        self.with(|settings| settings.checks.leeway = leeway)
    }

    /// Accepts tokens without an `exp`.
    ///
    /// Insecure: who has got hold of one can use it for as long as its key is there.
    #[must_use]
    pub fn with_insecure_endless_tokens(self) -> Self {
        self.with(|settings| settings.checks.must_expire = false)
    }

    /// Refuses longer tokens, in bytes, in place of those over 8 KB.
    #[must_use]
    pub fn with_max_token_len(self, len: usize) -> Self {
        self.with(|settings| settings.max_token_len = len)
    }

    fn with(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(Arc::make_mut(&mut self.settings));
        self
    }

    /// Answers refusals in another way than [`FcResponse`].
    pub fn with_rejection_response<T: RejectionResponse>(self, response: T) -> JwtLayer<T, C> {
        JwtLayer { settings: self.settings, response: Arc::new(response), clock: self.clock }
    }

    /// Tells the time by another clock than the system's.
    pub fn with_clock<T: Clock>(self, clock: T) -> JwtLayer<R, T> {
        JwtLayer { settings: self.settings, response: self.response, clock }
    }
}

impl<R, C: Clone> Clone for JwtLayer<R, C> {
    fn clone(&self) -> Self {
        Self {
            settings: Arc::clone(&self.settings),
            response: Arc::clone(&self.response),
            clock: self.clock.clone(),
        }
    }
}

impl<R, C> fmt::Debug for JwtLayer<R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtLayer").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Settings {
    /// Whether a request needs no token.
    pub(super) fn frees(&self, parts: &Parts) -> bool {
        self.paths.are_free(parts.uri.path(), &parts.headers)
    }

    /// Verifies the token that was found, as of when its key is there.
    pub(super) async fn verify(
        &self,
        found: Option<Vec<u8>>,
        clock: &impl Clock,
    ) -> Result<VerifiedToken, Rejection> {
        let Some(text) = found else {
            let message = format!("a token is required, and there is none in {}", self.lookup);
            return Err(Rejection::new(RejectionKind::MissingToken, message));
        };
        let token = Token::read(&text, self.max_token_len)?;
        let keys = self.keys.for_token(&token).await?;
        token.verify(&keys, &self.checks, clock.now())
    }

    /// Puts a token into a request, if it has one, and its claims, and takes out what its client
    /// has put in their place.
    pub(super) async fn hand_on<B: Body>(
        &self,
        parts: &mut Parts,
        form: &mut Form<B>,
        token: Option<VerifiedToken>,
    ) -> Result<(), Rejection> {
        self.claims.hand_on(parts, form, token.as_ref()).await?;
        parts.extensions.remove::<VerifiedToken>();
        if let Some(token) = token {
            parts.extensions.insert(token);
        }
        Ok(())
    }
}
