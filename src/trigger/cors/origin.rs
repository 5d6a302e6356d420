//! What an origin is (RFC 6454 §6; Fetch, "`Origin` header").

use crate::protocol::host::{Host, default_port};
use std::net::Ipv6Addr;

/// Origins that are allowed: an entry of `allowOrigins`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origins {
    /// `*`
    Any,
    /// All of a scheme, which is here as `https://`.
    Of(String),
    /// One, as browsers write it.
    One(String),
}

impl Origins {
    pub(super) fn read(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Self::Any);
        }
        if let Some(scheme) = entry.strip_suffix("://*") {
            let scheme = scheme.to_ascii_lowercase();
            return is_scheme(&scheme).then(|| Self::Of(scheme + "://"));
        }
        // People copy it from where it has a path.
        written(entry.strip_suffix('/').unwrap_or(entry)).map(Self::One)
    }

    /// Whether it is one of them. `null`, which is an origin without a name, is so only of any.
    pub(super) fn contain(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Of(scheme) => {
                origin.starts_with(scheme) && written(origin).as_deref() == Some(origin)
            }
            Self::One(one) => one == origin,
        }
    }
}

/// An origin as browsers write it: in lower case, and without the port that its scheme implies.
fn written(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (scheme, authority) = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme))?;
    let host = Host::read(authority.as_bytes(), default_port(Some(scheme)))?;
    let written = std::str::from_utf8(host.written(authority.as_bytes())?).ok()?;
    let name = match written.rsplit_once(':') {
        Some((name, _)) if !written.ends_with(']') => name,
        _ => written,
    };
    (is_name(name) || is_address(name)).then(|| format!("{scheme}://{written}"))
}

fn is_scheme(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(fits)
}

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    text.bytes().all(fits)
}

/// Whether it is an IPv6 address in its brackets, in the one form that browsers give it.
fn is_address(text: &str) -> bool {
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    inside.is_some_and(|inside| {
        inside.parse::<Ipv6Addr>().is_ok_and(|address| address.to_string() == inside)
    })
}
