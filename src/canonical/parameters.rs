//! How a query is cut and decoded into its parameters.

use super::Quirks;
use super::path::Utf8;
use super::percent::{UNRESERVED, escape};
use super::query::{Blank, Cut, Encoding, Plus, QueryRules};
use smallvec::SmallVec;
use std::borrow::Cow;

/// One parameter in the decoded text: the key ends at `equals`, which is `end`
/// when no value follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    start: u32,
    equals: u32,
    end: u32,
    /// Where it stands in the query, if it does so as RFC 3986 encoding would write
    /// it; empty otherwise.
    sent: (u32, u32),
}

impl Part {
    pub(crate) fn whole(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.end as usize]
    }

    pub(crate) fn key(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.equals as usize]
    }

    /// The value with its equals sign; empty when there is neither.
    pub(crate) fn tail(self, text: &[u8]) -> &[u8] {
        &text[self.equals as usize..self.end as usize]
    }

    /// The part of the query, if encoding would write the same.
    pub(crate) fn as_sent(self, query: &[u8]) -> Option<&[u8]> {
        let (start, end) = self.sent;
        (start < end).then(|| &query[start as usize..end as usize])
    }
}

pub(crate) type Parts = SmallVec<[Part; 64]>;

/// Cuts and decodes a query, once, from front to back.
pub(crate) struct Reader<'a> {
    rules: &'a QueryRules,
    /// Where the decoded text goes. It never is longer than the query, but for one
    /// equals sign that may be added.
    text: &'a mut [u8],
    filled: usize,
    parts: &'a mut Parts,
    /// Which bytes are taken over as they are.
    plain: &'static [bool; 256],
}

/// A part that is being read.
#[derive(Clone, Copy)]
struct Open {
    start: usize,
    equals: Option<usize>,
    sent: usize,
    /// It was sent as RFC 3986 encoding would write it.
    canonical: bool,
    faulty: bool,
    /// Something in it is beyond ASCII.
    wide: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(rules: &'a QueryRules, text: &'a mut [u8], parts: &'a mut Parts) -> Self {
        let plain = match rules.value {
            Encoding::Rfc3986 => &UNRESERVED,
            Encoding::Plain | Encoding::FormChars => &PLAIN,
        };
        Self { rules, text, filled: 0, parts, plain }
    }

    /// Reads all of a query and says what is ambiguous about it.
    pub(crate) fn read(mut self, query: &[u8]) -> Quirks {
        let mut quirks = Quirks::NONE;
        let mut part = self.open(0);
        let mut rest = query;
        loop {
            rest = self.take_plain(rest);
            let [special, after @ ..] = rest else { break };
            rest = after;
            match *special {
                b'%' => match escape(&query[query.len() - after.len() - 1..]) {
                    Some(byte) => {
                        rest = &after[2..];
                        let lower_case = after[..2].iter().any(u8::is_ascii_lowercase);
                        part.canonical &= !lower_case && !UNRESERVED[usize::from(byte)];
                        if !byte.is_ascii() {
                            part.wide = true;
                        } else if !byte.is_ascii_alphanumeric() {
                            quirks |= in_key_or_value(byte, part.equals.is_none());
                            if byte == b'&' && self.rules.cut == Cut::AfterDecoding {
                                quirks |= self.close(part, query.len() - after.len() - 1);
                                part = self.open(query.len() - rest.len());
                                continue;
                            }
                        }
                        self.push(byte);
                    }
                    None => {
                        quirks |= Quirks::MALFORMED;
                        part.faulty = true;
                        part.canonical = false;
                        self.push(b'%');
                    }
                },
                b'=' => {
                    part.canonical &= part.equals.is_none();
                    part.equals = part.equals.or(Some(self.filled));
                    self.push(b'=');
                }
                b'&' => {
                    quirks |= self.close(part, query.len() - after.len() - 1);
                    part = self.open(query.len() - after.len());
                }
                b'+' => {
                    part.canonical = false;
                    if self.rules.plus == Plus::Space {
                        self.push(b' ');
                    } else {
                        quirks |= Quirks::PLUS;
                        self.push(b'+');
                    }
                }
                b';' => {
                    quirks |= Quirks::SEMICOLON;
                    if self.rules.cut == Cut::AmpersandOrSemicolon {
                        quirks |= self.close(part, query.len() - after.len() - 1);
                        part = self.open(query.len() - after.len());
                    } else {
                        part.faulty = true;
                        part.canonical = false;
                        self.push(b';');
                    }
                }
                other => {
                    part.canonical = false;
                    part.wide |= !other.is_ascii();
                    self.push(other);
                }
            }
        }
        quirks | self.close(part, query.len())
    }

    /// Takes over what stands for itself from the front of a query.
    #[inline(always)]
    fn take_plain<'q>(&mut self, query: &'q [u8]) -> &'q [u8] {
        // Slices of one length, so that the bounds are checked once.
        let room = &mut self.text[self.filled..][..query.len()];
        let mut taken = 0;
        while taken < query.len() && self.plain[usize::from(query[taken])] {
            room[taken] = query[taken];
            taken += 1;
        }
        self.filled += taken;
        &query[taken..]
    }

    fn open(&self, sent: usize) -> Open {
        let start = self.filled;
        Open { start, equals: None, sent, canonical: true, faulty: false, wide: false }
    }

    fn push(&mut self, byte: u8) {
        self.text[self.filled] = byte;
        self.filled += 1;
    }

    /// Ends a part, which was sent up to `sent_end`: keeps it, or takes its text back.
    fn close(&mut self, part: Open, sent_end: usize) -> Quirks {
        let (rules, start) = (self.rules, part.start);
        let mut quirks = Quirks::NONE;
        if part.faulty && rules.drop_faulty {
            self.filled = start;
            return quirks;
        }
        let mut equals = part.equals.unwrap_or(self.filled);
        let read = self.filled;
        if part.wide && rules.utf8 == Utf8::Replace {
            quirks |= self.replace_malformed(start, &mut equals);
        }
        if self.filled == start {
            if rules.drop_empty {
                return quirks;
            }
        } else if rules.drop_nameless && equals == start {
            self.filled = start;
            return quirks | Quirks::NAMELESS;
        } else if self.filled - equals < 2 {
            match rules.blank {
                Blank::AsSent => {}
                Blank::Equals => {
                    self.filled = equals;
                    self.push(b'=');
                }
                Blank::Bare => self.filled = equals,
                Blank::LeftOut => {
                    self.filled = start;
                    return quirks | Quirks::BLANK_VALUE;
                }
            }
        }
        let as_sent = part.canonical && quirks == Quirks::NONE && self.filled == read;
        let sent = if as_sent { (part.sent, sent_end) } else { (0, 0) };
        let number = |position: usize| position as u32;
        self.parts.push(Part {
            start: number(start),
            equals: number(equals),
            end: number(self.filled),
            sent: (number(sent.0), number(sent.1)),
        });
        quirks | protocol_key(&self.text[start..equals])
    }

    /// Makes the key and the value of a part UTF-8. There is always room: an
    /// escape of three bytes becomes at the most one replacement character of three.
    fn replace_malformed(&mut self, start: usize, equals: &mut usize) -> Quirks {
        let part = &self.text[start..self.filled];
        if std::str::from_utf8(part).is_ok() {
            return Quirks::NONE;
        }
        let (key, tail) = part.split_at(*equals - start);
        let key = String::from_utf8_lossy(key).into_owned();
        let tail = String::from_utf8_lossy(tail).into_owned();
        *equals = start + key.len();
        self.filled = *equals + tail.len();
        self.text[start..*equals].copy_from_slice(key.as_bytes());
        self.text[*equals..self.filled].copy_from_slice(tail.as_bytes());
        Quirks::NOT_UTF8
    }
}

/// What the name of a parameter says about how the request is signed.
fn protocol_key(key: &[u8]) -> Quirks {
    match key {
        b"x-fc-expires" => Quirks::EXPIRES_AS_DATE,
        b"x-fc-signature" | b"x-fc-access-key-id" | b"x-fc-security-token" => {
            Quirks::QUERY_CREDENTIALS
        }
        _ => Quirks::NONE,
    }
}

/// The decoded value of the first parameter named `name`.
pub(crate) fn parameter<'a>(query: &'a [u8], name: &str) -> Option<Cow<'a, [u8]>> {
    parameters(query).find(|(key, _)| key.as_ref() == name.as_bytes()).map(|(_, value)| value)
}

/// The decoded parameters of a query as a form parser reads them.
pub(crate) fn parameters(query: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    query.split(|byte| *byte == b'&').filter(|part| !part.is_empty()).map(|part| {
        let equals = part.iter().position(|byte| *byte == b'=').unwrap_or(part.len());
        (decode(&part[..equals]), decode(part.get(equals + 1..).unwrap_or_default()))
    })
}

fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => decoded.push(b' '),
            b'%' => match escape(&text[text.len() - after.len() - 1..]) {
                Some(byte) => {
                    decoded.push(byte);
                    rest = &after[2..];
                }
                None => decoded.push(b'%'),
            },
            _ => decoded.push(*first),
        }
    }
    Cow::Owned(decoded)
}

/// Which bytes stand for themselves in every query.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        plain[byte] = !matches!(byte as u8, b'&' | b'=' | b'%' | b'+' | b';');
        byte += 1;
    }
    plain
};

/// What a decoded byte makes ambiguous in a key or in a value.
const fn in_key_or_value(byte: u8, in_key: bool) -> Quirks {
    match (byte, in_key) {
        (b'\n', true) => Quirks::KEY_NEWLINE,
        (b'\n', false) => Quirks::VALUE_NEWLINE,
        (b'=', true) => Quirks::KEY_EQUALS,
        (b'&', true) => Quirks::KEY_AMPERSAND,
        (b'%', true) => Quirks::KEY_PERCENT,
        (b'+', true) => Quirks::KEY_PLUS,
        (b'&', false) => Quirks::VALUE_AMPERSAND,
        _ => Quirks::NONE,
    }
}
