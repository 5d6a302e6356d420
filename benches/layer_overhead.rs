//! What the layers cost: against the bare service, and against calling `Signer` and
//! `Verifier` by hand in front of it. The async ones await keys and credentials that are
//! there at once. Prints the sizes of the futures too.

#![allow(missing_docs, clippy::unwrap_used)]

mod shapes;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use http::Request;
use shapes::{Bare, call};
use std::future::Ready;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};
use tower::{Layer, Service};
use tower_fc::credentials::ProvideCredentials;
use tower_fc::keys::VerifyingKey;
use tower_fc::{Scheme, SignLayer, Signer, StaticKeys, Verifier, VerifyLayer};

fn request(parts: &http::request::Parts) -> Request<()> {
    Request::from_parts(shapes::fresh(parts), ())
}

fn bench<O>(
    c: &mut Criterion,
    row: &str,
    shape: &str,
    parts: &http::request::Parts,
    mut run: impl FnMut(Request<()>) -> O,
) {
    let mut group = c.benchmark_group("layer");
    group.bench_function(BenchmarkId::new(row, shape), |b| {
        b.iter_batched(|| request(parts), &mut run, BatchSize::NumIterations(16));
    });
    group.finish();
}

fn size<S: Service<Request<()>>>(name: &str, mut service: S, parts: &http::request::Parts) {
    println!("future of {name}: {} bytes", size_of_val(&service.call(request(parts))));
}

/// The result of a future that is ready at once.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("the future is ready at once"),
    }
}

/// A verifier whose keys are awaited, and are there at once.
fn awaited() -> Verifier<impl Fn(String) -> Ready<Option<VerifyingKey>>> {
    let key = shapes::credentials().key().clone();
    Verifier::new(move |id: String| std::future::ready((id == shapes::ID).then(|| key.clone())))
}

fn layers(c: &mut Criterion) {
    for shape in [shapes::small(Scheme::Fc), shapes::typical(Scheme::Fc)] {
        let (unsigned, signed) = (shape.unsigned(), shape.signed(Scheme::Fc));
        let signer: Signer = shapes::signer(Scheme::Fc);
        let verifier: Verifier<StaticKeys> = shapes::verifier();
        let mut sign = SignLayer::new(signer.clone()).layer(Bare);
        let provider = shapes::credentials();
        let mut async_sign =
            SignLayer::new(Signer::new(provider.clone())).awaiting_credentials().layer(Bare);
        let mut verify = VerifyLayer::new(shapes::verifier()).layer(Bare);
        let async_verifier = awaited();
        let mut async_verify = VerifyLayer::new(awaited()).awaiting_keys().layer(Bare);

        bench(c, "bare", shape.name, &unsigned, |request| call(&mut Bare, request));
        bench(c, "sign/by-hand", shape.name, &unsigned, |mut request| {
            signer.sign_request_at(&mut request, SystemTime::now()).unwrap();
            call(&mut Bare, request)
        });
        bench(c, "sign/layer", shape.name, &unsigned, |request| call(&mut sign, request));
        bench(c, "sign/async-by-hand", shape.name, &unsigned, |mut request| {
            let signer = Signer::new(now(provider.credentials()).unwrap());
            signer.sign_request_at(&mut request, SystemTime::now()).unwrap();
            call(&mut Bare, request)
        });
        bench(c, "sign/async-layer", shape.name, &unsigned, |r| call(&mut async_sign, r));
        bench(c, "verify/by-hand", shape.name, &signed, |request| {
            let caller = verifier.verify_request_at(&request, SystemTime::now()).unwrap();
            (caller, call(&mut Bare, request))
        });
        bench(c, "verify/by-hand-with-extension", shape.name, &signed, |mut request| {
            let caller = verifier.verify_request_at(&request, SystemTime::now()).unwrap();
            request.extensions_mut().insert(caller);
            call(&mut Bare, request)
        });
        bench(c, "verify/layer", shape.name, &signed, |request| call(&mut verify, request));
        bench(c, "verify/async-by-hand-with-extension", shape.name, &signed, |request| {
            let (mut parts, ()) = request.into_parts();
            let caller = now(async_verifier.verify_async_at(&parts, SystemTime::now())).unwrap();
            parts.extensions.insert(caller);
            call(&mut Bare, Request::from_parts(parts, ()))
        });
        bench(c, "verify/async-layer", shape.name, &signed, |r| call(&mut async_verify, r));

        if shape.name == "small" {
            size("the bare service", Bare, &unsigned);
            size("Sign", sign, &unsigned);
            size("AsyncSign", async_sign, &unsigned);
            size("Verify", verify, &signed);
            size("AsyncVerify", async_verify, &signed);
            let by_hand = async_verifier.verify_async_at(&signed, SystemTime::now());
            println!("future of verify_async_at: {} bytes", size_of_val(&by_hand));
        }
    }
}

/// The whole trigger against the layer that verifies, which is most of it.
#[cfg(feature = "trigger")]
fn trigger(c: &mut Criterion) {
    use bytes::Bytes;
    use http_body_util::Empty;
    use tower_fc::trigger::HttpTrigger;

    let signed = shapes::small(Scheme::Fc).signed(Scheme::Fc);
    let request = || request(&signed).map(|()| Empty::<Bytes>::new());
    let mut group = c.benchmark_group("trigger");
    let verify = VerifyLayer::new(shapes::verifier());
    let mut alone = verify.layer(Bare);
    group.bench_function("verify/layer", |b| {
        b.iter_batched(request, |r| call(&mut alone, r), BatchSize::NumIterations(16));
    });
    let mut whole = HttpTrigger::new(verify).layer(Bare);
    group.bench_function("whole", |b| {
        b.iter_batched(request, |r| call(&mut whole, r), BatchSize::NumIterations(16));
    });
    group.finish();
}

#[cfg(not(feature = "trigger"))]
fn trigger(_: &mut Criterion) {}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = layers, trigger
}
criterion_main!(benches);
