//! Numbers that do not come twice: for request ids and nonces.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

/// A number that no other call gives, on this machine or another.
///
/// Unique, not secret: a hash of the process, the time and a count, under keys that
/// the standard library draws from the operating system for each thread.
pub(crate) fn number() -> u128 {
    thread_local! {
        static KEYS: [RandomState; 2] = [RandomState::new(), RandomState::new()];
        static COUNT: Cell<u64> = const { Cell::new(0) };
    }
    let count = COUNT.replace(COUNT.get().wrapping_add(1));
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let half = |key: &RandomState| {
        let mut hasher = key.build_hasher();
        hasher.write_u32(std::process::id());
        hasher.write_u128(time.as_nanos());
        hasher.write_u64(count);
        u128::from(hasher.finish())
    };
    KEYS.with(|[high, low]| half(high) << 64 | half(low))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn threads_that_count_at_once_get_different_numbers() {
        let count = || (0..10_000).map(|_| super::number()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(count)).collect();
        let numbers: HashSet<_> =
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(numbers.len(), 40_000);
    }
}
