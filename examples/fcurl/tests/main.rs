//! The program against real servers, and beside the real curl.
//!
//! `habits` has a table of command lines that both are given; they differ by the URL alone, since
//! curl's is that of a server which asks for no signature. `line` has curl send what fcurl
//! prints. Without curl these tests are ignored, and a line says so; with `CI` in the environment
//! they fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(dead_code, unreachable_pub, reason = "helpers are shared with other tests")]

mod habits;
mod keys;
mod line;
mod own;
mod programs;
mod server;
#[path = "../../../tests/common/setup.rs"]
mod setup;

use setup::{Need, needing};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;

static CURL: Need = LazyLock::new(|| {
    let found = setup::ask("curl", &["--version"])
        .is_some_and(|text| String::from_utf8_lossy(&text).contains("HTTP2"));
    let missing = || "no curl with HTTP/2: apt-get install curl".to_owned();
    found.then(|| PathBuf::from("curl")).ok_or_else(missing)
});

fn main() -> ExitCode {
    let beside_curl =
        needing(Some(&CURL), habits::tests()).chain(needing(Some(&CURL), line::tests()));
    setup::run(beside_curl.chain(needing(None, own::tests())).chain(needing(None, keys::tests())))
}
