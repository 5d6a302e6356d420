//! For which origins requests are signed.

use crate::error::{Error, ErrorKind};
use crate::headers::OF_CREDENTIALS;
use crate::protocol::host::{Host, default_port};
use crate::protocol::request::{NAME_THE_HOST, RequestRef};
use crate::protocol::scheme::authorization::scheme_of;
use http::Uri;
use http::header::{AUTHORIZATION, HOST, HeaderMap};
use std::sync::Arc;

/// Any, or these.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins(Option<Arc<[Uri]>>);

impl Origins {
    /// Reads origins such as `https://demo.example` or `http://127.0.0.1:9000`.
    pub(crate) fn read<I>(origins: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let read = |(text, number): (I::Item, usize)| {
            let uri = text.as_ref().parse::<Uri>().ok().filter(is_origin);
            uri.ok_or_else(|| {
                // It is not quoted: a URL may have a password in it, or a signature.
                let rule = "must be of the form https://host or http://host:port";
                Error::new(ErrorKind::InvalidSetting, format!("origin {number} {rule}"))
            })
        };
        let origins =
            origins.into_iter().zip(1..).map(read).collect::<Result<Arc<[Uri]>, Error>>()?;
        if origins.is_empty() {
            let rule = "there must be an origin to sign for";
            return Err(Error::new(ErrorKind::InvalidSetting, rule));
        }
        Ok(Self(Some(origins)))
    }

    /// Whether a request is to be signed.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidUri`] for one that does not say where it goes.
    pub(crate) fn contain(&self, request: RequestRef<'_>) -> Result<bool, Error> {
        let Some(origins) = &self.0 else { return Ok(true) };
        let host = match (request.uri.authority(), request.headers.get(HOST)) {
            (Some(authority), _) => authority.as_str().as_bytes(),
            (None, Some(host)) => host.as_bytes(),
            (None, None) => {
                let rule = format!("the request names no origin: {NAME_THE_HOST}");
                return Err(Error::new(ErrorKind::InvalidUri, rule));
            }
        };
        // Without an authority, any scheme will do: the connection is made by then.
        let scheme = request.uri.authority().and(request.uri.scheme_str());
        let is_same = |origin: &Uri| {
            let default = default_port(origin.scheme_str());
            let both = Host::of(origin).zip(Host::read(host, default));
            (scheme.is_none() || scheme == origin.scheme_str())
                && both.is_some_and(|(origin, host)| origin.is(&host))
        };
        Ok(origins.iter().any(is_same))
    }
}

/// Scheme, host and perhaps a port, and nothing else.
fn is_origin(uri: &Uri) -> bool {
    matches!(uri.scheme_str(), Some("http" | "https"))
        && Host::of(uri).is_some()
        && !uri.authority().is_some_and(|authority| authority.as_str().contains('@'))
        && uri.path_and_query().is_none_or(|target| target.as_str() == "/")
}

/// Takes out what an earlier attempt, to one of the origins, was signed by.
pub(crate) fn unsign(headers: &mut HeaderMap) {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    if let Some((scheme, _)) = values.find_map(|value| scheme_of(value.as_bytes())) {
        headers.remove(AUTHORIZATION);
        headers.remove(scheme.facts().date.0);
    }
    for name in OF_CREDENTIALS {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_by_scheme_host_and_numeric_port() {
        let origins = Origins::read(["https://demo.example", "http://[::1]:9000"]).unwrap();
        let contain = |uri: &str, host: Option<&str>| {
            let mut request = http::Request::get(uri);
            if let Some(host) = host {
                request = request.header(HOST, host);
            }
            let request = request.body(()).unwrap();
            origins.contain((&request).into()).map_err(|error| error.kind())
        };
        for (uri, host, expected) in [
            ("https://demo.example/a", None, Ok(true)),
            ("https://DEMO.example:443/a", None, Ok(true)),
            ("https://demo.example:0443/a", None, Ok(true)),
            ("http://[::1]:9000/", None, Ok(true)),
            ("http://demo.example/a", None, Ok(false)),
            ("https://demo.example:8443/a", None, Ok(false)),
            ("https://demo.example.evil.example/a", None, Ok(false)),
            ("https://evil.example/demo.example", None, Ok(false)),
            ("https://demo.example@evil.example/", None, Ok(false)),
            // The authority is where it goes.
            ("https://evil.example/", Some("demo.example"), Ok(false)),
            ("/a", Some("demo.example"), Ok(true)),
            ("/a", Some("demo.example:443"), Ok(true)),
            ("/a", Some("demo.example:80"), Ok(false)),
            ("/a", Some("evil.example"), Ok(false)),
            ("/a", None, Err(ErrorKind::InvalidUri)),
        ] {
            assert_eq!(contain(uri, host), expected, "{uri} {host:?}");
        }
    }

    #[test]
    fn what_is_no_origin_is_an_error_that_numbers_it_and_does_not_quote_it() {
        for text in [
            "demo.example",
            "https://",
            "https://demo.example/a",
            "https://demo.example?",
            "https://demo.example/?a",
            "ftp://demo.example",
            "https://a@demo.example",
            "*",
            "",
        ] {
            let error = Origins::read(["https://demo.example", text]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidSetting, "{text}");
            let rule = "origin 2 must be of the form https://host or http://host:port";
            assert_eq!(error.to_string(), rule, "{text}");
        }
        assert!(Origins::read(Vec::<String>::new()).is_err());
    }
}
