//! A process that is killed at random moments: what it answered 202 runs, what it answered
//! otherwise does not.
//!
//! `INVOCATION_KILLS` says how often, 3 times by default.

use super::file;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};
use tower::{Layer as _, service_fn};
use tower_fc::error::BoxError;
use tower_fc::invocation::sqlite::SqliteStore;
use tower_fc::invocation::{InvocationLayer, Worker};
use tower_fc::trigger::HttpTrigger;

/// Names the file of the process that is killed.
const FILE: &str = "INVOCATION_FILE";

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// The process that is killed: a trigger whose function notes the name of each task, before it
/// answers.
#[test]
fn child() {
    let Ok(file) = std::env::var(FILE).map(PathBuf::from) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(&file).unwrap();
        let log = std::fs::File::options().create(true).append(true).open(beside(&file, "-log"));
        let log = Arc::new(log.unwrap());
        let function = service_fn(move |request: Request<Full<Bytes>>| {
            let log = Arc::clone(&log);
            async move {
                let line = format!("{} {}\n", request.uri().path(), millis());
                (&*log).write_all(line.as_bytes())?;
                Ok::<_, BoxError>(Response::new(Full::<Bytes>::default()))
            }
        });
        tokio::spawn(Worker::new(store.clone(), function).run(std::future::pending()));
        let trigger = HttpTrigger::anonymous().with_invocation(InvocationLayer::new(store));
        let trigger = trigger.layer(crate::common::services::unreachable());
        let port = crate::common::serve(trigger).await.port();
        std::fs::write(beside(&file, "-port.new"), port.to_string()).unwrap();
        std::fs::rename(beside(&file, "-port.new"), beside(&file, "-port")).unwrap();
        std::future::pending::<()>().await;
    });
}

fn start(file: &Path) -> (Child, u16) {
    start_under(Command::new(std::env::current_exe().unwrap()), file, file)
}

/// Starts the process by a command that takes it, or is it; `seen` is its file as it is seen
/// from here.
fn start_under(mut command: Command, file: &Path, seen: &Path) -> (Child, u16) {
    let port = beside(seen, "-port");
    let _ = std::fs::remove_file(&port);
    let command = command.args(["kill::child", "--exact", "--nocapture"]).env(FILE, file);
    let child = command.stdout(Stdio::null()).spawn().unwrap();
    (child, wait_for_port(&port))
}

fn wait_for_port(file: &Path) -> u16 {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        if let Ok(port) = std::fs::read_to_string(file) {
            return port.parse().unwrap();
        }
        assert!(Instant::now() < patience, "the process does not start");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a program is there. Where it is not, that is said, and is an error in CI.
fn has(program: &str) -> bool {
    let is_there = Command::new(program).arg("--version").output().is_ok();
    if !is_there {
        assert!(std::env::var_os("CI").is_none(), "{program} is missing");
        println!("not run: {program} is missing");
    }
    is_there
}

#[test]
fn a_task_is_on_the_disk_before_it_is_answered() {
    if !has("strace") {
        return;
    }
    let traced = Command::new("strace").args(["-o", "/dev/null", "true"]).status();
    if !traced.is_ok_and(|status| status.success()) {
        println!("not run: this user may not trace");
        return;
    }
    let file = file();
    let trace = beside(&file, "-trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-s", "64", "-e", "trace=fsync,fdatasync,write,writev,sendto", "-o"]);
    command.arg(&trace).arg(std::env::current_exe().unwrap());
    let (mut child, port) = start_under(command, &file, &file);
    let answers = Answers::default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(send(port, vec![("a".to_owned(), 3_000)], 1, answers.clone()));
    assert_eq!(answers.lock().unwrap()["a"].answer, Some(StatusCode::ACCEPTED));
    // The process is killed, and strace ends with it.
    let traced = Command::new("pkill").args(["-KILL", "-P", &child.id().to_string()]).status();
    assert!(traced.unwrap().success());
    child.wait().unwrap();
    let trace = std::fs::read_to_string(trace).unwrap();
    let lines: Vec<_> = trace.lines().collect();
    let answer = lines.iter().position(|line| line.contains("HTTP/1.1 202")).unwrap();
    let is_synced = |line: &&&str| {
        line.contains("sync(") && line.contains("sqlite-wal") && line.ends_with("= 0")
    };
    let last_write = lines[..answer].iter().rposition(|line| line.contains("\"HTTP/1.1"));
    assert_eq!(last_write, None, "an answer before");
    assert!(lines[..answer].iter().any(|line| is_synced(&line)), "{trace}");
}

/// A disk of its own for the process, by a mount that nobody else sees.
#[test]
fn a_full_disk_is_answered_with_503_and_when_there_is_room_again_with_202() {
    let mount = Path::new("/mnt");
    let script = "mount -t tmpfs -o size=3m tmpfs /mnt && exec \"$0\" \"$@\"";
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script]);
        command
    };
    if !has("unshare") {
        return;
    }
    if !unshare("mount -t tmpfs tmpfs /mnt").status().is_ok_and(|status| status.success()) {
        println!("not run: this user may not mount");
        return;
    }
    let mut command = unshare(script);
    command.arg(std::env::current_exe().unwrap());
    let file = mount.join("tasks.sqlite");
    // The shell becomes the process, whose disk can be looked into.
    let seen = |child: u32| PathBuf::from(format!("/proc/{child}/root")).join("mnt");
    let command = command.args(["kill::child", "--exact", "--nocapture"]).env(FILE, &file);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let disk = seen(child.id());
    let port = wait_for_port(&disk.join("tasks.sqlite-port"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let answers = Answers::default();
    let batch =
        |name: &str, count| (0..count).map(|at| (format!("{name}-{at}"), 0)).collect::<Vec<_>>();
    runtime.block_on(send(port, batch("before", 50), 8, answers.clone()));
    // All that is left is taken.
    let filler = disk.join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    drop(file);
    runtime.block_on(send(port, batch("full", 200), 8, answers.clone()));
    std::fs::remove_file(&filler).unwrap();
    runtime.block_on(send(port, batch("after", 50), 8, answers.clone()));
    std::thread::sleep(Duration::from_secs(3));
    let runs = runs(&disk.join("tasks.sqlite"));
    child.kill().unwrap();
    println!("{:?}", child.wait().unwrap());

    let answers = answers.lock().unwrap();
    let count = |name: &str, status: u16| {
        let of = answers.iter().filter(|(key, _)| key.starts_with(name));
        of.filter(|(_, asked)| asked.answer.is_some_and(|answer| answer == status)).count()
    };
    for name in ["before", "full", "after"] {
        println!("{name}: {} × 202, {} × 503", count(name, 202), count(name, 503));
    }
    assert_eq!((count("before", 202), count("after", 202)), (50, 50));
    assert_eq!(count("full", 202) + count("full", 503), 200);
    assert!(count("full", 503) > 0, "the disk was not full");
    for (name, asked) in answers.iter() {
        let ran = runs.contains_key(name);
        assert_eq!(ran, asked.answer == Some(StatusCode::ACCEPTED), "{name} {:?}", asked.answer);
    }
}

/// What was asked for, and what the answer was, if there was one.
struct Asked {
    sent_at: u128,
    delay: u64,
    answer: Option<StatusCode>,
}

type Answers = Arc<Mutex<HashMap<String, Asked>>>;

fn millis() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()
}

/// Sends requests of these names, some of which are to wait, by so many connections, as long as
/// somebody answers.
async fn send(port: u16, names: Vec<(String, u64)>, connections: usize, answers: Answers) {
    // One that sends again by itself would not know what was answered first.
    let client: Client<HttpConnector, Empty<Bytes>> =
        Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http();
    let names = Arc::new(Mutex::new(names));
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
            }
        });
    }
    while senders.join_next().await.is_some() {}
}

/// When each task ran, as often as it did.
fn runs(file: &Path) -> HashMap<String, Vec<u128>> {
    let mut runs: HashMap<String, Vec<u128>> = HashMap::new();
    for line in std::fs::read_to_string(beside(file, "-log")).unwrap_or_default().lines() {
        let (path, time) = line.split_once(' ').unwrap();
        runs.entry(path[1..].to_owned()).or_default().push(time.parse().unwrap());
    }
    runs
}

#[test]
fn what_was_answered_202_runs_whenever_the_process_is_killed() {
    let kills = std::env::var("INVOCATION_KILLS").map_or(3, |kills| kills.parse().unwrap());
    let file = file();
    let _ = std::fs::remove_file(beside(&file, "-log"));
    let answers = Answers::default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut random = crate::common::Random::seeded();

    // They wait while the process dies and is started again.
    let (mut child, mut port) = start(&file);
    let begun = Instant::now();
    let waiting = (0..10_000).map(|number| (format!("waiting-{number}"), 5 + number % 20));
    runtime.block_on(send(port, waiting.collect(), 64, answers.clone()));
    println!("10 000 tasks were accepted in {:?}", begun.elapsed());

    for round in 0..kills {
        let names = (0..100_000).map(|number| (format!("round-{round}-{number}"), number % 3));
        let sending = runtime.spawn(send(port, names.collect(), 32, answers.clone()));
        std::thread::sleep(Duration::from_millis(200 + random.below(1_500) as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        runtime.block_on(sending).unwrap();
        (child, port) = start(&file);
    }

    let answers = answers.lock().unwrap();
    let accepted = |asked: &Asked| asked.answer == Some(StatusCode::ACCEPTED);
    let all: Vec<_> = answers.iter().filter(|(_, asked)| accepted(asked)).collect();
    let patience = Instant::now() + Duration::from_secs(120);
    let runs = loop {
        let runs = runs(&file);
        if all.iter().all(|(name, _)| runs.contains_key(*name)) || Instant::now() > patience {
            break runs;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    child.kill().unwrap();
    child.wait().unwrap();

    let lost: Vec<_> = all.iter().filter(|(name, _)| !runs.contains_key(*name)).collect();
    assert!(lost.is_empty(), "{} of {} tasks did not run", lost.len(), all.len());
    let (mut twice, mut unanswered) = (0, 0);
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
    }
    let other = answers.values().filter(|asked| asked.answer.is_some() && !accepted(asked)).count();
    println!(
        "{kills} kills: {} tasks were accepted and ran, {twice} of them more than once; \
         {unanswered} ran whose answer was lost; {other} were answered otherwise",
        all.len()
    );
    assert!(all.len() > 10_000, "{}", all.len());
}
