//! How large a request may be, so that the work for one that turns out to be refused is
//! bounded.

use super::rejection::{Rejection, RejectionKind};
use crate::protocol::request::Head;

/// Limits how long a target may be by default, in bytes: four times what an HTTP trigger takes.
pub const DEFAULT_MAX_TARGET_LEN: usize = 16 * 1024;

/// Limits how long the names and values of all headers may be together by default, in
/// bytes: four times what an HTTP trigger takes.
pub const DEFAULT_MAX_HEADERS_LEN: usize = 32 * 1024;

/// Limits how many names `SignedHeaders` may have by default.
pub const DEFAULT_MAX_SIGNED_HEADERS: usize = 100;

/// How many parameters a query may have at least, and so by default: as many with a name and a
/// value as fit into the 4 KiB that an HTTP trigger takes.
const PARAMETERS: usize = 1024;

#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) target_len: usize,
    pub(crate) headers_len: usize,
    pub(crate) signed_headers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            target_len: DEFAULT_MAX_TARGET_LEN,
            headers_len: DEFAULT_MAX_HEADERS_LEN,
            signed_headers: DEFAULT_MAX_SIGNED_HEADERS,
        }
    }
}

impl Limits {
    pub(crate) fn check(&self, head: &Head<'_>) -> Result<(), Rejection> {
        let within = |what, len, most, unit| {
            if len <= most {
                return Ok(());
            }
            let message = format!("{what}: {len} {unit}, and {most} at the most are allowed");
            Err(Rejection::new(RejectionKind::LimitExceeded, message))
        };
        let target_len = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
        within("the length of path and query", target_len, self.target_len, "bytes")?;
        within("the length of all headers", head.headers_len, self.headers_len, "bytes")?;
        // A shorter target cannot have that many.
        if target_len > PARAMETERS {
            let most = PARAMETERS.max(self.target_len / 16);
            within("the number of parameters", parameters(head), most, "parameters")?;
        }
        let authorization = head.authorization.text();
        // A shorter text cannot have that many semicolons.
        if authorization.len() < self.signed_headers {
            return Ok(());
        }
        let signed = memchr::memchr_iter(b';', authorization).count() + 1;
        within("the number of signed headers", signed, self.signed_headers, "names")
    }
}

/// How many parameters there are, whatever cuts them from each other.
#[cold]
fn parameters(head: &Head<'_>) -> usize {
    let ends = |byte| memchr::memchr_iter(byte, head.query()).count();
    ends(b'&') + ends(b';') + 1
}
