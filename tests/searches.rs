//! Searches for a request that passes and must not: they take longer than all other tests.
//!
//! `allocation_counter` replaces the global allocator of this program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

mod hostile;
mod mutations;
