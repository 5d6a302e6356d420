//! One generator of random numbers for all searches.

use std::time::{SystemTime, UNIX_EPOCH};

/// splitmix64: a seed gives the same numbers everywhere.
#[derive(Clone, Copy)]
pub struct Random(u64);

impl Random {
    /// Of `SEED`, or of the time. The seed is printed with a test that fails.
    pub fn seeded() -> Self {
        let time = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        Self::seeded_or(time)
    }

    /// Of `SEED`, or of another seed. It is printed with a test that fails.
    pub fn seeded_or(other: impl FnOnce() -> u64) -> Self {
        let seed = std::env::var("SEED").map_or_else(|_| other(), |seed| seed.parse().unwrap());
        println!("SEED={seed}");
        Self(seed)
    }

    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// One of the numbers below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    /// As good as a signature.
    pub fn key(&mut self) -> [u8; 32] {
        let mut key = [0; 32];
        for part in key.as_chunks_mut::<8>().0 {
            *part = self.next().to_ne_bytes();
        }
        key
    }
}
