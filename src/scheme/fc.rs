//! Scheme `FC`, in headers and in presigned URLs.

use super::dialect::Form;
use crate::canonical::fields::Protocol;
use crate::canonical::headers::{write_all, write_line};
use crate::canonical::parameters::parameter;
use crate::canonical::{Head, Quirks, Sink};
use crate::headers::{FC_PREFIX, QUERY_EXPIRES, QUERY_SIGNATURE};

pub(crate) const TOKEN: &str = "FC";

/// Writes the string-to-sign of a request that carries its signature in headers.
pub(crate) fn write<S: Sink>(head: &Head<'_>, form: &Form, sink: &mut S) -> Quirks {
    if form.expires_as_date
        && may_name(head.query(), QUERY_EXPIRES)
        && let Some(expires) = parameter(head.query(), QUERY_EXPIRES)
    {
        return write_dated(head, form, &expires, None, sink);
    }
    write_dated(head, form, head.fields.date.text(), None, sink)
}

/// Writes the string-to-sign of a presigned URL that is valid until `expires`.
pub(crate) fn write_presigned<S: Sink>(
    head: &Head<'_>,
    form: &Form,
    expires: &[u8],
    sink: &mut S,
) -> Quirks {
    write_dated(head, form, expires, Some(QUERY_SIGNATURE.as_bytes()), sink)
}

/// A quick look whether `name` stands anywhere in a query.
fn may_name(query: &[u8], name: &str) -> bool {
    let first = name.as_bytes()[0];
    memchr::memchr_iter(first, query).any(|at| query[at..].starts_with(name.as_bytes()))
}

fn write_dated<S: Sink>(
    head: &Head<'_>,
    form: &Form,
    date: &[u8],
    except: Option<&[u8]>,
    sink: &mut S,
) -> Quirks {
    sink.put(head.method.as_str().as_bytes());
    sink.put_byte(b'\n');
    let mut quirks = write_line(head.fields.content_md5, sink);
    quirks |= write_line(head.fields.content_type, sink);
    sink.put(date);
    sink.put_byte(b'\n');
    quirks |= write_all(signed_headers(head), form.repeated_header, sink);
    quirks |= form.path.write(head.path(), sink);
    match &form.query {
        Some(rules) => {
            sink.put_byte(b'\n');
            quirks |= rules.write(head.query(), except, sink);
        }
        None if !head.query().is_empty() => quirks |= Quirks::UNSIGNED_QUERY,
        None => {}
    }
    quirks
}

/// Those that begin with `x-fc-`, which come after those with `x-acs-`.
fn signed_headers<'a, 'h>(head: &'a Head<'h>) -> &'a [Protocol<'h>] {
    let protocol = &head.fields.protocol;
    let start = protocol.iter().position(|header| header.name.starts_with(FC_PREFIX));
    &protocol[start.unwrap_or(protocol.len())..]
}
