//! What can go wrong, by the exit codes of curl.

use std::fmt;
use std::io;
use tower_fc::protocol::Ambiguity;

/// The exit codes of curl that fcurl has, with its meanings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    UnsupportedProtocol = 1,
    /// Also what is not signed: nothing was sent.
    Usage = 2,
    MalformedUrl = 3,
    Resolve = 6,
    Connect = 7,
    Http2 = 16,
    Partial = 18,
    Returned = 22,
    Write = 23,
    Read = 26,
    TimedOut = 28,
    Tls = 35,
    Redirects = 47,
    Empty = 52,
    Send = 55,
    Receive = 56,
    Certificate = 60,
    Encoding = 61,
    Login = 67,
    CaFile = 77,
    Http2Stream = 92,
}

/// Why the program ends without success. Its text has no secret in it.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A file, or the standard input, that cannot be read.
    pub(crate) fn unread(what: &str, error: &io::Error) -> Self {
        Self::new(Exit::Read, format!("{what} cannot be read: {error}"))
    }

    /// What cannot be written, as after `| head`.
    pub(crate) fn unwritten(error: &io::Error) -> Self {
        Self::new(Exit::Write, format!("Failure writing output to destination: {error}"))
    }

    /// The same, with what it is about.
    pub(crate) fn about(self, what: &str) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }

    pub(crate) fn code(&self) -> u8 {
        self.exit as u8
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fcurl: ({}) {}", self.code(), self.message)
    }
}

/// What the library refuses, it refuses before anything is sent.
impl From<tower_fc::error::Error> for Failure {
    fn from(error: tower_fc::error::Error) -> Self {
        // What is a setting there is a flag here.
        let flag = |text: String, ambiguity: &Ambiguity| {
            let setting = format!("with_insecure_allowance(Ambiguity::{ambiguity:?})");
            text.replace(&setting, &format!("--allow {ambiguity:?}"))
        };
        Self::usage(Ambiguity::ALL.iter().fold(error.to_string(), flag))
    }
}
