//! A million requests that must not pass, made from a thousand that would: none
//! passes, none is remembered, and memory stays as it was.
//!
//! `SEED` repeats a run.

use crate::common::{
    Counting, EMPTY_MD5_RFC_1864, ID, NOW, Random, SECRET, TOKEN, at, clock, presigned, signed_by,
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::Empty;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::UNIX_EPOCH;
use tower::{Service, ServiceBuilder};
use tower_fc::digest::CheckDigestLayer;
use tower_fc::keys::VerifyingKey;
use tower_fc::protocol::{Dialects, Schemes, format_acs_date, format_http_date};
use tower_fc::replay::{Claimed, ReplayClaim, ReplayGuardError};
use tower_fc::replay::{MemoryReplayGuard, ReplayGuard, ReplayLayer};
use tower_fc::{
    Credentials, Rejection, RejectionKind, Scheme, Signer, StaticKeys, Verifier, VerifyLayer,
};

const REQUESTS: usize = 1_000_000;
const THREADS: usize = 4;

/// How many requests of each scheme there are that would pass.
const GOOD: u64 = 200;

type Body = Empty<Bytes>;

/// Counts what it is asked, and what gets past it.
struct Asked {
    guard: MemoryReplayGuard,
    claims: AtomicUsize,
    inner: Counting,
}

impl Default for Asked {
    fn default() -> Self {
        let guard = MemoryReplayGuard::new(10_000);
        Self { guard, claims: AtomicUsize::default(), inner: Counting::default() }
    }
}

impl ReplayGuard for Asked {
    fn claim(&self, claim: ReplayClaim) -> Result<Claimed, ReplayGuardError> {
        self.claims.fetch_add(1, Ordering::SeqCst);
        self.guard.claim(claim)
    }
}

/// All layers, sharing a guard.
fn stack(
    guard: Arc<Asked>,
    dialects: Dialects,
) -> impl Service<Request<Body>, Response = Response<impl Sized>, Error = Infallible> {
    let keys = KEYS.iter().fold(StaticKeys::new(), |keys, Key(id, secret, token)| {
        let key = VerifyingKey::new(*secret).unwrap();
        keys.with_key(
            *id,
            match token {
                Some(token) => key.with_security_token(*token).unwrap(),
                None => key,
            },
        )
    });
    let verifier = Verifier::new(keys).with_schemes(Schemes::all()).with_dialects(dialects);
    let inner = guard.inner.clone();
    ServiceBuilder::new()
        .layer(VerifyLayer::new(verifier).with_clock(clock()))
        .layer(ReplayLayer::new(guard).with_clock(clock()).with_presigned())
        .layer(CheckDigestLayer::new())
        .service(inner)
}

/// The kind of refusal, `None` of a request that passed.
fn refusal<S, B>(service: &mut S, request: Request<Body>) -> Option<RejectionKind>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
{
    let cx = &mut Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(response)) = pin!(service.call(request)).poll(cx) else {
        panic!("it had to be awaited")
    };
    response.extensions().get::<Rejection>().map(Rejection::kind)
}

/// A request that would pass.
#[derive(Clone)]
struct Good {
    scheme: Scheme,
    by: &'static Key,
    request: Request<Body>,
}

/// An access key: its id, its secret and its token.
struct Key(&'static str, &'static str, Option<&'static str>);

const KEYS: [Key; 2] =
    [Key(ID, SECRET, None), Key("STS.NExample", "another-example-secret", Some(TOKEN))];

/// One that the server does not know, and one of which it knows another secret.
const STRANGER: Key = Key("stranger", SECRET, None);
const WRONG: Key = Key(ID, "a-wrong-secret", None);

fn good(random: &mut Random, scheme: Scheme) -> Good {
    let target = format!("/{}/b%20c?a={}&k", random.below(1_000), random.below(10));
    let method = if random.below(2) == 0 { Method::GET } else { Method::POST };
    let request = Request::builder().method(method).uri(target);
    let mut request = request.header("host", "demo.example").header("content-type", "text/plain");
    if matches!(scheme, Scheme::Fc | Scheme::FcPresigned) {
        request = request.header("content-md5", EMPTY_MD5_RFC_1864);
    }
    let by = &KEYS[random.below(2)];
    let mut good = Good { scheme, by, request: request.body(Body::default()).unwrap() };
    let (meta, nonce) = (good.meta(), format!("{:016x}", random.next()));
    let headers = good.request.headers_mut();
    headers.insert(meta, HeaderValue::from_static("one"));
    headers.insert(
        meta.replace("meta", "signature-nonce").parse::<HeaderName>().unwrap(),
        nonce.parse().unwrap(),
    );
    good.signed_by(by)
}

impl Good {
    fn signed_by(mut self, Key(id, secret, token): &Key) -> Self {
        let mut credentials = Credentials::new(*id, *secret).unwrap();
        if let Some(token) = token {
            credentials = credentials.with_security_token(*token).unwrap();
        }
        self.request = if self.scheme == Scheme::FcPresigned {
            presigned(self.request, credentials, 3_600)
        } else {
            let signer = Signer::new(credentials).with_scheme(self.scheme).unwrap();
            signed_by(&signer, self.request, at(0))
        };
        self
    }

    /// A header that is signed.
    fn meta(&self) -> &'static str {
        match self.scheme {
            Scheme::Fc | Scheme::FcPresigned => "x-fc-meta",
            _ => "x-acs-meta",
        }
    }

    /// A header that is not there, and would have to be signed.
    fn another(&self) -> &'static str {
        match self.scheme {
            Scheme::Fc | Scheme::FcPresigned => "x-fc-another",
            _ => "x-acs-another",
        }
    }

    fn date(&self) -> &'static str {
        match self.scheme {
            Scheme::Fc | Scheme::Acs => "date",
            _ => "x-acs-date",
        }
    }

    fn target(&self) -> String {
        self.request.uri().to_string()
    }

    fn with_target(mut self, target: &str) -> Option<Request<Body>> {
        *self.request.uri_mut() = target.parse().ok()?;
        Some(self.request)
    }

    fn with_header(mut self, name: &'static str, value: &[u8]) -> Option<Request<Body>> {
        self.request.headers_mut().insert(name, HeaderValue::from_bytes(value).ok()?);
        Some(self.request)
    }

    fn without_header(mut self, name: &str) -> Option<Request<Body>> {
        self.request.headers_mut().remove(name).map(|_| self.request)
    }

    /// Where the credentials are: in the header, or in the target.
    fn credentials(&self) -> String {
        match self.request.headers().get("authorization") {
            Some(value) => value.to_str().unwrap().to_owned(),
            None => self.target(),
        }
    }

    fn with_credentials(self, text: &str) -> Option<Request<Body>> {
        match self.scheme {
            Scheme::FcPresigned => self.with_target(text),
            _ => self.with_header("authorization", text.as_bytes()),
        }
    }

    /// The request with something changed that its signature covers, or in its
    /// credentials. `None` if what came of it is not a request, or still the same one.
    fn spoilt(mut self, random: &mut Random) -> Option<Request<Body>> {
        let (target, credentials) = (self.target(), self.credentials());
        let number = random.below(1 << 20);
        let of = |choices: &[&'static str]| choices[number % choices.len()];
        match random.below(30) {
            // The method.
            0 => {
                *self.request.method_mut() = of(&["PATCH", "get", "HEAD"]).parse().unwrap();
                Some(self.request)
            }
            // Path and query.
            1 => self.with_target(&target.replacen('/', &format!("/{number}/"), 1)),
            2 => self.with_target(&target.replacen('/', of(&["//", "/./", "/../", "/%2F"]), 1)),
            3 => self.with_target(&target.replacen("%20", of(&["", "+", "%2520", "%00"]), 1)),
            4 => self.with_target(&target.replacen("?a=", "?a=0", 1)),
            5 => self.with_target(&target.replacen("?a=", "?b=", 1)),
            6 => self.with_target(&target.replacen("&k", of(&["", "&k=1", "&k&k"]), 1)),
            7 => self.with_target(&format!("{target}&z={number}")),
            8 => {
                let odd = of(&["%0A", ";", "%zz", "%00", "+", "a=1&", "%25", "%26", "%3D"]);
                self.with_target(&target.replacen("?a=", &format!("?{odd}a="), 1))
            }
            // Seldom, because they take long to make.
            9 if number.is_multiple_of(8) => {
                self.with_target(&format!("{target}&{}", "z".repeat(17_000)))
            }
            10 => self.with_target(&format!("http://other.example{target}")),
            11 => {
                let mut bytes = target.clone().into_bytes();
                bytes[number % target.len()] ^= 1 << random.below(7);
                let bytes = String::from_utf8(bytes).unwrap();
                // An escape in the other case is the same.
                let is_same = bytes.eq_ignore_ascii_case(&target);
                self.with_target(&bytes).filter(|_| !is_same)
            }
            // Credentials.
            12 => {
                let marks = ["x-fc-signature=", "Signature=", ":"];
                let mark = marks.iter().find(|mark| credentials.contains(**mark)).unwrap();
                let at = credentials.find(mark).unwrap() + mark.len() + number % 20;
                let digit = if credentials.as_bytes()[at] == b'0' { "1" } else { "0" };
                let changed = format!("{}{digit}{}", &credentials[..at], &credentials[at + 1..]);
                self.with_credentials(&changed)
            }
            13 => self.with_credentials(&credentials[..credentials.len() - 1 - number % 20]),
            14 => {
                self.with_credentials(&format!("{credentials}{}", of(&["A", "=", "\"", ",", "%"])))
            }
            15 => {
                let by = if self.by.0 == ID { [KEYS[1].0, "stranger"] } else { [ID, "stranger"] };
                let changed = credentials.replacen(self.by.0, by[number % 2], 1);
                self.with_credentials(&changed)
            }
            16 => {
                let (scheme, rest) = credentials.split_once(' ')?;
                let others = ["FC", "acs", "ACS3-HMAC-SHA256", "ACS3-HMAC-SM3", "Bearer"];
                let other = others.into_iter().filter(|other| *other != scheme);
                let other = other.cycle().nth(number % 8).unwrap();
                self.with_credentials(&format!("{other} {rest}"))
            }
            17 => {
                let garbage: Vec<_> = (0..random.below(80)).map(|_| random.next() as u8).collect();
                self.with_header("authorization", &[b"FC ", &*garbage].concat())
            }
            18 => {
                let value = of(&["FC a:b", "", "ACS3-HMAC-SHA256 Credential=a"]).parse().unwrap();
                self.request.headers_mut().append("authorization", value);
                Some(self.request)
            }
            19 => self.without_header("authorization"),
            20 | 21 => {
                let other = if number.is_multiple_of(2) { &STRANGER } else { &WRONG };
                self.request.headers_mut().remove("authorization");
                let uri = target.split_once("&x-fc-").map_or(&*target, |(before, _)| before);
                *self.request.uri_mut() = uri.parse().unwrap();
                Some(self.signed_by(other).request)
            }
            // The date.
            22 => {
                let name = self.date();
                self.without_header(name)
            }
            23 => {
                let name = self.date();
                self.request.headers().get(name)?;
                let time = at(1 + number as i64 % 5_000);
                match name {
                    "date" => self.with_header(name, &format_http_date(time)),
                    _ => self.with_header(name, &format_acs_date(time)),
                }
            }
            24 => {
                let end = NOW + 3_600;
                let changed =
                    target.replacen(&end.to_string(), &(end + number as u64).to_string(), 1);
                (changed != target).then_some(())?;
                self.with_target(&changed)
            }
            // Headers.
            25 => {
                let name = if number.is_multiple_of(2) { self.meta() } else { "content-type" };
                self.with_header(name, of(&["two", "", "one, one", "One"]).as_bytes())
            }
            26 => {
                let name = self.another();
                self.with_header(name, b"Async")
            }
            27 => {
                let name = if number.is_multiple_of(2) { self.meta() } else { self.date() };
                let again = self.request.headers().get(name)?.clone();
                self.request.headers_mut().append(name, again);
                Some(self.request)
            }
            28 if number.is_multiple_of(8) => {
                self.with_header("x-long", "z".repeat(33_000).as_bytes())
            }
            29 => {
                let name = self.meta();
                self.without_header(name)
            }
            _ => None,
        }
    }
}

/// A request that must not pass.
fn hostile(random: &mut Random, good: &[Good]) -> Request<Body> {
    loop {
        let good = &good[random.below(good.len())];
        if let Some(request) = good.clone().spoilt(random) {
            return request;
        }
    }
}

type Kinds = BTreeMap<RejectionKind, usize>;

/// The share of one thread: none passes, and no memory stays behind.
fn assert_refused(mut random: Random, good: &[Good], guard: &Arc<Asked>) -> Kinds {
    const SHARE: usize = REQUESTS / THREADS;
    let [mut standard, mut every] =
        [Dialects::STANDARD, Dialects::all()].map(|dialects| stack(Arc::clone(guard), dialects));
    let mut kinds = Kinds::new();
    let mut run = |count: usize| {
        for number in 0..count {
            let mut again = random;
            let request = hostile(&mut random, good);
            let kind = match number % 8 {
                0 => refusal(&mut every, request),
                _ => refusal(&mut standard, request),
            };
            let Some(kind) = kind else { panic!("it passed: {:?}", hostile(&mut again, good)) };
            *kinds.entry(kind).or_default() += 1;
        }
    };
    // What is allocated and not freed, in the first tenth and in the rest.
    let first = allocation_counter::measure(|| run(SHARE / 10));
    let rest = allocation_counter::measure(|| run(SHARE - SHARE / 10));
    println!(
        "live bytes: {} after a tenth, {} more at the end",
        first.bytes_current, rest.bytes_current
    );
    assert!(rest.bytes_current.abs() < 1_024, "{} bytes stay", rest.bytes_current);
    kinds
}

#[test]
fn of_a_million_hostile_requests_none_passes_and_none_is_remembered() {
    let mut random = Random::seeded();
    let guard = || Arc::new(Asked::default());
    let mut all = Vec::new();
    for scheme in Scheme::ALL.iter().copied() {
        all.extend((0..GOOD).map(|_| good(&mut random, scheme)));
    }
    // Before they are spoilt, they pass: what is refused is refused for that.
    for dialects in [Dialects::STANDARD, Dialects::all()] {
        let mut service = stack(guard(), dialects);
        for (number, good) in all.iter().enumerate() {
            let kind = refusal(&mut service, good.request.clone());
            assert_eq!(kind, None, "{number}: {:?}", good.request);
        }
    }

    let guard = guard();
    let seeds: Vec<u64> = (0..THREADS).map(|_| random.next()).collect();
    let kinds: Vec<_> = std::thread::scope(|scope| {
        let (all, guard) = (&all, &guard);
        let run = |seed| scope.spawn(move || assert_refused(Random::of(seed), all, guard));
        let threads: Vec<_> = seeds.into_iter().map(run).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let kinds = kinds.into_iter().fold(BTreeMap::new(), |mut sums: Kinds, (kind, count)| {
        *sums.entry(kind).or_default() += count;
        sums
    });
    println!("{kinds:#?}");
    assert_eq!(kinds.values().sum::<usize>(), REQUESTS);
    assert!(kinds.len() >= 15, "they are refused for many reasons: {kinds:#?}");
    assert_eq!(guard.claims.load(Ordering::SeqCst), 0, "the guard is not even asked");
    assert_eq!(guard.guard.len_at(UNIX_EPOCH), 0);
    assert_eq!(guard.inner.calls(), 0);

    // The same layers let a good one pass, once.
    let request = &all[0].request;
    let [mut standard, mut every] =
        [Dialects::STANDARD, Dialects::all()].map(|dialects| stack(Arc::clone(&guard), dialects));
    assert_eq!(refusal(&mut standard, request.clone()), None);
    assert_eq!(refusal(&mut every, request.clone()), Some(RejectionKind::Replayed));
    assert_eq!(guard.guard.len_at(at(0)), 1);
    assert_eq!(guard.inner.calls(), 1);
}
