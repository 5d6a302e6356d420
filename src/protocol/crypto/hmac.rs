//! HMAC, and the hash of canonical requests, written into piece by piece.
//!
//! The only file that uses the `block_api` of hashes.

use super::tag::Tag;
use crate::protocol::canonical::sink::Sink;
use hmac::KeyInit;
use hmac::block_api::HmacCore;
use hmac::digest::array::Array;
use hmac::digest::block_api::{Block, Buffer, CoreProxy, FixedOutputCore, UpdateCore};
use sha1::Sha1;
use sha2::Sha256;
use smallvec::SmallVec;
use std::ops::Range;

#[cfg(feature = "sm3")]
use sm3::Sm3;

/// What a scheme signs by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mac {
    Sha256,
    Sha1,
    #[cfg(feature = "sm3")]
    Sm3,
}

impl Mac {
    /// How long a signature is, in bytes.
    pub(crate) const fn len(self) -> usize {
        if let Self::Sha1 = self { 20 } else { 32 }
    }
}

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
    pub(crate) fn sha256(&self) -> Hasher<HmacCore<Sha256>> {
        Hasher::new(self.sha256.clone())
    }

    /// The same with HMAC-SHA1.
    pub(crate) fn sha1(&self) -> Hasher<HmacCore<Sha1>> {
        Hasher::new(self.sha1.clone())
    }

    /// The same with HMAC-SM3.
    #[cfg(feature = "sm3")]
    pub(crate) fn sm3(&self) -> Hasher<HmacCore<Sm3>> {
        Hasher::new(self.sm3.clone())
    }
}

fn keyed<M: KeyInit>(secret: &[u8]) -> M {
    // HMAC takes keys of every length: longer ones than a block are hashed.
    #[allow(clippy::expect_used)]
    M::new_from_slice(secret).expect("HMAC takes a key of any length")
}

/// A hash or a MAC that is written into piece by piece.
///
/// Pieces of a string-to-sign are a few bytes long. They are gathered here into
/// blocks, which the processor hashes while it goes on with the next pieces.
#[derive(Clone)]
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
pub(crate) trait Blocks: UpdateCore + FixedOutputCore {}

impl<C: UpdateCore + FixedOutputCore> Blocks for C {}

impl Hasher<<Sha256 as CoreProxy>::Core> {
    /// SHA-256, to write a canonical request into.
    pub(crate) fn sha256() -> Self {
        Self::new(Default::default())
    }
}

#[cfg(feature = "sm3")]
impl Hasher<<Sm3 as CoreProxy>::Core> {
    /// The same with SM3.
    pub(crate) fn sm3() -> Self {
        Self::new(Default::default())
    }
}

impl<C: Blocks> Hasher<C> {
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
    fn take(&mut self) {
        let (blocks, rest) = as_blocks::<C>(&self.pending[self.taken..self.filled - RECENT]);
        self.core.update_blocks(blocks);
        self.taken = self.filled - RECENT - rest.len();
    }

    /// Takes what does not fit into the room that is left.
    #[cold] // Out of the way of what fits: 1 %.
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
    #[cold] // As above.
    fn flush(&mut self) {
        self.core.update_blocks(as_blocks::<C>(&self.pending[self.taken..]).0);
        self.filled = 0;
        self.taken = 0;
    }
}

/// HMACs of one text under several secrets.
///
/// They take turns, block by block: no hash waits for another one's last block, so that the
/// processor does some of their work at the same time.
pub(crate) enum Macs {
    Sha256(Hashers<HmacCore<Sha256>>),
    Sha1(Hashers<HmacCore<Sha1>>),
    #[cfg(feature = "sm3")]
    Sm3(Hashers<HmacCore<Sm3>>),
}

type Hashers<C> = Vec<Hasher<C>>;

/// Does the same with the hashers of each algorithm.
macro_rules! with {
    ($macs:expr, $hashers:ident => $does:expr) => {
        match $macs {
            Self::Sha256($hashers) => $does,
            Self::Sha1($hashers) => $does,
            #[cfg(feature = "sm3")]
            Self::Sm3($hashers) => $does,
        }
    };
}

impl Macs {
    /// Under these secrets.
    pub(crate) fn new(mac: Mac, secrets: &[&Keyed]) -> Self {
        let secrets = secrets.iter().copied();
        match mac {
            Mac::Sha256 => Self::Sha256(secrets.map(Keyed::sha256).collect()),
            Mac::Sha1 => Self::Sha1(secrets.map(Keyed::sha1).collect()),
            #[cfg(feature = "sm3")]
            Mac::Sm3 => Self::Sm3(secrets.map(Keyed::sm3).collect()),
        }
    }

    /// Copies of some of them.
    pub(crate) fn copied(&self, positions: Range<usize>) -> Self {
        match self {
            Self::Sha256(hashers) => Self::Sha256(hashers[positions].to_vec()),
            Self::Sha1(hashers) => Self::Sha1(hashers[positions].to_vec()),
            #[cfg(feature = "sm3")]
            Self::Sm3(hashers) => Self::Sm3(hashers[positions].to_vec()),
        }
    }

    /// The signatures over everything written.
    pub(crate) fn finish(mut self) -> SmallVec<[Tag; 4]> {
        with!(&mut self, hashers => hashers.iter_mut().map(Hasher::finish).collect())
    }
}

impl Sink for Macs {
    fn put(&mut self, bytes: &[u8]) {
        with!(self, hashers => for piece in bytes.chunks(RECENT) {
            hashers.iter_mut().for_each(|hasher| hasher.put(piece));
        });
    }
}

fn as_blocks<C: Blocks>(bytes: &[u8]) -> (&[Block<C>], &[u8]) {
    Array::slice_as_chunks(bytes)
}

impl<C: Blocks> Sink for Hasher<C> {
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

    fn put_byte(&mut self, byte: u8) {
        if self.filled == PENDING {
            self.flush();
        }
        self.pending[self.filled] = byte;
        self.filled += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::crypto::hash::hex;

    #[test]
    fn hmac_gives_the_known_answers_of_rfc_4231() {
        let mut mac = Keyed::new(b"Jefe").sha256();
        mac.put(b"what do ya want for nothing?");
        assert_eq!(
            hex(&mac.finish()),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let mut mac = Keyed::new(&[0xaa; 131]).sha256();
        mac.put(b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(
            hex(&mac.finish()),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn what_several_secrets_sign_is_what_each_signs_alone() {
        let secrets: Vec<Keyed> =
            (0..5_u8).map(|number| Keyed::new(&vec![number; 40 * usize::from(number)])).collect();
        let text: Vec<u8> = (0..3_000u32).map(|i| i as u8).collect();
        for len in [0, 1, 63, 64, 65, 511, 512, 513, 3_000] {
            let (lead, rest) = text[..len].split_at(len / 3);
            let mut macs = Macs::new(Mac::Sha256, &secrets.iter().collect::<Vec<_>>());
            macs.put(lead);
            let mut some = macs.copied(1..4);
            some.put(rest);
            let expected = secrets[1..4].iter().map(|secret| {
                let mut mac = secret.sha256();
                mac.put(&text[..len]);
                mac.finish()
            });
            let some = some.finish();
            assert_eq!(some.len(), 3);
            for (tag, expected) in some.iter().zip(expected) {
                assert_eq!(hex(tag), hex(&expected), "{len}");
            }
        }
    }

    #[test]
    fn how_writes_are_cut_does_not_matter() {
        let data: Vec<u8> = (0..2000u32).map(|i| i as u8).collect();
        let mut whole = Hasher::sha256();
        whole.put(&data);
        let whole = hex(&whole.finish());
        for size in [1, 7, 63, 64, 511, 512, 513, 1999] {
            let mut cut = Hasher::sha256();
            for chunk in data.chunks(size) {
                match chunk {
                    [byte] => cut.put_byte(*byte),
                    _ => cut.put(chunk),
                }
            }
            assert_eq!(hex(&cut.finish()), whole, "{size}");
        }
    }

    #[test]
    fn blocks_are_hashed_as_they_come_but_for_the_last() {
        let mut hash = Hasher::sha256();
        hash.put(&[7; 127]);
        assert_eq!(hash.taken, 0);
        hash.put(&[7]);
        assert_eq!(hash.taken, 64);
        hash.put(&[7; 200]);
        assert_eq!(hash.taken, 256);
    }
}
