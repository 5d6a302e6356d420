//! What a claim of a `MemoryReplayGuard` costs with a million live entries, how two
//! threads scale, and what the layer adds to a service.
//!
//! In a row named `steady` time goes on such that with each claim one entry ends.

#![allow(missing_docs, clippy::unwrap_used)]

mod shapes;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use http::Request;
use shapes::{Bare, call};
use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tower::{Layer, Service};
use tower_fc::Scheme;
use tower_fc::replay::{Claimed, ReplayClaim};
use tower_fc::replay::{MemoryReplayGuard, ReplayGuard, ReplayLayer};

const LIVE: u64 = 1_000_000;
/// Room for a guard that is not full, whatever a thread is ahead of another.
const CAPACITY: u64 = LIVE * 5 / 4;
const WINDOW: Duration = Duration::from_secs(30 * 60);

/// The `count`th signature of a thread: of splitmix64, in place of a MAC.
fn key(thread: u64, count: u64) -> [u8; 32] {
    let mut key = [0; 32];
    let mut state = thread << 48 ^ count << 2;
    for part in key.as_chunks_mut::<8>().0 {
        state += 1;
        let mut mixed = state.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        *part = (mixed ^ mixed >> 31).to_ne_bytes();
    }
    key
}

/// The time when so many claims have been made, of which [`LIVE`] fall into a window.
fn time(claims: u64) -> SystemTime {
    let nanos = claims * (WINDOW.as_nanos() as u64 / LIVE);
    UNIX_EPOCH + Duration::from_secs(1_795_283_820) + Duration::from_nanos(nanos)
}

/// One of the threads that send requests at an even pace.
struct Sender {
    thread: u64,
    of: u64,
    count: u64,
}

impl Sender {
    fn new(thread: u64, of: u64) -> Self {
        Self { thread, of, count: 0 }
    }

    /// The next keys, and their times.
    fn next(&mut self, claims: u64) -> Vec<([u8; 32], SystemTime)> {
        let counts = self.count..self.count + claims;
        self.count = counts.end;
        counts.map(|count| (key(self.thread, count), time(count * self.of))).collect()
    }

    /// Claims so many keys, which are made a batch at a time beforehand. Returns how
    /// long the claims took.
    fn claim(
        &mut self,
        guard: &MemoryReplayGuard,
        claims: u64,
        clock: impl Fn(SystemTime) -> SystemTime,
    ) -> Duration {
        let mut taken = Duration::ZERO;
        for begin in (0..claims).step_by(16_384) {
            let batch = self.next(16_384.min(claims - begin));
            let start = Instant::now();
            for (key, time) in &batch {
                claim(guard, *key, clock(*time));
            }
            taken += start.elapsed();
        }
        taken
    }
}

fn claim(guard: &MemoryReplayGuard, key: [u8; 32], now: SystemTime) {
    let claimed = guard.claim(ReplayClaim::new(key, now, now + WINDOW));
    assert!(matches!(claimed, Ok(Claimed::First)));
}

/// A guard that holds [`LIVE`] entries, and who goes on sending.
fn loaded(capacity: u64, threads: u64) -> (MemoryReplayGuard, Vec<Sender>) {
    let guard = MemoryReplayGuard::new(capacity as usize);
    let mut senders: Vec<_> = (0..threads).map(|thread| Sender::new(thread, threads)).collect();
    for sender in &mut senders {
        sender.claim(&guard, LIVE / threads, |time| time);
    }
    (guard, senders)
}

/// How long it takes until all senders have made so many claims at the same time.
fn together(guard: &MemoryReplayGuard, senders: &mut [Sender], claims: u64) -> Duration {
    let barrier = Barrier::new(senders.len());
    let send = |sender: &mut Sender| {
        let keys = sender.next(claims);
        barrier.wait();
        let start = Instant::now();
        for (key, time) in &keys {
            claim(guard, *key, *time);
        }
        (start, Instant::now())
    };
    let times: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = senders.iter_mut().map(|s| scope.spawn(|| send(s))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let start = times.iter().map(|(start, _)| *start).min().unwrap();
    let end = times.iter().map(|(_, end)| *end).max().unwrap();
    end - start
}

fn claims(c: &mut Criterion) {
    let mut group = c.benchmark_group("replay");
    group.throughput(Throughput::Elements(1));

    let (guard, mut senders) = loaded(CAPACITY, 1);
    let sender = &mut senders[0];
    group.bench_function("claim/steady", |b| {
        b.iter_custom(|iters| sender.claim(&guard, iters, |time| time));
    });
    group.bench_function("claim/steady-and-clock", |b| {
        let clock = |time| {
            black_box(SystemTime::now());
            time
        };
        b.iter_custom(|iters| sender.claim(&guard, iters, clock));
    });
    let (first, now) = (sender.count - LIVE / 2, time(sender.count));
    let mut at = 0;
    group.bench_function("claim/replay", |b| {
        b.iter(|| {
            at = (at + 7_919) % (LIVE / 2);
            guard.claim(ReplayClaim::new(key(0, first + at), now, now + WINDOW))
        });
    });

    let (guard, now) = (MemoryReplayGuard::new(LIVE as usize), time(0));
    // So much more than there is room for that hardly a line is free.
    for count in 0..5 * LIVE {
        let _ = guard.claim(ReplayClaim::new(key(1, count), now, now + WINDOW));
    }
    group.bench_function("claim/full", |b| {
        b.iter(|| {
            at += 1;
            guard.claim(ReplayClaim::new(key(2, at), now, now + WINDOW))
        });
    });
    group.bench_function("claim/filling-to-a-million", |b| {
        b.iter_custom(|iters| {
            let guard = MemoryReplayGuard::new(CAPACITY as usize);
            let taken = Sender::new(0, 1).claim(&guard, LIVE, |_| time(0));
            taken.mul_f64(iters as f64 / LIVE as f64)
        });
    });
    group.finish();
}

/// One and two threads in alternation. The best rounds are those that other work on the
/// machine disturbed least: two threads need two processors to themselves.
fn scaling(_: &mut Criterion) {
    let rate = |threads: u64| {
        let (guard, mut senders) = loaded(CAPACITY, threads);
        let claims = LIVE / 2;
        let taken = together(&guard, &mut senders, claims);
        (threads * claims) as f64 / taken.as_secs_f64() / 1e6
    };
    let (mut one, mut two): (Vec<_>, Vec<_>) = (0..21).map(|_| (rate(1), rate(2))).unzip();
    one.sort_by(f64::total_cmp);
    two.sort_by(f64::total_cmp);
    for (name, at) in [("middle", 10), ("best", 20)] {
        let (one, two) = (one[at], two[at]);
        println!(
            "replay/scaling, {name} of 21 rounds: {one:.1} million claims/s on one thread, \
             {two:.1} on two: {:.2}",
            two / one
        );
    }
}

fn layer(c: &mut Criterion) {
    let signer = shapes::signer(Scheme::Fc).with_nonce();
    let verifier = shapes::verifier();
    let unsigned = shapes::small(Scheme::Fc).unsigned();
    // As `VerifyLayer` leaves it, each with a nonce of its own.
    let verified = || {
        let mut request = Request::from_parts(shapes::fresh(&unsigned), ());
        let now = SystemTime::now();
        signer.sign_request_at(&mut request, now).unwrap();
        let caller = verifier.verify_request_at(&request, now).unwrap();
        request.extensions_mut().insert(caller);
        request
    };
    let mut replay = ReplayLayer::new(MemoryReplayGuard::new(8_000_000)).layer(Bare);
    let mut group = c.benchmark_group("replay");
    let batch = BatchSize::NumIterations(64);
    group.bench_function("layer/bare", |b| b.iter_batched(verified, |r| call(&mut Bare, r), batch));
    group.bench_function("layer/replay", |b| {
        b.iter_batched(verified, |r| call(&mut replay, r), batch);
    });
    println!("future of Replay: {} bytes", size_of_val(&replay.call(verified())));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = claims, scaling, layer
}
criterion_main!(benches);
