//! How the cost grows with the number of parameters and of signed headers: with
//! n log n, so that the elements per second of a row fall slowly or not at all.

#![allow(missing_docs, clippy::unwrap_used)]

mod shapes;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use shapes::Shape;
use std::hint::black_box;
use std::time::Duration;
use tower_fc::Scheme;

fn sweep(c: &mut Criterion, over: &str, counts: &[usize], shape: fn(Scheme, usize) -> Shape) {
    let verifier = shapes::unbounded_verifier();
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256] {
        let signer = shapes::signer(scheme);
        let mut group = c.benchmark_group(format!("{over}/{}", scheme.name()));
        for count in counts.iter().copied() {
            let shape = shape(scheme, count);
            group.throughput(Throughput::Elements(count as u64));
            let unsigned = shape.unsigned();
            group.bench_function(BenchmarkId::new("sign", count), |b| {
                b.iter_batched(
                    || shapes::fresh(&unsigned),
                    |mut parts| {
                        signer.sign(&mut parts).unwrap();
                        parts
                    },
                    BatchSize::NumIterations(16),
                );
            });
            let signed = shape.signed(scheme);
            group.bench_function(BenchmarkId::new("verify", count), |b| {
                b.iter(|| verifier.verify(black_box(&signed)).unwrap());
            });
        }
        group.finish();
    }
}

fn parameters(c: &mut Criterion) {
    sweep(c, "parameters", &[1, 10, 100, 1_000], shapes::with_parameters);
}

fn headers(c: &mut Criterion) {
    sweep(c, "headers", &[1, 3, 10, 30, 100], shapes::with_headers);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = parameters, headers
}
criterion_main!(benches);
