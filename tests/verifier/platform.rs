//! Behind Function Compute: headers that the platform adds to what the client signed.

use super::{get, kind, parts, presigned_for, set, signed, verifier};
use crate::common::{
    HEADER_SCHEMES, ID, SECRET, TOKEN, at, careless, credentials, key, presigned, signed_by,
    signer, temporary_credentials,
};
use http::HeaderName;
use http::request::Parts;
use std::sync::Mutex;
use tower_fc::keys::VerifyingKey;
use tower_fc::protocol::{Ambiguity, Schemes};
use tower_fc::{RejectionKind, Scheme, StaticKeys, Verifier};

/// What a custom runtime is given, as the documentation lists it.
const PLATFORM: [(&str, &str); 14] = [
    ("x-fc-request-id", "1-65d71219-15d63510-fecf237c590c"),
    ("x-fc-access-key-id", "STS.canary-id"),
    ("x-fc-access-key-secret", "canary-secret"),
    ("x-fc-security-token", "canary-token"),
    ("x-fc-function-name", "hello"),
    ("x-fc-function-handler", "index.handler"),
    ("x-fc-function-memory", "512"),
    ("x-fc-region", "cn-hangzhou"),
    ("x-fc-account-id", "1234567890"),
    ("x-fc-qualifier", "LATEST"),
    ("x-fc-version-id", "1"),
    ("x-fc-service-logproject", "project"),
    ("x-fc-service-logstore", "store"),
    ("x-fc-control-path", "/http-invoke"),
];

/// The request as it reaches the function.
fn through_platform(mut parts: Parts) -> Parts {
    for (name, value) in PLATFORM {
        set(&mut parts, name, value);
    }
    parts
}

fn in_function() -> Verifier<StaticKeys> {
    verifier().with_platform_headers()
}

/// A request as it is sent, by each scheme that is always there.
fn sent() -> Vec<(Scheme, Parts)> {
    let request = || get("/a?b=c").header("content-type", "text/plain");
    let by_headers = HEADER_SCHEMES.map(|scheme| (scheme, signed(scheme, request())));
    let url = presigned(request().body(()).unwrap(), credentials(), 60).into_parts().0;
    by_headers.into_iter().chain([(Scheme::FcPresigned, url)]).collect()
}

#[test]
fn what_the_platform_added_is_left_out_where_that_is_switched_on_and_refused_elsewhere() {
    for (scheme, sent) in sent() {
        let received = through_platform(sent.clone());
        let expected = match scheme {
            Scheme::Fc | Scheme::FcPresigned => RejectionKind::SignatureMismatch,
            _ => RejectionKind::UnsignedHeader,
        };
        assert_eq!(kind(verifier().verify_at(&received, at(0))), Some(expected), "{scheme}");
        let caller = in_function().verify_at(&received, at(0)).unwrap();
        assert_eq!((caller.access_key_id(), caller.scheme()), (ID, scheme));
        for (name, _) in PLATFORM {
            assert!(!caller.covers_header(&HeaderName::from_static(name)), "{scheme} {name}");
        }
        let covers = |name| caller.covers_header(&HeaderName::from_static(name));
        assert!(covers("content-type"), "{scheme}");
        assert_eq!(covers("x-fc-a"), matches!(scheme, Scheme::Fc | Scheme::FcPresigned));
        assert_eq!(caller.ambiguities().next(), None, "{scheme}");

        // Each alone, and twice, as where the client sent one too.
        for (name, value) in PLATFORM {
            let mut received = sent.clone();
            for value in [value, "another"] {
                received.headers.append(name, value.parse().unwrap());
                let plain = kind(verifier().verify_at(&received, at(0)));
                assert!(plain.is_some(), "{scheme} {name}");
                let verdict = kind(in_function().verify_at(&received, at(0)));
                assert_eq!(verdict, None, "{scheme} {name}");
            }
        }
    }
}

#[tokio::test]
async fn it_is_the_same_where_keys_are_awaited() {
    let keys = async |id: String| (id == ID).then(key);
    let verifier = Verifier::new(keys).with_schemes(Schemes::all());
    for (scheme, sent) in sent() {
        let received = through_platform(sent);
        let refused = verifier.verify_async_at(&received, at(0)).await;
        assert!(refused.is_err(), "{scheme}");
        let in_function = verifier.clone().with_platform_headers();
        let caller = in_function.verify_async_at(&received, at(0)).await.unwrap();
        assert!(!caller.covers_header(&HeaderName::from_static("x-fc-region")), "{scheme}");
    }
}

#[test]
fn what_the_client_signed_is_covered_if_it_arrives_as_it_was_sent() {
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256] {
        let mut parts = signed(scheme, get("/").header("x-fc-region", "cn-hangzhou"));
        let caller = in_function().verify_at(&parts, at(0)).unwrap();
        assert!(caller.covers_header(&HeaderName::from_static("x-fc-region")), "{scheme}");

        // With another value, or beside another one of the list, it is neither as it was sent nor
        // all the client's.
        set(&mut parts, "x-fc-region", "cn-beijing");
        assert!(in_function().verify_at(&parts, at(0)).is_err(), "{scheme}");
        set(&mut parts, "x-fc-region", "cn-hangzhou");
        set(&mut parts, "x-fc-request-id", "1-2-3");
        assert!(in_function().verify_at(&parts, at(0)).is_err(), "{scheme}");
        parts.headers.remove("x-fc-region");
        assert!(in_function().verify_at(&parts, at(0)).is_err(), "{scheme}");
    }
}

#[test]
fn what_is_not_in_the_list_has_to_be_signed_as_ever() {
    for (scheme, sent) in sent() {
        for name in [
            "x-fc-invocation-type",
            "x-fc-async-delay",
            "x-fc-signature-nonce",
            "x-fc-request-id-2",
            "x-fc-",
            "x-fc-regio",
            "x-acs-action",
            "x-acs-security-token",
            "x-acs-request-id",
        ] {
            let mut received = through_platform(sent.clone());
            set(&mut received, name, "Async");
            assert!(in_function().verify_at(&received, at(0)).is_err(), "{scheme} {name}");
        }
        let mut received = through_platform(sent);
        received.uri = "/a?b=d".parse().unwrap();
        assert!(in_function().verify_at(&received, at(0)).is_err(), "{scheme}");
    }
    // Signed, it is none of the list's matter.
    let sent = signed(Scheme::Acs3HmacSha256, get("/").header("x-fc-invocation-type", "Async"));
    let caller = in_function().verify_at(&through_platform(sent), at(0)).unwrap();
    assert!(caller.covers_header(&HeaderName::from_static("x-fc-invocation-type")));
}

#[test]
fn a_token_that_the_platform_set_is_not_the_clients() {
    // One that signs without the token, whatever the platform says.
    let keys = StaticKeys::new().with_key(ID, temporary_credentials().key().clone());
    let temporary = Verifier::new(keys).with_schemes(Schemes::all()).with_platform_headers();
    let by = |scheme| {
        let signer = tower_fc::Signer::new(temporary_credentials()).with_scheme(scheme).unwrap();
        signed_by(&signer, get("/").body(()).unwrap(), at(0)).into_parts().0
    };
    let mismatch = Some(RejectionKind::SignatureMismatch);
    for (scheme, sent) in sent() {
        for token in [TOKEN, "canary-token"] {
            let mut received = through_platform(sent.clone());
            set(&mut received, "x-fc-security-token", token);
            let verdict = kind(temporary.verify_at(&received, at(0)));
            assert_eq!(verdict, mismatch, "{scheme} {token}");
        }
    }
    // One that sends its token in that header: it is overwritten.
    assert_eq!(kind(temporary.verify_at(&by(Scheme::Fc), at(0))), None);
    assert_eq!(kind(temporary.verify_at(&through_platform(by(Scheme::Fc)), at(0))), mismatch);
    // Elsewhere it is not.
    let by_header = through_platform(by(Scheme::Acs3HmacSha256));
    assert_eq!(kind(temporary.verify_at(&by_header, at(0))), None);
    let url = presigned(get("/").body(()).unwrap(), temporary_credentials(), 60).into_parts().0;
    assert_eq!(kind(temporary.verify_at(&through_platform(url), at(0))), None);
}

#[test]
fn what_the_platform_added_is_nothing_of_the_clients_credentials() {
    let missing = Some(RejectionKind::MissingCredentials);
    let incomplete = Some(RejectionKind::IncompleteCredentials);
    let received = || through_platform(parts(get("/a")));
    assert_eq!(kind(verifier().verify_at(&received(), at(0))), incomplete);
    assert_eq!(kind(in_function().verify_at(&received(), at(0))), missing);
    for name in ["x-fc-signature-nonce", "x-acs-security-token", "x-acs-date"] {
        let mut received = received();
        set(&mut received, name, "a");
        assert_eq!(kind(in_function().verify_at(&received, at(0))), incomplete, "{name}");
    }
    for query in ["x-fc-security-token=a", "x-fc-expires=1", "x-fc-access-key-id=a"] {
        let mut received = received();
        received.uri = format!("/a?{query}").parse().unwrap();
        let verdict = kind(in_function().verify_at(&received, at(0)));
        assert!(verdict.is_some() && verdict != missing, "{query}");
    }
}

#[test]
fn a_nonce_that_is_required_is_in_a_header_that_the_platform_leaves_alone() {
    let required = in_function().with_required_nonce();
    for scheme in HEADER_SCHEMES {
        let by = signer(scheme).with_nonce();
        let sent = signed_by(&by, get("/").body(()).unwrap(), at(0)).into_parts().0;
        assert_eq!(kind(required.verify_at(&through_platform(sent.clone()), at(0))), None);
        // The platform drops what begins with x-fc-.
        let mut received = through_platform(sent);
        received.headers.remove("x-fc-signature-nonce");
        let expected = (scheme == Scheme::Fc).then_some(RejectionKind::MissingNonce);
        assert_eq!(kind(required.verify_at(&received, at(0))), expected, "{scheme}");
    }
}

#[test]
fn a_refusal_is_the_one_there_is_without_these_headers() {
    let restricted = |verifier: Verifier<StaticKeys>| {
        verifier.with_hosts(["demo.example"]).unwrap().with_max_signed_headers(20)
    };
    let by = |id, secret| {
        let credentials = tower_fc::Credentials::new(id, secret).unwrap();
        move |scheme| {
            let signer = tower_fc::Signer::new(credentials.clone()).with_scheme(scheme).unwrap();
            signed_by(&signer, get("/").body(()).unwrap(), at(0)).into_parts().0
        }
    };
    let edited = |scheme, edit: fn(&mut Parts)| {
        let mut parts =
            signed_by(&careless(scheme), get("/").body(()).unwrap(), at(0)).into_parts().0;
        edit(&mut parts);
        parts
    };
    for scheme in HEADER_SCHEMES {
        let cases = [
            by("stranger", SECRET)(scheme),
            by(ID, "wrong-secret")(scheme),
            edited(scheme, |parts| set(parts, "host", "evil.example")),
            edited(scheme, |parts| set(parts, "x-fc-other", "a")),
            edited(scheme, |parts| parts.uri = "/?a;b".parse().unwrap()),
            edited(scheme, |parts| parts.uri = "/?x-fc-signature=a".parse().unwrap()),
            edited(scheme, |parts| drop(parts.headers.remove("date"))),
            edited(scheme, |parts| drop(parts.headers.remove("x-acs-date"))),
            edited(scheme, |parts| drop(parts.headers.remove("authorization"))),
        ];
        for sent in cases {
            for now in [at(0), at(86_400)] {
                let verdict = |verifier, parts| {
                    let rejection = restricted(verifier).verify_at(parts, now).err()?;
                    Some((rejection.kind(), rejection.message().to_owned()))
                };
                let plain = verdict(verifier(), &sent);
                let received = through_platform(sent.clone());
                assert_eq!(verdict(in_function(), &received), plain, "{scheme} {sent:?}");
                // The switch alone changes nothing.
                assert_eq!(verdict(in_function(), &sent), plain, "{scheme} {sent:?}");
            }
        }
    }
    // What was signed with such a header, and arrives so, is refused for what is wrong with it.
    let sent = signed(Scheme::Acs3HmacSha256, get("/").header("x-fc-region", "cn-hangzhou"));
    let other = StaticKeys::new().with_key(ID, VerifyingKey::new("other").unwrap());
    let verdict = Verifier::new(other).with_platform_headers().verify_at(&sent, at(0));
    assert_eq!(kind(verdict), Some(RejectionKind::SignatureMismatch));
}

#[test]
fn keys_are_asked_for_once_and_for_what_the_client_names() {
    let asked = Mutex::new(Vec::new());
    let store = |id: &str| {
        asked.lock().unwrap().push(id.to_owned());
        (id == ID).then(key)
    };
    let verifier = Verifier::new(store).with_schemes(Schemes::all()).with_platform_headers();
    for (scheme, sent) in sent() {
        let mut wrong = through_platform(sent.clone());
        wrong.uri = format!("{}&d", wrong.uri).parse().unwrap();
        for (received, is_good) in [(through_platform(sent), true), (wrong, false)] {
            let verdict = verifier.verify_at(&received, at(0));
            assert_eq!(verdict.is_ok(), is_good, "{scheme}");
            assert_eq!(std::mem::take(&mut *asked.lock().unwrap()), [ID], "{scheme}");
            let printed =
                format!("{verdict:?} {:?}", verdict.as_ref().map_err(ToString::to_string));
            assert!(!printed.contains("canary"), "{printed}");
        }
    }
    let anonymous = verifier.verify_at(&through_platform(parts(get("/"))), at(0));
    assert!(asked.lock().unwrap().is_empty());
    assert!(!format!("{anonymous:?}").contains("canary"));
}

#[test]
fn an_observing_verifier_says_what_is_unsigned_that_should_not_be() {
    let observing = in_function().with_insecure_observation();
    // Not of what is as it should be there.
    for (scheme, sent) in sent() {
        let caller = observing.verify_at(&through_platform(sent), at(0)).unwrap();
        assert_eq!(caller.ambiguities().next(), None, "{scheme}");
    }
    // One that is signed, and so the client's, among those that are not.
    let sent = signed(Scheme::Acs3HmacSha256, get("/").header("x-fc-region", "cn-hangzhou"));
    let caller = observing.verify_at(&through_platform(sent), at(0)).unwrap();
    assert!(caller.covers_header(&HeaderName::from_static("x-fc-region")));
    assert_eq!(caller.ambiguities().collect::<Vec<_>>(), [Ambiguity::UnsignedHeader]);
    let mut received = through_platform(signed(Scheme::Acs3HmacSha256, get("/")));
    set(&mut received, "x-fc-invocation-type", "Async");
    let caller = observing.verify_at(&received, at(0)).unwrap();
    assert_eq!(caller.ambiguities().collect::<Vec<_>>(), [Ambiguity::UnsignedHeader]);
    let url = through_platform(presigned_for("/?a;b", 60));
    let caller = observing.verify_at(&url, at(0)).unwrap();
    assert_eq!(caller.ambiguities().collect::<Vec<_>>(), [Ambiguity::Semicolon]);
}
