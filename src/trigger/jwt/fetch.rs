use super::jwks::Jwks;
use crate::error::{BoxError, Error, ErrorKind};
use crate::protocol::{Rejection, RejectionKind};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Sleep, sleep, timeout};

/// Fetches the JSON text of a key set: from an issuer's `jwks_uri`, a file, a vault.
///
/// Implemented for async closures without arguments.
///
/// Fetch from an address of your own, never from one that a token names (`jku`).
pub trait KeySource {
    /// The text of the key set, as it is now.
    ///
    /// # Errors
    /// Whatever went wrong, an answer of another status than 200 included. It is kept for
    /// [`FetchedJwks::last_error`], and no client is told.
    fn fetch(&self) -> impl Future<Output = Result<String, BoxError>> + Send;
}

impl<F, Fut> KeySource for F
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<String, BoxError>> + Send,
{
    fn fetch(&self) -> impl Future<Output = Result<String, BoxError>> + Send {
        self()
    }
}

/// Settings for fetching keys, until it is [started](JwksFetch::start).
#[derive(Clone, Debug)]
pub struct JwksFetch<K> {
    source: K,
    times: Times,
}

#[derive(Clone, Copy, Debug)]
struct Times {
    refresh: Duration,
    cooldown: Duration,
    timeout: Duration,
    max_stale: Duration,
}

impl<K> JwksFetch<K> {
    /// Fetches from `source`: every 10 minutes, and at most once in 30 seconds.
    pub fn new(source: K) -> Self {
        let times = Times {
            refresh: Duration::from_secs(600),
            cooldown: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
            max_stale: Duration::from_secs(24 * 3_600),
        };
        Self { source, times }
    }

    /// Fetches the keys again after this time, in place of 10 minutes: as long is a key good
    /// that was taken out of the set. Never sooner than the cooldown says.
    #[must_use]
    pub fn with_refresh_interval(mut self, interval: Duration) -> Self {
        self.times.refresh = interval;
        self
    }

    /// Begins at most one fetch in this time, in place of 30 seconds, whatever comes: tokens of
    /// unknown keys, failures, empty sets.
    #[must_use]
    pub fn with_cooldown(mut self, cooldown: Duration) -> Self {
        self.times.cooldown = cooldown;
        self
    }

    /// Gives a fetch up after this time, in place of 10 seconds.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.times.timeout = timeout;
        self
    }

    /// Uses the keys of the last fetch that succeeded for this long, in place of a day, while
    /// later ones fail. After that, requests are answered with 503.
    #[must_use]
    pub fn with_max_stale(mut self, max_stale: Duration) -> Self {
        self.times.max_stale = max_stale;
        self
    }

    /// Begins to fetch, in a task of its own that ends when the last clone of what is returned is
    /// dropped.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] outside of a tokio runtime. It needs one with time.
    pub fn start(self) -> Result<FetchedJwks, Error>
    where
        K: KeySource + Send + Sync + 'static,
    {
        let handle = Handle::try_current().map_err(|_| {
            let message = "keys can only be fetched within a tokio runtime";
            Error::new(ErrorKind::InvalidSetting, message)
        })?;
        let (sender, state) = watch::channel(State::default());
        let asked = Arc::new(Notify::new());
        let keeper = Keeper {
            source: Arc::new(self.source),
            times: self.times,
            state: sender,
            asked: Arc::clone(&asked),
            ending: None,
        };
        let task = Task(handle.spawn(keeper.run()));
        Ok(FetchedJwks { shared: Arc::new(Shared { state, asked, _task: task }) })
    }
}

/// Keys for tokens that are fetched in the background, by [`JwksFetch`].
///
/// - They are fetched at once, and again after each refresh interval. Requests that come before
///   the first answer wait for it.
/// - A token whose key is not known has the keys fetched, and waits for that, unless there was a
///   fetch within the cooldown: then it is refused at once. So a new key is known within the
///   cooldown, whoever sends made up names meanwhile.
/// - A fetch that fails changes nothing but that it is tried again after the cooldown: a source
///   that cannot be reached, is too slow or panics, an answer that is no key set, one that has a
///   `kid` twice. The keys there are stay in use, as long as [`JwksFetch::with_max_stale`] says.
///   Without any, requests are answered with 503
///   ([`RejectionKind::TokenKeysUnavailable`]), and not as if their token were wrong.
/// - A set without keys of use is what its issuer says: there are none, which is answered with 503
///   too, and asked again after the cooldown.
/// - Keys of other uses, types and algorithms are left out.
///
/// Clones share the keys.
#[derive(Clone)]
pub struct FetchedJwks {
    shared: Arc<Shared>,
}

struct Shared {
    state: watch::Receiver<State>,
    asked: Arc<Notify>,
    _task: Task<()>,
}

/// What is known, and what is being done about it.
#[derive(Default)]
struct State {
    keys: Option<Jwks>,
    phase: Phase,
    /// How many fetches have ended.
    ended: u64,
    last_error: Option<Arc<Error>>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Phase {
    /// A fetch is under way, or about to be.
    #[default]
    Fetching,
    /// There is none until the cooldown ends.
    Resting,
    /// One begins when it is asked for.
    Ready,
}

impl FetchedJwks {
    /// Returns why the last fetch failed; `None` if it did not.
    pub fn last_error(&self) -> Option<Arc<Error>> {
        self.shared.state.borrow().last_error.clone()
    }

    /// The set that a key is in, fetched anew if it is in none and that may be done.
    pub(super) async fn with_key(&self, kid: Option<&str>) -> Result<Jwks, Rejection> {
        let mut state = self.shared.state.clone();
        let ended = {
            let now = state.borrow();
            match &now.keys {
                Some(keys) if keys.choose(kid).is_some() => return Ok(keys.clone()),
                _ if now.phase == Phase::Resting => return now.usable(),
                _ if now.phase == Phase::Ready => self.shared.asked.notify_one(),
                _ => {}
            }
            now.ended
        };
        // A task that is gone has left what there is.
        let _ = state.wait_for(|now| now.ended > ended).await;
        state.borrow().usable()
    }
}

impl State {
    fn usable(&self) -> Result<Jwks, Rejection> {
        let keys = self.keys.as_ref().filter(|keys| !keys.is_empty());
        keys.cloned().ok_or_else(|| {
            let message = "keys for tokens cannot be fetched at the moment";
            let rejection = Rejection::new(RejectionKind::TokenKeysUnavailable, message);
            match &self.last_error {
                Some(error) => rejection.because_of(Arc::clone(error)),
                None => rejection,
            }
        })
    }
}

impl fmt::Debug for FetchedJwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state.borrow();
        f.debug_struct("FetchedJwks")
            .field("keys", &state.keys)
            .field("last_error", &state.last_error)
            .finish_non_exhaustive()
    }
}

/// Ends with whoever holds it.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What keeps the keys fresh.
struct Keeper<K> {
    source: Arc<K>,
    times: Times,
    state: watch::Sender<State>,
    asked: Arc<Notify>,
    /// When the keys there are are too old.
    ending: Option<Pin<Box<Sleep>>>,
}

impl<K: KeySource + Send + Sync + 'static> Keeper<K> {
    async fn run(mut self) {
        loop {
            let (cooldown, refresh) = (sleep(self.times.cooldown), sleep(self.times.refresh));
            self.state.send_modify(|state| state.phase = Phase::Fetching);
            let fetched = fetch(Arc::clone(&self.source), self.times.timeout);
            let fetched = self.until(fetched).await;
            let is_good = self.take(fetched);
            self.until(cooldown).await;
            if is_good {
                self.state.send_modify(|state| state.phase = Phase::Ready);
                let asked = Arc::clone(&self.asked);
                self.until(either(refresh, asked.notified())).await;
            }
        }
    }

    /// Takes what was fetched for what is known. Returns whether there is something to rest on.
    fn take(&mut self, fetched: Result<Jwks, Error>) -> bool {
        let is_good = fetched.as_ref().is_ok_and(|keys| !keys.is_empty());
        if fetched.is_ok() {
            self.ending = Some(Box::pin(sleep(self.times.max_stale)));
        }
        self.state.send_modify(|state| {
            state.ended += 1;
            state.phase = Phase::Resting;
            match fetched {
                Ok(keys) => (state.keys, state.last_error) = (Some(keys), None),
                Err(error) => state.last_error = Some(Arc::new(error)),
            }
        });
        is_good
    }

    /// Waits for something, and forgets the keys meanwhile if they become too old.
    async fn until<T>(&mut self, what: impl Future<Output = T>) -> T {
        let mut what = pin!(what);
        poll_fn(|cx| {
            if let Some(ending) = &mut self.ending
                && ending.as_mut().poll(cx).is_ready()
            {
                self.ending = None;
                self.state.send_modify(|state| state.keys = None);
            }
            what.as_mut().poll(cx)
        })
        .await
    }
}

/// Fetches in a task of its own, so that a panic is an error.
async fn fetch<K>(source: Arc<K>, limit: Duration) -> Result<Jwks, Error>
where
    K: KeySource + Send + Sync + 'static,
{
    let mut task = Task(tokio::spawn(async move { source.fetch().await }));
    let failed = |source: BoxError| {
        let message = "the keys for tokens could not be fetched";
        Error::caused(ErrorKind::Provider, message, source)
    };
    match timeout(limit, &mut task.0).await {
        Ok(Ok(Ok(text))) => Jwks::published(&text),
        Ok(Ok(Err(error))) => Err(failed(error)),
        Ok(Err(panic)) => Err(failed(panic.into())),
        Err(late) => Err(failed(late.into())),
    }
}

/// Waits for the first of two.
async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| match (one.as_mut().poll(cx), other.as_mut().poll(cx)) {
        (Poll::Pending, Poll::Pending) => Poll::Pending,
        _ => Poll::Ready(()),
    })
    .await;
}
