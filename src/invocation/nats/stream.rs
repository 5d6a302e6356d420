//! The stream on the servers: what is asked of it, and whether it can be trusted at all.

use super::demands::{self, SERVER, faults};
use super::message::{EXPECTED_SUBJECT, Record, Subjects};
use super::settings::NatsSettings;
use crate::error::BoxError;
use crate::invocation::store::StoreError;
use crate::invocation::task::TaskId;
use async_nats::connection::State;
use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::jetstream::context::{GetStreamErrorKind, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use async_nats::jetstream::{self, Context, ErrorCode};
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::sleep;

/// How long an answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// How long it is waited before something is tried or looked at again.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

pub(super) struct TaskStream {
    pub(super) client: Client,
    pub(super) subjects: Subjects,
    pub(super) stream: Stream<()>,
    context: Context,
    settings: NatsSettings,
    /// How many connections there had been when the stream was looked at and found good; 0 when
    /// it was not.
    looked_at: AtomicU64,
    looking: Mutex<Found>,
}

/// What was found last, which is told when it changes.
#[derive(Clone, Copy, PartialEq)]
enum Found {
    Good,
    Bad,
}

/// What came of a message that was to be stored.
pub(super) enum Published {
    /// It is, under this number.
    Stored(u64),
    /// It is not, since there is another message than was expected.
    Conflict,
    /// It is not.
    Refused(StoreError),
    /// There is no answer: it may be, or may still become so.
    Unknown(StoreError),
}

impl TaskStream {
    /// Of a server that is connected. Makes the stream, if there is none.
    pub(super) async fn open(client: Client, settings: NatsSettings) -> Result<Self, StoreError> {
        let mut context = jetstream::new(client.clone());
        context.set_timeout(PATIENCE);
        is_new_enough(&client)?;
        let name = &*settings.stream;
        let is_missing = match context.get_stream(name).await.map_err(|error| error.kind()) {
            Ok(_) => false,
            Err(GetStreamErrorKind::JetStream(error)) if is_missing(&error) => true,
            Err(error) => return Err(unavailable(error.to_string())),
        };
        if is_missing {
            let made = context.create_stream(demands::config(&settings)).await;
            made.map_err(|error| {
                let message = format!("the stream {name} cannot be made: {error}");
                StoreError::new(message).because_of(error)
            })?;
        }
        let stream = context.get_stream_no_info(name).await;
        let stream = stream.map_err(|error| unavailable(error.to_string()))?;
        let subjects = Subjects::of_stream(name);
        let looking = Mutex::new(Found::Good);
        let looked_at = AtomicU64::new(0);
        let this = Self { client, subjects, stream, context, settings, looked_at, looking };
        this.look().await?;
        Ok(this)
    }

    /// Whether the stream can be relied on: it is looked at anew on each new connection, and
    /// after each failure. Nothing is stored in one that is not what it has to be.
    pub(super) async fn ensure_good(&self) -> Result<(), StoreError> {
        if self.is_good() {
            return Ok(());
        }
        let mut found = self.looking.lock().await;
        if self.is_good() {
            return Ok(());
        }
        let looked = self.look().await;
        let now = if looked.is_ok() { Found::Good } else { Found::Bad };
        if *found != now {
            *found = now;
            self.settings.alert.tell(looked.as_ref().err());
        }
        looked
    }

    /// Waits until it can, however long that is.
    pub(super) async fn wait_until_good(&self) {
        loop {
            sleep(PAUSE).await;
            if self.ensure_good().await.is_ok() {
                return;
            }
        }
    }

    /// Whether nothing is known against it.
    pub(super) fn is_good(&self) -> bool {
        self.is_connected() && self.looked_at.load(Ordering::SeqCst) == self.connections()
    }

    /// Has it looked at again.
    pub(super) fn doubt(&self) {
        self.looked_at.store(0, Ordering::SeqCst);
    }

    pub(super) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    fn connections(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::SeqCst)
    }

    /// An answer, `None` as soon as the connection is gone on which it would have come.
    pub(super) async fn while_connected<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        let connections = self.connections();
        let gone = async {
            while self.is_connected() && self.connections() == connections {
                sleep(PAUSE).await;
            }
        };
        tokio::select! {
            biased;
            answer = answer => Some(answer),
            () = gone => None,
        }
    }

    async fn look(&self) -> Result<(), StoreError> {
        let connections = self.connections();
        if !self.is_connected() {
            return Err(not_connected());
        }
        is_new_enough(&self.client)?;
        let name = &self.settings.stream;
        let info = self.while_connected(self.stream.get_info()).await;
        let info = info.ok_or_else(not_connected)?.map_err(unavailable)?;
        let faults = faults(&info.config, &self.settings);
        if !faults.is_empty() {
            let faults = faults.join("; ");
            let message = format!("the stream {name} would not keep what is promised: {faults}");
            return Err(StoreError::new(message));
        }
        self.looked_at.store(connections, Ordering::SeqCst);
        Ok(())
    }

    /// Puts the first message of a task, if there is none of its name.
    pub(super) async fn put_new(
        &self,
        id: &TaskId,
        subject: &str,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Published {
        headers.insert(EXPECTED_SUBJECT, self.subjects.task(id));
        self.publish(subject.to_owned(), headers, body, 0).await
    }

    /// Puts what has become of a task, if nothing has since what was read.
    pub(super) async fn put_state(&self, id: &TaskId, record: &Record, seen: u64) -> Published {
        let mut headers = HeaderMap::new();
        if record.state.is_final() {
            let seconds = self.settings.retention.as_secs_f64().ceil();
            headers.insert(async_nats::header::NATS_MESSAGE_TTL, format!("{seconds}s"));
        }
        self.publish(self.subjects.state(id), headers, record.write(), seen).await
    }

    async fn publish(
        &self,
        subject: String,
        mut headers: HeaderMap,
        payload: Bytes,
        expected: u64,
    ) -> Published {
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, expected.to_string());
        let message = PublishMessage::build().headers(headers).payload(payload);
        let sent = async { self.context.send_publish(subject, message).await?.await };
        let error = match self.while_connected(sent).await {
            Some(Ok(acknowledged)) => return Published::Stored(acknowledged.sequence),
            Some(Err(error)) => error,
            None => PublishErrorKind::BrokenPipe.into(),
        };
        let is_answer =
            std::error::Error::source(&error).is_some_and(|source| source.is::<jetstream::Error>());
        match error.kind() {
            PublishErrorKind::WrongLastSequence => Published::Conflict,
            PublishErrorKind::MaxPayloadExceeded => Published::Refused(unavailable(error)),
            kind => {
                self.doubt();
                if is_answer || kind == PublishErrorKind::StreamNotFound {
                    Published::Refused(unavailable(error))
                } else {
                    Published::Unknown(unavailable(error))
                }
            }
        }
    }

    /// The last message of a subject, which may have wildcards: its own subject, its number, its
    /// headers and its payload.
    pub(super) async fn last(&self, subject: &str) -> Result<Option<Last>, StoreError> {
        let last = self.stream.get_last_raw_message_by_subject(subject);
        let error = match self.while_connected(last).await {
            Some(Ok(message)) => {
                return Ok(Some(Last {
                    subject: message.subject.to_string(),
                    sequence: message.sequence,
                    headers: message.headers,
                    payload: message.payload,
                }));
            }
            Some(Err(error)) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
                return Ok(None);
            }
            Some(Err(error)) => unavailable(error),
            None => not_connected(),
        };
        self.doubt();
        Err(error)
    }

    /// What has become of a task, and the number of the message that says so.
    pub(super) async fn state(&self, id: &TaskId) -> Result<Option<(Record, u64)>, StoreError> {
        let Some(last) = self.last(&self.subjects.state(id)).await? else { return Ok(None) };
        match Record::read(&last.payload, last.sequence) {
            Some(record) => Ok(Some((record, last.sequence))),
            None => Err(StoreError::new(format!("the state of the task {id} cannot be read"))),
        }
    }

    /// Removes the request of a task, wherever it waits.
    pub(super) async fn remove_request(&self, id: &TaskId) -> Result<(), StoreError> {
        for subject in [self.subjects.later(id), self.subjects.work(id)] {
            self.stream.purge().filter(subject).await.map_err(|error| {
                self.doubt();
                unavailable(error)
            })?;
        }
        Ok(())
    }
}

/// A message as it is stored.
pub(super) struct Last {
    pub(super) subject: String,
    pub(super) sequence: u64,
    pub(super) headers: HeaderMap,
    pub(super) payload: Bytes,
}

fn is_missing(error: &jetstream::Error) -> bool {
    error.error_code() == ErrorCode::STREAM_NOT_FOUND
}

fn is_new_enough(client: &Client) -> Result<(), StoreError> {
    let (major, minor) = SERVER;
    if client.is_server_compatible(major, minor, 0) {
        return Ok(());
    }
    let found = client.server_info().version;
    let rule = format!("the NATS server is {found}, and has to be {major}.{minor} or later");
    Err(StoreError::new(rule))
}

pub(super) fn not_connected() -> StoreError {
    StoreError::new("no NATS server is connected")
}

pub(super) fn unavailable(error: impl Into<BoxError>) -> StoreError {
    let error = error.into();
    StoreError::new(format!("the stream cannot be used at the moment: {error}")).because_of(error)
}
