//! Requests that come by real proxies: HAProxy, Caddy and nginx, as people set them up.
//!
//! `verify` says in its documentation what they do, and how to set them up; these are the
//! configurations that it shows. Without the programs the tests are ignored, and a line says so;
//! with `CI` in the environment they fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/setup.rs"]
#[allow(dead_code, reason = "shared with tests that need other things")]
mod setup;

use axum::Router;
use http::{HeaderMap, Request, Uri};
use setup::{Need, ask, named, needing};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tower_fc::protocol::Schemes;
use tower_fc::{Credentials, Scheme, Signer, StaticKeys, VerifiedCaller, Verifier, VerifyLayer};

fn main() -> ExitCode {
    let haproxy = needing(
        Some(&HAPROXY),
        named![haproxy_changes_nothing, haproxy_takes_a_prefix_away_and_nothing_else],
    );
    let caddy = needing(
        Some(&CADDY),
        named![
            caddy_changes_nothing,
            caddy_with_handle_path_merges_slashes_and_dots,
            caddy_with_an_expression_takes_a_prefix_away_and_writes_marks_as_escapes,
        ],
    );
    let nginx = needing(
        Some(&NGINX),
        named![
            nginx_puts_a_host_of_its_own_in_place_of_the_one_that_was_signed,
            nginx_that_is_told_to_keep_the_host_changes_nothing,
            nginx_with_a_path_in_proxy_pass_merges_slashes_and_dots,
            nginx_that_passes_on_what_it_was_sent_takes_a_prefix_away_and_nothing_else,
        ],
    );
    setup::run(haproxy.chain(caddy).chain(nginx))
}

static HAPROXY: Need = LazyLock::new(|| program("haproxy", "-v"));
static CADDY: Need = LazyLock::new(|| program("caddy", "version"));
static NGINX: Need = LazyLock::new(|| program("nginx", "-v"));

/// A server is often where only its administrator looks.
fn program(name: &str, version: &str) -> Result<PathBuf, String> {
    let places = [name.into(), format!("/usr/sbin/{name}")];
    let found = places.iter().find(|place| ask(place, &[version]).is_some());
    found.map(PathBuf::from).ok_or_else(|| format!("no {name}: apt-get install {name}"))
}

// --- the proxies -----------------------------------------------------------------------------

/// What the documentation shows, in its lines.
const HAPROXY_ALL: &str = "
    backend app
        server app 127.0.0.1:8080
";
const HAPROXY_BELOW: &str = "
    backend app
        http-request replace-path ^/v2(/.*) \\1
        server app 127.0.0.1:8080
";
const CADDY_ALL: &str = "
    reverse_proxy 127.0.0.1:8080
";
const CADDY_MERGING: &str = "
    handle_path /v2/* {
        reverse_proxy 127.0.0.1:8080
    }
";
const CADDY_BELOW: &str = "
    handle /v2/* {
        uri path_regexp ^/v2(/.*) $1
        reverse_proxy 127.0.0.1:8080
    }
";
const NGINX_FIRST: &str = "
    location / {
        proxy_pass http://127.0.0.1:8080;
    }
";
const NGINX_ALL: &str = "
    location / {
        proxy_pass http://127.0.0.1:8080;
        proxy_set_header Host $http_host;
    }
";
const NGINX_MERGING: &str = "
    location /v2/ {
        proxy_pass http://127.0.0.1:8080/;
    }
";
const NGINX_BELOW: &str = "
    location /v2/ {
        if ($request_uri ~ ^/v2(/.*)$) {
            proxy_pass http://127.0.0.1:8080$1;
        }
    }
";

/// Those that the documentation recommends are in it, word for word.
fn is_documented(configuration: &str) -> bool {
    let documentation = include_str!("../../src/verify/mod.rs");
    let lines: Vec<_> =
        documentation.lines().map(|line| line.trim_start_matches("//!").trim()).collect();
    let wanted: Vec<_> =
        configuration.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.windows(wanted.len()).any(|window| window == wanted)
}

/// A proxy that is running, until it is dropped.
struct Proxy {
    process: Child,
    address: SocketAddr,
    folder: PathBuf,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Proxy {
    /// Starts a program with a configuration in a folder of its own, in front of a server.
    fn start(
        need: &Need,
        name: &str,
        configuration: &str,
        upstream: SocketAddr,
        whole: impl FnOnce(u16, &str, &str) -> String,
        arguments: impl FnOnce(&str) -> Vec<String>,
    ) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let folder = setup::scratch().join(format!("proxy-{name}-{}", address.port()));
        std::fs::create_dir_all(&folder).unwrap();
        let place = folder.to_str().unwrap();
        let configuration = configuration.replace("127.0.0.1:8080", &upstream.to_string());
        let file = folder.join("configuration");
        std::fs::write(&file, whole(address.port(), &configuration, place)).unwrap();
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let process = Command::new(need.as_ref().unwrap())
            .args(arguments(file.to_str().unwrap()))
            .env("HOME", place)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut proxy = Self { process, address, folder };
        let end = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            let has_ended = proxy.process.try_wait().unwrap().is_some();
            if has_ended || Instant::now() > end {
                let log = std::fs::read_to_string(proxy.folder.join("log")).unwrap();
                panic!("{name} does not listen:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        proxy
    }

    fn haproxy(configuration: &str, upstream: SocketAddr) -> Self {
        let whole = |port: u16, backend: &str, _: &str| {
            format!(
                "defaults\n mode http\n timeout connect 10s\n timeout client 60s\n \
                 timeout server 60s\nfrontend web\n bind 127.0.0.1:{port}\n \
                 default_backend app\n{backend}"
            )
        };
        let arguments = |file: &str| ["-db", "-f", file].map(str::to_owned).into();
        Self::start(&HAPROXY, "haproxy", configuration, upstream, whole, arguments)
    }

    fn caddy(configuration: &str, upstream: SocketAddr) -> Self {
        let whole = |port: u16, site: &str, _: &str| {
            format!("{{\n admin off\n auto_https off\n}}\nhttp://:{port} {{\n{site}}}\n")
        };
        let arguments = |file: &str| {
            ["run", "--adapter", "caddyfile", "--config", file].map(str::to_owned).into()
        };
        Self::start(&CADDY, "caddy", configuration, upstream, whole, arguments)
    }

    fn nginx(configuration: &str, upstream: SocketAddr) -> Self {
        let whole = |port: u16, locations: &str, place: &str| {
            let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|name| format!(" {name}_temp_path {place}/{name};\n"))
                .concat();
            format!(
                "daemon off;\nmaster_process off;\npid {place}/pid;\nerror_log stderr;\n\
                 events {{}}\nhttp {{\n access_log off;\n{temporary} server {{\n  \
                 listen 127.0.0.1:{port};\n{locations} }}\n}}\n"
            )
        };
        let arguments = |file: &str| ["-e", "stderr", "-c", file].map(str::to_owned).into();
        Self::start(&NGINX, "nginx", configuration, upstream, whole, arguments)
    }
}

// --- the server and the client ---------------------------------------------------------------

const ID: &str = "LTAI5tExample";
const SECRET: &str = "an-example-secret";
const SCHEMES: [Scheme; 3] = [Scheme::Fc, Scheme::Acs3HmacSha256, Scheme::Acs];

/// What is plain to every proxy, and what is not.
const PLAIN: [&str; 5] = ["/", "/p", "/p/q?a=b&c=x+y%20z", "/a%20b", "/%E4%BD%A0?q=%e4%bd%a0"];
const DOTS: [&str; 6] = ["//p", "/p//q", "/p/./q", "/p/../q", "/p/q/..", "/./"];
const MARKS: &str = "/~p/$q:@,'()*!";

fn all() -> impl Iterator<Item = &'static str> {
    PLAIN.into_iter().chain(DOTS).chain([MARKS])
}

/// A server that answers with the target as it arrived. Returns once it listens.
fn serve(configure: impl FnOnce(Verifier<StaticKeys>) -> Verifier<StaticKeys>) -> SocketAddr {
    let keys = StaticKeys::from_secrets([(ID, SECRET)]).unwrap();
    let verifier = configure(Verifier::new(keys).with_schemes(Schemes::all()));
    let echo = async |request: Request<axum::body::Body>| {
        let caller: &VerifiedCaller = request.extensions().get().unwrap();
        format!("{} {}", caller.access_key_id(), request.uri().path_and_query().unwrap())
    };
    let app = Router::new().fallback(echo).layer(VerifyLayer::new(verifier));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await
        })
    });
    address
}

/// The status and the body of what answers a target that is sent as it is, signed for `host`.
fn send(address: SocketAddr, scheme: Scheme, host: &str, target: &str) -> (u16, String) {
    let signer = Signer::new(Credentials::new(ID, SECRET).unwrap());
    let signer = signer.with_scheme(scheme).unwrap();
    let mut request = Request::new(());
    *request.uri_mut() = target.parse::<Uri>().unwrap();
    request.headers_mut().insert("host", host.parse().unwrap());
    request.headers_mut().insert("accept", "*/*".parse().unwrap());
    signer.sign_request(&mut request).unwrap();
    exchange(address, target, request.headers())
}

fn exchange(address: SocketAddr, target: &str, headers: &HeaderMap) -> (u16, String) {
    let mut text = format!("GET {target} HTTP/1.1\r\nConnection: close\r\n");
    for (name, value) in headers {
        write!(text, "{name}: {}\r\n", value.to_str().unwrap()).unwrap();
    }
    text.push_str("\r\n");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    (status, body)
}

/// The host that requests are sent to.
const NAME: &str = "api.example";

/// Checks that signed targets arrive as they were sent.
fn passes_all(proxy: &Proxy) {
    for scheme in SCHEMES {
        for target in all() {
            let (status, body) = send(proxy.address, scheme, NAME, target);
            assert_eq!(status, 200, "{scheme} {target}: {body}");
            assert!(body.contains(&format!("{ID} {target}")), "{scheme} {target}: {body}");
        }
    }
}

/// Checks that targets below the prefix arrive as others do, and that those with `//` and dots are
/// refused because they do not.
fn merges(proxy: &Proxy) {
    passes_below(proxy, &["/p", "/p/q?a=b"]);
    for scheme in SCHEMES {
        for target in DOTS {
            let (status, body) = send(proxy.address, scheme, NAME, &format!("/v2{target}"));
            assert_eq!(status, 403, "{scheme} {target}: {body}");
            assert!(body.contains("SignatureNotMatch"), "{scheme} {target}: {body}");
        }
    }
}

/// Checks that these targets, below a prefix, arrive without it and else as they were sent.
fn passes_below(proxy: &Proxy, targets: &[&str]) {
    for scheme in SCHEMES {
        for target in targets {
            let sent = format!("/v2{target}");
            let (status, body) = send(proxy.address, scheme, NAME, &sent);
            assert_eq!(status, 200, "{scheme} {sent}: {body}");
            assert!(body.contains(&format!("{ID} {target}")), "{scheme} {sent}: {body}");
            // Signed for what arrives, and not for what was sent: that is another request.
            let (status, _) = misdirected(proxy.address, scheme, target);
            assert_eq!(status, 403, "{scheme} {target}");
        }
    }
}

/// Sends below the prefix what was signed without it.
fn misdirected(address: SocketAddr, scheme: Scheme, target: &str) -> (u16, String) {
    let signer = Signer::new(Credentials::new(ID, SECRET).unwrap()).with_scheme(scheme).unwrap();
    let request = Request::get(target).header("host", NAME).header("accept", "*/*");
    let mut request = request.body(()).unwrap();
    signer.sign_request(&mut request).unwrap();
    exchange(address, &format!("/v2{target}"), request.headers())
}

fn below() -> SocketAddr {
    serve(|verifier| verifier.with_external_base(format!("http://{NAME}/v2")).unwrap())
}

// --- what they do ----------------------------------------------------------------------------

fn haproxy_changes_nothing() {
    passes_all(&Proxy::haproxy(HAPROXY_ALL, serve(|verifier| verifier)));
}

fn haproxy_takes_a_prefix_away_and_nothing_else() {
    assert!(is_documented(HAPROXY_BELOW));
    passes_below(&Proxy::haproxy(HAPROXY_BELOW, below()), &all().collect::<Vec<_>>());
}

fn caddy_changes_nothing() {
    passes_all(&Proxy::caddy(CADDY_ALL, serve(|verifier| verifier)));
}

fn caddy_with_handle_path_merges_slashes_and_dots() {
    merges(&Proxy::caddy(CADDY_MERGING, below()));
}

fn caddy_with_an_expression_takes_a_prefix_away_and_writes_marks_as_escapes() {
    assert!(is_documented(CADDY_BELOW));
    let proxy = Proxy::caddy(CADDY_BELOW, below());
    passes_below(&proxy, &PLAIN);
    passes_below(&proxy, &DOTS);
    // `acs` signs a path as it is written.
    for scheme in SCHEMES {
        let (status, body) = send(proxy.address, scheme, NAME, &format!("/v2{MARKS}"));
        let expected = if scheme == Scheme::Acs { 403 } else { 200 };
        assert_eq!(status, expected, "{scheme}: {body}");
    }
}

fn nginx_puts_a_host_of_its_own_in_place_of_the_one_that_was_signed() {
    let proxy = Proxy::nginx(NGINX_FIRST, serve(|verifier| verifier));
    let cured = serve(|verifier| verifier.with_external_base(format!("http://{NAME}")).unwrap());
    let cured = Proxy::nginx(NGINX_FIRST, cured);
    for target in all() {
        for scheme in SCHEMES {
            let signs_host = scheme == Scheme::Acs3HmacSha256;
            let (status, body) = send(proxy.address, scheme, NAME, target);
            assert_eq!(status, if signs_host { 403 } else { 200 }, "{scheme} {target}: {body}");
            assert_eq!(body.contains("SignatureNotMatch"), signs_host, "{scheme} {target}");
            let (status, body) = send(cured.address, scheme, NAME, target);
            assert_eq!(status, 200, "{scheme} {target}: {body}");
        }
    }
}

fn nginx_that_is_told_to_keep_the_host_changes_nothing() {
    assert!(is_documented(NGINX_ALL));
    passes_all(&Proxy::nginx(NGINX_ALL, serve(|verifier| verifier)));
}

fn nginx_with_a_path_in_proxy_pass_merges_slashes_and_dots() {
    merges(&Proxy::nginx(NGINX_MERGING, below()));
}

fn nginx_that_passes_on_what_it_was_sent_takes_a_prefix_away_and_nothing_else() {
    assert!(is_documented(NGINX_BELOW));
    passes_below(&Proxy::nginx(NGINX_BELOW, below()), &all().collect::<Vec<_>>());
}
