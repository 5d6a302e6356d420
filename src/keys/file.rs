use crate::clock::{Clock, SystemClock};
use crate::error::{Error, ErrorKind};
use crate::protocol::date::{from_unix, parse_acs_date};
use crate::protocol::key::access_key_id;
use crate::protocol::{KeyStore, KeyStoreError, Keys, VerifyingKey};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, TryLockError};
use std::time::{Duration, Instant, SystemTime};
use zeroize::Zeroizing;

/// Access keys from a JSON file, which is read again when it changes.
///
/// The file is one object. Each name in it is an access key id, and its value is the
/// secret, or an object with the secret and what else there is to it, or a list of these
/// for a rotation:
///
/// ```json
/// {
///   "LTAI5tPlain": "a secret",
///   "STS.NTemporary": { "secret": "another", "security_token": "CAISrwJ1..." },
///   "LTAI5tRotated": [
///     "the new secret",
///     { "secret": "the old one", "not_after": "2026-11-21T17:57:00Z" }
///   ]
/// }
/// ```
///
/// `secret` has to be there. With `security_token`, requests must carry it. From `not_after`
/// on, in UTC as written above, the secret counts as unknown. Secrets are tried in the order
/// of the list. An object without names is a file without keys.
///
/// ```
/// use http::Request;
/// use std::time::{Duration, SystemTime};
/// use tower_fc::keys::KeyFile;
/// use tower_fc::{Credentials, RejectionKind, Signer, Verifier};
///
/// # std::fs::create_dir_all("target/tmp")?;
/// # let path = std::path::PathBuf::from("target/tmp/keys-of-a-doctest.json");
/// std::fs::write(&path, r#"{ "LTAI5tExample": "old-secret" }"#)?;
/// let keys = KeyFile::open(&path)?.with_check_interval(Duration::from_millis(10));
/// let verifier = Verifier::new(keys.clone());
///
/// let now = SystemTime::now();
/// let mut request = Request::get("/").body(())?;
/// let signer = Signer::new(Credentials::new("LTAI5tExample", "old-secret")?);
/// signer.sign_request_at(&mut request, now)?;
/// assert!(verifier.verify_request_at(&request, now).is_ok());
///
/// // A file that cannot be used changes nothing but this.
/// std::fs::write(&path, r#"{ "LTAI5tExample": "" }"#)?;
/// std::thread::sleep(Duration::from_millis(20));
/// assert!(verifier.verify_request_at(&request, now).is_ok());
/// let error = keys.last_error().expect("the file was found to be unusable");
/// assert!(error.to_string().ends_with(
///     r#"access key "LTAI5tExample": the access key secret must not be empty"#
/// ));
///
/// std::fs::write(&path, r#"{ "LTAI5tExample": "new-secret" }"#)?;
/// std::thread::sleep(Duration::from_millis(20));
/// let rejection = verifier.verify_request_at(&request, now).unwrap_err();
/// assert_eq!(rejection.kind(), RejectionKind::SignatureMismatch);
/// assert!(keys.last_error().is_none());
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # When it is read again
///
/// - A lookup that comes a check interval or more after the file was last looked at, looks at
///   its times, its length and, on Unix, its inode, and reads it if one of them is another.
///   Without lookups nothing is read, and there is no thread.
/// - The one lookup that reads answers by what it read. The others do not wait for it: they
///   answer by the keys from before, until they are a second older than the interval. From
///   then on they wait. So a secret that was taken out of the file verifies for the check
///   interval and one second at the most, even in a process that was idle until then.
/// - A file that is gone, cannot be read or breaks a rule leaves the last good keys in use,
///   all of them, for as long as that lasts. [`KeyFile::last_error`] has the reason, and it is
///   read again after each interval.
/// - So does one that is half written, which is not JSON. Still, it is best replaced as a
///   whole: write another file beside it, and rename that. Symbolic links are followed, so
///   the secrets that Kubernetes mounts are seen to change.
///
/// Clones share the keys.
#[derive(Clone)]
pub struct KeyFile {
    shared: Arc<Shared>,
    check_interval: Duration,
}

struct Shared {
    path: PathBuf,
    /// Locked for writing only to put another table in its place.
    keys: RwLock<Table>,
    /// How the file was when it was read; `None` to read it again in any case. Locked by
    /// the lookup that looks at the file.
    read: Mutex<Option<Stamp>>,
    /// When the file was last looked at, in nanoseconds after it was opened.
    checked: AtomicU64,
    opened: Instant,
    last_error: Mutex<Option<Arc<Error>>>,
}

type Table = HashMap<String, Arc<[VerifyingKey]>, foldhash::fast::RandomState>;

/// How much older than the interval keys may be while another lookup reads the file.
const GRACE: Duration = Duration::from_secs(1);

impl KeyFile {
    /// Reads the file. It is looked at again each second, while there are lookups.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidKeyFile`] when it cannot be read, is no regular file, is not
    /// JSON of the form above, has a field of another name, an access key or a field twice,
    /// an access key without secrets, or an id, secret, token or time that cannot be one.
    /// The text names the file, the access key and the rule.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let (path, opened) = (path.into(), Instant::now());
        let (keys, stamp) = read(&path)?;
        let shared = Shared {
            path,
            keys: RwLock::new(keys),
            read: Mutex::new(stamp),
            checked: AtomicU64::new(0),
            opened,
            last_error: Mutex::new(None),
        };
        Ok(Self { shared: Arc::new(shared), check_interval: Duration::from_secs(1) })
    }

    /// Looks at the file at most once in this time, in place of a second. Zero looks at it
    /// with each lookup.
    #[must_use]
    pub fn with_check_interval(mut self, interval: Duration) -> Self {
        self.check_interval = interval;
        self
    }

    /// Returns why the file could not be used when it was last looked at; `None` when it could.
    ///
    /// The keys are those from before then. Ask for it where the health of the process is
    /// reported: nothing else tells.
    pub fn last_error(&self) -> Option<Arc<Error>> {
        self.shared.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at the file, when it is time and no other lookup does.
    fn check(&self) {
        let age = self.shared.age();
        if age < self.check_interval {
            return;
        }
        let mut stamp = match self.shared.read.try_lock() {
            Ok(stamp) => stamp,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) if age < self.check_interval.saturating_add(GRACE) => {
                return;
            }
            Err(TryLockError::WouldBlock) => {
                self.shared.read.lock().unwrap_or_else(PoisonError::into_inner)
            }
        };
        // Another lookup may have done so since.
        if self.shared.age() >= self.check_interval {
            let now = self.shared.opened.elapsed();
            self.shared.reload(&mut stamp);
            let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
            self.shared.checked.store(nanos, Ordering::Release);
        }
    }
}

impl Shared {
    /// How long ago the file was looked at.
    fn age(&self) -> Duration {
        let checked = Duration::from_nanos(self.checked.load(Ordering::Acquire));
        self.opened.elapsed().saturating_sub(checked)
    }

    fn reload(&self, stamp: &mut Option<Stamp>) {
        let same =
            |read: &Stamp| fs::metadata(&self.path).is_ok_and(|now| *read == Stamp::of(&now));
        if stamp.as_ref().is_some_and(same) {
            return;
        }
        let error = match read(&self.path) {
            Ok((keys, now)) => {
                *stamp = now;
                let mut current = self.keys.write().unwrap_or_else(PoisonError::into_inner);
                let old = std::mem::replace(&mut *current, keys);
                drop(current);
                // Which may take long, and the lock is free already.
                drop(old);
                None
            }
            Err(error) => {
                *stamp = None;
                Some(Arc::new(error))
            }
        };
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }
}

impl KeyStore for KeyFile {
    fn lookup(&self, access_key_id: &str) -> Result<Keys<'_>, KeyStoreError> {
        self.check();
        let keys = self.shared.keys.read().unwrap_or_else(PoisonError::into_inner);
        Ok(keys.get(access_key_id).map_or(Keys::none(), |keys| Keys::from(Arc::clone(keys))))
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile")
            .field("path", &self.shared.path)
            .field("check_interval", &self.check_interval)
            .finish_non_exhaustive()
    }
}

/// What tells one state of the file from another.
#[derive(PartialEq)]
struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    unix: [i128; 4],
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        Self {
            len: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            unix: [
                metadata.dev().into(),
                metadata.ino().into(),
                metadata.ctime().into(),
                metadata.ctime_nsec().into(),
            ],
        }
    }

    /// Whether a change from now on would show. Not when the file changed just now: its
    /// times are as coarse as two seconds on some file systems, and ten milliseconds on most.
    fn is_settled(&self) -> bool {
        // On Unix the time of the inode's last change, which nobody can set, in seconds.
        #[cfg(unix)]
        let changed = u64::try_from(self.unix[2]).ok().map(from_unix);
        #[cfg(not(unix))]
        let changed = self.modified;
        changed
            .and_then(|changed| SystemClock.now().duration_since(changed).ok())
            .is_some_and(|age| age > Duration::from_secs(3))
    }
}

/// Reads the keys, and how the file was, when that will show a change.
fn read(path: &Path) -> Result<(Table, Option<Stamp>), Error> {
    let about = |rule: String| {
        Error::new(ErrorKind::InvalidKeyFile, rule).about(&format!("key file {path:?}"))
    };
    let (text, stamp) =
        read_bytes(path).map_err(|error| about(format!("cannot be read: {error}")))?;
    let keys = parse(&text).map_err(about)?;
    Ok((keys, stamp.is_settled().then_some(stamp)))
}

/// Reads the bytes of one state of the file.
fn read_bytes(path: &Path) -> io::Result<(Zeroizing<Vec<u8>>, Stamp)> {
    for _ in 0..3 {
        // Before it is opened, which for a pipe would wait for its other end.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let stamp = Stamp::of(&metadata);
        // With room to spare, so that the bytes are not moved, and left where they were.
        let room = usize::try_from(metadata.len()).unwrap_or(0).saturating_add(64);
        let mut text = Zeroizing::new(Vec::new());
        text.try_reserve_exact(room)?;
        file.by_ref().take(metadata.len().saturating_add(1)).read_to_end(&mut text)?;
        if text.len() as u64 == metadata.len() && Stamp::of(&file.metadata()?) == stamp {
            return Ok((text, stamp));
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "it changes while it is being read"))
}

/// Makes keys of the text of a file; the error is the rule it breaks, without the file.
///
/// What serde_json says of values is not passed on: it quotes them.
fn parse(text: &[u8]) -> Result<Table, String> {
    // A byte order mark, as some editors write it.
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let json = serde_json::from_slice(text).map_err(|error| {
        let what = if error.is_eof() { "ends too early" } else { "is not JSON" };
        format!("{what}: line {}, column {}", error.line(), error.column())
    })?;
    let Json::Object(access_keys) = json else {
        return Err("must be an object of access key ids and their secrets".to_owned());
    };
    let mut table = Table::default();
    for ((id, value), number) in access_keys.into_iter().zip(1..) {
        if access_key_id(id.as_bytes()).is_none() {
            // It may be the secret, in the place of an id.
            let rule =
                "an id must be 1 to 256 visible ASCII characters other than ':', ',' and '='";
            return Err(format!("access key {number}: {rule}"));
        }
        match table.entry(id) {
            Entry::Occupied(entry) => {
                return Err(format!("access key {:?}: is in the file twice", entry.key()));
            }
            Entry::Vacant(entry) => {
                let keys = secrets(value).map_err(|(number, rule)| {
                    let number = number.map_or(String::new(), |number| format!(", entry {number}"));
                    format!("access key {:?}{number}: {rule}", entry.key())
                })?;
                entry.insert(keys);
            }
        }
    }
    Ok(table)
}

/// The error has the number of the entry in a list, from 1.
fn secrets(value: Json) -> Result<Arc<[VerifyingKey]>, (Option<usize>, String)> {
    match value {
        Json::List(list) if list.is_empty() => Err((None, "has no secret".to_owned())),
        Json::List(list) => {
            let numbered = list.into_iter().zip(1..);
            numbered
                .map(|(json, number)| secret(json).map_err(|rule| (Some(number), rule)))
                .collect()
        }
        one => Ok(Arc::new([secret(one).map_err(|rule| (None, rule))?])),
    }
}

fn secret(value: Json) -> Result<VerifyingKey, String> {
    let fields = match value {
        Json::Text(secret) => {
            return VerifyingKey::new(&*secret).map_err(|error| error.to_string());
        }
        Json::Object(fields) => fields,
        Json::List(_) | Json::Other => {
            return Err("must be a secret as text, an object, or a list of these".to_owned());
        }
    };
    let names = ["secret", "security_token", "not_after"];
    let mut found: [Option<Zeroizing<String>>; 3] = [None, None, None];
    for (name, value) in fields {
        // It is not quoted: it may be a secret, where a name should be.
        let Some(at) = names.iter().position(|known| *known == name) else {
            return Err(format!("has a field other than {}", names.join(", ")));
        };
        let Json::Text(text) = value else {
            return Err(format!("{name} must be text"));
        };
        if found[at].replace(text).is_some() {
            return Err(format!("has {name} twice"));
        }
    }
    let [secret, token, not_after] = found;
    let secret = secret.ok_or("has no secret")?;
    let mut key = VerifyingKey::new(&*secret).map_err(|error| error.to_string())?;
    if let Some(token) = token {
        key = key.with_security_token(&*token).map_err(|error| error.to_string())?;
    }
    if let Some(time) = not_after {
        let time = parse_acs_date(time.as_bytes())
            .ok_or("not_after must be a time in UTC, as 2026-11-21T17:57:00Z is")?;
        key = key.with_not_after(time);
    }
    Ok(key)
}

/// Any JSON, with the names of objects as often as they are there.
enum Json {
    Text(Zeroizing<String>),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
    Other,
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyJson)
    }
}

struct AnyJson;

impl<'de> Visitor<'de> for AnyJson {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = access.next_element()? {
            list.push(value);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = access.next_entry()? {
            fields.push(field);
        }
        Ok(Json::Object(fields))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Other)
    }
}
