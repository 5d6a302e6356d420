//! Scheme `FC`, in headers and in presigned URLs.

use super::ambiguity::Ambiguities;
use crate::headers::{FC_PREFIX, QUERY_SIGNATURE};
use crate::protocol::canonical::{
    headers::{write_all, write_line},
    rules::Form,
    sink::Sink,
};
use crate::protocol::request::{Head, ProtocolHeader};

/// Writes the string-to-sign of a request that carries its signature in headers, and
/// this x-fc-expires in its query, if it does.
pub(crate) fn write<S: Sink>(
    head: &Head<'_>,
    form: &Form,
    expires: Option<&[u8]>,
    sink: &mut S,
) -> Ambiguities {
    let expires = expires.filter(|_| form.expires_as_date);
    write_dated(head, form, expires.unwrap_or(head.date.text()), None, sink)
}

/// Writes the string-to-sign of a presigned URL that is valid until `expires`.
pub(crate) fn write_presigned<S: Sink>(
    head: &Head<'_>,
    form: &Form,
    expires: &[u8],
    sink: &mut S,
) -> Ambiguities {
    write_dated(head, form, expires, Some(QUERY_SIGNATURE.as_bytes()), sink)
}

fn write_dated<S: Sink>(
    head: &Head<'_>,
    form: &Form,
    date: &[u8],
    except: Option<&[u8]>,
    sink: &mut S,
) -> Ambiguities {
    sink.put(head.method.as_str().as_bytes());
    sink.put_byte(b'\n');
    let mut found = write_line(head.content_md5, sink);
    found |= write_line(head.content_type, sink);
    sink.put(date);
    sink.put_byte(b'\n');
    // Headers that begin with x-acs- come first, and go unsigned.
    let is_unsigned = |header: &&ProtocolHeader<'_>| !header.name.starts_with(FC_PREFIX);
    let unsigned = head.protocol.iter().take_while(is_unsigned).count();
    found |= write_all(&head.protocol[unsigned..], form.repeated_header, sink);
    found |= form.path.write(head.path(), sink);
    match &form.query {
        Some(rules) => {
            sink.put_byte(b'\n');
            found |= rules.write(head.query(), except, sink);
        }
        None if !head.query().is_empty() => found |= Ambiguities::UNSIGNED_QUERY,
        None => {}
    }
    found
}
