//! What is ambiguous about a request: the rules that `tower_fc::Verifier` documents, each
//! looked for by itself.

use crate::reference::{
    Acs, Acs3, Fc, acs3_pairs, cut_at_equals, escape_at, form_pairs, percent_decode,
};
use crate::requests::{Request, trim};
use crate::way::Way;
use std::collections::BTreeSet;
use tower_fc::protocol::Ambiguity::{self, *};

/// All that is refused of a request that is signed in this way, `names` being the signed
/// headers under `ACS3`.
pub fn ambiguities(way: Way, names: &[&str], request: &Request) -> BTreeSet<Ambiguity> {
    let mut found = BTreeSet::new();
    path(way, request.uri.path().as_bytes(), &mut found);
    match way {
        Way::Fc(Fc::Api) if request.query().is_empty() => {}
        Way::Fc(Fc::Api) => drop(found.insert(UnsignedQuery)),
        _ => query(way, request.query(), &mut found),
    }
    headers(way, names, request, &mut found);
    found
}

fn path(way: Way, path: &[u8], found: &mut BTreeSet<Ambiguity>) {
    let is_decoded = match way {
        Way::Fc(dialect) => !matches!(dialect, Fc::JavaGateway | Fc::NodeFc2),
        Way::Presigned => true,
        Way::Acs3(dialect, _) => matches!(dialect, Acs3::GoDoc | Acs3::JavaDoc),
        Way::Acs(_) => false,
    };
    // Where what is decoded has to be text.
    let is_text = matches!(way, Way::Fc(Fc::PyGateway | Fc::PyFc2) | Way::Acs3(Acs3::JavaDoc, _));
    // Decoded, and encoded again.
    let is_normal = matches!(way, Way::Acs3(Acs3::Standard, _));

    for escape in escapes(path) {
        found.extend(match escape {
            None => Some(PathMalformed),
            Some(b'\n') if is_decoded => Some(PathNewline),
            Some(b'/') if is_decoded => Some(PathSlash),
            Some(b'%') if is_decoded => Some(PathPercent),
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) => {
                (is_decoded || is_normal).then_some(PathUnreserved)
            }
            Some(_) => None,
        });
    }
    let decoded = percent_decode(path);
    if is_text && std::str::from_utf8(&decoded).is_err() {
        found.insert(PathNotUtf8);
    }
    let has_space_for_plus = match way {
        Way::Acs3(Acs3::Node | Acs3::NodeDoc | Acs3::Go, _) => path.contains(&b'+'),
        Way::Acs3(Acs3::GoDoc, _) => decoded.contains(&b'+'),
        _ => false,
    };
    if has_space_for_plus {
        found.insert(PathPlus);
    }
}

fn query(way: Way, query: &[u8], found: &mut BTreeSet<Ambiguity>) {
    if query.contains(&b';') {
        found.insert(Semicolon);
    }
    if escapes(query).contains(&None) {
        found.insert(Malformed);
    }
    if way == Way::Fc(Fc::PyGateway) && query.contains(&b'+') {
        found.insert(Plus);
    }
    let is_cut = |byte: &u8| match way {
        Way::Acs3(Acs3::JavaDoc, _) => b"&;".contains(byte),
        _ => *byte == b'&',
    };
    for part in query.split(is_cut) {
        let mut rest = part;
        if way == Way::Fc(Fc::PyGateway) {
            // It cuts at every ampersand that there is once all is decoded.
            while let Some(at) = rest.windows(3).position(|escape| escape == b"%26") {
                parameter(way, &rest[..at], found);
                let is_in_key = !rest[..at].contains(&b'=');
                found.insert(if is_in_key { KeyAmpersand } else { ValueAmpersand });
                rest = &rest[at + 3..];
            }
        }
        parameter(way, rest, found);
    }

    if let Way::Acs3(dialect, _) = way {
        let is_one_signed =
            [Acs3::PyDoc, Acs3::NodeDoc, Acs3::GoDoc, Acs3::JavaDoc].contains(&dialect);
        let pairs = acs3_pairs(dialect, query);
        let keys: BTreeSet<_> = pairs.iter().map(|(key, _)| key).collect();
        if is_one_signed && keys.len() < pairs.len() {
            found.insert(RepeatedKey);
        }
    }
}

fn parameter(way: Way, part: &[u8], found: &mut BTreeSet<Ambiguity>) {
    let (key, value) = cut_at_equals(part);
    let value = value.unwrap_or_default();

    // Keys that are not encoded, and stand between values that are, or that are not either.
    let is_among_encoded = match way {
        Way::Acs3(dialect, _) => !matches!(dialect, Acs3::Standard | Acs3::Java | Acs3::JavaDoc),
        _ => false,
    };
    let is_plain = !matches!(way, Way::Acs3(..));
    for byte in escapes(&key).into_iter().flatten() {
        found.extend(match (byte, way) {
            (b'\n', _) if is_plain || is_among_encoded => Some(KeyNewline),
            (b'=', _) if is_plain || is_among_encoded => Some(KeyEquals),
            (b'&', _) if is_plain || is_among_encoded => Some(KeyAmpersand),
            (b'%', _) if is_among_encoded => Some(KeyPercent),
            (b'+', Way::Acs3(Acs3::Go | Acs3::GoDoc, _)) => Some(KeyPlus),
            _ => None,
        });
    }
    for byte in escapes(&value).into_iter().flatten() {
        found.extend(match (byte, way) {
            (b'\n', _) if is_plain => Some(ValueNewline),
            (b'&', Way::Acs(_)) => Some(ValueAmpersand),
            _ => None,
        });
    }

    let is_text = match way {
        Way::Fc(dialect) => !matches!(dialect, Fc::GoGateway | Fc::GoFc),
        Way::Presigned => false,
        Way::Acs3(dialect, _) => !matches!(dialect, Acs3::Standard | Acs3::Go | Acs3::GoDoc),
        Way::Acs(dialect) => matches!(dialect, Acs::Node | Acs::Java),
    };
    if is_text && std::str::from_utf8(&percent_decode(part)).is_err() {
        found.insert(NotUtf8);
    }
    if matches!(way, Way::Acs3(Acs3::PyDoc, _)) && !part.is_empty() && value.is_empty() {
        found.insert(BlankValue);
    }
    if matches!(way, Way::Acs3(Acs3::JavaDoc, _)) && !part.is_empty() && key.is_empty() {
        found.insert(Nameless);
    }
}

fn headers(way: Way, names: &[&str], request: &Request, found: &mut BTreeSet<Ambiguity>) {
    let has_expires = form_pairs(request.query()).iter().any(|(key, _)| key == b"x-fc-expires");
    if has_expires && way != Way::Presigned {
        found.insert(ExpiresAsDate);
    }
    let accept = request.values("accept");
    if matches!(way, Way::Acs(_)) && accept.first().is_some_and(|it| trim(it) == b"undefined") {
        found.insert(AcceptUndefined);
    }

    let is_date_signed = match way {
        Way::Fc(Fc::GoGateway | Fc::JavaGateway) => !has_expires,
        way => way != Way::Presigned,
    };
    let is_signed = |name: &str| match (way, name) {
        (Way::Acs3(..), _) => name == "x-acs-content-sha256" || names.contains(&name),
        (Way::Acs(_), "accept") | (_, "content-md5" | "content-type") => true,
        (_, "date") => is_date_signed,
        (Way::Acs(_), _) => name.starts_with("x-acs-"),
        (Way::Fc(_) | Way::Presigned, _) => name.starts_with("x-fc-"),
    };
    for (name, value) in &request.headers {
        let name = name.as_str();
        if !is_signed(name) {
            let is_acted_upon = name.starts_with("x-acs-") || name.starts_with("x-fc-");
            found.extend(is_acted_upon.then_some(UnsignedHeader));
            continue;
        }
        if request.values(name).len() > 1 {
            found.insert(RepeatedHeader);
        }
        if trim(value.as_bytes()).len() < value.len() {
            found.insert(PaddedHeader);
        }
    }
}

/// What each percent sign of a text begins: the escape of a byte, or none.
fn escapes(text: &[u8]) -> Vec<Option<u8>> {
    let signs = (0..text.len()).filter(|at| text[*at] == b'%');
    signs.map(|at| escape_at(text, at)).collect()
}
