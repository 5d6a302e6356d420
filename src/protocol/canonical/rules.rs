//! The rules by which requests are written: all that documentation and SDKs differ in.

use crate::protocol::scheme::ambiguity::Ambiguities;

/// One dialect's way of building the string-to-sign of one family of schemes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) path: PathRules,
    /// `None`: the query is not signed, and nothing follows the path (`fc/api`).
    pub(crate) query: Option<QueryRules>,
    pub(crate) repeated_header: RepeatedHeader,
    /// Whether the query parameter x-fc-expires is signed in place of the Date
    /// header even where the URL is not presigned (`FC` of Go and Java).
    pub(crate) expires_as_date: bool,
    /// What is signed in the absence of an Accept header (`acs`).
    pub(crate) absent_accept: &'static str,
    /// What must not occur, so that no two requests of different meaning share a
    /// string-to-sign under this form, and nothing that is acted upon goes unsigned.
    pub(crate) refuses: Ambiguities,
}

/// A dialect's way with the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PathRules {
    pub(crate) form: PathForm,
    /// How often `$` becomes `%24`.
    pub(crate) dollar: Times,
    /// How often each of `+`, `*` and `%7E` becomes `%20`, `%2A` and `~`.
    pub(crate) form_chars: Times,
}

impl PathRules {
    pub(crate) const fn new(form: PathForm) -> Self {
        Self { form, dollar: Times::Never, form_chars: Times::Never }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathForm {
    /// As on the wire.
    Raw,
    /// Percent-decoded.
    Decoded(Utf8),
    /// Every segment percent-decoded and encoded again by RFC 3986.
    Segments,
}

/// What becomes of decoded bytes that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Utf8 {
    /// They stay.
    Keep,
    /// Each malformed sequence becomes U+FFFD.
    Replace,
}

/// How often a replacement is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    Never,
    First,
    Every,
}

/// A dialect's way with the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueryRules {
    pub(crate) cut: Cut,
    pub(crate) plus: Plus,
    pub(crate) utf8: Utf8,
    /// Parts with a malformed escape or a plain semicolon are dropped (Go).
    pub(crate) drop_faulty: bool,
    pub(crate) drop_empty: bool,
    pub(crate) drop_nameless: bool,
    pub(crate) blank: Blank,
    pub(crate) repeated: Repeated,
    pub(crate) order: Order,
    pub(crate) collation: Collation,
    pub(crate) key: Encoding,
    pub(crate) value: Encoding,
    pub(crate) joiner: u8,
    /// What stands in front of the parameters, when there are any.
    pub(crate) lead: Option<u8>,
}

/// Where a query is cut into its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Ampersand,
    AmpersandOrSemicolon,
    /// At every ampersand there is once all of the query is decoded.
    AfterDecoding,
}

/// What `+` means in a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plus {
    Space,
    Itself,
}

/// How `k` and `k=` are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blank {
    /// Each as it was sent.
    AsSent,
    /// Both as `k=`.
    Equals,
    /// Both as `k`.
    Bare,
    /// Neither is signed.
    LeftOut,
}

/// Which of several values of one key are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeated {
    All,
    First,
    Last,
}

/// What the parts are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    AsSent,
    /// By the whole text `k=v`.
    Pair,
    /// By the key; equal keys by their values, where all of them are signed.
    Key,
}

/// How texts compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Collation {
    /// Byte by byte, which for UTF-8 is by code point: Go, Python.
    Bytes,
    /// By UTF-16 code unit: Java, JavaScript.
    Utf16,
}

/// How a key or a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Decoded.
    Plain,
    /// Decoded, with `+`, `*` and `%7E` as `%20`, `%2A` and `~`.
    FormChars,
    Rfc3986,
}

/// What a dialect makes of several values of one signed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RepeatedHeader {
    /// The first is signed (Go).
    First,
    /// The last is signed (Java).
    Last,
    /// They are joined by commas, in the order they arrived.
    Joined,
    /// They are sorted and joined by commas.
    Sorted,
}
