use super::guard::{Claimed, ReplayClaim, ReplayGuard, ReplayGuardError};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Remembers signatures in the memory of this process.
///
/// It has room for as many as it is given capacity for, and never forgets one before
/// its time: when a signature finds no room it is
/// [refused](super::ReplayGuardErrorKind::Full), and replays go on being told. Its memory,
/// 37 bytes for each signature of its capacity, is taken at once, and neither grows nor
/// moves. [A table](super#what-it-costs) says how much capacity a load takes.
///
/// Share it by an [`Arc`](std::sync::Arc). Processes do not share it: behind a load
/// balancer a replay that reaches another one passes there.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_fc::replay::{Claimed, MemoryReplayGuard, ReplayClaim, ReplayGuard};
///
/// let guard = MemoryReplayGuard::new(100_000);
/// let now = SystemTime::now();
/// let claim = ReplayClaim::new([7; 32], now, now + Duration::from_secs(30 * 60));
/// assert_eq!(guard.claim(claim)?, Claimed::First);
/// assert_eq!(guard.claim(claim)?, Claimed::Already);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MemoryReplayGuard {
    /// What finds its line of one level full goes to the next, which is an eighth as
    /// large.
    levels: [Box<[Line]>; LEVELS],
    /// Secret random numbers. Whoever has a key can make signatures that begin alike,
    /// but not, without these, signatures that fall into one line.
    seed: [u64; 2],
    capacity: usize,
}

/// With two signatures to a line of the first level, a tenth finds no room there, one
/// of 200 none in the second either, and one of 100 000 none in the third.
const LEVELS: usize = 4;

/// How many times smaller each level is than the one before.
const SHRINK: usize = 8;

/// So small a level has room for chance.
const FEWEST: usize = 16;

/// How many signatures a line has room for.
const SLOTS: usize = 4;

/// One cache line, with its lock in it: all that most claims touch.
#[repr(align(64))]
struct Line(Mutex<Slots>);

#[derive(Clone, Copy, Default)]
struct Slots {
    /// The first 8 bytes of signatures. That another one in the same line has the same
    /// happens once in 2^62 claims, and refuses an honest request.
    heads: [u64; SLOTS],
    /// The last seconds in which they count; 0 if there was none yet.
    untils: [u32; SLOTS],
    /// The last second in which one counts that is in the next level for want of room.
    spilled: u32,
}

/// A signature, its place in the next level to be searched, and the times of its claim.
#[derive(Clone, Copy)]
struct Entry {
    head: u64,
    place: u64,
    now: u32,
    until: u32,
}

impl MemoryReplayGuard {
    /// Remembers `capacity` signatures at a time. It may have room for some more, at
    /// the most for 2.3 times as many.
    pub fn new(capacity: usize) -> Self {
        // Without random numbers of the system, those of the standard library's maps.
        let random = crate::random::number().unwrap_or_else(|| {
            let draw = || u128::from(RandomState::new().hash_one(0));
            draw() << 64 | draw()
        });
        let mut lines = capacity.div_ceil(2);
        let levels = [(); LEVELS].map(|()| {
            let level = (0..lines.max(FEWEST)).map(|_| Line(Mutex::default())).collect();
            lines /= SHRINK;
            level
        });
        Self { levels, seed: [(random >> 64) as u64, random as u64], capacity }
    }

    /// For how many signatures there is room.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Counts the signatures it remembers whose time is not over at `now`. Looks at all
    /// its memory.
    pub fn len_at(&self, now: SystemTime) -> usize {
        let now = seconds(now, false).max(1);
        let counting = |line: &Line| line.lock().untils.iter().filter(|end| **end >= now).count();
        self.levels.iter().flatten().map(counting).sum()
    }
}

/// Claims a signature in the first of these levels that has room for it, if it is in
/// none of them, and if `is_new` does not say that it has room elsewhere. `None` if
/// nothing was claimed.
///
/// The line of the first level stays locked all the while, so of all who claim a
/// signature one is the first. Levels are locked in their order.
fn claim_in(levels: &[Box<[Line]>], entry: Entry, is_new: bool) -> Option<Claimed> {
    let (lines, others) = levels.split_first()?;
    let line = ((u128::from(entry.place) * lines.len() as u128) >> 64) as usize;
    let mut slots = lines[line].lock();
    // Without a branch for each slot: what they hold is random, and has yet to arrive
    // from memory.
    let (mut is_there, mut free) = (false, SLOTS);
    for at in 0..SLOTS {
        let counts = slots.untils[at] >= entry.now;
        is_there |= counts & (slots.heads[at] == entry.head);
        free = if counts { free } else { at };
    }
    if is_there {
        return Some(Claimed::Already);
    }
    let spills = is_new && free == SLOTS;
    if spills || slots.spilled >= entry.now {
        // Signatures that share a line of this level are to share none of the next.
        let place = entry.place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let claimed = claim_in(others, Entry { place, ..entry }, spills);
        if claimed == Some(Claimed::First) {
            slots.spilled = slots.spilled.max(entry.until);
        }
        if claimed.is_some() {
            return claimed;
        }
    }
    if !is_new || free == SLOTS {
        return None;
    }
    slots.heads[free] = entry.head;
    slots.untils[free] = entry.until;
    Some(Claimed::First)
}

/// Seconds since the Unix epoch, and one more for a part of one that is left if it is
/// to be rounded up. All that is later than the year 2106 is one.
fn seconds(time: SystemTime, up: bool) -> u32 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let more = u64::from(up && since.subsec_nanos() > 0);
    u32::try_from(since.as_secs().saturating_add(more)).unwrap_or(u32::MAX)
}

impl Line {
    /// Nothing panics while it has this, so no panic left it half written.
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReplayGuard for MemoryReplayGuard {
    fn claim(&self, claim: ReplayClaim) -> Result<Claimed, ReplayGuardError> {
        let words = claim.key().as_chunks::<8>().0;
        let [head, next] = [words[0], words[1]].map(u64::from_ne_bytes);
        let product = u128::from(head ^ self.seed[0]) * u128::from(next ^ self.seed[1]);
        let place = (product as u64) ^ ((product >> 64) as u64);
        // A free slot, which has a 0, counts at no time.
        let now = seconds(claim.now(), false).max(1);
        let until = seconds(claim.until(), true);
        claim_in(&self.levels, Entry { head, place, now, until }, true)
            .ok_or_else(ReplayGuardError::full)
    }
}

impl fmt::Debug for MemoryReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReplayGuard")
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_cache_line() {
        assert_eq!((size_of::<Line>(), align_of::<Line>()), (64, 64));
    }

    #[test]
    fn few_signatures_have_to_leave_the_first_level() {
        const COUNT: u32 = 200_000;
        let guard = MemoryReplayGuard::new(COUNT as usize);
        let times = (UNIX_EPOCH, UNIX_EPOCH + std::time::Duration::from_secs(9));
        for _ in 0..COUNT {
            let mut key = [0; 32];
            key[..16].copy_from_slice(&crate::random::number().unwrap().to_ne_bytes());
            let claim = ReplayClaim::new(key, times.0, times.1);
            assert!(matches!(guard.claim(claim), Ok(Claimed::First)));
        }
        let held = |level: &[Line]| -> usize {
            level.iter().map(|line| line.lock().untils.iter().filter(|end| **end > 0).count()).sum()
        };
        let held = guard.levels.each_ref().map(|level| held(level));
        assert_eq!(held.iter().sum::<usize>(), COUNT as usize);
        let share = |level: usize| held[level..].iter().sum::<usize>() as f64 / f64::from(COUNT);
        for (level, most) in [(1, 0.045), (2, 0.0002), (3, 0.000_01)] {
            assert!(share(level) < most, "level {level}: {held:?}");
        }
        println!("{held:?}");
    }
}
