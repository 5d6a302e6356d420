//! Signer and verifier themselves: they refuse what the rules of the search say, and take a
//! signature of one request for that of its twin once they are told to.

use super::requests::{NOW, PRESIGNED, Request};
use super::rule::Rules;
use super::search::{Search, Signed, Twins, Way, head_of, list_of};
use super::{FAMILIES, search};
use crate::error::Error;
use crate::protocol::crypto::tag::Tag;
use crate::protocol::date::from_unix;
use crate::protocol::dialect::Dialect;
use crate::protocol::request::{ProtocolHeaders, RequestRef};
use crate::protocol::scheme::presigned::{self, Presigned};
use crate::protocol::scheme::terms::Terms;
use crate::protocol::scheme::{Family, Scheme, Schemes, authorization};
use crate::protocol::{
    Ambiguity, Credentials, Presigner, Rejection, Signer, VerifiedCaller, Verifier, VerifyingKey,
};
use http::Uri;
use http::header::{AUTHORIZATION, HOST};
use std::collections::HashMap;
use std::time::Duration;

fn credentials() -> Credentials {
    Credentials::new("id", "secret").unwrap()
}

fn keys() -> HashMap<String, VerifyingKey> {
    HashMap::from([("id".to_owned(), credentials().key().clone())])
}

/// What whoever signs in a way makes of a request.
fn signature(search: &Search, signed: &Signed) -> Tag {
    let Way { scheme, form, .. } = search.ways[signed.way];
    let mut protocols = ProtocolHeaders::new();
    let head = head_of(search.request(signed), &mut protocols);
    let query = Presigned::read(head.query());
    let list = list_of(&head, &signed.listed);
    let terms = Terms::of(scheme, &list, query.expires.as_deref());
    terms.sign(&head, form, credentials().key().keyed()).0
}

/// A request as it is sent with a signature, which comes before another one that it has.
fn sent(search: &Search, signed: &Signed, signature: &Tag) -> Request {
    let Way { scheme, .. } = search.ways[signed.way];
    let mut request = search.request(signed).clone();
    if scheme == Scheme::FcPresigned {
        let (mut base64, mut added) = (Vec::new(), Vec::new());
        signature.put_base64(&mut base64);
        presigned::write_signature(&base64, &mut added);
        let (target, added) = (request.uri.to_string(), String::from_utf8(added).unwrap());
        request.uri = match target.find("x-fc-signature=") {
            None => format!("{target}{added}"),
            Some(at) => format!("{}{}&{}", &target[..at], &added[1..], &target[at..]),
        }
        .parse()
        .unwrap();
        return request;
    }
    let mut protocols = ProtocolHeaders::new();
    let list = list_of(&head_of(search.request(signed), &mut protocols), &signed.listed);
    let value = authorization::write(scheme, "id", &list, signature);
    let all = &mut request.headers;
    let others: Vec<_> = all.get_all(AUTHORIZATION).iter().skip(1).cloned().collect();
    all.insert(AUTHORIZATION, value);
    for other in others {
        all.append(AUTHORIZATION, other);
    }
    request
}

/// What a verifier makes of a request with a signature, which accepts it in one way only and
/// lets these rules be broken.
fn verify(
    search: &Search,
    accepted: &Signed,
    signature: &Tag,
    allowed: Rules,
) -> Result<VerifiedCaller, Rejection> {
    let mut verifier = Verifier::new(keys())
        .with_schemes(Schemes::all())
        .with_dialects(search.ways[accepted.way].dialect)
        .with_refused(Ambiguity::ValueOrder);
    for rule in allowed.each() {
        verifier = verifier.with_insecure_allowance(rule.allowed().unwrap()).unwrap();
    }
    let Request { method, uri, headers } = sent(search, accepted, signature);
    let request = RequestRef { method: &method, uri: &uri, headers: &headers };
    verifier.check(request, from_unix(NOW - 60))
}

/// A request as this crate signs it, letting these rules be broken.
fn sign(search: &Search, signed: &Signed, allowed: Rules) -> Result<Request, Error> {
    let Request { method, uri, headers } = search.request(signed);
    let Way { scheme, .. } = search.ways[signed.way];
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = method.clone();
    parts.headers = headers.clone();
    let mut allowed = allowed.each().map(|rule| rule.allowed().unwrap());
    if scheme == Scheme::FcPresigned {
        let presigner = Presigner::new(credentials()).with_refused(Ambiguity::ValueOrder);
        let presigner = allowed.try_fold(presigner, Presigner::with_insecure_allowance)?;
        parts.uri = before(uri).parse().unwrap();
        let (lifetime, now) = (Duration::from_secs(60), from_unix(NOW - 60));
        parts.uri = presigner.presign_at(&parts, lifetime, now)?.into_uri();
    } else {
        let signer = Signer::new(credentials()).with_scheme(scheme)?;
        // Of requests that name no host too: a strict signer signs fewer.
        let signer = signer.with_insecure_unsigned_header(HOST);
        let signer = signer.with_refused(Ambiguity::ValueOrder);
        let signer = allowed.try_fold(signer, Signer::with_insecure_allowance)?;
        let (name, form) = scheme.facts().date;
        let time = form.read(headers[name].as_bytes()).unwrap();
        parts.uri = uri.clone();
        signer.signature((&parts).into(), time, None)?.set(&mut parts.headers)?;
    }
    Ok(Request { method: parts.method, uri: parts.uri, headers: parts.headers })
}

/// A target before it was presigned.
fn before(uri: &Uri) -> String {
    let uri = uri.to_string();
    let before = uri.strip_suffix(PRESIGNED).unwrap();
    let (path, query) = before.split_once('?').unwrap();
    match query.strip_suffix('&') {
        None => path.to_owned(),
        Some(query) => format!("{path}?{query}"),
    }
}

/// Has the one of twins signed, and the other one verified with that signature: it is not signed,
/// or refused, by the rules that there are against it, as far as they are not let through by name.
pub(super) fn relay(search: &Search, twins: Twins<'_>) {
    let Twins { signed, accepted, is_ours } = twins;
    let [by, against] = twins.rules();
    let shown = search.shown(twins);
    let signature = signature(search, signed);
    for allowed in [Rules::default(), against.allowed()] {
        let verified = verify(search, accepted, &signature, allowed);
        let is_fine = against.without(allowed).is_empty();
        assert_eq!(verified.is_ok(), is_fine, "{shown}\n but for {allowed:?}: {verified:?}");
    }
    if is_ours {
        for allowed in [Rules::default(), by.allowed()] {
            let ours = sign(search, signed, allowed);
            let is_fine = by.without(allowed).is_empty();
            assert_eq!(ours.is_ok(), is_fine, "{shown}\n but for {allowed:?}: {ours:?}");
            for ours in ours.iter() {
                assert_eq!(*ours, sent(search, signed, &signature), "{shown}");
            }
        }
    }
}

#[test]
fn signer_and_verifier_refuse_what_the_rules_of_the_search_say_and_nothing_else() {
    let (mut signed_here, mut accepted) = ([0; 2], [0; 2]);
    for family in FAMILIES {
        let search = search(family);
        for signed in search.sample() {
            accepted[usize::from(signed.refused.is_empty())] += 1;
            if let Some(rules) = signed.unsigned {
                signed_here[usize::from(rules.is_empty())] += 1;
            }
            // It is no twin of itself, but signed and verified all the same.
            relay(search, Twins { signed, accepted: signed, is_ours: signed.unsigned.is_some() });
        }
    }
    println!("{signed_here:?} {accepted:?}");
    assert!(signed_here.into_iter().chain(accepted).all(|count| count > 500));
}

/// What must be listed beyond that is a setting, because the documented samples list neither.
#[test]
fn a_host_that_is_not_listed_can_be_another_unless_it_is_required() {
    let of = |host| Request::of("/", &[("host", host), ("x-acs-date", "2026-11-21T17:57:00Z")]);
    let [signed, other] = ["a", "b"].map(|host| of(host).unwrap());
    let listed = ["x-acs-date".to_owned()];
    let mut protocols = ProtocolHeaders::new();
    let head = head_of(&signed, &mut protocols);
    let list = list_of(&head, &listed);
    let form = Dialect::standard(Family::Acs3);
    let terms = Terms::Acs3HmacSha256(&list);
    let (tag, _) = terms.sign(&head, form, credentials().key().keyed());
    let value = authorization::write(terms.scheme(), "id", &list, &tag);

    let required = || Verifier::new(keys()).with_required_headers([HOST]);
    for (verifier, is_required) in [(Verifier::new(keys()), false), (required(), true)] {
        for request in [&signed, &other] {
            let Request { method, uri, mut headers } = request.clone();
            headers.insert(AUTHORIZATION, value.clone());
            let request = RequestRef { method: &method, uri: &uri, headers: &headers };
            let verified = verifier.check(request, from_unix(NOW));
            assert_eq!(verified.is_err(), is_required, "{verified:?}");
        }
    }
}
