//! The parameters of a presigned URL, read and written.

use super::ambiguity::{Ambiguities, Ambiguity};
use crate::headers::{QUERY_ACCESS_KEY_ID, QUERY_EXPIRES, QUERY_SECURITY_TOKEN, QUERY_SIGNATURE};
use crate::protocol::canonical::{percent, sink::Sink};
use std::borrow::Cow;

/// What a query has of the parameters of a presigned URL, as a form parser reads it.
#[derive(Default)]
pub(crate) struct Presigned<'a> {
    pub(crate) access_key_id: Option<Cow<'a, [u8]>>,
    pub(crate) expires: Option<Cow<'a, [u8]>>,
    pub(crate) security_token: Option<Cow<'a, [u8]>>,
    pub(crate) signature: Option<Cow<'a, [u8]>>,
    /// One of them that is there twice. The first one counts.
    pub(crate) repeated: Option<&'static str>,
}

impl<'a> Presigned<'a> {
    /// Looks for the parameters in a query.
    pub(crate) fn read(query: &'a [u8]) -> Self {
        let mut found = Self::default();
        // Without a way out, so that many bytes are looked at at once.
        let pairs = query.iter().zip(query.get(1..).unwrap_or_default());
        let seen = pairs.fold(0, |seen: u8, (before, first)| {
            seen | u8::from((*before == b'&') & may_begin(*first))
        });
        if seen > 0 || query.first().is_some_and(|first| may_begin(*first)) {
            query.split(|byte| *byte == b'&').for_each(|part| found.add(part));
        }
        found
    }

    /// Takes note of a parameter, if it is one of these.
    fn add(&mut self, part: &'a [u8]) {
        if !part.first().is_some_and(|first| may_begin(*first)) {
            return;
        }
        let equals = memchr::memchr(b'=', part).unwrap_or(part.len());
        let slots = [
            (QUERY_ACCESS_KEY_ID, &mut self.access_key_id),
            (QUERY_EXPIRES, &mut self.expires),
            (QUERY_SECURITY_TOKEN, &mut self.security_token),
            (QUERY_SIGNATURE, &mut self.signature),
        ];
        let is_key = |name: &str| percent::decodes_to(&part[..equals], name);
        let Some((name, slot)) = slots.into_iter().find(|(name, _)| is_key(name)) else { return };
        match slot {
            Some(_) => self.repeated = self.repeated.or(Some(name)),
            None => {
                *slot = Some(percent::decode_form(part.get(equals + 1..).unwrap_or_default()));
            }
        }
    }

    /// One of the parameters that is there.
    pub(crate) fn any(&self) -> Option<&'static str> {
        self.credential().or(self.expires.as_ref().map(|_| QUERY_EXPIRES))
    }

    /// What is ambiguous about a request with this query that is signed in its headers.
    ///
    /// # Errors
    /// What is so whatever the settings: credentials in both places.
    pub(crate) fn beside_headers(&self) -> Result<Ambiguities, Ambiguity> {
        match (self.credential(), &self.expires) {
            (Some(_), _) => Err(Ambiguity::QueryCredentials),
            (None, Some(_)) => Ok(Ambiguities::EXPIRES_AS_DATE),
            (None, None) => Ok(Ambiguities::empty()),
        }
    }

    /// One of the parameters that is there and belongs to credentials: without any, an
    /// `x-fc-expires` is a parameter like others.
    fn credential(&self) -> Option<&'static str> {
        [
            (QUERY_ACCESS_KEY_ID, &self.access_key_id),
            (QUERY_SECURITY_TOKEN, &self.security_token),
            (QUERY_SIGNATURE, &self.signature),
        ]
        .into_iter()
        .find_map(|(name, value)| value.as_ref().map(|_| name))
    }
}

/// Whether one of the names may begin with a byte: an `x`, or an escape that may be one.
fn may_begin(byte: u8) -> bool {
    (byte == b'x') | (byte == b'%')
}

/// Appends the parameters that are signed to a target.
pub(crate) fn write_signed(id: &str, expires: &str, token: Option<&[u8]>, target: &mut Vec<u8>) {
    write(QUERY_ACCESS_KEY_ID, id.as_bytes(), target);
    target.put_byte(b'&');
    write(QUERY_EXPIRES, expires.as_bytes(), target);
    if let Some(token) = token {
        target.put_byte(b'&');
        write(QUERY_SECURITY_TOKEN, token, target);
    }
}

/// Appends the signature, in base64, to a target.
pub(crate) fn write_signature(signature: &[u8], target: &mut Vec<u8>) {
    target.put_byte(b'&');
    write(QUERY_SIGNATURE, signature, target);
}

fn write(name: &str, value: &[u8], target: &mut Vec<u8>) {
    target.put(name.as_bytes());
    target.put_byte(b'=');
    percent::encode(value, target);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::canonical::parameters::parameters;

    #[test]
    fn the_quick_look_finds_what_a_form_parser_does() {
        let names = [
            QUERY_ACCESS_KEY_ID,
            QUERY_EXPIRES,
            QUERY_SECURITY_TOKEN,
            QUERY_SIGNATURE,
            "x",
            "%",
            "+",
        ];
        let spelt = |name: &str| {
            let mut spelt = vec![name.to_owned()];
            for at in 0..name.len() {
                let byte = name.as_bytes()[at];
                spelt.push(format!("{}%{byte:02X}{}", &name[..at], &name[at + 1..]));
                spelt.push(format!("{}%{byte:02x}{}", &name[..at], &name[at + 1..]));
            }
            spelt.push(name.to_uppercase());
            spelt.push(format!("{name}x"));
            spelt
        };
        let mut found = 0;
        for name in names.iter().flat_map(|name| spelt(name)) {
            for query in [
                name.clone(),
                format!("{name}=1"),
                format!("a={name}=1&b"),
                format!("a%26{name}=1"),
                format!("&&{name}=%31&{name}=2"),
                format!("a=x&{name}=x%&x=1"),
            ] {
                let read = Presigned::read(query.as_bytes());
                let first = |name: &str| {
                    parameters(query.as_bytes())
                        .find(|(key, _)| key.as_ref() == name.as_bytes())
                        .map(|(_, value)| value.into_owned())
                };
                for (name, slot) in [
                    (QUERY_ACCESS_KEY_ID, &read.access_key_id),
                    (QUERY_EXPIRES, &read.expires),
                    (QUERY_SECURITY_TOKEN, &read.security_token),
                    (QUERY_SIGNATURE, &read.signature),
                ] {
                    let slot = slot.as_ref().map(|value| value.clone().into_owned());
                    assert_eq!(slot, first(name), "{query} {name}");
                    found += usize::from(slot.is_some());
                }
                let twice = query.starts_with("&&") && read.any().is_some();
                assert_eq!(read.repeated.is_some(), twice, "{query}");
            }
        }
        assert!(found > 500, "{found}");
    }
}
