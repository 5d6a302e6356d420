//! How many instructions a request takes: what does not depend on other processes.
//!
//! Runs itself under `valgrind --tool=callgrind`, each row with two numbers of repetitions;
//! what the second run took more, divided by what it repeated more, is one request. Valgrind
//! knows no SHA instructions, so hashing is software there, and many times what it is
//! elsewhere: the compression functions are therefore a column of their own.
//!
//! ```text
//! cargo bench --bench instructions                  # all rows
//! cargo bench --bench instructions -- parameters/fc # rows that start so
//! cargo bench --bench instructions -- shape/fc/verify/typical # one row, by functions
//! ```

#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod shapes;

use http::Request;
use http::header::{AUTHORIZATION, HeaderValue};
use http::request::Parts;
use shapes::{Bare, Shape};
use std::collections::HashMap;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, SystemTime};
use tower::Layer;
use tower_fc::protocol::{Dialects, Schemes};
use tower_fc::{Scheme, SignLayer, StaticKeys, Verifier, VerifyLayer};

/// Asks the bench, started under valgrind, for one row: `ROW=name:repetitions`.
const ROW: &str = "INSTRUCTIONS_ROW";
const FEW: u64 = 20;
const PARAMETERS: [usize; 4] = [1, 10, 100, 1_000];
const HEADERS: [usize; 5] = [1, 3, 10, 30, 100];

fn main() {
    if let Ok(row) = std::env::var(ROW) {
        let (name, repetitions) = row.rsplit_once(':').unwrap();
        return run(name, repetitions.parse().unwrap());
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("skipped: there is no valgrind here");
        return;
    }
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    println!("{:<38} {:>12} {:>14} {:>12}", "row", "without hash", "of an element", "hash");
    for name in names().iter().filter(|name| name.starts_with(&filter)) {
        let more = more(name);
        let [few, many] = [FEW, FEW + more].map(|repetitions| Counts::of(name, repetitions));
        let each = |part: fn(&Counts) -> u64| (part(&many) - part(&few)) / more;
        let (rest, hash) = (each(Counts::rest), each(Counts::hash));
        let elements = name.rsplit('/').next().and_then(|last| last.parse::<u64>().ok());
        let element = elements.map_or(String::new(), |elements| (rest / elements).to_string());
        println!("{name:<38} {rest:>12} {element:>14} {hash:>12}");
        if *name == filter {
            let of_request = |(function, count): (&String, &u64)| {
                let before = few.0.get(function).copied().unwrap_or_default();
                (count.saturating_sub(before) / more, function.clone())
            };
            let mut functions: Vec<_> = many.0.iter().map(of_request).collect();
            functions.sort_unstable_by(|a, b| b.cmp(a));
            for (count, function) in functions.iter().take_while(|(count, _)| *count >= 20) {
                println!("    {count:>6} {function}");
            }
        }
    }
}

/// How many repetitions the second run has on top of the first. Starting the program takes some
/// hundred instructions more or less each time; refusals are compared to the last one.
fn more(name: &str) -> u64 {
    if name.starts_with("refuse") { 2_000 } else { 100 }
}

/// What each row is called: what it varies, the scheme, what is done, the size.
fn names() -> Vec<String> {
    let mut names = Vec::new();
    for scheme in ["fc", "acs3"] {
        for op in ["sign", "verify"] {
            names.extend(["small", "typical", "large"].map(|s| format!("shape/{scheme}/{op}/{s}")));
            names.extend(PARAMETERS.map(|n| format!("parameters/{scheme}/{op}/{n}")));
            names.extend(HEADERS.map(|n| format!("headers/{scheme}/{op}/{n}")));
        }
    }
    names.sort_by_key(|name| !name.starts_with("shape"));
    for scheme in ["fc", "acs3", "acs"] {
        let wrong = ["first-byte", "last-byte", "unknown-id", "all-dialects"];
        names.extend(wrong.map(|wrong| format!("refuse/{scheme}/{wrong}")));
    }
    names.extend(["bare", "sign", "verify"].map(|layer| format!("layer/fc/{layer}/typical")));
    if cfg!(feature = "trigger") {
        names.extend(["verify", "trigger"].map(|layer| format!("trigger/fc/{layer}/small")));
    }
    names
}

/// Instructions of a whole run of this program, by function.
struct Counts(HashMap<String, u64>);

impl Counts {
    fn of(name: &str, repetitions: u64) -> Self {
        let program = std::env::current_exe().unwrap();
        let profile = std::env::temp_dir().join(format!("callgrind.{}", std::process::id()));
        let status = Command::new("valgrind")
            .args(["--tool=callgrind", "--quiet", "--compress-strings=no"])
            .arg(format!("--callgrind-out-file={}", profile.display()))
            .arg(program)
            .env(ROW, format!("{name}:{repetitions:06}"))
            .status();
        match status {
            Ok(status) if status.success() => {}
            other => panic!("valgrind does not run: {other:?}"),
        }
        let text = std::fs::read_to_string(&profile).unwrap();
        std::fs::remove_file(profile).unwrap();
        Self::read(&text)
    }

    /// Reads callgrind's format: after `fn=` come the function's own costs, one line each,
    /// among those of its calls, of which each follows a line `calls=`.
    fn read(text: &str) -> Self {
        let mut counts = HashMap::new();
        let (mut function, mut of_call) = ("", false);
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("fn=") {
                function = name;
            } else if line.starts_with("calls=") {
                of_call = true;
            } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
                let cost = line.split(' ').nth(1).and_then(|cost| cost.parse::<u64>().ok());
                if !std::mem::take(&mut of_call) {
                    *counts.entry(function.to_owned()).or_default() += cost.unwrap_or_default();
                }
            }
        }
        Self(counts)
    }

    /// In the compression functions of hashes.
    fn hash(&self) -> u64 {
        self.0.iter().filter(|(name, _)| is_compression(name)).map(|(_, count)| count).sum()
    }

    fn rest(&self) -> u64 {
        self.0.values().sum::<u64>() - self.hash()
    }
}

fn is_compression(function: &str) -> bool {
    function.contains("compress") && (function.contains("sha1") || function.contains("sha2"))
}

/// Does what a row is about so many times.
fn run(name: &str, repetitions: u64) {
    let part: Vec<&str> = name.split('/').collect();
    let scheme = [Scheme::Fc, Scheme::Acs3HmacSha256, Scheme::Acs]
        .into_iter()
        .find(|scheme| scheme.name() == part[1])
        .unwrap();
    match part[0] {
        "refuse" => refuse(scheme, part[2], repetitions),
        #[cfg(feature = "trigger")]
        "trigger" => trigger(part[2], repetitions),
        "layer" => layer(part[2], repetitions),
        over => {
            let count = || part[3].parse().unwrap();
            let shape = match over {
                "parameters" => shapes::with_parameters(scheme, count()),
                "headers" => shapes::with_headers(scheme, count()),
                _ => shapes::all(scheme).into_iter().find(|s| s.name == part[3]).unwrap(),
            };
            if part[2] == "sign" {
                sign(scheme, &shape, repetitions);
            } else {
                verify(scheme, &shape, repetitions);
            }
        }
    }
}

/// The same in every run, so that signatures are.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000)
}

/// As of that time.
fn signed(scheme: Scheme, shape: &Shape) -> Parts {
    let mut parts = shape.unsigned();
    parts.uri = shape.target.parse().unwrap();
    shapes::signer(scheme).sign_at(&mut parts, now()).unwrap();
    parts
}

fn sign(scheme: Scheme, shape: &Shape, repetitions: u64) {
    let (signer, unsigned) = (shapes::signer(scheme), shape.unsigned());
    // Requests are made beforehand, as many in each run, and not dropped.
    let mut requests: Vec<Parts> =
        (0..FEW + more("sign")).map(|_| shapes::fresh(&unsigned)).collect();
    for parts in requests.iter_mut().take(repetitions as usize) {
        signer.sign_at(black_box(parts), now()).unwrap();
    }
    std::mem::forget(requests);
}

fn verify(scheme: Scheme, shape: &Shape, repetitions: u64) {
    let verifier = shapes::unbounded_verifier();
    let signed = signed(scheme, shape);
    for _ in 0..repetitions {
        black_box(verifier.verify_at(black_box(&signed), now()).unwrap());
    }
}

/// A typical request of which the signature, or the access key id, is wrong.
fn refuse(scheme: Scheme, wrong: &str, repetitions: u64) {
    let mut parts = signed(scheme, &shapes::typical(scheme));
    let mut text = parts.headers[AUTHORIZATION].to_str().unwrap().to_owned();
    if wrong == "unknown-id" {
        text = text.replace(shapes::ID, "LTAI5tExampleExampleKey2");
    } else {
        let start = text.trim_end_matches('=').rfind([':', '=']).unwrap() + 1;
        // The last digit of base64 that is all of it part of a byte.
        let last = text.trim_end_matches('=').len() - 2;
        let at = if wrong == "first-byte" { start } else { last };
        // Of the same kind: digits of hexadecimal and letters are read by other branches.
        let other = match &text[at..=at] {
            "0" => "1",
            digit if digit.parse::<u8>().is_ok() => "0",
            "a" => "b",
            _ => "a",
        };
        text.replace_range(at..=at, other);
    }
    parts.headers.insert(AUTHORIZATION, HeaderValue::from_str(&text).unwrap());
    // One key, as the way through a table of several differs from run to run.
    let keys = StaticKeys::new().with_key(shapes::ID, shapes::credentials().key().clone());
    let mut verifier = Verifier::new(keys).with_schemes(Schemes::all());
    if wrong == "all-dialects" {
        verifier = verifier.with_dialects(Dialects::all());
    }
    for _ in 0..repetitions {
        black_box(verifier.verify_at(black_box(&parts), now()).unwrap_err());
    }
}

/// One call of a service that is bare or behind a layer, with the copy of the request.
fn layer(which: &str, repetitions: u64) {
    let shape = shapes::typical(Scheme::Fc);
    let mut sign = SignLayer::new(shapes::signer(Scheme::Fc)).with_clock(now).layer(Bare);
    let mut verify = VerifyLayer::new(shapes::verifier()).with_clock(now).layer(Bare);
    let parts = if which == "verify" { signed(Scheme::Fc, &shape) } else { shape.unsigned() };
    for _ in 0..repetitions {
        let request = Request::from_parts(shapes::fresh(&parts), ());
        black_box(match which {
            "sign" => shapes::call(&mut sign, request).status(),
            "verify" => shapes::call(&mut verify, request).status(),
            _ => shapes::call(&mut Bare, request).status(),
        });
    }
}

/// One call of a service behind the layer that verifies, or behind a whole trigger.
#[cfg(feature = "trigger")]
fn trigger(which: &str, repetitions: u64) {
    let parts = signed(Scheme::Fc, &shapes::small(Scheme::Fc));
    let verify = VerifyLayer::new(shapes::verifier()).with_clock(now);
    let trigger = tower_fc::trigger::HttpTrigger::new(verify.clone()).with_clock(now);
    let (mut verify, mut trigger) = (verify.layer(Bare), trigger.layer(Bare));
    for _ in 0..repetitions {
        let body = http_body_util::Empty::<bytes::Bytes>::new();
        let request = Request::from_parts(shapes::fresh(&parts), body);
        black_box(match which {
            "verify" => shapes::call(&mut verify, request).status(),
            _ => shapes::call(&mut trigger, request).status(),
        });
    }
}
