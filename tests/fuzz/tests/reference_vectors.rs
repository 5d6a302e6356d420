//! Holds the reference to the golden vectors, stage by stage.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use serde_json::Value;
use tower_fc::protocol::Schemes;
use tower_fc::{RejectionKind, Verifier};
use tower_fc_fuzz::dates::at;
use tower_fc_fuzz::reference::*;
use tower_fc_fuzz::requests::{HTTP_DATE, KEYS, NOW, Request, key_store};
use tower_fc_fuzz::way::Way;

/// A dialect of any scheme.
#[derive(Clone, Copy)]
enum Dialect {
    Fc(Fc, bool),
    Acs3(Acs3),
    Acs(Acs),
}

impl Dialect {
    fn from_name(name: &str) -> Dialect {
        if let Some((dialect, presigned)) = Fc::from_name(name) {
            Dialect::Fc(dialect, presigned)
        } else if let Some(dialect) = Acs3::from_name(name) {
            Dialect::Acs3(dialect)
        } else if let Some(dialect) = Acs::from_name(name) {
            Dialect::Acs(dialect)
        } else {
            panic!("no dialect is named {name}")
        }
    }
}

struct Vector {
    json: Value,
    headers: Vec<Header>,
    /// What the request itself carries: scheme, signed names, signature.
    scheme: String,
    signed_headers: Vec<String>,
    signature: String,
}

impl Vector {
    fn text(&self, field: &str) -> &str {
        self.json[field].as_str().unwrap()
    }

    fn id(&self) -> &str {
        self.text("id")
    }

    /// A field that may be absent, or have its bytes in a `_base64` twin.
    fn bytes(&self, field: &str) -> Option<Vec<u8>> {
        if let Some(text) = self.json[format!("{field}_base64")].as_str() {
            return Some(from_base64(text));
        }
        Some(self.json[field].as_str()?.as_bytes().to_vec())
    }

    fn algorithm(&self) -> Algorithm {
        Algorithm::from_name(&self.scheme).unwrap()
    }

    /// What is hashed or signed first: the canonical request of `acs3`, the
    /// text to sign of the others.
    fn canonical(&self, dialect: Dialect) -> Option<Vec<u8>> {
        let method = self.text("method");
        let target = self.text("url").as_bytes();
        match dialect {
            Dialect::Fc(dialect, presigned) => {
                fc_string_to_sign(dialect, presigned, method, target, &self.headers)
            }
            Dialect::Acs3(dialect) => {
                let names: Vec<&str> = self.signed_headers.iter().map(String::as_str).collect();
                acs3_canonical_request(dialect, &names, method, target, &self.headers)
            }
            Dialect::Acs(dialect) => acs_string_to_sign(dialect, method, target, &self.headers),
        }
    }

    fn sign(&self, dialect: Dialect, canonical: &[u8]) -> String {
        let secret = self.text("access_key_secret").as_bytes();
        match dialect {
            Dialect::Fc(..) => fc_signature(secret, canonical),
            Dialect::Acs3(_) => acs3_signature(self.algorithm(), secret, canonical),
            Dialect::Acs(_) => acs_signature(secret, canonical),
        }
    }

    fn verifies(&self, dialect: Dialect) -> bool {
        match self.canonical(dialect) {
            Some(canonical) => self.sign(dialect, &canonical) == self.signature,
            None => false,
        }
    }
}

fn from_base64(text: &str) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

fn read(file: &str) -> Vec<Vector> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors").join(file);
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(parse).collect()
}

fn parse(line: &str) -> Vector {
    let json: Value = serde_json::from_str(line).unwrap();

    let mut headers = Vec::new();
    for header in json["headers"].as_array().unwrap() {
        let name = header[0].as_str().unwrap().to_ascii_lowercase();
        let value = header[1].as_str().unwrap().as_bytes().to_vec();
        headers.push((name, value));
    }

    let scheme;
    let mut signed_headers = Vec::new();
    let signature;
    if json["scheme"] == "fc-presigned" {
        scheme = "FC".to_string();
        let url = json["url"].as_str().unwrap();
        let encoded = url.split("x-fc-signature=").nth(1).unwrap();
        let encoded = encoded.split('&').next().unwrap();
        signature = encoded.replace("%2F", "/").replace("%2B", "+").replace("%3D", "=");
    } else {
        let (_, value) = headers.iter().find(|(n, _)| n == "authorization").unwrap();
        let value = String::from_utf8(value.clone()).unwrap();
        assert_eq!(value, json["authorization"].as_str().unwrap());
        let (first, rest) = value.split_once(' ').unwrap();
        scheme = first.to_string();
        if json["scheme"] == "acs3" {
            let rest = rest.strip_prefix("Credential=").unwrap();
            let (id, rest) = rest.split_once(",SignedHeaders=").unwrap();
            let (names, hex) = rest.split_once(",Signature=").unwrap();
            assert_eq!(id, json["access_key_id"].as_str().unwrap());
            signed_headers = names.split(';').map(str::to_string).collect();
            signature = hex.to_string();
        } else {
            let (id, base64) = rest.split_once(':').unwrap();
            assert_eq!(id, json["access_key_id"].as_str().unwrap());
            signature = base64.to_string();
        }
    }

    Vector { json, headers, scheme, signed_headers, signature }
}

#[test]
fn every_vector_verifies_under_its_own_dialect() {
    let vectors = read("dev.jsonl");
    assert_eq!(vectors.len(), 440);
    let mut wrong = Vec::new();
    for vector in &vectors {
        let dialect = Dialect::from_name(vector.text("dialect"));
        let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let Some(canonical) = vector.canonical(dialect) else {
            wrong.push(format!("{}: refused", vector.id()));
            continue;
        };
        let mut check = |stage: &str, got: &[u8], want: Option<Vec<u8>>| {
            if let Some(want) = want.filter(|want| want != got) {
                let (got, want) = (show(got), show(&want));
                wrong.push(format!("{} {stage}:\n{got:?}\n{want:?}", vector.id()));
            }
        };
        if let Dialect::Acs3(_) = dialect {
            let to_sign = acs3_string_to_sign(vector.algorithm(), &canonical);
            check("canonical request", &canonical, vector.bytes("canonical_request"));
            check("string to sign", &to_sign, vector.bytes("string_to_sign"));
        } else {
            check("string to sign", &canonical, vector.bytes("string_to_sign"));
        }
        let signature = vector.sign(dialect, &canonical);
        let want = vector.signature.clone().into_bytes();
        check("signature", signature.as_bytes(), Some(want));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn unverifiable_vectors_do_not() {
    let vectors = read("dev.unverifiable.jsonl");
    assert_eq!(vectors.len(), 28);
    for vector in &vectors {
        let dialect = Dialect::from_name(vector.text("dialect"));
        assert!(!vector.verifies(dialect), "{}", vector.id());

        // Some verify under other dialects, which the note then names.
        let note = vector.text("note");
        let mut others = Vec::new();
        for dialect in dialects_of(vector.text("scheme"), vector.text("dialect")) {
            if vector.verifies(Dialect::from_name(dialect)) {
                others.push(dialect);
            }
        }
        let named: Vec<&str> = match note.split_once("but verifies as ") {
            Some((_, names)) => {
                let names = names.split(';').next().unwrap();
                names.split(", ").collect()
            }
            None => Vec::new(),
        };
        assert_eq!(others, named, "{}: {note}", vector.id());
    }
}

/// The dialects that one table compares.
fn dialects_of(scheme: &str, dialect: &str) -> Vec<&'static str> {
    match scheme {
        "fc" => Fc::ALL.map(Fc::name).to_vec(),
        "fc-presigned" => vec!["fc-presigned/go-fc"],
        "acs" => Acs::ALL.map(Acs::name).to_vec(),
        "acs3" => {
            let doc = dialect.ends_with("-doc");
            let mut names = Acs3::ALL.map(Acs3::name).to_vec();
            names.retain(|n| *n != "acs3/standard" && n.ends_with("-doc") == doc);
            names
        }
        _ => panic!("unknown scheme {scheme}"),
    }
}

/// How many vectors of the row's dialect verify under each column's.
fn cross_table() -> BTreeMap<String, BTreeMap<&'static str, usize>> {
    let mut table: BTreeMap<String, BTreeMap<&'static str, usize>> = BTreeMap::new();
    for vector in read("dev.jsonl") {
        let own = vector.text("dialect");
        let row = table.entry(own.to_string()).or_default();
        *row.entry("n").or_default() += 1;
        let mut columns = dialects_of(vector.text("scheme"), own);
        if vector.text("scheme") == "acs3" {
            columns.push("acs3/standard");
        }
        for column in columns {
            let verified = vector.verifies(Dialect::from_name(column));
            *row.entry(column).or_default() += usize::from(verified);
        }
    }
    table
}

/// Compared in spirit only: the published table counts twice as many vectors.
#[test]
fn cross_table_looks_like_the_published_one() {
    let table = cross_table();
    for (row, columns) in &table {
        println!("{row}: {columns:?}");
    }
    for (row, columns) in &table {
        assert_eq!(columns[row.as_str()], columns["n"], "{row} under itself");
    }

    // Management calls and triggers never agree.
    for (column, count) in &table["fc/api"] {
        assert!(*count == 0 || ["n", "fc/api"].contains(column), "{column}");
    }
    for (row, columns) in &table {
        if row.starts_with("fc/") && row != "fc/api" {
            assert_eq!(columns["fc/api"], 0, "{row}");
        }
    }
    // All that Node's old SDK sends is the same to Java, and all that Go's old
    // SDK and Python's old SDK send is the same to each other's.
    let count = |row: &str, column: &str| table[row][column];
    assert_eq!(count("fc/node-fc2", "fc/java-gateway"), count("fc/node-fc2", "n"));
    for column in ["fc/go-gateway", "fc/py-fc2"] {
        assert_eq!(count("fc/go-fc", column), count("fc/go-fc", "n"));
    }
    // Python, Go and Java agree in `acs`.
    for row in ["acs/py", "acs/go", "acs/java", "acs/node"] {
        assert_eq!(count(row, "acs/py"), count(row, "acs/go"));
        assert_eq!(count(row, "acs/py"), count(row, "acs/java"));
    }
    // No dialect of the documented samples takes all of another's.
    for row in ["py", "node", "go", "java"] {
        for column in ["py", "node", "go", "java"] {
            let (row, column) = (format!("acs3/{row}-doc"), format!("acs3/{column}-doc"));
            if row != column {
                assert!(table[&row][column.as_str()] < table[&row]["n"], "{row} {column}");
            }
        }
    }
}

/// What an SDK is known to sign of a request that no vector has, where the contract says
/// otherwise: in place of the first text in what the reference gives, the second.
struct Departure {
    way: Way,
    target: &'static str,
    header: (&'static str, &'static str),
    contract: &'static str,
    sdk: &'static str,
}

const fn of_target(
    way: Way,
    target: &'static str,
    contract: &'static str,
    sdk: &'static str,
) -> Departure {
    Departure { way, target, header: ("content-type", "text/plain"), contract, sdk }
}

const fn of_header(
    way: Way,
    header: (&'static str, &'static str),
    contract: &'static str,
    sdk: &'static str,
) -> Departure {
    Departure { way, target: "/", header, contract, sdk }
}

const fn acs3(dialect: Acs3) -> Way {
    Way::Acs3(dialect, Algorithm::Sha256)
}

const SURROGATE: &str = "/?a=%ED%A0%80";
const HASH: (&str, &str) = ("x-acs-content-sha256", "e3b0c4");

const DEPARTURES: &[Departure] = &[
    // Python's URL parser takes a `;` in the last segment, and what follows it, as something
    // apart from the path. The contract signs the path.
    of_target(Way::Fc(Fc::PyGateway), "/a;b/c;d", "/a;b/c;d", "/a;b/c"),
    of_target(acs3(Acs3::PyDoc), "/a;b/c;d", "/a;b/c;d", "/a;b/c"),
    // Java makes one U+FFFD of an encoded surrogate, other decoders one of each of its bytes.
    of_target(Way::Fc(Fc::JavaGateway), SURROGATE, "\u{fffd}\u{fffd}\u{fffd}", "\u{fffd}"),
    of_target(Way::Acs(Acs::Java), SURROGATE, "\u{fffd}\u{fffd}\u{fffd}", "\u{fffd}"),
    of_target(acs3(Acs3::Java), SURROGATE, "%EF%BF%BD%EF%BF%BD%EF%BF%BD", "%EF%BF%BD"),
    of_target(acs3(Acs3::JavaDoc), SURROGATE, "%EF%BF%BD%EF%BF%BD%EF%BF%BD", "%EF%BF%BD"),
    // Go looks for x-fc-expires in the finished lines, where it cuts at every `=` and takes no
    // part that its parser dropped. Java takes one without a `=` for none.
    of_target(Way::Fc(Fc::GoGateway), "/?x-fc-expires=5=6", "\n5=6\n", "\n5\n"),
    of_target(Way::Fc(Fc::GoGateway), "/?x-fc-expires=5;", "\n5;\n", HTTP_DATE_LINE),
    of_target(Way::Fc(Fc::JavaGateway), "/?x-fc-expires", "plain\n\n", HTTP_DATE_AFTER_TYPE),
    // Go strips all `&` in front of the finished query, also where it is of the first name, or
    // that is empty.
    of_target(Way::Acs(Acs::Go), "/?=&a=1", "?&a=1", "?a=1"),
    of_target(acs3(Acs3::Go), "/?%26a=1", "\n&a=1", "\na=1"),
    of_target(acs3(Acs3::GoDoc), "/?%26a=1", "\n&a=1", "\na=1"),
    // Node signs a space for a tab.
    of_header(Way::Acs(Acs::Node), ("x-acs-a", "1\t2"), "1\t2", "1 2"),
    // The samples sign no body, whatever headers there are. The contract takes the header for the
    // payload where it is sent.
    of_header(acs3(Acs3::PyDoc), HASH, "\ne3b0c4", "\n"),
    of_header(acs3(Acs3::NodeDoc), HASH, "\ne3b0c4", "\n"),
    of_header(acs3(Acs3::GoDoc), HASH, "\ne3b0c4", "\n"),
    of_header(acs3(Acs3::JavaDoc), HASH, "\ne3b0c4", "\n"),
];
const HTTP_DATE_LINE: &str = "\nFri, 15 Jan 2027 08:00:00 GMT\n";
const HTTP_DATE_AFTER_TYPE: &str = "plain\nFri, 15 Jan 2027 08:00:00 GMT\n";

/// A verifier goes by the contract: it refuses these, whatever it lets through.
#[test]
fn what_sdks_sign_against_the_contract_is_refused() {
    assert!(HTTP_DATE_LINE.contains(HTTP_DATE));
    for Departure { way, target, header: (name, value), contract, sdk } in DEPARTURES {
        let verifier = Verifier::new(key_store())
            .with_schemes(Schemes::all())
            .with_dialects(way.dialect())
            .with_insecure_observation();
        let mut request = Request::get(target.as_bytes()).unwrap();
        request.date(*way, KEYS[0]);
        request.add(name.as_bytes(), value.as_bytes());
        let names = request.usual_names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();

        let text = String::from_utf8(way.canonical(&names, &request).unwrap()).unwrap();
        assert!(text.contains(contract), "{way:?} {text:?}");
        let by_contract = way.signature(KEYS[0].secret, text.as_bytes());
        let by_sdk = text.replacen(contract, sdk, 1);
        let by_sdk = way.signature(KEYS[0].secret, by_sdk.as_bytes());

        request.sign(*way, &names, KEYS[0]).unwrap();
        assert!(verifier.verify_at(&request.parts(), at(NOW)).is_ok(), "{way:?} {target}");
        let (_, authorization) = request.headers.last_mut().unwrap();
        let text = authorization.to_str().unwrap();
        *authorization = text.replace(&by_contract, &by_sdk).parse().unwrap();
        let rejection = verifier.verify_at(&request.parts(), at(NOW)).unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::SignatureMismatch, "{way:?} {target}");
    }
}
