//! The contract of stores as NATS keeps it, and what a stream has to be.

#![allow(unreachable_pub, reason = "a module of a test program, which has no public items")]

use crate::MACHINE;
use crate::asking::ask;
use crate::contract::{self, Bed, contract};
use crate::server::Server;
use crate::setup::named;
use async_nats::jetstream;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use http::StatusCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tower_fc::error::{Error, ErrorKind};
use tower_fc::invocation::nats::{NatsSettings, NatsStore};

/// A server, where time goes by itself.
struct Real {
    server: Server,
    begin: SystemTime,
}

impl Real {
    fn new() -> Self {
        let server = Server::synced();
        Self { server, begin: SystemTime::now() }
    }
}

impl Bed for Real {
    type Store = NatsStore;

    const UNIT: Duration = Duration::from_secs(1);

    async fn store(&self) -> NatsStore {
        let settings = settings().with_retention(Self::UNIT * 2).unwrap();
        NatsStore::connect(&self.server.url(), settings).await.unwrap()
    }

    async fn reach(&self, units: u32) -> SystemTime {
        // The server looks for what is due four times a second.
        let late = Duration::from_millis(500);
        let time = self.begin + Self::UNIT * units + late;
        tokio::time::sleep(time.duration_since(SystemTime::now()).unwrap_or_default()).await;
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        UNIX_EPOCH + Duration::from_millis(millis as u64)
    }
}

macro_rules! on_a_server {
    ($($test:ident,)*) => {
        pub fn contract() -> Vec<(&'static str, fn())> {
            vec![$((stringify!($test), || run(async {
                let _shared = MACHINE.read().await;
                contract::$test(Real::new()).await;
            })),)*]
        }
    };
}
contract!(on_a_server);

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(test);
}

fn settings() -> NatsSettings {
    NatsSettings::new("tasks").unwrap().with_vouched_sync_always()
}

pub fn tests() -> Vec<(&'static str, fn())> {
    named![
        a_stream_that_would_lose_tasks_is_refused_and_why,
        a_stream_of_one_replica_is_refused_unless_somebody_vouches_for_the_server,
        while_the_server_is_gone_requests_are_answered_503_and_then_202_again,
        what_took_the_place_of_a_stream_is_not_trusted,
    ]
    .into()
}

pub fn tests_of_old_servers() -> [(&'static str, fn()); 1] {
    named![a_server_without_schedules_is_refused_and_which_it_is]
}

#[tokio::main(flavor = "current_thread")]
async fn a_server_without_schedules_is_refused_and_which_it_is() {
    let server = Server::old();
    let error = NatsStore::connect(&server.url(), settings()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidStore);
    for part in ["2.11.11", "2.12"] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

fn good() -> Config {
    Config {
        name: "tasks".to_owned(),
        subjects: vec!["tasks.>".to_owned()],
        retention: RetentionPolicy::WorkQueue,
        max_messages_per_subject: 1,
        max_messages: -1,
        max_bytes: -1,
        allow_message_ttl: true,
        allow_message_schedules: true,
        allow_rollup: true,
        ..Config::default()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn a_stream_that_would_lose_tasks_is_refused_and_why() {
    let server = Server::synced();
    let client = async_nats::connect(server.url()).await.unwrap();
    let context = jetstream::new(client.clone());
    type Change = fn(&mut Config);
    let cases: [(&str, Change); 11] = [
        ("storage", |config| config.storage = StorageType::Memory),
        ("retention", |config| config.retention = RetentionPolicy::Limits),
        ("retention", |config| config.retention = RetentionPolicy::Interest),
        ("max_age", |config| config.max_age = Duration::from_secs(86_400)),
        ("max_msgs", |config| config.max_messages = 1_000_000),
        ("max_bytes", |config| config.max_bytes = 1 << 30),
        ("max_msgs_per_subject", |config| config.max_messages_per_subject = -1),
        ("allow_msg_ttl", |config| config.allow_message_ttl = false),
        ("no_ack", |config| config.no_ack = true),
        ("subjects", |config| config.subjects = vec!["tasks.*.work".to_owned()]),
        ("allow_msg_schedules", |config| {
            config.allow_message_schedules = false;
            config.discard = DiscardPolicy::New;
        }),
    ];
    for (name, change) in cases {
        let mut config = good();
        change(&mut config);
        context.create_stream(config).await.unwrap();
        let error = NatsStore::with_client(client.clone(), settings()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidStore);
        let message = error.to_string();
        assert!(message.contains("the stream tasks") && message.contains(name), "{message}");
        context.delete_stream("tasks").await.unwrap();
    }
    context.create_stream(good()).await.unwrap();
    NatsStore::with_client(client, settings()).await.unwrap();
}

#[tokio::main(flavor = "current_thread")]
async fn a_stream_of_one_replica_is_refused_unless_somebody_vouches_for_the_server() {
    // The server does not tell its clients which it is.
    let [synced, other] = [Server::synced(), Server::by_default()];
    let config = |server: &Server| server.ask("jsz?config=1").unwrap();
    assert!(config(&synced).contains("\"sync_always\": true"), "{}", config(&synced));
    assert!(!config(&other).contains("\"sync_always\": true"), "{}", config(&other));
    for server in [&synced, &other] {
        let client = async_nats::connect(server.url()).await.unwrap();
        let settings = || NatsSettings::new("tasks").unwrap();
        // Where there is no cluster no three replicas are made.
        let open = async |settings| NatsStore::with_client(client.clone(), settings).await;
        let error: Error = open(settings()).await.unwrap_err();
        assert!(error.to_string().contains("cannot be made"), "{error}");
        jetstream::new(client.clone()).create_stream(good()).await.unwrap();
        let error = open(settings()).await.unwrap_err();
        for part in ["num_replicas is 1", "sync_interval: always", "vouch"] {
            assert!(error.to_string().contains(part), "{error}");
        }
        open(settings().with_vouched_sync_always()).await.unwrap();
    }
    let error = NatsStore::connect("nats://user:canary@127.0.0.1:1", settings()).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidStore);
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
}

/// What was told of a store: whether it could be used.
type Told = Arc<Mutex<Vec<bool>>>;

fn telling() -> (NatsSettings, Told) {
    let told = Told::default();
    let tell = Arc::clone(&told);
    let alert = move |error: Option<&_>| tell.lock().unwrap().push(error.is_none());
    (settings().with_alert(alert), told)
}

async fn answer(store: &NatsStore, name: &str) -> StatusCode {
    ask(store.clone(), name, None, SystemTime::now()).await.status()
}

#[tokio::main(flavor = "current_thread")]
async fn while_the_server_is_gone_requests_are_answered_503_and_then_202_again() {
    let mut server = Server::synced();
    let (settings, told) = telling();
    let store = NatsStore::connect(&server.url(), settings).await.unwrap();
    assert_eq!(answer(&store, "before").await, StatusCode::ACCEPTED);
    server.kill();
    while store.check().await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for name in ["gone", "gone", "gone-too"] {
        assert_eq!(answer(&store, name).await, StatusCode::SERVICE_UNAVAILABLE);
    }
    server.start();
    while answer(&store, "after").await != StatusCode::ACCEPTED {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(answer(&store, "before").await, StatusCode::CONFLICT);
    assert_eq!(answer(&store, "gone").await, StatusCode::ACCEPTED);
    assert_eq!(*told.lock().unwrap(), [false, true]);
}

#[tokio::main(flavor = "current_thread")]
async fn what_took_the_place_of_a_stream_is_not_trusted() {
    let server = Server::synced();
    let (settings, told) = telling();
    let store = NatsStore::connect(&server.url(), settings).await.unwrap();
    assert_eq!(answer(&store, "before").await, StatusCode::ACCEPTED);
    let context = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    context.delete_stream("tasks").await.unwrap();
    assert_eq!(answer(&store, "gone").await, StatusCode::SERVICE_UNAVAILABLE);
    let in_memory = Config { storage: StorageType::Memory, ..good() };
    context.create_stream(in_memory).await.unwrap();
    assert_eq!(answer(&store, "memory").await, StatusCode::SERVICE_UNAVAILABLE);
    context.delete_stream("tasks").await.unwrap();
    context.create_stream(good()).await.unwrap();
    assert_eq!(answer(&store, "good").await, StatusCode::ACCEPTED);
    assert_eq!(*told.lock().unwrap(), [false, true]);
}
