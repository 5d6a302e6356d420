//! What the fuzz targets compare `tower-fc` with.
//!
//! [`reference`] rebuilds, from a request as it came over the wire, the text
//! that each Alibaba Cloud SDK signs. It shares nothing with `tower-fc`: it is
//! written from the wire contract and the golden vectors alone, in the plainest
//! way, and copies and allocates freely. `tests/reference_vectors.rs` holds it
//! to the vectors.

#![forbid(unsafe_code)]

pub mod reference;
