use crate::error::{Error, ErrorKind};
use crate::invocation::store::{DEFAULT_RETENTION, StoreError};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Which stream has the tasks, and how they are kept.
///
/// By default the stream has three replicas, so that no single machine's death loses a task.
#[derive(Clone)]
pub struct NatsSettings {
    pub(super) stream: Box<str>,
    pub(super) kept: Kept,
    pub(super) retention: Duration,
    pub(super) alert: Alert,
}

/// What makes a task durable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kept {
    /// By so many machines, or more.
    Replicas(usize),
    /// By each machine on its disk before it is acknowledged: the operator says so.
    Synced,
}

#[derive(Clone)]
pub(super) struct Alert(Arc<Tell>);

type Tell = dyn Fn(Option<&StoreError>) + Send + Sync;

impl Alert {
    pub(super) fn tell(&self, error: Option<&StoreError>) {
        (self.0)(error);
    }
}

impl NatsSettings {
    /// Has the tasks in a stream of this name, whose subjects begin with it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for a name that is empty or has anything but letters, digits,
    /// `_` and `-`.
    pub fn new(stream: &str) -> Result<Self, Error> {
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if stream.is_empty() || !stream.bytes().all(is_fine) {
            let rule = "the name of a stream has letters, digits, _ and -, and at least one";
            return Err(Error::new(ErrorKind::InvalidSetting, rule));
        }
        Ok(Self {
            stream: stream.into(),
            kept: Kept::Replicas(3),
            retention: DEFAULT_RETENTION,
            alert: Alert(Arc::new(|_| {})),
        })
    }

    /// Has so many replicas of the stream, in place of 3: a majority of them has a task before it
    /// is accepted.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for less than 3 or more than 5, the most that NATS has.
    pub fn with_replicas(self, replicas: usize) -> Result<Self, Error> {
        if !(3..=5).contains(&replicas) {
            let message = format!("a stream has 3 to 5 replicas, and not {replicas}");
            return Err(Error::new(ErrorKind::InvalidSetting, message));
        }
        Ok(Self { kept: Kept::Replicas(replicas), ..self })
    }

    /// Takes a stream of one replica, because you vouch for it that each server has
    /// `jetstream { sync_interval: always }` in its configuration.
    ///
    /// A client cannot see that setting. Without it a server acknowledges a task up to two
    /// minutes before it is on the disk, and loses it with its machine's power. `GET /jsz?config=1`
    /// of the server's monitoring port says `"sync_always": true` where it is set.
    #[must_use]
    pub fn with_vouched_sync_always(self) -> Self {
        Self { kept: Kept::Synced, ..self }
    }

    /// Has names stay taken for this long when their tasks are over, in place of 7 days.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for less than 1 second, the least that NATS has.
    pub fn with_retention(self, retention: Duration) -> Result<Self, Error> {
        if retention < Duration::from_secs(1) {
            let message = format!("names stay taken for 1 s at the least, and not {retention:?}");
            return Err(Error::new(ErrorKind::InvalidSetting, message));
        }
        Ok(Self { retention, ..self })
    }

    /// Tells `alert` when the stream cannot be used any more, with the error, and with `None`
    /// when it can be used again. It is found out when the store is asked for something: a
    /// worker does so all the time, [`NatsStore::check`](super::NatsStore::check) whenever you
    /// like.
    #[must_use]
    pub fn with_alert(self, alert: impl Fn(Option<&StoreError>) + Send + Sync + 'static) -> Self {
        Self { alert: Alert(Arc::new(alert)), ..self }
    }
}

impl fmt::Debug for NatsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsSettings")
            .field("stream", &self.stream)
            .field("kept", &self.kept)
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}
