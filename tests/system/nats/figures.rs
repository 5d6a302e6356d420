//! What a task costs on this machine: run when `INVOCATION_FIGURES` says how many tasks are to
//! wait, 1000000, say.

#![allow(unreachable_pub, reason = "a module of a test program, which has no public items")]

use crate::asking::ask;
use crate::server::Server;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::runtime::Runtime;
use tower::service_fn;
use tower_fc::error::BoxError;
use tower_fc::invocation::nats::{NatsSettings, NatsStore};
use tower_fc::invocation::{InvocationStore as _, TaskId, Worker};

pub fn tests() -> Vec<(&'static str, fn())> {
    let is_asked = std::env::var_os("INVOCATION_FIGURES").is_some();
    is_asked.then_some(("figures", figures as fn())).into_iter().collect()
}

fn figures() {
    let waiting = std::env::var("INVOCATION_FIGURES").unwrap().parse().unwrap();
    let runtime = Runtime::new().unwrap();
    for (name, replicas, servers) in [
        ("one server that syncs always", 1, vec![Server::synced()]),
        ("one server", 1, vec![Server::by_default()]),
        ("three replicas on this one machine", 3, Server::cluster().into()),
    ] {
        println!("    {name}");
        let is_synced = name.contains("syncs");
        runtime.block_on(measure(&servers[0], replicas, if is_synced { 0 } else { waiting }));
    }
}

async fn measure(server: &Server, replicas: usize, waiting: u32) {
    let settings = NatsSettings::new("tasks").unwrap();
    let settings = match replicas {
        1 => settings.with_vouched_sync_always(),
        more => settings.with_replicas(more).unwrap(),
    };
    let store = NatsStore::connect(&server.url(), settings).await.unwrap();
    let some = if waiting == 0 { 1_000 } else { 100_000 };
    accept(server, &store, "now", some, None).await;
    carry_out(server, &store, some).await;
    if waiting > 0 {
        accept(server, &store, "waiting", waiting, Some(3_600)).await;
        let begun = Instant::now();
        let listed = store.list(None, 9).await.unwrap();
        println!("        listed: the first {} in {:.1?}", listed.len(), begun.elapsed());
        accept(server, &store, "beside", some, None).await;
        carry_out(server, &store, some).await;
    }
}

fn memory(server: &Server) -> u64 {
    let said = server.ask("varz").unwrap();
    let memory = said.lines().find_map(|line| line.trim().strip_prefix("\"mem\": ")).unwrap();
    memory.trim_end_matches(',').parse().unwrap()
}

/// Has so many tasks accepted, by 64 clients at once.
async fn accept(server: &Server, store: &NatsStore, name: &str, count: u32, delay: Option<u64>) {
    let (before, begun, next) = (memory(server), Instant::now(), Arc::new(AtomicU32::new(0)));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (store, next, name) = (store.clone(), Arc::clone(&next), name.to_owned());
        clients.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::SeqCst);
                if number >= count {
                    break;
                }
                let name = format!("{name}-{number}");
                let answer = ask(store.clone(), &name, delay, SystemTime::now()).await;
                assert_eq!(answer.status(), 202);
            }
        });
    }
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
    say(&format!("accepted {name}"), count, begun, before, memory(server));
}

/// Has what is due carried out by a function that answers at once.
async fn carry_out(server: &Server, store: &NatsStore, count: u32) {
    let (before, begun) = (memory(server), Instant::now());
    let (end, ended) = tokio::sync::oneshot::channel();
    let end = Arc::new(std::sync::Mutex::new(Some(end)));
    let done = Arc::new(AtomicU32::new(0));
    let function = service_fn(async |_| {
        Ok::<_, BoxError>(http::Response::new(http_body_util::Full::<bytes::Bytes>::default()))
    });
    let worker = Worker::new(store.clone(), function).with_observer(move |event| {
        let is_settled = matches!(event, tower_fc::invocation::WorkerEvent::Settled(..));
        if is_settled && done.fetch_add(1, Ordering::SeqCst) + 1 == count {
            let _ = end.lock().unwrap().take().unwrap().send(());
        }
    });
    worker.run(async { ended.await.unwrap() }).await;
    assert_eq!(store.get(&TaskId::new("unknown").unwrap()).await.unwrap(), None);
    say("carried out", count, begun, before, memory(server));
}

fn say(what: &str, count: u32, begun: Instant, before: u64, after: u64) {
    let taken: Duration = begun.elapsed();
    let rate = f64::from(count) / taken.as_secs_f64();
    let bytes = after.saturating_sub(before) / u64::from(count);
    let memory = after / 1_000_000;
    println!(
        "        {what}: {count} in {taken:.1?}, {rate:.0} a second; the server has {memory} MB, \
         {bytes} bytes more for each"
    );
}
