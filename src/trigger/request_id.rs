use super::rule::{Refusal, sealed};
use crate::headers::X_FC_REQUEST_ID;
use crate::protocol::Rejection;
use crate::response::RequestId;
use http::{Request, Response};
use std::time::SystemTime;

/// Names every request, and whatever answers it: a [rule](super::RuleLayer).
///
/// A [`RequestId`] goes into the extensions of the request, in place of one that is there, and
/// into `x-fc-request-id` of the response, refusals and 5xx included, as in
/// every answer of Function Compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestIds;

impl sealed::Rule for RequestIds {
    type Kept = Option<RequestId>;

    fn request<B>(
        &self,
        request: &mut Request<B>,
        now: SystemTime,
        kept: &mut Self::Kept,
    ) -> Result<(), Refusal> {
        let id = RequestId::new_at(now);
        request.extensions_mut().insert(id.clone());
        *kept = Some(id);
        Ok(())
    }

    fn response<B>(&self, kept: &Self::Kept, response: &mut Response<B>) -> Result<(), Rejection> {
        if let Some(id) = kept {
            // Without room the answer is more than its name.
            let _ = response.headers_mut().try_insert(&X_FC_REQUEST_ID, id.header_value().clone());
        }
        Ok(())
    }
}
