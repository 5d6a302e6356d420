//! Many requests while something dies, and what has to be true of them afterwards.

#![allow(unreachable_pub, reason = "a module of a test program, which has no public items")]

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};
use tower::{Service, service_fn};
use tower_fc::error::BoxError;

/// How often something is to die: `INVOCATION_KILLS`, 3 times by default.
pub fn kills() -> u32 {
    std::env::var("INVOCATION_KILLS").map_or(3, |kills| kills.parse().unwrap())
}

/// What was asked for, and what the answer was, if there was one.
pub struct Asked {
    pub sent_at: u128,
    pub delay: u64,
    pub answer: Option<StatusCode>,
}

pub type Answers = Arc<Mutex<HashMap<String, Asked>>>;

/// Names of tasks that are still to be asked for, and their delays in seconds.
pub type Names = Arc<Mutex<Vec<(String, u64)>>>;

/// Now, in milliseconds after the epoch.
pub fn millis() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()
}

/// A function that notes the name of each task in a file, before it answers.
pub fn function(
    log: &Path,
) -> impl Service<Request<Full<Bytes>>, Response = Response<Full<Bytes>>, Error = BoxError, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static {
    let log = Arc::new(File::options().create(true).append(true).open(log).unwrap());
    service_fn(move |request: Request<Full<Bytes>>| {
        let log = Arc::clone(&log);
        async move {
            let line = format!("{} {}\n", request.uri().path(), millis());
            (&*log).write_all(line.as_bytes())?;
            Ok::<_, BoxError>(Response::new(Full::<Bytes>::default()))
        }
    })
}

/// Sends requests of these names, by so many connections, with a pause after each of one
/// connection, as long as somebody answers.
pub async fn send(port: u16, names: Names, connections: usize, pause: Duration, answers: Answers) {
    // One that sends again by itself would not know what was answered first.
    let client: Client<HttpConnector, Empty<Bytes>> =
        Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http();
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (client, names, answers) = (client.clone(), names.clone(), answers.clone());
        senders.spawn(async move {
            loop {
                let next = names.lock().unwrap().pop();
                let Some((name, delay)) = next else { break };
                let mut request = Request::post(format!("http://127.0.0.1:{port}/{name}"))
                    .header("x-fc-invocation-type", "Async")
                    .header("x-fc-async-task-id", &name);
                if delay > 0 {
                    request = request.header("x-fc-async-delay", delay);
                }
                let sent_at = millis();
                let sent = client.request(request.body(Empty::new()).unwrap()).await;
                let answer = sent.ok().map(|response| response.status());
                answers.lock().unwrap().insert(name, Asked { sent_at, delay, answer });
                if answer.is_none() {
                    break;
                }
                tokio::time::sleep(pause).await;
            }
        });
    }
    while senders.join_next().await.is_some() {}
}

/// When each task ran, as often as it did.
pub fn runs(log: &Path) -> HashMap<String, Vec<u128>> {
    let mut runs: HashMap<String, Vec<u128>> = HashMap::new();
    for line in std::fs::read_to_string(log).unwrap_or_default().lines() {
        let (path, time) = line.split_once(' ').unwrap();
        runs.entry(path[1..].to_owned()).or_default().push(time.parse().unwrap());
    }
    runs
}

/// What became of all that was asked for.
#[derive(Debug)]
pub struct Judged {
    pub accepted: usize,
    pub twice: usize,
    pub unanswered: usize,
    pub otherwise: usize,
    /// How long after it was due a task ran at the latest, in milliseconds.
    pub latest: u128,
}

/// Waits until everything that was accepted has run. It must; and nothing else that was answered
/// may, and nothing before its delay.
pub fn judge(log: &Path, answers: &Answers, patience: Duration) -> Judged {
    let answers = answers.lock().unwrap();
    let accepted = |asked: &Asked| asked.answer == Some(StatusCode::ACCEPTED);
    let all: Vec<_> = answers.iter().filter(|(_, asked)| accepted(asked)).collect();
    let patience = Instant::now() + patience;
    let runs = loop {
        let runs = runs(log);
        if all.iter().all(|(name, _)| runs.contains_key(*name)) || Instant::now() > patience {
            break runs;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    let lost: Vec<_> = all.iter().filter(|(name, _)| !runs.contains_key(*name)).collect();
    let some: Vec<_> = lost.iter().take(9).map(|(name, _)| name).collect();
    assert!(lost.is_empty(), "{} of {} tasks did not run: {some:?}", lost.len(), all.len());
    let (mut twice, mut unanswered, mut latest) = (0, 0, 0);
    for (name, times) in &runs {
        let asked = &answers[name];
        match asked.answer {
            Some(StatusCode::ACCEPTED) => {}
            None => unanswered += 1,
            Some(other) => panic!("{name} ran, and was answered {other}"),
        }
        let first = asked.sent_at + u128::from(asked.delay) * 1_000;
        let early: Vec<_> = times.iter().filter(|time| **time < first).collect();
        assert!(early.is_empty(), "{name} ran at {early:?}, before {first}");
        twice += usize::from(times.len() > 1);
        latest = latest.max(times.iter().min().unwrap() - first);
    }
    let otherwise = |asked: &&Asked| asked.answer.is_some() && !accepted(asked);
    let otherwise = answers.values().filter(otherwise).count();
    Judged { accepted: all.len(), twice, unanswered, otherwise, latest }
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, twice, unanswered, otherwise, latest } = self;
        write!(
            f,
            "{accepted} tasks were accepted and ran, {twice} of them more than once; \
             {unanswered} ran whose answer was lost; {otherwise} were answered otherwise; \
             the latest ran {latest} ms after it was due"
        )
    }
}
