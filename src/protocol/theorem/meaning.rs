//! What a request means to those who serve it: everything that some parser or router tells
//! apart, as far as a signature is to cover it.

use super::requests::Request;
use crate::headers::X_ACS_CONTENT_SHA256;
use crate::protocol::canonical::percent;
use crate::protocol::request::is_protocol;
use crate::protocol::scheme::Scheme;
use http::header::{AUTHORIZATION, HOST, HeaderValue};
use std::collections::BTreeMap;

/// What two requests have in common if it makes no difference which of them is served.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Meaning {
    method: String,
    path: Path,
    query: Query,
    /// The covered headers and those that a trigger acts upon, with all values of each in
    /// their order.
    headers: BTreeMap<String, Vec<Vec<u8>>>,
    /// The host, if it is covered, to those who ask the first `host` header, the last, and the
    /// target.
    hosts: Option<[Option<Vec<u8>>; 3]>,
    /// Whether it is one caller's to those who read the first `Authorization`, and another's
    /// to those who read the last.
    is_of_two: bool,
    /// Whether it is good until a time that its URL names.
    is_presigned: bool,
}

/// A path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Path {
    /// Decoded, but that escapes of letters, digits, `-`, `.` and `_` are above 255: routers
    /// that do not decode tell them from the characters.
    segments: Vec<Vec<u16>>,
    /// There are decoders that refuse it.
    is_malformed: bool,
}

/// The values of each parameter in their order; `None` where a parser refuses the query.
type Parameters = Option<BTreeMap<Vec<u8>, Vec<Vec<u8>>>>;

/// The parameters, as the parsers read them that there are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Query {
    /// As browsers do (WHATWG), and most.
    usual: Parameters,
    /// Cut at semicolons too: HTML 4, older Python, the documented Java sample.
    cut_at_semicolons: Parameters,
    /// Without the parts that have a semicolon or a bad escape: Go.
    without_odd_parts: Parameters,
    /// Refused for a bad escape: Java's `URLDecoder`.
    refusing: Parameters,
}

impl Meaning {
    /// Of a request that is signed by a scheme; `listed` are the signed headers under one that
    /// lists them.
    pub(super) fn of(request: &Request, scheme: Scheme, listed: &[String]) -> Self {
        let is_listed = |name: &str| listed.iter().any(|each| each == name);
        let is_covered = |name: &str| scheme.covers(name, is_listed) || is_protocol(name);
        let mut headers = BTreeMap::<String, Vec<Vec<u8>>>::new();
        for (name, value) in request.headers.iter().filter(|(name, _)| **name != HOST) {
            let text = name.as_str();
            // In a line of its own an empty value is as good as none.
            let is_line = !is_protocol(text) || *name == X_ACS_CONTENT_SHA256;
            if is_covered(text) && (is_listed(text) || !is_line || !value.is_empty()) {
                headers.entry(text.to_owned()).or_default().push(value.as_bytes().to_vec());
            }
        }
        // Whoever lists headers lists the host where the target names it.
        let names_host = is_listed("host") || !listed.is_empty() && request.uri.host().is_some();
        Self {
            method: request.method.to_string(),
            path: Path::of(request.uri.path().as_bytes()),
            query: Query::of(request.uri.query().unwrap_or_default().as_bytes()),
            headers,
            hosts: names_host.then(|| hosts(request)),
            is_of_two: is_of_two(request),
            is_presigned: scheme == Scheme::FcPresigned,
        }
    }

    /// The same, whatever the order of the values of each parameter.
    pub(super) fn in_any_order(mut self) -> Self {
        let Query { usual, cut_at_semicolons, without_odd_parts, refusing } = &mut self.query;
        for parameters in [usual, cut_at_semicolons, without_odd_parts, refusing] {
            parameters.iter_mut().flat_map(BTreeMap::values_mut).for_each(|values| values.sort());
        }
        self
    }
}

impl Path {
    fn of(path: &[u8]) -> Self {
        let segment = |segment: &[u8]| {
            let mut text = Vec::new();
            let mut rest = segment;
            while let Some(first) = rest.first() {
                let escape = percent::escape(rest);
                text.push(match escape {
                    Some(byte) if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) => {
                        256 + u16::from(byte)
                    }
                    Some(byte) => u16::from(byte),
                    None => u16::from(*first),
                });
                rest = &rest[if escape.is_some() { 3 } else { 1 }..];
            }
            text
        };
        Self {
            segments: path.split(|byte| *byte == b'/').map(segment).collect(),
            is_malformed: is_malformed(path),
        }
    }
}

impl Query {
    fn of(query: &[u8]) -> Self {
        let usual = parameters(query.split(|byte| *byte == b'&'));
        let (has_semicolon, is_malformed) = (query.contains(&b';'), is_malformed(query));
        let is_odd = |part: &&[u8]| part.contains(&b';') || self::is_malformed(part);
        Self {
            cut_at_semicolons: match has_semicolon {
                true => parameters(query.split(|byte| b"&;".contains(byte))),
                false => usual.clone(),
            },
            without_odd_parts: match has_semicolon || is_malformed {
                true => parameters(query.split(|byte| *byte == b'&').filter(|part| !is_odd(part))),
                false => usual.clone(),
            },
            refusing: usual.clone().filter(|_| !is_malformed),
            usual,
        }
    }
}

fn parameters<'q>(parts: impl Iterator<Item = &'q [u8]>) -> Parameters {
    let mut parameters = BTreeMap::<Vec<u8>, Vec<Vec<u8>>>::new();
    for part in parts.filter(|part| !part.is_empty()) {
        let equals = part.iter().position(|byte| *byte == b'=').unwrap_or(part.len());
        let key = percent::decode_form(&part[..equals]).into_owned();
        let value = percent::decode_form(part.get(equals + 1..).unwrap_or_default()).into_owned();
        parameters.entry(key).or_default().push(value);
    }
    Some(parameters)
}

/// Whether there is a percent sign that begins no escape.
fn is_malformed(text: &[u8]) -> bool {
    (0..text.len()).any(|at| text[at] == b'%' && percent::escape(&text[at..]).is_none())
}

fn hosts(request: &Request) -> [Option<Vec<u8>>; 3] {
    // All of them are of `http`.
    let of_header = |host: &HeaderValue| {
        let host = host.as_bytes();
        host.strip_suffix(b":80").unwrap_or(host).to_vec()
    };
    let all: Vec<_> = request.headers.get_all(HOST).iter().map(of_header).collect();
    let port = request.uri.port_u16().filter(|port| *port != 80);
    let port = port.map_or(String::new(), |port| format!(":{port}"));
    let target = request.uri.host().map(|host| format!("{host}{port}").into_bytes());
    let or_target = |host: Option<&Vec<u8>>| host.or(target.as_ref()).cloned();
    let (first, last) = (or_target(all.first()), or_target(all.last()));
    [first.clone(), last, target.or(first)]
}

fn is_of_two(request: &Request) -> bool {
    let all: Vec<_> = request.headers.get_all(AUTHORIZATION).iter().collect();
    all.first() != all.last()
}
