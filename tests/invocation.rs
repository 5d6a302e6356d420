//! Requests that are carried out later.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

#[path = "invocation/asking.rs"]
mod asking;
#[path = "invocation/contract.rs"]
mod contract;
#[path = "invocation/layer.rs"]
mod layer;
#[path = "invocation/store.rs"]
mod store;
#[path = "invocation/worker.rs"]
mod worker;

use asking::{id, later};
use common::at;
use http::StatusCode;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use tower_fc::invocation::InvocationStore;
use tower_fc::invocation::sqlite::SqliteStore;

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

/// Stores a task by way of the layer, as of the time of the tests and so many seconds.
async fn enqueue(store: impl InvocationStore + Clone, name: &str, delay: Option<u64>, after: i64) {
    let response = asking::ask(store, name, delay, at(after)).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
}
