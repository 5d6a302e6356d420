//! Random numbers of the system, for what must be unique or cannot be guessed.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that no other call gives, on this machine or another, and that nobody can
/// guess. `None` where the system gives none.
pub(crate) fn number() -> Option<u128> {
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).ok()?;
        Some(u128::from_ne_bytes(bytes))
    }
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    None
}

/// A number that no other call of this process gives. Others may guess it: it is a name, and no
/// secret. Unlike [`number`] it asks the system once.
pub(crate) fn unique() -> u128 {
    static SEED: OnceLock<u128> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let seed = SEED.get_or_init(|| number().unwrap_or_default());
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // What the seed does not tell from others, the count does: multiplying by an odd number
    // maps different counts to different numbers.
    seed.wrapping_add(u128::from(count).wrapping_mul(SPREAD))
}

/// Odd, and its bits without order: the fractional digits of the golden ratio.
const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn threads_that_draw_at_once_get_different_numbers() {
        let draw = || (0..10_000).map(|_| super::number().unwrap()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(draw)).collect();
        let numbers: HashSet<_> =
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(numbers.len(), 40_000);
    }
}
