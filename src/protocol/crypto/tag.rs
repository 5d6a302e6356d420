//! Hashes and signatures as values, and comparing them.

use std::fmt;
use subtle::ConstantTimeEq;

/// A hash or a signature: 16 bytes of MD5, 20 of SHA-1, or 32 of SHA-256 or SM3.
#[derive(Clone, Copy)]
pub(crate) struct Tag {
    bytes: [u8; 32],
    len: usize,
}

impl Tag {
    /// Of up to 32 bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut tag = Self { bytes: [0; 32], len: bytes.len().min(32) };
        tag.bytes[..tag.len].copy_from_slice(&bytes[..tag.len]);
        tag
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The same with zeros behind it, up to 32 bytes.
    pub(crate) fn padded(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Compares in a time that does not depend on where the two differ.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        // What is behind a shorter tag is zeros in both.
        let words = self.bytes.as_chunks::<8>().0.iter().zip(other.bytes.as_chunks::<8>().0);
        let differ = words
            .fold(0, |differ, (a, b)| differ | (u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b)));
        (differ.ct_eq(&0) & self.len.ct_eq(&other.len)).into()
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tag(..)")
    }
}

/// Compares two secret texts; only their lengths show in the time it takes.
pub(crate) fn same_text(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_of_different_length_never_match() {
        assert!(Tag::of(&[0; 32]).matches(&Tag::of(&[0; 32])));
        assert!(!Tag::of(&[0; 20]).matches(&Tag::of(&[0; 32])));
        assert!(!Tag::of(&[]).matches(&Tag::of(&[0; 32])));
    }

    #[test]
    fn two_differences_do_not_cancel_out() {
        let tag = Tag::of(&[7; 32]);
        for first in 0..32 {
            for second in 0..32 {
                let mut bytes = [7; 32];
                bytes[first] ^= 0x10;
                bytes[second] ^= 0x10;
                assert_eq!(tag.matches(&Tag::of(&bytes)), first == second, "{first} {second}");
            }
        }
    }

    #[test]
    fn a_tag_is_padded_with_zeros_and_cut_at_32_bytes() {
        assert_eq!(Tag::of(&[7; 20]).padded()[..20], [7; 20]);
        assert_eq!(Tag::of(&[7; 20]).padded()[20..], [0; 12]);
        assert_eq!(Tag::of(&[7; 40]).as_bytes(), [7; 32]);
    }

    #[test]
    fn the_same_text_is_of_the_same_bytes_and_length() {
        assert!(same_text(b"token", b"token"));
        for other in ["", "toke", "token ", "tokem", "Token"] {
            assert!(!same_text(b"token", other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_tag_prints_no_byte_of_it() {
        assert_eq!(format!("{:?}", Tag::of(&[7; 32])), "Tag(..)");
    }
}
