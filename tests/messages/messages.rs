//! What the compiler says of usual mistakes, and that it names the cure: `cases/*.stderr`, in the
//! words of one compiler. With another the test is ignored, and a line says so; with `CI` in the
//! environment it fails.
//!
//! `TRYBUILD=overwrite cargo test -p tower-fc-messages` writes them anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/setup.rs"]
#[allow(dead_code, reason = "shared with tests that need other things")]
mod setup;

use setup::{Need, ask, named, needing};
use std::process::ExitCode;
use std::sync::LazyLock;

fn main() -> ExitCode {
    setup::run(needing(Some(&COMPILER), named![usual_mistakes_are_told_with_their_cure]))
}

/// The compiler whose words these are.
const VERSION: &str = "1.95.0";

static COMPILER: Need = LazyLock::new(|| {
    let version = ask("rustc", &["--version"]).and_then(|text| String::from_utf8(text).ok());
    let is_it = version.is_some_and(|text| text.starts_with(&format!("rustc {VERSION} ")));
    is_it
        .then(|| "rustc".into())
        .ok_or_else(|| format!("its words are those of rustc {VERSION}: rustup default {VERSION}"))
});

fn usual_mistakes_are_told_with_their_cure() {
    trybuild::TestCases::new().compile_fail("cases/*.rs");
}
