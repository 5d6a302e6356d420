//! Nothing that is printed has a secret in it: no access key secret, no security
//! token, no signature that would have been right.

use crate::common::services::greeter;
use crate::common::{
    ACS_DATE, DATE, EMPTY_MD5_RFC_1864, HEADER_SCHEMES, ID, at, call, clock, get, signature,
    signed_by, verifier,
};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error as _;
use std::fmt::{Debug, Display};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tower::{Layer, Service as _, ServiceExt as _, service_fn};
use tower_fc::credentials::{CachedCredentials, ProvideCredentials as _, RuntimeCredentials};
use tower_fc::digest::{BufferedBody, CheckedBody, Md5Encoding};
use tower_fc::digest::{CheckDigestLayer, SetDigestLayer};
use tower_fc::error::ErrorKind;
#[cfg(feature = "key-cache")]
use tower_fc::keys::CachedKeys;
#[cfg(feature = "key-file")]
use tower_fc::keys::KeyFile;
#[cfg(feature = "key-file")]
use tower_fc::keys::KeyStore as _;
#[cfg(feature = "key-cache")]
use tower_fc::keys::{AsyncKeyStore as _, KeyStoreError};
use tower_fc::keys::{ByRequest, KeyQuery, Keys, VerifyingKey};
use tower_fc::protocol::{Dialect, Schemes};
use tower_fc::replay::{MemoryReplayGuard, ReplayGuard as _, ReplayLayer};
use tower_fc::replay::{ReplayClaim, ReplayGuardError};
use tower_fc::response::Outcome;
use tower_fc::verify::Mode;
use tower_fc::{
    Credentials, Presigner, Rejection, RejectionKind, Scheme, SignLayer, Signer, StaticKeys,
    VerifiedCaller, Verifier, VerifyLayer,
};

const SECRET: &str = "canary-secret-5f1c";
const TOKEN: &str = "canary-token-77aa";

fn credentials() -> Credentials {
    Credentials::new(ID, SECRET).unwrap().with_security_token(TOKEN).unwrap()
}

/// What was printed, and must not contain any of the canaries.
#[derive(Default)]
struct Printed(Vec<(&'static str, String)>);

impl Printed {
    fn debug(&mut self, what: &'static str, value: &impl Debug) {
        self.0.push((what, format!("{value:?} {value:#?}")));
    }

    fn display(&mut self, what: &'static str, value: &impl Display) {
        self.0.push((what, value.to_string()));
    }

    fn assert_without(&self, canaries: &[&str]) {
        for (what, text) in &self.0 {
            for canary in canaries {
                assert!(!text.contains(canary), "{what} prints {canary}: {text}");
            }
        }
    }
}

#[test]
fn nothing_public_prints_a_secret() {
    let mut printed = Printed::default();
    let key = credentials().key().clone();
    let keys = StaticKeys::new().with_key(ID, key.clone());
    let verifier = Verifier::new(keys.clone());
    printed.debug("Credentials", &credentials());
    printed.debug("VerifyingKey", &key);
    printed.debug("Keys", &Keys::from(key.clone()));
    printed.debug("a map of keys", &HashMap::from([(ID, key.clone())]));
    printed.debug("StaticKeys", &keys);
    printed.debug("Signer", &Signer::new(credentials()));
    printed.debug("Presigner", &Presigner::new(credentials()));
    printed.debug("Verifier", &verifier);
    printed.debug("SignLayer", &SignLayer::new(credentials()));
    printed.debug("Sign", &SignLayer::new(credentials()).layer(()));
    printed.debug("AsyncSignLayer", &SignLayer::new(credentials()).awaiting_credentials());
    printed.debug("AsyncSign", &SignLayer::new(credentials()).awaiting_credentials().layer(()));
    printed.debug("VerifyLayer", &VerifyLayer::new(verifier.clone()));
    printed.debug("Verify", &VerifyLayer::new(verifier.clone()).layer(()));
    let awaiting = VerifyLayer::new(verifier.clone()).awaiting_keys();
    printed.debug("AsyncVerifyLayer", &awaiting);
    printed.debug("AsyncVerify", &awaiting.layer(()));
    #[cfg(feature = "reqwest-middleware")]
    printed.debug(
        "SignMiddleware",
        &tower_fc::adapters::reqwest::SignMiddleware::new(Signer::new(credentials())),
    );
    printed.assert_without(&[SECRET, TOKEN, "canary"]);
    // But whose it is.
    assert!(format!("{:?}", SignLayer::new(credentials())).contains(ID));
}

#[cfg(feature = "key-file")]
#[test]
fn a_key_file_prints_its_path_and_nothing_in_it() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("secrets.json");
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    write(&format!(
        r#"{{ "{ID}": ["canary-1", {{ "secret": "{SECRET}", "security_token": "{TOKEN}" }}] }}"#
    ));
    let keys = KeyFile::open(&path).unwrap().with_check_interval(Duration::ZERO);
    let mut printed = Printed::default();
    let found = keys.lookup(ID).unwrap();
    assert_eq!(found.as_slice().len(), 2);
    printed.debug("Keys", &found);
    printed.debug("KeyFile", &keys);
    printed.debug("a verifier", &Verifier::new(keys.clone()));
    // What is wrong, with a secret before, in and behind it.
    for text in [
        r#"{ "id": "canary", } "#,
        r#"{ "id": "canary" "canary" }"#,
        r#"canary"#,
        r#"{ "id": "canary\u00zz" }"#,
        r#"{ "id": ["canary", 7, "canary"] }"#,
        r#"{ "id": { "secret": "canary canary" } }"#,
        r#"{ "id": "canary 2" }"#,
        r#"{ "canary+/=": "id" }"#,
        r#"{ "id": { "canary": "secret" } }"#,
        r#"{ "id": { "secret": "secret", "not_after": "canary" } }"#,
        r#"{ "id": { "secret": "secret", "security_token": "canary canary" } }"#,
    ] {
        write(text);
        let error = KeyFile::open(&path).unwrap_err();
        printed.debug("Error", &error);
        printed.display("Error", &error);
        let mut source = error.source();
        while let Some(cause) = source {
            printed.debug("its cause", &cause);
            printed.display("its cause", &cause);
            source = cause.source();
        }
        assert_eq!(keys.lookup(ID).unwrap().as_slice().len(), 2);
        printed.debug("KeyFile::last_error", &keys.last_error().unwrap());
        printed.display("KeyFile::last_error", &keys.last_error().unwrap());
    }
    std::fs::remove_file(&path).unwrap();
    printed.assert_without(&[SECRET, TOKEN, "canary"]);
}

#[cfg(feature = "key-cache")]
#[tokio::test]
async fn a_key_cache_prints_no_secret() {
    let key = credentials().key().clone();
    let store = move |id: String| {
        let key = (id == ID).then(|| key.clone());
        std::future::ready(match id.as_str() {
            "down" => Err(KeyStoreError::new("the store is down")),
            _ => Ok(key),
        })
    };
    let keys = CachedKeys::new(store, Duration::from_secs(60));
    let mut printed = Printed::default();
    for id in [ID, ID, "stranger"] {
        printed.debug("what is found", &keys.lookup(id).await.unwrap());
    }
    let error = keys.lookup("down").await.unwrap_err();
    printed.debug("KeyStoreError", &error);
    printed.display("KeyStoreError", &error);
    printed.debug("CachedKeys", &keys);
    printed.assert_without(&[SECRET, TOKEN, "canary"]);
}

#[tokio::test]
async fn providers_of_credentials_print_no_secret() {
    let mut printed = Printed::default();
    let cached = CachedCredentials::new(credentials());
    printed.debug("what is kept", &cached.credentials().await.unwrap());
    printed.debug("CachedCredentials", &cached);
    let headers = [
        ("x-fc-access-key-id", ID),
        ("x-fc-access-key-secret", SECRET),
        ("x-fc-security-token", TOKEN),
    ];
    let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    let headers = http::HeaderMap::from_iter(headers);
    printed.debug("Credentials", &Credentials::from_runtime_headers(&headers).unwrap());
    let role = RuntimeCredentials::new().unwrap();
    role.observe(&headers).unwrap();
    printed.debug("RuntimeCredentials", &role);
    let query = KeyQuery::new(ID).with_security_token(TOKEN.as_bytes());
    printed.debug("KeyQuery", &query);
    printed
        .debug("ByRequest", &ByRequest::new(move |_: &KeyQuery<'_>| query.access_key_id().len()));
    printed.assert_without(&[SECRET, TOKEN]);
}

#[test]
fn guards_print_neither_signatures_nor_the_password_of_a_redis() {
    let mut printed = Printed::default();
    let guard = MemoryReplayGuard::new(10);
    let claim = ReplayClaim::new(*b"canary-signature-of-32-bytes-abc", at(0), at(0));
    printed.debug("ReplayClaim", &claim);
    printed.debug("what came of it", &guard.claim(claim));
    printed.debug("MemoryReplayGuard", &guard);
    let layer = ReplayLayer::new(guard);
    printed.debug("ReplayLayer", &layer);
    printed.debug("Replay", &layer.layer(()));
    printed.debug("ReplayGuardError", &ReplayGuardError::full());
    #[cfg(feature = "redis")]
    {
        let guard =
            tower_fc::replay::RedisReplayGuard::new("redis://me:canary@127.0.0.1:1/").unwrap();
        printed.debug("RedisReplayGuard", &guard);
        printed.debug("ReplayLayer", &ReplayLayer::new(guard));
        for url in
            ["redis://me:canary@", "redis://me:canary@[/", "canary://me:canary@host", "canary"]
        {
            let error = tower_fc::replay::RedisReplayGuard::new(url).unwrap_err();
            assert!(error.source().is_none());
            printed.debug("Error", &error);
            printed.display("Error", &error);
        }
    }
    let hex = ["63616e617279", "63616E617279"];
    printed.assert_without(&["canary", "99, 97, 110, 97, 114, 121", hex[0], hex[1]]);

    // Nor a single byte of one.
    let claim = ReplayClaim::new([0xab; 32], at(0), at(1));
    let guard = MemoryReplayGuard::new(10);
    let _ = guard.claim(claim);
    let layer = ReplayLayer::new(guard);
    for text in [format!("{claim:?}"), format!("{layer:?}"), format!("{:?}", layer.layer(()))] {
        for trace in ["171", "ab", "AB"] {
            assert!(!text.contains(trace), "{text}");
        }
    }
}

#[test]
fn what_is_refused_at_construction_is_not_printed() {
    let mut printed = Printed::default();
    let errors = [
        (Credentials::new(ID, "canary secret").err(), ErrorKind::InvalidAccessKeySecret),
        (VerifyingKey::new("canary\n").err(), ErrorKind::InvalidAccessKeySecret),
        (
            VerifyingKey::new(SECRET).unwrap().with_security_token("canary token").err(),
            ErrorKind::InvalidSecurityToken,
        ),
        (credentials().with_security_token("canary\u{e9}").err(), ErrorKind::InvalidSecurityToken),
        // In the place of something else.
        (Credentials::new("canary=", ID).err(), ErrorKind::InvalidAccessKeyId),
        (Credentials::new("canary\n", ID).err(), ErrorKind::InvalidAccessKeyId),
        (StaticKeys::from_secrets([("canary+/=", ID)]).err(), ErrorKind::InvalidAccessKeyId),
        (StaticKeys::from_secrets([(ID, "canary ")]).err(), ErrorKind::InvalidAccessKeySecret),
        ("canary".parse::<Scheme>().err(), ErrorKind::UnknownName),
        ("canary".parse::<Dialect>().err(), ErrorKind::UnknownName),
        (verifier().with_hosts(["canary+/="]).err(), ErrorKind::InvalidSetting),
        (verifier().with_hosts(["https://me:canary@demo"]).err(), ErrorKind::InvalidSetting),
    ];
    let of_origins = [
        "https://me:canary@demo.example",
        "https://demo.example/?x-fc-security-token=canary",
        "canary",
    ];
    let of_origins = of_origins.map(|origin| {
        (SignLayer::for_origins(credentials(), [origin]).err(), ErrorKind::InvalidSetting)
    });
    for (error, kind) in errors.into_iter().chain(of_origins) {
        let error = error.unwrap();
        assert_eq!(error.kind(), kind);
        assert!(error.source().is_none());
        printed.debug("Error", &error);
        printed.display("Error", &error);
    }
    printed.assert_without(&["canary"]);
}

#[test]
fn what_is_not_signed_is_not_printed() {
    let mut printed = Printed::default();
    let minute = Duration::from_secs(60);
    let cases = [
        (Request::get("https://me:canary@demo.example/"), ErrorKind::InvalidUri),
        (Request::get("me:canary@demo.example:80"), ErrorKind::InvalidUri),
        (Request::get("/?x-fc-security-token=canary"), ErrorKind::Ambiguous),
        (Request::get("/?x-fc-signature=canary"), ErrorKind::Ambiguous),
        (Request::get("/?password=canary%0A"), ErrorKind::Ambiguous),
        (Request::get("/").header("x-acs-security-token", "canary"), ErrorKind::Ambiguous),
        (Request::get("/").header("x-fc-a", "canary").header("x-fc-a", ""), ErrorKind::Ambiguous),
    ];
    for (request, kind) in cases {
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let error = Presigner::new(credentials()).presign_at(&parts, minute, at(0)).unwrap_err();
        printed.debug("Error", &error);
        printed.display("Error", &error);
        let error = Signer::new(credentials()).sign_at(&mut parts, at(0)).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        printed.debug("Error", &error);
        printed.display("Error", &error);
        let error = Signer::new(credentials()).sign_with_nonce_at(&mut parts, at(0), "canary ");
        printed.debug("Error", &error);
    }
    printed.assert_without(&["canary", TOKEN, SECRET]);
}

#[tokio::test]
async fn a_refusal_quotes_nothing_that_may_be_a_secret() {
    let header = |name: &str, value: &str| {
        let request = Request::get("/").header("date", DATE).header("x-acs-date", ACS_DATE);
        request.header(name, value)
    };
    let authorization = |value: &str| header("authorization", value);
    let fc = || authorization(&format!("FC {ID}:AAAA"));
    let acs3 = |names: &str| {
        authorization(&format!(
            "ACS3-HMAC-SHA256 Credential={ID},SignedHeaders={names},Signature=00"
        ))
    };
    let url = |query: &str| Request::get(format!("/?{query}"));
    let id = format!("x-fc-access-key-id={ID}");
    let cases = [
        ("a word", authorization("canary")),
        ("a password", authorization("Basic canary")),
        ("a token", authorization("Bearer canary")),
        ("a pair without a colon", authorization("FC canary")),
        ("an id that is none", authorization("FC canary=:AAAA")),
        ("a signature that is none", authorization(&format!("FC {ID}:canary"))),
        ("the credential alone", authorization("ACS3-HMAC-SHA256 Credential=canary")),
        ("a list that is none", acs3("canary;a")),
        ("a signature twice", authorization("FC canary:canary").header("authorization", "canary")),
        ("a scheme that is off", authorization("acs canary:canary")),
        ("an unsigned token", acs3("x-acs-date").header("x-acs-security-token", "canary")),
        (
            "a token twice",
            fc().header("x-fc-security-token", "canary").header("x-fc-security-token", "canary"),
        ),
        ("a wrong signature", fc().header("x-fc-security-token", "canary")),
        ("the token alone", header("x-fc-security-token", "canary")),
        ("the nonce alone", header("x-acs-signature-nonce", "canary")),
        ("what the platform added", acs3("x-acs-date").header("x-fc-access-key-secret", "canary")),
        ("a date", fc().header("date", "canary")),
        ("a date of another scheme", acs3("x-acs-date").header("x-acs-date", "canary")),
        (
            "a date that is none",
            Request::get("/")
                .header("date", "canary")
                .header("authorization", format!("FC {ID}:AAAA")),
        ),
        ("another host", fc().header("host", "canary")),
        ("two hosts", fc().header("host", "canary").header("host", "demo.example")),
        ("a password in the target", Request::get("https://me:canary@demo.example/")),
        (
            "a part that is ambiguous",
            url("password=canary%0A&a;b")
                .header("authorization", format!("FC {ID}:AAAA"))
                .header("date", DATE),
        ),
        ("a token in the query", url("x-fc-security-token=canary")),
        (
            "the same beside a header",
            url("x-fc-security-token=canary").header("authorization", format!("FC {ID}:AAAA")),
        ),
        ("an id in the query", url("x-fc-access-key-id=canary%20&x-fc-expires=1&x-fc-signature=a")),
        ("an end in the query", url(&format!("{id}&x-fc-expires=canary&x-fc-signature=a"))),
        (
            "a signature in the query",
            url(&format!("{id}&x-fc-expires=1795283880&x-fc-signature=canary")),
        ),
        ("a signature and no end", url(&format!("{id}&x-fc-signature=canary"))),
        ("a signature in the query twice", url("x-fc-signature=canary&x-fc-signature=canary")),
    ];
    let cases = cases.map(|(what, request)| (what, request.body(()).unwrap()));
    let keys = StaticKeys::new().with_key(ID, VerifyingKey::new(SECRET).unwrap());
    let by_default =
        Verifier::new(keys).with_schemes([Scheme::Fc, Scheme::FcPresigned, Scheme::Acs3HmacSha256]);
    let for_hosts = by_default.clone().with_hosts(["demo.example"]).unwrap();
    let in_function = by_default.clone().with_platform_headers();
    for verifier in [by_default, for_hosts, in_function] {
        let mut service = VerifyLayer::new(verifier).with_clock(clock()).layer(greeter());
        for (what, request) in &cases {
            let mut printed = Printed::default();
            let response = call(&mut service, request.clone()).await.unwrap();
            let (parts, body) = response.into_parts();
            let rejection = parts.extensions.get::<Rejection>().expect(what);
            printed.debug(what, rejection);
            printed.display(what, rejection);
            printed.debug(what, &parts);
            let body = body.collect().await.unwrap().to_bytes();
            printed.display(what, &String::from_utf8_lossy(&body));
            printed.assert_without(&["canary"]);
        }
    }
}

/// The signature of a request, without its padding.
fn right(request: &Request<impl Sized>) -> String {
    signature(request).trim_end_matches('=').to_owned()
}

#[test]
fn a_signed_request_prints_neither_its_token_nor_its_signature() {
    for scheme in HEADER_SCHEMES {
        let signer = Signer::new(credentials()).with_scheme(scheme).unwrap();
        let request = signed_by(&signer, get("https://demo.example/"), at(0));
        let mut printed = Printed::default();
        printed.debug("a signed request", &request);
        printed.assert_without(&[TOKEN, &right(&request)]);
    }
}

#[test]
fn a_presigned_url_prints_neither_its_token_nor_its_signature() {
    let request = Request::get("https://demo.example/a?b=c").body(()).unwrap();
    let minute = Duration::from_secs(60);
    let url = Presigner::new(credentials()).presign_request_at(&request, minute, at(0)).unwrap();
    let query = url.uri().query().unwrap().to_owned();
    let signature = query.split("x-fc-signature=").nth(1).unwrap();
    let mut printed = Printed::default();
    printed.debug("PresignedUrl", &url);
    printed.assert_without(&[TOKEN, signature]);
}

#[tokio::test]
async fn a_refusal_prints_neither_a_secret_nor_the_token_nor_the_right_signature() {
    let keys = StaticKeys::new().with_key(ID, VerifyingKey::new(SECRET).unwrap());
    let verifier = Verifier::new(keys).with_schemes(Schemes::all());
    let mut service = VerifyLayer::new(verifier.clone()).with_clock(clock()).layer(greeter());
    let another = Credentials::new(ID, "wrong-secret").unwrap();
    for scheme in HEADER_SCHEMES {
        let by = |credentials| {
            let signer = Signer::new(credentials).with_scheme(scheme).unwrap();
            signed_by(&signer, get("https://demo.example/a?b=c"), at(0))
        };
        let request = by(credentials());
        let caller = verifier.verify_request_at(&request, at(0)).unwrap();
        let mut printed = Printed::default();
        printed.debug("VerifiedCaller", &caller);
        let with_token = right(&request);
        printed.assert_without(&[TOKEN, &with_token]);

        let mut forged = request;
        let value = forged.headers()["authorization"].to_str().unwrap();
        let value = value.replace(&with_token, &"0".repeat(with_token.len()));
        forged.headers_mut().insert("authorization", value.parse().unwrap());
        let without_token = right(&by(Credentials::new(ID, SECRET).unwrap()));
        for request in [forged, by(another.clone())] {
            let rejection = verifier.verify_request_at(&request, at(0)).unwrap_err();
            assert_eq!(rejection.kind(), RejectionKind::SignatureMismatch);
            printed.debug("Rejection", &rejection);
            printed.display("Rejection", &rejection);
            let response = call(&mut service, request).await.unwrap();
            let (parts, body) = response.into_parts();
            printed.debug("the response", &parts);
            printed.debug("its rejection", parts.extensions.get::<Rejection>().unwrap());
            let body = body.collect().await.unwrap().to_bytes();
            printed.display("its body", &String::from_utf8_lossy(&body));
        }
        printed.assert_without(&[TOKEN, SECRET, &with_token, &without_token]);
    }
}

#[tokio::test]
async fn what_a_server_knows_of_a_request_prints_neither_its_token_nor_its_signature() {
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256] {
        let signer = Signer::new(credentials()).with_scheme(scheme).unwrap();
        let verifier =
            Verifier::new(StaticKeys::new().with_key(ID, signer.credentials().key().clone()));
        let (printed, seen) =
            (Arc::new(Mutex::new(Printed::default())), Arc::new(AtomicUsize::new(0)));
        let (note, count) = (Arc::clone(&printed), Arc::clone(&seen));
        let observe = move |outcome: Outcome<'_>| {
            note.lock().unwrap().debug("Outcome", &outcome);
            count.fetch_add(1, Ordering::SeqCst);
        };
        let verify = VerifyLayer::new(verifier)
            .with_clock(clock())
            .with_mode(Mode::Optional)
            .with_exemption(|_, uri, _| uri.path() == "/health")
            .with_observer(observe.clone());
        let digest = CheckDigestLayer::new().with_observer(observe);
        let mut service = verify.layer(digest.layer(service_fn(
            |request: Request<CheckedBody<Full<Bytes>>>| async move {
                let caller = request.extensions().get::<VerifiedCaller>().cloned();
                let before = format!("{:?}", request.body());
                let body = request.into_body().collect().await.err();
                Ok::<_, Infallible>(Response::new(format!("{caller:?} {before} {body:?}")))
            },
        )));

        let mut request =
            Request::post("https://demo.example/").body(Full::<Bytes>::from("one")).unwrap();
        let name = if scheme == Scheme::Fc { "content-md5" } else { "x-acs-content-sha256" };
        // Of another body.
        let digest = if scheme == Scheme::Fc { "09lEaAKkQll1XTjm0WPoIA==" } else { OF_ANOTHER };
        request.headers_mut().insert(name, digest.parse().unwrap());
        signer.sign_request_at(&mut request, at(0)).unwrap();
        let right = right(&request);
        let mut wrong = request.clone();
        *wrong.method_mut() = Method::PUT;
        let mut exempt = request.clone();
        *exempt.uri_mut() = "/health".parse().unwrap();
        let anonymous = Request::get("/").body(Full::default()).unwrap();
        let mut good = Request::get("https://demo.example/good").body(Full::default()).unwrap();
        signer.sign_request_at(&mut good, at(0)).unwrap();
        for request in [request, wrong, exempt, anonymous, good] {
            let response = service.ready().await.unwrap().call(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let mut printed = printed.lock().unwrap();
            printed.debug("the response", &parts);
            let rejection: Option<&Rejection> = parts.extensions.get();
            printed.debug("its rejection", &rejection);
            printed.display("its body", &String::from_utf8_lossy(&body));
        }
        let mut printed = printed.lock().unwrap();
        printed.debug("Verify", &service);
        // Of the body of the first one both are told.
        assert_eq!(seen.load(Ordering::SeqCst), 6);
        let text = |what| printed.0.iter().any(|(_, text)| text.contains(what));
        assert!(text("Verified(") && text("Refused(") && text("Anonymous") && text("Exempt"));
        assert!(text("BodyDigestMismatch"));
        printed.assert_without(&[SECRET, TOKEN, &right]);
    }
}

/// A digest of another body.
const OF_ANOTHER: &str = "4a44dc15364204a80fe80e9039455cc1608281820fe2b24f1e5233ade6af1dd5";

#[test]
fn futures_that_hold_a_request_do_not_print_it() {
    let credentials = credentials();
    let signer = Signer::new(credentials.clone());
    let mut request = Request::post("/").header("content-md5", EMPTY_MD5_RFC_1864);
    request.headers_mut().unwrap().insert("host", "demo.example".parse().unwrap());
    let mut request = request.body(Full::<Bytes>::default()).unwrap();
    signer.sign_request_at(&mut request, at(0)).unwrap();
    // As they come off the wire.
    request.headers_mut().values_mut().for_each(|value| value.set_sensitive(false));
    let keys = StaticKeys::new().with_key(credentials.access_key_id(), credentials.key().clone());
    let caller = Verifier::new(keys).verify_request_at(&request, at(0)).unwrap();
    request.extensions_mut().insert(caller);
    let signature = right(&request);

    let mut printed = Printed::default();
    let inner = |_: Request<CheckedBody<_>>| async { Ok::<_, Infallible>(Response::new(())) };
    let mut check = CheckDigestLayer::new().buffered(100).layer(service_fn(inner));
    printed.debug("BufferedCheckFuture", &check.call(request.clone()));
    let inner = |_: Request<BufferedBody>| async { Ok::<_, Infallible>(Response::new(())) };
    request.headers_mut().remove("content-md5");
    let mut set = SetDigestLayer::new(Md5Encoding::default()).layer(service_fn(inner));
    printed.debug("SetDigestFuture", &set.call(request));
    assert_eq!(printed.0.len(), 2);
    printed.assert_without(&[SECRET, TOKEN, &signature]);
}

#[test]
fn the_value_of_a_key_is_not_printed() {
    let key = VerifyingKey::new(SECRET).unwrap().with_value(SECRET.to_owned());
    let keys = tower_fc::StaticKeys::new().with_key(ID, key.clone());
    let mut request = get("/");
    Signer::new(Credentials::new(ID, SECRET).unwrap())
        .sign_request_at(&mut request, at(0))
        .unwrap();
    let caller = Verifier::new(keys.clone()).verify_request_at(&request, at(0)).unwrap();
    assert_eq!(caller.value::<String>().unwrap(), SECRET);
    let mut printed = format!("{key:?} {keys:?} {caller:?} {:?}", Keys::from(key.clone()));
    #[cfg(feature = "test-util")]
    {
        let key = tower_fc::test_util::TestKey::new(ID).unwrap().with_value(SECRET.to_owned());
        printed += &format!("{key:?}");
        printed = printed.replace(&format!("the-secret-of-{ID}"), SECRET);
    }
    printed += &format!("{:?}", Verifier::new(keys).with_other_schemes(["Bearer"]).unwrap());
    assert!(!printed.contains(SECRET), "{printed}");
}
