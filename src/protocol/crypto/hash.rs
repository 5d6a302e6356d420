//! The hashes of bodies, and the texts they are sent as.

use super::tag::Tag;
use bytes::Bytes;
use http::HeaderValue;
use md5::Md5;
use sha2::{Digest as _, Sha256};
#[cfg(feature = "sm3")]
use sm3::Sm3;

/// What a body is hashed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Md5,
    Sha256,
    #[cfg(feature = "sm3")]
    Sm3,
}

/// Chooses how `content-md5` is written.
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
pub(crate) enum Hash {
    Md5(Md5),
    Sha256(Sha256),
    #[cfg(feature = "sm3")]
    Sm3(Sm3),
}

impl Hash {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Md5 => Self::Md5(Md5::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            #[cfg(feature = "sm3")]
            Algorithm::Sm3 => Self::Sm3(Sm3::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(hash) => hash.update(bytes),
            Self::Sha256(hash) => hash.update(bytes),
            #[cfg(feature = "sm3")]
            Self::Sm3(hash) => hash.update(bytes),
        }
    }

    /// The digest of these bytes.
    pub(crate) fn of(algorithm: Algorithm, bytes: &[u8]) -> Tag {
        let mut hash = Self::new(algorithm);
        hash.update(bytes);
        hash.finish()
    }

    /// The digest of everything written.
    pub(crate) fn finish(self) -> Tag {
        match self {
            Self::Md5(hash) => Tag::of(&hash.finalize()),
            Self::Sha256(hash) => Tag::of(&hash.finalize()),
            #[cfg(feature = "sm3")]
            Self::Sm3(hash) => Tag::of(&hash.finalize()),
        }
    }
}

/// Reads the value of a header; only canonical texts will do: lower-case digits, and
/// base64 with its padding and no stray bits.
pub(crate) fn read(algorithm: Algorithm, text: &[u8]) -> Option<Tag> {
    match (algorithm, text.len()) {
        (Algorithm::Md5, 32) => Tag::from_hex(text, 16),
        (Algorithm::Md5, 24) => Tag::from_base64(text, 16),
        (Algorithm::Md5, 44) => Tag::from_hex(Tag::from_base64(text, 32)?.as_bytes(), 16),
        (Algorithm::Md5, _) => None,
        _ => Tag::from_hex(text, 32),
    }
}

/// A digest as 32 or 64 lower-case hexadecimal digits.
pub(crate) fn hex(digest: &Tag) -> HeaderValue {
    let mut text = Vec::with_capacity(64);
    digest.put_hex(&mut text);
    value(text)
}

/// A digest of MD5 as `content-md5`.
pub(crate) fn content_md5(digest: &Tag, encoding: Md5Encoding) -> HeaderValue {
    let mut text = Vec::with_capacity(44);
    match encoding {
        Md5Encoding::Rfc1864 => digest.put_base64(&mut text),
        Md5Encoding::Hex => digest.put_hex(&mut text),
        Md5Encoding::Base64OfHex => {
            Tag::of(hex(digest).as_bytes()).put_base64(&mut text);
        }
    }
    value(text)
}

fn value(text: Vec<u8>) -> HeaderValue {
    // Digits and base64 can always stand in a header.
    HeaderValue::from_maybe_shared(Bytes::from(text)).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(algorithm: Algorithm, pieces: &[&[u8]]) -> Tag {
        let mut hash = Hash::new(algorithm);
        pieces.iter().for_each(|piece| hash.update(piece));
        hash.finish()
    }

    const MD5: &str = "900150983cd24fb0d6963f7d28e17f72";
    const SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn hashes_give_the_known_answers_of_rfc_1321_and_fips_180() {
        for (algorithm, text) in [(Algorithm::Md5, MD5), (Algorithm::Sha256, SHA256)] {
            assert_eq!(hex(&hash(algorithm, &[b"abc"])), text, "{algorithm:?}");
            assert_eq!(hex(&hash(algorithm, &[b"a", b"", b"bc"])), text, "{algorithm:?}");
        }
        assert_eq!(hex(&hash(Algorithm::Md5, &[])), "d41d8cd98f00b204e9800998ecf8427e");
    }

    #[cfg(feature = "sm3")]
    #[test]
    fn sm3_gives_the_known_answer_of_its_standard() {
        assert_eq!(
            hex(&hash(Algorithm::Sm3, &[b"abc"])),
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
            assert_eq!(content_md5(&digest, encoding), text, "{encoding:?}");
            let found = read(Algorithm::Md5, text.as_bytes());
            assert!(found.is_some_and(|found| found.matches(&digest)), "{encoding:?}");
        }
        let digest = hash(Algorithm::Sha256, &[b"abc"]);
        let found = read(Algorithm::Sha256, SHA256.as_bytes());
        assert!(found.is_some_and(|found| found.matches(&digest)));
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
            assert!(read(Algorithm::Md5, text.as_bytes()).is_none(), "{text}");
        }
        for text in ["", MD5, &SHA256.to_uppercase(), &SHA256[2..], &format!("{SHA256}00")] {
            assert!(read(Algorithm::Sha256, text.as_bytes()).is_none(), "{text}");
        }
    }
}
