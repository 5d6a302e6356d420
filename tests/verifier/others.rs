//! Credentials of other schemes, which are somebody else's to check.

use super::{get, kind, signed, verifier};
use crate::common::{ID, at};
use http::header::AUTHORIZATION;
use tower_fc::error::ErrorKind;
use tower_fc::protocol::Schemes;
use tower_fc::{RejectionKind, Scheme, StaticKeys, Verifier};

fn with_others() -> Verifier<StaticKeys> {
    verifier().with_schemes(Schemes::all()).with_other_schemes(["Bearer", "X-Own!"]).unwrap()
}

#[test]
fn a_scheme_that_was_named_is_told_from_all_others_however_it_is_written() {
    for (value, expected) in [
        ("Bearer abc", Some("Bearer")),
        ("bearer abc", Some("Bearer")),
        ("BEARER", Some("Bearer")),
        ("Bearer  a, b=\"c\"", Some("Bearer")),
        ("x-own! 1", Some("X-Own!")),
        ("Basic YTpi", None),
        ("Bearerabc", None),
        ("Bearer\tabc", None),
        ("Bearer,abc", None),
        ("Bear er", None),
        ("", None),
    ] {
        let request = get("/?a=b").header(AUTHORIZATION, value).body(()).unwrap();
        let rejection = with_others().verify_request_at(&request, at(0)).unwrap_err();
        let name = rejection.other_scheme().map(|other| other.name().to_owned());
        assert_eq!(name.as_deref(), expected, "{value:?}");
        let kind =
            expected.map_or(RejectionKind::UnsupportedScheme, |_| RejectionKind::OtherScheme);
        assert_eq!(rejection.kind(), kind, "{value:?}");
        // Nothing is told apart where nothing was named.
        let rejection = verifier().verify_request_at(&request, at(0)).unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::UnsupportedScheme, "{value:?}");
        assert!(rejection.other_scheme().is_none(), "{value:?}");
    }
}

#[test]
fn beside_anything_of_a_signature_it_is_refused() {
    let conflict = Some(RejectionKind::ConflictingCredentials);
    let bearer = |target: &str| get(target).header(AUTHORIZATION, "Bearer abc");
    for name in [
        "x-fc-security-token",
        "x-acs-security-token",
        "x-fc-signature-nonce",
        "x-acs-signature-nonce",
        "x-acs-date",
    ] {
        for value in ["", "1"] {
            let request = bearer("/").header(name, value).body(()).unwrap();
            let verdict = with_others().verify_request_at(&request, at(0));
            assert_eq!(kind(verdict), conflict, "{name}: {value}");
        }
    }
    for name in ["x-fc-access-key-id", "x-fc-expires", "x-fc-security-token", "x-fc-signature"] {
        for query in [format!("{name}=1"), format!("a&{}", name.replacen('-', "%2D", 1))] {
            let request = bearer(&format!("/?{query}")).body(()).unwrap();
            let verdict = with_others().verify_request_at(&request, at(0));
            assert_eq!(kind(verdict), conflict, "{query}");
        }
    }
    for value in [
        "Bearer abc, FC id:c2ln",
        "Bearer abc,ACS3-HMAC-SHA256 Credential=a",
        "Bearer a,acs b:c",
        "Bearer FC x, FC",
    ] {
        let request = get("/").header(AUTHORIZATION, value).body(()).unwrap();
        assert_eq!(kind(with_others().verify_request_at(&request, at(0))), conflict, "{value}");
    }
    // Two headers, in either order.
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256, Scheme::Acs] {
        let mut parts = signed(scheme, get("/"));
        let ours = parts.headers[AUTHORIZATION].clone();
        for (first, second) in
            [(ours.clone(), "Bearer abc".parse().unwrap()), ("Bearer abc".parse().unwrap(), ours)]
        {
            parts.headers.insert(AUTHORIZATION, first);
            parts.headers.append(AUTHORIZATION, second);
            assert_eq!(kind(with_others().verify_at(&parts, at(0))), conflict, "{scheme}");
        }
    }
}

#[test]
fn signatures_are_what_they_were() {
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256, Scheme::Acs] {
        let parts = signed(scheme, get("/"));
        assert_eq!(with_others().verify_at(&parts, at(0)).unwrap().access_key_id(), ID);
    }
    let anonymous = get("/").body(()).unwrap();
    let verdict = with_others().verify_request_at(&anonymous, at(0));
    assert_eq!(kind(verdict), Some(RejectionKind::MissingCredentials));
}

#[test]
fn no_scheme_of_signatures_can_be_left_to_others_and_no_text_that_is_no_name() {
    for name in [
        "FC",
        "fc",
        "ACS3-HMAC-SHA256",
        "acs3-hmac-sha256",
        "ACS",
        "",
        "a b",
        "Bearer ",
        "é",
        "a,b",
    ] {
        let error = verifier().with_other_schemes(["Bearer", name]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSetting, "{name:?}");
        assert!(error.to_string().starts_with("scheme 2 "), "{error}");
    }
}
