//! Keys that are fetched in the background, on a clock that stands still while nobody waits.

use crate::common::Random;
use crate::jwt_common::{Body, KEYS, Recorder, Seen, bearer, claims, jwk, layer, send};
use serde_json::{Value, json};
use std::error::Error as _;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt};
use tower_fc::clock::FixedClock;
use tower_fc::error::{BoxError, ErrorKind};
use tower_fc::response::FcResponse;
use tower_fc::trigger::jwt::{FetchedJwks, JwksFetch, JwtLayer, KeySource};
use tower_fc::{Rejection, RejectionKind};

/// What a source answers, to be changed, and when it was asked.
#[derive(Clone)]
struct Source(Arc<Inner>);

struct Inner {
    answer: Mutex<Answer>,
    asked: Mutex<Vec<Instant>>,
    running: AtomicUsize,
}

#[derive(Clone)]
enum Answer {
    Text(String),
    Fails,
    Panics,
    Hangs,
}

fn set(keys: impl IntoIterator<Item = Value>) -> Answer {
    let keys: Vec<_> = keys.into_iter().collect();
    Answer::Text(json!({ "keys": keys }).to_string())
}

impl Source {
    fn of(answer: Answer) -> Self {
        let (answer, asked) = (Mutex::new(answer), Mutex::default());
        Self(Arc::new(Inner { answer, asked, running: AtomicUsize::new(0) }))
    }

    fn answers(&self, answer: Answer) {
        *self.0.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> usize {
        self.0.asked.lock().unwrap().len()
    }

    /// The times between one fetch and the next, in seconds.
    fn gaps(&self) -> Vec<u64> {
        let asked = self.0.asked.lock().unwrap();
        asked.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect()
    }
}

impl KeySource for Source {
    fn fetch(&self) -> impl Future<Output = Result<String, BoxError>> + Send {
        self.0.asked.lock().unwrap().push(Instant::now());
        let answer = self.0.answer.lock().unwrap().clone();
        let inner = Arc::clone(&self.0);
        async move {
            inner.running.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(10)).await;
            let answer = match answer {
                Answer::Text(text) => Ok(text),
                Answer::Fails => Err("connection refused".into()),
                Answer::Panics => panic!("a source that panics"),
                Answer::Hangs => std::future::pending().await,
            };
            inner.running.fetch_sub(1, Ordering::SeqCst);
            answer
        }
    }
}

fn verifying(keys: &FetchedJwks) -> JwtLayer<FcResponse, FixedClock> {
    JwtLayer::new(keys.clone()).with_clock(crate::common::clock())
}

fn signed(kid: &str) -> String {
    KEYS.sign("ES256", &json!({ "alg": "ES256", "kid": kid }), &claims())
}

async fn call(keys: &FetchedJwks, kid: &str) -> Result<Seen, Rejection> {
    send(&verifying(keys), bearer(&signed(kid))).await
}

async fn refused(keys: &FetchedJwks, kid: &str) -> RejectionKind {
    call(keys, kid).await.unwrap_err().kind()
}

const UNAVAILABLE: RejectionKind = RejectionKind::TokenKeysUnavailable;

async fn seconds(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn requests_that_come_before_the_first_keys_wait_for_them() {
    let source = Source::of(set([jwk("ES256", "one")]));
    let keys = JwksFetch::new(source.clone()).start().unwrap();
    let calls = (0..20).map(|_| {
        let keys = keys.clone();
        tokio::spawn(async move { call(&keys, "one").await.is_ok() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(call.await.unwrap());
    }
    assert_eq!(source.asked(), 1);
    assert!(keys.last_error().is_none());
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_again_every_ten_minutes_whether_or_not_requests_come() {
    let source = Source::of(set([jwk("ES256", "one")]));
    let keys = JwksFetch::new(source.clone()).start().unwrap();
    seconds(3_601).await;
    assert_eq!(source.gaps(), [600; 6]);
    // What was taken out is good until then.
    source.answers(set([jwk("ES256", "two")]));
    assert!(call(&keys, "one").await.is_ok());
    seconds(600).await;
    assert_eq!(refused(&keys, "one").await, RejectionKind::InvalidToken);
    assert!(call(&keys, "two").await.is_ok());

    let source = Source::of(set([jwk("ES256", "one")]));
    let _often = JwksFetch::new(source.clone())
        .with_refresh_interval(Duration::from_secs(60))
        .start()
        .unwrap();
    // Never sooner than the cooldown says.
    let hasty = Source::of(set([jwk("ES256", "one")]));
    let _hasty =
        JwksFetch::new(hasty.clone()).with_refresh_interval(Duration::ZERO).start().unwrap();
    seconds(301).await;
    assert_eq!(source.gaps(), [60; 5]);
    assert_eq!(hasty.gaps(), [30; 10]);
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_fetched_when_a_token_names_it() {
    let source = Source::of(set([jwk("ES256", "one")]));
    let keys = JwksFetch::new(source.clone()).start().unwrap();
    assert!(call(&keys, "one").await.is_ok());
    seconds(100).await;
    source.answers(set([jwk("ES256", "one"), jwk("ES256", "two")]));
    // Those that wait share one fetch.
    let calls = (0..20).map(|_| {
        let keys = keys.clone();
        tokio::spawn(async move { call(&keys, "two").await.is_ok() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(call.await.unwrap());
    }
    assert_eq!(source.asked(), 2);
    // A third is not there, and the cooldown not over: no fetch, no wait.
    let before = Instant::now();
    assert_eq!(refused(&keys, "three").await, RejectionKind::InvalidToken);
    assert_eq!((source.asked(), Instant::now()), (2, before));
    seconds(30).await;
    assert_eq!(refused(&keys, "three").await, RejectionKind::InvalidToken);
    assert_eq!(source.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_random_kids_make_one_fetch_in_thirty_seconds() {
    for answer in
        [set([jwk("ES256", "one")]), set([]), Answer::Fails, Answer::Text("<html>".to_owned())]
    {
        let source = Source::of(set([jwk("ES256", "one")]));
        let keys = JwksFetch::new(source.clone()).start().unwrap();
        assert!(call(&keys, "one").await.is_ok());
        source.answers(answer.clone());
        seconds(31).await;
        let begun = Instant::now();
        let service = verifying(&keys).layer(Recorder::default());
        let mut random = Random::of(1);
        let good = signed("one");
        let is_good = !matches!(&answer, Answer::Text(text) if text.contains("[]"));
        for number in 0..10_000 {
            let header = json!({ "alg": "ES256", "kid": random.next().to_string() });
            let message =
                [header, claims()].map(|part| crate::jwt_common::base64(part.to_string()));
            let token = format!("{}.{}", message.join("."), "A".repeat(86));
            let response = service.clone().oneshot(bearer(&token)).await.unwrap();
            let expected = if is_good { 403 } else { 503 };
            assert_eq!(response.status(), expected);
            // Good ones pass all the while.
            if number % 1_000 == 0 {
                let response = service.clone().oneshot(bearer(&good)).await.unwrap();
                assert_eq!(response.status() == 200, is_good);
            }
            // A minute and forty seconds in all.
            sleep(Duration::from_millis(10)).await;
        }
        let took = begun.elapsed().as_secs();
        assert!((100..102).contains(&took), "{took}");
        let gaps = source.gaps();
        assert!(gaps.iter().all(|gap| *gap >= 30), "{gaps:?}");
        assert!(source.asked() <= 2 + 100 / 30, "{}", source.asked());
        assert!(source.asked() >= 4, "{}", source.asked());
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_kids_does_not_hold_up_a_new_key() {
    let source = Source::of(set([jwk("ES256", "one")]));
    let keys = JwksFetch::new(source.clone()).start().unwrap();
    let flood = {
        let keys = keys.clone();
        tokio::spawn(async move {
            loop {
                assert_eq!(refused(&keys, "made up").await, RejectionKind::InvalidToken);
                sleep(Duration::from_millis(100)).await;
            }
        })
    };
    seconds(45).await;
    source.answers(set([jwk("ES256", "two")]));
    let begun = Instant::now();
    while call(&keys, "two").await.is_err() {
        sleep(Duration::from_millis(50)).await;
    }
    assert!(begun.elapsed() <= Duration::from_secs(31), "{:?}", begun.elapsed());
    flood.abort();
}

#[tokio::test(start_paused = true)]
async fn without_any_keys_requests_are_answered_with_503() {
    for answer in [
        Answer::Fails,
        Answer::Panics,
        Answer::Hangs,
        Answer::Text(String::new()),
        Answer::Text("<html>not found</html>".to_owned()),
        Answer::Text("{}".to_owned()),
        set([]),
        set([jwk("ES256", "one"), jwk("RS256", "one")]),
        set([json!({ "kty": "EC", "crv": "secp256k1" })]),
    ] {
        let source = Source::of(answer.clone());
        let keys = JwksFetch::new(source.clone()).start().unwrap();
        let begun = Instant::now();
        let rejection = call(&keys, "one").await.unwrap_err();
        assert_eq!((rejection.kind(), rejection.status().as_u16()), (UNAVAILABLE, 503));
        // No longer than a fetch may take.
        assert!(begun.elapsed() <= Duration::from_secs(10), "{:?}", begun.elapsed());
        let is_wrong = |answer| !matches!(answer, Answer::Text(text) if text.contains("keys\":[]") || text.contains("secp"));
        if is_wrong(answer) {
            let error = keys.last_error().unwrap();
            assert_eq!(rejection.source().unwrap().to_string(), error.to_string());
        }
        // During the cooldown the answer is at once the same, then there is another fetch, asked
        // for or not.
        let before = Instant::now();
        assert_eq!(refused(&keys, "one").await, UNAVAILABLE);
        assert_eq!(Instant::now(), before);
        source.answers(set([jwk("ES256", "one")]));
        seconds(31).await;
        assert!(call(&keys, "one").await.is_ok());
        assert!(keys.last_error().is_none());
        assert_eq!(source.asked(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn keys_stay_in_use_while_the_source_is_down_and_no_longer_than_that_is_set() {
    let source = Source::of(set([jwk("ES256", "one")]));
    let keys = JwksFetch::new(source.clone()).with_max_stale(Duration::from_secs(3_600));
    let keys = keys.start().unwrap();
    assert!(call(&keys, "one").await.is_ok());
    for answer in [Answer::Fails, Answer::Hangs, Answer::Panics] {
        source.answers(answer);
        seconds(900).await;
        assert!(call(&keys, "one").await.is_ok());
        // An unknown name is still one: there are keys.
        assert_eq!(refused(&keys, "two").await, RejectionKind::InvalidToken);
        let error = keys.last_error().unwrap();
        assert_eq!(error.kind(), ErrorKind::Provider);
        assert!(error.source().is_some());
    }
    seconds(890).await;
    assert!(call(&keys, "one").await.is_ok());
    seconds(20).await;
    assert_eq!(refused(&keys, "one").await, UNAVAILABLE);
    // It was asked every 30 seconds meanwhile.
    assert!(source.gaps().iter().all(|gap| *gap >= 30));
    assert!(source.asked() > 60, "{}", source.asked());
    source.answers(set([jwk("ES256", "one")]));
    seconds(31).await;
    assert!(call(&keys, "one").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_set_that_cannot_be_right_changes_nothing_and_an_empty_one_is_one() {
    let source = Source::of(set([jwk("ES256", "one")]));
    let keys = JwksFetch::new(source.clone()).start().unwrap();
    assert!(call(&keys, "one").await.is_ok());
    for answer in [
        set([jwk("ES256", "two"), jwk("RS256", "two")]),
        set([KEYS.jwk("ES256"), KEYS.jwk("RS256")]),
        Answer::Text("{\"keys\": 1}".to_owned()),
    ] {
        source.answers(answer);
        seconds(601).await;
        assert!(call(&keys, "one").await.is_ok());
        assert_eq!(keys.last_error().unwrap().kind(), ErrorKind::InvalidConfig);
    }
    source.answers(set([]));
    seconds(31).await;
    assert!(keys.last_error().is_none());
    assert_eq!(refused(&keys, "one").await, UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn keys_of_no_use_are_left_out() {
    let mut encrypting = jwk("RS256", "one");
    encrypting["use"] = "enc".into();
    let source = Source::of(set([
        encrypting,
        json!({ "kty": "RSA", "kid": "two", "alg": "RSA-OAEP", "n": "AQ", "e": "AQAB" }),
        json!({ "kty": "OKP", "crv": "X25519", "x": "AA" }),
        json!({ "kty": "XYZ" }),
        json!("nonsense"),
        jwk("ES256", "one"),
    ]));
    let keys = JwksFetch::new(source.clone()).start().unwrap();
    assert!(call(&keys, "one").await.is_ok());
    assert!(keys.last_error().is_none());
}

#[tokio::test(start_paused = true)]
async fn fetching_ends_with_the_last_of_its_clones() {
    let source = Source::of(set([jwk("ES256", "one")]));
    let keys = JwksFetch::new(source.clone()).start().unwrap();
    let layer = verifying(&keys);
    assert!(call(&keys, "one").await.is_ok());
    drop(keys);
    seconds(601).await;
    assert_eq!(source.asked(), 2);
    drop(layer);
    seconds(6_000).await;
    assert_eq!(source.asked(), 2);
    // One that is under way too.
    let source = Source::of(Answer::Hangs);
    let keys = JwksFetch::new(source.clone()).start().unwrap();
    seconds(1).await;
    assert_eq!(source.asked(), 1);
    drop(keys);
    seconds(1).await;
    assert_eq!(Arc::strong_count(&source.0), 1);
}

#[test]
fn fetching_needs_a_runtime_and_closures_are_sources() {
    let fetch = JwksFetch::new(|| async { Ok::<_, BoxError>(String::new()) });
    let error = fetch.clone().start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSetting);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let keys = runtime.block_on(async { fetch.start() }).unwrap();
    // With its runtime, the source is gone for good.
    drop(runtime);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(send(&verifying(&keys), bearer(&signed("one"))));
    assert_eq!(answer.unwrap_err().kind(), UNAVAILABLE);
    assert!(runtime.block_on(send(&layer(), bearer(&crate::jwt_common::token()))).is_ok());
    let _ = Body::default();
}
