//! A process that is killed at random moments: what it answered 202 runs, what it answered
//! otherwise does not.
//!
//! `INVOCATION_KILLS` says how often, 3 times by default.

use super::file;
use super::load::{self, Answers};
use http::StatusCode;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tower::Layer as _;
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
        let function = load::function(&beside(&file, "-log"));
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
    runtime.block_on(load::send(port, vec![("a".to_owned(), 3_000)], 1, answers.clone()));
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
    runtime.block_on(load::send(port, batch("before", 50), 8, answers.clone()));
    // All that is left is taken.
    let filler = disk.join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    drop(file);
    runtime.block_on(load::send(port, batch("full", 200), 8, answers.clone()));
    std::fs::remove_file(&filler).unwrap();
    runtime.block_on(load::send(port, batch("after", 50), 8, answers.clone()));
    std::thread::sleep(Duration::from_secs(3));
    let runs = load::runs(&disk.join("tasks.sqlite-log"));
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

#[test]
fn what_was_answered_202_runs_whenever_the_process_is_killed() {
    let kills = load::kills();
    let file = file();
    let _ = std::fs::remove_file(beside(&file, "-log"));
    let answers = Answers::default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut random = crate::common::Random::seeded();

    // They wait while the process dies and is started again.
    let (mut child, mut port) = start(&file);
    let begun = Instant::now();
    let waiting = (0..10_000).map(|number| (format!("waiting-{number}"), 5 + number % 20));
    runtime.block_on(load::send(port, waiting.collect(), 64, answers.clone()));
    println!("10 000 tasks were accepted in {:?}", begun.elapsed());

    for round in 0..kills {
        let names = (0..100_000).map(|number| (format!("round-{round}-{number}"), number % 3));
        let sending = runtime.spawn(load::send(port, names.collect(), 32, answers.clone()));
        std::thread::sleep(Duration::from_millis(200 + random.below(1_500) as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        runtime.block_on(sending).unwrap();
        (child, port) = start(&file);
    }

    let judged = load::judge(&beside(&file, "-log"), &answers, Duration::from_secs(120));
    child.kill().unwrap();
    child.wait().unwrap();
    println!("{kills} kills: {judged}");
    assert!(judged.accepted > 10_000, "{}", judged.accepted);
}
