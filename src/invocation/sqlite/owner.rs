use super::table::flags;
use super::unopened::Unopened;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::Path;
use std::sync::Mutex;

/// Has a file of tasks for this process alone, for as long as it lives.
///
/// A lock on an empty database beside the file, which the system lets go of when the process
/// dies, however that comes. The file itself is not locked: it can be looked into.
pub(super) struct Owner {
    _lock: Mutex<Connection>,
}

impl Owner {
    /// Of a file by the name that it has for everybody.
    pub(super) fn of(path: &Path) -> Result<Self, Unopened> {
        let mut name = path.as_os_str().to_owned();
        name.push("-owner");
        let lock = Connection::open_with_flags(name, flags().union(OpenFlags::SQLITE_OPEN_CREATE))?;
        let locked = lock.execute_batch("PRAGMA journal_mode=OFF; BEGIN EXCLUSIVE;");
        locked.map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Unopened { why: "another process has it open".to_owned(), may_pass: false }
            }
            _ => error.into(),
        })?;
        Ok(Self { _lock: Mutex::new(lock) })
    }
}
