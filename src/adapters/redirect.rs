//! Redirects of requests that are signed.
//!
//! A signature is made for one target of one server. A redirect that is followed must be signed
//! anew where it stays with that server, and must carry nothing of a signature elsewhere.
//!
//! # With tower
//!
//! tower-http's `FollowRedirect` goes outside [`SignLayer::for_origins`](crate::SignLayer::for_origins):
//! each request is then signed for its own target, and none for a stranger. Its `Standard` policy
//! takes the credentials away that were there before. (The digest of a body is no part of a
//! signature, and goes where the body goes.)
//!
//! ```ignore (with dependencies of its own: tests/system/clients/redirects.rs has it whole)
//! let client = ServiceBuilder::new()
//!     .layer(FollowRedirectLayer::new())
//!     .layer(SignLayer::for_origins(credentials, ["https://demo.example"])?)
//!     .service(client);
//! ```
//!
//! # With reqwest
//!
//! reqwest follows redirects below all that signs, so [`policy_for_origins`] hands those back that
//! concern a signature.

use super::reqwest::uri_of;
use crate::error::Error;
use crate::protocol::request::RequestRef;
use crate::protocol::scheme::presigned::Presigned;
use crate::sign::origins::Origins;
use ::reqwest::redirect::Policy;
use ::reqwest::{Method, Url};
use http::HeaderMap;

/// Hands redirects back that lead from or to one of these origins, such as
/// `https://demo.example`, or from a presigned URL; follows all others as reqwest does by default.
///
/// What is handed back is the response as the server sent it, with its status and `location`. No
/// request is sent for it, so that nothing of a signature reaches a stranger, and no signature is
/// used for a target that it was not made for. Send the next request through what signs if it is to
/// be followed.
///
/// ```
/// use tower_fc::adapters::redirect;
///
/// let policy = redirect::policy_for_origins(["https://demo.example"])?;
/// let client = reqwest::Client::builder().redirect(policy).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidSetting`](crate::error::ErrorKind::InvalidSetting) for what is no origin,
/// and for none at all.
pub fn policy_for_origins<I>(origins: I) -> Result<Policy, Error>
where
    I: IntoIterator<Item: AsRef<str>>,
{
    let origins = Origins::read(origins)?;
    let is_ours = move |url: &Url| {
        // What cannot be read is no stranger for certain.
        let Ok(uri) = uri_of(url) else { return true };
        let (method, headers) = (&Method::GET, &HeaderMap::new());
        origins.contain(RequestRef { method, uri: &uri, headers }).unwrap_or(true)
    };
    let is_presigned = |url: &Url| {
        let query = url.query().unwrap_or_default();
        Presigned::read(query.as_bytes()).any().is_some()
    };
    Ok(Policy::custom(move |attempt| {
        let from = attempt.previous().last();
        let concerns =
            is_ours(attempt.url()) || from.is_some_and(|from| is_ours(from) || is_presigned(from));
        if concerns { attempt.stop() } else { Policy::default().redirect(attempt) }
    }))
}
