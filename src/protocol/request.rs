//! The head of a request: everything that can be signed, found in one scan.

use super::canonical::{rules::Collation, sort};
use super::host::{Host, default_port};
use crate::headers::{ACS_PREFIX, FC_PREFIX};
use http::header::{DATE, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Uri};
use smallvec::SmallVec;

/// A request without its body, and what of its headers can matter to a signature.
///
/// One walk through all headers is cheaper than looking up the dozen names that a
/// request is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) authorization: Field<'a>,
    pub(crate) host: Field<'a>,
    pub(crate) date: Field<'a>,
    pub(crate) accept: Field<'a>,
    pub(crate) content_type: Field<'a>,
    pub(crate) content_md5: Field<'a>,
    /// All whose names begin with `x-acs-` or `x-fc-`, sorted by name; values of one
    /// name in the order they arrived.
    pub(crate) protocol: &'a [ProtocolHeader<'a>],
    /// Names of headers that are read as if they were not there.
    pub(crate) left_out: &'static [&'static str],
    /// Whether `host` is not the one that the request arrived with.
    pub(crate) is_renamed: bool,
    /// How long all names and values are together, in bytes.
    pub(crate) headers_len: usize,
}

/// Room for the headers that a trigger acts upon.
pub(crate) type ProtocolHeaders<'a> = SmallVec<[ProtocolHeader<'a>; 16]>;

/// A header of a name that begins with `x-acs-` or `x-fc-`.
#[derive(Clone, Copy)]
pub(crate) struct ProtocolHeader<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: &'a HeaderValue,
}

/// A header that may be there not at all, once, or repeatedly.
#[derive(Clone, Copy, Default)]
pub(crate) struct Field<'a> {
    /// The first value.
    pub(crate) value: Option<&'a HeaderValue>,
    pub(crate) repeated: bool,
}

impl<'a> Field<'a> {
    fn push(&mut self, value: &'a HeaderValue) {
        self.repeated = self.value.is_some();
        self.value = self.value.or(Some(value));
    }

    /// The first value without white space around it, empty when there is none.
    pub(crate) fn text(&self) -> &'a [u8] {
        self.value.map(|value| trim(value.as_bytes())).unwrap_or_default()
    }
}

/// What to do about a request that names no host.
pub(crate) const NAME_THE_HOST: &str =
    "give it an absolute URI (to a client of tonic by with_origin) or a host header";

/// The longest text that `http` takes for a URI, in bytes.
pub(crate) const MAX_URI_LEN: usize = 65_534;

/// What a request begins with, whoever holds it.
#[derive(Clone, Copy)]
pub(crate) struct RequestRef<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
}

impl<'a> From<&'a Parts> for RequestRef<'a> {
    fn from(parts: &'a Parts) -> Self {
        Self { method: &parts.method, uri: &parts.uri, headers: &parts.headers }
    }
}

impl<'a, B> From<&'a Request<B>> for RequestRef<'a> {
    fn from(request: &'a Request<B>) -> Self {
        Self { method: request.method(), uri: request.uri(), headers: request.headers() }
    }
}

/// A header that is about to be set in place of all of its name, or removed.
pub(crate) type Change<'a> = (&'a HeaderName, Option<&'a HeaderValue>);

impl<'a> Head<'a> {
    /// Of a request. The headers that a trigger acts upon are listed in `protocol`.
    #[inline(always)] // Saves a move, 1 % of verifying.
    pub(crate) fn of<'h: 'a>(
        request: RequestRef<'h>,
        protocol: &'a mut ProtocolHeaders<'h>,
    ) -> Self {
        Self::with(request, &[], protocol)
    }

    /// Of a request as it will be after these changes: to `date`, and to headers that a
    /// trigger acts upon.
    #[inline(always)] // As above.
    pub(crate) fn with<'h: 'a>(
        request: RequestRef<'h>,
        changes: &[Change<'h>],
        protocol: &'a mut ProtocolHeaders<'h>,
    ) -> Self {
        let RequestRef { method, uri, headers } = request;
        let none = Field::default();
        let mut head = Self {
            method,
            uri,
            headers,
            authorization: none,
            host: none,
            date: none,
            accept: none,
            content_type: none,
            content_md5: none,
            protocol: &[],
            left_out: &[],
            is_renamed: false,
            headers_len: 0,
        };
        for (name, value) in headers {
            let name = name.as_str();
            head.headers_len += name.len() + value.len();
            // By length first: most names are none of these.
            let field = match (name.len(), name) {
                (4, "host") => &mut head.host,
                (4, "date") => &mut head.date,
                (6, "accept") => &mut head.accept,
                (11, "content-md5") => &mut head.content_md5,
                (12, "content-type") => &mut head.content_type,
                (13, "authorization") => &mut head.authorization,
                _ => {
                    if is_protocol(name) && !changes.iter().any(|(changed, _)| *changed == name) {
                        protocol.push(ProtocolHeader { name, value });
                    }
                    continue;
                }
            };
            field.push(value);
        }
        for (name, value) in changes {
            match value {
                _ if **name == DATE => head.date = Field { value: *value, repeated: false },
                Some(value) => protocol.push(ProtocolHeader { name: name.as_str(), value }),
                None => {}
            }
        }
        if protocol.len() > 1 {
            // All begin with the same two bytes.
            let text = |header: &ProtocolHeader<'h>| &header.name.as_bytes()[2..];
            sort::sort(protocol, Collation::Bytes, text, |_| &[]);
        }
        head.protocol = protocol;
        head
    }

    /// The same without headers of these names, which begin with `x-acs-` or `x-fc-`; `None` if
    /// there are none. Those that stay are listed in `rest`.
    pub(crate) fn without<'r>(
        &self,
        names: &'static [&'static str],
        rest: &'r mut ProtocolHeaders<'a>,
    ) -> Option<Head<'r>>
    where
        'a: 'r,
    {
        let stays = |header: &&ProtocolHeader<'_>| !names.contains(&header.name);
        rest.extend(self.protocol.iter().filter(stays).copied());
        (rest.len() < self.protocol.len()).then_some(Head {
            protocol: rest,
            left_out: names,
            ..*self
        })
    }

    /// The path as it is on the wire, `/` when it is empty.
    pub(crate) fn path(&self) -> &'a [u8] {
        match self.uri.path() {
            "" => b"/",
            path => path.as_bytes(),
        }
    }

    /// The query as it is on the wire, without its `?`; empty when there is none.
    pub(crate) fn query(&self) -> &'a [u8] {
        self.uri.query().unwrap_or_default().as_bytes()
    }

    /// A header that can matter to a signature.
    pub(crate) fn field(&self, name: &HeaderName) -> Field<'a> {
        match (name.as_str().len(), name.as_str()) {
            (4, "host") => self.host,
            (4, "date") => self.date,
            (6, "accept") => self.accept,
            (11, "content-md5") => self.content_md5,
            (12, "content-type") => self.content_type,
            _ => self.protocol(name),
        }
    }

    /// A header whose name begins with `x-acs-` or `x-fc-`.
    pub(crate) fn protocol(&self, name: &HeaderName) -> Field<'a> {
        let name = name.as_str();
        if self.protocol.len() > 16 {
            return self.protocol_of_many(name);
        }
        let Some(at) = self.protocol.iter().position(|header| header.name == name) else {
            return Field::default();
        };
        let repeated = self.protocol.get(at + 1).is_some_and(|next| next.name == name);
        Field { value: Some(self.protocol[at].value), repeated }
    }

    /// The same where there may be thousands, which are in order.
    #[cold]
    fn protocol_of_many(&self, name: &str) -> Field<'a> {
        let before = self.protocol.partition_point(|header| header.name < name);
        let same = self.protocol[before..].iter().take_while(|header| header.name == name);
        let mut values = same.map(|header| header.value);
        Field { value: values.next(), repeated: values.next().is_some() }
    }

    /// The host as the client names it: the `host` header, or else the
    /// authority of the target without a port that its scheme implies, which is
    /// what HTTP clients put into that header.
    pub(crate) fn host(&self) -> Option<&'a [u8]> {
        if let Some(value) = self.host.value {
            return Some(value.as_bytes());
        }
        self.authority()
    }

    /// The authority of the target as HTTP clients write it into the `host` header; `None`
    /// without one, or if that is written in no part of it.
    fn authority(&self) -> Option<&'a [u8]> {
        Host::of(self.uri)?.written(self.uri.authority()?.as_str().as_bytes())
    }

    /// What is wrong with it, whatever it is signed by.
    pub(crate) fn fault(&self) -> Option<Fault> {
        let path = self.uri.path();
        if !path.starts_with('/') && !matches!(path, "" | "*") {
            return Some(Fault::Target("the path of the target does not begin with a slash"));
        }
        if let Some(authority) = self.uri.authority() {
            if authority.as_str().contains('@') {
                return Some(Fault::Target("the authority of the target has user information"));
            }
            if self.authority().is_none() {
                let rule = "the authority of the target has no host, or a port that is no number \
                            or has leading zeros";
                return Some(Fault::Target(rule));
            }
        }
        self.host.repeated.then_some(Fault::Host("there is more than one Host header"))
    }

    /// The host it names, in its `host` header or else in its target; `None` also if that
    /// cannot be read.
    pub(crate) fn named_host(&self) -> Option<Host<'a>> {
        match self.host.value {
            Some(value) => Host::read(trim(value.as_bytes()), default_port(self.uri.scheme_str())),
            None => Host::of(self.uri),
        }
    }

    /// Whether the `host` header names another host than the authority of an HTTP/2 or
    /// absolute target.
    pub(crate) fn has_two_hosts(&self) -> bool {
        Host::of(self.uri)
            .is_some_and(|authority| self.named_host().is_none_or(|host| !host.is(&authority)))
    }
}

/// A request without what the platform added, and as it was received.
#[derive(Clone, Copy)]
pub(crate) struct Readings<'r, 'a> {
    /// The one to begin with, or that has been read.
    pub(crate) head: &'r Head<'a>,
    /// The one that is left to try.
    pub(crate) other: Option<&'r Head<'a>>,
}

impl<'r, 'a> Readings<'r, 'a> {
    /// Of a request as it was received, and without what the platform added if it may have.
    ///
    /// No more than one of the two can verify in strictness. That is the latter behind a platform,
    /// so it comes first.
    pub(crate) fn of(received: &'r Head<'a>, own: Option<&'r Head<'a>>) -> Self {
        Self { head: own.unwrap_or(received), other: own.map(|_| received) }
    }
}

/// What is wrong with the head of a request, in words.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// About the host it names.
    Host(&'static str),
    /// About its target.
    Target(&'static str),
}

/// The value without white space around it, which is not part of it on the wire.
pub(crate) fn trim(value: &[u8]) -> &[u8] {
    match value {
        [b' ' | b'\t', ..] | [.., b' ' | b'\t'] => value.trim_ascii(),
        _ => value,
    }
}

/// Whether a gateway or a trigger acts upon headers of this name.
pub(crate) fn is_protocol(name: &str) -> bool {
    name.starts_with(FC_PREFIX) || name.starts_with(ACS_PREFIX)
}
