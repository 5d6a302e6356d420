//! The promise behind strictness, tried on many small requests: no two that are
//! accepted and differ in meaning share a string-to-sign. Not for one dialect, and
//! not for several that are accepted side by side.

use super::forms::signed_text;
use super::{Dialect, Dialects};
use crate::protocol::canonical::{parameters::parameters, percent};
use crate::protocol::request::{Head, ProtocolHeaders, RequestRef, is_protocol};
use crate::protocol::scheme::{
    Family,
    ambiguity::{Ambiguities, Ambiguity, Policy},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use std::collections::{BTreeMap, HashMap};

/// Pieces that targets are made of: everything that some dialect treats specially.
const PIECES: &[&str] = &[
    "a",
    "b",
    "20",
    "2B",
    "7E",
    "~",
    "$",
    "*",
    "+",
    ";",
    "=",
    "&",
    "&",
    "=",
    "a=",
    "&a=",
    "%",
    "%0A",
    "%20",
    "%20",
    "%24",
    "%25",
    "%25",
    "%26",
    "%2A",
    "%2B",
    "%2F",
    "%2b",
    "%3B",
    "%3D",
    "%61",
    "%7E",
    "%FF",
    "%C3%A9",
    "%EF%BF%BD",
    "%F0%9F%98%80",
    "%EE%80%80",
];

/// Requests small enough to collide, if they can.
struct Generator(u64);

impl Generator {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % bound
    }

    fn text(&mut self, most: usize) -> String {
        (0..self.below(most + 1)).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }

    fn target(&mut self) -> String {
        match self.below(4) {
            0 => format!("/{}", self.text(2)),
            1 => format!("/{}/{}", self.text(1), self.text(2)),
            2 => format!("/?{}", self.text(4)),
            _ => format!("/{}?{}", self.text(1), self.text(3)),
        }
    }

    fn headers(&mut self, family: Family) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let date = if family == Family::Acs3 { "x-acs-date" } else { "date" };
        let values = ["", "1", "2", "1,2", "undefined"];
        headers.append(date, HeaderValue::from_static("now"));
        for _ in 0..self.below(3) {
            let names = ["x-fc-a", "x-fc-b", "x-acs-a", "content-type", "content-md5", "accept"];
            let name = HeaderName::from_static(names[self.below(names.len())]);
            headers.append(name, HeaderValue::from_static(values[self.below(values.len())]));
        }
        headers
    }
}

struct Request {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

/// What a request means to the one who serves it, as far as a family signs it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Meaning {
    method: Method,
    segments: Vec<Vec<u8>>,
    /// The values of each parameter in their order.
    parameters: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    headers: Vec<(String, Vec<u8>)>,
}

impl Request {
    fn head<'a, 'h: 'a>(&'h self, protocols: &'a mut ProtocolHeaders<'h>) -> Head<'a> {
        Head::of(
            RequestRef { method: &self.method, uri: &self.uri, headers: &self.headers },
            protocols,
        )
    }

    fn meaning(&self, family: Family) -> Meaning {
        let mut protocols = ProtocolHeaders::new();
        let head = self.head(&mut protocols);
        let mut values = BTreeMap::<Vec<u8>, Vec<Vec<u8>>>::new();
        for (key, value) in parameters(head.query()) {
            values.entry(key.into_owned()).or_default().push(value.into_owned());
        }
        let is_signed = |name: &str| match family {
            Family::Fc => {
                name.starts_with("x-fc-") || ["content-type", "content-md5", "date"].contains(&name)
            }
            Family::Acs3 => is_protocol(name) || name == "content-type",
            Family::Acs => name.starts_with("x-acs-") || !name.starts_with("x-"),
        };
        let mut headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            // An empty value and none at all are the same in the fixed lines.
            .filter(|(name, value)| {
                is_signed(name)
                    && (!value.is_empty() || name.starts_with("x-") || family == Family::Acs3)
            })
            .collect();
        headers.sort();
        Meaning {
            method: self.method.clone(),
            segments: head.path().split(|byte| *byte == b'/').map(decoded).collect(),
            parameters: values,
            headers,
        }
    }

    fn signed(&self, family: Family, dialect: Dialect) -> Option<(Vec<u8>, Ambiguities)> {
        signed_text(&self.head(&mut ProtocolHeaders::new()), family, dialect)
    }
}

fn decoded(segment: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut rest = segment;
    while let Some(first) = rest.first() {
        let escape = percent::escape(rest);
        text.push(escape.unwrap_or(*first));
        rest = &rest[if escape.is_some() { 3 } else { 1 }..];
    }
    text
}

/// A request with its meaning, and what each dialect signs of it.
struct Sample {
    request: Request,
    meaning: Meaning,
    signed: Vec<(Dialect, Vec<u8>, Ambiguities)>,
}

fn samples(family: Family, seed: u64, count: usize) -> Vec<Sample> {
    println!("seed {seed}");
    let mut generator = Generator(seed);
    let sample = |_| {
        let request = Request {
            method: [Method::GET, Method::POST][generator.below(2)].clone(),
            uri: generator.target().parse().unwrap(),
            headers: generator.headers(family),
        };
        let signed = dialects_of(family)
            .filter_map(|dialect| {
                let (text, found) = request.signed(family, dialect)?;
                Some((dialect, text, found))
            })
            .collect();
        Sample { meaning: request.meaning(family), signed, request }
    };
    (0..count).map(sample).collect()
}

/// Accepts requests under `dialects`, but for what they refuse; says how many it accepted, or
/// which two collided.
fn accept(
    family: Family,
    dialects: Dialects,
    policy: Policy,
    samples: &[Sample],
) -> Result<usize, String> {
    let mut first: HashMap<&[u8], (&Sample, Dialect)> = HashMap::new();
    let mut accepted = 0;
    for sample in samples {
        for (dialect, text, found) in &sample.signed {
            let form = dialect.form(family).unwrap();
            let is_fine = policy.judge(*found, form.refuses).is_ok();
            if !dialects.contains((*dialect).into()) || !is_fine {
                continue;
            }
            accepted += 1;
            let (other, by) = first.entry(text).or_insert((sample, *dialect));
            if other.meaning != sample.meaning {
                let shown = |sample: &Sample| {
                    format!("{} {:?}", sample.request.uri, sample.request.headers)
                };
                return Err(format!(
                    "{family:?}: one string for\n {} by {by}\n {} by {dialect}",
                    shown(other),
                    shown(sample),
                ));
            }
        }
    }
    Ok(accepted)
}

/// All that there is is refused, the order of values too.
fn strict() -> Policy {
    let mut policy = Policy::default();
    policy.refuse(Ambiguity::ValueOrder);
    policy
}

/// The same without one rule.
fn without(ambiguity: Ambiguity) -> Policy {
    let mut policy = strict();
    let _ = policy.allow(ambiguity);
    policy
}

const FAMILIES: [Family; 3] = [Family::Fc, Family::Acs3, Family::Acs];

fn dialects_of(family: Family) -> impl Iterator<Item = Dialect> {
    Dialect::ALL.iter().copied().filter(move |dialect| dialect.form(family).is_some())
}

#[test]
fn two_requests_of_different_meaning_never_share_a_string_under_one_dialect() {
    for family in FAMILIES {
        let samples = samples(family, 0x5eed_0001, 40_000);
        for dialect in dialects_of(family) {
            let accepted = accept(family, dialect.into(), strict(), &samples).unwrap();
            assert!(accepted > 4_000, "{dialect}: {accepted} of {}", samples.len());
        }
    }
}

#[test]
fn two_requests_of_different_meaning_never_share_a_string_under_all_dialects_together() {
    for family in FAMILIES {
        let samples = samples(family, 0x5eed_0002, 40_000);
        assert!(accept(family, Dialects::all(), strict(), &samples).unwrap() > 15_000);
    }
}

#[test]
fn without_any_one_rule_two_requests_do_share_a_string() {
    // Nothing below generates these: they are seen to be needed in tests/strict.rs.
    let elsewhere = Ambiguities::EXPIRES_AS_DATE
        .union(Ambiguities::UNSIGNED_HEADER)
        .union(Ambiguities::QUERY_CREDENTIALS)
        .union(Ambiguities::ABSENT_HEADER)
        .union(Ambiguities::PADDED_HEADER)
        // Refused by no form.
        .union(Ambiguities::VALUE_ORDER)
        // `%61` and `a` mean the same here; routers take them for different paths.
        .union(Ambiguities::PATH_UNRESERVED)
        // `%` and `%25` mean the same here; other parsers drop or refuse the first.
        .union(Ambiguities::PATH_MALFORMED);
    let samples = FAMILIES.map(|family| (family, samples(family, 0x5eed_0004, 60_000)));
    for ambiguity in Ambiguity::ALL {
        let rule = Ambiguities::from(*ambiguity);
        let needed = samples.iter().any(|(family, samples)| {
            let sets = dialects_of(*family).map(Dialects::from).chain([Dialects::all()]);
            let mut relevant =
                sets.filter(|set| set.forms(*family).any(|(_, form)| form.refuses.contains(rule)));
            relevant.any(|set| accept(*family, set, without(*ambiguity), samples).is_err())
        });
        assert_eq!(needed, !elsewhere.contains(rule), "{ambiguity:?}");
    }
}

// --- what one signs, and what the other accepts ----------------------------------------------

/// Targets in which everything that some dialect treats specially is next to everything else.
const TOKENS: [&str; 19] = [
    "/", "?", "&", "=", ";", "+", "%", "a", "A", ".", "~", "%0A", "%25", "%2F", "%26", "%3D",
    "%3B", "%61", "%20",
];

/// How many tokens a target has, after `/` or `/?`.
const LENGTH: u32 = if cfg!(debug_assertions) { 3 } else { 4 };

/// Every target of that many tokens, and of fewer.
fn targets() -> impl Iterator<Item = String> {
    ["/", "/?"].into_iter().flat_map(|lead| {
        (0..=LENGTH).flat_map(move |length| {
            (0..TOKENS.len().pow(length)).map(move |mut number| {
                let mut target = lead.to_owned();
                for _ in 0..length {
                    target.push_str(TOKENS[number % TOKENS.len()]);
                    number /= TOKENS.len();
                }
                target
            })
        })
    })
}

/// Requests whose signature, in the documented form, is the one of another request of other
/// meaning in some dialect that is accepted, all dialects being so: the signed one and the
/// accepted one. Equal strings make the pairs.
fn relayed(family: Family, policy: Policy, requests: &[Request]) -> Vec<(String, String)> {
    let standard = Dialect::standard(family);
    let shown = |request: &Request| format!("{} {:?}", request.uri, request.headers);
    let mut signed: HashMap<Vec<u8>, (&Request, Meaning)> = HashMap::new();
    let mut found = Vec::new();
    for request in requests {
        let (text, ambiguous) = request.signed(family, Dialect::Standard).unwrap();
        if policy.judge(ambiguous, standard.refuses).is_err() {
            continue;
        }
        let meaning = request.meaning(family);
        let (other, first) = signed.entry(text).or_insert_with(|| (request, meaning.clone()));
        if *first != meaning {
            found.push((shown(other), shown(request)));
        }
    }
    for request in requests {
        for dialect in dialects_of(family) {
            let (text, ambiguous) = request.signed(family, dialect).unwrap();
            let refuses = dialect.form(family).unwrap().refuses;
            if policy.judge(ambiguous, refuses).is_err() {
                continue;
            }
            if let Some((other, meaning)) = signed.get(&text)
                && *meaning != request.meaning(family)
            {
                found.push((shown(other), format!("{} by {dialect}", shown(request))));
            }
        }
    }
    assert!(signed.len() > 100, "{family:?}: {}", signed.len());
    found
}

fn all_targets() -> Vec<Request> {
    let request = |target: String| {
        let (method, headers) = (Method::GET, HeaderMap::new());
        Some(Request { method, uri: target.parse().ok()?, headers })
    };
    targets().filter_map(request).collect()
}

fn with_headers(family: Family, seed: u64, count: usize) -> Vec<Request> {
    println!("seed {seed}");
    let mut generator = Generator(seed);
    let mut request = |_| Request {
        method: [Method::GET, Method::POST][generator.below(2)].clone(),
        uri: generator.target().parse().unwrap(),
        headers: generator.headers(family),
    };
    (0..count).map(&mut request).collect()
}

#[test]
fn what_strict_signing_signs_verifies_on_no_request_of_other_meaning() {
    let targets = all_targets();
    assert!(targets.len() > 14_000, "{}", targets.len());
    for family in FAMILIES {
        assert_eq!(relayed(family, strict(), &targets), [], "{family:?}");
        let requests = with_headers(family, 0x5eed_0005, 30_000);
        assert_eq!(relayed(family, strict(), &requests), [], "{family:?}");
    }
}

#[test]
fn but_for_the_order_of_values_unless_that_is_refused() {
    let in_any_order = |uri: &str| -> BTreeMap<Vec<u8>, Vec<Vec<u8>>> {
        let uri: Uri = uri.split(' ').next().unwrap().parse().unwrap();
        let mut values = BTreeMap::<_, Vec<_>>::new();
        for (key, value) in parameters(uri.query().unwrap_or_default().as_bytes()) {
            values.entry(key.into_owned()).or_default().push(value.into_owned());
        }
        values.values_mut().for_each(|values| values.sort());
        values
    };
    for family in FAMILIES {
        let requests = with_headers(family, 0x5eed_0007, 60_000);
        let relayed = relayed(family, Policy::default(), &requests);
        assert!(!relayed.is_empty(), "{family:?}");
        for (signed, accepted) in relayed {
            assert_eq!(in_any_order(&signed), in_any_order(&accepted), "{signed} {accepted}");
        }
    }
}

#[test]
fn signing_without_any_one_rule_signs_for_another_request() {
    // What the documented forms do not need, or what is generated elsewhere.
    let targets = all_targets();
    let mut needed = Vec::new();
    for ambiguity in Ambiguity::ALL {
        let relays = |family| {
            let requests = with_headers(family, 0x5eed_0008, 20_000);
            !relayed(family, without(*ambiguity), &targets).is_empty()
                || !relayed(family, without(*ambiguity), &requests).is_empty()
        };
        let of_a_form =
            |family: &Family| Dialect::standard(*family).refuses.contains((*ambiguity).into());
        if FAMILIES.iter().copied().filter(of_a_form).any(relays) {
            needed.push(*ambiguity);
        }
    }
    println!("{needed:?}");
    for ambiguity in [
        Ambiguity::PathNewline,
        Ambiguity::PathSlash,
        Ambiguity::PathPercent,
        Ambiguity::KeyNewline,
        Ambiguity::ValueNewline,
        Ambiguity::KeyEquals,
        Ambiguity::KeyAmpersand,
        Ambiguity::Semicolon,
        Ambiguity::Malformed,
        Ambiguity::RepeatedHeader,
        Ambiguity::AcceptUndefined,
    ] {
        assert!(needed.contains(&ambiguity), "{ambiguity:?} among {needed:?}");
    }
}
