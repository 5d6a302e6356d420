//! What every store has to do, as tests of any.

#![allow(unreachable_pub, reason = "a module of test programs, which have no public items")]

use super::asking::{self, id};
use http::StatusCode;
use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tower_fc::invocation::{Hold, InvocationStore, Settled, TaskState, TaskStatus};

/// Where the contract is tried: a kind of store, and time as it goes there.
pub trait Bed {
    type Store: InvocationStore + Clone;

    /// What the times of the tests are counted in: whole seconds.
    const UNIT: Duration;

    /// A store without tasks, in which names stay taken for two units.
    fn store(&self) -> impl Future<Output = Self::Store>;

    /// Waits until so many units are over, since the bed was made, and returns the time, which
    /// is a bit later where time goes by itself.
    fn reach(&self, units: u32) -> impl Future<Output = SystemTime>;
}

/// Every test, with its name.
macro_rules! contract {
    ($use:ident) => {
        $use! {
            tasks_are_taken_when_they_are_due_the_first_first,
            one_whose_lease_ended_is_taken_again_and_the_first_worker_has_lost_it,
            one_that_is_to_be_tried_again_waits_for_its_time,
            a_task_that_waits_is_stopped_at_once_and_one_that_runs_by_its_worker,
            one_that_was_to_stop_when_its_worker_died_is_stopped,
            tasks_are_listed_by_name,
            names_stay_taken_for_the_retention_time_and_no_longer,
        }
    };
}
pub(crate) use contract;

/// So many units.
fn units<B: Bed>(count: u32) -> Duration {
    B::UNIT * count
}

/// The lease of the tests.
fn lease<B: Bed>() -> Duration {
    units::<B>(2)
}

/// Asks for a task now, with a delay of so many units.
async fn ask<B: Bed>(store: &B::Store, name: &str, delay: u32, now: SystemTime) -> StatusCode {
    let delay = (delay > 0).then(|| units::<B>(delay).as_secs());
    asking::ask(store.clone(), name, delay, now).await.status()
}

async fn enqueue<B: Bed>(store: &B::Store, name: &str, delay: u32, now: SystemTime) {
    assert_eq!(ask::<B>(store, name, delay, now).await, StatusCode::ACCEPTED, "{name}");
}

async fn names<B: Bed>(store: &B::Store, now: SystemTime, max: usize) -> Vec<String> {
    let taken = store.take(now, max, lease::<B>()).await.unwrap();
    taken.iter().map(|taken| taken.task().id().to_string()).collect()
}

async fn status(store: &impl InvocationStore, name: &str) -> TaskStatus {
    store.get(&id(name)).await.unwrap().unwrap()
}

async fn state(store: &impl InvocationStore, name: &str) -> Option<TaskState> {
    store.get(&id(name)).await.unwrap().map(|status| status.state)
}

fn over(state: TaskState) -> Settled {
    Settled::Over { state, error: None }
}

/// To the millisecond, as times are stored.
fn stored(time: SystemTime) -> SystemTime {
    let millis = time.duration_since(UNIX_EPOCH).unwrap().as_millis();
    UNIX_EPOCH + Duration::from_millis(millis as u64)
}

pub async fn tasks_are_taken_when_they_are_due_the_first_first<B: Bed>(bed: B) {
    let store = bed.store().await;
    let now = bed.reach(0).await;
    enqueue::<B>(&store, "late", 30, now).await;
    enqueue::<B>(&store, "soon", 3, now).await;
    enqueue::<B>(&store, "now", 0, now).await;
    enqueue::<B>(&store, "then", 0, now).await;
    let late = status(&store, "late").await;
    assert_eq!((late.state, late.attempts), (TaskState::Enqueued, 0));
    assert_eq!(late.accepted_at, stored(now));
    assert_eq!(late.due_at, stored(now + units::<B>(30)));
    assert_eq!(names::<B>(&store, now, 1).await, ["now"]);
    assert_eq!(names::<B>(&store, now, 9).await, ["then"]);
    assert_eq!(state(&store, "now").await, Some(TaskState::Running));
    let now = bed.reach(1).await;
    assert_eq!(names::<B>(&store, now, 9).await, [""; 0]);
    let now = bed.reach(5).await;
    let mut all = names::<B>(&store, now, 9).await;
    all.sort();
    assert_eq!(all, ["now", "soon", "then"]);
    assert_eq!(state(&store, "late").await, Some(TaskState::Enqueued));
}

pub async fn one_whose_lease_ended_is_taken_again_and_the_first_worker_has_lost_it<B: Bed>(bed: B) {
    let store = bed.store().await;
    let now = bed.reach(0).await;
    enqueue::<B>(&store, "a", 0, now).await;
    let first = store.take(now, 9, lease::<B>()).await.unwrap().remove(0);
    let now = bed.reach(1).await;
    assert_eq!(store.extend(&first, now + lease::<B>()).await.unwrap(), Hold::Kept);
    let now = bed.reach(2).await;
    assert_eq!(names::<B>(&store, now, 9).await, [""; 0]);
    let now = bed.reach(4).await;
    let second = store.take(now, 9, lease::<B>()).await.unwrap().remove(0);
    let tries = second.tries();
    assert_eq!((tries.taken, tries.of_platform, tries.of_function), (2, 1, 0));
    assert_eq!(tries.platform_since, Some(now));
    assert_eq!(store.extend(&first, now + lease::<B>()).await.unwrap(), Hold::Lost);
    assert!(!store.settle(&first, over(TaskState::Failed), now).await.unwrap());
    assert_eq!(state(&store, "a").await, Some(TaskState::Running));
    assert!(store.settle(&second, over(TaskState::Succeeded), now).await.unwrap());
    let status = status(&store, "a").await;
    assert_eq!((status.state, status.ended_at), (TaskState::Succeeded, Some(stored(now))));
    assert_eq!(status.attempts, 2);
    assert_eq!(store.extend(&second, now + lease::<B>()).await.unwrap(), Hold::Lost);
    let now = bed.reach(7).await;
    assert_eq!(names::<B>(&store, now, 9).await, [""; 0]);
}

pub async fn one_that_is_to_be_tried_again_waits_for_its_time<B: Bed>(bed: B) {
    let store = bed.store().await;
    let now = bed.reach(0).await;
    enqueue::<B>(&store, "a", 0, now).await;
    let taken = store.take(now, 9, lease::<B>()).await.unwrap().remove(0);
    let mut tries = taken.tries();
    tries.of_function = 2;
    let error = Some("it broke".to_owned());
    let at = now + units::<B>(3);
    let again = Settled::Again { at, tries, error: error.clone() };
    assert!(store.settle(&taken, again, now).await.unwrap());
    let status = status(&store, "a").await;
    assert_eq!((status.state, status.error), (TaskState::Retrying, error));
    assert_eq!(status.due_at, stored(at));
    let now = bed.reach(2).await;
    assert_eq!(names::<B>(&store, now, 9).await, [""; 0]);
    let now = bed.reach(4).await;
    let taken = store.take(now, 9, lease::<B>()).await.unwrap().remove(0);
    assert_eq!((taken.tries().taken, taken.tries().of_function), (2, 2));
    assert_eq!(taken.tries().of_platform, 0);
    // One that is handed back can be had at once.
    let again = Settled::Again { at: now, tries: taken.tries(), error: None };
    assert!(store.settle(&taken, again, now).await.unwrap());
    assert_eq!(names::<B>(&store, now, 9).await, ["a"]);
}

pub async fn a_task_that_waits_is_stopped_at_once_and_one_that_runs_by_its_worker<B: Bed>(bed: B) {
    let store = bed.store().await;
    let now = bed.reach(0).await;
    for name in ["waits", "runs", "ran", "due"] {
        enqueue::<B>(&store, name, if name == "waits" { 2 } else { 0 }, now).await;
    }
    let taken = store.take(now, 2, lease::<B>()).await.unwrap();
    let [runs, ran] = taken.as_slice() else { panic!("{taken:?}") };
    assert!(store.settle(ran, over(TaskState::Succeeded), now).await.unwrap());
    let stop = async |name| store.stop(&id(name), now).await.unwrap();
    assert_eq!(stop("waits").await, Some(TaskState::Stopped));
    assert_eq!(stop("due").await, Some(TaskState::Stopped));
    assert_eq!(stop("due").await, Some(TaskState::Stopped));
    assert_eq!(stop("runs").await, Some(TaskState::Stopping));
    assert_eq!(stop("ran").await, Some(TaskState::Succeeded));
    assert_eq!(stop("unknown").await, None);
    assert_eq!(ask::<B>(&store, "waits", 0, now).await, StatusCode::CONFLICT);
    assert_eq!(store.extend(runs, now + lease::<B>()).await.unwrap(), Hold::Stopping);
    let again = Settled::Again { at: now, tries: runs.tries(), error: None };
    assert!(store.settle(runs, again, now).await.unwrap());
    assert_eq!(state(&store, "runs").await, Some(TaskState::Stopped));
    let now = bed.reach(4).await;
    assert_eq!(names::<B>(&store, now, 9).await, [""; 0]);
}

pub async fn one_that_was_to_stop_when_its_worker_died_is_stopped<B: Bed>(bed: B) {
    let store = bed.store().await;
    let now = bed.reach(0).await;
    enqueue::<B>(&store, "a", 0, now).await;
    assert_eq!(names::<B>(&store, now, 9).await, ["a"]);
    store.stop(&id("a"), now).await.unwrap();
    let now = bed.reach(3).await;
    assert_eq!(names::<B>(&store, now, 9).await, [""; 0]);
    assert_eq!(state(&store, "a").await, Some(TaskState::Stopped));
}

pub async fn tasks_are_listed_by_name<B: Bed>(bed: B) {
    let store = bed.store().await;
    let now = bed.reach(0).await;
    for name in ["c", "a", "d", "b"] {
        enqueue::<B>(&store, name, if name == "d" { 9 } else { 0 }, now).await;
    }
    assert_eq!(names::<B>(&store, now, 1).await, ["c"]);
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

pub async fn names_stay_taken_for_the_retention_time_and_no_longer<B: Bed>(bed: B) {
    let store = bed.store().await;
    let now = bed.reach(0).await;
    enqueue::<B>(&store, "a", 0, now).await;
    assert_eq!(ask::<B>(&store, "a", 0, now).await, StatusCode::CONFLICT);
    assert_eq!(ask::<B>(&store, "a", 3, now).await, StatusCode::CONFLICT);
    enqueue::<B>(&store, "waits", 5, now).await;
    assert_eq!(ask::<B>(&store, "waits", 0, now).await, StatusCode::CONFLICT);
    let taken = store.take(now, 9, lease::<B>()).await.unwrap().remove(0);
    assert_eq!(ask::<B>(&store, "a", 0, now).await, StatusCode::CONFLICT);
    assert!(store.settle(&taken, over(TaskState::Succeeded), now).await.unwrap());
    let now = bed.reach(1).await;
    assert_eq!(names::<B>(&store, now, 9).await, [""; 0]);
    assert_eq!(state(&store, "a").await, Some(TaskState::Succeeded));
    assert_eq!(ask::<B>(&store, "a", 0, now).await, StatusCode::CONFLICT);
    // It is counted from its end on, and not of those that are not over.
    let now = bed.reach(4).await;
    assert_eq!(names::<B>(&store, now, 9).await, [""; 0]);
    assert_eq!(state(&store, "a").await, None);
    assert_eq!(state(&store, "waits").await, Some(TaskState::Enqueued));
    enqueue::<B>(&store, "a", 0, now).await;
}
