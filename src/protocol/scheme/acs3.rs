//! Schemes `ACS3-HMAC-SHA256` and `ACS3-HMAC-SM3`: signature V3.

use super::ambiguity::Ambiguities;
use super::coverage::{Listed, Values};
use crate::headers::X_ACS_CONTENT_SHA256;
use crate::protocol::canonical::headers::{write_first, write_value};
use crate::protocol::canonical::rules::Form;
use crate::protocol::canonical::sink::Sink;
use crate::protocol::crypto::tag::Tag;
use crate::protocol::request::Head;

/// Writes the line that the canonical request begins with.
#[inline]
pub(crate) fn write_lines<S: Sink>(head: &Head<'_>, sink: &mut S) -> Ambiguities {
    sink.put(head.method.as_str().as_bytes());
    sink.put_byte(b'\n');
    Ambiguities::empty()
}

/// Writes what follows the query in the canonical request, with these headers, which are in
/// ascending order and maybe new.
pub(crate) fn write_tail<S: Sink>(
    head: &Head<'_>,
    form: &Form,
    listed: &[Listed<'_>],
    are_new: bool,
    sink: &mut S,
) -> Ambiguities {
    let mut found = Ambiguities::empty();
    let mut room = Vec::new();
    sink.put_byte(b'\n');
    for each in listed {
        sink.put(each.name.as_bytes());
        sink.put_byte(b':');
        found |= match each.values {
            Values::Absent => Ambiguities::empty(),
            Values::One(value) => write_value(value, sink),
            Values::Protocol(headers) => {
                let values = headers.iter().map(|header| header.value);
                form.repeated_header.write(values, are_new, &mut room, sink)
            }
            Values::Repeated => {
                let values = head.headers.get_all(each.name).iter();
                form.repeated_header.write(values, are_new, &mut room, sink)
            }
        };
        sink.put_byte(b'\n');
    }
    sink.put_byte(b'\n');
    write_names(listed, sink);
    sink.put_byte(b'\n');
    // The general way sends the hash of the body; the documented samples for HTTP
    // triggers send none and sign nothing in its place.
    found | write_first(head.protocol(&X_ACS_CONTENT_SHA256), sink)
}

/// Writes names joined by semicolons.
pub(crate) fn write_names<S: Sink>(listed: &[Listed<'_>], sink: &mut S) {
    for (index, each) in listed.iter().enumerate() {
        if index > 0 {
            sink.put_byte(b';');
        }
        sink.put(each.name.as_bytes());
    }
}

/// Writes the string-to-sign over the hash of a canonical request.
pub(crate) fn write_string_to_sign<S: Sink>(token: &str, canonical: &Tag, sink: &mut S) {
    sink.put(token.as_bytes());
    sink.put_byte(b'\n');
    canonical.put_hex(sink);
}
