//! How the parameters of a query are ordered and written into the canonical form.

use super::order::{self, Collation};
use super::parameters::{Part, Parts, Reader};
use super::path::{self, Times, Utf8};
use super::{Quirks, Sink, percent};
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
            if query.len() > LONG {
                parts.reserve_exact(memchr::memchr2_iter(b'&', b';', query).count() + 1);
            }
            text[..query.len()].copy_from_slice(query);
            quirks = Reader::new(self, query, text, &mut parts).read();
            if let Some(name) = except {
                parts.retain(|part| part.key(text) != name);
            }
            quirks |= self.arrange(text, &mut parts);
            self.put(query, text, &parts, sink);
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

    fn put<S: Sink>(&self, query: &[u8], text: &[u8], parts: &[Part], sink: &mut S) {
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
                    None => self.encode(part, text, sink),
                });
            }
            _ => self.put_each(parts, sink, |part, sink| self.encode(part, text, sink)),
        }
    }

    /// Writes parts by `put`, and what joins them.
    #[inline(always)]
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
