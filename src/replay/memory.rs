use super::table::{Seed, Table, place};
use super::{Claimed, ReplayClaim, ReplayGuard, ReplayGuardError};
use crate::clock::to_unix;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Remembers signatures in the memory of this process.
///
/// It holds as many as it is given capacity for, and never forgets one before its
/// time: when it is full it [refuses](super::ReplayGuardErrorKind::Full) more, and goes on
/// telling replays. Memory is taken as signatures arrive, at most 48 bytes for each
/// that counts and 64 bytes for every 4 096 of capacity; it is given back as later ones
/// arrive. [The table](super#what-it-costs) says how much capacity a load takes.
///
/// Share it by an [`Arc`](std::sync::Arc). Processes do not share it: behind a load
/// balancer a replay that reaches another one passes there.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_fc::replay::{Claimed, MemoryReplayGuard, ReplayClaim, ReplayGuard};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let guard = MemoryReplayGuard::new(100_000);
/// let now = SystemTime::now();
/// let claim = ReplayClaim::new([7; 32], now, now + Duration::from_secs(30 * 60));
/// assert_eq!(guard.claim(claim).await?, Claimed::First);
/// assert_eq!(guard.claim(claim).await?, Claimed::Already);
/// # Ok(())
/// # }
/// ```
pub struct MemoryReplayGuard {
    shards: Box<[Shard]>,
    seed: Seed,
    capacity: usize,
    /// How much of the capacity no shard has for its own.
    spare: AtomicUsize,
    /// The last second in which all shards were searched for room, and had none.
    full_at: AtomicU32,
}

/// In a cache line of its own.
#[repr(align(64))]
struct Shard(Mutex<Table>);

/// Of how much capacity there is a shard: few enough that moving its entries, which
/// others wait for, takes some 50 µs.
const SHARD: usize = 4_096;

/// How much capacity a shard takes for its own at once.
const BATCH: usize = 64;

impl MemoryReplayGuard {
    /// Remembers up to `capacity` signatures at a time.
    pub fn new(capacity: usize) -> Self {
        let random = crate::unique::number();
        let seed = [(random >> 64) as u64, random as u64];
        let shards = (capacity / SHARD).next_power_of_two().clamp(16, 1 << 16);
        Self {
            shards: (0..shards).map(|_| Shard(Mutex::new(Table::new(seed)))).collect(),
            seed,
            capacity,
            spare: AtomicUsize::new(capacity),
            full_at: AtomicU32::new(0),
        }
    }

    /// How many signatures it remembers at the most.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many signatures it remembers, with those whose time is over and whose
    /// memory is not yet reused. Looks into every shard.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Whether it remembers none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn decide(&self, claim: &ReplayClaim) -> Result<Claimed, ReplayGuardError> {
        let words = claim.key().as_chunks::<4>().0;
        let [a, b, c] = [words[0], words[1], words[2]].map(u32::from_ne_bytes);
        let key = (u64::from(a) << 32 | u64::from(b), c);
        let place = place(key, self.seed);
        let (now, until) = (seconds(claim.now()), seconds(rounded_up(claim.until())));
        let index = place as usize & (self.shards.len() - 1);
        let shard = &self.shards[index];

        let mut table = shard.lock();
        if let Some(claimed) = table.claim(key, place, now, until) {
            return Ok(claimed);
        }
        match self.take() {
            0 => table.clear(now),
            more => table.allow(more),
        }
        if let Some(claimed) = table.claim(key, place, now, until) {
            return Ok(claimed);
        }
        // One shard is locked at a time.
        drop(table);
        if !self.collect(index, now) {
            return Err(ReplayGuardError::full());
        }
        let mut table = shard.lock();
        table.allow(self.take());
        table.claim(key, place, now, until).ok_or_else(ReplayGuardError::full)
    }

    /// Takes a batch of the spare capacity, or what is left.
    fn take(&self) -> usize {
        let less = |spare: usize| (spare > 0).then(|| spare - spare.min(BATCH));
        let taken = self.spare.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        taken.map_or(0, |spare| spare.min(BATCH))
    }

    /// Gets capacity back from the next shard that has some to spare, if any has.
    #[cold]
    fn collect(&self, index: usize, now: u32) -> bool {
        // Nothing stops to count before the next second.
        if self.full_at.load(Ordering::Relaxed) == now {
            return false;
        }
        let (before, after) = self.shards.split_at(index);
        let mut given = after.iter().chain(before).map(|shard| {
            let mut table = shard.lock();
            table.clear(now);
            table.disallow()
        });
        match given.find(|given| *given > 0) {
            Some(given) => self.spare.fetch_add(given, Ordering::Relaxed),
            None => {
                self.full_at.store(now, Ordering::Relaxed);
                return false;
            }
        };
        true
    }
}

/// Whole seconds since the Unix epoch. All that is later than the year 2106 is one.
fn seconds(time: SystemTime) -> u32 {
    u32::try_from(to_unix(time)).unwrap_or(u32::MAX)
}

/// A part of a second counts as a whole one.
fn rounded_up(time: SystemTime) -> SystemTime {
    time.checked_add(Duration::from_nanos(999_999_999)).unwrap_or(time)
}

impl Shard {
    /// A table is whole between any two of its lines that could panic, so one that a
    /// panic left is as good as any.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReplayGuard for MemoryReplayGuard {
    async fn claim(&self, claim: ReplayClaim) -> Result<Claimed, ReplayGuardError> {
        self.decide(&claim)
    }

    fn claim_now(&self, claim: ReplayClaim) -> Option<Result<Claimed, ReplayGuardError>> {
        Some(self.decide(&claim))
    }
}

impl fmt::Debug for MemoryReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReplayGuard")
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
