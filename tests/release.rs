//! What a service held ready for a request that it answered itself, and `ReleaseLayer`.

use crate::common::services::{Slow, greeter};
use crate::common::{
    Counting, ID, call, clock, credentials, get, key, read, signed, signer, verify_layer,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tower::buffer::Buffer;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_fc::digest::{CheckDigestLayer, SetDigestLayer};
use tower_fc::release::{Release, ReleaseLayer};
use tower_fc::replay::{MemoryReplayGuard, ReplayLayer};
use tower_fc::{Scheme, SignLayer, Signer, Verifier, VerifyLayer};

/// Some permits, and a layer that takes one for each service that is ready.
fn limit(permits: usize) -> (Arc<Semaphore>, GlobalConcurrencyLimitLayer) {
    let permits = Arc::new(Semaphore::new(permits));
    (Arc::clone(&permits), GlobalConcurrencyLimitLayer::with_semaphore(permits))
}

/// Three buffers of one service, each of which has been asked for what is refused; the third
/// in the background.
macro_rules! three_buffers {
    ($service:expr) => {{
        let service = $service;
        let [one, two, three] = [(); 3].map(|()| Buffer::new(service.clone(), 1));
        for buffer in [one.clone(), two.clone()] {
            let response: Response<_> = buffer.oneshot(get("/")).await.unwrap();
            assert_eq!(response.status(), 403);
        }
        let third = tokio::spawn(three.oneshot(get("/")));
        // As often as it takes, and more often.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        ((one, two), third)
    }};
}

#[tokio::test]
async fn buffers_that_refused_starve_others_of_a_limit_unless_they_release_it() {
    let (permits, limit) = limit(2);
    let stack = || ServiceBuilder::new().layer(verify_layer()).layer(limit.clone());

    let (two, third) = three_buffers!(stack().service(greeter()));
    assert_eq!(permits.available_permits(), 0, "two idle services have one each");
    assert!(!third.is_finished());
    drop(two);
    assert_eq!(third.await.unwrap().unwrap().status(), 403, "with the permit of another");
    assert_eq!(permits.available_permits(), 2);

    let (two, third) = three_buffers!(ReleaseLayer.layer(stack().service(greeter())));
    assert!(third.is_finished());
    assert_eq!(third.await.unwrap().unwrap().status(), 403);
    assert_eq!(permits.available_permits(), 2, "the idle services have none");
    // And still serve.
    let response = two.0.oneshot(signed(get("/"))).await.unwrap();
    assert_eq!(read(response).await, ID);
}

/// How many of two permits are left when a service that is kept has answered a request twice:
/// one without `ReleaseLayer`, one with it.
macro_rules! left {
    ($layer:expr, $request:expr) => {{
        let (layer, request) = ($layer, $request);
        let mut left = Vec::new();
        let (permits, limit) = limit(2);
        let mut bare = Layer::layer(&layer, limit.layer(Counting::default()));
        let mut released = ReleaseLayer.layer(bare.clone());
        for _ in 0..2 {
            let _ = call(&mut bare, request.clone()).await;
        }
        left.push(permits.available_permits());
        drop(bare);
        for _ in 0..2 {
            let _ = call(&mut released, request.clone()).await;
        }
        left.push(permits.available_permits());
        left
    }};
}

#[tokio::test]
async fn a_layer_that_clones_gives_back_what_was_ready_and_one_that_does_not_needs_help() {
    let body = |request: Request<()>| request.map(|()| Full::<Bytes>::from("abc"));
    let posted = || body(signed(get("/")));
    let guard = || MemoryReplayGuard::new(100);
    let replay = || ReplayLayer::new(guard()).with_clock(clock());
    let slow_replay = || ReplayLayer::new(Slow(guard())).with_clock(clock()).awaiting_guard();
    let keys = |id: String| async move { (id == ID).then(key) };
    let verify = || VerifyLayer::new(Verifier::new(keys)).with_clock(clock());
    let sign = || SignLayer::for_origins(credentials(), ["https://demo.example"]).unwrap();
    let provider = || async { Ok(credentials()) };
    let origins = ["https://demo.example"];
    let slow_sign = SignLayer::for_origins(Signer::new(provider), origins).unwrap();
    let exempt = verify_layer().with_exemption(|_, _, _| true);
    let verified = || ServiceBuilder::new().layer(verify_layer());
    let check = CheckDigestLayer::new;

    let kept = [1, 2];
    for (name, left, expected) in [
        ("VerifyLayer", left!(verify_layer(), get("/")), kept),
        // No VerifyLayer is outside.
        ("ReplayLayer", left!(replay(), signed(get("/"))), kept),
        ("CheckDigestLayer", left!(check(), posted()), kept),
        // It says not where it goes.
        ("SignLayer", left!(sign(), get("/")), kept),
        ("a replay", left!(verified().layer(replay()), signed(get("/"))), kept),
    ] {
        assert_eq!(left, expected, "{name}");
    }
    let released = [2, 2];
    for (name, left) in [
        ("AsyncVerifyLayer", left!(verify().awaiting_keys(), get("/"))),
        ("AsyncReplayLayer", left!(slow_replay(), signed(get("/")))),
        ("an awaited replay", left!(verified().layer(slow_replay()), signed(get("/")))),
        ("BufferedCheckDigestLayer", left!(check().buffered(10), posted())),
        ("AsyncSignLayer", left!(slow_sign.awaiting_credentials(), get("/"))),
        ("SetDigestLayer", left!(SetDigestLayer::for_signer(&signer(Scheme::Fc)), posted())),
        // What passes.
        ("exempt", left!(exempt, get("/"))),
        (
            "exempt, awaited",
            left!(verify().with_exemption(|_, _, _| true).awaiting_keys(), get("/")),
        ),
        ("verified", left!(verify_layer(), signed(get("/")))),
    ] {
        assert_eq!(left, released, "{name}");
    }
}

#[tokio::test]
async fn the_service_that_is_called_is_the_one_that_was_ready() {
    // A permit, or a slot of the buffer, belongs to the service that was polled ready:
    // calling a clone of it would panic.
    let mut service: Release<_> = ReleaseLayer.layer(
        ServiceBuilder::new()
            .layer(verify_layer())
            .buffer(1)
            .concurrency_limit(1)
            .service(greeter()),
    );
    for _ in 0..20 {
        assert_eq!(call(&mut service, signed(get("/"))).await.unwrap().status(), 200);
        assert_eq!(call(&mut service, get("/")).await.unwrap().status(), 403);
    }
}

#[tokio::test]
async fn readiness_errors_and_futures_are_those_of_the_inner_service() {
    type Echo = fn(&'static str) -> std::future::Ready<Result<&'static str, &'static str>>;
    let echo: Echo =
        |text| std::future::ready(if text.is_empty() { Err("empty") } else { Ok(text) });
    let mut service = ReleaseLayer.layer(tower::service_fn(echo));
    let future: std::future::Ready<_> = service.ready().await.unwrap().call("text");
    assert_eq!(future.await, Ok("text"));
    assert_eq!(call(&mut service, "").await, Err("empty"));
}
