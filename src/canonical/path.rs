//! How a path is read into the canonical form.

use super::percent::{self, escape, is_unreserved};
use super::{Quirks, Sink};
use smallvec::SmallVec;

/// A dialect's way with the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PathRules {
    pub(crate) form: PathForm,
    /// How often `$` becomes `%24`.
    pub(crate) dollar: Times,
    /// How often each of `+`, `*` and `%7E` becomes `%20`, `%2A` and `~`.
    pub(crate) form_chars: Times,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathForm {
    /// As on the wire.
    Raw,
    /// Percent-decoded.
    Decoded(Utf8),
    /// Every segment percent-decoded and encoded again by RFC 3986.
    Segments,
}

/// What becomes of decoded bytes that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Utf8 {
    /// They stay.
    Keep,
    /// Each malformed sequence becomes U+FFFD.
    Replace,
}

/// How often a replacement is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    Never,
    First,
    Every,
}

impl PathRules {
    pub(crate) const fn new(form: PathForm) -> Self {
        Self { form, dollar: Times::Never, form_chars: Times::Never }
    }

    /// Writes `path` and says what is ambiguous about it.
    pub(crate) fn write<S: Sink>(&self, path: &[u8], sink: &mut S) -> Quirks {
        if self.dollar == Times::Never && self.form_chars == Times::Never {
            return self.form.write(path, sink);
        }
        let mut text = Text::new();
        let mut quirks = self.form.write(path, &mut text);
        if self.form_chars != Times::Never && text.contains(&b'+') {
            quirks |= Quirks::PATH_PLUS;
        }
        replace(&text, self.dollar, self.form_chars, sink);
        quirks
    }
}

impl PathForm {
    fn write<S: Sink>(self, path: &[u8], sink: &mut S) -> Quirks {
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

impl Sink for Text {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// For a look at a path without writing it.
struct Nowhere;

impl Sink for Nowhere {
    fn put(&mut self, _: &[u8]) {}
}

fn write_replacing<S: Sink>(path: &[u8], sink: &mut S) -> Quirks {
    let mut text = Text::new();
    let quirks = decode(path, &mut text);
    match std::str::from_utf8(&text) {
        Ok(_) => {
            sink.put(&text);
            quirks
        }
        Err(_) => {
            sink.put(String::from_utf8_lossy(&text).as_bytes());
            quirks.with(Quirks::PATH_NOT_UTF8)
        }
    }
}

fn write_segments<S: Sink>(path: &[u8], sink: &mut S) -> Quirks {
    let mut quirks = Quirks::NONE;
    let mut rest = path;
    loop {
        let run = rest.iter().position(|byte| !is_unreserved(*byte) && *byte != b'/');
        let (plain, special) = rest.split_at(run.unwrap_or(rest.len()));
        sink.put(plain);
        let Some(first) = special.first() else { return quirks };
        match escape(special) {
            Some(byte) => {
                percent::encode(&[byte], sink);
                rest = &special[3..];
            }
            None => {
                if *first == b'%' {
                    quirks |= Quirks::PATH_MALFORMED;
                }
                percent::put_escape(*first, sink);
                rest = &special[1..];
            }
        }
    }
}

/// Percent-decodes a path. A percent sign that begins no escape stays.
fn decode<S: Sink>(path: &[u8], sink: &mut S) -> Quirks {
    let mut quirks = Quirks::NONE;
    let mut rest = path;
    while let Some(at) = memchr::memchr(b'%', rest) {
        let (plain, special) = rest.split_at(at);
        sink.put(plain);
        match escape(special) {
            Some(byte) => {
                quirks |= match byte {
                    b'\n' => Quirks::PATH_NEWLINE,
                    b'/' => Quirks::PATH_SLASH,
                    b'%' => Quirks::PATH_PERCENT,
                    _ => Quirks::NONE,
                };
                sink.put_byte(byte);
                rest = &special[3..];
            }
            None => {
                quirks |= Quirks::PATH_MALFORMED;
                sink.put_byte(b'%');
                rest = &special[1..];
            }
        }
    }
    sink.put(rest);
    quirks
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
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'$' if due(&mut dollar) => sink.put(b"%24"),
            b'+' if due(&mut plus) => sink.put(b"%20"),
            b'*' if due(&mut star) => sink.put(b"%2A"),
            b'%' if after.starts_with(b"7E") && due(&mut tilde) => {
                sink.put_byte(b'~');
                rest = &after[2..];
            }
            _ => sink.put_byte(*first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(rules: PathRules, path: &str) -> (String, Quirks) {
        let mut text = Vec::new();
        let quirks = rules.write(path.as_bytes(), &mut text);
        (String::from_utf8_lossy(&text).into_owned(), quirks)
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
        for (path, quirks) in [
            ("/a/b", Quirks::NONE),
            ("/a%0Ab", Quirks::PATH_NEWLINE),
            ("/a%2fb", Quirks::PATH_SLASH),
            ("/a%25b", Quirks::PATH_PERCENT),
            ("/a%b", Quirks::PATH_MALFORMED),
            ("/a%", Quirks::PATH_MALFORMED),
            ("/%C3%28", Quirks::PATH_NOT_UTF8),
            ("/%0a%2F", Quirks::PATH_NEWLINE.with(Quirks::PATH_SLASH)),
        ] {
            assert_eq!(written(decoded, path).1, quirks, "{path}");
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
