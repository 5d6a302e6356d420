use crate::error::BoxError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Remembers signatures, so that each is used once.
///
/// Implemented by [`MemoryReplayGuard`](super::MemoryReplayGuard), for one process. A guard
/// reads no clock: the time comes with the claim.
pub trait ReplayGuard {
    /// Claims a signature, which must have been verified: of all who claim it until
    /// [`ReplayClaim::until`], that time included, one is told [`Claimed::First`].
    ///
    /// # Errors
    /// When that cannot be told, or could not be remembered. The request is refused
    /// with [`ReplayStoreUnavailable`](crate::RejectionKind::ReplayStoreUnavailable).
    fn claim(&self, claim: ReplayClaim) -> Result<Claimed, ReplayGuardError>;
}

/// Remembers signatures where that has to be awaited, as in a store that many processes
/// share.
///
/// Implemented, with the feature `redis`, by `RedisReplayGuard`.
pub trait AsyncReplayGuard {
    /// Claims a signature. See [`ReplayGuard::claim`].
    ///
    /// # Errors
    /// As [`ReplayGuard::claim`].
    fn claim(
        &self,
        claim: ReplayClaim,
    ) -> impl Future<Output = Result<Claimed, ReplayGuardError>> + Send;
}

impl<G: ReplayGuard + ?Sized> ReplayGuard for Arc<G> {
    fn claim(&self, claim: ReplayClaim) -> Result<Claimed, ReplayGuardError> {
        (**self).claim(claim)
    }
}

impl<G: AsyncReplayGuard> AsyncReplayGuard for Arc<G> {
    fn claim(
        &self,
        claim: ReplayClaim,
    ) -> impl Future<Output = Result<Claimed, ReplayGuardError>> + Send {
        (**self).claim(claim)
    }
}

/// A signature that somebody claims, and for how long.
#[derive(Clone, Copy)]
pub struct ReplayClaim {
    key: [u8; 32],
    now: SystemTime,
    until: SystemTime,
}

impl ReplayClaim {
    /// A claim of `key` from `now` on.
    pub const fn new(key: [u8; 32], now: SystemTime, until: SystemTime) -> Self {
        Self { key, now, until }
    }

    /// Returns what is claimed: [`VerifiedCaller::replay_key`](crate::VerifiedCaller::replay_key).
    /// Its first 20 bytes at least are those of a MAC, and so as good as random.
    pub const fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// The time of the claim.
    pub const fn now(&self) -> SystemTime {
        self.now
    }

    /// Returns until when it has to be remembered at least.
    pub const fn until(&self) -> SystemTime {
        self.until
    }

    /// From [`now`](Self::now) to [`until`](Self::until).
    pub fn duration(&self) -> Duration {
        self.until.duration_since(self.now).unwrap_or_default()
    }
}

/// Without the key: it is part of a signature.
impl fmt::Debug for ReplayClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayClaim")
            .field("now", &self.now)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

/// Tells what became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "only the first claim of a signature may go on"]
pub enum Claimed {
    /// It is the first of its signature: the request may go on.
    First,
    /// The signature was claimed before: the request is a replay.
    Already,
}

/// A replay guard cannot tell whether a request is a replay.
#[derive(Debug)]
pub struct ReplayGuardError {
    kind: ReplayGuardErrorKind,
    source: Option<BoxError>,
}

/// Tells apart why a replay guard cannot tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReplayGuardErrorKind {
    /// It could not remember the request, and forgets no other for it.
    Full,
    /// What it remembers is out of reach.
    Unavailable,
    /// The store is there, and answers with an error.
    Refused,
}

impl ReplayGuardError {
    /// There is no room for another signature.
    pub const fn full() -> Self {
        Self { kind: ReplayGuardErrorKind::Full, source: None }
    }

    /// The store is out of reach. Wraps why; the client is not told.
    pub fn unavailable(source: impl Into<BoxError>) -> Self {
        Self { kind: ReplayGuardErrorKind::Unavailable, source: Some(source.into()) }
    }

    /// The store answers with an error. Wraps it; the client is not told.
    pub fn refused(source: impl Into<BoxError>) -> Self {
        Self { kind: ReplayGuardErrorKind::Refused, source: Some(source.into()) }
    }

    /// Returns why it cannot tell.
    pub const fn kind(&self) -> ReplayGuardErrorKind {
        self.kind
    }
}

impl fmt::Display for ReplayGuardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ReplayGuardErrorKind::Full => "the replay guard is full",
            ReplayGuardErrorKind::Unavailable => "the store of the replay guard is out of reach",
            ReplayGuardErrorKind::Refused => "the store of the replay guard answers with an error",
        })
    }
}

impl std::error::Error for ReplayGuardError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
