//! What signs and decides, without the tower layers around it, one module for each thing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

mod layout;
#[cfg(feature = "sm3")]
mod moved;
mod names;
mod presigner;
mod secrets;
mod signer;
mod verifier;
