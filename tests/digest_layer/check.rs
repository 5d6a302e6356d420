//! Which bodies a check lets pass on their way in.

use super::{
    MD5, MD5_RFC_1864, NOT_COVERED, Read, Refused, SHA256, SIGNED, WAYS, WRONG, ask, ask_with,
    echo, full, hex, post, wrong,
};
use crate::common::bodies::Pieces;
use crate::common::{
    EMPTY_MD5, EMPTY_SHA256, ID, SECRET, at, credentials, presigned, verifier, verify_layer,
};
use hmac::{KeyInit as _, Mac as _};
use http::{Request, StatusCode};
use sha2::Digest as _;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tower::{ServiceBuilder, ServiceExt as _, service_fn};
use tower_fc::digest::CheckedBody;
use tower_fc::digest::{BodyPolicy, CheckDigestLayer};
use tower_fc::verify::Mode;
use tower_fc::{RejectionKind, Scheme};

#[tokio::test]
async fn a_right_body_passes_and_a_changed_one_does_not_in_every_encoding() {
    for (name, scheme, header, value) in SIGNED {
        for way in WAYS {
            for policy in [BodyPolicy::CheckWhenSigned, BodyPolicy::Require] {
                for (body, expected) in [
                    (Pieces::of(["abc"]), Read("abc".into())),
                    (Pieces::of(["abc"]).knowing(), Read("abc".into())),
                    (Pieces::of(["a", "", "bc", ""]), Read("abc".into())),
                    (Pieces::of(["a", "bc"]).knowing(), Read("abc".into())),
                    (Pieces::of(["abd"]), wrong(way)),
                    (Pieces::of(["a", "bd"]).knowing(), wrong(way)),
                    (Pieces::of(["a", "bc"]).ending(), Read("abc".into())),
                    (Pieces::of(["a", "bd"]).ending(), wrong(way)),
                    (Pieces::of(["ab"]), wrong(way)),
                    (Pieces::of(["abc", "d"]), wrong(way)),
                    (Pieces::of(["abc", "d"]).knowing(), wrong(way)),
                    (Pieces::of([""]), wrong(way)),
                    // Known to be empty, and so refused at once.
                    (Pieces::of([]).knowing(), WRONG),
                    (Pieces::of([]).ending(), WRONG),
                    (Pieces::of([]).claiming(0), WRONG),
                ] {
                    let request = post(scheme, &[(header, value)], body);
                    let outcome = ask(way, policy, request).await;
                    assert_eq!(outcome, expected, "{name}, {way:?}, {policy:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_digest_of_nothing_fits_an_empty_body_and_no_other() {
    let digest = [("content-md5", EMPTY_MD5)];
    for way in WAYS {
        for (body, expected) in [
            (Pieces::of([]), Read(String::new())),
            (Pieces::of([]).knowing(), Read(String::new())),
            (Pieces::of(["a"]), wrong(way)),
            (Pieces::of(["a"]).knowing(), wrong(way)),
            // It says it is empty, and is not.
            (Pieces::of(["a"]).claiming(0), wrong(way)),
        ] {
            let request = post(Scheme::Fc, &digest, body);
            assert_eq!(ask(way, BodyPolicy::Require, request).await, expected, "{way:?}");
        }
    }
}

#[tokio::test]
async fn a_digest_that_is_not_signed_is_refused_unless_none_is_looked_at() {
    let scheme = Scheme::Acs3HmacSha256;
    for value in [MD5, MD5_RFC_1864, "?"] {
        for way in WAYS {
            let request = || {
                let mut request = post(scheme, &[], Pieces::of(["abcd"]));
                request.headers_mut().insert("content-md5", value.parse().unwrap());
                request
            };
            let ignored = ask(way, BodyPolicy::Ignore, request()).await;
            assert_eq!(ignored, Read("abcd".into()), "{value}, {way:?}");
            for policy in [BodyPolicy::CheckWhenSigned, BodyPolicy::Require] {
                assert_eq!(ask(way, policy, request()).await, NOT_COVERED, "{value}, {way:?}");
            }
        }
    }
}

/// A header of ACS3 that FC does not sign is refused, whatever becomes of the body.
#[tokio::test]
async fn the_hash_of_acs3_under_fc_is_refused_as_unsigned() {
    for way in WAYS {
        let digest = [("x-acs-content-sha256", SHA256)];
        let request = post(Scheme::Fc, &digest, Pieces::of(["abcd"]));
        let expected = Refused(StatusCode::FORBIDDEN, RejectionKind::UnsignedHeader);
        assert_eq!(ask(way, BodyPolicy::CheckWhenSigned, request).await, expected, "{way:?}");
    }
}

#[tokio::test]
async fn require_refuses_whatever_has_no_digest_and_reads_nothing_of_it() {
    for way in WAYS {
        let anonymous = || Request::post("/").body(Pieces::of(["abc"])).unwrap();
        let with_digest = || {
            let request = Request::post("/").header("content-md5", MD5);
            request.body(Pieces::of(["abd"])).unwrap()
        };
        for (name, request) in [
            ("FC", &(|| post(Scheme::Fc, &[], Pieces::of(["abc"]))) as &dyn Fn() -> _),
            ("FC, blank", &|| post(Scheme::Fc, &[("content-md5", "")], Pieces::of(["abc"]))),
            ("FC, no body", &|| post(Scheme::Fc, &[], Pieces::of([]).knowing())),
            ("ACS3", &|| post(Scheme::Acs3HmacSha256, &[], Pieces::of(["abc"]))),
            ("acs", &|| post(Scheme::Acs, &[], Pieces::of(["abc"]))),
            ("anonymous", &anonymous),
            ("anonymous with a digest", &with_digest),
        ] {
            let refused = request();
            let polls = Arc::clone(&refused.body().polls);
            let outcome = ask(way, BodyPolicy::Require, refused).await;
            assert_eq!(outcome, NOT_COVERED, "{name}, {way:?}");
            assert_eq!(polls.load(Ordering::SeqCst), 0, "{name}, {way:?}");
            for policy in [BodyPolicy::Ignore, BodyPolicy::CheckWhenSigned] {
                let outcome = ask(way, policy, request()).await;
                assert!(matches!(outcome, Read(_)), "{name}, {way:?}, {policy:?}: {outcome:?}");
            }
        }
    }
}

#[tokio::test]
async fn ignore_looks_at_no_digest() {
    for way in WAYS {
        for value in [MD5, "?"] {
            let request = post(Scheme::Fc, &[("content-md5", value)], Pieces::of(["abd"]));
            assert_eq!(ask(way, BodyPolicy::Ignore, request).await, Read("abd".into()), "{way:?}");
        }
    }
}

#[tokio::test]
async fn a_digest_that_no_body_can_have_is_refused_before_the_body_is_read() {
    let upper = MD5.to_uppercase();
    for (scheme, header, value) in [
        (Scheme::Fc, "content-md5", "?"),
        (Scheme::Fc, "content-md5", upper.as_str()),
        (Scheme::Fc, "content-md5", &MD5[1..]),
        (Scheme::Fc, "content-md5", SHA256),
        (Scheme::Fc, "content-md5", "kAFQmDzST7DWlj99KOF/cg"),
        (Scheme::Fc, "content-md5", "kAFQmDzST7DWlj99KOF/ch=="),
        (Scheme::Acs3HmacSha256, "x-acs-content-sha256", "UNSIGNED-PAYLOAD"),
        (Scheme::Acs3HmacSha256, "x-acs-content-sha256", MD5),
    ] {
        for way in WAYS {
            let request = post(scheme, &[(header, value)], Pieces::of(["abc"]));
            let polls = Arc::clone(&request.body().polls);
            let outcome = ask(way, BodyPolicy::CheckWhenSigned, request).await;
            assert_eq!(outcome, WRONG, "{value}, {way:?}");
            assert_eq!(polls.load(Ordering::SeqCst), 0, "{value}, {way:?}");
        }
    }
}

#[tokio::test]
async fn two_digests_in_one_header_are_refused_even_if_the_verifier_observes() {
    for way in WAYS {
        for values in [[MD5, MD5], [MD5, MD5_RFC_1864], ["", MD5]] {
            let digests = values.map(|value| ("content-md5", value));
            let request = post(Scheme::Fc, &digests, Pieces::of(["abc"]));
            let lax = verifier().with_insecure_observation();
            let outcome =
                ask_with(lax, Mode::Required, way, BodyPolicy::CheckWhenSigned, request).await;
            let repeated = Refused(StatusCode::FORBIDDEN, RejectionKind::RepeatedHeader);
            assert_eq!(outcome, repeated, "{way:?}, {values:?}");
        }
    }
}

/// Signs a `POST /` by ACS3 with the headers as they are, all of which are listed but
/// those whose names are in `except`. Written apart from the crate, whose signer lists
/// what it should.
fn sign_acs3<B>(headers: &[(&str, &str)], except: &[&str], body: B) -> Request<B> {
    let date = String::from_utf8(tower_fc::protocol::format_acs_date(at(0)).to_vec()).unwrap();
    let mut all: BTreeMap<&str, &str> = headers.iter().copied().collect();
    all.extend([("host", "demo.example"), ("x-acs-date", date.as_str())]);
    let listed: Vec<_> = all.keys().copied().filter(|name| !except.contains(name)).collect();
    let lines: String = listed.iter().map(|name| format!("{name}:{}\n", all[name])).collect();
    let list = listed.join(";");
    let hash = all.get("x-acs-content-sha256").copied().unwrap_or_default();
    let canonical = format!("POST\n/\n\n{lines}\n{list}\n{hash}");
    let text = format!("ACS3-HMAC-SHA256\n{}", hex(&sha2::Sha256::digest(canonical)));
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    let signature = hex(&mac.finalize().into_bytes());
    let credential = format!("Credential={ID},SignedHeaders={list},Signature={signature}");
    let mut request = Request::post("/");
    for (name, value) in all {
        request = request.header(name, value);
    }
    request = request.header("authorization", format!("ACS3-HMAC-SHA256 {credential}"));
    request.body(body).unwrap()
}

#[tokio::test]
async fn under_acs3_md5_counts_where_it_is_listed_and_the_hash_decides_where_both_are() {
    let (md5, hash) = ("content-md5", "x-acs-content-sha256");
    for way in WAYS {
        for (name, headers, except, expected) in [
            ("MD5 listed", vec![(md5, MD5)], &[][..], Read("abc".into())),
            ("wrong MD5 listed", vec![(md5, EMPTY_MD5)], &[], wrong(way)),
            ("MD5 not listed", vec![(md5, MD5)], &[md5], NOT_COVERED),
            ("wrong MD5 not listed", vec![(md5, EMPTY_MD5)], &[md5], NOT_COVERED),
            ("hash", vec![(hash, SHA256)], &[], Read("abc".into())),
            // It is signed as the payload line.
            ("hash not listed", vec![(hash, SHA256)], &[hash], Read("abc".into())),
            ("wrong hash not listed", vec![(hash, EMPTY_SHA256)], &[hash], wrong(way)),
            ("both", vec![(hash, SHA256), (md5, MD5)], &[], Read("abc".into())),
            ("wrong MD5", vec![(hash, SHA256), (md5, EMPTY_MD5)], &[], Read("abc".into())),
            ("wrong hash", vec![(hash, EMPTY_SHA256), (md5, MD5)], &[], wrong(way)),
            ("blank hash", vec![(hash, ""), (md5, MD5)], &[], Read("abc".into())),
            ("blank hash, wrong MD5", vec![(hash, ""), (md5, EMPTY_MD5)], &[], wrong(way)),
        ] {
            let request = sign_acs3(&headers, except, Pieces::of(["abc"]));
            let outcome = ask(way, BodyPolicy::Require, request).await;
            assert_eq!(outcome, expected, "{name}, {way:?}");
        }
    }
}

#[tokio::test]
async fn a_check_outside_of_the_verifier_is_a_fault_of_the_server() {
    let service = |policy| {
        ServiceBuilder::new()
            .layer(CheckDigestLayer::new().with_policy(policy))
            .layer(verify_layer())
            .service(service_fn(echo::<CheckedBody<Pieces>>))
    };
    let request = || post(Scheme::Fc, &[("content-md5", MD5)], Pieces::of(["abd"]));
    for policy in [BodyPolicy::CheckWhenSigned, BodyPolicy::Require] {
        let response = service(policy).oneshot(request()).await.unwrap();
        assert_eq!(response.status(), 500, "{policy:?}");
        assert_eq!(
            crate::common::refusal(&response),
            Some(RejectionKind::NotLookedAt),
            "{policy:?}"
        );
    }
}

#[tokio::test]
async fn a_presigned_url_covers_content_md5() {
    for way in WAYS {
        for (body, expected) in [("abc", Read("abc".into())), ("abd", wrong(way))] {
            let request = Request::post("https://demo.example/").header("content-md5", MD5);
            let request = presigned(request.body(full(body)).unwrap(), credentials(), 60);
            assert_eq!(ask(way, BodyPolicy::Require, request).await, expected, "{way:?}");
        }
    }
}
