//! `tower-fc` itself, switched on by the feature `ours` (which is on by default).
//!
//! | row | measured section |
//! |---|---|
//! | `sign/ours-fc` | `Signer::sign_request_at` with the time of day: unsigned request to signed one, `Date` included |
//! | `sign/ours-acs3` | the same, `x-acs-date` included |
//! | `verify/ours-fc` | `Verifier::verify_request_at` with the time of day: borrowed signed request to [`VerifiedCaller`](tower_fc::VerifiedCaller), key look-up among 16 and date check included, all strict rules on |
//! | `verify/ours-acs3` | the same |
//! | `middleware/ours-sign-call` | one call through `SignLayer`, [`inner`] inside |
//! | `middleware/ours-verify-call` | one call through `VerifyLayer`, [`inner`] inside |
//!
//! Made beforehand are the keys (`Credentials`, `StaticKeys`), the signer, the
//! verifier and the services, as in normal use. Nothing that depends on the request
//! is cached between runs.

use crate::middleware::{call, inner};
use crate::peers::naive;
use crate::shapes::{self, Form, Vendor, creds};
use crate::{Id, Limit, Visitor};
use http::Request;
use http::header::{AUTHORIZATION, HeaderValue};
use std::time::SystemTime;
use tower::Layer;
use tower_fc::{
    Credentials, RejectionKind, Scheme, SignLayer, Signer, StaticKeys, Verifier, VerifyLayer,
};

fn signer(scheme: Scheme) -> Signer {
    let credentials = Credentials::new(creds::AK, creds::SECRET).unwrap();
    Signer::new(credentials).with_scheme(scheme).unwrap()
}

/// The same 16 keys that the hand-rolled verifier looks through.
fn verifier() -> Verifier<StaticKeys> {
    let keys = naive::secrets();
    assert_eq!(keys.len(), 16);
    Verifier::new(StaticKeys::from_secrets(keys).unwrap())
}

/// One scheme, and its hand-rolled counterpart.
struct Side {
    op: &'static str,
    scheme: Scheme,
    vendor: Vendor,
    limit: Limit,
    naive_sign: fn(&mut Request<()>, &str, &str),
    naive_verify: fn(&Request<()>) -> Result<(), String>,
}

const SIDES: [Side; 2] = [
    Side {
        op: "ours-fc",
        scheme: Scheme::Fc,
        vendor: Vendor::Fc,
        limit: Limit::Fc,
        naive_sign: naive::fc::sign::<()>,
        naive_verify: |request| naive::fc::verify(request, &naive::secrets()),
    },
    Side {
        op: "ours-acs3",
        scheme: Scheme::Acs3HmacSha256,
        vendor: Vendor::Acs,
        limit: Limit::Acs3,
        naive_sign: naive::acs3::sign::<()>,
        naive_verify: |request| naive::acs3::verify(request, &naive::secrets()),
    },
];

pub fn register(v: &mut impl Visitor) {
    for side in &SIDES {
        let signer = signer(side.scheme);
        let verifier = verifier();
        for shape in shapes::all(side.vendor) {
            check(side, &shape.request(Form::Absolute), &signer, &verifier);
            check(side, &shape.request(Form::Origin), &signer, &verifier);

            let request = shape.request(Form::Absolute);
            v.batched(
                Id::new("sign", side.op, shape.name).vs(side.limit),
                || shapes::fresh(&request),
                |mut r| {
                    signer.sign_request_at(&mut r, SystemTime::now()).unwrap();
                    r
                },
            );

            let mut signed = shape.request(Form::Origin);
            (side.naive_sign)(&mut signed, creds::AK, creds::SECRET);
            v.repeated(Id::new("verify", side.op, shape.name).vs(side.limit), || {
                verifier.verify_request_at(&signed, SystemTime::now()).unwrap()
            });
        }
    }
    layers(v);
}

/// What one signs the other accepts, both come to the same `Authorization` for one
/// second, and neither accepts a request that was changed afterwards.
fn check(side: &Side, request: &Request<()>, signer: &Signer, verifier: &Verifier<StaticKeys>) {
    let verify = |request: &Request<()>| verifier.verify_request_at(request, SystemTime::now());

    // The two read the clock for themselves, so now and then in different seconds.
    let same = (0..3).any(|_| {
        let (mut ours, mut theirs) = (shapes::fresh(request), shapes::fresh(request));
        signer.sign_request_at(&mut ours, SystemTime::now()).unwrap();
        (side.naive_sign)(&mut theirs, creds::AK, creds::SECRET);
        assert_eq!((side.naive_verify)(&ours), Ok(()), "{}", side.op);
        assert_eq!(verify(&theirs).unwrap().access_key_id(), creds::AK);
        ours.headers()[AUTHORIZATION] == theirs.headers()[AUTHORIZATION]
    });
    assert!(same, "{}", side.op);

    let mut signed = shapes::fresh(request);
    signer.sign_request_at(&mut signed, SystemTime::now()).unwrap();
    let refused = |changed: &Request<()>| {
        assert!((side.naive_verify)(changed).is_err(), "{}", side.op);
        assert_eq!(verify(changed).unwrap_err().kind(), RejectionKind::SignatureMismatch);
    };
    let mut changed = shapes::fresh(&signed);
    changed.headers_mut().insert("content-type", HeaderValue::from_static("text/x-other"));
    if side.scheme == Scheme::Fc || signed.headers().contains_key("content-type") {
        refused(&changed);
    }
    let mut changed = shapes::fresh(&signed);
    *changed.method_mut() = http::Method::PATCH;
    refused(&changed);
    let mut changed = shapes::fresh(&signed);
    let separator = if signed.uri().query().is_some() { '&' } else { '?' };
    *changed.uri_mut() = format!("{}{separator}admin=1", signed.uri()).parse().unwrap();
    refused(&changed);
}

fn layers(v: &mut impl Visitor) {
    let signer = signer(Scheme::Fc);
    for shape in &shapes::all(Vendor::Fc)[..2] {
        let unsigned = shape.request(Form::Absolute);
        let mut service = SignLayer::new(signer.clone()).layer(inner());
        assert!(call(&mut service, shapes::fresh(&unsigned)).status().is_success());
        v.batched(
            Id::new("middleware", "ours-sign-call", shape.name),
            || shapes::fresh(&unsigned),
            |r| call(&mut service, r),
        );

        let mut signed = shape.request(Form::Origin);
        let unsigned = shapes::fresh(&signed);
        naive::fc::sign(&mut signed, creds::AK, creds::SECRET);
        let mut service = VerifyLayer::new(verifier()).layer(inner());
        assert!(call(&mut service, shapes::fresh(&signed)).status().is_success());
        assert!(call(&mut service, unsigned).status().is_client_error());
        v.batched(
            Id::new("middleware", "ours-verify-call", shape.name),
            || shapes::fresh(&signed),
            |r| call(&mut service, r),
        );
    }
}
