//! How many requests a second are accepted to be carried out later, with an empty file and with
//! one in which many wait; and what one `fsync` takes on this disk.
//!
//! ```text
//! cargo bench --features async-sqlite --bench invocation              # 100 000 waiting
//! cargo bench --features async-sqlite --bench invocation -- 1000000   # a million
//! ```

#![allow(missing_docs, clippy::unwrap_used)]

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use std::convert::Infallible;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tower::{Layer, ServiceExt as _, service_fn};
use tower_fc::invocation::InvocationLayer;
use tower_fc::invocation::sqlite::SqliteStore;

/// Accepts requests by so many clients at once, until the count or the time is reached, and
/// returns how many a second.
async fn accept(store: &SqliteStore, clients: usize, count: u64, time: Duration) -> f64 {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let first = NUMBER.load(Ordering::Relaxed);
    let inner = service_fn(|_: Request<Full<Bytes>>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    });
    let service = InvocationLayer::new(store.clone()).layer(inner);
    let begun = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..clients {
        let service = service.clone();
        running.spawn(async move {
            while begun.elapsed() < time {
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                if number >= first + count {
                    break;
                }
                let request = Request::post("/pay?to=alice")
                    .header("content-type", "application/json")
                    .header("x-fc-invocation-type", "Async")
                    .header("x-fc-async-delay", "3600")
                    .header("x-fc-async-task-id", format!("t{}", scramble(number)))
                    .body(Full::from(vec![b'a'; 200]))
                    .unwrap();
                assert_eq!(service.clone().oneshot(request).await.unwrap().status(), 202);
            }
        });
    }
    while running.join_next().await.is_some() {}
    let done = (NUMBER.load(Ordering::Relaxed) - first).min(count);
    done as f64 / begun.elapsed().as_secs_f64()
}

/// Names that come in no order, as those of clients do.
fn scramble(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn fsync(directory: &Path) -> Duration {
    let path = directory.join("fsync");
    let mut file = std::fs::File::create(&path).unwrap();
    let begun = Instant::now();
    for _ in 0..200 {
        file.write_all(&[0; 4096]).unwrap();
        file.sync_data().unwrap();
    }
    let each = begun.elapsed() / 200;
    std::fs::remove_file(path).unwrap();
    each
}

fn main() {
    let waiting = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(100_000);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("invocation-bench");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    println!("one fsync of 4 KiB takes {:?}", fsync(&directory));
    let runtime = Arc::new(tokio::runtime::Runtime::new().unwrap());
    let open = |name: &str| SqliteStore::open(directory.join(name)).unwrap();
    let store = open("tasks.sqlite");
    let rate = |store: &SqliteStore, clients, time: u64| {
        runtime.block_on(accept(store, clients, u64::MAX / 2, Duration::from_secs(time)))
    };
    for clients in [1, 16, 64] {
        println!("{clients:>3} clients: {:>8.0} accepted a second", rate(&store, clients, 3));
    }
    let begun = Instant::now();
    runtime.block_on(accept(&store, 512, waiting, Duration::MAX));
    println!("{waiting} more were accepted in {:?}", begun.elapsed());
    // In turns, as a disk is not as fast at all times, and for long enough that the log is
    // written into the file.
    let (mut few, mut many) = (0.0, 0.0);
    for round in 0..3 {
        few += rate(&open(&format!("few-{round}.sqlite")), 64, 10) / 3.0;
        many += rate(&store, 64, 10) / 3.0;
    }
    let part = many / few;
    println!(" 64 clients: {few:.0} a second in an empty file, {many:.0} then: {part:.2} of it");
    drop(store);
    std::fs::remove_dir_all(&directory).unwrap();
}
