//! What the program is told.

use crate::data::{Piece, Way};
use crate::exit::Failure;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, ValueEnum};
use clap_complete::Shell;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, Method};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, SystemTime};
use tower_fc::Scheme;
use tower_fc::digest::{DigestHeader, Md5Encoding};
use tower_fc::protocol::{Ambiguity, parse_acs_date};

const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nProtocols: http https\nFeatures: HTTP2 SSL libz\n",
    "Schemes: fc fc-presigned acs3 acs3-sm3 acs"
);

const EXIT_CODES: &str = "Exit codes: 1 neither http nor https, 2 flags, keys, or a request that is \
    not signed, 3 no URL, 6 no such host, 7 no connection, 16 and 92 HTTP/2, 18 a part of an answer, \
    22 -f, 23 writing, 26 reading, 28 too late, 35 TLS, 47 redirects, 52 no answer, 55 sending, 56 \
    receiving, 60 a certificate, 61 compression, 67 no key for the role, 77 --cacert";

/// Sends a request that is signed for Function Compute, and has curl's habits.
///
/// Flags that curl has mean what they mean there, and exit codes are curl's. The access key is
/// that of --access-key-id, or of --profile, or of ALIBABA_CLOUD_ACCESS_KEY_ID,
/// ALIBABA_CLOUD_ACCESS_KEY_SECRET and ALIBABA_CLOUD_SECURITY_TOKEN (optional), or of the default
/// profile, whichever is there first.
#[derive(Parser)]
#[command(name = "fcurl", version, long_version = VERSION, after_long_help = EXIT_CODES)]
#[command(args_override_self = true)]
pub(crate) struct Args {
    /// Where to send the request: [http[s]://]host[:port][/path][?query].
    #[arg(required_unless_present_any = ["completions", "man"])]
    url: Option<String>,

    /// The method. By default GET, POST with data, PUT with -T, HEAD with -I.
    #[arg(short = 'X', long, value_name = "METHOD", value_parser = method)]
    pub(crate) request: Option<Method>,

    /// A header. "NAME:" leaves one out that is sent by itself, "NAME;" is an empty one, @FILE
    /// has one on each line.
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = header)]
    pub(crate) header: Vec<Header>,

    /// Data to send as a form: a text, @FILE without its line ends, @- for the standard input.
    /// Several are joined by &.
    #[arg(short, long, alias = "data-ascii", allow_hyphen_values = true, help_heading = "Bodies")]
    data: Vec<String>,

    /// The same, where @ means nothing.
    #[arg(long, value_name = "DATA", allow_hyphen_values = true, help_heading = "Bodies")]
    data_raw: Vec<String>,

    /// The same, where a file stays as it is.
    #[arg(long, value_name = "DATA", allow_hyphen_values = true, help_heading = "Bodies")]
    data_binary: Vec<String>,

    /// The same, percent-encoded: CONTENT, NAME=CONTENT, @FILE or NAME@FILE.
    #[arg(long, value_name = "DATA", allow_hyphen_values = true, help_heading = "Bodies")]
    data_urlencode: Vec<String>,

    /// JSON to send: --data-binary, with the headers content-type and accept for it.
    #[arg(long, value_name = "DATA", allow_hyphen_values = true, help_heading = "Bodies")]
    json: Vec<String>,

    /// A file to send as it is, - for the standard input, by PUT. A URL that ends with a slash
    /// gets its name.
    #[arg(short = 'T', long, value_name = "FILE", allow_hyphen_values = true)]
    #[arg(help_heading = "Bodies", conflicts_with_all = ["data", "data_raw", "data_binary", "data_urlencode", "json", "head"])]
    pub(crate) upload_file: Option<String>,

    /// Put the data into the query, and send no body.
    #[arg(short = 'G', long, help_heading = "Bodies")]
    pub(crate) get: bool,

    /// How to sign.
    #[arg(long, default_value = "fc", value_parser = schemes(), help_heading = "Signing")]
    pub(crate) scheme: Scheme,

    /// Sign in the URL instead, which then works for so long.
    #[arg(long, value_name = "SECONDS", value_parser = whole_seconds, conflicts_with = "scheme")]
    #[arg(help_heading = "Signing")]
    pub(crate) presign: Option<Duration>,

    /// The digest of the body that is sent and signed. auto is the one of the scheme: md5 for fc
    /// and acs, sha256 for acs3, sm3 for acs3-sm3.
    #[arg(long, value_enum, default_value = "auto", help_heading = "Signing")]
    pub(crate) digest: Digest,

    /// Make the request unique by a signed nonce, a random one or this.
    #[arg(long, value_name = "NONCE", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "", help_heading = "Signing")]
    pub(crate) nonce: Option<String>,

    /// Sign what can be read in this other way too, which the error names. A server has to let it
    /// through as well.
    #[arg(long, value_name = "AMBIGUITY", value_parser = ambiguities(), help_heading = "Signing")]
    pub(crate) allow: Vec<Ambiguity>,

    /// Sign as of this time: 2026-11-21T17:57:00Z, or seconds since 1970.
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    #[arg(help_heading = "Signing")]
    pub(crate) at: Option<SystemTime>,

    /// Send nothing. Print what is signed, and a curl command line, without their secrets.
    #[arg(long, help_heading = "Signing")]
    pub(crate) dry_run: bool,

    /// Send nothing. Print a curl command line that sends the same, without its secrets.
    #[arg(long, help_heading = "Signing", conflicts_with = "dry_run")]
    pub(crate) print_curl: bool,

    /// Leave signature and security token in what --dry-run, --print-curl and -v print. A command
    /// line works only with them.
    #[arg(long, help_heading = "Signing")]
    pub(crate) reveal: bool,

    /// The id of the access key.
    #[arg(long, value_name = "ID", requires = "access_key_secret", help_heading = "Access keys")]
    pub(crate) access_key_id: Option<String>,

    /// Its secret: @FILE, or @- for the standard input. Given as it is, every user of the
    /// machine can see it.
    #[arg(long, value_name = "SECRET", requires = "access_key_id", help_heading = "Access keys")]
    pub(crate) access_key_secret: Option<String>,

    /// The security token of a temporary access key, given by STS; @FILE as above.
    #[arg(long, value_name = "TOKEN", requires = "access_key_id", help_heading = "Access keys")]
    pub(crate) security_token: Option<String>,

    /// A profile of the credentials file, or else of the configuration of the command line
    /// interface aliyun. By default ALIBABA_CLOUD_PROFILE.
    #[arg(long, value_name = "NAME", help_heading = "Access keys")]
    #[arg(conflicts_with = "access_key_id")]
    pub(crate) profile: Option<String>,

    /// The file that has profiles: INI, or JSON of aliyun. By default
    /// ALIBABA_CLOUD_CREDENTIALS_FILE, ~/.alibabacloud/credentials and ~/.aliyun/config.json.
    #[arg(long, value_name = "FILE", help_heading = "Access keys")]
    #[arg(conflicts_with = "access_key_id")]
    pub(crate) credentials_file: Option<PathBuf>,

    /// Sign as this role, for whose key STS is asked first. By default that of the profile.
    #[arg(long, value_name = "ARN", help_heading = "Access keys")]
    pub(crate) role_arn: Option<String>,

    /// What a role is to be called in logs. By default ALIBABA_CLOUD_ROLE_SESSION_NAME, or fcurl.
    #[arg(long, value_name = "NAME", help_heading = "Access keys")]
    pub(crate) role_session_name: Option<String>,

    /// Where to ask for the key of a role. By default ALIBABA_CLOUD_STS_ENDPOINT, that of the
    /// region in the profile, or sts.aliyuncs.com.
    #[arg(long, value_name = "HOST", help_heading = "Access keys")]
    pub(crate) sts_endpoint: Option<String>,

    /// Print status and headers of the answer, too.
    #[arg(short, long, help_heading = "Output")]
    pub(crate) include: bool,

    /// Send HEAD, and print status and headers of the answer.
    #[arg(short = 'I', long, help_heading = "Output")]
    pub(crate) head: bool,

    /// Write the answer to a file.
    #[arg(
        short,
        long,
        value_name = "FILE",
        help_heading = "Output",
        conflicts_with = "remote_name"
    )]
    pub(crate) output: Option<PathBuf>,

    /// Write the answer to a file that is named as in the URL.
    #[arg(short = 'O', long, help_heading = "Output")]
    pub(crate) remote_name: bool,

    /// Say nothing of progress and errors.
    #[arg(short, long, help_heading = "Output")]
    pub(crate) silent: bool,

    /// With -s, say what goes wrong all the same.
    #[arg(short = 'S', long, help_heading = "Output")]
    pub(crate) show_error: bool,

    /// Say on the standard error what is sent and received.
    #[arg(short, long, help_heading = "Output")]
    pub(crate) verbose: bool,

    /// Fail with 22 on answers of 400 and above, without their bodies.
    #[arg(short, long, help_heading = "Output")]
    pub(crate) fail: bool,

    /// Fail with 22 on answers of 400 and above, after their bodies.
    #[arg(long, help_heading = "Output", conflicts_with = "fail")]
    pub(crate) fail_with_body: bool,

    /// What to print at the end, with %{variables} as curl has them; @FILE has it.
    #[arg(short, long, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) write_out: Option<String>,

    /// Follow redirects to the same origin, each signed anew.
    #[arg(short = 'L', long, help_heading = "Connection")]
    pub(crate) location: bool,

    /// How many redirects to follow, -1 for all.
    #[arg(long, value_name = "NUMBER", default_value = "50", allow_hyphen_values = true)]
    #[arg(help_heading = "Connection")]
    pub(crate) max_redirs: i64,

    /// Let any certificate pass.
    #[arg(short = 'k', long, help_heading = "Connection")]
    pub(crate) insecure: bool,

    /// The certificates to trust, in PEM, in place of the system's. By default CURL_CA_BUNDLE.
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    pub(crate) cacert: Option<PathBuf>,

    /// How long all may take.
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds, help_heading = "Connection")]
    pub(crate) max_time: Option<Duration>,

    /// How long connecting may take.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = "Connection")]
    pub(crate) connect_timeout: Option<Duration>,

    /// Ask for a compressed answer, and print it as it was before.
    #[arg(long, help_heading = "Connection")]
    pub(crate) compressed: bool,

    /// The user agent, nobody if it is empty.
    #[arg(short = 'A', long, value_name = "NAME", help_heading = "Connection")]
    pub(crate) user_agent: Option<String>,

    /// Speak HTTP/1.1. By default it is HTTP/2 where TLS says so.
    #[arg(long = "http1.1", help_heading = "Connection")]
    pub(crate) http1: bool,

    /// Speak HTTP/2 where TLS says so, as without this.
    #[arg(long, help_heading = "Connection")]
    http2: bool,

    /// Speak HTTP/2, also without TLS.
    #[arg(long, help_heading = "Connection", conflicts_with = "http1")]
    pub(crate) http2_prior_knowledge: bool,

    /// Leave dot segments in the path.
    #[arg(long, help_heading = "Connection")]
    pub(crate) path_as_is: bool,

    /// Brackets and braces mean nothing in a URL, with or without this.
    #[arg(short, long, help_heading = "Connection")]
    globoff: bool,

    /// Print what a shell needs to complete these flags.
    #[arg(long, value_name = "SHELL", value_enum, exclusive = true, help_heading = "Installing")]
    pub(crate) completions: Option<Shell>,

    /// Print the man page, in roff.
    #[arg(long, exclusive = true, help_heading = "Installing")]
    pub(crate) man: bool,

    /// The data, in the order of the command line.
    #[arg(skip)]
    pub(crate) pieces: Vec<Piece>,
}

impl Args {
    /// Those of this process. Ends it, with curl's exit code, when they are no good.
    pub(crate) fn of_process() -> Self {
        let matches = Self::command().get_matches();
        let mut args = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        args.pieces = pieces(&matches);
        if args.head && !args.get && !args.pieces.is_empty() {
            let message = "-I sends HEAD, and data POST: use -G, or -X to say which it is";
            Self::command().error(clap::error::ErrorKind::ArgumentConflict, message).exit();
        }
        args
    }

    /// Whether nothing is to be sent.
    pub(crate) fn prints_only(&self) -> bool {
        self.dry_run || self.print_curl
    }

    pub(crate) fn url(&self) -> &str {
        self.url.as_deref().unwrap_or_default()
    }
}

/// All data, in its order.
fn pieces(matches: &ArgMatches) -> Vec<Piece> {
    let mut found = Vec::new();
    for (id, way) in [
        ("data", Way::Data),
        ("data_raw", Way::Raw),
        ("data_binary", Way::Binary),
        ("data_urlencode", Way::UrlEncode),
        ("json", Way::Json),
    ] {
        let texts = matches.get_many::<String>(id).into_iter().flatten();
        let at = matches.indices_of(id).into_iter().flatten();
        found.extend(at.zip(texts).map(|(at, text)| (at, Piece { way, text: text.clone() })));
    }
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, piece)| piece).collect()
}

/// A header of the command line.
#[derive(Clone, Debug)]
pub(crate) enum Header {
    Set(HeaderName, HeaderValue),
    /// One that is not to be sent.
    Without(HeaderName),
    /// More of them, a line each.
    File(String),
}

pub(crate) fn header(text: &str) -> Result<Header, String> {
    if let Some(file) = text.strip_prefix('@') {
        return Ok(Header::File(file.to_owned()));
    }
    let (name, value) = match (text.split_once(':'), text.strip_suffix(';')) {
        (Some((name, value)), _) => (name, Some(value.trim()).filter(|value| !value.is_empty())),
        (None, Some(name)) => (name, Some("")),
        (None, None) => return Err("a header is written as NAME: VALUE".to_owned()),
    };
    let name = HeaderName::from_str(name.trim_end())
        .map_err(|_| "the name of a header is made of letters, digits and !#$%&'*+-.^_`|~")?;
    if name == AUTHORIZATION {
        return Err("authorization is what fcurl writes".to_owned());
    }
    if [CONTENT_LENGTH, TRANSFER_ENCODING].contains(&name) {
        return Err(format!("{name} follows from the data"));
    }
    let Some(value) = value else { return Ok(Header::Without(name)) };
    let value = HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| "the value of a header cannot contain control characters")?;
    Ok(Header::Set(name, value))
}

/// The headers of a file, a line each.
pub(crate) fn headers_of(file: &str, text: &str) -> Result<Vec<Header>, Failure> {
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    lines
        .map(|(line, number)| {
            match header(line) {
                Ok(Header::File(_)) => Err("is a file of its own".to_owned()),
                read => read,
            }
            .map_err(|rule| Failure::usage(format!("-H @{file}: line {number}: {rule}")))
        })
        .collect()
}

/// Which digest of the body is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Digest {
    Auto,
    None,
    /// content-md5, in base64 (RFC 1864).
    Md5,
    /// content-md5, in hexadecimal.
    Md5Hex,
    /// content-md5, in base64 of hexadecimal digits.
    Md5Base64OfHex,
    /// x-acs-content-sha256.
    Sha256,
    /// x-acs-content-sha256, with SM3 in it.
    Sm3,
}

impl Digest {
    /// The header for it, `None` for none.
    pub(crate) fn header(self, scheme: Scheme) -> Option<DigestHeader> {
        Some(match self {
            Self::None => return None,
            Self::Auto => match scheme {
                Scheme::Acs3HmacSha256 => DigestHeader::ContentSha256,
                Scheme::Acs3HmacSm3 => DigestHeader::ContentSm3,
                _ => DigestHeader::default(),
            },
            Self::Md5 => Md5Encoding::Rfc1864.into(),
            Self::Md5Hex => Md5Encoding::Hex.into(),
            Self::Md5Base64OfHex => Md5Encoding::Base64OfHex.into(),
            Self::Sha256 => DigestHeader::ContentSha256,
            Self::Sm3 => DigestHeader::ContentSm3,
        })
    }
}

fn method(text: &str) -> Result<Method, &'static str> {
    match Method::from_str(text) {
        Ok(Method::CONNECT) => Err("CONNECT is for proxies"),
        Ok(method) => Ok(method),
        Err(_) => Err("a method is made of letters, digits and !#$%&'*+-.^_`|~"),
    }
}

/// The names of schemes that sign headers.
fn schemes() -> impl clap::builder::TypedValueParser<Value = Scheme> {
    let of_headers = Scheme::ALL.iter().filter(|scheme| **scheme != Scheme::FcPresigned);
    PossibleValuesParser::new(of_headers.map(|scheme| scheme.name()))
        .try_map(|name| Scheme::from_str(&name))
}

/// By the names that errors have for them.
fn ambiguities() -> impl clap::builder::TypedValueParser<Value = Ambiguity> {
    let name = |ambiguity: &Ambiguity| format!("{ambiguity:?}");
    PossibleValuesParser::new(Ambiguity::ALL.iter().map(name)).try_map(move |text| {
        let mut all = Ambiguity::ALL.iter().copied();
        all.find(|ambiguity| name(ambiguity) == text).ok_or("has another name")
    })
}

fn whole_seconds(text: &str) -> Result<Duration, &'static str> {
    text.parse().map(Duration::from_secs).map_err(|_| "must be a whole number of seconds")
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or("must be a number of seconds")
}

fn time(text: &str) -> Result<SystemTime, &'static str> {
    let unix = || SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(text.parse().ok()?));
    parse_acs_date(text.as_bytes())
        .or_else(unix)
        .ok_or("must be a time such as 2026-11-21T17:57:00Z, or seconds since 1970")
}
