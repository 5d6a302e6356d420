//! Signatures and digests as text: base64 and hexadecimal, both ways.

use super::tag::Tag;
use crate::protocol::canonical::sink::Sink;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

impl Tag {
    /// Reads up to 32 bytes in base64; only the canonical form of `len` bytes will do.
    pub(crate) fn from_base64(text: &[u8], len: usize) -> Option<Self> {
        if text.len() != len.div_ceil(3) * 4 || len > 32 {
            return None;
        }
        let mut bytes = [0; 33];
        let read = BASE64.decode_slice(text, &mut bytes).ok()?;
        (read == len).then(|| Self::of(&bytes[..len]))
    }

    /// Reads `len` bytes in hexadecimal; only lower-case digits will do.
    pub(crate) fn from_hex(text: &[u8], len: usize) -> Option<Self> {
        let mut bytes = [0; 32];
        let bytes = bytes.get_mut(..len).filter(|_| text.len() == 2 * len)?;
        base16ct::lower::decode(text, bytes).ok().map(Self::of)
    }

    /// Writes it in base64.
    pub(crate) fn put_base64(&self, sink: &mut impl Sink) {
        let mut text = [0; 44];
        // 44 characters are those of 32 bytes, and no tag is longer.
        let len = BASE64.encode_slice(self.as_bytes(), &mut text).unwrap_or(0);
        sink.put(&text[..len]);
    }

    /// Writes it in lower-case hexadecimal.
    pub(crate) fn put_hex(&self, sink: &mut impl Sink) {
        let mut text = [0; 64];
        // 64 digits are those of 32 bytes.
        let text = base16ct::lower::encode(self.as_bytes(), &mut text).unwrap_or(&[]);
        sink.put(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::crypto::hash::hex;

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

        let good = hex(&Tag::of(&[0xab; 32])).to_str().unwrap().to_owned();
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
}
