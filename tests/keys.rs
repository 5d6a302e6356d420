//! Keys from a file that changes, and keys remembered of a store that is slow.

use crate::common::{ID, NOW, Random, at, get, signed_by};
use http::Request;
use std::error::Error as _;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tower_fc::error::ErrorKind;
use tower_fc::keys::{
    AsyncKeyStore, ByRequest, KeyQuery, KeyStore, KeyStoreError, Keys, VerifyingKey,
};
use tower_fc::keys::{CachedKeys, KeyFile};
use tower_fc::{Credentials, RejectionKind, Signer, Verifier};

const HOUR: Duration = Duration::from_secs(3_600);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A file that is there until the test ends.
struct TempFile {
    folder: PathBuf,
    path: PathBuf,
}

impl TempFile {
    fn new(text: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("tower-fc-keys-{}-{number}", std::process::id());
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        let file = Self { path: folder.join("keys.json"), folder };
        file.write(text);
        file
    }

    /// Writes over the file that is there.
    fn write(&self, text: &str) {
        fs::write(&self.path, text).unwrap();
    }

    /// Puts another file in its place.
    fn replace(&self, text: &str) {
        let other = self.folder.join("other.json");
        fs::write(&other, text).unwrap();
        fs::rename(&other, &self.path).unwrap();
    }

    fn open(&self) -> KeyFile {
        KeyFile::open(&self.path).unwrap()
    }

    /// Looked at with each lookup.
    fn open_eager(&self) -> KeyFile {
        self.open().with_check_interval(Duration::ZERO)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn count(keys: &impl KeyStore, id: &str) -> usize {
    keys.lookup(id).unwrap().as_slice().len()
}

fn signed_with(id: &str, secret: &str) -> Request<()> {
    signed_by(&Signer::new(Credentials::new(id, secret).unwrap()), get("/"), at(0))
}

/// Why a request signed with this secret at `NOW` is refused, `None` when it is not.
fn refusal(keys: &KeyFile, id: &str, secret: &str) -> Option<RejectionKind> {
    let verifier = Verifier::new(keys.clone());
    verifier.verify_request_at(&signed_with(id, secret), at(0)).err().map(|error| error.kind())
}

#[test]
fn every_form_of_an_access_key_is_read() {
    let file = TempFile::new(
        r#"{
            "plain": "one",
            "object": { "secret": "two" },
            "list": ["three", { "not_after": "2126-11-21T17:57:00.5Z", "secret": "four" }],
            "temporary": { "secret": "five", "security_token": "the-token" },
            "escaped": "si\u0078\/"
        }"#,
    );
    let keys = file.open();
    for (id, secret) in [
        ("plain", "one"),
        ("object", "two"),
        ("list", "three"),
        ("list", "four"),
        ("escaped", "six/"),
    ] {
        assert_eq!(refusal(&keys, id, secret), None, "{id}");
        let wrong = refusal(&keys, id, "wrong");
        assert_eq!(wrong, Some(RejectionKind::SignatureMismatch), "{id}");
    }
    assert_eq!(refusal(&keys, "other", "one"), Some(RejectionKind::UnknownAccessKey));

    assert!(refusal(&keys, "temporary", "five").is_some(), "without its token");
    let verifier = Verifier::new(keys);
    for (token, accepted) in [("the-token", true), ("another-token", false)] {
        let credentials = Credentials::new("temporary", "five").unwrap();
        let signer = Signer::new(credentials.with_security_token(token).unwrap());
        let request = signed_by(&signer, get("/"), at(0));
        assert_eq!(verifier.verify_request_at(&request, at(0)).is_ok(), accepted, "{token}");
    }
}

#[test]
fn a_rotated_secret_verifies_until_its_end_and_the_new_one_beyond() {
    assert_eq!(tower_fc::protocol::format_acs_date(at(0)), *b"2026-11-21T17:57:00Z");
    assert_eq!(NOW, 1_795_283_820);
    let file = TempFile::new(
        r#"{ "LTAI5tExample": [
            "new", { "secret": "old", "not_after": "2026-11-21T17:57:00Z" }
        ] }"#,
    );
    let verifier = Verifier::new(file.open());
    for (secret, seconds, accepted) in
        [("old", -1, true), ("old", 0, false), ("new", -1, true), ("new", 0, true)]
    {
        let verified = verifier.verify_request_at(&signed_with(ID, secret), at(seconds));
        assert_eq!(verified.is_ok(), accepted, "{secret} at {seconds}");
    }
}

#[test]
fn what_is_wrong_with_a_file_is_said_by_file_access_key_and_rule() {
    for (text, rule) in [
        ("", r#"ends too early: line 1, column 0"#),
        (r#"{ "id": "canary"#, r#"ends too early: line 1, column 15"#),
        ("{\n\"id\": canary }", "is not JSON: line 2, column 7"),
        (r#"{ "id": "canary" } }"#, "is not JSON: line 1, column 20"),
        (r#"{ "id": "canary", }"#, "is not JSON: line 1, column 19"),
        (r#""canary""#, "must be an object of access key ids and their secrets"),
        (r#"["canary"]"#, "must be an object of access key ids and their secrets"),
        (r#"{ "id": "canary", "id": "canary" }"#, r#"access key "id": is in the file twice"#),
        (r#"{ "id": "canary", "\u0069d": "x" }"#, r#"access key "id": is in the file twice"#),
        (
            // The secret, where the id should be.
            r#"{ "id": "x", "canary:": "id" }"#,
            r#"access key 2: an id must be 1 to 256 visible ASCII characters other than ':', ',' and '='"#,
        ),
        (
            r#"{ "": "canary" }"#,
            r#"access key 1: an id must be 1 to 256 visible ASCII characters other than ':', ',' and '='"#,
        ),
        (r#"{ "id": "" }"#, r#"access key "id": the access key secret must not be empty"#),
        (
            r#"{ "id": "canary\n" }"#,
            r#"access key "id": the access key secret must not contain white space or control characters"#,
        ),
        (
            r#"{ "id": ["ok", { "secret": "" }] }"#,
            r#"access key "id", entry 2: the access key secret must not be empty"#,
        ),
        (r#"{ "id": [] }"#, r#"access key "id": has no secret"#),
        (r#"{ "id": {} }"#, r#"access key "id": has no secret"#),
        (r#"{ "id": { "security_token": "canary" } }"#, r#"access key "id": has no secret"#),
        (
            r#"{ "id": 17 }"#,
            r#"access key "id": must be a secret as text, an object, or a list of these"#,
        ),
        (
            r#"{ "id": null }"#,
            r#"access key "id": must be a secret as text, an object, or a list of these"#,
        ),
        (
            r#"{ "id": ["ok", ["canary"]] }"#,
            r#"access key "id", entry 2: must be a secret as text, an object, or a list of these"#,
        ),
        (
            r#"{ "id": { "secret": "canary", "canary": "canary" } }"#,
            r#"access key "id": has a field other than secret, security_token, not_after"#,
        ),
        (
            r#"{ "id": { "secret": "canary", "secret": "canary" } }"#,
            r#"access key "id": has secret twice"#,
        ),
        (r#"{ "id": { "secret": ["canary"] } }"#, r#"access key "id": secret must be text"#),
        (
            r#"{ "id": { "secret": "canary", "security_token": null } }"#,
            r#"access key "id": security_token must be text"#,
        ),
        (
            r#"{ "id": { "secret": "canary", "security_token": "canary token" } }"#,
            r#"access key "id": the security token must be one or more visible ASCII characters"#,
        ),
        (
            r#"{ "id": { "secret": "canary", "not_after": 1795283820 } }"#,
            r#"access key "id": not_after must be text"#,
        ),
        (
            r#"{ "id": { "secret": "canary", "not_after": "2026-11-21T17:57:00+08:00" } }"#,
            r#"access key "id": not_after must be a time in UTC, as 2026-11-21T17:57:00Z is"#,
        ),
    ] {
        let file = TempFile::new(text);
        let error = KeyFile::open(&file.path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKeyFile, "{text}");
        assert_eq!(error.to_string(), format!("key file {:?}: {rule}", file.path), "{text}");
        assert!(!format!("{error:?} {error:#?} {error}").contains("canary"), "{error:?}");
        assert!(error.source().is_none(), "{text}");
    }
}

#[test]
fn text_that_is_no_utf_8_and_very_deep_nesting_are_not_json() {
    let file = TempFile::new("{}");
    for text in [b"{ \"id\": \"canary\xff\" }".to_vec(), b"[".repeat(1_000_000)] {
        fs::write(&file.path, text).unwrap();
        let error = KeyFile::open(&file.path).unwrap_err().to_string();
        assert!(error.contains("is not JSON: line 1, column "), "{error}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let file = TempFile::new("\u{feff}{ \"id\": \"secret\" }");
    let keys = file.open_eager();
    assert_eq!(refusal(&keys, "id", "secret"), None);
    file.replace("\u{feff}{ \"id\": \"another\" }");
    assert_eq!(refusal(&keys, "id", "another"), None);
    assert!(keys.last_error().is_none());
    // One alone, at the beginning.
    for text in ["\u{feff}", "\u{feff}\u{feff}{}", "{\u{feff}}", "\u{fffe}{}"] {
        file.replace(text);
        assert!(KeyFile::open(&file.path).is_err(), "{text:?}");
    }
}

#[test]
fn a_path_without_a_file_is_named() {
    let file = TempFile::new("{}");
    for (path, what) in [(file.folder.join("none"), ""), (file.folder.clone(), "regular file")] {
        let error = KeyFile::open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKeyFile);
        let text = error.to_string();
        assert!(text.starts_with(&format!("key file {path:?}: cannot be read: ")), "{text}");
        assert!(text.contains(what), "{text}");
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let file = TempFile::new("{}");
    let pipe = file.folder.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let text = KeyFile::open(&pipe).unwrap_err().to_string();
    assert!(text.ends_with("not a regular file"), "{text}");
}

#[test]
fn a_file_may_have_no_keys_and_lose_its_last_one() {
    let file = TempFile::new(r#"{ "id": "secret" }"#);
    let keys = file.open_eager();
    assert_eq!(count(&keys, "id"), 1);
    file.replace("{}");
    assert_eq!(count(&keys, "id"), 0);
    assert!(keys.last_error().is_none());
}

#[test]
fn the_file_is_not_looked_at_within_the_interval() {
    let file = TempFile::new(r#"{ "old": "secret" }"#);
    let keys = file.open().with_check_interval(HOUR);
    let by_default = file.open();
    let opened = Instant::now();
    file.replace(r#"{ "new": "secret" }"#);
    assert_eq!((count(&keys, "old"), count(&keys, "new")), (1, 0));
    if opened.elapsed() < ms(500) {
        assert_eq!(count(&by_default, "old"), 1);
    }
    thread::sleep(ms(1_010));
    assert_eq!((count(&keys, "old"), count(&keys, "new")), (1, 0));
    assert_eq!((count(&by_default, "old"), count(&by_default, "new")), (0, 1));
}

#[test]
fn each_of_many_changes_of_equal_length_is_seen_at_once() {
    // Faster than the times of files tick, in the same inode.
    let file = TempFile::new(r#"{ "id-1000": "secret" }"#);
    let keys = file.open_eager();
    for number in 1_001..2_000 {
        file.write(&format!(r#"{{ "id-{number}": "secret" }}"#));
        assert_eq!(count(&keys, &format!("id-{number}")), 1, "{number}");
        assert_eq!(count(&keys, &format!("id-{}", number - 1)), 0, "{number}");
    }
}

#[test]
fn a_file_that_does_not_change_is_not_read_again() {
    let file = TempFile::new(r#"{ "id": "secret" }"#);
    let keys = file.open_eager();
    let before = keys.lookup("id").unwrap();
    let at_once = keys.lookup("id").unwrap();
    let same = |a: &Keys<'_>, b: &Keys<'_>| a.as_slice().as_ptr() == b.as_slice().as_ptr();
    assert!(!same(&before, &at_once), "a change within the same tick would be missed");
    thread::sleep(ms(4_100));
    let settled = keys.lookup("id").unwrap();
    for _ in 0..100 {
        assert!(same(&settled, &keys.lookup("id").unwrap()));
    }

    // Nor does one whose folder goes away and comes back, but that is noticed.
    let elsewhere = file.folder.with_extension("moved");
    fs::rename(&file.folder, &elsewhere).unwrap();
    assert_eq!(count(&keys, "id"), 1);
    assert!(keys.last_error().is_some());
    fs::rename(&elsewhere, &file.folder).unwrap();
    assert_eq!(count(&keys, "id"), 1);
    assert!(keys.last_error().is_none());

    file.write(r#"{ "id": "chang3" }"#);
    assert_eq!(refusal(&keys, "id", "chang3"), None);
}

#[cfg(unix)]
#[test]
fn a_link_that_is_turned_to_another_file_is_a_change() {
    let file = TempFile::new(r#"{ "old": "secret" }"#);
    let (new, link) = (file.folder.join("new.json"), file.folder.join("link"));
    fs::write(&new, r#"{ "new": "secret" }"#).unwrap();
    thread::sleep(ms(4_100));
    std::os::unix::fs::symlink(&file.path, &link).unwrap();
    let keys = KeyFile::open(&link).unwrap().with_check_interval(Duration::ZERO);
    assert_eq!((count(&keys, "old"), count(&keys, "new")), (1, 0));
    let turned = file.folder.join("turned");
    std::os::unix::fs::symlink(&new, &turned).unwrap();
    fs::rename(&turned, &link).unwrap();
    assert_eq!((count(&keys, "old"), count(&keys, "new")), (0, 1));
}

#[test]
fn a_broken_file_keeps_the_old_keys_and_says_so() {
    let good = r#"{ "id": "secret", "other": "secret" }"#;
    let file = TempFile::new(good);
    let keys = file.open_eager();
    for (broken, rule) in [
        (r#"{ "id": "canary", "id": "canary" }"#, "is in the file twice"),
        (r#"{ "new": "canary", "id": "" }"#, "must not be empty"),
        (&good[..20], "ends too early"),
        ("", "ends too early"),
    ] {
        for way in [TempFile::write, TempFile::replace] {
            way(&file, broken);
            for _ in 0..3 {
                assert_eq!((count(&keys, "id"), count(&keys, "other")), (1, 1), "{rule}");
                assert_eq!(count(&keys, "new"), 0, "all of the file or none of it");
            }
            let error = keys.last_error().expect(rule);
            assert_eq!(error.kind(), ErrorKind::InvalidKeyFile);
            assert!(error.to_string().contains(rule), "{error}");
            assert!(!format!("{keys:?} {error:?} {error}").contains("canary"));
            assert!(keys.clone().last_error().is_some(), "clones share it");

            way(&file, good);
            assert_eq!(count(&keys, "id"), 1);
            assert!(keys.last_error().is_none());
        }
    }

    fs::remove_file(&file.path).unwrap();
    assert_eq!(count(&keys, "id"), 1);
    let error = keys.last_error().unwrap().to_string();
    assert!(error.contains("cannot be read"), "{error}");
    file.write(good);
    assert_eq!(count(&keys, "id"), 1);
    assert!(keys.last_error().is_none());
}

#[test]
fn four_threads_verify_while_the_file_changes_and_none_is_refused_wrongly() {
    let with = |more: &str| format!(r#"{{ "stable": "always", {more} }}"#);
    let file = TempFile::new(&with(r#""old": "old-secret""#));
    let interval = ms(20);
    let keys = file.open().with_check_interval(interval);
    let (stop, verified) = (AtomicBool::new(false), AtomicU64::new(0));
    // How long after a change of the file the threads may at most see the one before.
    let patience = interval + ms(5_000);
    let until = |id: &str, secret: &str, expected: Option<RejectionKind>| {
        let begun = Instant::now();
        while refusal(&keys, id, secret) != expected {
            assert!(begun.elapsed() < patience, "{id} is not {expected:?}");
            thread::sleep(ms(1));
        }
        begun.elapsed()
    };
    // Stops the threads when the test fails, too.
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let slowest = thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let verifier = Verifier::new(keys.clone());
                let request = signed_with("stable", "always");
                while !stop.load(Ordering::SeqCst) {
                    let verdict = verifier.verify_request_at(&request, at(0));
                    assert!(verdict.is_ok(), "{verdict:?}");
                    verified.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _stop = Stop(&stop);
        let mut slowest = Duration::ZERO;
        assert_eq!(refusal(&keys, "old", "old-secret"), None);
        for round in 0..30 {
            let (id, secret) = (format!("new-{round}"), format!("secret-{round}"));
            let text = with(&format!(r#""{id}": "{secret}""#));
            match round % 3 {
                0 => file.replace(&text),
                1 => file.write(&text),
                _ => {
                    // Half of it for longer than an interval, then all.
                    file.write(&text[..text.len() / 2]);
                    let begun = Instant::now();
                    while keys.last_error().is_none() {
                        assert!(begun.elapsed() < patience, "nothing is said of half a file");
                        thread::sleep(ms(1));
                    }
                    let before = format!("new-{}", round - 1);
                    let secret = format!("secret-{}", round - 1);
                    assert_eq!(refusal(&keys, &before, &secret), None);
                    file.write(&text);
                }
            }
            slowest = slowest.max(until(&id, &secret, None));
            let gone = if round == 0 { "old".to_owned() } else { format!("new-{}", round - 1) };
            let secret =
                if round == 0 { "old-secret".to_owned() } else { format!("secret-{}", round - 1) };
            until(&gone, &secret, Some(RejectionKind::UnknownAccessKey));
        }
        slowest
    });
    let verified = verified.into_inner();
    println!("{verified} requests verified; a change took effect within {slowest:?}");
    assert!(verified > 100, "{verified}");
    assert!(keys.last_error().is_none());
}

/// A file that takes long to read, with one more access key in it.
fn large(id: &str) -> String {
    let mut text = format!(r#"{{ "{id}": "secret""#);
    for number in 0..30_000 {
        write!(text, ",\n\"filler-{number}\": \"a-secret-of-the-usual-size\"").unwrap();
    }
    text.push('}');
    text
}

#[test]
fn lookups_do_not_wait_for_the_one_that_reads_the_file() {
    let file = TempFile::new(&large("old"));
    let new = TempFile::new(&large("new"));
    // Until then it would be read again with each look at it.
    thread::sleep(ms(4_100));
    let interval = ms(200);
    let keys = file.open().with_check_interval(interval);
    thread::sleep(interval);
    assert_eq!(count(&keys, "old"), 1);
    fs::rename(&new.path, &file.path).unwrap();
    let reading = AtomicBool::new(true);
    let ready = Barrier::new(2);
    thread::scope(|scope| {
        let others = scope.spawn(|| {
            ready.wait();
            let mut old = 0;
            while reading.load(Ordering::SeqCst) {
                old += count(&keys, "old");
            }
            old
        });
        // One of the two finds the file changed, and reads it.
        thread::sleep(interval);
        ready.wait();
        let begun = Instant::now();
        let mut lookups = 0;
        while count(&keys, "new") == 0 {
            lookups += 1;
        }
        let took = begun.elapsed();
        reading.store(false, Ordering::SeqCst);
        let old = others.join().unwrap() + lookups;
        println!("{old} lookups by the old keys while the file was read for {took:?}");
        assert!(old > 100, "{old}");
        assert!(took > ms(5), "the file is too small to tell: {took:?}");
    });
}

#[test]
fn after_a_pause_no_lookup_answers_by_the_keys_from_before_it() {
    let file = TempFile::new(&large("removed"));
    let interval = ms(50);
    let keys = file.open().with_check_interval(interval);
    assert_eq!(count(&keys, "removed"), 1);
    file.replace(&large("other"));
    // The interval, and the second that lookups may be late by.
    thread::sleep(interval + ms(1_000));
    let together = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                together.wait();
                assert_eq!((count(&keys, "removed"), count(&keys, "other")), (0, 1));
            });
        }
    });
}

/// A store that counts how often it is asked, and for what.
#[derive(Clone, Debug, Default)]
struct Slow {
    asked: Arc<Mutex<Vec<String>>>,
    down: Arc<AtomicBool>,
    /// The number of the secret, so that a test can change it.
    secret: Arc<AtomicU32>,
    takes: Duration,
}

impl Slow {
    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl AsyncKeyStore for Slow {
    async fn lookup(&self, id: &str) -> Result<Keys<'static>, KeyStoreError> {
        self.asked.lock().unwrap().push(id.to_owned());
        // What there is when it is asked, which it takes a while to say.
        let down = self.down.load(Ordering::SeqCst);
        let secret = self.secret.load(Ordering::SeqCst);
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        if down {
            return Err(KeyStoreError::new("the database is down"));
        }
        let known = id.starts_with("LTAI");
        Ok(known.then(|| VerifyingKey::new(format!("canary-{secret}")).unwrap()).into())
    }
}

/// Whether the keys of [`ID`] are those with this number.
async fn has_secret(keys: &CachedKeys<Slow>, number: u32) -> bool {
    let request = signed_with(ID, &format!("canary-{number}"));
    let (parts, ()) = request.into_parts();
    Verifier::new(keys.clone()).verify_async_at(&parts, at(0)).await.is_ok()
}

async fn found(keys: &impl AsyncKeyStore, id: &str) -> usize {
    keys.lookup(id).await.unwrap().as_slice().len()
}

/// Asks for the same id a hundred times at once.
async fn a_hundred(keys: &CachedKeys<Slow>, id: &'static str) -> Vec<Result<usize, KeyStoreError>> {
    let start = Arc::new(tokio::sync::Barrier::new(100));
    let lookups: Vec<_> = (0..100)
        .map(|_| {
            let (keys, start) = (keys.clone(), Arc::clone(&start));
            tokio::spawn(async move {
                start.wait().await;
                keys.lookup(id).await.map(|keys| keys.as_slice().len())
            })
        })
        .collect();
    let mut answers = Vec::new();
    for lookup in lookups {
        answers.push(lookup.await.unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_lookups_at_once_ask_the_store_once() {
    let store = Slow { takes: ms(100), ..Slow::default() };
    let keys = CachedKeys::new(store.clone(), HOUR);
    for (id, expected, asked) in [(ID, 1, 1), ("unknown", 0, 2)] {
        for answer in a_hundred(&keys, id).await {
            assert_eq!(answer.unwrap(), expected);
        }
        assert_eq!(store.asked(), asked, "{id}");
        assert_eq!(found(&keys, id).await, expected);
        assert_eq!(store.asked(), asked, "{id}, remembered");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_error_is_given_to_all_that_wait_and_not_remembered() {
    let store = Slow { takes: ms(100), ..Slow::default() };
    let keys = CachedKeys::new(store.clone(), HOUR);
    store.down.store(true, Ordering::SeqCst);
    for answer in a_hundred(&keys, ID).await {
        let error = answer.unwrap_err();
        assert_eq!(error.to_string(), "access keys could not be looked up");
        assert_eq!(error.source().unwrap().to_string(), "the database is down");
        assert!(format!("{error:?}").contains("the database is down"), "{error:?}");
    }
    assert_eq!(store.asked(), 1);
    assert!(keys.lookup(ID).await.is_err());
    assert_eq!(store.asked(), 2);
    store.down.store(false, Ordering::SeqCst);
    assert_eq!(found(&keys, ID).await, 1);
    assert_eq!(store.asked(), 3);

    // What is remembered is used while the store is away.
    store.down.store(true, Ordering::SeqCst);
    assert_eq!(found(&keys, ID).await, 1);
    assert!(keys.lookup("another").await.is_err());
}

#[tokio::test]
async fn keys_of_security_tokens_are_remembered_by_the_token_where_the_store_goes_by_it() {
    let asked = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&asked);
    let store = ByRequest::new(move |query: &KeyQuery<'_>| {
        counter.fetch_add(1, Ordering::SeqCst);
        let token = query.security_token().map(<[u8]>::to_vec);
        assert!(query.headers().is_none(), "an answer is remembered for other requests");
        let text = token.and_then(|token| String::from_utf8(token).ok());
        async move { text.and_then(|text| VerifyingKey::new(text.strip_prefix("sealed:")?).ok()) }
    });
    let accepts = async |keys: &CachedKeys<_>, secret: &str, token: &str| {
        let by = Credentials::new(ID, secret).unwrap().with_security_token(token).unwrap();
        let mut request = Request::get("/").body(()).unwrap();
        Signer::new(by).sign_request_at(&mut request, at(0)).unwrap();
        let (parts, ()) = request.into_parts();
        let verifier = Verifier::new(keys.clone());
        verifier.verify_async_at(&parts, at(0)).await.is_ok()
    };
    let by_token = CachedKeys::new(store.clone(), HOUR).with_security_tokens();
    for _ in 0..3 {
        assert!(accepts(&by_token, "one", "sealed:one").await);
        assert!(accepts(&by_token, "two", "sealed:two").await);
        assert!(!accepts(&by_token, "one", "sealed:two").await);
        assert!(!accepts(&by_token, "one", "another").await);
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }
    by_token.invalidate(ID);
    assert!(accepts(&by_token, "one", "sealed:one").await);
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    // Unless it is told, it asks by the id alone, for which such a store has no keys.
    assert!(!accepts(&CachedKeys::new(store, HOUR), "one", "sealed:one").await);
}

#[tokio::test]
async fn a_lookup_that_is_cancelled_does_not_take_the_others_with_it() {
    let store = Slow { takes: ms(50), ..Slow::default() };
    let keys = CachedKeys::new(store.clone(), HOUR);
    let (first, second) = (keys.clone(), keys.clone());
    let first = tokio::spawn(async move { found(&first, ID).await });
    tokio::time::sleep(ms(10)).await;
    let second = tokio::spawn(async move { found(&second, ID).await });
    tokio::time::sleep(ms(10)).await;
    first.abort();
    assert_eq!(second.await.unwrap(), 1);
    assert_eq!(store.asked(), 2);
}

#[tokio::test]
async fn keys_are_asked_for_again_after_their_time_to_live() {
    let store = Slow::default();
    let keys = CachedKeys::new(store.clone(), ms(300));
    let begun = Instant::now();
    assert!(has_secret(&keys, 0).await);
    store.secret.store(1, Ordering::SeqCst);
    let still = has_secret(&keys, 0).await;
    if begun.elapsed() < ms(300) {
        assert!(still);
        assert_eq!(store.asked(), 1);
    }
    tokio::time::sleep(ms(310)).await;
    assert!(has_secret(&keys, 1).await);
    assert!(!has_secret(&keys, 0).await);
}

#[tokio::test]
async fn unknown_ids_are_asked_for_again_sooner() {
    let store = Slow::default();
    let keys = CachedKeys::new(store.clone(), HOUR).with_unknown_time_to_live(ms(300));
    let begun = Instant::now();
    assert_eq!((found(&keys, "unknown").await, found(&keys, ID).await), (0, 1));
    assert_eq!((found(&keys, "unknown").await, found(&keys, ID).await), (0, 1));
    if begun.elapsed() < ms(300) {
        assert_eq!(store.asked(), 2);
    }
    tokio::time::sleep(ms(310)).await;
    let before = store.asked();
    assert_eq!((found(&keys, "unknown").await, found(&keys, ID).await), (0, 1));
    assert_eq!(store.asked(), before + 1);
}

#[tokio::test]
async fn no_time_to_live_is_too_short_or_too_long() {
    for (time, asked) in [(Duration::ZERO, 3), (Duration::MAX, 1)] {
        let store = Slow::default();
        let keys = CachedKeys::new(store.clone(), time).with_unknown_time_to_live(Duration::MAX);
        for id in [ID, "unknown"] {
            store.asked.lock().unwrap().clear();
            for _ in 0..3 {
                found(&keys, id).await;
            }
            assert_eq!(store.asked(), asked, "{id} for {time:?}");
        }
    }
}

#[tokio::test]
async fn ten_thousand_unknown_ids_leave_live_keys_remembered() {
    let store = Slow::default();
    let keys = CachedKeys::new(store.clone(), HOUR).with_max_keys(100).with_max_unknown(100);
    let live: Vec<String> = (0..50).map(|number| format!("LTAI-{number}")).collect();
    for id in &live {
        assert_eq!(found(&keys, id).await, 1);
    }
    let mut random = Random::seeded();
    for _ in 0..10_000 {
        assert_eq!(found(&keys, &format!("x{:016x}", random.next())).await, 0);
    }
    let flood = store.asked();
    assert!(flood >= 10_000, "each was new: {flood}");
    for id in &live {
        assert_eq!(found(&keys, id).await, 1);
    }
    assert_eq!(store.asked(), flood, "live keys are still remembered");
}

#[tokio::test]
async fn an_invalidated_key_is_asked_for_again_and_others_are_not() {
    let store = Slow::default();
    let keys = CachedKeys::new(store.clone(), HOUR);
    assert_eq!((found(&keys, "LTAI-b").await, found(&keys, "unknown").await), (1, 0));
    assert!(has_secret(&keys, 0).await);
    store.secret.store(1, Ordering::SeqCst);
    assert!(has_secret(&keys, 0).await);
    keys.clone().invalidate(ID);
    assert!(has_secret(&keys, 1).await);
    assert!(!has_secret(&keys, 0).await);
    keys.invalidate("unknown");
    assert_eq!((found(&keys, "LTAI-b").await, found(&keys, "unknown").await), (1, 0));
    let asked = store.asked.lock().unwrap().clone();
    assert_eq!(asked, ["LTAI-b", "unknown", ID, ID, "unknown"]);
}

#[tokio::test]
async fn an_answer_asked_for_before_an_invalidation_is_not_given_after_it() {
    let store = Slow { takes: ms(100), ..Slow::default() };
    let keys = CachedKeys::new(store.clone(), HOUR);
    let before = keys.clone();
    let before = tokio::spawn(async move { has_secret(&before, 0).await });
    tokio::time::sleep(ms(20)).await;
    // The store was asked and has not answered yet.
    assert_eq!(store.asked(), 1);
    store.secret.store(1, Ordering::SeqCst);
    keys.invalidate(ID);
    assert!(has_secret(&keys, 1).await);
    assert!(before.await.unwrap(), "one that began before may have the old answer");
    assert!(has_secret(&keys, 1).await);
    assert!(!has_secret(&keys, 0).await);
    assert_eq!(store.asked(), 2);
}
