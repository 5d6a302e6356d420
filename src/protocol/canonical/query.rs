//! How the parameters of a query are ordered and written into the canonical form.

use super::parameters::{Part, Parts, Reader};
use super::rules::{Encoding, Order, QueryRules, Repeated, Times};
use super::sink::Sink;
use super::{path, percent, sort};
use crate::protocol::scheme::ambiguity::Ambiguities;
use std::cmp::Ordering;

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
            if query.len() > LONG {
                parts.reserve_exact(memchr::memchr2_iter(b'&', b';', query).count() + 1);
            }
            text[..query.len()].copy_from_slice(query);
            found = Reader::new(self, query, text, &mut parts).read();
            if let Some(name) = except {
                parts.retain(|part| part.key(text) != name);
            }
            found |= self.arrange(text, &mut parts);
            self.put(query, text, &parts, sink);
        });
        found
    }

    fn arrange(&self, text: &[u8], parts: &mut Parts) -> Ambiguities {
        let key = |a: &Part, b: &Part| self.collation.compare(a.key(text), b.key(text));
        match self.order {
            Order::AsSent => {}
            Order::Pair => sort::sort(
                parts,
                self.collation,
                |part| part.whole(text),
                |a, b| self.collation.compare(a.whole(text), b.whole(text)),
            ),

            Order::Key => sort::sort(
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
            let differ = |pair: &[Part]| {
                let [a, b] = pair else { return false };
                a.key_len() == b.key_len()
                    && a.key(text) == b.key(text)
                    && a.tail(text) != b.tail(text)
            };
            return match self.order != Order::AsSent && parts.windows(2).any(differ) {
                true => Ambiguities::VALUE_ORDER,
                false => Ambiguities::empty(),
            };
        }
        let before = parts.len();
        if self.repeated == Repeated::Last {
            parts.reverse();
        }
        parts.dedup_by(|a, b| key(a, b) == Ordering::Equal);
        if self.repeated == Repeated::Last {
            parts.reverse();
        }
        if parts.len() < before { Ambiguities::REPEATED_KEY } else { Ambiguities::empty() }
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
