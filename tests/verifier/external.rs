//! Behind a proxy that changes the host or takes the front of the path away.

use super::{get, kind, set, signed, verifier};
use crate::common::{
    HEADER_SCHEMES, Random, at, careless, presigned, signed_by, temporary_credentials,
};
use http::header::HOST;
use http::request::Parts;
use http::{Method, Request, Uri};
use tower_fc::error::ErrorKind;
use tower_fc::protocol::{Dialects, Schemes};
use tower_fc::{RejectionKind, Scheme, StaticKeys, Verifier};

/// A base, and where it begins and ends.
const BASES: [(&str, &str, &str); 5] = [
    ("https://api.example", "https://api.example", ""),
    ("https://api.example/v2", "https://api.example", "/v2"),
    ("https://api.example/v2/", "https://api.example", "/v2"),
    ("http://api.example:8080/a%20b/c", "http://api.example:8080", "/a%20b/c"),
    ("http://[::1]:80//x", "http://[::1]:80", "//x"),
];

const INSIDE: &str = "10.0.0.7:8080";

fn behind(base: &str) -> Verifier<StaticKeys> {
    verifier().with_schemes(Schemes::all()).with_external_base(base).unwrap()
}

fn direct() -> Verifier<StaticKeys> {
    verifier().with_schemes(Schemes::all())
}

/// A request as its client sends it, by each scheme that is always there.
fn sent(uri: &str) -> Vec<(Scheme, Parts)> {
    let request = || Request::get(uri).header("content-type", "text/plain");
    let by_headers = HEADER_SCHEMES.map(|scheme| (scheme, signed(scheme, request())));
    let url = presigned(request().body(()).unwrap(), temporary_credentials(), 60);
    by_headers.into_iter().chain([(Scheme::FcPresigned, url.into_parts().0)]).collect()
}

/// What a proxy makes of it that takes this prefix away.
fn stripped(parts: &Parts, prefix: &str) -> Parts {
    let mut parts = parts.clone();
    let target = parts.uri.path_and_query().unwrap().as_str().strip_prefix(prefix).unwrap();
    parts.uri = target.parse().unwrap();
    set(&mut parts, "host", INSIDE);
    parts
}

#[test]
fn what_was_signed_below_the_base_verifies_where_the_proxy_took_it_away() {
    for (base, origin, prefix) in BASES {
        for target in ["/", "/p", "/p?a=b&c", "//p", "/?", "/p/", "/v2/p", "/~a/$b?x=%20"] {
            for (scheme, parts) in sent(&format!("{origin}{prefix}{target}")) {
                let name = format!("{base} {target} {scheme}");
                let received = stripped(&parts, prefix);
                let caller = behind(base).verify_at(&received, at(0)).expect(&name);
                assert!(!caller.covers_header(&HOST), "{name}: it is another one");
                let is_seen = prefix.is_empty() && scheme != Scheme::Acs3HmacSha256;
                let without = kind(direct().verify_at(&received, at(0)));
                assert_eq!(without.is_none(), is_seen, "{name}");
                // It is the same as if it had come straight.
                assert!(direct().verify_at(&parts, at(0)).is_ok(), "{name}");
                // For what the proxy passes on under the name that was signed.
                let mut kept = received.clone();
                let host = origin.split_once("//").unwrap().1.trim_end_matches(":80");
                set(&mut kept, "host", host);
                let caller = behind(base).verify_at(&kept, at(0)).expect(&name);
                assert_eq!(caller.covers_header(&HOST), scheme == Scheme::Acs3HmacSha256, "{name}");
            }
        }
    }
}

#[test]
fn another_base_or_none_verifies_nothing_of_it() {
    for (scheme, parts) in sent("https://api.example/v2/p?a=b") {
        let received = stripped(&parts, "/v2");
        for base in [
            "https://api.example/",
            "https://api.example/v",
            "https://api.example/v2/v2",
            "https://api.example/V2",
        ] {
            let refused = kind(behind(base).verify_at(&received, at(0)));
            assert_eq!(refused, Some(RejectionKind::SignatureMismatch), "{base} {scheme}");
        }
        let other = kind(behind("https://other.example/v2").verify_at(&received, at(0)));
        let mismatch = Some(RejectionKind::SignatureMismatch);
        assert_eq!(other, mismatch.filter(|_| scheme == Scheme::Acs3HmacSha256), "{scheme}");
        // One that has the prefix still was signed for what is below it once more.
        let mut whole = received.clone();
        whole.uri = format!("/v2{}", received.uri).parse().unwrap();
        let refused = kind(behind("https://api.example/v2").verify_at(&whole, at(0)));
        assert_eq!(refused, mismatch, "{scheme}");
    }
}

#[test]
fn what_says_where_it_was_sent_is_not_believed() {
    let forwarded = [
        ("x-forwarded-host", "api.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-prefix", "/v2"),
        ("x-forwarded-port", "443"),
        ("x-original-uri", "/v2/p"),
        ("forwarded", "host=api.example;proto=https"),
    ];
    for (scheme, parts) in sent("https://api.example/v2/p") {
        let mut received = stripped(&parts, "/v2");
        for (name, value) in forwarded {
            set(&mut received, name, value);
        }
        assert!(direct().verify_at(&received, at(0)).is_err(), "{scheme}");
        for (name, _) in forwarded {
            set(&mut received, name, "evil.example");
        }
        assert!(behind("https://api.example/v2").verify_at(&received, at(0)).is_ok(), "{scheme}");
    }
}

#[test]
fn a_target_that_is_no_path_and_two_hosts_are_refused() {
    let verifier = behind("https://api.example/v2");
    for (uri, host, expected) in [
        ("*", Some(INSIDE), RejectionKind::MalformedTarget),
        ("inside.example:443", Some("inside.example:443"), RejectionKind::MalformedTarget),
        ("inside.example:443", None, RejectionKind::MalformedTarget),
        ("http://u@inside.example/p", None, RejectionKind::MalformedTarget),
        ("http://inside.example/p", Some("other.example"), RejectionKind::HostMismatch),
        // Not even where one of them is that of the base.
        ("http://inside.example/p", Some("api.example"), RejectionKind::HostMismatch),
        ("http://api.example/p", Some(INSIDE), RejectionKind::HostMismatch),
    ] {
        let request = Request::builder().method(Method::CONNECT).uri("/");
        let mut parts = signed(Scheme::Acs3HmacSha256, request);
        parts.uri = uri.parse().unwrap();
        if let Some(host) = host {
            set(&mut parts, "host", host);
        }
        assert_eq!(kind(verifier.verify_at(&parts, at(0))), Some(expected), "{uri} {host:?}");
    }
    let mut twice = stripped(&sent("https://api.example/v2/p")[0].1, "/v2");
    twice.headers.append(HOST, "api.example".parse().unwrap());
    assert_eq!(kind(verifier.verify_at(&twice, at(0))), Some(RejectionKind::HostMismatch));
}

#[test]
fn hosts_and_platform_headers_are_as_without_a_base() {
    let base = "https://api.example/v2";
    for (scheme, parts) in sent("https://api.example/v2/p") {
        let received = stripped(&parts, "/v2");
        let ours = behind(base).with_hosts(["api.example"]).unwrap();
        assert!(ours.verify_at(&received, at(0)).is_ok(), "{scheme}");
        let inside = behind(base).with_hosts([INSIDE]).unwrap();
        let refused = kind(inside.verify_at(&received, at(0)));
        assert_eq!(refused, Some(RejectionKind::ForeignHost), "{scheme}");

        let mut added = received;
        set(&mut added, "x-fc-request-id", "1-65d71219");
        let in_function = behind(base).with_platform_headers();
        assert!(in_function.verify_at(&added, at(0)).is_ok(), "{scheme}");
        assert!(behind(base).verify_at(&added, at(0)).is_err(), "{scheme}");
    }
}

/// The request that a base says a client has sent, put together anew; `None` for what is refused
/// whoever signed it.
fn as_sent(received: &Parts, origin: &str, prefix: &str) -> Option<Parts> {
    let mut parts = received.clone();
    let text = received.uri.to_string();
    let target = match text.split_once("://") {
        Some((_, rest)) => {
            let at = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, target) = rest.split_at(at);
            let hosts: Vec<_> = received.headers.get_all(HOST).iter().collect();
            let is_same = |host: &&http::HeaderValue| host.as_bytes() == authority.as_bytes();
            if authority.contains('@') || hosts.len() > 1 || !hosts.iter().all(is_same) {
                return None;
            }
            format!("{}{target}", if target.starts_with('/') { "" } else { "/" })
        }
        None if received.headers.get_all(HOST).iter().count() > 1 => return None,
        None if text.starts_with('/') => text,
        None => return None,
    };
    parts.uri = format!("{origin}{prefix}{target}").parse::<Uri>().ok()?;
    parts.headers.remove(HOST);
    Some(parts)
}

#[test]
fn of_all_requests_those_verify_that_would_have_where_they_were_sent() {
    let mut random = Random::seeded();
    let pieces = [
        "/",
        "/",
        "a",
        "v2",
        "/v2",
        "..",
        ".",
        "%2e",
        "%2F",
        "//",
        "?",
        "&",
        "=",
        "b",
        "+",
        "%20",
        "%0A",
        ";",
        "%",
        "a%20b",
        "x-fc-expires=1",
        "~",
    ];
    let (mut verified, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let (base, origin, prefix) = random.pick(&BASES);
        let mut text =
            |most: usize| (0..random.below(most)).map(|_| random.pick(&pieces)).collect::<String>();
        let (signed_target, other) = (format!("/{}", text(6)), format!("/{}", text(6)));
        let scheme = random.pick(&HEADER_SCHEMES);
        let lead = random.pick(&["/v2", "", prefix, prefix, prefix, prefix]);
        let Ok(request) = Request::get(format!("{origin}{lead}{signed_target}")).body(()) else {
            continue;
        };
        let signer = careless(scheme);
        let mut received = signed_by(&signer, request, at(0)).into_parts().0;
        let target = if random.one_in(4) { other } else { signed_target };
        let host = random.pick(&[INSIDE, "api.example", "[::1]", "u@a", "api.example:8080"]);
        let authority = random.pick(&["", "", "", "http://10.0.0.7:8080", "http://api.example"]);
        let Ok(uri) = format!("{authority}{target}").parse() else { continue };
        received.uri =
            if random.one_in(50) { random.pick(&["*", "a:1"]).parse().unwrap() } else { uri };
        for _ in 0..random.pick(&[0, 1, 1, 1, 2]) {
            received.headers.append(HOST, host.parse().unwrap());
        }
        let dialects = if random.one_in(2) { Dialects::STANDARD } else { Dialects::all() };
        let verdict = behind(base).with_dialects(dialects).verify_at(&received, at(0));
        let expected = as_sent(&received, origin, prefix)
            .map(|sent| kind(direct().with_dialects(dialects).verify_at(&sent, at(0))));
        match expected {
            Some(expected) => assert_eq!(kind(verdict.clone()), expected, "{base} {received:?}"),
            None => assert!(verdict.is_err(), "{base} {received:?}"),
        }
        match verdict {
            Ok(_) => verified += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(verified > 2_000 && refused > 2_000, "{verified} verified, {refused} refused");
}

#[test]
fn the_size_of_what_arrives_and_of_what_was_sent_is_limited() {
    let limited = |base| behind(base).with_max_target_len(20);
    for (target, base, expected) in [
        ("/aaaaaaaaaa", "https://api.example/v2", None),
        ("/aaaaaaaaaaaaaaaaaaa", "https://api.example/v2", Some(RejectionKind::LimitExceeded)),
        ("/aaaaaaaaaaaaaaaaaaaaaa", "https://api.example", Some(RejectionKind::LimitExceeded)),
    ] {
        let prefix = if base.ends_with("v2") { "/v2" } else { "" };
        let sent = signed(Scheme::Fc, get(&format!("https://api.example{prefix}{target}")));
        let received = stripped(&sent, prefix);
        assert_eq!(kind(limited(base).verify_at(&received, at(0))), expected, "{target}");
    }
}

#[test]
fn a_base_is_a_url_and_no_more() {
    for base in
        ["", "host.example", "/v2", "ftp://a/", "https://a/?b", "https://a/#b", "https://u@a"]
    {
        let error = verifier().with_external_base(base).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSetting, "{base}");
        assert!(base.len() < 4 || !error.to_string().contains(base), "it may be a secret");
    }
    let shown = format!("{:?}", behind("https://api.example/v2"));
    assert!(shown.contains("api.example") && shown.contains("/v2"), "{shown}");
}
