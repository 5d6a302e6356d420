use super::fields::{is_alike, without};
use super::form::{Form, not_passed, set_header};
use super::position::{Position, invalid};
use super::verified::VerifiedToken;
use crate::error::Error;
use crate::headers::FC_PREFIX;
use crate::protocol::Rejection;
use crate::protocol::canonical::percent::encode;
use crate::trigger::headers::remove_hop_by_hop;
use http::header::{COOKIE, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::{PathAndQuery, Uri};
use http_body::Body;
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Chooses which claims of a token are handed on in its request, and where.
///
/// It is read from the text that the service takes, `position:claim:parameter`, several joined by
/// commas. An entry without a claim is for that of the parameter's name, and one without either,
/// which Serverless Devs writes when nothing is configured, for none.
///
/// ```
/// use tower_fc::trigger::jwt::ClaimPassBy;
///
/// let claims: ClaimPassBy = "header:name:x-name,query:uid:uid".parse()?;
/// assert_eq!(claims.to_string(), "header:name:x-name,query:uid:uid");
/// assert_eq!("query::".parse::<ClaimPassBy>()?, ClaimPassBy::default());
/// // They would name the request's length in two ways.
/// assert!("header:size:content-length".parse::<ClaimPassBy>().is_err());
/// # Ok::<(), tower_fc::error::Error>(())
/// ```
///
/// What a client sends under the name of a parameter is taken out first, from every request, of
/// free paths too and whether its token has the claim or not, and so is what may be taken for it:
/// other case, other signs than letters and digits (`x_uid` for `x-uid`), a query name in any
/// encoding, `uid[]`, every cookie of the name. Headers that `connection` names are removed before
/// claims are set, so that it cannot take one away.
///
/// A claim that is a text is handed on as it is, another one as its JSON, and `null` not at all. In
/// a header it is its bytes in UTF-8; one with a control character, or with white space around it,
/// which would be lost, is refused with 400. In queries, forms and cookies it is percent-encoded.
///
/// In a form, a claim is set where the body is `application/x-www-form-urlencoded` of at most
/// [64 KB](super::MAX_FORM_LEN), with the new `content-length`. A longer form, and one beside a
/// digest (`content-md5`, `x-acs-content-sha256` and the like) that would change, is answered with
/// 400; so are bodies that some read as a form and this does not: `multipart/form-data`, one with a
/// `content-encoding`, an unusual charset or two types, and a POST without a type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimPassBy(Vec<Pass>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pass {
    position: Position,
    claim: String,
    /// In lower case for a header.
    parameter: String,
}

/// Headers that say how a message is read, or concern one connection.
const NOT_CLAIMS: [&str; 13] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl FromStr for ClaimPassBy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut all = Self::default();
        if text.trim().is_empty() {
            return Ok(all);
        }
        for entry in text.split(',') {
            let Some(pass) = Pass::read(entry)? else { continue };
            let is_same = |other: &Pass| {
                other.position == pass.position
                    && is_alike(other.parameter.as_bytes(), &pass.parameter)
            };
            if all.0.iter().any(is_same) {
                return Err(invalid(entry, "sets a parameter that another entry sets"));
            }
            all.0.push(pass);
        }
        Ok(all)
    }
}

impl Pass {
    fn read(entry: &str) -> Result<Option<Self>, Error> {
        let (position, rest) = Position::cut(entry)?;
        let (claim, parameter) = rest
            .split_once(':')
            .map(|(claim, parameter)| (claim.trim(), parameter.trim()))
            .filter(|(_, parameter)| !parameter.contains(':'))
            .ok_or_else(|| invalid(entry, "is not position:claim:parameter"))?;
        if (claim, parameter) == ("", "") {
            return Ok(None);
        }
        let parameter = match position {
            Position::Header => {
                let name: HeaderName =
                    parameter.parse().map_err(|_| invalid(entry, "names no header"))?;
                let name = name.as_str();
                if name.starts_with(FC_PREFIX)
                    || NOT_CLAIMS.iter().any(|other| is_alike(name.as_bytes(), other))
                {
                    return Err(invalid(entry, "names a header that cannot be that of a claim"));
                }
                name.to_owned()
            }
            _ if parameter.is_empty() => return Err(invalid(entry, "names no parameter")),
            Position::Cookie if parameter.parse::<HeaderName>().is_err() => {
                return Err(invalid(entry, "names no cookie"));
            }
            _ => parameter.to_owned(),
        };
        let claim = if claim.is_empty() { &parameter } else { claim };
        Ok(Some(Self { position, claim: claim.to_owned(), parameter }))
    }
}

impl ClaimPassBy {
    /// Takes out of a request what its client has put in the place of claims, and hands on those
    /// of its token, if it has one.
    pub(super) async fn hand_on<B: Body>(
        &self,
        parts: &mut Parts,
        form: &mut Form<B>,
        token: Option<&VerifiedToken>,
    ) -> Result<(), Rejection> {
        if self.at(Position::Header).next().is_some() {
            remove_hop_by_hop(&mut parts.headers);
            self.set_headers(&mut parts.headers, token)?;
        }
        if self.at(Position::Query).next().is_some() {
            self.set_query(&mut parts.uri, token)?;
        }
        if self.at(Position::Cookie).next().is_some() {
            self.set_cookies(&mut parts.headers, token)?;
        }
        if self.at(Position::Form).next().is_some() {
            let fields = self.encoded(Position::Form, "&", token);
            form.set(parts, self.names(Position::Form), &fields).await?;
        }
        Ok(())
    }

    fn at(&self, position: Position) -> impl Iterator<Item = &Pass> + Clone {
        self.0.iter().filter(move |pass| pass.position == position)
    }

    fn names(&self, position: Position) -> impl Iterator<Item = &str> + Clone {
        self.at(position).map(|pass| &*pass.parameter)
    }

    fn set_headers(
        &self,
        headers: &mut HeaderMap,
        token: Option<&VerifiedToken>,
    ) -> Result<(), Rejection> {
        let is_claim = |name: &&HeaderName| {
            self.names(Position::Header).any(|known| is_alike(name.as_str().as_bytes(), known))
        };
        let sent: Vec<_> = headers.keys().filter(is_claim).cloned().collect();
        for name in sent {
            headers.remove(name);
        }
        for pass in self.at(Position::Header) {
            let Some(text) = pass.text(token) else { continue };
            let kept = || text.trim().len() == text.len() && !text.contains(char::is_control);
            let value = HeaderValue::from_bytes(text.as_bytes()).ok().filter(|_| kept());
            let (Some(mut value), Ok(name)) = (value, pass.parameter.parse()) else {
                return Err(not_passed("a claim of the token cannot stand in a header"));
            };
            value.set_sensitive(true);
            set_header(headers, name, value)?;
        }
        Ok(())
    }

    fn set_query(&self, uri: &mut Uri, token: Option<&VerifiedToken>) -> Result<(), Rejection> {
        let sent = uri.query().unwrap_or_default().as_bytes();
        let cleaned = without(sent, b"&;", &self.names(Position::Query));
        let claims = self.encoded(Position::Query, "&", token);
        if cleaned.is_none() && claims.is_empty() {
            return Ok(());
        }
        let query = joined(cleaned.as_deref().unwrap_or(sent), b"&", &claims);
        let mut target = uri.path().as_bytes().to_vec();
        if !query.is_empty() {
            target.push(b'?');
            target.extend_from_slice(&query);
        }
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = PathAndQuery::from_maybe_shared(target).ok();
        let has_claims = parts.path_and_query.is_some();
        let target = Uri::from_parts(parts).ok().filter(|_| has_claims);
        *uri = target.ok_or_else(|| not_passed("the target has no room for the claims"))?;
        Ok(())
    }

    /// Cookies become one header, those of claims first, so that none before them can swallow one.
    fn set_cookies(
        &self,
        headers: &mut HeaderMap,
        token: Option<&VerifiedToken>,
    ) -> Result<(), Rejection> {
        let lists: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        let sent = lists.join(&b"; "[..]);
        let cleaned = without(&sent, b";,", &self.names(Position::Cookie));
        let claims = self.encoded(Position::Cookie, "; ", token);
        if cleaned.is_none() && claims.is_empty() {
            return Ok(());
        }
        let cookies = joined(&claims, b"; ", cleaned.as_deref().unwrap_or(&sent).trim_ascii());
        if cookies.is_empty() {
            headers.remove(COOKIE);
            return Ok(());
        }
        let value = HeaderValue::from_bytes(&cookies);
        let mut value = value.map_err(|_| not_passed("the cookies cannot stand in one header"))?;
        value.set_sensitive(true);
        set_header(headers, COOKIE, value)
    }

    /// The claims for a position, as `name=value` and percent-encoded.
    fn encoded(&self, position: Position, join: &str, token: Option<&VerifiedToken>) -> Vec<u8> {
        let mut list = Vec::new();
        for pass in self.at(position) {
            let Some(text) = pass.text(token) else { continue };
            if !list.is_empty() {
                list.extend_from_slice(join.as_bytes());
            }
            match position {
                Position::Cookie => list.extend_from_slice(pass.parameter.as_bytes()),
                _ => encode(pass.parameter.as_bytes(), &mut list),
            }
            list.push(b'=');
            encode(text.as_bytes(), &mut list);
        }
        list
    }
}

impl Pass {
    /// The text of its claim, if the token has it.
    fn text<'t>(&self, token: Option<&'t VerifiedToken>) -> Option<Cow<'t, str>> {
        match token?.get(&self.claim)? {
            Value::Null => None,
            Value::String(text) => Some(Cow::Borrowed(text)),
            other => Some(Cow::Owned(other.to_string())),
        }
    }
}

fn joined(first: &[u8], by: &[u8], second: &[u8]) -> Vec<u8> {
    let by = if first.is_empty() || second.is_empty() { &b""[..] } else { by };
    [first, by, second].concat()
}

impl fmt::Display for ClaimPassBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Pass { position, claim, parameter }) in self.0.iter().enumerate() {
            f.write_str(if at > 0 { "," } else { "" })?;
            write!(f, "{position}:{claim}:{parameter}")?;
        }
        Ok(())
    }
}
