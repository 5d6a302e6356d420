//! How headers are written into the canonical form.

use super::fields::{Field, Protocol};
use super::{Quirks, Sink};
use http::header::HeaderValue;
use smallvec::SmallVec;

/// What a dialect makes of several values of one signed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RepeatedHeader {
    /// The first is signed (Go).
    First,
    /// The last is signed (Java).
    Last,
    /// They are joined by commas, in the order they arrived.
    Joined,
    /// They are sorted and joined by commas.
    Sorted,
}

/// The value without white space around it, which is not part of it on the wire.
pub(crate) fn trim(value: &HeaderValue) -> &[u8] {
    let text = value.as_bytes();
    match text {
        [b' ' | b'\t', ..] | [.., b' ' | b'\t'] => text.trim_ascii(),
        _ => text,
    }
}

/// Writes the first value of a header and a line feed, the line feed alone without
/// one.
pub(crate) fn write_line<S: Sink>(field: Field<'_>, sink: &mut S) -> Quirks {
    sink.put(field.text());
    sink.put_byte(b'\n');
    if field.repeated { Quirks::REPEATED_HEADER } else { Quirks::NONE }
}

/// Writes `name:value` and a line feed for each of the headers, which are sorted.
pub(crate) fn write_all<S: Sink>(
    headers: &[Protocol<'_>],
    repeated: RepeatedHeader,
    sink: &mut S,
) -> Quirks {
    let mut quirks = Quirks::NONE;
    let mut rest = headers;
    while let [first, after @ ..] = rest {
        sink.put(first.name.as_bytes());
        sink.put_byte(b':');
        match after {
            [second, ..] if second.name == first.name => {
                let same = rest.iter().take_while(|header| header.name == first.name).count();
                quirks |= repeated.write(rest[..same].iter().map(|header| header.value), sink);
                rest = &rest[same..];
            }
            _ => {
                sink.put(trim(first.value));
                rest = after;
            }
        }
        sink.put_byte(b'\n');
    }
    quirks
}

impl RepeatedHeader {
    /// Writes the values of one header.
    pub(crate) fn write<'a, S: Sink>(
        self,
        mut values: impl Iterator<Item = &'a HeaderValue>,
        sink: &mut S,
    ) -> Quirks {
        let Some(first) = values.next() else { return Quirks::NONE };
        let Some(second) = values.next() else {
            sink.put(trim(first));
            return Quirks::NONE;
        };
        let mut all: SmallVec<[&[u8]; 4]> =
            [first, second].into_iter().chain(values).map(trim).collect();
        match self {
            Self::First => all.truncate(1),
            Self::Last => drop(all.drain(..all.len() - 1)),
            Self::Joined => {}
            Self::Sorted => all.sort_unstable(),
        }
        for (index, value) in all.into_iter().enumerate() {
            if index > 0 {
                sink.put_byte(b',');
            }
            sink.put(value);
        }
        Quirks::REPEATED_HEADER
    }
}
