//! Which dialects coincide on a request, from one look at it.

use super::dialect::Form;
use crate::canonical::Head;
use crate::canonical::headers::RepeatedHeader;
use crate::canonical::order::Collation;
use crate::canonical::parameters::parameters;
use crate::canonical::path::{PathForm, PathRules, Times, Utf8};
use crate::canonical::percent::{escape, is_unreserved};
use crate::canonical::query::{Blank, Cut, Encoding, Order, Plus, QueryRules, Repeated};
use crate::headers::QUERY_EXPIRES;

/// What occurs in a request that dialects treat differently.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    path: Text,
    /// Most occurrences of any of `+`, `*` and `%7E`, as sent or decoded.
    path_form_chars: usize,
    path_dollars: usize,
    /// The path is as RFC 3986 encoding would make it.
    path_is_canonical: bool,
    query: Text,
    parts: usize,
    semicolon: bool,
    plus: bool,
    blank: bool,
    empty_part: bool,
    nameless: bool,
    expires: bool,
    repeated_header: bool,
    accept: bool,
}

/// What occurs in a percent-encoded text.
#[derive(Clone, Copy, Debug, Default)]
struct Text {
    empty: bool,
    escaped: bool,
    malformed: bool,
    /// Decoded, it is not ASCII.
    wide: bool,
    /// Decoded, it is not UTF-8.
    not_utf8: bool,
    /// Decoded, it has more than unreserved characters and separators in it.
    reserved: bool,
}

impl Text {
    fn of(raw: &[u8], is_separator: impl Fn(u8) -> bool) -> Self {
        let mut seen = Self { empty: raw.is_empty(), ..Self::default() };
        let mut decoded = Vec::with_capacity(raw.len());
        let mut at = 0;
        while at < raw.len() {
            let byte = match (raw[at], escape(&raw[at..])) {
                (b'%', Some(byte)) => {
                    seen.escaped = true;
                    seen.reserved |= !is_unreserved(byte);
                    at += 2;
                    byte
                }
                (byte, _) => {
                    seen.malformed |= byte == b'%';
                    seen.reserved |= !is_unreserved(byte) && !is_separator(byte);
                    byte
                }
            };
            at += 1;
            decoded.push(byte);
        }
        seen.wide = !decoded.is_ascii();
        seen.not_utf8 = std::str::from_utf8(&decoded).is_err();
        seen
    }
}

impl Seen {
    pub(crate) fn of(head: &Head<'_>) -> Self {
        let (path, query) = (head.path(), head.query());
        let mut decoded = Vec::with_capacity(path.len());
        PathRules::new(PathForm::Decoded(Utf8::Keep)).write(path, &mut decoded);
        // Replacements are made in the path as it was sent, or in the decoded one.
        let most = |text: &[u8]| {
            let count = |path: &[u8]| path.windows(text.len()).filter(|at| *at == text).count();
            count(path).max(count(&decoded))
        };
        let parts = || query.split(|byte| *byte == b'&');
        let semicolon = query.contains(&b';');
        Self {
            path: Text::of(path, |byte| byte == b'/'),
            path_form_chars: most(b"+").max(most(b"*")).max(most(b"%7E")),
            path_dollars: most(b"$"),
            path_is_canonical: is_canonical(path),
            query: Text::of(query, |byte| matches!(byte, b'&' | b'=')),
            parts: parts().count(),
            semicolon,
            plus: query.contains(&b'+'),
            // A semicolon may cut parts that are anything.
            blank: semicolon || parts().any(|part| !part.contains(&b'=') || part.ends_with(b"=")),
            empty_part: semicolon || parts().any(<[u8]>::is_empty),
            nameless: semicolon || parts().any(|part| part.starts_with(b"=")),
            expires: parameters(query).any(|(key, _)| key == QUERY_EXPIRES.as_bytes()),
            repeated_header: head.headers.len() > head.headers.keys_len(),
            accept: head.fields.accept.value.is_some(),
        }
    }
}

/// Whether escapes are upper-case and stand for what needs them, and only for that.
fn is_canonical(path: &[u8]) -> bool {
    let mut written = Vec::with_capacity(path.len());
    PathRules::new(PathForm::Segments).write(path, &mut written);
    written == path
}

impl Form {
    /// The simplest form that writes the same as this one for every request of
    /// which this was seen. Forms that reduce to equal ones coincide.
    pub(crate) fn reduced(&self, seen: &Seen) -> Self {
        let mut form = *self;
        form.refuses = super::dialect::Form::standard(super::Family::Acs3).refuses;
        form.path.dollar = times(form.path.dollar, seen.path_dollars);
        form.path.form_chars = times(form.path.form_chars, seen.path_form_chars);
        form.path.form = match form.path.form {
            PathForm::Decoded(_) if !seen.path.escaped => PathForm::Raw,
            PathForm::Decoded(_) if !seen.path.not_utf8 => PathForm::Decoded(Utf8::Keep),
            PathForm::Segments if seen.path_is_canonical => PathForm::Raw,
            other => other,
        };
        form.query = form.query.map(|rules| rules.reduced(seen));
        if !seen.repeated_header {
            form.repeated_header = RepeatedHeader::First;
        }
        form.expires_as_date &= seen.expires;
        if seen.accept {
            form.absent_accept = "";
        }
        form
    }
}

fn times(times: Times, occurrences: usize) -> Times {
    match (times, occurrences) {
        (_, 0) => Times::Never,
        (Times::Every, 1) => Times::First,
        (times, _) => times,
    }
}

impl QueryRules {
    fn reduced(mut self, seen: &Seen) -> Self {
        let query = &seen.query;
        if !seen.semicolon && self.cut == Cut::AmpersandOrSemicolon
            || !query.escaped && self.cut == Cut::AfterDecoding
        {
            self.cut = Cut::Ampersand;
        }
        self.drop_faulty &= seen.semicolon || query.malformed;
        self.drop_empty |= !seen.empty_part || query.empty;
        self.drop_nameless &= seen.nameless;
        if !seen.plus {
            self.plus = Plus::Space;
        }
        if !query.not_utf8 {
            self.utf8 = Utf8::Keep;
        }
        if !seen.blank || query.empty {
            self.blank = Blank::AsSent;
        }
        // A semicolon may cut what an ampersand does not.
        if seen.parts < 2 && !seen.semicolon && self.cut != Cut::AfterDecoding {
            self.repeated = Repeated::All;
            self.order = Order::AsSent;
        }
        if self.order == Order::AsSent || !query.wide {
            self.collation = Collation::Bytes;
        }
        if !query.reserved && !seen.plus {
            self.key = Encoding::Plain;
            self.value = Encoding::Plain;
        }
        self
    }
}
