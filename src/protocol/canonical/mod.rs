//! From the parts of a request to canonical bytes, by rules that are data.
//!
//! Writers put bytes into a [`Sink`] and report what is ambiguous about what they read.

pub(crate) mod headers;
pub(crate) mod parameters;
pub(crate) mod path;
pub(crate) mod percent;
pub(crate) mod queries;
pub(crate) mod query;
pub(crate) mod rules;
pub(crate) mod sink;
pub(crate) mod sort;
