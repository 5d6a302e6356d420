//! Where a file of tasks is, and how it is opened.

use super::owner::Owner;
use super::table::Table;
use super::unopened::Unopened;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a file of tasks is.
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) retention: Duration,
}

/// A file of tasks that is open.
pub(super) struct Opened {
    pub(super) table: Table,
    /// Let go of last. `None` of a file that another process may have.
    _owner: Option<Owner>,
}

impl Place {
    /// Opens the file for this process alone, or makes it. What ran in a process before is to
    /// be run again.
    pub(super) fn open(&self) -> Result<Opened, Unopened> {
        let path = file(&self.path)?;
        let owner = Owner::of(&path)?;
        let table = Table::open(&path, self.retention)?;
        table.take_over()?;
        Ok(Opened { table, _owner: Some(owner) })
    }

    /// Opens the file, which another process may have.
    pub(super) fn open_shared(&self) -> Result<Opened, Unopened> {
        let there = |error: io::Error| Unopened { why: error.to_string(), may_pass: false };
        let path = self.path.canonicalize().map_err(there)?;
        Ok(Opened { table: Table::open(&path, self.retention)?, _owner: None })
    }
}

/// The name that a file has for everybody, of which the names of the files beside it are made.
/// It is absolute, so that it is not one of SQLite's own (`:memory:`).
fn file(path: &Path) -> Result<PathBuf, Unopened> {
    use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem, StorageFull};
    let found = match path.canonicalize() {
        // One that is there is opened by SQLite alone: closing it another time would let go of
        // the locks that this process has on it.
        Err(error) if error.kind() == NotFound => {
            let made = OpenOptions::new().append(true).create(true).open(path);
            made.and_then(|_| path.canonicalize())
        }
        found => found,
    };
    let unopened = |why, may_pass| Unopened { why, may_pass };
    match found {
        Ok(found) if found.is_file() => Ok(found),
        Ok(_) => Err(unopened("it is no file".to_owned(), false)),
        Err(error) => {
            let may_pass = match error.kind() {
                StorageFull => true,
                PermissionDenied | ReadOnlyFilesystem => path.is_file(),
                _ => false,
            };
            Err(unopened(error.to_string(), may_pass))
        }
    }
}
