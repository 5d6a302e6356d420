//! Where in a request tokens and claims are, as the service writes it.

use crate::error::{Error, ErrorKind};
use std::fmt;

/// A part of a request that has named values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    Header,
    Query,
    Cookie,
    Form,
}

impl Position {
    const ALL: [Self; 4] = [Self::Header, Self::Query, Self::Cookie, Self::Form];

    fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Query => "query",
            Self::Cookie => "cookie",
            Self::Form => "form",
        }
    }

    /// The position that an entry begins with, and what follows its colon.
    ///
    /// # Errors
    /// It begins with none.
    pub(super) fn cut(entry: &str) -> Result<(Self, &str), Error> {
        let cut = entry.split_once(':').and_then(|(name, rest)| {
            let position = Self::ALL.into_iter().find(|position| position.name() == name.trim())?;
            Some((position, rest))
        });
        cut.ok_or_else(|| invalid(entry, "does not begin with header:, query:, cookie: or form:"))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is wrong with an entry.
pub(super) fn invalid(entry: &str, rule: &str) -> Error {
    let entry: String = entry.chars().take(64).collect();
    Error::new(ErrorKind::InvalidConfig, format!("the entry {entry:?} {rule}"))
}
