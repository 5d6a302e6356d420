//! Sizes are bounded before anything else is looked at.

use super::{get, kind, parts, signed, verifier};
use crate::common::at;
use http::request::Parts;
use tower_fc::{RejectionKind, Scheme};

#[test]
fn sizes_are_bounded_before_anything_else() {
    let long = format!("/{}", "a".repeat(20_000));
    for (parts, verifier) in [
        (parts(get(&long)), verifier()),
        (parts(get("/").header("x-long", "a".repeat(40_000))), verifier()),
        (
            parts(get("/").header("authorization", "a;".repeat(200))),
            verifier().with_insecure_observation(),
        ),
        (parts(get("/abc")), verifier().with_max_target_len(3)),
        (parts(get("/").header("a", "b")), verifier().with_max_headers_len(10)),
    ] {
        let rejection = verifier.verify_at(&parts, at(0)).unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::LimitExceeded);
        assert_eq!((rejection.status().as_u16(), rejection.error_code()), (400, "InvalidArgument"));
    }
}

#[test]
fn the_defaults_bound_sizes_at_16_kib_32_kib_100_names_and_1_024_parameters() {
    let refused = |parts: &Parts| {
        kind(verifier().verify_at(parts, at(0))) == Some(RejectionKind::LimitExceeded)
    };
    let target = |len: usize| parts(get(&format!("/{}?b", "a".repeat(len - 3))));
    assert!(!refused(&target(16 * 1024)));
    assert!(refused(&target(16 * 1024 + 1)));
    // `host: demo.example` are 16 bytes, and the name is 6.
    let headers = |len: usize| parts(get("/").header("x-long", "a".repeat(len - 22)));
    assert!(!refused(&headers(32 * 1024)));
    assert!(refused(&headers(32 * 1024 + 1)));
    let names = |count: usize| parts(get("/").header("authorization", "a;".repeat(count - 1)));
    assert!(!refused(&names(100)));
    assert!(refused(&names(101)));
    let empty_names = |count: usize| parts(get("/").header("authorization", ";".repeat(count - 1)));
    assert!(!refused(&empty_names(100)));
    assert!(refused(&empty_names(101)));
    // A target of 4 KiB has no more than 1 024 parameters with a name and a value.
    let parameters = |count: usize| parts(get(&format!("/?{}", "a=b&".repeat(count - 1))));
    assert!(!refused(&parameters(1024)));
    assert!(refused(&parameters(1025)));
    assert!(refused(&parts(get(&format!("/?{}", ";".repeat(1024))))));
    let long = verifier().with_max_target_len(32 * 1024);
    assert_eq!(
        kind(long.verify_at(&parameters(2048), at(0))),
        kind(verifier().verify_at(&parameters(1), at(0)))
    );
    // Which bounds what was signed as well.
    let few = verifier().with_max_signed_headers(2);
    let two = signed(Scheme::Acs3HmacSha256, get("/"));
    assert_eq!(kind(few.verify_at(&two, at(0))), None);
    let three = signed(Scheme::Acs3HmacSha256, get("/").header("x-acs-a", "b"));
    assert_eq!(kind(few.verify_at(&three, at(0))), Some(RejectionKind::LimitExceeded));
}
