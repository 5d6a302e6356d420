//! What someone without a secret may send, by chance: it gets a refusal and nothing else.
//!
//! `SEED` gives other requests.

use super::bad_input::SIGNATURE;
use crate::common::services::greeter;
use crate::common::{ACS_DATE, DATE, ID, Random, at, call, clock, keys, only, read_error};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Uri};
use std::collections::BTreeMap;
use std::time::Duration;
use tower::Layer as _;
use tower_fc::protocol::{Dialects, Schemes};
use tower_fc::verify::Mode;
use tower_fc::{
    Credentials, Presigner, Rejection, RejectionKind, Scheme, Signer, Verifier, VerifyLayer,
};

use RejectionKind::{
    Ambiguous, ConflictingCredentials, Expired, ExpiresTooLate, HostMismatch, MalformedCredentials,
    MalformedDate, MissingCredentials, MissingDate, RepeatedHeader, RequestTimeTooSkewed,
    SignatureMismatch, UnknownAccessKey, UnsignedHeader, UnsupportedScheme,
};

/// Any bytes, mostly those that mean something somewhere.
fn bytes(random: &mut Random, longest: usize) -> Vec<u8> {
    const PIECES: &[&str] = &[
        "%",
        "%0A",
        "%0a",
        "%2F",
        "%2f",
        "%25",
        "%00",
        "%FF",
        "%C3%28",
        "%E4%BD%A0",
        "%zz",
        "+",
        "&",
        "=",
        ";",
        ":",
        ",",
        "/",
        "//",
        "..",
        "?",
        "#",
        " ",
        "\t",
        "\"",
        "\\",
        "a",
        "b=c",
        "x-fc-",
        "x-acs-",
        "x-fc-expires=",
        "x-fc-signature=",
        "x-fc-access-key-id=",
        "x-fc-security-token=",
        "FC ",
        "acs ",
        "ACS3-HMAC-SHA256 ",
        "ACS3-HMAC-SM3 ",
        "Credential=",
        "SignedHeaders=",
        "Signature=",
        ID,
        SIGNATURE,
        DATE,
        ACS_DATE,
        "é",
        "你",
        "1795283820",
        "99999999999999999999",
    ];
    let mut bytes = Vec::new();
    for _ in 0..random.below(longest + 1) {
        match random.below(4) {
            0 => bytes.push(random.next() as u8),
            1 => bytes.push(random.pick(b"abcXYZ0189-_.~!$'()*@")),
            _ => bytes.extend_from_slice(random.pick(PIECES).as_bytes()),
        }
    }
    bytes
}

/// Bytes with some of them changed, left out, doubled or put in.
fn mutated(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len() + 1);
        match random.below(5) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.truncate(at),
            3 => {
                let more = self::bytes(random, 3);
                bytes.splice(at..at, more);
            }
            _ => bytes.extend_from_within(at..),
        }
    }
    bytes
}

fn header_name(random: &mut Random) -> HeaderName {
    const NAMES: &[&str] = &[
        "authorization",
        "date",
        "host",
        "content-md5",
        "content-type",
        "accept",
        "x-acs-date",
        "x-acs-security-token",
        "x-acs-content-sha256",
        "x-acs-signature-nonce",
        "x-acs-version",
        "x-fc-security-token",
        "x-fc-date",
        "x-fc-invocation-type",
        "x-other",
    ];
    HeaderName::from_static(random.pick(NAMES))
}

fn header_value(random: &mut Random) -> Option<HeaderValue> {
    let bytes = bytes(random, 6);
    HeaderValue::from_bytes(&bytes).ok()
}

fn target(random: &mut Random) -> Option<Uri> {
    let mut text = match random.below(5) {
        0 => b"http://demo.example".to_vec(),
        1 => b"https://demo.example:443".to_vec(),
        _ => Vec::new(),
    };
    text.push(b'/');
    text.extend(bytes(random, 6));
    if random.one_in(2) {
        text.push(b'?');
        text.extend(bytes(random, 10));
    }
    Uri::from_maybe_shared(Bytes::from(text)).ok()
}

/// A request as an attacker without a secret may send it: signed right but for
/// the secret, and then, mostly, worked upon.
fn request(random: &mut Random) -> Option<Request<()>> {
    let mut request = Request::new(());
    *request.method_mut() = random.pick(&[Method::GET, Method::POST]);
    *request.uri_mut() = target(random)?;
    for _ in 0..random.below(6) {
        let name = header_name(random);
        request.headers_mut().append(name, header_value(random)?);
    }
    let id = if random.one_in(4) { "somebody-else" } else { ID };
    let mut credentials = Credentials::new(id, "a-guess").unwrap();
    if random.one_in(3) {
        credentials = credentials.with_security_token("made-up").unwrap();
    }
    let time = at(random.below(4_000) as i64 - 2_000);
    match random.below(6) {
        0 => {}
        1 => {
            let longest = random.pick(&[1_000, 1_000_000]);
            let lifetime = Duration::from_secs(1 + random.next() % longest);
            let presigner = Presigner::new(credentials).with_insecure_observation();
            let url = presigner.presign_request_at(&request, lifetime, time).ok()?;
            *request.uri_mut() = url.into_uri();
            request.headers_mut().remove(AUTHORIZATION);
        }
        _ => {
            let schemes: Vec<_> = Scheme::ALL
                .iter()
                .copied()
                .filter(|scheme| *scheme != Scheme::FcPresigned)
                .collect();
            let signer = Signer::new(credentials).with_scheme(random.pick(&schemes)).unwrap();
            // What is wrong in every way is sent as it is.
            let _refused = signer.with_insecure_observation().sign_request_at(&mut request, time);
        }
    }
    match random.below(5) {
        0 => {}
        1 => {
            let text = request.uri().to_string();
            let text = mutated(random, text.as_bytes());
            *request.uri_mut() = Uri::from_maybe_shared(Bytes::from(text)).ok()?;
        }
        _ => {
            let headers: &mut HeaderMap = request.headers_mut();
            let names: Vec<_> = headers.keys().cloned().collect();
            for name in names {
                if random.one_in(2) {
                    continue;
                }
                let value = mutated(random, headers[&name].as_bytes());
                let value = HeaderValue::from_bytes(&value).ok()?;
                match random.below(8) {
                    0 => drop(headers.remove(name)),
                    1 | 2 => drop(headers.append(name, value)),
                    _ => drop(headers.insert(name, value)),
                }
            }
        }
    }
    Some(request)
}

#[tokio::test]
async fn no_request_by_someone_without_a_secret_gets_anything_but_a_refusal() {
    const COUNT: usize = 20_000;
    let mut random = Random::seeded_or(|| 0x5EED_2026_1121);
    let observing =
        Verifier::new(keys()).with_schemes(Schemes::all()).with_dialects(Dialects::all());
    let layers = [Verifier::new(keys()), observing.clone(), observing.with_insecure_observation()]
        .map(|verifier| VerifyLayer::new(verifier).with_clock(clock()));
    let mut services = layers.clone().map(|layer| layer.layer(greeter()));
    let mut optional = layers.map(|layer| layer.with_mode(Mode::Optional).layer(greeter()));

    let mut kinds = BTreeMap::<RejectionKind, usize>::new();
    let mut sent = 0;
    while sent < COUNT {
        let Some(request) = self::request(&mut random) else { continue };
        sent += 1;
        let which = random.below(services.len());
        let shown = format!("request {sent}, layer {which}: {request:?}");
        let response = call(&mut services[which], request.clone()).await.unwrap();
        let rejection: &Rejection =
            response.extensions().get().unwrap_or_else(|| panic!("let through: {shown}"));
        let kind = rejection.kind();
        *kinds.entry(kind).or_default() += 1;
        assert_ne!(kind, RejectionKind::KeyStoreUnavailable, "{shown}");
        assert!(kind.status().is_client_error(), "{kind:?}: {shown}");
        if response.headers()["content-type"] == "application/grpc" {
            assert_eq!(response.status(), 200, "{shown}");
            let status: u8 = only(response.headers(), "grpc-status").parse().unwrap();
            assert!([3, 7, 16].contains(&status), "{status}: {shown}");
        } else {
            assert_eq!(response.status(), kind.status(), "{shown}");
            let (code, message) = read_error(response).await;
            assert_eq!(code, kind.error_code(), "{shown}");
            assert!(!message.is_empty(), "{shown}");
        }
        // What lets the anonymous pass lets nobody else.
        let response = call(&mut optional[which], request).await.unwrap();
        let optional = response.extensions().get().map(Rejection::kind);
        let expected = (kind != MissingCredentials).then_some(kind);
        assert_eq!(optional, expected, "{shown}");
    }
    println!("{kinds:#?}");
    // The generator reaches every kind but that of a store that is down.
    for kind in [
        MissingCredentials,
        MissingDate,
        ConflictingCredentials,
        RepeatedHeader,
        MalformedCredentials,
        UnsupportedScheme,
        MalformedDate,
        RequestTimeTooSkewed,
        Expired,
        ExpiresTooLate,
        UnsignedHeader,
        Ambiguous,
        HostMismatch,
        UnknownAccessKey,
        SignatureMismatch,
    ] {
        assert!(kinds.contains_key(&kind), "never {kind:?}");
    }
}
