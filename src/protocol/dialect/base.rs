//! What the forms of several families share.

use crate::protocol::canonical::rules::{
    Blank, Collation, Cut, Encoding, Order, PathForm, PathRules, Plus, QueryRules, Repeated, Utf8,
};
use crate::protocol::scheme::ambiguity::Ambiguities;

pub(super) const AS_SENT: PathRules = PathRules::new(PathForm::Raw);

/// Refused under every form.
pub(super) const ALWAYS: Ambiguities = Ambiguities::SEMICOLON
    .union(Ambiguities::MALFORMED)
    .union(Ambiguities::PATH_MALFORMED)
    .union(Ambiguities::NOT_UTF8)
    .union(Ambiguities::PATH_NOT_UTF8)
    .union(Ambiguities::REPEATED_HEADER)
    .union(Ambiguities::PADDED_HEADER)
    .union(Ambiguities::EXPIRES_AS_DATE)
    .union(Ambiguities::ACCEPT_UNDEFINED)
    .union(Ambiguities::UNSIGNED_QUERY)
    .union(Ambiguities::UNSIGNED_HEADER);

/// Refused where names of parameters are signed unencoded.
pub(super) const PLAIN_KEYS: Ambiguities =
    Ambiguities::KEY_NEWLINE.union(Ambiguities::KEY_EQUALS).union(Ambiguities::KEY_AMPERSAND);

/// Refused where their values are signed unencoded as well, each on a line of its own.
pub(super) const PLAIN_LINES: Ambiguities = PLAIN_KEYS.union(Ambiguities::VALUE_NEWLINE);

/// Refused where the path is signed decoded.
pub(super) const DECODED_PATH: Ambiguities = Ambiguities::PATH_NEWLINE
    .union(Ambiguities::PATH_SLASH)
    .union(Ambiguities::PATH_PERCENT)
    .union(Ambiguities::PATH_UNRESERVED);

/// How a query is signed where nothing else is said: as Go signs it under `FC`.
pub(super) const QUERY: QueryRules = QueryRules {
    cut: Cut::Ampersand,
    plus: Plus::Space,
    utf8: Utf8::Keep,
    drop_faulty: true,
    drop_empty: true,
    drop_nameless: false,
    blank: Blank::Equals,
    repeated: Repeated::All,
    order: Order::Pair,
    collation: Collation::Bytes,
    key: Encoding::Plain,
    value: Encoding::Plain,
    joiner: b'\n',
    lead: None,
};
