//! How headers are selected, ordered and written into the canonical form.

use super::{Quirks, Sink};
use http::header::{HeaderMap, HeaderName, HeaderValue};
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
    value.as_bytes().trim_ascii()
}

/// The value of a header that is there at the most once, `None` without it.
///
/// # Errors
/// Two or more values.
pub(crate) fn single<N>(headers: &HeaderMap, name: N) -> Result<Option<&HeaderValue>, Repeated>
where
    N: http::header::AsHeaderName,
{
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (first, None) => Ok(first),
        _ => Err(Repeated),
    }
}

/// A header is there more than once.
#[derive(Debug)]
pub(crate) struct Repeated;

/// The first value of a header, empty without one, and whether there are more.
pub(crate) fn write_value<S: Sink>(headers: &HeaderMap, name: &HeaderName, sink: &mut S) -> Quirks {
    let mut values = headers.get_all(name).iter();
    if let Some(value) = values.next() {
        sink.put(trim(value));
    }
    if values.next().is_some() { Quirks::REPEATED_HEADER } else { Quirks::NONE }
}

/// Writes `name:value` and a line feed for each header whose name begins with
/// `prefix`, sorted by name.
pub(crate) fn write_prefixed<S: Sink>(
    headers: &HeaderMap,
    prefix: &str,
    repeated: RepeatedHeader,
    sink: &mut S,
) -> Quirks {
    let mut chosen: SmallVec<[(&str, &HeaderValue); 16]> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .filter(|(name, _)| name.starts_with(prefix))
        .collect();
    // Values of one name arrive side by side; a stable sort keeps their order.
    chosen.sort_by_key(|(name, _)| *name);
    let mut quirks = Quirks::NONE;
    for same in chosen.chunk_by(|(a, _), (b, _)| a == b) {
        sink.put(same[0].0.as_bytes());
        sink.put_byte(b':');
        quirks |= repeated.write(same.iter().map(|(_, value)| *value), sink);
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
