//! Bodies: what `-d` and its siblings, `--json` and `-T` say.

use crate::exit::Failure;
use crate::url::escaped;
use bytes::Bytes;
use std::io::Read as _;

/// How a piece of data is written on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Data,
    Raw,
    Binary,
    UrlEncode,
    Json,
}

/// A piece of data.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) way: Way,
    pub(crate) text: String,
}

/// A body, and where it is if a file has the same bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    pub(crate) file: Option<String>,
}

/// Joins pieces into one body: by `&`, but for what `--json` adds.
pub(crate) fn joined(pieces: &[Piece]) -> Result<Body, Failure> {
    if let [Piece { way: Way::Binary | Way::Json, text }] = pieces
        && let Some(name) = text.strip_prefix('@')
    {
        return file(name);
    }
    let mut bytes = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        if at > 0 && piece.way != Way::Json {
            bytes.push(b'&');
        }
        bytes.extend(piece.read()?);
    }
    Ok(Body { bytes: bytes.into(), file: None })
}

/// A file as it is, or the standard input if its name is `-`.
pub(crate) fn file(name: &str) -> Result<Body, Failure> {
    let file = (name != "-").then(|| name.to_owned());
    Ok(Body { bytes: read(name)?.into(), file })
}

/// The bytes of a file, or of the standard input if its name is `-`.
pub(crate) fn read(name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let (what, read) = match name {
        "-" => ("the standard input", std::io::stdin().read_to_end(&mut bytes).map(|_| ())),
        _ => (name, std::fs::read(name).map(|read| bytes = read)),
    };
    read.map_err(|error| Failure::unread(what, &error))?;
    Ok(bytes)
}

impl Piece {
    fn read(&self) -> Result<Vec<u8>, Failure> {
        let text = self.text.as_str();
        match (self.way, text.strip_prefix('@')) {
            (Way::UrlEncode, _) => url_encoded(text),
            // curl reads a file as lines of a form, and joins them.
            (Way::Data, Some(name)) => {
                let mut bytes = read(name)?;
                bytes.retain(|byte| !b"\r\n\0".contains(byte));
                Ok(bytes)
            }
            (Way::Binary | Way::Json, Some(name)) => read(name),
            (Way::Raw, _) | (_, None) => Ok(text.as_bytes().to_vec()),
        }
    }
}

/// `content`, `=content`, `name=content`, `@file` or `name@file`, of which the content is encoded.
fn url_encoded(text: &str) -> Result<Vec<u8>, Failure> {
    let (name, content) = match text.find(['=', '@']) {
        None => ("", text.as_bytes().to_vec()),
        Some(at) => {
            let (name, content) = (&text[..at], &text[at + 1..]);
            match text.as_bytes()[at] {
                b'@' => (name, read(content)?),
                _ => (name, content.as_bytes().to_vec()),
            }
        }
    };
    let mut encoded = name.to_owned();
    if !name.is_empty() {
        encoded.push('=');
    }
    encoded.extend(content.into_iter().map(|byte| match byte {
        b' ' => "+".to_owned(),
        byte => escaped(byte),
    }));
    Ok(encoded.into_bytes())
}
