use super::destination::{Destination, Outcome};
use super::policy::RetryPolicy;
use super::store::{Hold, InvocationStore, Settled, StoreError};
use super::task::{Taken, Task, TaskState, Tries};
use crate::clock::{Clock, SystemClock};
use crate::error::BoxError;
use crate::protocol::{Rejection, RejectionKind};
use crate::response::RequestId;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use tower_service::Service;

/// Carries out what an [`InvocationLayer`](super::InvocationLayer) has stored, by any tower
/// service.
///
/// ```text
/// let worker = Worker::new(store, service);
/// tokio::spawn(worker.run(shutdown));
/// ```
///
/// A task runs at least once: if a process dies, another runs what it had, when its lease has
/// ended. What a service is to do once, it tells by the `x-fc-request-id`, which stays the same.
///
/// The function's failures and the platform's are told apart ([table](super)): an answer is the
/// function's, and a failure if the [`RetryPolicy`] says so; so is a panic, and running for too
/// long. An error of the service, an answer that breaks off, a [`Rejection`] with 429, 500 or 503,
/// or with [`FunctionUnreachable`](RejectionKind::FunctionUnreachable), is the platform's.
pub struct Worker<T, S, C = SystemClock> {
    store: T,
    service: S,
    clock: C,
    settings: Settings,
}

#[derive(Clone, Debug)]
struct Settings {
    policy: RetryPolicy,
    concurrency: usize,
    lease: Duration,
    timeout: Duration,
    grace: Duration,
    max_payload_len: usize,
    function_arn: Arc<str>,
    on_success: Option<Destination>,
    on_failure: Option<Destination>,
    observer: Observer,
}

/// How often a worker looks for what has become due, at the least.
const POLL: Duration = Duration::from_millis(250);
/// How long it may take until a worker hears that a task is to stop.
const BEAT: Duration = Duration::from_secs(5);
/// How long a worker waits for a store that cannot be read.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// How often a destination is tried, and how long each time.
const DELIVERIES: u32 = 3;
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

impl<T: InvocationStore, S> Worker<T, S> {
    /// Takes from `store`, and calls `service`.
    pub fn new(store: T, service: S) -> Self {
        let settings = Settings {
            policy: RetryPolicy::default(),
            concurrency: 100,
            lease: Duration::from_secs(30),
            timeout: Duration::from_secs(86_400),
            grace: Duration::from_secs(10),
            max_payload_len: 128 * 1024,
            function_arn: "".into(),
            on_success: None,
            on_failure: None,
            observer: Observer::default(),
        };
        Self { store, service, clock: SystemClock, settings }
    }
}

impl<T, S, C> Worker<T, S, C> {
    /// Tries again by this policy.
    #[must_use]
    pub fn with_policy(mut self, policy: RetryPolicy) -> Self {
        self.settings.policy = policy;
        self
    }

    /// Runs so many tasks at the same time, in place of 100.
    #[must_use]
    pub fn with_concurrency(mut self, tasks: usize) -> Self {
        self.settings.concurrency = tasks.max(1);
        self
    }

    /// Has tasks for so long, in place of 30 s. It is made longer as they run; a worker that
    /// dies loses them when it ends.
    #[must_use]
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease.max(Duration::from_millis(100));
        self
    }

    /// Lets a function run for so long, in place of a day; then that is its failure.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// Waits so long for what runs when it is told to end, in place of 10 s; then it hands
    /// back what still runs.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Names the function to destinations: `functionArn`.
    #[must_use]
    pub fn with_function_arn(mut self, arn: &str) -> Self {
        self.settings.function_arn = arn.into();
        self
    }

    /// Tells a destination of tasks that succeeded.
    #[must_use]
    pub fn with_success_destination(mut self, destination: Destination) -> Self {
        self.settings.on_success = Some(destination);
        self
    }

    /// Tells a destination of tasks that failed or expired.
    #[must_use]
    pub fn with_failure_destination(mut self, destination: Destination) -> Self {
        self.settings.on_failure = Some(destination);
        self
    }

    /// Tells `observe` of what happens to tasks. It should do no more than count.
    #[must_use]
    pub fn with_observer(
        mut self,
        observe: impl Fn(WorkerEvent<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.settings.observer = Observer(Some(Arc::new(observe)));
        self
    }

    /// Tells the time by another clock than the system's.
    pub fn with_clock<V: Clock>(self, clock: V) -> Worker<T, S, V> {
        let Self { store, service, settings, .. } = self;
        Worker { store, service, clock, settings }
    }
}

/// What happens to tasks, for counting.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum WorkerEvent<'a> {
    /// A task was taken.
    Taken(&'a Taken),
    /// A task is over, or will be tried again.
    Settled(&'a Task, &'a Settled),
    /// The lease of a task was lost: another worker has it too.
    Lost(&'a Task),
    /// A destination was not told.
    NotDelivered(&'a Task, &'a BoxError),
    /// The store cannot be read or written.
    Store(&'a StoreError),
}

#[derive(Clone, Default)]
struct Observer(Option<Arc<Observe>>);

type Observe = dyn Fn(WorkerEvent<'_>) + Send + Sync;

impl Observer {
    fn tell(&self, event: WorkerEvent<'_>) {
        if let Some(observe) = &self.0 {
            observe(event);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Some(..)" } else { "None" })
    }
}

impl<T, S, C, B> Worker<T, S, C>
where
    T: InvocationStore,
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error: Into<BoxError>>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
    C: Clock + Clone + Send + Sync + 'static,
    B: Body<Error: Into<BoxError>, Data: Send> + Send + 'static,
{
    /// Carries out tasks until `shutdown` is ready. Then it takes no more, waits for what runs,
    /// and hands back what still runs after that.
    ///
    /// It has to be awaited on a tokio runtime with its timer.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let worker = Arc::new(self);
        let mut running = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        let (ending, ended) = tokio::sync::watch::channel(false);
        loop {
            while running.try_join_next().is_some() {}
            let room = worker.settings.concurrency - running.len();
            let took = if room > 0 { worker.take(room).await } else { Ok(Vec::new()) };
            let (pause, is_busy) = match &took {
                Ok(taken) => (POLL, !taken.is_empty()),
                Err(error) => {
                    worker.settings.observer.tell(WorkerEvent::Store(error));
                    (STORE_PAUSE, false)
                }
            };
            for taken in took.unwrap_or_default() {
                let (worker, ended) = (Arc::clone(&worker), ended.clone());
                running.spawn(worker.carry_out(taken, ended));
            }
            let is_full = running.len() >= worker.settings.concurrency;
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                () = std::future::ready(()), if is_busy && !is_full => {}
                Some(_) = running.join_next(), if is_full => {}
                () = worker.store.changed(), if !is_full => {}
                () = sleep(pause), if !is_full => {}
            }
        }
        let all = async { while running.join_next().await.is_some() {} };
        if timeout(worker.settings.grace, all).await.is_err() {
            let _ = ending.send(true);
            while running.join_next().await.is_some() {}
        }
    }

    async fn take(&self, room: usize) -> Result<Vec<Taken>, StoreError> {
        self.store.take(self.clock.now(), room, self.settings.lease).await
    }

    /// One task, from being taken to being settled.
    async fn carry_out(self: Arc<Self>, taken: Taken, ended: Ended) {
        let Settings { policy, observer, .. } = &self.settings;
        observer.tell(WorkerEvent::Taken(&taken));
        let now = self.clock.now();
        let (settled, answer) = if policy.has_expired(taken.task.accepted_at, taken.tries, now) {
            let error = Some("no worker took it before its maximum age".to_owned());
            (Settled::Over { state: TaskState::Expired, error }, None)
        } else if let Some(settled) = policy.after_lost(taken.tries, now).filter(|_| taken.is_lost)
        {
            (settled, None)
        } else {
            match self.holding(&taken, &ended, self.call(&taken.task)).await {
                Ok(called) => self.judge(taken.tries, called),
                Err(Interrupted::Stopped) => {
                    (Settled::Over { state: TaskState::Stopped, error: None }, None)
                }
                Err(Interrupted::Ended) => {
                    let at = self.clock.now();
                    (Settled::Again { at, tries: taken.tries, error: None }, None)
                }
                Err(Interrupted::Lost) => return observer.tell(WorkerEvent::Lost(&taken.task)),
            }
        };
        if let Settled::Over { state, error } = &settled {
            let telling = self.tell_destination(&taken, *state, error.as_deref(), answer.as_ref());
            match self.holding(&taken, &ended, telling).await {
                Ok(()) => {}
                // It has run, and is not run again for this.
                Err(Interrupted::Stopped | Interrupted::Ended) => {
                    let error = "the worker had no more time for it".into();
                    observer.tell(WorkerEvent::NotDelivered(&taken.task, &error));
                }
                Err(Interrupted::Lost) => return observer.tell(WorkerEvent::Lost(&taken.task)),
            }
        }
        self.settle(&taken, &settled, ended).await;
    }

    /// What a call means.
    fn judge(&self, tries: Tries, called: Called) -> (Settled, Option<(u16, Bytes)>) {
        let (policy, now) = (&self.settings.policy, self.clock.now());
        match called {
            Called::Answered(status, body) => {
                let settled = if policy.is_failure(status) {
                    policy.after_function(tries, format!("the function answered {status}"), now)
                } else {
                    Settled::Over { state: TaskState::Succeeded, error: None }
                };
                (settled, Some((status.as_u16(), body)))
            }
            Called::FunctionFailed(error) => (policy.after_function(tries, error, now), None),
            Called::PlatformFailed(error) => (policy.after_platform(tries, error, now), None),
        }
    }

    /// Does something with a task, and keeps its lease meanwhile.
    async fn holding<V>(
        &self,
        taken: &Taken,
        ended: &Ended,
        doing: impl Future<Output = V>,
    ) -> Result<V, Interrupted> {
        let Settings { lease, observer, .. } = &self.settings;
        let mut doing = std::pin::pin!(doing);
        let mut told = std::pin::pin!(told(ended.clone()));
        let mut held_until = self.clock.now().checked_add(*lease);
        let mut beat = interval((*lease / 3).min(BEAT));
        beat.tick().await;
        loop {
            tokio::select! {
                biased;
                done = &mut doing => return Ok(done),
                () = &mut told => return Err(Interrupted::Ended),
                _ = beat.tick() => {
                    let now = self.clock.now();
                    let until = now.checked_add(*lease).unwrap_or(now);
                    match self.store.extend(taken, until).await {
                        Ok(Hold::Kept) => held_until = Some(until),
                        Ok(Hold::Stopping) => return Err(Interrupted::Stopped),
                        Ok(Hold::Lost) => return Err(Interrupted::Lost),
                        // Another may take it when the lease has ended.
                        Err(error) => {
                            observer.tell(WorkerEvent::Store(&error));
                            if held_until.is_none_or(|until| until <= now) {
                                return Err(Interrupted::Lost);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Calls the function, for no longer than it may take.
    async fn call(&self, task: &Task) -> Called {
        let mut request = task.request.to_request();
        if let Some(id) = RequestId::from_text(task.request_id()) {
            request.extensions_mut().insert(id);
        }
        // A task of its own, so that a panic is the function's and of this request alone.
        let mut calling = JoinSet::new();
        calling.spawn(call(self.service.clone(), request, self.settings.max_payload_len));
        let limit = self.settings.timeout;
        match timeout(limit, calling.join_next()).await {
            Ok(Some(Ok(called))) => called,
            Ok(_) => Called::FunctionFailed("the function panicked".to_owned()),
            Err(_) => Called::FunctionFailed(format!("the function ran for longer than {limit:?}")),
        }
    }

    /// Says what came of a task, until the store has taken it, another worker has it, or this one
    /// has no more time: then the lease runs on, and the task is taken anew.
    async fn settle(&self, taken: &Taken, settled: &Settled, ended: Ended) {
        let Settings { observer, .. } = &self.settings;
        let mut told = std::pin::pin!(told(ended));
        loop {
            match self.store.settle(taken, settled.clone(), self.clock.now()).await {
                Ok(true) => return observer.tell(WorkerEvent::Settled(&taken.task, settled)),
                Ok(false) => return observer.tell(WorkerEvent::Lost(&taken.task)),
                Err(error) => observer.tell(WorkerEvent::Store(&error)),
            }
            tokio::select! {
                () = &mut told => return,
                () = sleep(STORE_PAUSE) => {}
            }
        }
    }

    async fn tell_destination(
        &self,
        taken: &Taken,
        state: TaskState,
        error: Option<&str>,
        answer: Option<&(u16, Bytes)>,
    ) {
        let Settings { on_success, on_failure, function_arn, observer, .. } = &self.settings;
        let (destination, condition) = match state {
            TaskState::Succeeded => (on_success, "Success"),
            TaskState::Failed if answer.is_some() => (on_failure, "FunctionError"),
            TaskState::Failed => (on_failure, "PlatformError"),
            TaskState::Expired => (on_failure, "EventAgeExceeded"),
            _ => return,
        };
        let Some(destination) = destination else { return };
        let outcome = Outcome {
            task: &taken.task,
            tries: taken.tries,
            function_arn,
            condition,
            answer,
            error,
            time: self.clock.now(),
        };
        for left in (0..DELIVERIES).rev() {
            let delivered = timeout(DELIVERY_TIMEOUT, destination.deliver(&outcome)).await;
            match delivered.unwrap_or_else(|_| Err("the destination does not answer".into())) {
                Ok(()) => return,
                Err(error) if left == 0 => {
                    return observer.tell(WorkerEvent::NotDelivered(&taken.task, &error));
                }
                Err(_) => sleep(STORE_PAUSE).await,
            }
        }
    }
}

/// One call, to the end of its answer, of which so much is kept.
async fn call<S, B>(mut service: S, request: Request<Full<Bytes>>, max_len: usize) -> Called
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Error: Into<BoxError>>,
{
    let failed = |error: BoxError| Called::PlatformFailed(error.to_string());
    if let Err(error) = std::future::poll_fn(|cx| service.poll_ready(cx)).await {
        return failed(error.into());
    }
    let response = match service.call(request).await {
        Ok(response) => response,
        Err(error) => return failed(error.into()),
    };
    if let Some(rejection) = response.extensions().get::<Rejection>()
        && is_of_platform(rejection)
    {
        return Called::PlatformFailed(rejection.to_string());
    }
    let status = response.status();
    let mut body = std::pin::pin!(response.into_body());
    let mut kept = BytesMut::new();
    let mut is_whole = true;
    while let Some(frame) = body.frame().await {
        let data = match frame {
            Ok(frame) => frame.into_data(),
            Err(error) => return failed(error.into()),
        };
        let Ok(mut data) = data else { continue };
        // A function may work for as long as it answers: it is read to its end.
        is_whole = is_whole && kept.len() + data.remaining() <= max_len;
        if is_whole {
            kept.put(&mut data);
        }
    }
    Called::Answered(status, if is_whole { kept.freeze() } else { Bytes::new() })
}

/// Tells that a worker has no more time.
type Ended = tokio::sync::watch::Receiver<bool>;

/// Waits until it is told.
async fn told(mut ended: Ended) {
    // An error is that nobody can tell any more.
    let _ = ended.wait_for(|ended| *ended).await.map(drop);
}

/// What came of one call.
enum Called {
    Answered(StatusCode, Bytes),
    FunctionFailed(String),
    PlatformFailed(String),
}

/// Why nothing came of what was done with a task.
enum Interrupted {
    Stopped,
    Ended,
    Lost,
}

fn is_of_platform(rejection: &Rejection) -> bool {
    rejection.kind() == RejectionKind::FunctionUnreachable
        || matches!(rejection.status().as_u16(), 429 | 500 | 503)
}

impl<T, S, C> fmt::Debug for Worker<T, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("settings", &self.settings).finish_non_exhaustive()
    }
}
