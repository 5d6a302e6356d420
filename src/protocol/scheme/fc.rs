//! Scheme `FC`, in headers and in presigned URLs.

use super::ambiguity::Ambiguities;
use crate::headers::FC_PREFIX;
use crate::protocol::canonical::headers::{write_all, write_first, write_line};
use crate::protocol::canonical::rules::Form;
use crate::protocol::canonical::sink::Sink;
use crate::protocol::request::{Head, ProtocolHeader};

/// Writes the lines that the string-to-sign begins with, with this time in place of the date,
/// if there is one.
#[inline]
pub(crate) fn write_lines<S: Sink>(
    head: &Head<'_>,
    expires: Option<&[u8]>,
    sink: &mut S,
) -> Ambiguities {
    sink.put(head.method.as_str().as_bytes());
    sink.put_byte(b'\n');
    let mut found = write_line(head.content_md5, sink);
    found |= write_line(head.content_type, sink);
    match expires {
        Some(expires) => sink.put(expires),
        None => found |= write_first(head.date, sink),
    }
    sink.put_byte(b'\n');
    found
}

/// Writes the headers that follow them.
#[inline]
pub(crate) fn write_headers<S: Sink>(head: &Head<'_>, form: &Form, sink: &mut S) -> Ambiguities {
    // Headers that begin with x-acs- come first, and go unsigned.
    let is_unsigned = |header: &&ProtocolHeader<'_>| !header.name.starts_with(FC_PREFIX);
    let unsigned = head.protocol.iter().take_while(is_unsigned).count();
    write_all(&head.protocol[unsigned..], form.repeated_header, sink)
}
