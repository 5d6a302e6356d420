//! Where things are in `src`: `protocol/` is pure, imports run downwards only, and no two files
//! import each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The rooms, each above those that it may import. Rooms of one line know nothing of each other.
const ROOMS: [&[&str]; 8] = [
    &["error", "headers"],
    &["protocol"],
    &["awaiting", "clock", "random"],
    &["credentials", "keys", "release", "response"],
    &["digest", "observe", "replay", "sign", "verify"],
    &["test_util", "trigger"],
    &["invocation"],
    &["adapters"],
];

/// What `protocol/` has no use for: tower, clocks, async, input and output, randomness.
const IMPURE: [&str; 17] = [
    "tower",
    "SystemTime::now",
    "Instant",
    "async ",
    ".await",
    "Future",
    "std::fs",
    "std::io",
    "std::net",
    "std::env",
    "std::process",
    "std::thread::",
    "RandomState",
    "getrandom",
    "crate::random",
    "crate::clock",
    "println!",
];

/// How a clock is read that was not handed to whoever reads it.
const CLOCKS: [&str; 6] = [
    "SystemTime::now",
    "Instant::now",
    "SystemClock.now",
    ".elapsed()",
    "tokio::time",
    ".time_to_live(",
];

/// The files that read one, and why.
const READERS: [(&str, &str, &str); 18] = [
    ("clock", "SystemTime::now", "it is the clock of the system"),
    ("sign/now", "SystemClock.now", "signs and presigns as of now: others take the time"),
    ("adapters/reqwest/request", "SystemClock.now", "behind `reqwest`: the same"),
    ("verify", "SystemClock.now", "verifies as of now: others take the time"),
    ("test_util", "SystemClock.now", "behind `test-util`: when a key for tests was made"),
    ("keys/file", "Instant::now", "behind `key-file`: counts how long ago a file was looked at"),
    ("keys/file", ".elapsed()", "the same"),
    (
        "keys/file",
        "SystemClock.now",
        "the same: how old a change is goes by the file system's time",
    ),
    ("replay/redis", "Instant::now", "behind `redis`: how old a connection is"),
    ("replay/redis", ".elapsed()", "the same"),
    ("replay/redis", "tokio::time", "the same: how long an answer may take"),
    ("trigger/jwt/fetch", "tokio::time", "behind `jwks-fetch`: when keys are fetched again"),
    ("invocation/worker", "tokio::time", "behind `async-invocation`: pauses, leases, time-outs"),
    ("invocation/nats", "tokio::time", "behind `async-nats`: pauses while no server answers"),
    ("invocation/nats/queue", "tokio::time", "the same: how long an answer may take"),
    ("invocation/nats/state", "tokio::time", "the same"),
    ("invocation/nats/stream", "tokio::time", "the same: how often a connection is looked at"),
    ("keys/cache", ".time_to_live(", "behind `key-cache`: how long an answer is remembered"),
];

type Module = Vec<String>;

/// The code of each file by its module path, without comments and unit tests.
fn files() -> BTreeMap<Module, String> {
    let mut files = BTreeMap::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &[], &mut files);
    assert!(files.len() > 60, "{} files", files.len());
    files
}

fn read(dir: &Path, module: &[String], files: &mut BTreeMap<Module, String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut inside = module.to_vec();
        if !["mod", "lib"].contains(&stem.as_str()) {
            inside.push(stem);
        }
        if path.is_dir() {
            read(&path, &inside, files);
        } else if let Some(code) = code(&std::fs::read_to_string(&path).unwrap()) {
            files.insert(inside, code);
        }
    }
}

/// `None` for a file that is all tests: one that has `#[test]` outside of a module of tests.
fn code(text: &str) -> Option<String> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    if text.contains("#[test]") {
        return None;
    }
    Some(text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n"))
}

/// Every path that begins with `crate` or `super` in the code of a module, in full.
fn imports(module: &[String], code: &str) -> BTreeSet<Module> {
    let mut found = BTreeSet::new();
    for root in ["crate::", "super::"] {
        for (at, _) in code.match_indices(root) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|before| before.is_alphanumeric() || "_:".contains(before)) {
                continue;
            }
            expand(&[], &code[at..], &mut found);
        }
    }
    let absolute = |path: &Module| {
        let ups = path.iter().take_while(|segment| *segment == "super").count();
        let from = if ups > 0 { &module[..module.len().saturating_sub(ups)] } else { &[][..] };
        from.iter().chain(&path[ups.max(1)..]).cloned().collect::<Module>()
    };
    found.iter().map(absolute).collect()
}

/// The paths of a tree such as `a::{b, c::{d, e}}` at the front of a text. Returns what follows.
fn expand<'t>(lead: &[String], mut text: &'t str, found: &mut BTreeSet<Module>) -> &'t str {
    let mut path = lead.to_vec();
    loop {
        text = text.trim_start();
        if let Some(mut list) = text.strip_prefix('{') {
            loop {
                list = expand(&path, list, found).trim_start();
                match list.strip_prefix(',') {
                    Some(more) if !more.trim_start().starts_with('}') => list = more,
                    more => return more.unwrap_or(list).trim_start().trim_start_matches('}'),
                }
            }
        }
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        if end > 0 && &text[..end] != "self" {
            path.push(text[..end].to_owned());
        }
        match text[end..].strip_prefix("::") {
            Some(rest) if !rest.starts_with(['<', '*']) => text = rest,
            rest => {
                found.insert(path);
                return rest.unwrap_or(&text[end..]);
            }
        }
    }
}

/// What each file imports: for a path, the deepest file that it names.
fn edges(files: &BTreeMap<Module, String>) -> BTreeMap<&Module, BTreeSet<&Module>> {
    let file_of = |path: Module| {
        let mut ends = (1..=path.len()).rev();
        ends.find_map(|end| files.get_key_value(&path[..end]).map(|(file, _)| file))
    };
    let of = |(module, code): (&Module, &String)| {
        imports(module, code)
            .into_iter()
            .filter_map(file_of)
            .filter(|file| *file != module)
            .collect()
    };
    // The root hands out what others have.
    files
        .iter()
        .filter(|(module, _)| !module.is_empty())
        .map(|(module, code)| (module, of((module, code))))
        .collect()
}

#[test]
fn the_protocol_is_pure() {
    let files = files();
    let mut seen = 0;
    for (module, code) in
        files.iter().filter(|(module, _)| module[..].first().is_some_and(|room| room == "protocol"))
    {
        seen += 1;
        for word in IMPURE {
            assert!(!code.contains(word), "{} has {word}", module.join("/"));
        }
    }
    assert!(seen > 25, "{seen} files");
    // The words are those that are written elsewhere.
    let elsewhere = |word: &&str| files.values().any(|code| code.contains(*word));
    let found = IMPURE.iter().filter(|word| elsewhere(word)).count();
    assert!(found > 7, "{found} of {} words are found anywhere", IMPURE.len());
}

/// On `wasm32-unknown-unknown` reading one panics.
#[test]
fn nothing_reads_a_clock_but_what_is_handed_one() {
    let files = files();
    let read = |word: &str| {
        let readers = files.iter().filter(|(_, code)| code.contains(word));
        readers.map(|(module, _)| (module.join("/"), word.to_owned())).collect::<Vec<_>>()
    };
    let found: BTreeSet<_> = CLOCKS.iter().flat_map(|word| read(word)).collect();
    let known = READERS.map(|(file, word, _)| (file.to_owned(), word.to_owned()));
    assert_eq!(found, known.into());
}

#[test]
fn imports_run_downwards_only() {
    let files = files();
    let height = |room: &str| {
        ROOMS.iter().position(|rooms| rooms.contains(&room)).unwrap_or_else(|| {
            panic!("{room} is in no line of ROOMS");
        })
    };
    let mut seen = 0;
    for (module, imported) in edges(&files) {
        if module[0] == "macros" {
            continue;
        }
        for other in imported.into_iter().filter(|other| other[0] != module[0]) {
            seen += 1;
            let (from, to) = (height(&module[0]), height(&other[0]));
            assert!(from > to, "{} imports {}", module.join("/"), other.join("/"));
        }
    }
    assert!(seen > 100, "{seen} imports");
}

#[test]
fn no_two_files_import_each_other() {
    let files = files();
    let edges = edges(&files);
    for start in edges.keys() {
        let mut reached: BTreeSet<&Module> = BTreeSet::new();
        let mut next: Vec<&Module> = edges[start].iter().copied().collect();
        while let Some(file) = next.pop() {
            if reached.insert(file) {
                next.extend(edges.get(file).into_iter().flatten());
            }
        }
        assert!(!reached.contains(*start), "{} is in a circle", start.join("/"));
    }
}

#[test]
fn paths_are_read_from_code() {
    let module = ["a".to_owned(), "b".to_owned()];
    let read = |code: &str| -> Vec<String> {
        imports(&module, code).iter().map(|path| path.join("::")).collect()
    };
    assert_eq!(read("use crate::x::{y, z::{self, w}, v};"), ["x::v", "x::y", "x::z", "x::z::w"]);
    assert_eq!(read("use super::c::D; fn f() -> super::E {}"), ["a::E", "a::c::D"]);
    assert_eq!(read("let a = crate::x::Y::new(); notcrate::z();"), ["x::Y::new"]);
    assert!(read("// crate::x").contains(&"x".to_owned()));
}
