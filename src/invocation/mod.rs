//! Asynchronous invocation: a request that was answered 202 is carried out, whatever dies.

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
