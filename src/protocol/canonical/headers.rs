//! How headers are written into the canonical form.

use super::rules::RepeatedHeader;
use super::sink::Sink;
use crate::protocol::request::{Field, ProtocolHeader, trim};
use crate::protocol::scheme::ambiguity::Ambiguities;
use http::header::HeaderValue;
use smallvec::SmallVec;

/// Writes a value without white space around it.
pub(crate) fn write_value<S: Sink>(value: &[u8], sink: &mut S) -> Ambiguities {
    let text = trim(value);
    sink.put(text);
    if text.len() == value.len() { Ambiguities::empty() } else { Ambiguities::PADDED_HEADER }
}

/// Writes the first value of a header, if there is one.
pub(crate) fn write_first<S: Sink>(field: Field<'_>, sink: &mut S) -> Ambiguities {
    let found =
        field.value.map_or(Ambiguities::empty(), |value| write_value(value.as_bytes(), sink));
    if field.repeated { found | Ambiguities::REPEATED_HEADER } else { found }
}

/// Writes the first value of a header and a line feed, the line feed alone without
/// one.
pub(crate) fn write_line<S: Sink>(field: Field<'_>, sink: &mut S) -> Ambiguities {
    let found = write_first(field, sink);
    sink.put_byte(b'\n');
    found
}

/// Writes `name:value` and a line feed for each of the headers, which are sorted.
pub(crate) fn write_all<S: Sink>(
    headers: &[ProtocolHeader<'_>],
    repeated: RepeatedHeader,
    sink: &mut S,
) -> Ambiguities {
    let mut found = Ambiguities::empty();
    let mut rest = headers;
    while let [first, after @ ..] = rest {
        sink.put(first.name.as_bytes());
        sink.put_byte(b':');
        match after {
            [second, ..] if second.name == first.name => {
                let same = rest.iter().take_while(|header| header.name == first.name).count();
                found |= repeated.write(rest[..same].iter().map(|header| header.value), sink);
                rest = &rest[same..];
            }
            _ => {
                found |= write_value(first.value.as_bytes(), sink);
                rest = after;
            }
        }
        sink.put_byte(b'\n');
    }
    found
}

impl RepeatedHeader {
    /// Writes the values of one header.
    pub(crate) fn write<'a, S: Sink>(
        self,
        mut values: impl Iterator<Item = &'a HeaderValue>,
        sink: &mut S,
    ) -> Ambiguities {
        let Some(first) = values.next() else { return Ambiguities::empty() };
        let Some(second) = values.next() else {
            return write_value(first.as_bytes(), sink);
        };
        let all = [first, second].into_iter().chain(values).map(HeaderValue::as_bytes);
        let mut found = Ambiguities::REPEATED_HEADER;
        let mut all: SmallVec<[&[u8]; 4]> = all
            .map(|value| {
                let text = trim(value);
                if text.len() < value.len() {
                    found |= Ambiguities::PADDED_HEADER;
                }
                text
            })
            .collect();
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
        found
    }
}
