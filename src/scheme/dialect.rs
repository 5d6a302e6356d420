//! The dialects: how the documentation and each SDK canonicalise, as data.
//!
//! Each form below was read off the requests that the real SDKs sign, and is
//! proved against them (`tests/vectors.rs`).

use super::Family;
use crate::canonical::Quirks;
use crate::canonical::headers::RepeatedHeader;
use crate::canonical::order::Collation;
use crate::canonical::path::{PathForm, PathRules, Times, Utf8};
use crate::canonical::query::{Blank, Cut, Encoding, Order, Plus, QueryRules, Repeated};
use std::fmt;
use std::str::FromStr;

macro_rules! dialects {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $family:ident, $form:ident;)*) => {
        /// How one signer turns a request into the bytes it signs.
        ///
        /// The documentation describes one way for each scheme; the official SDKs
        /// depart from it and from each other in how they take the path, and cut,
        /// decode, order and encode the query. [`Dialect::Standard`] is the
        /// documented form of every scheme. It is the only one that is signed
        /// with; a [`Verifier`](crate::Verifier) accepts it by default, and others
        /// when they are switched on.
        ///
        /// A dialect has a name of the form `scheme/name`, which it displays as and
        /// is parsed from.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Dialect {
            /// The documented form of each scheme. For `FC` and presigned URLs this
            /// is also what the Go SDKs sign, for `acs` what Python and Go sign.
            Standard,
            $($(#[$doc])* $variant,)*
        }

        impl Dialect {
            /// Every dialect, `Standard` first.
            pub const ALL: &'static [Self] = &[Self::Standard, $(Self::$variant,)*];

            /// Its name: `standard`, or `scheme/name`.
            pub const fn name(self) -> &'static str {
                match self {
                    Self::Standard => "standard",
                    $(Self::$variant => $name,)*
                }
            }

            /// Its way with the requests of a family of schemes, `None` where it has none.
            pub(crate) const fn form(self, family: Family) -> Option<&'static Form> {
                match (self, family) {
                    (Self::Standard, _) => Some(Form::standard(family)),
                    $((Self::$variant, Family::$family) => Some(&$form),)*
                    _ => None,
                }
            }
        }
    };
}

dialects! {
    /// `FC` of the Python package `alibabacloud-gateway-fc-util`.
    FcPyGateway = "fc/py-gateway", Fc, FC_PY_GATEWAY;
    /// `FC` of the Java package `alibabacloud-gateway-fc-util`.
    FcJavaGateway = "fc/java-gateway", Fc, FC_JAVA_GATEWAY;
    /// `FC` of the Node package `@alicloud/fc2`.
    FcNodeFc2 = "fc/node-fc2", Fc, FC_NODE_FC2;
    /// `FC` of the Python package `aliyun-fc2`.
    FcPyFc2 = "fc/py-fc2", Fc, FC_PY_FC2;
    /// `FC` of the Go package `fc-go-sdk`.
    FcGoFc = "fc/go-fc", Fc, FC_GO_FC;
    /// `FC` of management calls: the query is not signed.
    FcApi = "fc/api", Fc, FC_API;
    /// `ACS3` of the Python package `alibabacloud-openapi-util`.
    Acs3Py = "acs3/py", Acs3, ACS3_PY;
    /// `ACS3` of the Node package `@alicloud/openapi-util`.
    Acs3Node = "acs3/node", Acs3, ACS3_NODE;
    /// `ACS3` of the Go package `openapi-util`.
    Acs3Go = "acs3/go", Acs3, ACS3_GO;
    /// `ACS3` of the Java package `openapiutil`.
    Acs3Java = "acs3/java", Acs3, ACS3_JAVA;
    /// `ACS3` of the documented Python sample for HTTP triggers.
    Acs3PyDoc = "acs3/py-doc", Acs3, ACS3_PY_DOC;
    /// `ACS3` of the documented Node sample for HTTP triggers.
    Acs3NodeDoc = "acs3/node-doc", Acs3, ACS3_NODE_DOC;
    /// `ACS3` of the documented Go sample for HTTP triggers.
    Acs3GoDoc = "acs3/go-doc", Acs3, ACS3_GO_DOC;
    /// `ACS3` of the documented Java sample for HTTP triggers.
    Acs3JavaDoc = "acs3/java-doc", Acs3, ACS3_JAVA_DOC;
    /// `acs` of the Node package `@alicloud/openapi-util`.
    AcsNode = "acs/node", Acs, ACS_NODE;
    /// `acs` of the Java package `openapiutil`.
    AcsJava = "acs/java", Acs, ACS_JAVA;
}

/// Names of SDKs whose way is the documented one.
const ALIASES: &[(&str, Dialect)] = &[
    ("fc/go-gateway", Dialect::Standard),
    ("fc-presigned/go-fc", Dialect::Standard),
    ("acs/py", Dialect::Standard),
    ("acs/go", Dialect::Standard),
];

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Dialect {
    type Err = crate::Error;

    /// Reads the name of a dialect. The names of SDKs that follow the
    /// documentation (`fc/go-gateway`, `fc-presigned/go-fc`, `acs/py`, `acs/go`)
    /// are other names for `standard`.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownName`](crate::ErrorKind::UnknownName) for any other text.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.iter().map(|dialect| (dialect.name(), *dialect));
        known
            .chain(ALIASES.iter().copied())
            .find(|(known, _)| *known == name)
            .map(|(_, dialect)| dialect)
            .ok_or_else(|| crate::Error::unknown_name("dialect", name))
    }
}

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
    pub(crate) refuses: Quirks,
}

impl Form {
    /// The documented form of a family of schemes.
    pub(crate) const fn standard(family: Family) -> &'static Self {
        match family {
            Family::Fc => &FC,
            Family::Acs3 => &ACS3,
            Family::Acs => &ACS,
        }
    }
}

const AS_SENT: PathRules = PathRules::new(PathForm::Raw);

/// Refused under every form.
const ALWAYS: Quirks = Quirks::SEMICOLON
    .with(Quirks::MALFORMED)
    .with(Quirks::PATH_MALFORMED)
    .with(Quirks::NOT_UTF8)
    .with(Quirks::PATH_NOT_UTF8)
    .with(Quirks::REPEATED_HEADER)
    .with(Quirks::EXPIRES_AS_DATE)
    .with(Quirks::ACCEPT_UNDEFINED)
    .with(Quirks::UNSIGNED_QUERY)
    .with(Quirks::UNSIGNED_HEADER);

/// Refused where names of parameters are signed unencoded.
const PLAIN_KEYS: Quirks = Quirks::KEY_NEWLINE.with(Quirks::KEY_EQUALS).with(Quirks::KEY_AMPERSAND);

/// Refused where their values are signed unencoded as well, each on a line of its own.
const PLAIN_LINES: Quirks = PLAIN_KEYS.with(Quirks::VALUE_NEWLINE);

/// Refused where the path is signed decoded.
const DECODED_PATH: Quirks = Quirks::PATH_NEWLINE.with(Quirks::PATH_SLASH);

const FC_QUERY: QueryRules = QueryRules {
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

const FC: Form = Form {
    path: PathRules::new(PathForm::Decoded(Utf8::Keep)),
    query: Some(FC_QUERY),
    repeated_header: RepeatedHeader::First,
    expires_as_date: true,
    absent_accept: "",
    refuses: ALWAYS.with(PLAIN_LINES).with(DECODED_PATH),
};

const FC_GO_FC: Form = Form { expires_as_date: false, ..FC };

const FC_PY_GATEWAY: Form = Form {
    path: PathRules::new(PathForm::Decoded(Utf8::Replace)),
    query: Some(QueryRules {
        cut: Cut::AfterDecoding,
        plus: Plus::Itself,
        utf8: Utf8::Replace,
        drop_faulty: false,
        drop_empty: false,
        blank: Blank::AsSent,
        order: Order::AsSent,
        ..FC_QUERY
    }),
    repeated_header: RepeatedHeader::Joined,
    expires_as_date: false,
    refuses: FC.refuses.with(Quirks::PLUS).with(Quirks::VALUE_AMPERSAND),
    ..FC
};

const FC_JAVA_GATEWAY: Form = Form {
    path: AS_SENT,
    query: Some(QueryRules {
        utf8: Utf8::Replace,
        drop_faulty: false,
        drop_empty: false,
        blank: Blank::AsSent,
        collation: Collation::Utf16,
        ..FC_QUERY
    }),
    repeated_header: RepeatedHeader::Joined,
    refuses: ALWAYS.with(PLAIN_LINES),
    ..FC
};

const FC_NODE_FC2: Form = Form {
    path: AS_SENT,
    query: Some(QueryRules {
        utf8: Utf8::Replace,
        drop_faulty: false,
        collation: Collation::Utf16,
        ..FC_QUERY
    }),
    repeated_header: RepeatedHeader::Joined,
    expires_as_date: false,
    refuses: ALWAYS.with(PLAIN_LINES),
    ..FC
};

const FC_PY_FC2: Form = Form {
    path: PathRules::new(PathForm::Decoded(Utf8::Replace)),
    query: Some(QueryRules { utf8: Utf8::Replace, drop_faulty: false, ..FC_QUERY }),
    repeated_header: RepeatedHeader::Joined,
    expires_as_date: false,
    ..FC
};

const FC_API: Form = Form { query: None, expires_as_date: false, ..FC };

const ACS3_QUERY: QueryRules = QueryRules {
    drop_faulty: false,
    order: Order::Key,
    key: Encoding::Rfc3986,
    value: Encoding::Rfc3986,
    joiner: b'&',
    ..FC_QUERY
};

const ACS3: Form = Form {
    path: PathRules::new(PathForm::Segments),
    query: Some(ACS3_QUERY),
    repeated_header: RepeatedHeader::Sorted,
    expires_as_date: false,
    absent_accept: "",
    refuses: ALWAYS,
};

/// Refused in `ACS3` where keys are signed unencoded: other dialects write the encoded
/// form of another key like that.
const KEYS_AMONG_ENCODED: Quirks = PLAIN_KEYS.with(Quirks::KEY_PERCENT);

const ACS3_PY: Form = Form {
    path: AS_SENT,
    query: Some(QueryRules { utf8: Utf8::Replace, key: Encoding::Plain, ..ACS3_QUERY }),
    refuses: ALWAYS.with(KEYS_AMONG_ENCODED),
    ..ACS3
};

const ACS3_NODE: Form = Form {
    path: PathRules { form: PathForm::Raw, dollar: Times::Never, form_chars: Times::First },
    query: Some(QueryRules {
        utf8: Utf8::Replace,
        key: Encoding::Plain,
        collation: Collation::Utf16,
        ..ACS3_QUERY
    }),
    refuses: ALWAYS.with(KEYS_AMONG_ENCODED).with(Quirks::PATH_PLUS),
    ..ACS3
};

const ACS3_GO: Form = Form {
    path: PathRules { form: PathForm::Raw, dollar: Times::Never, form_chars: Times::Every },
    query: Some(QueryRules { key: Encoding::FormChars, drop_faulty: true, ..ACS3_QUERY }),
    refuses: ALWAYS.with(KEYS_AMONG_ENCODED).with(Quirks::PATH_PLUS).with(Quirks::KEY_PLUS),
    ..ACS3
};

const ACS3_JAVA: Form = Form {
    path: AS_SENT,
    query: Some(QueryRules { utf8: Utf8::Replace, collation: Collation::Utf16, ..ACS3_QUERY }),
    repeated_header: RepeatedHeader::Last,
    ..ACS3
};

/// Refused in the documented samples: they sign one value of each key.
const ONE_VALUE: Quirks = Quirks::REPEATED_KEY;

/// Refused where an encoded percent sign of the path is signed as a plain one.
const DECODED_AND_ENCODED_PATH: Quirks = DECODED_PATH.with(Quirks::PATH_PERCENT);

const ACS3_PY_DOC: Form = Form {
    path: PathRules { form: PathForm::Raw, dollar: Times::Every, form_chars: Times::Never },
    query: Some(QueryRules {
        utf8: Utf8::Replace,
        key: Encoding::Plain,
        repeated: Repeated::First,
        blank: Blank::LeftOut,
        ..ACS3_QUERY
    }),
    refuses: ACS3_PY.refuses.with(ONE_VALUE).with(Quirks::BLANK_VALUE),
    ..ACS3_PY
};

const ACS3_NODE_DOC: Form = Form {
    path: PathRules { form: PathForm::Raw, dollar: Times::First, form_chars: Times::First },
    query: Some(QueryRules {
        utf8: Utf8::Replace,
        key: Encoding::Plain,
        repeated: Repeated::Last,
        collation: Collation::Utf16,
        ..ACS3_QUERY
    }),
    refuses: ACS3_NODE.refuses.with(ONE_VALUE),
    ..ACS3_NODE
};

const ACS3_GO_DOC: Form = Form {
    path: PathRules {
        form: PathForm::Decoded(Utf8::Keep),
        dollar: Times::Every,
        form_chars: Times::Every,
    },
    query: Some(QueryRules {
        key: Encoding::FormChars,
        drop_faulty: true,
        repeated: Repeated::First,
        ..ACS3_QUERY
    }),
    repeated_header: RepeatedHeader::First,
    refuses: ACS3_GO.refuses.with(ONE_VALUE).with(DECODED_AND_ENCODED_PATH),
    ..ACS3_GO
};

const ACS3_JAVA_DOC: Form = Form {
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
        ..ACS3_QUERY
    }),
    refuses: ALWAYS.with(ONE_VALUE).with(Quirks::NAMELESS).with(DECODED_AND_ENCODED_PATH),
    ..ACS3_JAVA
};

const ACS: Form = Form {
    path: AS_SENT,
    query: Some(QueryRules {
        drop_faulty: false,
        blank: Blank::Bare,
        order: Order::Key,
        joiner: b'&',
        lead: Some(b'?'),
        ..FC_QUERY
    }),
    repeated_header: RepeatedHeader::First,
    expires_as_date: false,
    absent_accept: "",
    refuses: ALWAYS.with(PLAIN_LINES).with(Quirks::VALUE_AMPERSAND),
};

const ACS_JAVA: Form = Form {
    query: Some(QueryRules {
        utf8: Utf8::Replace,
        drop_faulty: false,
        blank: Blank::Bare,
        order: Order::Key,
        collation: Collation::Utf16,
        joiner: b'&',
        lead: Some(b'?'),
        ..FC_QUERY
    }),
    ..ACS
};

const ACS_NODE: Form = Form {
    query: Some(QueryRules {
        utf8: Utf8::Replace,
        drop_faulty: false,
        blank: Blank::Equals,
        order: Order::Key,
        collation: Collation::Utf16,
        joiner: b'&',
        lead: Some(b'?'),
        ..FC_QUERY
    }),
    absent_accept: super::acs::UNDEFINED,
    ..ACS
};

/// A set of dialects.
///
/// Made from the dialects wanted ([`Dialects::from`] an array, or collected),
/// or [`Dialects::ALL`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Dialects(u32);

impl Dialects {
    /// The documented form alone.
    pub const STANDARD: Self = Self::of(Dialect::Standard);

    /// Every dialect there is.
    pub const ALL: Self = Self((1 << Dialect::ALL.len()) - 1);

    const fn of(dialect: Dialect) -> Self {
        Self(1 << dialect as u32)
    }

    /// Whether `dialect` is in the set.
    pub const fn contains(self, dialect: Dialect) -> bool {
        self.0 & Self::of(dialect).0 != 0
    }

    /// What must not occur under a form, these dialects being accepted side by side.
    pub(crate) fn refuses(self, form: &Form, family: Family) -> Quirks {
        // A dialect that signs paths as they were sent writes for `/a%20b` what one
        // that decodes them writes for `/a%2520b`.
        let sent = [Dialect::FcJavaGateway, Dialect::FcNodeFc2];
        let beside_sent = family == Family::Fc && sent.iter().any(|each| self.contains(*each));
        match form.path.form {
            PathForm::Decoded(_) if beside_sent => form.refuses.with(Quirks::PATH_PERCENT),
            _ => form.refuses,
        }
    }

    /// The dialects of the set, `Standard` first.
    pub fn iter(self) -> impl Iterator<Item = Dialect> {
        Dialect::ALL.iter().copied().filter(move |dialect| self.contains(*dialect))
    }
}

impl From<Dialect> for Dialects {
    fn from(dialect: Dialect) -> Self {
        Self::of(dialect)
    }
}

impl<const N: usize> From<[Dialect; N]> for Dialects {
    fn from(dialects: [Dialect; N]) -> Self {
        dialects.into_iter().collect()
    }
}

impl FromIterator<Dialect> for Dialects {
    fn from_iter<I: IntoIterator<Item = Dialect>>(dialects: I) -> Self {
        Self(dialects.into_iter().fold(0, |set, dialect| set | Self::of(dialect).0))
    }
}

impl fmt::Debug for Dialects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
