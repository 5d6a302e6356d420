//! The contract of stores as SQLite keeps it, and what a file has to do besides.

use super::contract::{self, Bed, contract};
use super::{enqueue, file, id};
use crate::common::at;
use std::time::{Duration, SystemTime};
use tower::{Layer as _, ServiceExt as _};
use tower_fc::error::ErrorKind;
use tower_fc::invocation::sqlite::SqliteStore;
use tower_fc::invocation::{Hold, InvocationLayer, InvocationStore, Settled, TaskId, TaskState};

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

#[tokio::test]
async fn all_that_is_kept_no_longer_goes_however_much_it_is() {
    let file = file();
    let store = SqliteStore::open_with_retention(&file, Duration::from_secs(100)).unwrap();
    let mut stopping = tokio::task::JoinSet::new();
    for number in 0..2_500 {
        let store = store.clone();
        stopping.spawn(async move {
            let name = format!("a{number}");
            enqueue(store.clone(), &name, Some(60), 0).await;
            store.stop(&id(&name), at(0)).await.unwrap();
        });
    }
    stopping.join_all().await;
    for _ in 0..3 {
        store.take(at(101), 9, LEASE).await.unwrap();
    }
    assert!(store.list(None, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_file_that_another_has_open_can_be_looked_into_and_its_tasks_stopped() {
    let file = file();
    assert!(SqliteStore::open_shared(&file).is_err(), "there is none");
    let store = SqliteStore::open(&file).unwrap();
    for name in ["runs", "waits"] {
        enqueue(store.clone(), name, (name == "waits").then_some(60), 0).await;
    }
    let taken = store.take(at(0), 9, LEASE).await.unwrap().remove(0);
    let other = SqliteStore::open_shared(&file).unwrap();
    assert_eq!(other.list(None, 9).await.unwrap(), store.list(None, 9).await.unwrap());
    assert_eq!(state(&other, "runs").await, Some(TaskState::Running));
    assert_eq!(other.stop(&id("waits"), at(1)).await.unwrap(), Some(TaskState::Stopped));
    assert_eq!(other.stop(&id("runs"), at(1)).await.unwrap(), Some(TaskState::Stopping));
    drop(other);
    assert_eq!(store.extend(&taken, at(50)).await.unwrap(), Hold::Stopping);
    assert_eq!(state(&store, "waits").await, Some(TaskState::Stopped));
}

#[tokio::test]
async fn a_task_without_a_name_is_looked_up_by_its_request_id() {
    let store = SqliteStore::open(file()).unwrap();
    let mut request = super::later("x", None);
    request.headers_mut().remove("x-fc-async-task-id");
    let inner = crate::common::services::unreachable();
    let layer = InvocationLayer::new(store.clone());
    let response = layer.layer(inner).oneshot(request).await.unwrap();
    let request_id = response.headers()["x-fc-request-id"].to_str().unwrap();
    let found = store.get(&request_id.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(found.request_id, request_id);
    for text in ["", "a.b", "a*", "a b", "é", &"a".repeat(129)] {
        assert!(text.parse::<TaskId>().is_err(), "{text}");
    }
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
    // Nor one of another program, nor is a name taken for a setting.
    let other = file();
    let database = rusqlite::Connection::open(&other).unwrap();
    database.execute_batch("CREATE TABLE notes (text)").unwrap();
    let before = std::fs::read(&other).unwrap();
    assert!(SqliteStore::open(&other).is_err());
    assert!(SqliteStore::open_shared(&other).is_err());
    assert_eq!(std::fs::read(&other).unwrap(), before);
    let named = file().with_extension("sqlite?mode=memory");
    let named = format!("file:{}", named.display());
    assert!(SqliteStore::open(&named).is_err(), "there is no directory of this name");
}
