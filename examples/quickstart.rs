//! Everything once: a server that verifies, a client that signs, and what becomes of
//! requests that are good, unsigned, changed on the way, too old, or signed by someone else.
//!
//!     cargo run --example quickstart
//!
//! Nothing leaves this machine. The exit code is 0 if every answer is the expected one.

use axum::{Extension, Router};
use bytes::Bytes;
use clap::Parser;
use http::{Method, Request, Response, StatusCode, Uri, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_fc::clock::FixedClock;
use tower_fc::error::BoxError;
use tower_fc::protocol::Schemes;
use tower_fc::{
    Credentials, Presigner, Scheme, SignLayer, Signer, StaticKeys, VerifiedCaller, Verifier,
    VerifyLayer,
};

/// Signs requests in every scheme, sends them to a server on loopback, and shows which get in.
#[derive(Parser)]
struct Args {}

const ID: &str = "LTAI5tExample";
const SECRET: &str = "example-secret";
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    Args::parse();
    let server = start_server().await?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let credentials = Credentials::new(ID, SECRET)?;
    let mut table = Table::default();

    // Signed requests get in, whatever the scheme.
    for &scheme in Scheme::ALL {
        for method in [Method::GET, Method::POST] {
            let name = format!("{:4} signed, scheme {scheme}", method.as_str());
            let mut request = request(&method, &server)?;
            let answer = if scheme == Scheme::FcPresigned {
                let presigner = Presigner::new(credentials.clone());
                let url = presigner.presign_request_at(&request, 10 * MINUTE, SystemTime::now())?;
                *request.uri_mut() = url.into_uri();
                send(client.clone(), request).await?
            } else {
                let signer = Signer::new(credentials.clone()).with_scheme(scheme)?;
                send(SignLayer::new(signer).layer(client.clone()), request).await?
            };
            table.add(name, (StatusCode::OK, ""), answer);
        }
    }

    // Others do not.
    let get = || request(&Method::GET, &server);
    let sign = SignLayer::new(credentials.clone());
    let an_hour_ago = SystemTime::now() - 60 * MINUTE;

    let answer = send(client.clone(), get()?).await?;
    table.add("GET  not signed", refused("MissingRequiredHeader"), answer);

    let elsewhere: Uri = format!("{server}/admin").parse()?;
    let tampering = ServiceBuilder::new().layer(sign.clone()).map_request(move |mut request| {
        *Request::uri_mut(&mut request) = elsewhere.clone();
        request
    });
    let answer = send(tampering.service(client.clone()), get()?).await?;
    table.add("GET  path changed after signing", refused("SignatureNotMatch"), answer);

    let late = sign.with_clock(FixedClock::at(an_hour_ago));
    let answer = send(late.layer(client.clone()), get()?).await?;
    table.add("GET  signed an hour ago", refused("AccessDenied"), answer);

    let mut request = get()?;
    let presigner = Presigner::new(credentials);
    let url = presigner.presign_request_at(&request, 10 * MINUTE, an_hour_ago)?;
    *request.uri_mut() = url.into_uri();
    let answer = send(client.clone(), request).await?;
    table.add("GET  presigned, and expired", refused("AccessDenied"), answer);

    let forger = SignLayer::new(Credentials::new(ID, "another-secret")?);
    let answer = send(forger.layer(client.clone()), get()?).await?;
    table.add("GET  signed with a wrong secret", refused("SignatureNotMatch"), answer);

    let stranger = SignLayer::new(Credentials::new("LTAI5tStranger", SECRET)?);
    let answer = send(stranger.layer(client), get()?).await?;
    table.add("GET  signed by an unknown key", refused("InvalidAccessKeyID"), answer);

    table.print()
}

/// Starts a server that lets in what is signed with `SECRET`, and returns its base URL.
async fn start_server() -> Result<String, BoxError> {
    let keys = StaticKeys::from_secrets([(ID, SECRET)])?;
    // FC and ACS3 are accepted by default; acs and presigned URLs are to be asked for.
    let verifier = Verifier::new(keys).with_schemes(Schemes::all());
    let app = Router::new().fallback(hello).layer(VerifyLayer::new(verifier));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(base)
}

async fn hello(Extension(caller): Extension<VerifiedCaller>) -> String {
    format!("hello {}", caller.access_key_id())
}

fn request(method: &Method, server: &str) -> http::Result<Request<Full<Bytes>>> {
    let request = Request::builder().method(method).uri(format!("{server}/orders?id=5&note=a%20b"));
    match *method {
        Method::POST => request.header(CONTENT_TYPE, "application/json").body("{}".into()),
        _ => request.body(Full::default()),
    }
}

/// A status, and the error code of Function Compute that came with it.
type Answer = (StatusCode, String);

async fn send<S>(client: S, request: Request<Full<Bytes>>) -> Result<Answer, BoxError>
where
    S: Service<Request<Full<Bytes>>, Response = Response<Incoming>, Error: Into<BoxError>>,
{
    let response = client.oneshot(request).await.map_err(Into::into)?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    let error = serde_json::from_slice::<serde_json::Value>(&body).unwrap_or_default();
    Ok((status, error["ErrorCode"].as_str().unwrap_or_default().to_owned()))
}

fn refused(code: &str) -> (StatusCode, &str) {
    (StatusCode::FORBIDDEN, code)
}

#[derive(Default)]
struct Table {
    lines: Vec<String>,
    differences: usize,
}

impl Table {
    fn add(&mut self, name: impl Into<String>, expected: (StatusCode, &str), got: Answer) {
        let differs = expected != (got.0, got.1.as_str());
        self.differences += usize::from(differs);
        let name = name.into();
        let (expected, got, code) = (expected.0.as_u16(), got.0.as_u16(), got.1);
        let remark = if differs { "  <-- not as expected" } else { "" };
        self.lines.push(format!("{name:33} {expected:8}  {got:3}  {code}{remark}"));
    }

    fn print(&self) -> Result<ExitCode, BoxError> {
        let mut out = io::stdout().lock();
        writeln!(out, "{:33} expected  got  FC error code", "request")?;
        for line in &self.lines {
            writeln!(out, "{}", line.trim_end())?;
        }
        let all = self.lines.len();
        writeln!(out, "\n{} of {all} as expected", all - self.differences)?;
        Ok(if self.differences == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
