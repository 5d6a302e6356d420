//! What of a signed request is not shown.
//!
//! The secret of the access key is in no request. A signature is: whoever has it can send the
//! request again, for 15 minutes. What is printed ends in tickets and logs, so neither it nor a
//! security token is shown, unless that is asked for.

use crate::keys::Key;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use tower_fc::headers::{QUERY_SECURITY_TOKEN, QUERY_SIGNATURE};
use zeroize::Zeroizing;

/// Texts that are not shown, and what is shown in their place.
pub(crate) struct Hidden {
    texts: Vec<(Zeroizing<String>, &'static str)>,
    reveal: bool,
}

impl Hidden {
    /// Nothing yet, and never anything where all is to be revealed.
    pub(crate) fn new(reveal: bool) -> Self {
        Self { texts: Vec::new(), reveal }
    }

    /// Hides what is secret of a signed request, from now on.
    pub(crate) fn add(&mut self, head: &Parts, key: &Key) {
        self.hide(key.token.as_ref().map(|token| token.as_str()), "<security token>");
        self.hide(signature(&head.headers), "<signature>");
        for pair in head.uri.query().unwrap_or_default().split('&') {
            match pair.split_once('=') {
                Some((QUERY_SECURITY_TOKEN, value)) => self.hide(Some(value), "<security token>"),
                Some((QUERY_SIGNATURE, value)) => self.hide(Some(value), "<signature>"),
                _ => {}
            }
        }
    }

    fn hide(&mut self, secret: Option<&str>, shown: &'static str) {
        if let Some(secret) = secret.filter(|secret| !secret.is_empty() && !self.reveal) {
            self.texts.push((Zeroizing::new(secret.to_owned()), shown));
        }
    }

    /// A text as it may be shown.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.texts
            .iter()
            .fold(text.to_owned(), |text, (secret, shown)| text.replace(secret.as_str(), shown))
    }
}

/// The signature in `Authorization`, all of it if none is found there.
fn signature(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let found = text.rsplit_once("Signature=").or(text.rsplit_once(':'));
    Some(found.map_or(text, |(_, signature)| signature))
}
