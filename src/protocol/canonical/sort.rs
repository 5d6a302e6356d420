//! The orders in which dialects sort.

use super::rules::Collation;
use smallvec::SmallVec;
use std::cmp::Ordering;

impl Collation {
    pub(crate) fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Self::Bytes => a.cmp(b),
            Self::Utf16 => {
                let same = shared_prefix(a, b);
                match (a.get(same), b.get(same)) {
                    (Some(a), Some(b)) => rank(*a).cmp(&rank(*b)),
                    (a, b) => a.is_some().cmp(&b.is_some()),
                }
            }
        }
    }

    /// The first six bytes as a number that compares as they do, above 16 bits of
    /// zeros; less than six are filled up with zeros.
    #[inline]
    fn prefix(self, text: &[u8]) -> u64 {
        let first = first_eight(text) & !0xffff; // PREFIX bytes.
        match self {
            Self::Bytes => first,
            Self::Utf16 => u64::from_be_bytes(first.to_be_bytes().map(rank)),
        }
    }
}

/// How many bytes of a text are in its prefix.
const PREFIX: usize = 6;

/// The first eight bytes, the first one on top; less than eight are filled up with zeros.
#[inline]
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

/// Whether two texts are the same: as `==`, and faster where they are short.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && first_eight(a) == first_eight(b) && (a.len() <= 8 || a[8..] == b[8..])
}

/// Sorts by one text of each item, and those of which it is the same by another, both under
/// this collation. Items of which both are the same keep their order.
///
/// Most texts differ within six bytes of where any two of them begin to differ, and
/// numbers are sorted much faster than texts: those six bytes and the position of
/// the item make one. What is equal so far is sorted by what follows them, so that the work
/// grows with the length of all texts together, whatever they are.
///
/// For up to 65 536 items, as no URI has more; beyond that they are compared in full.
pub(crate) fn sort<'t, T: Copy>(
    items: &mut [T],
    collation: Collation,
    text: impl Fn(&T) -> &'t [u8],
    then: impl Fn(&T) -> &'t [u8],
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
            let keys = &mut keys[..items.len()];
            if rearrange(items, &unsorted, keys) {
                sort_ties(items, &unsorted, keys, PREFIX, collation, text, then);
            }
        }
        ..=MOST => {
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
            sort_numbers(&mut keys);
            let unsorted: SmallVec<[T; 64]> = SmallVec::from_slice(items);
            if rearrange(items, &unsorted, &keys) {
                sort_ties(items, &unsorted, &mut keys, shared + PREFIX, collation, text, then);
            }
        }
        _ => items.sort_by(|a, b| {
            let order = collation.compare(text(a), text(b));
            order.then_with(|| collation.compare(then(a), then(b)))
        }),
    }
}

/// How many items are sorted by inserting one after the other.
const FEW: usize = 12;

/// How many items have positions of 16 bits.
const MOST: usize = 1 << 16;

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

/// Brings items into the order of their keys. Returns whether the prefixes of some are the same.
fn rearrange<T: Copy>(items: &mut [T], unsorted: &[T], keys: &[u64]) -> bool {
    let mut before = None;
    let mut ties = false;
    for (item, key) in items.iter_mut().zip(keys) {
        *item = unsorted[position(*key)];
        ties |= before == Some(key >> 16);
        before = Some(key >> 16);
    }
    ties
}

/// Sorts items which are in the order of their keys, and of which those with the same prefixes
/// are the same up to here, but for zeros where some have ended.
#[cold]
fn sort_ties<'t, T: Copy>(
    items: &mut [T],
    unsorted: &[T],
    keys: &mut [u64],
    from: usize,
    collation: Collation,
    text: impl Fn(&T) -> &'t [u8],
    then: impl Fn(&T) -> &'t [u8],
) {
    let of = |key: u64, level| match level {
        Level::Text => text(&unsorted[position(key)]),
        Level::Then => then(&unsorted[position(key)]),
    };
    let ties = Ties { collation, of };
    keys.chunk_by_mut(same_prefix).for_each(|same| ties.sort(same, Level::Text, from));
    for (item, key) in items.iter_mut().zip(keys) {
        *item = unsorted[position(*key)];
    }
}

/// Whether the prefixes that two keys have on top are the same.
fn same_prefix(a: &u64, b: &u64) -> bool {
    a >> 16 == b >> 16
}

/// The position of the item that a key is of.
fn position(key: u64) -> usize {
    (key & 0xffff) as usize
}

/// Which of its two texts an item is sorted by.
#[derive(Clone, Copy)]
enum Level {
    Text,
    Then,
}

/// Sorts keys by the texts of their items.
struct Ties<F> {
    collation: Collation,
    /// The text of the item of a key.
    of: F,
}

impl<'t, F: Fn(u64, Level) -> &'t [u8]> Ties<F> {
    /// Sorts the keys of items whose texts are the same up to here, but for zeros where some
    /// have ended, and which are in their order.
    fn sort(&self, keys: &mut [u64], level: Level, from: usize) {
        let Self { collation, of } = self;
        let [first, others @ ..] = &*keys else { return };
        if others.is_empty() {
            return;
        }
        let first = of(*first, level);
        let (mut shortest, mut longest) = (first.len(), first.len());
        for key in others {
            let len = of(*key, level).len();
            (shortest, longest) = (shortest.min(len), longest.max(len));
        }
        let mut shared = shortest;
        for key in others {
            if shared <= from {
                break;
            }
            let (first, text) = (&first[from..shared], &of(*key, level)[from..shared]);
            if !is_same(first, text) {
                shared = from + shared_prefix(first, text);
            }
        }
        let from = shared.max(from);
        if from < longest {
            for key in &mut *keys {
                let rest = of(*key, level).get(from..).unwrap_or_default();
                *key = collation.prefix(rest) + (*key & 0xffff);
            }
            sort_numbers(keys);
            let ties = keys.chunk_by_mut(same_prefix);
            return ties.for_each(|same| self.sort(same, level, from + PREFIX));
        }
        // All have ended, and the one that ended first comes first.
        if shortest < longest {
            for key in &mut *keys {
                *key = (of(*key, level).len() as u64) << 16 | *key & 0xffff;
            }
            sort_numbers(keys);
        }
        if let Level::Text = level {
            let same_len = |a: &u64, b: &u64| shortest == longest || same_prefix(a, b);
            keys.chunk_by_mut(same_len).for_each(|same| self.sort(same, Level::Then, 0));
        }
    }
}

/// Sorts numbers by all but their lowest 16 bits, by which they are sorted.
fn sort_numbers(numbers: &mut [u64]) {
    if numbers.len() <= FEW {
        for at in 1..numbers.len() {
            let new = numbers[at];
            insert(&mut numbers[..=at], new);
        }
        return;
    }
    let differ = |differ, number| differ | (number ^ numbers[0]);
    let differ = numbers.iter().fold(0, differ) >> 16;
    let shifts = (0..48).step_by(8).filter(|shift| differ >> shift & 0xff != 0);
    // So many are sorted faster by one byte after the other than by comparing.
    if numbers.len() < 16 << (4 * shifts.clone().count()) {
        return numbers.sort_unstable();
    }
    let mut spare = numbers.to_vec();
    let (mut from, mut to) = (numbers, &mut *spare);
    let mut is_swapped = false;
    for shift in shifts {
        let byte = |number: &u64| (number >> 16 >> shift & 0xff) as usize;
        let mut starts = [0_usize; 257];
        for number in &*from {
            starts[byte(number) + 1] += 1;
        }
        for at in 1..256 {
            starts[at] += starts[at - 1];
        }
        for number in &*from {
            let start = &mut starts[byte(number)];
            to[*start] = *number;
            *start += 1;
        }
        (from, to) = (to, from);
        is_swapped = !is_swapped;
    }
    if is_swapped {
        to.copy_from_slice(from);
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

    /// Sorts texts by the first or by both, and compares with what a plain sort makes of them.
    fn check(items: &[(Vec<u8>, Vec<u8>)]) {
        for collation in [Collation::Bytes, Collation::Utf16] {
            let order = |a: &[u8], b: &[u8]| {
                let ranks = |text: &[u8]| text.iter().map(|byte| rank(*byte)).collect::<Vec<_>>();
                match collation {
                    Collation::Bytes => a.cmp(b),
                    Collation::Utf16 => ranks(a).cmp(&ranks(b)),
                }
            };
            let numbered = || items.iter().enumerate().collect::<Vec<_>>();
            let (mut sorted, mut expected) = (numbered(), numbered());
            sort(&mut sorted, collation, |(_, item)| &item.0, |(_, item)| &item.1);
            expected.sort_by(|(_, a), (_, b)| order(&a.0, &b.0).then_with(|| order(&a.1, &b.1)));
            assert_eq!(sorted, expected, "{collation:?}");
            sort(&mut sorted, collation, |(_, item)| &item.1, |_| &[]);
            expected.sort_by(|(_, a), (_, b)| order(&a.1, &b.1));
            assert_eq!(sorted, expected, "{collation:?}");
        }
    }

    #[test]
    fn sorting_by_prefixes_sorts_as_comparing_does() {
        let texts = ["", "a", "ab", "ab\0", "param-1", "param-10", "param-2", "é", "～", "😀"];
        for lead in ["", "x", "a-shared-beginning-"] {
            for count in [2, 5, FEW, FEW + 1, 37, 255, 256, 3_000] {
                let texts = texts.iter().cycle().take(count).enumerate();
                let items = texts.map(|(index, text)| {
                    let then = texts_of(index * 7 % count);
                    (format!("{lead}{text}").into_bytes(), then)
                });
                check(&items.collect::<Vec<_>>());
            }
        }
    }

    fn texts_of(number: usize) -> Vec<u8> {
        format!("{:o}", number / 2).into_bytes()
    }

    #[test]
    fn many_texts_of_few_bytes_are_sorted_whatever_they_begin_with() {
        let mut random = 0x5eed_u64;
        let mut below = |bound: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 33) as usize % bound
        };
        let bytes = [b'\0', b'\0', b'a', 0xee, 0xf0, 0xff];
        for (count, longest) in [(20, 3), (40, 30), (300, 2), (300, 14), (2_000, 9), (500, 100)] {
            for _ in 0..20 {
                let kinds = 1 + below(bytes.len());
                let mut text = || -> Vec<u8> {
                    let shared = below(longest);
                    let lead = vec![bytes[below(2)]; if below(3) == 0 { shared } else { 0 }];
                    let end = (0..below(longest + 1)).map(|_| bytes[below(kinds)]);
                    lead.into_iter().chain(end).collect()
                };
                check(&(0..count).map(|_| (text(), text())).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn more_items_than_have_a_position_are_sorted_too() {
        let items = |count| (0..count).map(move |at| (texts_of(at * 7 % count), Vec::new()));
        check(&items(MOST + 1).collect::<Vec<_>>());
        check(&items(MOST).collect::<Vec<_>>());
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
