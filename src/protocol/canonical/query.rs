//! How the parameters of a query are ordered and written into the canonical form.

use super::parameters::{
    BARE, BLANK, EMPTY, FAULTY, Marks, NAMELESS, OTHER, Part, Parts, REPEATED, Reader, WIDE,
    replace_malformed,
};
use super::rules::{Blank, Encoding, Order, QueryRules, Repeated, Times, Utf8};
use super::sink::Sink;
use super::{path, percent, sort};
use crate::protocol::scheme::ambiguity::Ambiguities;

impl QueryRules {
    /// Writes the parameters of `query`, without the one named `except`, and
    /// says what is ambiguous about them.
    pub(crate) fn write<S: Sink>(
        &self,
        query: &[u8],
        except: Option<&[u8]>,
        sink: &mut S,
    ) -> Ambiguities {
        if query.is_empty() && self.drop_empty {
            return Ambiguities::empty();
        }
        let mut found = Ambiguities::empty();
        // One equals sign may be added.
        with_scratch(query.len() + 1, |text| {
            let mut parts = Parts::new();
            let mut seen;
            (found, seen) = self.read(query, text, &mut parts);
            if seen & WIDE != 0 && self.utf8 == Utf8::Replace {
                found |= replace_malformed(text, &mut parts);
            }
            seen |= self.arrange(text, seen, &mut parts);
            found |= self.put(query, text, &parts, seen, except, sink);
        });
        found
    }

    /// Cuts and decodes a query. Says what is ambiguous about it, and what is known of all its
    /// parts.
    #[inline]
    pub(super) fn read(
        &self,
        query: &[u8],
        text: &mut [u8],
        parts: &mut Parts,
    ) -> (Ambiguities, Marks) {
        if query.len() > LONG {
            let ends = |byte| memchr::memchr_iter(byte, query).count();
            parts.reserve_exact(ends(b'&') + ends(b';') + 1);
        }
        text[..query.len()].copy_from_slice(query);
        Reader::new(self, query, text, parts).read()
    }

    /// Brings parts, of which this was seen, into their order, and marks those which have the
    /// name of the one before. Returns the marks.
    pub(super) fn arrange(&self, text: &[u8], seen: Marks, parts: &mut [Part]) -> Marks {
        self.shorten(seen, parts);
        self.sort(text, parts);
        self.mark(text, parts)
    }

    /// Takes the equals signs away that are not signed.
    pub(super) fn shorten(&self, seen: Marks, parts: &mut [Part]) {
        let bare = match self.blank {
            Blank::AsSent => BARE,
            Blank::Bare => BLANK | EMPTY,
            Blank::Equals | Blank::LeftOut => 0,
        };
        if seen & bare != 0 {
            let bare = parts.iter_mut().filter(|part| part.marks() & bare != 0);
            bare.for_each(Part::without_equals);
        }
    }

    /// Sorts parts.
    pub(super) fn sort(&self, text: &[u8], parts: &mut [Part]) {
        match self.order {
            Order::AsSent => {}
            Order::Pair => sort::sort(parts, self.collation, |part| part.whole(text), |_| &[]),
            Order::Key => {
                sort::sort(parts, self.collation, |part| part.key(text), |part| part.value(text));
            }
        }
    }

    /// Marks parts which have the name of the one before, where none is marked. Returns the marks.
    pub(super) fn mark(&self, text: &[u8], parts: &mut [Part]) -> Marks {
        let mut seen = 0;
        if self.order == Order::AsSent {
            return seen;
        }
        let [first, rest @ ..] = parts else { return seen };
        let mut before = *first;
        for part in rest {
            if before.key_len() == part.key_len() && before.key(text) == part.key(text) {
                let is_other = before.tail(text) != part.tail(text);
                part.mark(REPEATED | if is_other { OTHER } else { 0 });
                seen |= part.marks();
            }
            before = *part;
        }
        seen
    }

    /// Writes parts that are in order, and of which this was seen, without the one named
    /// `except`. Says what is ambiguous about which of them are signed, and in which order.
    pub(super) fn put<S: Sink>(
        &self,
        query: &[u8],
        text: &[u8],
        parts: &[Part],
        seen: Marks,
        except: Option<&[u8]>,
        sink: &mut S,
    ) -> Ambiguities {
        let mut found = Ambiguities::empty();
        let (mut selected, mut parts) = (Parts::new(), parts);
        if seen & (self.unwanted() | REPEATED) != 0 || except.is_some() {
            found = self.select(text, parts, except, &mut selected);
            parts = &selected;
        }
        if let (Some(lead), [_, ..]) = (self.lead, parts) {
            sink.put_byte(lead);
        }
        match (self.key, self.value) {
            (Encoding::Plain, Encoding::Plain) => {
                self.put_each(parts, sink, |part, sink| sink.put(part.whole(text)));
            }
            (Encoding::Rfc3986, Encoding::Rfc3986) => {
                self.put_each(parts, sink, |part, sink| match part.as_sent(query) {
                    Some(sent) => sink.put(sent),
                    None if part.is_plain() => sink.put(part.whole(text)),
                    None => self.encode(part, text, sink),
                });
            }
            _ => self.put_each(parts, sink, |part, sink| match part.is_plain() {
                true => sink.put(part.whole(text)),
                false => self.encode(part, text, sink),
            }),
        }
        found
    }

    /// What must not be known of a part that is signed.
    fn unwanted(&self) -> Marks {
        let mut unwanted = 0;
        for (is_unwanted, mark) in [
            (self.drop_faulty, FAULTY),
            (self.drop_empty, EMPTY),
            (self.drop_nameless, NAMELESS),
            (self.blank == Blank::LeftOut, BLANK),
        ] {
            unwanted |= if is_unwanted { mark } else { 0 };
        }
        unwanted
    }

    /// Selects those of parts in order that are signed. Says what is ambiguous about it.
    fn select(
        &self,
        text: &[u8],
        parts: &[Part],
        except: Option<&[u8]>,
        selected: &mut Parts,
    ) -> Ambiguities {
        let mut found = Ambiguities::empty();
        let unwanted = self.unwanted();
        selected.reserve(parts.len());
        let mut is_apart = false;
        for part in parts {
            let why = part.marks() & unwanted;
            if why != 0 || except.is_some_and(|name| part.key(text) == name) {
                is_apart = true;
                found |= match why & (FAULTY | EMPTY | NAMELESS | BLANK) {
                    // Which are of no meaning to anyone.
                    why if why & (FAULTY | EMPTY) != 0 || why == 0 => Ambiguities::empty(),
                    why if why & NAMELESS != 0 => Ambiguities::NAMELESS,
                    _ => Ambiguities::BLANK_VALUE,
                };
                continue;
            }
            let Some(before) = selected.last_mut() else {
                selected.push(*part);
                is_apart = false;
                continue;
            };
            let mut same = part.marks();
            if std::mem::take(&mut is_apart) {
                // It was compared with another one.
                let pair = &mut [*before, *part];
                pair[1].mark(0);
                same = self.mark(text, pair);
            }
            match self.repeated {
                _ if same & REPEATED == 0 => selected.push(*part),
                Repeated::All => {
                    if same & OTHER != 0 {
                        found |= Ambiguities::VALUE_ORDER;
                    }
                    selected.push(*part);
                }
                Repeated::First | Repeated::Last => {
                    found |= Ambiguities::REPEATED_KEY;
                    if (part.start < before.start) == (self.repeated == Repeated::First) {
                        *before = *part;
                    }
                }
            }
        }
        found
    }

    /// Writes parts by `put`, and what joins them.
    fn put_each<S: Sink>(&self, parts: &[Part], sink: &mut S, put: impl Fn(Part, &mut S)) {
        let Some((first, rest)) = parts.split_first() else { return };
        put(*first, sink);
        for part in rest {
            sink.put_byte(self.joiner);
            put(*part, sink);
        }
    }

    fn encode<S: Sink>(&self, part: Part, text: &[u8], sink: &mut S) {
        self.key.write(part.key(text), sink);
        if let Some((equals, value)) = part.tail(text).split_first() {
            sink.put_byte(*equals);
            self.value.write(value, sink);
        }
    }
}

impl Encoding {
    fn write<S: Sink>(self, text: &[u8], sink: &mut S) {
        match self {
            Self::Plain => sink.put(text),
            Self::Rfc3986 => percent::encode(text, sink),
            Self::FormChars => path::replace(text, Times::Never, Times::Every, sink),
        }
    }
}

/// From how many bytes on the parameters of a query are counted first.
const LONG: usize = 2048;

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
