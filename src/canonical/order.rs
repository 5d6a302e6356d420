//! The orders in which dialects sort.

use std::cmp::Ordering;

/// How texts compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Collation {
    /// Byte by byte, which for UTF-8 is by code point: Go, Python.
    Bytes,
    /// By UTF-16 code unit: Java, JavaScript.
    Utf16,
}

impl Collation {
    pub(crate) fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Self::Bytes => a.cmp(b),
            Self::Utf16 => {
                let difference = a.iter().zip(b).find(|(a, b)| a != b);
                difference.map_or(a.len().cmp(&b.len()), |(a, b)| rank(*a).cmp(&rank(*b)))
            }
        }
    }
}

/// UTF-8 bytes in the order of the UTF-16 units they lead to.
///
/// Only one thing differs: characters beyond U+FFFF (lead bytes F0 to F4) are
/// surrogates D800 to DFFF in UTF-16, and so come before U+E000 to U+FFFF (lead
/// bytes EE and EF). The first difference of two UTF-8 texts is either between
/// two lead bytes or between two others, so ranking the bytes is enough.
const fn rank(byte: u8) -> u8 {
    match byte {
        0xee | 0xef => byte + 0x10,
        _ => byte,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf16_order_is_that_of_utf16_units() {
        let texts =
            ["", "a", "ab", "z", "é", "\u{d7ff}", "\u{e000}", "\u{ffff}", "😀", "a😀", "a～"];
        for a in texts {
            for b in texts {
                let expected = a.encode_utf16().cmp(b.encode_utf16());
                assert_eq!(
                    Collation::Utf16.compare(a.as_bytes(), b.as_bytes()),
                    expected,
                    "{a:?} {b:?}"
                );
                assert_eq!(Collation::Bytes.compare(a.as_bytes(), b.as_bytes()), a.cmp(b));
            }
        }
    }
}
