//! Asynchronous requests that are kept in a file, and which are accepted.

use crate::client::refusal;
use crate::gateway::{ANONYMOUS, File, Gateway, output};
use crate::stores::{self, Store, later};
use crate::{EVERY_WAY, Over, tests_of_stores};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::Value;
use std::time::SystemTime;
use tower_fc::{Credentials, Scheme, Signer};

macro_rules! in_a_file {
    ($($test:ident,)*) => {
        $(#[tokio::test]
        async fn $test() {
            stores::$test(Store::file()).await;
        })*
    };
}
tests_of_stores!(in_a_file);

#[tokio::test]
async fn what_is_not_accepted_is_not_stored() {
    let store = Store::file();
    let gateway = store.gateway("http://127.0.0.1:1", &[]);
    for over in EVERY_WAY {
        let cases = [
            (Request::post("/").header("x-fc-invocation-type", "Event"), 1),
            (Request::post("/").header("x-fc-invocation-type", "async"), 1),
            (Request::post("/").header("x-fc-invocation-type", ""), 1),
            (later("a").header("x-fc-async-delay", "0"), 1),
            (later("a").header("x-fc-async-delay", "3601"), 1),
            (later("a").header("x-fc-async-delay", "1.5"), 1),
            (later("1a"), 1),
            (later(&"a".repeat(129)), 1),
            (later("a").header("x-fc-stateful-async-invocation-id", "b"), 1),
            (later("a"), 131_073),
        ];
        for (request, len) in cases {
            let text = format!("{request:?}");
            let request = request.body(Full::<Bytes>::from(vec![b'a'; len])).unwrap();
            let response = over.send(&gateway, request).await.unwrap();
            assert_eq!(response.status(), 400, "{text}");
            assert!(refusal(response).await.contains(r#""ErrorCode":"InvalidArgument""#));
        }
    }
    assert_eq!(store.shown(&[]), [Value::Null; 0]);
    let longest = later(&"a".repeat(128)).header("x-fc-async-delay", "3600");
    let longest = longest.body(Full::<Bytes>::from(vec![b'a'; 131_072])).unwrap();
    let before = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(Over::Http1.send(&gateway, longest).await.unwrap().status(), 202);
    let due = store.shown(&[])[0]["dueAt"].as_u64().unwrap();
    assert!(u128::from(due) >= before.as_millis() + 3_600_000);
}

#[tokio::test]
async fn a_signature_has_to_cover_what_makes_a_request_a_task() {
    let store = Store::file();
    let keys = File::new("json", r#"{ "LTAI5tExample": "secret" }"#);
    let gateway = Gateway::start(
        "http://127.0.0.1:1",
        &[&["--keys", keys.path()], &store.args()[..]].concat(),
    );
    let credentials = Credentials::new("LTAI5tExample", "secret").unwrap();
    let names = ["x-fc-invocation-type", "x-fc-async-delay", "x-fc-async-task-id"];
    let names = [&names[..], &["x-fc-stateful-async-invocation-id"]].concat();
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256] {
        for (number, unsigned) in [None].into_iter().chain(names.iter().map(Some)).enumerate() {
            let id = format!("{}-{number}", if scheme == Scheme::Fc { "fc" } else { "acs3" });
            let name = if number == 4 { names[3] } else { names[2] };
            let mut request = Request::post("/")
                .header("host", &gateway.address)
                .header("x-fc-invocation-type", "Async")
                .header("x-fc-async-delay", "60")
                .header(name, &id)
                .body(Full::<Bytes>::default())
                .unwrap();
            let taken = unsigned.map(|name| (*name, request.headers_mut().remove(*name).unwrap()));
            let signer = Signer::new(credentials.clone()).with_scheme(scheme).unwrap();
            signer.sign_request_at(&mut request, SystemTime::now()).unwrap();
            if let Some((name, value)) = taken {
                request.headers_mut().insert(name, value);
            }
            let response = Over::Http1.send(&gateway, request).await.unwrap();
            let status = if unsigned.is_none() { 202 } else { 403 };
            assert_eq!(response.status(), status, "{scheme} {unsigned:?}");
            let is_stored = store.shown(&[]).iter().any(|task| task["taskId"] == id);
            assert_eq!(is_stored, unsigned.is_none());
        }
    }
}

#[tokio::test]
async fn a_second_gateway_with_the_same_tasks_does_not_start() {
    let store = Store::file();
    let _gateway = store.gateway("http://127.0.0.1:1", &[]);
    let link = format!("{}-link", store.path());
    std::os::unix::fs::symlink(store.path(), &link).unwrap();
    for file in [store.path(), &link] {
        let file = format!("sqlite:{file}");
        let upstream = ["--upstream", "http://127.0.0.1:1", "--listen", "127.0.0.1:0"];
        let second = output(&[&upstream[..], ANONYMOUS, &["--store", &file]].concat());
        let error = String::from_utf8(second.stderr).unwrap();
        assert!(!second.status.success());
        assert!(error.contains("another process has it open"), "{error}");
    }
    std::fs::remove_file(link).unwrap();
}

#[test]
fn stores_that_cannot_be_are_named() {
    let text = File::new("sqlite", "these are notes, and no database");
    let text = format!("sqlite:{}", text.path());
    let anonymous = |args: &[&str]| {
        let upstream = ["--upstream", "http://127.0.0.1:1", "--auth", "anonymous"];
        output(&[&upstream[..], args].concat())
    };
    for (args, error) in [
        (vec!["--store", "redis:a"], "--store: must be of the form"),
        (vec!["--store", "sqlite:"], "--store: must be of the form"),
        (vec!["--store", "sqlite:/nowhere/a"], "--store: /nowhere/a: "),
        (vec!["--store", "sqlite:/"], "--store: /: "),
        (vec!["--retries", "1"], "--store <STORE>"),
        (vec!["--store", "sqlite:a", "--workers", "0"], "--workers"),
    ] {
        let output = anonymous(&args);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(error), "{args:?}: {text}");
    }
    for (flag, value) in [
        ("--retries", "9"),
        ("--max-age", "0"),
        ("--max-age", "2592001"),
        ("--on-success", "ftp://a"),
    ] {
        let store = Store::file();
        let output = anonymous(&[&store.args()[..], &[flag, value]].concat());
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(flag), "{flag} {value}: {text}");
    }
    for store in ["sqlite:/nowhere/a", "redis:a", &text] {
        let output = output(&["tasks", "--store", store]);
        assert!(!output.status.success(), "{store}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("--store: "), "{store}");
    }
}
