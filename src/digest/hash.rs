//! The hashes of bodies, and the texts they are sent as.
//!
//! Beside `signature.rs`, the only file that touches crypto crates: those of bodies
//! are here, because they take long pieces and need no secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderValue;
use md5::Md5;
use sha2::{Digest as _, Sha256};
#[cfg(feature = "sm3")]
use sm3::Sm3;
use subtle::ConstantTimeEq;

/// What a body is hashed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Md5,
    Sha256,
    #[cfg(feature = "sm3")]
    Sm3,
}

/// How `content-md5` is written.
///
/// Three ways are in use; a check tells them apart by their length and takes each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Md5Encoding {
    /// Base64 of the 16 bytes, as RFC 1864 defines the header.
    #[default]
    Rfc1864,
    /// 32 lower-case hexadecimal digits, as Go's `alibabacloud-gateway-fc-util` sends.
    Hex,
    /// Base64 of these digits, as Node's `@alicloud/fc2` sends.
    Base64OfHex,
}

/// A hash that is written into piece by piece.
#[derive(Clone, Debug)]
pub(super) enum Hash {
    Md5(Md5),
    Sha256(Sha256),
    #[cfg(feature = "sm3")]
    Sm3(Sm3),
}

impl Hash {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Md5 => Self::Md5(Md5::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            #[cfg(feature = "sm3")]
            Algorithm::Sm3 => Self::Sm3(Sm3::new()),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(hash) => hash.update(bytes),
            Self::Sha256(hash) => hash.update(bytes),
            #[cfg(feature = "sm3")]
            Self::Sm3(hash) => hash.update(bytes),
        }
    }

    /// The digest of everything written.
    pub(super) fn finish(self) -> Digest {
        match self {
            Self::Md5(hash) => Digest::of(&hash.finalize()),
            Self::Sha256(hash) => Digest::of(&hash.finalize()),
            #[cfg(feature = "sm3")]
            Self::Sm3(hash) => Digest::of(&hash.finalize()),
        }
    }
}

/// 16 bytes of MD5, or 32 of SHA-256 or SM3.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digest {
    bytes: [u8; 32],
    len: usize,
}

impl Digest {
    fn of(bytes: &[u8]) -> Self {
        let mut digest = Self { bytes: [0; 32], len: bytes.len().min(32) };
        digest.bytes[..digest.len].copy_from_slice(&bytes[..digest.len]);
        digest
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Reads the value of a header; only canonical texts will do: lower-case digits,
    /// and base64 with its padding and no stray bits.
    pub(super) fn read(algorithm: Algorithm, text: &[u8]) -> Option<Self> {
        match (algorithm, text.len()) {
            (Algorithm::Md5, 32) => Self::from_hex(text),
            (Algorithm::Md5, 24) => Some(Self::of(&from_base64::<16>(text)?)),
            (Algorithm::Md5, 44) => Self::from_hex(&from_base64::<32>(text)?),
            (Algorithm::Md5, _) => None,
            (_, 64) => Self::from_hex(text),
            _ => None,
        }
    }

    fn from_hex(text: &[u8]) -> Option<Self> {
        let (pairs, _) = text.as_chunks::<2>();
        let mut digest = Self { bytes: [0; 32], len: pairs.len() };
        for (byte, [high, low]) in digest.bytes.iter_mut().zip(pairs) {
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Some(digest)
    }

    /// Compares in a time that does not depend on where the two differ.
    pub(super) fn matches(&self, other: &Self) -> bool {
        self.as_bytes().ct_eq(other.as_bytes()).into()
    }

    /// The digest as 32 or 64 lower-case hexadecimal digits.
    pub(super) fn hex(&self) -> HeaderValue {
        let mut text = [0; 64];
        value(self.put_hex(&mut text))
    }

    /// The digest of MD5 as `content-md5`.
    pub(super) fn content_md5(&self, encoding: Md5Encoding) -> HeaderValue {
        let mut digits = [0; 64];
        match encoding {
            Md5Encoding::Rfc1864 => base64(self.as_bytes()),
            Md5Encoding::Hex => self.hex(),
            Md5Encoding::Base64OfHex => base64(self.put_hex(&mut digits)),
        }
    }

    fn put_hex<'a>(&self, text: &'a mut [u8; 64]) -> &'a [u8] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.as_bytes()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        &text[..2 * self.len]
    }
}

/// Decodes exactly `N` bytes.
fn from_base64<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    // The estimate of the decoder is in whole groups of three bytes.
    let mut bytes = [0; 36];
    let len = BASE64.decode_slice(text, &mut bytes).ok()?;
    bytes[..len].try_into().ok()
}

fn base64(bytes: &[u8]) -> HeaderValue {
    // Of 64 bytes at the most, which are 88 characters.
    let mut text = [0; 88];
    let len = BASE64.encode_slice(bytes, &mut text).unwrap_or_default();
    value(&text[..len])
}

fn value(text: &[u8]) -> HeaderValue {
    // Digits and base64 can always stand in a header.
    HeaderValue::from_bytes(text).unwrap_or(HeaderValue::from_static(""))
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(algorithm: Algorithm, pieces: &[&[u8]]) -> Digest {
        let mut hash = Hash::new(algorithm);
        pieces.iter().for_each(|piece| hash.update(piece));
        hash.finish()
    }

    const MD5: &str = "900150983cd24fb0d6963f7d28e17f72";
    const SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn hashes_give_the_known_answers_of_rfc_1321_and_fips_180() {
        for (algorithm, text) in [(Algorithm::Md5, MD5), (Algorithm::Sha256, SHA256)] {
            assert_eq!(hash(algorithm, &[b"abc"]).hex(), text, "{algorithm:?}");
            assert_eq!(hash(algorithm, &[b"a", b"", b"bc"]).hex(), text, "{algorithm:?}");
        }
        assert_eq!(hash(Algorithm::Md5, &[]).hex(), "d41d8cd98f00b204e9800998ecf8427e");
    }

    #[cfg(feature = "sm3")]
    #[test]
    fn sm3_gives_the_known_answer_of_its_standard() {
        assert_eq!(
            hash(Algorithm::Sm3, &[b"abc"]).hex(),
            "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
        );
    }

    #[test]
    fn each_encoding_is_written_as_it_is_read() {
        let digest = hash(Algorithm::Md5, &[b"abc"]);
        for (encoding, text) in [
            (Md5Encoding::Rfc1864, "kAFQmDzST7DWlj99KOF/cg=="),
            (Md5Encoding::Hex, MD5),
            (Md5Encoding::Base64OfHex, "OTAwMTUwOTgzY2QyNGZiMGQ2OTYzZjdkMjhlMTdmNzI="),
        ] {
            assert_eq!(digest.content_md5(encoding), text, "{encoding:?}");
            let read = Digest::read(Algorithm::Md5, text.as_bytes());
            assert!(read.is_some_and(|read| read.matches(&digest)), "{encoding:?}");
        }
        let digest = hash(Algorithm::Sha256, &[b"abc"]);
        let read = Digest::read(Algorithm::Sha256, SHA256.as_bytes());
        assert!(read.is_some_and(|read| read.matches(&digest)));
    }

    #[test]
    fn no_other_text_is_read() {
        for text in [
            "",
            &MD5.to_uppercase(),
            &MD5[1..],
            &format!("{MD5}0"),
            &MD5.replace('f', "g"),
            SHA256,
            "kAFQmDzST7DWlj99KOF/cg",
            "kAFQmDzST7DWlj99KOF/ch==",
            "kAFQmDzST7DWlj99KOF_cg==",
            "kAFQmDzST7DWlj99KOF/cgAA",
            "kAFQmDzST7DWlj99KOF/cgA=",
            // Base64 of the digits in upper case, and of 32 bytes that are no digits.
            "OTAwMTUwOTgzQ0QyNEZCMEQ2OTYzRjdEMjhFMTdGNzI=",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        ] {
            assert!(Digest::read(Algorithm::Md5, text.as_bytes()).is_none(), "{text}");
        }
        for text in ["", MD5, &SHA256.to_uppercase(), &SHA256[2..], &format!("{SHA256}00")] {
            assert!(Digest::read(Algorithm::Sha256, text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn digests_of_different_length_never_match() {
        assert!(!Digest::of(&[0; 16]).matches(&Digest::of(&[0; 32])));
        assert!(Digest::of(&[0; 16]).matches(&Digest::of(&[0; 16])));
        assert!(!Digest::of(&[0; 16]).matches(&Digest::of(&[1; 16])));
    }
}
