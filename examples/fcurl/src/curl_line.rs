//! The command line by which curl sends the same request.

use crate::data::Body;
use crate::hidden::Hidden;
use crate::request::Draft;
use crate::sign::Signed;
use http::header::{ACCEPT, CONTENT_TYPE, EXPECT, HOST, USER_AGENT};
use http::{HeaderName, Method};
use std::fmt::Write as _;

/// Bodies up to this many bytes are written into the line; an argument is at most 128 KiB.
const MAX_ARGUMENT: usize = 64 * 1024;

/// What curl would add by itself.
const OWN: [HeaderName; 4] = [ACCEPT, CONTENT_TYPE, EXPECT, USER_AGENT];

/// A line for a POSIX shell.
pub(crate) fn line(signed: &Signed, draft: &Draft, hidden: &Hidden) -> String {
    let body = draft.body.as_ref();
    let (before, data) = match body {
        None => (String::new(), None),
        Some(body) => {
            let (before, argument) = data(body);
            (before, Some(argument))
        }
    };
    let mut line = format!("{before}curl");
    let head = &signed.head;
    match (&head.method, &data) {
        (&Method::GET, None) | (&Method::POST, Some(_)) => {}
        (&Method::HEAD, None) => line.push_str(" --head"),
        // It would wait for a body as long as that of GET.
        (&Method::HEAD, Some(_)) => {
            line.push_str(" -X HEAD --include --ignore-content-length -H 'connection: close'");
        }
        (method, _) => {
            let _ = write!(line, " -X {}", quoted(method.as_str()));
        }
    }
    for name in OWN.iter().filter(|name| !head.headers.contains_key(*name)) {
        // To curl, "name:" is a header to leave out.
        if data.is_some() || (*name != CONTENT_TYPE && *name != EXPECT) {
            let _ = write!(line, " -H '{name}:'");
        }
    }
    let authority = draft.url.authority();
    for (name, value) in &head.headers {
        let value = hidden.redact(&String::from_utf8_lossy(value.as_bytes()));
        if name == HOST && value == authority {
            continue;
        }
        let separator = if value.is_empty() { ";" } else { ": " };
        let _ = write!(line, " -H {}", quoted(&format!("{name}{separator}{value}")));
    }
    if let Some(argument) = data {
        line.push(' ');
        line.push_str(&argument);
    }
    // So that curl sends the URL as it is.
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let url = hidden.redact(&format!("{}://{authority}{target}", draft.url.scheme()));
    let _ = writeln!(line, " --globoff --path-as-is {}", quoted(&url));
    line
}

/// What comes before curl, and the argument for the data.
fn data(body: &Body) -> (String, String) {
    let text = std::str::from_utf8(&body.bytes).ok().filter(|text| !text.contains('\0'));
    match (&body.file, text) {
        (_, Some(text)) if text.len() <= MAX_ARGUMENT => {
            (String::new(), format!("--data-raw {}", quoted(text)))
        }
        (Some(file), _) => {
            (String::new(), format!("--data-binary {}", quoted(&format!("@{file}"))))
        }
        (None, _) => (format!("printf {} | ", printed(&body.bytes)), "--data-binary @-".to_owned()),
    }
}

/// An argument by which `printf` prints these bytes, whatever they are.
fn printed(bytes: &[u8]) -> String {
    let mut text = String::from("'");
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b' ' => text.push(char::from(*byte)),
            byte => {
                let _ = write!(text, "\\{byte:03o}");
            }
        }
    }
    text + "'"
}

/// Quotes an argument for a POSIX shell.
fn quoted(argument: &str) -> String {
    format!("'{}'", argument.replace('\'', r"'\''"))
}
