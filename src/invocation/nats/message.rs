//! A task as messages of a stream, and what is read from them.

use crate::invocation::task::{
    StoredRequest, Task, TaskId, TaskState, TaskStatus, Tries, from_millis, to_millis,
};
use crate::protocol::date::format_acs_date;
use async_nats::HeaderMap;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// The subjects of a stream: those of a task begin with the names of the stream and of the task.
#[derive(Clone)]
pub(super) struct Subjects(Box<str>);

impl Subjects {
    pub(super) fn of_stream(name: &str) -> Self {
        Self(name.into())
    }

    pub(super) fn all(&self) -> String {
        format!("{}.>", self.0)
    }

    /// Everything of a task.
    pub(super) fn task(&self, id: &TaskId) -> String {
        format!("{}.{id}.>", self.0)
    }

    /// Its request, for a worker.
    pub(super) fn work(&self, id: &TaskId) -> String {
        format!("{}.{id}.work", self.0)
    }

    /// The requests of every task that is due.
    pub(super) fn every_work(&self) -> String {
        format!("{}.*.work", self.0)
    }

    /// Its request, as long as it is not due: the server makes work of it.
    pub(super) fn later(&self, id: &TaskId) -> String {
        format!("{}.{id}.later", self.0)
    }

    /// What has become of it, as soon as anything has.
    pub(super) fn state(&self, id: &TaskId) -> String {
        format!("{}.{id}.state", self.0)
    }

    /// The task of a subject.
    pub(super) fn id(&self, subject: &str) -> Option<TaskId> {
        let rest = subject.strip_prefix(&*self.0)?.strip_prefix('.')?;
        let (id, _) = rest.split_once('.')?;
        Some(TaskId::of_store(id.to_owned()))
    }
}

/// Headers of a message that is a request.
const REQUEST_ID: &str = "Fc-Request-Id";
const ACCEPTED: &str = "Fc-Accepted";
const DUE: &str = "Fc-Due";
const HEAD: &str = "Fc-Head";

/// Headers of NATS that async-nats has no name for.
pub(super) const EXPECTED_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";
const SCHEDULE: &str = "Nats-Schedule";
const SCHEDULE_TARGET: &str = "Nats-Schedule-Target";

/// Where a task is put, and by which headers. The server makes work of one that is due later.
pub(super) fn write_task(task: &Task, subjects: &Subjects) -> (String, HeaderMap) {
    let mut headers = HeaderMap::new();
    headers.insert(REQUEST_ID, &*task.request_id);
    headers.insert(ACCEPTED, to_millis(task.accepted_at).to_string());
    headers.insert(DUE, to_millis(task.due_at).to_string());
    headers.insert(HEAD, task.request.write_head());
    let work = subjects.work(&task.id);
    if task.due_at <= task.accepted_at {
        return (work, headers);
    }
    headers.insert(SCHEDULE, format!("@at {}", rfc3339(task.due_at)));
    headers.insert(SCHEDULE_TARGET, work);
    (subjects.later(&task.id), headers)
}

/// A time to the millisecond, as the server reads it.
fn rfc3339(time: SystemTime) -> String {
    let seconds = format_acs_date(time);
    let seconds = String::from_utf8_lossy(&seconds);
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), to_millis(time) % 1_000)
}

/// What is known of a task by its request.
pub(super) struct Claim {
    pub(super) request_id: String,
    pub(super) accepted_at: SystemTime,
    pub(super) due_at: SystemTime,
}

impl Claim {
    /// Of a message that is a request; what it has not is empty.
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).map(|value| value.as_str().to_owned());
        let time = |name| from_millis(text(name).and_then(|text| text.parse().ok()).unwrap_or(0));
        Self {
            request_id: text(REQUEST_ID).unwrap_or_default(),
            accepted_at: time(ACCEPTED),
            due_at: time(DUE),
        }
    }

    /// The task of a message, `None` if what is stored is no request.
    pub(super) fn read_task(&self, id: &TaskId, headers: &HeaderMap, body: Bytes) -> Option<Task> {
        Some(Task {
            id: id.clone(),
            request_id: self.request_id.as_str().into(),
            accepted_at: self.accepted_at,
            due_at: self.due_at,
            request: StoredRequest::read(headers.get(HEAD)?.as_str(), body)?,
        })
    }
}

/// What has become of a task: the message of its state.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    pub(super) state: TaskState,
    pub(super) request_id: String,
    pub(super) accepted_at: SystemTime,
    pub(super) due_at: SystemTime,
    /// The number of the message by which a worker took it last.
    pub(super) lease: u64,
    /// Until when that worker has it, if it does not say that it goes on.
    pub(super) held_until: SystemTime,
    pub(super) tries: Tries,
    pub(super) ended_at: Option<SystemTime>,
    pub(super) error: Option<String>,
}

/// The same, in a form that later versions can read.
#[derive(Serialize, Deserialize)]
struct StoredRecord {
    version: u8,
    state: String,
    request_id: String,
    accepted: i64,
    due: i64,
    lease: u64,
    held_until: i64,
    taken: u32,
    of_function: u32,
    of_platform: u32,
    platform_since: Option<i64>,
    ended: Option<i64>,
    error: Option<String>,
}

impl Record {
    /// The first of a task.
    pub(super) fn of(claim: &Claim) -> Self {
        Self {
            state: TaskState::Enqueued,
            request_id: claim.request_id.clone(),
            accepted_at: claim.accepted_at,
            due_at: claim.due_at,
            lease: 0,
            held_until: claim.due_at,
            tries: Tries::default(),
            ended_at: None,
            error: None,
        }
    }

    /// Of a message with this number, `None` if it is none.
    pub(super) fn read(payload: &[u8], sequence: u64) -> Option<Self> {
        let stored: StoredRecord = serde_json::from_slice(payload).ok()?;
        let state = TaskState::from_name(&stored.state).filter(|_| stored.version == 1)?;
        Some(Self {
            state,
            request_id: stored.request_id,
            accepted_at: from_millis(stored.accepted),
            due_at: from_millis(stored.due),
            lease: if state == TaskState::Running { sequence } else { stored.lease },
            held_until: from_millis(stored.held_until),
            tries: Tries {
                taken: stored.taken,
                of_function: stored.of_function,
                of_platform: stored.of_platform,
                platform_since: stored.platform_since.map(from_millis),
            },
            ended_at: stored.ended.map(from_millis),
            error: stored.error,
        })
    }

    pub(super) fn write(&self) -> Bytes {
        let stored = StoredRecord {
            version: 1,
            state: self.state.name().to_owned(),
            request_id: self.request_id.clone(),
            accepted: to_millis(self.accepted_at),
            due: to_millis(self.due_at),
            lease: self.lease,
            held_until: to_millis(self.held_until),
            taken: self.tries.taken,
            of_function: self.tries.of_function,
            of_platform: self.tries.of_platform,
            platform_since: self.tries.platform_since.map(to_millis),
            ended: self.ended_at.map(to_millis),
            error: self.error.clone(),
        };
        // Strings and numbers alone: it cannot fail.
        serde_json::to_vec(&stored).unwrap_or_default().into()
    }

    /// Whether this is what was read from a message with this number.
    pub(super) fn is_stored_as(&self, read: &Self, number: u64) -> bool {
        Self::read(&self.write(), number).as_ref() == Some(read)
    }

    /// The same task, over.
    pub(super) fn ended(
        mut self,
        state: TaskState,
        error: Option<String>,
        now: SystemTime,
    ) -> Self {
        self.state = state;
        self.ended_at = Some(now);
        self.error = error.or(self.error);
        self
    }

    pub(super) fn to_status(&self, id: TaskId) -> TaskStatus {
        TaskStatus {
            id,
            request_id: self.request_id.clone(),
            state: self.state,
            accepted_at: self.accepted_at,
            due_at: self.due_at,
            attempts: self.tries.taken,
            ended_at: self.ended_at,
            error: self.error.clone(),
        }
    }
}
