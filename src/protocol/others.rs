//! Credentials of schemes that are somebody else's to check.

use super::scheme::Scheme;
use crate::error::{Error, ErrorKind};
use std::fmt;
use std::sync::Arc;

/// Marks a request whose credentials are of another scheme, which is not ours to check.
///
/// A layer puts it into the extensions of a request that it lets pass because its verifier was
/// told to ([`Verifier::with_other_schemes`](crate::Verifier::with_other_schemes)). Nothing of
/// such a request was verified.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct OtherScheme(Arc<str>);

impl OtherScheme {
    /// The name of the scheme, as the verifier was told it: `Bearer`, however the client wrote it.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OtherScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OtherScheme").field(&self.name()).finish()
    }
}

/// The schemes of `Authorization` that are somebody else's to check.
#[derive(Clone, Debug, Default)]
pub(crate) struct Others(Vec<OtherScheme>);

impl Others {
    /// Schemes of these names.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for what cannot be the name of one, and for ours.
    pub(crate) fn read<I>(names: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let read = |(name, number): (I::Item, usize)| {
            let name = name.as_ref();
            let is_ours = |scheme: &Scheme| {
                scheme.token().is_some_and(|token| token.eq_ignore_ascii_case(name))
            };
            let rule = if name.is_empty() || !name.bytes().all(is_token) {
                "must be the name of one, such as Bearer, and nothing else"
            } else if Scheme::ALL.iter().any(is_ours) {
                "is a scheme of signatures, which cannot be left to others"
            } else {
                return Ok(OtherScheme(name.into()));
            };
            Err(Error::new(ErrorKind::InvalidSetting, format!("scheme {number} {rule}")))
        };
        names.into_iter().zip(1..).map(read).collect::<Result<_, _>>().map(Self)
    }

    /// The one that the value of an `Authorization` header names, if it is of these.
    pub(crate) fn named(&self, value: &[u8]) -> Option<&OtherScheme> {
        let name = value.split(|byte| *byte == b' ').next()?;
        self.0.iter().find(|other| name.eq_ignore_ascii_case(other.name().as_bytes()))
    }
}

/// Whether a byte may be in a token (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
