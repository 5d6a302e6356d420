//! The program in front of real servers, over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(unreachable_pub, reason = "a test crate, which has no public items")]

mod bodies;
mod client;
mod durable;
mod flags;
mod function;
mod gateway;
mod headers;
mod limits;
#[path = "../../../../tests/system/nats/load.rs"]
#[allow(dead_code, reason = "shared with tests that need other things")]
mod load;
mod process;
mod signatures;
#[allow(dead_code, reason = "shared with tests that need other things")]
mod stores;
mod streams;
mod tasks;
mod upgrades;

use client::Over;

/// Every way that a client may speak.
const EVERY_WAY: [Over; 2] = [Over::Http1, Over::Http2];
