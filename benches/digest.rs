//! What a check costs while the body streams: 16 MiB in pieces of 64 KiB, read through
//! `CheckDigestLayer`, against the bare hash over the same pieces, and against reading
//! them without a check. Prints the ratio to the bare hash, and the sizes of the bodies.

#![allow(missing_docs, clippy::unwrap_used)]

mod shapes;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use http::{HeaderName, HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use sha2::Digest;
use std::convert::Infallible;
use std::future::Ready;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tower::{Layer, Service};
use tower_fc::digest::{BodyPolicy, CheckDigestLayer, Md5Encoding, SetDigestLayer};
use tower_fc::digest::{BufferedBody, CheckedBody};
use tower_fc::{Scheme, headers};

const PIECE: usize = 64 * 1024;
const PIECES: usize = 256;
const LEN: usize = PIECE * PIECES;

/// A body of so many equal pieces, of known length as with a content length.
struct Pieces {
    piece: Bytes,
    left: usize,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.left.checked_sub(1) else { return Poll::Ready(None) };
        self.left = left;
        Poll::Ready(Some(Ok(Frame::data(self.piece.clone()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.left * self.piece.len()) as u64)
    }
}

/// Reads a body that is always ready: how many bytes it had.
fn drain(body: impl Body<Data = Bytes, Error: std::fmt::Debug>) -> usize {
    let mut body = pin!(body);
    let cx = &mut Context::from_waker(Waker::noop());
    let mut len = 0;
    while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(cx) {
        len += black_box(frame.unwrap().into_data().unwrap()).len();
    }
    len
}

/// The inner service: reads the body and throws it away.
struct Drain;

impl Service<Request<CheckedBody<Pieces>>> for Drain {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<CheckedBody<Pieces>>) -> Self::Future {
        assert_eq!(drain(request.into_body()), LEN);
        std::future::ready(Ok(Response::new(())))
    }
}

fn answer<F: Future<Output: Sized>>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("everything is ready at once"),
    }
}

/// A verified request whose body has the digest that it carries.
fn verified(scheme: Scheme, name: &HeaderName, digest: &[u8]) -> Request<()> {
    let text: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut parts = shapes::small(scheme).unsigned();
    parts.headers.insert(name, HeaderValue::from_str(&text).unwrap());
    shapes::signer(scheme).sign(&mut parts).unwrap();
    let caller = shapes::verifier().verify(&parts).unwrap();
    assert!(caller.covers_body());
    parts.extensions.insert(caller);
    Request::from_parts(parts, ())
}

fn check<H: Digest>(c: &mut Criterion, row: &str, scheme: Scheme, name: &HeaderName) {
    let piece = Bytes::from(vec![0x5a; PIECE]);
    let body = || Pieces { piece: piece.clone(), left: PIECES };
    let bare = || {
        let mut hash = H::new();
        (0..PIECES).for_each(|_| hash.update(black_box(&piece)));
        hash.finalize()
    };
    let request = verified(scheme, name, &bare());
    let check = |policy| {
        let mut service = CheckDigestLayer::new().with_policy(policy).layer(Drain);
        let request = request.clone();
        move || {
            let response = answer(service.call(request.clone().map(|()| body()))).unwrap();
            assert_eq!(response.status(), 200);
        }
    };
    let (mut streaming, mut unchecked) = (check(BodyPolicy::Require), check(BodyPolicy::Ignore));

    let mut group = c.benchmark_group("digest");
    group.throughput(Throughput::Bytes(LEN as u64));
    group.bench_function(BenchmarkId::new("bare hash", row), |b| b.iter(bare));
    group.bench_function(BenchmarkId::new("streaming check", row), |b| b.iter(&mut streaming));
    group.bench_function(BenchmarkId::new("no check", row), |b| b.iter(&mut unchecked));
    group.finish();

    // Side by side, so that a change of clock speed does not show: the best of many.
    let mut best = [Duration::MAX; 2];
    for _ in 0..30 {
        for (best, run) in best
            .iter_mut()
            .zip([&mut (|| drop(black_box(bare()))) as &mut dyn FnMut(), &mut streaming])
        {
            let start = Instant::now();
            run();
            *best = start.elapsed().min(*best);
        }
    }
    let [hash, checked] = best.map(|time| time.as_secs_f64());
    let rate = |time| LEN as f64 / time / 1e6;
    println!(
        "{row}: bare hash {:.0} MB/s, streaming check {:.0} MB/s, ratio {:.3}",
        rate(hash),
        rate(checked),
        hash / checked
    );
}

fn digests(c: &mut Criterion) {
    check::<md5::Md5>(c, "md5", Scheme::Fc, &headers::CONTENT_MD5);
    let name = &headers::X_ACS_CONTENT_SHA256;
    check::<sha2::Sha256>(c, "sha256", Scheme::Acs3HmacSha256, name);
    println!(
        "a body: {} bytes bare, {} in a check",
        size_of::<Pieces>(),
        size_of::<CheckedBody<Pieces>>()
    );
}

/// On the way out: one request with a small body in memory.
fn set(c: &mut Criterion) {
    let mut group = c.benchmark_group("digest");
    let body = Bytes::from(vec![0x5a; 1024]);
    let mut service = SetDigestLayer::new(Md5Encoding::Rfc1864).layer(tower::service_fn(
        |request: Request<BufferedBody>| {
            std::future::ready(Ok::<_, Infallible>(black_box(request)))
        },
    ));
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("set, 1 KiB in memory", |b| {
        b.iter(|| {
            let request = Request::new(Pieces { piece: body.clone(), left: 1 });
            answer(service.call(request)).unwrap()
        });
    });
    group.bench_function("bare hash of 1 KiB", |b| b.iter(|| md5::Md5::digest(black_box(&body))));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = digests, set
}
criterion_main!(benches);
