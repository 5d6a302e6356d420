//! Requests that are carried out later.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

#[path = "invocation/layer.rs"]
mod layer;
#[path = "invocation/store.rs"]
mod store;
#[path = "invocation/worker.rs"]
mod worker;

use bytes::Bytes;
use common::at;
use http::{Request, StatusCode};
use http_body_util::Full;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use tower::{Layer, ServiceExt};
use tower_fc::invocation::sqlite::SqliteStore;
use tower_fc::invocation::{InvocationLayer, InvocationStore, TaskId};

/// A file that no other test has.
fn file() -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::SeqCst);
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("invocation");
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join(format!("{}-{number}.sqlite", std::process::id()));
    for end in ["", "-wal", "-shm", "-owner"] {
        let mut name = file.clone().into_os_string();
        name.push(end);
        let _ = std::fs::remove_file(name);
    }
    file
}

fn sqlite() -> SqliteStore {
    SqliteStore::open(file()).unwrap()
}

fn id(name: &str) -> TaskId {
    TaskId::new(name).unwrap()
}

/// A request to be carried out later, under this name.
fn later(name: &str, delay: Option<u64>) -> Request<Full<Bytes>> {
    let mut request = Request::post("/pay?to=alice")
        .header("x-fc-invocation-type", "Async")
        .header("x-fc-async-task-id", name);
    if let Some(delay) = delay {
        request = request.header("x-fc-async-delay", delay);
    }
    request.body(Full::from("10")).unwrap()
}

/// Stores a task by way of the layer, as of the time of the tests and so many seconds.
async fn enqueue(store: impl InvocationStore + Clone, name: &str, delay: Option<u64>, after: i64) {
    let layer = InvocationLayer::new(store).with_clock(move || at(after));
    let inner = common::services::unreachable();
    let response = layer.layer(inner).oneshot(later(name, delay)).await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
}
