//! The rules of a trigger in their order.

use super::cors::{Asking, Cors};
use super::domain::Domain;
use super::headers::FunctionHeaders;
use super::limits::{RequestLimits, ResponseLimits};
use super::methods::Methods;
use super::request_id::RequestIds;
use super::rule::{Refusal, sealed};
use crate::error::BoxError;
use crate::protocol::{Rejection, RejectionKind};
use crate::response::RequestId;
use http::{Request, Response};
use std::time::SystemTime;

/// The rules outside of authentication.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    pub(super) limits: RequestLimits,
    pub(super) domain: Domain,
    pub(super) cors: Cors,
    pub(super) methods: Methods,
}

impl sealed::Rule for Outside {
    type Kept = (Option<RequestId>, Asking);

    fn request<B>(
        &self,
        request: &mut Request<B>,
        now: SystemTime,
        (id, asking): &mut Self::Kept,
    ) -> Result<(), Refusal> {
        RequestIds.request(request, now, id)?;
        // Refusals too can be read by scripts.
        self.cors.note(request, asking);
        self.limits.request(request, now, &mut ())?;
        self.domain.request(request, now, &mut ())?;
        self.cors.preflight(request, asking)?;
        self.methods.request(request, now, &mut ())
    }

    fn response<B>(
        &self,
        (id, asking): &Self::Kept,
        response: &mut Response<B>,
    ) -> Result<(), Rejection> {
        self.methods.response(&(), response)?;
        self.cors.response(asking, response)?;
        RequestIds.response(id, response)
    }
}

/// The rules inside of authentication, directly around the function.
#[derive(Clone, Debug, Default)]
pub struct Inside {
    pub(super) headers: FunctionHeaders,
    pub(super) limits: ResponseLimits,
    pub(super) domain: Domain,
}

impl sealed::Rule for Inside {
    type Kept = bool;

    fn request<B>(
        &self,
        request: &mut Request<B>,
        now: SystemTime,
        is_head: &mut bool,
    ) -> Result<(), Refusal> {
        self.headers.request(request, now, is_head)
    }

    fn response<B>(&self, is_head: &bool, response: &mut Response<B>) -> Result<(), Rejection> {
        self.limits.response(&(), response)?;
        self.headers.response(is_head, response)?;
        self.domain.response(&(), response)
    }

    fn failed<E: Into<BoxError>>(&self, error: E) -> Result<Rejection, E> {
        let message = "the function failed without an answer, or cannot be reached";
        let rejection = Rejection::new(RejectionKind::FunctionUnreachable, message);
        Ok(rejection.because_of(error))
    }
}
