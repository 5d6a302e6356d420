use super::flight::{Flight, Waiter};
use super::provider::ProvideCredentials;
use crate::clock::{Clock, SystemClock, later};
use crate::error::Error;
use crate::protocol::Credentials;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

/// Keeps the credentials of a provider that is slow, or that must not be asked for each request:
/// STS, a metadata service.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use std::time::{Duration, SystemTime};
/// use tower_fc::Credentials;
/// use tower_fc::credentials::{CachedCredentials, ProvideCredentials};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_fc::error::Error> {
/// let asked = Arc::new(AtomicU32::new(0));
/// let counter = Arc::clone(&asked);
/// // In place of a call of AssumeRole:
/// let provider = CachedCredentials::new(move || {
///     let number = counter.fetch_add(1, Ordering::Relaxed);
///     async move {
///         let end = SystemTime::now() + Duration::from_secs(3_600);
///         Credentials::new(format!("STS.{number}"), "secret")?
///             .with_security_token("token")
///             .map(|credentials| credentials.with_expires_at(end))
///     }
/// });
/// for _ in 0..3 {
///     assert_eq!(provider.credentials().await?.access_key_id(), "STS.0");
/// }
/// assert_eq!(asked.load(Ordering::Relaxed), 1);
/// # Ok(())
/// # }
/// ```
///
/// # Rules
///
/// - However many ask at a time, the provider is asked once, and they all get its answer. What
///   asks it is driven by each of them, and ends when the last of them is dropped; nothing runs
///   in the background.
/// - Credentials are used until [they end](Credentials::with_expires_at), and never after: what a
///   provider gives that has ended already is an error.
/// - From some time before the end on, 5 minutes or half of their time if that is less, one
///   caller at a time asks for new ones, and the others go on with those that are there. When that
///   fails, they are used for as long as they last, and the provider is asked again after a second.
/// - An error is given to all that waited for the answer, and not remembered: the next call asks
///   again.
/// - Credentials that do not say when they end are used for 5 minutes
///   ([`with_max_age`](Self::with_max_age)), and with a security token, which ends at some time,
///   for those alone that waited for them.
///
/// Clones share what is kept, until one of them gets another setting.
pub struct CachedCredentials<P, C = SystemClock> {
    provider: Arc<P>,
    clock: C,
    times: Times,
    observer: Option<Arc<Observe>>,
    state: Arc<Mutex<State>>,
}

type Observe = dyn Fn(Result<&Credentials, &Error>) + Send + Sync;

#[derive(Clone, Copy)]
struct Times {
    ahead: Duration,
    max_age: Duration,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    flight: Weak<Flight<Answer>>,
    /// How often what was kept has been forgotten: an answer to a question from before then is
    /// not kept.
    generation: u64,
}

type Answer = Result<Credentials, Error>;

#[derive(Clone)]
struct Kept {
    credentials: Credentials,
    /// When new ones are asked for.
    refresh_at: SystemTime,
}

impl Kept {
    fn is_live(&self, now: SystemTime) -> bool {
        is_live(&self.credentials, now)
    }
}

fn is_live(credentials: &Credentials, now: SystemTime) -> bool {
    credentials.expires_at().is_none_or(|end| now < end)
}

/// How long after a failure a provider is left alone, while there are credentials.
const PAUSE: Duration = Duration::from_secs(1);

impl<P> CachedCredentials<P> {
    /// Keeps what this provider gives.
    pub fn new(provider: P) -> Self {
        let times = Times { ahead: Duration::from_secs(300), max_age: Duration::from_secs(300) };
        let provider = Arc::new(provider);
        Self { provider, clock: SystemClock, times, observer: None, state: Arc::default() }
    }
}

impl<P, C> CachedCredentials<P, C> {
    /// Asks for new credentials this long before they end, in place of 5 minutes; never before
    /// half of the time that they have left when they come.
    #[must_use]
    pub fn with_refresh_ahead(mut self, ahead: Duration) -> Self {
        self.times.ahead = ahead;
        self.forgetting()
    }

    /// Asks for new credentials at this age, in place of 5 minutes, where they do not say when
    /// they end.
    #[must_use]
    pub fn with_max_age(mut self, age: Duration) -> Self {
        self.times.max_age = age;
        self.forgetting()
    }

    /// Tells the time by another clock than the system's: give it the one that requests are signed
    /// by.
    pub fn with_clock<T: Clock>(self, clock: T) -> CachedCredentials<P, T> {
        let Self { provider, times, observer, .. } = self;
        CachedCredentials { provider, clock, times, observer, state: Arc::default() }
    }

    /// Tells `observe` of each answer of the provider, as it is given to those that wait for it. It
    /// should do no more than count.
    #[must_use]
    pub fn with_observer(
        mut self,
        observe: impl Fn(Result<&Credentials, &Error>) + Send + Sync + 'static,
    ) -> Self {
        self.observer = Some(Arc::new(observe));
        self.forgetting()
    }

    /// Forgets the credentials, say because a server refused them. Clones forget them too. What is
    /// under way already is still given to those that wait for it.
    pub fn invalidate(&self) {
        let mut state = lock(&self.state);
        state.generation += 1;
        state.kept = None;
        state.flight = Weak::new();
    }

    fn forgetting(self) -> Self {
        Self { state: Arc::default(), ..self }
    }
}

/// What there is for one who asks.
enum Found {
    Credentials(Credentials),
    /// An answer to wait for, and what to use if it is none.
    Answer(Waiter<Answer>, Option<Kept>),
}

impl<P, C> CachedCredentials<P, C>
where
    P: ProvideCredentials + Send + Sync + 'static,
    C: Clock + Clone + Send + Sync + 'static,
{
    fn find(&self) -> Found {
        let now = self.clock.now();
        let mut state = lock(&self.state);
        let live = state.kept.as_ref().filter(|kept| kept.is_live(now));
        let flight = state.flight.upgrade();
        // Others go on while one asks.
        if let Some(kept) = live.filter(|kept| flight.is_some() || now < kept.refresh_at) {
            return Found::Credentials(kept.credentials.clone());
        }
        let live = live.cloned();
        let flight = flight.unwrap_or_else(|| {
            let flight = Arc::new(Flight::new(self.ask(state.generation)));
            state.flight = Arc::downgrade(&flight);
            flight
        });
        Found::Answer(Waiter::of(flight), live)
    }

    /// Asks the provider, and keeps what it gives.
    fn ask(&self, generation: u64) -> impl Future<Output = Answer> + Send + use<P, C> {
        let (provider, state) = (Arc::clone(&self.provider), Arc::clone(&self.state));
        let (clock, times, observer) = (self.clock.clone(), self.times, self.observer.clone());
        async move {
            let answer = provider.credentials().await;
            let now = clock.now();
            let answer = answer.and_then(|credentials| match is_live(&credentials, now) {
                true => Ok(credentials),
                false => Err(Error::provider("the provider gave some that have ended")),
            });
            if let Some(observe) = observer {
                observe(answer.as_ref());
            }
            let mut state = lock(&state);
            if state.generation == generation {
                state.flight = Weak::new();
                match &answer {
                    Ok(credentials) => state.kept = times.keep(credentials, now),
                    Err(_) => {
                        if let Some(kept) = &mut state.kept {
                            kept.refresh_at = later(now, PAUSE);
                        }
                    }
                }
            }
            answer
        }
    }
}

impl Times {
    fn keep(&self, credentials: &Credentials, now: SystemTime) -> Option<Kept> {
        let refresh_at = match credentials.expires_at() {
            Some(end) => {
                let left = end.duration_since(now).unwrap_or_default();
                later(now, left - self.ahead.min(left / 2))
            }
            // It ends at some time.
            None if credentials.has_security_token() => return None,
            None => later(now, self.max_age),
        };
        Some(Kept { credentials: credentials.clone(), refresh_at })
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<P, C> ProvideCredentials for CachedCredentials<P, C>
where
    P: ProvideCredentials + Send + Sync + 'static,
    C: Clock + Clone + Send + Sync + 'static,
{
    async fn credentials(&self) -> Result<Credentials, Error> {
        loop {
            let (waiter, live) = match self.find() {
                Found::Credentials(credentials) => return Ok(credentials),
                Found::Answer(waiter, live) => (waiter, live),
            };
            let answer = waiter.await;
            let now = self.clock.now();
            match answer {
                Ok(credentials) if is_live(&credentials, now) => return Ok(credentials),
                // They ended before this was polled again.
                Ok(_) => {}
                Err(error) => {
                    let live = live.filter(|kept| kept.is_live(now));
                    return live.map(|kept| kept.credentials).ok_or(error);
                }
            }
        }
    }
}

impl<P, C: Clone> Clone for CachedCredentials<P, C> {
    fn clone(&self) -> Self {
        Self {
            provider: Arc::clone(&self.provider),
            clock: self.clock.clone(),
            times: self.times,
            observer: self.observer.clone(),
            state: Arc::clone(&self.state),
        }
    }
}

impl<P, C> fmt::Debug for CachedCredentials<P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedCredentials")
            .field("refresh_ahead", &self.times.ahead)
            .field("max_age", &self.times.max_age)
            .finish_non_exhaustive()
    }
}
