//! The signer people write themselves: strings all the way down, a fresh HMAC
//! key for each request, no reuse of anything. Correct, and not tuned.

use crate::shapes::{self, Form, Vendor, creds};
use crate::{Id, Limit, Visitor};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use http::header::{AUTHORIZATION, DATE, HeaderValue};
use http::{HeaderMap, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::time::{Duration, SystemTime};

const MAX_SKEW: Duration = Duration::from_secs(15 * 60);
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map(|v| v.to_str().unwrap().to_string()).unwrap_or_default()
}

fn hmac(secret: &str, data: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(data.as_bytes());
    mac
}

/// Scheme `FC`.
pub mod fc {
    use super::*;

    pub fn string_to_sign<B>(request: &Request<B>) -> String {
        let headers = request.headers();
        let mut fc_headers: Vec<(String, String)> = Vec::new();
        for (name, value) in headers {
            let name = name.to_string().to_lowercase();
            if name.starts_with("x-fc-") {
                fc_headers.push((name, value.to_str().unwrap().to_string()));
            }
        }
        fc_headers.sort();
        let fc_headers = fc_headers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect::<Vec<String>>()
            .join("");

        let path = percent_decode_str(request.uri().path()).decode_utf8().unwrap().to_string();
        let mut params: Vec<String> =
            form_urlencoded::parse(request.uri().query().unwrap_or("").as_bytes())
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
        params.sort();

        format!(
            "{}\n{}\n{}\n{}\n{}{}\n{}",
            request.method(),
            header(headers, "content-md5"),
            header(headers, "content-type"),
            header(headers, "date"),
            fc_headers,
            path,
            params.join("\n"),
        )
    }

    pub fn signature(to_sign: &str, secret: &str) -> String {
        BASE64.encode(hmac(secret, to_sign).finalize().into_bytes())
    }

    pub fn sign<B>(request: &mut Request<B>, access_key: &str, secret: &str) {
        let date = httpdate::fmt_http_date(SystemTime::now());
        request.headers_mut().insert(DATE, HeaderValue::from_str(&date).unwrap());
        let to_sign = string_to_sign(request);
        let signature = signature(&to_sign, secret);
        let value = format!("FC {access_key}:{signature}");
        request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_str(&value).unwrap());
    }

    pub fn verify<B>(
        request: &Request<B>,
        secrets: &HashMap<String, String>,
    ) -> Result<(), String> {
        let authorization = header(request.headers(), "authorization");
        let rest = authorization.strip_prefix("FC ").ok_or_else(|| "scheme".to_string())?;
        let parts: Vec<&str> = rest.split(':').collect();
        if parts.len() != 2 {
            return Err("malformed".to_string());
        }
        let secret = secrets.get(&parts[0].to_string()).ok_or_else(|| "access key".to_string())?;
        let date = httpdate::parse_http_date(&header(request.headers(), "date"))
            .map_err(|e| e.to_string())?;
        let now = SystemTime::now();
        let skew = now.duration_since(date).unwrap_or_else(|e| e.duration());
        if skew > MAX_SKEW {
            return Err("date".to_string());
        }
        let signature = BASE64.decode(parts[1]).map_err(|e| e.to_string())?;
        hmac(secret, &string_to_sign(request)).verify_slice(&signature).map_err(|e| e.to_string())
    }
}

/// Scheme `ACS3-HMAC-SHA256`.
pub mod acs3 {
    use super::*;

    const ALGORITHM: &str = "ACS3-HMAC-SHA256";

    fn encode(text: &str) -> String {
        utf8_percent_encode(text, UNRESERVED).to_string()
    }

    fn is_signed(name: &str) -> bool {
        name.starts_with("x-acs-") || name == "host" || name == "content-type"
    }

    /// The canonical request over the headers in `signed`, and the names of them.
    pub fn canonical_request<B>(request: &Request<B>, signed: &[String]) -> String {
        let path = request
            .uri()
            .path()
            .split('/')
            .map(|segment| encode(&percent_decode_str(segment).decode_utf8().unwrap()))
            .collect::<Vec<String>>()
            .join("/");
        let mut params: Vec<(String, String)> =
            form_urlencoded::parse(request.uri().query().unwrap_or("").as_bytes())
                .map(|(key, value)| (encode(&key), encode(&value)))
                .collect();
        params.sort();
        let query = params
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect::<Vec<String>>()
            .join("&");
        let headers = signed
            .iter()
            .map(|name| format!("{name}:{}\n", header(request.headers(), name).trim()))
            .collect::<Vec<String>>()
            .join("");
        // Empty without the header, as in the documented samples for HTTP triggers.
        let payload = header(request.headers(), "x-acs-content-sha256");
        format!("{}\n{path}\n{query}\n{headers}\n{}\n{payload}", request.method(), signed.join(";"),)
    }

    pub fn signed_headers<B>(request: &Request<B>) -> Vec<String> {
        let mut names: Vec<String> = request
            .headers()
            .keys()
            .map(|name| name.to_string().to_lowercase())
            .filter(|name| is_signed(name))
            .collect();
        names.sort();
        names
    }

    pub fn string_to_sign(canonical_request: &str) -> String {
        let hash = hex::encode(Sha256::digest(canonical_request.as_bytes()));
        format!("{ALGORITHM}\n{hash}")
    }

    pub fn signature(to_sign: &str, secret: &str) -> String {
        hex::encode(hmac(secret, to_sign).finalize().into_bytes())
    }

    pub fn sign<B>(request: &mut Request<B>, access_key: &str, secret: &str) {
        let date = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        request.headers_mut().insert("x-acs-date", HeaderValue::from_str(&date).unwrap());
        let signed = signed_headers(request);
        let to_sign = string_to_sign(&canonical_request(request, &signed));
        let signature = signature(&to_sign, secret);
        let value = format!(
            "{ALGORITHM} Credential={access_key},SignedHeaders={},Signature={signature}",
            signed.join(";"),
        );
        request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_str(&value).unwrap());
    }

    pub fn verify<B>(
        request: &Request<B>,
        secrets: &HashMap<String, String>,
    ) -> Result<(), String> {
        let authorization = header(request.headers(), "authorization");
        let rest =
            authorization.strip_prefix("ACS3-HMAC-SHA256 ").ok_or_else(|| "scheme".to_string())?;
        let fields: HashMap<String, String> = rest
            .split(',')
            .filter_map(|field| field.trim().split_once('='))
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        let field = |name: &str| fields.get(name).ok_or_else(|| format!("no {name}"));
        let secret = secrets.get(field("Credential")?).ok_or_else(|| "access key".to_string())?;
        let signed: Vec<String> =
            field("SignedHeaders")?.split(';').map(|name| name.to_string()).collect();
        for required in signed_headers(request) {
            if !signed.contains(&required) {
                return Err(format!("{required} is not signed"));
            }
        }
        let date = chrono::DateTime::parse_from_rfc3339(&header(request.headers(), "x-acs-date"))
            .map_err(|e| e.to_string())?;
        let skew = (chrono::Utc::now() - date.to_utc()).abs();
        if skew.to_std().map_err(|e| e.to_string())? > MAX_SKEW {
            return Err("date".to_string());
        }
        let signature = hex::decode(field("Signature")?).map_err(|e| e.to_string())?;
        let to_sign = string_to_sign(&canonical_request(request, &signed));
        hmac(secret, &to_sign).verify_slice(&signature).map_err(|e| e.to_string())
    }
}

/// One key among a few, so that a lookup has something to look through.
pub fn secrets() -> HashMap<String, String> {
    let mut map: HashMap<String, String> =
        (0..15).map(|i| (format!("LTAI5tOtherExampleKey{i:02}"), format!("secret-{i}"))).collect();
    map.insert(creds::AK.to_owned(), creds::SECRET.to_owned());
    map
}

pub fn register(v: &mut impl Visitor) {
    let secrets = secrets();
    for shape in shapes::all(Vendor::Fc) {
        let request = shape.request(Form::Absolute);
        v.batched(
            Id::new("sign", "handrolled-fc", shape.name).vs(Limit::Fc),
            || shapes::fresh(&request),
            |mut r| {
                fc::sign(&mut r, creds::AK, creds::SECRET);
                r
            },
        );
    }
    for shape in shapes::all(Vendor::Acs) {
        let request = shape.request(Form::Absolute);
        v.batched(
            Id::new("sign", "handrolled-acs3", shape.name).vs(Limit::Acs3),
            || shapes::fresh(&request),
            |mut r| {
                acs3::sign(&mut r, creds::AK, creds::SECRET);
                r
            },
        );
    }
    for shape in shapes::all(Vendor::Fc) {
        let mut request = shape.request(Form::Origin);
        fc::sign(&mut request, creds::AK, creds::SECRET);
        assert_eq!(fc::verify(&request, &secrets), Ok(()));
        v.repeated(Id::new("verify", "handrolled-fc", shape.name).vs(Limit::Fc), || {
            fc::verify(&request, &secrets).unwrap()
        });
        request.headers_mut().insert("content-md5", HeaderValue::from_static("x"));
        assert!(fc::verify(&request, &secrets).is_err());
    }
    for shape in shapes::all(Vendor::Acs) {
        let mut request = shape.request(Form::Origin);
        acs3::sign(&mut request, creds::AK, creds::SECRET);
        assert_eq!(acs3::verify(&request, &secrets), Ok(()));
        v.repeated(Id::new("verify", "handrolled-acs3", shape.name).vs(Limit::Acs3), || {
            acs3::verify(&request, &secrets).unwrap()
        });
        request.headers_mut().insert("host", HeaderValue::from_static("x"));
        assert!(acs3::verify(&request, &secrets).is_err());
    }
}
