//! The cryptography: the only files that touch crypto crates.

pub(crate) mod hash;
pub(crate) mod hmac;
pub(crate) mod tag;
pub(crate) mod text;
