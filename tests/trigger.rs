//! What an HTTP trigger does in front of a function, a module for each rule.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

#[path = "trigger/cors.rs"]
mod cors;
