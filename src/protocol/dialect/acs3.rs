//! The forms of `ACS3`.

use super::base::{self, ALWAYS, AS_SENT, DECODED_PATH, PLAIN_KEYS};
use crate::protocol::canonical::rules::{
    Blank, Collation, Cut, Encoding, Form, Order, PathForm, PathRules, QueryRules, Repeated,
    RepeatedHeader, Times, Utf8,
};
use crate::protocol::scheme::ambiguity::Ambiguities;

pub(super) const QUERY: QueryRules = QueryRules {
    drop_faulty: false,
    order: Order::Key,
    key: Encoding::Rfc3986,
    value: Encoding::Rfc3986,
    joiner: b'&',
    ..base::QUERY
};

pub(super) const STANDARD: Form = Form {
    path: PathRules::new(PathForm::Segments),
    query: Some(QUERY),
    repeated_header: RepeatedHeader::Sorted,
    expires_as_date: false,
    absent_accept: "",
    refuses: ALWAYS.union(Ambiguities::PATH_UNRESERVED),
};

/// Refused in `STANDARD` where keys are signed unencoded: other dialects write the encoded
/// form of another key like that.
pub(super) const KEYS_AMONG_ENCODED: Ambiguities = PLAIN_KEYS.union(Ambiguities::KEY_PERCENT);

pub(super) const PY: Form = Form {
    path: AS_SENT,
    query: Some(QueryRules { utf8: Utf8::Replace, key: Encoding::Plain, ..QUERY }),
    refuses: ALWAYS.union(KEYS_AMONG_ENCODED),
    ..STANDARD
};

pub(super) const NODE: Form = Form {
    path: PathRules { form: PathForm::Raw, dollar: Times::Never, form_chars: Times::First },
    query: Some(QueryRules {
        utf8: Utf8::Replace,
        key: Encoding::Plain,
        collation: Collation::Utf16,
        ..QUERY
    }),
    refuses: ALWAYS.union(KEYS_AMONG_ENCODED).union(Ambiguities::PATH_PLUS),
    ..STANDARD
};

pub(super) const GO: Form = Form {
    path: PathRules { form: PathForm::Raw, dollar: Times::Never, form_chars: Times::Every },
    query: Some(QueryRules { key: Encoding::FormChars, ..QUERY }),
    refuses: ALWAYS
        .union(KEYS_AMONG_ENCODED)
        .union(Ambiguities::PATH_PLUS)
        .union(Ambiguities::KEY_PLUS),
    ..STANDARD
};

pub(super) const JAVA: Form = Form {
    path: AS_SENT,
    query: Some(QueryRules { utf8: Utf8::Replace, collation: Collation::Utf16, ..QUERY }),
    repeated_header: RepeatedHeader::Last,
    refuses: ALWAYS,
    ..STANDARD
};

/// Refused in the documented samples: they sign one value of each key.
pub(super) const ONE_VALUE: Ambiguities = Ambiguities::REPEATED_KEY;

pub(super) const PY_DOC: Form = Form {
    path: PathRules { form: PathForm::Raw, dollar: Times::Every, form_chars: Times::Never },
    query: Some(QueryRules {
        utf8: Utf8::Replace,
        key: Encoding::Plain,
        repeated: Repeated::First,
        blank: Blank::LeftOut,
        ..QUERY
    }),
    refuses: PY.refuses.union(ONE_VALUE).union(Ambiguities::BLANK_VALUE),
    ..PY
};

pub(super) const NODE_DOC: Form = Form {
    path: PathRules { form: PathForm::Raw, dollar: Times::First, form_chars: Times::First },
    query: Some(QueryRules {
        utf8: Utf8::Replace,
        key: Encoding::Plain,
        repeated: Repeated::Last,
        collation: Collation::Utf16,
        ..QUERY
    }),
    refuses: NODE.refuses.union(ONE_VALUE),
    ..NODE
};

pub(super) const GO_DOC: Form = Form {
    path: PathRules {
        form: PathForm::Decoded(Utf8::Keep),
        dollar: Times::Every,
        form_chars: Times::Every,
    },
    query: Some(QueryRules {
        key: Encoding::FormChars,
        drop_faulty: true,
        repeated: Repeated::First,
        ..QUERY
    }),
    repeated_header: RepeatedHeader::First,
    refuses: GO.refuses.union(ONE_VALUE).union(DECODED_PATH),
    ..GO
};

pub(super) const JAVA_DOC: Form = Form {
    path: PathRules {
        form: PathForm::Decoded(Utf8::Replace),
        dollar: Times::Every,
        form_chars: Times::Never,
    },
    query: Some(QueryRules {
        cut: Cut::AmpersandOrSemicolon,
        utf8: Utf8::Replace,
        drop_nameless: true,
        repeated: Repeated::Last,
        collation: Collation::Utf16,
        ..QUERY
    }),
    refuses: ALWAYS.union(ONE_VALUE).union(Ambiguities::NAMELESS).union(DECODED_PATH),
    ..JAVA
};
