//! Where credentials come from.
//!
//! [`Credentials`](crate::Credentials) themselves are what [`Signer`](crate::Signer) takes. What has to ask for
//! them first is a [`ProvideCredentials`], for [`SignLayer::awaiting_credentials`](crate::SignLayer::awaiting_credentials).

mod environment;
mod provider;

pub use provider::ProvideCredentials;
