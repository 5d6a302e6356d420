use crate::error::{Error, ErrorKind};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The name of a task, by which it is looked up, and of which there is one.
///
/// It begins with a letter or `_`, has letters, digits, `_` and `-`, and at most 128 of them
/// (WIRE: `x-fc-async-task-id`); or it is a request id, which a task without a name is called by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(Box<str>);

/// The longest name.
const LONGEST: usize = 128;

impl TaskId {
    /// A name that a client gave.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidTaskId`], with the rule.
    pub fn new(name: &str) -> Result<Self, Error> {
        let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        if !begins || !is_id(name) {
            let rule = "a task id begins with a letter or _, has letters, digits, _ and - and at \
                        most 128 of them";
            return Err(Error::new(ErrorKind::InvalidTaskId, rule));
        }
        Ok(Self(name.into()))
    }

    /// The name of a task that was given none.
    pub(crate) fn of_request(request_id: &str) -> Self {
        Self(request_id.into())
    }

    /// A name that was stored.
    pub(crate) fn of_store(name: String) -> Self {
        Self(name.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether it has the letters that names and request ids are made of.
fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits)
}

/// Of any id by which a task can be looked up: a name that a client gave, or the request id of a
/// task without one.
impl FromStr for TaskId {
    type Err = Error;

    fn from_str(id: &str) -> Result<Self, Error> {
        if !is_id(id) {
            let rule = "a task id has letters, digits, _ and - and at most 128 of them";
            return Err(Error::new(ErrorKind::InvalidTaskId, rule));
        }
        Ok(Self(id.into()))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request that was accepted, to be carried out later.
#[derive(Clone)]
pub struct Task {
    pub(crate) id: TaskId,
    pub(crate) request_id: Box<str>,
    pub(crate) accepted_at: SystemTime,
    pub(crate) due_at: SystemTime,
    pub(crate) request: StoredRequest,
}

impl Task {
    /// Its name.
    pub fn id(&self) -> &TaskId {
        &self.id
    }

    /// The `x-fc-request-id` that its client was told, which the function is given too.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Returns when it was accepted.
    pub fn accepted_at(&self) -> SystemTime {
        self.accepted_at
    }

    /// Returns from when on it may run: when it was accepted, and its delay.
    pub fn due_at(&self) -> SystemTime {
        self.due_at
    }
}

/// Says nothing of the request, whose headers may have credentials.
impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.id.as_str())
            .field("accepted_at", &self.accepted_at)
            .field("due_at", &self.due_at)
            .finish_non_exhaustive()
    }
}

/// A request as it is stored.
#[derive(Clone, PartialEq)]
pub(crate) struct StoredRequest {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The head of a stored request, in a form that later versions can read.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredHead {
    version: u8,
    method: String,
    target: String,
    /// A byte of a value is a letter, that of Latin-1.
    headers: Vec<(String, String)>,
}

impl StoredRequest {
    /// Its head as text.
    pub(crate) fn write_head(&self) -> String {
        let headers = self.headers.iter();
        let head = StoredHead {
            version: 1,
            method: self.method.to_string(),
            target: self.uri.to_string(),
            headers: headers
                .map(|(name, value)| {
                    let value = value.as_bytes().iter().map(|byte| char::from(*byte));
                    (name.to_string(), value.collect())
                })
                .collect(),
        };
        // Strings and numbers alone: it cannot fail.
        serde_json::to_string(&head).unwrap_or_default()
    }

    /// The request of a stored head, `None` if it is none.
    pub(crate) fn read(head: &str, body: Bytes) -> Option<Self> {
        let head: StoredHead = serde_json::from_str(head).ok()?;
        if head.version != 1 {
            return None;
        }
        let mut headers = HeaderMap::new();
        for (name, value) in head.headers {
            let name: HeaderName = name.parse().ok()?;
            let value = value.chars().map(|letter| u8::try_from(letter).ok());
            let value = value.collect::<Option<Vec<u8>>>()?;
            headers.try_append(name, HeaderValue::from_bytes(&value).ok()?).ok()?;
        }
        let (method, uri) = (head.method.parse().ok()?, head.target.parse().ok()?);
        Some(Self { method, uri, headers, body })
    }

    /// The request for a function.
    pub(crate) fn to_request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

macro_rules! states {
    ($($(#[$doc:meta])* $state:ident = $name:literal;)*) => {
        /// What has become of a task: the states of Function Compute.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum TaskState {
            $($(#[$doc])* $state,)*
        }

        impl TaskState {
            /// Every state.
            pub const ALL: &'static [Self] = &[$(Self::$state,)*];

            /// Its name, as Function Compute writes it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$state => $name,)*
                }
            }
        }
    };
}

states! {
    /// It waits for its time, or for a worker.
    Enqueued = "Enqueued";
    /// A worker has it.
    Running = "Running";
    /// It failed, and waits to be run again.
    Retrying = "Retrying";
    /// The function answered.
    Succeeded = "Succeeded";
    /// It failed for good.
    Failed = "Failed";
    /// It runs, and was told to stop.
    Stopping = "Stopping";
    /// It was stopped.
    Stopped = "Stopped";
    /// What is stored of it is no request.
    Invalid = "Invalid";
    /// It was older than its maximum age before a worker took it.
    Expired = "Expired";
}

impl TaskState {
    /// Returns whether it is over.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Stopped | Self::Invalid | Self::Expired
        )
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.name() == name)
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What is known of a task.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TaskStatus {
    /// Its name.
    pub id: TaskId,
    /// The `x-fc-request-id` that its client was told.
    pub request_id: String,
    /// What has become of it.
    pub state: TaskState,
    /// When it was accepted.
    pub accepted_at: SystemTime,
    /// When it is due, or was last.
    pub due_at: SystemTime,
    /// How often it was given to a worker.
    pub attempts: u32,
    /// When it was over, if it is.
    pub ended_at: Option<SystemTime>,
    /// What went wrong last, if anything did.
    pub error: Option<String>,
}

/// A task that a worker has taken: it is the worker's until its lease ends.
#[derive(Clone, Debug)]
pub struct Taken {
    pub(crate) task: Task,
    /// Tells this taking from any other of the task.
    pub(crate) lease: u64,
    /// Whether the worker that had it before was lost: its lease ended, or its process.
    pub(crate) is_lost: bool,
    pub(crate) tries: Tries,
    /// What the store has to be told of it by, empty where the lease is enough.
    #[cfg_attr(not(feature = "async-nats"), allow(dead_code))]
    pub(crate) receipt: Box<str>,
}

impl Taken {
    /// What was taken.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// How it went before.
    pub fn tries(&self) -> Tries {
        self.tries
    }
}

/// How often a task was tried, and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tries {
    /// How often it was taken, this time included.
    pub taken: u32,
    /// How often the function failed.
    pub of_function: u32,
    /// How often the platform failed since the function last did.
    pub of_platform: u32,
    /// When the platform first failed, of these.
    pub platform_since: Option<SystemTime>,
}

impl Tries {
    /// The same, with one that begins now. That the last worker was lost is a failure of the
    /// platform.
    pub(crate) fn and_one_more(mut self, was_lost: bool, now: SystemTime) -> Self {
        self.taken += 1;
        if was_lost {
            self.of_platform += 1;
            self.platform_since.get_or_insert(now);
        }
        self
    }
}

/// Milliseconds after the epoch, as times are stored.
pub(crate) fn to_millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The time that was stored.
pub(crate) fn from_millis(millis: i64) -> SystemTime {
    let since = Duration::from_millis(u64::try_from(millis).unwrap_or_default());
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}
