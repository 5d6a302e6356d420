//! The headers that signatures are about, found in one pass.

use super::headers::trim;
use super::order::{self, Collation};
use http::header::{HeaderMap, HeaderValue};
use smallvec::SmallVec;

/// What of a header map can matter to a signature.
///
/// One walk through all headers is cheaper than looking up the dozen names that a
/// request is asked for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fields<'a> {
    pub(crate) authorization: Field<'a>,
    pub(crate) host: Field<'a>,
    pub(crate) date: Field<'a>,
    pub(crate) accept: Field<'a>,
    pub(crate) content_type: Field<'a>,
    pub(crate) content_md5: Field<'a>,
    /// All whose names begin with `x-acs-` or `x-fc-`, sorted by name; values of one
    /// name in the order they arrived.
    pub(crate) protocol: &'a [Protocol<'a>],
    /// How long all names and values are together, in bytes.
    pub(crate) len: usize,
}

/// Room for the headers that a trigger acts upon.
pub(crate) type Protocols<'a> = SmallVec<[Protocol<'a>; 16]>;

/// A header of a name that begins with `x-acs-` or `x-fc-`.
#[derive(Clone, Copy)]
pub(crate) struct Protocol<'a> {
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
        self.value.map(trim).unwrap_or_default()
    }
}

impl<'a> Fields<'a> {
    #[inline(always)]
    pub(crate) fn of<'h: 'a>(headers: &'h HeaderMap, protocols: &'a mut Protocols<'h>) -> Self {
        let mut fields = Self::default();
        for (name, value) in headers {
            let name = name.as_str();
            fields.len += name.len() + value.len();
            // By length first: most names are none of these.
            let field = match (name.len(), name) {
                (4, "host") => &mut fields.host,
                (4, "date") => &mut fields.date,
                (6, "accept") => &mut fields.accept,
                (11, "content-md5") => &mut fields.content_md5,
                (12, "content-type") => &mut fields.content_type,
                (13, "authorization") => &mut fields.authorization,
                _ => {
                    if is_protocol(name) {
                        protocols.push(Protocol { name, value });
                    }
                    continue;
                }
            };
            field.push(value);
        }
        order::sort(
            protocols,
            Collation::Bytes,
            // All begin with the same two bytes.
            |header| &header.name.as_bytes()[2..],
            |a, b| a.name.cmp(b.name),
        );
        fields.protocol = protocols;
        fields
    }

    /// A header whose name begins with `x-acs-` or `x-fc-`.
    pub(crate) fn protocol(&self, name: &str) -> Field<'a> {
        let mut field = Field::default();
        for header in self.protocol.iter().filter(|header| header.name == name) {
            field.push(header.value);
        }
        field
    }
}

/// Whether a gateway or a trigger acts upon headers of this name.
#[inline]
pub(crate) fn is_protocol(name: &str) -> bool {
    name.starts_with(crate::headers::FC_PREFIX) || name.starts_with(crate::headers::ACS_PREFIX)
}
