//! `ReplayLayer` with guards in memory.

use crate::common::services::Slow;
use crate::common::{
    self, Counting, ID, Random, Told, at, call, clock, credentials, get, presigned, read_error,
    signed, signed_at, signer, verifier, verify_layer,
};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, UNIX_EPOCH};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_fc::clock::FixedClock;
use tower_fc::protocol::Schemes;
use tower_fc::replay::{
    AsyncReplay, AsyncReplayGuard, MemoryReplayGuard, ReplayGuard, ReplayLayer,
};
use tower_fc::replay::{Claimed, Replay, ReplayClaim, ReplayGuardError, ReplayGuardErrorKind};
use tower_fc::response::FcResponse;
use tower_fc::response::ResponseBody;
use tower_fc::verify::Mode;
use tower_fc::verify::Verify;
use tower_fc::{
    Rejection, RejectionKind, Scheme, Signer, StaticKeys, VerifiedCaller, Verifier, VerifyLayer,
};

/// How long a signature is remembered by default.
const WINDOW: u64 = 30 * 60;

/// Writes down the claims made, and answers all of them the same.
#[derive(Clone, Default)]
struct Recording {
    claims: Arc<Mutex<Vec<ReplayClaim>>>,
    fails: Option<ReplayGuardErrorKind>,
}

impl ReplayGuard for Recording {
    fn claim(&self, claim: ReplayClaim) -> Result<Claimed, ReplayGuardError> {
        self.claims.lock().unwrap().push(claim);
        match self.fails {
            None => Ok(Claimed::First),
            Some(ReplayGuardErrorKind::Full) => Err(ReplayGuardError::full()),
            Some(_) => Err(ReplayGuardError::unavailable("10.0.0.1:6379: no route to host")),
        }
    }
}

type Guarded<S, G, C> = Verify<Replay<S, Arc<G>, FcResponse, C>, StaticKeys, FcResponse, C>;

/// The two layers as they belong, with one clock.
fn guarded_by<S, G, C: tower_fc::clock::Clock + Clone>(
    verifier: Verifier<StaticKeys>,
    guard: &Arc<G>,
    clock: C,
    inner: S,
) -> Guarded<S, G, C> {
    ServiceBuilder::new()
        .layer(VerifyLayer::new(verifier).with_clock(clock.clone()))
        .layer(ReplayLayer::new(Arc::clone(guard)).with_clock(clock))
        .service(inner)
}

fn guarded<S, G>(guard: &Arc<G>, inner: S) -> Guarded<S, G, FixedClock> {
    guarded_by(verifier(), guard, clock(), inner)
}

/// The same by a guard that has to be awaited.
fn guarded_slowly<S>(
    inner: S,
) -> Verify<
    AsyncReplay<S, Slow<MemoryReplayGuard>, FcResponse, FixedClock>,
    StaticKeys,
    FcResponse,
    FixedClock,
> {
    let layer = ReplayLayer::new(Slow(MemoryReplayGuard::new(1_000))).with_clock(clock());
    verify_layer().layer(layer.awaiting_guard().layer(inner))
}

fn memory() -> Arc<MemoryReplayGuard> {
    Arc::new(MemoryReplayGuard::new(10_000))
}

/// The kind of refusal, `None` of an answer of the inner service.
fn refusal<B>(response: &Response<B>) -> Option<RejectionKind> {
    let kind = common::refusal(response);
    assert_eq!(kind.map_or(StatusCode::OK, RejectionKind::status), response.status());
    kind
}

fn claim_at(guard: &MemoryReplayGuard, key: [u8; 32], seconds: i64) -> Result<Claimed, ()> {
    let claim = ReplayClaim::new(key, at(seconds), at(seconds + WINDOW as i64));
    let outcome = guard.claim(claim);
    outcome.map_err(|error| assert_eq!(error.kind(), ReplayGuardErrorKind::Full))
}

#[tokio::test]
async fn a_replay_is_refused_and_the_inner_service_is_not_called() {
    async fn check<S, B>(mut service: S, inner: Counting)
    where
        S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
        B: http_body::Body<Data = bytes::Bytes, Error: std::fmt::Debug>,
    {
        let request = signed(get("/a?b=c"));
        let response = call(&mut service, request.clone()).await.unwrap();
        assert_eq!(refusal(&response), None);
        assert_eq!(inner.calls(), 1);

        for _ in 0..3 {
            let response = call(&mut service, request.clone()).await.unwrap();
            assert_eq!(refusal(&response), Some(RejectionKind::Replayed));
            let rejection = response.extensions().get::<Rejection>().unwrap();
            assert_eq!(rejection.claimed_access_key_id(), Some(ID));
            let message = "the same signed request has been received before";
            assert_eq!(read_error(response).await, ("AccessDenied".into(), message.into()));
        }
        assert_eq!(inner.calls(), 1);

        let response = call(&mut service, signed(get("/another"))).await.unwrap();
        assert_eq!(refusal(&response), None);
    }
    let inner = Counting::default();
    check(guarded(&memory(), inner.clone()), inner).await;
    let inner = Counting::default();
    check(guarded_slowly(inner.clone()), inner).await;
}

#[tokio::test]
async fn a_replay_is_one_whatever_was_changed_that_is_not_signed() {
    let mut service = guarded(&memory(), Counting::default());
    let request = signed(get("/a?b=c"));
    assert_eq!(refusal(&call(&mut service, request.clone()).await.unwrap()), None);
    let mut changed = request.clone();
    changed.headers_mut().insert("user-agent", HeaderValue::from_static("another"));
    changed.headers_mut().insert("host", HeaderValue::from_static("another.example"));
    let response = call(&mut service, changed).await.unwrap();
    assert_eq!(refusal(&response), Some(RejectionKind::Replayed));
}

#[tokio::test]
async fn a_thousand_equal_requests_in_a_second_pass_with_nonces_and_no_replay_does() {
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256, Scheme::Acs] {
        let inner = Counting::default();
        let verifier = verifier().with_schemes(scheme).with_required_nonce();
        let mut service = guarded_by(verifier, &memory(), clock(), inner.clone());
        let signer = signer(scheme).with_nonce();
        let requests: Vec<_> = (0..1_000)
            .map(|_| {
                let mut request = get("https://demo.example/pay?amount=1");
                signer.sign_request_at(&mut request, at(0)).unwrap();
                request
            })
            .collect();
        for request in requests.clone() {
            assert_eq!(refusal(&call(&mut service, request).await.unwrap()), None, "{scheme}");
        }
        assert_eq!(inner.calls(), 1_000, "{scheme}");
        for request in requests {
            let response = call(&mut service, request).await.unwrap();
            assert_eq!(refusal(&response), Some(RejectionKind::Replayed), "{scheme}");
        }
        assert_eq!(inner.calls(), 1_000, "{scheme}");
    }
}

#[tokio::test]
async fn without_a_nonce_the_second_of_two_equal_requests_in_a_second_is_refused() {
    let mut service = guarded(&memory(), Counting::default());
    let (one, two) = (signed(get("/a")), signed(get("/a")));
    assert_eq!(refusal(&call(&mut service, one).await.unwrap()), None);
    let response = call(&mut service, two).await.unwrap();
    assert_eq!(refusal(&response), Some(RejectionKind::Replayed));

    let a_second_later = signed_at(get("/a"), Scheme::Fc, at(1));
    assert_eq!(refusal(&call(&mut service, a_second_later).await.unwrap()), None);
}

#[tokio::test]
async fn a_signature_is_claimed_before_the_inner_service_is_called() {
    let (guard, calls) = (Recording::default(), Arc::new(AtomicUsize::new(0)));
    let claims = Arc::clone(&guard.claims);
    let counted = Arc::clone(&calls);
    let inner = service_fn(move |request: Request<()>| {
        assert_eq!(claims.lock().unwrap().len(), 1, "claimed before the call");
        let caller = request.extensions().get::<VerifiedCaller>().unwrap();
        assert_eq!(*claims.lock().unwrap()[0].key(), caller.replay_key());
        counted.fetch_add(1, Ordering::SeqCst);
        ready(Ok::<_, Infallible>(Response::new(String::new())))
    });
    let mut service = guarded(&Arc::new(guard), inner);
    call(&mut service, signed(get("/a"))).await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_guard_that_cannot_tell_refuses_with_503_and_keeps_the_reason_to_itself() {
    for (fails, message) in [
        (
            ReplayGuardErrorKind::Full,
            "too many requests are remembered at the moment to tell whether this is a replay",
        ),
        (
            ReplayGuardErrorKind::Unavailable,
            "it cannot be told at the moment whether the request is a replay",
        ),
    ] {
        let inner = Counting::default();
        let guard = Recording { fails: Some(fails), ..Recording::default() };
        let mut service = guarded(&Arc::new(guard), inner.clone());
        let response = call(&mut service, signed(get("/a"))).await.unwrap();
        assert_eq!(refusal(&response), Some(RejectionKind::ReplayStoreUnavailable));
        assert_eq!(response.status(), 503);
        assert_eq!(read_error(response).await, ("ServiceUnavailable".into(), message.into()));
        assert_eq!(inner.calls(), 0);
    }
}

#[tokio::test]
async fn a_full_guard_refuses_with_503_and_goes_on_telling_replays() {
    let (guard, inner) = (Arc::new(MemoryReplayGuard::new(100)), Counting::default());
    let mut service = guarded(&guard, inner.clone());
    let signer = Signer::new(credentials()).with_nonce();
    let mut accepted = Vec::new();
    // A line may be full a little before another.
    let mut refused = 0;
    while refused < 1_000 {
        let mut request = get("/a");
        signer.sign_request_at(&mut request, at(0)).unwrap();
        match refusal(&call(&mut service, request.clone()).await.unwrap()) {
            None => {
                accepted.push(request);
                assert!(accepted.len() <= 1_000, "it is never full");
            }
            Some(kind) => {
                assert_eq!(kind, RejectionKind::ReplayStoreUnavailable);
                refused += 1;
            }
        }
    }
    assert!(accepted.len() >= guard.capacity());
    assert_eq!(inner.calls(), accepted.len());
    for request in accepted {
        let response = call(&mut service, request).await.unwrap();
        assert_eq!(refusal(&response), Some(RejectionKind::Replayed), "none was forgotten");
    }
}

#[test]
fn a_guard_holds_its_capacity_and_at_the_most_some_more() {
    let mut random = Random::seeded();
    let capacities = (0..100).chain((0..60).map(|_| random.below(20_000)));
    for capacity in capacities.collect::<Vec<_>>() {
        let guard = MemoryReplayGuard::new(capacity);
        for count in 0..capacity {
            let claimed = claim_at(&guard, random.key(), 0);
            assert_eq!(claimed, Ok(Claimed::First), "{count} of {capacity}");
        }
        assert_eq!(guard.len_at(at(0)), capacity);
        for _ in 0..3 * capacity {
            let _ = claim_at(&guard, random.key(), 0);
        }
        // The smallest one has four levels of 16 lines for four signatures.
        let most = (capacity * 23 / 10).max(256) + 256;
        assert!(guard.len_at(at(0)) <= most, "{} in {capacity}", guard.len_at(at(0)));
    }
}

#[test]
fn a_million_signatures_take_37_bytes_each() {
    const LIVE: usize = 1_000_000;
    let mut random = Random::seeded();
    let keys: Vec<_> = (0..LIVE).map(|_| random.key()).collect();
    let mut guard = None;
    let memory = allocation_counter::measure(|| {
        let guard = guard.insert(MemoryReplayGuard::new(LIVE));
        for key in &keys {
            assert_eq!(claim_at(guard, *key, 0), Ok(Claimed::First));
        }
    });
    let guard = guard.unwrap();
    assert_eq!(guard.len_at(at(0)), LIVE);
    assert!(keys.iter().all(|key| claim_at(&guard, *key, 0) == Ok(Claimed::Already)));
    let each = memory.bytes_max as f64 / LIVE as f64;
    println!("{} bytes for {LIVE} signatures: {each:.2} each", memory.bytes_max);
    assert!(each <= 37.0, "{each}");
    assert_eq!(memory.bytes_max, memory.bytes_current as u64, "nothing moves");
}

#[test]
fn what_no_longer_counts_makes_room() {
    let mut random = Random::seeded();
    let guard = MemoryReplayGuard::new(1_000);
    // Far more than it has room for, at an even pace.
    let window = WINDOW as i64;
    let mut recent = std::collections::VecDeque::new();
    for seconds in 0..10 * window {
        if seconds % 2 == 0 {
            let key = random.key();
            assert_eq!(claim_at(&guard, key, seconds), Ok(Claimed::First), "{seconds}");
            recent.push_back((key, seconds));
        }
        while recent.front().is_some_and(|(_, claimed)| claimed + window < seconds) {
            recent.pop_front();
        }
        if seconds % 997 == 0 {
            for (key, _) in &recent {
                assert_eq!(claim_at(&guard, *key, seconds), Ok(Claimed::Already), "{seconds}");
            }
        }
    }
}

#[test]
fn a_signature_counts_to_the_end_of_its_last_second() {
    let guard = MemoryReplayGuard::new(10);
    let (now, half) = (at(0), Duration::from_millis(500));
    let claim = ReplayClaim::new([7; 32], now, now + Duration::from_secs(10) + half);
    assert_eq!(guard.claim(claim).unwrap(), Claimed::First);
    for millis in [0, 1, 9_999, 10_000, 10_500, 11_000] {
        let now = now + Duration::from_millis(millis);
        let again = ReplayClaim::new([7; 32], now, now + half);
        assert_eq!(guard.claim(again).unwrap(), Claimed::Already, "{millis}");
    }
    let now = now + Duration::from_secs(12);
    let again = ReplayClaim::new([7; 32], now, now);
    assert_eq!(guard.claim(again).unwrap(), Claimed::First);
}

#[test]
fn times_beyond_what_is_kept_are_kept_for_good() {
    let guard = MemoryReplayGuard::new(10);
    let far = UNIX_EPOCH + Duration::from_secs(1 << 40);
    let before = UNIX_EPOCH - Duration::from_secs(1);
    for (at, (now, until)) in [(at(0), far), (before, far), (UNIX_EPOCH, far)].iter().enumerate() {
        let claim = ReplayClaim::new([at as u8; 32], *now, *until);
        assert_eq!(guard.claim(claim).unwrap(), Claimed::First, "{at}");
        let later = ReplayClaim::new([at as u8; 32], far, far);
        assert_eq!(guard.claim(later).unwrap(), Claimed::Already, "{at}");
    }
}

#[test]
fn of_many_threads_that_claim_a_signature_one_is_the_first() {
    const THREADS: usize = 8;
    let mut random = Random::seeded();
    // A guard so small that many signatures share a line, and go to lower levels.
    for (capacity, keys) in [(10_000, 10_000), (100, 150)] {
        let keys: Vec<_> = (0..keys).map(|_| random.key()).collect();
        let guard = MemoryReplayGuard::new(capacity);
        let firsts: Vec<_> = keys.iter().map(|_| AtomicUsize::new(0)).collect();
        let barrier = Barrier::new(THREADS);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (keys, firsts, guard, barrier) = (&keys, &firsts, &guard, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    // At other places of the list, and at times that differ.
                    for count in 0..4 * keys.len() {
                        let at = (count + thread * 13) % keys.len();
                        let seconds = (count % 7 * thread) as i64;
                        if claim_at(guard, keys[at], seconds) == Ok(Claimed::First) {
                            firsts[at].fetch_add(1, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        for (at, first) in firsts.iter().enumerate() {
            assert_eq!(first.load(Ordering::SeqCst), 1, "signature {at} of {capacity}");
        }
    }
}

/// The first request that a server accepts, and the last replay of it that verifies.
#[tokio::test]
async fn no_replay_passes_in_all_the_time_that_a_request_verifies() {
    let now = Arc::new(AtomicU64::new(0));
    let clock = {
        let now = Arc::clone(&now);
        move || UNIX_EPOCH + Duration::from_millis(now.load(Ordering::SeqCst))
    };
    let guard = memory();
    let mut service = guarded_by(verifier(), &guard, clock, Counting::default());
    let base = common::NOW * 1_000;
    for (count, first) in [-900_000, -899_001, -1, 0, 500, 899_999, 900_000].iter().enumerate() {
        let agains = [first + 1, 0, 100, 899_999, 900_000, 900_001, 901_000, 1_800_000];
        for (each, again) in agains.into_iter().enumerate() {
            let target = format!("/{count}/{each}");
            let request = signed_at(get(&target), Scheme::Fc, at(0));
            now.store(base.checked_add_signed(*first).unwrap(), Ordering::SeqCst);
            let response = call(&mut service, request.clone()).await.unwrap();
            assert_eq!(refusal(&response), None, "{first}");
            now.store(base.checked_add_signed(again.max(*first)).unwrap(), Ordering::SeqCst);
            let kind = refusal(&call(&mut service, request).await.unwrap());
            let expected = match again.max(*first) {
                ..=900_000 => RejectionKind::Replayed,
                _ => RejectionKind::RequestTimeTooSkewed,
            };
            assert_eq!(kind, Some(expected), "{first} {again}");
        }
    }
}

#[tokio::test]
async fn a_signature_is_remembered_for_twice_the_clock_difference() {
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    for (skew, dated, expected) in [
        // Until it ceases to verify, and a minute for servers whose clocks are behind.
        (None, 0, minutes(16)),
        (None, -900, minutes(1)),
        (None, 840, minutes(30)),
        (None, 900, minutes(31)),
        (Some(minutes(1)), 0, minutes(2)),
        (Some(minutes(1)), 60, minutes(3)),
        (Some(Duration::from_secs(10)), 10, Duration::from_secs(80)),
    ] {
        let guard = Recording::default();
        let skew = skew.unwrap_or(tower_fc::protocol::DEFAULT_MAX_SKEW);
        let layer = ReplayLayer::new(guard.clone()).with_clock(clock());
        let mut service = ServiceBuilder::new()
            .layer(VerifyLayer::new(verifier().with_max_skew(skew)).with_clock(clock()))
            .layer(layer)
            .service(Counting::default());
        let request = signed_at(get("/a"), Scheme::Fc, at(dated));
        assert_eq!(refusal(&call(&mut service, request).await.unwrap()), None);
        let claims = guard.claims.lock().unwrap();
        assert_eq!(claims[0].now(), at(0));
        assert_eq!(claims[0].duration(), expected, "{skew:?} {dated}");
        assert_eq!(claims[0].until(), at(0) + expected);
    }
}

#[tokio::test]
async fn as_long_as_a_verifier_accepts_a_request_it_is_remembered() {
    let hour = Duration::from_secs(3_600);
    let inner = Counting::default();
    for dated in [-3_600, -901, 901, 3_600] {
        let verifier = verifier().with_max_skew(hour);
        let mut service = guarded_by(verifier, &memory(), clock(), inner.clone());
        let request = signed_at(get("/a"), Scheme::Fc, at(dated));
        assert_eq!(refusal(&call(&mut service, request.clone()).await.unwrap()), None);
        let replayed = refusal(&call(&mut service, request).await.unwrap());
        assert_eq!(replayed, Some(RejectionKind::Replayed), "{dated}");
    }
    assert_eq!(inner.calls(), 4);
}

#[tokio::test]
async fn what_ceased_to_verify_before_it_is_claimed_is_refused() {
    let (guard, inner) = (memory(), Counting::default());
    for (late, expected) in [(900, None), (901, Some(RejectionKind::RequestTimeTooSkewed))] {
        let replay = ReplayLayer::new(Arc::clone(&guard)).with_clock(move || at(late));
        let mut service = verify_layer().layer(replay.layer(inner.clone()));
        let request = signed_at(get("/a"), Scheme::Fc, at(0));
        assert_eq!(refusal(&call(&mut service, request).await.unwrap()), expected, "{late}");
    }
    assert_eq!(inner.calls(), 1);
}

/// Claims that reach their store late: by then it may have forgotten the first one.
#[tokio::test]
async fn what_ceases_to_verify_while_a_guard_is_awaited_is_refused() {
    let once = || presigned(get("/a"), credentials(), 60);
    let header = || signed_at(get("/a"), Scheme::Fc, at(-840));
    for (name, request) in [("presigned", &once as &dyn Fn() -> _), ("header", &header)] {
        let (now, late) = (Arc::new(AtomicU64::new(common::NOW)), Arc::new(AtomicU64::new(0)));
        let time = Arc::clone(&now);
        let clock = Arc::new(move || UNIX_EPOCH + Duration::from_secs(time.load(Ordering::SeqCst)));
        let guard = Distant { memory: memory(), now: Arc::clone(&now), late: Arc::clone(&late) };
        let replay = ReplayLayer::new(guard).with_clock(Arc::clone(&clock)).with_presigned();
        let inner = Counting::default();
        let verifier = verifier().with_schemes(Schemes::all());
        let mut service = ServiceBuilder::new()
            .layer(VerifyLayer::new(verifier).with_clock(clock))
            .layer(replay.awaiting_guard())
            .service(inner.clone());
        assert_eq!(refusal(&call(&mut service, request()).await.unwrap()), None, "{name}");
        for (seconds, seconds_late, expected) in [
            (58, 1, RejectionKind::Replayed),
            // It is forgotten a minute after it ended.
            (59, 600, RejectionKind::RequestTimeTooSkewed),
        ] {
            now.store(common::NOW + seconds, Ordering::SeqCst);
            late.store(seconds_late, Ordering::SeqCst);
            let response = call(&mut service, request()).await.unwrap();
            assert_eq!(refusal(&response), Some(expected), "{name}, {seconds}");
            assert_eq!(inner.calls(), 1, "{name}, {seconds}");
        }
    }
}

/// A guard that claims take some seconds to reach.
struct Distant {
    memory: Arc<MemoryReplayGuard>,
    now: Arc<AtomicU64>,
    late: Arc<AtomicU64>,
}

impl AsyncReplayGuard for Distant {
    async fn claim(&self, claim: ReplayClaim) -> Result<Claimed, ReplayGuardError> {
        tokio::task::yield_now().await;
        self.now.fetch_add(self.late.load(Ordering::SeqCst), Ordering::SeqCst);
        let now = UNIX_EPOCH + Duration::from_secs(self.now.load(Ordering::SeqCst));
        self.memory.claim(ReplayClaim::new(*claim.key(), now, now + claim.duration()))
    }
}

#[tokio::test]
async fn an_observer_is_told_of_what_is_refused_and_of_nothing_else() {
    async fn check<S, B>(told: Told, replay: impl Layer<Counting, Service = S>)
    where
        S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    {
        let verify = verify_layer().with_mode(Mode::Optional);
        let mut service = verify.layer(replay.layer(Counting::default()));
        let request = signed(get("/a"));
        for request in [request.clone(), get("/"), signed(get("/b"))] {
            call(&mut service, request).await.unwrap();
            assert_eq!(told.take(), [""; 0]);
        }
        call(&mut service, request.clone()).await.unwrap();
        assert_eq!(told.take(), [format!("Replayed of {ID}")]);
        // No VerifyLayer is outside.
        let response = call(service.get_mut(), request).await.unwrap();
        assert_eq!(refusal(&response), Some(RejectionKind::NotLookedAt));
        assert_eq!(told.take(), ["NotLookedAt of nobody"]);
    }
    let told = Told::default();
    let replay = ReplayLayer::new(memory()).with_observer(told.observer()).with_clock(clock());
    check(told.clone(), replay).await;
    let guard = Slow(MemoryReplayGuard::new(100));
    let replay = ReplayLayer::new(guard).with_observer(told.observer()).with_clock(clock());
    check(told.clone(), replay.awaiting_guard()).await;

    // What cannot be decided, and what has ended.
    let unavailable =
        Recording { fails: Some(ReplayGuardErrorKind::Unavailable), ..Recording::default() };
    for (seconds, expected) in [(0, "ReplayStoreUnavailable"), (901, "RequestTimeTooSkewed")] {
        let clock = FixedClock::at(at(seconds));
        let guard = Slow(unavailable.clone());
        let replay = ReplayLayer::new(guard).with_observer(told.observer()).with_clock(clock);
        let mut service = verify_layer().layer(replay.awaiting_guard().layer(Counting::default()));
        call(&mut service, signed(get("/a"))).await.unwrap();
        let replay = ReplayLayer::new(unavailable.clone()).with_observer(told.observer());
        let mut service = verify_layer().layer(replay.with_clock(clock).layer(Counting::default()));
        call(&mut service, signed(get("/a"))).await.unwrap();
        assert_eq!(told.take(), [(); 2].map(|()| format!("{expected} of {ID}")));
    }
}

#[tokio::test]
async fn a_clock_difference_without_end_is_no_overflow() {
    let guard = Recording::default();
    let mut service = ServiceBuilder::new()
        .layer(VerifyLayer::new(verifier().with_max_skew(Duration::MAX)).with_clock(clock()))
        .layer(ReplayLayer::new(guard.clone()).with_clock(clock()))
        .service(Counting::default());
    let request = signed_at(get("/a"), Scheme::Fc, UNIX_EPOCH);
    assert_eq!(refusal(&call(&mut service, request).await.unwrap()), None);
    let claims = guard.claims.lock().unwrap();
    assert!(claims[0].duration() > Duration::from_secs(90 * 365 * 86_400));
}

#[tokio::test]
async fn only_the_chosen_methods_are_guarded() {
    let (guard, inner) = (memory(), Counting::default());
    let layer = ReplayLayer::new(Arc::clone(&guard))
        .with_clock(clock())
        .with_methods([Method::POST, Method::DELETE]);
    let mut service = verify_layer().layer(layer.layer(inner.clone()));
    for (method, replays) in [
        (Method::GET, None),
        (Method::PUT, None),
        (Method::POST, Some(RejectionKind::Replayed)),
        (Method::DELETE, Some(RejectionKind::Replayed)),
    ] {
        let request = Request::builder().method(method.clone()).uri("/a").body(()).unwrap();
        let request = signed(request);
        assert_eq!(refusal(&call(&mut service, request.clone()).await.unwrap()), None);
        assert_eq!(refusal(&call(&mut service, request).await.unwrap()), replays, "{method}");
    }
    assert_eq!(guard.len_at(at(0)), 2);
}

#[tokio::test]
async fn anonymous_and_exempt_requests_pass_as_often_as_they_arrive() {
    let (guard, inner) = (memory(), Counting::default());
    let replay = ReplayLayer::new(Arc::clone(&guard)).with_clock(clock());
    let verify = verify_layer()
        .with_mode(Mode::Optional)
        .with_exemption(|_, uri, _| uri.path() == "/health");
    let mut service = verify.layer(replay.layer(inner.clone()));
    let exempt = signed(get("/health"));
    for request in [get("/a"), get("/a"), exempt.clone(), exempt] {
        assert_eq!(refusal(&call(&mut service, request).await.unwrap()), None);
    }
    assert_eq!(inner.calls(), 4);
    assert_eq!(guard.len_at(at(0)), 0);
}

#[tokio::test]
async fn presigned_urls_can_be_used_until_they_expire_or_once_by_choice() {
    let verifier = || verifier().with_schemes(Schemes::all());
    let request = || presigned(get("/a"), credentials(), 3_600);

    let guard = memory();
    let mut service = guarded_by(verifier(), &guard, clock(), Counting::default());
    for _ in 0..3 {
        assert_eq!(refusal(&call(&mut service, request()).await.unwrap()), None);
    }
    assert_eq!(guard.len_at(at(0)), 0);

    let recording = Recording::default();
    for at_second in [0, 3_599] {
        let clock = FixedClock::at(at(at_second));
        let layer = ReplayLayer::new(recording.clone()).with_clock(clock).with_presigned();
        let mut service =
            VerifyLayer::new(verifier()).with_clock(clock).layer(layer.layer(Counting::default()));
        assert_eq!(refusal(&call(&mut service, request()).await.unwrap()), None);

        let layer = ReplayLayer::new(Arc::clone(&guard)).with_clock(clock).with_presigned();
        let mut service =
            VerifyLayer::new(verifier()).with_clock(clock).layer(layer.layer(Counting::default()));
        let expected = (at_second > 0).then_some(RejectionKind::Replayed);
        assert_eq!(refusal(&call(&mut service, request()).await.unwrap()), expected);
    }
    let claims = recording.claims.lock().unwrap();
    // A minute longer than it is valid, for servers whose clocks are behind.
    assert!(claims.iter().all(|claim| claim.until() == at(3_600 + 60)));
}

#[tokio::test]
async fn the_error_of_the_inner_service_passes_through_unchanged() {
    #[derive(Debug, PartialEq)]
    struct Mine(u8);
    async fn check<S, B>(mut service: S)
    where
        S: Service<Request<()>, Response = Response<B>, Error = Mine>,
        B: std::fmt::Debug,
    {
        let request = signed(get("/a"));
        assert_eq!(call(&mut service, request.clone()).await.unwrap_err(), Mine(7));
        // What failed stays claimed.
        let response = call(&mut service, request).await.unwrap();
        assert_eq!(refusal(&response), Some(RejectionKind::Replayed));
    }
    let inner = || service_fn(|_: Request<()>| ready(Err::<Response<String>, _>(Mine(7))));
    check(guarded(&memory(), inner())).await;
    check(guarded_slowly(inner())).await;
}

/// Can be called once for each time that it was polled ready.
struct Strict(bool);

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self(false)
    }
}

impl Service<Request<()>> for Strict {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0 = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(std::mem::take(&mut self.0), "called without having been polled ready");
        ready(Ok(Response::new(String::new())))
    }
}

#[tokio::test]
async fn the_service_that_is_called_is_the_one_that_was_ready() {
    async fn check(mut service: impl Service<Request<()>, Error = Infallible>) {
        for target in ["/a", "/b", "/a", "/c"] {
            call(&mut service, signed(get(target))).await.unwrap();
        }
    }
    check(guarded(&memory(), Strict(false))).await;
    check(guarded_slowly(Strict(false))).await;
}

#[tokio::test]
async fn a_buffer_of_one_is_never_blocked() {
    let inner = Counting::default();
    let service = guarded_slowly(tower::buffer::Buffer::new(inner.clone(), 1));
    let requests = (0..100).map(|count| {
        let request = signed(get(&format!("/{}", count / 2)));
        tokio::time::timeout(Duration::from_secs(30), service.clone().oneshot(request))
    });
    let mut passed = 0;
    for response in futures(requests).await {
        passed += usize::from(refusal(&response.unwrap().unwrap()).is_none());
    }
    assert_eq!((passed, inner.calls()), (50, 50));
}

/// All of these at the same time.
async fn futures<F>(futures: impl Iterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let tasks: Vec<_> = futures.map(tokio::spawn).collect();
    let mut outputs = Vec::new();
    for task in tasks {
        outputs.push(task.await.unwrap());
    }
    outputs
}

#[test]
fn a_guard_in_memory_costs_no_allocation() {
    let guard = memory();
    let mut service = ReplayLayer::new(guard).with_clock(clock()).layer(Counting::default());
    let verified = |target: &str| {
        let mut request = signed(get(target));
        let caller = verifier().verify_request_at(&request, at(0)).unwrap();
        request.extensions_mut().insert(caller);
        request
    };
    let cx = &mut Context::from_waker(Waker::noop());
    for target in ["/a", "/b"] {
        let mut request = Some(verified(target));
        let counted = allocation_counter::measure(|| {
            let request = request.take().unwrap();
            let answer: Poll<Result<Response<ResponseBody<String>>, Infallible>> =
                pin!(service.call(request)).poll(cx);
            assert!(answer.is_ready());
        });
        assert_eq!(counted.count_total, 0, "{target}");
    }
}
