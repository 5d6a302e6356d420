//! The table of tasks, and what is asked of it.

use crate::invocation::store::{Added, Hold, Settled};
use crate::invocation::task::{
    StoredRequest, Taken, Task, TaskId, TaskState, TaskStatus, Tries, from_millis as time,
    to_millis as millis,
};
use bytes::Bytes;
use rusqlite::{Connection, Error, OpenFlags, OptionalExtension as _, Row, params};
use std::cell::Cell;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// `wake` is when a task is to be taken next: when it is due, or when the lease of the worker
/// that has it ends; there is none when it is over, and it is [`LOST`] when the process died that
/// had it. Times are milliseconds after the epoch.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS tasks (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        request_id TEXT NOT NULL,
        state TEXT NOT NULL,
        accepted INTEGER NOT NULL,
        due INTEGER NOT NULL,
        wake INTEGER,
        lease INTEGER NOT NULL DEFAULT 0,
        taken INTEGER NOT NULL DEFAULT 0,
        of_function INTEGER NOT NULL DEFAULT 0,
        of_platform INTEGER NOT NULL DEFAULT 0,
        platform_since INTEGER,
        ended INTEGER,
        error TEXT,
        head TEXT,
        body BLOB
    );
    CREATE INDEX IF NOT EXISTS tasks_by_wake ON tasks (wake) WHERE wake IS NOT NULL;
    CREATE INDEX IF NOT EXISTS tasks_by_end ON tasks (ended) WHERE ended IS NOT NULL;
    CREATE INDEX IF NOT EXISTS tasks_at_work ON tasks (number)
        WHERE state IN ('Running', 'Stopping');
";
/// The condition of the index `tasks_at_work`, in its own words: only then is it used.
const AT_WORK: &str = "state IN ('Running', 'Stopping')";
const LOST: i64 = 0;

/// Says that a file is one of tasks: `tfct`.
const APPLICATION: i32 = 0x7466_6374;
const VERSION: i32 = 1;

/// How often what is kept no longer is looked for, and how much of it goes at once.
const PURGE_EVERY: Duration = Duration::from_secs(10);
const PURGE_AT_ONCE: u32 = 1_000;

/// Names come in no order, so each one that is added is another page of their index: enough
/// memory for those of a million tasks.
const CACHE_KIB: u32 = 128 * 1024;

/// How long the log may become before it is sorted into the file, in pages of 4 KiB: as long as the
/// file, from 64 MB to 1 GB. Most pages are then written there once for several names.
const CHECKPOINT_PAGES: RangeInclusive<u32> = 16 * 1024..=256 * 1024;

/// How often that is looked at, in transactions.
const CHECKPOINT_EVERY: u32 = 256;

/// How files are opened: names are names of files, and none is made.
pub(super) fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

pub(super) struct Table {
    connection: Connection,
    retention: Duration,
    purged: Cell<Option<SystemTime>>,
    transactions: u32,
}

type Result<T> = std::result::Result<T, Error>;

impl Table {
    /// Of a file that is there.
    pub(super) fn open(path: &Path, retention: Duration) -> Result<Self> {
        let connection = Connection::open_with_flags(path, flags())?;
        let read = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i32>(0));
        let is_new = match (read("PRAGMA application_id")?, read("PRAGMA user_version")?) {
            (0, 0) if read("SELECT count(*) FROM sqlite_master")? == 0 => true,
            (APPLICATION, VERSION) => false,
            _ => {
                return Err(Error::InvalidPath("it is not a file of tasks of this version".into()));
            }
        };
        let journal: String =
            connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))?;
        if journal != "wal" {
            return Err(Error::InvalidPath("its file system has no room for a WAL".into()));
        }
        connection
            .execute_batch(&format!("PRAGMA synchronous=FULL; PRAGMA cache_size=-{CACHE_KIB};"))?;
        connection.execute_batch(SCHEMA)?;
        if is_new {
            connection.execute_batch(&format!(
                "PRAGMA application_id={APPLICATION}; PRAGMA user_version={VERSION};"
            ))?;
        }
        let table = Self { connection, retention, purged: Cell::new(None), transactions: 0 };
        table.fit_log()?;
        Ok(table)
    }

    /// Lets the log become as long as fits the file.
    fn fit_log(&self) -> Result<()> {
        let pages =
            self.connection.query_row("PRAGMA page_count", [], |row| row.get::<_, u32>(0))?;
        let pages = pages.clamp(*CHECKPOINT_PAGES.start(), *CHECKPOINT_PAGES.end());
        self.connection.execute_batch(&format!("PRAGMA wal_autocheckpoint={pages};"))
    }

    /// What ran when a process died is nobody's: no other process has the file.
    pub(super) fn take_over(&self) -> Result<()> {
        self.connection.execute_batch(&format!(
            "BEGIN IMMEDIATE;
             UPDATE tasks SET state = 'Stopped', wake = NULL, ended = due, head = NULL, body = NULL
             WHERE {AT_WORK} AND state = 'Stopping';
             UPDATE tasks SET state = 'Retrying', lease = lease + 1, wake = {LOST}
             WHERE {AT_WORK};
             COMMIT;"
        ))
    }

    /// All or nothing of it.
    pub(super) fn transaction(&mut self, run: impl FnOnce(&Self) -> Result<()>) -> Result<()> {
        self.transactions = self.transactions.wrapping_add(1);
        if self.transactions.is_multiple_of(CHECKPOINT_EVERY) {
            self.fit_log()?;
        }
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let done = run(self).and_then(|()| self.connection.execute_batch("COMMIT"));
        if done.is_err() && !self.connection.is_autocommit() {
            // The error that counts is the first.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        done
    }

    pub(super) fn add(&self, task: &Task) -> Result<Added> {
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO tasks (id, request_id, state, accepted, due, wake, head, body)
             VALUES (?1, ?2, 'Enqueued', ?3, ?4, ?4, ?5, ?6) ON CONFLICT (id) DO NOTHING",
        )?;
        let (accepted, due) = (millis(task.accepted_at), millis(task.due_at));
        let (head, body) = (task.request.write_head(), task.request.body.as_ref());
        let added = insert.execute(params![
            task.id.as_str(),
            task.request_id,
            accepted,
            due,
            head,
            body
        ])?;
        Ok(if added == 1 { Added::New } else { Added::Duplicate })
    }

    pub(super) fn take(&self, now: SystemTime, max: usize, lease: Duration) -> Result<Vec<Taken>> {
        self.purge(now)?;
        let mut due = self.connection.prepare_cached(
            "SELECT number, id, request_id, state, accepted, due, lease, taken, of_function,
                    of_platform, platform_since, head, body, wake
             FROM tasks WHERE wake <= ?1 ORDER BY wake LIMIT ?2",
        )?;
        let rows = due.query_map(params![millis(now), max.min(1_000) as u32], Due::read)?;
        let mut taken = Vec::new();
        for due in rows.collect::<Result<Vec<_>>>()? {
            let number = due.number;
            match due.state {
                Some(TaskState::Stopping) => {
                    self.end(number, TaskState::Stopped, None, now)?;
                }
                _ => match due.take(now) {
                    Some(task) => {
                        let until = millis(now.checked_add(lease).unwrap_or(now));
                        self.hold(number, &task, until)?;
                        taken.push(task);
                    }
                    None => {
                        let error = "what is stored of it is no request";
                        self.end(number, TaskState::Invalid, Some(error), now)?;
                    }
                },
            }
        }
        Ok(taken)
    }

    fn hold(&self, number: i64, taken: &Taken, until: i64) -> Result<()> {
        let mut update = self.connection.prepare_cached(
            "UPDATE tasks SET state = 'Running', wake = ?2, lease = ?3, taken = ?4,
                of_platform = ?5, platform_since = ?6 WHERE number = ?1",
        )?;
        let Tries { taken: times, of_platform, platform_since, .. } = taken.tries;
        let since = platform_since.map(millis);
        let lease = taken.lease as i64;
        update.execute(params![number, until, lease, times, of_platform, since])?;
        Ok(())
    }

    fn end(
        &self,
        number: i64,
        state: TaskState,
        error: Option<&str>,
        now: SystemTime,
    ) -> Result<()> {
        let mut update = self.connection.prepare_cached(
            "UPDATE tasks SET state = ?2, error = coalesce(?3, error), ended = ?4, wake = NULL,
                head = NULL, body = NULL WHERE number = ?1",
        )?;
        update.execute(params![number, state.name(), error, millis(now)])?;
        Ok(())
    }

    /// The number and the state of a task that this lease still has.
    fn held(&self, id: &TaskId, lease: u64) -> Result<Option<(i64, TaskState)>> {
        let mut select = self.connection.prepare_cached(
            "SELECT number, state FROM tasks
             WHERE id = ?1 AND lease = ?2 AND state IN ('Running', 'Stopping')",
        )?;
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, String>(1)?));
        let held = select.query_row(params![id.as_str(), lease as i64], read).optional()?;
        Ok(held.and_then(|(number, state)| Some((number, TaskState::from_name(&state)?))))
    }

    pub(super) fn extend(&self, id: &TaskId, lease: u64, until: SystemTime) -> Result<Hold> {
        let Some((number, state)) = self.held(id, lease)? else { return Ok(Hold::Lost) };
        let mut update =
            self.connection.prepare_cached("UPDATE tasks SET wake = ?2 WHERE number = ?1")?;
        update.execute(params![number, millis(until)])?;
        Ok(if state == TaskState::Stopping { Hold::Stopping } else { Hold::Kept })
    }

    pub(super) fn settle(
        &self,
        id: &TaskId,
        lease: u64,
        outcome: &Settled,
        now: SystemTime,
    ) -> Result<bool> {
        let Some((number, state)) = self.held(id, lease)? else { return Ok(false) };
        match outcome {
            Settled::Over { state, error } => self.end(number, *state, error.as_deref(), now)?,
            Settled::Again { error, .. } if state == TaskState::Stopping => {
                self.end(number, TaskState::Stopped, error.as_deref(), now)?;
            }
            Settled::Again { at, tries, error } => {
                let mut update = self.connection.prepare_cached(
                    "UPDATE tasks SET state = 'Retrying', due = ?2, wake = ?2, of_function = ?3,
                        of_platform = ?4, platform_since = ?5, error = coalesce(?6, error)
                     WHERE number = ?1",
                )?;
                let since = tries.platform_since.map(millis);
                let (at, of_platform) = (millis(*at), tries.of_platform);
                update.execute(params![
                    number,
                    at,
                    tries.of_function,
                    of_platform,
                    since,
                    error
                ])?;
            }
        }
        Ok(true)
    }

    pub(super) fn get(&self, id: &TaskId) -> Result<Option<TaskStatus>> {
        let mut select =
            self.connection.prepare_cached(&format!("SELECT {STATUS} FROM tasks WHERE id = ?1"))?;
        select.query_row([id.as_str()], status).optional()
    }

    pub(super) fn list(&self, after: Option<&TaskId>, max: usize) -> Result<Vec<TaskStatus>> {
        let mut select = self.connection.prepare_cached(&format!(
            "SELECT {STATUS} FROM tasks WHERE id > ?1 ORDER BY id LIMIT ?2"
        ))?;
        let after = after.map_or("", TaskId::as_str);
        select.query_map(params![after, max.min(1_000) as u32], status)?.collect()
    }

    pub(super) fn stop(&self, id: &TaskId, now: SystemTime) -> Result<Option<TaskState>> {
        let mut select =
            self.connection.prepare_cached("SELECT number, state FROM tasks WHERE id = ?1")?;
        let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
        let Some((number, state)) = select.query_row([id.as_str()], read).optional()? else {
            return Ok(None);
        };
        let state = TaskState::from_name(&state);
        match state {
            Some(TaskState::Enqueued | TaskState::Retrying) => {
                self.end(number, TaskState::Stopped, None, now)?;
                Ok(Some(TaskState::Stopped))
            }
            Some(TaskState::Running) => {
                let mut update = self
                    .connection
                    .prepare_cached("UPDATE tasks SET state = 'Stopping' WHERE number = ?1")?;
                update.execute([number])?;
                Ok(Some(TaskState::Stopping))
            }
            state => Ok(state),
        }
    }

    /// Forgets what has been over for long enough.
    fn purge(&self, now: SystemTime) -> Result<()> {
        let is_recent =
            |at: SystemTime| now.duration_since(at).is_ok_and(|since| since < PURGE_EVERY);
        if self.purged.get().is_some_and(is_recent) {
            return Ok(());
        }
        let before = now.checked_sub(self.retention).map_or(0, millis);
        let mut delete = self.connection.prepare_cached(
            "DELETE FROM tasks WHERE number IN
                (SELECT number FROM tasks WHERE ended < ?1 ORDER BY ended LIMIT ?2)",
        )?;
        // The rest of what is left goes with the next call.
        if delete.execute(params![before, PURGE_AT_ONCE])? < PURGE_AT_ONCE as usize {
            self.purged.set(Some(now));
        }
        Ok(())
    }
}

/// A row that is due.
struct Due {
    number: i64,
    id: String,
    request_id: String,
    state: Option<TaskState>,
    accepted: i64,
    due: i64,
    lease: i64,
    tries: Tries,
    head: Option<String>,
    body: Option<Vec<u8>>,
    wake: i64,
}

impl Due {
    fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            number: row.get(0)?,
            id: row.get(1)?,
            request_id: row.get(2)?,
            state: TaskState::from_name(&row.get::<_, String>(3)?),
            accepted: row.get(4)?,
            due: row.get(5)?,
            lease: row.get(6)?,
            tries: Tries {
                taken: row.get(7)?,
                of_function: row.get(8)?,
                of_platform: row.get(9)?,
                platform_since: row.get::<_, Option<i64>>(10)?.map(time),
            },
            head: row.get(11)?,
            body: row.get(12)?,
            wake: row.get(13)?,
        })
    }

    /// The task for a worker, `None` if what is stored is none.
    fn take(self, now: SystemTime) -> Option<Taken> {
        let Self { id, request_id, .. } = self;
        // Its lease has ended, or its process.
        let is_lost = self.state == Some(TaskState::Running) || self.wake == LOST;
        let tries = self.tries.and_one_more(is_lost, now);
        let request = StoredRequest::read(&self.head?, Bytes::from(self.body?))?;
        let task = Task {
            id: TaskId::of_store(id),
            request_id: request_id.into(),
            accepted_at: time(self.accepted),
            due_at: time(self.due),
            request,
        };
        let lease = (self.lease + 1) as u64;
        Some(Taken { task, lease, is_lost, tries, receipt: "".into() })
    }
}

const STATUS: &str = "id, request_id, state, accepted, due, taken, ended, error";

fn status(row: &Row<'_>) -> Result<TaskStatus> {
    Ok(TaskStatus {
        id: TaskId::of_store(row.get(0)?),
        request_id: row.get(1)?,
        state: TaskState::from_name(&row.get::<_, String>(2)?).unwrap_or(TaskState::Invalid),
        accepted_at: time(row.get(3)?),
        due_at: time(row.get(4)?),
        attempts: row.get(5)?,
        ended_at: row.get::<_, Option<i64>>(6)?.map(time),
        error: row.get(7)?,
    })
}
