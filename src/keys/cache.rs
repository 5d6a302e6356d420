use super::store::AsyncKeyStore;
use crate::protocol::crypto::hash::{Algorithm, Hash};
use crate::protocol::{KeyQuery, KeyStoreError, Keys};
use moka::future::Cache;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Remembers the answers of a key store that is slow: a database, a vault, a service.
///
/// ```
/// use http::Request;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use std::time::{Duration, SystemTime};
/// use tower_fc::keys::{CachedKeys, VerifyingKey};
/// use tower_fc::{Credentials, RejectionKind, Signer, Verifier};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let asked = Arc::new(AtomicU32::new(0));
/// let counter = Arc::clone(&asked);
/// let database = move |id: String| {
///     counter.fetch_add(1, Ordering::Relaxed);
///     async move { (id == "LTAI5tExample").then(|| VerifyingKey::new("secret").ok()).flatten() }
/// };
/// let verifier = Verifier::new(CachedKeys::new(database, Duration::from_secs(60)));
///
/// let now = SystemTime::now();
/// let mut request = Request::get("/").body(())?;
/// let signer = Signer::new(Credentials::new("LTAI5tExample", "secret")?);
/// signer.sign_request_at(&mut request, now)?;
/// let (parts, ()) = request.into_parts();
/// for _ in 0..3 {
///     assert!(verifier.verify_async_at(&parts, now).await.is_ok());
/// }
/// assert_eq!(asked.load(Ordering::Relaxed), 1);
///
/// // That there is no such key is remembered as well.
/// let mut request = Request::get("/").body(())?;
/// let stranger = Signer::new(Credentials::new("nobody", "secret")?);
/// stranger.sign_request_at(&mut request, now)?;
/// let (parts, ()) = request.into_parts();
/// for _ in 0..3 {
///     let rejection = verifier.verify_async_at(&parts, now).await.unwrap_err();
///     assert_eq!(rejection.kind(), RejectionKind::UnknownAccessKey);
/// }
/// assert_eq!(asked.load(Ordering::Relaxed), 2);
/// # Ok(())
/// # }
/// ```
///
/// # Rules
///
/// - However many lookups of one access key come at a time, the store is asked once, and
///   they all get its answer. When the one that asks is cancelled, another asks in its
///   place.
/// - Keys are remembered for the time to live from when the store answered: so long does a
///   secret verify after it was taken out of the store, and is one refused that was added
///   to a known access key. [`CachedKeys::invalidate`] ends it at once. A
///   [`VerifyingKey::with_not_after`](super::VerifyingKey::with_not_after) is kept to the second.
/// - That there is no such key is remembered for a shorter time, and apart from the keys:
///   a flood of made up ids pushes out nothing but other unknown ids. Each of them is
///   looked up in the store all the same.
/// - Keys are remembered by the access key id, and the store is asked for that alone. For one that
///   goes by the security token as well there is [`CachedKeys::with_security_tokens`]; none is
///   asked about the rest of a request.
/// - An error is given to all that wait for the answer, and not remembered: the next lookup
///   asks again. Keys that are still remembered are used while the store is away.
#[derive(Clone)]
pub struct CachedKeys<K> {
    store: K,
    time_to_live: Duration,
    unknown_time_to_live: Duration,
    max_keys: u64,
    max_unknown: u64,
    by_token: bool,
    known: Cache<Slot, Keys<'static>>,
    unknown: Cache<Slot, ()>,
    generations: Arc<[AtomicU64]>,
}

/// What is remembered by.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Slot {
    access_key_id: String,
    /// The hash of the security token, where the store goes by it.
    token: Option<[u8; 32]>,
    /// How often the access key was invalidated before it was asked for: what is stored of a
    /// lookup that began before an invalidation is found by none that began after.
    generation: u64,
}

/// Access keys share counters of invalidations by their hash. Of those that do, all are
/// asked for again when one is invalidated.
const GENERATIONS: usize = 256;

/// Longer than any process lives; moka panics from 1 000 years on.
const MAX_TIME_TO_LIVE: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// Why a lookup had no keys to remember.
enum Missed {
    Unknown,
    Failed(KeyStoreError),
}

impl<K> CachedKeys<K> {
    /// Remembers the keys that a store finds for this long, up to 10 000 access keys, and
    /// up to 10 000 unknown ids for 5 seconds, or for the time to live if it is shorter.
    pub fn new(store: K, time_to_live: Duration) -> Self {
        let (max_keys, max_unknown) = (10_000, 10_000);
        let unknown_time_to_live = Duration::from_secs(5).min(time_to_live);
        Self {
            store,
            time_to_live,
            unknown_time_to_live,
            max_keys,
            max_unknown,
            by_token: false,
            known: cache(max_keys, time_to_live),
            unknown: cache(max_unknown, unknown_time_to_live),
            generations: (0..GENERATIONS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Remembers the keys of at most so many access keys, in place of 10 000. When there are
    /// more, those seldom asked for are forgotten.
    ///
    /// What was remembered before is forgotten, as by each of these settings.
    #[must_use]
    pub fn with_max_keys(mut self, max: u64) -> Self {
        self.max_keys = max;
        self.known = cache(max, self.time_to_live);
        self
    }

    /// Remembers at most so many unknown ids, in place of 10 000: some 300 bytes each, and
    /// as many again as the id is long. 0 remembers none.
    #[must_use]
    pub fn with_max_unknown(mut self, max: u64) -> Self {
        self.max_unknown = max;
        self.unknown = cache(max, self.unknown_time_to_live);
        self
    }

    /// Remembers for this long that there is no such key, in place of 5 seconds: as long is
    /// a new access key refused that was tried before it was there. Never longer than the
    /// time to live of keys.
    #[must_use]
    pub fn with_unknown_time_to_live(mut self, time: Duration) -> Self {
        self.unknown_time_to_live = time.min(self.time_to_live);
        self.unknown = cache(self.max_unknown, self.unknown_time_to_live);
        self
    }

    /// Remembers keys by the access key id *and* the security token, for a store that derives a
    /// secret from the token: it is asked for both, and for nothing else of a request.
    ///
    /// A token is what its sender wrote. So such a store must have keys for no token but those it
    /// gave out, or made-up ones would push the others out of the cache.
    #[must_use]
    pub fn with_security_tokens(self) -> Self {
        Self { by_token: true, ..self }
    }

    /// Forgets what is known of an access key. No lookup that begins after this gets an
    /// answer that the store was asked for before. Clones forget it too.
    ///
    /// A few other access keys may be asked for again as well, about one in 256.
    pub fn invalidate(&self, access_key_id: &str) {
        self.generation(access_key_id).fetch_add(1, Ordering::SeqCst);
    }

    fn generation(&self, access_key_id: &str) -> &AtomicU64 {
        let hash = foldhash::quality::FixedState::default().hash_one(access_key_id);
        &self.generations[hash as usize % GENERATIONS]
    }
}

fn cache<V: Clone + Send + Sync + 'static>(max: u64, time: Duration) -> Cache<Slot, V> {
    Cache::builder().max_capacity(max).time_to_live(time.min(MAX_TIME_TO_LIVE)).build()
}

impl<K: AsyncKeyStore + Sync> CachedKeys<K> {
    async fn ask(&self, query: &KeyQuery<'_>, slot: &Slot) -> Result<Keys<'static>, Missed> {
        // Another lookup may have found out since this one looked.
        if self.unknown.contains_key(slot) {
            return Err(Missed::Unknown);
        }
        let keys = self.store.lookup_for(query).await.map_err(Missed::Failed)?;
        if keys.as_slice().is_empty() {
            self.unknown.insert(slot.clone(), ()).await;
            return Err(Missed::Unknown);
        }
        Ok(keys)
    }

    async fn find(&self, query: KeyQuery<'_>) -> Result<Keys<'static>, KeyStoreError> {
        let id = query.access_key_id();
        let slot = Slot {
            access_key_id: id.to_owned(),
            token: query.security_token().map(hash),
            generation: self.generation(id).load(Ordering::SeqCst),
        };
        if let Some(keys) = self.known.get(&slot).await {
            return Ok(keys);
        }
        if self.unknown.get(&slot).await.is_some() {
            return Ok(Keys::none());
        }
        let found = self.known.try_get_with_by_ref(&slot, self.ask(&query, &slot)).await;
        found.or_else(|missed| match *missed {
            Missed::Unknown => Ok(Keys::none()),
            Missed::Failed(_) => Err(KeyStoreError::new(Shared(missed))),
        })
    }
}

impl<K: AsyncKeyStore + Sync> AsyncKeyStore for CachedKeys<K> {
    async fn lookup(&self, access_key_id: &str) -> Result<Keys<'static>, KeyStoreError> {
        self.find(KeyQuery::new(access_key_id)).await
    }

    async fn lookup_for(&self, query: &KeyQuery<'_>) -> Result<Keys<'static>, KeyStoreError> {
        let asked = KeyQuery::new(query.access_key_id());
        // Not looked at without need: the answer would count as one by the token.
        match self.by_token.then(|| query.security_token()).flatten() {
            Some(token) => self.find(asked.with_security_token(token)).await,
            None => self.find(asked).await,
        }
    }
}

fn hash(token: &[u8]) -> [u8; 32] {
    let mut hash = Hash::new(Algorithm::Sha256);
    hash.update(token);
    *hash.finish().padded()
}

impl<K> fmt::Debug for CachedKeys<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedKeys")
            .field("time_to_live", &self.time_to_live)
            .field("unknown_time_to_live", &self.unknown_time_to_live)
            .field("max_keys", &self.max_keys)
            .field("max_unknown", &self.max_unknown)
            .finish_non_exhaustive()
    }
}

/// What kept the store from answering, for each of those that waited for it.
struct Shared(Arc<Missed>);

impl Shared {
    fn cause(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.0 {
            Missed::Failed(error) => std::error::Error::source(error),
            Missed::Unknown => None,
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause().map_or(Ok(()), |cause| fmt::Debug::fmt(cause, f))
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause().map_or(Ok(()), |cause| fmt::Display::fmt(cause, f))
    }
}

impl std::error::Error for Shared {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause().and_then(std::error::Error::source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::key::VerifyingKey;

    #[tokio::test]
    async fn what_is_remembered_stays_within_its_bounds() {
        let key = VerifyingKey::new("secret").unwrap();
        let store = move |id: String| {
            let key = key.clone();
            async move { (!id.starts_with("no")).then_some(key) }
        };
        let keys = CachedKeys::new(store, Duration::from_secs(3_600))
            .with_max_keys(20)
            .with_max_unknown(100);
        for number in 0..5_000 {
            assert_eq!(keys.lookup(&format!("no-{number}")).await.unwrap().as_slice().len(), 0);
            assert_eq!(keys.lookup(&format!("id-{number}")).await.unwrap().as_slice().len(), 1);
        }
        keys.known.run_pending_tasks().await;
        keys.unknown.run_pending_tasks().await;
        assert_eq!((keys.known.entry_count(), keys.unknown.entry_count()), (20, 100));
    }
}
