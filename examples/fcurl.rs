//! A curl for signed requests.
//!
//!     export ALIBABA_CLOUD_ACCESS_KEY_ID=LTAI5tExample ALIBABA_CLOUD_ACCESS_KEY_SECRET=example-secret
//!     cargo run --example fcurl -- -i -d '{"a":1}' -H 'content-type: application/json' http://127.0.0.1:3000/hello
//!     cargo run --example fcurl -- --scheme acs3 --dry-run https://demo.example/hello?name=you

use bytes::Bytes;
use clap::Parser;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, SystemTime};
use tower_fc::error::BoxError;
use tower_fc::headers::{QUERY_SECURITY_TOKEN, QUERY_SIGNATURE, X_ACS_CONTENT_SHA256};
use tower_fc::protocol::parse_acs_date;
use tower_fc::{Credentials, Presigner, Scheme, Signer};

/// Sends one signed request and prints the answer. Fails on answers of 400 and above.
///
/// The access key is that of ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and
/// ALIBABA_CLOUD_SECURITY_TOKEN (optional). As with curl, `accept` is `*/*` and, with data,
/// `content-type` is `application/x-www-form-urlencoded`, unless they are given.
#[derive(Parser)]
#[command(name = "fcurl")]
struct Args {
    /// Where to send the request: http://host[:port]/path[?query], percent-encoded.
    url: String,

    /// The method. By default GET, or POST with data.
    #[arg(short = 'X', long, value_name = "METHOD", value_parser = method)]
    request: Option<Method>,

    /// A header. May be repeated.
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(HeaderName, HeaderValue)>,

    /// The body: a text, @FILE for the bytes of a file, or @- for those of standard input.
    #[arg(short, long, allow_hyphen_values = true)]
    data: Option<String>,

    /// How to sign: fc, acs3, acs3-sm3 (where built in) or acs.
    #[arg(long, default_value = "fc", value_parser = scheme)]
    scheme: Scheme,

    /// Sign in the URL instead, which then works for so long.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "scheme")]
    presign: Option<Duration>,

    /// Sign as of this time: 2026-11-21T17:57:00Z, or seconds since 1970.
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    at: Option<SystemTime>,

    /// Send nothing. Print what is signed, and a curl command line, without their secrets.
    #[arg(long)]
    dry_run: bool,

    /// Leave the secrets in what --dry-run prints, so that its command line works.
    #[arg(long, requires = "dry_run")]
    reveal: bool,

    /// Print the status and the headers of the answer, too.
    #[arg(short, long)]
    include: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                let _ = write!(text, ": {error}");
                cause = error.source();
            }
            eprintln!("fcurl: {text}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), BoxError> {
    let credentials = Credentials::from_env()?;
    let (mut head, body) = request(&args)?.into_parts();
    let now = args.at.unwrap_or_else(SystemTime::now);
    let mut signed = Vec::new();

    if let Some(lifetime) = args.presign {
        let presigner = Presigner::new(credentials);
        let text = presigner.string_to_sign_at(&head, lifetime, now)?;
        signed.push(("string-to-sign", text));
        head.uri = presigner.presign_at(&head, lifetime, now)?.into_uri();
    } else {
        let signer = Signer::new(credentials).with_scheme(args.scheme)?;
        if let Some(canonical) = signer.canonical_request_at(&head, now)? {
            signed.push(("canonical request", canonical));
        }
        signed.push(("string-to-sign", signer.string_to_sign_at(&head, now)?));
        signer.sign_at(&mut head, now)?;
    }

    if args.dry_run {
        let text = explanation(&head, &signed, args.data.as_deref(), args.reveal);
        return Ok(io::stdout().write_all(text.as_bytes())?);
    }
    if head.uri.scheme_str() == Some("https") {
        return Err("https is not built in, to keep this example small: use --dry-run --reveal \
                    and run the curl command it prints, or see the example sign_reqwest"
            .into());
    }
    send(Request::from_parts(head, Full::new(body)), args.include).await
}

/// The request that the command line describes, not yet signed.
fn request(args: &Args) -> Result<Request<Bytes>, BoxError> {
    let url = &args.url;
    let uri = Uri::from_str(url).map_err(|error| {
        format!(
            "the URL {url:?} is not one (spaces and the like have to be percent-encoded): {error}"
        )
    })?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(format!("the URL {url:?} must begin with http:// or https://").into());
    }
    let body = match &args.data {
        Some(data) => body(data).map_err(|error| format!("the data {data:?}: {error}"))?,
        None => Bytes::new(),
    };
    let default_method = if args.data.is_some() { Method::POST } else { Method::GET };

    let mut request = Request::new(body);
    *request.method_mut() = args.request.clone().unwrap_or(default_method);
    *request.uri_mut() = uri;
    let digest = digest(args.scheme, request.body());
    let headers = request.headers_mut();
    for (name, value) in &args.header {
        headers.append(name, value.clone());
    }
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    if args.data.is_some() {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.entry(CONTENT_TYPE).or_insert(form);
    }
    if let Some(digest) = digest {
        headers.entry(&X_ACS_CONTENT_SHA256).or_insert(digest.parse()?);
    }
    Ok(request)
}

fn body(data: &str) -> io::Result<Bytes> {
    match data.strip_prefix('@') {
        Some("-") => {
            let mut body = Vec::new();
            io::stdin().read_to_end(&mut body)?;
            Ok(body.into())
        }
        Some(file) => Ok(std::fs::read(file)?.into()),
        None => Ok(data.to_owned().into()),
    }
}

/// What the ACS3 schemes sign of a body: its hash, in hexadecimal.
fn digest(scheme: Scheme, body: &[u8]) -> Option<String> {
    let hash = match scheme {
        Scheme::Acs3HmacSha256 => Sha256::digest(body).to_vec(),
        #[cfg(feature = "sm3")]
        Scheme::Acs3HmacSm3 => sm3::Sm3::digest(body).to_vec(),
        _ => return None,
    };
    Some(hash.iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn send(request: Request<Full<Bytes>>, include: bool) -> Result<(), BoxError> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut response = client.request(request).await?;
    let status = response.status();
    let mut out = io::stdout().lock();
    if include {
        writeln!(out, "{:?} {status}", response.version())?;
        for (name, value) in response.headers() {
            writeln!(out, "{name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
        writeln!(out)?;
    }
    let mut last = None;
    while let Some(frame) = response.frame().await {
        if let Some(data) = frame?.data_ref() {
            out.write_all(data)?;
            last = data.last().copied().or(last);
        }
    }
    if out.is_terminal() && last.is_some_and(|byte| byte != b'\n') {
        writeln!(out)?;
    }
    out.flush()?;
    if status.is_client_error() || status.is_server_error() {
        return Err(format!("the answer was {status}").into());
    }
    Ok(())
}

/// What is signed, what is sent, and how curl would send it.
fn explanation(
    head: &Parts,
    signed: &[(&str, Vec<u8>)],
    data: Option<&str>,
    reveal: bool,
) -> String {
    let hidden = Hidden::of(head, reveal);
    let mut text = String::new();
    for (title, bytes) in signed {
        let bytes = hidden.redact(&String::from_utf8_lossy(bytes));
        let _ = writeln!(text, "# {title}\n{bytes}\n");
    }
    let uri = hidden.redact(&head.uri.to_string());
    let _ = writeln!(text, "# request\n{} {uri}", head.method);
    let mut headers = String::new();
    for (name, value) in &head.headers {
        let value = hidden.redact(&String::from_utf8_lossy(value.as_bytes()));
        let _ = writeln!(text, "{name}: {value}");
        // To curl, "name:" is a header to leave out.
        let separator = if value.is_empty() { ";" } else { ": " };
        let _ = write!(headers, " -H {}", quoted(&format!("{name}{separator}{value}")));
    }
    let _ = write!(text, "\n# curl\ncurl");
    match (&head.method, data) {
        (&Method::GET, None) | (&Method::POST, Some(_)) => {}
        (&Method::HEAD, None) => text.push_str(" --head"),
        (method, _) => {
            let _ = write!(text, " -X {}", quoted(method.as_str()));
        }
    }
    text.push_str(&headers);
    if let Some(data) = data {
        let _ = write!(text, " --data-binary {}", quoted(data));
    }
    // So that curl, too, sends the URL as it is.
    let _ = writeln!(text, " --globoff --path-as-is {}", quoted(&uri));
    text
}

/// Quotes an argument for a POSIX shell.
fn quoted(argument: &str) -> String {
    format!("'{}'", argument.replace('\'', r"'\''"))
}

/// The secrets of a signed request, and what is shown in their place.
struct Hidden(Vec<(String, &'static str)>);

impl Hidden {
    fn of(head: &Parts, reveal: bool) -> Self {
        let mut secrets = Vec::new();
        let mut hide = |secret: &str, shown| {
            if !secret.is_empty() && !reveal {
                secrets.push((secret.to_owned(), shown));
            }
        };
        let header = |name: &HeaderName| head.headers.get(name).and_then(|it| it.to_str().ok());
        let token = std::env::var("ALIBABA_CLOUD_SECURITY_TOKEN").unwrap_or_default();
        hide(&token, "<security token>");
        let authorization = header(&AUTHORIZATION).unwrap_or_default();
        let signature = authorization.rsplit_once("Signature=").or(authorization.rsplit_once(':'));
        hide(signature.map_or(authorization, |(_, signature)| signature), "<signature>");
        for pair in head.uri.query().unwrap_or_default().split('&') {
            let (key, value) = pair.split_once('=').unwrap_or_default();
            match key {
                QUERY_SECURITY_TOKEN => hide(value, "<security token>"),
                QUERY_SIGNATURE => hide(value, "<signature>"),
                _ => {}
            }
        }
        Self(secrets)
    }

    fn redact(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (secret, shown)| text.replace(secret, shown))
    }
}

fn method(text: &str) -> Result<Method, &'static str> {
    Method::from_str(text).map_err(|_| "a method is made of letters, digits and !#$%&'*+-.^_`|~")
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("a header is written as NAME: VALUE")?;
    let name = HeaderName::from_str(name)
        .map_err(|_| format!("{name:?} cannot be the name of a header"))?;
    if [CONTENT_LENGTH, TRANSFER_ENCODING].contains(&name) {
        return Err(format!("{name} follows from the data"));
    }
    let value = HeaderValue::from_bytes(value.trim().as_bytes())
        .map_err(|_| "the value of a header cannot contain control characters")?;
    Ok((name, value))
}

fn scheme(name: &str) -> Result<Scheme, String> {
    match Scheme::from_str(name).map_err(|error| error.to_string())? {
        Scheme::FcPresigned => Err("use --presign SECONDS instead".to_owned()),
        scheme => Ok(scheme),
    }
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    text.parse().map(Duration::from_secs).map_err(|_| "must be a whole number of seconds")
}

fn time(text: &str) -> Result<SystemTime, &'static str> {
    let unix = || SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(text.parse().ok()?));
    parse_acs_date(text.as_bytes())
        .or_else(unix)
        .ok_or("must be a time such as 2026-11-21T17:57:00Z, or seconds since 1970")
}
