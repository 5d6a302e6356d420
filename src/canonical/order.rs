//! The orders in which dialects sort.

use smallvec::SmallVec;
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

impl Collation {
    /// The first eight bytes as a number that compares as they do; less than eight
    /// are filled up with zeros.
    fn prefix(self, text: &[u8]) -> u64 {
        let mut first = match text.first_chunk::<8>() {
            Some(first) => *first,
            None => {
                let mut first = [0; 8];
                first[..text.len()].copy_from_slice(text);
                first
            }
        };
        if self == Self::Utf16 {
            first = first.map(rank);
        }
        u64::from_be_bytes(first)
    }
}

/// Sorts by `compare`, which must order by the `text` of the items first, under this
/// collation. Items that compare equal keep their order.
///
/// Most texts differ within eight bytes of where they begin to differ at all, and a
/// number is compared much faster than a text.
pub(crate) fn sort<'t, T: Copy>(
    items: &mut [T],
    collation: Collation,
    text: impl Fn(&T) -> &'t [u8],
    compare: impl Fn(&T, &T) -> Ordering,
) {
    let Some((first, others)) = items.split_first() else { return };
    let shared = others.iter().fold(usize::MAX, |shared, item| {
        if shared == 0 { 0 } else { shared_prefix(text(first), text(item)).min(shared) }
    });
    if others.is_empty() {
        return;
    }
    let mut keyed: SmallVec<[(u64, u32, T); 16]> = items
        .iter()
        .zip(0..)
        .map(|(item, index)| (collation.prefix(&text(item)[shared..]), index, *item))
        .collect();
    keyed.sort_unstable_by(|a, b| {
        a.0.cmp(&b.0).then_with(|| compare(&a.2, &b.2)).then_with(|| a.1.cmp(&b.1))
    });
    for (item, (_, _, sorted)) in items.iter_mut().zip(keyed) {
        *item = sorted;
    }
}

/// How many bytes two texts begin with in common.
fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    let (words_a, words_b) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    let words = words_a.iter().zip(words_b).take_while(|(a, b)| a == b).count() * 8;
    words + a[words..].iter().zip(&b[words..]).take_while(|(a, b)| a == b).count()
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
    fn sorting_by_prefixes_sorts_as_comparing_does() {
        let texts = ["", "a", "ab", "ab\0", "param-1", "param-10", "param-2", "é", "～", "😀"];
        for collation in [Collation::Bytes, Collation::Utf16] {
            for lead in ["", "x", "a-shared-beginning-"] {
                let mut items: Vec<(String, usize)> = texts
                    .iter()
                    .cycle()
                    .take(37)
                    .enumerate()
                    .map(|(index, text)| (format!("{lead}{text}"), index * 7 % 37))
                    .collect();
                let mut expected: Vec<_> = items.iter().collect();
                expected.sort_by(|a, b| collation.compare(a.0.as_bytes(), b.0.as_bytes()));
                let expected: Vec<_> = expected.into_iter().cloned().collect();
                let mut sorted: Vec<_> = items.iter_mut().map(|item| &*item).collect();
                sort(
                    &mut sorted,
                    collation,
                    |item| item.0.as_bytes(),
                    |a, b| collation.compare(a.0.as_bytes(), b.0.as_bytes()),
                );
                let sorted: Vec<_> = sorted.into_iter().cloned().collect();
                assert_eq!(sorted, expected, "{collation:?} {lead:?}");
            }
        }
    }

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
