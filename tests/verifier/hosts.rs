//! For whom requests are: hosts that are accepted, and all others.

use super::{get, kind, parts, set, signed, verifier};
use crate::common::{HEADER_SCHEMES, at, credentials, presigned};
use http::Request;
use http::header::HOST;
use http::request::Parts;
use tower_fc::protocol::Schemes;
use tower_fc::{RejectionKind, Scheme, StaticKeys, Verifier};

fn ours() -> Verifier<StaticKeys> {
    verifier().with_hosts(["demo.example", "*.tenants.example", "[::1]:9000"]).unwrap()
}

const FOREIGN: Option<RejectionKind> = Some(RejectionKind::ForeignHost);

/// One by each scheme that is always there.
fn by_each_scheme(target: &str, host: Option<&str>) -> Vec<(Scheme, Parts)> {
    let request = || match host {
        Some(host) => Request::get(target).header(HOST, host),
        None => Request::get(target),
    };
    let by_headers = HEADER_SCHEMES.map(|scheme| (scheme, signed(scheme, request())));
    let url = presigned(request().body(()).unwrap(), credentials(), 60).into_parts().0;
    by_headers.into_iter().chain([(Scheme::FcPresigned, url)]).collect()
}

#[test]
fn a_request_has_to_name_a_host_that_is_accepted_whatever_signs_it() {
    for (target, host, expected) in [
        ("/", Some("demo.example"), None),
        ("/", Some("DEMO.example.:8443"), None),
        ("/", Some("a.b.tenants.example"), None),
        ("/", Some("[0:0:0::1]:9000"), None),
        ("https://demo.example/", None, None),
        ("https://demo.example:8443/", Some("demo.example:8443"), None),
        ("/", None, FOREIGN),
        ("/", Some(""), FOREIGN),
        ("/", Some("tenants.example"), FOREIGN),
        ("/", Some("[::1]"), FOREIGN),
        ("/", Some("evil.example"), FOREIGN),
        ("/", Some("demo.example.evil.example"), FOREIGN),
        ("/", Some("user@demo.example"), FOREIGN),
        ("https://evil.example/", None, FOREIGN),
        // The two have to agree in any case.
        ("https://evil.example/", Some("demo.example"), Some(RejectionKind::HostMismatch)),
    ] {
        for (scheme, parts) in by_each_scheme(target, host) {
            assert_eq!(
                kind(ours().verify_at(&parts, at(0))),
                expected,
                "{scheme} {target} {host:?}"
            );
            let is_foreign = expected == FOREIGN;
            let anywhere = kind(verifier().verify_at(&parts, at(0)));
            assert_eq!(anywhere, expected.filter(|_| !is_foreign), "{scheme} {target} {host:?}");
        }
    }
}

#[test]
fn a_foreign_host_is_answered_as_denied_and_not_quoted() {
    for (scheme, parts) in by_each_scheme("/", Some("evil.example")) {
        let rejection = ours().verify_at(&parts, at(0)).unwrap_err();
        assert_eq!((rejection.status().as_u16(), rejection.error_code()), (403, "AccessDenied"));
        assert_eq!(rejection.kind().grpc_status(), 7);
        assert!(!rejection.to_string().contains("evil"), "{scheme}: {rejection}");
        assert!(rejection.claimed_access_key_id().is_some(), "{scheme}");
    }
}

#[test]
fn a_request_without_credentials_is_anonymous_whatever_host_it_names() {
    for host in ["demo.example", "evil.example"] {
        let anonymous = parts(Request::get("/").header(HOST, host));
        let missing = Some(RejectionKind::MissingCredentials);
        assert_eq!(kind(ours().verify_at(&anonymous, at(0))), missing, "{host}");
    }
}

#[test]
fn the_host_is_looked_at_once_credentials_are_read_and_before_anything_else() {
    let headers_only = ours().with_schemes(Schemes::DEFAULT);
    let mut parts = signed(Scheme::Fc, get("/"));
    set(&mut parts, "host", "evil.example");
    // A day late, and by an unknown key.
    assert_eq!(kind(headers_only.verify_at(&parts, at(86_400))), FOREIGN);
    set(&mut parts, "authorization", "FC stranger:AAAA");
    assert_eq!(kind(headers_only.verify_at(&parts, at(0))), FOREIGN);
    for unreadable in ["FC", "acs id:AAAA", "Bearer a"] {
        set(&mut parts, "authorization", unreadable);
        let rejection = kind(headers_only.verify_at(&parts, at(0)));
        assert!(rejection.is_some() && rejection != FOREIGN, "{unreadable}");
    }
}

#[test]
fn the_last_hosts_that_were_given_count() {
    let parts = signed(Scheme::Fc, get("/"));
    let other = ours().with_hosts(["other.example"]).unwrap();
    assert_eq!(kind(other.verify_at(&parts, at(0))), FOREIGN);
    let again = other.with_hosts(["demo.example:443"]).unwrap();
    assert_eq!(kind(again.verify_at(&parts, at(0))), None);
}
