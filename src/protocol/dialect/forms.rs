//! What the forms write, in the corners that the vectors do not reach.

use super::Dialect;
use crate::protocol::request::{Head, ProtocolHeaders, RequestRef};
use crate::protocol::scheme::ambiguity::{Ambiguities, Ambiguity};
use crate::protocol::scheme::coverage::{self, List};
use crate::protocol::scheme::presigned::Presigned;
use crate::protocol::scheme::terms::Terms;
use crate::protocol::scheme::{Family, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::fmt::Write as _;

/// What a dialect signs of a request: the canonical request of `ACS3`, the
/// string-to-sign of other schemes. `None` if the family has no such dialect.
fn signed_text(
    head: &Head<'_>,
    family: Family,
    dialect: Dialect,
) -> Option<(Vec<u8>, Ambiguities)> {
    let form = dialect.form(family)?;
    let scheme = match family {
        Family::Fc => Scheme::Fc,
        Family::Acs => Scheme::Acs,
        Family::Acs3 => Scheme::Acs3HmacSha256,
    };
    let mut list = List::new();
    coverage::list_documented(head, &mut list);
    let query = Presigned::read(head.query());
    let terms = Terms::of(scheme, &list, query.expires.as_deref());
    let mut text = Vec::new();
    let found = terms.write_text(head, form, &mut text);
    Some((text, found))
}

/// The same of a request in a few words, as text.
fn written(
    family: Family,
    dialect: Dialect,
    target: &str,
    headers: &[(&'static str, &'static str)],
) -> (String, Ambiguities) {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let uri = target.parse().unwrap();
    let mut protocols = ProtocolHeaders::new();
    let head =
        Head::of(RequestRef { method: &Method::GET, uri: &uri, headers: &map }, &mut protocols);
    let (text, found) = signed_text(&head, family, dialect).unwrap();
    (shown(&text), found)
}

/// Bytes as text, with `\xFF` for one that is not of UTF-8.
fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            write!(text, "\\x{byte:02X}").unwrap();
        }
    }
    text
}

/// The query as a dialect signs it.
fn query(family: Family, dialect: Dialect, query: &str) -> String {
    let (text, _) = written(family, dialect, &format!("/?{query}"), &[]);
    match family {
        Family::Fc => text.splitn(6, '\n').nth(5).unwrap_or_default().to_owned(),
        Family::Acs3 => text.split('\n').nth(2).unwrap().to_owned(),
        Family::Acs => text.split_once("\n/").unwrap().1.to_owned(),
    }
}

/// The ways of sorting parameters: by whole pair or by key first, by bytes or by
/// UTF-16 units.
const SORTING: [(Family, Dialect, bool, bool); 4] = [
    (Family::Fc, Dialect::Standard, true, false),
    (Family::Fc, Dialect::FcJavaGateway, true, true),
    (Family::Acs, Dialect::Standard, false, false),
    (Family::Acs, Dialect::AcsJava, false, true),
];

#[test]
fn parameters_are_sorted_whatever_their_number_and_their_beginnings() {
    let ends =
        ["", "a", "b", "ba", "-", "0", "zz", "é", "～", "😀", "a-longer-end", "a-longer-enc"];
    let leads = ["", "k", "eight-by", "nine-byte", "a-beginning-of-many-bytes-", "😀", "～～～"];
    let mut random = 0x5eed_0006_u64;
    let mut below = |bound: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 33) as usize % bound
    };
    for count in 1..80 {
        for lead in leads {
            let parameters: Vec<(String, &str)> = (0..count)
                .map(|_| {
                    let key =
                        format!("{lead}{}{}", ends[below(ends.len())], ends[below(ends.len())]);
                    (key, ["1", "2", "", "a", "～", "😀"][below(6)])
                })
                .filter(|(key, _)| !key.is_empty())
                .collect();
            let sent: Vec<_> =
                parameters.iter().map(|(key, value)| format!("{key}={value}")).collect();
            for (family, dialect, by_pair, by_utf16) in SORTING {
                let order = |text: &str| -> Vec<u32> {
                    match by_utf16 {
                        true => text.encode_utf16().map(u32::from).collect(),
                        false => text.bytes().map(u32::from).collect(),
                    }
                };
                let mut sorted = parameters.clone();
                sorted.sort_by_cached_key(|(key, value)| match by_pair {
                    true => (order(&format!("{key}={value}")), Vec::new()),
                    false => (order(key), order(value)),
                });
                let expected: Vec<_> = sorted
                    .iter()
                    .map(|(key, value)| match (family, *value) {
                        (Family::Acs, "") => key.clone(),
                        _ => format!("{key}={value}"),
                    })
                    .collect();
                let expected = match family {
                    Family::Fc => expected.join("\n"),
                    _ if expected.is_empty() => String::new(),
                    _ => format!("?{}", expected.join("&")),
                };
                assert_eq!(query(family, dialect, &sent.join("&")), expected, "{dialect} {sent:?}");
            }
        }
    }
}

#[test]
fn of_repeated_headers_the_first_the_last_or_all_are_signed() {
    let headers = |count: usize| {
        &[("x-acs-a", "b"), ("x-acs-a", " a "), ("x-acs-a", "c"), ("x-acs-a", "a")][..count]
    };
    for (family, dialect, expected) in [
        (Family::Acs, Dialect::Standard, ["b", "b", "b", "b"]),
        (Family::Acs3, Dialect::Standard, ["b", "a,b", "a,b,c", "a,a,b,c"]),
        (Family::Acs, Dialect::AcsJava, ["b", "b", "b", "b"]),
        (Family::Acs, Dialect::AcsNode, ["b", "b", "b", "b"]),
        (Family::Acs3, Dialect::Acs3Py, ["b", "a,b", "a,b,c", "a,a,b,c"]),
        (Family::Acs3, Dialect::Acs3Node, ["b", "a,b", "a,b,c", "a,a,b,c"]),
        (Family::Acs3, Dialect::Acs3Go, ["b", "a,b", "a,b,c", "a,a,b,c"]),
        (Family::Acs3, Dialect::Acs3GoDoc, ["b", "b", "b", "b"]),
        (Family::Acs3, Dialect::Acs3Java, ["b", "a", "c", "a"]),
        (Family::Acs3, Dialect::Acs3JavaDoc, ["b", "a", "c", "a"]),
    ] {
        for (count, expected) in (1..).zip(expected) {
            let (text, found) = written(family, dialect, "/", headers(count));
            assert!(text.contains(&format!("\nx-acs-a:{expected}\n")), "{dialect} {count}: {text}");
            let repeated = found.contains(Ambiguities::REPEATED_HEADER);
            assert_eq!(repeated, count > 1, "{dialect} {count}");
        }
    }
    let headers = [("x-fc-a", "b"), ("x-fc-a", "a"), ("x-fc-b", "c"), ("x-fc-a", "c")];
    for (dialect, expected) in [
        (Dialect::Standard, "b"),
        (Dialect::FcGoFc, "b"),
        (Dialect::FcApi, "b"),
        (Dialect::FcPyGateway, "b,a,c"),
        (Dialect::FcJavaGateway, "b,a,c"),
        (Dialect::FcNodeFc2, "b,a,c"),
        (Dialect::FcPyFc2, "b,a,c"),
    ] {
        let (text, _) = written(Family::Fc, dialect, "/", &headers);
        let lines = format!("\nx-fc-a:{expected}\nx-fc-b:c\n/");
        assert!(text.contains(&lines), "{dialect}: {text}");
    }
}

#[test]
fn what_is_not_utf8_is_replaced_wherever_it_stands() {
    for (sent, expected) in [
        ("a=%FF", "a=%EF%BF%BD"),
        ("%FF=a", "%EF%BF%BD=a"),
        // Beside what is encoded though it was not sent so.
        ("a=%FF!", "a=%EF%BF%BD%21"),
        ("a=!%FF", "a=%21%EF%BF%BD"),
        // Three bytes for three.
        ("a=%F0%9F%98", "a=%EF%BF%BD"),
        ("%F0%9F%98=%F0%9F%98", "%EF%BF%BD=%EF%BF%BD"),
        ("a=%C3%A9", "a=%C3%A9"),
    ] {
        assert_eq!(query(Family::Acs3, Dialect::Acs3Java, sent), expected, "{sent}");
        let target = format!("/?{sent}");
        let (_, found) = written(Family::Acs3, Dialect::Acs3Java, &target, &[]);
        assert_eq!(found.contains(Ambiguities::NOT_UTF8), expected.contains("%EF%BF%BD"), "{sent}");
        // Others keep it.
        assert_eq!(query(Family::Acs3, Dialect::Standard, sent), sent.replace('!', "%21"));
    }
}

#[test]
fn each_ambiguity_of_a_target_is_reported_where_it_is_and_nowhere_else() {
    use Dialect::{Acs3GoDoc, Acs3JavaDoc, Acs3Node, Acs3PyDoc, FcPyGateway, Standard};
    let none = Ambiguities::empty();
    for (family, dialect, target, expected) in [
        (Family::Fc, Standard, "/a?b=c&d", none),
        (Family::Fc, Standard, "/a+b?c+d=e+f", none),
        (Family::Fc, Standard, "/%", Ambiguities::PATH_MALFORMED),
        (Family::Fc, Standard, "/%0A%2F%25", {
            Ambiguities::PATH_NEWLINE
                .union(Ambiguities::PATH_SLASH)
                .union(Ambiguities::PATH_PERCENT)
        }),
        (Family::Fc, Standard, "/?%0A", Ambiguities::KEY_NEWLINE),
        (Family::Fc, Standard, "/?a=%0A", Ambiguities::VALUE_NEWLINE),
        (Family::Fc, Standard, "/?%3D=%3D", Ambiguities::KEY_EQUALS),
        (Family::Fc, Standard, "/?%26", Ambiguities::KEY_AMPERSAND),
        (Family::Fc, Standard, "/?a=%26", Ambiguities::VALUE_AMPERSAND),
        (Family::Fc, Standard, "/?%25=%25", Ambiguities::KEY_PERCENT),
        (Family::Fc, Standard, "/?%2B=%2B", Ambiguities::KEY_PLUS),
        (Family::Fc, Standard, "/?a%20b%C3%A9%21=%3B", none),
        (Family::Fc, Standard, "/?a;b", Ambiguities::SEMICOLON),
        (Family::Fc, Standard, "/?a%b", Ambiguities::MALFORMED),
        (Family::Fc, Standard, "/?a%", Ambiguities::MALFORMED),
        (Family::Fc, Standard, "/?x-fc-signature2&x-fc-expires2", none),
        (Family::Fc, FcPyGateway, "/a+b?c+d", Ambiguities::PLUS),
        (Family::Fc, FcPyGateway, "/?a=b%26", Ambiguities::VALUE_AMPERSAND),
        (
            Family::Fc,
            FcPyGateway,
            "/%FF?%FF",
            Ambiguities::PATH_NOT_UTF8.union(Ambiguities::NOT_UTF8),
        ),
        (Family::Fc, Dialect::FcApi, "/", none),
        (Family::Fc, Dialect::FcApi, "/?a", Ambiguities::UNSIGNED_QUERY),
        (Family::Acs3, Standard, "/a+b!c%7E", none),
        (Family::Acs3, Standard, "/%41", Ambiguities::PATH_UNRESERVED),
        (Family::Fc, Standard, "/%2e%5F%2d%7e", Ambiguities::PATH_UNRESERVED),
        (Family::Fc, Standard, "/%7E", none),
        (Family::Acs3, Standard, "/a%b", Ambiguities::PATH_MALFORMED),
        (Family::Acs3, Standard, "/%FF?%FF=a&a=b&a=b", none),
        (Family::Acs3, Standard, "/?a=b&a", Ambiguities::VALUE_ORDER),
        (Family::Fc, Standard, "/?a=b&c=d&a=e", Ambiguities::VALUE_ORDER),
        (Family::Fc, Standard, "/?a=b&a-=c&a=b", none),
        (Family::Fc, FcPyGateway, "/?a=b&a=c", none),
        (Family::Acs3, Acs3Node, "/a+b", Ambiguities::PATH_PLUS),
        (Family::Acs3, Acs3Node, "/ab$*~%7E", none),
        (Family::Acs3, Acs3GoDoc, "/a%2Bb", Ambiguities::PATH_PLUS),
        (Family::Acs3, Acs3GoDoc, "/ab", none),
        // It replaces the dollar sign, not the plus.
        (Family::Acs3, Acs3PyDoc, "/a+b$", none),
        (Family::Acs3, Acs3PyDoc, "/?a=1&a=2", Ambiguities::REPEATED_KEY),
        (Family::Acs3, Acs3PyDoc, "/?a=&b=1", Ambiguities::BLANK_VALUE),
        (Family::Acs3, Acs3PyDoc, "/?a&b=1", Ambiguities::BLANK_VALUE),
        (Family::Acs3, Acs3PyDoc, "/?a=1&b=2", none),
        (Family::Acs3, Acs3PyDoc, "/?%FF=", Ambiguities::BLANK_VALUE.union(Ambiguities::NOT_UTF8)),
        (Family::Acs3, Acs3JavaDoc, "/?=1&b=1", Ambiguities::NAMELESS),
        (Family::Acs3, Acs3JavaDoc, "/?=%FF", Ambiguities::NAMELESS.union(Ambiguities::NOT_UTF8)),
        (
            Family::Acs3,
            Acs3JavaDoc,
            "/?a=1;a=2",
            Ambiguities::SEMICOLON.union(Ambiguities::REPEATED_KEY),
        ),
    ] {
        assert_eq!(written(family, dialect, target, &[]).1, expected, "{dialect} {target}");
    }
}

#[test]
fn an_equals_sign_is_added_to_a_query_of_any_length() {
    for len in (1..=300).chain(2_000..2_100).chain(4_000..4_200) {
        let key = "k".repeat(len);
        assert_eq!(query(Family::Fc, Dialect::Standard, &key), format!("{key}="), "{len}");
        assert_eq!(query(Family::Acs, Dialect::Standard, &key), format!("?{key}"), "{len}");
    }
}

#[test]
fn odd_headers_are_reported_where_they_are_and_nowhere_else() {
    let none = Ambiguities::empty();
    let date = ("date", "now");
    for (family, headers, expected) in [
        (Family::Acs, &[date, ("x-acs-a", "1")][..], none),
        // What goes unsigned is told before anything is written.
        (Family::Acs, &[date, ("x-fc-a", "1")], none),
        (Family::Acs, &[date, ("accept", "undefined")], Ambiguities::ACCEPT_UNDEFINED),
        (Family::Acs, &[date, ("accept", "undefined2")], none),
        (Family::Acs, &[date, ("accept", "a"), ("accept", "a")], Ambiguities::REPEATED_HEADER),
        (Family::Acs, &[date, date], Ambiguities::REPEATED_HEADER),
        (Family::Acs, &[("content-md5", "a"), ("content-md5", "a")], Ambiguities::REPEATED_HEADER),
        (
            Family::Acs,
            &[("content-type", "a"), ("content-type", "a")],
            Ambiguities::REPEATED_HEADER,
        ),
        (Family::Acs, &[("x-other", "a"), ("x-other", "a")], none),
        (Family::Fc, &[date, ("x-acs-a", "1"), ("x-fc-a", "1")], none),
        (Family::Fc, &[("x-acs-a", "1"), ("x-acs-a", "1")], none),
        (Family::Fc, &[("x-fc-a", "1"), ("x-fc-a", "1")], Ambiguities::REPEATED_HEADER),
        (Family::Fc, &[("content-md5", "a"), ("content-md5", "a")], Ambiguities::REPEATED_HEADER),
        (Family::Fc, &[("content-type", "a"), ("content-type", "a")], Ambiguities::REPEATED_HEADER),
        (Family::Acs3, &[("x-acs-a", "1"), ("x-fc-a", "1"), ("host", "a")], none),
        (Family::Acs3, &[("x-acs-content-sha256", "1")], none),
        (
            Family::Acs3,
            &[("content-type", "a"), ("content-type", "a")],
            Ambiguities::REPEATED_HEADER,
        ),
    ] {
        let (_, found) = written(family, Dialect::Standard, "/", headers);
        assert_eq!(found, expected, "{family:?} {headers:?}");
    }
}

#[test]
fn ambiguities_print_their_names() {
    let both = Ambiguities::PATH_SLASH | Ambiguities::SEMICOLON;
    assert_eq!(format!("{both:?}"), "{PathSlash, Semicolon}");
    assert_eq!(format!("{:?}", Ambiguities::empty()), "{}");
}

/// What a form refuses beyond what all of them do, by the ends of the names of the
/// dialects, `*` being all of a family.
const REFUSED: [(Family, &str, &[Ambiguity]); 12] = {
    use Ambiguity::*;
    use Family::*;
    [
        // The path is signed decoded.
        (
            Fc,
            "standard py-gateway py-fc2 go-fc api",
            &[PathNewline, PathSlash, PathPercent, PathUnreserved],
        ),
        (Acs3, "go-doc java-doc", &[PathNewline, PathSlash, PathPercent, PathUnreserved]),
        // It is encoded anew.
        (Acs3, "standard", &[PathUnreserved]),
        // `+` is signed as a space.
        (Acs3, "node go node-doc go-doc", &[PathPlus]),
        // Parameters are signed unencoded.
        (Fc, "*", &[KeyNewline, KeyEquals, KeyAmpersand, ValueNewline]),
        (Acs, "*", &[KeyNewline, KeyEquals, KeyAmpersand, ValueNewline, ValueAmpersand]),
        (Fc, "py-gateway", &[Plus, ValueAmpersand]),
        // Their names are.
        (
            Acs3,
            "py node go py-doc node-doc go-doc",
            &[KeyNewline, KeyEquals, KeyAmpersand, KeyPercent],
        ),
        (Acs3, "go go-doc", &[KeyPlus]),
        // Some of them are left out.
        (Acs3, "py-doc node-doc go-doc java-doc", &[RepeatedKey]),
        (Acs3, "py-doc", &[BlankValue]),
        (Acs3, "java-doc", &[Nameless]),
    ]
};

#[test]
fn each_form_refuses_what_its_way_of_signing_makes_ambiguous_and_nothing_else() {
    use Ambiguity::{
        AcceptUndefined, ExpiresAsDate, Malformed, NotUtf8, PaddedHeader, PathMalformed,
        PathNotUtf8, RepeatedHeader, Semicolon, UnsignedHeader, UnsignedQuery,
    };
    let by_all = [
        AcceptUndefined,
        ExpiresAsDate,
        Malformed,
        NotUtf8,
        PaddedHeader,
        PathMalformed,
        PathNotUtf8,
        RepeatedHeader,
        Semicolon,
        UnsignedHeader,
        UnsignedQuery,
    ];
    for family in [Family::Fc, Family::Acs3, Family::Acs] {
        for dialect in Dialect::ALL {
            let Some(form) = dialect.form(family) else { continue };
            let name = dialect.name().rsplit('/').next().unwrap();
            let by_this = REFUSED.iter().filter(|(of, names, _)| {
                *of == family && (*names == "*" || names.split(' ').any(|each| each == name))
            });
            let expected = by_this.flat_map(|(.., refused)| *refused).chain(&by_all);
            let expected =
                expected.fold(Ambiguities::empty(), |all, each| all | Ambiguities::from(*each));
            assert_eq!(form.refuses, expected, "{family:?} {dialect}");
        }
    }
}

#[test]
fn x_fc_expires_is_signed_for_the_date_where_go_and_java_do_so() {
    let date = [("date", "now")];
    for (dialect, expected) in [
        (Dialect::Standard, "soon"),
        (Dialect::FcJavaGateway, "soon"),
        (Dialect::FcPyGateway, "now"),
        (Dialect::FcNodeFc2, "now"),
        (Dialect::FcPyFc2, "now"),
        (Dialect::FcGoFc, "now"),
        (Dialect::FcApi, "now"),
    ] {
        for (target, expected) in [
            ("/?x-fc-expires=soon", expected),
            ("/?a=x-fc-&x-fc-expires=soon&x-fc-expires=late", expected),
            ("/?x-fc-expires2=soon&x-fc-expire=soon", "now"),
            ("/x-fc-expires=soon?x", "now"),
        ] {
            let (text, _) = written(Family::Fc, dialect, target, &date);
            assert_eq!(text.split('\n').nth(3), Some(expected), "{dialect} {target}");
        }
    }
}

#[test]
fn node_signs_undefined_for_the_absence_of_an_accept_header() {
    for (dialect, absent) in
        [(Dialect::Standard, ""), (Dialect::AcsJava, ""), (Dialect::AcsNode, "undefined")]
    {
        for (headers, expected) in
            [(&[][..], absent), (&[("accept", "")], ""), (&[("accept", "a/b")], "a/b")]
        {
            let (text, _) = written(Family::Acs, dialect, "/", headers);
            assert_eq!(text.split('\n').nth(1), Some(expected), "{dialect} {headers:?}");
        }
    }
}

#[test]
fn each_dialect_signs_an_odd_target_in_its_own_way() {
    let path_sent = "/%41+*$%7E%C3%A9%FF!/+*$%7E";
    let query_sent = "z=1&a=0&a+b=c+d&%FF=%FF!&h=%zz&k%2B*%7E=v%2B*&&=n&e&f=&z=0\
                      &%EF%BD%9E=1&%F0%9F%98%80=2&s=1;t=2&u=1%26v=2&m=~";
    let known = [
        (
            Family::Fc,
            "standard",
            "/A+*$~é\\xFF!/+*$~",
            "=n\na b=c d\na=0\ne=\nf=\nk+*~=v+*\nm=~\nu=1&v=2\nz=0\nz=1\n～=1\n😀=2\n\
             \\xFF=\\xFF!",
        ),
        (
            Family::Fc,
            "fc/py-gateway",
            "/A+*$~é\u{fffd}!/+*$~",
            "z=1\na=0\na+b=c+d\n\u{fffd}=\u{fffd}!\nh=%zz\nk+*~=v+*\n\n=n\ne\nf=\nz=0\n\
             ～=1\n😀=2\ns=1;t=2\nu=1\nv=2\nm=~",
        ),
        (
            Family::Fc,
            "fc/java-gateway",
            "/%41+*$%7E%C3%A9%FF!/+*$%7E",
            "\n=n\na b=c d\na=0\ne\nf=\nh=%zz\nk+*~=v+*\nm=~\ns=1;t=2\nu=1&v=2\nz=0\n\
             z=1\n😀=2\n～=1\n\u{fffd}=\u{fffd}!",
        ),
        (
            Family::Fc,
            "fc/node-fc2",
            "/%41+*$%7E%C3%A9%FF!/+*$%7E",
            "=n\na b=c d\na=0\ne=\nf=\nh=%zz\nk+*~=v+*\nm=~\ns=1;t=2\nu=1&v=2\nz=0\n\
             z=1\n😀=2\n～=1\n\u{fffd}=\u{fffd}!",
        ),
        (
            Family::Fc,
            "fc/py-fc2",
            "/A+*$~é\u{fffd}!/+*$~",
            "=n\na b=c d\na=0\ne=\nf=\nh=%zz\nk+*~=v+*\nm=~\ns=1;t=2\nu=1&v=2\nz=0\n\
             z=1\n～=1\n\u{fffd}=\u{fffd}!\n😀=2",
        ),
        (
            Family::Fc,
            "fc/go-fc",
            "/A+*$~é\\xFF!/+*$~",
            "=n\na b=c d\na=0\ne=\nf=\nk+*~=v+*\nm=~\nu=1&v=2\nz=0\nz=1\n～=1\n😀=2\n\
             \\xFF=\\xFF!",
        ),
        (Family::Fc, "fc/api", "/A+*$~é\\xFF!/+*$~", ""),
        (
            Family::Acs3,
            "standard",
            "/A%2B%2A%24~%C3%A9%FF%21/%2B%2A%24~",
            "=n&a=0&a%20b=c%20d&e=&f=&h=%25zz&k%2B%2A~=v%2B%2A&m=~&s=1%3Bt%3D2&\
             u=1%26v%3D2&z=0&z=1&%EF%BD%9E=1&%F0%9F%98%80=2&%FF=%FF%21",
        ),
        (
            Family::Acs3,
            "acs3/py",
            "/%41+*$%7E%C3%A9%FF!/+*$%7E",
            "=n&a=0&a b=c%20d&e=&f=&h=%25zz&k+*~=v%2B%2A&m=~&s=1%3Bt%3D2&u=1%26v%3D2&\
             z=0&z=1&～=1&\u{fffd}=%EF%BF%BD%21&😀=2",
        ),
        (
            Family::Acs3,
            "acs3/node",
            "/%41%20%2A$~%C3%A9%FF!/+*$%7E",
            "=n&a=0&a b=c%20d&e=&f=&h=%25zz&k+*~=v%2B%2A&m=~&s=1%3Bt%3D2&u=1%26v%3D2&\
             z=0&z=1&😀=2&～=1&\u{fffd}=%EF%BF%BD%21",
        ),
        (
            Family::Acs3,
            "acs3/go",
            "/%41%20%2A$~%C3%A9%FF!/%20%2A$~",
            "=n&a=0&a b=c%20d&e=&f=&h=%25zz&k%20%2A~=v%2B%2A&m=~&s=1%3Bt%3D2&u=1%26v%3D2&\
             z=0&z=1&～=1&😀=2&\\xFF=%FF%21",
        ),
        (
            Family::Acs3,
            "acs3/java",
            "/%41+*$%7E%C3%A9%FF!/+*$%7E",
            "=n&a=0&a%20b=c%20d&e=&f=&h=%25zz&k%2B%2A~=v%2B%2A&m=~&s=1%3Bt%3D2&\
             u=1%26v%3D2&z=0&z=1&%F0%9F%98%80=2&%EF%BD%9E=1&%EF%BF%BD=%EF%BF%BD%21",
        ),
        (
            Family::Acs3,
            "acs3/py-doc",
            "/%41+*%24%7E%C3%A9%FF!/+*%24%7E",
            "=n&a=0&a b=c%20d&h=%25zz&k+*~=v%2B%2A&m=~&s=1%3Bt%3D2&u=1%26v%3D2&z=1&～=1&\
             \u{fffd}=%EF%BF%BD%21&😀=2",
        ),
        (
            Family::Acs3,
            "acs3/node-doc",
            "/%41%20%2A%24~%C3%A9%FF!/+*$%7E",
            "=n&a=0&a b=c%20d&e=&f=&h=%25zz&k+*~=v%2B%2A&m=~&s=1%3Bt%3D2&u=1%26v%3D2&\
             z=0&😀=2&～=1&\u{fffd}=%EF%BF%BD%21",
        ),
        (
            Family::Acs3,
            "acs3/go-doc",
            "/A%20%2A%24~é\\xFF!/%20%2A%24~",
            "=n&a=0&a b=c%20d&e=&f=&k%20%2A~=v%2B%2A&m=~&u=1%26v%3D2&z=1&～=1&😀=2&\
             \\xFF=%FF%21",
        ),
        (
            Family::Acs3,
            "acs3/java-doc",
            "/A+*%24~é\u{fffd}!/+*%24~",
            "a=0&a%20b=c%20d&e=&f=&h=%25zz&k%2B%2A~=v%2B%2A&m=~&s=1&t=2&u=1%26v%3D2&\
             z=0&%F0%9F%98%80=2&%EF%BD%9E=1&%EF%BF%BD=%EF%BF%BD%21",
        ),
        (
            Family::Acs,
            "standard",
            "/%41+*$%7E%C3%A9%FF!/+*$%7E",
            "?=n&a=0&a b=c d&e&f&h=%zz&k+*~=v+*&m=~&s=1;t=2&u=1&v=2&z=0&z=1&～=1&😀=2&\
             \\xFF=\\xFF!",
        ),
        (
            Family::Acs,
            "acs/node",
            "/%41+*$%7E%C3%A9%FF!/+*$%7E",
            "?=n&a=0&a b=c d&e=&f=&h=%zz&k+*~=v+*&m=~&s=1;t=2&u=1&v=2&z=0&z=1&😀=2&～=1&\
             \u{fffd}=\u{fffd}!",
        ),
        (
            Family::Acs,
            "acs/java",
            "/%41+*$%7E%C3%A9%FF!/+*$%7E",
            "?=n&a=0&a b=c d&e&f&h=%zz&k+*~=v+*&m=~&s=1;t=2&u=1&v=2&z=0&z=1&😀=2&～=1&\
             \u{fffd}=\u{fffd}!",
        ),
    ];
    let forms = [Family::Fc, Family::Acs3, Family::Acs]
        .map(|family| Dialect::ALL.iter().filter(|dialect| dialect.form(family).is_some()).count());
    assert_eq!(known.len(), forms.iter().sum::<usize>());
    for (family, name, path_signed, query_signed) in known {
        let dialect = name.parse().unwrap();
        let (text, _) = written(family, dialect, path_sent, &[]);
        let path = text.lines().find(|line| line.starts_with('/'));
        assert_eq!(path, Some(path_signed), "{family:?} {dialect}");
        assert_eq!(query(family, dialect, query_sent), query_signed, "{family:?} {dialect}");
    }
}

#[test]
fn a_query_is_encoded_anew_by_acs3_however_it_was_sent() {
    for (sent, signed) in [
        ("a=b", "a=b"),
        ("a=%41", "a=A"),
        ("%61=%7E", "a=~"),
        ("a=%7e%2d%5F%2E", "a=~-_."),
        ("a=%2B", "a=%2B"),
        ("a=%2b", "a=%2B"),
        ("a=b%2Bc%20d", "a=b%2Bc%20d"),
        ("a=%C3%A9", "a=%C3%A9"),
        ("a=%c3%A9", "a=%C3%A9"),
        ("a=é", "a=%C3%A9"),
        ("é=%C3%A9", "%C3%A9=%C3%A9"),
        ("a+b=c+d", "a%20b=c%20d"),
        ("a=b=c", "a=b%3Dc"),
        ("a=b%3Dc", "a=b%3Dc"),
        ("a==", "a=%3D"),
        ("a=!", "a=%21"),
        ("a=%", "a=%25"),
        ("a=%4", "a=%254"),
        ("a;b=c", "a%3Bb=c"),
        ("a", "a="),
        ("c=%41&a=%2A", "a=%2A&c=A"),
        ("b=%2A&&a=%20&", "a=%20&b=%2A"),
        ("b=%2A&a=+&c", "a=%20&b=%2A&c="),
    ] {
        assert_eq!(query(Family::Acs3, Dialect::Standard, sent), signed, "{sent}");
    }
}
