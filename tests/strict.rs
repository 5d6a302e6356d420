//! What strict verification refuses, and how each refusal is lifted by name.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use http::header::HeaderName;
use http::request::{Builder, Parts};
use http::{HeaderMap, Method, Request};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tower_fc::{
    Ambiguity, Credentials, Dialect, Dialects, ErrorKind, Presigner, Rejection, RejectionKind,
    Scheme, Schemes, Signer, SigningKey, StaticKeys, Verifier,
};

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn credentials() -> Credentials {
    Credentials::new("id", "secret").unwrap()
}

fn verifier() -> Verifier<StaticKeys> {
    let keys = StaticKeys::from_secrets([("id", "secret")]).unwrap();
    Verifier::new(keys).with_schemes(Schemes::ALL)
}

fn parts(request: Builder) -> Parts {
    request.body(()).unwrap().into_parts().0
}

fn get(target: &str) -> Builder {
    Request::get(target).header("host", "demo.example")
}

fn signed(scheme: Scheme, request: Builder) -> Parts {
    let mut parts = parts(request);
    Signer::new(credentials()).with_scheme(scheme).unwrap().sign_at(&mut parts, now()).unwrap();
    parts
}

fn kind(verdict: Result<tower_fc::VerifiedCaller, Rejection>) -> Option<RejectionKind> {
    verdict.err().map(|rejection| rejection.kind())
}

#[test]
fn a_signature_is_of_no_use_on_a_request_with_the_same_string_to_sign() {
    // Each second target is signed as the first one is.
    for (signed_for, sent) in [
        ("/?a=1&b=2", "/?a=1%0Ab=2"),
        ("/?a=b%3Dc", "/?a%3Db=c"),
        ("/a/b", "/a%2Fb"),
        ("/?c=3", "/?a=1;b=2&c=3"),
        ("/?c=3", "/?a=100%&c=3"),
        ("/a?b=c", "/a%0Ab=c"),
    ] {
        let signer = Signer::new(credentials());
        let text = |target: &str| signer.string_to_sign_at(&parts(get(target)), now()).unwrap();
        let mut replayed = signed(Scheme::Fc, get(signed_for));
        assert_eq!(verifier().verify_at(&replayed, now()).unwrap().access_key_id(), "id");
        replayed.uri = sent.parse().unwrap();

        let rejection = verifier().verify_at(&replayed, now()).unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::Ambiguous, "{sent}");
        assert_eq!(rejection.message(), rejection.ambiguity().unwrap().rule());
        if text(signed_for) == text(sent) {
            let observing = verifier().with_insecure_observation();
            let caller = observing.verify_at(&replayed, now()).expect("it is let through");
            assert_eq!(caller.ambiguities().next(), rejection.ambiguity(), "{sent}");
        }
    }
}

#[test]
fn every_refusal_can_be_lifted_alone_and_is_then_reported() {
    for (target, ambiguity) in [
        ("/a%0Ab", Ambiguity::PathNewline),
        ("/a%2Fb", Ambiguity::PathSlash),
        ("/100%", Ambiguity::PathMalformed),
        ("/?a=%0A", Ambiguity::ValueNewline),
        ("/?%0A=a", Ambiguity::KeyNewline),
        ("/?a%3D=b", Ambiguity::KeyEquals),
        ("/?a%26=b", Ambiguity::KeyAmpersand),
        ("/?a;b", Ambiguity::Semicolon),
        ("/?a=%", Ambiguity::Malformed),
        ("/?x-fc-expires=1800000001", Ambiguity::ExpiresAsDate),
    ] {
        let parts = signed(Scheme::Fc, get(target));
        let rejection = verifier().verify_at(&parts, now()).unwrap_err();
        assert_eq!(rejection.ambiguity(), Some(ambiguity), "{target}");
        assert_eq!(rejection.status(), 403);

        let lifted = verifier().with_insecure_allowance(ambiguity).unwrap();
        let caller = lifted.verify_at(&parts, now()).unwrap();
        assert_eq!(caller.ambiguities().collect::<Vec<_>>(), [ambiguity], "{target}");

        let others = Ambiguity::ALL.iter().filter(|other| **other != ambiguity);
        let others = others.fold(verifier(), |verifier, other| {
            verifier.clone().with_insecure_allowance(*other).unwrap_or(verifier)
        });
        assert!(others.verify_at(&parts, now()).is_err(), "{target}: lifted by another name");
    }
}

#[test]
fn a_verifier_prints_what_it_was_told_to_accept() {
    let lenient = verifier().with_insecure_allowance(Ambiguity::Semicolon).unwrap();
    let shown = format!("{:?}", lenient.with_dialects(Dialect::FcApi));
    for part in ["FcPresigned", "{FcApi}", "max_skew: 900s", "604800s", "allowed: {Semicolon}"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn what_is_never_let_through_cannot_be_lifted() {
    for ambiguity in [Ambiguity::QueryCredentials, Ambiguity::AbsentHeader] {
        let error = verifier().with_insecure_allowance(ambiguity).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSetting);
        assert!(error.to_string().contains(ambiguity.rule()), "{error}");
    }
}

#[test]
fn a_header_that_steers_the_trigger_must_be_signed_under_acs3() {
    for name in ["x-fc-invocation-type", "x-fc-async-delay", "x-acs-action", "x-acs-security-token"]
    {
        let name = HeaderName::from_static(name);
        let mut parts = signed(Scheme::Acs3HmacSha256, get("/"));
        parts.headers.insert(&name, "Async".parse().unwrap());
        let rejection = verifier().verify_at(&parts, now()).unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::UnsignedHeader);
        assert!(rejection.message().contains(name.as_str()), "{rejection}");

        let exempt = verifier().with_insecure_unsigned_header(name.clone());
        assert_eq!(kind(exempt.verify_at(&parts, now())), None, "{name}");
        let observing = verifier().with_insecure_observation();
        let caller = observing.verify_at(&parts, now()).unwrap();
        assert_eq!(caller.ambiguities().collect::<Vec<_>>(), [Ambiguity::UnsignedHeader]);
        assert!(!caller.covers_header(&name));

        // What the signer signs is covered.
        let parts = signed(Scheme::Acs3HmacSha256, get("/").header(&name, "Async"));
        if name != "x-acs-security-token" {
            assert!(verifier().verify_at(&parts, now()).unwrap().covers_header(&name), "{name}");
        }
    }
}

#[test]
fn the_payload_hash_needs_no_place_in_the_list_but_is_signed_all_the_same() {
    let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let mut parts = signed(Scheme::Acs3HmacSha256, get("/").header("x-acs-content-sha256", hash));
    let caller = verifier().verify_at(&parts, now()).unwrap();
    assert!(caller.covers_body());
    parts.headers.insert("x-acs-content-sha256", hash.replace('e', "f").parse().unwrap());
    assert_eq!(kind(verifier().verify_at(&parts, now())), Some(RejectionKind::SignatureMismatch));
    // Added to a request that was signed without one, it changes the payload line.
    let mut parts = signed(Scheme::Acs3HmacSha256, get("/"));
    parts.headers.insert("x-acs-content-sha256", hash.parse().unwrap());
    assert_eq!(kind(verifier().verify_at(&parts, now())), Some(RejectionKind::SignatureMismatch));
}

#[test]
fn an_x_fc_header_goes_unsigned_under_acs_and_is_refused() {
    let parts = signed(Scheme::Acs, get("/").header("x-fc-invocation-type", "Async"));
    let rejection = verifier().verify_at(&parts, now()).unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::UnsignedHeader);
    assert!(rejection.message().contains("x-fc-invocation-type"), "{rejection}");

    // An x-acs- header beside it is signed, and needs no exemption.
    let parts = signed(Scheme::Acs, get("/").header("x-acs-a", "b").header("x-fc-a", "b"));
    let rejection = verifier().verify_at(&parts, now()).unwrap_err();
    assert!(rejection.message().contains("x-fc-a "), "{rejection}");
    let exempt = verifier().with_insecure_unsigned_header(HeaderName::from_static("x-fc-a"));
    assert_eq!(kind(exempt.verify_at(&parts, now())), None);
    let other = verifier().with_insecure_unsigned_header(HeaderName::from_static("x-fc-b"));
    assert_eq!(kind(other.verify_at(&parts, now())), Some(RejectionKind::UnsignedHeader));
}

#[test]
fn headers_can_be_required_to_be_signed() {
    let required =
        || verifier().with_required_headers([http::header::HOST, http::header::CONTENT_TYPE]);
    let both = signed(Scheme::Acs3HmacSha256, get("/").header("content-type", "text/plain"));
    assert_eq!(kind(required().verify_at(&both, now())), None);
    // Content-Type added on the way.
    let mut added = signed(Scheme::Acs3HmacSha256, get("/"));
    assert_eq!(kind(required().verify_at(&added, now())), None);
    added.headers.insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(kind(verifier().verify_at(&added, now())), None);
    assert_eq!(kind(required().verify_at(&added, now())), Some(RejectionKind::UnsignedHeader));
    // Signed without a host, for whichever host it is sent to.
    let mut hostless = signed(Scheme::Acs3HmacSha256, Request::get("/"));
    hostless.headers.insert("host", "demo.example".parse().unwrap());
    assert_eq!(kind(verifier().verify_at(&hostless, now())), None);
    assert_eq!(kind(required().verify_at(&hostless, now())), Some(RejectionKind::UnsignedHeader));
}

#[test]
fn a_listed_header_that_is_absent_is_refused() {
    let mut parts = signed(Scheme::Acs3HmacSha256, get("/").header("x-acs-empty", ""));
    parts.headers.remove("x-acs-empty");
    // It would be signed as the empty value it had.
    let rejection = verifier().with_insecure_observation().verify_at(&parts, now()).unwrap_err();
    assert_eq!(rejection.ambiguity(), Some(Ambiguity::AbsentHeader));
    // So is one that no trigger acts upon, though there is a host.
    for name in ["content-type", "x-other"] {
        let mut parts = signed(Scheme::Acs3HmacSha256, get("/"));
        let value = parts.headers["authorization"].to_str().unwrap();
        let (mut list, rest) = (vec!["host", "x-acs-date", name], "SignedHeaders=host;x-acs-date");
        list.sort_unstable();
        let value = value.replace(rest, &format!("SignedHeaders={}", list.join(";")));
        parts.headers.insert("authorization", value.parse().unwrap());
        let rejection = verifier().verify_at(&parts, now()).unwrap_err();
        assert_eq!(rejection.ambiguity(), Some(Ambiguity::AbsentHeader), "{name}");
    }
}

#[test]
fn a_key_with_a_security_token_takes_no_request_without_it() {
    let key = SigningKey::new("secret").unwrap().with_security_token("token").unwrap();
    let verifier = Verifier::new(StaticKeys::new().with_key("id", key)).with_schemes(Schemes::ALL);
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256, Scheme::Acs] {
        for (token, expected) in [
            (Some("token"), None),
            (Some("tokem"), Some(RejectionKind::SignatureMismatch)),
            (None, Some(RejectionKind::SignatureMismatch)),
        ] {
            let mut credentials = credentials();
            if let Some(token) = token {
                credentials = credentials.with_security_token(token).unwrap();
            }
            let mut parts = parts(get("/"));
            let signer = Signer::new(credentials).with_scheme(scheme).unwrap();
            signer.sign_at(&mut parts, now()).unwrap();
            assert_eq!(kind(verifier.verify_at(&parts, now())), expected, "{scheme} {token:?}");
        }
    }
}

#[test]
fn a_nonce_that_is_required_is_signed_and_not_empty() {
    let required = || verifier().with_required_nonce();
    for (scheme, name) in [
        (Scheme::Fc, "x-fc-signature-nonce"),
        (Scheme::Acs3HmacSha256, "x-acs-signature-nonce"),
        (Scheme::Acs, "x-acs-signature-nonce"),
    ] {
        for (nonce, expected) in [("n", None), ("", Some(RejectionKind::MissingNonce))] {
            let parts = signed(scheme, get("/").header(name, nonce));
            assert_eq!(kind(required().verify_at(&parts, now())), expected, "{scheme} {nonce:?}");
        }
        let without = signed(scheme, get("/"));
        let expected = Some(RejectionKind::MissingNonce);
        assert_eq!(kind(required().verify_at(&without, now())), expected, "{scheme}");
    }
    let mut added = signed(Scheme::Acs3HmacSha256, get("/"));
    added.headers.insert("x-acs-signature-nonce", "n".parse().unwrap());
    let exempt = HeaderName::from_static("x-acs-signature-nonce");
    let required = required().with_insecure_unsigned_header(exempt);
    assert_eq!(kind(required.verify_at(&added, now())), Some(RejectionKind::UnsignedHeader));
}

#[test]
fn two_sets_of_credentials_are_refused() {
    let url = Presigner::new(credentials())
        .presign_at(
            &Method::GET,
            &"/a".parse().unwrap(),
            &HeaderMap::new(),
            Duration::from_secs(60),
            now(),
        )
        .unwrap();
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256, Scheme::Acs] {
        let both = signed(scheme, get(&url.uri().to_string()));
        for verifier in [verifier(), verifier().with_insecure_observation()] {
            assert_eq!(
                kind(verifier.verify_at(&both, now())),
                Some(RejectionKind::ConflictingCredentials),
                "{scheme}"
            );
        }
    }
    assert_eq!(kind(verifier().verify_at(&parts(get(&url.uri().to_string())), now())), None);

    // The dialect drops what is malformed, but other parsers do not.
    let mut dropped = signed(Scheme::Fc, get("/"));
    dropped.uri = "/?x-fc-signature=%".parse().unwrap();
    let observing = verifier().with_insecure_observation();
    let rejection = kind(observing.verify_at(&dropped, now()));
    assert_eq!(rejection, Some(RejectionKind::ConflictingCredentials));
}

#[test]
fn repeated_headers_are_refused() {
    for name in ["x-fc-a", "content-type", "content-md5"] {
        let parts = signed(Scheme::Fc, get("/").header(name, "a").header(name, "b"));
        let rejection = verifier().verify_at(&parts, now()).unwrap_err();
        assert_eq!(rejection.ambiguity(), Some(Ambiguity::RepeatedHeader), "{name}");
    }
    // The payload hash is signed in its own line, listed or not.
    let mut parts = signed(Scheme::Acs3HmacSha256, get("/"));
    for hash in ["00", "01"] {
        parts.headers.append("x-acs-content-sha256", hash.parse().unwrap());
    }
    let rejection = verifier().verify_at(&parts, now()).unwrap_err();
    assert_eq!(rejection.ambiguity(), Some(Ambiguity::RepeatedHeader));
    for name in ["authorization", "date"] {
        let mut parts = signed(Scheme::Fc, get("/"));
        let again = parts.headers[name].clone();
        parts.headers.append(name, again);
        let rejection = verifier().with_insecure_observation().verify_at(&parts, now());
        assert!(rejection.is_err(), "{name}");
    }
}

#[test]
fn a_presigned_url_ends_within_bounds() {
    let presigned = |lifetime: u64| {
        let url = Presigner::new(credentials()).presign_at(
            &Method::GET,
            &"/a".parse().unwrap(),
            &HeaderMap::new(),
            Duration::from_secs(lifetime),
            now(),
        );
        parts(get(&url.unwrap().into_uri().to_string()))
    };
    let week = 7 * 86_400;
    for (lifetime, verified_after, expected) in [
        (60, 0, None),
        (60, 59, None),
        (60, 60, Some(RejectionKind::Expired)),
        (60, 3_600, Some(RejectionKind::Expired)),
        (week, 0, None),
        (week + 1, 0, Some(RejectionKind::ExpiresTooLate)),
        (week + 1, 1, None),
    ] {
        let at = now() + Duration::from_secs(verified_after);
        assert_eq!(kind(verifier().verify_at(&presigned(lifetime), at)), expected, "{lifetime}");
    }
    let longer = verifier().with_max_lifetime(Duration::from_secs(2 * week));
    assert_eq!(kind(longer.verify_at(&presigned(2 * week), now())), None);
}

#[test]
fn a_presigned_url_is_read_in_the_documented_form_whatever_dialects_are_accepted() {
    let url = Presigner::new(credentials()).presign_at(
        &Method::GET,
        &"/a%20b?c=d".parse().unwrap(),
        &HeaderMap::new(),
        Duration::from_secs(60),
        now(),
    );
    let parts = parts(get(&url.unwrap().into_uri().to_string()));
    for dialects in
        [Dialects::STANDARD, Dialect::FcApi.into(), Dialect::FcJavaGateway.into(), Dialects::ALL]
    {
        let verifier = verifier().with_dialects(dialects);
        let caller = verifier.verify_at(&parts, now()).unwrap();
        assert_eq!((caller.scheme(), caller.dialect()), (Scheme::FcPresigned, Dialect::Standard));
    }
}

#[test]
fn a_path_that_dialects_read_differently_is_refused_when_both_are_accepted() {
    let parts = signed(Scheme::Fc, get("/a%2520b"));
    assert_eq!(kind(verifier().verify_at(&parts, now())), None);
    let both = verifier().with_dialects([Dialect::Standard, Dialect::FcJavaGateway]);
    let rejection = both.verify_at(&parts, now()).unwrap_err();
    assert_eq!(rejection.ambiguity(), Some(Ambiguity::PathPercent));
    // What was signed for `/a%2520b` is what Java signs for `/a%20b`.
    let mut sent = parts;
    sent.uri = "/a%20b".parse().unwrap();
    let java = verifier().with_dialects(Dialects::from(Dialect::FcJavaGateway));
    assert_eq!(java.verify_at(&sent, now()).unwrap().dialect(), Dialect::FcJavaGateway);
}

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
        let rejection = verifier.verify_at(&parts, now()).unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::LimitExceeded);
        assert_eq!((rejection.status().as_u16(), rejection.error_code()), (400, "InvalidArgument"));
    }
}

#[test]
fn the_defaults_bound_sizes_at_16_kib_32_kib_and_100_names() {
    let refused = |parts: &Parts| {
        kind(verifier().verify_at(parts, now())) == Some(RejectionKind::LimitExceeded)
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
    // Which bounds what was signed as well.
    let few = verifier().with_max_signed_headers(2);
    let two = signed(Scheme::Acs3HmacSha256, get("/"));
    assert_eq!(kind(few.verify_at(&two, now())), None);
    let three = signed(Scheme::Acs3HmacSha256, get("/").header("x-acs-a", "b"));
    assert_eq!(kind(few.verify_at(&three, now())), Some(RejectionKind::LimitExceeded));
}

#[test]
fn a_clock_difference_of_15_minutes_is_the_most_by_default() {
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256, Scheme::Acs] {
        let parts = signed(scheme, get("/"));
        let most = Duration::from_secs(15 * 60);
        let more = most + Duration::from_millis(1);
        for at in [now() + most, now() - most] {
            assert_eq!(kind(verifier().verify_at(&parts, at)), None, "{scheme}");
        }
        for at in [now() + more, now() - more] {
            let rejection = verifier().verify_at(&parts, at).unwrap_err();
            assert_eq!(rejection.kind(), RejectionKind::RequestTimeTooSkewed, "{scheme}");
            // It says when the request was signed, as that scheme writes times.
            let time = match scheme {
                Scheme::Acs3HmacSha256 => "'2027-01-15T08:00:00Z'",
                _ => "'Fri, 15 Jan 2027 08:00:00 GMT'",
            };
            assert!(rejection.message().contains(time), "{scheme}: {rejection}");
        }
    }
}

#[test]
fn a_host_with_the_default_port_is_the_same_host() {
    let verdict = |target: &str, host: &str| {
        let mut parts = signed(Scheme::Fc, Request::get(target));
        parts.headers.insert("host", host.parse().unwrap());
        kind(verifier().verify_at(&parts, now()))
    };
    for (target, host) in [
        ("http://a/", "a:80"),
        ("http://a:80/", "a"),
        ("https://a/", "a:443"),
        ("https://a:443/", "a"),
        ("https://a:8443/", "a:8443"),
        ("ws://a/", "a:80"),
        ("wss://a:443/", "a"),
        ("https://user@a:443/", "A"),
    ] {
        assert_eq!(verdict(target, host), None, "{target} {host}");
    }
    for (target, host) in [
        ("http://a/", "a:443"),
        ("https://a/", "a:80"),
        ("https://a:80/", "a"),
        ("http://a:8080/", "a"),
        ("other://a/", "a:80"),
        ("https://a/", "user@a"),
    ] {
        let expected = Some(RejectionKind::HostMismatch);
        assert_eq!(verdict(target, host), expected, "{target} {host}");
    }
    // Signed is what a client would put into the header.
    for (target, host) in [
        ("https://a:443/", "a"),
        ("http://u:p@a:80/", "a"),
        ("http://a:443/", "a:443"),
        ("wss://a/", "a"),
    ] {
        let signer = Signer::new(credentials()).with_scheme(Scheme::Acs3HmacSha256).unwrap();
        let parts = parts(Request::get(target));
        let text = signer.canonical_request_at(&parts, now()).unwrap().unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains(&format!("\nhost:{host}\n")), "{target}: {text}");
    }
}

#[test]
fn a_signature_covers_every_bit_of_what_it_says_it_covers() {
    let request = || {
        get("/2016-08-15/proxy/svc/a%20b?name=x&other=y%2Fz")
            .header("content-type", "text/plain")
            .header("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")
            .header("x-acs-action", "Invoke")
            .header("x-fc-log-type", "Tail")
    };
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256] {
        let good = signed(scheme, request());
        let caller = verifier().verify_at(&good, now()).unwrap();
        let mut changed = 0;
        let names: Vec<HeaderName> = good.headers.keys().cloned().collect();
        for name in names.iter().filter(|name| caller.covers_header(name)) {
            let value = good.headers[name].as_bytes();
            for bit in 0..value.len() * 8 {
                let mut other = value.to_vec();
                other[bit / 8] ^= 1 << (bit % 8);
                let Ok(other) = other.as_slice().try_into() else { continue };
                let mut parts = good.clone();
                parts.headers.insert(name, other);
                assert!(verifier().verify_at(&parts, now()).is_err(), "{scheme} {name} {bit}");
                changed += 1;
            }
        }
        let target = good.uri.to_string().into_bytes();
        for bit in 0..target.len() * 8 {
            let mut other = target.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let Ok(uri) = http::Uri::try_from(other) else { continue };
            // Upper and lower case of an escape are the same request.
            if uri.to_string().eq_ignore_ascii_case(&good.uri.to_string())
                && uri.to_string().contains("%2f")
            {
                continue;
            }
            let mut parts = good.clone();
            parts.uri = uri;
            assert!(verifier().verify_at(&parts, now()).is_err(), "{scheme} {}", parts.uri);
            changed += 1;
        }
        assert!(changed > 500, "{scheme}: {changed}");
    }
}
