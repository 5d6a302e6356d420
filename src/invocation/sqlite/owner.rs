use rusqlite::Connection;
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
    pub(super) fn of(path: &Path) -> Result<Self, String> {
        let mut name = path.as_os_str().to_owned();
        name.push("-owner");
        let lock = Connection::open(name).map_err(|error| error.to_string())?;
        let locked = lock.execute_batch("PRAGMA journal_mode=DELETE; BEGIN EXCLUSIVE;");
        locked.map_err(|error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                "another process has it open".to_owned()
            }
            _ => error.to_string(),
        })?;
        Ok(Self { _lock: Mutex::new(lock) })
    }
}
