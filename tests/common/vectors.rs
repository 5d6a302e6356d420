//! The requests of the real SDKs, as `tests/vectors/README.md` describes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Method, Uri, request::Parts};
use std::time::{Duration, SystemTime};
use tower_fc::keys::VerifyingKey;
use tower_fc::protocol::{Dialect, Dialects, Schemes, parse_acs_date};
use tower_fc::{Scheme, StaticKeys, Verifier, headers};

/// Those that can be verified.
pub const VERIFIABLE: &str = "tests/vectors/dev.jsonl";

/// A request that an SDK made.
#[derive(Clone)]
pub struct Vector {
    pub id: String,
    pub dialect: String,
    pub scheme: Scheme,
    pub parts: Parts,
    pub body: Vec<u8>,
    pub key_id: String,
    pub secret: String,
    pub token: Option<String>,
    pub timestamp: SystemTime,
    pub string_to_sign: Option<Vec<u8>>,
    pub canonical_request: Option<Vec<u8>>,
    pub note: String,
}

/// Those of a file. (Those of SM3 need the feature `sm3`.)
pub fn read(file: &str) -> Vec<Vector> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let (vectors, left_out) = lines.map(vector).partition::<Vec<_>, _>(Option::is_some);
    if !left_out.is_empty() {
        println!("{} of SM3 left out: they need the feature sm3", left_out.len());
    }
    vectors.into_iter().flatten().collect()
}

/// One line of a file, `None` if its scheme is not built in.
pub fn vector(line: &str) -> Option<Vector> {
    let value: serde_json::Value = serde_json::from_str(line).expect("a line is a JSON object");
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    let required = |name: &str| text(name).unwrap_or_else(|| panic!("{name} is missing: {line}"));
    let bytes = |name: &str| match text(&format!("{name}_base64")) {
        Some(encoded) => Some(BASE64.decode(encoded).unwrap()),
        None => text(name).map(String::into_bytes),
    };

    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = required("method").parse::<Method>().unwrap();
    parts.uri = required("url").parse::<Uri>().unwrap();
    assert_eq!(parts.uri.to_string(), required("url"), "a target is kept byte for byte");
    for header in value["headers"].as_array().unwrap() {
        let name = HeaderName::from_bytes(header[0].as_str().unwrap().as_bytes()).unwrap();
        let value = HeaderValue::from_bytes(header[1].as_str().unwrap().as_bytes()).unwrap();
        parts.headers.append(name, value);
    }

    let authorization = parts.headers.get(AUTHORIZATION).map_or(&[][..], HeaderValue::as_bytes);
    let scheme = match required("scheme").as_str() {
        "fc" => Scheme::Fc,
        "fc-presigned" => Scheme::FcPresigned,
        "acs" => Scheme::Acs,
        "acs3" if authorization.starts_with(b"ACS3-HMAC-SM3 ") => "acs3-sm3".parse().ok()?,
        "acs3" => Scheme::Acs3HmacSha256,
        other => panic!("unknown scheme {other}"),
    };
    Some(Vector {
        id: required("id"),
        dialect: required("dialect"),
        scheme,
        parts,
        body: bytes("body").unwrap_or_default(),
        key_id: required("access_key_id"),
        secret: required("access_key_secret"),
        token: text("security_token"),
        timestamp: parse_acs_date(required("timestamp").as_bytes()).expect("an ISO 8601 time"),
        string_to_sign: bytes("string_to_sign"),
        canonical_request: bytes("canonical_request"),
        note: text("note").unwrap_or_default(),
    })
}

impl Vector {
    pub fn own_dialect(&self) -> Dialect {
        self.dialect.parse().unwrap_or_else(|error| panic!("{}: {error}", self.id))
    }

    /// A verifier that knows its key, and accepts all schemes and presigned URLs of any end.
    pub fn verifier(&self, dialects: impl Into<Dialects>) -> Verifier<StaticKeys> {
        let mut key = VerifyingKey::new(&self.secret).unwrap();
        if let Some(token) = &self.token {
            key = key.with_security_token(token).unwrap();
        }
        Verifier::new(StaticKeys::new().with_key(&self.key_id, key))
            .with_schemes(Schemes::all())
            .with_dialects(dialects)
            .with_max_lifetime(Duration::from_secs(10 * 366 * 86_400))
    }

    /// When it was made, or a second before it ends: some presigned URLs were made with a
    /// lifetime of 0.
    pub fn verified_at(&self) -> SystemTime {
        self.expires().map_or(self.timestamp, |end| {
            let last = SystemTime::UNIX_EPOCH + Duration::from_secs(end.saturating_sub(1));
            self.timestamp.min(last)
        })
    }

    /// When a presigned URL ends, in Unix seconds. (To other requests the parameter means
    /// nothing.)
    pub fn expires(&self) -> Option<u64> {
        let query = self.parts.uri.query().filter(|_| self.scheme == Scheme::FcPresigned)?;
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let mut ends =
            pairs.filter(|(name, _)| *name == headers::QUERY_EXPIRES).map(|(_, end)| end);
        ends.next_back()?.parse().ok()
    }

    /// The names in `SignedHeaders`, `None` in a scheme without such a list.
    pub fn listed_headers(&self) -> Option<Vec<&str>> {
        let value = self.parts.headers.get(AUTHORIZATION)?.to_str().unwrap();
        let list = value.split_once("SignedHeaders=")?.1.split(',').next().unwrap();
        Some(list.split(';').collect())
    }
}
