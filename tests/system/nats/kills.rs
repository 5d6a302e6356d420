//! Servers, workers and nodes of a cluster that are killed at random moments, under load: two
//! gateways in this process, three workers in processes of their own.
//!
//! The servers do not sync: what a process has written before it is killed is not lost with it,
//! and what is lost with a machine's power no test can show. The lease is short, and something is
//! killed every few seconds: so tasks whose messages were on their way may run late, or twice.

#![allow(unreachable_pub, reason = "a module of a test program, which has no public items")]

use crate::MACHINE;
use crate::asking::ask;
use crate::common::{Random, serve, services};
use crate::load::{self, Answers, Judged, Names};
use crate::server::Server;
use crate::setup::{self, named};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};
use tokio::runtime::Runtime;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_fc::invocation::nats::{NatsSettings, NatsStore};
use tower_fc::invocation::{
    InvocationLayer, InvocationStore as _, RetryPolicy, TaskState, Worker as Carrier,
};
use tower_fc::trigger::HttpTrigger;

pub fn tests() -> Vec<(&'static str, fn())> {
    named![
        what_was_answered_202_runs_whenever_the_server_is_killed,
        what_was_answered_202_runs_whenever_a_worker_is_killed,
        what_was_answered_202_runs_whenever_a_node_of_three_is_killed,
        what_a_worker_had_that_was_killed_is_taken_over_within_the_lease,
        what_no_worker_took_before_its_maximum_age_never_runs,
    ]
    .into()
}

const LEASE: Duration = Duration::from_secs(3);

/// What a worker's process is told: servers, replicas, and the file of what has run.
const WORKER: &str = "NATS_WORKER";

pub fn is_worker() -> bool {
    std::env::var_os(WORKER).is_some()
}

/// The process of a worker.
pub fn worker() -> ExitCode {
    let told = std::env::var(WORKER).unwrap();
    let [url, replicas, log] = told.split(' ').collect::<Vec<_>>().try_into().unwrap();
    Runtime::new().unwrap().block_on(async {
        let store = open(url, replicas.parse().unwrap()).await;
        let function = load::function(Path::new(log));
        // So there is always something that it has when it is killed.
        let function = service_fn(move |request| {
            let answer = function.clone().oneshot(request);
            async move {
                let answer = answer.await;
                tokio::time::sleep(Duration::from_millis(20)).await;
                answer
            }
        });
        let worker = Carrier::new(store, function).with_lease(LEASE);
        worker.run(std::future::pending()).await;
    });
    ExitCode::SUCCESS
}

/// A store on servers that may be away at the moment.
async fn open(url: &str, replicas: usize) -> NatsStore {
    let settings = NatsSettings::new("tasks").unwrap();
    let settings = match replicas {
        1 => settings.with_vouched_sync_always(),
        more => settings.with_replicas(more).unwrap(),
    };
    loop {
        match NatsStore::connect(url, settings.clone()).await {
            Ok(store) => return store,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Where tasks go and are carried out.
struct Site {
    url: String,
    replicas: usize,
    log: PathBuf,
    workers: Vec<Child>,
}

impl Site {
    /// On these servers, without any worker.
    fn new(name: &str, servers: &[Server]) -> Self {
        let urls: Vec<_> = servers.iter().map(Server::url).collect();
        let log = setup::scratch().join(format!("{name}-{}-log", std::process::id()));
        let _ = std::fs::remove_file(&log);
        Self { url: urls.join(","), replicas: servers.len(), log, workers: Vec::new() }
    }

    fn start_worker(&mut self) {
        let told = format!("{} {} {}", self.url, self.replicas, self.log.display());
        let mut command = Command::new(std::env::current_exe().unwrap());
        let child = command.env(WORKER, told).stdout(Stdio::null()).spawn().unwrap();
        self.workers.push(child);
    }

    /// Kills the worker that was started first.
    fn kill_worker(&mut self) {
        let mut worker = self.workers.remove(0);
        worker.kill().unwrap();
        worker.wait().unwrap();
    }

    /// The port of a gateway.
    async fn gateway(&self) -> u16 {
        let store = open(&self.url, self.replicas).await;
        let trigger = HttpTrigger::anonymous().with_invocation(InvocationLayer::new(store));
        serve(trigger.layer(services::unreachable())).await.port()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        while !self.workers.is_empty() {
            self.kill_worker();
        }
        if !std::thread::panicking() {
            let _ = std::fs::remove_file(&self.log);
        }
    }
}

/// Has `kill` end something as often as asked, and start it again, with some time before each,
/// while two gateways get requests, and says what became of all of them.
fn prove(
    name: &str,
    waiting: u32,
    servers: &mut [Server],
    kill: impl Fn(&mut [Server], &mut Site, &mut Random),
) {
    let _alone = MACHINE.blocking_write();
    let runtime = Runtime::new().unwrap();
    let mut site = Site::new(name, servers);
    let mut random = Random::seeded();
    let answers = Answers::default();
    let ports = runtime.block_on(async { [site.gateway().await, site.gateway().await] });
    for _ in 0..3 {
        site.start_worker();
    }
    // They wait while something dies and is started again.
    let begun = Instant::now();
    let names =
        (0..waiting).map(|number| (format!("waiting-{number}"), 5 + u64::from(number % 20)));
    let names: Names = Arc::new(Mutex::new(names.collect()));
    runtime.block_on(load::send(ports[0], names, 64, Duration::ZERO, answers.clone()));
    println!("    {waiting} tasks were accepted in {:?}", begun.elapsed());

    let begun = Instant::now();
    let names = (0..500_000).map(|number| (format!("task-{number}"), number % 3));
    let names: Names = Arc::new(Mutex::new(names.collect()));
    let senders = ports.map(|port| {
        let pause = Duration::from_millis(20);
        runtime.spawn(load::send(port, names.clone(), 16, pause, answers.clone()))
    });
    let kills = load::kills();
    for _ in 0..kills {
        std::thread::sleep(Duration::from_millis(500 + random.below(1_500) as u64));
        kill(servers, &mut site, &mut random);
    }
    std::thread::sleep(Duration::from_secs(1));
    names.lock().unwrap().clear();
    for sender in senders {
        runtime.block_on(sender).unwrap();
    }
    let sending = begun.elapsed();
    let judged: Judged = load::judge(&site.log, &answers, Duration::from_secs(120));
    let rate = |count: usize| (count as u32 - waiting) / (sending.as_secs() as u32).max(1);
    let (asked, accepted) = (judged.accepted + judged.otherwise, judged.accepted);
    println!(
        "    {kills} kills in {sending:?}, {} requests a second, {} of them accepted: {judged}",
        rate(asked),
        rate(accepted),
    );
    assert_eq!(judged.unanswered, 0, "each is answered in the end");
    assert!(judged.accepted as u32 > waiting + 200 * kills, "{}", judged.accepted);
}

fn what_was_answered_202_runs_whenever_the_server_is_killed() {
    prove("server", 10_000, &mut [Server::by_default()], |servers, _, random| {
        servers[0].kill();
        std::thread::sleep(Duration::from_millis(random.below(1_000) as u64));
        servers[0].start();
    });
}

fn what_was_answered_202_runs_whenever_a_worker_is_killed() {
    prove("worker", 0, &mut [Server::by_default()], |_, site, _| {
        site.kill_worker();
        site.start_worker();
    });
}

fn what_was_answered_202_runs_whenever_a_node_of_three_is_killed() {
    prove("node", 1_000, &mut Server::cluster(), |servers, _, random| {
        let node = &mut servers[random.below(3)];
        node.kill();
        std::thread::sleep(Duration::from_millis(random.below(1_000) as u64));
        node.start();
        // One at a time: it has what the others have before the next is killed.
        node.wait_until_well();
    });
}

#[tokio::main(flavor = "current_thread")]
async fn what_a_worker_had_that_was_killed_is_taken_over_within_the_lease() {
    let _shared = MACHINE.read().await;
    let server = Server::by_default();
    let mut site = Site::new("lease", std::slice::from_ref(&server));
    let store = open(&site.url, 1).await;
    assert_eq!(ask(store.clone(), "a", None, SystemTime::now()).await.status(), 202);
    // Who has it never says anything any more.
    let taken = store.take(SystemTime::now(), 9, LEASE).await.unwrap();
    assert_eq!(taken.len(), 1);
    let begun = Instant::now();
    for _ in 0..3 {
        site.start_worker();
    }
    while load::runs(&site.log).is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("    taken over after {:?}, with a lease of {LEASE:?}", begun.elapsed());
    let status = loop {
        let status = store.get(taken[0].task().id()).await.unwrap().unwrap();
        if status.state.is_final() {
            break status;
        }
    };
    assert_eq!((status.state, status.attempts), (TaskState::Succeeded, 2));
    // What is patient enough for a machine that is busy, and less than twice the lease.
    assert!(begun.elapsed() < LEASE * 2, "{:?}", begun.elapsed());
}

#[tokio::main(flavor = "current_thread")]
async fn what_no_worker_took_before_its_maximum_age_never_runs() {
    let _shared = MACHINE.read().await;
    let server = Server::by_default();
    let site = Site::new("age", std::slice::from_ref(&server));
    let store = open(&site.url, 1).await;
    for (name, delay) in [("old", None), ("late", Some(1))] {
        assert_eq!(ask(store.clone(), name, delay, SystemTime::now()).await.status(), 202);
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(ask(store.clone(), "young", None, SystemTime::now()).await.status(), 202);
    let policy = RetryPolicy::default().with_max_age(Duration::from_secs(2)).unwrap();
    let worker = Carrier::new(store.clone(), load::function(&site.log)).with_policy(policy);
    let all = async {
        loop {
            let all = store.list(None, 9).await.unwrap();
            if all.iter().all(|status| status.state.is_final()) {
                break all;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let (all, ()) = tokio::join!(
        async {
            let all = all.await;
            end.send(()).unwrap();
            all
        },
        worker.run(async { ended.await.unwrap() }),
    );
    let states: Vec<_> = all.iter().map(|status| (status.id.as_str(), status.state)).collect();
    let (expired, succeeded) = (TaskState::Expired, TaskState::Succeeded);
    assert_eq!(states, [("late", expired), ("old", expired), ("young", succeeded)]);
    let runs: usize = load::runs(&site.log).values().map(Vec::len).sum();
    assert_eq!(runs, 1);
}
