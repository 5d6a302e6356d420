use crate::protocol::Rejection;
use crate::response::{RejectionResponse, RequestId, answer, grpc_content_type};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response};
use std::time::SystemTime;

/// What is kept of a request for refusing it after its service was called: what a refusal
/// depends on, and no more, since most are never refused.
#[derive(Debug)]
pub(super) struct Asked {
    method: Method,
    content_type: Option<HeaderValue>,
    id: Option<RequestId>,
    time: SystemTime,
}

impl Asked {
    pub(super) fn of<B>(request: &Request<B>, time: SystemTime) -> Self {
        Self {
            method: request.method().clone(),
            content_type: grpc_content_type(request.headers()).cloned(),
            id: request.extensions().get().cloned(),
            time,
        }
    }

    /// The response to the refused request.
    pub(super) fn refuse(
        &self,
        rejection: Rejection,
        response: &impl RejectionResponse,
    ) -> Box<Response<Bytes>> {
        let mut parts = Request::new(()).into_parts().0;
        parts.method = self.method.clone();
        if let Some(value) = &self.content_type {
            parts.headers.insert(CONTENT_TYPE, value.clone());
        }
        if let Some(id) = &self.id {
            parts.extensions.insert(id.clone());
        }
        answer(rejection, self.time, response, &parts)
    }
}
