//! How often the allocator is called for one request, exactly.
//!
//! `allocation_counter` replaces the global allocator of this test binary and counts
//! for each thread. A `realloc` counts as one call.

#[path = "../benches/shapes/mod.rs"]
mod shapes;

use http::Request;
use shapes::{Bare, Shape, fresh, hostile};
use std::future::ready;
use std::hint::black_box;
use std::time::SystemTime;
use tower::{Layer, Service};
use tower_fc::keys::VerifyingKey;
use tower_fc::release::ReleaseLayer;
use tower_fc::{RejectionKind, Scheme, SignLayer, Verifier, VerifyLayer};

/// Allocator calls of `run` with an input that is made, and an output that is dropped,
/// outside of what is counted. The first run, which may fill caches, is left out.
fn calls<I, O>(mut input: impl FnMut() -> I, mut run: impl FnMut(I) -> O) -> u64 {
    drop(run(input()));
    let given = input();
    let mut output = None;
    let counted = allocation_counter::measure(|| output = Some(run(black_box(given))));
    drop(black_box(output));
    counted.count_total
}

fn sign_calls(scheme: Scheme, shape: &Shape) -> u64 {
    let signer = shapes::signer(scheme);
    let unsigned = shape.unsigned();
    calls(
        || fresh(&unsigned),
        |mut parts| {
            signer.sign(&mut parts).unwrap();
            parts
        },
    )
}

fn verify_calls(scheme: Scheme, shape: &Shape) -> u64 {
    let verifier = shapes::unbounded_verifier();
    let signed = shape.signed(scheme);
    calls(|| (), |()| verifier.verify(&signed).unwrap())
}

const HEADER_SCHEMES: [Scheme; 3] = [Scheme::Fc, Scheme::Acs3HmacSha256, Scheme::Acs];

#[test]
fn verifying_allocates_nothing() {
    for scheme in HEADER_SCHEMES {
        for shape in [shapes::small(scheme), shapes::typical(scheme)] {
            assert_eq!(verify_calls(scheme, &shape), 0, "{scheme} {}", shape.name);
        }
    }
}

#[test]
fn verifying_large_requests_allocates_nothing() {
    for scheme in HEADER_SCHEMES {
        assert_eq!(verify_calls(scheme, &shapes::large(scheme)), 0, "{scheme}");
    }
}

/// The text of the date header, and that of `authorization`.
#[test]
fn signing_allocates_two_header_values() {
    for scheme in HEADER_SCHEMES {
        for shape in shapes::all(scheme) {
            assert_eq!(sign_calls(scheme, &shape), 2, "{scheme} {}", shape.name);
        }
    }
}

/// Beyond the stack: the decoded text of 1 000 parameters, their list, and two more to
/// put that in order.
#[test]
fn a_query_too_long_for_the_stack_costs_four() {
    for scheme in HEADER_SCHEMES {
        let shape = shapes::with_parameters(scheme, 1_000);
        assert_eq!(verify_calls(scheme, &shape), 4, "{scheme}");
    }
}

fn layer_calls<S: Service<Request<()>>>(mut service: S, parts: &http::request::Parts) -> u64 {
    calls(|| Request::from_parts(fresh(parts), ()), |request| shapes::call(&mut service, request))
}

/// What `Extensions` needs to hold its first value: a map, its table, and a box.
fn calls_of_an_extension() -> u64 {
    calls(Request::<()>::default, |mut request| {
        request.extensions_mut().insert(SystemTime::UNIX_EPOCH);
        request
    })
}

#[test]
fn the_layers_add_only_what_extensions_need() {
    for shape in shapes::all(Scheme::Fc) {
        let (unsigned, signed) = (shape.unsigned(), shape.signed(Scheme::Fc));
        let sign = SignLayer::new(shapes::signer(Scheme::Fc)).layer(Bare);
        let by_hand = sign_calls(Scheme::Fc, &shape);
        assert_eq!(layer_calls(sign, &unsigned), by_hand, "{}", shape.name);

        let verify = VerifyLayer::new(shapes::verifier()).layer(Bare);
        let by_hand = verify_calls(Scheme::Fc, &shape) + calls_of_an_extension();
        assert_eq!(layer_calls(verify.clone(), &signed), by_hand, "{}", shape.name);
        let release = ReleaseLayer.layer(verify);
        assert_eq!(layer_calls(release, &signed), by_hand, "{}", shape.name);
    }
}

/// The text of the request id, and sharing it; its box among the extensions; two for the
/// headers of a response that had none. A body that may turn out to be wrong is watched, by
/// one more.
#[cfg(feature = "trigger")]
#[test]
fn a_whole_trigger_adds_five_and_one_more_for_a_body() {
    use bytes::Bytes;
    use http_body_util::Full;
    use tower_fc::trigger::HttpTrigger;

    for (shape, body, expected) in
        [(shapes::small(Scheme::Fc), "", 5), (shapes::typical(Scheme::Fc), "a body", 6)]
    {
        let signed = shape.signed(Scheme::Fc);
        let request = || Request::from_parts(fresh(&signed), Full::<Bytes>::from(body));
        let verify = VerifyLayer::new(shapes::verifier());
        let (mut alone, mut whole) = (verify.layer(Bare), HttpTrigger::new(verify).layer(Bare));
        let answer = shapes::call(&mut whole, request());
        assert_eq!(answer.status(), 200, "{}", shape.name);
        let alone = calls(request, |request| shapes::call(&mut alone, request));
        let whole = calls(request, |request| shapes::call(&mut whole, request));
        assert_eq!(whole - alone, expected, "{}", shape.name);
    }
}

/// One boxed future each. The id that an async store takes as a `String` is one more.
#[test]
fn the_async_layers_add_one_box() {
    let shape = shapes::typical(Scheme::Fc);
    let by_hand = sign_calls(Scheme::Fc, &shape);
    let sign = SignLayer::new(shapes::credentials()).awaiting_credentials().layer(Bare);
    assert_eq!(layer_calls(sign, &shape.unsigned()), by_hand + 1);

    let key: VerifyingKey = shapes::credentials().key().clone();
    let keys = move |id: String| ready((id == shapes::ID).then(|| key.clone()));
    let verify = VerifyLayer::new(Verifier::new(keys)).awaiting_keys().layer(Bare);
    let by_hand = verify_calls(Scheme::Fc, &shape);
    let id = 1;
    assert_eq!(
        layer_calls(verify, &shape.signed(Scheme::Fc)),
        by_hand + calls_of_an_extension() + id + 1
    );
}

/// A refusal owns the access key id and the response what it says; no more.
#[test]
fn refusing_costs_two() {
    let verifier = shapes::verifier();
    for scheme in HEADER_SCHEMES {
        let mut parts = shapes::typical(scheme).signed(scheme);
        parts.method = http::Method::PATCH;
        let refuse = |()| verifier.verify(&parts).unwrap_err();
        assert_eq!(refuse(()).kind(), RejectionKind::SignatureMismatch);
        assert_eq!(calls(|| (), refuse), 2, "{scheme}");
    }
}

/// Whatever is in it, and however it is refused: under all dialects, with five secrets.
#[test]
fn the_worst_requests_within_the_limits_cost_less_than_a_thousand() {
    let (mut tried, mut most) = (0, 0);
    for scheme in Scheme::ALL.iter().copied() {
        for request in hostile::all(scheme) {
            let Some(parts) = request.parts() else { continue };
            for (mode, verifier) in hostile::verifiers() {
                let verify = || verifier.verify_at(black_box(&parts), hostile::now());
                let calls = allocation_counter::measure(|| drop(verify())).count_total;
                assert!(calls <= 1_000, "{calls}: {scheme}, {mode}: {}", request.name);
                (tried, most) = (tried + 1, most.max(calls));
            }
        }
    }
    println!("{tried} requests, {most} calls at the most");
    assert!(tried > 2_000, "{tried}");
}
