//! `Verifier`: what it accepts, what it refuses, and how each refusal is lifted by name.

mod bad_input;
mod coverage;
mod external;
mod guesses;
mod hosts;
mod keys;
mod limits;
mod others;
mod platform;
mod sdks;
mod strictness;
mod time;

use crate::common::{self, at, careless, credentials, presigned, signed_by};
use http::request::{Builder, Parts};
use http::{HeaderValue, Request};
use tower_fc::protocol::{Ambiguity, Dialect, Dialects, Schemes};
use tower_fc::{Rejection, RejectionKind, Scheme, StaticKeys, VerifiedCaller, Verifier};

/// Accepts all schemes.
fn verifier() -> Verifier<StaticKeys> {
    common::verifier().with_schemes(Schemes::all())
}

fn parts(request: Builder) -> Parts {
    request.body(()).unwrap().into_parts().0
}

fn get(target: &str) -> Builder {
    Request::get(target).header("host", "demo.example")
}

fn signed(scheme: Scheme, request: Builder) -> Parts {
    signed_by(&careless(scheme), request.body(()).unwrap(), at(0)).into_parts().0
}

/// A URL that can be called for so many seconds.
fn presigned_for(target: &str, lifetime: u64) -> Parts {
    presigned(get(target).body(()).unwrap(), credentials(), lifetime).into_parts().0
}

/// Puts a value in the place of a header's.
fn set(parts: &mut Parts, name: &'static str, value: &str) {
    parts.headers.insert(name, HeaderValue::from_str(value).unwrap());
}

fn kind(verdict: Result<VerifiedCaller, Rejection>) -> Option<RejectionKind> {
    verdict.err().map(|rejection| rejection.kind())
}

#[test]
fn a_verifier_prints_what_it_was_told_to_accept() {
    let lenient = verifier().with_insecure_allowance(Ambiguity::Semicolon).unwrap();
    let shown = format!("{:?}", lenient.with_dialects(Dialect::FcApi));
    for part in ["FC_PRESIGNED", "FC_API", "max_skew: 900s", "604800s", "allowed: {Semicolon}"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn a_presigned_url_is_read_in_the_documented_form_whatever_dialects_are_accepted() {
    let parts = presigned_for("/a%20b?c=d", 60);
    for dialects in
        [Dialects::STANDARD, Dialect::FcApi.into(), Dialect::FcJavaGateway.into(), Dialects::all()]
    {
        let verifier = verifier().with_dialects(dialects);
        let caller = verifier.verify_at(&parts, at(0)).unwrap();
        assert_eq!((caller.scheme(), caller.dialect()), (Scheme::FcPresigned, Dialect::Standard));
    }
}
