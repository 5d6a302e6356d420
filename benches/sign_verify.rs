//! Whole signing and verifying, for every scheme and shape, the clock included.

#![allow(missing_docs, clippy::unwrap_used)]

mod shapes;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;
use tower_fc::{Presigner, Scheme};

fn sign(c: &mut Criterion) {
    let mut group = c.benchmark_group("sign");
    for scheme in shapes::SCHEMES {
        let signer = shapes::signer(scheme);
        let presigner = Presigner::new(shapes::credentials());
        for shape in shapes::all(scheme) {
            let unsigned = shape.unsigned();
            group.throughput(Throughput::Bytes(shape.signed_bytes(scheme)));
            let id = BenchmarkId::new(scheme.name(), shape.name);
            if scheme == Scheme::FcPresigned {
                let lifetime = Duration::from_secs(3_600);
                group.bench_function(id, |b| {
                    b.iter(|| presigner.presign(black_box(&unsigned), lifetime).unwrap());
                });
                continue;
            }
            group.bench_function(id, |b| {
                b.iter_batched(
                    || shapes::fresh(&unsigned),
                    |mut parts| {
                        signer.sign(&mut parts).unwrap();
                        parts
                    },
                    BatchSize::NumIterations(16),
                );
            });
        }
    }
    group.finish();
}

fn verify(c: &mut Criterion) {
    let mut group = c.benchmark_group("verify");
    let verifier = shapes::verifier();
    for scheme in shapes::SCHEMES {
        for shape in shapes::all(scheme) {
            group.throughput(Throughput::Bytes(shape.signed_bytes(scheme)));
            let signed = shape.signed(scheme);
            group.bench_function(BenchmarkId::new(scheme.name(), shape.name), |b| {
                b.iter(|| verifier.verify(black_box(&signed)).unwrap());
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = sign, verify
}
criterion_main!(benches);
