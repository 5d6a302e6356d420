//! Which requests are accepted, and that no other is stored.

use super::{id, later, sqlite};
use crate::common::bodies::Pieces;
use crate::common::{at, clock, read_error, refusal, services, signer, verify_layer};
use bytes::Bytes;
use http::header::HeaderName;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};
use tower::{Layer, ServiceExt, service_fn};
use tower_fc::invocation::{
    Added, Hold, InvocationLayer, InvocationStore, Settled, StoreError, Taken, Task, TaskId,
    TaskState, TaskStatus,
};
use tower_fc::trigger::HttpTrigger;
use tower_fc::{RejectionKind, Scheme, Verifier, VerifyLayer};

async fn stored(store: &impl InvocationStore) -> usize {
    store.list(None, 100).await.unwrap().len()
}

#[tokio::test]
async fn a_request_is_stored_and_answered_with_202() {
    let store = sqlite();
    let layer = InvocationLayer::new(store.clone()).with_clock(clock());
    let service = layer.layer(services::unreachable());
    let response = service.clone().oneshot(later("order-1", Some(30))).await.unwrap();
    assert_eq!(response.status(), 202);
    let request_id = response.headers()["x-fc-request-id"].to_str().unwrap().to_owned();
    let status = store.get(&id("order-1")).await.unwrap().unwrap();
    assert_eq!(status.request_id, request_id);
    assert_eq!((status.accepted_at, status.due_at), (at(0), at(30)));
    assert_eq!((status.state, status.attempts), (TaskState::Enqueued, 0));

    // A second one of this name, by either header.
    for name in ["x-fc-async-task-id", "x-fc-stateful-async-invocation-id"] {
        let mut request = later("x", None);
        request.headers_mut().remove("x-fc-async-task-id");
        let name = HeaderName::from_static(name);
        request.headers_mut().insert(name, "order-1".parse().unwrap());
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 409);
        assert!(response.headers().contains_key("x-fc-request-id"));
        assert_eq!(read_error(response).await.0, "StatefulAsyncInvocationAlreadyExists");
    }
    assert_eq!(stored(&store).await, 1);

    // Without a name the request id is one.
    let mut request = later("x", None);
    request.headers_mut().remove("x-fc-async-task-id");
    let response = service.oneshot(request).await.unwrap();
    let request_id = response.headers()["x-fc-request-id"].to_str().unwrap().to_owned();
    let all = store.list(None, 9).await.unwrap();
    assert!(all.iter().any(|status| status.id.as_str() == request_id), "{all:?}");
}

#[tokio::test]
async fn a_request_to_be_carried_out_at_once_goes_on() {
    for value in [None, Some("Sync")] {
        let store = sqlite();
        let layer = InvocationLayer::new(store.clone()).with_clock(clock());
        let mut request = later("a", None);
        request.headers_mut().remove("x-fc-invocation-type");
        if let Some(value) = value {
            request.headers_mut().insert("x-fc-invocation-type", value.parse().unwrap());
        }
        let response = layer.layer(services::greeter()).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(stored(&store).await, 0);
    }
}

#[tokio::test]
async fn what_a_header_cannot_say_is_refused_and_not_stored() {
    let cases = [
        ("x-fc-invocation-type", vec!["async"]),
        ("x-fc-invocation-type", vec!["Event"]),
        ("x-fc-invocation-type", vec![""]),
        ("x-fc-invocation-type", vec!["Async", "Async"]),
        ("x-fc-invocation-type", vec!["Sync", "Async"]),
        ("x-fc-async-delay", vec!["0"]),
        ("x-fc-async-delay", vec!["3601"]),
        ("x-fc-async-delay", vec!["-1"]),
        ("x-fc-async-delay", vec!["+1"]),
        ("x-fc-async-delay", vec!["1.5"]),
        ("x-fc-async-delay", vec![""]),
        ("x-fc-async-delay", vec!["99999999999999999999"]),
        ("x-fc-async-delay", vec!["1", "1"]),
        ("x-fc-async-task-id", vec![""]),
        ("x-fc-async-task-id", vec!["1abc"]),
        ("x-fc-async-task-id", vec!["-a"]),
        ("x-fc-async-task-id", vec!["a b"]),
        ("x-fc-async-task-id", vec!["a.b"]),
        ("x-fc-async-task-id", vec!["a", "b"]),
        ("x-fc-stateful-async-invocation-id", vec!["b"]),
    ];
    let long = "a".repeat(129);
    let cases = cases.into_iter().chain([("x-fc-async-task-id", vec![long.as_str()])]);
    for (name, values) in cases {
        let store = sqlite();
        let layer = InvocationLayer::new(store.clone()).with_clock(clock());
        let mut request = later("task", None);
        let name = HeaderName::from_static(name);
        request.headers_mut().remove(&name);
        for value in &values {
            request.headers_mut().append(&name, value.parse().unwrap());
        }
        let response = layer.layer(services::unreachable()).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 400, "{name} {values:?}");
        let (code, message) = read_error(response).await;
        assert_eq!(code, "InvalidArgument");
        assert!(message.contains(name.as_str()), "{message}");
        assert_eq!(stored(&store).await, 0, "{name} {values:?}");
    }
}

#[tokio::test]
async fn the_bounds_of_delays_and_names_are_within() {
    for (name, delay) in [("a", 1), ("_", 3600), ("A-_9", 59), (&*"a".repeat(128), 2)] {
        let store = sqlite();
        let layer = InvocationLayer::new(store.clone()).with_clock(clock());
        let request = later(name, Some(delay));
        let response = layer.layer(services::unreachable()).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 202);
        let status = store.get(&id(name)).await.unwrap().unwrap();
        assert_eq!(status.due_at, at(delay as i64));
    }
}

#[tokio::test]
async fn a_body_ends_at_128_kb_whether_its_length_is_known_or_not() {
    for (len, status) in [(131_071, 202), (131_072, 202), (131_073, 400)] {
        for knows in [true, false] {
            let store = sqlite();
            let layer = InvocationLayer::new(store.clone()).with_clock(clock());
            let piece = Bytes::from(vec![b'a'; len / 2]);
            let rest = Bytes::from(vec![b'a'; len - len / 2]);
            let frames = [piece, rest].map(|data| Ok(http_body::Frame::data(data)));
            let body = Pieces::<std::io::Error>::from_frames(frames);
            let body = if knows { body.knowing() } else { body };
            let request = later("a", None).map(|_| body);
            let response = layer.layer(services::unreachable()).oneshot(request).await.unwrap();
            assert_eq!(response.status(), status, "{len}");
            assert_eq!(stored(&store).await, usize::from(status == 202));
            if status == 400 {
                let (code, message) = read_error(response).await;
                assert_eq!(code, "InvalidArgument");
                assert!(message.contains("131072"), "{message}");
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_stored() {
    let store = sqlite();
    let layer = InvocationLayer::new(store.clone()).with_clock(clock());
    let body = Pieces::of(["10"]).then(Err(std::io::Error::other("reset")));
    let request = later("a", None).map(|_| body);
    let response = layer.layer(services::unreachable()).oneshot(request).await.unwrap();
    assert_eq!(refusal(&response), Some(RejectionKind::BodyIncomplete));
    assert_eq!(stored(&store).await, 0);
}

#[tokio::test]
async fn a_signature_covers_what_decides_about_it_whatever_the_verifier_lets_go() {
    const NAMES: [&str; 4] = [
        "x-fc-invocation-type",
        "x-fc-async-delay",
        "x-fc-async-task-id",
        "x-fc-stateful-async-invocation-id",
    ];
    let names = NAMES.map(HeaderName::from_static);
    for unsigned in [None, Some(0), Some(1), Some(2), Some(3)] {
        let store = sqlite();
        let mut verifier = Verifier::new(crate::common::keys());
        for name in &names {
            verifier = verifier.with_insecure_unsigned_header(name.clone());
        }
        let trigger = HttpTrigger::new(VerifyLayer::new(verifier).with_clock(clock()))
            .with_clock(clock())
            .with_invocation(InvocationLayer::new(store.clone()).with_clock(clock()))
            .layer(services::unreachable());
        let mut request = later("a", Some(5));
        if unsigned == Some(3) {
            let id = request.headers_mut().remove(&names[2]).unwrap();
            request.headers_mut().insert(&names[3], id);
        }
        let taken =
            unsigned.map(|at| (&names[at], request.headers_mut().remove(&names[at]).unwrap()));
        request.headers_mut().insert("host", "demo.example".parse().unwrap());
        signer(Scheme::Acs3HmacSha256).sign_request_at(&mut request, at(0)).unwrap();
        if let Some((name, value)) = taken {
            request.headers_mut().insert(name, value);
        }
        let response = trigger.oneshot(request).await.unwrap();
        let kind = unsigned.map(|_| RejectionKind::UnsignedHeader);
        assert_eq!(refusal(&response), kind, "{unsigned:?}");
        assert_eq!(response.status(), if unsigned.is_some() { 403 } else { 202 });
        assert_eq!(stored(&store).await, usize::from(unsigned.is_none()));
    }
}

#[tokio::test]
async fn a_body_that_differs_from_its_signed_digest_is_not_stored() {
    for (body, status) in [("10", 202), ("99", 403)] {
        let store = sqlite();
        let trigger = HttpTrigger::new(verify_layer())
            .with_clock(clock())
            .with_invocation(InvocationLayer::new(store.clone()).with_clock(clock()))
            .layer(services::unreachable());
        let mut request = later("a", None);
        let digest = "09lEaAKkQll1XTjm0WPoIA==".parse().unwrap();
        request.headers_mut().insert("content-md5", digest);
        signer(Scheme::Fc).sign_request_at(&mut request, at(0)).unwrap();
        let request = request.map(|_| Full::<Bytes>::from(body));
        let response = trigger.oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(stored(&store).await, usize::from(status == 202));
    }
}

#[tokio::test]
async fn an_unsigned_request_is_refused_before_anything_is_stored() {
    let store = sqlite();
    let trigger = HttpTrigger::new(verify_layer())
        .with_clock(clock())
        .with_invocation(InvocationLayer::new(store.clone()).with_clock(clock()))
        .layer(service_fn(async |_: Request<_>| {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
    let response = trigger.oneshot(later("a", None)).await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(stored(&store).await, 0);
}

#[tokio::test]
async fn a_delay_begins_when_the_request_has_come() {
    let store = sqlite();
    let time = Arc::new(AtomicI64::new(0));
    let clock = {
        let time = Arc::clone(&time);
        move || at(time.load(Ordering::SeqCst))
    };
    let layer = InvocationLayer::new(store.clone()).with_clock(clock);
    let come = move |frame| {
        time.store(20, Ordering::SeqCst);
        frame
    };
    let request = later("a", Some(5)).map(|body| body.map_frame(come));
    let response = layer.layer(services::unreachable()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(store.get(&id("a")).await.unwrap().unwrap().due_at, at(25));
}

/// A store that cannot be written.
#[derive(Clone)]
struct Full_;

fn full<T>() -> Result<T, StoreError> {
    Err(StoreError::new("the disk is full"))
}

impl InvocationStore for Full_ {
    async fn add(&self, _: Task) -> Result<Added, StoreError> {
        full()
    }

    async fn take(&self, _: SystemTime, _: usize, _: Duration) -> Result<Vec<Taken>, StoreError> {
        full()
    }

    async fn changed(&self) {}

    async fn extend(&self, _: &Taken, _: SystemTime) -> Result<Hold, StoreError> {
        full()
    }

    async fn settle(&self, _: &Taken, _: Settled, _: SystemTime) -> Result<bool, StoreError> {
        full()
    }

    async fn get(&self, _: &TaskId) -> Result<Option<TaskStatus>, StoreError> {
        full()
    }

    async fn list(&self, _: Option<&TaskId>, _: usize) -> Result<Vec<TaskStatus>, StoreError> {
        full()
    }

    async fn stop(&self, _: &TaskId, _: SystemTime) -> Result<Option<TaskState>, StoreError> {
        full()
    }
}

#[tokio::test]
async fn what_cannot_be_stored_is_answered_with_503_and_not_with_the_reason() {
    let layer = InvocationLayer::new(Full_).with_clock(clock());
    let response = layer.layer(services::unreachable()).oneshot(later("a", None)).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(refusal(&response), Some(RejectionKind::InvocationStoreUnavailable));
    let (code, message) = read_error(response).await;
    assert_eq!(code, "ServiceUnavailable");
    assert!(!message.contains("disk"), "{message}");
}
