//! How a query is cut, decoded, ordered and written into the canonical form.

use super::order::{self, Collation};
use super::path::Utf8;
use super::percent::{self, escape};
use super::{Quirks, Sink};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::cmp::Ordering;

/// A dialect's way with the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueryRules {
    pub(crate) cut: Cut,
    pub(crate) plus: Plus,
    pub(crate) utf8: Utf8,
    /// Parts with a malformed escape or a plain semicolon are dropped (Go).
    pub(crate) drop_faulty: bool,
    pub(crate) drop_empty: bool,
    pub(crate) drop_nameless: bool,
    pub(crate) blank: Blank,
    pub(crate) repeated: Repeated,
    pub(crate) order: Order,
    pub(crate) collation: Collation,
    pub(crate) key: Encoding,
    pub(crate) value: Encoding,
    pub(crate) joiner: u8,
    /// What stands in front of the parameters, when there are any.
    pub(crate) lead: Option<u8>,
}

/// Where a query is cut into its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Ampersand,
    AmpersandOrSemicolon,
    /// At every ampersand there is once all of the query is decoded.
    AfterDecoding,
}

/// What `+` means in a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plus {
    Space,
    Itself,
}

/// How `k` and `k=` are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blank {
    /// Each as it was sent.
    AsSent,
    /// Both as `k=`.
    Equals,
    /// Both as `k`.
    Bare,
    /// Neither is signed.
    LeftOut,
}

/// Which of several values of one key are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeated {
    All,
    First,
    Last,
}

/// What the parts are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    AsSent,
    /// By the whole text `k=v`.
    Pair,
    /// By the key; equal keys by their values, where all of them are signed.
    Key,
}

/// How a key or a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Decoded.
    Plain,
    /// Decoded, with `+`, `*` and `%7E` as `%20`, `%2A` and `~`.
    FormChars,
    Rfc3986,
}

/// One parameter in the decoded text: the key ends at `equals`, which is `end`
/// when no value follows.
#[derive(Clone, Copy, Debug)]
struct Part {
    start: u32,
    equals: u32,
    end: u32,
}

impl Part {
    fn whole(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.end as usize]
    }

    fn key(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.equals as usize]
    }

    /// The value with its equals sign; empty when there is neither.
    fn tail(self, text: &[u8]) -> &[u8] {
        &text[self.equals as usize..self.end as usize]
    }
}

type Parts = SmallVec<[Part; 64]>;

impl QueryRules {
    /// Writes the parameters of `query`, without the one named `except`, and
    /// says what is ambiguous about them.
    pub(crate) fn write<S: Sink>(
        &self,
        query: &[u8],
        except: Option<&[u8]>,
        sink: &mut S,
    ) -> Quirks {
        if query.is_empty() && self.drop_empty {
            return Quirks::NONE;
        }
        let mut quirks = Quirks::NONE;
        // One equals sign may be added.
        with_scratch(query.len() + 1, |text| {
            let mut parts = Parts::new();
            quirks = Reader { rules: self, text, filled: 0, parts: &mut parts }.read(query);
            if let Some(name) = except {
                parts.retain(|part| part.key(text) != name);
            }
            quirks |= self.arrange(text, &mut parts);
            self.put(text, &parts, sink);
        });
        quirks
    }

    fn arrange(&self, text: &[u8], parts: &mut Parts) -> Quirks {
        let key = |a: &Part, b: &Part| self.collation.compare(a.key(text), b.key(text));
        match self.order {
            Order::AsSent => {}
            Order::Pair => order::sort(
                parts,
                self.collation,
                |part| part.whole(text),
                |a, b| self.collation.compare(a.whole(text), b.whole(text)),
            ),

            Order::Key => order::sort(
                parts,
                self.collation,
                |part| part.key(text),
                |a, b| {
                    let order = key(a, b);
                    match self.repeated {
                        Repeated::All => {
                            order.then_with(|| self.collation.compare(a.tail(text), b.tail(text)))
                        }
                        Repeated::First | Repeated::Last => order,
                    }
                },
            ),
        }
        if self.repeated == Repeated::All {
            return Quirks::NONE;
        }
        let before = parts.len();
        if self.repeated == Repeated::Last {
            parts.reverse();
        }
        parts.dedup_by(|a, b| key(a, b) == Ordering::Equal);
        if self.repeated == Repeated::Last {
            parts.reverse();
        }
        if parts.len() < before { Quirks::REPEATED_KEY } else { Quirks::NONE }
    }

    fn put<S: Sink>(&self, text: &[u8], parts: &[Part], sink: &mut S) {
        let plain = self.key == Encoding::Plain && self.value == Encoding::Plain;
        for (index, part) in parts.iter().enumerate() {
            match (index, self.lead) {
                (0, None) => {}
                (0, Some(lead)) => sink.put_byte(lead),
                _ => sink.put_byte(self.joiner),
            }
            if plain {
                sink.put(part.whole(text));
                continue;
            }
            self.key.write(part.key(text), sink);
            if let Some((equals, value)) = part.tail(text).split_first() {
                sink.put_byte(*equals);
                self.value.write(value, sink);
            }
        }
    }
}

impl Encoding {
    fn write<S: Sink>(self, text: &[u8], sink: &mut S) {
        match self {
            Self::Plain => sink.put(text),
            Self::Rfc3986 => percent::encode(text, sink),
            Self::FormChars => percent::replace_form_chars(text, sink),
        }
    }
}

/// Cuts and decodes a query, once, from front to back.
struct Reader<'a> {
    rules: &'a QueryRules,
    text: &'a mut [u8],
    filled: usize,
    parts: &'a mut Parts,
}

/// A part that is being read.
#[derive(Clone, Copy)]
struct Open {
    start: usize,
    equals: Option<usize>,
    faulty: bool,
    /// Something in it is beyond ASCII.
    wide: bool,
}

impl Reader<'_> {
    fn read(mut self, query: &[u8]) -> Quirks {
        let mut quirks = Quirks::NONE;
        let mut part = self.open();
        let mut rest = query;
        loop {
            rest = self.take_plain(rest);
            let [special, after @ ..] = rest else { break };
            rest = after;
            match *special {
                b'%' => match escape(&query[query.len() - after.len() - 1..]) {
                    Some(byte) => {
                        rest = &after[2..];
                        if !byte.is_ascii() {
                            part.wide = true;
                        } else if !byte.is_ascii_alphanumeric() {
                            quirks |= in_key_or_value(byte, part.equals.is_none());
                            if byte == b'&' && self.rules.cut == Cut::AfterDecoding {
                                quirks |= self.close(part);
                                part = self.open();
                                continue;
                            }
                        }
                        self.push(byte);
                    }
                    None => {
                        quirks |= Quirks::MALFORMED;
                        part.faulty = true;
                        self.push(b'%');
                    }
                },
                b'=' => {
                    part.equals = part.equals.or(Some(self.filled));
                    self.push(b'=');
                }
                b'&' => {
                    quirks |= self.close(part);
                    part = self.open();
                }
                b'+' if self.rules.plus == Plus::Space => self.push(b' '),
                b'+' => {
                    quirks |= Quirks::PLUS;
                    self.push(b'+');
                }
                b';' => {
                    quirks |= Quirks::SEMICOLON;
                    if self.rules.cut == Cut::AmpersandOrSemicolon {
                        quirks |= self.close(part);
                        part = self.open();
                    } else {
                        part.faulty = true;
                        self.push(b';');
                    }
                }
                wide => {
                    part.wide = true;
                    self.push(wide);
                }
            }
        }
        quirks | self.close(part)
    }

    /// Takes over what stands for itself from the front of a query.
    #[inline(always)]
    fn take_plain<'q>(&mut self, query: &'q [u8]) -> &'q [u8] {
        // Slices of one length, so that the bounds are checked once.
        let room = &mut self.text[self.filled..][..query.len()];
        let mut taken = 0;
        while taken < query.len() && PLAIN[usize::from(query[taken])] {
            room[taken] = query[taken];
            taken += 1;
        }
        self.filled += taken;
        &query[taken..]
    }

    fn open(&self) -> Open {
        Open { start: self.filled, equals: None, faulty: false, wide: false }
    }

    fn push(&mut self, byte: u8) {
        self.text[self.filled] = byte;
        self.filled += 1;
    }

    /// Ends a part: keeps it, or takes its text back.
    fn close(&mut self, part: Open) -> Quirks {
        let (rules, start) = (self.rules, part.start);
        let mut quirks = Quirks::NONE;
        if part.faulty && rules.drop_faulty {
            self.filled = start;
            return quirks;
        }
        let mut equals = part.equals.unwrap_or(self.filled);
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
        quirks |= protocol_key(&self.text[start..equals]);
        self.parts.push(Part {
            start: start as u32,
            equals: equals as u32,
            end: self.filled as u32,
        });
        quirks
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
    match key.strip_prefix(b"x-fc-") {
        None => Quirks::NONE,
        Some(b"expires") => Quirks::EXPIRES_AS_DATE,
        Some(b"signature" | b"access-key-id" | b"security-token") => Quirks::QUERY_CREDENTIALS,
        Some(_) => Quirks::NONE,
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

/// Lends `work` a buffer of at least `len` bytes, from the stack unless that
/// would be more than 4 KiB, the longest target an HTTP trigger takes.
fn with_scratch(len: usize, mut work: impl FnMut(&mut [u8])) {
    match len {
        0..=256 => work(&mut [0; 256]),
        257..=2048 => work(&mut [0; 2048]),
        2049..=4096 => work(&mut [0; 4096]),
        _ => work(&mut vec![0; len]),
    }
}
