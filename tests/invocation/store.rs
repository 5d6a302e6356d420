//! What every store has to do.

use super::{enqueue, file, id, sqlite};
use crate::common::at;
use std::time::Duration;
use tower::{Layer as _, ServiceExt as _};
use tower_fc::error::ErrorKind;
use tower_fc::invocation::sqlite::SqliteStore;
use tower_fc::invocation::{Hold, InvocationLayer, InvocationStore, Settled, TaskId, TaskState};

const LEASE: Duration = Duration::from_secs(30);

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
async fn tasks_are_taken_when_they_are_due_the_first_first() {
    let store = sqlite();
    enqueue(store.clone(), "late", Some(60), 0).await;
    enqueue(store.clone(), "soon", Some(5), 0).await;
    enqueue(store.clone(), "now", None, 0).await;
    assert_eq!(state(&store, "late").await, Some(TaskState::Enqueued));
    assert_eq!(names(&store, -1, 9).await, [""; 0]);
    assert_eq!(names(&store, 0, 9).await, ["now"]);
    assert_eq!(names(&store, 4, 9).await, [""; 0]);
    assert_eq!(names(&store, 5, 1).await, ["soon"]);
    assert_eq!(state(&store, "soon").await, Some(TaskState::Running));
    assert_eq!(names(&store, 29, 9).await, [""; 0]);
}

#[tokio::test]
async fn one_whose_lease_ended_is_taken_again_and_the_first_worker_has_lost_it() {
    let store = sqlite();
    enqueue(store.clone(), "a", None, 0).await;
    let first = store.take(at(0), 9, LEASE).await.unwrap().remove(0);
    assert_eq!(store.extend(&first, at(40)).await.unwrap(), Hold::Kept);
    assert!(store.take(at(39), 9, LEASE).await.unwrap().is_empty());
    let second = store.take(at(40), 9, LEASE).await.unwrap().remove(0);
    let tries = second.tries();
    assert_eq!((tries.taken, tries.of_platform, tries.of_function), (2, 1, 0));
    assert_eq!(tries.platform_since, Some(at(40)));
    assert_eq!(store.extend(&first, at(99)).await.unwrap(), Hold::Lost);
    assert!(!store.settle(&first, over(TaskState::Failed), at(41)).await.unwrap());
    assert_eq!(state(&store, "a").await, Some(TaskState::Running));
    assert!(store.settle(&second, over(TaskState::Succeeded), at(41)).await.unwrap());
    let status = store.get(&id("a")).await.unwrap().unwrap();
    assert_eq!((status.state, status.ended_at), (TaskState::Succeeded, Some(at(41))));
    assert!(store.take(at(9_999), 9, LEASE).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_that_is_to_be_tried_again_waits_for_its_time() {
    let store = sqlite();
    enqueue(store.clone(), "a", None, 0).await;
    let taken = store.take(at(0), 9, LEASE).await.unwrap().remove(0);
    let mut tries = taken.tries();
    tries.of_function = 2;
    let error = Some("it broke".to_owned());
    let again = Settled::Again { at: at(10), tries, error: error.clone() };
    assert!(store.settle(&taken, again, at(1)).await.unwrap());
    let status = store.get(&id("a")).await.unwrap().unwrap();
    assert_eq!((status.state, status.due_at, status.error), (TaskState::Retrying, at(10), error));
    assert!(store.take(at(9), 9, LEASE).await.unwrap().is_empty());
    let taken = store.take(at(10), 9, LEASE).await.unwrap().remove(0);
    assert_eq!((taken.tries().taken, taken.tries().of_function), (2, 2));
}

#[tokio::test]
async fn a_task_that_waits_is_stopped_at_once_and_one_that_runs_by_its_worker() {
    let store = sqlite();
    for name in ["waits", "runs", "ran"] {
        enqueue(store.clone(), name, (name == "waits").then_some(60), 0).await;
    }
    let taken = store.take(at(0), 9, LEASE).await.unwrap();
    let [runs, ran] = taken.as_slice() else { panic!("{taken:?}") };
    assert!(store.settle(ran, over(TaskState::Succeeded), at(1)).await.unwrap());
    let stop = async |name| store.stop(&id(name), at(1)).await.unwrap();
    assert_eq!(stop("waits").await, Some(TaskState::Stopped));
    assert_eq!(stop("runs").await, Some(TaskState::Stopping));
    assert_eq!(stop("ran").await, Some(TaskState::Succeeded));
    assert_eq!(stop("unknown").await, None);
    assert_eq!(store.extend(runs, at(50)).await.unwrap(), Hold::Stopping);
    let again = Settled::Again { at: at(2), tries: runs.tries(), error: None };
    assert!(store.settle(runs, again, at(2)).await.unwrap());
    assert_eq!(state(&store, "runs").await, Some(TaskState::Stopped));
    assert!(store.take(at(9_999), 9, LEASE).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_that_was_to_stop_when_its_worker_died_is_stopped() {
    let store = sqlite();
    enqueue(store.clone(), "a", None, 0).await;
    store.take(at(0), 9, LEASE).await.unwrap();
    store.stop(&id("a"), at(1)).await.unwrap();
    assert!(store.take(at(30), 9, LEASE).await.unwrap().is_empty());
    assert_eq!(state(&store, "a").await, Some(TaskState::Stopped));
}

#[tokio::test]
async fn tasks_are_listed_by_name() {
    let store = sqlite();
    for name in ["c", "a", "d", "b"] {
        enqueue(store.clone(), name, None, 0).await;
    }
    let list = async |after: Option<&str>, max| -> Vec<String> {
        let after = after.map(id);
        let list = store.list(after.as_ref(), max).await.unwrap();
        list.iter().map(|status| status.id.to_string()).collect()
    };
    assert_eq!(list(None, 3).await, ["a", "b", "c"]);
    assert_eq!(list(Some("c"), 3).await, ["d"]);
    assert_eq!(list(Some("d"), 3).await, [""; 0]);
    assert_eq!(store.get(&id("unknown")).await.unwrap(), None);
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
async fn names_stay_taken_for_the_retention_time_and_no_longer() {
    let file = file();
    let store = SqliteStore::open_with_retention(&file, Duration::from_secs(100)).unwrap();
    enqueue(store.clone(), "a", None, 0).await;
    let taken = store.take(at(0), 9, LEASE).await.unwrap().remove(0);
    assert!(store.settle(&taken, over(TaskState::Succeeded), at(10)).await.unwrap());
    store.take(at(110), 9, LEASE).await.unwrap();
    assert_eq!(state(&store, "a").await, Some(TaskState::Succeeded));
    store.take(at(121), 9, LEASE).await.unwrap();
    assert_eq!(state(&store, "a").await, None);
    enqueue(store.clone(), "a", None, 121).await;
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
    let store = sqlite();
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
