//! What clients call, where a proxy passes it on under another host or without part of its path.

use super::host::Host;
use super::request::{Field, Head, MAX_URI_LEN};
use crate::error::{Error, ErrorKind};
use http::Uri;
use http::header::HeaderValue;
use http::uri::{Authority, Scheme};

/// The URL below which clients find what a server serves.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    scheme: Scheme,
    authority: Authority,
    /// Empty, or what begins with a slash.
    prefix: Box<str>,
    /// The authority as clients write it into a `host` header.
    host: HeaderValue,
}

impl Base {
    /// Reads a URL such as `https://api.example/v2`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for what is none, or has more to it.
    pub(crate) fn read(text: &str) -> Result<Self, Error> {
        // What follows `#` is dropped where a URI is read.
        let uri = text.parse::<Uri>().ok().filter(|_| !text.contains(['#', '?', '@']));
        uri.as_ref().and_then(Self::of).ok_or_else(|| {
            let rule = "an external base is of the form https://api.example/prefix, without user \
                        information, query and fragment";
            Error::new(ErrorKind::InvalidSetting, rule)
        })
    }

    fn of(uri: &Uri) -> Option<Self> {
        let scheme = uri.scheme().filter(|scheme| ["http", "https"].contains(&scheme.as_str()))?;
        let authority = uri.authority()?;
        let host = Host::of(uri)?.written(authority.as_str().as_bytes())?;
        let path = uri.path();
        Some(Self {
            scheme: scheme.clone(),
            authority: authority.clone(),
            prefix: path.strip_suffix('/').unwrap_or(path).into(),
            host: HeaderValue::from_bytes(host).ok()?,
        })
    }

    /// The target as the client wrote it; `None` for one that is no path, and for one that would
    /// be too long.
    ///
    /// No two become the same: a path begins with a slash, so that it cannot run into the prefix.
    fn join(&self, uri: &Uri) -> Option<Uri> {
        let path = Some(uri.path()).filter(|path| path.starts_with('/'))?;
        let mut target = format!("{}{path}", self.prefix);
        if let Some(query) = uri.query() {
            target.push('?');
            target.push_str(query);
        }
        if target.len() > MAX_URI_LEN {
            return None;
        }
        let (scheme, authority) = (self.scheme.clone(), self.authority.clone());
        Uri::builder().scheme(scheme).authority(authority).path_and_query(target).build().ok()
    }

    /// Sees a request as its client sent it; `None` if it cannot be one that came by here. `room`
    /// is for the target.
    pub(crate) fn see<'a>(&'a self, head: &mut Head<'a>, room: &'a mut Option<Uri>) -> Option<()> {
        let target = room.insert(self.join(head.uri)?);
        let named = head.named_host();
        head.is_renamed = !Host::of(target).is_some_and(|own| named.is_some_and(|it| it.is(&own)));
        head.uri = target;
        head.host = Field { value: Some(&self.host), repeated: false };
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_an_origin_and_a_path() {
        for (text, prefix, host) in [
            ("https://api.example", "", "api.example"),
            ("https://api.example/", "", "api.example"),
            ("https://API.example:443/v2", "/v2", "API.example"),
            ("https://api.example:8443/v2/", "/v2", "api.example:8443"),
            ("http://[::1]:80/a%20b//", "/a%20b/", "[::1]"),
        ] {
            let base = Base::read(text).unwrap();
            assert_eq!((&*base.prefix, base.host.to_str().unwrap()), (prefix, host), "{text}");
        }
        for text in [
            "",
            "/v2",
            "api.example",
            "api.example/v2",
            "ftp://api.example/",
            "https:///v2",
            "https://user@api.example/",
            "https://api.example/v2?a=b",
            "https://api.example/v2?",
            "https://api.example/v2#a",
            "https://api.example:https/",
            "https://api.example:08443/",
            "https://api.example/v 2",
        ] {
            assert_eq!(Base::read(text).unwrap_err().kind(), ErrorKind::InvalidSetting, "{text}");
        }
    }

    #[test]
    fn a_target_is_put_behind_the_prefix_as_it_is() {
        let base = Base::read("https://api.example/v2").unwrap();
        for (target, expected) in [
            ("/", Some("/v2/")),
            ("/p?a=b&a", Some("/v2/p?a=b&a")),
            ("/?", Some("/v2/?")),
            ("//p", Some("/v2//p")),
            ("/../p", Some("/v2/../p")),
            ("/v2/p", Some("/v2/v2/p")),
            ("/%2e%2e/%2F?%zz", Some("/v2/%2e%2e/%2F?%zz")),
            ("http://inside:8080/p?q", Some("/v2/p?q")),
            ("http://inside", Some("/v2/")),
            ("http://inside?q", Some("/v2/?q")),
            ("*", None),
            ("inside:443", None),
        ] {
            let joined = base.join(&target.parse().unwrap());
            let expected = expected.map(|target| format!("https://api.example{target}"));
            assert_eq!(joined.map(|uri| uri.to_string()), expected, "{target}");
        }
        for (len, fits) in [(MAX_URI_LEN - "/v2".len(), true), (MAX_URI_LEN - 2, false)] {
            let target = format!("/{}?a", "a".repeat(len - "/?a".len()));
            let joined = base.join(&target.parse().unwrap());
            assert_eq!(joined.is_some(), fits, "{len}");
            let expected = format!("/v2{target}");
            assert!(joined.is_none_or(|uri| uri.path_and_query().unwrap().as_str() == expected));
        }
    }
}
