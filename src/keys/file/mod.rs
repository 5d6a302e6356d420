mod json;

use crate::clock::{Clock, SystemClock};
use crate::error::{Error, ErrorKind};
use crate::protocol::date::from_unix;
use crate::protocol::{KeyStore, KeyStoreError, Keys, VerifyingKey};
use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::thread;
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
///   Without lookups nothing is read.
/// - The one lookup that reads a file of up to 256 KiB, some 4 000 keys, answers by what it read.
///   The others do not wait for it: they answer by the keys from before, until they are a second
///   older than the interval. From then on they wait. So a secret that was taken out of the file
///   verifies for the check interval and one second at the most, even in a process that was idle
///   until then.
/// - A larger file is read by a thread of its own, and lookups go on with the keys from before until
///   that is done. They wait only where nobody looked at the file for the check interval and a
///   second, or for twice as long as reading it took the last time, if that is longer. So there a
///   secret that was taken out verifies for the check interval and three times as long as reading
///   takes, at the most; that is some seconds for a million keys.
/// - A secret is made ready for HMAC when it is first used.
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
    /// How long reading it took, in nanoseconds.
    took: AtomicU64,
    /// Whether a thread reads it.
    is_read_behind: AtomicBool,
    opened: Instant,
    last_error: Mutex<Option<Arc<Error>>>,
}

type Table = HashMap<String, Arc<[VerifyingKey]>, foldhash::fast::RandomState>;

/// How much later than after the interval the file may be looked at, at least, for lookups to go on
/// with the keys from before while it is read.
const GRACE: Duration = Duration::from_secs(1);

/// How long a file is that lookups do not wait for, in bytes.
const LARGE: u64 = 256 * 1024;

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
        let took = AtomicU64::new(nanos(opened.elapsed()));
        let shared = Shared {
            path,
            keys: RwLock::new(keys),
            read: Mutex::new(stamp),
            checked: AtomicU64::new(0),
            took,
            is_read_behind: AtomicBool::new(false),
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

    /// Looks at the file, when it is time and nobody else does.
    fn check(&self) {
        let age = self.shared.age();
        if age < self.check_interval || self.shared.is_read_behind.load(Ordering::Acquire) {
            return;
        }
        let stamp = match self.shared.read.try_lock() {
            Ok(stamp) => stamp,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) if !self.is_late(age) => return,
            Err(TryLockError::WouldBlock) => self.shared.lock(),
        };
        // Another lookup may have done so since.
        let age = self.shared.age();
        if age >= self.check_interval {
            self.shared.look(stamp, self.is_late(age));
        }
    }

    /// Whether the file is looked at so late that keys may be too old to go on with.
    fn is_late(&self, age: Duration) -> bool {
        let took = Duration::from_nanos(self.shared.took.load(Ordering::Acquire));
        age >= self.check_interval.saturating_add(GRACE.max(took.saturating_mul(2)))
    }
}

impl Shared {
    /// How long ago the file was looked at.
    fn age(&self) -> Duration {
        let checked = Duration::from_nanos(self.checked.load(Ordering::Acquire));
        self.opened.elapsed().saturating_sub(checked)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Stamp>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the file again if it has changed; behind the caller if it is large, unless it is
    /// late.
    fn look(self: &Arc<Self>, mut stamp: MutexGuard<'_, Option<Stamp>>, is_late: bool) {
        let metadata = fs::metadata(&self.path).ok();
        let now = metadata.as_ref().map(Stamp::of);
        let begun = self.opened.elapsed();
        if now.is_none() || *stamp != now {
            let is_large = metadata.is_some_and(|metadata| metadata.len() > LARGE);
            if is_large && !is_late && self.read_behind(begun) {
                return;
            }
            self.reload(&mut stamp);
        }
        self.looked(begun);
    }

    /// Has a thread read the file. Returns whether there is one.
    fn read_behind(self: &Arc<Self>, begun: Duration) -> bool {
        self.is_read_behind.store(true, Ordering::Release);
        let shared = Arc::clone(self);
        let thread = thread::Builder::new().name("key-file".to_owned()).spawn(move || {
            let _done = Done(&shared.is_read_behind);
            shared.reload(&mut shared.lock());
            shared.looked(begun);
        });
        if thread.is_err() {
            self.is_read_behind.store(false, Ordering::Release);
        }
        thread.is_ok()
    }

    /// Takes note of when the file was looked at.
    fn looked(&self, at: Duration) {
        self.checked.store(nanos(at), Ordering::Release);
    }

    fn reload(&self, stamp: &mut Option<Stamp>) {
        let begun = Instant::now();
        let error = match read(&self.path) {
            Ok((keys, now)) => {
                self.took.store(nanos(begun.elapsed()), Ordering::Release);
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

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Says that a thread is done, however it ends.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
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
    let keys = json::parse(&text).map_err(about)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A key file that is large, and whose first access key is this one.
    fn write(path: &Path, id: &str) {
        let more: Vec<_> = (0..20_000).map(|number| format!(r#""{number}": "secret""#)).collect();
        let text = format!(r#"{{ "{id}": "secret", {} }}"#, more.join(","));
        assert!(text.len() as u64 > LARGE);
        // As a whole, under the name of another one.
        let new = path.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::rename(&new, path).unwrap();
    }

    fn has(keys: &KeyFile, id: &str) -> bool {
        !keys.lookup(id).unwrap().as_slice().is_empty()
    }

    #[test]
    fn lookups_go_on_with_the_old_keys_while_a_large_file_is_read() {
        let name = format!("tower-fc-large-keys-{}.json", std::process::id());
        let path = std::env::temp_dir().join(name);
        write(&path, "old");
        let keys = KeyFile::open(&path).unwrap().with_check_interval(Duration::ZERO);
        write(&path, "new");
        // A thread is to read the file, and cannot yet.
        let stamp = keys.shared.lock();
        keys.shared.read_behind(keys.shared.opened.elapsed());
        for _ in 0..1_000 {
            assert!(has(&keys, "old") && !has(&keys, "new"));
        }
        drop(stamp);
        while keys.shared.is_read_behind.load(Ordering::Acquire) {
            thread::yield_now();
        }
        assert!(has(&keys, "new") && !has(&keys, "old"));
        // A lookup begins that by itself, and is answered at once; the end comes.
        write(&path, "newer");
        while !has(&keys, "newer") {
            thread::yield_now();
        }
        assert!(!has(&keys, "new") && keys.last_error().is_none());
        // A caller that may wait is answered by what the file says.
        write(&path, "newest");
        while keys.shared.is_read_behind.load(Ordering::Acquire) {
            thread::yield_now();
        }
        keys.shared.look(keys.shared.lock(), true);
        assert!(has(&keys, "newest"));
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_key_is_made_ready_when_it_is_first_used() {
        let name = format!("tower-fc-lazy-keys-{}.json", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, r#"{ "a": "secret", "b": "other" }"#).unwrap();
        let keys = KeyFile::open(&path).unwrap();
        let is_ready = |id: &str| keys.lookup(id).unwrap().as_slice()[0].is_prepared();
        assert!(!is_ready("a") && !is_ready("b"));
        keys.lookup("a").unwrap().as_slice()[0].keyed();
        assert!(is_ready("a") && !is_ready("b"));
        fs::remove_file(&path).unwrap();
    }
}
