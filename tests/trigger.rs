//! What an HTTP trigger does in front of a function, a module for each rule.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

#[path = "trigger/body.rs"]
mod body;
#[path = "trigger/config.rs"]
mod config;
#[path = "trigger/cors.rs"]
mod cors;
#[path = "trigger/order.rs"]
mod order;
#[path = "trigger/rules.rs"]
mod rules;
