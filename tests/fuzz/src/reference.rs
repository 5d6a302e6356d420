//! The canonical forms, one plain step after the other.
//!
//! There is one reading of a request in each dialect, and each of its rules is from one of:
//!
//! - the wire contract, which goes before all else;
//! - the golden vectors, and the tables in `tests/vectors/README.md` of what they show;
//! - RFC 9110 and the WHATWG's standards of encodings and URLs, for what the contract calls
//!   "decoded" or "a value".
//!
//! Where none of them says what is signed, neither does this: the result is `None`. A verifier
//! that is told to let everything through has to take such a request somehow. How is its own
//! affair; what matters is that strict ones refuse it, to which [`crate::verdict`] holds them.
//!
//! Common to all functions here:
//!
//! - `target` is the request target byte for byte: a path, and after the first
//!   `?` a query. A target without `?` and one that ends in a bare `?` are the
//!   same thing to every dialect.
//! - `headers` are in wire order, names in lower case, values without the
//!   white space around them.
//!
//! What some SDKs are known to sign of requests that no vector has, and of which the contract
//! says otherwise, is tabled in `tests/reference_vectors.rs`: these requests are refused.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use sm3::Sm3;

/// A header line: name in lower case, value without outer white space.
pub type Header = (String, Vec<u8>);

// ---------------------------------------------------------------------------
// Dialects
// ---------------------------------------------------------------------------

/// The SDKs that sign with the scheme `FC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fc {
    PyGateway,
    GoGateway,
    JavaGateway,
    NodeFc2,
    PyFc2,
    GoFc,
    /// A management call: the query is not signed.
    Api,
}

impl Fc {
    pub const ALL: [Fc; 7] =
        [Fc::PyGateway, Fc::GoGateway, Fc::JavaGateway, Fc::NodeFc2, Fc::PyFc2, Fc::GoFc, Fc::Api];

    /// The documented form.
    pub const STANDARD: Fc = Fc::GoGateway;

    /// The name the vectors use.
    pub fn name(self) -> &'static str {
        match self {
            Fc::PyGateway => "fc/py-gateway",
            Fc::GoGateway => "fc/go-gateway",
            Fc::JavaGateway => "fc/java-gateway",
            Fc::NodeFc2 => "fc/node-fc2",
            Fc::PyFc2 => "fc/py-fc2",
            Fc::GoFc => "fc/go-fc",
            Fc::Api => "fc/api",
        }
    }

    /// The dialect of that name, and whether it is the presigned form, which is that of the
    /// documentation.
    pub fn from_name(name: &str) -> Option<(Fc, bool)> {
        if name == "fc-presigned/go-fc" {
            return Some((Fc::STANDARD, true));
        }
        let dialect = Fc::ALL.into_iter().find(|d| d.name() == name)?;
        Some((dialect, false))
    }
}

/// The SDKs that sign with a scheme `ACS3-...`.
///
/// The ones named `...Doc` sign the way of the documented HTTP-trigger samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acs3 {
    /// The documented form.
    Standard,
    Py,
    Node,
    Go,
    Java,
    PyDoc,
    NodeDoc,
    GoDoc,
    JavaDoc,
}

impl Acs3 {
    pub const ALL: [Acs3; 9] = [
        Acs3::Standard,
        Acs3::Py,
        Acs3::Node,
        Acs3::Go,
        Acs3::Java,
        Acs3::PyDoc,
        Acs3::NodeDoc,
        Acs3::GoDoc,
        Acs3::JavaDoc,
    ];

    /// The name the vectors use; `acs3/standard` is in none of them.
    pub fn name(self) -> &'static str {
        match self {
            Acs3::Standard => "acs3/standard",
            Acs3::Py => "acs3/py",
            Acs3::Node => "acs3/node",
            Acs3::Go => "acs3/go",
            Acs3::Java => "acs3/java",
            Acs3::PyDoc => "acs3/py-doc",
            Acs3::NodeDoc => "acs3/node-doc",
            Acs3::GoDoc => "acs3/go-doc",
            Acs3::JavaDoc => "acs3/java-doc",
        }
    }

    pub fn from_name(name: &str) -> Option<Acs3> {
        Acs3::ALL.into_iter().find(|d| d.name() == name)
    }
}

/// The SDKs that sign with the scheme `acs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acs {
    Py,
    Node,
    Go,
    Java,
}

impl Acs {
    pub const ALL: [Acs; 4] = [Acs::Py, Acs::Node, Acs::Go, Acs::Java];

    /// The form common to Python, Go and Java.
    pub const STANDARD: Acs = Acs::Go;

    /// The name the vectors use.
    pub fn name(self) -> &'static str {
        match self {
            Acs::Py => "acs/py",
            Acs::Node => "acs/node",
            Acs::Go => "acs/go",
            Acs::Java => "acs/java",
        }
    }

    pub fn from_name(name: &str) -> Option<Acs> {
        Acs::ALL.into_iter().find(|d| d.name() == name)
    }
}

/// The hash of an `ACS3-...` scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    Sha256,
    Sm3,
}

impl Algorithm {
    /// The scheme's name, as in the `Authorization` header.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "ACS3-HMAC-SHA256",
            Algorithm::Sm3 => "ACS3-HMAC-SM3",
        }
    }

    pub fn from_name(name: &str) -> Option<Algorithm> {
        [Algorithm::Sha256, Algorithm::Sm3].into_iter().find(|a| a.name() == name)
    }

    /// The digest of `data` in lower-case hex.
    pub fn hash_hex(self, data: &[u8]) -> String {
        match self {
            Algorithm::Sha256 => hex(&Sha256::digest(data)),
            Algorithm::Sm3 => hex(&Sm3::digest(data)),
        }
    }

    /// The HMAC of `data` in lower-case hex.
    pub fn hmac_hex(self, secret: &[u8], data: &[u8]) -> String {
        match self {
            Algorithm::Sha256 => hex(&hmac_sha256(secret, data)),
            Algorithm::Sm3 => {
                let mut mac = Hmac::<Sm3>::new_from_slice(secret).expect("any key length");
                mac.update(data);
                hex(&mac.finalize().into_bytes())
            }
        }
    }
}

// ---------------------------------------------------------------------------
// Scheme FC
// ---------------------------------------------------------------------------

/// The text that the scheme `FC` signs.
///
/// `presigned` says that the signature is in the query, as `x-fc-signature`.
pub fn fc_string_to_sign(
    dialect: Fc,
    presigned: bool,
    method: &str,
    target: &[u8],
    headers: &[Header],
) -> Option<Vec<u8>> {
    let (path, query) = split_target(target);

    let repeated = match dialect {
        Fc::GoGateway => Repeated::First,
        Fc::JavaGateway | Fc::NodeFc2 => Repeated::Joined,
        Fc::PyGateway | Fc::PyFc2 | Fc::GoFc | Fc::Api => Repeated::Unsaid,
    };
    let mut fc_headers = Vec::new();
    for name in names_with_prefix(headers, "x-fc-") {
        let value = repeated.value(headers, &name)?.expect("the name is from there");
        fc_headers.extend_from_slice(name.as_bytes());
        fc_headers.push(b':');
        fc_headers.extend_from_slice(&value);
        fc_headers.push(b'\n');
    }

    let mut resource = fc_path(dialect, path);
    if dialect != Fc::Api {
        let mut pairs = fc_pairs(dialect, query);
        if presigned {
            pairs.retain(|(key, _)| key != b"x-fc-signature");
        }
        let mut lines: Vec<Vec<u8>> = pairs.iter().map(fc_line).collect();
        match dialect {
            Fc::PyGateway => {}
            Fc::JavaGateway | Fc::NodeFc2 => lines.sort_by(|a, b| utf16_order(a, b)),
            _ => lines.sort(),
        }
        resource.push(b'\n');
        resource.extend_from_slice(&lines.join(&b'\n'));
    }

    // The value of the parameter where that is signed, or else of the header. What several
    // parameters would be is unsaid.
    let mut expires = form_pairs(query);
    let is_signed = presigned || matches!(dialect, Fc::GoGateway | Fc::JavaGateway);
    expires.retain(|(key, _)| is_signed && key == b"x-fc-expires");
    let date = match expires.as_slice() {
        [(_, value)] => value.clone(),
        [] if !presigned => line(headers, "date")?,
        _ => return None,
    };

    let mut out = Vec::new();
    out.extend_from_slice(method.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(&line(headers, "content-md5")?);
    out.push(b'\n');
    out.extend_from_slice(&line(headers, "content-type")?);
    out.push(b'\n');
    out.extend_from_slice(&date);
    out.push(b'\n');
    out.extend_from_slice(&fc_headers);
    out.extend_from_slice(&resource);
    Some(out)
}

/// `base64(HMAC-SHA256(secret, string_to_sign))`.
pub fn fc_signature(secret: &[u8], string_to_sign: &[u8]) -> String {
    to_base64(&hmac_sha256(secret, string_to_sign))
}

fn fc_path(dialect: Fc, path: &[u8]) -> Vec<u8> {
    let path = or_slash(path);
    match dialect {
        Fc::GoGateway | Fc::GoFc | Fc::Api => percent_decode(path),
        Fc::PyGateway | Fc::PyFc2 => lossy(&percent_decode(path)),
        Fc::JavaGateway | Fc::NodeFc2 => path.to_vec(),
    }
}

fn fc_pairs(dialect: Fc, query: &[u8]) -> Vec<Pair> {
    match dialect {
        Fc::PyGateway => {
            // Decoded as a whole and cut at `&` after that, so an escaped `&`
            // cuts too. A `+` stays. Empty parts stay.
            let decoded = lossy(&percent_decode(query));
            if decoded.is_empty() {
                return Vec::new();
            }
            decoded.split(|&b| b == b'&').map(cut_at_equals).collect()
        }
        Fc::GoGateway | Fc::GoFc => go_pairs(query),
        Fc::JavaGateway => {
            // Empty parts stay: a key without a name or a value.
            if query.is_empty() {
                return Vec::new();
            }
            let mut pairs = Vec::new();
            for part in query.split(|&b| b == b'&') {
                let (key, value) = cut_at_equals(part);
                pairs.push((lossy(&form_decode(&key)), value.map(|v| lossy(&form_decode(&v)))));
            }
            pairs
        }
        // Both take a map, so a key always has a value.
        Fc::NodeFc2 | Fc::PyFc2 => {
            let mut pairs = Vec::new();
            for (key, value) in form_pairs(query) {
                pairs.push((lossy(&key), Some(lossy(&value))));
            }
            pairs
        }
        Fc::Api => Vec::new(),
    }
}

/// `key=value`, or `key` alone if not even a `=` was there.
fn fc_line(pair: &Pair) -> Vec<u8> {
    let (key, value) = pair;
    let mut line = key.clone();
    if let Some(value) = value {
        line.push(b'=');
        line.extend_from_slice(value);
    }
    line
}

// ---------------------------------------------------------------------------
// Schemes ACS3-HMAC-SHA256 and ACS3-HMAC-SM3
// ---------------------------------------------------------------------------

/// The canonical request of an `ACS3-...` scheme.
///
/// `signed_headers` are the names of the `Authorization` header, in lower case.
pub fn acs3_canonical_request(
    dialect: Acs3,
    signed_headers: &[&str],
    method: &str,
    target: &[u8],
    headers: &[Header],
) -> Option<Vec<u8>> {
    let (path, query) = split_target(target);
    if dialect == Acs3::JavaDoc {
        // The sample throws at a malformed escape.
        percent_decode_strict(target)?;
    }

    let repeated = match dialect {
        Acs3::Standard | Acs3::Py | Acs3::PyDoc | Acs3::Node | Acs3::NodeDoc => {
            Repeated::SortedJoined
        }
        Acs3::GoDoc => Repeated::First,
        // Java's is the one that its map yields last, which nobody can see.
        Acs3::Go | Acs3::Java | Acs3::JavaDoc => Repeated::Unsaid,
    };
    let names: BTreeSet<&str> = signed_headers.iter().copied().collect();
    let mut canonical_headers = Vec::new();
    for name in &names {
        // A name without a header cannot be signed.
        let value = repeated.value(headers, name)??;
        canonical_headers.extend_from_slice(name.as_bytes());
        canonical_headers.push(b':');
        canonical_headers.extend_from_slice(&value);
        canonical_headers.push(b'\n');
    }
    let names: Vec<&str> = names.into_iter().collect();

    let mut out = Vec::new();
    out.extend_from_slice(method.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(&acs3_path(dialect, path));
    out.push(b'\n');
    out.extend_from_slice(&acs3_query(dialect, query));
    out.push(b'\n');
    out.extend_from_slice(&canonical_headers);
    out.push(b'\n');
    out.extend_from_slice(names.join(";").as_bytes());
    out.push(b'\n');
    // The hash of the payload where it is sent, and nothing where it is not.
    out.extend_from_slice(&line(headers, "x-acs-content-sha256")?);
    Some(out)
}

/// The text that is signed: the scheme's name, and the digest of the
/// canonical request.
pub fn acs3_string_to_sign(algorithm: Algorithm, canonical_request: &[u8]) -> Vec<u8> {
    let digest = algorithm.hash_hex(canonical_request);
    format!("{}\n{digest}", algorithm.name()).into_bytes()
}

/// The signature in lower-case hex.
pub fn acs3_signature(algorithm: Algorithm, secret: &[u8], canonical_request: &[u8]) -> String {
    algorithm.hmac_hex(secret, &acs3_string_to_sign(algorithm, canonical_request))
}

fn acs3_path(dialect: Acs3, path: &[u8]) -> Vec<u8> {
    let path = or_slash(path);
    match dialect {
        Acs3::Standard => {
            let mut segments = Vec::new();
            for segment in path.split(|&b| b == b'/') {
                segments.push(rfc3986_encode(&percent_decode(segment)));
            }
            segments.join(&b'/')
        }

        Acs3::Py | Acs3::Java => path.to_vec(),
        Acs3::PyDoc => replace_all(path, b"$", b"%24"),

        Acs3::Node => node_path_replacements(path),
        Acs3::NodeDoc => node_path_replacements(&replace_first(path, b"$", b"%24")),

        Acs3::Go => go_replacements(path),
        Acs3::GoDoc => go_replacements(&replace_all(&percent_decode(path), b"$", b"%24")),

        Acs3::JavaDoc => replace_all(&lossy(&percent_decode(path)), b"$", b"%24"),
    }
}

fn acs3_query(dialect: Acs3, query: &[u8]) -> Vec<u8> {
    let pairs = acs3_pairs(dialect, query);
    let pairs = match dialect {
        Acs3::Standard | Acs3::Py | Acs3::Node | Acs3::Go | Acs3::Java => pairs,

        // The first one of several counts.
        Acs3::PyDoc | Acs3::GoDoc => {
            let mut map = BTreeMap::new();
            for (key, value) in pairs {
                map.entry(key).or_insert(value);
            }
            map.into_iter().collect()
        }

        // The last one.
        Acs3::NodeDoc | Acs3::JavaDoc => {
            let map: BTreeMap<Vec<u8>, Vec<u8>> = pairs.into_iter().collect();
            map.into_iter().collect()
        }
    };
    match dialect {
        Acs3::Standard => acs3_join(pairs, bytes_order, |key| rfc3986_encode(&key)),
        Acs3::Py | Acs3::PyDoc => acs3_join(pairs, bytes_order, |key| key),
        Acs3::Node | Acs3::NodeDoc => acs3_join(pairs, utf16_order, |key| key),
        Acs3::Java | Acs3::JavaDoc => acs3_join(pairs, utf16_order, |key| rfc3986_encode(&key)),

        // Go replaces in the finished query, unencoded keys included.
        Acs3::Go | Acs3::GoDoc => go_replacements(&acs3_join(pairs, bytes_order, |key| key)),
    }
}

/// The parameters as a dialect reads them, in the order they were sent.
pub(crate) fn acs3_pairs(dialect: Acs3, query: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let as_text = |pairs: Vec<(Vec<u8>, Vec<u8>)>| {
        pairs.iter().map(|(key, value)| (lossy(key), lossy(value))).collect()
    };
    match dialect {
        Acs3::Standard | Acs3::Go => form_pairs(query),
        Acs3::Py | Acs3::Node | Acs3::NodeDoc | Acs3::Java => as_text(form_pairs(query)),

        // Parts without a value are left out before all else.
        Acs3::PyDoc => {
            let mut pairs = form_pairs(query);
            pairs.retain(|(_, value)| !value.is_empty());
            as_text(pairs)
        }

        Acs3::GoDoc => {
            let pairs = go_pairs(query).into_iter();
            pairs.map(|(key, value)| (key, value.unwrap_or_default())).collect()
        }

        Acs3::JavaDoc => {
            let mut pairs = Vec::new();
            for part in query.split(|&b| b == b'&' || b == b';') {
                let (key, value) = cut_at_equals(part);
                if key.is_empty() {
                    continue;
                }
                pairs.push((form_decode(&key), form_decode(&value.unwrap_or_default())));
            }
            as_text(pairs)
        }
    }
}

/// `key=value` parts joined by `&`, in the order of the keys as they are
/// before encoding. Equal keys are in the order of their values: in which they
/// were sent is signed by no scheme. Values are encoded, keys as `encode_key` says.
fn acs3_join(
    mut pairs: Vec<(Vec<u8>, Vec<u8>)>,
    order: fn(&[u8], &[u8]) -> Ordering,
    encode_key: fn(Vec<u8>) -> Vec<u8>,
) -> Vec<u8> {
    pairs.sort_by(|a, b| order(&a.0, &b.0).then(order(&a.1, &b.1)));
    let mut parts = Vec::new();
    for (key, value) in pairs {
        parts.push([encode_key(key), rfc3986_encode(&value)].join(&b'='));
    }
    parts.join(&b'&')
}

fn go_replacements(text: &[u8]) -> Vec<u8> {
    let text = replace_all(text, b"+", b"%20");
    let text = replace_all(&text, b"*", b"%2A");
    replace_all(&text, b"%7E", b"~")
}

fn node_path_replacements(path: &[u8]) -> Vec<u8> {
    let path = replace_first(path, b"+", b"%20");
    let path = replace_first(&path, b"*", b"%2A");
    replace_first(&path, b"%7E", b"~")
}

// ---------------------------------------------------------------------------
// Scheme acs
// ---------------------------------------------------------------------------

/// The text that the scheme `acs` signs.
pub fn acs_string_to_sign(
    dialect: Acs,
    method: &str,
    target: &[u8],
    headers: &[Header],
) -> Option<Vec<u8>> {
    let (path, query) = split_target(target);

    let mut accept = line(headers, "accept")?;
    if dialect == Acs::Node && !headers.iter().any(|(name, _)| name == "accept") {
        accept = b"undefined".to_vec();
    }

    let mut out = Vec::new();
    out.extend_from_slice(method.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(&accept);
    out.push(b'\n');
    for name in ["content-md5", "content-type", "date"] {
        out.extend_from_slice(&line(headers, name)?);
        out.push(b'\n');
    }
    for name in names_with_prefix(headers, "x-acs-") {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        out.extend_from_slice(&line(headers, &name)?);
        out.push(b'\n');
    }
    out.extend_from_slice(or_slash(path));
    out.extend_from_slice(&acs_query(dialect, query));
    Some(out)
}

/// `base64(HMAC-SHA1(secret, string_to_sign))`.
pub fn acs_signature(secret: &[u8], string_to_sign: &[u8]) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).expect("any key length");
    mac.update(string_to_sign);
    to_base64(&mac.finalize().into_bytes())
}

/// Nothing without parameters, otherwise these after a `?`.
fn acs_query(dialect: Acs, query: &[u8]) -> Vec<u8> {
    let mut pairs = form_pairs(query);
    if matches!(dialect, Acs::Node | Acs::Java) {
        pairs = pairs.iter().map(|(key, value)| (lossy(key), lossy(value))).collect();
    }
    if pairs.is_empty() {
        return Vec::new();
    }

    let order = match dialect {
        Acs::Py | Acs::Go => bytes_order,
        Acs::Node | Acs::Java => utf16_order,
    };
    pairs.sort_by(|a, b| order(&a.0, &b.0).then(order(&a.1, &b.1)));
    let mut parts = Vec::new();
    for (key, value) in pairs {
        if value.is_empty() && dialect != Acs::Node {
            parts.push(key);
        } else {
            parts.push([key, value].join(&b'='));
        }
    }
    [b"?".to_vec(), parts.join(&b'&')].concat()
}

// ---------------------------------------------------------------------------
// Headers
// ---------------------------------------------------------------------------

/// What becomes of a header that is there more than once.
#[derive(Clone, Copy)]
enum Repeated {
    First,
    /// In wire order, joined by `,`.
    Joined,
    /// Sorted, then joined by `,`.
    SortedJoined,
    /// Neither the contract nor a vector says it.
    Unsaid,
}

impl Repeated {
    /// The outer `None` says that it is unsaid; the inner one that there is no such
    /// header.
    fn value(self, headers: &[Header], name: &str) -> Option<Option<Vec<u8>>> {
        let mut values: Vec<Vec<u8>> = Vec::new();
        for (n, value) in headers {
            if n == name {
                values.push(value.clone());
            }
        }
        if values.len() < 2 {
            return Some(values.pop());
        }
        match self {
            Repeated::First => Some(values.first().cloned()),
            Repeated::Joined => Some(Some(values.join(&b','))),
            Repeated::SortedJoined => {
                values.sort();
                Some(Some(values.join(&b',')))
            }
            Repeated::Unsaid => None,
        }
    }
}

/// The value of a header that has a line of its own, or nothing. There is one: what several
/// would be is unsaid.
fn line(headers: &[Header], name: &str) -> Option<Vec<u8>> {
    Some(Repeated::Unsaid.value(headers, name)?.unwrap_or_default())
}

fn names_with_prefix(headers: &[Header], prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (name, _) in headers {
        if name.starts_with(prefix) {
            names.insert(name.clone());
        }
    }
    names
}

// ---------------------------------------------------------------------------
// Targets, paths and queries
// ---------------------------------------------------------------------------

/// A key, and the value if there was a `=`.
pub(crate) type Pair = (Vec<u8>, Option<Vec<u8>>);

/// The path, and the query after the first `?`.
fn split_target(target: &[u8]) -> (&[u8], &[u8]) {
    match target.iter().position(|&b| b == b'?') {
        Some(i) => (&target[..i], &target[i + 1..]),
        None => (target, b""),
    }
}

/// A path, `/` when it is empty: on the wire it never is.
fn or_slash(path: &[u8]) -> &[u8] {
    if path.is_empty() { b"/" } else { path }
}

pub(crate) fn cut_at_equals(part: &[u8]) -> Pair {
    match part.iter().position(|&b| b == b'=') {
        Some(i) => (part[..i].to_vec(), Some(part[i + 1..].to_vec())),
        None => (part.to_vec(), None),
    }
}

/// The usual way: cut at `&`, drop empty parts, cut at the first `=`, decode
/// escapes and `+`, keep malformed escapes.
pub(crate) fn form_pairs(query: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut pairs = Vec::new();
    for part in query.split(|&b| b == b'&') {
        if part.is_empty() {
            continue;
        }
        let (key, value) = cut_at_equals(part);
        pairs.push((form_decode(&key), form_decode(&value.unwrap_or_default())));
    }
    pairs
}

/// Go's way: as the usual one, but a part with a bare `;` or a malformed
/// escape is dropped. A key always has a value.
fn go_pairs(query: &[u8]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for part in query.split(|&b| b == b'&') {
        if part.is_empty() || part.contains(&b';') {
            continue;
        }
        let (key, value) = cut_at_equals(part);
        let key = form_decode_strict(&key);
        let value = form_decode_strict(&value.unwrap_or_default());
        if let (Some(key), Some(value)) = (key, value) {
            pairs.push((key, Some(value)));
        }
    }
    pairs
}

// ---------------------------------------------------------------------------
// Percent encoding
// ---------------------------------------------------------------------------

/// Decodes `%` and two hex digits; any other `%` stays.
pub(crate) fn percent_decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut i = 0;
    while i < text.len() {
        match escape_at(text, i) {
            Some(byte) => {
                out.push(byte);
                i += 3;
            }
            None => {
                out.push(text[i]);
                i += 1;
            }
        }
    }
    out
}

/// Decodes `%` and two hex digits; any other `%` is refused.
pub(crate) fn percent_decode_strict(text: &[u8]) -> Option<Vec<u8>> {
    for (i, &byte) in text.iter().enumerate() {
        // No escape can begin within another one, as `%` is no hex digit.
        if byte == b'%' && escape_at(text, i).is_none() {
            return None;
        }
    }
    Some(percent_decode(text))
}

/// `+` is a space, then as [`percent_decode`].
fn form_decode(text: &[u8]) -> Vec<u8> {
    percent_decode(&replace_all(text, b"+", b" "))
}

/// `+` is a space, then as [`percent_decode_strict`].
fn form_decode_strict(text: &[u8]) -> Option<Vec<u8>> {
    percent_decode_strict(&replace_all(text, b"+", b" "))
}

/// The byte that is escaped at `i`, if one is.
pub(crate) fn escape_at(text: &[u8], i: usize) -> Option<u8> {
    if text[i] != b'%' || i + 2 >= text.len() {
        return None;
    }
    let high = char::from(text[i + 1]).to_digit(16)?;
    let low = char::from(text[i + 2]).to_digit(16)?;
    Some((high * 16 + low) as u8)
}

/// Everything but `A-Z a-z 0-9 - _ . ~` becomes `%` and two upper-case digits.
pub(crate) fn rfc3986_encode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for &byte in text {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

// ---------------------------------------------------------------------------
// Text
// ---------------------------------------------------------------------------

/// UTF-8, with U+FFFD for what is not, as decoders do whose strings are of
/// characters: one for each longest beginning of a character.
fn lossy(bytes: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(bytes).into_owned().into_bytes()
}

fn bytes_order(a: &[u8], b: &[u8]) -> Ordering {
    a.cmp(b)
}

/// The order of JavaScript and Java strings: a character beyond U+FFFF comes
/// before U+E000 to U+FFFF.
fn utf16_order(a: &[u8], b: &[u8]) -> Ordering {
    fn units(text: &[u8]) -> Vec<u16> {
        String::from_utf8_lossy(text).encode_utf16().collect()
    }
    units(a).cmp(&units(b))
}

fn replace_all(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut i = 0;
    while i < text.len() {
        if text[i..].starts_with(from) {
            out.extend_from_slice(to);
            i += from.len();
        } else {
            out.push(text[i]);
            i += 1;
        }
    }
    out
}

fn replace_first(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    for i in 0..text.len() {
        if text[i..].starts_with(from) {
            return [&text[..i], to, &text[i + from.len()..]].concat();
        }
    }
    text.to_vec()
}

// ---------------------------------------------------------------------------
// Digests
// ---------------------------------------------------------------------------

fn hmac_sha256(secret: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any key length");
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        out += &format!("{byte:02x}");
    }
    out
}

fn to_base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documentation's worked example.
    #[test]
    fn documented_fc_resource() {
        let target = b"/2016-08-15/proxy/service-name/func-name/path-with-%20-space/action\
            ?x=1&a=2&x=3&with%20space=foo%20bar";
        let got = fc_string_to_sign(Fc::STANDARD, false, "GET", target, &[]).unwrap();
        let want = b"GET\n\n\n\n\
            /2016-08-15/proxy/service-name/func-name/path-with- -space/action\n\
            a=2\nwith space=foo bar\nx=1\nx=3";
        assert_eq!(got, want);
    }

    /// The documentation's known answer for signature V3.
    #[test]
    fn documented_acs3_signature() {
        let empty = Algorithm::Sha256.hash_hex(b"");
        let headers: Vec<Header> = [
            ("host", "ecs.cn-shanghai.aliyuncs.com"),
            ("x-acs-action", "RunInstances"),
            ("x-acs-content-sha256", &empty),
            ("x-acs-date", "2023-10-26T10:22:32Z"),
            ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
            ("x-acs-version", "2014-05-26"),
        ]
        .map(|(n, v)| (n.to_string(), v.as_bytes().to_vec()))
        .to_vec();
        let names: Vec<&str> = headers.iter().map(|(n, _)| n.as_str()).collect();
        let target = b"/?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd\
            &RegionId=cn-shanghai";
        let request =
            acs3_canonical_request(Acs3::Standard, &names, "POST", target, &headers).unwrap();
        assert_eq!(
            acs3_signature(Algorithm::Sha256, b"YourAccessKeySecret", &request),
            "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
        );
    }

    #[test]
    fn standard_acs3_form() {
        let path = acs3_path(Acs3::Standard, b"/a%2fb/%7e+*//%zz%FF");
        assert_eq!(path, b"/a%2Fb/~%2B%2A//%25zz%FF");
        assert_eq!(acs3_path(Acs3::Standard, b""), b"/");
        let query = acs3_query(Acs3::Standard, b"b=2&a=1+1&&a&b=%2B;c&=x");
        assert_eq!(query, b"=x&a=&a=1%201&b=%2B%3Bc&b=2");
    }

    #[test]
    fn replacement_characters() {
        assert_eq!(lossy(b"\xE3\x81A"), "\u{FFFD}A".as_bytes());
        assert_eq!(lossy(b"\xC0\xAF"), "\u{FFFD}\u{FFFD}".as_bytes());
    }

    #[test]
    fn what_nobody_says_is_not_made_up() {
        let twice = |name: &str| vec![(name.to_string(), b"1".to_vec()); 2];
        let fc = |dialect, name| fc_string_to_sign(dialect, false, "GET", b"/", &twice(name));
        assert!(fc(Fc::STANDARD, "x-fc-a").is_some());
        assert!(fc(Fc::PyGateway, "x-fc-a").is_none());
        assert!(fc(Fc::STANDARD, "content-type").is_none());
        assert!(fc(Fc::STANDARD, "accept").is_some());
        assert!(acs_string_to_sign(Acs::Go, "GET", b"/", &twice("accept")).is_none());
        let acs3 = |names: &[&str], name| {
            acs3_canonical_request(Acs3::Standard, names, "GET", b"/", &twice(name))
        };
        assert!(acs3(&["x-acs-a"], "x-acs-a").is_some());
        assert!(acs3(&[], "x-acs-content-sha256").is_none());
        let target = b"/?x-fc-expires=1&x-fc-expires=1";
        assert!(fc_string_to_sign(Fc::STANDARD, false, "GET", target, &[]).is_none());
        assert!(fc_string_to_sign(Fc::PyGateway, false, "GET", target, &[]).is_some());
    }
}
