use crate::error::{Error, ErrorKind};
use crate::protocol::canonical::percent::{decode, is_unreserved};
use http::HeaderMap;
use std::fmt;

/// Chooses the paths whose requests need a token.
///
/// An entry is a whole path, or every path below one when it ends in `/*`: `/login/*` is
/// `/login/`, `/login/a` and `/login/b/c`, and not `/login`. What is compared is the path that the
/// inner service will see, decoded.
///
/// Paths that one service reads as another do are never free: with `//`, `;`, `\`, a control
/// character, a segment that ends in a dot (`.` and `..` among them) or a space, an escape that is
/// malformed or stands for one of these, for `/`, `%`, `?`, `#` or for what needs none, such as
/// `%61`, bytes that are not UTF-8, and characters that some normalise to ASCII. Nor is any path
/// beside `x-original-url` or `x-rewrite-url`, from which some frameworks take another. On top
/// of that, the entries of [`Paths::only`] are compared without regard to case, to slashes at the
/// end, and to `+` for a space; `/login/*` protects `/login` too.
#[derive(Clone)]
pub struct Paths {
    mode: Mode,
    entries: Vec<Entry>,
    is_literal: bool,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    All,
    AllBut,
    Only,
}

#[derive(Clone)]
struct Entry {
    /// As it was given, without its `*`.
    text: String,
    /// The same decoded.
    path: String,
    is_prefix: bool,
}

impl Default for Paths {
    fn default() -> Self {
        Self::all()
    }
}

impl Paths {
    /// Every path: the default.
    pub fn all() -> Self {
        Self { mode: Mode::All, entries: Vec::new(), is_literal: false }
    }

    /// Every path but these: a white list.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for an entry that does not begin with a slash, has a `*`
    /// elsewhere than in a `/*` at its end, or could be read in two ways; and for `/*`, which
    /// would free every path.
    pub fn all_but<E: AsRef<str>>(entries: impl IntoIterator<Item = E>) -> Result<Self, Error> {
        let paths = Self { mode: Mode::AllBut, entries: read(entries)?, is_literal: false };
        match paths.entries.iter().find(|entry| entry.path == "/" && entry.is_prefix) {
            Some(_) => Err(invalid("/*", "would free every path of authentication")),
            None => Ok(paths),
        }
    }

    /// These paths and no others: a black list.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for no entries, and for those that [`Paths::all_but`] refuses
    /// but for `/*`.
    pub fn only<E: AsRef<str>>(entries: impl IntoIterator<Item = E>) -> Result<Self, Error> {
        let paths = Self { mode: Mode::Only, entries: read(entries)?, is_literal: false };
        match paths.entries.is_empty() {
            true => Err(Error::new(ErrorKind::InvalidConfig, "no path needs a token")),
            false => Ok(paths),
        }
    }

    /// Compares paths byte by byte as they were sent, and no more.
    ///
    /// Insecure unless the service behind reads paths in the same way: with `only(["/admin"])`,
    /// `/admin/`, `/Admin`, `//admin` and `/%61dmin` are free.
    #[must_use]
    pub fn with_insecure_literal_matching(self) -> Self {
        Self { is_literal: true, ..self }
    }

    /// Whether a request needs no token.
    pub(super) fn are_free(&self, path: &str, headers: &HeaderMap) -> bool {
        let is_listed = match self.mode {
            Mode::All => return false,
            Mode::AllBut => true,
            Mode::Only => false,
        };
        if self.is_literal {
            let matches = |entry: &Entry| matches(&entry.text, entry.is_prefix, path);
            return self.entries.iter().any(matches) == is_listed;
        }
        if ["x-original-url", "x-rewrite-url"].iter().any(|name| headers.contains_key(*name)) {
            return false;
        }
        plain(path).is_some_and(|path| match is_listed {
            true => self.entries.iter().any(|entry| matches(&entry.path, entry.is_prefix, &path)),
            false => !self.entries.iter().any(|entry| entry.covers(&path)),
        })
    }
}

/// Lists the entries.
impl fmt::Debug for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = |is_prefix| if is_prefix { "*" } else { "" };
        let entries = self.entries.iter();
        let entries = entries.map(|entry| format!("{}{}", entry.text, star(entry.is_prefix)));
        f.debug_struct("Paths")
            .field("mode", &self.mode)
            .field("entries", &entries.collect::<Vec<_>>())
            .field("is_literal", &self.is_literal)
            .finish()
    }
}

fn matches(entry: &str, is_prefix: bool, path: &str) -> bool {
    if is_prefix { path.starts_with(entry) } else { path == entry }
}

impl Entry {
    /// Whether a path is protected that may be taken for one of this entry.
    fn covers(&self, path: &str) -> bool {
        let (entry, path) = (fold(&self.path), fold(path));
        let below = || path.strip_prefix(&*entry).is_some_and(|rest| rest.starts_with('/'));
        path == entry || self.is_prefix && (entry.is_empty() || below())
    }
}

/// A path without what some routers do not look at.
fn fold(path: &str) -> String {
    path.trim_end_matches('/').replace('+', " ").to_lowercase()
}

fn read<E: AsRef<str>>(entries: impl IntoIterator<Item = E>) -> Result<Vec<Entry>, Error> {
    let read = |entry: E| {
        let entry = entry.as_ref();
        let text = entry.strip_suffix('*').filter(|text| text.ends_with('/'));
        let is_prefix = text.is_some();
        let text = text.unwrap_or(entry);
        if text.contains('*') {
            return Err(invalid(entry, "has a * elsewhere than in a /* at its end"));
        }
        let path = plain(text).ok_or_else(|| {
            invalid(entry, "does not begin with a slash, or could be read in two ways")
        })?;
        Ok(Entry { text: text.to_owned(), path, is_prefix })
    };
    entries.into_iter().map(read).collect()
}

fn invalid(entry: &str, rule: &str) -> Error {
    let entry: String = entry.chars().take(64).collect();
    Error::new(ErrorKind::InvalidConfig, format!("the path {entry:?} {rule}"))
}

/// A path, decoded, if there is one way to read it.
fn plain(path: &str) -> Option<String> {
    let mut is_plain = path.starts_with('/') && !path.contains(is_doubtful);
    let mut text = Vec::with_capacity(path.len());
    decode(path.as_bytes(), &mut text, |escaped| {
        is_plain &= escaped.is_some_and(|byte| {
            !is_unreserved(byte) && !matches!(byte, b'/' | b'%') && !is_doubtful(byte.into())
        });
    });
    let text = String::from_utf8(text).ok()?;
    is_plain &= text.chars().all(|char| char.is_ascii() || keeps_its_script(char));
    // Between two slashes there is a name, as there is not in `//`.
    let mut names = text.split('/');
    let (_, last) = (names.next(), names.next_back());
    is_plain &= names.all(|name| !name.is_empty() && is_whole(name)) && last.is_none_or(is_whole);
    is_plain.then_some(text)
}

/// Whether some services take a character for another, or for the end of what counts.
fn is_doubtful(char: char) -> bool {
    char.is_ascii_control()
        || matches!(
            char,
            ';' | '\\' | '?' | '#' | '"' | '<' | '>' | '[' | ']' | '^' | '`' | '{' | '|' | '}'
        )
}

/// Whether a segment is not shortened by those who take dots and spaces at its end away, or
/// walk up by it.
fn is_whole(segment: &str) -> bool {
    !segment.ends_with(['.', ' '])
}

/// Whether a character stays beyond ASCII whatever the normalisation and the case: those of the
/// alphabets from Greek on, of Chinese, Japanese and Korean, and the letters of Latin-1. Full-width
/// forms, letter-like signs and the rest do not all.
fn keeps_its_script(char: char) -> bool {
    matches!(
        char,
        '\u{c0}'..='\u{ff}'
            | '\u{391}'..='\u{1cff}'
            | '\u{3041}'..='\u{31ff}'
            | '\u{3400}'..='\u{d7a3}'
            | '\u{20000}'..='\u{3134f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_free(paths: &Paths, path: &str) -> bool {
        paths.are_free(path, &HeaderMap::new())
    }

    #[test]
    fn entries_are_whole_paths_or_all_below_one() {
        let paths = Paths::all_but(["/a", "/login/*", "/文档/*", "/a%20b"]).unwrap();
        for path in ["/a", "/login/", "/login/a", "/login/b/c/d", "/login/b/", "/文档/x", "/a%20b"]
        {
            assert!(is_free(&paths, path), "{path}");
        }
        for path in ["/%E6%96%87%E6%A1%A3/x", "/login/%E4%BD%A0"] {
            assert!(is_free(&paths, path), "{path}");
        }
        for path in ["/", "", "*", "/a/", "/A", "/ab", "/a/b", "/login", "/LOGIN/a", "/b", "/a+b"] {
            assert!(!is_free(&paths, path), "{path}");
        }
        assert!(!is_free(&Paths::all(), "/a"));
    }

    /// Paths that somebody reads as `/admin` or as one below it, or as one that is not.
    const DOUBTFUL: [&str; 40] = [
        "//admin",
        "/admin//x",
        "/./admin",
        "/x/../admin",
        "/free/../admin",
        "/free/..",
        "/admin/..",
        "/admin/.",
        "/admin.",
        "/admin...",
        "/%2e/admin",
        "/x/%2e%2E/admin",
        "/x/.%2e/admin",
        "/%61dmin",
        "/adm%69n",
        "/%2561dmin",
        "/%252e/admin",
        "/x%2fadmin",
        "/%2Fadmin",
        "/free/x%2f..%2f..%2fadmin",
        "\\admin",
        "/\\admin",
        "/x/..\\admin",
        "/%5cadmin",
        "/admin;x=1",
        "/admin;",
        "/;/admin",
        "/admin%3bx",
        "/admin%00",
        "/admin%0a",
        "/admin%09",
        "/admin%20",
        "/admin%3Fx",
        "/admin%23x",
        "/admin%",
        "/admin%4",
        "/admin%zz",
        "/%c0%afadmin",
        "/%EF%BC%8Fadmin",
        "/%EF%BD%81dmin",
    ];

    #[test]
    fn a_path_that_could_be_read_as_another_is_never_free() {
        let all_but = Paths::all_but(["/free", "/free/*"]).unwrap();
        let only = Paths::only(["/admin", "/admin/*"]).unwrap();
        let elsewhere = Paths::only(["/elsewhere"]).unwrap();
        let below_free = Paths::all_but(["/x/*", "/free/*"]).unwrap();
        for path in DOUBTFUL {
            for paths in [&all_but, &only, &elsewhere, &below_free] {
                assert!(!is_free(paths, path), "{path} {paths:?}");
            }
        }
        // U+017F, which is `S` in upper case, and the Kelvin sign.
        for path in ["/pa%C5%BFs", "/%E2%84%AAey", "admin", "admin/"] {
            assert!(!is_free(&elsewhere, path), "{path}");
        }
        for path in ["/", "/free", "/index.html", "/.well-known/x", "/a%20b", "/a,b=c:d@e!$&'()*+"]
        {
            assert!(is_free(&elsewhere, path), "{path}");
        }
        for path in ["/%E6%96%87%E6%A1%A3", "/%C3%A9t%C3%A9", "/%D1%84/x"] {
            assert!(is_free(&elsewhere, path), "{path}");
        }
    }

    #[test]
    fn what_routers_take_for_a_protected_path_is_protected() {
        let only = Paths::only(["/admin", "/API/*", "/a%20b"]).unwrap();
        for path in ["/admin", "/admin/", "/Admin", "/ADMIN/", "/a%20b", "/a+b", "/A+B/"] {
            assert!(!is_free(&only, path), "{path}");
        }
        for path in ["/api", "/api/", "/API/x", "/api/x/y"] {
            assert!(!is_free(&only, path), "{path}");
        }
        for path in ["/", "/admins", "/admin/x", "/apis", "/x/admin", "/ab"] {
            assert!(is_free(&only, path), "{path}");
        }
        for everything in ["/*", "/x/*"] {
            let only = Paths::only([everything]).unwrap();
            assert!(!is_free(&only, "/x/y"), "{everything}");
            assert_eq!(is_free(&only, "/"), everything == "/x/*");
        }
    }

    #[test]
    fn a_header_that_some_take_the_path_from_frees_nothing() {
        for name in ["x-original-url", "x-rewrite-url"] {
            let headers =
                HeaderMap::from_iter([(name.parse().unwrap(), "/admin".parse().unwrap())]);
            assert!(!Paths::only(["/admin"]).unwrap().are_free("/x", &headers));
            assert!(!Paths::all_but(["/x"]).unwrap().are_free("/x", &headers));
        }
    }

    #[test]
    fn literal_matching_looks_at_nothing_but_bytes() {
        let only = Paths::only(["/admin", "/api/*"]).unwrap().with_insecure_literal_matching();
        for path in ["/admin/", "/Admin", "//admin", "/%61dmin", "/api"] {
            assert!(is_free(&only, path), "{path}");
        }
        for path in ["/admin", "/api/", "/api/x"] {
            assert!(!is_free(&only, path), "{path}");
        }
        let all_but = Paths::all_but(["/free/*"]).unwrap().with_insecure_literal_matching();
        assert!(is_free(&all_but, "/free/../admin"));
        assert!(!is_free(&all_but, "/admin"));
    }

    #[test]
    fn entries_that_could_be_misread_are_refused() {
        for entry in [
            "",
            "a",
            "*",
            "a/*",
            "/a*",
            "/*/a",
            "/a/*/b",
            "/a/**",
            "/a//b",
            "/a/../b",
            "/a/./b",
            "/a;b",
            "/a%2fb",
            "/a%",
            "/%61",
            "/a.",
            "/a?b",
            "/a#b",
            "/\u{ff41}",
        ] {
            let error = Paths::all_but([entry]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{entry}");
            assert!(error.to_string().contains(&format!("{entry:?}")), "{error}");
            assert!(Paths::only(["/x", entry]).is_err(), "{entry}");
        }
        assert!(Paths::all_but(["/*"]).is_err());
        assert!(Paths::all_but([""; 0]).is_ok());
        assert!(Paths::only([""; 0]).is_err());
        for entry in ["/", "/a", "/a/", "/a/*", "/a.b/c-d_e~f", "/%E4%BD%A0"] {
            assert!(Paths::all_but([entry]).is_ok(), "{entry}");
        }
    }
}
