//! What became of a transfer, and `-w`, which prints it.

use crate::exit::Failure;
use crate::hidden::Hidden;
use http::{HeaderMap, StatusCode, Version};
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// All that `-w` knows.
pub(crate) struct Report {
    /// What of the requests is not shown, also where a server repeats it.
    pub(crate) hidden: Hidden,
    pub(crate) started: Instant,
    pub(crate) url: String,
    /// The one that was called in the end, without its signature.
    pub(crate) url_effective: String,
    pub(crate) scheme: &'static str,
    pub(crate) method: String,
    pub(crate) version: Option<Version>,
    pub(crate) status: Option<StatusCode>,
    pub(crate) headers: HeaderMap,
    pub(crate) redirect_url: String,
    pub(crate) redirects: i64,
    pub(crate) connects: u64,
    pub(crate) downloaded: u64,
    pub(crate) uploaded: u64,
    pub(crate) header_bytes: usize,
    pub(crate) request_bytes: usize,
    pub(crate) file: String,
    pub(crate) addresses: Option<(SocketAddr, SocketAddr)>,
    pub(crate) namelookup: Duration,
    pub(crate) connect: Duration,
    pub(crate) appconnect: Duration,
    pub(crate) pretransfer: Duration,
    pub(crate) starttransfer: Duration,
    pub(crate) redirect: Duration,
    pub(crate) total: Duration,
    pub(crate) exit: u8,
    pub(crate) error: String,
}

impl Report {
    pub(crate) fn new(url: &str, reveal: bool) -> Self {
        let zero = Duration::ZERO;
        Self {
            hidden: Hidden::new(reveal),
            started: Instant::now(),
            url: url.to_owned(),
            url_effective: url.to_owned(),
            scheme: "",
            method: String::new(),
            version: None,
            status: None,
            headers: HeaderMap::new(),
            redirect_url: String::new(),
            redirects: 0,
            connects: 0,
            downloaded: 0,
            uploaded: 0,
            header_bytes: 0,
            request_bytes: 0,
            file: String::new(),
            addresses: None,
            namelookup: zero,
            connect: zero,
            appconnect: zero,
            pretransfer: zero,
            starttransfer: zero,
            redirect: zero,
            total: zero,
            exit: 0,
            error: String::new(),
        }
    }

    /// The value of a variable, `None` for a name that is none.
    fn value(&self, name: &str) -> Option<Value> {
        let time = |time: Duration| Value::from(time.as_micros() as f64 / 1e6);
        let speed = |bytes: u64| match self.total.as_secs_f64() {
            seconds if seconds > 0.0 => json!((bytes as f64 / seconds) as u64),
            _ => json!(0),
        };
        let text = |text: &str| match text {
            "" => Value::Null,
            text => text.into(),
        };
        let address =
            |at: fn(&(SocketAddr, SocketAddr)) -> SocketAddr| self.addresses.as_ref().map(at);
        let (remote, local) = (address(|both| both.0), address(|both| both.1));
        Some(match name {
            "content_type" => {
                let value = self.headers.get("content-type");
                value.map(|it| String::from_utf8_lossy(it.as_bytes()).into()).unwrap_or_default()
            }
            "errormsg" => text(&self.error),
            "exitcode" => self.exit.into(),
            "filename_effective" => text(&self.file),
            "http_code" | "response_code" => self.status.map_or(0, |status| status.as_u16()).into(),
            "http_version" => match self.version {
                None => "0",
                Some(Version::HTTP_2) => "2",
                Some(Version::HTTP_10) => "1.0",
                Some(_) => "1.1",
            }
            .into(),
            "local_ip" => text(&local.map(|at| at.ip().to_string()).unwrap_or_default()),
            "local_port" => local.map_or(0, |at| at.port()).into(),
            "method" => text(&self.method),
            "num_connects" => self.connects.into(),
            "num_headers" => self.headers.len().into(),
            "num_redirects" => self.redirects.into(),
            "redirect_url" => text(&self.redirect_url),
            "remote_ip" => text(&remote.map(|at| at.ip().to_string()).unwrap_or_default()),
            "remote_port" => remote.map_or(0, |at| at.port()).into(),
            "scheme" => text(self.scheme),
            "size_download" => self.downloaded.into(),
            "size_header" => self.header_bytes.into(),
            "size_request" => self.request_bytes.into(),
            "size_upload" => self.uploaded.into(),
            "speed_download" => speed(self.downloaded),
            "speed_upload" => speed(self.uploaded),
            "ssl_verify_result" => 0.into(),
            "time_appconnect" => time(self.appconnect),
            "time_connect" => time(self.connect),
            "time_namelookup" => time(self.namelookup),
            "time_pretransfer" => time(self.pretransfer),
            "time_redirect" => time(self.redirect),
            "time_starttransfer" => time(self.starttransfer),
            "time_total" => time(self.total),
            "url" => self.url.as_str().into(),
            "url_effective" => self.url_effective.as_str().into(),
            "urlnum" => 0.into(),
            _ => return None,
        })
    }

    /// As `-w` writes it.
    fn text(&self, name: &str) -> Option<String> {
        Some(match self.value(name)? {
            Value::Null => String::new(),
            Value::String(text) => text,
            Value::Number(number) if name.ends_with("_code") => {
                format!("{:03}", number.as_u64().unwrap_or_default())
            }
            Value::Number(number) if name.starts_with("time_") => {
                format!("{:.6}", number.as_f64().unwrap_or_default())
            }
            value => value.to_string(),
        })
    }

    fn json(&self) -> String {
        let all = NAMES.iter().filter_map(|name| Some(((*name).to_owned(), self.value(name)?)));
        Value::Object(all.collect()).to_string()
    }

    /// All headers of the answer, by their names.
    fn header_json(&self) -> String {
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into();
        let all = self.headers.keys().map(|name| {
            let values = self.headers.get_all(name).iter().map(text).collect::<Vec<Value>>();
            (name.to_string(), Value::Array(values))
        });
        Value::Object(all.collect()).to_string()
    }

    fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        value.unwrap_or_default().into()
    }

    /// Prints what a format of `-w` says, to where it says.
    pub(crate) fn write_out(&self, format: &str) -> Result<(), Failure> {
        let mut text = String::new();
        let mut is_error = false;
        let print = |text: &mut String, is_error: bool| {
            let text = self.hidden.redact(&std::mem::take(text));
            let mut out = std::io::stdout();
            match is_error {
                true => std::io::stderr().write_all(text.as_bytes()),
                false => out.write_all(text.as_bytes()).and_then(|()| out.flush()),
            }
            .map_err(|error| Failure::unwritten(&error))
        };
        let mut rest = format;
        while let Some(at) = rest.find(['%', '\\']) {
            text += &rest[..at];
            rest = &rest[at..];
            let variable = |open: &str| {
                let (name, after) = rest.strip_prefix(open)?.split_once('}')?;
                Some((name, after))
            };
            if let Some((name, after)) = variable("%{") {
                rest = after;
                match name {
                    "stdout" | "stderr" => {
                        print(&mut text, is_error)?;
                        is_error = name == "stderr";
                    }
                    // What comes after it is for errors.
                    "onerror" if self.exit == 0 => rest = "",
                    "onerror" => {}
                    "json" => text += &self.json(),
                    "header_json" => text += &self.header_json(),
                    name => match self.text(name) {
                        Some(value) => text += &value,
                        None => note!(
                            "fcurl: unknown --write-out variable: {name:?}; there are {}, json, \
                             header_json, stdout, stderr, onerror and %header{{NAME}}",
                            NAMES.join(", ")
                        ),
                    },
                }
            } else if let Some((name, after)) = variable("%header{") {
                rest = after;
                text += &self.header(name);
            } else {
                let (shown, taken) = match rest.as_bytes() {
                    [b'%', b'%', ..] => ("%", 2),
                    [b'\\', b'n', ..] => ("\n", 2),
                    [b'\\', b'r', ..] => ("\r", 2),
                    [b'\\', b't', ..] => ("\t", 2),
                    _ => (&rest[..1], 1),
                };
                text += shown;
                rest = &rest[taken..];
            }
        }
        text += rest;
        print(&mut text, is_error)
    }
}

/// The variables that have a value.
const NAMES: [&str; 33] = [
    "content_type",
    "errormsg",
    "exitcode",
    "filename_effective",
    "http_code",
    "http_version",
    "local_ip",
    "local_port",
    "method",
    "num_connects",
    "num_headers",
    "num_redirects",
    "redirect_url",
    "remote_ip",
    "remote_port",
    "response_code",
    "scheme",
    "size_download",
    "size_header",
    "size_request",
    "size_upload",
    "speed_download",
    "speed_upload",
    "ssl_verify_result",
    "time_appconnect",
    "time_connect",
    "time_namelookup",
    "time_pretransfer",
    "time_redirect",
    "time_starttransfer",
    "time_total",
    "url",
    "url_effective",
];
