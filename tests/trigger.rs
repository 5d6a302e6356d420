//! What an HTTP trigger does in front of a function, a module for each rule.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

#[path = "trigger/body.rs"]
mod body;
#[path = "trigger/config.rs"]
mod config;
#[path = "trigger/cors.rs"]
mod cors;
#[cfg(feature = "jwt")]
#[path = "trigger/jwt_claims.rs"]
mod jwt_claims;
#[cfg(feature = "jwt")]
#[path = "trigger/jwt_common.rs"]
mod jwt_common;
#[cfg(feature = "jwt")]
#[path = "trigger/jwt_either.rs"]
mod jwt_either;
#[cfg(feature = "jwks-fetch")]
#[path = "trigger/jwt_fetch.rs"]
mod jwt_fetch;
#[cfg(feature = "jwt")]
#[path = "trigger/jwt_keys.rs"]
mod jwt_keys;
#[cfg(feature = "jwt")]
#[path = "trigger/jwt_lookup.rs"]
mod jwt_lookup;
#[cfg(feature = "jwt")]
#[path = "trigger/jwt_stacks.rs"]
mod jwt_stacks;
#[cfg(feature = "jwt")]
#[path = "trigger/jwt_tokens.rs"]
mod jwt_tokens;
#[path = "trigger/order.rs"]
mod order;
#[path = "trigger/rules.rs"]
mod rules;
