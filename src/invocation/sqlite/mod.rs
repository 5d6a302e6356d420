//! Tasks in one SQLite file.

mod owner;
mod place;
mod table;
mod unopened;
mod writer;

pub use super::store::DEFAULT_RETENTION;
use super::store::{Added, Hold, InvocationStore, Settled, StoreError};
use super::task::{Taken, Task, TaskId, TaskState, TaskStatus};
use crate::error::{Error, ErrorKind};
use place::{Opened, Place};
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, oneshot};
use writer::{Operation, Reply};

/// Keeps tasks in one SQLite file: for a gateway on one machine.
///
/// A task is added when `fsync` has returned (WAL, `synchronous=FULL`). One thread writes, and
/// what comes while it waits for the disk is written together with the next `fsync`, so that
/// many requests share one. A second process on the same file is refused, so what ran when the
/// process died is taken up as soon as the file is opened again.
///
/// The log beside the file (`-wal`) may become as long as the file, from 64 MB to 1 GB, before it is
/// written into it.
///
/// What is over keeps its name and its state for the retention time, and not its request.
///
/// Clones share the file.
#[derive(Clone)]
pub struct SqliteStore {
    shared: Arc<Shared>,
}

struct Shared {
    /// `None` when it is closed.
    operations: Mutex<Option<Sender<Operation>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    changed: Arc<Notify>,
    path: PathBuf,
}

impl SqliteStore {
    /// Opens the file, or makes it.
    ///
    /// One that is there and cannot be written at the moment (the disk is full, say, or mounted
    /// for reading alone) is opened as soon as it can be: until then nothing is stored.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidStore`] when it cannot be made, is no file of tasks, or another process
    /// has it open.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        Self::open_with_retention(path, DEFAULT_RETENTION)
    }

    /// The same, with a name staying taken for this long when its task is over, in place of 7
    /// days.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_with_retention(
        path: impl Into<PathBuf>,
        retention: Duration,
    ) -> Result<Self, Error> {
        let place = Place { path: path.into(), retention };
        match place.open() {
            Ok(opened) => Self::start(place, Some(opened)),
            Err(unopened) if unopened.may_pass => Self::start(place, None),
            Err(unopened) => Err(unusable(&place.path, &unopened.why)),
        }
    }

    /// Opens a file that another process may have open: to look tasks up, to list and to stop
    /// them. What runs goes on.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidStore`] when there is no such file, it cannot be read and written, or
    /// is no file of tasks.
    pub fn open_shared(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let place = Place { path: path.into(), retention: DEFAULT_RETENTION };
        match place.open_shared() {
            Ok(opened) => Self::start(place, Some(opened)),
            Err(unopened) => Err(unusable(&place.path, &unopened.why)),
        }
    }

    fn start(place: Place, opened: Option<Opened>) -> Result<Self, Error> {
        let path = place.path.clone();
        let (operations, received) = channel();
        let changed = Arc::new(Notify::new());
        let notify = Arc::clone(&changed);
        let thread = std::thread::Builder::new()
            .name("tower-fc tasks".to_owned())
            .spawn(move || writer::run(&place, opened, &received, &notify))
            .map_err(|why| unusable(&path, &why.to_string()))?;
        let operations = Mutex::new(Some(operations));
        let thread = Mutex::new(Some(thread));
        Ok(Self { shared: Arc::new(Shared { operations, thread, changed, path }) })
    }

    /// Has an operation done by the thread that writes.
    async fn ask<T>(&self, operation: impl FnOnce(Reply<T>) -> Operation) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.shared.send(operation(reply));
        // Without an answer the thread has ended.
        answer.await.unwrap_or_else(|_| Err(StoreError::new("the store is closed")))
    }
}

impl Shared {
    fn send(&self, operation: Operation) {
        let operations = self.operations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = operations.as_ref() {
            // One that has ended drops it, and whom it would tell.
            let _ = thread.send(operation);
        }
    }
}

impl Drop for Shared {
    /// Waits for what is being written.
    fn drop(&mut self) {
        drop(self.operations.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

fn unusable(path: &Path, why: &str) -> Error {
    Error::new(ErrorKind::InvalidStore, format!("{}: {why}", path.display()))
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

impl InvocationStore for SqliteStore {
    async fn add(&self, task: Task) -> Result<Added, StoreError> {
        self.ask(|reply| Operation::Add(Box::new(task), reply)).await
    }

    async fn take(
        &self,
        now: SystemTime,
        max: usize,
        lease: Duration,
    ) -> Result<Vec<Taken>, StoreError> {
        self.ask(|reply| Operation::Take { now, max, lease, reply }).await
    }

    fn changed(&self) -> impl Future<Output = ()> + Send {
        self.shared.changed.notified()
    }

    async fn extend(&self, taken: &Taken, until: SystemTime) -> Result<Hold, StoreError> {
        let (id, lease) = (taken.task.id.clone(), taken.lease);
        self.ask(|reply| Operation::Extend { id, lease, until, reply }).await
    }

    async fn settle(
        &self,
        taken: &Taken,
        outcome: Settled,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let (id, lease) = (taken.task.id.clone(), taken.lease);
        self.ask(|reply| Operation::Settle { id, lease, outcome, now, reply }).await
    }

    async fn get(&self, id: &TaskId) -> Result<Option<TaskStatus>, StoreError> {
        let id = id.clone();
        self.ask(|reply| Operation::Get(id, reply)).await
    }

    async fn list(
        &self,
        after: Option<&TaskId>,
        max: usize,
    ) -> Result<Vec<TaskStatus>, StoreError> {
        let after = after.cloned();
        self.ask(|reply| Operation::List { after, max, reply }).await
    }

    async fn stop(&self, id: &TaskId, now: SystemTime) -> Result<Option<TaskState>, StoreError> {
        let id = id.clone();
        self.ask(|reply| Operation::Stop { id, now, reply }).await
    }
}
