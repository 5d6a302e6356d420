use super::limits::no_room;
use super::rule::{Refusal, sealed};
use crate::error::{Error, ErrorKind};
use crate::headers::{FC_PREFIX, X_FC_REQUEST_ID};
use crate::protocol::{Rejection, RejectionKind};
use crate::response::RequestId;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderMap, SERVER, UPGRADE};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use smallvec::SmallVec;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// Takes away the headers that must not pass a trigger, either way, and gives a function those
/// of the platform: a [rule](super::RuleLayer).
///
/// Of requests: `connection`, every header that it names (RFC 9110 §7.6.1), `keep-alive`, and
/// every `x-fc-` header, security tokens included. Then `x-fc-request-id` is set from the
/// [`RequestId`] in the extensions, and what [`FunctionHeaders::with`] gave. Of responses:
/// `connection`, every header that it names, `content-length`, `date`, `keep-alive`, `server`,
/// `upgrade` and every `x-fc-` header (seed document, "HTTP Request" and "HTTP Response").
///
/// What an upgrade needs stays (`connection: upgrade` and `upgrade` of a handshake, and of the
/// 101 that answers it), but for an upgrade to HTTP itself (`h2c`, `TLS/1.0`): what came over the
/// connection then would have passed no trigger. `content-length` stays in the answer to HEAD.
/// `te` and trailers of gRPC are not touched.
#[derive(Clone, Default)]
pub struct FunctionHeaders(Arc<Vec<(HeaderName, HeaderValue)>>);

impl FunctionHeaders {
    /// Gives functions no more than the request id.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives functions a header of the platform, say `x-fc-function-name` or `x-fc-region`, in
    /// place of an earlier one of this name.
    ///
    /// Those that carry a secret, `x-fc-access-key-secret` and `x-fc-security-token`, are given
    /// only if they are set here; every value is marked sensitive.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for a name that does not begin with `x-fc-`, and for a value
    /// that cannot stand in a header.
    pub fn with(mut self, name: HeaderName, value: &str) -> Result<Self, Error> {
        let wrong = |rule: &str| {
            Err(Error::new(ErrorKind::InvalidSetting, format!("the header {name} {rule}")))
        };
        if !name.as_str().starts_with(FC_PREFIX) {
            return wrong("does not begin with x-fc-");
        }
        let Ok(mut value) = HeaderValue::from_str(value) else {
            return wrong("cannot have this value: it has a line end or another control character");
        };
        value.set_sensitive(true);
        let headers = Arc::make_mut(&mut self.0);
        headers.retain(|(other, _)| *other != name);
        headers.push((name, value));
        Ok(self)
    }
}

impl fmt::Debug for FunctionHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, value)| (name, value))).finish()
    }
}

impl sealed::Rule for FunctionHeaders {
    /// Whether it is a HEAD request.
    type Kept = bool;

    fn request<B>(
        &self,
        request: &mut Request<B>,
        _: SystemTime,
        is_head: &mut bool,
    ) -> Result<(), Refusal> {
        *is_head = request.method() == Method::HEAD;
        let id = request.extensions().get::<RequestId>().map(|id| id.header_value().clone());
        let headers = request.headers_mut();
        remove_what_must_not_pass(headers);
        for (name, value) in self.0.iter() {
            set(headers, name, value.clone())?;
        }
        if let Some(id) = id {
            set(headers, &X_FC_REQUEST_ID, id)?;
        }
        Ok(())
    }

    fn response<B>(&self, is_head: &bool, response: &mut Response<B>) -> Result<(), Rejection> {
        let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        if headers.is_empty() {
            return Ok(());
        }
        if !is_upgrade {
            headers.remove(UPGRADE);
            remove_connection(headers);
        }
        if !*is_head {
            headers.remove(CONTENT_LENGTH);
        }
        for name in [&DATE, &KEEP_ALIVE, &SERVER] {
            headers.remove(name);
        }
        remove_of_platform(headers);
        Ok(())
    }
}

fn set(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) -> Result<(), Refusal> {
    let set = headers.try_insert(name, value);
    set.map(drop).map_err(|_| no_room(RejectionKind::LimitExceeded).into())
}

/// Takes away what concerns one connection alone: `connection`, all that it names, and
/// `keep-alive`. A handshake keeps what it needs, unless it is for HTTP again.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    headers.remove(&KEEP_ALIVE);
    if headers.get_all(UPGRADE).iter().any(carries_requests) {
        headers.remove(UPGRADE);
    }
    remove_connection(headers);
}

/// Whether requests would be sent over the connection after this upgrade (`h2c`, `TLS/1.0`), so
/// that no trigger saw them.
fn carries_requests(upgrade: &HeaderValue) -> bool {
    upgrade.as_bytes().split(|byte| *byte == b',').any(|protocol| {
        let name = protocol.split(|byte| *byte == b'/').next().unwrap_or_default().trim_ascii();
        [&b"h2c"[..], b"h2", b"http", b"tls"].iter().any(|it| name.eq_ignore_ascii_case(it))
    })
}

/// Takes away `connection` and all that it names, but for an upgrade.
fn remove_connection(headers: &mut HeaderMap) {
    let values: SmallVec<[HeaderValue; 1]> = headers.get_all(CONNECTION).iter().cloned().collect();
    if values.is_empty() {
        return;
    }
    headers.remove(CONNECTION);
    let names = values.iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    for name in names.map(<[u8]>::trim_ascii) {
        if name.eq_ignore_ascii_case(UPGRADE.as_str().as_bytes()) && headers.contains_key(UPGRADE) {
            // There is room: it was there before.
            let _ = headers.try_insert(CONNECTION, HeaderValue::from_static("upgrade"));
        } else if let Ok(name) = HeaderName::from_bytes(name) {
            headers.remove(name);
        }
    }
}

/// Takes away what must not reach a function.
pub(crate) fn remove_what_must_not_pass(headers: &mut HeaderMap) {
    remove_hop_by_hop(headers);
    remove_of_platform(headers);
}

fn remove_of_platform(headers: &mut HeaderMap) {
    // As bytes, because a clone of a name is an allocation.
    let mut names = SmallVec::<[u8; 256]>::new();
    for name in headers.keys().map(HeaderName::as_str) {
        if name.starts_with(FC_PREFIX) {
            names.extend_from_slice(name.as_bytes());
            names.push(b' ');
        }
    }
    for name in names.split(|byte| *byte == b' ').filter_map(|name| str::from_utf8(name).ok()) {
        headers.remove(name);
    }
}
