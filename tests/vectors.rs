//! What the real SDKs signed, stage by stage and in both directions.
//!
//! `VECTORS=FILE` runs another file of the same format (see `tests/vectors/README.md`)
//! in place of the 440 requests that can be verified.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::vectors::{VERIFIABLE, Vector, read, vector};
use http::{HeaderMap, HeaderName, Uri, request::Parts};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use tower_fc::protocol::{
    Dialect, Dialects, format_acs_date, format_http_date, parse_acs_date, parse_http_date,
};
use tower_fc::{Credentials, Presigner, RejectionKind, Scheme, Signer};

impl Vector {
    fn verify(&self, dialects: impl Into<Dialects>) -> Result<Dialect, RejectionKind> {
        let verifier = self.verifier(dialects).with_insecure_observation();
        match verifier.verify_at(&self.parts, self.verified_at()) {
            Ok(caller) => {
                assert_eq!(caller.access_key_id(), self.key_id, "{}", self.id);
                assert_eq!(caller.scheme(), self.scheme, "{}", self.id);
                Ok(caller.dialect())
            }
            Err(rejection) => Err(rejection.kind()),
        }
    }

    fn credentials(&self) -> Credentials {
        let credentials = Credentials::new(&self.key_id, &self.secret).unwrap();
        match &self.token {
            Some(token) => credentials.with_security_token(token).unwrap(),
            None => credentials,
        }
    }

    /// Why signing in the documented form does not reproduce this vector's signature;
    /// `None` when it has to: when it verifies in that form, and says of itself what a
    /// signer of that form says.
    fn left_out(&self) -> Option<&'static str> {
        if self.verify(Dialect::Standard).is_err() {
            return Some("signed in another form");
        }
        if self.scheme == Scheme::FcPresigned {
            return None;
        }
        if self.listed_headers().is_some_and(|listed| listed != self.documented_headers()) {
            return Some("signed with another selection of headers");
        }
        let (date, token) = self.own_headers();
        if self.parts.headers.contains_key(token) && self.token.is_none() {
            return Some("signed with an empty security token");
        }
        let is_written = match date {
            "date" => self.parts.headers[date].as_bytes() == format_http_date(self.signed_at()),
            _ => self.parts.headers[date].as_bytes() == format_acs_date(self.signed_at()),
        };
        (!is_written).then_some("dated in another form")
    }

    /// The headers that the documented form of `ACS3` signs, of those that are there.
    fn documented_headers(&self) -> Vec<&str> {
        let is_signed = |name: &&str| {
            name.starts_with("x-acs-") || ["host", "content-type", "content-md5"].contains(name)
        };
        let mut names: Vec<_> =
            self.parts.headers.keys().map(HeaderName::as_str).filter(is_signed).collect();
        names.sort_unstable();
        names
    }

    /// The headers that signing sets: of the date, and of the security token.
    fn own_headers(&self) -> (&'static str, &'static str) {
        match self.scheme {
            Scheme::Fc | Scheme::FcPresigned => ("date", "x-fc-security-token"),
            Scheme::Acs => ("date", "x-acs-security-token"),
            _ => ("x-acs-date", "x-acs-security-token"),
        }
    }

    /// When it says that it was signed.
    fn signed_at(&self) -> SystemTime {
        let (date, _) = self.own_headers();
        let value = self.parts.headers[date].as_bytes();
        let time = if date == "date" { parse_http_date(value) } else { parse_acs_date(value) };
        time.unwrap_or_else(|| panic!("{}: {date} is no time", self.id))
    }

    /// The request as it was before it was signed: without what signing adds.
    fn unsigned(&self) -> Parts {
        let mut parts = self.parts.clone();
        let (date, token) = self.own_headers();
        for name in ["authorization", date, token] {
            parts.headers.remove(name);
        }
        parts
    }
}

fn file() -> String {
    std::env::var("VECTORS").unwrap_or_else(|_| VERIFIABLE.to_owned())
}

#[test]
fn every_vector_verifies_under_its_own_dialect_and_under_all_together() {
    let vectors = read(&file());
    let mut failed = Vec::new();
    for vector in &vectors {
        let own = vector.own_dialect();
        if vector.verify(own) != Ok(own) {
            failed.push(format!("{} alone: {:?}", vector.id, vector.verify(own)));
        }
        if vector.verify(Dialects::all()).is_err() {
            failed.push(format!("{} in all: {:?}", vector.id, vector.verify(Dialects::all())));
        }
    }
    println!("{} vectors verified in {}", vectors.len(), file());
    assert!(!vectors.is_empty(), "{} is empty", file());
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn signing_reproduces_every_vector_in_the_documented_form() {
    let vectors = read(&file());
    let mut failed = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for vector in &vectors {
        *counts.entry(vector.left_out().unwrap_or("reproduced")).or_default() += 1;
        if vector.left_out().is_none() {
            failed.extend(reproduce(vector).err().map(|stage| format!("{}: {stage}", vector.id)));
        }
    }
    println!("{counts:#?}");
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

/// With all allowances: SDKs sign what strict signing refuses.
fn lenient(credentials: Credentials, scheme: Scheme) -> Signer {
    Signer::new(credentials).with_scheme(scheme).unwrap().with_insecure_observation()
}

/// What strict signing refuses of the SDKs' requests, and by which rule.
#[test]
fn strict_signing_refuses_what_strict_verifying_does() {
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    for vector in read(&file()).iter().filter(|vector| vector.left_out().is_none()) {
        if vector.scheme == Scheme::FcPresigned {
            continue;
        }
        let signer = Signer::new(vector.credentials()).with_scheme(vector.scheme).unwrap();
        let signing = signer.sign_at(&mut vector.unsigned(), vector.signed_at());
        let verifier = vector.verifier(Dialect::Standard);
        let verifying = verifier.verify_at(&vector.parts, vector.verified_at());
        assert_eq!(
            signing.is_err(),
            verifying.is_err(),
            "{}: {signing:?}, {verifying:?}",
            vector.id
        );
        if let Err(error) = signing {
            *refused.entry(error.to_string()).or_default() += 1;
        }
    }
    println!("{refused:#?}");
}

/// Signs a vector again and compares stage by stage.
fn reproduce(vector: &Vector) -> Result<(), String> {
    if vector.scheme == Scheme::FcPresigned {
        return presign(vector);
    }
    let signer = lenient(vector.credentials(), vector.scheme);
    let mut parts = vector.unsigned();
    let at = vector.signed_at();
    let mut stages = Vec::new();
    if let Some(expected) = &vector.canonical_request {
        let got = signer.canonical_request_at(&parts, at).unwrap().unwrap_or_default();
        stages.push(("canonical request", got, expected.clone()));
    }
    if let Some(expected) = &vector.string_to_sign {
        let got = signer.string_to_sign_at(&parts, at).unwrap();
        stages.push(("string to sign", got, expected.clone()));
    }
    signer.sign_at(&mut parts, at).unwrap();
    let value = |headers: &HeaderMap| headers["authorization"].as_bytes().to_vec();
    stages.push(("authorization", value(&parts.headers), value(&vector.parts.headers)));
    compare(stages)?;
    assert_eq!(parts.uri, vector.parts.uri, "signing leaves the target alone");
    Ok(())
}

fn presign(vector: &Vector) -> Result<(), String> {
    let uri = &vector.parts.uri;
    let kept: Vec<_> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| {
            let key = pair.split('=').next().unwrap_or_default();
            !["x-fc-access-key-id", "x-fc-expires", "x-fc-security-token", "x-fc-signature"]
                .contains(&key)
        })
        .collect();
    let unsigned = match kept.is_empty() {
        true => uri.path().to_owned(),
        false => format!("{}?{}", uri.path(), kept.join("&")),
    };
    let expires = vector.expires().expect("a presigned URL has x-fc-expires");
    // As of one second before its end, so that every vector has a lifetime.
    let lifetime = Duration::from_secs(1);
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(expires) - lifetime;
    let mut parts = vector.parts.clone();
    parts.uri = unsigned.parse().unwrap();
    let url = Presigner::new(vector.credentials())
        .with_insecure_observation()
        .presign_at(&parts, lifetime, now)
        .map_err(|error| error.to_string())?;
    let signature = |uri: &Uri| {
        let query = uri.query().unwrap();
        let pair = query.split('&').find(|pair| pair.starts_with("x-fc-signature=")).unwrap();
        pair.to_owned().into_bytes()
    };
    compare(vec![("signature", signature(url.uri()), signature(uri))])
}

fn compare(stages: Vec<(&str, Vec<u8>, Vec<u8>)>) -> Result<(), String> {
    for (stage, got, expected) in stages {
        if got != expected {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            return Err(format!("{stage}:\n{:?}\n{:?}", text(&got), text(&expected)));
        }
    }
    Ok(())
}

#[test]
fn what_the_client_changed_after_signing_is_refused() {
    let vectors = read("tests/vectors/dev.unverifiable.jsonl");
    assert_eq!(vectors.len(), 28);
    for vector in &vectors {
        let own = vector.verify(vector.own_dialect());
        assert_eq!(own, Err(RejectionKind::SignatureMismatch), "{} {}", vector.id, vector.note);
        let by_others = vector.note.contains("but verifies as");
        assert_eq!(
            vector.verify(Dialects::all()).is_ok(),
            by_others,
            "{} {}",
            vector.id,
            vector.note
        );
    }
}

/// The line of a request that is signed in the documented form, with no field but those
/// that are needed.
fn line(scheme: Scheme, dialect: &str, target: &str, time: SystemTime) -> String {
    let credentials = Credentials::new("id", "secret").unwrap();
    let signer = lenient(credentials, scheme);
    let request = http::Request::get(target).header("host", "demo.example").header("accept", "*/*");
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    signer.sign_at(&mut parts, time).unwrap();
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    let headers: Vec<_> =
        parts.headers.iter().map(|(name, value)| [name.to_string(), text(value)]).collect();
    let line = serde_json::json!({
        "id": format!("{scheme} {dialect} {target}"),
        "scheme": scheme.name().trim_end_matches("-sm3"),
        "dialect": dialect,
        "method": "GET",
        "url": target,
        "headers": headers,
        "access_key_id": "id",
        "access_key_secret": "secret",
        "timestamp": String::from_utf8_lossy(&format_acs_date(time)),
    });
    line.to_string()
}

#[test]
fn a_vector_needs_few_fields_and_may_have_a_dialect_of_another_name() {
    let time = parse_acs_date(b"2026-11-21T17:57:00Z").unwrap();
    for scheme in Scheme::ALL.iter().filter(|scheme| **scheme != Scheme::FcPresigned) {
        let dialects: &[_] = match scheme {
            Scheme::Fc => &["standard", "fc/go-gateway", "fc/py-fc2"],
            Scheme::Acs => &["standard", "acs/go", "acs/py"],
            _ => &["standard", "acs3/py"],
        };
        for dialect in dialects {
            // What is the end of a presigned URL is none of another request, though it be
            // over, or far off.
            for target in ["/a%20b?c=d", "/?x-fc-expires=1700000000", "/?x-fc-expires=2000000000"] {
                let vector = vector(&line(*scheme, dialect, target, time)).unwrap();
                if vector.verify(vector.own_dialect()).is_err() {
                    // Python signs the date, whatever is in the query.
                    assert!(*dialect == "fc/py-fc2" && target.contains("expires"), "{}", vector.id);
                }
                assert_eq!(
                    vector.verify(Dialect::Standard),
                    Ok(Dialect::Standard),
                    "{}",
                    vector.id
                );
                assert_eq!(vector.left_out(), None, "{}", vector.id);
                assert_eq!(reproduce(&vector), Ok(()), "{}", vector.id);
            }
        }
    }
}

#[test]
fn what_another_signer_would_write_is_left_out_of_signing() {
    let time = parse_acs_date(b"2026-11-21T17:57:00Z").unwrap();
    let good = vector(&line(Scheme::Acs3HmacSha256, "acs3/py", "/a?b=c", time)).unwrap();
    assert_eq!(good.left_out(), None);
    let mut tampered = good.clone();
    tampered.parts.method = http::Method::PUT;
    assert_eq!(tampered.left_out(), Some("signed in another form"));
    // Not signed, so that it verifies; a signer would sign it.
    let mut unlisted = good.clone();
    unlisted.parts.headers.insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(unlisted.left_out(), Some("signed with another selection of headers"));
}
