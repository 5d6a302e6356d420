//! Requests to be carried out later, and what the layer answers.

#![allow(unreachable_pub, reason = "a module of test programs, which have no public items")]

use crate::common::services;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use std::time::SystemTime;
use tower::{Layer, ServiceExt};
use tower_fc::invocation::{InvocationLayer, InvocationStore, TaskId};

pub fn id(name: &str) -> TaskId {
    TaskId::new(name).unwrap()
}

/// A request to be carried out later, under this name.
pub fn later(name: &str, delay: Option<u64>) -> Request<Full<Bytes>> {
    let mut request = Request::post("/pay?to=alice")
        .header("x-fc-invocation-type", "Async")
        .header("x-fc-async-task-id", name);
    if let Some(delay) = delay {
        request = request.header("x-fc-async-delay", delay);
    }
    request.body(Full::from("10")).unwrap()
}

/// What the layer answers to it at this time.
pub async fn ask(
    store: impl InvocationStore,
    name: &str,
    delay: Option<u64>,
    now: SystemTime,
) -> Response<()> {
    let layer = InvocationLayer::new(store).with_clock(move || now);
    let response = layer.layer(services::unreachable()).oneshot(later(name, delay)).await;
    response.unwrap().map(drop)
}
