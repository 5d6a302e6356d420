//! CORS in a real browser: a page of one origin, in headless Chromium, and functions of another
//! behind triggers.
//!
//! `browser/cases.js` has the cases, and tells the page's own server what became of them. Without
//! Chromium the tests are ignored, and a line says so; with `CI` in the environment they fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/setup.rs"]
#[allow(dead_code, reason = "shared with tests that need other things")]
mod setup;

use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use serde_json::{Value, json};
use setup::{Need, named, needing};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tower_fc::trigger::{Cors, CorsConfig, HttpTrigger};
use tower_fc::{Credentials, Presigner, Scheme, StaticKeys, VerifiedCaller, Verifier, VerifyLayer};

const ID: &str = "LTAI5tExample";
const SECRET: &str = "an-example-secret";

fn main() -> ExitCode {
    let tests = named![
        scripts_of_another_origin_can_do_what_is_allowed,
        with_cors_switched_off_they_can_do_none_of_it,
    ];
    setup::run(needing(Some(&CHROMIUM), tests))
}

#[tokio::main(flavor = "current_thread")]
async fn scripts_of_another_origin_can_do_what_is_allowed() {
    let cases = run_page(|cors| cors).await;
    let faults: Vec<_> = cases.iter().filter_map(|case| case.fault.as_deref()).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Which shows that the page finds out when something is not allowed.
#[tokio::main(flavor = "current_thread")]
async fn with_cors_switched_off_they_can_do_none_of_it() {
    for case in run_page(|_| Cors::off()).await {
        assert_eq!(case.fault.is_some(), case.needs_cors, "{}: {:?}", case.name, case.fault);
    }
}

/// A case of the page, and what was wrong.
struct Case {
    name: String,
    /// Whether it is about something that is allowed, not about something that is refused.
    needs_cors: bool,
    fault: Option<String>,
}

impl Case {
    fn read(case: &Value) -> Self {
        let name = case["name"].as_str().unwrap().to_owned();
        let fault = case["fault"].as_str().map(|fault| format!("{name}: {fault}"));
        Self { name, needs_cors: case["needs_cors"].as_bool().unwrap(), fault }
    }
}

/// Has a browser run the cases against triggers whose CORS is changed by `change`.
async fn run_page(change: impl Fn(Cors) -> Cors) -> Vec<Case> {
    let page = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", page.local_addr().unwrap());
    let (report, mut reported) = mpsc::channel(1);
    let settings = serve_triggers(&address, change).await;
    let of_type = |name, text: &'static str| get(async move || ([("content-type", name)], text));
    let app = Router::new()
        .route("/", of_type("text/html", "<!doctype html><script src=cases.js></script>"))
        .route("/cases.js", of_type("text/javascript", include_str!("browser/cases.js")))
        .route("/settings", get(async move || Json(settings)))
        .route("/report", post(async move |Json(cases)| report.send(cases).await.unwrap()));
    tokio::spawn(async { axum::serve(page, app).await });

    let _one = ONE_AT_A_TIME.lock().await;
    let browser = Browser::open(&address);
    let cases = tokio::time::timeout(Duration::from_secs(120), reported.recv()).await;
    let Ok(Some(Value::Array(cases))) = cases else {
        panic!("the page did not finish:\n{}", browser.log());
    };
    let cases: Vec<_> = cases.iter().map(Case::read).collect();
    for case in &cases {
        println!("    {}", case.fault.clone().unwrap_or(format!("{}: as expected", case.name)));
    }
    cases
}

/// Serves a trigger for each way of setting it up, for pages of this origin. Returns what the
/// page has to know.
async fn serve_triggers(origin: &str, change: impl Fn(Cors) -> Cors) -> Value {
    let configured = CorsConfig::new([origin])
        .and_then(|config| config.with_methods(["GET", "POST", "PUT"]))
        .and_then(|config| {
            config.with_headers([
                "authorization",
                "content-type",
                "X-Acs-Content-Sha256",
                "x-acs-date",
                "x-acs-signature-nonce",
            ])
        })
        .and_then(|config| config.with_exposed_headers(["x-fc-request-id", "X-Exposed"]))
        .unwrap()
        .with_credentials();
    let any = CorsConfig::new(["*"]).and_then(|config| config.with_headers(["*"])).unwrap();
    let elsewhere = CorsConfig::new(["https://elsewhere.example", "https://*"]).unwrap();
    let cors = |config| change(Cors::configured(config).unwrap());

    let keys = StaticKeys::from_secrets([(ID, SECRET)]).unwrap();
    let schemes = [Scheme::Acs3HmacSha256, Scheme::FcPresigned];
    let signed = HttpTrigger::new(VerifyLayer::new(Verifier::new(keys).with_schemes(schemes)));
    let anonymous = HttpTrigger::anonymous;
    let function = || Router::new().fallback(function);
    let signed = serve(function().layer(signed.with_cors(cors(configured)))).await;
    let presigned = presign(&format!("{signed}/presigned?a=1"));
    json!({
        "open": serve(function().layer(anonymous().with_cors(change(Cors::default())))).await,
        "any": serve(function().layer(anonymous().with_cors(cors(any)))).await,
        "elsewhere": serve(function().layer(anonymous().with_cors(cors(elsewhere)))).await,
        "signed": signed,
        "presigned": presigned,
        "key": { "id": ID, "secret": SECRET },
    })
}

/// Under another name than the page, so that it is another site too.
async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async { axum::serve(listener, app).await });
    format!("http://localhost:{port}")
}

fn presign(url: &str) -> String {
    let presigner = Presigner::new(Credentials::new(ID, SECRET).unwrap());
    let request = Request::get(url).body(()).unwrap();
    let hour = Duration::from_secs(3600);
    presigner.presign_request_at(&request, hour, SystemTime::now()).unwrap().uri().to_string()
}

/// Tells what reached it, and sets headers by its path.
async fn function(
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    caller: Option<Extension<VerifiedCaller>>,
    body: Bytes,
) -> Response {
    let own: &[(&str, &str)] = match (uri.path(), &method) {
        ("/cookie", _) => &[("set-cookie", "seen=yes; Path=/; SameSite=None; Secure")],
        ("/own-origin", _) => &[("access-control-allow-origin", "https://elsewhere.example")],
        ("/own-preflight", &Method::OPTIONS) => &[("access-control-allow-methods", "PUT")],
        _ => &[("x-exposed", "seen"), ("x-hidden", "unseen")],
    };
    // A function that does not know OPTIONS.
    let status = match (&method, uri.path()) {
        (&Method::OPTIONS, path) if path != "/own-preflight" => StatusCode::METHOD_NOT_ALLOWED,
        _ => StatusCode::OK,
    };
    let said = json!({
        "method": method.as_str(),
        "caller": caller.map(|Extension(caller)| caller.access_key_id().to_owned()),
        "cookie": headers.get("cookie").map(|cookie| cookie.to_str().unwrap()),
        "body": String::from_utf8_lossy(&body),
    });
    let mut response = (status, Json(said)).into_response();
    for (name, value) in own {
        response.headers_mut().append(*name, HeaderValue::from_static(value));
    }
    response
}

// --- the browser -----------------------------------------------------------------------------

static CHROMIUM: Need = LazyLock::new(|| {
    let found = setup::ask("chromium", &["--version"]);
    found.map(|_| PathBuf::from("chromium")).ok_or("no chromium: apt-get install chromium".into())
});

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// A browser with one page open, and nothing of it left afterwards.
struct Browser {
    process: Child,
    folder: PathBuf,
}

impl Browser {
    fn open(page: &str) -> Self {
        // In no deep folder, since it has sockets there, whose paths are short.
        let folder = std::env::temp_dir().join(format!("tower-fc-{}", std::process::id()));
        let profile = folder.join("Default");
        std::fs::create_dir_all(&profile).unwrap();
        // Debian's blocks cookies of other sites, whatever CORS says.
        let preferences = r#"{"profile":{"cookie_controls_mode":0}}"#;
        std::fs::write(profile.join("Preferences"), preferences).unwrap();
        let log = File::create(log_in(&folder)).unwrap();
        let process = Command::new(CHROMIUM.as_ref().unwrap())
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-extensions", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync", "--enable-logging=stderr"])
            .arg(format!("--user-data-dir={}", folder.display()))
            .arg(page)
            .env("HOME", &folder)
            .env("TMPDIR", &folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { process, folder }
    }

    /// What it wrote.
    fn log(&self) -> String {
        std::fs::read_to_string(log_in(&self.folder)).unwrap_or_default()
    }
}

fn log_in(folder: &Path) -> PathBuf {
    folder.join("log")
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        // Its other processes end a moment later, and write until then.
        let mut tries = 0..50;
        while std::fs::remove_dir_all(&self.folder).is_err() && tries.next().is_some() {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
