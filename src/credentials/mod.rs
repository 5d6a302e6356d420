//! Where credentials come from.
//!
//! [`Credentials`](crate::Credentials) themselves are what [`Signer`](crate::Signer) takes. What has to ask for
//! them first is a [`ProvideCredentials`], for [`SignLayer::awaiting_credentials`](crate::SignLayer::awaiting_credentials).
//!
//! | they are | provider |
//! |---|---|
//! | in the environment | [`Credentials::from_env`](crate::Credentials::from_env) |
//! | those of the function that this runs in | [`RuntimeCredentials`] |
//! | in a configuration file, or from a metadata service or STS | `ReqsignCredentials` (feature `reqsign`) |
//! | from anywhere else | an async closure |
//!
//! In front of all that have to be asked for goes a [`CachedCredentials`], which asks once for
//! many, and again before they end.

mod cached;
mod environment;
mod flight;
mod provider;
#[cfg(feature = "reqsign")]
mod reqsign;
mod runtime;

pub use cached::CachedCredentials;
pub use provider::{DynProvideCredentials, ProvideCredentials};
#[cfg(feature = "reqsign")]
pub use reqsign::ReqsignCredentials;
pub use runtime::RuntimeCredentials;
