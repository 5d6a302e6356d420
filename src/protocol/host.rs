//! Hosts and numeric ports (RFC 3986 §3.2.2, §3.2.3, §6.2.3).

use crate::error::{Error, ErrorKind};
use core::net::Ipv6Addr;
use http::Uri;
use std::sync::Arc;

/// A host, and a port where it is not the one that the scheme implies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Host<'a> {
    name: &'a [u8],
    port: Option<u16>,
    /// The port that the scheme implies, where that is known.
    implied: Option<u16>,
}

impl<'a> Host<'a> {
    /// Reads `<host>[:<port>]`, as a `host` header and an authority without user information
    /// have it. `None` for a port that is no number, or an empty host.
    pub(crate) fn read(text: &'a [u8], implied: Option<u16>) -> Option<Self> {
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
        let port = port.filter(|port| Some(*port) != implied);
        (!name.is_empty()).then_some(Self { name, port, implied })
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

/// The hosts that may be named: any, or these.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts(Option<Arc<[Pattern]>>);

/// A host that may be named, or the end of some.
#[derive(Clone, Debug)]
struct Pattern {
    name: Name,
    /// `None` for any.
    port: Option<u16>,
}

#[derive(Clone, Debug)]
enum Name {
    /// This one, without a dot at its end.
    Exact(Box<str>),
    /// Those that end with this, which begins with a dot.
    Below(Box<str>),
    Address(Ipv6Addr),
}

impl Hosts {
    /// Reads hosts such as `demo.example`, `*.demo.example` or `[::1]:9000`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for what is none, by its number, and for none at all.
    pub(crate) fn read<I>(hosts: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let invalid = |rule: String| Error::new(ErrorKind::InvalidSetting, rule);
        let read = |(text, number): (I::Item, usize)| {
            Pattern::read(text.as_ref()).ok_or_else(|| {
                invalid(format!(
                    "host {number} must be of the form demo.example, *.demo.example or [::1], \
                     and may have a port"
                ))
            })
        };
        let hosts =
            hosts.into_iter().zip(1..).map(read).collect::<Result<Arc<[Pattern]>, Error>>()?;
        if hosts.is_empty() {
            return Err(invalid("there must be a host to accept".to_owned()));
        }
        Ok(Self(Some(hosts)))
    }

    /// Whether a request may name this host, or none; it is asked for if that matters.
    pub(crate) fn contain<'a>(&self, named: impl FnOnce() -> Option<Host<'a>>) -> bool {
        let Some(hosts) = &self.0 else { return true };
        named().is_some_and(|named| hosts.iter().any(|host| host.fits(&named)))
    }
}

impl Pattern {
    fn read(text: &str) -> Option<Self> {
        let Host { name, port, .. } = Host::read(text.as_bytes(), None)?;
        let name = match (address(name), name.strip_prefix(b"*")) {
            (Some(address), _) => Name::Address(address),
            (None, Some(end)) => {
                let end = labels(undotted(end).strip_prefix(b".")?)?;
                Name::Below(format!(".{end}").into())
            }
            (None, None) => Name::Exact(labels(undotted(name))?.into()),
        };
        Some(Self { name, port })
    }

    fn fits(&self, host: &Host<'_>) -> bool {
        let name = undotted(host.name);
        let is_named = match &self.name {
            Name::Address(own) => address(host.name) == Some(*own),
            Name::Exact(own) => name.eq_ignore_ascii_case(own.as_bytes()),
            Name::Below(end) => {
                let split = name.len().checked_sub(end.len()).map(|at| name.split_at(at));
                split.is_some_and(|(front, rest)| {
                    rest.eq_ignore_ascii_case(end.as_bytes()) && labels(front).is_some()
                })
            }
        };
        let has_port = |port| match host.port.or(host.implied) {
            Some(named) => named == port,
            // It goes without saying, and it is not said by which scheme.
            None => matches!(port, 80 | 443),
        };
        is_named && self.port.is_none_or(has_port)
    }
}

/// A name without the dot at its end, which says that it is complete.
fn undotted(name: &[u8]) -> &[u8] {
    name.strip_suffix(b".").unwrap_or(name)
}

/// A name made of labels: letters, digits, `-` and `_`, joined by dots.
fn labels(name: &[u8]) -> Option<&str> {
    let is_fine = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let mut labels = name.split(|byte| *byte == b'.');
    let all = labels.all(|label| !label.is_empty() && label.iter().all(is_fine));
    std::str::from_utf8(name).ok().filter(|_| all)
}

/// An IPv6 address in its brackets.
fn address(name: &[u8]) -> Option<Ipv6Addr> {
    let inside = name.strip_prefix(b"[")?.strip_suffix(b"]")?;
    std::str::from_utf8(inside).ok()?.parse().ok()
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

    #[test]
    fn hosts_are_compared_by_name_and_numeric_port() {
        let hosts = ["demo.example", "*.Below.example.", "port.example:8443", "tls.example:443"];
        let hosts = hosts.into_iter().chain(["[::1]", "[2001:db8::1]:9000", "127.0.0.1"]);
        let hosts = Hosts::read(hosts).unwrap();
        let contain = |text: &str, implied| hosts.contain(|| Host::read(text.as_bytes(), implied));
        for host in [
            "demo.example",
            "DEMO.Example",
            "demo.example.",
            "demo.example:",
            "demo.example:1",
            "demo.example.:65535",
            "a.below.example",
            "a.B.below.EXAMPLE.:7",
            "_a-1.below.example",
            "port.example:8443",
            "port.example:08443",
            "tls.example",
            "tls.example:443",
            "[::1]",
            "[0:0::0:1]:80",
            "[2001:DB8:0::1]:9000",
            "127.0.0.1:9000",
        ] {
            assert!(contain(host, None), "{host}");
        }
        for host in [
            "",
            ".",
            ":80",
            "demo.example..",
            ".demo.example",
            "a.demo.example",
            "xdemo.example",
            "demo.example.evil.example",
            "demo.example@evil.example",
            "evil.example@demo.example",
            "demo.example:80x",
            "demo.example, evil.example",
            "demo.example/",
            "below.example",
            ".below.example",
            "..below.example",
            "a..below.example",
            "xbelow.example",
            "evil.example/.below.example",
            "user@a.below.example",
            "a b.below.example",
            "é.below.example",
            "*.below.example",
            "a.below.example.evil.example",
            "port.example",
            "port.example:443",
            "tls.example:80",
            "tls.example:8443",
            "::1",
            "[::1",
            "[::1].",
            "[::2]",
            "[::1%251]",
            "[2001:db8::1]",
            "[2001:db8::1]:9001",
            "127.0.0.2",
        ] {
            assert!(!contain(host, None), "{host}");
        }
        // The scheme says which port goes without saying.
        for (host, implied, expected) in [
            ("tls.example", 443, true),
            ("tls.example:443", 443, true),
            ("tls.example:443", 80, true),
            ("tls.example", 80, false),
            ("tls.example:80", 80, false),
            ("port.example", 443, false),
            ("demo.example", 80, true),
        ] {
            assert_eq!(contain(host, Some(implied)), expected, "{host} {implied}");
        }
        assert!(!hosts.contain(|| None));
        assert!(Hosts::default().contain(|| None));
    }

    #[test]
    fn what_is_no_host_is_an_error_with_its_number() {
        for text in [
            "",
            "*",
            "*.",
            "*..",
            ".",
            "..",
            "*demo.example",
            "a.*.example",
            "**.example",
            "*.*.example",
            "https://demo.example",
            "demo.example/",
            "demo.example:http",
            "demo.example:65536",
            "user@demo.example",
            "demo..example",
            ".demo.example",
            "::1",
            "[::1",
            "[demo]",
            "*.[::1]",
            "bücher.example",
            "demo example",
            " demo.example",
            "demo.example?a",
            ":80",
        ] {
            let error = Hosts::read(["demo.example", text]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidSetting, "{text}");
            assert!(error.to_string().starts_with("host 2 must be "), "{error}");
        }
        assert!(Hosts::read(Vec::<String>::new()).is_err());
        assert!(Hosts::read(["xn--bcher-kva.example", "localhost:3000"]).is_ok());
    }
}
