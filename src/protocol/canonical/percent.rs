//! Percent-encoding (RFC 3986), both directions.
//!
//! [`Reader`](super::parameters::Reader) alone decodes by itself: it cuts, decodes and
//! judges a query in one pass.

use super::sink::Sink;
use std::borrow::Cow;

/// Whether a byte may stand for itself in an RFC 3986 encoded text.
pub(crate) const fn is_unreserved(byte: u8) -> bool {
    UNRESERVED[byte as usize]
}

/// The byte that the escape at the front of `text` stands for, `None` when no
/// two hexadecimal digits follow the percent sign.
pub(crate) fn escape(text: &[u8]) -> Option<u8> {
    match text {
        [b'%', high, low, ..] => hex_pair(*high, *low),
        _ => None,
    }
}

/// The byte of two hexadecimal digits.
pub(crate) fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let (high, low) = (HEX[usize::from(high)], HEX[usize::from(low)]);
    (high.max(low) < 16).then(|| 16 * high + low)
}

/// Decodes a text. Tells `found` what each escape stands for, and `None` for a percent
/// sign that begins none, which stays.
pub(crate) fn decode<S: Sink>(text: &[u8], sink: &mut S, mut found: impl FnMut(Option<u8>)) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'%', rest) {
        let (plain, special) = rest.split_at(at);
        sink.put(plain);
        rest = special;
        // Mostly there are several in a row.
        while let [b'%', ..] = rest {
            let byte = escape(rest);
            found(byte);
            sink.put_byte(byte.unwrap_or(b'%'));
            rest = &rest[if byte.is_some() { 3 } else { 1 }..];
        }
    }
    sink.put(rest);
}

/// Writes a text with U+FFFD in place of what is not UTF-8. Returns whether there is any.
pub(crate) fn put_utf8<S: Sink>(text: &[u8], sink: &mut S) -> bool {
    let mut replaced = false;
    for chunk in text.utf8_chunks() {
        sink.put(chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            sink.put(REPLACEMENT);
            replaced = true;
        }
    }
    replaced
}

/// U+FFFD.
pub(crate) const REPLACEMENT: &[u8; 3] = b"\xEF\xBF\xBD";

/// Decodes a name or a value as a form parser does, for which `+` is a space.
pub(crate) fn decode_form(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'%', b'+', text).is_none() {
        return Cow::Borrowed(text);
    }
    let spaced: Vec<u8> =
        text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let mut decoded = Vec::with_capacity(text.len());
    decode(&spaced, &mut decoded, |_| {});
    Cow::Owned(decoded)
}

/// Whether a text is this one, in which there is neither a space nor a percent sign, to a form
/// parser.
pub(crate) fn decodes_to(text: &[u8], expected: &str) -> bool {
    let mut rest = text;
    let mut is_next = |expected: u8| {
        let byte = escape(rest).or(rest.first().copied());
        rest = rest.get(if escape(rest).is_some() { 3 } else { 1 }..).unwrap_or_default();
        byte == Some(expected)
    };
    expected.bytes().all(&mut is_next) && rest.is_empty()
}

/// Writes `bytes` with everything but the unreserved characters escaped.
pub(crate) fn encode<S: Sink>(bytes: &[u8], sink: &mut S) {
    let plain = bytes.iter().position(|byte| !is_unreserved(*byte)).unwrap_or(bytes.len());
    let (plain, rest) = bytes.split_at(plain);
    sink.put(plain);
    for some in rest.chunks(ENCODED_AT_ONCE) {
        let (mut text, mut len) = ([0; 3 * ENCODED_AT_ONCE], 0);
        for byte in some {
            let (encoded, added) = ENCODED[usize::from(*byte)];
            text[len..len + 3].copy_from_slice(&encoded);
            len += added;
        }
        sink.put(&text[..len]);
    }
}

/// How many bytes are encoded in one go.
const ENCODED_AT_ONCE: usize = 32;

/// What is written for each byte, and how much of it.
const ENCODED: [([u8; 3], usize); 256] = {
    let mut table = [([0; 3], 1); 256];
    let mut byte = 0;
    while byte < 256 {
        let char = byte as u8;
        table[byte] = if is_unreserved(char) { ([char, 0, 0], 1) } else { (escaped(char), 3) };
        byte += 1;
    }
    table
};

/// Writes one escape, with upper-case digits.
pub(crate) fn put_escape<S: Sink>(byte: u8, sink: &mut S) {
    sink.put(&escaped(byte));
}

const fn escaped(byte: u8) -> [u8; 3] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    [b'%', DIGITS[(byte >> 4) as usize], DIGITS[(byte & 15) as usize]]
}

/// Which bytes are unreserved.
pub(crate) const UNRESERVED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let char = byte as u8;
        table[byte] = char.is_ascii_alphanumeric() || matches!(char, b'-' | b'_' | b'.' | b'~');
        byte += 1;
    }
    table
};

/// The value of each hexadecimal digit, and 16 for everything else.
const HEX: [u8; 256] = {
    let mut table = [16; 256];
    let mut value = 0;
    while value < 16 {
        table[b"0123456789abcdef"[value] as usize] = value as u8;
        table[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_encoding_and_decoding() {
        for byte in 0..=255 {
            let mut text = Vec::new();
            encode(&[byte], &mut text);
            if is_unreserved(byte) {
                assert_eq!(text, [byte]);
            } else {
                assert_eq!(text.len(), 3);
                assert_eq!(escape(&text), Some(byte));
            }
        }
    }

    #[test]
    fn an_escape_needs_two_hexadecimal_digits() {
        for text in ["%", "%4", "%4g", "%g4", "%%41", "4141", "%-1", "% 1"] {
            assert_eq!(escape(text.as_bytes()), None, "{text}");
        }
        assert_eq!(escape(b"%4a"), Some(0x4a));
        assert_eq!(escape(b"%4A"), Some(0x4a));
    }
}
