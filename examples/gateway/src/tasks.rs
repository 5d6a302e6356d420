//! Asynchronous requests: where they are kept, who runs them, and how they are shown.

use crate::about;
use crate::args::{Later, Nats};
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::Body;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::io::Write;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tower::Service;
use tower_fc::error::{BoxError, Error};
use tower_fc::invocation::nats::{NatsSettings, NatsStore};
use tower_fc::invocation::sqlite::SqliteStore;
use tower_fc::invocation::{
    DEFAULT_RETENTION, Destination, InvocationStore, RetryPolicy, TaskId, TaskStatus, Worker,
    WorkerEvent,
};

/// Where they are kept.
pub(crate) enum Store {
    Sqlite(SqliteStore),
    Nats(NatsStore),
}

/// The store that is asked for.
pub(crate) async fn open(later: &Later) -> Result<Option<Store>, BoxError> {
    let Some(store) = &later.store else { return Ok(None) };
    let retention = Duration::from_secs(later.retention);
    let opened = match file(store) {
        Some(file) => SqliteStore::open_with_retention(file, retention).map(Store::Sqlite),
        None => return connect(store, &later.nats, retention).await.map(Some),
    };
    opened.map(Some).map_err(|error| about("--store")(error.into()))
}

fn file(store: &str) -> Option<&str> {
    store.strip_prefix("sqlite:").filter(|file| !file.is_empty())
}

async fn connect(store: &str, nats: &Nats, retention: Duration) -> Result<Store, BoxError> {
    if !store.starts_with("nats://") {
        return Err("--store: must be of the form sqlite:FILE or nats://HOST:PORT".into());
    }
    let named = |flag: &'static str| move |error: Error| about(flag)(error.into());
    let settings = NatsSettings::new(&nats.nats_stream).map_err(named("--nats-stream"))?;
    let settings = settings.with_retention(retention).map_err(named("--retention"))?;
    let settings = match nats.nats_sync_always {
        true => settings.with_vouched_sync_always(),
        false => settings.with_replicas(nats.nats_replicas).map_err(named("--nats-replicas"))?,
    };
    Ok(Store::Nats(NatsStore::connect(store, settings).await.map_err(named("--store"))?))
}

/// Runs what is stored, until `shutdown`.
pub(crate) fn worker<S, B>(
    store: &Store,
    function: S,
    later: &Later,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<Running, BoxError>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    Ok(match store {
        Store::Sqlite(store) => Box::pin(set_up(store.clone(), function, later)?.run(shutdown)),
        Store::Nats(store) => Box::pin(set_up(store.clone(), function, later)?.run(shutdown)),
    })
}

/// A worker that runs.
pub(crate) type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

fn set_up<T: InvocationStore, S>(
    store: T,
    function: S,
    later: &Later,
) -> Result<Worker<T, S>, BoxError> {
    let failure_from = later.failure_from;
    let policy = RetryPolicy::default()
        .with_function_retries(later.retries)
        .map_err(|error| about("--retries")(error.into()))?
        .with_max_age(Duration::from_secs(later.max_age))
        .map_err(|error| about("--max-age")(error.into()))?
        .with_failures(move |status| status.as_u16() >= failure_from);
    let mut worker = Worker::new(store, function)
        .with_policy(policy)
        .with_concurrency(later.workers.get().into())
        .with_observer(observer());
    if let Some(url) = &later.on_success {
        worker = worker.with_success_destination(destination(url).map_err(about("--on-success"))?);
    }
    if let Some(url) = &later.on_failure {
        worker = worker.with_failure_destination(destination(url).map_err(about("--on-failure"))?);
    }
    Ok(worker)
}

fn destination(url: &str) -> Result<Destination, BoxError> {
    let uri: Uri = url.parse()?;
    if uri.scheme_str() != Some("http") {
        return Err("must be of the form http://…".into());
    }
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    Ok(Destination::new(uri, client))
}

/// Says on the standard error when the store cannot be used, once for each reason, and which
/// destinations were not told.
fn observer() -> impl Fn(WorkerEvent<'_>) + Send + Sync {
    let said = Mutex::new(None);
    move |event| match event {
        WorkerEvent::Store(error) => {
            let error = error.to_string();
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.as_ref() != Some(&error) {
                eprintln!("fc-gateway: --store: {error}");
                *said = Some(error);
            }
        }
        WorkerEvent::Taken(_) => {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.take().is_some() {
                eprintln!("fc-gateway: --store: tasks are stored again");
            }
        }
        WorkerEvent::NotDelivered(task, error) => {
            eprintln!("fc-gateway: {}: the destination was not told: {error}", task.request_id());
        }
        _ => {}
    }
}

/// Prints tasks: those of these ids, or all. Stops them first if that is asked for.
pub(crate) async fn show(
    store: &str,
    nats: &Nats,
    ids: &[String],
    stop: bool,
) -> Result<(), BoxError> {
    let Some(file) = file(store) else {
        return match connect(store, nats, DEFAULT_RETENTION).await? {
            Store::Nats(store) => show_of(&store, ids, stop).await,
            Store::Sqlite(store) => show_of(&store, ids, stop).await,
        };
    };
    let store = SqliteStore::open_shared(file).map_err(|error| about("--store")(error.into()))?;
    show_of(&store, ids, stop).await
}

async fn show_of(store: &impl InvocationStore, ids: &[String], stop: bool) -> Result<(), BoxError> {
    let mut out = std::io::stdout();
    if ids.is_empty() {
        let mut after: Option<TaskId> = None;
        loop {
            let page = store.list(after.as_ref(), 1_000).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id.clone());
            page.iter().try_for_each(|task| print(&mut out, task))?;
        }
    }
    for name in ids {
        let id: TaskId = name.parse()?;
        if stop {
            store.stop(&id, SystemTime::now()).await?;
        }
        let task = store.get(&id).await?.ok_or_else(|| format!("{name}: there is no such task"))?;
        print(&mut out, &task)?;
    }
    Ok(())
}

fn print(out: &mut impl Write, task: &TaskStatus) -> std::io::Result<()> {
    let millis = |time: SystemTime| {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    };
    let line = serde_json::json!({
        "taskId": task.id.as_str(),
        "requestId": task.request_id,
        "state": task.state.name(),
        "attempts": task.attempts,
        "acceptedAt": millis(task.accepted_at),
        "dueAt": millis(task.due_at),
        "endedAt": task.ended_at.map(millis),
        "error": task.error,
    });
    writeln!(out, "{line}")
}
