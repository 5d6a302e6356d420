//! Whether a request can be read in two ways: what is found, and what is to be done
//! about it.

use crate::error::{Error, ErrorKind};
use bitflags::bitflags;
use std::fmt;

macro_rules! ambiguities {
    ($($(#[$doc:meta])* $variant:ident = $flag:ident, $rule:literal;)*) => {
        /// A way in which two requests of different meaning could share one
        /// string-to-sign, or in which part of a request goes unsigned.
        ///
        /// Which of them can do harm depends on the dialect, so each dialect refuses
        /// its own. A [`Verifier`](crate::Verifier) refuses them unless it is told
        /// otherwise, one by one. [Its documentation](crate::Verifier#strict) says why, and
        /// which SDKs are affected.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Ambiguity {
            $($(#[$doc])* $variant,)*
        }

        impl Ambiguity {
            /// Every ambiguity.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The rule that a request with this ambiguity breaks, in a few words.
            pub const fn rule(self) -> &'static str {
                match self {
                    $(Self::$variant => $rule,)*
                }
            }
        }

        bitflags! {
            /// A set of ambiguities.
            #[derive(Clone, Copy, Default, PartialEq, Eq)]
            pub(crate) struct Ambiguities: u32 {
                $(const $flag = 1 << Ambiguity::$variant as u32;)*
            }
        }
    };
}

ambiguities! {
    /// The parameters of a presigned URL beside an `Authorization` header. Always
    /// refused.
    QueryCredentials = QUERY_CREDENTIALS, "credentials in the query and in a header at once";
    /// A name in `SignedHeaders` that the request has no header for. Always refused.
    AbsentHeader = ABSENT_HEADER, "SignedHeaders names a header that the request does not have";
    /// `%0A` in the path.
    PathNewline = PATH_NEWLINE, "the path contains an encoded line feed";
    /// `%2F` in a path that is signed decoded.
    PathSlash = PATH_SLASH, "the path contains an encoded slash, which the signature does not tell from a plain one";
    /// `%25` in a path that is signed decoded: what is signed for `/a%2520b` is what dialects
    /// that sign paths as they were sent sign for `/a%20b`.
    PathPercent = PATH_PERCENT, "the path contains an encoded percent sign, and is signed decoded";
    /// An escape of a letter, a digit, `-`, `.` or `_` in a path that is signed decoded: what is
    /// signed for `/%61ll` is what is signed for `/all`, which is another path to most routers.
    PathUnreserved = PATH_UNRESERVED, "the path contains an escape of a letter, a digit, '-', '.' or '_', which the signature does not tell from the character itself";
    /// `+` in a path, where the dialect signs a space for it.
    PathPlus = PATH_PLUS, "the path contains a plus sign, which this dialect signs as a space";
    /// A `%` in the path that begins no escape.
    PathMalformed = PATH_MALFORMED, "the path contains a percent sign that begins no escape";
    /// A path whose bytes are not UTF-8, where the dialect replaces them.
    PathNotUtf8 = PATH_NOT_UTF8, "the decoded path is not UTF-8";
    /// `%0A` in the name of a parameter, where the dialect signs names unencoded.
    KeyNewline = KEY_NEWLINE, "the name of a query parameter contains an encoded line feed";
    /// `%0A` in the value of a parameter, where the dialect signs values unencoded.
    ValueNewline = VALUE_NEWLINE, "the value of a query parameter contains an encoded line feed";
    /// `;` in the query.
    Semicolon = SEMICOLON, "the query contains a semicolon, at which parsers disagree";
    /// A `%` in the query that begins no escape.
    Malformed = MALFORMED, "the query contains a percent sign that begins no escape";
    /// A parameter whose bytes are not UTF-8, where the dialect replaces them.
    NotUtf8 = NOT_UTF8, "a decoded query parameter is not UTF-8";
    /// `+` in the query, where the dialect does not sign a space for it.
    Plus = PLUS, "the query contains a plus sign, which this dialect does not sign as a space";
    /// `%3D` in the name of a parameter, where the dialect signs names unencoded.
    KeyEquals = KEY_EQUALS, "the name of a query parameter contains an encoded equals sign";
    /// `%26` in the name of a parameter, where the dialect signs names unencoded.
    KeyAmpersand = KEY_AMPERSAND, "the name of a query parameter contains an encoded ampersand";
    /// `%25` in the name of a parameter, where the dialect signs names unencoded.
    KeyPercent = KEY_PERCENT, "the name of a query parameter contains an encoded percent sign";
    /// `%2B` in the name of a parameter, where the dialect signs `%20` for it.
    KeyPlus = KEY_PLUS, "the name of a query parameter contains an encoded plus sign";
    /// `%26` in the value of a parameter, where the dialect signs values unencoded.
    ValueAmpersand = VALUE_AMPERSAND, "the value of a query parameter contains an encoded ampersand";
    /// A parameter given more than once, where the dialect signs one value of it.
    RepeatedKey = REPEATED_KEY, "a query parameter is repeated, and this dialect signs only one of its values";
    /// A parameter without a value, where the dialect leaves it unsigned.
    BlankValue = BLANK_VALUE, "a query parameter has no value, and this dialect leaves it unsigned";
    /// A parameter without a name, where the dialect leaves it unsigned.
    Nameless = NAMELESS, "a query parameter has no name, and this dialect leaves it unsigned";
    /// A query under a dialect that signs none of it.
    UnsignedQuery = UNSIGNED_QUERY, "this dialect does not sign the query";
    /// White space around the value of a signed header, which is not signed. (HTTP/1.1 knows
    /// none, RFC 9110 §5.5; HTTP/2 forbids it, RFC 9113 §8.2.1.)
    PaddedHeader = PADDED_HEADER, "a signed header has white space around its value";
    /// A signed header given more than once.
    RepeatedHeader = REPEATED_HEADER, "a signed header is repeated";
    /// `x-fc-expires` in the query of a request that is signed in its headers.
    ExpiresAsDate = EXPIRES_AS_DATE, "the query parameter x-fc-expires takes the place of the Date header";
    /// `Accept: undefined`, which Node's SDK signs for an absent header.
    AcceptUndefined = ACCEPT_UNDEFINED, "the Accept header is the word that an SDK signs in the absence of one";
    /// Different values of one parameter, whose order no scheme signs. Let through unless it is
    /// refused by name.
    ValueOrder = VALUE_ORDER, "a query parameter has several values, whose order is not signed";
    /// An `x-acs-` or `x-fc-` header that the signature does not cover.
    UnsignedHeader = UNSIGNED_HEADER, "a header that a trigger acts upon is not signed";
}

impl Ambiguity {
    /// Whether it can be let through by name.
    pub(crate) fn can_be_allowed(self) -> bool {
        !NEVER_ALLOWED.contains(self.into())
    }
}

impl From<Ambiguity> for Ambiguities {
    fn from(ambiguity: Ambiguity) -> Self {
        Self::from_bits_retain(1 << ambiguity as u32)
    }
}

impl Ambiguities {
    /// What each form of a family that signs the query finds of it if one does.
    pub(crate) const QUERY_FOUND_BY_ALL: Self = Self::SEMICOLON.union(Self::MALFORMED);

    /// What each form of a family finds of a request if one does, but for those which do not
    /// sign the query and so find nothing of it.
    pub(crate) const FOUND_BY_ALL: Self = Self::QUERY_FOUND_BY_ALL
        .union(Self::PATH_MALFORMED)
        .union(Self::REPEATED_HEADER)
        .union(Self::EXPIRES_AS_DATE)
        .union(Self::ACCEPT_UNDEFINED)
        .union(Self::UNSIGNED_HEADER);

    /// The ambiguities of the set, in the order in which they are declared.
    pub(crate) fn each(self) -> impl Iterator<Item = Ambiguity> {
        Ambiguity::ALL.iter().copied().filter(move |each| self.contains((*each).into()))
    }
}

/// What of what is ambiguous must not occur, beyond what a form refuses, or may all the same.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Policy {
    pub(crate) allowed: Ambiguities,
    pub(crate) refused: Ambiguities,
}

/// Refused whatever the settings.
const NEVER_ALLOWED: Ambiguities = Ambiguities::QUERY_CREDENTIALS.union(Ambiguities::ABSENT_HEADER);

impl Policy {
    /// Lets one ambiguity through.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for those that are always refused.
    pub(crate) fn allow(&mut self, ambiguity: Ambiguity) -> Result<(), Error> {
        if !ambiguity.can_be_allowed() {
            let rule = format!("this can never be let through: {}", ambiguity.rule());
            return Err(Error::new(ErrorKind::InvalidSetting, rule));
        }
        self.allowed |= ambiguity.into();
        self.refused -= ambiguity.into();
        Ok(())
    }

    /// Lets everything through that may be.
    pub(crate) fn allow_all(&mut self) {
        self.allowed = Ambiguities::all() - NEVER_ALLOWED;
        self.refused = Ambiguities::empty();
    }

    /// Refuses one ambiguity under every form.
    pub(crate) fn refuse(&mut self, ambiguity: Ambiguity) {
        self.allowed -= ambiguity.into();
        self.refused |= ambiguity.into();
    }

    /// What must not occur under a form that refuses this.
    pub(crate) fn refused(&self, refuses: Ambiguities) -> Ambiguities {
        (refuses - self.allowed) | self.refused
    }

    /// What is to be reported of what was found under a form.
    ///
    /// # Errors
    /// The first that must not occur.
    pub(crate) fn judge(
        &self,
        found: Ambiguities,
        refuses: Ambiguities,
    ) -> Result<Ambiguities, Ambiguity> {
        let refused = found & self.refused(refuses);
        match refused.is_empty() {
            true => Ok(found & (refuses | Ambiguities::VALUE_ORDER)),
            false => refused.each().next().map_or(Ok(found), Err),
        }
    }
}

impl fmt::Debug for Ambiguities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.each()).finish()
    }
}
