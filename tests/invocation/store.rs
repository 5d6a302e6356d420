//! The contract of stores as SQLite keeps it, and what a file has to do besides.

use super::contract::{self, Bed, contract};
use super::{enqueue, file, id};
use crate::common::at;
use std::time::{Duration, SystemTime};
use tower_fc::error::ErrorKind;
use tower_fc::invocation::sqlite::SqliteStore;
use tower_fc::invocation::{InvocationStore, Settled, TaskState};

const LEASE: Duration = Duration::from_secs(30);

/// A file, where time goes as it is told.
struct File;

impl Bed for File {
    type Store = SqliteStore;

    const UNIT: Duration = Duration::from_secs(100);

    async fn store(&self) -> SqliteStore {
        SqliteStore::open_with_retention(file(), Self::UNIT * 2).unwrap()
    }

    async fn reach(&self, units: u32) -> SystemTime {
        at(0) + Self::UNIT * units
    }
}

macro_rules! as_sqlite {
    ($($test:ident,)*) => {
        $(#[tokio::test]
        async fn $test() {
            contract::$test(File).await;
        })*
    };
}
contract!(as_sqlite);

async fn names(store: &impl InvocationStore, after: i64, max: usize) -> Vec<String> {
    let taken = store.take(at(after), max, LEASE).await.unwrap();
    taken.iter().map(|taken| taken.task().id().to_string()).collect()
}

async fn state(store: &impl InvocationStore, name: &str) -> Option<TaskState> {
    store.get(&id(name)).await.unwrap().map(|status| status.state)
}

fn over(state: TaskState) -> Settled {
    Settled::Over { state, error: None }
}

#[tokio::test]
async fn a_file_has_everything_when_it_is_opened_again_and_what_ran_is_taken_up() {
    let file = file();
    let store = SqliteStore::open(&file).unwrap();
    for name in ["ran", "runs", "stops", "waits"] {
        enqueue(store.clone(), name, (name == "waits").then_some(60), 0).await;
    }
    let taken = store.take(at(0), 9, LEASE).await.unwrap();
    assert!(store.settle(&taken[0], over(TaskState::Succeeded), at(1)).await.unwrap());
    store.stop(&id("stops"), at(1)).await.unwrap();
    let error = SqliteStore::open(&file).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidStore);
    assert!(error.to_string().contains("another process has it open"), "{error}");
    drop(store);

    let store = SqliteStore::open(&file).unwrap();
    let states = ["ran", "runs", "stops", "waits"].map(|name| state(&store, name));
    let mut found = Vec::new();
    for state in states {
        found.push(state.await.unwrap());
    }
    use TaskState::{Enqueued, Retrying, Stopped, Succeeded};
    assert_eq!(found, [Succeeded, Retrying, Stopped, Enqueued]);
    assert!(!store.settle(&taken[1], over(TaskState::Succeeded), at(1)).await.unwrap());
    assert_eq!(names(&store, 1, 9).await, ["runs"]);
    assert_eq!(names(&store, 61, 9).await, ["runs", "waits"]);
}

#[test]
fn what_is_no_file_of_tasks_is_not_touched() {
    let other = file();
    std::fs::write(&other, "these are notes, and no database at all").unwrap();
    let error = SqliteStore::open(&other).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidStore);
    assert!(error.to_string().contains(other.to_str().unwrap()), "{error}");
    let text = std::fs::read_to_string(&other).unwrap();
    assert_eq!(text, "these are notes, and no database at all");
    assert!(SqliteStore::open("/nowhere/at/all.sqlite").is_err());
}
