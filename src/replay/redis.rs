use super::guard::{
    AsyncReplayGuard, Claimed, ReplayClaim, ReplayGuardError, ReplayGuardErrorKind,
};
use crate::error::{Error, ErrorKind};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, RedisError};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Remembers signatures in Redis, for all processes that use the same one.
///
/// A claim is one `SET <prefix><16 bytes of the signature> 1 NX PX <milliseconds>`, sent
/// through the multiplexed connection of a `ConnectionManager`, which is made with
/// the first claim and made anew when it fails. Claims have to be awaited on a tokio
/// runtime with its timer.
///
/// # What Redis has to promise
///
/// - *It keeps what it was told.* Without persistence a restart forgets every claim, and
///   what was signed before it can be replayed: set `appendonly yes`. With
///   `appendfsync everysec` a crash of the machine, though not of Redis alone, forgets
///   the last second or two; `always` closes that gap. A replica that takes over has
///   lost what had not reached it yet.
/// - *It evicts nothing.* Set `maxmemory-policy noeviction`, the default: a full Redis
///   then refuses the command, and so the request is refused, in either [`FailMode`].
///   Every other policy lets a flood of requests drive out claims.
/// - *It is one server*, or one behind a proxy. Redis Cluster is not spoken.
///
/// # When Redis is away
///
/// A claim fails when there is no answer within the [timeout](Self::with_timeout) of
/// 500 ms, or an error. It is not tried again, since the first attempt may have been
/// carried out: a request that is refused with 503 may be one that is remembered, and
/// has to be signed anew. [`FailMode`] says what becomes of it.
pub struct RedisReplayGuard {
    client: Client,
    prefix: Arc<[u8]>,
    timeout: Duration,
    mode: FailMode,
    observer: Option<Arc<Observe>>,
    link: Mutex<Option<Link>>,
}

/// Decides about requests while Redis is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailMode {
    /// They are refused with 503.
    #[default]
    Closed,
    /// They pass, and replays with them, while there is no connection or no answer. A Redis
    /// that is full or answers with an error (`READONLY`, `NOAUTH` …) still refuses.
    Open,
}

type Observe = dyn Fn(&ReplayGuardError) + Send + Sync;

/// The connection that claims share.
#[derive(Clone)]
struct Link {
    manager: ConnectionManager,
    since: Instant,
    /// Whether it is to be replaced: a claim got an error from it, or nothing. Not all
    /// of these make a `ConnectionManager` connect anew, as silence does not.
    failed: bool,
}

/// How old a connection is at least that is replaced, so that a server which only
/// gives errors is not flooded with connections.
const MIN_AGE: Duration = Duration::from_millis(100);

impl RedisReplayGuard {
    /// Remembers in the Redis at `url`, e.g. `redis://user:password@host:6379/0` or
    /// `redis+unix:///run/redis.sock`. Does not connect yet.
    ///
    /// `rediss://`, which is TLS, takes a TLS feature of the crate `redis`: depend on it
    /// beside this one and switch on the one you want.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] when the URL cannot be read.
    pub fn new(url: &str) -> Result<Self, Error> {
        // The error is left out: it may quote the URL, and with it the password.
        let invalid = |_| Error::new(ErrorKind::InvalidSetting, "this is no URL of a Redis server");
        Client::open(url).map(Self::with_client).map_err(invalid)
    }

    /// Remembers in the Redis of a client, for settings that a URL has no words for.
    pub fn with_client(client: Client) -> Self {
        Self {
            client,
            prefix: Arc::from(*b"tower-fc:replay:"),
            timeout: Duration::from_millis(500),
            mode: FailMode::Closed,
            observer: None,
            link: Mutex::new(None),
        }
    }

    /// Begins the names of its keys with `prefix`, in place of `tower-fc:replay:`. Guards
    /// that share a Redis and a prefix share what they remember.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl AsRef<[u8]>) -> Self {
        self.prefix = Arc::from(prefix.as_ref());
        self
    }

    /// Gives a claim this long, connecting included, in place of 500 ms.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Decides about requests while Redis is away. They are refused by default.
    #[must_use]
    pub fn with_fail_mode(mut self, mode: FailMode) -> Self {
        self.mode = mode;
        self
    }

    /// Tells `observe` of each request that passes under [`FailMode::Open`] though it cannot be
    /// told whether it is a replay, and why.
    #[must_use]
    pub fn with_observer(
        mut self,
        observe: impl Fn(&ReplayGuardError) + Send + Sync + 'static,
    ) -> Self {
        self.observer = Some(Arc::new(observe));
        self
    }

    async fn ask(&self, claim: &ReplayClaim) -> Result<Claimed, ReplayGuardError> {
        // Without a runtime, connecting would panic.
        Handle::try_current().map_err(ReplayGuardError::unavailable)?;
        let mut link = self.link().map_err(ReplayGuardError::unavailable)?;
        let set = self.command(claim);
        let answer = timeout(self.timeout, set.query_async(&mut link.manager)).await;
        let error = match answer {
            Ok(Ok(Some(()))) => return Ok(Claimed::First),
            Ok(Ok(None)) => return Ok(Claimed::Already),
            Ok(Err(error)) if error.code() == Some("OOM") => return Err(ReplayGuardError::full()),
            // It is there, and says no: READONLY, NOAUTH and the like.
            Ok(Err(error)) if error.code().is_some() => ReplayGuardError::refused(error),
            Ok(Err(error)) => ReplayGuardError::unavailable(error),
            Err(elapsed) => ReplayGuardError::unavailable(elapsed),
        };
        if let Some(shared) = self.locked().as_mut().filter(|shared| shared.since == link.since) {
            shared.failed = true;
        }
        Err(error)
    }

    fn command(&self, claim: &ReplayClaim) -> Cmd {
        let name = [&self.prefix, &claim.key()[..16]].concat();
        let millis = u64::try_from(claim.duration().as_millis()).unwrap_or(u64::MAX).max(1);
        let mut set = redis::cmd("SET");
        set.arg(name).arg(1).arg("NX").arg("PX").arg(millis);
        set
    }

    fn link(&self) -> Result<Link, RedisError> {
        let min_age = MIN_AGE.min(self.timeout);
        let mut shared = self.locked();
        if let Some(link) = shared.as_ref()
            && (!link.failed || link.since.elapsed() < min_age)
        {
            return Ok(link.clone());
        }
        // A claim that cannot connect fails at once, and a later one tries again.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout))
            .set_pipeline_buffer_size(1_024);
        let manager = ConnectionManager::new_lazy_with_config(self.client.clone(), config)?;
        Ok(shared.insert(Link { manager, since: Instant::now(), failed: false }).clone())
    }

    fn locked(&self) -> MutexGuard<'_, Option<Link>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncReplayGuard for RedisReplayGuard {
    async fn claim(&self, claim: ReplayClaim) -> Result<Claimed, ReplayGuardError> {
        match (self.ask(&claim).await, self.mode) {
            (Err(error), FailMode::Open) if error.kind() == ReplayGuardErrorKind::Unavailable => {
                if let Some(observe) = &self.observer {
                    observe(&error);
                }
                Ok(Claimed::First)
            }
            (outcome, _) => outcome,
        }
    }
}

/// Without the address, in which there may be a password.
impl fmt::Debug for RedisReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisReplayGuard")
            .field("timeout", &self.timeout)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
