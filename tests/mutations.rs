//! One bit: whichever it is of what a signature covers, and of the credentials, a
//! request in which it is another is refused. Tried with the requests of the real SDKs.
//!
//! The one exception is a request of the same [`Meaning`].

use crate::common::vectors::{VERIFIABLE, Vector, read};
use crate::common::with_another_bit;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Uri};
use std::collections::BTreeMap;
use tower_fc::Scheme;

/// How many requests of each dialect are tried, of those that the strict rules let pass.
const EACH: usize = 12;

/// What a request says. By one bit, two requests with the same meaning differ in the case
/// of a hexadecimal digit of an escape, which proxies and clients may change.
#[derive(PartialEq)]
struct Meaning {
    method: Method,
    /// Decoded, each by itself.
    segments: Vec<Vec<u8>>,
    /// The same; `None` where there is no `=`. In any order.
    parameters: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Credentials and what is signed.
    headers: Vec<(HeaderName, Vec<u8>)>,
}

impl Meaning {
    fn of(parts: &Parts, signed: &[HeaderName]) -> Self {
        let segments = parts.uri.path().split('/').map(decode).collect();
        let parameter = |part: &str| match part.split_once('=') {
            Some((name, value)) => (decode(name), Some(decode(value))),
            None => (decode(part), None),
        };
        let query = parts.uri.query().into_iter();
        let mut parameters: Vec<_> =
            query.flat_map(|query| query.split('&')).map(parameter).collect();
        parameters.sort();
        let header = |name: &HeaderName| {
            (name.clone(), parts.headers[name].as_bytes().trim_ascii().to_vec())
        };
        let headers = signed.iter().map(header).collect();
        Self { method: parts.method.clone(), segments, parameters, headers }
    }
}

/// Without its escapes. What is not an escape stays as it is.
fn decode(text: &str) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    decoded
}

/// The headers that are signed, by what each scheme says, and the credentials.
fn signed_headers(vector: &Vector) -> Vec<HeaderName> {
    let headers = &vector.parts.headers;
    let listed = vector.listed_headers();
    let is_signed = |name: &str| match (&listed, vector.scheme) {
        _ if name == AUTHORIZATION => true,
        (Some(list), _) => list.contains(&name) || name == "x-acs-content-sha256",
        (None, Scheme::Acs) => {
            name.starts_with("x-acs-")
                || ["accept", "content-md5", "content-type", "date"].contains(&name)
        }
        (None, scheme) => {
            name.starts_with("x-fc-")
                || ["content-md5", "content-type"].contains(&name)
                || name == "date" && scheme == Scheme::Fc
        }
    };
    headers.keys().filter(|name| is_signed(name.as_str())).cloned().collect()
}

/// A part of a request in which a bit is to be another.
#[derive(Clone, Debug)]
enum Part {
    Method,
    Target,
    Header(HeaderName),
}

impl Part {
    fn bytes(&self, parts: &Parts) -> Vec<u8> {
        match self {
            Self::Method => parts.method.as_str().as_bytes().to_vec(),
            Self::Target => parts.uri.to_string().into_bytes(),
            Self::Header(name) => parts.headers[name].as_bytes().to_vec(),
        }
    }

    /// The request with these bytes there, `None` if there is none.
    fn replaced(&self, parts: &Parts, bytes: &[u8]) -> Option<Parts> {
        let mut parts = parts.clone();
        match self {
            Self::Method => parts.method = Method::from_bytes(bytes).ok()?,
            Self::Target => parts.uri = Uri::try_from(bytes).ok()?,
            Self::Header(name) => {
                parts.headers.insert(name, HeaderValue::from_bytes(bytes).ok()?);
            }
        }
        Some(parts)
    }
}

#[derive(Debug, Default)]
struct Count {
    vectors: usize,
    refused: usize,
    same_meaning: usize,
    no_request: usize,
}

#[test]
fn a_request_with_one_other_bit_is_refused_or_has_the_same_meaning() {
    let mut counts = BTreeMap::<String, Count>::new();
    let mut passed = Vec::new();
    for vector in read(VERIFIABLE) {
        let verifier = vector.verifier(vector.own_dialect());
        let now = vector.verified_at();
        let Ok(caller) = verifier.verify_at(&vector.parts, now) else { continue };
        let count = counts.entry(format!("{} {}", vector.scheme, vector.dialect)).or_default();
        if count.vectors == EACH {
            continue;
        }
        count.vectors += 1;

        let signed = signed_headers(&vector);
        for name in vector.parts.headers.keys().filter(|name| *name != AUTHORIZATION) {
            assert_eq!(caller.covers_header(name), signed.contains(name), "{} {name}", vector.id);
        }
        let meaning = Meaning::of(&vector.parts, &signed);
        let places = [Part::Method, Part::Target].into_iter();
        for place in places.chain(signed.iter().cloned().map(Part::Header)) {
            let bytes = place.bytes(&vector.parts);
            for other in with_another_bit(&bytes) {
                let Some(parts) = place.replaced(&vector.parts, &other) else {
                    count.no_request += 1;
                    continue;
                };
                if verifier.verify_at(&parts, now).is_err() {
                    count.refused += 1;
                } else if Meaning::of(&parts, &signed) == meaning {
                    count.same_meaning += 1;
                } else {
                    let other = String::from_utf8_lossy(&other).into_owned();
                    passed.push(format!("{} {place:?}: {other}", vector.id));
                }
            }
        }
    }
    let sum = |of: fn(&Count) -> usize| counts.values().map(of).sum::<usize>();
    println!("{counts:#?}");
    println!(
        "of {} requests of {} dialects, {} with one other bit are refused; {} mean the same, {} are none",
        sum(|count| count.vectors),
        counts.len(),
        sum(|count| count.refused),
        sum(|count| count.same_meaning),
        sum(|count| count.no_request),
    );
    assert!(sum(|count| count.vectors) >= 100);
    assert!(passed.is_empty(), "{} pass:\n{}", passed.len(), passed.join("\n"));
}
