//! The cryptography: HMAC, the texts of signatures, comparing them.
//!
//! With `digest/hash.rs` the only file that touches crypto crates.

use crate::canonical::Sink;
use hmac::KeyInit;
use hmac::block_api::HmacCore;
use hmac::digest::array::Array;
use hmac::digest::block_api::{Block, Buffer, CoreProxy, FixedOutputCore, UpdateCore};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;

#[cfg(feature = "sm3")]
use sm3::Sm3;

/// A secret, made ready for every algorithm: its HMAC states after the key block.
///
/// The states are wiped when it is dropped.
#[derive(Clone)]
pub(crate) struct Keyed {
    sha256: HmacCore<Sha256>,
    sha1: HmacCore<Sha1>,
    #[cfg(feature = "sm3")]
    sm3: HmacCore<Sm3>,
}

impl Keyed {
    pub(crate) fn new(secret: &[u8]) -> Self {
        Self {
            sha256: keyed(secret),
            sha1: keyed(secret),
            #[cfg(feature = "sm3")]
            sm3: keyed(secret),
        }
    }

    /// HMAC-SHA256 under this secret, to write a string-to-sign into.
    #[inline(always)]
    pub(crate) fn sha256(&self) -> Hasher<HmacCore<Sha256>> {
        Hasher::new(self.sha256.clone())
    }

    /// The same with HMAC-SHA1.
    #[inline(always)]
    pub(crate) fn sha1(&self) -> Hasher<HmacCore<Sha1>> {
        Hasher::new(self.sha1.clone())
    }

    /// The same with HMAC-SM3.
    #[cfg(feature = "sm3")]
    #[inline(always)]
    pub(crate) fn sm3(&self) -> Hasher<HmacCore<Sm3>> {
        Hasher::new(self.sm3.clone())
    }
}

fn keyed<M: KeyInit>(secret: &[u8]) -> M {
    // HMAC takes keys of every length: longer ones than a block are hashed.
    #[allow(clippy::expect_used)]
    M::new_from_slice(secret).expect("HMAC takes a key of any length")
}

/// SHA-256, to write a canonical request into.
#[inline(always)]
pub(crate) fn sha256() -> Hasher<<Sha256 as CoreProxy>::Core> {
    Hasher::new(Default::default())
}

/// The same with SM3.
#[cfg(feature = "sm3")]
#[inline(always)]
pub(crate) fn sm3() -> Hasher<<Sm3 as CoreProxy>::Core> {
    Hasher::new(Default::default())
}

/// A hash or a MAC that is written into piece by piece.
///
/// Pieces of a string-to-sign are a few bytes long. They are gathered here into
/// blocks, which the processor hashes while it goes on with the next pieces.
pub(crate) struct Hasher<C> {
    core: C,
    pending: [u8; PENDING],
    filled: usize,
    /// How much of what is pending went into the algorithm already.
    taken: usize,
}

/// Room for the string-to-sign of most requests; a multiple of every block size.
const PENDING: usize = 512;

/// How much of what is pending is kept back. What was written a moment ago is still on
/// its way to memory, and to read it as whole blocks would mean to wait for it.
const RECENT: usize = 64;

/// An algorithm that takes blocks.
pub(crate) trait Algorithm: UpdateCore + FixedOutputCore {}

impl<C: UpdateCore + FixedOutputCore> Algorithm for C {}

impl<C: Algorithm> Hasher<C> {
    #[inline(always)]
    fn new(core: C) -> Self {
        Self { core, pending: [0; PENDING], filled: 0, taken: 0 }
    }

    /// The hash of everything written, or the signature over it.
    pub(crate) fn finish(&mut self) -> Tag {
        let (blocks, rest) = as_blocks::<C>(&self.pending[self.taken..self.filled]);
        self.core.update_blocks(blocks);
        let mut buffer = Buffer::<C>::default();
        // Less than a block, so it stays in the buffer.
        buffer.digest_blocks(rest, |_| {});
        let mut output = Array::default();
        self.core.finalize_fixed_core(&mut buffer, &mut output);
        Tag::of(&output)
    }

    /// Hashes the blocks that are complete, but for what is recent.
    #[inline(never)]
    fn take(&mut self) {
        let (blocks, rest) = as_blocks::<C>(&self.pending[self.taken..self.filled - RECENT]);
        self.core.update_blocks(blocks);
        self.taken = self.filled - RECENT - rest.len();
    }

    /// Takes what does not fit into the room that is left.
    #[cold]
    fn put_over(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.filled == PENDING {
                self.flush();
            }
            let (now, later) = rest.split_at(rest.len().min(PENDING - self.filled));
            self.pending[self.filled..self.filled + now.len()].copy_from_slice(now);
            self.filled += now.len();
            rest = later;
        }
    }

    /// Hashes all that is pending, which is full.
    #[cold]
    fn flush(&mut self) {
        self.core.update_blocks(as_blocks::<C>(&self.pending[self.taken..]).0);
        self.filled = 0;
        self.taken = 0;
    }
}

fn as_blocks<C: Algorithm>(bytes: &[u8]) -> (&[Block<C>], &[u8]) {
    Array::slice_as_chunks(bytes)
}

impl<C: Algorithm> Sink for Hasher<C> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        match self.pending.get_mut(self.filled..self.filled + bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.filled += bytes.len();
                if self.filled - self.taken >= 2 * RECENT {
                    self.take();
                }
            }
            None => self.put_over(bytes),
        }
    }

    #[inline]
    fn put_byte(&mut self, byte: u8) {
        if self.filled == PENDING {
            self.flush();
        }
        self.pending[self.filled] = byte;
        self.filled += 1;
    }
}

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

    /// Reads up to 32 bytes in base64; only the canonical form of `len` bytes will do.
    pub(crate) fn from_base64(text: &[u8], len: usize) -> Option<Self> {
        let (groups, []) = text.as_chunks::<4>() else { return None };
        let (last, whole) = groups.split_last()?;
        if groups.len() != len.div_ceil(3) || len > 32 {
            return None;
        }
        // Digits that are missing are replaced by zeros.
        let mut last = *last;
        let (_, padding) = last.split_at_mut(4 - (groups.len() * 3 - len));
        if padding.iter().any(|byte| *byte != b'=') {
            return None;
        }
        padding.fill(b'A');
        let mut bytes = [0; 33];
        let mut seen = 0;
        let mut read = |group: &[u8; 4]| {
            let [a, b, c, d] = group.map(|digit| i32::from(BASE64_VALUES[usize::from(digit)]));
            // What is no digit makes it negative.
            let value = a << 18 | b << 12 | c << 6 | d;
            seen |= value;
            [(value >> 16) as u8, (value >> 8) as u8, value as u8]
        };
        let (threes, _) = bytes.as_chunks_mut::<3>();
        for (three, group) in threes.iter_mut().zip(whole) {
            *three = read(group);
        }
        threes[whole.len()] = read(&last);
        let (bytes, behind) = bytes.split_first_chunk()?;
        let is_canonical = bytes[len..].iter().chain(behind).all(|byte| *byte == 0);
        (is_canonical && seen >= 0).then_some(Self { bytes: *bytes, len })
    }

    /// Reads `len` bytes in hexadecimal; only lower-case digits will do.
    pub(crate) fn from_hex(text: &[u8], len: usize) -> Option<Self> {
        let (pairs, []) = text.as_chunks::<2>() else { return None };
        if pairs.len() != len || len > 32 {
            return None;
        }
        let mut tag = Self { bytes: [0; 32], len };
        let mut seen = 0;
        for (byte, [high, low]) in tag.bytes.iter_mut().zip(pairs) {
            let value = HEX_VALUES[usize::from(*high)] << 4 | HEX_VALUES[usize::from(*low)];
            seen |= value;
            *byte = value as u8;
        }
        // What is no digit makes it negative.
        (seen >= 0).then_some(tag)
    }

    /// Writes it in base64.
    pub(crate) fn put_base64(&self, sink: &mut impl Sink) {
        let mut bytes = [0; 33];
        bytes[..32].copy_from_slice(&self.bytes);
        let mut text = [0; 44];
        let groups = text.as_chunks_mut::<4>().0.iter_mut();
        for (group, [a, b, c]) in groups.zip(bytes.as_chunks::<3>().0) {
            let value = u32::from_be_bytes([0, *a, *b, *c]);
            *group = [18, 12, 6, 0].map(|shift| BASE64_DIGITS[(value >> shift & 63) as usize]);
        }
        let len = self.len.div_ceil(3) * 4;
        let digits = (self.len * 8).div_ceil(6);
        text[digits..len].fill(b'=');
        sink.put(&text[..len]);
    }

    /// Writes it in lower-case hexadecimal.
    pub(crate) fn put_hex(&self, sink: &mut impl Sink) {
        let mut text = [0; 64];
        let digits = text.as_chunks_mut::<8>().0.iter_mut();
        for (digits, bytes) in digits.zip(self.bytes.as_chunks::<4>().0) {
            *digits = hex_digits(*bytes);
        }
        sink.put(&text[..2 * self.len]);
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

impl std::fmt::Debug for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tag(..)")
    }
}

/// Compares two secret texts; only their lengths show in the time it takes.
pub(crate) fn same_text(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// Four bytes in lower-case hexadecimal, all digits at once.
fn hex_digits(bytes: [u8; 4]) -> [u8; 8] {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let four = u64::from(u32::from_le_bytes(bytes));
    let two = (four | four << 16) & 0x0000_ffff_0000_ffff;
    let one = (two | two << 8) & 0x00ff_00ff_00ff_00ff;
    let nibbles = (one >> 4 | one << 8) & (15 * EACH);
    // The letters come 39 places behind the digit that would follow 9.
    let is_letter = (nibbles + 6 * EACH) >> 4 & EACH;
    (nibbles + u64::from(b'0') * EACH + 39 * is_letter).to_le_bytes()
}

const BASE64_DIGITS: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The value of each base64 digit.
const BASE64_VALUES: [i16; 256] = values(BASE64_DIGITS);

/// The value of each lower-case hexadecimal digit.
const HEX_VALUES: [i16; 256] = values(b"0123456789abcdef");

/// The place of each of these digits, and -1 for everything else.
const fn values(digits: &[u8]) -> [i16; 256] {
    let mut values = [-1; 256];
    let mut value = 0;
    while value < digits.len() {
        values[digits[value] as usize] = value as i16;
        value += 1;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;

    fn hex(tag: Tag) -> String {
        let mut text = Vec::new();
        tag.put_hex(&mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn hmac_gives_the_known_answers_of_rfc_4231() {
        let mut mac = Keyed::new(b"Jefe").sha256();
        mac.put(b"what do ya want for nothing?");
        assert_eq!(
            hex(mac.finish()),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let mut mac = Keyed::new(&[0xaa; 131]).sha256();
        mac.put(b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(
            hex(mac.finish()),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn how_writes_are_cut_does_not_matter() {
        let data: Vec<u8> = (0..2000u32).map(|i| i as u8).collect();
        let mut whole = sha256();
        whole.put(&data);
        let whole = hex(whole.finish());
        for size in [1, 7, 63, 64, 511, 512, 513, 1999] {
            let mut cut = sha256();
            for chunk in data.chunks(size) {
                match chunk {
                    [byte] => cut.put_byte(*byte),
                    _ => cut.put(chunk),
                }
            }
            assert_eq!(hex(cut.finish()), whole, "{size}");
        }
    }

    #[test]
    fn blocks_are_hashed_as_they_come_but_for_the_last() {
        let mut hash = sha256();
        hash.put(&[7; 127]);
        assert_eq!(hash.taken, 0);
        hash.put(&[7]);
        assert_eq!(hash.taken, 64);
        hash.put(&[7; 200]);
        assert_eq!(hash.taken, 256);
    }

    #[test]
    fn only_the_canonical_text_of_a_signature_is_read() {
        let mut text = Vec::new();
        Tag::of(&[7; 32]).put_base64(&mut text);
        assert!(Tag::from_base64(&text, 32).is_some());
        assert!(Tag::from_base64(&text, 20).is_none());
        let good = String::from_utf8(text).unwrap();
        let other_bits = good.replace("c=", "d=");
        assert_ne!(good, other_bits);
        for bad in [
            "".to_owned(),
            "=".to_owned(),
            good[..43].to_owned(),
            good[1..].to_owned(),
            format!("{good}A"),
            format!("{good}===="),
            format!(" {good}"),
            other_bits,
            good.replace('B', "-"),
        ] {
            assert!(Tag::from_base64(bad.as_bytes(), 32).is_none(), "{bad}");
        }

        let good = hex(Tag::of(&[0xab; 32]));
        assert!(Tag::from_hex(good.as_bytes(), 32).is_some());
        for bad in
            [good.to_uppercase(), good[2..].to_owned(), format!("{good}00"), good.replace('a', "g")]
        {
            assert!(Tag::from_hex(bad.as_bytes(), 32).is_none(), "{bad}");
        }
    }

    #[test]
    fn base64_is_read_as_the_base64_crate_writes_it() {
        for len in [20, 32] {
            for seed in (0..=255_u8).step_by(17) {
                let bytes: Vec<u8> = (0..len as u8).map(|i| i.wrapping_mul(seed) ^ seed).collect();
                let tag = Tag::of(&bytes);
                let mut text = Vec::new();
                tag.put_base64(&mut text);
                assert_eq!(Tag::from_base64(&text, len).unwrap().as_bytes(), bytes);
                for at in 0..text.len() {
                    for bit in 0..8 {
                        let mut other = text.clone();
                        other[at] ^= 1 << bit;
                        let read = Tag::from_base64(&other, len);
                        let mut buffer = [0; 36];
                        let by_crate = BASE64.decode_slice(&other, &mut buffer).ok();
                        let by_crate =
                            by_crate.filter(|got| *got == len).map(|_| buffer[..len].to_vec());
                        assert_eq!(read.map(|tag| tag.as_bytes().to_vec()), by_crate);
                    }
                }
            }
        }
    }

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
    fn two_characters_that_are_no_digits_do_not_cancel_out() {
        let mut text = Vec::new();
        Tag::of(&[7; 32]).put_base64(&mut text);
        for first in 0..43 {
            for second in 0..43 {
                let mut bad = text.clone();
                bad[first] = b'-';
                bad[second] = b'_';
                assert!(Tag::from_base64(&bad, 32).is_none(), "{first} {second}");
            }
        }
    }

    #[test]
    fn base64_and_hexadecimal_of_every_length_are_read_and_no_longer_ones() {
        let bytes: Vec<u8> = (1..=36).map(|i| i * 7).collect();
        for len in 1..=36 {
            let (in_base64, in_hex) = (BASE64.encode(&bytes[..len]), &"1c".repeat(len));
            let read = Tag::from_base64(in_base64.as_bytes(), len);
            assert_eq!(
                read.map(|tag| tag.as_bytes().to_vec()),
                (len <= 32).then(|| bytes[..len].to_vec())
            );
            let read = Tag::from_hex(in_hex.as_bytes(), len);
            assert_eq!(
                read.map(|tag| tag.as_bytes().to_vec()),
                (len <= 32).then(|| vec![0x1c; len])
            );
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
