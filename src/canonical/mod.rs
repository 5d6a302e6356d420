//! From the parts of a request to canonical bytes.
//!
//! Everything here is pure: it borrows the request, takes its rules as data and
//! writes bytes into a [`Sink`]. What is ambiguous about a request is reported
//! as [`Quirks`]; deciding what to do about that is the verifier's business.

pub(crate) mod fields;
pub(crate) mod headers;
pub(crate) mod order;
pub(crate) mod parameters;
pub(crate) mod path;
pub(crate) mod percent;
pub(crate) mod query;
pub(crate) mod quirks;

use http::{HeaderMap, Method, Uri, uri::Authority};

use fields::{Fields, Protocols};
pub(crate) use quirks::Quirks;

/// Where canonical bytes go: a buffer to look at, or the state of a hash.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);

    fn put_byte(&mut self, byte: u8) {
        self.put(&[byte]);
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn put_byte(&mut self, byte: u8) {
        self.push(byte);
    }
}

/// What of a request can be signed: everything but its body.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    /// What there is in the headers.
    pub(crate) fields: Fields<'a>,
}

impl<'a> Head<'a> {
    /// Of a request. The headers that a trigger acts upon are listed in `protocols`.
    #[inline(always)]
    pub(crate) fn new<'h: 'a>(
        method: &'h Method,
        uri: &'h Uri,
        headers: &'h HeaderMap,
        protocols: &'a mut Protocols<'h>,
    ) -> Self {
        Self { method, uri, headers, fields: Fields::of(headers, protocols) }
    }

    /// The path as it is on the wire, `/` when it is empty.
    pub(crate) fn path(&self) -> &'a [u8] {
        self.uri.path().as_bytes()
    }

    /// The query as it is on the wire, without its `?`; empty when there is none.
    pub(crate) fn query(&self) -> &'a [u8] {
        self.uri.query().unwrap_or_default().as_bytes()
    }

    /// The host as the client names it: the `host` header, or else the
    /// authority of the target without a port that its scheme implies, which is
    /// what HTTP clients put into that header.
    pub(crate) fn host(&self) -> Option<&'a [u8]> {
        match self.fields.host.value {
            Some(value) => Some(headers::trim(value)),
            None => self.uri.authority().map(|authority| implied_host(authority, self.uri)),
        }
    }
}

/// The authority without user information and without the default port.
pub(crate) fn implied_host<'a>(authority: &'a Authority, uri: &Uri) -> &'a [u8] {
    let text = authority.as_str();
    let host = text.rsplit_once('@').map_or(text, |(_, host)| host);
    without_default_port(host.as_bytes(), uri)
}

/// A host and port without the port that the scheme of a URI implies.
pub(crate) fn without_default_port<'a>(host: &'a [u8], uri: &Uri) -> &'a [u8] {
    let default_port: &[u8] = match uri.scheme_str() {
        Some("https" | "wss") => b":443",
        Some("http" | "ws") => b":80",
        _ => return host,
    };
    host.strip_suffix(default_port).unwrap_or(host)
}
