//! Tasks in a stream of NATS JetStream, for gateways and workers on many machines.
//!
//! ```no_run
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use std::convert::Infallible;
//! use tower::{Layer, service_fn};
//! use tower_fc::invocation::nats::{NatsSettings, NatsStore};
//! use tower_fc::invocation::{InvocationLayer, Worker};
//! use tower_fc::trigger::HttpTrigger;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let servers = "nats://a:4222,nats://b:4222,nats://c:4222";
//! let settings = NatsSettings::new("pay")?
//!     .with_alert(|error| eprintln!("the stream can be used: {}", error.is_none()));
//! let store = NatsStore::connect(servers, settings).await?;
//!
//! // On some machines:
//! let function = service_fn(async |_: Request<Full<Bytes>>| {
//!     Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("paid")))
//! });
//! let trigger = HttpTrigger::anonymous();
//! let gateway = trigger.with_invocation(InvocationLayer::new(store.clone())).layer(function);
//! // On the same, or on others:
//! tokio::spawn(Worker::new(store, function).run(std::future::pending()));
//! # drop(gateway);
//! # Ok(())
//! # }
//! ```
//!
//! # Servers
//!
//! Either three or more servers of version 2.12 or later are one cluster with JetStream:
//!
//! ```text
//! server_name: a
//! jetstream { store_dir: "/var/lib/nats" }
//! cluster { name: fc, listen: "0.0.0.0:6222", routes: [nats-route://b:6222, nats-route://c:6222] }
//! ```
//!
//! or a server has everything on its disk before it acknowledges it, for which somebody vouches by
//! [`NatsSettings::with_vouched_sync_always`]:
//!
//! ```text
//! jetstream { store_dir: "/var/lib/nats", sync_interval: always }
//! ```
//!
//! Both can be had together. The stream is made when there is none; one that is there is looked
//! at, and refused with the reasons if it keeps tasks in memory, drops old ones or has too few
//! replicas. It is looked at again on each new connection and after each failure: tasks never go
//! to what took its place.
//!
//! Requests are stored as they are, with headers and bodies, and what is put into the stream by
//! others is run without any question. So it belongs into an account of its own, behind a password
//! or a key and TLS. [`NatsStore::connect`] takes `nats://user:password@host:port` and
//! `tls://…`; [`NatsStore::with_client`] takes whatever async-nats can connect by.
//!
//! # What is promised
//!
//! - What was answered 202 was acknowledged by a majority of the replicas, or by the disk. It runs
//!   at least once, when servers, gateways and workers are killed, and one machine is lost. Three
//!   replicas that lose their power at the same time can lose what the last two minutes brought,
//!   if they do not sync always too (NATS documentation, "Persistent and consistent distributed
//!   storage").
//! - What was answered otherwise never runs. While no server can be reached, that is 503. A
//!   request that was on its way when the connection broke is answered when it is known what
//!   became of it, or not at all: a layer in front of the gateway that gives it up after a while
//!   does not know either.
//! - A name stays taken while its task waits, and when it is over for [`DEFAULT_RETENTION`]
//!   (7 days) or as long as [`NatsSettings::with_retention`] says, across restarts.
//! - The work of a worker that dies is another's when its lease ([`Worker::with_lease`], 30 s by
//!   default) has ended.
//! - A task is due by the server's clock and by the worker's: never before the later one.
//!
//! [`Worker::with_lease`]: super::Worker::with_lease
//! [`DEFAULT_RETENTION`]: super::DEFAULT_RETENTION
//!
//! # What the engine does
//!
//! | what | how |
//! |---|---|
//! | one task of a name | one message for the subjects `STREAM.NAME.>`, with an expected last sequence of 0 |
//! | a delay | a message schedule: `STREAM.NAME.later` becomes `STREAM.NAME.work` when it is due, a quarter of a second later at the most |
//! | one worker for a task | one durable pull consumer, `workers`, of a work queue |
//! | a lease | `ack_wait`, and "in progress" from a worker that goes on |
//! | back-off, handing back | `NAK` with a delay; that it may be given earlier after a restart is seen by the state |
//! | what has become of it | the last message of `STREAM.NAME.state`, each put on condition of the one before; the last of all has the retention time as its time to live |
//!
//! A task is three messages when it goes well: its request, that a worker has it, and what came of
//! it; a delay is one more.
//!
//! # How much it takes
//!
//! What the engine's documentation publishes ("nats bench": nats-server 2.12.1 on a MacBook Pro M4
//! of 10 cores, messages of 128 bytes in files, one server):
//!
//! | | messages/s |
//! |---|---|
//! | one client publishes, asynchronously | 403 828 |
//! | eight clients publish while eight others read all of it | 252 544 |
//! | a durable consumer gives to four clients, which acknowledge each | 290 438 |
//! | one client asks for messages one by one | 33 244 |
//! | with `sync_interval: always` ("Configuration") | "a few hundred" |
//!
//! For three replicas, for message schedules and for expected sequences it publishes no figure, nor
//! for the memory of a subject. So this is what can be said on paper:
//!
//! | invocations/s | messages written/s | given and acknowledged/s | what that needs |
//! |---|---|---|---|
//! | 1 k | 3 k to 4 k | 1 k | 1 % of the first figure, and measured below on far less: three small servers, one stream. One server that syncs always is too slow by ten times: it is good for some 100 invocations/s |
//! | 50 k | 150 k to 200 k | 50 k | 40 to 80 % of what one server writes without replicas. With three replicas nobody has published it: several streams, led by different servers, and a measurement before anything is promised |
//! | 1 M | 3 M to 4 M | 1 M | 8 to 16 times what one server writes, and all of it three times: 25 to 50 such servers, and 16 streams or more. A store is one stream: that is a store and a trigger for each part of the callers |
//!
//! Before the rate it is the *names* that run out: a server has every subject in its memory.
//! Measured here, a task that waits takes 250 to 550 bytes of it, and a name that is over 600 to
//! 1 700. So 1 k invocations/s for 7 days are 605 million names, and 400 GB to 1 TB; 64 GB last
//! for 40 to 100 million: a week of some 100 invocations/s, or half a day to a day of 1 k, with a
//! shorter [retention](NatsSettings::with_retention).
//!
//! Measured on a busy machine of two cores with everything on it (nats-server 2.15.1, bodies of two
//! bytes, 64 clients, one worker of 100; `INVOCATION_FIGURES` in CONTRIBUTING.md):
//!
//! | | accepted/s | carried out/s | accepted/s while 1 000 000 wait |
//! |---|---|---|---|
//! | one server, not synced | 28 000 | 6 100 | 25 300 |
//! | three replicas | 12 900 | 1 300 | 7 900 |
//! | one server that syncs always, where a synced write takes 1 ms to 26 ms | 430 to 1 400 | 30 to 540 | |
//!
//! So a million that wait slow one server by some 10 %, and three replicas that share two cores by
//! some 40 %.

mod demands;
mod message;
mod queue;
mod settings;
mod state;
mod stream;

pub use settings::NatsSettings;

use super::store::{Added, Hold, InvocationStore, Settled, StoreError};
use super::task::{Taken, Task, TaskId, TaskState, TaskStatus};
use crate::error::{Error, ErrorKind};
use async_nats::jetstream::AckKind;
use async_nats::jetstream::message::Message;
use async_nats::{Client, ConnectOptions};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use message::{Claim, Record, write_task};
use queue::Queue;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use stream::{PATIENCE, PAUSE, Published, TaskStream, not_connected, unavailable};
use tokio::time::timeout;

/// Keeps tasks in a stream of NATS JetStream: for gateways and workers on many machines.
///
/// A task is added when the servers have acknowledged its message, under a subject of its own,
/// where there must be none yet. The server holds one with a delay until it is due, gives each
/// that is due to one worker, and to another when the first has not said in time that it goes
/// on. So it is the server's clock that tells when a task is due and when a lease has ended;
/// the clocks of gateways and workers should go right within a second.
///
/// What is over keeps its name and its state for the retention time, and not its request.
/// Listing asks the server for every name, however few are asked for.
///
/// While no server is connected, tasks are refused. One of which it is not known whether it was
/// stored, since the connection broke before the answer, waits until that is known: it is asked
/// again, and neither accepted nor refused before.
///
/// Workers of one stream should have the same lease; the longest that any of them has had counts
/// for all.
///
/// Clones share the connection.
#[derive(Clone)]
pub struct NatsStore {
    shared: Arc<Shared>,
}

struct Shared {
    stream: TaskStream,
    queue: Queue,
}

impl NatsStore {
    /// Connects to one of these servers (`nats://user:password@host:port`, separated by commas),
    /// and makes the stream if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidStore`] when no server can be reached, the server is older than 2.12,
    /// or the stream would not keep what is promised: the text says why, and what to do.
    pub async fn connect(servers: &str, settings: NatsSettings) -> Result<Self, Error> {
        let options = ConnectOptions::new()
            .name("tower-fc")
            .connection_timeout(PATIENCE)
            // So a server that is silent is found out within seconds.
            .ping_interval(PATIENCE)
            .reconnect_delay_callback(|tries| {
                let tries = u32::try_from(tries).unwrap_or(u32::MAX);
                PAUSE.saturating_mul(tries).min(Duration::from_secs(1))
            });
        let servers: Vec<&str> = servers.split(',').map(str::trim).collect();
        let client = options.connect(servers).await.map_err(|error| {
            // Its text has no address, which may have a password.
            Error::new(ErrorKind::InvalidStore, format!("no NATS server is reached: {error}"))
        })?;
        Self::with_client(client, settings).await
    }

    /// The same by a client that is connected, however it authenticates itself.
    ///
    /// # Errors
    /// As [`NatsStore::connect`].
    pub async fn with_client(client: Client, settings: NatsSettings) -> Result<Self, Error> {
        let stream = TaskStream::open(client, settings).await;
        let stream = stream.map_err(|why| Error::new(ErrorKind::InvalidStore, why.to_string()))?;
        Ok(Self { shared: Arc::new(Shared { stream, queue: Queue::default() }) })
    }

    /// Looks whether tasks can be stored: for a probe of whether a gateway is ready.
    ///
    /// # Errors
    /// No server is connected, or the stream is gone, or is not what it has to be any more.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.shared.stream.doubt();
        self.shared.stream.ensure_good().await
    }

    /// Has a worker take what the server gave it. `None` of what is not to be run, or not yet.
    async fn claim(
        &self,
        message: &Message,
        now: SystemTime,
        lease: Duration,
    ) -> Result<Option<Taken>, StoreError> {
        let Some(receipt) = message.reply.as_deref() else { return Ok(None) };
        let Some(id) = self.shared.stream.subjects.id(&message.subject) else { return Ok(None) };
        let empty = async_nats::HeaderMap::new();
        let headers = message.headers.as_ref().unwrap_or(&empty);
        let claim = Claim::read(headers);
        let task = claim.read_task(&id, headers, message.payload.clone());
        let is_valid = task.is_some();
        let is_new = message.info().is_ok_and(|info| info.delivered == 1);
        let held_until = now.checked_add(lease).unwrap_or(now);
        let take = |before: Option<&Record>| {
            let record = before.cloned().unwrap_or_else(|| Record::of(&claim));
            if record.state.is_final() || record.held_until > now {
                return None;
            }
            if record.state == TaskState::Stopping {
                return Some(record.ended(TaskState::Stopped, None, now));
            }
            if !is_valid {
                let error = Some("what is stored of it is no request".to_owned());
                return Some(record.ended(TaskState::Invalid, error, now));
            }
            let was_lost = record.state == TaskState::Running;
            let tries = record.tries.and_one_more(was_lost, now);
            Some(Record { state: TaskState::Running, held_until, tries, ..record })
        };
        let (before, written) = self.shared.stream.change(&id, is_new, take).await?;
        match (written, task) {
            (Some((record, lease)), Some(task)) if record.state == TaskState::Running => {
                let is_lost = before.is_some_and(|before| before.state == TaskState::Running);
                let (tries, receipt) = (record.tries, receipt.into());
                Ok(Some(Taken { task, lease, is_lost, tries, receipt }))
            }
            (None, _) => {
                let record = before.unwrap_or_else(|| Record::of(&claim));
                let kind = if record.state.is_final() {
                    AckKind::Ack
                } else {
                    AckKind::Nak(Some(record.held_until.duration_since(now).unwrap_or(PAUSE)))
                };
                self.tell(receipt, kind).await?;
                Ok(None)
            }
            (Some(_), _) => {
                self.tell(receipt, AckKind::Ack).await?;
                Ok(None)
            }
        }
    }

    /// Tells the server what becomes of what it gave. If that is lost it gives it again when the
    /// lease has ended, and then the state says what becomes of it.
    async fn tell(&self, receipt: &str, kind: AckKind) -> Result<(), StoreError> {
        let client = &self.shared.stream.client;
        client.publish(receipt.to_owned(), kind.into()).await.map_err(unavailable)?;
        // So it is on its way before this process may end.
        match timeout(PATIENCE, client.flush()).await {
            Ok(flushed) => flushed.map_err(unavailable),
            Err(_) => Err(not_connected()),
        }
    }
}

impl InvocationStore for NatsStore {
    async fn add(&self, task: Task) -> Result<Added, StoreError> {
        let stream = &self.shared.stream;
        stream.ensure_good().await?;
        let (subject, headers) = write_task(&task, &stream.subjects);
        let (id, body) = (&task.id, &task.request.body);
        // Once its fate is unknown, nothing but the stream itself tells it.
        let mut may_be_stored = false;
        loop {
            match stream.put_new(id, &subject, headers.clone(), body.clone()).await {
                Published::Stored(_) => return Ok(Added::New),
                Published::Conflict => match stream.find(id).await {
                    Ok(Some(found)) if *found.request_id == *task.request_id => {
                        return Ok(Added::New);
                    }
                    Ok(Some(_)) => return Ok(Added::Duplicate),
                    Ok(None) => {}
                    Err(_) => may_be_stored = true,
                },
                Published::Refused(error) if !may_be_stored => return Err(error),
                Published::Refused(_) => {}
                Published::Unknown(_) => may_be_stored = true,
            }
            // What is sent meanwhile would only wait in the client.
            stream.wait_until_good().await;
        }
    }

    async fn take(
        &self,
        now: SystemTime,
        max: usize,
        lease: Duration,
    ) -> Result<Vec<Taken>, StoreError> {
        let stream = &self.shared.stream;
        stream.ensure_good().await?;
        let messages = self.shared.queue.next(stream, max.min(1_000), lease).await?;
        let claims = messages.iter().map(|message| self.claim(message, now, lease));
        let mut taken = Vec::new();
        let mut failed = None;
        for (claimed, message) in join_all(claims).await.into_iter().zip(&messages) {
            match claimed {
                Ok(claimed) => taken.extend(claimed),
                Err(error) => {
                    failed = Some(error);
                    // If this is lost too it is given again when its lease has ended.
                    let _ = message.ack_with(AckKind::Nak(Some(PAUSE))).await;
                }
            }
        }
        match failed {
            Some(error) if taken.is_empty() => Err(error),
            _ => Ok(taken),
        }
    }

    /// To take is to wait for something.
    async fn changed(&self) {
        if !self.shared.stream.is_good() {
            std::future::pending::<()>().await;
        }
    }

    async fn extend(&self, taken: &Taken, _: SystemTime) -> Result<Hold, StoreError> {
        let seen = self.shared.stream.state(&taken.task.id).await?;
        let hold = match seen.map(|(record, _)| record) {
            Some(record) if record.lease != taken.lease => Hold::Lost,
            Some(Record { state: TaskState::Running, .. }) => Hold::Kept,
            Some(Record { state: TaskState::Stopping, .. }) => Hold::Stopping,
            _ => Hold::Lost,
        };
        if hold != Hold::Lost {
            self.tell(&taken.receipt, AckKind::Progress).await?;
        }
        Ok(hold)
    }

    async fn settle(
        &self,
        taken: &Taken,
        outcome: Settled,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let settle = |before: Option<&Record>| {
            let record = before.filter(|record| record.lease == taken.lease)?.clone();
            let is_stopping = record.state == TaskState::Stopping;
            if !is_stopping && record.state != TaskState::Running {
                return None;
            }
            Some(match outcome.clone() {
                Settled::Over { state, error } => record.ended(state, error, now),
                Settled::Again { error, .. } if is_stopping => {
                    record.ended(TaskState::Stopped, error, now)
                }
                Settled::Again { at, tries, error } => Record {
                    state: TaskState::Retrying,
                    due_at: at,
                    held_until: at,
                    tries,
                    error: error.or(record.error.clone()),
                    ..record
                },
            })
        };
        let (before, written) = self.shared.stream.change(&taken.task.id, false, settle).await?;
        // Told a second time, it is what it was after the first.
        let settled = match written {
            Some((record, _)) => Some(record),
            None => before.filter(|record| record.lease == taken.lease),
        };
        let Some(record) = settled else { return Ok(false) };
        let kind = match record.state {
            TaskState::Retrying => {
                AckKind::Nak(Some(record.held_until.duration_since(now).unwrap_or_default()))
            }
            _ => AckKind::Ack,
        };
        self.tell(&taken.receipt, kind).await?;
        Ok(true)
    }

    async fn get(&self, id: &TaskId) -> Result<Option<TaskStatus>, StoreError> {
        Ok(self.shared.stream.find(id).await?.map(|record| record.to_status(id.clone())))
    }

    async fn list(
        &self,
        after: Option<&TaskId>,
        max: usize,
    ) -> Result<Vec<TaskStatus>, StoreError> {
        let TaskStream { stream, subjects, .. } = &self.shared.stream;
        let mut all = stream.info_with_subjects(subjects.all()).await.map_err(unavailable)?;
        let mut ids = BTreeSet::new();
        while let Some(next) = all.next().await {
            let (subject, _) = next.map_err(unavailable)?;
            ids.extend(subjects.id(&subject).filter(|id| after.is_none_or(|after| id > after)));
            if ids.len() > max.min(1_000) {
                ids.pop_last();
            }
        }
        let found = join_all(ids.iter().map(|id| self.get(id))).await;
        // One that is forgotten meanwhile is left out.
        found.into_iter().filter_map(Result::transpose).collect()
    }

    async fn stop(&self, id: &TaskId, now: SystemTime) -> Result<Option<TaskState>, StoreError> {
        let Some(found) = self.shared.stream.find(id).await? else { return Ok(None) };
        let stop = |before: Option<&Record>| {
            let record = before.unwrap_or(&found).clone();
            match record.state {
                TaskState::Running => Some(Record { state: TaskState::Stopping, ..record }),
                state if state.is_final() || state == TaskState::Stopping => None,
                _ => Some(record.ended(TaskState::Stopped, None, now)),
            }
        };
        let (before, written) = self.shared.stream.change(id, false, stop).await?;
        let record = written.map(|(record, _)| record).or(before).unwrap_or(found);
        if record.state == TaskState::Stopped {
            self.shared.stream.remove_request(id).await?;
        }
        Ok(Some(record.state))
    }
}

impl fmt::Debug for NatsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsStore").finish_non_exhaustive()
    }
}
