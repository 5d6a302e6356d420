//! How headers are written into the canonical form.

use super::rules::{Collation, RepeatedHeader};
use super::sink::Sink;
use super::sort;
use crate::protocol::request::{Field, ProtocolHeader, trim};
use crate::protocol::scheme::ambiguity::Ambiguities;
use http::header::HeaderValue;

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
    let mut room = Vec::new();
    let mut rest = headers;
    while let [first, after @ ..] = rest {
        sink.put(first.name.as_bytes());
        sink.put_byte(b':');
        match after {
            [second, ..] if second.name == first.name => {
                let same = rest.iter().take_while(|header| header.name == first.name).count();
                let values = rest[..same].iter().map(|header| header.value);
                found |= repeated.write(values, true, &mut room, sink);
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
    /// Writes the values of one header. Those that are not signed are looked at only if they
    /// are new. `room` is for some values at a time.
    pub(crate) fn write<'a, S: Sink>(
        self,
        mut values: impl DoubleEndedIterator<Item = &'a HeaderValue>,
        are_new: bool,
        room: &mut Vec<&'a [u8]>,
        sink: &mut S,
    ) -> Ambiguities {
        let Some(first) = values.next().map(HeaderValue::as_bytes) else {
            return Ambiguities::empty();
        };
        let Some(second) = values.next().map(HeaderValue::as_bytes) else {
            return write_value(first, sink);
        };
        let mut found = Ambiguities::REPEATED_HEADER;
        let values = [first, second].into_iter().chain(values.map(HeaderValue::as_bytes));
        let mut texts = values.map(|value| {
            let text = trim(value);
            if text.len() < value.len() {
                found |= Ambiguities::PADDED_HEADER;
            }
            text
        });
        match self {
            Self::First => {
                texts.next().into_iter().for_each(|text| sink.put(text));
                if are_new {
                    texts.for_each(drop);
                }
            }
            Self::Last => {
                texts.next_back().into_iter().for_each(|text| sink.put(text));
                if are_new {
                    texts.for_each(drop);
                }
            }
            Self::Joined => write_joined(texts, sink),
            Self::Sorted => {
                room.clear();
                room.extend(texts);
                sort::sort(room, Collation::Bytes, |text| text, |_| &[]);
                write_joined(room.iter().copied(), sink);
            }
        }
        found
    }
}

/// Writes values joined by commas.
fn write_joined<'a, S: Sink>(texts: impl Iterator<Item = &'a [u8]>, sink: &mut S) {
    for (index, text) in texts.enumerate() {
        if index > 0 {
            sink.put_byte(b',');
        }
        sink.put(text);
    }
}
