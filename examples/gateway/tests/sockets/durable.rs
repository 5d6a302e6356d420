//! Asynchronous requests and a gateway that is killed at random moments, or whose disk is full:
//! what it answered 202 runs, what it answered otherwise does not.
//!
//! `GATEWAY_KILLS` says how often it is killed, 3 times by default. `tests/kills` has the long form.

use crate::function::{Function, body};
use crate::gateway::{ANONYMOUS, Gateway, has};
use crate::tasks::Store;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

fn millis() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()
}

/// A function that outlives the gateway, and notes when it was called for which path.
struct Noting {
    function: Function,
    runs: Arc<Mutex<HashMap<String, Vec<u128>>>>,
}

impl Noting {
    async fn start() -> Self {
        let runs = Arc::<Mutex<HashMap<String, Vec<u128>>>>::default();
        let noted = Arc::clone(&runs);
        let function = Function::answering(move |request, call| {
            let name = call.target[1..].to_owned();
            noted.lock().unwrap().entry(name).or_default().push(millis());
            async move {
                call.read(request.into_body()).await;
                Response::new(body(""))
            }
        })
        .await;
        Self { function, runs }
    }

    /// Waits until all of these have run, and returns which have not in two minutes.
    async fn wait<'a>(&self, names: &[&'a String]) -> Vec<&'a String> {
        let patience = Instant::now() + Duration::from_secs(120);
        loop {
            let missing: Vec<_> = {
                let runs = self.runs.lock().unwrap();
                names.iter().copied().filter(|name| !runs.contains_key(*name)).collect()
            };
            if missing.is_empty() || Instant::now() > patience {
                return missing;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// What is asked for: the task of this name, which the path has too.
struct Asked {
    path: String,
    id: String,
    delay: u64,
}

impl Asked {
    fn new(name: String, delay: u64) -> Self {
        Self { path: name.clone(), id: name, delay }
    }
}

/// What the answer was, if there was one.
#[derive(Clone, Copy)]
struct Answer {
    sent_at: u128,
    delay: u64,
    status: Option<u16>,
}

type Answers = Arc<Mutex<HashMap<String, Answer>>>;

/// Sends these by so many connections, as long as somebody answers.
async fn send(address: String, asked: Vec<Asked>, connections: usize, answers: Answers) {
    // One that sends again by itself would not know what was answered first.
    let client: Client<HttpConnector, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http();
    let asked = Arc::new(Mutex::new(asked.into_iter()));
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (client, asked, answers) = (client.clone(), asked.clone(), answers.clone());
        let address = address.clone();
        senders.spawn(async move {
            loop {
                let next = asked.lock().unwrap().next();
                let Some(Asked { path, id, delay }) = next else { break };
                let mut request = Request::post(format!("http://{address}/{path}"))
                    .header("x-fc-invocation-type", "Async")
                    .header("x-fc-async-task-id", id);
                if delay > 0 {
                    request = request.header("x-fc-async-delay", delay);
                }
                let sent_at = millis();
                let sent = client.request(request.body(Full::from("10")).unwrap()).await;
                let status = sent.ok().map(|response| response.status().as_u16());
                answers.lock().unwrap().insert(path, Answer { sent_at, delay, status });
                if status.is_none() {
                    break;
                }
            }
        });
    }
    while senders.join_next().await.is_some() {}
}

fn count(answers: &Answers, name: &str, status: Option<u16>) -> usize {
    let answers = answers.lock().unwrap();
    let of =
        answers.iter().filter(|(key, answer)| key.starts_with(name) && answer.status == status);
    of.count()
}

/// What was accepted has run, and nothing else has but for what was not answered; nothing ran
/// before its delay. Says how much that was.
async fn check(answers: &Answers, function: &Noting) {
    let answers = answers.lock().unwrap().clone();
    let accepted: Vec<_> = answers
        .iter()
        .filter(|(_, answer)| answer.status == Some(202))
        .map(|(name, _)| name)
        .collect();
    let lost = function.wait(&accepted).await;
    let runs = function.runs.lock().unwrap();
    let (mut twice, mut unanswered) = (0, 0);
    for (name, times) in runs.iter() {
        let answer = answers[name];
        match answer.status {
            Some(202) => {}
            None => unanswered += 1,
            Some(other) => panic!("{name} ran, and was answered {other}"),
        }
        let first = answer.sent_at + u128::from(answer.delay) * 1_000;
        let early: Vec<_> = times.iter().filter(|time| **time < first).collect();
        assert!(early.is_empty(), "{name} ran at {early:?}, before {first}");
        twice += usize::from(times.len() > 1);
    }
    let refused = answers.values().filter(|answer| !matches!(answer.status, Some(202) | None));
    println!(
        "{} were accepted, {} of them lost; {} ran, {twice} of them more than once; {unanswered} \
         ran whose answer was lost; {} were answered otherwise, and none of them ran",
        accepted.len(),
        lost.len(),
        runs.len(),
        refused.count(),
    );
    assert!(lost.is_empty(), "{} of {} did not run", lost.len(), accepted.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_202_runs_whenever_the_gateway_is_killed() {
    let long = std::env::var("GATEWAY_KILLS").ok();
    let kills = long.as_ref().map_or(3, |kills| kills.parse::<u32>().unwrap());
    let function = Noting::start().await;
    let store = Store::new();
    let answers = Answers::default();

    // They wait while the gateway dies and is started again.
    let mut gateway = store.gateway(&function.function.url, &[]);
    let begun = Instant::now();
    let waiting =
        (0..10_000).map(|number| Asked::new(format!("waiting-{number}"), 5 + number % 20));
    send(gateway.address.clone(), waiting.collect(), 64, answers.clone()).await;
    println!("10 000 tasks were accepted in {:?}", begun.elapsed());

    let mut alive = Duration::ZERO;
    for round in 0..kills {
        let asked = (0..100_000).map(|number| {
            let mut asked = Asked::new(format!("round-{round}-{number}"), number % 3);
            match number % 50 {
                // Of a name that is taken.
                7 => asked.id = "waiting-1".to_owned(),
                // Of none that can be.
                8 => asked.delay = 3_601,
                _ => {}
            }
            asked
        });
        let begun = Instant::now();
        let address = gateway.address.clone();
        let sending = tokio::spawn(send(address, asked.collect(), 32, answers.clone()));
        let random = millis() * 7_919 % 1_500;
        tokio::time::sleep(Duration::from_millis(200 + random as u64)).await;
        gateway.signal("KILL");
        gateway.wait();
        sending.await.unwrap();
        alive += begun.elapsed();
        gateway = store.gateway(&function.function.url, &[]);
    }
    let accepted = count(&answers, "round-", Some(202)) as f64;
    let rate = accepted / alive.as_secs_f64();
    println!("{kills} kills, under {rate:.0} accepted a second");
    assert!(rate > 200.0 || long.is_none(), "that is no load");
    assert!(count(&answers, "round-", Some(409)) > 0 && count(&answers, "round-", Some(400)) > 0);
    check(&answers, &function).await;
}

#[tokio::test]
async fn a_task_is_on_the_disk_before_it_is_answered() {
    if !has("strace") {
        return;
    }
    let traced = Command::new("strace").args(["-o", "/dev/null", "true"]).status();
    if !traced.is_ok_and(|status| status.success()) {
        println!("not run: this user may not trace");
        return;
    }
    let store = Store::new();
    let trace = format!("{}-trace", store.path());
    let calls = "trace=fsync,fdatasync,write,writev,sendto,sendmsg";
    let strace = ["strace", "-f", "-y", "-s", "64", "-e", calls, "-o", &trace];
    let args = [ANONYMOUS, &["--store", store.name()]].concat();
    let mut gateway = Gateway::start_by(&strace, "http://127.0.0.1:1", &args);
    let answers = Answers::default();
    let asked = vec![Asked::new("a".to_owned(), 3_000)];
    send(gateway.address.clone(), asked, 1, answers.clone()).await;
    assert_eq!(count(&answers, "a", Some(202)), 1);
    // The gateway is killed, and strace ends with it.
    let killed = Command::new("pkill").args(["-KILL", "-P", &gateway.id().to_string()]).status();
    assert!(killed.unwrap().success());
    gateway.wait();
    let text = std::fs::read_to_string(&trace).unwrap();
    std::fs::remove_file(trace).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let answer = lines.iter().position(|line| line.contains("HTTP/1.1 202")).unwrap();
    let listening = lines.iter().position(|line| line.contains("listening on")).unwrap();
    let is_synced = |line: &&str| {
        line.contains("sync(") && line.contains("sqlite-wal") && line.ends_with("= 0")
    };
    // Not that of the start.
    assert!(lines[listening..answer].iter().any(is_synced), "{text}");
}

/// A disk of its own for a gateway, by a mount that nobody else sees.
struct Disk {
    gateway: Gateway,
    /// Where it is seen from here.
    path: PathBuf,
}

impl Disk {
    /// `set_up` is what a shell does on the disk, which is `/mnt`, before the gateway starts. The
    /// file is `/mnt/tasks`. `None` where that cannot be.
    fn start(set_up: &str, upstream: &str) -> Option<Self> {
        if !has("unshare") || !has("nsenter") {
            return None;
        }
        let mount = ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"];
        let mounted = Command::new("unshare").args(mount).status();
        if !mounted.is_ok_and(|status| status.success()) {
            println!("not run: this user may not mount");
            return None;
        }
        let script = format!("mount -t tmpfs -o size=3m tmpfs /mnt; {set_up}; exec \"$0\" \"$@\"");
        let args = [ANONYMOUS, &["--store", "sqlite:/mnt/tasks"]].concat();
        let gateway = Gateway::start_by(&["unshare", "-m", "sh", "-ec", &script], upstream, &args);
        let path = Path::new("/proc").join(gateway.id().to_string()).join("root/mnt");
        Some(Self { gateway, path })
    }

    /// Does something where the gateway is.
    fn run(&self, command: &[&str]) {
        let id = self.gateway.id().to_string();
        let run = Command::new("nsenter").args(["-m", "-t", &id]).args(command).status();
        assert!(run.unwrap().success(), "{command:?}");
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.path.join("filler")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    async fn send(&self, name: &str, number: usize, answers: &Answers) {
        let asked = (0..number).map(|at| Asked::new(format!("{name}-{at}"), 0)).collect();
        send(self.gateway.address.clone(), asked, 8, answers.clone()).await;
        let count = |status| count(answers, name, Some(status));
        println!("{name}: {} × 202, {} × 503", count(202), count(503));
        assert_eq!(count(202) + count(503), number);
    }
}

#[tokio::test]
async fn a_full_disk_is_answered_with_503_and_when_there_is_room_again_with_202() {
    let function = Noting::start().await;
    let Some(disk) = Disk::start("true", &function.function.url) else { return };
    let answers = Answers::default();
    disk.send("before", 50, &answers).await;
    disk.fill();
    disk.send("full", 200, &answers).await;
    std::fs::remove_file(disk.path.join("filler")).unwrap();
    disk.send("after", 50, &answers).await;
    let number = |name, status| count(&answers, name, Some(status));
    assert_eq!((number("before", 202), number("after", 202)), (50, 50));
    assert!(number("full", 503) > 0, "the disk was not full");
    check(&answers, &function).await;
    let errors = disk.gateway.errors();
    assert!(
        errors.contains("fc-gateway: --store: tasks cannot be stored at the moment"),
        "{errors}"
    );
}

/// It was full, or for reading alone, when the gateway was started: calls that are carried out at
/// once pass all the same.
#[tokio::test]
async fn a_disk_that_cannot_be_written_yet_is_answered_with_503() {
    let function = Noting::start().await;
    let url = &function.function.url;
    // A file with a task that waits.
    let seed = Store::new();
    let gateway = seed.gateway("http://127.0.0.1:1", &[]);
    let asked = vec![Asked::new("kept".to_owned(), 1)];
    send(gateway.address.clone(), asked, 1, Answers::default()).await;
    drop(gateway);
    let copy = format!("cp '{0}' /mnt/tasks; cp '{0}-wal' /mnt/tasks-wal", seed.path());
    let full = "head -c 9m /dev/zero > /mnt/filler 2> /dev/null || true";
    for (set_up, mend) in [
        (format!("{copy}; mount -o remount,ro /mnt"), vec!["mount", "-o", "remount,rw", "/mnt"]),
        (format!("{copy}; {full}"), vec!["rm", "/mnt/filler"]),
        (full.to_owned(), vec!["rm", "/mnt/filler"]),
    ] {
        function.runs.lock().unwrap().clear();
        let Some(disk) = Disk::start(&set_up, url) else { return };
        let answers = Answers::default();
        disk.send("before", 20, &answers).await;
        assert_eq!(count(&answers, "before", Some(503)), 20, "{set_up}");
        let response = crate::Over::Http1.get(&disk.gateway, "/now").await;
        assert_eq!(response.status(), 200, "{set_up}");
        assert!(function.runs.lock().unwrap().remove("now").is_some());
        disk.run(&mend);
        disk.send("after", 20, &answers).await;
        assert_eq!(count(&answers, "after", Some(202)), 20, "{set_up}");
        if set_up.contains("cp ") {
            assert!(function.wait(&[&"kept".to_owned()]).await.is_empty());
            function.runs.lock().unwrap().remove("kept");
        }
        check(&answers, &function).await;
        let errors = disk.gateway.errors();
        assert!(errors.contains("fc-gateway: --store: tasks cannot be stored"), "{errors}");
    }
}
