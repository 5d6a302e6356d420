//! Providers of credentials: `CachedCredentials`, those behind a pointer, and in tower stacks.

#[cfg(feature = "reqsign")]
mod reqsign;

use crate::common::{ID, NOW, Random, at, call, credentials, get, verifier};
use http::{Request, Response};
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Semaphore;
use tower::{Layer as _, service_fn};
use tower_fc::clock::Clock;
use tower_fc::credentials::{CachedCredentials, DynProvideCredentials, ProvideCredentials};
use tower_fc::error::{Error, ErrorKind};
use tower_fc::{Credentials, SignLayer, Signer};

/// A clock that a test sets.
#[derive(Clone)]
struct Hand(Arc<AtomicU64>);

impl Hand {
    fn at_zero() -> Self {
        Self(Arc::new(AtomicU64::new(NOW)))
    }

    fn to(&self, seconds: u64) {
        self.0.store(NOW + seconds, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// What a provider gives next.
type Give = Box<dyn Fn() -> Result<Credentials, Error> + Send + Sync>;

/// A provider that answers when it is let.
#[derive(Clone)]
struct Sts(Arc<StsState>);

struct StsState {
    give: Mutex<Give>,
    asked: AtomicU64,
    open: Semaphore,
}

impl Sts {
    /// One that answers at once.
    fn giving(give: impl Fn() -> Result<Credentials, Error> + Send + Sync + 'static) -> Self {
        let sts = Self::closed(give);
        sts.0.open.add_permits(100_000);
        sts
    }

    fn closed(give: impl Fn() -> Result<Credentials, Error> + Send + Sync + 'static) -> Self {
        let give: Mutex<Give> = Mutex::new(Box::new(give));
        Self(Arc::new(StsState { give, asked: AtomicU64::new(0), open: Semaphore::new(0) }))
    }

    fn gives(&self, give: impl Fn() -> Result<Credentials, Error> + Send + Sync + 'static) {
        *self.0.give.lock().unwrap() = Box::new(give);
    }

    fn asked(&self) -> u64 {
        self.0.asked.load(Ordering::SeqCst)
    }
}

impl ProvideCredentials for Sts {
    async fn credentials(&self) -> Result<Credentials, Error> {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        self.0.open.acquire().await.unwrap().forget();
        tokio::task::yield_now().await;
        let give = self.0.give.lock().unwrap();
        give()
    }
}

/// Temporary ones that end so many seconds after [`NOW`].
fn until(id: &str, end: i64) -> Result<Credentials, Error> {
    let credentials = Credentials::new(id, "secret")?.with_security_token("token")?;
    Ok(credentials.with_expires_at(at(end)))
}

fn away() -> Result<Credentials, Error> {
    Err(Error::provider("STS is away"))
}

async fn id(provider: &impl ProvideCredentials) -> String {
    provider.credentials().await.unwrap().access_key_id().to_owned()
}

/// Polls once.
fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_calls_at_the_end_of_credentials_ask_the_provider_once() {
    let (clock, sts) = (Hand::at_zero(), Sts::giving(|| until("first", 3_600)));
    let cached = CachedCredentials::new(sts.clone()).with_clock(clock.clone());
    assert_eq!(id(&cached).await, "first");
    clock.to(3_600);
    sts.gives(|| until("second", 7_200));
    // All are there before it answers.
    sts.0.open.forget_permits(100_000);
    let calls: Vec<_> = (0..1_000)
        .map(|_| {
            let cached = cached.clone();
            tokio::spawn(async move { id(&cached).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    sts.0.open.add_permits(100_000);
    for call in calls {
        assert_eq!(call.await.unwrap(), "second");
    }
    assert_eq!(sts.asked(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_error_is_given_to_all_that_wait_and_not_remembered() {
    let sts = Sts::closed(away);
    let cached = CachedCredentials::new(sts.clone());
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let cached = cached.clone();
            tokio::spawn(async move { cached.credentials().await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    sts.0.open.add_permits(1);
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Provider);
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "STS is away");
    }
    assert_eq!(sts.asked(), 1);
    sts.0.open.add_permits(1);
    sts.gives(|| Ok(credentials()));
    assert_eq!(id(&cached).await, ID);
    assert_eq!(sts.asked(), 2);
}

#[tokio::test]
async fn before_the_end_one_asks_and_the_others_go_on() {
    let (clock, sts) = (Hand::at_zero(), Sts::giving(|| until("first", 3_600)));
    let cached = CachedCredentials::new(sts.clone()).with_clock(clock.clone());
    assert_eq!(id(&cached).await, "first");
    clock.to(3_299);
    assert_eq!(id(&cached).await, "first");
    assert_eq!(sts.asked(), 1);

    clock.to(3_300);
    sts.0.open.forget_permits(100_000);
    sts.gives(|| until("second", 7_200));
    let mut asking = pin!(cached.credentials());
    assert!(poll(asking.as_mut()).is_pending());
    for _ in 0..10 {
        assert_eq!(id(&cached).await, "first");
    }
    assert_eq!(sts.asked(), 2);
    sts.0.open.add_permits(100);
    assert_eq!(asking.await.unwrap().access_key_id(), "second");
    assert_eq!(id(&cached).await, "second");
    assert_eq!(sts.asked(), 2);
}

#[tokio::test]
async fn a_failure_before_the_end_is_not_felt_and_the_provider_is_left_alone_for_a_second() {
    let (clock, sts) = (Hand::at_zero(), Sts::giving(|| until("first", 3_600)));
    let cached = CachedCredentials::new(sts.clone()).with_clock(clock.clone());
    assert_eq!(id(&cached).await, "first");
    sts.gives(away);
    for (second, asked) in [(3_300, 2), (3_300, 2), (3_301, 3), (3_599, 4)] {
        clock.to(second);
        assert_eq!(id(&cached).await, "first", "{second}");
        assert_eq!(sts.asked(), asked, "{second}");
    }
    // From the end on it is.
    clock.to(3_600);
    for asked in [5, 6] {
        assert_eq!(cached.credentials().await.unwrap_err().kind(), ErrorKind::Provider);
        assert_eq!(sts.asked(), asked);
    }
}

#[tokio::test]
async fn credentials_that_have_ended_are_an_error_of_their_provider() {
    let (clock, sts) = (Hand::at_zero(), Sts::giving(|| until("late", 0)));
    let cached = CachedCredentials::new(sts.clone()).with_clock(clock.clone());
    let error = cached.credentials().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Provider);
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, "the provider gave some that have ended");
}

#[tokio::test]
async fn without_an_end_a_token_is_not_kept_and_an_access_key_for_five_minutes() {
    let clock = Hand::at_zero();
    let with_token = || Credentials::new(ID, "secret")?.with_security_token("token");
    let sts = Sts::giving(with_token);
    let cached = CachedCredentials::new(sts.clone()).with_clock(clock.clone());
    for asked in 1..4 {
        assert_eq!(id(&cached).await, ID);
        assert_eq!(sts.asked(), asked);
    }
    let file = Sts::giving(|| Ok(credentials()));
    let cached = CachedCredentials::new(file.clone()).with_clock(clock.clone());
    for (second, asked) in [(0, 1), (299, 1), (300, 2), (301, 2)] {
        clock.to(second);
        assert_eq!(id(&cached).await, ID);
        assert_eq!(file.asked(), asked, "{second}");
    }
    // They are not over by that: where there are no others they go on.
    file.gives(away);
    clock.to(10_000);
    assert_eq!(id(&cached).await, ID);
}

#[tokio::test]
async fn one_that_is_no_longer_polled_does_not_keep_the_others_waiting() {
    let sts = Sts::closed(|| Ok(credentials()));
    let cached = CachedCredentials::new(sts.clone());
    let mut stuck = pin!(cached.credentials());
    assert!(poll(stuck.as_mut()).is_pending());
    sts.0.open.add_permits(100);
    assert_eq!(id(&cached).await, ID);
    assert_eq!(sts.asked(), 1);
    assert_eq!(stuck.await.unwrap().access_key_id(), ID);
}

#[tokio::test]
async fn a_question_ends_with_the_last_that_waits_for_it() {
    let sts = Sts::closed(|| Ok(credentials()));
    let cached = CachedCredentials::new(sts.clone());
    {
        let (mut first, mut second) =
            (Box::pin(cached.credentials()), Box::pin(cached.credentials()));
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_pending());
        drop(first);
        assert_eq!(Arc::strong_count(&sts.0), 2);
        assert!(poll(second.as_mut()).is_pending());
        assert_eq!(sts.asked(), 1);
    }
    sts.0.open.add_permits(100);
    assert_eq!(id(&cached).await, ID);
    assert_eq!(sts.asked(), 2);
}

#[tokio::test]
async fn what_is_forgotten_is_asked_for_again_and_an_answer_from_before_is_not_kept() {
    let sts = Sts::closed(|| Ok(credentials()));
    let cached = CachedCredentials::new(sts.clone());
    let mut before = pin!(cached.credentials());
    assert!(poll(before.as_mut()).is_pending());
    cached.clone().invalidate();
    sts.0.open.add_permits(100);
    assert_eq!(before.await.unwrap().access_key_id(), ID);
    for _ in 0..2 {
        assert_eq!(id(&cached).await, ID);
        assert_eq!(sts.asked(), 2);
    }
    cached.invalidate();
    assert_eq!(id(&cached).await, ID);
    assert_eq!(sts.asked(), 3);
}

/// Whatever a provider gives and however time goes, no credentials that have ended come out, and
/// it is not asked more often than it has to be.
#[tokio::test]
async fn no_credentials_that_have_ended_are_given_out() {
    let mut random = Random::seeded();
    for _ in 0..300 {
        let (clock, mut now) = (Hand::at_zero(), 0);
        let next = Arc::new(Mutex::new(None::<i64>));
        let given = Arc::clone(&next);
        let sts = Sts::giving(move || match *given.lock().unwrap() {
            Some(end) => until("STS.some", end),
            None => away(),
        });
        let ahead = Duration::from_secs(random.next() % 600);
        let cached =
            CachedCredentials::new(sts.clone()).with_refresh_ahead(ahead).with_clock(clock.clone());
        for _ in 0..40 {
            now += random.next() % 200;
            clock.to(now);
            let end = now.cast_signed() + (random.next() % 1_000).cast_signed() - 100;
            *next.lock().unwrap() = (!random.one_in(3)).then_some(end);
            match cached.credentials().await {
                Ok(credentials) => {
                    assert!(credentials.expires_at().unwrap() > clock.now(), "{now}");
                    // Directly after, nobody needs to ask.
                    let asked = sts.asked();
                    cached.credentials().await.unwrap();
                    assert_eq!(sts.asked(), asked, "{now}");
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::Provider),
            }
        }
    }
}

#[tokio::test]
async fn a_provider_can_be_anything_and_stand_behind_a_pointer() {
    let of_sts = CachedCredentials::new(async || Ok::<_, Error>(credentials()));
    let providers: [Arc<dyn DynProvideCredentials>; 4] = [
        Arc::new(credentials()),
        Arc::new(of_sts.clone()),
        Arc::new(Arc::new(async || Ok::<_, Error>(credentials()))),
        Arc::new(Sts::giving(|| Ok(credentials()))),
    ];
    let client = service_fn(|request: Request<()>| async move {
        let caller = verifier().verify_request_at(&request, SystemTime::now());
        Ok::<_, Infallible>(Response::new(caller.unwrap().access_key_id().to_owned()))
    });
    for provider in providers {
        let signer = Signer::new(provider);
        let mut client = SignLayer::new(signer).awaiting_credentials().layer(client);
        assert_eq!(call(&mut client, get("/")).await.unwrap().into_body(), ID);
    }
    // Known by its type.
    let mut client =
        SignLayer::new(Signer::new(Arc::new(of_sts))).awaiting_credentials().layer(client);
    assert_eq!(call(&mut client, get("/")).await.unwrap().into_body(), ID);
}
