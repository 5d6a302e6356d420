//! Asynchronous requests and a gateway that is killed at random moments, or whose disk is full:
//! what it answered 202 runs, what it answered otherwise does not.
//!
//! `INVOCATION_KILLS` says how often it is killed, 3 times by default. `tests/kills` is the long
//! form.

use crate::function::{Function, body};
use crate::gateway::{ANONYMOUS, File, Gateway, has};
use crate::load::{self, Answers, Asked, Names};
use crate::stores::Store;
use http::Response;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A function that outlives the gateway, and notes in a file when it was called for which path.
struct Noting {
    function: Function,
    log: File,
}

impl Noting {
    async fn start() -> Self {
        let log = File::new("log", "");
        let file = std::fs::File::options().append(true).open(log.path()).unwrap();
        let file = Arc::new(file);
        let function = Function::answering(move |request, call| {
            let line = format!("{} {}\n", call.target, load::millis());
            (&*file).write_all(line.as_bytes()).unwrap();
            async move {
                call.read(request.into_body()).await;
                Response::new(body(""))
            }
        })
        .await;
        Self { function, log }
    }

    fn has_run(&self, name: &str) -> bool {
        load::runs(Path::new(self.log.path())).contains_key(name)
    }

    fn forget(&self) {
        std::fs::write(self.log.path(), "").unwrap();
    }

    /// What was accepted has to run, and nothing else.
    async fn judge(&self, answers: &Answers) {
        let (log, answers) = (self.log.path().to_owned(), answers.clone());
        let judge = move || load::judge(Path::new(&log), &answers, Duration::from_secs(120));
        println!("{}", tokio::task::spawn_blocking(judge).await.unwrap());
    }
}

fn names(name: &str, number: u64, delay: impl Fn(u64) -> u64) -> Names {
    let names = (0..number).map(|at| (format!("{name}-{at}"), delay(at)));
    Arc::new(Mutex::new(names.collect()))
}

/// Sends requests of these names, by so many connections, as long as somebody answers.
async fn send(gateway: &Gateway, names: Names, connections: usize, answers: &Answers) {
    load::send(gateway.port(), names, connections, Duration::ZERO, answers.clone()).await;
}

fn count(answers: &Answers, name: &str, status: u16) -> usize {
    let answers = answers.lock().unwrap();
    let of = answers.iter().filter(|(key, asked)| {
        key.starts_with(name) && asked.answer.is_some_and(|answer| answer == status)
    });
    of.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_202_runs_whenever_the_gateway_is_killed() {
    let kills = load::kills();
    let function = Noting::start().await;
    let store = Store::file();
    let answers = Answers::default();

    // They wait while the gateway dies and is started again.
    let mut gateway = store.gateway(&function.function.url, &[]);
    let begun = Instant::now();
    let waiting = names("waiting", 10_000, |number| 5 + number % 20);
    send(&gateway, waiting, 64, &answers).await;
    println!("10 000 tasks were accepted in {:?}", begun.elapsed());

    let mut alive = Duration::ZERO;
    for round in 0..kills {
        // Some with a delay that cannot be.
        let delay = |number| if number % 50 == 7 { 3_601 } else { number % 3 };
        let asked = names(&format!("round-{round}"), 100_000, delay);
        let begun = Instant::now();
        let dying = async {
            let random = load::millis() * 7_919 % 1_500;
            tokio::time::sleep(Duration::from_millis(200 + random as u64)).await;
            gateway.signal("KILL");
        };
        tokio::join!(send(&gateway, asked, 64, &answers), dying);
        alive += begun.elapsed();
        gateway.wait();
        gateway = store.gateway(&function.function.url, &[]);
    }
    let rate = count(&answers, "round-", 202) as f64 / alive.as_secs_f64();
    println!("{kills} kills under {rate:.0} accepted a second");
    assert!(count(&answers, "round-", 400) > 0);
    function.judge(&answers).await;
    assert!(rate > 200.0 || kills < 50, "that is no load");
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
    let store = Store::file();
    let trace = format!("{}-trace", store.path());
    let calls = "trace=fsync,fdatasync,write,writev,sendto,sendmsg";
    let strace = ["strace", "-f", "-y", "-s", "64", "-e", calls, "-o", &trace];
    let args = [ANONYMOUS, &store.args()].concat();
    let mut gateway = Gateway::start_by(&strace, "http://127.0.0.1:1", &args);
    let answers = Answers::default();
    send(&gateway, names("a", 1, |_| 3_000), 1, &answers).await;
    assert_eq!(count(&answers, "a", 202), 1);
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

    async fn send(&self, name: &str, number: u64, answers: &Answers) {
        send(&self.gateway, names(name, number, |_| 0), 8, answers).await;
        let count = |status| count(answers, name, status) as u64;
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
    let number = |name, status| count(&answers, name, status);
    assert_eq!((number("before", 202), number("after", 202)), (50, 50));
    assert!(number("full", 503) > 0, "the disk was not full");
    function.judge(&answers).await;
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
    let seed = Store::file();
    let gateway = seed.gateway("http://127.0.0.1:1", &[]);
    send(&gateway, names("kept", 1, |_| 1), 1, &Answers::default()).await;
    drop(gateway);
    let copy = format!("cp '{0}' /mnt/tasks; cp '{0}-wal' /mnt/tasks-wal", seed.path());
    let full = "head -c 9m /dev/zero > /mnt/filler 2> /dev/null || true";
    for (set_up, mend) in [
        (format!("{copy}; mount -o remount,ro /mnt"), vec!["mount", "-o", "remount,rw", "/mnt"]),
        (format!("{copy}; {full}"), vec!["rm", "/mnt/filler"]),
        (full.to_owned(), vec!["rm", "/mnt/filler"]),
    ] {
        function.forget();
        let Some(disk) = Disk::start(&set_up, url) else { return };
        let answers = Answers::default();
        disk.send("before", 20, &answers).await;
        assert_eq!(count(&answers, "before", 503), 20, "{set_up}");
        let response = crate::Over::Http1.get(&disk.gateway, "/now").await;
        assert_eq!(response.status(), 200, "{set_up}");
        assert!(function.has_run("now"));
        function.forget();
        disk.run(&mend);
        disk.send("after", 20, &answers).await;
        assert_eq!(count(&answers, "after", 202), 20, "{set_up}");
        if set_up.contains("cp ") {
            while !function.has_run("kept-0") {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            answers.lock().unwrap().insert(
                "kept-0".to_owned(),
                Asked { sent_at: 0, delay: 0, answer: Some(http::StatusCode::ACCEPTED) },
            );
        }
        function.judge(&answers).await;
        let errors = disk.gateway.errors();
        assert!(errors.contains("fc-gateway: --store: tasks cannot be stored"), "{errors}");
    }
}
