//! How a layer that let a request pass would have refused it, for what is inside of it and demands
//! more.

use super::{FcResponse, RejectionResponse, answer};
use crate::protocol::Rejection;
use bytes::Bytes;
use http::request::Parts;
use http::{Extensions, Response};
use std::sync::Arc;
use std::time::SystemTime;

/// The way of the layer that looked at a request last, and when it did.
#[derive(Clone)]
struct InTurn {
    response: Arc<dyn RejectionResponse + Send + Sync>,
    now: SystemTime,
}

/// Leaves a request this way of refusing it.
pub(crate) fn leave<R>(extensions: &mut Extensions, response: &Arc<R>, now: SystemTime)
where
    R: RejectionResponse + Send + Sync + 'static,
{
    let response = Arc::clone(response) as Arc<dyn RejectionResponse + Send + Sync>;
    extensions.insert(InTurn { response, now });
}

/// The response to a request that is refused in the way that was left to it, or else as Function
/// Compute does.
#[cfg_attr(not(feature = "axum"), allow(dead_code, reason = "extractors ask for it"))]
pub(crate) fn refuse(rejection: Rejection, parts: &Parts) -> Box<Response<Bytes>> {
    match parts.extensions.get::<InTurn>() {
        Some(InTurn { response, now }) => answer(rejection, Some(*now), &**response, parts),
        None => answer(rejection, None, &FcResponse, parts),
    }
}
