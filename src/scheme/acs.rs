//! Scheme `acs`: ROA signature V1.

use super::dialect::Form;
use crate::canonical::headers::{write_all, write_line};
use crate::canonical::{Head, Quirks, Sink};
use crate::headers::FC_PREFIX;

pub(crate) const TOKEN: &str = "acs";

/// What Node's SDK signs in the absence of an Accept header.
pub(crate) const UNDEFINED: &str = "undefined";

/// Writes the string-to-sign.
pub(crate) fn write<S: Sink>(head: &Head<'_>, form: &Form, sink: &mut S) -> Quirks {
    let fields = &head.fields;
    sink.put(head.method.as_str().as_bytes());
    sink.put_byte(b'\n');
    if fields.accept.value.is_none() {
        sink.put(form.absent_accept.as_bytes());
    }
    let mut quirks = Quirks::NONE;
    if fields.accept.text() == UNDEFINED.as_bytes() {
        quirks |= Quirks::ACCEPT_UNDEFINED;
    }
    for field in [fields.accept, fields.content_md5, fields.content_type, fields.date] {
        quirks |= write_line(field, sink);
    }
    // Headers that begin with x-fc- come last, and go unsigned.
    let protocol = &fields.protocol;
    let signed = protocol.iter().take_while(|header| !header.name.starts_with(FC_PREFIX)).count();
    if signed < protocol.len() {
        quirks |= Quirks::UNSIGNED_HEADER;
    }
    quirks |= write_all(&protocol[..signed], form.repeated_header, sink);
    quirks |= form.path.write(head.path(), sink);
    match &form.query {
        Some(rules) => quirks | rules.write(head.query(), None, sink),
        None => quirks,
    }
}
