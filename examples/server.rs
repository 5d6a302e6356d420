//! A server behind `VerifyLayer` that answers every request it lets in with what it saw, as JSON.
//!
//!     export ALIBABA_CLOUD_ACCESS_KEY_ID=LTAI5tExample ALIBABA_CLOUD_ACCESS_KEY_SECRET=example-secret
//!     cargo run --example server
//!     cargo run -p fcurl -- http://127.0.0.1:3000/hello             (in another terminal)

use axum::body::Body;
use axum::response::IntoResponse;
use axum::{Extension, Json, Router};
use clap::Parser;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, SystemTime};
use tower_fc::error::BoxError;
use tower_fc::protocol::{Dialect, Dialects, Schemes, format_acs_date};
use tower_fc::verify::Mode;
use tower_fc::{Credentials, Scheme, StaticKeys, VerifiedCaller, Verifier, VerifyLayer};

/// Verifies signed requests over HTTP/1.1 and HTTP/2 (h2c). Whatever the path and the method,
/// those it lets in are answered with 200 and what the server saw of them, as JSON.
///
/// Access keys come from ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and
/// ALIBABA_CLOUD_SECURITY_TOKEN (optional), or from a file.
#[derive(Parser)]
#[command(name = "server")]
struct Args {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3000")]
    listen: String,

    /// A JSON object of access key ids and their secrets, in place of the environment.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,

    /// The schemes to accept: all, or some of fc, acs3, presigned, acs, acs3-sm3.
    #[arg(long, value_name = "LIST", value_parser = schemes, default_value = "fc,acs3")]
    schemes: Schemes,

    /// The dialects to accept: all, or some of standard, fc/py-gateway, …
    #[arg(long, value_name = "LIST", value_parser = dialects, default_value = "standard")]
    dialects: Dialects,

    /// How far the clocks of client and server may differ.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_hyphen_values = true)]
    #[arg(default_value = "900")]
    skew: Duration,

    /// Whether unsigned requests are refused, or let in as anonymous.
    #[arg(long, value_parser = ["required", "optional"], default_value = "required")]
    mode: String,

    /// Accept what the strict rules refuse as ambiguous, and say so in the answer. Insecure.
    #[arg(long)]
    lenient: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), BoxError> {
    let keys = match &args.keys {
        Some(file) => keys_of(file).map_err(|error| format!("{}: {error}", file.display()))?,
        None => {
            let own =
                Credentials::from_env().map_err(|error| format!("{error} (or use --keys)"))?;
            StaticKeys::new().with_key(own.access_key_id(), own.key().clone())
        }
    };
    let mut verifier = Verifier::new(keys)
        .with_schemes(args.schemes)
        .with_dialects(args.dialects)
        .with_max_skew(args.skew);
    if args.lenient {
        verifier = verifier.with_insecure_observation();
    }
    let mode = if args.mode == "optional" { Mode::Optional } else { Mode::Required };
    let app = Router::new().fallback(describe).layer(VerifyLayer::new(verifier).with_mode(mode));

    let listen = &args.listen;
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen on {listen:?}: {error}"))?;
    let mut out = io::stdout();
    writeln!(out, "listening on http://{}", listener.local_addr()?)?;
    out.flush()?;
    Ok(axum::serve(listener, app).await?)
}

/// The answer to a request that was let in.
async fn describe(
    caller: Option<Extension<VerifiedCaller>>,
    request: Request<Body>,
) -> impl IntoResponse {
    let (head, body) = request.into_parts();
    let Some(body_length) = length(body).await else {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "the body broke off" })));
    };
    let target = head.uri.path_and_query().map_or_else(|| head.uri.to_string(), <_>::to_string);
    let seen = json!({
        "method": head.method.as_str(),
        "target": target,
        "headers": pairs(&head.headers),
        "body_length": body_length,
        "identity": caller.map(|Extension(caller)| identity(&caller)),
    });
    (StatusCode::OK, Json(seen))
}

/// Reads a body of any size to its end, keeping none of it.
async fn length(mut body: Body) -> Option<u64> {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame.ok()?.data_ref().map_or(0, |data| data.len() as u64);
    }
    Some(length)
}

fn pairs(headers: &HeaderMap) -> Value {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    headers.iter().map(|(name, value)| json!([name.as_str(), text(value.as_bytes())])).collect()
}

fn identity(caller: &VerifiedCaller) -> Value {
    let time = |time: SystemTime| String::from_utf8_lossy(&format_acs_date(time)).into_owned();
    let ambiguities = caller.ambiguities().map(|each| each.rule()).collect::<Vec<_>>();
    json!({
        "access_key_id": caller.access_key_id(),
        "scheme": caller.scheme().name(),
        "dialect": caller.dialect().name(),
        "signed_at": caller.signed_at().map(time),
        "expires_at": caller.expires_at().map(time),
        "covers_body": caller.covers_body(),
        "ambiguities": ambiguities,
    })
}

fn keys_of(file: &Path) -> Result<StaticKeys, BoxError> {
    let secrets: BTreeMap<String, String> = serde_json::from_slice(&std::fs::read(file)?)
        .map_err(|error| format!("not a JSON object of access key ids and secrets: {error}"))?;
    Ok(StaticKeys::from_secrets(secrets)?)
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    text.parse().map(Duration::from_secs).map_err(|_| "must be a whole number of seconds")
}

fn schemes(list: &str) -> Result<Schemes, String> {
    if list == "all" {
        return Ok(Schemes::all());
    }
    let known = || Scheme::ALL.iter().map(|scheme| scheme.name());
    list.split(',')
        .map(|name| Scheme::from_str(name).map_err(|error| choices(&error.to_string(), known())))
        .collect()
}

/// Takes the names of dialects, and their ends (`py-gateway`) where only one has it.
fn dialects(list: &str) -> Result<Dialects, String> {
    if list == "all" {
        return Ok(Dialects::all());
    }
    let names = || Dialect::ALL.iter().map(|dialect| dialect.name());
    let dialect = |name: &str| {
        let ending = |full: &&str| full.split_once('/').is_some_and(|(_, end)| end == name);
        let candidates: Vec<_> = names().filter(ending).collect();
        match (Dialect::from_str(name), candidates.as_slice()) {
            (Err(_), [only]) => Dialect::from_str(only).map_err(|error| error.to_string()),
            (Err(error), []) => Err(choices(&error.to_string(), names())),
            (Err(_), several) => {
                Err(choices(&format!("several dialects end in {name:?}"), several.iter().copied()))
            }
            (Ok(dialect), _) => Ok(dialect),
        }
    };
    list.split(',').map(dialect).collect()
}

fn choices<'a>(problem: &str, names: impl Iterator<Item = &'a str>) -> String {
    format!("{problem}; choose from {}", names.collect::<Vec<_>>().join(", "))
}
