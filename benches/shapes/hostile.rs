//! Requests that are made to cost as much as they can within the limits on their size.

use super::{ID, prefix};
use http::Request;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tower_fc::keys::VerifyingKey;
use tower_fc::protocol::{
    DEFAULT_MAX_HEADERS_LEN, DEFAULT_MAX_SIGNED_HEADERS, DEFAULT_MAX_TARGET_LEN, Dialects, Schemes,
    format_acs_date, format_http_date,
};
use tower_fc::{Credentials, Presigner, Scheme, Signer, StaticKeys, Verifier};

/// When they are signed and verified.
pub fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_283_820)
}

const SECRETS: [&str; 5] = ["one", "two", "three", "four", "five"];

/// Accept every scheme and dialect, and have five secrets for the access key.
pub fn verifiers() -> [(&'static str, Verifier<StaticKeys>); 2] {
    let keys = SECRETS.iter().fold(StaticKeys::new(), |keys, secret| {
        keys.with_key(ID, VerifyingKey::new(secret).unwrap())
    });
    let strict = Verifier::new(keys).with_schemes(Schemes::all()).with_dialects(Dialects::all());
    let observing = strict.clone().with_insecure_observation();
    [("strict", strict), ("observing", observing)]
}

/// A request in words.
pub struct Hostile {
    pub name: String,
    scheme: Scheme,
    target: String,
    headers: HeaderMap,
    /// Whether it is signed by the last secret, or by none.
    is_signed: bool,
}

/// Every target and all that is put into headers, and some of either with each other.
pub fn all(scheme: Scheme) -> impl Iterator<Item = Hostile> {
    let (targets, headers) = (targets(), headers(scheme));
    let mut all = Vec::new();
    for (what, target) in &targets {
        for (with, headers) in &headers {
            let is_either = *with == "no headers" || *what == "a plain path";
            if is_either || what.starts_with("all at once") {
                for is_signed in [true, false] {
                    let verdict = if is_signed { "signed" } else { "not signed" };
                    let name = format!("{what}, {with}, {verdict}");
                    let (target, headers) = (target.clone(), headers.clone());
                    all.push(Hostile { name, scheme, target, headers, is_signed });
                }
            }
        }
    }
    all.into_iter()
}

/// How many parameters a query may have.
const PARAMETERS: usize = 1024;

/// What dialects take in different ways, so that hardly two of them have the same text.
const ODD: &str = "/$+*%7E$+*%7E?;%&%+&%FF&%FE&%F0%9F%98%80&%EF%BF%BD&=x&x=&!*=1&r=1&r=2&x&\
                   x-fc-expires=1&";

/// How long a target may be, less what a presigned URL has to have.
const TARGET_LEN: usize = DEFAULT_MAX_TARGET_LEN - 200;

/// Targets as long as they may be.
fn targets() -> Vec<(&'static str, String)> {
    // As many parameters as may be, and behind them what takes long to encode.
    let parameters = |lead: &str, part: &dyn Fn(usize) -> String| {
        let mut text = lead.to_owned();
        for number in lead.matches(['&', ';']).count()..PARAMETERS - 1 {
            let part = part(number);
            if text.len() + part.len() < TARGET_LEN {
                text += &part;
            }
        }
        text += &"!".repeat(TARGET_LEN - text.len());
        text
    };
    let again = |lead: &str, text: &str| {
        let times = (TARGET_LEN - lead.len()) / text.len();
        format!("{lead}{}", text.repeat(times))
    };
    let scattered = |number: usize| number.wrapping_mul(2_654_435_761) >> 7;
    let two = |number| letters(scattered(number), 2);
    let seven = |number| letters(scattered(number), 7);
    let six = |lead: &str, end: &str| parameters("/?", &|n| format!("{lead}{}{end}&", two(n)));
    vec![
        ("a plain path", again("/", "a")),
        ("a path of slashes", again("/", "/")),
        ("a path of dollars", again("/", "$")),
        ("a path of form characters", again("/", "+*%7E")),
        ("a path to encode", again("/", "!")),
        ("a path of escapes", again("/", "%41")),
        ("a path of escaped slashes", again("/", "%2F")),
        ("a path of escapes and dollars", again("/", "%2F$")),
        ("a path that is not UTF-8", again("/", "%FF")),
        ("a malformed path", again("/", "%")),
        ("a query that is not UTF-8", again("/?a=", "%FF")),
        ("a query that is cut short", again("/?a=", "%F0%9F%98")),
        ("a malformed query", again("/?a=", "%")),
        ("a query of plus signs", again("/?a=", "+")),
        ("a query to encode", again("/?a=", "!")),
        ("a name to encode", again("/?", "!")),
        ("a query of escaped letters", again("/?a=", "%41")),
        ("a query of escapes", again("/?a=", "%20")),
        ("a query of lower-case escapes", again("/?a=", "%2f")),
        ("a query of escaped ampersands", again("/?", "%26")),
        ("too many parameters", again("/?", "a&")),
        ("too many semicolons", again("/?", ";")),
        ("empty parameters", parameters("/?", &|_| "&".to_owned())),
        ("semicolons", parameters("/?", &|_| ";".to_owned())),
        ("nameless parameters", parameters("/?", &|_| "=&".to_owned())),
        ("one name", parameters("/?", &|_| "a&".to_owned())),
        ("one name and value", parameters("/?", &|_| "a=b&".to_owned())),
        ("one name and two values", parameters("/?", &|n| format!("a={}&", n % 2))),
        ("one name and many values", six("aaa=", "")),
        ("names to and fro", parameters("/?", &|n| format!("{}&", ["c", "a", "b"][n % 3]))),
        ("names of a few letters", parameters("/?", &|n| format!("{}&", seven(n)))),
        ("names that begin alike", six("kkkkk", "")),
        ("names that end alike", six("", "kkkkk")),
        ("names that begin and end alike", six("kk", "kkk")),
        ("names of many letters", again("/?", &format!("{}&b&", "a".repeat(500)))),
        ("longer and longer names", parameters("/?", &|n| format!("{}&", "a".repeat(n % 13)))),
        (
            "shorter and shorter names",
            parameters("/?", &|n| format!("{}&", "a".repeat(12 - n % 12))),
        ),
        ("names that are not UTF-8", parameters("/?", &|n| format!("%F{:X}%FF&", n % 16))),
        ("names that are cut short", parameters("/?", &|_| "%F0%9F&".to_owned())),
        ("names of all planes", again("/?", "%F0%9F%98%80&%EF%BF%BD&%EE%80%80&")),
        ("unescaped characters", again("/?", "\u{1F600}&\u{FFFD}&\u{E9}\u{E9}\u{E9}&")),
        ("malformed names", parameters("/?", &|_| "%&".to_owned())),
        ("names to encode", parameters("/?", &|n| format!("!{}!&", two(n)))),
        ("names that may be of a presigned URL", parameters("/?", &|_| "%78-fc-&".to_owned())),
        ("names that are of a presigned URL", again("/?", "%78-fc-expires=%&")),
        ("all at once", again(ODD, "!")),
        ("all at once and one name", parameters(ODD, &|_| "a&".to_owned())),
        ("all at once and names of a few letters", parameters(ODD, &|n| format!("{}&", seven(n)))),
        ("all at once and what is to be encoded", {
            parameters(ODD, &|n| format!("{}!*=+/\u{1F600}&", two(n)))
        }),
        ("all at once in the path", again("/$+*%7E", "%FF!$+*%7E%2F%")),
        ("all at once and names that begin alike", {
            parameters(ODD, &|n| format!("kkkkk{}&", two(n)))
        }),
        ("all at once and names that are not UTF-8", {
            parameters(ODD, &|n| format!("%F{:X}%FF&", n % 16))
        }),
    ]
}

/// So many letters, the same for the same number.
fn letters(mut number: usize, count: usize) -> String {
    let mut text = String::new();
    for _ in 0..count {
        text.push(char::from(b"abcdefghijklmnopqrstuvwxyz"[number % 26]));
        number /= 26;
    }
    text
}

/// Headers as long as they may be, less what is signed and what every request has.
fn headers(scheme: Scheme) -> Vec<(&'static str, HeaderMap)> {
    let room = DEFAULT_MAX_HEADERS_LEN - 2_300;
    let each = |pair: &dyn Fn(usize) -> (String, String)| {
        let (mut headers, mut len) = (HeaderMap::new(), 0);
        for (name, value) in (0..).map(pair) {
            len += name.len() + value.len();
            if len > room {
                break;
            }
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(&value).unwrap());
        }
        headers
    };
    let own = prefix(scheme);
    let other = if own == "x-fc-" { "x-acs-" } else { "x-fc-" };
    let digit = |n: usize| char::from(b"9630258147"[n % 10]).to_string();
    let few = |n: usize| letters(n % (DEFAULT_MAX_SIGNED_HEADERS - 4), 3);
    let long = |n: usize| format!("{own}{}{}", "k".repeat(90), letters(n * 7_919, 3));
    vec![
        ("no headers", HeaderMap::new()),
        ("one long value", each(&|n| (format!("{own}a"), "v".repeat((1 - n.min(1)) * 30_000)))),
        ("one header and empty values", each(&|_| (format!("{own}a"), String::new()))),
        ("one header and short values", each(&|n| (format!("{own}a"), digit(n)))),
        ("one header and values of a few letters", {
            each(&|n| (format!("{own}a"), format!("value-{}", letters(n * 7_919, 3))))
        }),
        (
            "one header and padded values",
            each(&|n| (format!("{own}a"), format!(" {}\t", digit(n)))),
        ),
        (
            "96 headers and 80 values of each",
            each(&|n| (format!("{own}{}", few(n)), String::new())),
        ),
        ("96 headers and 40 values of each", each(&|n| (format!("{own}{}", few(n)), digit(n)))),
        (
            "96 headers and 2 values of each",
            each(&|n| (format!("{own}{}", few(n)), "v".repeat(160))),
        ),
        ("thousands of headers", each(&|n| (format!("{own}{}", letters(n, 3)), String::new()))),
        ("headers that begin alike", each(&|n| (long(n), String::new()))),
        (
            "headers that go unsigned",
            each(&|n| (format!("{other}{}", letters(n, 3)), String::new())),
        ),
        ("another header and many values", each(&|n| ("a".to_owned(), digit(n)))),
        ("96 other headers and many values", each(&|n| (few(n), digit(n)))),
        ("thousands of other headers", each(&|n| (letters(n, 3), String::new()))),
        ("many content types", each(&|n| ("content-type".to_owned(), digit(n)))),
    ]
}

impl Hostile {
    /// The request, if it can be made within the limits.
    pub fn parts(&self) -> Option<Parts> {
        let (mut parts, ()) = Request::get(&self.target).body(()).unwrap().into_parts();
        parts.headers = self.headers.clone();
        parts.headers.insert("host", HeaderValue::from_static("demo.example"));
        match (self.scheme, self.is_signed) {
            (Scheme::FcPresigned, _) => self.presign(&mut parts)?,
            (_, true) => self.sign(&mut parts)?,
            (_, false) => self.pretend(&mut parts),
        }
        self.is_within_limits(&parts).then_some(parts)
    }

    fn sign(&self, parts: &mut Parts) -> Option<()> {
        let credentials = Credentials::new(ID, SECRETS[4]).unwrap();
        let signer = Signer::new(credentials).with_scheme(self.scheme).unwrap();
        signer.with_insecure_observation().sign_at(parts, now()).ok()
    }

    fn presign(&self, parts: &mut Parts) -> Option<()> {
        let credentials = Credentials::new(ID, SECRETS[4]).unwrap();
        let presigner = Presigner::new(credentials).with_insecure_observation();
        let url = presigner.presign_at(parts, Duration::from_secs(60), now()).ok()?.into_uri();
        parts.uri = url.path_and_query()?.as_str().parse().unwrap();
        if !self.is_signed {
            parts.method = http::Method::PUT;
        }
        Some(())
    }

    /// Signs by no key, and lists all headers, if they are not too many.
    fn pretend(&self, parts: &mut Parts) {
        let token = self.scheme.token().unwrap();
        let is_listing = token.starts_with("ACS3");
        let (name, date) = match is_listing {
            true => ("x-acs-date", format_acs_date(now()).to_vec()),
            false => ("date", format_http_date(now()).to_vec()),
        };
        parts.headers.insert(name, HeaderValue::from_bytes(&date).unwrap());
        let mut names: Vec<_> = parts.headers.keys().map(|name| name.as_str()).collect();
        names.sort_unstable_by_key(|name| (*name != "x-acs-date", *name));
        names.truncate(DEFAULT_MAX_SIGNED_HEADERS);
        names.sort_unstable();
        let (names, zeros) = (names.join(";"), "0".repeat(64));
        let value = match (self.scheme, is_listing) {
            (_, true) => format!("Credential={ID},SignedHeaders={names},Signature={zeros}"),
            (Scheme::Acs, _) => format!("{ID}:{}=", "A".repeat(27)),
            _ => format!("{ID}:{}=", "A".repeat(43)),
        };
        let value = HeaderValue::from_str(&format!("{token} {value}")).unwrap();
        parts.headers.insert(AUTHORIZATION, value);
    }

    /// Whether a request is within the limits, or is to show what one costs that is not.
    fn is_within_limits(&self, parts: &Parts) -> bool {
        let headers = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        let names = parts
            .headers
            .get(AUTHORIZATION)
            .map_or(0, |value| value.as_bytes().iter().filter(|byte| **byte == b';').count() + 1);
        parts.uri.path_and_query().unwrap().as_str().len() <= DEFAULT_MAX_TARGET_LEN
            && headers.sum::<usize>() <= DEFAULT_MAX_HEADERS_LEN
            && names <= DEFAULT_MAX_SIGNED_HEADERS
    }
}
