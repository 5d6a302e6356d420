//! URLs as curl reads them, made ready to be signed: what is sent is what is signed, and what a
//! printed command line has curl send.

use crate::exit::{Exit, Failure};
use http::Uri;
use http::uri::Authority;
use std::fmt;

/// Where a request goes, and for what it asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) is_https: bool,
    /// An IPv6 address has its brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Path and query, in ASCII. It begins with a slash.
    pub(crate) target: String,
}

impl Url {
    /// Reads a URL. Without a scheme it is of `http`.
    ///
    /// The fragment is cut off. Bytes that cannot stand in a request line are percent-encoded,
    /// and so are they that curl would encode, or not, depending on its version: a signature over
    /// such a target would be right for one of two requests. Dot segments go, unless `as_is`.
    pub(crate) fn read(text: &str, as_is: bool) -> Result<Self, Failure> {
        if text.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') {
            return Err(malformed("has a space or a control character: percent-encode it"));
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let is_https = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ if scheme.contains(['/', '?', '#']) => return Self::read_rest(false, text, as_is),
            _ => {
                let rule = "the URL has a scheme other than http and https";
                return Err(Failure::new(Exit::UnsupportedProtocol, rule));
            }
        };
        Self::read_rest(is_https, rest, as_is)
    }

    /// Reads what comes after the scheme.
    fn read_rest(is_https: bool, rest: &str, as_is: bool) -> Result<Self, Failure> {
        let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(malformed("has a user or a password, for which a signature has no room"));
        }
        if !authority.is_ascii() {
            return Err(malformed("has a host that is not in ASCII: write it as xn--..."));
        }
        let (host, port) = match authority.rfind(':').filter(|at| !authority[*at..].contains(']')) {
            Some(at) => (&authority[..at], &authority[at + 1..]),
            None => (authority, ""),
        };
        let port = match port {
            "" if is_https => 443,
            "" => 80,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| malformed("has a port above 65535"))?
            }
            _ => return Err(malformed("has a port that is no number")),
        };
        if host.is_empty() || host.parse::<Authority>().is_err() {
            return Err(malformed("has no host"));
        }
        Ok(Self { is_https, host: host.to_owned(), port, target: target_of(target, as_is) })
    }

    /// Appends parameters to its query, as `-G` does.
    pub(crate) fn add_query(&mut self, query: &str) {
        if query.is_empty() {
            return;
        }
        let has_query = self.target.contains('?');
        let is_open = self.target.ends_with(['?', '&']);
        self.target += if !has_query {
            "?"
        } else if is_open {
            ""
        } else {
            "&"
        };
        self.target += &encoded(query);
    }

    /// Appends the name of a file that is uploaded to a folder.
    pub(crate) fn add_file_name(&mut self, name: &str) {
        let path_len = self.path().len();
        if self.path().ends_with('/') {
            let escaped: String = name.bytes().map(escaped).collect();
            self.target.insert_str(path_len, &escaped);
        }
    }

    /// The name that `-O` gives to what is downloaded.
    pub(crate) fn file_name(&self) -> Option<&str> {
        let name = self.path().rsplit('/').next().unwrap_or_default();
        // What is left of dot segments names a folder.
        (!matches!(name, "" | "." | "..")).then_some(name)
    }

    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Where a `Location` leads from here.
    pub(crate) fn join(&self, location: &str, as_is: bool) -> Result<Self, Failure> {
        let location: String =
            location.chars().map(|c| if c == ' ' { "%20".into() } else { c.to_string() }).collect();
        let has_scheme = location.split_once("://").is_some_and(|(scheme, _)| {
            scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        });
        if has_scheme {
            return Self::read(&location, as_is);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::read_rest(self.is_https, rest, as_is);
        }
        let path = self.path();
        let base = match location.as_bytes().first() {
            Some(b'/') => "",
            Some(b'?') => path,
            None | Some(b'#') => &self.target,
            _ => &path[..=path.rfind('/').unwrap_or_default()],
        };
        Ok(Self { target: target_of(&format!("{base}{location}"), as_is), ..self.clone() })
    }

    /// Whether two have the same scheme, host and port.
    pub(crate) fn has_origin_of(&self, other: &Self) -> bool {
        self.is_https == other.is_https
            && self.host.eq_ignore_ascii_case(&other.host)
            && self.port == other.port
    }

    /// Whether it is of this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "[::1]")
    }

    pub(crate) fn scheme(&self) -> &'static str {
        if self.is_https { "https" } else { "http" }
    }

    /// What a `host` header says: no port that the scheme implies.
    pub(crate) fn authority(&self) -> String {
        match (self.is_https, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }

    /// The URI of a request that names this host, or what a `host` header of its own says.
    pub(crate) fn uri(&self, host: &str) -> Result<Uri, Failure> {
        let uri = Uri::builder().scheme(self.scheme()).authority(host);
        uri.path_and_query(self.target.as_str())
            .build()
            .map_err(|error| malformed(&format!("cannot be sent: {error}")))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority(), self.target)
    }
}

fn malformed(why: &str) -> Failure {
    // It is not quoted: it may have a signature in it.
    Failure::new(Exit::MalformedUrl, format!("the URL {why}"))
}

/// Path and query of what comes after an authority.
fn target_of(text: &str, as_is: bool) -> String {
    let text = text.split('#').next().unwrap_or_default();
    let (path, query) = text.split_at(text.find('?').unwrap_or(text.len()));
    let path = match path {
        "" => "/".to_owned(),
        path if as_is => path.to_owned(),
        path => without_dots(path),
    };
    encoded(&path) + &encoded(query)
}

/// Takes dot segments out of a path (RFC 3986 §5.2.4), which begins with a slash.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut is_folder = false;
    for segment in path.split('/').skip(1) {
        is_folder = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    if is_folder {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

/// Percent-encodes what cannot stand in a request line.
fn encoded(text: &str) -> String {
    let is_fine = |byte: u8| byte.is_ascii_graphic() && !b"\"<>`".contains(&byte);
    text.bytes()
        .map(|byte| if is_fine(byte) { char::from(byte).into() } else { hex(byte) })
        .collect()
}

/// Percent-encodes all but what RFC 3986 calls unreserved.
pub(crate) fn escaped(byte: u8) -> String {
    match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        true => char::from(byte).into(),
        false => hex(byte),
    }
}

fn hex(byte: u8) -> String {
    format!("%{byte:02X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, u8> {
        Url::read(text, false).map(|url| url.to_string()).map_err(|failure| failure.code())
    }

    #[test]
    fn a_url_is_read_as_curl_reads_it() {
        for (text, expected) in [
            ("demo.example", Ok("http://demo.example/")),
            ("demo.example/a?b=http://c", Ok("http://demo.example/a?b=http://c")),
            ("demo.example?a=1", Ok("http://demo.example/?a=1")),
            ("HTTPS://demo.example:443/", Ok("https://demo.example/")),
            ("https://demo.example:080", Ok("https://demo.example:80/")),
            ("http://[::1]:9000/a#b", Ok("http://[::1]:9000/a")),
            ("http://[::1]", Ok("http://[::1]/")),
            ("a/../b/./c", Ok("http://a/b/c")),
            ("a/b/..", Ok("http://a/")),
            ("a//a//b/..//", Ok("http://a//a///")),
            ("a/%2e%2e/x?q=/../y", Ok("http://a/%2e%2e/x?q=/../y")),
            ("a/你好?é=\"<>`{}|^", Ok("http://a/%E4%BD%A0%E5%A5%BD?%C3%A9=%22%3C%3E%60{}|^")),
            ("", Err(3)),
            ("/a", Err(3)),
            ("http:///a", Err(3)),
            ("a/b c", Err(3)),
            ("a/b\tc", Err(3)),
            ("a:99999", Err(3)),
            ("a:http", Err(3)),
            ("u:p@a/", Err(3)),
            ("é.example", Err(3)),
            ("http://[::1/", Err(3)),
            ("foo://x/", Err(1)),
        ] {
            assert_eq!(read(text).as_deref(), expected.as_ref().copied(), "{text}");
        }
        assert_eq!(Url::read("a/../b", true).unwrap().target, "/../b");
    }

    #[test]
    fn a_location_is_read_from_where_it_was_found() {
        let base = Url::read("https://a.example/b/c?d", false).unwrap();
        for (location, expected) in [
            ("e", "https://a.example/b/e"),
            ("../e f?g h", "https://a.example/e%20f?g%20h"),
            ("/e?to=http://x", "https://a.example/e?to=http://x"),
            ("?e", "https://a.example/b/c?e"),
            ("", "https://a.example/b/c?d"),
            ("//b.example/e", "https://b.example/e"),
            ("http://A.example/é", "http://A.example/%C3%A9"),
        ] {
            let url = base.join(location, false).unwrap();
            assert_eq!(url.to_string(), expected, "{location}");
            let is_same = expected.starts_with("https://a.");
            assert_eq!(url.has_origin_of(&base), is_same, "{location}");
        }
    }
}
