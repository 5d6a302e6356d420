//! Frameworks and clients that are not plain tower services.
//!
//! | adapter | feature | what it is |
//! |---|---|---|
#![cfg_attr(
    feature = "axum",
    doc = "| [`axum`] | `axum` | [`VerifiedCaller`](crate::VerifiedCaller), and with `jwt` a verified token, as extractors; refusals made of axum's responses; the target as it was before `nest` |"
)]
#![cfg_attr(
    feature = "reqwest-middleware",
    doc = "| [`reqwest`] | `reqwest-middleware` | a middleware that signs what reqwest sends |"
)]
//!
//! Most need none. hyper-util's client is a tower service of `http` requests, and
//! so is tonic's channel: [`SignLayer`](crate::SignLayer) wraps them as they are.
//! axum's router and tonic's server take [`VerifyLayer`](crate::VerifyLayer) in
//! their `layer`. For any other client, [`Signer`](crate::Signer) signs the parts of
//! a request.

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "reqwest-middleware")]
pub mod reqwest;
