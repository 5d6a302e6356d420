//! The signatures of one shard of a memory guard: a hash table with open addressing.

use super::Claimed;

/// The first 16 bytes of a signature, which the shortest has too.
pub(super) type Key = [u64; 2];

/// Two secret random numbers.
///
/// Whoever has a key can make signatures that begin alike, but not, without these,
/// signatures that come to lie in one place.
pub(super) type Seed = [u64; 2];

/// Where to look for a key: the upper half says where in a table, the lower where
/// else.
pub(super) fn place(key: Key, seed: Seed) -> u64 {
    let product = u128::from(key[0] ^ seed[0]) * u128::from(key[1] ^ seed[1]);
    (product as u64) ^ ((product >> 64) as u64)
}

/// A number below `count` in proportion to `part`.
pub(super) fn scaled(part: u32, count: usize) -> usize {
    ((u64::from(part) * count as u64) >> 32) as usize
}

/// 24 bytes.
#[derive(Clone, Copy, Default)]
struct Slot {
    key: Key,
    /// The last second in which the entry counts; 0 if there is none.
    until: u64,
}

/// Entries are never taken out one by one. When three slots of four are in use, the
/// entries that still count move into a new table with two slots for each, larger or
/// smaller than before. A quarter of the new slots at least is filled before the
/// next move, so that it costs each claim a constant on average; and an entry that
/// counts takes 48 bytes at the most.
pub(super) struct Table {
    slots: Box<[Slot]>,
    used: usize,
    /// How many slots may be in use.
    allowed: usize,
    /// No entry stops to count before this second has passed.
    first_end: u64,
    seed: Seed,
}

/// The fewest slots that a table has.
const FEWEST: usize = 8;

impl Table {
    pub(super) fn new(seed: Seed) -> Self {
        Self { slots: Box::default(), used: 0, allowed: 0, first_end: u64::MAX, seed }
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
    pub(super) fn disallow(&mut self, now: u64) -> usize {
        if self.has_ended(now) {
            self.renew(now);
        }
        let given = (self.allowed - self.used).div_ceil(2);
        self.allowed -= given;
        given
    }

    /// Claims a key; `None` if it is not there and no more are allowed.
    pub(super) fn claim(&mut self, key: Key, place: u64, now: u64, until: u64) -> Option<Claimed> {
        if self.used * 4 >= self.slots.len() * 3 {
            self.renew(now);
        }
        let mut at = self.find(key, place);
        let found = self.slots[at].until;
        if found != 0 && found >= now {
            return Some(Claimed::Already);
        }
        if found == 0 {
            if self.used == self.allowed {
                if !self.has_ended(now) {
                    return None;
                }
                self.renew(now);
                at = self.find(key, place);
            }
            self.used += 1;
        }
        let until = until.max(1);
        self.slots[at] = Slot { key, until };
        self.first_end = self.first_end.min(until);
        Some(Claimed::First)
    }

    /// The slot of a key, or the free one that it would go into.
    fn find(&self, key: Key, place: u64) -> usize {
        let mut at = scaled((place >> 32) as u32, self.slots.len());
        while self.slots[at].until != 0 && self.slots[at].key != key {
            at += 1;
            if at == self.slots.len() {
                at = 0;
            }
        }
        at
    }

    /// Whether some entries may no longer count.
    fn has_ended(&self, now: u64) -> bool {
        self.first_end < now
    }

    /// Moves the entries that still count into a table of the right size.
    #[cold]
    #[inline(never)]
    fn renew(&mut self, now: u64) {
        let counts = |slot: &&Slot| slot.until != 0 && slot.until >= now;
        let count = self.slots.iter().filter(counts).count();
        let size = FEWEST.max(count * 2);
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); size].into());
        self.used = count;
        self.first_end = u64::MAX;
        for slot in old.iter().filter(counts) {
            let at = self.find(slot.key, place(slot.key, self.seed));
            self.slots[at] = *slot;
            self.first_end = self.first_end.min(slot.until);
        }
    }
}
