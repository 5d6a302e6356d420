//! The real Python and Node SDKs, over loopback, against this crate.
//!
//! `tests/interop/README.md` says what the scripts do. The SDKs are installed below `target/`,
//! once for each set of versions. Without `python3` or `node`, or without a way to install, a
//! test is ignored and says why; with `CI` in the environment it fails.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "interop/sdks.rs"]
mod sdks;
#[path = "common/setup.rs"]
mod setup;
#[cfg(feature = "jwt")]
#[path = "interop/tokens.rs"]
mod tokens;

use axum::{Extension, Router, body::Bytes};
use http::{Request, request::Parts};
use sdks::{NODE_SDKS, PYTHON_SDKS, Sdk, finish};
use serde_json::{Value, json};
use setup::{named, needing};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
#[cfg(feature = "jwt")]
use tokens::tokens_of_pyjwt_are_judged_rightly;
use tower_fc::digest::CheckDigestLayer;
use tower_fc::protocol::{self, Ambiguity, Dialect, Dialects, Schemes};
use tower_fc::verify::Mode;
use tower_fc::{Credentials, Scheme, Signer, StaticKeys, VerifiedCaller, Verifier, VerifyLayer};

const SECRET: &str = "an-example-secret";

/// An access key without a security token, and one with. `@alicloud/fc2` takes an id for that of
/// a temporary key when it begins with `STS`.
const KEYS: [(&str, Option<&str>); 2] =
    [("LTAI5tExample", None), ("STS.NExample", Some("CAIS/example+token=="))];

fn main() -> ExitCode {
    let python = named![
        requests_of_the_python_sdks_are_judged_rightly,
        the_python_sdks_sign_what_we_sign,
        every_call_of_the_python_sdks_passes_under_their_names,
    ];
    let node = named![
        requests_of_the_node_sdks_are_judged_rightly,
        the_node_sdks_sign_what_we_sign,
        every_call_of_the_node_sdks_passes_under_their_names,
    ];
    #[cfg(feature = "jwt")]
    let tokens = named![tokens_of_pyjwt_are_judged_rightly];
    #[cfg(not(feature = "jwt"))]
    let tokens = named![];
    let python = needing(Some(&PYTHON_SDKS), python).chain(needing(Some(&PYTHON_SDKS), tokens));
    setup::run(python.chain(needing(Some(&NODE_SDKS), node)))
}

// --- what the SDKs send ----------------------------------------------------------------------

#[tokio::main(flavor = "current_thread")]
async fn requests_of_the_python_sdks_are_judged_rightly() {
    let own: [(&str, Dialects); 4] = [
        ("fc/", Dialect::FcPyGateway.into()),
        ("acs3-doc/", Dialect::Acs3PyDoc.into()),
        ("acs3/", Dialect::Acs3Py.into()),
        ("acs/", Dialect::Standard.into()),
    ];
    judge_all(Sdk::Python, &own, PYTHON).await;
}

#[tokio::main(flavor = "current_thread")]
async fn requests_of_the_node_sdks_are_judged_rightly() {
    let own: [(&str, Dialects); 4] = [
        ("fc/", [Dialect::FcNodeFc2, Dialect::FcApi].into()),
        ("acs3-doc/", Dialect::Acs3NodeDoc.into()),
        ("acs3/", Dialect::Acs3Node.into()),
        ("acs/", Dialect::AcsNode.into()),
    ];
    judge_all(Sdk::Node, &own, NODE).await;
}

/// Has every case sent to a server that accepts its own dialects, to one that accepts all, and to
/// one that accepts all and what is ambiguous, with each access key.
async fn judge_all(sdk: Sdk, own: &[(&str, Dialects)], known: &Knowledge) {
    let mut faults = Vec::new();
    for key in KEYS {
        let mut cases = 0;
        for (prefix, dialects) in own {
            for answer in sdk.send(key, prefix, |strict| strict.with_dialects(*dialects)).await {
                faults.extend(answer.fault(Server::OwnDialects, known));
                cases += 1;
            }
        }
        let all = |strict: Verifier<_>| strict.with_dialects(Dialects::all());
        let answers = sdk.send(key, "", all).await;
        assert_eq!(answers.len(), cases, "every case has its own dialect");
        faults.extend(answers.iter().filter_map(|answer| answer.fault(Server::AllDialects, known)));
        let lenient = |strict| all(strict).with_insecure_observation();
        let answers = sdk.send(key, "", lenient).await;
        faults.extend(answers.iter().filter_map(|answer| answer.fault(Server::Lenient, known)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Server {
    OwnDialects,
    AllDialects,
    Lenient,
    /// It was told of the SDK by name.
    Named,
}

/// What is known of a case beyond what its script expects.
enum Known {
    /// The strict rules refuse it.
    Ambiguous(Ambiguity),
    /// What is sent is not what was signed, but what another dialect would have signed.
    InAnother(Dialect),
    /// The signature is over the digest of another body.
    OtherBody,
}

type Knowledge = [(&'static str, Known)];

const PYTHON: &Knowledge = &[
    ("fc/signed/path-pct2f", Known::Ambiguous(Ambiguity::PathSlash)),
    ("fc/signed/query-plus", Known::Ambiguous(Ambiguity::Plus)),
    ("fc/signed/query-semicolon", Known::Ambiguous(Ambiguity::Semicolon)),
    ("fc/signed/query-pct26", Known::Ambiguous(Ambiguity::ValueAmpersand)),
    ("fc/signed/query-pct0a", Known::Ambiguous(Ambiguity::ValueNewline)),
    ("fc/own/md5-of-another-body", Known::OtherBody),
    ("acs3-doc/query-repeated", Known::Ambiguous(Ambiguity::RepeatedKey)),
    ("acs3-doc/query-empty-value", Known::Ambiguous(Ambiguity::BlankValue)),
    ("acs3-doc/query-valueless", Known::Ambiguous(Ambiguity::BlankValue)),
    ("acs3-doc/rewritten/path-unicode-raw", Known::InAnother(Dialect::Acs3GoDoc)),
    ("acs3-doc/rewritten/path-raw-space", Known::InAnother(Dialect::Acs3GoDoc)),
    ("acs3/refused/body-changed", Known::OtherBody),
];

const NODE: &Knowledge = &[
    ("fc/query-line-feed", Known::Ambiguous(Ambiguity::ValueNewline)),
    ("fc/api-list-services", Known::Ambiguous(Ambiguity::UnsignedQuery)),
    ("fc/rewritten/path-quote", Known::InAnother(Dialect::Standard)),
    ("acs3-doc/path-plus", Known::Ambiguous(Ambiguity::PathPlus)),
    ("acs3-doc/path-plus-twice", Known::Ambiguous(Ambiguity::PathPlus)),
    ("acs3-doc/query-repeated", Known::Ambiguous(Ambiguity::RepeatedKey)),
    ("acs3/refused/body-changed", Known::OtherBody),
];

/// A case of an SDK, and what became of it.
struct Answer {
    case: Value,
    /// As whom it was let in, if it was.
    caller: Option<VerifiedCaller>,
}

impl Answer {
    /// What is wrong about the answer, if anything is.
    fn fault(&self, server: Server, known: &Knowledge) -> Option<String> {
        let case = &self.case;
        let name = case["name"].as_str().unwrap();
        let own: Dialect = case["dialect"].as_str().unwrap().parse().unwrap();
        let known = known.iter().find(|(known, _)| *known == name).map(|(_, known)| known);
        // 0 where nobody knows.
        let by_script = case["expect"].as_u64().unwrap_or_default();
        let (status, text, dialect) = match (known, server) {
            _ if name.contains("sm3") && !cfg!(feature = "sm3") => (403, "", None),
            (Some(Known::Ambiguous(_)), Server::Lenient) => (200, "", None),
            (Some(Known::Ambiguous(ambiguity)), _) => (403, ambiguity.rule(), None),
            (Some(Known::InAnother(_)), Server::OwnDialects | Server::Named) => {
                (403, "SignatureNotMatch", None)
            }
            (Some(Known::InAnother(other)), _) => (200, "", Some(*other)),
            (Some(Known::OtherBody), _) => {
                (403, "the request body does not match its signed", None)
            }
            (None, Server::OwnDialects) => (by_script, "", Some(own)),
            (None, _) => (by_script, "", None),
        };
        let body = case["body"].as_str().unwrap_or_default();
        let as_expected = case["status"] == status && body.contains(text);
        let identity_fits = match &self.caller {
            None => status != 200 || case["anonymous"] == true,
            Some(caller) => {
                caller.scheme().name().starts_with(case["scheme"].as_str().unwrap())
                    && dialect.is_none_or(|dialect| caller.dialect() == dialect)
                    && match known {
                        Some(Known::Ambiguous(it)) => caller.ambiguities().any(|each| each == *it),
                        // The order of values is covered by no scheme.
                        _ => caller.ambiguities().all(|each| each == Ambiguity::ValueOrder),
                    }
            }
        };
        let caller = &self.caller;
        (!as_expected || !identity_fits).then(|| {
            format!("{name} to {server:?}: not {status} {text} {dialect:?} but {caller:?}, {case}")
        })
    }
}

// --- every call, by the name of the SDK --------------------------------------------------------

#[tokio::main(flavor = "current_thread")]
async fn every_call_of_the_python_sdks_passes_under_their_names() {
    for (package, sdk) in [
        ("alibabacloud_fc20230330", protocol::Sdk::PythonFc20230330),
        ("alibabacloud_fc_open20210406", protocol::Sdk::PythonFcOpen20210406),
    ] {
        every_call(Sdk::Python, package, sdk, |_| None).await;
    }
    // The FC way of the latter, and of the utility that it signs by.
    for sdk in [protocol::Sdk::PythonFcOpen20210406, protocol::Sdk::PythonGatewayFcUtil] {
        every_case(Sdk::Python, "fc/", sdk, PYTHON).await;
    }
    for prefix in ["acs3/", "acs3-doc/", "acs/"] {
        every_case(Sdk::Python, prefix, protocol::Sdk::PythonOpenApiUtil, PYTHON).await;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn every_call_of_the_node_sdks_passes_under_their_names() {
    let steering = |case: &Value| {
        let is_steering = case["name"] == "invokeFunctionLater";
        is_steering.then_some("must be signed")
    };
    every_call(Sdk::Node, "@alicloud/fc20230330", protocol::Sdk::NodeFc20230330, steering).await;
    // Their parameters are not signed; those of calls of a trigger are.
    let management = |case: &Value| {
        let is_trigger = ["get", "post", "put", "delete"].contains(&case["name"].as_str()?);
        (case["query"] == true && !is_trigger).then_some(Ambiguity::UnsignedQuery.rule())
    };
    every_call(Sdk::Node, "@alicloud/fc2", protocol::Sdk::NodeFc2, management).await;
    every_case(Sdk::Node, "fc/", protocol::Sdk::NodeFc2, NODE).await;
    for prefix in ["acs3/", "acs3-doc/", "acs/"] {
        every_case(Sdk::Node, prefix, protocol::Sdk::NodeOpenApiUtil, NODE).await;
    }
}

/// Makes every call that an SDK has, to a server that expects this SDK: each passes that is not
/// refused for a reason that is known.
async fn every_call(
    language: Sdk,
    package: &str,
    sdk: protocol::Sdk,
    refused: impl Fn(&Value) -> Option<&'static str>,
) {
    let mut faults = Vec::new();
    for (id, token) in KEYS {
        let keys = StaticKeys::new().with_key(id, credentials(id, token).key().clone());
        let verifier = Verifier::new(keys).with_sdks([sdk]);
        let base = serve(verifier, Mode::Required, &LetIn::default()).await;
        let mut command = language.script("every");
        command.args(["--base", &base, "--package", package]);
        command.env("ALIBABA_CLOUD_ACCESS_KEY_ID", id);
        command.env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET);
        command.env("ALIBABA_CLOUD_SECURITY_TOKEN", token.unwrap_or_default());
        let cases = finish(command, "").await;
        assert!(cases.len() > 50, "{package}: {} calls", cases.len());
        faults.extend(cases.into_iter().filter(|case| match refused(case) {
            None => case["status"] != 200,
            Some(rule) => {
                let body = case["body"].as_str().unwrap_or_default();
                case["status"] != 403 || !body.contains(rule)
            }
        }));
    }
    assert!(faults.is_empty(), "{sdk:?}: {faults:#?}");
}

/// Has the cases sent whose names begin with `prefix`, to a server that expects this SDK.
async fn every_case(language: Sdk, prefix: &str, sdk: protocol::Sdk, known: &Knowledge) {
    for key in KEYS {
        let answers = language.send(key, prefix, |strict| strict.with_sdks([sdk])).await;
        let faults =
            answers.iter().filter(|answer| !answer.case["name"].as_str().unwrap().contains("sm3"));
        let faults: Vec<_> =
            faults.filter_map(|answer| answer.fault(Server::Named, known)).collect();
        assert!(faults.is_empty(), "{sdk:?}: {}", faults.join("\n"));
    }
}

// --- what the SDKs sign ----------------------------------------------------------------------

#[tokio::main(flavor = "current_thread")]
async fn the_python_sdks_sign_what_we_sign() {
    same_signatures(
        Sdk::Python,
        &[
            ("fc/py-gateway", Scheme::Fc),
            ("acs3/py", Scheme::Acs3HmacSha256),
            #[cfg(feature = "sm3")]
            ("acs3/py", Scheme::Acs3HmacSm3),
            ("acs/py", Scheme::Acs),
        ],
    )
    .await;
}

#[tokio::main(flavor = "current_thread")]
async fn the_node_sdks_sign_what_we_sign() {
    same_signatures(
        Sdk::Node,
        &[
            ("fc/node-fc2", Scheme::Fc),
            ("acs3/node", Scheme::Acs3HmacSha256),
            #[cfg(feature = "sm3")]
            ("acs3/node", Scheme::Acs3HmacSm3),
            ("acs/node", Scheme::Acs),
        ],
    )
    .await;
}

/// Where these SDKs follow the documentation: parameters in order, each of them once, with names
/// that need no encoding. (`acs/node` does not, where a value is blank.)
const TARGETS: [&str; 9] = [
    "/",
    "/hello",
    "/a/b//c/",
    "/2016-08-15/proxy/service-name/func-name/action?a=2&x=1",
    "/q?a=1",
    "/q?A=1&a-b=3&a1=4&a=2&b=5",
    "/q?empty=&full=1",
    "/q?s=foo%20bar%2F%3F%3A%40%24%2C~",
    "/q?v=%E5%80%BC%20%C3%A9%F0%9F%98%80",
];

/// Signs requests with the crate, and has the SDKs sign what came of it.
async fn same_signatures(sdk: Sdk, dialects: &[(&str, Scheme)]) {
    let mut questions = Vec::new();
    let mut expected = Vec::new();
    for (id, token) in KEYS {
        for (dialect, scheme) in dialects {
            let signer = Signer::new(credentials(id, token)).with_scheme(*scheme).unwrap();
            for target in TARGETS {
                if *dialect == "acs/node" && target.contains("=&") {
                    continue;
                }
                for method in ["GET", "POST"] {
                    let (question, answer) = question(dialect, &signer, method, target);
                    questions.push(question);
                    expected.push(answer);
                }
            }
        }
    }
    for (answer, expected) in sdk.ask(&questions).await.iter().zip(&expected) {
        assert_eq!(answer, expected);
    }
}

/// What to ask an SDK about a request, and what it should answer by the crate's own lights.
fn question(dialect: &str, signer: &Signer, method: &str, target: &str) -> (Value, Value) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_283_820);
    let mut parts = request(signer.scheme(), method, target);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let string_to_sign = text(signer.string_to_sign_at(&parts, now).unwrap());
    let canonical_request = signer.canonical_request_at(&parts, now).unwrap().map(text);
    signer.sign_at(&mut parts, now).unwrap();

    let id = signer.credentials().access_key_id();
    let name = format!("{id} {dialect} {} {method} {target}", signer.scheme());
    let pairs = parts.headers.iter();
    let headers: BTreeMap<_, _> =
        pairs.map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    let question = json!({
        "name": name,
        "scheme": signer.scheme().name(),
        "dialect": dialect,
        "algorithm": signer.scheme().token(),
        "method": method,
        "target": target,
        "headers": headers,
        "body": body(method),
        "access_key_id": id,
        "access_key_secret": SECRET,
    });
    let answer = json!({
        "name": name,
        "string_to_sign": string_to_sign,
        "canonical_request": canonical_request,
        "authorization": headers["authorization"],
        "error": null,
    });
    (question, answer)
}

fn body(method: &str) -> &'static str {
    if method == "POST" { "{\"name\":\"\u{4f60}\"}" } else { "" }
}

/// A request with headers of every kind that a scheme signs, and no others.
fn request(scheme: Scheme, method: &str, target: &str) -> Parts {
    let mut request = Request::builder().method(method).uri(target);
    if method == "POST" {
        request = request.header("content-type", "application/json; charset=utf-8");
    }
    let hex = |hash: &[u8]| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let digest = match scheme {
        Scheme::Acs3HmacSha256 => Some(hex(&Sha256::digest(body(method)))),
        #[cfg(feature = "sm3")]
        Scheme::Acs3HmacSm3 => Some(hex(&sm3::Sm3::digest(body(method)))),
        _ => None,
    };
    request = match (scheme, digest) {
        (_, Some(digest)) => request
            .header("host", "demo.example")
            .header("x-acs-signature-nonce", "n-1")
            .header("x-acs-content-sha256", digest),
        (Scheme::Acs, _) => {
            request.header("accept", "application/json").header("x-acs-version", "2023-03-30")
        }
        _ => request.header("x-fc-trace-id", "t-1").header("x-fc-meta", "one  two"),
    };
    request.body(()).unwrap().into_parts().0
}

// --- the SDKs --------------------------------------------------------------------------------

fn credentials(id: &str, token: Option<&str>) -> Credentials {
    let credentials = Credentials::new(id, SECRET).unwrap();
    match token {
        Some(token) => credentials.with_security_token(token).unwrap(),
        None => credentials,
    }
}

/// What is asked of the SDKs.
impl Sdk {
    /// Has the cases sent whose names begin with `prefix`, to a server that verifies every scheme.
    async fn send(
        self,
        (id, token): (&str, Option<&str>),
        prefix: &str,
        settings: impl FnOnce(Verifier<StaticKeys>) -> Verifier<StaticKeys>,
    ) -> Vec<Answer> {
        let keys = StaticKeys::new().with_key(id, credentials(id, token).key().clone());
        let verifier = settings(Verifier::new(keys).with_schemes(Schemes::all()));
        let let_in = LetIn::default();
        let base = serve(verifier.clone(), Mode::Required, &let_in).await;

        let mut command = self.script("send");
        command.args(["--base", &base, "--only", prefix]);
        command.env("ALIBABA_CLOUD_ACCESS_KEY_ID", id);
        command.env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET);
        command.env("ALIBABA_CLOUD_SECURITY_TOKEN", token.unwrap_or_default());
        if matches!(self, Sdk::Python) && token.is_none() {
            let anonymous = serve(verifier, Mode::Optional, &let_in).await;
            command.args(["--anonymous-base", &anonymous]);
        }
        let cases = finish(command, "").await;
        assert!(!cases.is_empty(), "no case begins with {prefix}");
        // One request after the other, so those that were let in are in the order of the cases.
        let mut let_in = std::mem::take(&mut *let_in.lock().unwrap()).into_iter();
        let answer = |case: Value| {
            let caller = if case["status"] == 200 { let_in.next().unwrap() } else { None };
            Answer { case, caller }
        };
        let answers = cases.into_iter().map(answer).collect();
        assert!(let_in.next().is_none(), "a request was let in whose answer did not arrive");
        answers
    }

    /// What the SDK signs for these requests.
    async fn ask(self, entries: &[Value]) -> Vec<Value> {
        let input: String = entries.iter().map(|entry| format!("{entry}\n")).collect();
        let answers = finish(self.script("oracle"), &input).await;
        assert_eq!(answers.len(), entries.len());
        answers
    }
}

/// As whom requests were let in, in their order; `None` is anonymous.
type LetIn = Arc<Mutex<Vec<Option<VerifiedCaller>>>>;

/// Starts a server that verifies, compares bodies with their signed digests, and takes down as
/// whom it lets requests in. Returns its base URL.
async fn serve(verifier: Verifier<StaticKeys>, mode: Mode, let_in: &LetIn) -> String {
    let let_in = Arc::clone(let_in);
    let note = async move |caller: Option<Extension<VerifiedCaller>>, _: Bytes| {
        let_in.lock().unwrap().push(caller.map(|Extension(caller)| caller));
    };
    let app = Router::new()
        .fallback(note)
        .layer(CheckDigestLayer::new().buffered(1 << 20))
        .layer(VerifyLayer::new(verifier).with_mode(mode));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, app).await });
    base
}
