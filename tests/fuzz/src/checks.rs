//! The fuzz targets. Each takes any bytes, panics when a claim does not hold, and
//! returns `None` for bytes that make no request.

use crate::dates::{self, at};
use crate::reference::{acs3_string_to_sign, form_pairs, percent_decode};
use crate::requests::{
    ACS_DATE, Choices, HTTP_DATE, KEYS, Key, NOW, PLATFORM, Request, key_store, trim,
};
use crate::verdict::{Candidate, Verdict, has_credentials, is_presigned, verdict};
use crate::way::Way;
use http::header::HOST;
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;
use tower_fc::error::Error;
use tower_fc::protocol::{
    Ambiguity, Dialect, Dialects, Schemes, format_acs_date, format_http_date, parse_acs_date,
    parse_http_date,
};
use tower_fc::response::{FcResponse, RejectionResponse as _};
use tower_fc::{Presigner, RejectionKind, Scheme, Signer, StaticKeys, VerifiedCaller, Verifier};

/// What came of an input, so that tests see that claims are not empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Accepted by strict verifiers, and by those that only observe.
    pub strict: usize,
    pub observed: usize,
    /// Edited requests that were refused as they should be.
    pub edits_refused: usize,
}

// ---------------------------------------------------------------------------
// Both verifiers, side by side
// ---------------------------------------------------------------------------

/// Verifiers that accept the same dialects.
struct Set {
    ways: Vec<Way>,
    strict: Verifier<StaticKeys>,
    observing: Verifier<StaticKeys>,
    /// Strict, and expecting headers of the platform.
    platform: Verifier<StaticKeys>,
}

impl Set {
    fn of(dialects: impl Into<Dialects>) -> Self {
        let dialects = dialects.into();
        let mut ways = Way::all();
        // Presigned URLs have one dialect, which is always accepted.
        ways.retain(|way| dialects.contains(way.dialect().into()) || *way == Way::Presigned);
        let strict =
            Verifier::new(key_store()).with_schemes(Schemes::all()).with_dialects(dialects);
        let observing = strict.clone().with_insecure_observation();
        let platform = strict.clone().with_platform_headers();
        Self { ways, strict, observing, platform }
    }
}

/// Each dialect alone in the order of `Dialect::ALL`, and then all of them together.
static SETS: LazyLock<Vec<Set>> = LazyLock::new(|| {
    let single = Dialect::ALL.iter().map(|dialect| Set::of(*dialect));
    single.chain([Set::of(Dialects::all())]).collect()
});

fn set_of(dialect: Dialect) -> &'static Set {
    &SETS[Dialect::ALL.iter().position(|each| *each == dialect).expect("it is one of all")]
}

fn all_dialects() -> &'static Set {
    SETS.last().expect("there is one")
}

/// Holds verifiers to the reference. What only observes decides as the reference does that lets
/// everything through, for the same reason and in the same dialect, and finds the same things
/// ambiguous; so does what is strict, and it accepts nothing of which nobody says what is
/// signed.
fn compare(set: &Set, request: &Request) -> Outcome {
    let parts = request.parts();
    let observed = set.observing.verify_at(&parts, at(NOW));
    let strict = set.strict.verify_at(&parts, at(NOW));
    let verdict = verdict(&set.ways, request);
    let candidates = verdict.as_ref().map_or(&[][..], |verdict| &verdict.candidates);
    let verdict = verdict.as_ref().map_err(|kind| *kind);

    match (&observed, verdict.and_then(Verdict::observed)) {
        (Ok(caller), expected) => {
            let of_caller = |candidate: &&Candidate| candidate.way.dialect() == caller.dialect();
            let candidate = candidates.iter().find(of_caller).expect("one of the dialects");
            assert_eq!(caller.scheme(), candidate.way.scheme(), "{request:?}");
            match candidate.is_signed {
                Some(_) => assert_eq!(Ok(candidate.way), expected, "{request:?}"),
                // Nobody says whether it was; but what is known to be goes first if it is in front.
                None => {
                    let is_later = |way: Way| way.dialect() > caller.dialect();
                    assert!(expected.map_or(true, is_later), "{expected:?} {request:?}");
                }
            }
            let found: BTreeSet<Ambiguity> = caller.ambiguities().collect();
            assert_eq!(comparable(&found), comparable(&candidate.ambiguities), "{request:?}");
        }
        (Err(rejection), Err(expected)) => {
            assert_eq!(rejection.kind(), expected, "{request:?} {rejection:?}");
        }
        (Err(rejection), Ok(way)) => panic!("{way:?} {rejection:?} {request:?}"),
    }

    match (&strict, verdict.and_then(Verdict::strict)) {
        (Ok(caller), Ok(way)) => {
            assert_eq!(caller.dialect(), way.dialect(), "{request:?}");
            let observed = observed.as_ref().expect("it is accepted by the other as well");
            assert_eq!(format!("{caller:?}"), format!("{observed:?}"), "{request:?}");
        }
        (Err(rejection), Err(expected)) => {
            assert_eq!(rejection.kind(), expected, "{request:?} {rejection:?}");
            if expected == RejectionKind::Ambiguous {
                let named = rejection.ambiguity().expect("it is named");
                let is_found = |candidate: &Candidate| candidate.ambiguities.contains(&named);
                assert!(candidates.iter().any(is_found), "{named:?} {request:?}");
            }
        }
        (strict, expected) => panic!("{expected:?} {strict:?} {request:?}"),
    }
    compare_readings(set, request, &strict);
    if let Err(rejection) = &strict {
        // Whatever was sent, there is an answer, and it gives nothing away.
        assert!((1..1_000).contains(&rejection.message().len()), "{rejection:?}");
        let response = FcResponse.rejection_response(rejection, &parts);
        let answer = format!("{rejection} {rejection:?} {:?}", response.body());
        assert!(!KEYS.iter().any(|key| answer.contains(key.secret)), "{answer}");
    }
    Outcome {
        strict: usize::from(strict.is_ok()),
        observed: usize::from(observed.is_ok()),
        edits_refused: 0,
    }
}

/// What expects headers of the platform accepts what is accepted as it was received, or without
/// them, and nothing else.
fn compare_readings(
    set: &Set,
    request: &Request,
    as_received: &Result<VerifiedCaller, tower_fc::Rejection>,
) {
    let mut parts = request.parts();
    let verdict = set.platform.verify_at(&parts, at(NOW));
    for name in PLATFORM {
        parts.headers.remove(*name);
    }
    let without = set.strict.verify_at(&parts, at(NOW));
    match (&verdict, as_received, &without) {
        (Ok(caller), Ok(other), _) | (Ok(caller), _, Ok(other)) => {
            assert_eq!(format!("{caller:?}"), format!("{other:?}"), "{request:?}");
        }
        (Err(_), Err(_), Err(_)) => {}
        _ => panic!("{verdict:?} {as_received:?} {without:?} {request:?}"),
    }
    // What is left out is not said to be covered.
    let assert_uncovered = |caller: &VerifiedCaller| {
        for name in PLATFORM {
            assert!(!caller.covers_header(&HeaderName::from_static(name)), "{name} {request:?}");
        }
    };
    if let (Ok(caller), Err(_)) = (&verdict, as_received) {
        assert_uncovered(caller);
    }
    // Whatever the platform adds to what would pass without it.
    if let Ok(other) = &without {
        for name in PLATFORM {
            parts.headers.insert(*name, HeaderValue::from_static("a"));
        }
        let caller = set.platform.verify_at(&parts, at(NOW)).expect("it is left out");
        assert_eq!(format!("{caller:?}"), format!("{other:?}"), "{request:?}");
        assert_uncovered(&caller);
    }
}

/// What both find ambiguous: the order of values is reported and not refused, and a header that
/// is repeated may be padded where nobody looks any more.
fn comparable(found: &BTreeSet<Ambiguity>) -> BTreeSet<Ambiguity> {
    let is_repeated = found.contains(&Ambiguity::RepeatedHeader);
    let compared = found.iter().copied().filter(|ambiguity| match ambiguity {
        Ambiguity::ValueOrder => false,
        Ambiguity::PaddedHeader => !is_repeated,
        _ => true,
    });
    compared.collect()
}

// ---------------------------------------------------------------------------
// authorization
// ---------------------------------------------------------------------------

/// A value of `authorization`, a target, and other header lines, each on a line: who
/// does not know the secret is refused.
pub fn authorization(data: &[u8]) -> Option<Outcome> {
    let mut lines = data.split(|byte| *byte == b'\n');
    let value = lines.next().unwrap_or_default();
    let target = lines.next().unwrap_or_default();
    let mut request = Request::get(target).or_else(|| Request::get(b"/"))?;
    if !value.is_empty() {
        request.add(b"authorization", value);
    }
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        request.add(&line[..colon], trim(&line[colon + 1..]));
    }
    request.default("date", HTTP_DATE.as_bytes());
    request.default("x-acs-date", ACS_DATE.as_bytes());

    for set in [set_of(Dialect::Standard), all_dialects()] {
        let outcome = compare(set, &request);
        assert_eq!(outcome.observed, 0, "{request:?}");
    }
    Some(Outcome::default())
}

// ---------------------------------------------------------------------------
// targets
// ---------------------------------------------------------------------------

/// Any target: what is signed of it is what the reference says, byte for byte; and
/// what is signed of it in each dialect is accepted in it, unless it is ambiguous.
pub fn targets(data: &[u8]) -> Option<Outcome> {
    let mut outcome = Outcome::default();
    let plain = Request::get(data).filter(Request::has_good_target)?;
    for way in Way::all() {
        if way == Way::Presigned {
            continue;
        }
        let mut request = plain.clone();
        request.add(b"content-type", b"text/plain");
        for (scheme, name) in [(Scheme::Acs, b"x-fc-a".as_slice()), (Scheme::Fc, b"x-acs-a")] {
            // Each of these schemes leaves the other's headers unsigned.
            if way.scheme() != scheme {
                request.add(name, b"1");
            }
        }
        request.date(way, KEYS[0]);
        if !way.dialect().name().ends_with("-doc") {
            request.add(b"x-acs-content-sha256", b"no hash at all");
        }
        if way.dialect() == Dialect::Standard {
            shows_what_the_reference_signs(way, &request, KEYS[0]);
        }

        let names = request.usual_names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        if request.sign(way, &names, KEYS[0]).is_none() {
            continue;
        }
        let of_this = compare(set_of(way.dialect()), &request);
        // Beside a signature in headers.
        let is_good = !has_credentials(request.query());
        assert_eq!(of_this.observed, usize::from(is_good), "{way:?} {request:?}");
        outcome.strict += of_this.strict;
        outcome.observed += of_this.observed;
    }
    Some(outcome)
}

/// The text that a signer shows of a request is the one of the reference.
fn shows_what_the_reference_signs(way: Way, request: &Request, key: Key) {
    let complete = request.with_set(way, key, None);
    let names = complete.usual_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let Some(expected) = way.canonical(&names, &complete) else { return };

    let parts = request.parts();
    let signer = Signer::new(key.credentials()).with_scheme(way.scheme()).expect("in headers");
    let text = signer.string_to_sign_at(&parts, at(NOW)).expect("there is room");
    let canonical = signer.canonical_request_at(&parts, at(NOW)).expect("there is room");
    match way {
        Way::Acs3(_, algorithm) => {
            assert_same(&canonical.expect("ACS3 has one"), &expected, way, request);
            assert_same(&text, &acs3_string_to_sign(algorithm, &expected), way, request);
        }
        _ => {
            assert!(canonical.is_none());
            assert_same(&text, &expected, way, request);
        }
    }
}

fn assert_same(got: &[u8], expected: &[u8], way: Way, request: &Request) {
    let show = |text: &[u8]| text.escape_ascii().to_string();
    assert!(got == expected, "{way:?} {request:?}\n{}\n{}", show(got), show(expected));
}

// ---------------------------------------------------------------------------
// dates
// ---------------------------------------------------------------------------

/// A date as text, and one as a number: both are read and written as `httpdate` does,
/// but for what is no IMF-fixdate.
pub fn dates(data: &[u8]) -> Option<Outcome> {
    let (number, text) = data.split_first_chunk::<8>()?;
    let number = u64::from_le_bytes(*number);
    let mut outcome = Outcome::default();

    // Any text, and a date with an edit.
    let written = at(number % (dates::LAST + 1));
    let edited = |written: &[u8]| {
        let mut date = written.to_vec();
        for edit in text.chunks_exact(2).take(2) {
            let place = usize::from(edit[0]) % date.len();
            date[place] ^= edit[1];
        }
        date
    };
    for text in [text.to_vec(), edited(&format_http_date(written))] {
        let time = parse_http_date(&text);
        assert_eq!(time, dates::http_date(&text), "{}", text.escape_ascii());
        if let Some(time) = time {
            assert_eq!(format_http_date(time).as_slice(), text);
            outcome.strict += 1;
        }
    }
    let fraction: String = text.iter().take(10).map(|byte| char::from(b'0' + byte % 12)).collect();
    let whole = format_acs_date(written);
    let with_fraction = [&whole[..19], b".", fraction.as_bytes(), b"Z"].concat();
    for text in [text.to_vec(), edited(&whole), edited(&with_fraction)] {
        let time = parse_acs_date(&text);
        assert_eq!(time, dates::acs_date(&text), "{}", text.escape_ascii());
        if let Some(time) = time {
            assert_eq!(format_acs_date(time)[..19], text[..19]);
            outcome.strict += 1;
        }
    }

    // What is written is read again, up to what can be written.
    assert_eq!(httpdate::fmt_http_date(written).as_bytes(), format_http_date(written));
    assert_eq!(parse_http_date(&format_http_date(written)), Some(written));
    assert_eq!(parse_acs_date(&format_acs_date(written)), Some(written));
    if let Some(time) = std::time::UNIX_EPOCH.checked_add(Duration::from_secs(number)) {
        let clamped = at(number.min(dates::LAST));
        assert_eq!(parse_http_date(&format_http_date(time)), Some(clamped));
        assert_eq!(parse_acs_date(&format_acs_date(time)), Some(clamped));
    }
    let before = std::time::UNIX_EPOCH - Duration::from_secs(number % dates::LAST);
    assert_eq!(parse_http_date(&format_http_date(before)), Some(at(0)));
    assert_eq!(parse_acs_date(&format_acs_date(before)), Some(at(0)));
    outcome.observed += 1;
    Some(outcome)
}

// ---------------------------------------------------------------------------
// verify
// ---------------------------------------------------------------------------

/// A signed request, edited up to two times: both verifiers agree on it.
pub fn verify(data: &[u8]) -> Option<Outcome> {
    let mut choices = Choices::of(data);
    let set = match choices.below(3) {
        0 => set_of(Dialect::Standard),
        1 => choices.of_these(&SETS),
        _ => all_dialects(),
    };
    let (mut request, _) = signed(&mut choices, set)?;
    for _ in 0..choices.below(3) {
        request = choices.edit(&request)?;
    }
    Some(compare(set, &request))
}

/// A request that the reference signed in one of the ways of a set, and in which.
fn signed(choices: &mut Choices<'_>, set: &Set) -> Option<(Request, Way)> {
    let mut request = choices.request()?;
    let way = *choices.of_these(&set.ways);
    let key = *choices.of_these(&KEYS);
    choices.date(&mut request, way, key);
    let names = choices.names(&request);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // A name without a header is signed as an empty one would be.
    let lines = request.lines();
    let absent = names.iter().filter(|name| !lines.iter().any(|(line, _)| line == **name));
    let before = request.headers.len();
    for name in absent.clone() {
        request.add(name.as_bytes(), b"");
    }
    request.sign(way, &names, key)?;
    request.headers.drain(before..before + absent.count());
    Some((request, way))
}

// ---------------------------------------------------------------------------
// sign_verify
// ---------------------------------------------------------------------------

/// What is signed is accepted, if it is not ambiguous; and no edit of a request that
/// is accepted changes its meaning and is accepted too.
pub fn sign_verify(data: &[u8]) -> Option<Outcome> {
    let mut choices = Choices::of(data);
    let standard = set_of(Dialect::Standard);
    let (set, (request, way)) = match choices.below(2) {
        0 => {
            let set = *choices.of_these(&[standard, all_dialects()]);
            (set, by_tower_fc(&mut choices, set)?)
        }
        _ => {
            let set = match choices.below(3) {
                0 => standard,
                1 => choices.of_these(&SETS),
                _ => all_dialects(),
            };
            (set, signed(&mut choices, set)?)
        }
    };
    let mut outcome = compare(set, &request);
    let Ok(caller) = set.strict.verify_at(&request.parts(), at(NOW)) else { return Some(outcome) };

    for _ in 0..8 {
        let Some(edited) = choices.edit(&request) else { continue };
        match set.strict.verify_at(&edited.parts(), at(NOW)) {
            Err(_) => outcome.edits_refused += 1,
            Ok(other) => {
                assert_eq!(other.scheme(), way.scheme());
                // The order of values, where that is unsigned, is reported.
                let callers = [&caller, &other];
                let is_unsigned = |it: &&VerifiedCaller| {
                    it.ambiguities().any(|ambiguity| ambiguity == Ambiguity::ValueOrder)
                };
                let in_order = !callers.iter().any(is_unsigned);
                assert_eq!(
                    meaning(&other, &edited, in_order),
                    meaning(&caller, &request, in_order),
                    "{request:?}\n{edited:?}"
                );
            }
        }
    }
    Some(outcome)
}

/// A request that `tower-fc` signed without a look at what is ambiguous, and in which way. If
/// anyone says what is to be signed of it, then that was; and strict signing signs it the same if
/// strict verifiers accept it, and otherwise not at all.
///
/// A set that has the standard dialect accepts it in that one.
fn by_tower_fc(choices: &mut Choices<'_>, set: &Set) -> Option<(Request, Way)> {
    let request = choices.request().filter(Request::has_good_target)?;
    let ways = &set_of(Dialect::Standard).ways;
    let way = *choices.of_these(ways);
    let key = *choices.of_these(&KEYS);

    let (strict, careless, mut expected) = if way == Way::Presigned {
        let lifetime = 1 + choices.below(7 * 24 * 60 * 60) as u64;
        let presigner = Presigner::new(key.credentials());
        let strict = presign(&presigner, &request, lifetime);
        let careless = presign(&presigner.with_insecure_observation(), &request, lifetime);
        let mut expected = request.clone();
        expected.expire(key, NOW + lifetime);
        (strict, careless, expected)
    } else {
        let nonce = [None, Some("a-nonce")][choices.below(2)];
        shows_what_the_reference_signs(way, &request, key);
        let signer = Signer::new(key.credentials()).with_scheme(way.scheme()).expect("in headers");
        let expected = request.with_set(way, key, nonce);
        let mut strict = sign(&signer, &request, nonce);
        let has_host = expected.usual_names().iter().any(|name| name == "host");
        if matches!(way, Way::Acs3(..)) && !has_host {
            // A verifier takes it, as the documented samples are; a signer has to be told to.
            assert!(strict.is_err(), "{request:?}");
            strict = sign(&signer.clone().with_insecure_unsigned_header(HOST), &request, nonce);
        }
        let careless = sign(&signer.with_insecure_observation(), &request, nonce);
        (strict, careless, expected)
    };
    let careless = match careless {
        Ok(careless) => careless,
        Err(error) => {
            let is_bad = match way {
                Way::Presigned => is_presigned(request.query()),
                _ => has_credentials(request.query()),
            };
            assert!(is_bad || request.values("host").len() > 1, "{error:?} {request:?}");
            assert!(strict.is_err(), "{request:?}");
            return None;
        }
    };

    let names = expected.usual_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if expected.sign(way, &names, key).is_some() {
        assert_eq!(careless.sorted(), expected.sorted(), "{request:?}");
    }

    // A client may name another host in its header than it sends a request to; what it then sends
    // has one.
    let verdict = verdict(ways, &careless);
    let refused =
        verdict.as_ref().map_or_else(|kind| Some(*kind), |verdict| verdict.strict().err());
    if refused != Some(RejectionKind::HostMismatch) {
        assert_eq!(strict.is_err(), refused.is_some(), "{refused:?} {strict:?} {careless:?}");
    }
    if let Ok(strict) = strict {
        assert_eq!(strict.sorted(), careless.sorted(), "{request:?}");
    }

    match set.observing.verify_at(&careless.parts(), at(NOW)) {
        Ok(caller) => {
            assert_eq!(caller.access_key_id(), key.id);
            assert_eq!((caller.scheme(), caller.dialect()), (way.scheme(), Dialect::Standard));
            let signed_at = (way != Way::Presigned).then(|| at(NOW));
            assert_eq!(caller.signed_at(), signed_at);
        }
        Err(rejection) => {
            let expected = [
                RejectionKind::HostMismatch,
                RejectionKind::RepeatedHeader,
                RejectionKind::ConflictingCredentials,
            ];
            assert!(expected.contains(&rejection.kind()), "{rejection:?} {careless:?}");
        }
    }
    Some((careless, way))
}

/// A request with the headers that a signer sets, which changes nothing else, and nothing when it
/// signs once more.
fn sign(signer: &Signer, request: &Request, nonce: Option<&str>) -> Result<Request, Error> {
    let sign = |parts: &mut Parts| match nonce {
        Some(nonce) => signer.sign_with_nonce_at(parts, at(NOW), nonce),
        None => signer.sign_at(parts, at(NOW)),
    };
    let mut parts = request.parts();
    if let Err(error) = sign(&mut parts) {
        assert_eq!(parts.headers, request.parts().headers, "{request:?}");
        return Err(error);
    }
    assert_eq!((&parts.method, &parts.uri), (&request.method, &request.uri));
    let mut again = parts.clone();
    sign(&mut again)?;
    assert_eq!(parts.headers, again.headers, "{request:?}");
    let headers = parts.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
    Ok(Request { headers: headers.collect(), ..request.clone() })
}

/// A request with the URL that a presigner makes.
fn presign(presigner: &Presigner, request: &Request, lifetime: u64) -> Result<Request, Error> {
    let (parts, lifetime) = (request.parts(), Duration::from_secs(lifetime));
    let url = presigner.presign_at(&parts, lifetime, at(NOW))?;
    assert_eq!(url.expires_at(), at(NOW) + lifetime);
    let text = presigner.string_to_sign_at(&parts, lifetime, at(NOW))?;
    let signed = Request { uri: url.into_uri(), ..request.clone() };
    if let Some(expected) = Way::Presigned.canonical(&[], &signed) {
        assert_same(&text, &expected, Way::Presigned, &signed);
    }
    Ok(signed)
}

/// What a request means to who serves it, as far as its signature covers it.
#[derive(Debug, PartialEq, Eq)]
struct Meaning {
    method: String,
    segments: Vec<Vec<u8>>,
    parameters: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    headers: BTreeMap<String, Vec<Vec<u8>>>,
}

/// `in_order` says whether that of the values of a parameter is signed.
fn meaning(caller: &VerifiedCaller, request: &Request, in_order: bool) -> Meaning {
    let mut parameters: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
    for (key, value) in form_pairs(request.query()) {
        parameters.entry(key).or_default().push(value);
    }
    if !in_order {
        parameters.values_mut().for_each(|values| values.sort());
    }
    let mut headers: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for (name, value) in request.lines() {
        let header = HeaderName::from_bytes(name.as_bytes()).expect("it was one");
        // In the lines that have no name, no value and no header are the same.
        let fixed = !name.starts_with("x-") || name == "x-acs-content-sha256";
        if caller.covers_header(&header) && !(value.is_empty() && fixed) {
            headers.entry(name).or_default().push(value);
        }
    }
    let segments = request.uri.path().split('/');
    Meaning {
        method: request.method.to_string(),
        segments: segments.map(|segment| percent_decode(segment.as_bytes())).collect(),
        parameters,
        headers,
    }
}
