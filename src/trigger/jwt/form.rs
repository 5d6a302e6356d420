//! Bodies that are forms: read as far as a token or a claim needs it.

use super::body::{FormBody, Read};
use super::fields::without;
use crate::headers::{CONTENT_MD5, X_ACS_CONTENT_SHA256};
use crate::protocol::{Rejection, RejectionKind};
use bytes::{BufMut as _, Bytes, BytesMut};
use http::Method;
use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TRAILER,
    TRANSFER_ENCODING,
};
use http::request::Parts;
use http_body::Body;
use http_body_util::BodyExt as _;

/// 64 KB: how much of a form is looked into.
pub const MAX_FORM_LEN: usize = 64 * 1024;

/// The body of a request, which may be a form.
pub(super) enum Form<B> {
    Unread(B),
    Read(Read<B>),
    /// While it is read.
    Away,
}

/// What a body is.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Form,
    /// What some take for a form, or read in another way.
    Doubtful,
    Other,
}

impl Kind {
    fn of(parts: &Parts) -> Self {
        const URLENCODED: &str = "application/x-www-form-urlencoded";
        let types = parts.headers.get_all(CONTENT_TYPE).iter();
        let types: Vec<_> = types.map(|value| value.as_bytes().to_ascii_lowercase()).collect();
        let text = types.first().map(|first| str::from_utf8(first).unwrap_or_default().trim());
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            // Rack reads a POST without a type as a form.
            return if parts.method == Method::POST { Self::Doubtful } else { Self::Other };
        };
        let has = |word: &str| {
            types.iter().any(|each| memchr::memmem::find(each, word.as_bytes()).is_some())
        };
        if !has("form-urlencoded") && !has("multipart/") {
            return Self::Other;
        }
        let mut parameters = text.split(';').map(str::trim);
        let is_urlencoded = parameters.next() == Some(URLENCODED);
        // In others, names can be written that mean nothing here.
        let has_usual_charset = parameters
            .filter_map(|parameter| parameter.strip_prefix("charset"))
            .map(|value| {
                value.trim_start_matches(['=', ' ', '"', '\'']).trim_end_matches(['"', '\''])
            })
            .all(|charset| ["utf-8", "utf8", "us-ascii", "iso-8859-1"].contains(&charset));
        let is_encoded = parts.headers.get_all(CONTENT_ENCODING).iter();
        let is_encoded = is_encoded.into_iter().any(|coding| coding != "identity");
        match is_urlencoded && has_usual_charset && !is_encoded && types.len() == 1 {
            true => Self::Form,
            false => Self::Doubtful,
        }
    }
}

impl<B> Form<B> {
    pub(super) fn into_body(self) -> FormBody<B> {
        match self {
            Self::Unread(body) => FormBody::unread(body),
            Self::Read(read) => FormBody::read(read),
            // Of a reading that failed, whose request goes nowhere.
            Self::Away => FormBody::read(Read { data: Bytes::new(), trailers: None, rest: None }),
        }
    }
}

impl<B: Body> Form<B> {
    /// What of a form can have a token: whole parameters within the limit. Nothing of other
    /// bodies, which are not read.
    pub(super) async fn parameters(&mut self, parts: &Parts) -> Result<&[u8], Rejection> {
        if parts.method != Method::POST || Kind::of(parts) != Kind::Form {
            return Ok(&[]);
        }
        let Read { data, rest, .. } = self.read().await?;
        if rest.is_none() && data.len() <= MAX_FORM_LEN {
            return Ok(data);
        }
        // With the byte that follows, which may end the last one.
        let within = &data[..data.len().min(MAX_FORM_LEN + 1)];
        Ok(&within[..memchr::memrchr(b'&', within).unwrap_or(0)])
    }

    /// Takes fields that may be taken for one of these `names` out of a form, and adds these
    /// `fields`, which are encoded.
    pub(super) async fn set<'n>(
        &mut self,
        parts: &mut Parts,
        names: impl Iterator<Item = &'n str> + Clone,
        fields: &[u8],
    ) -> Result<(), Rejection> {
        let is_empty = matches!(self, Self::Unread(body) if body.is_end_stream());
        match Kind::of(parts) {
            Kind::Form if !is_empty => {}
            Kind::Form if parts.method == Method::POST && !fields.is_empty() => {}
            Kind::Doubtful if !is_empty => {
                return Err(not_passed("claims cannot be set in a body of this type or encoding"));
            }
            _ => return Ok(()),
        }
        let Read { data, rest, .. } = self.read().await?;
        if rest.is_some() || data.len() > MAX_FORM_LEN {
            let message = format!(
                "the form is over the limit of {MAX_FORM_LEN} bytes up to which claims are set in it"
            );
            return Err(Rejection::new(RejectionKind::BodyTooLarge, message));
        }
        let cleaned = without(data, b"&;", &names);
        if cleaned.is_none() && fields.is_empty() {
            return Ok(());
        }
        if has_digest(&parts.headers) {
            return Err(not_passed("claims cannot be set in a form that has a digest"));
        }
        let mut text = cleaned.unwrap_or_else(|| data.to_vec());
        if !text.is_empty() && !fields.is_empty() {
            text.push(b'&');
        }
        text.extend_from_slice(fields);
        parts.headers.remove(TRANSFER_ENCODING);
        parts.headers.remove(TRAILER);
        set_header(&mut parts.headers, CONTENT_LENGTH, text.len().into())?;
        *self = Self::Read(Read { data: text.into(), trailers: None, rest: None });
        Ok(())
    }

    /// Reads it to its end, or until there is more than the limit.
    async fn read(&mut self) -> Result<&Read<B>, Rejection> {
        match std::mem::replace(self, Self::Away) {
            Self::Unread(body) => *self = Self::Read(read(body).await?),
            read => *self = read,
        }
        match self {
            Self::Read(read) => Ok(read),
            _ => Err(broken()),
        }
    }
}

async fn read<B: Body>(body: B) -> Result<Read<B>, Rejection> {
    let mut rest = Box::pin(body);
    let mut data = BytesMut::new();
    let mut trailers: Option<HeaderMap> = None;
    while data.len() <= MAX_FORM_LEN {
        let Some(frame) = rest.frame().await else {
            return Ok(Read { data: data.freeze(), trailers, rest: None });
        };
        match frame.map_err(|_| broken())?.into_data() {
            Ok(piece) => data.put(piece),
            Err(frame) => {
                if let Ok(more) = frame.into_trailers() {
                    trailers.get_or_insert_default().extend(more);
                }
            }
        }
    }
    Ok(Read { data: data.freeze(), trailers, rest: Some(rest) })
}

fn broken() -> Rejection {
    let message = "the request body could not be read to its end";
    Rejection::new(RejectionKind::BodyIncomplete, message)
}

/// Whether something says what the bytes of the body are.
fn has_digest(headers: &HeaderMap) -> bool {
    [&CONTENT_MD5, &X_ACS_CONTENT_SHA256].iter().any(|name| headers.contains_key(*name))
        || ["digest", "content-digest", "repr-digest"]
            .iter()
            .any(|name| headers.contains_key(*name))
}

/// The refusal of a request in which claims cannot be handed on.
pub(super) fn not_passed(message: &'static str) -> Rejection {
    Rejection::new(RejectionKind::ClaimsNotPassed, message)
}

/// Sets a header in place of all of its name.
pub(super) fn set_header(
    headers: &mut HeaderMap,
    name: HeaderName,
    value: HeaderValue,
) -> Result<(), Rejection> {
    let set = headers.try_insert(name, value);
    set.map(drop).map_err(|_| not_passed("the request has no room for the header of a claim"))
}
