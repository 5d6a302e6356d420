//! How a path is read into the canonical form.

use super::percent::{self, escape, is_unreserved};
use super::rules::{PathForm, PathRules, Times, Utf8};
use super::sink::{Nowhere, Sink};
use crate::protocol::scheme::ambiguity::Ambiguities;
use smallvec::SmallVec;

impl PathRules {
    /// Writes `path` and says what is ambiguous about it.
    pub(crate) fn write<S: Sink>(&self, path: &[u8], sink: &mut S) -> Ambiguities {
        if !self.replaces() {
            return self.form.write(path, sink);
        }
        let mut text = Text::with_capacity(path.len());
        let found = self.form.write(path, &mut text);
        found | self.replace(&text, sink)
    }

    /// Whether anything is replaced in what is read of a path.
    pub(crate) fn replaces(&self) -> bool {
        self.dollar != Times::Never || self.form_chars != Times::Never
    }

    /// Writes what was read of a path, with what is replaced in it.
    pub(crate) fn replace<S: Sink>(&self, text: &[u8], sink: &mut S) -> Ambiguities {
        replace(text, self.dollar, self.form_chars, sink);
        match self.form_chars != Times::Never && text.contains(&b'+') {
            true => Ambiguities::PATH_PLUS,
            false => Ambiguities::empty(),
        }
    }
}

impl PathForm {
    /// Writes what is read of a path and says what is ambiguous about it.
    pub(crate) fn write<S: Sink>(self, path: &[u8], sink: &mut S) -> Ambiguities {
        match self {
            Self::Raw => {
                sink.put(path);
                decode(path, &mut Nowhere)
            }
            Self::Segments => write_segments(path, sink),
            Self::Decoded(Utf8::Keep) => decode(path, sink),
            Self::Decoded(Utf8::Replace) => write_replacing(path, sink),
        }
    }
}

/// A path on its way through more than one step.
type Text = SmallVec<[u8; 256]>;

fn write_replacing<S: Sink>(path: &[u8], sink: &mut S) -> Ambiguities {
    let mut text = Text::with_capacity(path.len());
    let found = decode(path, &mut text);
    match percent::put_utf8(&text, sink) {
        true => found | Ambiguities::PATH_NOT_UTF8,
        false => found,
    }
}

fn write_segments<S: Sink>(path: &[u8], sink: &mut S) -> Ambiguities {
    let mut found = Ambiguities::empty();
    let mut rest = path;
    loop {
        let run = rest.iter().position(|byte| !is_unreserved(*byte) && *byte != b'/');
        let (plain, special) = rest.split_at(run.unwrap_or(rest.len()));
        sink.put(plain);
        let Some(first) = special.first() else { return found };
        match escape(special) {
            Some(byte) => {
                if is_routed(byte) {
                    found |= Ambiguities::PATH_UNRESERVED;
                }
                percent::encode(&[byte], sink);
                rest = &special[3..];
            }
            None => {
                if *first == b'%' {
                    found |= Ambiguities::PATH_MALFORMED;
                }
                percent::put_escape(*first, sink);
                rest = &special[1..];
            }
        }
    }
}

/// Percent-decodes a path. A percent sign that begins no escape stays.
fn decode<S: Sink>(path: &[u8], sink: &mut S) -> Ambiguities {
    let mut found = Ambiguities::empty();
    percent::decode(path, sink, |byte| {
        found |= match byte {
            Some(b'\n') => Ambiguities::PATH_NEWLINE,
            Some(b'/') => Ambiguities::PATH_SLASH,
            Some(b'%') => Ambiguities::PATH_PERCENT,
            Some(byte) if is_routed(byte) => Ambiguities::PATH_UNRESERVED,
            Some(_) => Ambiguities::empty(),
            None => Ambiguities::PATH_MALFORMED,
        };
    });
    found
}

/// Whether an escape of this byte and the byte itself are different paths to a router that
/// does not decode. (Nobody routes by a tilde, which older encoders escape.)
fn is_routed(byte: u8) -> bool {
    is_unreserved(byte) && byte != b'~'
}

/// The replacements that SDKs make in a text after reading it: how often `$` becomes
/// `%24`, and how often each of `+`, `*` and `%7E` becomes `%20`, `%2A` and `~`.
pub(crate) fn replace<S: Sink>(text: &[u8], mut dollar: Times, form_chars: Times, sink: &mut S) {
    let [mut plus, mut star, mut tilde] = [form_chars; 3];
    let due = |times: &mut Times| match *times {
        Times::Never => false,
        Times::First => {
            *times = Times::Never;
            true
        }
        Times::Every => true,
    };
    let (mut written, mut at) = (0, 0);
    while let Some(byte) = text.get(at) {
        let (replacement, len): (&[u8], _) = match byte {
            b'$' if due(&mut dollar) => (b"%24", 1),
            b'+' if due(&mut plus) => (b"%20", 1),
            b'*' if due(&mut star) => (b"%2A", 1),
            b'%' if text[at..].starts_with(b"%7E") && due(&mut tilde) => (b"~", 3),
            _ => {
                at += 1;
                continue;
            }
        };
        if written < at {
            sink.put(&text[written..at]);
        }
        sink.put(replacement);
        at += len;
        written = at;
    }
    sink.put(&text[written..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(rules: PathRules, path: &str) -> (String, Ambiguities) {
        let mut text = Vec::new();
        let found = rules.write(path.as_bytes(), &mut text);
        (String::from_utf8_lossy(&text).into_owned(), found)
    }

    #[test]
    fn the_standard_forms_of_a_path() {
        let decoded = PathRules::new(PathForm::Decoded(Utf8::Keep));
        let segments = PathRules::new(PathForm::Segments);
        for (path, in_fc, in_acs3) in [
            ("/", "/", "/"),
            ("/a%20b/c", "/a b/c", "/a%20b/c"),
            ("/a+b", "/a+b", "/a%2Bb"),
            ("/a%2fb", "/a/b", "/a%2Fb"),
            ("/%41", "/A", "/A"),
            ("/100%", "/100%", "/100%25"),
            ("/%E4%BD%A0", "/你", "/%E4%BD%A0"),
        ] {
            assert_eq!(written(decoded, path).0, in_fc, "{path}");
            assert_eq!(written(segments, path).0, in_acs3, "{path}");
        }
    }

    #[test]
    fn what_is_ambiguous_about_a_path_is_reported() {
        let decoded = PathRules::new(PathForm::Decoded(Utf8::Replace));
        for (path, found) in [
            ("/a/b", Ambiguities::empty()),
            ("/a%0Ab", Ambiguities::PATH_NEWLINE),
            ("/a%2fb", Ambiguities::PATH_SLASH),
            ("/a%25b", Ambiguities::PATH_PERCENT),
            ("/a%b", Ambiguities::PATH_MALFORMED),
            ("/a%", Ambiguities::PATH_MALFORMED),
            ("/%C3%28", Ambiguities::PATH_NOT_UTF8),
            ("/%0a%2F", Ambiguities::PATH_NEWLINE | Ambiguities::PATH_SLASH),
        ] {
            assert_eq!(written(decoded, path).1, found, "{path}");
        }
    }

    #[test]
    fn replacements_are_made_never_once_or_always() {
        let first =
            PathRules { form: PathForm::Raw, dollar: Times::First, form_chars: Times::First };
        let every = PathRules { dollar: Times::Every, form_chars: Times::Every, ..first };
        let path = "/$+*%7E/$+*%7E";
        assert_eq!(written(first, path).0, "/%24%20%2A~/$+*%7E");
        assert_eq!(written(every, path).0, "/%24%20%2A~/%24%20%2A~");
        assert_eq!(written(PathRules::new(PathForm::Raw), path).0, path);
    }
}
