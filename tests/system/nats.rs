//! Tasks in NATS JetStream, on real servers: what every store has to do, and what is still true
//! when servers, workers and nodes of a cluster are killed.
//!
//! `INVOCATION_KILLS` says how often, 3 times by default. The servers come from PyPI; without
//! Python the tests are ignored, and a line says so; with `CI` in the environment they fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../invocation/asking.rs"]
mod asking;
#[path = "../common/mod.rs"]
mod common;
#[path = "../invocation/contract.rs"]
mod contract;
#[path = "nats/figures.rs"]
mod figures;
#[path = "nats/kills.rs"]
mod kills;
#[path = "nats/load.rs"]
mod load;
#[path = "nats/server.rs"]
mod server;
#[path = "../common/setup.rs"]
#[allow(dead_code, reason = "shared with tests that need other things")]
mod setup;
#[path = "nats/stores.rs"]
mod stores;

use setup::needing;
use std::process::ExitCode;
use tokio::sync::RwLock;

/// Tests that count seconds share it; one that keeps the machine busy has it alone.
static MACHINE: RwLock<()> = RwLock::const_new(());

fn main() -> ExitCode {
    if kills::is_worker() {
        return kills::worker();
    }
    let lists = [stores::contract(), stores::tests(), kills::tests(), figures::tests()];
    let tests = lists.into_iter().flatten();
    let tests = tests.flat_map(|test| needing(Some(&server::SERVER), [test]));
    let old = needing(Some(&server::OLD_SERVER), stores::tests_of_old_servers());
    setup::run(tests.chain(old))
}
