//! A service as an operator has it: credentials that are refreshed, a client whose clock is wrong, a
//! key store and an STS that fail at times, and those that try it on. What the metrics and the
//! events say is what had happened.
//!
//! It runs for three seconds, or for `OPERATE_SECONDS`, and prints what it saw:
//! `OPERATE_SECONDS=600 cargo test --release --all-features --test layers operate -- --nocapture`.

use super::recorder::Recorder;
use crate::common::{client, serve};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tower::{ServiceBuilder, ServiceExt as _, service_fn};
use tower_fc::credentials::CachedCredentials;
use tower_fc::digest::{CheckDigestLayer, CheckedBody, Md5Encoding, SetDigestLayer};
use tower_fc::error::Error;
use tower_fc::keys::{ByRequest, KeyQuery, KeyStoreError, VerifyingKey};
use tower_fc::replay::{MemoryReplayGuard, ReplayLayer};
use tower_fc::{Credentials, SignLayer, Signer, Verifier, VerifyLayer, observe};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

type Counts = BTreeMap<String, u64>;

/// Counts things by their names.
#[derive(Clone, Default)]
struct Tally(Arc<Mutex<Counts>>);

impl Tally {
    fn add(&self, name: impl Into<String>) {
        *self.0.lock().unwrap().entry(name.into()).or_default() += 1;
    }

    fn get(&self) -> Counts {
        self.0.lock().unwrap().clone()
    }
}

/// Counts events by their message and, of refusals, their kind.
struct Events(Tally);

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        assert!(!text.contains("canary"), "{text}");
        self.0.insert(field.name(), text.trim_matches('"').to_owned());
    }
}

impl Subscriber for Events {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "tower_fc"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let of_request = fields.0.get("kind").cloned();
        let message = fields.0.remove("message").unwrap_or_default();
        self.0.add(match message.as_str() {
            "request verified" => "verified".to_owned(),
            _ => of_request.unwrap_or(message),
        });
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Gives out credentials that last four seconds, unless it is away.
#[derive(Clone, Default)]
struct Sts {
    number: Arc<AtomicU64>,
    away: Arc<AtomicBool>,
    answers: Tally,
}

impl Sts {
    fn issue(&self) -> Result<Credentials, Error> {
        if self.away.load(Ordering::SeqCst) {
            self.answers.add("failed");
            return Err(Error::provider("STS is away"));
        }
        self.answers.add("obtained");
        let number = self.number.fetch_add(1, Ordering::SeqCst);
        let end = SystemTime::now() + Duration::from_secs(4);
        let seconds = end.duration_since(UNIX_EPOCH).unwrap().as_secs();
        let token = format!("sealed.{seconds}.{number}");
        let credentials = Credentials::new(format!("STS.{number}"), secret_of(&token))?;
        Ok(credentials.with_security_token(token)?.with_expires_at(end))
    }
}

fn secret_of(token: &str) -> String {
    format!("canary-{token}")
}

/// Keys of what is sealed into a token, and of one access key that lasts.
fn keys_of(token: Option<String>, id: &str) -> Option<VerifyingKey> {
    let Some(token) = token else {
        return (id == "LTAI5tExample").then(|| VerifyingKey::new("canary-lasting").unwrap());
    };
    let end: u64 = token.strip_prefix("sealed.")?.split('.').next()?.parse().ok()?;
    let end = UNIX_EPOCH + Duration::from_secs(end + 1);
    let key = VerifyingKey::new(secret_of(&token)).ok()?.with_not_after(end);
    key.with_security_token(&token).ok()
}

async fn start(store_is_down: Arc<AtomicBool>) -> SocketAddr {
    let store = ByRequest::new(move |query: &KeyQuery<'_>| {
        let down = store_is_down.load(Ordering::SeqCst);
        let token = query.security_token().map(|token| String::from_utf8(token.to_vec()).unwrap());
        let keys = keys_of(token, query.access_key_id());
        async move {
            tokio::task::yield_now().await;
            if down { Err(KeyStoreError::new("the vault is sealed")) } else { Ok(keys) }
        }
    });
    let verify = VerifyLayer::new(Verifier::new(store)).with_observer(|outcome| {
        observe::trace(outcome);
        observe::count(outcome);
    });
    let service = ServiceBuilder::new()
        .layer(verify.awaiting_keys())
        .layer(ReplayLayer::new(MemoryReplayGuard::new(4_000_000)))
        .layer(CheckDigestLayer::new().buffered(10_000))
        .service(service_fn(|request: Request<CheckedBody<Incoming>>| async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Ok::<_, Infallible>(Response::new(Full::new(body)))
        }));
    serve(service).await
}

/// What the server meant, by what its clients read.
const MEANT: [(&str, &str); 7] = [
    ("difference between the request time", "request_time_too_skewed"),
    ("same signed request", "replayed"),
    ("does not match its signed", "body_digest_mismatch"),
    ("invalid access key ID", "unknown_access_key"),
    ("request signature we calculated", "signature_mismatch"),
    ("Authorization was not specified", "missing_credentials"),
    ("access keys cannot be looked up", "key_store_unavailable"),
];

/// Sends a request, and takes down what was answered.
async fn send<B>(
    truth: &Tally,
    request: Request<B>,
) -> Result<Response<Full<Bytes>>, hyper_util::client::legacy::Error>
where
    B: http_body::Body<Data = Bytes, Error: Debug> + Send,
{
    thread_local! {
        static CLIENT: hyper_util::client::legacy::Client<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>> = client(false);
    }
    let (parts, body) = request.into_parts();
    let body = Full::new(body.collect().await.unwrap().to_bytes());
    let client = CLIENT.with(Clone::clone);
    let (parts, body) = client.request(Request::from_parts(parts, body)).await?.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body);
    let meant = MEANT.iter().find(|(words, _)| text.contains(words));
    truth.add(match (parts.status.as_u16(), meant) {
        (200, _) => "verified",
        (_, Some((_, kind))) => kind,
        other => panic!("{other:?}: {text}"),
    });
    Ok(Response::from_parts(parts, Full::new(body)))
}

const PAUSE: Duration = Duration::from_millis(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_metrics_and_events_say_is_what_had_happened() {
    let seconds = std::env::var("OPERATE_SECONDS").map_or(3, |text| text.parse().unwrap());
    let (recorder, events) = (Recorder::default(), Tally::default());
    metrics::set_global_recorder(recorder.clone()).unwrap();
    tracing::subscriber::set_global_default(Events(events.clone())).unwrap();
    observe::describe();

    let down = Arc::new(AtomicBool::new(false));
    let address = start(Arc::clone(&down)).await;
    let (truth, sts) = (Tally::default(), Sts::default());
    let start = Instant::now();
    let is_over = move || start.elapsed() > Duration::from_secs(seconds);
    let uri = format!("http://{address}/pay");
    let corrections = Arc::new(AtomicU64::new(0));

    // Four workers of one client, whose clock is half an hour slow.
    let mut workers = tokio::task::JoinSet::new();
    let slow = || SystemTime::now() - Duration::from_secs(1_800);
    let provider = sts.clone();
    let cached = CachedCredentials::new(move || std::future::ready(provider.issue()))
        .with_refresh_ahead(Duration::from_secs(1))
        .with_observer(|answer| {
            observe::trace_credentials(answer);
            observe::count_credentials(answer);
        });
    let corrected = Arc::clone(&corrections);
    let sign = SignLayer::new(Signer::new(cached).with_nonce())
        .with_clock(slow)
        .correcting_clock()
        .with_observer(move |offset| {
            corrected.fetch_add(1, Ordering::SeqCst);
            observe::trace_clock(offset);
            observe::count_clock(offset);
        })
        .awaiting_credentials();
    let sender = truth.clone();
    let honest = ServiceBuilder::new()
        .layer(SetDigestLayer::new(Md5Encoding::default()))
        .layer(sign)
        .service_fn(move |request: Request<tower_fc::digest::BufferedBody>| {
            let sender = sender.clone();
            async move { send(&sender, request).await }
        });
    for _ in 0..4 {
        let (honest, uri) = (honest.clone(), uri.clone());
        workers.spawn(async move {
            let (mut good, mut refused, mut away) = (0, 0, 0);
            while !is_over() {
                let request = Request::post(&uri).body(Full::<Bytes>::from("money")).unwrap();
                match honest.clone().oneshot(request).await {
                    Ok(response) if response.status() == 200 => good += 1,
                    Ok(_) => refused += 1,
                    // STS was away for longer than the credentials lasted.
                    Err(_) => away += 1,
                }
                tokio::time::sleep(PAUSE).await;
            }
            format!("honest: {good} answered, {refused} refused, {away} without credentials")
        });
    }
    // Those that try it on.
    for what in ["replay", "body", "secret", "id", "nothing"] {
        let (truth, uri) = (truth.clone(), uri.clone());
        workers.spawn(async move {
            let by = |id: &str, secret: &str| {
                let credentials = Credentials::new(id, secret).unwrap();
                Signer::new(credentials).with_nonce()
            };
            let signer = match what {
                "secret" => by("LTAI5tExample", "a-guess"),
                "id" => by("LTAI5tNobody", "a-guess"),
                _ => by("LTAI5tExample", "canary-lasting"),
            };
            let mut sent = 0;
            while !is_over() {
                let mut request = Request::new(Full::<Bytes>::from("money"));
                *request.method_mut() = Method::POST;
                *request.uri_mut() = uri.parse().unwrap();
                // MD5 of `abc`.
                let digest = "900150983cd24fb0d6963f7d28e17f72".parse().unwrap();
                match what {
                    "nothing" => {}
                    "body" => drop(request.headers_mut().insert("content-md5", digest)),
                    _ => {}
                }
                if what != "nothing" {
                    signer.sign_request_at(&mut request, SystemTime::now()).unwrap();
                }
                send(&truth, request.clone()).await.unwrap();
                if what == "replay" {
                    send(&truth, request).await.unwrap();
                }
                sent += 1;
                tokio::time::sleep(PAUSE * 2).await;
            }
            format!("{what}: {sent} times")
        });
    }
    // What fails: the key store for a tenth of the time, STS for a fifth.
    let (away, stop) = (Arc::clone(&sts.away), is_over);
    workers.spawn(async move {
        let mut tenth = 0_u64;
        while !stop() {
            down.store(tenth % 10 == 4, Ordering::SeqCst);
            away.store(matches!(tenth % 20, 7..=10), Ordering::SeqCst);
            tenth += 1;
            tokio::time::sleep(Duration::from_millis(seconds.clamp(1, 10) * 100)).await;
        }
        down.store(false, Ordering::SeqCst);
        format!("failures: {tenth} turns")
    });
    let mut said = Vec::new();
    while let Some(done) = workers.join_next().await {
        said.push(done.unwrap());
    }

    // By metrics and by events, as by those who sent and were answered.
    let truth = truth.get();
    let metered = || -> Counts {
        let counters = recorder.counters();
        let of_requests =
            counters.iter().filter(|(name, _)| name.starts_with("tower_fc_requests_total"));
        let mut sums = Counts::new();
        for (name, count) in of_requests {
            let label = |of: &str| {
                name.split(' ').find_map(|label| label.strip_prefix(of)).unwrap().to_owned()
            };
            let kind =
                if label("outcome=") == "refused" { label("kind=") } else { label("outcome=") };
            *sums.entry(kind).or_default() += count;
        }
        sums
    };
    let deadline = Instant::now() + Duration::from_secs(5);
    while metered() != truth && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    said.sort();
    println!("{seconds} s, {} requests", truth.values().sum::<u64>());
    said.iter().for_each(|line| println!("  {line}"));
    let (metrics, events) = (metered(), events.get());
    println!("  {:<26} {:>9} {:>9} {:>9}", "", "sent", "metrics", "events");
    for (kind, count) in &truth {
        let of = |counts: &Counts| counts.get(kind).copied().unwrap_or_default();
        println!("  {kind:<26} {count:>9} {:>9} {:>9}", of(&metrics), of(&events));
    }
    let counters = recorder.counters();
    let counter = |name: &str| counters.get(name).copied().unwrap_or_default();
    let event = |message: &str| events.get(message).copied().unwrap_or_default();
    let answers = sts.answers.get();
    let answer = |outcome: &str| answers.get(outcome).copied().unwrap_or_default();
    for (outcome, message) in
        [("obtained", "credentials obtained"), ("failed", "credentials could not be obtained")]
    {
        let metric = counter(&format!("tower_fc_credentials_total outcome={outcome}"));
        println!(
            "  {message}: {} asked, {metric} by metrics, {} events",
            answer(outcome),
            event(message)
        );
        assert_eq!((answer(outcome), answer(outcome)), (metric, event(message)));
    }
    let corrected = corrections.load(Ordering::SeqCst);
    let offset = recorder.gauge("tower_fc_clock_offset_seconds").unwrap();
    println!("  clock corrected {corrected} times, by {offset} s");
    assert_eq!(counter("tower_fc_clock_corrections_total"), corrected);
    assert_eq!(event("clock corrected"), corrected);
    assert!((1..=4).contains(&corrected), "once by each worker at the most: {corrected}");
    assert!((offset - 1_800.0).abs() < 2.0, "{offset}");
    let ages = recorder.recorded("tower_fc_signature_age_seconds scheme=fc");
    let oldest = ages.iter().fold(0.0_f64, |oldest, age| oldest.max(*age));
    println!("  signatures {} of an age up to {oldest:.1} s", ages.len());
    assert_eq!(ages.len() as u64, truth["verified"]);
    assert_eq!(metrics, truth);
    for (kind, count) in &truth {
        assert_eq!(events.get(kind), Some(count), "{kind}");
    }
    let failures = counter("tower_fc_store_failures_total kind=key_store_unavailable");
    assert_eq!(failures, truth.get("key_store_unavailable").copied().unwrap_or_default());
    for (_, kind) in MEANT {
        assert!(truth.get(kind).is_some_and(|count| *count > 0), "{kind} did not happen");
    }
}
