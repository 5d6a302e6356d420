use super::rule::{Refusal, sealed};
use crate::protocol::{Rejection, RejectionKind};
use http::{HeaderMap, Request, Response};
use std::time::SystemTime;

/// 8 KB, which are 8 192 bytes: the limit of all headers of a request, and of a response.
pub const DEFAULT_MAX_HEADERS_LEN: usize = 8 * 1024;
/// 4 KB: the limit of a target.
pub const DEFAULT_MAX_TARGET_LEN: usize = 4 * 1024;

/// Lets requests pass whose headers and target are no longer than a trigger takes: a
/// [rule](super::RuleLayer).
///
/// Others are answered with 400 and `InvalidArgument`, naming the limit and the figure (seed
/// document, "HTTP Request"). Headers are counted as names and values of every field, without
/// separators and without the pseudo-headers of HTTP/2; the target as path, `?` and query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    headers_len: usize,
    target_len: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { headers_len: DEFAULT_MAX_HEADERS_LEN, target_len: DEFAULT_MAX_TARGET_LEN }
    }
}

impl RequestLimits {
    /// Refuses requests with longer headers, in bytes, in place of those over 8 KB.
    #[must_use]
    pub fn with_max_headers_len(self, headers_len: usize) -> Self {
        Self { headers_len, ..self }
    }

    /// Refuses longer targets, in bytes, in place of those over 4 KB.
    #[must_use]
    pub fn with_max_target_len(self, target_len: usize) -> Self {
        Self { target_len, ..self }
    }
}

impl sealed::Rule for RequestLimits {
    type Kept = ();

    fn request<B>(
        &self,
        request: &mut Request<B>,
        _: SystemTime,
        (): &mut (),
    ) -> Result<(), Refusal> {
        let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
        within(
            "the path with its query is",
            target,
            self.target_len,
            RejectionKind::LimitExceeded,
        )?;
        let headers = len(request.headers());
        within("the request headers are", headers, self.headers_len, RejectionKind::LimitExceeded)?;
        Ok(())
    }
}

/// Lets responses pass whose headers are no longer than a trigger takes: a
/// [rule](super::RuleLayer).
///
/// Others are answered with 502 and `BadResponse`, naming the limit and the figure (seed
/// document, "HTTP Response"). Headers are counted as names and values of every field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseLimits {
    headers_len: usize,
}

impl Default for ResponseLimits {
    fn default() -> Self {
        Self { headers_len: DEFAULT_MAX_HEADERS_LEN }
    }
}

impl ResponseLimits {
    /// Refuses responses with longer headers, in bytes, in place of those over 8 KB.
    #[must_use]
    pub fn with_max_headers_len(self, headers_len: usize) -> Self {
        Self { headers_len }
    }
}

impl sealed::Rule for ResponseLimits {
    type Kept = ();

    fn response<B>(&self, (): &(), response: &mut Response<B>) -> Result<(), Rejection> {
        let (headers, limit) = (len(response.headers()), self.headers_len);
        within("the response headers are", headers, limit, RejectionKind::ResponseLimitExceeded)
    }
}

/// The refusal of a message with as many headers as `http` allows, which is some 24 000.
pub(super) fn no_room(kind: RejectionKind) -> Rejection {
    Rejection::new(kind, "there are too many headers")
}

fn len(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

fn within(what: &str, len: usize, limit: usize, kind: RejectionKind) -> Result<(), Rejection> {
    if len <= limit {
        return Ok(());
    }
    let message = format!("{what} {len} bytes long, over the limit of {limit} bytes");
    Err(Rejection::new(kind, message))
}
