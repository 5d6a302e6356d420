//! The requests that are tried: all targets of a few tokens, all headers of a few values, and
//! all hosts and dates of a few.

use crate::protocol::scheme::Family;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

/// The head of a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
}

type Header<'a> = (&'static str, &'a str);

impl Request {
    /// A `GET` with these headers; `None` for what `http` does not take for a target.
    pub(super) fn of(target: &str, headers: &[Header<'_>]) -> Option<Self> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            map.append(HeaderName::from_static(name), value);
        }
        Some(Self { method: Method::GET, uri: target.parse().ok()?, headers: map })
    }
}

/// When requests are signed, and a second later: as `date`, in a query, and as `x-acs-date`.
const DATES: [&str; 2] = ["Sat, 21 Nov 2026 17:57:00 GMT", "Sat, 21 Nov 2026 17:57:01 GMT"];
const IN_QUERY: [&str; 2] =
    ["Sat,%2021%20Nov%202026%2017:57:00%20GMT", "Sat,%2021%20Nov%202026%2017:57:01%20GMT"];
const ACS_DATES: [&str; 2] = ["2026-11-21T17:57:00Z", "2026-11-21T17:57:01Z"];

/// The same in Unix seconds.
pub(super) const NOW: u64 = 1_795_283_820;

/// What makes a URL a presigned one, but for its signature.
pub(super) const PRESIGNED: &str = "x-fc-access-key-id=id&x-fc-expires=1795283820";

/// The headers that a request of a family always has.
fn always(family: Family) -> Vec<Header<'static>> {
    match family {
        Family::Acs3 => vec![("host", "demo.example"), ("x-acs-date", ACS_DATES[0])],
        Family::Fc | Family::Acs => vec![("date", DATES[0])],
    }
}

// --- targets ---------------------------------------------------------------------------------

/// Every character that documents and parsers take notice of, what escapes them, and characters
/// that are not special.
const TOKENS: [&str; 19] = [
    "/", "?", "&", "=", ";", "+", "%", "a", "A", ".", "~", "%0A", "%25", "%2F", "%26", "%3D",
    "%3B", "%61", "%20",
];

/// How many of them a target has, after `/` or `/?`.
const LENGTH: u32 = if cfg!(debug_assertions) { 3 } else { 4 };

/// What some dialect does to paths beside that. (`%` and what may follow it are apart.)
const IN_PATHS: [&str; 17] = [
    "/",
    "+",
    "$",
    "*",
    "~",
    "a",
    "20",
    "24",
    "%0A",
    "%20",
    "%24",
    "%25",
    "%2B",
    "%2F",
    "%61",
    "%FF",
    "%EF%BF%BD",
];

/// And to queries, with pieces that make parameters of few tokens.
const IN_QUERIES: [&str; 19] = [
    "a=",
    "=b",
    "&a=b",
    "a",
    "&",
    ";",
    "+",
    "%",
    "20",
    "%0A",
    "%3D",
    "%3Db",
    "%20",
    "%25",
    "%26",
    "%26a",
    "%2B",
    "%FF",
    "%EF%BF%BD",
];

/// What dialects take for special anywhere.
const PIECES: [&str; 37] = [
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

/// All targets that begin with one of these and have up to so many tokens more.
fn targets(leads: &[&str], tokens: &[&str], most: u32) -> Vec<String> {
    let mut all = Vec::new();
    for lead in leads {
        for length in 0..=most {
            for mut number in 0..tokens.len().pow(length) {
                let mut target = (*lead).to_owned();
                for _ in 0..length {
                    target.push_str(tokens[number % tokens.len()]);
                    number /= tokens.len();
                }
                all.push(target);
            }
        }
    }
    all
}

/// Requests that differ in their targets.
pub(super) fn with_targets(family: Family) -> Vec<Request> {
    let mut all = targets(&["/", "/?"], &TOKENS, LENGTH);
    all.extend(targets(&["/"], &IN_PATHS, 3));
    all.extend(targets(&["/?"], &IN_QUERIES, 3));
    all.extend(targets(&["/%0A?", "/%0A=?"], &IN_QUERIES, 2));
    let mut headers = always(family);
    if family == Family::Acs {
        // Without one, two dialects have little in common.
        headers.push(("accept", "*/*"));
    }
    if family == Family::Fc {
        let presigned = all.iter().map(|target| {
            let joiner = if target.contains('?') { '&' } else { '?' };
            format!("{target}{joiner}{PRESIGNED}")
        });
        all.extend(presigned.collect::<Vec<_>>());
    }
    all.iter().filter_map(|target| Request::of(target, &headers)).collect()
}

// --- everything else -------------------------------------------------------------------------

/// Headers that are signed, or that a trigger acts upon.
const NAMES: [&str; 5] = ["accept", "content-md5", "content-type", "x-acs-a", "x-fc-a"];
/// Values of them, of which none is special to HTTP.
const VALUES: [&str; 6] = ["", "1", "2", "1,2", " 1", "undefined"];

/// Requests that differ in up to two headers, in their method, or in their date.
pub(super) fn with_headers(family: Family) -> Vec<Request> {
    let one: Vec<Header<'_>> =
        NAMES.iter().flat_map(|name| VALUES.iter().map(|value| (*name, *value))).collect();
    let two = one.iter().flat_map(|first| one.iter().map(|second| vec![*first, *second]));
    // Those of different names are the same in another order.
    let two = two.filter(|pair| pair[0].0 <= pair[1].0);
    let sets: Vec<Vec<_>> =
        [Vec::new()].into_iter().chain(one.iter().map(|one| vec![*one])).chain(two).collect();
    let presigned = format!("/?{PRESIGNED}");
    let targets = if family == Family::Fc { vec!["/", &presigned] } else { vec!["/"] };
    let mut all = dated(family);
    for target in targets {
        for set in &sets {
            all.extend(Request::of(target, &[always(family), set.clone()].concat()));
        }
        let other = Request::of(target, &always(family));
        all.extend(other.map(|request| Request { method: Method::POST, ..request }));
    }
    all
}

/// How many are made at random.
const RANDOM: usize = if cfg!(debug_assertions) { 10_000 } else { 100_000 };

/// Requests of more pieces than can all be tried, which differ in everything at once.
pub(super) fn at_random(family: Family) -> Vec<Request> {
    let mut random = Random(0x5eed_0001);
    let mut requests = Vec::new();
    while requests.len() < RANDOM {
        let target = random.target();
        let mut headers = always(family);
        for _ in 0..random.below(3) {
            let name = NAMES[random.below(NAMES.len())];
            headers.push((name, VALUES[random.below(VALUES.len())]));
        }
        let method = [Method::GET, Method::POST][random.below(2)].clone();
        let request = Request::of(&target, &headers);
        requests.extend(request.map(|request| Request { method, ..request }));
    }
    requests
}

struct Random(u64);

impl Random {
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
}

/// Requests that differ in one date or two, and in what may take the place of one.
fn dated(family: Family) -> Vec<Request> {
    let next = (NOW + 1).to_string();
    let ends = [IN_QUERY[0], IN_QUERY[1], "1795283820", &next];
    let mut targets = vec!["/".to_owned(), "/?x-fc-signature=a".to_owned()];
    for end in ends {
        for id in ["", "x-fc-access-key-id=id&", "x-fc-signature=a&x-fc-access-key-id=id&"] {
            targets.push(format!("/?{id}x-fc-expires={end}"));
        }
    }
    let (name, dates) = match family {
        Family::Acs3 => ("x-acs-date", ACS_DATES),
        Family::Fc | Family::Acs => ("date", DATES),
    };
    let [first, second] = dates.map(|date| (name, date));
    let headers = [vec![first], vec![second], vec![first, second], vec![second, first]];
    let of = |target: &String| {
        headers.iter().filter_map(|headers| Request::of(target, headers)).collect::<Vec<_>>()
    };
    targets.iter().flat_map(of).collect()
}

/// Requests that differ in the hosts and callers that they name.
pub(super) fn with_hosts(family: Family) -> Vec<Request> {
    let authorities = [
        "",
        "http://a",
        "http://b",
        "http://a:80",
        "http://a:8080",
        "http://a:08080",
        "http://u@a",
        "http://a@b",
    ];
    let mut targets: Vec<_> = authorities.iter().map(|host| format!("{host}/")).collect();
    if family == Family::Fc {
        targets.extend(authorities.iter().map(|host| format!("{host}/?{PRESIGNED}")));
    }
    let hosts = ["a", "b", "a,b", "a:80", "a:8080", "u@a"];
    let mut sets = vec![Vec::new()];
    for first in hosts {
        sets.push(vec![first]);
        sets.extend(hosts.map(|second| vec![first, second]));
    }
    let mut all = Vec::new();
    for target in &targets {
        for hosts in &sets {
            for callers in [&[][..], &["FC a:a", "FC b:b"]] {
                let mut headers = always(family);
                headers.retain(|(name, _)| *name != "host");
                headers.extend(hosts.iter().map(|host| ("host", *host)));
                headers.extend(callers.iter().map(|caller| ("authorization", *caller)));
                all.extend(Request::of(target, &headers));
            }
        }
    }
    all
}
