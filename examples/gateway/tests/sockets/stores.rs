//! Asynchronous requests, what becomes of them, and how they are shown, whatever they are kept in.

use crate::client::{Over, assert_id, refusal};
use crate::function::{Function, body, head};
use crate::gateway::{ANONYMOUS, File, Gateway, output};
use bytes::Bytes;
use http::request::Builder;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc::unbounded_channel;

/// Every test of these, for a macro that makes one of each.
#[macro_export]
macro_rules! tests_of_stores {
    ($as:ident) => {
        $as! {
            tasks_are_carried_out_and_shown_while_the_gateway_runs,
            tasks_are_stopped_by_their_ids_whether_they_run_or_wait,
            a_function_that_fails_is_called_again_with_the_same_request_id,
            a_function_that_is_gone_or_breaks_off_is_called_again_and_that_is_no_failure_of_its_own,
            a_task_that_never_succeeds_fails_and_the_queue_goes_on,
            what_was_not_run_before_its_maximum_age_expires_and_never_runs,
            destinations_are_told_what_came_of_tasks,
            a_signal_ends_a_gateway_that_waits_and_one_whose_queue_is_full,
        }
    };
}

/// Where tasks are kept, by the arguments of the program. What is a file is gone when it is dropped.
pub struct Store {
    args: Vec<String>,
    file: Option<File>,
}

impl Store {
    pub fn file() -> Self {
        let file = File::new("sqlite", "");
        let store = format!("sqlite:{}", file.path());
        Self { args: vec!["--store".to_owned(), store], file: Some(file) }
    }

    pub fn of(args: Vec<String>) -> Self {
        Self { args, file: None }
    }

    pub fn args(&self) -> Vec<&str> {
        self.args.iter().map(String::as_str).collect()
    }

    pub fn path(&self) -> &str {
        self.file.as_ref().unwrap().path()
    }

    /// A gateway with these tasks, which anybody may call.
    pub fn gateway(&self, upstream: &str, args: &[&str]) -> Gateway {
        Gateway::start(upstream, &[ANONYMOUS, &self.args(), args].concat())
    }

    /// What the program shows of it.
    pub fn shown(&self, args: &[&str]) -> Vec<Value> {
        let output = output(&[&["tasks"], &self.args()[..], args].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until a task is in this state, and returns what is shown of it.
    pub async fn wait(&self, id: &str, state: &str) -> Value {
        loop {
            let shown = self.shown(&[id]).remove(0);
            if shown["state"] == state {
                return shown;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let Some(file) = &self.file else { return };
        for end in ["-wal", "-shm", "-owner"] {
            let _ = std::fs::remove_file(format!("{}{end}", file.path()));
        }
    }
}

pub fn later(id: &str) -> Builder {
    Request::post("/pay?to=alice")
        .header("x-fc-invocation-type", "Async")
        .header("x-fc-async-task-id", id)
}

/// Sends a request to be carried out later. Returns the headers of the 202.
async fn accept(gateway: &Gateway, request: Builder) -> HeaderMap {
    let request = request.body(Full::<Bytes>::from("10")).unwrap();
    let response = Over::Http1.send(gateway, request).await.unwrap();
    assert_eq!(response.status(), 202);
    assert_id(response.headers());
    response.headers().clone()
}

pub async fn tasks_are_carried_out_and_shown_while_the_gateway_runs(store: Store) {
    let function = Function::hello().await;
    let mut gateway = store.gateway(&function.url, &[]);
    let request = || later("order-1").body(Full::<Bytes>::from("10")).unwrap();
    let response = Over::Http2.send(&gateway, request()).await.unwrap();
    assert_eq!(response.status(), 202);
    let id = assert_id(response.headers());
    let shown = store.wait("order-1", "Succeeded").await;
    assert_eq!((&shown["taskId"], &shown["requestId"]), (&"order-1".into(), &id.clone().into()));
    assert_eq!((&shown["attempts"], &shown["error"]), (&1.into(), &Value::Null));
    let call = function.call();
    assert_eq!(call.headers["x-fc-request-id"], *id);
    assert_eq!((call.method.as_str(), &*call.target), ("POST", "/pay?to=alice"));
    assert_eq!(call.headers["host"], gateway.address);

    // The id of a task without a name is that of its request.
    let mut nameless = later("x");
    nameless.headers_mut().unwrap().remove("x-fc-async-task-id");
    let id = assert_id(&accept(&gateway, nameless).await);
    assert_eq!(store.wait(&id, "Succeeded").await["requestId"], id);

    // It is taken when it is over, and when the gateway was killed.
    gateway.signal("KILL");
    gateway.wait();
    let gateway = store.gateway(&function.url, &[]);
    for over in [Over::Http1, Over::Http2] {
        let response = over.send(&gateway, request()).await.unwrap();
        assert_eq!(response.status(), 409);
        assert!(refusal(response).await.contains("StatefulAsyncInvocationAlreadyExists"));
    }
    assert_eq!(store.shown(&[]).len(), 2);
    let unknown = output(&[&["tasks"], &store.args()[..], &["unknown"]].concat());
    assert!(!unknown.status.success());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("unknown: there is no such task"));
}

pub async fn tasks_are_stopped_by_their_ids_whether_they_run_or_wait(store: Store) {
    let (called, mut calls) = unbounded_channel();
    let function = Function::answering(move |_, _| {
        called.send(()).unwrap();
        std::future::pending()
    })
    .await;
    let gateway = store.gateway(&function.url, &[]);
    accept(&gateway, later("waits").header("x-fc-async-delay", "60")).await;
    accept(&gateway, later("runs")).await;
    calls.recv().await.unwrap();
    let stopped = store.shown(&["--stop", "waits", "runs"]);
    let states: Vec<_> = stopped.iter().map(|task| task["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["Stopped", "Stopping"]);
    store.wait("runs", "Stopped").await;
}

pub async fn a_function_that_fails_is_called_again_with_the_same_request_id(store: Store) {
    let count = Arc::new(AtomicUsize::new(0));
    let function = Function::answering(move |request, call| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        async move {
            call.read(request.into_body()).await;
            let status = if number < 2 { 500 } else { 200 };
            Response::builder().status(status).body(body("")).unwrap()
        }
    })
    .await;
    let gateway = store.gateway(&function.url, &["--retries", "2"]);
    let id = assert_id(&accept(&gateway, later("a")).await);
    let shown = store.wait("a", "Succeeded").await;
    assert_eq!(shown["attempts"], 3);
    let calls = function.calls();
    assert_eq!(calls.len(), 3);
    assert!(calls.iter().all(|call| call.headers["x-fc-request-id"] == *id));
    for call in &calls {
        assert_eq!(call.got().await.0, 2);
    }
}

pub async fn a_function_that_is_gone_or_breaks_off_is_called_again_and_that_is_no_failure_of_its_own(
    store: Store,
) {
    // Nobody is there yet.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let gateway = store.gateway(&format!("http://{address}"), &["--retries", "0"]);
    accept(&gateway, later("a")).await;
    store.wait("a", "Retrying").await;
    let listener = TcpListener::bind(address).await.unwrap();
    for answer in [
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhel",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ] {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
    let shown = store.wait("a", "Succeeded").await;
    assert!(shown["attempts"].as_u64().unwrap() >= 4, "{shown}");
}

pub async fn a_task_that_never_succeeds_fails_and_the_queue_goes_on(store: Store) {
    let function = Function::answering(async |request, call| {
        call.read(request.into_body()).await;
        let status = if call.headers.contains_key("x-poison") { 500 } else { 499 };
        Response::builder().status(status).body(body("")).unwrap()
    })
    .await;
    let mut args = ["--workers", "1", "--retries", "0", "--failure-from", "500"];
    let mut gateway = store.gateway(&function.url, &args);
    accept(&gateway, later("poison").header("x-poison", "1")).await;
    accept(&gateway, later("fine")).await;
    assert_eq!(store.wait("fine", "Succeeded").await["attempts"], 1);
    let shown = store.wait("poison", "Failed").await;
    assert_eq!(shown["error"], "the function answered 500 Internal Server Error");
    // What a failure is can be said.
    gateway.signal("TERM");
    assert!(gateway.wait().success());
    args[5] = "499";
    let gateway = store.gateway(&function.url, &args);
    accept(&gateway, later("other")).await;
    store.wait("other", "Failed").await;
}

pub async fn what_was_not_run_before_its_maximum_age_expires_and_never_runs(store: Store) {
    let function = Function::hello().await;
    let gateway = store.gateway(&function.url, &["--max-age", "1"]);
    accept(&gateway, later("a").header("x-fc-async-delay", "2")).await;
    store.wait("a", "Expired").await;
    assert!(function.calls().is_empty());
}

pub async fn destinations_are_told_what_came_of_tasks(store: Store) {
    let (tell, mut told) = unbounded_channel();
    let destination = Function::answering(move |request, _| {
        let tell = tell.clone();
        async move {
            let target = request.uri().to_string();
            let text = request.into_body().collect().await.unwrap().to_bytes();
            tell.send((target, serde_json::from_slice::<Value>(&text).unwrap())).unwrap();
            Response::new(body(""))
        }
    })
    .await;
    let function = Function::answering(async |request, call| {
        call.read(request.into_body()).await;
        let status: u16 = call.headers["x-status"].to_str().unwrap().parse().unwrap();
        Response::builder().status(status).body(body("done")).unwrap()
    })
    .await;
    let [success, failure] = ["fine", "bad"].map(|path| format!("{}/{path}", destination.url));
    let args = ["--retries", "0", "--on-success", &success, "--on-failure", &failure];
    let gateway = store.gateway(&function.url, &args);
    for (status, target, condition, error) in [
        ("200", "/fine", "Success", ""),
        ("503", "/bad", "FunctionError", "the function answered 503 Service Unavailable"),
    ] {
        let request = later(&format!("a{status}")).header("x-status", status);
        let id = assert_id(&accept(&gateway, request).await);
        let (called, mut object) = told.recv().await.unwrap();
        assert_eq!(called, target);
        assert!(object["timestamp"].take().is_u64());
        let expected = serde_json::json!({
            "timestamp": null,
            "requestContext": {
                "requestId": id,
                "functionArn": "",
                "condition": condition,
                "approximateInvokeCount": 1,
            },
            "requestPayload": "10",
            "responseContext": {
                "statusCode": status.parse::<u16>().unwrap(),
                "functionError": error,
            },
            "responsePayload": "done",
        });
        assert_eq!(object, expected);
    }
}

pub async fn a_signal_ends_a_gateway_that_waits_and_one_whose_queue_is_full(store: Store) {
    let function = Function::answering(|_, _| std::future::pending()).await;
    for (tasks, patience) in [(0, 15), (300, 40)] {
        let mut gateway = store.gateway(&function.url, &[]);
        for number in 0..tasks {
            accept(&gateway, later(&format!("a{number}"))).await;
        }
        while function.calls().len() < tasks.min(100) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let begun = Instant::now();
        gateway.signal("TERM");
        let ended = tokio::task::spawn_blocking(move || gateway.wait());
        let ended = tokio::time::timeout(Duration::from_secs(patience), ended).await;
        assert!(ended.expect("it does not end").unwrap().success());
        println!("with {tasks} tasks it ended after {:?}", begun.elapsed());
    }
    // What ran is handed back, and nothing is lost.
    let shown = store.shown(&[]);
    let count = |state: &str| shown.iter().filter(|task| task["state"] == state).count();
    assert_eq!((count("Retrying"), count("Enqueued")), (100, 200));
}
