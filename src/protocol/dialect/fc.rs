//! The forms of `FC`.

use super::base::{ALWAYS, AS_SENT, DECODED_PATH, PLAIN_LINES, QUERY};
use crate::protocol::canonical::rules::{
    Blank, Collation, Cut, Form, Order, PathForm, PathRules, Plus, QueryRules, RepeatedHeader, Utf8,
};
use crate::protocol::scheme::ambiguity::Ambiguities;

pub(super) const STANDARD: Form = Form {
    path: PathRules::new(PathForm::Decoded(Utf8::Keep)),
    query: Some(QUERY),
    repeated_header: RepeatedHeader::First,
    expires_as_date: true,
    absent_accept: "",
    refuses: ALWAYS.union(PLAIN_LINES).union(DECODED_PATH),
};

pub(super) const GO_FC: Form = Form { expires_as_date: false, ..STANDARD };

pub(super) const PY_GATEWAY: Form = Form {
    path: PathRules::new(PathForm::Decoded(Utf8::Replace)),
    query: Some(QueryRules {
        cut: Cut::AfterDecoding,
        plus: Plus::Itself,
        utf8: Utf8::Replace,
        drop_faulty: false,
        drop_empty: false,
        blank: Blank::AsSent,
        order: Order::AsSent,
        ..QUERY
    }),
    repeated_header: RepeatedHeader::Joined,
    expires_as_date: false,
    refuses: STANDARD.refuses.union(Ambiguities::PLUS).union(Ambiguities::VALUE_AMPERSAND),
    ..STANDARD
};

pub(super) const JAVA_GATEWAY: Form = Form {
    path: AS_SENT,
    query: Some(QueryRules {
        utf8: Utf8::Replace,
        drop_faulty: false,
        drop_empty: false,
        blank: Blank::AsSent,
        collation: Collation::Utf16,
        ..QUERY
    }),
    repeated_header: RepeatedHeader::Joined,
    refuses: ALWAYS.union(PLAIN_LINES),
    ..STANDARD
};

pub(super) const NODE_FC2: Form = Form {
    path: AS_SENT,
    query: Some(QueryRules {
        utf8: Utf8::Replace,
        drop_faulty: false,
        collation: Collation::Utf16,
        ..QUERY
    }),
    repeated_header: RepeatedHeader::Joined,
    expires_as_date: false,
    refuses: ALWAYS.union(PLAIN_LINES),
    ..STANDARD
};

pub(super) const PY_FC2: Form = Form {
    path: PathRules::new(PathForm::Decoded(Utf8::Replace)),
    query: Some(QueryRules { utf8: Utf8::Replace, drop_faulty: false, ..QUERY }),
    repeated_header: RepeatedHeader::Joined,
    expires_as_date: false,
    ..STANDARD
};

pub(super) const API: Form = Form { query: None, expires_as_date: false, ..STANDARD };
