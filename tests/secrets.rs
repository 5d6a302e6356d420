//! Nothing that is printed has a secret in it: no access key secret, no security
//! token, no signature that would have been right.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error as _;
use std::fmt::{Debug, Display};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tower::{Layer, Service as _, ServiceExt as _, service_fn};
#[cfg(feature = "key-file")]
use tower_fc::KeyStore as _;
use tower_fc::digest::{BufferedBody, CheckedBody, Md5Encoding};
#[cfg(feature = "key-cache")]
use tower_fc::keys::CachedKeys;
#[cfg(feature = "key-file")]
use tower_fc::keys::KeyFile;
use tower_fc::replay::{ReplayClaim, ReplayGuardError};
#[cfg(feature = "key-cache")]
use tower_fc::{AsyncKeyStore as _, KeyStoreError};
use tower_fc::{
    AsyncSignLayer, CheckDigestLayer, Credentials, ErrorKind, FcResponse, Keys, MemoryReplayGuard,
    Mode, Presigner, Rejection, RejectionResponse, ReplayGuard as _, ReplayLayer, Scheme,
    SetDigestLayer, SignLayer, Signer, SigningKey, StaticKeys, VerifiedCaller, Verifier,
    VerifyLayer,
};

const SECRET: &str = "canary-secret-5f1c";
const TOKEN: &str = "canary-token-77aa";

fn credentials() -> Credentials {
    Credentials::new("the-id", SECRET).unwrap().with_security_token(TOKEN).unwrap()
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
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
    let keys = StaticKeys::new().with_key("the-id", key.clone());
    let verifier = Verifier::new(keys.clone());
    printed.debug("Credentials", &credentials());
    printed.debug("SigningKey", &key);
    printed.debug("Keys", &Keys::from(key.clone()));
    printed.debug("a map of keys", &HashMap::from([("the-id", key.clone())]));
    printed.debug("StaticKeys", &keys);
    printed.debug("Signer", &Signer::new(credentials()));
    printed.debug("Presigner", &Presigner::new(credentials()));
    printed.debug("Verifier", &verifier);
    printed.debug("SignLayer", &SignLayer::new(credentials()));
    printed.debug("Sign", &SignLayer::new(credentials()).layer(()));
    printed.debug("AsyncSignLayer", &AsyncSignLayer::new(credentials()));
    printed.debug("AsyncSign", &AsyncSignLayer::new(credentials()).layer(()));
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
}

#[cfg(feature = "key-file")]
#[test]
fn a_key_file_prints_its_path_and_nothing_in_it() {
    let path = std::env::temp_dir().join(format!("tower-fc-secrets-{}.json", std::process::id()));
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    write(&format!(r#"{{ "the-id": {{ "secret": "{SECRET}", "security_token": "{TOKEN}" }} }}"#));
    let keys = KeyFile::open(&path).unwrap().with_check_interval(Duration::ZERO);
    let mut printed = Printed::default();
    let found = keys.lookup("the-id").unwrap();
    assert_eq!(found.as_slice().len(), 1);
    printed.debug("Keys", &found);
    printed.debug("KeyFile", &keys);
    printed.debug("a verifier", &Verifier::new(keys.clone()));
    // What is wrong, with a secret before, in and behind it.
    for text in [
        r#"{ "the-id": "canary", } "#,
        r#"{ "the-id": "canary" "canary" }"#,
        r#"canary"#,
        r#"{ "the-id": "canary\u00zz" }"#,
        r#"{ "the-id": ["canary", 7, "canary"] }"#,
        r#"{ "the-id": { "secret": "canary canary" } }"#,
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
        assert_eq!(keys.lookup("the-id").unwrap().as_slice().len(), 1);
        printed.debug("KeyFile::last_error", &keys.last_error().unwrap());
    }
    std::fs::remove_file(&path).unwrap();
    printed.assert_without(&[SECRET, TOKEN, "canary"]);
}

#[cfg(feature = "key-cache")]
#[tokio::test]
async fn a_key_cache_prints_no_secret() {
    let key = credentials().key().clone();
    let store = move |id: String| {
        let key = (id == "the-id").then(|| key.clone());
        std::future::ready(match id.as_str() {
            "down" => Err(KeyStoreError::new("the store is down")),
            _ => Ok(key),
        })
    };
    let keys = CachedKeys::new(store, Duration::from_secs(60));
    let mut printed = Printed::default();
    for id in ["the-id", "the-id", "stranger"] {
        printed.debug("what is found", &keys.lookup(id).await.unwrap());
    }
    let error = keys.lookup("down").await.unwrap_err();
    printed.debug("KeyStoreError", &error);
    printed.display("KeyStoreError", &error);
    printed.debug("CachedKeys", &keys);
    printed.assert_without(&[SECRET, TOKEN, "canary"]);
}

#[test]
fn guards_print_neither_signatures_nor_the_password_of_a_redis() {
    let mut printed = Printed::default();
    let guard = MemoryReplayGuard::new(10);
    let claim = ReplayClaim::new(*b"canary-signature-of-32-bytes-abc", now(), now());
    printed.debug("ReplayClaim", &claim);
    printed.debug("what came of it", &guard.claim_now(claim));
    printed.debug("MemoryReplayGuard", &guard);
    let layer = ReplayLayer::new(guard);
    printed.debug("ReplayLayer", &layer);
    printed.debug("Replay", &layer.layer(()));
    printed.debug("ReplayGuardError", &ReplayGuardError::full());
    #[cfg(feature = "redis")]
    {
        let guard = tower_fc::RedisReplayGuard::new("redis://me:canary@127.0.0.1:1/").unwrap();
        printed.debug("RedisReplayGuard", &guard);
        printed.debug("ReplayLayer", &ReplayLayer::new(guard));
        for url in
            ["redis://me:canary@", "redis://me:canary@[/", "canary://me:canary@host", "canary"]
        {
            let error = tower_fc::RedisReplayGuard::new(url).unwrap_err();
            assert!(error.source().is_none());
            printed.debug("Error", &error);
            printed.display("Error", &error);
        }
    }
    printed.assert_without(&["canary", "99, 97, 110, 97, 114, 121"]);
}

#[test]
fn what_is_refused_at_construction_is_not_printed() {
    let mut printed = Printed::default();
    let errors = [
        (Credentials::new("the-id", "canary secret").err(), ErrorKind::InvalidAccessKeySecret),
        (SigningKey::new("canary\n").err(), ErrorKind::InvalidAccessKeySecret),
        (
            SigningKey::new(SECRET).unwrap().with_security_token("canary token").err(),
            ErrorKind::InvalidSecurityToken,
        ),
        (credentials().with_security_token("canary\u{e9}").err(), ErrorKind::InvalidSecurityToken),
    ];
    for (error, kind) in errors {
        let error = error.unwrap();
        assert_eq!(error.kind(), kind);
        assert!(error.source().is_none());
        printed.debug("Error", &error);
        printed.display("Error", &error);
    }
    printed.assert_without(&["canary"]);
}

#[test]
fn a_signed_request_prints_neither_its_token_nor_its_signature() {
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256, Scheme::Acs] {
        let signer = Signer::new(credentials()).with_scheme(scheme).unwrap();
        let mut request = Request::get("https://demo.example/").body(()).unwrap();
        signer.sign_request_at(&mut request, now()).unwrap();
        let authorization = request.headers()["authorization"].to_str().unwrap().to_owned();
        let signature = authorization.rsplit([':', '=']).find(|text| text.len() > 20).unwrap();
        let mut printed = Printed::default();
        printed.debug("a signed request", &request);
        printed.assert_without(&[TOKEN, signature]);
    }
}

#[test]
fn a_presigned_url_prints_neither_its_token_nor_its_signature() {
    let url = Presigner::new(credentials())
        .presign_at(
            &Method::GET,
            &"https://demo.example/a?b=c".parse().unwrap(),
            &HeaderMap::new(),
            Duration::from_secs(60),
            now(),
        )
        .unwrap();
    let query = url.uri().query().unwrap().to_owned();
    let signature = query.split("x-fc-signature=").nth(1).unwrap();
    let mut printed = Printed::default();
    printed.debug("PresignedUrl", &url);
    printed.assert_without(&[TOKEN, signature]);
}

#[test]
fn a_refusal_prints_neither_the_token_nor_the_right_signature() {
    let keys = StaticKeys::new().with_key("the-id", SigningKey::new(SECRET).unwrap());
    let verifier = Verifier::new(keys);
    let mut request = Request::get("/").body(()).unwrap();
    Signer::new(credentials()).sign_request_at(&mut request, now()).unwrap();
    let right = request.headers()["authorization"].to_str().unwrap()[10..].to_owned();

    let caller = verifier.verify_request_at(&request, now()).unwrap();
    let mut printed = Printed::default();
    printed.debug("VerifiedCaller", &caller);
    printed.assert_without(&[TOKEN, &right]);

    let wrong = format!("FC the-id:{}=", "A".repeat(43));
    request.headers_mut().insert("authorization", wrong.parse().unwrap());
    let rejection = verifier.verify_request_at(&request, now()).unwrap_err();
    printed.debug("Rejection", &rejection);
    printed.display("Rejection", &rejection);
    let (parts, ()) = request.into_parts();
    let response = FcResponse.rejection_response(&rejection, &parts);
    printed.debug("the response", &response);
    printed.assert_without(&[TOKEN, SECRET, &right]);
}

#[tokio::test]
async fn what_a_server_knows_of_a_request_prints_neither_its_token_nor_its_signature() {
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256] {
        let signer = Signer::new(credentials()).with_scheme(scheme).unwrap();
        let verifier =
            Verifier::new(StaticKeys::new().with_key("the-id", signer.credentials().key().clone()));
        let (printed, seen) =
            (Arc::new(Mutex::new(Printed::default())), Arc::new(AtomicUsize::new(0)));
        let (note, count) = (Arc::clone(&printed), Arc::clone(&seen));
        let verify = VerifyLayer::new(verifier)
            .with_clock(now)
            .with_mode(Mode::Optional)
            .with_exemption(|_, uri| uri.path() == "/health")
            .with_observer(move |outcome| {
                note.lock().unwrap().debug("Outcome", &outcome);
                count.fetch_add(1, Ordering::SeqCst);
            });
        let digest = CheckDigestLayer::new();
        let mut service = verify.layer(digest.layer(service_fn(
            |request: Request<CheckedBody<Full<Bytes>>>| async move {
                let caller = request.extensions().get::<VerifiedCaller>().cloned();
                let body = request.into_body().collect().await.err();
                Ok::<_, Infallible>(Response::new(format!("{caller:?} {body:?}")))
            },
        )));

        let mut request = Request::post("/").body(Full::<Bytes>::from("one")).unwrap();
        let name = if scheme == Scheme::Fc { "content-md5" } else { "x-acs-content-sha256" };
        // Of another body.
        let digest = if scheme == Scheme::Fc { "09lEaAKkQll1XTjm0WPoIA==" } else { OF_ANOTHER };
        request.headers_mut().insert(name, digest.parse().unwrap());
        signer.sign_request_at(&mut request, now()).unwrap();
        let right = request.headers()["authorization"].to_str().unwrap().to_owned();
        let right = right.rsplit([':', '=']).find(|text| text.len() > 20).unwrap();
        let mut wrong = request.clone();
        *wrong.method_mut() = Method::PUT;
        let mut exempt = request.clone();
        *exempt.uri_mut() = "/health".parse().unwrap();
        let anonymous = Request::get("/").body(Full::default()).unwrap();
        for request in [request, wrong, exempt, anonymous] {
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
        assert_eq!(seen.load(Ordering::SeqCst), 4);
        let text = |what| printed.0.iter().any(|(_, text)| text.contains(what));
        assert!(text("Verified(") && text("Refused(") && text("Anonymous") && text("Exempt"));
        assert!(text("BodyDigestMismatch"));
        printed.assert_without(&[SECRET, TOKEN, right]);
    }
}

/// A digest of another body.
const OF_ANOTHER: &str = "4a44dc15364204a80fe80e9039455cc1608281820fe2b24f1e5233ade6af1dd5";

#[test]
fn futures_that_hold_a_request_do_not_print_it() {
    let credentials = credentials();
    let signer = Signer::new(credentials.clone());
    let mut request = Request::post("/").header("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==");
    request.headers_mut().unwrap().insert("host", "demo.example".parse().unwrap());
    let mut request = request.body(Full::<Bytes>::default()).unwrap();
    signer.sign_request_at(&mut request, now()).unwrap();
    // As they come off the wire.
    request.headers_mut().values_mut().for_each(|value| value.set_sensitive(false));
    let keys = StaticKeys::new().with_key(credentials.access_key_id(), credentials.key().clone());
    let caller = Verifier::new(keys).verify_request_at(&request, now()).unwrap();
    request.extensions_mut().insert(caller);
    let signature = request.headers()["authorization"].to_str().unwrap().to_owned();

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
