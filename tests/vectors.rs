//! What the real SDKs signed, stage by stage and in both directions.
//!
//! `VECTORS=FILE` runs another file of the same format (see `tests/vectors/README.md`)
//! in place of the 440 requests that can be verified.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::vectors::{VERIFIABLE, Vector, read};
use http::{HeaderMap, HeaderName, Uri, request::Parts};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use tower_fc::{
    Credentials, Dialect, Dialects, Presigner, RejectionKind, Scheme, Signer, parse_acs_date,
};

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

    /// Why signing in the documented form does not reproduce this vector's
    /// signature; `None` when it has to.
    fn left_out(&self) -> Option<&'static str> {
        let sdk = self.dialect.as_str();
        match self.scheme {
            Scheme::Fc if sdk == "fc/go-gateway" => None,
            Scheme::Fc => Some("an SDK's own dialect of FC"),
            Scheme::FcPresigned => None,
            Scheme::Acs if sdk == "acs/go" => None,
            Scheme::Acs => Some("acs of another SDK than Go's"),
            _ if sdk.ends_with("-doc") => Some("the way of the documented ACS3 samples"),
            _ if self.signed_headers() != self.standard_headers() => {
                Some("a general ACS3 request with another selection of headers")
            }
            _ => None,
        }
    }

    fn signed_headers(&self) -> Vec<&str> {
        let value = self.parts.headers["authorization"].to_str().unwrap();
        let list = value.split_once("SignedHeaders=").unwrap().1.split(',').next().unwrap();
        list.split(';').collect()
    }

    fn standard_headers(&self) -> Vec<&str> {
        let is_signed =
            |name: &&str| name.starts_with("x-acs-") || ["host", "content-type"].contains(name);
        let mut names: Vec<_> =
            self.parts.headers.keys().map(HeaderName::as_str).filter(is_signed).collect();
        names.sort_unstable();
        names
    }

    /// The request as it was before it was signed: without what signing adds.
    fn unsigned(&self) -> Parts {
        let mut parts = self.parts.clone();
        for name in ["authorization", "date", "x-acs-date"] {
            if name != "date" || self.scheme != Scheme::Acs3HmacSha256 {
                parts.headers.remove(name);
            }
        }
        for name in ["x-fc-security-token", "x-acs-security-token"] {
            if self.token.is_some() {
                parts.headers.remove(name);
            }
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
        if vector.verify(Dialects::ALL).is_err() {
            failed.push(format!("{} in all: {:?}", vector.id, vector.verify(Dialects::ALL)));
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

/// Signs a vector again and compares stage by stage.
fn reproduce(vector: &Vector) -> Result<(), String> {
    if vector.scheme == Scheme::FcPresigned {
        return presign(vector);
    }
    let signer = Signer::new(vector.credentials()).with_scheme(vector.scheme).unwrap();
    let mut parts = vector.unsigned();
    let at = vector.timestamp;
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
    let url = Presigner::new(vector.credentials())
        .presign_at(
            &vector.parts.method,
            &unsigned.parse().unwrap(),
            &vector.parts.headers,
            lifetime,
            now,
        )
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
            vector.verify(Dialects::ALL).is_ok(),
            by_others,
            "{} {}",
            vector.id,
            vector.note
        );
    }
}

#[test]
fn the_documented_example_of_acs3_gives_the_documented_signature() {
    let request = http::Request::post(
        "/?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai",
    )
    .header("host", "ecs.cn-shanghai.aliyuncs.com")
    .header("x-acs-action", "RunInstances")
    .header(
        "x-acs-content-sha256",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    )
    .header("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d")
    .header("x-acs-version", "2014-05-26");
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let credentials = Credentials::new("YourAccessKeyId", "YourAccessKeySecret").unwrap();
    let signer = Signer::new(credentials).with_scheme(Scheme::Acs3HmacSha256).unwrap();
    signer.sign_at(&mut parts, parse_acs_date(b"2023-10-26T10:22:32Z").unwrap()).unwrap();
    assert_eq!(
        parts.headers["authorization"],
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;\
         x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,\
         Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    );
}

#[test]
fn the_documented_example_of_fc_gives_the_documented_resource() {
    let target = "/2016-08-15/proxy/service-name/func-name/path-with-%20-space/action\
                  ?x=1&a=2&x=3&with%20space=foo%20bar";
    let (parts, ()) = http::Request::get(target).body(()).unwrap().into_parts();
    let signer = Signer::new(Credentials::new("id", "secret").unwrap());
    let text = signer.string_to_sign_at(&parts, SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(
        String::from_utf8(text).unwrap(),
        "GET\n\n\nThu, 01 Jan 1970 00:00:00 GMT\n\
         /2016-08-15/proxy/service-name/func-name/path-with- -space/action\n\
         a=2\nwith space=foo bar\nx=1\nx=3"
    );
}
