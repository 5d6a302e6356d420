//! Schemes `ACS3-HMAC-SHA256` and `ACS3-HMAC-SM3`: signature V3.

use super::ambiguity::Ambiguities;
use super::coverage::{Listed, Values};
use crate::headers::X_ACS_CONTENT_SHA256;
use crate::protocol::canonical::{rules::Form, sink::Sink};
use crate::protocol::crypto::tag::Tag;
use crate::protocol::request::Head;

/// Writes the canonical request with these headers, which are in ascending order.
pub(crate) fn write_canonical<S: Sink>(
    head: &Head<'_>,
    form: &Form,
    listed: &[Listed<'_>],
    sink: &mut S,
) -> Ambiguities {
    sink.put(head.method.as_str().as_bytes());
    sink.put_byte(b'\n');
    let mut found = form.path.write(head.path(), sink);
    sink.put_byte(b'\n');
    if let Some(rules) = &form.query {
        found |= rules.write(head.query(), None, sink);
    }
    sink.put_byte(b'\n');
    for each in listed {
        sink.put(each.name.as_bytes());
        sink.put_byte(b':');
        found |= write_values(head, form, each, sink);
        sink.put_byte(b'\n');
    }
    sink.put_byte(b'\n');
    write_names(listed, sink);
    sink.put_byte(b'\n');
    // The general way sends the hash of the body; the documented samples for HTTP
    // triggers send none and sign nothing in its place.
    let payload = head.protocol(&X_ACS_CONTENT_SHA256);
    sink.put(payload.text());
    if payload.repeated { found | Ambiguities::REPEATED_HEADER } else { found }
}

fn write_values<S: Sink>(
    head: &Head<'_>,
    form: &Form,
    listed: &Listed<'_>,
    sink: &mut S,
) -> Ambiguities {
    match listed.values {
        Values::Absent => Ambiguities::empty(),
        Values::One(value) => {
            sink.put(value);
            Ambiguities::empty()
        }
        Values::Protocol(headers) => {
            form.repeated_header.write(headers.iter().map(|header| header.value), sink)
        }
        Values::Repeated => {
            form.repeated_header.write(head.headers.get_all(listed.name).iter(), sink)
        }
    }
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
