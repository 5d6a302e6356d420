use super::fields::fields;
use super::form::Form;
use super::position::{Position, invalid};
use super::token;
use crate::error::{Error, ErrorKind};
use crate::protocol::Rejection;
use crate::protocol::canonical::percent::decode_form;
use crate::protocol::request::trim;
use crate::protocol::scheme::authorization::scheme_of;
use http::header::{AUTHORIZATION, COOKIE, HeaderName};
use http::request::Parts;
use http_body::Body;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Chooses where tokens are looked for, in order: the first place that has one decides.
///
/// It is read from the text that the service takes, `position:name` or `position:name:prefix`,
/// several joined by commas:
///
/// ```
/// use tower_fc::trigger::jwt::TokenLookup;
///
/// let lookup: TokenLookup = "header:Authorization:Bearer,cookie:session".parse()?;
/// assert_eq!(lookup.to_string(), "header:authorization:Bearer,cookie:session");
/// assert_eq!(TokenLookup::default().to_string(), "header:authorization:Bearer");
/// assert!("header:Authorization:Bearer,kookie:session".parse::<TokenLookup>().is_err());
/// # Ok::<(), tower_fc::error::Error>(())
/// ```
///
/// The prefix of a header is compared without regard to case, and white space follows it unless it
/// ends in a sign. A header without it has no token, and neither has an empty value. `form:` looks
/// into `application/x-www-form-urlencoded` bodies of POST requests, into their first 64 KB and only
/// when no earlier place has a token. A place that has two values is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenLookup(Vec<Place>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Header { name: HeaderName, prefix: String },
    Field { position: Position, name: String },
}

impl Default for TokenLookup {
    /// `header:Authorization:Bearer`.
    fn default() -> Self {
        let (name, prefix) = (AUTHORIZATION, "Bearer".to_owned());
        Self(vec![Place::Header { name, prefix }])
    }
}

impl FromStr for TokenLookup {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.trim().is_empty() {
            return Err(Error::new(ErrorKind::InvalidConfig, "there is no place for a token"));
        }
        text.split(',').map(Place::read).collect::<Result<_, _>>().map(Self)
    }
}

impl Place {
    fn read(entry: &str) -> Result<Self, Error> {
        let (position, rest) = Position::cut(entry)?;
        let (name, prefix) = match rest.split_once(':') {
            Some((name, prefix)) => (name.trim(), prefix.trim()),
            None => (rest.trim(), ""),
        };
        if position == Position::Header {
            let name = name.parse().map_err(|_| invalid(entry, "names no header"))?;
            if !prefix.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                return Err(invalid(entry, "has a prefix that cannot stand in a header"));
            }
            return Ok(Self::Header { name, prefix: prefix.to_owned() });
        }
        if rest.contains(':') {
            return Err(invalid(entry, "has a prefix, which only a header can have"));
        }
        if name.is_empty() {
            return Err(invalid(entry, "names nothing"));
        }
        Ok(Self::Field { position, name: name.to_owned() })
    }

    /// The one value that it has.
    async fn value<B: Body>(
        &self,
        parts: &Parts,
        form: &mut Form<B>,
    ) -> Result<Option<Vec<u8>>, Rejection> {
        match self {
            Self::Header { name, prefix } => {
                let values = parts.headers.get_all(name).iter();
                // A signature is no token, whatever the prefix.
                let is_signature =
                    |value: &[u8]| *name == AUTHORIZATION && scheme_of(value).is_some();
                let values = values.filter(|value| !is_signature(value.as_bytes()));
                one(values.filter_map(|value| without_prefix(value.as_bytes(), prefix)))
            }
            Self::Field { position: Position::Cookie, name } => {
                let lists = parts.headers.get_all(COOKIE).iter();
                let cookies = lists.flat_map(|list| fields(list.as_bytes(), b';'));
                let named = cookies.filter(|(cookie, _)| cookie.trim_ascii() == name.as_bytes());
                one(named.map(|(_, value)| value.trim_ascii()))
            }
            Self::Field { position: Position::Form, name } => {
                one(parameters(form.parameters(parts).await?, name))
            }
            Self::Field { name, .. } => {
                one(parameters(parts.uri.query().unwrap_or_default().as_bytes(), name))
            }
        }
    }
}

impl TokenLookup {
    /// The token of a request, from the first place that has one.
    pub(super) async fn find<B: Body>(
        &self,
        parts: &Parts,
        form: &mut Form<B>,
    ) -> Result<Option<Vec<u8>>, Rejection> {
        for place in &self.0 {
            let value = place.value(parts, form).await?;
            if value.is_some() {
                return Ok(value);
            }
        }
        Ok(None)
    }
}

/// What follows the prefix of a value; all of it when there is none.
fn without_prefix<'v>(value: &'v [u8], prefix: &str) -> Option<&'v [u8]> {
    let value = trim(value);
    let (begins, rest) = value.split_at_checked(prefix.len())?;
    let is_cut = !prefix.ends_with(|char: char| char.is_ascii_alphanumeric())
        || rest.first().is_none_or(|first| matches!(first, b' ' | b'\t'));
    (begins.eq_ignore_ascii_case(prefix.as_bytes()) && is_cut).then(|| trim(rest))
}

/// The values of a query or a form that have this name, decoded.
fn parameters<'t>(text: &'t [u8], name: &str) -> impl Iterator<Item = Cow<'t, [u8]>> {
    let named = fields(text, b'&').filter(|(key, _)| *decode_form(key) == *name.as_bytes());
    named.map(|(_, value)| decode_form(value))
}

/// The one value among those that are not empty.
fn one<V: AsRef<[u8]>>(values: impl Iterator<Item = V>) -> Result<Option<Vec<u8>>, Rejection> {
    let mut values = values.filter(|value| !value.as_ref().is_empty());
    match (values.next(), values.next()) {
        (value, None) => Ok(value.map(|value| value.as_ref().to_vec())),
        _ => Err(token::invalid("there is more than one token in one place")),
    }
}

impl fmt::Display for TokenLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, place) in self.0.iter().enumerate() {
            f.write_str(if at > 0 { "," } else { "" })?;
            match place {
                Place::Header { name, prefix } if prefix.is_empty() => write!(f, "header:{name}")?,
                Place::Header { name, prefix } => write!(f, "header:{name}:{prefix}")?,
                Place::Field { position, name } => write!(f, "{position}:{name}")?,
            }
        }
        Ok(())
    }
}
