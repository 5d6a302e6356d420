use rusqlite::ErrorCode;

/// Why a file of tasks cannot be opened.
pub(super) struct Unopened {
    pub(super) why: String,
    /// Whether it can be once its disk can be written again.
    pub(super) may_pass: bool,
}

impl From<rusqlite::Error> for Unopened {
    fn from(error: rusqlite::Error) -> Self {
        use ErrorCode::{CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure};
        // The file is there: it is made first.
        let may_pass = matches!(
            error.sqlite_error_code(),
            Some(CannotOpen | DiskFull | PermissionDenied | ReadOnly | SystemIoFailure)
        );
        Self { why: error.to_string(), may_pass }
    }
}
