//! The orders in which dialects sort.

use super::rules::Collation;
use smallvec::SmallVec;
use std::cmp::Ordering;

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

    /// The first six bytes as a number that compares as they do, above 16 bits of
    /// zeros; less than six are filled up with zeros.
    fn prefix(self, text: &[u8]) -> u64 {
        let first = first_eight(text) & !0xffff;
        match self {
            Self::Bytes => first,
            Self::Utf16 => u64::from_be_bytes(first.to_be_bytes().map(rank)),
        }
    }
}

/// The first eight bytes, the first one on top; less than eight are filled up with zeros.
fn first_eight(text: &[u8]) -> u64 {
    if let Some(first) = text.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    // Put together of pieces that overlap: there is no loop then, and nothing is
    // written to memory to be read back as a whole.
    let behind = 8 * (8 - text.len() as u32);
    match (text.first_chunk(), text.last_chunk()) {
        (Some(first), Some(last)) => {
            u64::from(u32::from_be_bytes(*first)) << 32
                | u64::from(u32::from_be_bytes(*last)) << behind
        }
        _ => match text {
            [] => 0,
            [first, .., last] => {
                u64::from(*first) << 56 | u64::from(text[1]) << 48 | u64::from(*last) << behind
            }
            [only] => u64::from(*only) << 56,
        },
    }
}

/// Sorts by `compare`, which must order by the `text` of the items first, under this
/// collation. Items that compare equal keep their order.
///
/// Most texts differ within six bytes of where any two of them begin to differ, and
/// numbers are sorted much faster than texts: those six bytes and the position of
/// the item make one. What is equal so far is compared in full afterwards.
///
/// For up to 65 536 items; no URI or header map has more.
pub(crate) fn sort<'t, T: Copy>(
    items: &mut [T],
    collation: Collation,
    text: impl Fn(&T) -> &'t [u8],
    compare: impl Fn(&T, &T) -> Ordering,
) {
    match items.len() {
        0 | 1 => {}
        2..=FEW => {
            let mut unsorted = [items[0]; FEW];
            let mut keys = [0; FEW];
            for (at, item) in items.iter().enumerate() {
                unsorted[at] = *item;
                insert(&mut keys[..=at], collation.prefix(text(item)) + at as u64);
            }
            let keys = &keys[..items.len()];
            rearrange(items, &unsorted, keys, compare);
        }
        _ => sort_many(items, collation, text, compare),
    }
}

/// How many items are sorted by inserting one after the other.
const FEW: usize = 12;

/// Puts a number where it belongs among sorted ones, of which the last is to be
/// overwritten.
fn insert(sorted: &mut [u64], new: u64) {
    let mut to = sorted.len() - 1;
    while to > 0 && sorted[to - 1] > new {
        sorted[to] = sorted[to - 1];
        to -= 1;
    }
    sorted[to] = new;
}

fn sort_many<'t, T: Copy>(
    items: &mut [T],
    collation: Collation,
    text: impl Fn(&T) -> &'t [u8],
    compare: impl Fn(&T, &T) -> Ordering,
) {
    let first = text(&items[0]);
    let mut shared = first.len();
    for item in &items[1..] {
        if shared == 0 {
            break;
        }
        shared = shared.min(shared_prefix(first, text(item)));
    }
    let mut keys: SmallVec<[u64; 64]> = SmallVec::from_elem(0, items.len());
    for (at, (key, item)) in keys.iter_mut().zip(&*items).enumerate() {
        *key = collation.prefix(&text(item)[shared..]) + at as u64;
    }
    keys.sort_unstable();
    let unsorted: SmallVec<[T; 64]> = SmallVec::from_slice(items);
    rearrange(items, &unsorted, &keys, compare);
}

/// Brings items into the order of their keys, and those whose prefixes are the same
/// into that of `compare`.
fn rearrange<T: Copy>(
    items: &mut [T],
    unsorted: &[T],
    keys: &[u64],
    compare: impl Fn(&T, &T) -> Ordering,
) {
    let mut before = None;
    let mut ties = false;
    for (item, key) in items.iter_mut().zip(keys) {
        *item = unsorted[(key & 0xffff) as usize];
        ties |= before == Some(key >> 16);
        before = Some(key >> 16);
    }
    if ties {
        sort_ties(items, keys, compare);
    }
}

/// Sorts each run of items whose prefixes are the same.
fn sort_ties<T>(mut rest: &mut [T], keys: &[u64], compare: impl Fn(&T, &T) -> Ordering) {
    for same in keys.chunk_by(|a, b| a >> 16 == b >> 16) {
        let (run, after) = rest.split_at_mut(same.len());
        if run.len() > 1 {
            run.sort_by(&compare);
        }
        rest = after;
    }
}

/// How many bytes two texts begin with in common.
fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    let words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
    let same = 8 * words.take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[same..], &b[same..]);
    let differ = first_eight(a) ^ first_eight(b);
    same + (differ.leading_zeros() as usize / 8).min(a.len()).min(b.len())
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
                for count in [2, 5, FEW, FEW + 1, 37] {
                    let mut items: Vec<(String, usize)> = texts
                        .iter()
                        .cycle()
                        .take(count)
                        .enumerate()
                        .map(|(index, text)| (format!("{lead}{text}"), index * 7 % count))
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
                    assert_eq!(sorted, expected, "{collation:?} {lead:?} {count}");
                }
            }
        }
    }

    #[test]
    fn a_prefix_is_what_a_text_begins_with() {
        let text = *b"abcdefghi";
        for len in 0..=text.len() {
            let mut first = [0; 8];
            first[..len.min(8)].copy_from_slice(&text[..len.min(8)]);
            assert_eq!(first_eight(&text[..len]), u64::from_be_bytes(first), "{len}");
            first[6..].fill(0);
            let prefix = Collation::Bytes.prefix(&text[..len]);
            assert_eq!(prefix, u64::from_be_bytes(first), "{len}");
        }
    }

    #[test]
    fn texts_share_what_precedes_their_first_difference() {
        let text = [b'x'; 20];
        for at in 0..20 {
            let mut other = text;
            other[at] = b'y';
            assert_eq!(shared_prefix(&text, &other), at);
            assert_eq!(shared_prefix(&text[..at], &text), at);
            assert_eq!(shared_prefix(&other, &text[..at]), at);
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
