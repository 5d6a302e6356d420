//! The one thread that reads and writes: many operations share a transaction, and so an
//! `fsync`.

use super::table::Table;
use crate::invocation::store::{Added, Hold, Settled, StoreError};
use crate::invocation::task::{Taken, Task, TaskId, TaskState, TaskStatus};
use std::sync::mpsc::Receiver;
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, oneshot};

pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What can be asked of the table, and whom to tell.
pub(super) enum Operation {
    Add(Box<Task>, Reply<Added>),
    Take { now: SystemTime, max: usize, lease: Duration, reply: Reply<Vec<Taken>> },
    Extend { id: TaskId, lease: u64, until: SystemTime, reply: Reply<Hold> },
    Settle { id: TaskId, lease: u64, outcome: Settled, now: SystemTime, reply: Reply<bool> },
    Get(TaskId, Reply<Option<TaskStatus>>),
    List { after: Option<TaskId>, max: usize, reply: Reply<Vec<TaskStatus>> },
    Stop { id: TaskId, now: SystemTime, reply: Reply<Option<TaskState>> },
}

/// The most operations of one transaction: of the longest bodies, some 64 MB.
const MOST: usize = 512;

/// Does what is asked, until nobody can ask any more.
pub(super) fn run(mut table: Table, operations: &Receiver<Operation>, changed: &Notify) {
    while let Ok(first) = operations.recv() {
        let mut batch = vec![first];
        while batch.len() < MOST
            && let Ok(next) = operations.try_recv()
        {
            batch.push(next);
        }
        let adds = batch.iter().any(|operation| matches!(operation, Operation::Add(..)));
        commit(&mut table, batch);
        if adds {
            changed.notify_waiters();
        }
    }
}

/// An answer that waits for the transaction to be committed.
type Answer = Box<dyn FnOnce(Option<&rusqlite::Error>)>;

fn commit(table: &mut Table, batch: Vec<Operation>) {
    let mut answers: Vec<Answer> = Vec::with_capacity(batch.len());
    let committed = table.transaction(|table| {
        let mut failed = Ok(());
        for operation in batch {
            // After a failure nothing is done, and everybody is told.
            let done = operation.run(table, failed.is_ok(), &mut answers);
            failed = failed.and(done);
        }
        failed
    });
    for answer in answers {
        answer(committed.as_ref().err());
    }
}

impl Operation {
    fn run(
        self,
        table: &Table,
        go_on: bool,
        answers: &mut Vec<Answer>,
    ) -> Result<(), rusqlite::Error> {
        match self {
            Self::Add(task, reply) => answer(reply, go_on, answers, || table.add(&task)),
            Self::Take { now, max, lease, reply } => {
                answer(reply, go_on, answers, || table.take(now, max, lease))
            }
            Self::Extend { id, lease, until, reply } => {
                answer(reply, go_on, answers, || table.extend(&id, lease, until))
            }
            Self::Settle { id, lease, outcome, now, reply } => {
                answer(reply, go_on, answers, || table.settle(&id, lease, &outcome, now))
            }
            Self::Get(id, reply) => answer(reply, go_on, answers, || table.get(&id)),
            Self::List { after, max, reply } => {
                answer(reply, go_on, answers, || table.list(after.as_ref(), max))
            }
            Self::Stop { id, now, reply } => answer(reply, go_on, answers, || table.stop(&id, now)),
        }
    }
}

fn answer<T: 'static>(
    reply: Reply<T>,
    go_on: bool,
    answers: &mut Vec<Answer>,
    run: impl FnOnce() -> Result<T, rusqlite::Error>,
) -> Result<(), rusqlite::Error> {
    let failed = |error: Option<&rusqlite::Error>| {
        let why = error.map_or("another failed".to_owned(), ToString::to_string);
        StoreError::new(format!("tasks cannot be stored at the moment: {why}"))
    };
    let (result, outcome) = match go_on.then(run) {
        Some(Ok(value)) => (Some(value), Ok(())),
        Some(Err(error)) => (None, Err(error)),
        None => (None, Ok(())),
    };
    answers.push(Box::new(move |error| {
        // Nobody may wait for it any more.
        let _ = reply.send(match (error, result) {
            (None, Some(value)) => Ok(value),
            (error, _) => Err(failed(error)),
        });
    }));
    outcome
}
