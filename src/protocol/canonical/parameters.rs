//! How a query is cut and decoded into its parameters.

#[cfg(test)]
use super::percent::decode_form;
use super::percent::{REPLACEMENT, UNRESERVED, hex_pair};
use super::rules::{Cut, Encoding, Plus, QueryRules};
use crate::protocol::scheme::ambiguity::Ambiguities;
use smallvec::SmallVec;
#[cfg(test)]
use std::borrow::Cow;

/// One parameter in the decoded text: its key, an equals sign, and its value. It has an equals
/// sign whether one was sent or not, until that is taken away.
///
/// It begins where it began in the query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) start: u32,
    equals: u32,
    end: u32,
    /// Where it ended in the query, which is no longer than 16 bits can tell.
    sent_end: u16,
    marks: u16,
}

impl Part {
    pub(crate) fn marks(self) -> Marks {
        Marks::from(self.marks)
    }

    pub(crate) fn key_len(self) -> u32 {
        self.equals - self.start
    }

    pub(crate) fn key(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.equals as usize]
    }

    pub(crate) fn whole(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.end as usize]
    }

    /// The value with its equals sign; empty when there is neither.
    pub(crate) fn tail(self, text: &[u8]) -> &[u8] {
        &text[self.equals as usize..self.end as usize]
    }

    pub(crate) fn value(self, text: &[u8]) -> &[u8] {
        self.tail(text).get(1..).unwrap_or_default()
    }

    /// Notes how it compares with the one before it in an order, in place of what was noted.
    pub(crate) fn mark(&mut self, marks: Marks) {
        self.marks = self.marks & !(REPEATED | OTHER) as u16 | marks as u16;
    }

    /// Takes it without its equals sign if nothing follows that.
    pub(crate) fn without_equals(&mut self) {
        self.end = self.equals;
    }

    /// The part of the query, if encoding would write the same.
    pub(crate) fn as_sent(self, query: &[u8]) -> Option<&[u8]> {
        match self.marks() & (UNLIKE | BARE) {
            0 => query.get(self.start as usize..usize::from(self.sent_end)),
            _ => None,
        }
    }

    /// Whether encoding it would change nothing.
    pub(crate) fn is_plain(self) -> bool {
        self.marks() & (UNLIKE | ESCAPED) == 0
    }

    /// Puts U+FFFD in place of what is not UTF-8.
    ///
    /// There is always room where it stood in the query: an escape of three bytes becomes at
    /// the most one replacement character of three.
    fn replace_malformed(&mut self, text: &mut [u8]) -> Ambiguities {
        let (start, end) = (self.start as usize, self.end as usize);
        if std::str::from_utf8(&text[start..end]).is_ok() {
            return Ambiguities::empty();
        }
        let added = usize::from(self.marks() & BARE != 0);
        let room = &mut text[start..usize::from(self.sent_end) + added];
        // What is yet to be read is at the end of the room, and what is written never gets there:
        // it becomes longer by each replacement, and not shorter by any.
        let mut from = room.len() - (end - start);
        room.copy_within(..end - start, from);
        let equals = from + self.key_len() as usize;
        let mut to = 0;
        while let Some(chunk) = room[from..].utf8_chunks().next() {
            let (valid, invalid) = (chunk.valid().len(), chunk.invalid().len());
            if (from..from + valid).contains(&equals) {
                self.equals = self.start + (to + equals - from) as u32;
            }
            room.copy_within(from..from + valid, to);
            (from, to) = (from + valid + invalid, to + valid);
            if invalid > 0 {
                room[to..to + REPLACEMENT.len()].copy_from_slice(REPLACEMENT);
                to += REPLACEMENT.len();
            }
        }
        self.end = self.start + to as u32;
        self.marks |= (UNLIKE | HIGH) as u16;
        Ambiguities::NOT_UTF8
    }
}

pub(crate) type Parts = SmallVec<[Part; 64]>;

/// What is known of a part, or of several, as bits.
pub(crate) type Marks = u32;

/// It was not sent as RFC 3986 encoding would write it.
pub(crate) const UNLIKE: Marks = 1;
/// Something in it is beyond ASCII.
pub(crate) const WIDE: Marks = 1 << 1;
/// Something in it is beyond U+DFFF.
pub(crate) const HIGH: Marks = 1 << 2;
/// It has an escape.
pub(crate) const ESCAPED: Marks = 1 << 3;
/// It has a plus sign, unescaped.
pub(crate) const PLUS: Marks = 1 << 4;
/// It has a malformed escape or a semicolon.
pub(crate) const FAULTY: Marks = 1 << 5;
/// It has no equals sign.
pub(crate) const BARE: Marks = 1 << 6;
/// It has no value, but something else.
pub(crate) const BLANK: Marks = 1 << 7;
/// It has no name, but an equals sign.
pub(crate) const NAMELESS: Marks = 1 << 8;
/// It has nothing.
pub(crate) const EMPTY: Marks = 1 << 9;

/// It has the name of the part before it.
pub(crate) const REPEATED: Marks = 1 << 10;
/// And another value.
pub(crate) const OTHER: Marks = 1 << 11;

/// Makes the keys and values of all parts UTF-8.
pub(crate) fn replace_malformed(text: &mut [u8], parts: &mut [Part]) -> Ambiguities {
    let wide = parts.iter_mut().filter(|part| part.marks() & WIDE != 0);
    wide.fold(Ambiguities::empty(), |found, part| found | part.replace_malformed(text))
}

/// Whether the keys and values of all parts are UTF-8.
pub(crate) fn is_utf8(text: &[u8], parts: &[Part]) -> bool {
    let mut wide = parts.iter().filter(|part| part.marks() & WIDE != 0);
    wide.all(|part| std::str::from_utf8(part.whole(text)).is_ok())
}

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

    /// Reads all of the query, by the rules of how it is cut and what a plus sign is. Says what
    /// is ambiguous about it, and what is known of all its parts.
    pub(crate) fn read(mut self) -> (Ambiguities, Marks) {
        let mut found = Ambiguities::empty();
        let mut at = 0;
        loop {
            let mut part = Open::at(at);
            at = self.skip_plain(&mut part, at);
            let mut to = at;
            if !matches!(self.query.get(at), None | Some(b'&')) {
                (to, at) = self.decode(&mut part, at, &mut found);
            }
            self.close(part, to, at);
            if at == self.query.len() {
                let seen = self.parts.iter().fold(0, |seen, part| seen | part.marks());
                return (found, seen);
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
                    part.marks |= PLUS | UNLIKE;
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
                *found = seen;
                self.close(*part, to, at - 3);
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
    fn close(&mut self, mut part: Open, mut end: usize, sent_end: usize) {
        // Usually it has a name and a value.
        if part.start >= part.equals || part.equals.saturating_add(1) >= end {
            end = self.complete(&mut part, end);
        }
        let number = |position: usize| position as u32;
        self.parts.push(Part {
            start: number(part.start),
            equals: number(part.equals),
            end: number(end),
            sent_end: sent_end as u16,
            marks: part.marks as u16,
        });
    }

    /// Adds an equals sign where there is none, and notes what else is missing. Returns where it
    /// ends then.
    fn complete(&mut self, part: &mut Open, mut end: usize) -> usize {
        if part.equals == NOWHERE {
            self.text[end] = b'=';
            part.equals = end;
            part.marks |= BARE;
            end += 1;
        }
        part.marks |= match (part.equals == part.start, part.equals + 1 == end) {
            (false, false) => 0,
            (false, true) => BLANK,
            (true, false) => NAMELESS,
            (true, true) if part.marks & BARE == 0 => NAMELESS | BLANK,
            (true, true) => EMPTY,
        };
        end
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
        marks[byte] = ESCAPED;
        if byte > 127 {
            marks[byte] |= if byte < 0xee { WIDE } else { WIDE | HIGH };
        } else if UNRESERVED[byte] {
            marks[byte] |= UNLIKE;
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
            assert_eq!(DECODED[usize::from(byte)] & WIDE != 0, !byte.is_ascii(), "{byte}");
        }
    }
}
