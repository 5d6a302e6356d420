//! What the real SDKs signed for more than they sent: a verifier with all defaults takes such a
//! signature for that of another request, and cannot tell.
//!
//! `SECURITY.md` has the counts, which are those of `tests/vectors/dev.jsonl`, SM3 included.

use crate::common::vectors::{VERIFIABLE, Vector, read};
use http::request::Parts;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tower_fc::Scheme;
use tower_fc::protocol::{Ambiguity, Dialect};

/// The path, decoded but for escapes of letters, digits, `-`, `.` and `_` (which are above 255),
/// and the values of each parameter in their order.
type Meaning = (Vec<Vec<u16>>, BTreeMap<Vec<u16>, Vec<Vec<u16>>>);

fn meaning(parts: &Parts) -> Meaning {
    let read = |text: &str, plus: u16, kept: &[u8]| -> Vec<u16> {
        let mut read = Vec::new();
        let mut rest = text.as_bytes();
        while let Some(first) = rest.first() {
            let digits = rest.get(1..3).and_then(|digits| std::str::from_utf8(digits).ok());
            let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            let escape = byte.filter(|_| *first == b'%');
            read.push(match (first, escape) {
                (_, Some(byte)) if kept.contains(&byte) => 256 + u16::from(byte),
                (_, Some(byte)) => u16::from(byte),
                (b'+', None) => plus,
                (byte, None) => u16::from(*byte),
            });
            rest = &rest[if escape.is_some() { 3 } else { 1 }..];
        }
        read
    };
    let kept: Vec<u8> = (0..128)
        .filter(|byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte))
        .collect();
    let path = if parts.uri.path().is_empty() { "/" } else { parts.uri.path() };
    let segments = path.split('/').map(|segment| read(segment, u16::from(b'+'), &kept)).collect();
    let mut parameters = BTreeMap::<_, Vec<_>>::new();
    let query = parts.uri.query().unwrap_or_default();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let space = u16::from(b' ');
        parameters.entry(read(key, space, &[])).or_default().push(read(value, space, &[]));
    }
    (segments, parameters)
}

fn in_any_order((segments, mut parameters): Meaning) -> Meaning {
    parameters.values_mut().for_each(|values| values.sort());
    (segments, parameters)
}

/// Escapes everything but what is unreserved, and `plain`.
fn encoded(text: &[u8], plain: &[u8]) -> String {
    let mut encoded = String::new();
    for byte in text {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(byte) || plain.contains(byte) {
            true => encoded.push(char::from(*byte)),
            false => write!(encoded, "%{byte:02X}").unwrap(),
        }
    }
    encoded
}

fn cut(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = text.iter().position(|byte| *byte == at)?;
    Some((&text[..position], &text[position + 1..]))
}

/// `k=v` with both encoded; `None` without an equals sign.
fn pair(text: &[u8]) -> Option<String> {
    let (key, value) = cut(text, b'=')?;
    Some(format!("{}={}", encoded(key, b""), encoded(value, b"")))
}

impl Vector {
    /// What tells it from others: a canonical request where there is one. Four of SM3 have none.
    fn text(&self) -> Option<&[u8]> {
        match self.listed_headers() {
            Some(_) => self.canonical_request.as_deref(),
            None => self.string_to_sign.as_deref(),
        }
    }

    /// The target of which the documented form signs this vector's text, if there is one. All
    /// that are accepted with one text have one meaning, so there is no need to try others.
    fn target_of_its_text(&self) -> Option<String> {
        let text = self.text()?;
        let resource = |text: &[u8]| {
            let position = text.windows(2).position(|window| window == b"\n/")?;
            Some(text[position + 1..].to_vec())
        };
        match self.scheme {
            // The path, and a line for each parameter.
            Scheme::Fc | Scheme::FcPresigned => {
                let resource = resource(text)?;
                let (path, lines) = cut(&resource, b'\n')?;
                let lines = lines.split(|byte| *byte == b'\n').filter(|_| !lines.is_empty());
                let mut query = lines.map(pair).collect::<Option<Vec<_>>>()?;
                if self.scheme == Scheme::FcPresigned {
                    let mut own = self.parts.uri.query()?.split('&');
                    query.extend(own.find(|part| part.starts_with("x-fc-sig")).map(str::to_owned));
                }
                let lead = if query.is_empty() { "" } else { "?" };
                Some(format!("{}{lead}{}", encoded(path, b"/"), query.join("&")))
            }
            // The path as it is sent, and parameters.
            Scheme::Acs => {
                let resource = resource(text)?;
                let (path, query) = cut(&resource, b'?').unwrap_or((&resource, b""));
                let parts = query.split(|byte| *byte == b'&').filter(|_| !query.is_empty());
                let query: Vec<_> =
                    parts.map(|part| pair(part).unwrap_or_else(|| encoded(part, b""))).collect();
                let lead = if query.is_empty() { "" } else { "?" };
                Some(format!("{}{lead}{}", std::str::from_utf8(path).ok()?, query.join("&")))
            }
            // Both in the second and the third line, as they can be sent.
            _ => {
                let mut lines = std::str::from_utf8(text).ok()?.split('\n').skip(1);
                let (path, query) = (lines.next()?, lines.next()?);
                let lead = if query.is_empty() { "" } else { "?" };
                Some(format!("{path}{lead}{query}"))
            }
        }
    }

    /// Other requests that its signature may be good for.
    fn others(&self) -> Vec<Parts> {
        let mut others = Vec::new();
        let target = self.target_of_its_text().and_then(|target| target.parse().ok());
        for uri in target.into_iter().chain([self.parts.uri.clone()]) {
            // With each repeated header as it is, as its first one, and as one.
            for join in [None, Some(1), Some(usize::MAX)] {
                let mut parts = self.parts.clone();
                parts.uri = uri.clone();
                for name in self.parts.headers.keys() {
                    let all = self.parts.headers.get_all(name).iter();
                    let values: Vec<_> = all.map(|value| value.as_bytes()).collect();
                    if let Some(most) = join.filter(|_| values.len() > 1) {
                        let value = values[..most.min(values.len())].join(&b","[..]);
                        parts.headers.insert(name, value.try_into().unwrap());
                    }
                }
                others.push(parts);
            }
        }
        others
    }

    /// What is ambiguous about it in its own dialect.
    fn ambiguities(&self) -> Vec<Ambiguity> {
        let verifier = self.verifier(self.own_dialect()).with_insecure_observation();
        let caller = verifier.verify_at(&self.parts, self.verified_at()).unwrap();
        caller.ambiguities().collect()
    }
}

/// What became of the requests of one dialect.
#[derive(Default)]
struct Counts {
    all: usize,
    /// Good for another request.
    moved: usize,
    /// By what is ambiguous about them, which may be several things.
    why: BTreeMap<Ambiguity, usize>,
    /// Good for another order of values.
    reordered: usize,
}

#[test]
fn what_the_sdks_signed_is_good_for_another_request_as_security_md_says() {
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    for vector in read(VERIFIABLE) {
        let name = match vector.own_dialect() {
            Dialect::Standard => vector.scheme.to_string(),
            dialect => dialect.to_string(),
        };
        let counts = counts.entry(name).or_default();
        counts.all += 1;
        let verifier = vector.verifier(Dialect::Standard);
        let verify = |parts: &Parts| verifier.verify_at(parts, vector.verified_at());
        let accepted: Vec<_> =
            vector.others().into_iter().filter(|other| verify(other).is_ok()).collect();
        // If it is accepted itself, nothing of other meaning is.
        assert!(vector.text().is_some() || verify(&vector.parts).is_ok(), "{}", vector.id);
        let sent = meaning(&vector.parts);
        let is_moved = |other: &&Parts| {
            other.headers != vector.parts.headers
                || in_any_order(meaning(other)) != in_any_order(sent.clone())
        };
        if let Some(other) = accepted.iter().find(is_moved) {
            let why = vector.ambiguities();
            println!("{}: {} as {}: {why:?}", vector.id, vector.parts.uri, other.uri);
            assert!(!why.is_empty(), "{} is accepted in its own dialect", vector.id);
            counts.moved += 1;
            why.into_iter().for_each(|why| *counts.why.entry(why).or_default() += 1);
        } else if accepted.iter().any(|other| meaning(other) != sent) {
            counts.reordered += 1;
        }
    }
    let text = std::fs::read_to_string("SECURITY.md").unwrap();
    let mut missing = Vec::new();
    let total = |of: fn(&Counts) -> usize| counts.values().map(of).sum::<usize>();
    let (all, moved) = (total(|counts| counts.all), total(|counts| counts.moved));
    let reordered = total(|counts| counts.reordered);
    let summary = format!("Of {all} requests of the SDKs {moved} are so, and {reordered} more");
    if !text.contains(&summary) {
        missing.push(summary);
    }
    for (name, Counts { all, moved, why, reordered }) in &counts {
        let why: Vec<_> = why.iter().map(|(why, count)| format!("`{why:?}` {count}")).collect();
        let why = if why.is_empty() { String::new() } else { format!(": {}", why.join(", ")) };
        let (start, end) =
            (format!("| `{name}` |"), format!("| {moved} of {all}{why} | {reordered} |"));
        if !text.lines().any(|line| line.starts_with(&start) && line.ends_with(&end)) {
            missing.push(format!("{start} … {end}"));
        }
    }
    assert!(missing.is_empty(), "SECURITY.md has not\n{}", missing.join("\n"));
}
