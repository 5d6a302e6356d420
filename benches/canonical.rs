//! Each stage between the parts of a request and its signature, by itself.
//!
//! The stages are not public. Their very source files are compiled into this bench, so
//! that they can be timed without being exposed.

// The files have more in them than is used here, their unit tests among it.
#![allow(missing_docs, missing_debug_implementations, unreachable_pub, unused)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "../src/error.rs"]
mod error;
#[path = "../src/headers.rs"]
mod headers;
#[macro_use]
#[path = "../src/macros.rs"]
mod macros;
#[path = "../src/protocol/mod.rs"]
mod protocol;
mod shapes;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use http::header::AUTHORIZATION;
use http::request::Parts;
use protocol::canonical::sink::Sink;
use protocol::crypto::hmac::{Blocks, Hasher, Keyed};
use protocol::dialect::Dialect;
use protocol::request::{Head, ProtocolHeaders};
use protocol::scheme::Family;
use protocol::scheme::authorization::Authorization;
use protocol::scheme::coverage::List;
use std::hint::black_box;
use std::time::{Duration, SystemTime};
use tower_fc::Scheme;
use tower_fc::protocol::{format_acs_date, format_http_date, parse_acs_date, parse_http_date};

const SIDES: [(Scheme, Family); 2] =
    [(Scheme::Fc, Family::Fc), (Scheme::Acs3HmacSha256, Family::Acs3)];

/// A stage over this many bytes, for each scheme and shape.
fn stage<R>(
    c: &mut Criterion,
    name: &str,
    bytes: impl Fn(&Parts) -> usize,
    mut run: impl FnMut(Family, &Parts, &mut Vec<u8>) -> R,
) {
    let mut group = c.benchmark_group(name);
    for (scheme, family) in SIDES {
        for shape in shapes::all(scheme) {
            let signed = shape.signed(scheme);
            let mut room = Vec::with_capacity(1 << 16);
            group.throughput(Throughput::Bytes(bytes(&signed) as u64));
            group.bench_function(BenchmarkId::new(scheme.name(), shape.name), |b| {
                b.iter(|| {
                    room.clear();
                    run(family, black_box(&signed), &mut room)
                });
            });
        }
    }
    group.finish();
}

fn path(parts: &Parts) -> &[u8] {
    parts.uri.path().as_bytes()
}

fn query(parts: &Parts) -> &[u8] {
    parts.uri.query().unwrap_or_default().as_bytes()
}

fn authorization(parts: &Parts) -> &[u8] {
    parts.headers[AUTHORIZATION].as_bytes()
}

/// Reading the header map once, and writing path and query into a buffer.
fn reading_and_writing(c: &mut Criterion) {
    let header_bytes = |parts: &Parts| {
        parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
    };
    stage(c, "headers", header_bytes, |_, parts, _| {
        let mut protocol = ProtocolHeaders::new();
        black_box(&Head::of(parts.into(), &mut protocol));
    });
    stage(
        c,
        "path",
        |parts| path(parts).len(),
        |family, parts, room| Dialect::standard(family).path.write(path(parts), room),
    );
    stage(
        c,
        "query",
        |parts| query(parts).len(),
        |family, parts, room| {
            let rules = Dialect::standard(family).query.as_ref();
            rules.map(|rules| rules.write(query(parts), None, room))
        },
    );
    stage(
        c,
        "authorization",
        |parts| authorization(parts).len(),
        |_, parts, _| {
            let mut list = List::new();
            black_box(Authorization::read(authorization(parts), &mut list).ok().unwrap());
            black_box(&list);
        },
    );
}

/// The hash and the MAC over texts of several lengths that lie there in one piece.
fn hashing(c: &mut Criterion) {
    let keyed = Keyed::new(b"ExampleExampleExampleSecret123");
    let mut group = c.benchmark_group("hashing");
    for bytes in [64, 256, 512, 1_024, 4_096] {
        let text = vec![b'a'; bytes];
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::new("hmac-sha256", bytes), |b| {
            b.iter(|| hashed(black_box(&keyed).sha256(), black_box(&text)));
        });
        group.bench_function(BenchmarkId::new("hmac-sha1", bytes), |b| {
            b.iter(|| hashed(black_box(&keyed).sha1(), black_box(&text)));
        });
        group.bench_function(BenchmarkId::new("sha256", bytes), |b| {
            b.iter(|| hashed(Hasher::sha256(), black_box(&text)));
        });
    }
    group.finish();
}

/// The first byte of the hash of a text.
fn hashed<H: Blocks>(mut hasher: Hasher<H>, text: &[u8]) -> u8 {
    hasher.put(text);
    hasher.finish().as_bytes()[0]
}

fn dates(c: &mut Criterion) {
    let now = SystemTime::now();
    let (http, acs) = (format_http_date(now), format_acs_date(now));
    let mut group = c.benchmark_group("date");
    group.bench_function("clock", |b| b.iter(SystemTime::now));
    group.bench_function("format/http", |b| b.iter(|| format_http_date(black_box(now))));
    group.bench_function("format/acs", |b| b.iter(|| format_acs_date(black_box(now))));
    group.bench_function("parse/http", |b| b.iter(|| parse_http_date(black_box(&http))));
    group.bench_function("parse/acs", |b| b.iter(|| parse_acs_date(black_box(&acs))));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = reading_and_writing, hashing, dates
}
criterion_main!(benches);
