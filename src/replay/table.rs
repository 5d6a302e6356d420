//! The signatures of one shard of a memory guard: a hash table with open addressing.

use super::Claimed;

/// The first 12 bytes of a signature. Two of one key among 2^30 others is a matter of
/// 2^-66, and would only refuse an honest request.
pub(super) type Key = (u64, u32);

/// Two secret random numbers.
///
/// Whoever has a key can make signatures that begin alike, but not, without these,
/// signatures that come to lie in one place.
pub(super) type Seed = [u64; 2];

/// Where to look for a key: the upper half says where in a table, the lower half in
/// which.
pub(super) fn place(key: Key, seed: Seed) -> u64 {
    let product = u128::from(key.0 ^ seed[0]) * u128::from(u64::from(key.1) ^ seed[1]);
    (product as u64) ^ ((product >> 64) as u64)
}

/// 16 bytes.
#[derive(Clone, Copy, Default, PartialEq)]
struct Slot {
    head: u64,
    tail: u32,
    /// The last second in which the entry counts; 0 if there is none.
    until: u32,
}

impl Slot {
    const fn is_free(self) -> bool {
        self.until == 0
    }

    /// Whether there is an entry that no longer counts.
    const fn has_ended(self, now: u32) -> bool {
        // Of 0, which is a free slot, this makes the latest time.
        self.until.wrapping_sub(1) < now.saturating_sub(1)
    }

    const fn key(self) -> Key {
        (self.head, self.tail)
    }
}

/// Linear probing with the slots of a table that is a quarter empty at least. Each new
/// entry looks at eight slots in turn, and takes out those that no longer count; so
/// what no longer counts is gone after one entry for every eight slots.
pub(super) struct Table {
    slots: Box<[Slot]>,
    used: usize,
    /// How many slots may be in use.
    allowed: usize,
    /// No entry stops to count before this second has passed.
    first_end: u32,
    /// Where to look next for entries that no longer count.
    cursor: u32,
    seed: Seed,
}

/// The fewest slots that a table has.
const FEWEST: usize = 8;

/// How many slots are looked at for each entry that comes in.
const LOOK: usize = 4;

/// How many entries come in between two looks at what no longer counts.
const PAUSE: usize = 16;

impl Table {
    pub(super) fn new(seed: Seed) -> Self {
        Self { slots: Box::default(), used: 0, allowed: 0, first_end: u32::MAX, cursor: 0, seed }
    }

    /// How many entries there are, those that no longer count among them.
    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// Allows so many entries more.
    pub(super) fn allow(&mut self, more: usize) {
        self.allowed += more;
    }

    /// Gives back half of what is allowed and not in use, rounded up.
    pub(super) fn disallow(&mut self) -> usize {
        let given = (self.allowed - self.used).div_ceil(2);
        self.allowed -= given;
        given
    }

    /// Takes out all that no longer counts.
    pub(super) fn clear(&mut self, now: u32) {
        if self.first_end < now {
            self.renew(now);
        }
    }

    /// Claims a key; `None` if it is not there and no more are allowed.
    pub(super) fn claim(&mut self, key: Key, place: u64, now: u32, until: u32) -> Option<Claimed> {
        if self.used * 4 >= self.slots.len() * 3 {
            self.renew(now);
        }
        let at = self.find(key, place);
        let found = self.slots[at];
        if !found.is_free() && !found.has_ended(now) {
            return Some(Claimed::Already);
        }
        if found.is_free() {
            if self.used == self.allowed {
                return None;
            }
            self.used += 1;
        }
        let until = until.max(1);
        self.slots[at] = Slot { head: key.0, tail: key.1, until };
        self.first_end = self.first_end.min(until);
        if self.used % PAUSE == 0 && self.first_end < now {
            self.sweep(now);
        }
        Some(Claimed::First)
    }

    fn mask(&self) -> usize {
        self.slots.len() - 1
    }

    fn home(&self, place: u64) -> usize {
        (place >> 32) as usize & self.mask()
    }

    /// The slot of a key, or the free one that it would go into.
    fn find(&self, key: Key, place: u64) -> usize {
        let mask = self.mask();
        let mut at = self.home(place);
        loop {
            let slot = self.slots[at];
            if slot.is_free() || slot.key() == key {
                return at;
            }
            at = (at + 1) & mask;
        }
    }

    /// Takes out what no longer counts in the next slots.
    fn sweep(&mut self, now: u32) {
        let mut at = self.cursor as usize;
        let end = self.slots.len().min(at + LOOK * PAUSE);
        while let Some(ahead) = self.slots[at..end].iter().position(|slot| slot.has_ended(now)) {
            at += ahead;
            self.remove(at);
        }
        self.cursor = (end & self.mask()) as u32;
        if self.cursor == 0 && self.used * 8 < self.slots.len() {
            self.renew(now);
        }
    }

    /// Frees a slot, and moves up what would not be found behind a free one.
    fn remove(&mut self, at: usize) {
        let mask = self.mask();
        let (mut hole, mut at) = (at, at);
        loop {
            at = (at + 1) & mask;
            let slot = self.slots[at];
            if slot.is_free() {
                break;
            }
            let home = self.home(place(slot.key(), self.seed));
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.slots[hole] = slot;
                hole = at;
            }
        }
        self.slots[hole] = Slot::default();
        self.used -= 1;
    }

    /// Moves the entries that still count into a table of the right size.
    #[cold]
    #[inline(never)]
    fn renew(&mut self, now: u32) {
        let counts = |slot: &&Slot| !slot.is_free() && !slot.has_ended(now);
        let used = self.slots.iter().filter(counts).count();
        // Five eighths full at the most: it is not renewed for each entry that comes.
        let size = FEWEST.max((used * 8).div_ceil(5).next_power_of_two());
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); size].into());
        (self.used, self.first_end, self.cursor) = (used, u32::MAX, 0);
        for slot in old.iter().filter(counts) {
            let at = self.find(slot.key(), place(slot.key(), self.seed));
            self.slots[at] = *slot;
            self.first_end = self.first_end.min(slot.until);
        }
    }
}
