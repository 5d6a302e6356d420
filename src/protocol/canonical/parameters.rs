//! How a query is cut and decoded into its parameters.

#[cfg(test)]
use super::percent::decode_form;
use super::percent::{UNRESERVED, hex_pair};
use super::rules::{Blank, Cut, Encoding, Plus, QueryRules, Utf8};
use crate::protocol::scheme::ambiguity::Ambiguities;
use smallvec::SmallVec;
#[cfg(test)]
use std::borrow::Cow;

/// One parameter in the decoded text: the key ends at `equals`, which is `end`
/// when no value follows.
///
/// It begins where it began in the query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    start: u32,
    equals: u32,
    end: u32,
    /// Where it ended in the query, if it stands there as RFC 3986 encoding would
    /// write it; 0 otherwise.
    sent_end: u32,
}

impl Part {
    pub(crate) fn whole(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.end as usize]
    }

    pub(crate) fn key(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.equals as usize]
    }

    pub(crate) fn key_len(self) -> u32 {
        self.equals - self.start
    }

    /// The value with its equals sign; empty when there is neither.
    pub(crate) fn tail(self, text: &[u8]) -> &[u8] {
        &text[self.equals as usize..self.end as usize]
    }

    /// The part of the query, if encoding would write the same.
    pub(crate) fn as_sent(self, query: &[u8]) -> Option<&[u8]> {
        query.get(self.start as usize..self.sent_end as usize).filter(|sent| !sent.is_empty())
    }
}

pub(crate) type Parts = SmallVec<[Part; 64]>;

/// Cuts and decodes a query, once, from front to back.
pub(crate) struct Reader<'a> {
    rules: &'a QueryRules,
    query: &'a [u8],
    /// The query, and one byte more. Parts are decoded in place, where they never
    /// become longer, but for one equals sign that may be added in place of the
    /// separator or of that last byte.
    text: &'a mut [u8],
    parts: &'a mut Parts,
    /// Which bytes are taken over as they are.
    plain: &'static [bool; 256],
}

/// A part that is being read.
#[derive(Clone, Copy)]
struct Open {
    start: usize,
    /// Where its first equals sign is in the text, or [`NOWHERE`].
    equals: usize,
    marks: Marks,
}

const NOWHERE: usize = usize::MAX;

impl Open {
    fn at(start: usize) -> Self {
        Self { start, equals: NOWHERE, marks: 0 }
    }

    /// Takes note of an equals sign.
    fn equals(&mut self, at: usize) {
        if self.equals == NOWHERE {
            self.equals = at;
        } else {
            self.marks |= UNLIKE;
        }
    }
}

/// What is known of the bytes of a part, as bits.
type Marks = u8;

/// It was not sent as RFC 3986 encoding would write it.
const UNLIKE: Marks = 1;
/// Something in it is beyond ASCII.
const WIDE: Marks = 2;
/// It has a malformed escape or a semicolon.
const FAULTY: Marks = 4;

impl<'a> Reader<'a> {
    /// For a query of which `text` begins with a copy, one byte longer.
    pub(crate) fn new(
        rules: &'a QueryRules,
        query: &'a [u8],
        text: &'a mut [u8],
        parts: &'a mut Parts,
    ) -> Self {
        let plain = match rules.value {
            Encoding::Rfc3986 => &UNRESERVED,
            Encoding::Plain | Encoding::FormChars => &PLAIN,
        };
        Self { rules, query, text, parts, plain }
    }

    /// Reads all of the query and says what is ambiguous about it.
    pub(crate) fn read(mut self) -> Ambiguities {
        let mut found = Ambiguities::empty();
        let mut at = 0;
        loop {
            let mut part = Open::at(at);
            at = self.skip_plain(&mut part, at);
            let mut to = at;
            match self.query.get(at) {
                None | Some(b'&')
                    if part.start < part.equals && part.equals.saturating_add(1) < to =>
                {
                    // The usual case: as it was sent, with a name and a value.
                    let sent_end = if part.marks == 0 { at } else { 0 };
                    self.keep(&part, part.equals, to, sent_end);
                }
                None | Some(b'&') => found |= self.close(part, to, at),
                Some(_) => {
                    (to, at) = self.decode(&mut part, at, &mut found);
                    found |= self.close(part, to, at);
                }
            }
            if at == self.query.len() {
                return found;
            }
            at += 1;
        }
    }

    /// Walks over what stands for itself: up to what does not, the end of the part, or
    /// the end of the query.
    fn skip_plain(&self, part: &mut Open, mut at: usize) -> usize {
        loop {
            let rest = &self.query[at..];
            let plain = rest.iter().position(|byte| !self.plain[usize::from(*byte)]);
            at += plain.unwrap_or(rest.len());
            match self.query.get(at) {
                Some(b'=') => part.equals(at),
                _ => return at,
            }
            at += 1;
        }
    }

    /// Decodes a part from `at` on. Returns where it ends in the text and in the query.
    fn decode(
        &mut self,
        part: &mut Open,
        mut at: usize,
        found: &mut Ambiguities,
    ) -> (usize, usize) {
        let (query, plain) = (self.query, self.plain);
        let mut to = at;
        while at < query.len() {
            let mut byte = query[at];
            match byte {
                _ if plain[usize::from(byte)] => {}
                b'%' => {
                    if let Some(read) = self.decode_escapes(part, at, to, found) {
                        (to, at) = read;
                        continue;
                    }
                    *found |= Ambiguities::MALFORMED;
                    part.marks |= FAULTY | UNLIKE;
                }
                b'=' => part.equals(to),
                b'&' => break,
                b'+' => {
                    part.marks |= UNLIKE;
                    match self.rules.plus {
                        Plus::Space => byte = b' ',
                        Plus::Itself => *found |= Ambiguities::PLUS,
                    }
                }
                b';' => {
                    *found |= Ambiguities::SEMICOLON;
                    if self.rules.cut == Cut::AmpersandOrSemicolon {
                        break;
                    }
                    part.marks |= FAULTY | UNLIKE;
                }
                _ => part.marks |= UNLIKE | DECODED[usize::from(byte)],
            }
            self.text[to] = byte;
            to += 1;
            at += 1;
        }
        (to, at)
    }

    /// Decodes the escapes that stand one after the other from `at` on, into the text
    /// from `to` on. Returns where both end; `None` if there is none.
    fn decode_escapes(
        &mut self,
        part: &mut Open,
        mut at: usize,
        mut to: usize,
        found: &mut Ambiguities,
    ) -> Option<(usize, usize)> {
        let start = at;
        let ambiguous = if part.equals == NOWHERE { &IN_KEY } else { &IN_VALUE };
        let (mut marks, mut seen) = (part.marks, *found);
        while let Some([b'%', high, low]) = self.query[at..].first_chunk() {
            let Some(byte) = hex_pair(*high, *low) else { break };
            at += 3;
            marks |= DECODED[usize::from(byte)];
            if *high.max(low) >= b'a' {
                marks |= UNLIKE;
            }
            seen |= ambiguous[usize::from(byte)];
            if byte == b'&' && self.rules.cut == Cut::AfterDecoding {
                part.marks = marks;
                *found = seen | self.close(*part, to, at - 3);
                *part = Open::at(at);
                return Some((at, at));
            }
            self.text[to] = byte;
            to += 1;
        }
        part.marks = marks;
        *found = seen;
        (at > start).then_some((to, at))
    }

    /// Ends a part, which is in the text up to `end` and was sent up to `sent_end`.
    fn close(&mut self, part: Open, mut end: usize, sent_end: usize) -> Ambiguities {
        let (rules, start) = (self.rules, part.start);
        let mut found = Ambiguities::empty();
        if part.marks & FAULTY != 0 && rules.drop_faulty {
            return found;
        }
        let mut equals = part.equals.min(end);
        let read = end;
        if part.marks & WIDE != 0 && rules.utf8 == Utf8::Replace {
            found |= self.replace_malformed(start, &mut equals, &mut end);
        }
        if end == start {
            if rules.drop_empty {
                return found;
            }
        } else if rules.drop_nameless && equals == start {
            return found | Ambiguities::NAMELESS;
        } else if end - equals < 2 {
            match rules.blank {
                Blank::AsSent => {}
                Blank::Equals => {
                    self.text[equals] = b'=';
                    end = equals + 1;
                }
                Blank::Bare => end = equals,
                Blank::LeftOut => return found | Ambiguities::BLANK_VALUE,
            }
        }
        let as_sent = part.marks & UNLIKE == 0 && found == Ambiguities::empty() && end == read;
        self.keep(&part, equals, end, if as_sent { sent_end } else { 0 });
        found
    }

    /// Keeps a part.
    fn keep(&mut self, part: &Open, equals: usize, end: usize, sent_end: usize) {
        let number = |position: usize| position as u32;
        self.parts.push(Part {
            start: number(part.start),
            equals: number(equals),
            end: number(end),
            sent_end: number(sent_end),
        });
    }

    /// Makes the key and the value of a part UTF-8. There is always room: an
    /// escape of three bytes becomes at the most one replacement character of three.
    fn replace_malformed(
        &mut self,
        start: usize,
        equals: &mut usize,
        end: &mut usize,
    ) -> Ambiguities {
        let part = &self.text[start..*end];
        if std::str::from_utf8(part).is_ok() {
            return Ambiguities::empty();
        }
        let (key, tail) = part.split_at(*equals - start);
        let key = String::from_utf8_lossy(key).into_owned();
        let tail = String::from_utf8_lossy(tail).into_owned();
        *equals = start + key.len();
        *end = *equals + tail.len();
        self.text[start..*equals].copy_from_slice(key.as_bytes());
        self.text[*equals..*end].copy_from_slice(tail.as_bytes());
        Ambiguities::NOT_UTF8
    }
}

/// The decoded parameters of a query as a form parser reads them.
#[cfg(test)]
pub(crate) fn parameters(query: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    query.split(|byte| *byte == b'&').filter(|part| !part.is_empty()).map(|part| {
        let equals = part.iter().position(|byte| *byte == b'=').unwrap_or(part.len());
        (decode_form(&part[..equals]), decode_form(part.get(equals + 1..).unwrap_or_default()))
    })
}

/// Which bytes stand for themselves where parameters are written decoded.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        plain[byte] = !matches!(byte as u8, b'&' | b'=' | b'%' | b'+' | b';');
        byte += 1;
    }
    plain
};

/// What an escape says by the byte that it stands for: other than what is unreserved,
/// everything has to be encoded.
const DECODED: [Marks; 256] = {
    let mut marks = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if byte > 127 {
            marks[byte] = WIDE;
        } else if UNRESERVED[byte] {
            marks[byte] = UNLIKE;
        }
        byte += 1;
    }
    marks
};

/// What each decoded byte makes ambiguous in a key, and in a value.
const IN_KEY: [Ambiguities; 256] = {
    let mut found = [Ambiguities::empty(); 256];
    found[b'\n' as usize] = Ambiguities::KEY_NEWLINE;
    found[b'=' as usize] = Ambiguities::KEY_EQUALS;
    found[b'&' as usize] = Ambiguities::KEY_AMPERSAND;
    found[b'%' as usize] = Ambiguities::KEY_PERCENT;
    found[b'+' as usize] = Ambiguities::KEY_PLUS;
    found
};

const IN_VALUE: [Ambiguities; 256] = {
    let mut found = [Ambiguities::empty(); 256];
    found[b'\n' as usize] = Ambiguities::VALUE_NEWLINE;
    found[b'&' as usize] = Ambiguities::VALUE_AMPERSAND;
    found
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::dialect::Dialect;
    use crate::protocol::scheme::Family;

    /// What of each part of a query could be written as it was sent.
    fn as_sent(query: &'static str) -> Vec<Option<&'static str>> {
        let rules: &QueryRules = Dialect::standard(Family::Acs3).query.as_ref().unwrap();
        let query = query.as_bytes();
        let (mut text, mut parts) = ([query, &[0]].concat(), Parts::new());
        Reader::new(rules, query, &mut text, &mut parts).read();
        parts
            .iter()
            .map(|part| part.as_sent(query).map(|sent| std::str::from_utf8(sent).unwrap()))
            .collect()
    }

    #[test]
    fn what_encoding_would_write_again_is_taken_as_it_was_sent() {
        assert_eq!(as_sent("a=b&c=%20d"), [Some("a=b"), Some("c=%20d")]);
        assert_eq!(
            as_sent("a=%41&b=%2f&c=+&d=e=f&g=!&h="),
            [None, None, None, None, None, Some("h=")]
        );
        assert_eq!(as_sent("a"), [None]);
    }

    #[test]
    fn only_what_is_ascii_is_plain() {
        for byte in 0..=255_u8 {
            let special = matches!(byte, b'&' | b'=' | b'%' | b'+' | b';');
            assert_eq!(PLAIN[usize::from(byte)], byte.is_ascii() && !special, "{byte}");
            assert_eq!(DECODED[usize::from(byte)] == WIDE, !byte.is_ascii(), "{byte}");
        }
    }
}
