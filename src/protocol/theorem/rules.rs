//! Each rule is needed: without it, a request has a twin.

use super::replay::relay;
use super::rule::Rule::{self, *};
use super::rule::Rules;
use super::search::{Search, Twins, Way};
use super::{FAMILIES, ORDER, search};
use crate::protocol::canonical::headers::write_all;
use crate::protocol::canonical::rules::Form;
use crate::protocol::dialect::{Dialect, Dialects};
use crate::protocol::request::ProtocolHeader;
use crate::protocol::scheme::Family;
use crate::protocol::scheme::ambiguity::Ambiguity::{self, *};
use Shown::*;
use http::HeaderValue;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How a rule of a form is seen to be needed: what happens once it is taken out of that form,
/// while all others stay in all forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    /// What this crate signs, strictly but for this rule, is accepted in this form as a request
    /// of other meaning.
    Ours,
    /// Two requests of different meaning are accepted in this form with one signature: whoever
    /// signs in it signs for both.
    Alone,
    /// The same, where the other one is accepted in another form.
    Together,
    /// The same, once the rule is out of both forms, as it is when it is let through by name.
    Everywhere,
    /// The same, once this is let through by name.
    Beside(Ambiguity),
    /// Not at all: the form finds no such thing. It says why.
    Never(&'static str),
    /// Not by twins, though there is such a thing. It says why.
    NoTwin(&'static str),
}

const BYTES: &str = "bytes that are not UTF-8 are signed as they are";
const UNSIGNED: &str = "no query is signed, and any is refused for that";
const NOT_ACS: &str = "only `acs` signs the Accept header";
const NO_LIST: &str = "no list of headers is sent";
const OTHER_DATE: &str = "the date is signed, whatever is in the query. It is refused for those who \
                          take it for a part of credentials, as presigned URLs have it";
const TWO_CALLERS: &str = "it is one request of two callers, and no other has its text. It is \
                           refused for those who read the credentials in the query";
const NO_HOST: &str = "no host is signed. It is refused for those who route or sign by one of \
                       several";
const LAST_LINE: &str = "the query ends the last line, and nothing follows that it could be. It is \
                         refused as in the other forms that sign parameters unencoded";
const RAW_PATHS: &str = "every form of the scheme signs the path as it was sent. It is refused for \
                         those who refuse or drop what they cannot decode";
const NOT_CUT: &str = "parameters are told apart by line feeds alone. It is refused as in the \
                       other forms that sign names unencoded";
const URL: &str = "its credentials are in the URL, and are no headers";
const IN_URL: &str = "these are what a presigned URL has";
const HEADERS: &str = "it is about presigned URLs";

/// The rules and the forms that they are seen to be needed in. `acs3*` are all that begin so.
const ROWS: &[(Rule, &str, Shown)] = &[
    (Ambiguous(PathNewline), "fc fc/py-gateway fc/py-fc2 fc/go-fc fc/api presigned", Ours),
    (Ambiguous(PathNewline), "acs3/go-doc acs3/java-doc", Beside(KeyNewline)),
    (Ambiguous(PathSlash), "fc fc/py-gateway fc/py-fc2 fc/go-fc presigned", Ours),
    (Ambiguous(PathSlash), "acs3/go-doc acs3/java-doc", Ours),
    (Ambiguous(PathSlash), "fc/api", Alone),
    (Ambiguous(PathPercent), "fc acs3/go-doc acs3/java-doc", Ours),
    (Ambiguous(PathPercent), "fc/py-gateway fc/py-fc2 fc/go-fc", Together),
    // A plain `%` is signed as `%25` is. Nobody else signs like these two.
    (Ambiguous(PathPercent), "fc/api presigned", Beside(PathMalformed)),
    (Ambiguous(PathUnreserved), "fc fc/py-gateway fc/py-fc2 fc/go-fc presigned", Ours),
    (Ambiguous(PathUnreserved), "acs3 acs3/go-doc acs3/java-doc", Ours),
    (Ambiguous(PathUnreserved), "fc/api", Alone),
    (Ambiguous(PathPlus), "acs3/node acs3/go acs3/node-doc acs3/go-doc", Ours),
    (Ambiguous(PathMalformed), "acs3", Ours),
    // What decodes `%25` signs it as a plain `%`.
    (Ambiguous(PathMalformed), "fc fc/* presigned acs3/*", Beside(PathPercent)),
    (Ambiguous(PathMalformed), "acs acs/*", NoTwin(RAW_PATHS)),
    (Ambiguous(PathNotUtf8), "fc/py-gateway fc/py-fc2", Ours),
    (Ambiguous(PathNotUtf8), "acs3/java-doc", Alone),
    (Ambiguous(PathNotUtf8), "fc fc/java-gateway fc/node-fc2 fc/go-fc fc/api", Never(BYTES)),
    (Ambiguous(PathNotUtf8), "presigned acs3 acs3/py acs3/node acs3/go acs3/java", Never(BYTES)),
    (Ambiguous(PathNotUtf8), "acs3/py-doc acs3/node-doc acs3/go-doc acs acs/*", Never(BYTES)),
    (Ambiguous(KeyNewline), "fc", Ours),
    (Ambiguous(KeyNewline), "fc/py-gateway fc/java-gateway", Alone),
    (Ambiguous(KeyNewline), "fc/node-fc2 fc/py-fc2 fc/go-fc", Together),
    (Ambiguous(KeyNewline), "fc/api", Never(UNSIGNED)),
    // `?a%3D1%0Ab=2` as `?a=1&b=2`.
    (Ambiguous(KeyNewline), "presigned", Beside(KeyEquals)),
    // A path that ends in a line feed, as a name that begins with one.
    (Ambiguous(KeyNewline), "acs3/*", Beside(PathNewline)),
    (Ambiguous(KeyNewline), "acs acs/*", NoTwin(LAST_LINE)),
    (Ambiguous(ValueNewline), "fc fc/py-gateway fc/java-gateway fc/node-fc2", Ours),
    (Ambiguous(ValueNewline), "fc/py-fc2 fc/go-fc presigned", Ours),
    (Ambiguous(ValueNewline), "fc/api", Never(UNSIGNED)),
    (Ambiguous(ValueNewline), "acs acs/*", NoTwin(LAST_LINE)),
    (Ambiguous(Semicolon), "fc/api", Never(UNSIGNED)),
    (Ambiguous(Semicolon), "*", Ours),
    (Ambiguous(Malformed), "fc/api", Never(UNSIGNED)),
    (Ambiguous(Malformed), "*", Ours),
    (Ambiguous(NotUtf8), "fc fc/go-fc presigned acs3 acs3/go acs3/go-doc acs", Never(BYTES)),
    (Ambiguous(NotUtf8), "fc/api", Never(UNSIGNED)),
    (Ambiguous(NotUtf8), "*", Ours),
    (Ambiguous(Plus), "fc/py-gateway", Ours),
    (Ambiguous(KeyEquals), "fc/api", Never(UNSIGNED)),
    (Ambiguous(KeyEquals), "fc fc/* presigned acs acs/*", Ours),
    // `?a%3Db%26c=d` as `?a=b&c=d`: either rule refuses it.
    (Ambiguous(KeyEquals), "acs3/*", Beside(KeyAmpersand)),
    (Ambiguous(KeyAmpersand), "acs3/*", Beside(KeyEquals)),
    (Ambiguous(KeyAmpersand), "fc/py-gateway", Alone),
    (Ambiguous(KeyAmpersand), "fc/api", Never(UNSIGNED)),
    (Ambiguous(KeyAmpersand), "fc fc/* presigned", NoTwin(NOT_CUT)),
    (Ambiguous(KeyAmpersand), "acs acs/*", Ours),
    (Ambiguous(KeyPercent), "acs3/*", Ours),
    (Ambiguous(KeyPlus), "acs3/go acs3/go-doc", Ours),
    (Ambiguous(ValueAmpersand), "fc/py-gateway acs acs/*", Ours),
    (Ambiguous(RepeatedKey), "acs3/*", Ours),
    (Ambiguous(BlankValue), "acs3/py-doc", Ours),
    (Ambiguous(Nameless), "acs3/java-doc", Ours),
    (Ambiguous(UnsignedQuery), "fc/api", Alone),
    (Ambiguous(UnsignedQuery), "*", Never("the query is signed")),
    (Ambiguous(PaddedHeader), "fc/api", Alone),
    (Ambiguous(PaddedHeader), "*", Ours),
    (Ambiguous(RepeatedHeader), "fc/api", Alone),
    (Ambiguous(RepeatedHeader), "*", Ours),
    (Ambiguous(UnsignedHeader), "fc/api", Alone),
    (Ambiguous(UnsignedHeader), "*", Ours),
    (Ambiguous(ExpiresAsDate), "fc", Ours),
    (Ambiguous(ExpiresAsDate), "fc/java-gateway", Alone),
    (Ambiguous(ExpiresAsDate), "fc/api", Beside(UnsignedQuery)),
    (Ambiguous(ExpiresAsDate), "fc/*", Everywhere),
    (Ambiguous(ExpiresAsDate), "presigned", Never(IN_URL)),
    (Ambiguous(ExpiresAsDate), "acs3* acs acs/*", NoTwin(OTHER_DATE)),
    (Ambiguous(AcceptUndefined), "acs", Ours),
    (Ambiguous(AcceptUndefined), "acs/node", Alone),
    (Ambiguous(AcceptUndefined), "acs/java", Together),
    (Ambiguous(AcceptUndefined), "fc fc/* presigned acs3*", Never(NOT_ACS)),
    (Ambiguous(ValueOrder), "fc presigned acs3 acs", Ours),
    (Ambiguous(ValueOrder), "fc/py-gateway", Never("parameters are signed as they were sent")),
    (Ambiguous(ValueOrder), "fc/api", Never(UNSIGNED)),
    (Ambiguous(ValueOrder), "acs3/py acs3/node acs3/go acs3/java", Alone),
    (Ambiguous(ValueOrder), "acs3/*", Never("one value is signed, and several are refused")),
    (Ambiguous(ValueOrder), "fc/* acs/*", Alone),
    // The signature of a request in its headers would be that of a presigned URL.
    (Ambiguous(QueryCredentials), "fc fc/java-gateway", Beside(ExpiresAsDate)),
    (Ambiguous(QueryCredentials), "presigned", Never(IN_URL)),
    (Ambiguous(QueryCredentials), "*", NoTwin(TWO_CALLERS)),
    (Ambiguous(AbsentHeader), "acs3*", Ours),
    (Ambiguous(AbsentHeader), "*", Never(NO_LIST)),
    (UserInfo, "acs3*", Ours),
    (UserInfo, "*", NoTwin(NO_HOST)),
    (Authority, "acs3*", Ours),
    (Authority, "*", NoTwin(NO_HOST)),
    // Two names in a header that is listed are refused as any header is that is repeated.
    (RepeatedHost, "acs3*", Beside(RepeatedHeader)),
    (RepeatedHost, "*", NoTwin(NO_HOST)),
    (TwoHosts, "acs3*", Ours),
    (TwoHosts, "*", NoTwin(NO_HOST)),
    (RepeatedAuthorization, "fc/api acs/node", Alone),
    (RepeatedAuthorization, "presigned", Never(URL)),
    (RepeatedAuthorization, "*", Ours),
    // Which of two dates counts is decided before ambiguity is.
    (RepeatedCredential, "presigned", Never(URL)),
    (RepeatedCredential, "*", Beside(RepeatedHeader)),
    // The date is an `x-acs-` header.
    (UnlistedDate, "acs3*", Beside(UnsignedHeader)),
    (UnlistedDate, "*", Never(NO_LIST)),
    (RepeatedParameter, "presigned", Ours),
    (RepeatedParameter, "*", Never(HEADERS)),
    (AlreadyPresigned, "presigned", Ours),
    (AlreadyPresigned, "*", Never(HEADERS)),
];

/// The row of a rule in a form: the first that names it.
fn row(rule: Rule, way: Way) -> Option<(usize, Shown)> {
    let name = way.to_string();
    let names_it = |pattern: &str| match pattern.strip_suffix('*') {
        Some(lead) => name.starts_with(lead),
        None => name == pattern,
    };
    ROWS.iter()
        .enumerate()
        .find(|(_, (of, forms, _))| *of == rule && forms.split(' ').any(names_it))
        .map(|(number, (.., shown))| (number, *shown))
}

/// All the ways in which each rule is seen to be needed in each form, with the first twins that
/// show it.
fn seen(search: &Search) -> BTreeMap<(usize, Rule, Shown), Twins<'_>> {
    let mut all: HashMap<_, Twins<'_>> = HashMap::new();
    let number = |twins: &Twins<'_>| (twins.signed.request, twins.accepted.request);
    search.each_twins(|twins| {
        let [by, against] = twins.rules();
        if by.with(against).len() <= 2 {
            let ways = (twins.signed.way, twins.accepted.way);
            let known = all.entry((ways, twins.is_ours, by, against)).or_insert(twins);
            if number(&twins) < number(known) {
                *known = twins;
            }
        }
    });
    let mut seen = BTreeMap::new();
    for twins in all.into_values() {
        let [by, against] = twins.rules();
        let (signed, accepted) = (twins.signed.way, twins.accepted.way);
        for rule in by.with(against).each() {
            let shown = match by.with(against).without(rule).each().next() {
                Some(other) => match other.allowed() {
                    Some(other) => Beside(other),
                    None => continue,
                },
                None if signed != accepted && by == against => Everywhere,
                None if twins.is_ours => Ours,
                None if signed == accepted => Alone,
                None => Together,
            };
            for (way, rules) in [(signed, by), (accepted, against)] {
                if rules.contains(rule) {
                    let known = seen.entry((way, rule, shown)).or_insert(twins);
                    if number(&twins) < number(known) {
                        *known = twins;
                    }
                }
            }
        }
    }
    seen
}

/// `http` makes no such target from 1.5 on, so both texts are put together of their pieces.
#[test]
fn a_path_that_does_not_begin_with_a_slash_would_take_in_a_header() {
    let value = HeaderValue::from_static("b");
    let header = ProtocolHeader { name: "x-fc-a", value: &value };
    for (_, Form { path, query, repeated_header, .. }) in Dialects::all().forms(Family::Fc) {
        let Some(query) = query else { continue };
        let text = |headers: &[ProtocolHeader<'_>], path_sent: &str, query_sent: &str| {
            let mut text = Vec::new();
            write_all(headers, *repeated_header, &mut text);
            path.write(path_sent.as_bytes(), &mut text);
            text.push(b'\n');
            query.write(query_sent.as_bytes(), None, &mut text);
            text
        };
        assert_eq!(text(&[header], "/c=d", "e=f"), text(&[], "x-fc-a:b", "/c=d&e=f"));
    }
}

#[test]
fn every_rule_is_needed_in_every_form_that_has_it_as_this_table_says() {
    let (mut wrong, mut used) = (Vec::new(), BTreeSet::new());
    for family in FAMILIES {
        let search = search(family);
        let seen = seen(search);
        for (number, way) in search.ways.iter().enumerate() {
            let rules = Rules::from(way.form.refuses).with(ORDER);
            let never_allowed = [Ambiguous(QueryCredentials), Ambiguous(AbsentHeader)];
            for rule in rules.each().chain(never_allowed).chain(Rule::OTHERS) {
                let name = format!("{rule:?} in {way}");
                let all = seen.range((number, rule, Ours)..=(number, rule, Never("")));
                let best = all.map(|((.., shown), _)| *shown).next();
                let alone = best.filter(|best| !matches!(best, Beside(_)));
                let occurs = search.seen[number].contains(rule);
                let Some((row, expected)) = row(rule, *way) else {
                    wrong.push(format!("{name} is in no row: {best:?}"));
                    continue;
                };
                used.insert(row);
                let is_right = match expected {
                    Never(_) => !occurs,
                    NoTwin(_) => occurs && alone.is_none(),
                    Beside(_) => alone.is_none() && seen.contains_key(&(number, rule, expected)),
                    _ => best == Some(expected),
                };
                if !is_right {
                    wrong.push(format!("{name}: {expected:?} in the table, found {best:?}"));
                } else if let Some(twins) = seen.get(&(number, rule, expected)) {
                    println!("{name}, {expected:?}: {}", search.shown(*twins));
                    relay(search, *twins);
                } else {
                    println!("{name}, {expected:?}");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let unused: Vec<_> = (0..ROWS.len()).filter(|row| !used.contains(row)).collect();
    assert!(unused.is_empty(), "{:?}", unused.iter().map(|row| ROWS[*row]).collect::<Vec<_>>());
}

/// A careless signer signs in each form what strict signing refuses for one reason; a verifier
/// with all defaults takes that for the signature of another request. By the reasons that are
/// ambiguities, without those that are so in every form.
#[test]
fn what_others_sign_is_good_for_another_request_as_security_md_says() {
    let in_all = [AbsentHeader, Malformed, PaddedHeader, RepeatedHeader, Semicolon, UnsignedHeader];
    let text = include_str!("../../../SECURITY.md");
    for family in FAMILIES {
        let search = search(family);
        let mut found = vec![BTreeSet::new(); search.ways.len()];
        search.each_twins(|twins| {
            let [by, against] = twins.rules();
            let by_default = search.ways[twins.accepted.way].dialect == Dialect::Standard;
            if !twins.is_ours && by.len() == 1 && against.is_empty() && by_default {
                let ambiguous = by.each().filter_map(|rule| match rule {
                    Ambiguous(ambiguity) if !in_all.contains(&ambiguity) => Some(ambiguity),
                    _ => None,
                });
                found[twins.signed.way].extend(ambiguous);
            }
        });
        for (way, found) in search.ways.iter().zip(found) {
            let why: Vec<_> = found.iter().map(|why| format!("`{why:?}`")).collect();
            let row = format!("| `{way}` | {} |", why.join(", "));
            println!("{row}");
            assert!(text.contains(&row), "SECURITY.md has no row\n{row}");
        }
    }
}
