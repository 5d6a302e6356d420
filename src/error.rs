//! What goes wrong when something is made: credentials, keys, settings.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Reports that something could not be made or obtained.
///
/// Its text names the input and the rule, and never contains a secret. So it quotes no input that
/// may be one, come to the wrong place, and tells its number, or where it was looked for.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    message: Cow<'static, str>,
    // Shared, as an error may be by all who waited for one answer.
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// Any error, as tower passes them around.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Tells apart what an [`Error`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An access key id that cannot stand in a header, or is empty. Check where it
    /// comes from.
    InvalidAccessKeyId,
    /// An access key secret that is empty or contains white space or control
    /// characters, as one copied with its line end does.
    InvalidAccessKeySecret,
    /// A security token that cannot stand in a header.
    InvalidSecurityToken,
    /// A nonce that cannot stand in a header, or is too long.
    InvalidNonce,
    /// The system gives no random numbers, and so there are no nonces.
    NoRandomness,
    /// An environment variable is missing, or is not text. Set it.
    MissingVariable,
    /// A header is missing in which Function Compute gives a function its credentials, or is not
    /// text.
    MissingHeader,
    /// A key file that cannot be read, is not JSON, or has something in it that is not
    /// an access key. Correct what the text names.
    InvalidKeyFile,
    /// The configuration of a trigger has something in it that it cannot have. Correct what the
    /// text names.
    InvalidConfig,
    /// The id of a task has a character that it cannot have, or too many.
    InvalidTaskId,
    /// A store of tasks cannot be opened. The text says why.
    InvalidStore,
    /// No dialect or scheme has this name.
    UnknownName,
    /// A setting that contradicts another, or is out of its range.
    InvalidSetting,
    /// Credentials, or keys for tokens, could not be obtained from where they come from. Trying
    /// again may help.
    Provider,
    /// A request that is not signed because it is ambiguous: its signature would be good for
    /// a request of other meaning, or would leave out what is acted upon. The text says what
    /// to do.
    Ambiguous,
    /// The request has no room for the headers of a signature: it has as many as `http`
    /// allows, which is some 24 000.
    TooManyHeaders,
    /// A URL that is not a URI as `http` reads it.
    InvalidUri,
    /// A lifetime of a presigned URL that is zero, or ends beyond what can be written, or after
    /// the credentials that sign it.
    InvalidLifetime,
    /// A URL to be presigned has parameters of a presigned URL already.
    AlreadyPresigned,
    /// The signed URL would not be a valid URI, being longer than 65 534 bytes.
    UriTooLong,
    /// A request of a test (`test_util`) that is not let in however it is signed. Its source is the
    /// [`Rejection`](crate::Rejection).
    Refused,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// That something has another name, out of these.
    pub(crate) fn unknown_name<'a>(what: &str, known: impl Iterator<Item = &'a str>) -> Self {
        // It is not quoted: it may be a secret that came to the wrong place.
        let known: Vec<_> = known.collect();
        let rule = format!("a {what} has one of the names {}", known.join(", "));
        Self::new(ErrorKind::UnknownName, rule)
    }

    /// An error of a credential provider, with what caused it.
    pub fn provider(source: impl Into<BoxError>) -> Self {
        Self::caused(ErrorKind::Provider, "credentials could not be obtained", source)
    }

    /// An error with what caused it.
    pub(crate) fn caused(
        kind: ErrorKind,
        message: &'static str,
        source: impl Into<BoxError>,
    ) -> Self {
        Self { kind, message: Cow::Borrowed(message), source: Some(source.into().into()) }
    }

    /// The same error, with a text that begins by what it is about.
    pub(crate) fn about(mut self, what: &str) -> Self {
        self.message = Cow::Owned(format!("{what}: {}", self.message));
        self
    }

    /// The same error about a configuration, with where in it a field stands.
    #[cfg(feature = "trigger")]
    pub(crate) fn within(self, path: &str) -> Self {
        let message = Cow::Owned(format!("{path}.{}", self.message));
        Self { kind: ErrorKind::InvalidConfig, message, ..self }
    }

    /// Returns what it is about.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
