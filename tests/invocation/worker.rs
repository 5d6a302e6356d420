//! What becomes of what was stored.

use super::{id, later, sqlite};
use crate::common::bodies::Pieces;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::sync::oneshot;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_fc::clock::Clock;
use tower_fc::error::BoxError;
use tower_fc::invocation::sqlite::SqliteStore;
use tower_fc::invocation::{
    Destination, InvocationLayer, InvocationStore, RetryPolicy, TaskState, TaskStatus, Worker,
};
use tower_fc::trigger::HttpTrigger;

type Answer = Result<Response<Full<Bytes>>, BoxError>;

/// A request as a function sees it.
#[derive(Clone, Debug)]
struct Call {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    time: SystemTime,
}

/// A function that notes its calls, and answers them by their number.
#[derive(Clone)]
struct Function {
    calls: Arc<Mutex<Vec<Call>>>,
    answer: fn(usize) -> Answer,
}

impl Function {
    fn answering(answer: fn(usize) -> Answer) -> Self {
        Self { calls: Arc::default(), answer }
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    fn service(
        &self,
    ) -> impl Service<
        Request<Full<Bytes>>,
        Response = Response<Full<Bytes>>,
        Error = BoxError,
        Future: Send,
    > + Clone
    + Send
    + Sync
    + 'static {
        let this = self.clone();
        service_fn(move |request: Request<Full<Bytes>>| {
            let this = this.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let time = SystemTime::now();
                let (method, uri, headers) = (parts.method, parts.uri, parts.headers);
                let mut calls = this.calls.lock().unwrap();
                calls.push(Call { method, uri, headers, body, time });
                (this.answer)(calls.len())
            }
        })
    }
}

fn status(code: u16) -> Answer {
    Ok(Response::builder().status(code).body(Full::from("done")).unwrap())
}

/// Accepts a request now.
async fn accept(store: &SqliteStore, name: &str, delay: Option<u64>) -> Response<()> {
    let layer = InvocationLayer::new(store.clone());
    let unreachable = crate::common::services::unreachable();
    let response = layer.layer(unreachable).oneshot(later(name, delay)).await.unwrap();
    assert_eq!(response.status(), 202);
    response.map(drop)
}

/// Waits until a task is over.
async fn over(store: &SqliteStore, name: &str) -> TaskStatus {
    loop {
        let status = store.get(&id(name)).await.unwrap().unwrap();
        if status.state.is_final() {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A worker that ends when what is returned is dropped or told to.
fn start<S, C>(
    worker: Worker<SqliteStore, S, C>,
) -> (oneshot::Sender<()>, tokio::task::JoinHandle<()>)
where
    C: Clock + Clone + Send + Sync + 'static,
    S: Service<
            Request<Full<Bytes>>,
            Response = Response<Full<Bytes>>,
            Error = BoxError,
            Future: Send,
        > + Clone
        + Send
        + Sync
        + 'static,
{
    let (end, ended) = oneshot::channel::<()>();
    let running = tokio::spawn(worker.run(async {
        let _ = ended.await;
    }));
    (end, running)
}

#[tokio::test]
async fn a_function_gets_the_request_as_it_was_sent_with_the_request_id_of_the_202() {
    let store = sqlite();
    let function = Function::answering(|_| status(200));
    let response = accept(&store, "a", None).await;
    let trigger = HttpTrigger::anonymous();
    let (end, running) = start(Worker::new(store.clone(), trigger_function(&trigger, &function)));
    assert_eq!(over(&store, "a").await.state, TaskState::Succeeded);
    end.send(()).unwrap();
    running.await.unwrap();
    let [call] = &*function.calls() else { panic!() };
    assert_eq!((&call.method, call.uri.to_string()), (&Method::POST, "/pay?to=alice".to_owned()));
    assert_eq!(call.body, "10");
    assert_eq!(call.headers["x-fc-request-id"], response.headers()["x-fc-request-id"]);
    assert_eq!(call.headers.len(), 1, "{:?}", call.headers);
}

/// The function behind the rules of a trigger, with bodies that a worker can read.
fn trigger_function(
    trigger: &HttpTrigger<tower_fc::trigger::AnonymousLayer>,
    function: &Function,
) -> impl Service<Request<Full<Bytes>>, Response = Response<Full<Bytes>>, Error = BoxError, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static {
    let service = trigger.function(function.service());
    service_fn(move |request| {
        let service = service.clone();
        async move {
            let (parts, body) = service.oneshot(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Response::from_parts(parts, Full::from(body)))
        }
    })
}

#[tokio::test]
async fn a_function_that_fails_is_called_again_as_often_as_the_policy_says() {
    for (retries, answer, calls, state) in [
        (0, (|_| status(500)) as fn(usize) -> Answer, 1, TaskState::Failed),
        (1, |_| status(503), 2, TaskState::Failed),
        (2, |number| status(if number < 2 { 500 } else { 200 }), 2, TaskState::Succeeded),
        // What a client did wrong is no failure of the function.
        (2, |_| status(404), 1, TaskState::Succeeded),
    ] {
        let store = sqlite();
        let function = Function::answering(answer);
        accept(&store, "a", None).await;
        let policy = RetryPolicy::default().with_function_retries(retries).unwrap();
        let worker = Worker::new(store.clone(), function.service()).with_policy(policy);
        let _worker = start(worker);
        let status = over(&store, "a").await;
        assert_eq!((status.state, status.attempts as usize), (state, calls));
        assert_eq!(function.calls().len(), calls);
        let ids = function.calls();
        assert!(ids.iter().all(|call| call.body == ids[0].body));
    }
}

#[tokio::test]
async fn what_a_failure_is_can_be_said() {
    let store = sqlite();
    let function = Function::answering(|_| status(404));
    accept(&store, "a", None).await;
    let policy = RetryPolicy::default().with_function_retries(0).unwrap();
    let policy = policy.with_failures(|status| !status.is_success());
    let _worker = start(Worker::new(store.clone(), function.service()).with_policy(policy));
    let status = over(&store, "a").await;
    assert_eq!(status.state, TaskState::Failed);
    assert!(status.error.unwrap().contains("404"));
}

#[tokio::test]
async fn a_function_that_cannot_be_reached_is_called_again_without_counting_as_its_failure() {
    let store = sqlite();
    let answer = |number| match number {
        1 | 2 => Err("connection refused".into()),
        _ => status(200),
    };
    let function = Function::answering(answer);
    accept(&store, "a", None).await;
    let policy = RetryPolicy::default().with_function_retries(0).unwrap();
    let _worker = start(Worker::new(store.clone(), function.service()).with_policy(policy));
    let status = over(&store, "a").await;
    assert_eq!((status.state, status.attempts), (TaskState::Succeeded, 3));
    assert_eq!(status.error.unwrap(), "connection refused");
    let times: Vec<_> = function.calls().iter().map(|call| call.time).collect();
    let pause = |at: usize| times[at + 1].duration_since(times[at]).unwrap();
    assert!(pause(0) >= Duration::from_millis(490), "{times:?}");
    assert!(pause(1) >= Duration::from_millis(990), "{times:?}");
}

#[tokio::test]
async fn the_platform_is_given_up_when_its_window_is_over() {
    let store = sqlite();
    let function = Function::answering(|_| Err("connection refused".into()));
    accept(&store, "a", None).await;
    let policy = RetryPolicy::default().with_platform_window(Duration::from_millis(1));
    let _worker = start(Worker::new(store.clone(), function.service()).with_policy(policy));
    let status = over(&store, "a").await;
    assert_eq!((status.state, status.attempts), (TaskState::Failed, 2));
}

#[tokio::test]
async fn nothing_runs_before_its_delay() {
    let store = sqlite();
    let function = Function::answering(|_| status(200));
    let _worker = start(Worker::new(store.clone(), function.service()));
    let before = SystemTime::now();
    accept(&store, "a", Some(1)).await;
    over(&store, "a").await;
    let after = function.calls()[0].time.duration_since(before).unwrap();
    assert!(after >= Duration::from_secs(1), "{after:?}");
}

#[tokio::test]
async fn what_no_worker_took_in_time_expires_and_is_not_run() {
    let store = sqlite();
    let function = Function::answering(|_| status(200));
    super::enqueue(store.clone(), "a", None, 0).await;
    let clock = || crate::common::at(86_401);
    let (end, running) = start(Worker::new(store.clone(), function.service()).with_clock(clock));
    assert_eq!(over(&store, "a").await.state, TaskState::Expired);
    drop(end);
    running.await.unwrap();
    assert!(function.calls().is_empty());
}

#[tokio::test]
async fn a_task_that_runs_is_stopped_and_the_queue_goes_on() {
    let store = sqlite();
    let service = service_fn(async |request: Request<Full<Bytes>>| -> Answer {
        if request.headers().contains_key("x-slow") {
            std::future::pending::<()>().await;
        }
        status(200)
    });
    let mut slow = later("slow", None);
    slow.headers_mut().insert("x-slow", "1".parse().unwrap());
    let layer = InvocationLayer::new(store.clone());
    layer.layer(crate::common::services::unreachable()).oneshot(slow).await.unwrap();
    accept(&store, "fast", None).await;
    let worker = Worker::new(store.clone(), service).with_lease(Duration::from_millis(300));
    let _worker = start(worker);
    assert_eq!(over(&store, "fast").await.state, TaskState::Succeeded);
    let stopped = store.stop(&id("slow"), SystemTime::now()).await.unwrap();
    assert_eq!(stopped, Some(TaskState::Stopping));
    assert_eq!(over(&store, "slow").await.state, TaskState::Stopped);
}

#[tokio::test]
async fn a_worker_that_is_told_to_end_hands_back_what_still_runs() {
    let store = sqlite();
    let service = service_fn(async |_: Request<Full<Bytes>>| -> Answer {
        std::future::pending::<()>().await;
        status(200)
    });
    accept(&store, "a", None).await;
    let worker = Worker::new(store.clone(), service).with_grace(Duration::from_millis(50));
    let (end, running) = start(worker);
    while store.get(&id("a")).await.unwrap().unwrap().state != TaskState::Running {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    end.send(()).unwrap();
    running.await.unwrap();
    let status = store.get(&id("a")).await.unwrap().unwrap();
    assert_eq!((status.state, status.error), (TaskState::Retrying, None));

    // And another has it at once.
    let function = Function::answering(|_| self::status(200));
    let _worker = start(Worker::new(store.clone(), function.service()));
    assert_eq!(over(&store, "a").await.state, TaskState::Succeeded);
}

#[tokio::test]
async fn a_function_that_panics_fails_as_by_its_own_error_and_the_queue_goes_on() {
    let store = sqlite();
    let service = service_fn(async |request: Request<Full<Bytes>>| -> Answer {
        assert!(!request.headers().contains_key("x-poison"), "it is poison");
        status(200)
    });
    let mut poison = later("poison", None);
    poison.headers_mut().insert("x-poison", "1".parse().unwrap());
    let layer = InvocationLayer::new(store.clone());
    layer.layer(crate::common::services::unreachable()).oneshot(poison).await.unwrap();
    accept(&store, "fine", None).await;
    let policy = RetryPolicy::default().with_function_retries(1).unwrap();
    let worker = Worker::new(store.clone(), service).with_policy(policy).with_concurrency(1);
    let _worker = start(worker);
    assert_eq!(over(&store, "fine").await.state, TaskState::Succeeded);
    let poison = over(&store, "poison").await;
    assert_eq!((poison.state, poison.attempts), (TaskState::Failed, 2));
    assert_eq!(poison.error.unwrap(), "the function panicked");
}

#[tokio::test]
async fn a_task_that_ends_its_workers_waits_longer_each_time_and_is_given_up_in_the_end() {
    let file = super::file();
    super::enqueue(SqliteStore::open(&file).unwrap(), "a", None, 0).await;
    let function = Function::answering(|_| status(200));
    let lease = Duration::from_secs(30);
    // A process that dies takes it with it.
    let die = async |after: i64| {
        let store = SqliteStore::open(&file).unwrap();
        store.take(crate::common::at(after), 9, lease).await.unwrap().len()
    };
    let run = async |after: i64| {
        let store = SqliteStore::open(&file).unwrap();
        let clock = move || crate::common::at(after);
        let worker = Worker::new(store.clone(), function.service()).with_clock(clock);
        let (end, running) = start(worker);
        while store.get(&id("a")).await.unwrap().unwrap().state == TaskState::Retrying
            && store.get(&id("a")).await.unwrap().unwrap().error.is_none()
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(end);
        running.await.unwrap();
        let status = store.get(&id("a")).await.unwrap().unwrap();
        (status.state, status.due_at)
    };
    assert_eq!(die(0).await, 1);
    // The first time it is run at once, the second after a pause.
    assert_eq!(die(0).await, 1);
    let pause = crate::common::at(0) + Duration::from_millis(500);
    assert_eq!(run(0).await, (TaskState::Retrying, pause));
    assert!(function.calls().is_empty());
    // Five hours after the first.
    assert_eq!(die(1).await, 1);
    assert_eq!(run(5 * 3_600).await.0, TaskState::Failed);
    assert!(function.calls().is_empty());
}

#[tokio::test]
async fn an_answer_is_read_to_its_end_however_long_it_is() {
    let store = sqlite();
    let polls = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&polls);
    let service = service_fn(move |_: Request<Full<Bytes>>| {
        let frames = (0..200).map(|_| Ok(http_body::Frame::data(vec![b'a'; 1_000].into())));
        let mut body = Pieces::<std::io::Error>::from_frames(frames);
        body.polls = Arc::clone(&counted);
        std::future::ready(Ok::<_, BoxError>(Response::new(body)))
    });
    accept(&store, "a", None).await;
    let (end, told) = oneshot::channel::<()>();
    tokio::spawn(Worker::new(store.clone(), service).run(async { drop(told.await) }));
    assert_eq!(over(&store, "a").await.state, TaskState::Succeeded);
    assert_eq!(polls.load(Ordering::SeqCst), 201);
    drop(end);
}

#[tokio::test]
async fn a_destination_that_does_not_answer_keeps_no_worker_from_ending() {
    let store = sqlite();
    let function = Function::answering(|_| status(200));
    let (asked, mut is_asked) = tokio::sync::mpsc::unbounded_channel();
    let silent = service_fn(move |_: Request<Full<Bytes>>| {
        asked.send(()).unwrap();
        std::future::pending::<Answer>()
    });
    let destination = Destination::new(Uri::from_static("http://destination.example"), silent);
    accept(&store, "a", None).await;
    let worker = Worker::new(store.clone(), function.service())
        .with_grace(Duration::from_millis(10))
        .with_success_destination(destination);
    let (end, running) = start(worker);
    is_asked.recv().await.unwrap();
    end.send(()).unwrap();
    running.await.unwrap();
    // It is not run again for that.
    assert_eq!(over(&store, "a").await.state, TaskState::Succeeded);
    assert_eq!(function.calls().len(), 1);
}

#[tokio::test]
async fn destinations_are_told_what_came_of_it() {
    for (code, condition, error) in [
        (200, "Success", ""),
        (500, "FunctionError", "the function answered 500 Internal Server Error"),
    ] {
        let store = sqlite();
        let answer = if code == 200 { |_| status(200) } else { |_| status(500) };
        let function = Function::answering(answer);
        let told = Function::answering(|number| status(if number == 1 { 503 } else { 200 }));
        let uri = Uri::from_static("http://destination.example/told");
        let destination = || {
            let service = told.service();
            Destination::new(uri.clone(), service)
        };
        let response = accept(&store, "a", None).await;
        let policy = RetryPolicy::default().with_function_retries(0).unwrap();
        let worker = Worker::new(store.clone(), function.service())
            .with_policy(policy)
            .with_function_arn("acs:fc:cn-hangzhou:123:functions/pay")
            .with_success_destination(destination())
            .with_failure_destination(destination());
        let _worker = start(worker);
        over(&store, "a").await;
        let calls = told.calls();
        assert_eq!(calls.len(), 2, "it is told again until it hears");
        assert_eq!((&calls[1].method, &calls[1].uri), (&Method::POST, &uri));
        let told: serde_json::Value = serde_json::from_slice(&calls[1].body).unwrap();
        let context = &told["requestContext"];
        assert_eq!(context["requestId"], response.headers()["x-fc-request-id"].to_str().unwrap());
        assert_eq!(context["functionArn"], "acs:fc:cn-hangzhou:123:functions/pay");
        assert_eq!(context["condition"], condition);
        assert_eq!(context["approximateInvokeCount"], 1);
        assert_eq!(told["requestPayload"], "10");
        assert_eq!(told["responsePayload"], "done");
        assert_eq!(told["responseContext"]["statusCode"], code);
        assert_eq!(told["responseContext"]["functionError"], error);
        assert!(told["timestamp"].as_u64().unwrap() > 1_700_000_000_000);
    }
}

#[test]
fn policies_are_bounded_as_the_service_bounds_them() {
    let policy = RetryPolicy::default;
    assert!(policy().with_function_retries(8).is_ok());
    assert!(policy().with_function_retries(9).is_err());
    for (seconds, is_fine) in [(0, false), (1, true), (2_592_000, true), (2_592_001, false)] {
        let age = Duration::from_secs(seconds);
        assert_eq!(policy().with_max_age(age).is_ok(), is_fine, "{seconds}");
    }
}
