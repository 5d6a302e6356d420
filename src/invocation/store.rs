use super::task::{Taken, Task, TaskId, TaskState, TaskStatus, Tries};
use crate::error::BoxError;
use std::fmt;
use std::future::Future;
use std::time::{Duration, SystemTime};

/// How long the name of a task stays taken when it is over, by default: 7 days.
pub const DEFAULT_RETENTION: Duration = Duration::from_secs(7 * 86_400);

/// Keeps tasks, whatever dies.
///
/// What [`add`](Self::add) returned `Added::New` for is durable: it is found by
/// [`take`](Self::take) after the process was killed and the machine lost its power. What it
/// returned anything else for is never found. One store is one name space: the tasks of one
/// trigger.
///
/// Time is given to it, in no case read by it; a store whose engine has a clock of its own also
/// goes by that one, and says so.
pub trait InvocationStore: Send + Sync + 'static {
    /// Makes a task durable, unless there is one of its name.
    ///
    /// # Errors
    /// It could not be made durable, and will not run.
    fn add(&self, task: Task) -> impl Future<Output = Result<Added, StoreError>> + Send;

    /// Takes tasks that are due, up to so many, for a worker that has them for the length of
    /// the lease. Those whose lease ended count as failed by the platform. If there is none it
    /// may wait for one, less than a second.
    ///
    /// # Errors
    /// The store cannot be read or written.
    fn take(
        &self,
        now: SystemTime,
        max: usize,
        lease: Duration,
    ) -> impl Future<Output = Result<Vec<Taken>, StoreError>> + Send;

    /// Waits until there may be something to take that was not there before. It may wait for
    /// ever: workers look now and then all the same.
    fn changed(&self) -> impl Future<Output = ()> + Send;

    /// Has a task for longer: until then, or for the length of its lease from now on.
    ///
    /// # Errors
    /// The store cannot be read or written.
    fn extend(
        &self,
        taken: &Taken,
        until: SystemTime,
    ) -> impl Future<Output = Result<Hold, StoreError>> + Send;

    /// Says what came of a task. Returns whether it was still this worker's; if not, nothing
    /// is changed.
    ///
    /// # Errors
    /// The store cannot be read or written.
    fn settle(
        &self,
        taken: &Taken,
        outcome: Settled,
        now: SystemTime,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// What is known of a task, `None` if there is none of this name.
    ///
    /// # Errors
    /// The store cannot be read.
    fn get(
        &self,
        id: &TaskId,
    ) -> impl Future<Output = Result<Option<TaskStatus>, StoreError>> + Send;

    /// Tasks in the order of their names, up to so many, after this name.
    ///
    /// # Errors
    /// The store cannot be read.
    fn list(
        &self,
        after: Option<&TaskId>,
        max: usize,
    ) -> impl Future<Output = Result<Vec<TaskStatus>, StoreError>> + Send;

    /// Stops a task: one that waits at once, one that runs as soon as its worker hears of it.
    /// Returns its new state; `None` if there is none of this name. One that is over stays
    /// what it is.
    ///
    /// # Errors
    /// The store cannot be read or written.
    fn stop(
        &self,
        id: &TaskId,
        now: SystemTime,
    ) -> impl Future<Output = Result<Option<TaskState>, StoreError>> + Send;
}

/// Whether a task was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It was, and is durable.
    New,
    /// There is one of its name.
    Duplicate,
}

/// Whether a worker still has a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It has.
    Kept,
    /// It has, and is to stop it.
    Stopping,
    /// Another has taken it, or it is over.
    Lost,
}

/// What came of a task that a worker had.
#[derive(Clone, Debug, PartialEq)]
pub enum Settled {
    /// It is over, in a final state.
    Over {
        /// The state.
        state: TaskState,
        /// What went wrong.
        error: Option<String>,
    },
    /// It is to be tried again.
    Again {
        /// When.
        at: SystemTime,
        /// How it went so far.
        tries: Tries,
        /// What went wrong.
        error: Option<String>,
    },
}

/// A store cannot do what it was asked for at the moment.
#[derive(Debug)]
pub struct StoreError {
    message: String,
    source: Option<BoxError>,
}

impl StoreError {
    /// With what went wrong, in words that clients are not told.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    /// With what caused it.
    #[must_use]
    pub fn because_of(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
