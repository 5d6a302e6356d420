//! Scheme `acs`: ROA signature V1.

use super::dialect::Form;
use crate::canonical::headers::{trim, write_prefixed, write_value};
use crate::canonical::{Head, Quirks, Sink};
use crate::headers::{ACS_PREFIX, CONTENT_MD5};
use http::header::{ACCEPT, CONTENT_TYPE, DATE};

pub(crate) const TOKEN: &str = "acs";

/// What Node's SDK signs in the absence of an Accept header.
pub(crate) const UNDEFINED: &str = "undefined";

/// Writes the string-to-sign.
pub(crate) fn write<S: Sink>(head: Head<'_>, form: &Form, sink: &mut S) -> Quirks {
    sink.put(head.method.as_str().as_bytes());
    sink.put_byte(b'\n');
    let mut quirks = match head.headers.get(ACCEPT) {
        Some(_) => write_value(head.headers, &ACCEPT, sink),
        None => {
            sink.put(form.absent_accept.as_bytes());
            Quirks::NONE
        }
    };
    if head.headers.get(ACCEPT).map(trim) == Some(UNDEFINED.as_bytes()) {
        quirks |= Quirks::ACCEPT_UNDEFINED;
    }
    sink.put_byte(b'\n');
    for name in [&CONTENT_MD5, &CONTENT_TYPE, &DATE] {
        quirks |= write_value(head.headers, name, sink);
        sink.put_byte(b'\n');
    }
    quirks |= write_prefixed(head.headers, ACS_PREFIX, form.repeated_header, sink);
    quirks |= form.path.write(head.path(), sink);
    if let Some(rules) = &form.query {
        quirks |= rules.write(head.query(), None, sink);
    }
    quirks
}
