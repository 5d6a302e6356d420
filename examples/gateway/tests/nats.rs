//! The program with its tasks in NATS JetStream, on a real server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(dead_code, unreachable_pub, reason = "helpers are shared with other tests")]

#[path = "sockets/client.rs"]
mod client;
#[path = "sockets/function.rs"]
mod function;
#[path = "sockets/gateway.rs"]
mod gateway;
#[path = "../../../tests/system/nats/server.rs"]
mod server;
#[path = "../../../tests/common/setup.rs"]
mod setup;
#[path = "sockets/stores.rs"]
mod stores;

use bytes::Bytes;
use client::{Over, refusal};
use function::Function;
use gateway::{ANONYMOUS, output};
use http_body_util::Full;
use server::{SERVER, Server};
use setup::{named, needing};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;
use stores::{Store, later};

/// The server of all tests, each of which has a stream of its own.
static SHARED: Mutex<Option<Server>> = Mutex::new(None);

fn shared_url() -> String {
    SHARED.lock().unwrap().get_or_insert_with(Server::synced).url()
}

fn store(url: &str, stream: &str) -> Store {
    let args = ["--store", url, "--nats-stream", stream, "--nats-sync-always"];
    Store::of(args.map(str::to_owned).to_vec())
}

macro_rules! in_a_stream {
    ($($test:ident,)*) => {
        fn shared() -> Vec<(&'static str, fn())> {
            $(
                #[tokio::main]
                async fn $test() {
                    stores::$test(store(&shared_url(), stringify!($test))).await;
                }
            )*
            vec![$((stringify!($test), $test as fn())),*]
        }
    };
}
tests_of_stores!(in_a_stream);

fn main() -> ExitCode {
    let own = named![
        a_server_that_may_lose_what_it_acknowledged_is_refused,
        while_the_server_is_away_tasks_are_refused_and_when_it_is_back_accepted,
    ];
    let tests = shared().into_iter().flat_map(|test| needing(Some(&SERVER), [test]));
    let code = setup::run(tests.chain(needing(Some(&SERVER), own)));
    drop(SHARED.lock().unwrap().take());
    code
}

fn a_server_that_may_lose_what_it_acknowledged_is_refused() {
    let server = Server::by_default();
    let url = server.url();
    let gateway = ["--upstream", "http://127.0.0.1:1", "--store", &url];
    let refused = output(&[&gateway[..], ANONYMOUS].concat());
    assert!(!refused.status.success());
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.contains("--store: ") && error.contains("replica"), "{error}");
}

#[tokio::main]
async fn while_the_server_is_away_tasks_are_refused_and_when_it_is_back_accepted() {
    let function = Function::hello().await;
    let mut server = Server::synced();
    let store = store(&server.url(), "away");
    let gateway = store.gateway(&function.url, &[]);
    let send = async |id: &str| {
        let request = later(id).body(Full::<Bytes>::from("10")).unwrap();
        Over::Http1.send(&gateway, request).await.unwrap()
    };
    assert_eq!(send("before").await.status(), 202);
    server.kill();
    // One that is under way as the server goes waits until it is known what became of it.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let response = send("away").await;
    assert_eq!(response.status(), 503);
    assert!(refusal(response).await.contains("ServiceUnavailable"));
    server.start();
    let mut number = 0;
    while send(&format!("after{number}")).await.status() != 202 {
        number += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let last = format!("after{number}");
    store.wait(&last, "Succeeded").await;
    let shown = store.shown(&[]);
    let ids: Vec<_> = shown.iter().map(|task| task["taskId"].as_str().unwrap()).collect();
    assert_eq!(ids, [&*last, "before"]);
}
