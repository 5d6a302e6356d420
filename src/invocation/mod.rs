//! Asynchronous invocation: a request that was answered 202 is carried out, whatever dies.
//!
#![cfg_attr(feature = "async-sqlite", doc = "```")]
#![cfg_attr(not(feature = "async-sqlite"), doc = "```ignore")]
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use std::convert::Infallible;
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_fc::invocation::sqlite::SqliteStore;
//! use tower_fc::invocation::{InvocationLayer, InvocationStore, TaskId, TaskState, Worker};
//! use tower_fc::trigger::HttpTrigger;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let file = std::env::temp_dir().join(format!("tower-fc-{}.sqlite", std::process::id()));
//! let store = SqliteStore::open(&file)?;
//! let function = service_fn(async |request: Request<Full<Bytes>>| {
//!     assert!(request.headers().contains_key("x-fc-request-id"));
//!     Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("paid")))
//! });
//! // `HttpTrigger::with_invocation` has this layer between its own.
//! let service = InvocationLayer::new(store.clone()).layer(function);
//! let worker = Worker::new(store.clone(), HttpTrigger::anonymous().function(function));
//! tokio::spawn(worker.run(std::future::pending()));
//!
//! let request = || {
//!     Request::post("/pay")
//!         .header("x-fc-invocation-type", "Async")
//!         .header("x-fc-async-task-id", "order-1")
//!         .body(Full::<Bytes>::from("10"))
//! };
//! assert_eq!(service.clone().oneshot(request()?).await?.status(), 202);
//! // There is one task of a name.
//! assert_eq!(service.clone().oneshot(request()?).await?.status(), 409);
//!
//! let id = TaskId::new("order-1")?;
//! while store.get(&id).await?.unwrap().state != TaskState::Succeeded {
//!     tokio::task::yield_now().await;
//! }
//! # for end in ["", "-wal", "-shm", "-owner"] {
//! #     let _ = std::fs::remove_file(format!("{}{end}", file.display()));
//! # }
//! # Ok(())
//! # }
//! ```
//!
//! [`InvocationLayer`] accepts, an [`InvocationStore`] keeps, a [`Worker`] carries out.
//!
//! - What was answered 202 is durable before that, and runs *at least* once: what ran when a
//!   process died runs again. The function is given the `x-fc-request-id` of the 202 each time, by
//!   which it can tell.
//! - What was answered otherwise never runs. A store that cannot write is 503, and accepts again
//!   as soon as it can.
//! - A task runs when its delay is over, and not before; how soon after that is a matter of how
//!   many a worker runs at once ([`Worker::with_concurrency`]).
//! - A name stays taken while its task waits, and for 7 days when it is over. One store is one
//!   name space: the tasks of one trigger.
//!
//! | what happens | is | and then |
//! |---|---|---|
//! | the function answers below 500 | success | `Succeeded` |
//! | it answers 500 and above, panics, takes longer than [`Worker::with_timeout`] | its failure | again after 0.5 s, 1 s, 2 s …, 3 times, then `Failed` |
//! | it cannot be reached, breaks the connection, the trigger answers 429, 500 or 503 in its place | the platform's failure | again after 0.5 s, 1 s, 2 s … up to 512 s, for 5 hours, then `Failed` |
//! | the worker dies | the platform's failure | again at once, from the second time in a row after a pause of up to 32 s |
//! | nobody has taken it at its maximum age, a day | | `Expired` |
//! | a worker is told to end | nobody's failure | it waits 10 s for what runs, and hands the rest back |
//!
//! What an answer of 5xx means to Function Compute is documented nowhere, and is chosen here:
//! [`RetryPolicy::with_failures`] says otherwise. The other numbers are its own, and settable in
//! [`RetryPolicy`].

mod asked;
mod destination;
mod layer;
#[cfg(feature = "async-nats")]
pub mod nats;
mod policy;
mod service;
#[cfg(feature = "async-sqlite")]
pub mod sqlite;
mod store;
#[cfg_attr(
    not(any(feature = "async-nats", feature = "async-sqlite")),
    allow(dead_code, reason = "what is for stores that keep tasks")
)]
mod task;
mod worker;

pub use destination::Destination;
pub use layer::{DEFAULT_MAX_ASYNC_BODY_LEN, InvocationLayer};
pub use policy::RetryPolicy;
pub use service::{Invocation, InvocationFuture};
pub use store::{Added, DEFAULT_RETENTION, Hold, InvocationStore, Settled, StoreError};
pub use task::{Taken, Task, TaskId, TaskState, TaskStatus, Tries};
pub use worker::{Worker, WorkerEvent};
