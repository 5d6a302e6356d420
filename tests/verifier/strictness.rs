//! Rule by rule: what can be read in two ways is refused, and let through by name.

use super::{get, kind, parts, presigned_for, set, signed, verifier};
use crate::common::{HEADER_SCHEMES, ID, at, careless};
use tower_fc::error::ErrorKind;
use tower_fc::protocol::{Ambiguity, Dialect, Dialects};
use tower_fc::{RejectionKind, Scheme};

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
        let signer = careless(Scheme::Fc);
        let text = |target: &str| signer.string_to_sign_at(&parts(get(target)), at(0)).unwrap();
        let mut replayed = signed(Scheme::Fc, get(signed_for));
        assert_eq!(verifier().verify_at(&replayed, at(0)).unwrap().access_key_id(), ID);
        replayed.uri = sent.parse().unwrap();

        let rejection = verifier().verify_at(&replayed, at(0)).unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::Ambiguous, "{sent}");
        assert_eq!(rejection.message(), rejection.ambiguity().unwrap().rule());
        if text(signed_for) == text(sent) {
            let observing = verifier().with_insecure_observation();
            let caller = observing.verify_at(&replayed, at(0)).expect("it is let through");
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
        ("/?x-fc-expires=1795283821", Ambiguity::ExpiresAsDate),
    ] {
        let parts = signed(Scheme::Fc, get(target));
        let rejection = verifier().verify_at(&parts, at(0)).unwrap_err();
        assert_eq!(rejection.ambiguity(), Some(ambiguity), "{target}");
        assert_eq!(rejection.status(), 403);

        let lifted = verifier().with_insecure_allowance(ambiguity).unwrap();
        let caller = lifted.verify_at(&parts, at(0)).unwrap();
        assert_eq!(caller.ambiguities().collect::<Vec<_>>(), [ambiguity], "{target}");

        let others = Ambiguity::ALL.iter().filter(|other| **other != ambiguity);
        let others = others.fold(verifier(), |verifier, other| {
            verifier.clone().with_insecure_allowance(*other).unwrap_or(verifier)
        });
        assert!(others.verify_at(&parts, at(0)).is_err(), "{target}: lifted by another name");
    }
}

#[test]
fn what_is_never_let_through_cannot_be_lifted() {
    for ambiguity in [Ambiguity::QueryCredentials, Ambiguity::AbsentHeader] {
        let error = verifier().with_insecure_allowance(ambiguity).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSetting);
        assert!(error.to_string().contains(ambiguity.rule()), "{error}");
    }
    assert!(verifier().with_insecure_allowance(Ambiguity::PathSlash).is_ok());
}

#[test]
fn two_sets_of_credentials_are_refused() {
    let url = presigned_for("/a", 60);
    for scheme in HEADER_SCHEMES {
        let mut both = signed(scheme, get("/a"));
        both.uri = url.uri.clone();
        for verifier in [verifier(), verifier().with_insecure_observation()] {
            assert_eq!(
                kind(verifier.verify_at(&both, at(0))),
                Some(RejectionKind::ConflictingCredentials),
                "{scheme}"
            );
        }
    }
    assert_eq!(kind(verifier().verify_at(&url, at(0))), None);

    // The dialect drops what is malformed, but other parsers do not.
    let mut dropped = signed(Scheme::Fc, get("/"));
    dropped.uri = "/?x-fc-signature=%".parse().unwrap();
    let observing = verifier().with_insecure_observation();
    let rejection = kind(observing.verify_at(&dropped, at(0)));
    assert_eq!(rejection, Some(RejectionKind::ConflictingCredentials));
}

#[test]
fn repeated_headers_are_refused() {
    for name in ["x-fc-a", "content-type", "content-md5"] {
        let parts = signed(Scheme::Fc, get("/").header(name, "a").header(name, "b"));
        let rejection = verifier().verify_at(&parts, at(0)).unwrap_err();
        assert_eq!(rejection.ambiguity(), Some(Ambiguity::RepeatedHeader), "{name}");
    }
    // The payload hash is signed in its own line, listed or not.
    let mut parts = signed(Scheme::Acs3HmacSha256, get("/"));
    for hash in ["00", "01"] {
        parts.headers.append("x-acs-content-sha256", hash.parse().unwrap());
    }
    let rejection = verifier().verify_at(&parts, at(0)).unwrap_err();
    assert_eq!(rejection.ambiguity(), Some(Ambiguity::RepeatedHeader));
    for name in ["authorization", "date"] {
        let mut parts = signed(Scheme::Fc, get("/"));
        let again = parts.headers[name].clone();
        parts.headers.append(name, again);
        let rejection = verifier().with_insecure_observation().verify_at(&parts, at(0));
        assert!(rejection.is_err(), "{name}");
    }
}

#[test]
fn a_listed_header_that_is_absent_is_refused() {
    let mut parts = signed(Scheme::Acs3HmacSha256, get("/").header("x-acs-empty", ""));
    parts.headers.remove("x-acs-empty");
    // It would be signed as the empty value it had.
    let rejection = verifier().with_insecure_observation().verify_at(&parts, at(0)).unwrap_err();
    assert_eq!(rejection.ambiguity(), Some(Ambiguity::AbsentHeader));
    // So is one that no trigger acts upon, though there is a host.
    for name in ["content-type", "x-other"] {
        let mut parts = signed(Scheme::Acs3HmacSha256, get("/"));
        let value = parts.headers["authorization"].to_str().unwrap();
        let (mut list, rest) = (vec!["host", "x-acs-date", name], "SignedHeaders=host;x-acs-date");
        list.sort_unstable();
        let value = value.replace(rest, &format!("SignedHeaders={}", list.join(";")));
        parts.headers.insert("authorization", value.parse().unwrap());
        let rejection = verifier().verify_at(&parts, at(0)).unwrap_err();
        assert_eq!(rejection.ambiguity(), Some(Ambiguity::AbsentHeader), "{name}");
    }
}

#[test]
fn an_encoded_percent_sign_is_refused_whatever_the_dialects() {
    let parts = signed(Scheme::Fc, get("/a%2520b"));
    let both = verifier().with_dialects([Dialect::Standard, Dialect::FcJavaGateway]);
    for verifier in [verifier(), both] {
        let rejection = verifier.verify_at(&parts, at(0)).unwrap_err();
        assert_eq!(rejection.ambiguity(), Some(Ambiguity::PathPercent));
    }
    // What was signed for `/a%2520b` is what Java signs for `/a%20b`.
    let mut sent = parts;
    sent.uri = "/a%20b".parse().unwrap();
    let java = verifier().with_dialects(Dialects::from(Dialect::FcJavaGateway));
    assert_eq!(java.verify_at(&sent, at(0)).unwrap().dialect(), Dialect::FcJavaGateway);
}

#[test]
fn a_host_with_the_default_port_is_the_same_host() {
    let verdict = |target: &str, host: &str| {
        let mut parts = signed(Scheme::Fc, get("/"));
        parts.uri = target.parse().unwrap();
        set(&mut parts, "host", host);
        kind(verifier().verify_at(&parts, at(0)))
    };
    for (target, host) in [
        ("http://a/", "a:80"),
        ("http://a:80/", "a"),
        ("https://a/", "a:443"),
        ("https://a:443/", "a"),
        ("https://a:8443/", "a:8443"),
        ("ws://a/", "a:80"),
        ("wss://a:443/", "a"),
        ("https://a:443/", "A"),
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
}
