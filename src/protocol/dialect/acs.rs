//! The forms of `acs`.

use super::base::{self, ALWAYS, AS_SENT, PLAIN_LINES};
use crate::protocol::canonical::rules::{
    Blank, Collation, Form, Order, QueryRules, RepeatedHeader, Utf8,
};
use crate::protocol::scheme::{acs::UNDEFINED, ambiguity::Ambiguities};

const QUERY: QueryRules = QueryRules {
    drop_faulty: false,
    blank: Blank::Bare,
    order: Order::Key,
    joiner: b'&',
    lead: Some(b'?'),
    ..base::QUERY
};

pub(super) const STANDARD: Form = Form {
    path: AS_SENT,
    query: Some(QUERY),
    repeated_header: RepeatedHeader::First,
    expires_as_date: false,
    absent_accept: "",
    refuses: ALWAYS.union(PLAIN_LINES).union(Ambiguities::VALUE_AMPERSAND),
};

pub(super) const JAVA: Form = Form {
    query: Some(QueryRules { utf8: Utf8::Replace, collation: Collation::Utf16, ..QUERY }),
    ..STANDARD
};

pub(super) const NODE: Form = Form {
    query: Some(QueryRules {
        utf8: Utf8::Replace,
        blank: Blank::Equals,
        collation: Collation::Utf16,
        ..QUERY
    }),
    absent_accept: UNDEFINED,
    ..STANDARD
};
