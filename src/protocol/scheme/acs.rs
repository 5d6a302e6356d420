//! Scheme `acs`: ROA signature V1.

use super::ambiguity::Ambiguities;
use crate::headers::FC_PREFIX;
use crate::protocol::canonical::{
    headers::{write_all, write_line},
    rules::Form,
    sink::Sink,
};
use crate::protocol::request::Head;

/// What Node's SDK signs in the absence of an Accept header.
pub(crate) const UNDEFINED: &str = "undefined";

/// Writes the lines that the string-to-sign begins with.
#[inline]
pub(crate) fn write_lines<S: Sink>(head: &Head<'_>, form: &Form, sink: &mut S) -> Ambiguities {
    sink.put(head.method.as_str().as_bytes());
    sink.put_byte(b'\n');
    if head.accept.value.is_none() {
        sink.put(form.absent_accept.as_bytes());
    }
    let mut found = Ambiguities::empty();
    if head.accept.text() == UNDEFINED.as_bytes() {
        found |= Ambiguities::ACCEPT_UNDEFINED;
    }
    for field in [head.accept, head.content_md5, head.content_type, head.date] {
        found |= write_line(field, sink);
    }
    found
}

/// Writes the headers that follow them.
#[inline]
pub(crate) fn write_headers<S: Sink>(head: &Head<'_>, form: &Form, sink: &mut S) -> Ambiguities {
    // Headers that begin with x-fc- come last, and go unsigned.
    let signed = head.protocol.partition_point(|header| !header.name.starts_with(FC_PREFIX));
    write_all(&head.protocol[..signed], form.repeated_header, sink)
}
