//! The fuzz targets. Each takes any bytes, panics when a claim does not hold, and
//! returns `None` for bytes that make no request.

use crate::dates::{self, at};
use crate::reference::{Reading, form_pairs, percent_decode};
use crate::requests::{
    ACS_DATE, Choices, HTTP_DATE, KEYS, Key, NOW, PLATFORM, Request, key_store, trim,
};
use crate::verdict::{has_credentials, verdict};
use crate::way::Way;
use http::{HeaderName, HeaderValue};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;
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
    /// It accepts one dialect alone.
    single: bool,
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
        Self { ways, strict, observing, platform, single: dialects.iter().count() == 1 }
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

/// Holds verifiers to the reference: what only observes decides as the reference
/// does, for the same reason and in the same dialect; what is strict accepts nothing
/// else, and says what is ambiguous where it refuses.
fn compare(set: &Set, request: &Request) -> Outcome {
    let parts = request.parts();
    let expected = verdict(&set.ways, request);
    let observed = set.observing.verify_at(&parts, at(NOW));
    match (&expected, &observed) {
        (Ok(way), Ok(caller)) => {
            assert_eq!(caller.dialect(), way.dialect(), "{request:?}");
            assert_eq!(caller.scheme(), way.scheme(), "{request:?}");
        }
        (Err(expected), Err(rejection)) => {
            assert_eq!(rejection.kind(), *expected, "{request:?} {rejection:?}");
        }
        _ => panic!("{expected:?} {observed:?} {request:?}"),
    }

    let strict = set.strict.verify_at(&parts, at(NOW));
    let ambiguities: Vec<Ambiguity> = observed.iter().flat_map(refusable).collect();
    match (&strict, &observed) {
        (Ok(strict), Ok(caller)) => {
            assert_eq!(format!("{strict:?}"), format!("{caller:?}"), "{request:?}");
            assert_eq!(ambiguities, [], "{request:?}");
        }
        (Ok(_), Err(_)) => panic!("{strict:?} {observed:?} {request:?}"),
        (Err(rejection), Ok(_)) => {
            assert!(is_ambiguous(rejection), "{rejection:?} {request:?}");
            // What is unsigned is told before anything is read in two ways.
            if rejection.kind() == RejectionKind::UnsignedHeader {
                assert!(ambiguities.contains(&Ambiguity::UnsignedHeader), "{request:?}");
            } else if set.single {
                assert_eq!(rejection.ambiguity(), ambiguities.first().copied(), "{request:?}");
            }
        }
        (Err(strict), Err(observed)) => {
            assert!(
                strict.kind() == observed.kind() || is_ambiguous(strict),
                "{strict:?} {observed:?} {request:?}"
            );
        }
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

/// What is ambiguous about a request and refused unless it is let through: all but the order of
/// values.
fn refusable(caller: &VerifiedCaller) -> impl Iterator<Item = Ambiguity> + '_ {
    caller.ambiguities().filter(|ambiguity| *ambiguity != Ambiguity::ValueOrder)
}

fn is_ambiguous(rejection: &tower_fc::Rejection) -> bool {
    match rejection.kind() {
        RejectionKind::Ambiguous => rejection.ambiguity().is_some(),
        kind => kind == RejectionKind::UnsignedHeader,
    }
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
/// what an SDK signs of it is accepted in its dialect, unless it is ambiguous.
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
            signs_as_the_reference(way, &request, KEYS[0]);
        }

        let names = request.usual_names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let Some(sdk) = way.canonical(Reading::Sdk, &names, &request) else { continue };
        let verifier = way.canonical(Reading::Verifier, &names, &request);
        if Some(&sdk) != verifier.as_ref() {
            assert!(way.choice(&request).is_some(), "{way:?} {request:?}");
            continue;
        }
        request.sign(Reading::Sdk, way, &names, KEYS[0])?;
        let parts = request.parts();
        let set = set_of(way.dialect());
        let observed = set.observing.verify_at(&parts, at(NOW));
        match (observed, set.strict.verify_at(&parts, at(NOW))) {
            (Ok(caller), Ok(_)) => {
                assert_eq!(refusable(&caller).count(), 0, "{way:?} {request:?}");
                outcome.strict += 1;
            }
            (Ok(caller), Err(rejection)) => {
                let unsigned = caller.ambiguities().any(|it| it == Ambiguity::UnsignedHeader);
                let expected =
                    if unsigned { RejectionKind::UnsignedHeader } else { RejectionKind::Ambiguous };
                assert_eq!(rejection.kind(), expected, "{way:?} {request:?}");
            }
            // Beside a signature in headers.
            (Err(rejection), _) if has_credentials(request.query()) => {
                let expected = RejectionKind::ConflictingCredentials;
                assert_eq!(rejection.kind(), expected, "{way:?} {request:?}");
                continue;
            }
            (Err(rejection), _) => panic!("{way:?} {rejection:?} {request:?}"),
        }
        outcome.observed += 1;
    }
    Some(outcome)
}

/// The text that a signer shows is the one of the reference.
fn signs_as_the_reference(way: Way, request: &Request, key: Key) {
    let mut complete = request.clone();
    let is_set = [way.date_header(), way.token_header()];
    complete.headers.retain(|(name, _)| !is_set.contains(&name.as_str()));
    complete.date(way, key);
    let parts = request.parts();
    let names = complete.usual_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let expected = way.canonical(Reading::Verifier, &names, &complete).expect("any is read");

    let signer = Signer::new(key.credentials()).with_scheme(way.scheme()).expect("in headers");
    let text = signer.string_to_sign_at(&parts, at(NOW)).expect("there is room");
    let canonical = signer.canonical_request_at(&parts, at(NOW)).expect("there is room");
    match way {
        Way::Acs3(_, algorithm) => {
            assert_same(&canonical.expect("ACS3 has one"), &expected, way, request);
            let hash = crate::reference::acs3_string_to_sign(algorithm, &expected);
            assert_same(&text, &hash, way, request);
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
    request.sign(Reading::Verifier, way, &names, key)?;
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
    let set = match choices.below(3) {
        0 => set_of(Dialect::Standard),
        1 => choices.of_these(&SETS),
        _ => all_dialects(),
    };
    let (request, scheme) = match choices.below(2) {
        0 => by_tower_fc(&mut choices)?,
        _ => {
            let (request, way) = signed(&mut choices, set)?;
            (request, way.scheme())
        }
    };
    let mut outcome = compare(set, &request);
    let Ok(caller) = set.strict.verify_at(&request.parts(), at(NOW)) else { return Some(outcome) };

    let meaning = meaning(&caller, &request);
    for _ in 0..8 {
        let Some(edited) = choices.edit(&request) else { continue };
        match set.strict.verify_at(&edited.parts(), at(NOW)) {
            Err(_) => outcome.edits_refused += 1,
            Ok(caller) => {
                assert_eq!(self::meaning(&caller, &edited), meaning, "{request:?}\n{edited:?}");
                assert_eq!(caller.scheme(), scheme);
            }
        }
    }
    Some(outcome)
}

/// A request that `tower-fc` signed, by whichever scheme.
fn by_tower_fc(choices: &mut Choices<'_>) -> Option<(Request, Scheme)> {
    let request = choices.request().filter(Request::has_good_target)?;
    let scheme = *choices.of_these(Scheme::ALL);
    let key = *choices.of_these(&KEYS);
    let nonce = choices.below(2) > 0;
    let mut signed = request.clone();
    let parts = request.parts();
    let is_strict;

    if scheme == Scheme::FcPresigned {
        let lifetime = Duration::from_secs(1 + choices.below(7 * 24 * 60 * 60) as u64);
        let strict = Presigner::new(key.credentials());
        is_strict = strict.presign_at(&parts, lifetime, at(NOW)).is_ok();
        let presigner = strict.with_insecure_observation();
        // Refused if it is presigned already.
        let url = presigner.presign_at(&parts, lifetime, at(NOW)).ok()?;
        let text = presigner.string_to_sign_at(&parts, lifetime, at(NOW)).ok()?;
        assert_eq!(url.expires_at(), at(NOW) + lifetime);
        signed.uri = url.into_uri();
        if let Some(expected) = Way::Presigned.canonical(Reading::Verifier, &[], &signed) {
            assert_same(&text, &expected, Way::Presigned, &signed);
        }
    } else {
        let way = *set_of(Dialect::Standard).ways.iter().find(|way| way.scheme() == scheme)?;
        signs_as_the_reference(way, &request, key);
        let mut strict = Signer::new(key.credentials()).with_scheme(scheme).ok()?;
        if nonce {
            strict = strict.with_nonce();
        }
        is_strict = strict.sign_at(&mut parts.clone(), at(NOW)).is_ok();
        let signer = strict.with_insecure_observation();
        let mut parts = parts;
        if let Err(error) = signer.sign_at(&mut parts, at(NOW)) {
            let is_bad = has_credentials(request.query()) || request.values("host").len() > 1;
            assert!(is_bad && !is_strict, "{error:?} {request:?}");
            return None;
        }
        assert_eq!((&parts.method, &parts.uri), (&request.method, &request.uri));
        let names = [way.date_header(), way.token_header(), way.nonce_header(), "authorization"];
        let is_set = |name: &HeaderName| names.contains(&name.as_str());
        for (name, value) in &request.headers {
            let stays = parts.headers.get_all(name).iter().any(|each| each == value);
            assert!(stays || is_set(name), "{name} {request:?}");
        }
        signed.headers =
            parts.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        // Signing twice is signing once.
        let mut again = parts.clone();
        Signer::new(key.credentials())
            .with_scheme(scheme)
            .ok()?
            .with_insecure_observation()
            .sign_at(&mut again, at(NOW))
            .ok()?;
        assert_eq!(parts.headers, again.headers, "{request:?}");
    }

    // It is accepted, but for what makes it no request to accept; and what strict signing signs
    // is what strict verifying accepts.
    let set = set_of(Dialect::Standard);
    match set.strict.verify_at(&signed.parts(), at(NOW)) {
        Err(rejection) if rejection.kind() == RejectionKind::HostMismatch => {}
        verdict => assert_eq!(is_strict, verdict.is_ok(), "{verdict:?} {signed:?}"),
    }
    match set.observing.verify_at(&signed.parts(), at(NOW)) {
        Ok(caller) => {
            assert_eq!(caller.access_key_id(), key.id);
            assert_eq!((caller.scheme(), caller.dialect()), (scheme, Dialect::Standard));
            let signed_at = (scheme != Scheme::FcPresigned).then(|| at(NOW));
            assert_eq!(caller.signed_at(), signed_at);
        }
        Err(rejection) => {
            let kind = rejection.kind();
            let expected = match kind {
                RejectionKind::HostMismatch
                | RejectionKind::RepeatedHeader
                | RejectionKind::ConflictingCredentials => true,
                // `Presigner` leaves headers and the rest of the query alone.
                _ => false,
            };
            assert!(expected, "{rejection:?} {signed:?}");
        }
    }
    Some((signed, scheme))
}

/// What a request means to who serves it, as far as its signature covers it.
#[derive(Debug, PartialEq, Eq)]
struct Meaning {
    method: String,
    segments: Vec<Vec<u8>>,
    parameters: Vec<(Vec<u8>, Vec<u8>)>,
    headers: BTreeMap<String, Vec<Vec<u8>>>,
}

fn meaning(caller: &VerifiedCaller, request: &Request) -> Meaning {
    let mut parameters = form_pairs(request.query());
    parameters.sort();
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
