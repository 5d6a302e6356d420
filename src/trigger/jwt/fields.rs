//! Lists of names and values, as queries, forms and cookies are, and names that one may be taken
//! for another.

use crate::protocol::canonical::percent::decode_form;

/// The names and values of a list, as they were sent. One without an equals sign has no value.
pub(super) fn fields(text: &[u8], separator: u8) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(move |byte| *byte == separator).map(|field| {
        let equals = memchr::memchr(b'=', field).unwrap_or(field.len());
        (&field[..equals], field.get(equals + 1..).unwrap_or_default())
    })
}

/// A list without the fields whose name may be taken for one of these. Not all parsers cut at
/// all `separators`: what is cut at any of them is a field. `None` if there is no such field.
pub(super) fn without<'n>(
    text: &[u8],
    separators: &[u8],
    names: &(impl Iterator<Item = &'n str> + Clone),
) -> Option<Vec<u8>> {
    let mut kept = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut found = false;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| separators.contains(byte));
        let (field, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
        let name = field.split(|byte| *byte == b'=' || separators.contains(byte)).next();
        let name = decode_form(name.unwrap_or_default());
        match names.clone().any(|known| is_alike(&name, known)) {
            true => found = true,
            false => kept.extend_from_slice(field),
        }
        rest = after;
    }
    while found && kept.last().is_some_and(|last| separators.contains(last)) {
        kept.pop();
    }
    found.then_some(kept)
}

/// Whether a name that was sent may be taken for another: frameworks ignore case, read all but
/// letters and digits as one and the same (`x-uid` and `x_uid` are both `HTTP_X_UID`), drop white
/// space around a name, and read `uid[]` as a list named `uid`.
pub(super) fn is_alike(sent: &[u8], name: &str) -> bool {
    let end = sent.iter().position(|byte| matches!(byte, b'[' | 0)).unwrap_or(sent.len());
    let sent = sent[..end].trim_ascii();
    sent.len() == name.len() && sent.iter().zip(name.as_bytes()).all(|(a, b)| fold(*a) == fold(*b))
}

fn fold(byte: u8) -> u8 {
    match byte {
        byte if byte.is_ascii_alphanumeric() => byte.to_ascii_lowercase(),
        byte if byte.is_ascii() => b'-',
        byte => byte,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_whose_names_are_alike_are_taken_out_and_all_else_stays() {
        for (text, rest) in [
            ("a=1&b=2", None),
            ("", None),
            ("&;&", None),
            ("user=1&uids=2&u", None),
            ("uid", Some("")),
            ("uid=1", Some("")),
            ("uid=1&", Some("")),
            ("&uid=1", Some("")),
            ("a=1&uid=2&b=3", Some("a=1&b=3")),
            ("a=1;uid=2&b=3", Some("a=1;b=3")),
            ("a=1&uid=2;b=3", Some("a=1&b=3")),
            ("a=1&uid=2", Some("a=1")),
            ("a=1;uid=2", Some("a=1")),
            ("uid=1&UID=2&u%69d=3&%75%49d&+uid=4&uid%20=5&a", Some("a")),
            ("uid[]=1&uid[a]=2&uid%5B0%5D=3&uid%00=4&a=%&b=%zz", Some("a=%&b=%zz")),
        ] {
            let kept = without(text.as_bytes(), b"&;", &["uid"].into_iter());
            assert_eq!(kept.as_deref(), rest.map(str::as_bytes), "{text}");
        }
        let kept = without(
            b"user-id=1&user_id=2&user.id=3&user+id=4&userid=5",
            b"&;",
            &["user_id"].into_iter(),
        );
        assert_eq!(kept.as_deref(), Some(&b"userid=5"[..]));
    }

    #[test]
    fn a_list_is_cut_at_its_separator_and_at_the_first_equals_sign() {
        let list: Vec<_> = fields(b"a=1&b&=2&c=3=4&", b'&').collect();
        let pairs = [("a", "1"), ("b", ""), ("", "2"), ("c", "3=4"), ("", "")];
        assert_eq!(list, pairs.map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    }
}
