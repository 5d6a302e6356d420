//! The program as its user meets it: flags, files, signals, what it says.

use crate::client::refusal;
use crate::function::{Function, body};
use crate::gateway::{ANONYMOUS, File, Gateway, output};
use crate::{EVERY_WAY, Over};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt as _, Empty};
use std::sync::Arc;
use tokio::sync::Notify;

#[tokio::test]
async fn a_signal_lets_what_is_open_end_and_begins_nothing_more() {
    for signal in ["TERM", "INT"] {
        let answer = Arc::new(Notify::new());
        let told = Arc::clone(&answer);
        let called = Arc::new(Notify::new());
        let tell = Arc::clone(&called);
        let function = Function::answering(move |_, _| {
            let (told, tell) = (Arc::clone(&told), Arc::clone(&tell));
            async move {
                tell.notify_one();
                told.notified().await;
                Response::new(body("hello"))
            }
        })
        .await;
        for over in EVERY_WAY {
            let mut gateway = Gateway::anonymous(&function.url);
            let get = over.get(&gateway, "/");
            let end = async {
                called.notified().await;
                gateway.signal(signal);
                // Nobody listens any more.
                while tokio::net::TcpStream::connect(&gateway.address).await.is_ok() {
                    tokio::task::yield_now().await;
                }
                answer.notify_one();
            };
            let (response, ()) = tokio::join!(get, end);
            assert_eq!(response.status(), 200, "{signal}, {over:?}");
            let text = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(text, "hello");
            assert!(gateway.wait().success(), "{signal}, {over:?}");
        }
        // And with nothing open.
        let mut gateway = Gateway::anonymous(&function.url);
        gateway.signal(signal);
        assert!(gateway.wait().success());
    }
}

#[test]
fn what_cannot_be_set_up_names_the_flag_and_the_rule() {
    let upstream = ["--upstream", "http://127.0.0.1:1"];
    let with = |args: &[&'static str]| [&upstream[..], args].concat();
    let secrets = File::new("json", r#"{ "LTAI5tExample": "the-secret", "LTAI5tExample": 1 }"#);
    let text = File::new("json", "{ \"LTAI5tExample\": \"the-secret\" ");
    let odd = File::new("json", r#"{ "authType": "anonymus" }"#);
    let fine = File::new("json", r#"{ "LTAI5tExample": "the-secret" }"#);
    let cases = [
        (vec![], "--upstream <URL>"),
        (vec!["--upstream", "127.0.0.1:8080"], "--upstream: must be of the form http://host:port"),
        (vec!["--upstream", "https://a.example"], "--upstream: must be of the form http://host:"),
        (vec!["--upstream", "http://a.example/path"], "--upstream: must be of the form http://h"),
        (vec!["--upstream", "http://a.example?a=the-secret"], "--upstream: must be of the form"),
        (vec!["--upstream", "http://me:the-secret@a.example"], "--upstream: must be of the form"),
        (vec!["--upstream", "http://:80"], "--upstream: "),
        (vec!["--upstream", ""], "--upstream: "),
        (with(&["--auth", "everybody"]), "'--auth <AUTH>'"),
        (with(&["--auth", "everybody"]), "possible values: anonymous, function"),
        (with(&["--domain", "mine"]), "possible values: builtin, custom"),
        (with(&["--keys", "/nowhere.json"]), "--keys: "),
        (with(&["--keys", "/nowhere.json"]), "/nowhere.json"),
        ([&upstream[..], &["--keys", secrets.path()]].concat(), "--keys: "),
        ([&upstream[..], &["--keys", text.path()]].concat(), "--keys: "),
        (
            [&upstream[..], &["--auth", "anonymous", "--keys", fine.path()]].concat(),
            "--keys: is for signatures (--auth function)",
        ),
        (with(&["--config", "/nowhere.json"]), "--config: /nowhere.json: "),
        ([&upstream[..], &["--config", odd.path()]].concat(), "--config: "),
        ([&upstream[..], &["--config", odd.path()]].concat(), "authType: must be anonymous, fun"),
        (with(&["--auth", "anonymous", "--listen", "nowhere"]), "--listen: "),
        (with(&["--auth", "anonymous", "--listen", "192.0.2.1:1"]), "--listen: "),
        (with(&[]), "ALIBABA_CLOUD_ACCESS_KEY_ID"),
        (with(&[]), "(or use --keys, or --auth anonymous)"),
        (with(&["--nonsense"]), "--nonsense"),
    ];
    for (args, text) in cases {
        let output = output(&args);
        assert!(!output.status.success(), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(text), "{args:?}: {error}");
        assert!(!error.contains("the-secret"), "{args:?}: {error}");
    }
}

#[tokio::test]
async fn the_trigger_is_the_one_that_is_configured() {
    let function = Function::hello().await;
    let json = File::new(
        "json",
        r#"{ "authType": "anonymous", "methods": ["GET", "PUT"], "disableURLInternet": true }"#,
    );
    let yaml = File::new(
        "yaml",
        "resources:
  first:
    component: fc3
    props:
      triggers:
        - triggerName: http
          triggerType: http
          triggerConfig:
            authType: anonymous
            methods: [GET, PUT]
            disableURLInternet: true
",
    );
    for file in [&json, &yaml] {
        let gateway = Gateway::start(&function.url, &["--config", file.path()]);
        for over in EVERY_WAY {
            for (method, status) in [("GET", 200), ("PUT", 200), ("POST", 405), ("OPTIONS", 405)] {
                let request = Request::builder().method(method).uri("/");
                let request = request.body(Empty::<Bytes>::new()).unwrap();
                let response = over.send(&gateway, request).await.unwrap();
                assert_eq!(response.status(), status, "{method}, {over:?}");
                if status == 405 {
                    assert_eq!(response.headers()["allow"], "GET, PUT");
                }
            }
        }
        // The public address is the built-in one.
        let args = ["--config", file.path(), "--domain", "builtin"];
        let gateway = Gateway::start(&function.url, &args);
        let response = Over::Http1.get(&gateway, "/").await;
        assert_eq!(response.status(), 403);
        assert!(refusal(response).await.contains("AccessDenied"));
        // The flag is more than the file.
        let keys = File::new("json", r#"{ "LTAI5tExample": "secret" }"#);
        let args = ["--config", file.path(), "--auth", "function", "--keys", keys.path()];
        let gateway = Gateway::start(&function.url, &args);
        let response = Over::Http1.get(&gateway, "/").await;
        assert_eq!(response.status(), 403);
        assert!(refusal(response).await.contains("MissingRequiredHeader"));
    }
}

#[tokio::test]
async fn what_is_refused_is_explained_where_it_is_asked_for() {
    let keys = File::new("json", r#"{ "LTAI5tExample": "the-secret" }"#);
    let refused = async |args: &[&str]| {
        let args = [&["--keys", keys.path()], args].concat();
        let gateway = Gateway::start("http://127.0.0.1:1", &args);
        let request = Request::get("/path?x-fc-security-token=the-token")
            .header("authorization", "FC LTAI5tExample:dGhlLXNpZ25hdHVyZQ==")
            .header("date", "Thu, 01 Jan 1970 00:00:00 GMT")
            .body(Empty::<Bytes>::new())
            .unwrap();
        let response = Over::Http1.send(&gateway, request).await.unwrap();
        let id = response.headers()["x-fc-request-id"].to_str().unwrap().to_owned();
        (id, response.status(), gateway.errors())
    };
    let (id, status, errors) = refused(&["--explain"]).await;
    assert!(errors.starts_with(&format!("{id}: {} AccessDenied: ", status.as_u16())), "{errors}");
    for secret in ["the-secret", "the-token", "dGhlLXNpZ25hdHVyZQ=="] {
        assert!(!errors.contains(secret), "{errors}");
    }
    let (_, _, errors) = refused(&[]).await;
    assert_eq!(errors, "");
    // Nothing is said twice.
    let gateway = Gateway::start("http://127.0.0.1:1", &[ANONYMOUS, &["--explain"]].concat());
    let (_sender, body) = Channel::<Bytes>::new(1);
    let request = Request::post("/").header("content-length", 40_000_000).body(body).unwrap();
    assert_eq!(Over::Http1.send(&gateway, request).await.unwrap().status(), 400);
    assert_eq!(gateway.errors().matches("33554432").count(), 1);
    // Also why a function cannot be reached.
    let gateway = Gateway::start("http://127.0.0.1:1", &[ANONYMOUS, &["--explain"]].concat());
    assert_eq!(Over::Http1.get(&gateway, "/").await.status(), 502);
    let errors = gateway.errors();
    assert!(errors.contains(" 502 BadResponse: ") && errors.contains("refused"), "{errors}");
}
