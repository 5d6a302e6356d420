//! Random numbers of the system, for what must be unique or cannot be guessed.

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
