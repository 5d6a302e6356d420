//! Hosts and numeric ports (RFC 3986 §3.2.2, §3.2.3, §6.2.3).

use http::Uri;

/// A host, and a port where it is not the one that the scheme implies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Host<'a> {
    name: &'a [u8],
    port: Option<u16>,
}

impl<'a> Host<'a> {
    /// Reads `<host>[:<port>]`, as a `host` header and an authority without user information
    /// have it. `None` for a port that is no number, or an empty host.
    pub(crate) fn read(text: &'a [u8], default_port: Option<u16>) -> Option<Self> {
        // A colon in brackets is of an IPv6 address.
        let colon = memchr::memrchr(b':', text).filter(|at| !text[*at..].contains(&b']'));
        let (name, port) = text.split_at(colon.unwrap_or(text.len()));
        let digits = port.get(1..).unwrap_or_default();
        let port = match digits {
            [] => None,
            _ if digits.iter().all(u8::is_ascii_digit) => {
                Some(std::str::from_utf8(digits).ok()?.parse().ok()?)
            }
            _ => return None,
        };
        let port = port.filter(|port| Some(*port) != default_port);
        (!name.is_empty()).then_some(Self { name, port })
    }

    /// Of the authority of a URI, if it has one.
    pub(crate) fn of(uri: &'a Uri) -> Option<Self> {
        Self::read(uri.authority()?.as_str().as_bytes(), default_port(uri.scheme_str()))
    }

    /// Whether two name the same host and port, in whatever case.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.name.eq_ignore_ascii_case(other.name) && self.port == other.port
    }

    /// As HTTP clients write it into a `host` header: what of `text`, from which it was read,
    /// is that. `None` if that is written in no part of it, the port having leading zeros.
    pub(crate) fn written(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        match self.port {
            None => Some(self.name),
            Some(_) => (text.get(self.name.len() + 1) != Some(&b'0')).then_some(text),
        }
    }
}

/// The port that a scheme implies.
pub(crate) fn default_port(scheme: Option<&str>) -> Option<u16> {
    match scheme? {
        "https" | "wss" => Some(443),
        "http" | "ws" => Some(80),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_a_numeric_port_unless_it_is_the_implied_one() {
        let read = |text: &'static str| {
            let host = Host::read(text.as_bytes(), Some(80))?;
            Some((std::str::from_utf8(host.name).unwrap(), host.port))
        };
        for (text, expected) in [
            ("demo.example", Some(("demo.example", None))),
            ("demo.example:", Some(("demo.example", None))),
            ("demo.example:80", Some(("demo.example", None))),
            ("demo.example:080", Some(("demo.example", None))),
            ("demo.example:8080", Some(("demo.example", Some(8080)))),
            ("demo.example:08080", Some(("demo.example", Some(8080)))),
            ("[::1]", Some(("[::1]", None))),
            ("[::1]:80", Some(("[::1]", None))),
            ("[::1]:443", Some(("[::1]", Some(443)))),
            ("", None),
            (":80", None),
            ("demo.example:http", None),
            ("demo.example:65536", None),
            ("demo.example:+80", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn it_is_written_as_clients_do() {
        let written = |text: &'static str| {
            let host = Host::read(text.as_bytes(), Some(80)).unwrap();
            host.written(text.as_bytes()).map(|text| std::str::from_utf8(text).unwrap())
        };
        assert_eq!(written("demo.example:080"), Some("demo.example"));
        assert_eq!(written("demo.example:8080"), Some("demo.example:8080"));
        assert_eq!(written("demo.example:08080"), None);
        assert_eq!(written("demo.example:0"), None);
    }
}
