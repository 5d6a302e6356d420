//! Which keys a request is verified with, and the tokens that belong to them.

use super::kind;
use crate::common::{
    self, HEADER_SCHEMES, ID, SECRET, TOKEN, at, credentials, get, key, presigned, signed,
    signed_by, temporary_credentials,
};
use http::Request;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tower_fc::keys::{ByRequest, DynAsyncKeyStore, KeyQuery, KeyStore, Keys, VerifyingKey};
use tower_fc::protocol::Schemes;
use tower_fc::{
    Credentials, Rejection, RejectionKind, Scheme, Signer, StaticKeys, VerifiedCaller, Verifier,
};

/// What these keys make of a request, all schemes being accepted.
fn outcome<K>(keys: &K, request: &Request<()>, now: SystemTime) -> Option<RejectionKind>
where
    K: KeyStore + Clone,
{
    let verifier = Verifier::new(keys.clone()).with_schemes(Schemes::all());
    kind(verifier.verify_request_at(request, now))
}

fn signed_with(secret: &str) -> Request<()> {
    signed_by(&Signer::new(Credentials::new(ID, secret).unwrap()), get("/"), at(0))
}

#[test]
fn each_of_several_secrets_verifies() {
    let keys = StaticKeys::from_secrets([(ID, "one"), (ID, "two"), (ID, "three")]).unwrap();
    for secret in ["one", "two", "three"] {
        assert_eq!(outcome(&keys, &signed_with(secret), at(0)), None, "{secret}");
    }
    let four = outcome(&keys, &signed_with("four"), at(0));
    assert_eq!(four, Some(RejectionKind::SignatureMismatch));

    let map: HashMap<String, Vec<VerifyingKey>> =
        HashMap::from([(ID.to_owned(), vec![VerifyingKey::new("one").unwrap(), key()])]);
    let verifier = Verifier::new(map);
    let verdict = |secret| kind(verifier.verify_request_at(&signed_with(secret), at(0)));
    assert_eq!(verdict("one"), None);
    assert_eq!(verdict(SECRET), None);
    assert_eq!(verdict("two"), Some(RejectionKind::SignatureMismatch));
}

#[test]
fn of_two_ids_with_one_secret_either_can_be_named_but_in_a_presigned_url() {
    let keys = StaticKeys::from_secrets([(ID, SECRET), ("another", SECRET)]).unwrap();
    let verifier = Verifier::new(keys.clone()).with_schemes(Schemes::all());
    for scheme in HEADER_SCHEMES {
        let mut request = common::signed_at(get("/"), scheme, at(0));
        let value = request.headers()["authorization"].to_str().unwrap().replace(ID, "another");
        request.headers_mut().insert("authorization", value.parse().unwrap());
        let caller = verifier.verify_request_at(&request, at(0)).unwrap();
        assert_eq!(caller.access_key_id(), "another", "{scheme}");
    }
    let mut url = presigned(get("/"), credentials(), 60);
    assert_eq!(outcome(&keys, &url, at(0)), None);
    *url.uri_mut() = url.uri().to_string().replace(ID, "another").parse().unwrap();
    assert_eq!(outcome(&keys, &url, at(0)), Some(RejectionKind::SignatureMismatch));
}

#[test]
fn an_old_secret_works_until_its_end_and_not_a_moment_longer() {
    let old = VerifyingKey::new("old").unwrap().with_not_after(at(100));
    let rotating =
        StaticKeys::new().with_key(ID, VerifyingKey::new("new").unwrap()).with_key(ID, old.clone());
    let by_old = signed_with("old");
    assert_eq!(outcome(&rotating, &by_old, at(99)), None);
    let last_moment = at(100) - Duration::from_nanos(1);
    assert_eq!(outcome(&rotating, &by_old, last_moment), None);
    let mismatch = Some(RejectionKind::SignatureMismatch);
    assert_eq!(outcome(&rotating, &by_old, at(100)), mismatch);
    assert_eq!(outcome(&rotating, &signed_with("new"), at(100)), None);

    // With no live secret left there is no such key.
    let alone = StaticKeys::new().with_key(ID, old);
    assert_eq!(outcome(&alone, &by_old, at(99)), None);
    let unknown = Some(RejectionKind::UnknownAccessKey);
    assert_eq!(outcome(&alone, &by_old, at(100)), unknown);
}

#[test]
fn a_security_token_that_belongs_to_a_key_has_to_be_there() {
    let bound = key().with_security_token(TOKEN).unwrap();
    let bound = StaticKeys::new().with_key(ID, bound);
    let other = |token: &str| credentials().with_security_token(token).unwrap();
    let mismatch = Some(RejectionKind::SignatureMismatch);
    let almost = format!("{}x", &TOKEN[..TOKEN.len() - 1]);
    for (name, credentials, expected) in [
        ("its token", temporary_credentials(), None),
        ("another token", other("another-token"), mismatch),
        ("another token of that length", other(&almost), mismatch),
        ("no token", credentials(), mismatch),
    ] {
        for scheme in HEADER_SCHEMES {
            let signer = Signer::new(credentials.clone()).with_scheme(scheme).unwrap();
            let request = signed_by(&signer, get("https://demo.example/"), at(0));
            assert_eq!(outcome(&bound, &request, at(0)), expected, "{scheme}, {name}");
            // A key that is bound to none takes any, signed as it is.
            assert_eq!(outcome(&common::keys(), &request, at(0)), None, "{scheme}, {name}");
        }
        let url = presigned(get("/"), credentials, 60);
        assert_eq!(outcome(&bound, &url, at(0)), expected, "presigned, {name}");
    }
}

#[tokio::test]
async fn keys_can_be_asked_of_anything_that_finds_them() {
    let map = HashMap::from([(ID.to_owned(), key())]);
    let tree = BTreeMap::from([(ID.to_owned(), [key()])]);
    let shared: Arc<HashMap<_, _>> = Arc::new(map.clone());
    let dynamic: Arc<dyn KeyStore> = Arc::new(map.clone());
    let option = |id: &str| (id == ID).then(key);
    let list = |id: &str| Keys::from(if id == ID { vec![key()] } else { Vec::new() });
    let parts = signed(get("/")).into_parts().0;
    let accepts = |id: Result<VerifiedCaller, Rejection>| id.unwrap().access_key_id() == ID;
    assert!(accepts(Verifier::new(map).verify_at(&parts, at(0))));
    assert!(accepts(Verifier::new(tree).verify_at(&parts, at(0))));
    assert!(accepts(Verifier::new(shared).verify_at(&parts, at(0))));
    assert!(accepts(Verifier::new(dynamic).verify_at(&parts, at(0))));
    assert!(accepts(Verifier::new(option).verify_at(&parts, at(0))));
    assert!(accepts(Verifier::new(list).verify_at(&parts, at(0))));
    let slow = async |id: String| {
        tokio::task::yield_now().await;
        Some(key()).filter(|_| id == ID)
    };
    assert!(accepts(Verifier::new(slow).verify_async_at(&parts, at(0)).await));
}

/// What is ambiguous is found while the string-to-sign goes into the HMAC: that it is told
/// of a request with an unknown access key says that one is computed for it all the same.
/// Where the answer does not tell which access keys there are, neither does its time.
#[test]
fn an_unknown_access_key_costs_an_hmac_too() {
    let ended = VerifyingKey::new(SECRET).unwrap().with_not_after(at(-1));
    let keys = StaticKeys::new().with_key(ID, key()).with_key("ended", ended);
    let verifier = Verifier::new(keys).with_schemes(Schemes::all());
    for scheme in Scheme::ALL.iter().copied() {
        for (id, unknown) in [(ID, false), ("stranger", true), ("ended", true)] {
            let refused_at = |target: &str| {
                let credentials = Credentials::new(id, "another-secret").unwrap();
                let mut request = if scheme == Scheme::FcPresigned {
                    presigned(get("/a"), credentials, 3_600)
                } else {
                    let signer = Signer::new(credentials).with_scheme(scheme).unwrap();
                    signed_by(&signer, get("https://demo.example/a"), at(0))
                };
                let query = request.uri().query().unwrap_or_default();
                *request.uri_mut() =
                    format!("https://demo.example{target}?{query}").parse().unwrap();
                verifier.verify_request_at(&request, at(0)).unwrap_err().kind()
            };
            let expected = match unknown {
                true => RejectionKind::UnknownAccessKey,
                false => RejectionKind::SignatureMismatch,
            };
            assert_eq!(refused_at("/b"), expected, "{scheme} {id}");
            assert_eq!(refused_at("/b%"), RejectionKind::Ambiguous, "{scheme} {id}");
        }
    }
}

/// Has the secret that is sealed into a token.
fn sealed(query: &KeyQuery<'_>) -> Option<VerifyingKey> {
    let token = std::str::from_utf8(query.security_token()?).ok()?;
    VerifyingKey::new(token.strip_prefix("sealed:")?).ok()
}

fn temporary(secret: &str, token: &str) -> Credentials {
    Credentials::new(ID, secret).unwrap().with_security_token(token).unwrap()
}

#[tokio::test]
async fn a_store_can_derive_a_secret_from_the_security_token() {
    let store = ByRequest::new(sealed);
    let dynamic: Arc<dyn KeyStore> = Arc::new(store);
    let awaiting: Arc<dyn DynAsyncKeyStore> = Arc::new(ByRequest::new(|query: &KeyQuery<'_>| {
        let key = sealed(query);
        async move {
            tokio::task::yield_now().await;
            key
        }
    }));
    let unknown = Some(RejectionKind::UnknownAccessKey);
    let mismatch = Some(RejectionKind::SignatureMismatch);
    for (name, by, expected) in [
        ("its secret", temporary("one", "sealed:one"), None),
        ("another secret", temporary("two", "sealed:one"), mismatch),
        ("no token of the store", temporary("one", "another"), unknown),
        ("no token", Credentials::new(ID, "one").unwrap(), unknown),
    ] {
        let mut requests = vec![presigned(get("https://demo.example/"), by.clone(), 60)];
        requests.extend(HEADER_SCHEMES.map(|scheme| {
            let signer = Signer::new(by.clone()).with_scheme(scheme).unwrap();
            signed_by(&signer, get("https://demo.example/"), at(0))
        }));
        for request in requests {
            let what = format!("{name}: {:?}", request.headers());
            assert_eq!(outcome(&store, &request, at(0)), expected, "{what}");
            assert_eq!(outcome(&dynamic, &request, at(0)), expected, "{what}");
            let verifier = Verifier::new(Arc::clone(&awaiting)).with_schemes(Schemes::all());
            let parts = request.into_parts().0;
            let verdict = verifier.verify_async_at(&parts, at(0)).await;
            assert_eq!(verdict.err().map(|rejection| rejection.kind()), expected, "{what}");
        }
    }
}

#[test]
fn a_store_is_asked_with_the_head_of_the_request() {
    let seen = std::sync::Mutex::new(Vec::new());
    let store = ByRequest::new(|query: &KeyQuery<'_>| {
        let host = query.headers().and_then(|headers| headers.get("host"));
        let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
        seen.lock().unwrap().push(format!(
            "{} {} {} {host}",
            query.access_key_id(),
            query.method().unwrap(),
            query.uri().unwrap()
        ));
        Some(key())
    });
    let request = Request::put("/a?b").header("host", "demo.example").body(()).unwrap();
    assert_eq!(outcome(&store, &signed(request), at(0)), None);
    assert_eq!(*seen.lock().unwrap(), [format!("{ID} PUT /a?b demo.example")]);
    let printed = format!("{:?}", KeyQuery::new(ID).with_security_token(b"canary"));
    assert!(printed.contains(ID) && !printed.contains("canary"), "{printed}");
}

#[test]
fn behind_a_platform_a_store_is_asked_by_the_token_of_each_reading() {
    let verifier = |schemes: Schemes| {
        Verifier::new(ByRequest::new(sealed)).with_platform_headers().with_schemes(schemes)
    };
    // The token is the client's: straight from it.
    let by = Signer::new(temporary("one", "sealed:one"));
    let direct = signed_by(&by, get("https://demo.example/"), at(0));
    assert!(verifier(Schemes::all()).verify_request_at(&direct, at(0)).is_ok());
    // The platform's beside the client's, in the header of another scheme.
    let by = by.with_scheme(Scheme::Acs3HmacSha256).unwrap();
    let mut request = signed_by(&by, get("https://demo.example/"), at(0));
    request.headers_mut().insert("x-fc-security-token", "sealed:platform".parse().unwrap());
    assert!(verifier(Schemes::all()).verify_request_at(&request, at(0)).is_ok());
    // Instead of it: nobody knows what was signed.
    let by = by.with_scheme(Scheme::Fc).unwrap();
    let mut request = signed_by(&by, get("https://demo.example/"), at(0));
    request.headers_mut().insert("x-fc-security-token", "sealed:platform".parse().unwrap());
    assert!(verifier(Schemes::all()).verify_request_at(&request, at(0)).is_err());
}
