//! Requests, and how they are made from the bytes of a fuzzer.

use crate::reference::{Header, percent_decode, rfc3986_encode};
use crate::way::Way;
use arbitrary::Unstructured;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use std::collections::BTreeMap;
use tower_fc::{Credentials, StaticKeys};

/// When all requests are received, in Unix seconds.
pub const NOW: u64 = 1_800_000_000;
/// The same as the two kinds of dates have it.
pub const HTTP_DATE: &str = "Fri, 15 Jan 2027 08:00:00 GMT";
pub const ACS_DATE: &str = "2027-01-15T08:00:00Z";
/// Others around the clock difference that is allowed.
const HTTP_DATES: &[&str] = &[
    HTTP_DATE,
    "Fri, 15 Jan 2027 08:00:01 GMT",
    "Fri, 15 Jan 2027 07:45:00 GMT",
    "Fri, 15 Jan 2027 07:44:59 GMT",
    "Fri, 15 Jan 2027 08:15:00 GMT",
    "Fri, 15 Jan 2027 08:15:01 GMT",
];
const ACS_DATES: &[&str] = &[
    ACS_DATE,
    "2027-01-15T08:00:00.000Z",
    "2027-01-15T07:45:00Z",
    "2027-01-15T07:44:59.999999999Z",
    "2027-01-15T08:15:00Z",
    "2027-01-15T08:15:00.000000001Z",
];
/// Ends of presigned URLs, in seconds from [`NOW`].
const ENDS: &[i64] = &[600, 1, 0, -1, 7 * 24 * 60 * 60, 7 * 24 * 60 * 60 + 1];

/// An access key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub id: &'static str,
    pub secret: &'static str,
    pub token: Option<&'static str>,
}

/// All access keys that there are.
pub const KEYS: [Key; 2] = [
    Key { id: "id", secret: "a-secret-that-nobody-guesses", token: None },
    Key { id: "sts", secret: "another-secret-of-that-kind", token: Some("t+/=%") },
];

impl Key {
    pub fn credentials(self) -> Credentials {
        let credentials = Credentials::new(self.id, self.secret).expect("a valid key");
        match self.token {
            Some(token) => credentials.with_security_token(token).expect("a valid token"),
            None => credentials,
        }
    }
}

/// The access keys as a verifier takes them.
pub fn key_store() -> StaticKeys {
    KEYS.iter().fold(StaticKeys::new(), |store, key| {
        store.with_key(key.id, key.credentials().key().clone())
    })
}

/// A request without its body, headers being in the order they arrived.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    pub uri: Uri,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Request {
    /// A `GET` for a target, if `http` takes it for one with a path. The authority
    /// form of `CONNECT` has none, and no scheme signs it.
    pub fn get(target: &[u8]) -> Option<Self> {
        let uri: Uri = target.try_into().ok()?;
        uri.path_and_query()?;
        Some(Self { method: Method::GET, uri, headers: Vec::new() })
    }

    /// Adds a header, unless it cannot be one.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        let name = HeaderName::from_bytes(name);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            self.headers.push((name, value));
        }
    }

    /// Adds a header unless there is one of that name.
    pub fn default(&mut self, name: &str, value: &[u8]) {
        if self.values(name).is_empty() {
            self.add(name.as_bytes(), value);
        }
    }

    /// What a server gets of it.
    pub fn parts(&self) -> Parts {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.method = self.method.clone();
        parts.uri = self.uri.clone();
        parts.headers = HeaderMap::new();
        for (name, value) in &self.headers {
            parts.headers.append(name, value.clone());
        }
        parts
    }

    /// The path, and the query after a `?`.
    pub fn target(&self) -> Vec<u8> {
        let mut target = self.uri.path().to_string();
        if let Some(query) = self.uri.query() {
            target.push('?');
            target.push_str(query);
        }
        target.into_bytes()
    }

    pub fn query(&self) -> &[u8] {
        self.uri.query().unwrap_or_default().as_bytes()
    }

    /// The values of a header, as they arrived.
    pub fn values(&self, name: &str) -> Vec<&[u8]> {
        let of_name = self.headers.iter().filter(|(n, _)| n == name);
        of_name.map(|(_, value)| value.as_bytes()).collect()
    }

    /// The header lines: without outer white space, and with the `host` that clients
    /// make of an absolute target.
    pub fn lines(&self) -> Vec<Header> {
        let mut lines = Vec::new();
        for (name, value) in &self.headers {
            lines.push((name.as_str().to_string(), trim(value.as_bytes()).to_vec()));
        }
        if let (Some(host), true) = (self.implied_host(), self.values("host").is_empty()) {
            lines.push(("host".to_string(), host.into_bytes()));
        }
        lines
    }

    /// The host of an absolute target as clients write it: without the port that goes without
    /// saying.
    pub fn implied_host(&self) -> Option<String> {
        let authority = self.uri.authority()?.as_str();
        // In the case it was written in.
        match self.host_and_port(authority.as_bytes()) {
            Some((name, None)) => Some(authority[..name.len()].to_string()),
            _ => Some(authority.to_string()),
        }
    }

    /// A host in lower case, and its port as a number unless that goes without saying for the
    /// target. `None` without a name, or if the port is none.
    pub fn host_and_port(&self, host: &[u8]) -> Option<(String, Option<u16>)> {
        let implied = match self.uri.scheme_str() {
            Some("https" | "wss") => Some(443),
            Some("http" | "ws") => Some(80),
            _ => None,
        };
        // What is not text is the host of no target.
        let host = String::from_utf8_lossy(host).to_ascii_lowercase();
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name, port),
            _ => (host.as_str(), ""),
        };
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = match port {
            "" => None,
            _ if is_number => Some(port.parse::<u16>().ok()?),
            _ => return None,
        };
        (!name.is_empty()).then(|| (name.to_string(), port.filter(|port| Some(*port) != implied)))
    }

    /// Whether its target can be signed at all: it begins with a slash, and its authority is a
    /// host and a port.
    pub fn has_good_target(&self) -> bool {
        let path = self.uri.path();
        let has_good_path = path.starts_with('/') || ["", "*"].contains(&path);
        has_good_path
            && self.uri.authority().is_none_or(|authority| {
                let port = authority.as_str().rsplit_once(':').map_or("", |(_, port)| port);
                !authority.as_str().contains('@')
                    && match self.host_and_port(authority.as_str().as_bytes()) {
                        Some((_, Some(_))) => !port.starts_with('0'),
                        other => other.is_some(),
                    }
            })
    }

    /// Signs the request in a way, if it is said what that signs of it. Under `ACS3` the
    /// headers with these names are signed.
    pub fn sign(&mut self, way: Way, names: &[&str], key: Key) -> Option<()> {
        if way == Way::Presigned {
            return self.presign(key);
        }
        let token = format!("{} ", way.scheme().token()?);
        let canonical = way.canonical(names, self)?;
        let signature = way.signature(key.secret, &canonical);
        let id = key.id;
        let rest = match way {
            Way::Acs3(..) => {
                format!("Credential={id},SignedHeaders={},Signature={signature}", names.join(";"))
            }
            _ => format!("{id}:{signature}"),
        };
        self.add(b"authorization", (token + &rest).as_bytes());
        Some(())
    }

    /// The same as of [`NOW`], with the headers that a signer sets before it signs.
    pub fn with_set(&self, way: Way, key: Key, nonce: Option<&str>) -> Self {
        let mut request = self.clone();
        let mut set = vec!["authorization", way.date_header(), way.token_header()];
        set.extend(nonce.map(|_| way.nonce_header()));
        request.headers.retain(|(name, _)| !set.contains(&name.as_str()));
        request.date(way, key);
        if let Some(nonce) = nonce {
            request.add(way.nonce_header().as_bytes(), nonce.as_bytes());
        }
        request
    }

    /// The same in an order that does not tell who made it.
    pub fn sorted(&self) -> (&Method, &Uri, BTreeMap<&str, Vec<&[u8]>>) {
        let mut headers: BTreeMap<&str, Vec<&[u8]>> = BTreeMap::new();
        for (name, value) in &self.headers {
            headers.entry(name.as_str()).or_default().push(value.as_bytes());
        }
        (&self.method, &self.uri, headers)
    }

    /// Sets what a signature has to cover.
    pub fn date(&mut self, way: Way, key: Key) {
        match way {
            Way::Presigned => return self.expire(key, NOW + 600),
            Way::Acs3(..) => self.default("x-acs-date", ACS_DATE.as_bytes()),
            _ => self.default("date", HTTP_DATE.as_bytes()),
        }
        if let Some(token) = key.token {
            self.default(way.token_header(), token.as_bytes());
        }
    }

    /// Appends the parameters of a presigned URL that are signed, if there is room.
    pub fn expire(&mut self, key: Key, end: u64) {
        let mut query = format!("x-fc-access-key-id={}&x-fc-expires={end}", key.id);
        if let Some(token) = key.token {
            query += &format!("&x-fc-security-token={}", escaped(token));
        }
        self.append_query(&query);
    }

    fn presign(&mut self, key: Key) -> Option<()> {
        let canonical = Way::Presigned.canonical(&[], self)?;
        let signature = Way::Presigned.signature(key.secret, &canonical);
        self.append_query(&format!("x-fc-signature={}", escaped(&signature)))
    }

    fn append_query(&mut self, more: &str) -> Option<()> {
        let mut target = self.uri.path().to_string() + "?";
        if let Some(query) = self.uri.query().filter(|query| !query.is_empty()) {
            target += query;
            target += "&";
        }
        self.set_target((target + more).as_bytes())
    }

    /// Puts another path and query in, if they can be.
    pub fn set_target(&mut self, target: &[u8]) -> Option<()> {
        if !target.starts_with(b"/") {
            return None;
        }
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = Some(target.try_into().ok()?);
        self.uri = Uri::from_parts(parts).ok()?;
        Some(())
    }

    /// The names that `tower-fc` signs under `ACS3`.
    pub fn usual_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.lines().into_iter().map(|(name, _)| name).collect();
        names.retain(|name| {
            let fixed = ["content-md5", "content-type", "host"].contains(&name.as_str());
            fixed || name.starts_with("x-acs-") || name.starts_with("x-fc-")
        });
        names.sort();
        names.dedup();
        names
    }
}

/// Text without the white space around it.
pub fn trim(text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| *byte == b' ' || *byte == b'\t';
    let start = text.iter().position(|byte| !is_space(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

fn escaped(text: &str) -> String {
    rfc3986_encode(text.as_bytes()).into_iter().map(char::from).collect()
}

/// What targets and values are made of: everything that some dialect treats specially.
pub const PIECES: &[&[u8]] = &[
    b"",
    b"a",
    b"b",
    b"/",
    b"/",
    b"?",
    b"&",
    b"=",
    b"a=",
    b"&a=",
    b"&b=1",
    b"&&",
    b"+",
    b";",
    b"*",
    b"$",
    b"~",
    b"%",
    b"%2",
    b"%zz",
    b"%00",
    b"%09",
    b"%0A",
    b"%20",
    b"%24",
    b"%25",
    b"%26",
    b"%2A",
    b"%2B",
    b"%2F",
    b"%2f",
    b"%3B",
    b"%3D",
    b"%3F",
    b"%41",
    b"%61",
    b"%7E",
    b"%7e",
    b"7E",
    b"%257E",
    b"%FF",
    b"%C3%A9",
    b"%C3",
    b"%ED%A0%80",
    b"%EE%80%80",
    b"%EF%BF%BD",
    b"%F0%9F%98%80",
    b"%F0%9F",
    "é".as_bytes(),
    "\u{e000}".as_bytes(),
    "😀".as_bytes(),
    b"x-fc-expires",
    b"&x-fc-expires=5",
    b"&x-fc-expires=5",
    b"&x-fc-expires=5&x-fc-expires=6",
    b"x-fc-signature=",
    b"&x-fc-access-key-id=id",
    b"x-fc-security-token",
    b"%78-fc-expires=5",
    b"1",
    b"1,2",
    b" ",
    b"\t",
    b"undefined",
];

const NAMES: &[&str] = &[
    "accept",
    "content-md5",
    "content-type",
    "cookie",
    "date",
    "host",
    "x-acs-a",
    "x-acs-b",
    "x-acs-content-sha256",
    "x-acs-date",
    "x-acs-security-token",
    "x-acs-signature-nonce",
    "x-fc-a",
    "x-fc-b",
    "x-fc-request-id",
    "x-fc-security-token",
    "x-fc-signature-nonce",
    "x-other",
];

/// The headers that the platform gives to a custom runtime.
pub const PLATFORM: &[&str] = &[
    "x-fc-request-id",
    "x-fc-access-key-id",
    "x-fc-access-key-secret",
    "x-fc-security-token",
    "x-fc-function-name",
    "x-fc-function-handler",
    "x-fc-function-memory",
    "x-fc-region",
    "x-fc-account-id",
    "x-fc-qualifier",
    "x-fc-version-id",
    "x-fc-service-logproject",
    "x-fc-service-logstore",
    "x-fc-control-path",
];

const ORIGINS: &[&str] = &[
    "",
    "",
    "",
    "http://demo.example",
    "https://demo.example",
    "https://user@demo.example:443",
    "http://demo.example:443",
];

const HOSTS: &[&str] = &["demo.example", "demo.example", "demo.example:443", "DEMO.example"];

const METHODS: &[&str] = &["GET", "GET", "POST", "OPTIONS", "get", "X-a"];

/// Choices out of the bytes of a fuzzer; always the first when they have run out.
pub struct Choices<'a>(Unstructured<'a>);

impl<'a> Choices<'a> {
    pub fn of(data: &'a [u8]) -> Self {
        Self(Unstructured::new(data))
    }

    fn byte(&mut self) -> u8 {
        self.0.arbitrary().unwrap_or_default()
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let most = bound.saturating_sub(1);
        self.0.int_in_range(0..=most).unwrap_or_default()
    }

    pub fn of_these<'t, T>(&mut self, these: &'t [T]) -> &'t T {
        &these[self.below(these.len())]
    }

    /// A text of pieces and other bytes.
    fn text(&mut self, most: usize) -> Vec<u8> {
        let mut text = Vec::new();
        for _ in 0..self.below(most + 1) {
            text.extend_from_slice(&self.piece());
        }
        text
    }

    /// Most often one that means something.
    fn piece(&mut self) -> Vec<u8> {
        match self.below(4) {
            0 => vec![self.byte()],
            _ => self.of_these(PIECES).to_vec(),
        }
    }

    fn target(&mut self) -> Vec<u8> {
        let mut target = b"/".to_vec();
        target.extend(self.text(4));
        if self.below(4) > 0 {
            target.push(b'?');
            target.extend(self.text(8));
        }
        // What may not be in a target without an escape.
        let mut out = Vec::new();
        for byte in target {
            match byte {
                b'?' | 0x80.. => out.push(byte),
                b'#' | b'<' | b'>' | b'`' | ..=b' ' | 0x7F => {
                    out.extend_from_slice(format!("%{byte:02X}").as_bytes());
                }
                _ => out.push(byte),
            }
        }
        // Nor may half a character.
        String::from_utf8_lossy(&out).into_owned().into_bytes()
    }

    fn header(&mut self) -> (&'static str, Vec<u8>) {
        let name = *self.of_these(NAMES);
        (name, self.value(name))
    }

    fn value(&mut self, name: &str) -> Vec<u8> {
        match name {
            "date" => self.of_these(HTTP_DATES).as_bytes().to_vec(),
            "x-acs-date" => self.of_these(ACS_DATES).as_bytes().to_vec(),
            "host" => self.of_these(HOSTS).as_bytes().to_vec(),
            _ => {
                let mut value = self.text(3);
                value.retain(|byte| *byte >= b' ' && *byte != 0x7F || *byte == b'\t');
                value
            }
        }
    }

    /// A request without a signature.
    pub fn request(&mut self) -> Option<Request> {
        let method = self.of_these(METHODS).as_bytes();
        let mut target = self.of_these(ORIGINS).as_bytes().to_vec();
        target.extend(self.target());
        let mut request = Request::get(&target)?;
        request.method = Method::from_bytes(method).ok()?;
        for _ in 0..self.below(6) {
            let (name, value) = self.header();
            request.add(name.as_bytes(), &value);
        }
        Some(request)
    }

    /// The same as of any time that there is a choice of, if it has none yet.
    pub fn date(&mut self, request: &mut Request, way: Way, key: Key) {
        let (name, date) = match way {
            Way::Presigned => {
                let end = NOW.saturating_add_signed(*self.of_these(ENDS));
                return request.expire(key, end);
            }
            Way::Acs3(..) => ("x-acs-date", *self.of_these(ACS_DATES)),
            _ => ("date", *self.of_these(HTTP_DATES)),
        };
        // Most often now, so that the request is accepted.
        if self.below(4) == 0 {
            request.default(name, date.as_bytes());
        }
        request.date(way, key);
    }

    /// Headers to be signed under `ACS3`: most often the usual ones.
    pub fn names(&mut self, request: &Request) -> Vec<String> {
        let mut names = request.usual_names();
        let choice = self.below(9);
        match choice {
            0 => names.retain(|name| name == "x-acs-date" || self.below(2) > 0),
            1 => names.push(self.of_these(NAMES).to_string()),
            2 => names.push("x-acs-none".to_string()),
            _ => {}
        }
        names.sort();
        names.dedup();
        // No list that any SDK makes.
        match choice {
            3 => names.extend_from_within(names.len().saturating_sub(1)..),
            4 => names.reverse(),
            _ => {}
        }
        names
    }

    /// Another request that is nearly the same. `None` if it is no request.
    pub fn edit(&mut self, request: &Request) -> Option<Request> {
        let mut edited = request.clone();
        match self.below(8) {
            0..3 => {
                let mut target = request.target();
                match self.below(4) {
                    0 => self.repeat_parameter(&mut target),
                    _ => self.edit_text(&mut target),
                }
                edited.set_target(&target)?;
            }
            3 => {
                let mut method = request.method.as_str().as_bytes().to_vec();
                self.edit_text(&mut method);
                edited.method = Method::from_bytes(&method).ok()?;
            }
            4 => {
                let (name, value) = self.header();
                if self.below(2) == 0 {
                    edited.headers.retain(|(other, _)| other != name);
                }
                edited.add(name.as_bytes(), &value);
            }
            _ if request.headers.is_empty() => return None,
            5 => {
                let at = self.below(request.headers.len());
                match self.below(3) {
                    0 => drop(edited.headers.remove(at)),
                    1 => edited.headers.push(request.headers[at].clone()),
                    _ => edited.headers.swap(0, at),
                }
            }
            other => {
                let (name, value) = &mut edited.headers[self.below(request.headers.len())];
                if other == 6 {
                    let mut text = name.as_str().as_bytes().to_vec();
                    self.edit_text(&mut text);
                    *name = HeaderName::from_bytes(&text).ok()?;
                } else {
                    let mut text = value.as_bytes().to_vec();
                    match self.below(4) {
                        0 => text = self.value(name.as_str()),
                        _ => self.edit_text(&mut text),
                    }
                    *value = HeaderValue::from_bytes(&text).ok()?;
                }
            }
        }
        Some(edited)
    }

    /// Gives a parameter once more, with another value, in front or at the end.
    fn repeat_parameter(&mut self, target: &mut Vec<u8>) {
        let Some(query) = target.iter().position(|byte| *byte == b'?') else { return };
        let parts: Vec<&[u8]> = target[query + 1..].split(|byte| *byte == b'&').collect();
        let part = *self.of_these(&parts);
        let key = part.split(|byte| *byte == b'=').next().unwrap_or_default();
        let repeated = [key, b"=", &self.piece()].concat();
        match self.below(2) {
            0 => drop(target.splice(query + 1..query + 1, [&repeated, b"&".as_slice()].concat())),
            _ => target.extend([b"&", repeated.as_slice()].concat()),
        }
    }

    /// Most often flips one bit.
    fn edit_text(&mut self, text: &mut Vec<u8>) {
        let at = self.below(text.len() + 1);
        let Some(byte) = text.get(at).copied() else { return text.extend(self.piece()) };
        match self.below(12) {
            0 => drop(text.splice(at..at, self.piece())),
            1 => drop(text.splice(at..=at, self.piece())),
            2 => text.truncate(at),
            // What looks like the same to who decodes once too often.
            3 | 4 => drop(text.splice(at..=at, format!("%{byte:02X}").into_bytes())),
            5 => {
                let decoded = percent_decode(&text[at..]);
                text.splice(at.., decoded);
            }
            // Once more.
            6 => {
                let end = at + 1 + self.below(text.len() - at);
                text.extend_from_within(at..end);
            }
            _ => text[at] ^= 1 << self.below(8),
        }
    }
}
