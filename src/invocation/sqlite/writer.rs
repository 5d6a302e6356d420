//! The one thread that reads and writes: many operations share a transaction, and so an
//! `fsync`.

use super::place::{Opened, Place};
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

/// Does what is asked, until nobody can ask any more. A file that is not open is tried again with
/// all that is asked.
pub(super) fn run(
    place: &Place,
    mut opened: Option<Opened>,
    operations: &Receiver<Operation>,
    changed: &Notify,
) {
    while let Ok(first) = operations.recv() {
        let mut batch = vec![first];
        while batch.len() < MOST
            && let Ok(next) = operations.try_recv()
        {
            batch.push(next);
        }
        let adds = batch.iter().any(|operation| matches!(operation, Operation::Add(..)));
        let table = match &mut opened {
            Some(opened) => &mut opened.table,
            None => match place.open() {
                Ok(open) => &mut opened.insert(open).table,
                Err(unopened) => {
                    refuse(batch, &unopened.why);
                    continue;
                }
            },
        };
        commit(table, batch);
        if adds {
            changed.notify_waiters();
        }
    }
}

/// An answer that waits for the transaction to be committed, or is told why it is not.
type Answer = Box<dyn FnOnce(Option<&str>)>;

fn commit(table: &mut Table, batch: Vec<Operation>) {
    let mut answers: Vec<Answer> = Vec::with_capacity(batch.len());
    let committed = table.transaction(|table| {
        let mut failed = Ok(());
        for operation in batch {
            // After a failure nothing is done, and everybody is told.
            let done = operation.run(failed.is_ok().then_some(table), &mut answers);
            failed = failed.and(done);
        }
        failed
    });
    let why = committed.err().map(|error| error.to_string());
    for answer in answers {
        answer(why.as_deref());
    }
}

fn refuse(batch: Vec<Operation>, why: &str) {
    let mut answers = Vec::with_capacity(batch.len());
    for operation in batch {
        // Nothing is done that could fail.
        let _ = operation.run(None, &mut answers);
    }
    for answer in answers {
        answer(Some(why));
    }
}

impl Operation {
    /// Does it, if there is a table.
    fn run(self, table: Option<&Table>, answers: &mut Vec<Answer>) -> Result<(), rusqlite::Error> {
        match self {
            Self::Add(task, reply) => answer(reply, table, answers, |table| table.add(&task)),
            Self::Take { now, max, lease, reply } => {
                answer(reply, table, answers, |table| table.take(now, max, lease))
            }
            Self::Extend { id, lease, until, reply } => {
                answer(reply, table, answers, |table| table.extend(&id, lease, until))
            }
            Self::Settle { id, lease, outcome, now, reply } => {
                answer(reply, table, answers, |table| table.settle(&id, lease, &outcome, now))
            }
            Self::Get(id, reply) => answer(reply, table, answers, |table| table.get(&id)),
            Self::List { after, max, reply } => {
                answer(reply, table, answers, |table| table.list(after.as_ref(), max))
            }
            Self::Stop { id, now, reply } => {
                answer(reply, table, answers, |table| table.stop(&id, now))
            }
        }
    }
}

fn answer<T: 'static>(
    reply: Reply<T>,
    table: Option<&Table>,
    answers: &mut Vec<Answer>,
    run: impl FnOnce(&Table) -> Result<T, rusqlite::Error>,
) -> Result<(), rusqlite::Error> {
    let (result, outcome) = match table.map(run) {
        Some(Ok(value)) => (Some(value), Ok(())),
        Some(Err(error)) => (None, Err(error)),
        None => (None, Ok(())),
    };
    answers.push(Box::new(move |why| {
        // Nobody may wait for it any more.
        let _ = reply.send(match (why, result) {
            (None, Some(value)) => Ok(value),
            (why, _) => {
                let why = why.unwrap_or("another failed");
                Err(StoreError::new(format!("tasks cannot be stored at the moment: {why}")))
            }
        });
    }));
    outcome
}
