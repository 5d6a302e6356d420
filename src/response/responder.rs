use super::outcome::{Observer, Outcome};
use super::undecided::Undecided;
use crate::protocol::{Rejection, VerifiedCaller};
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use std::time::SystemTime;

/// Makes the response to a refused request.
///
/// Closures `Fn(&Rejection, &Parts) -> Response<Bytes>` are such too. With the feature `axum`,
/// `adapters::axum::refuse_with` takes closures that return anything axum can respond with.
#[diagnostic::on_unimplemented(
    message = "`{Self}` makes no response to a refusal",
    label = "not a `RejectionResponse`",
    note = "a closure says what it takes: `|rejection: &Rejection, parts: &Parts| -> Response<Bytes>`",
    note = "for what axum can respond with, wrap it in `tower_fc::adapters::axum::refuse_with`"
)]
pub trait RejectionResponse {
    /// The response to the request that `parts` began.
    fn rejection_response(&self, rejection: &Rejection, parts: &Parts) -> Response<Bytes>;
}

#[diagnostic::do_not_recommend] // For the closure that is none, the trait has words of its own.
impl<F: Fn(&Rejection, &Parts) -> Response<Bytes>> RejectionResponse for F {
    fn rejection_response(&self, rejection: &Rejection, parts: &Parts) -> Response<Bytes> {
        self(rejection, parts)
    }
}

/// The response to the request that `parts` began, refused at this time if it is known, with the
/// refusal in its extensions.
#[cold] // Keeps it out of the way of requests that pass.
pub(crate) fn answer(
    rejection: Rejection,
    now: impl Into<Option<SystemTime>>,
    response: &(impl RejectionResponse + ?Sized),
    parts: &Parts,
) -> Box<Response<Bytes>> {
    let mut rejection = match now.into() {
        Some(now) => rejection.at(now),
        None => rejection,
    };
    // What is refused after it was verified is known to be by its caller.
    if let (None, Some(caller)) =
        (rejection.claimed_access_key_id(), parts.extensions.get::<VerifiedCaller>())
    {
        rejection = rejection.by(caller.access_key_id());
    }
    if let Some(undecided) = parts.extensions.get::<Undecided>() {
        undecided.refuse(&rejection);
    }
    let mut response = response.rejection_response(&rejection, parts);
    response.extensions_mut().insert(rejection);
    Box::new(response)
}

impl Observer {
    /// The [`answer`] to a refused request, which is told of.
    pub(crate) fn answer(
        &self,
        rejection: Rejection,
        now: SystemTime,
        response: &impl RejectionResponse,
        parts: &Parts,
    ) -> Box<Response<Bytes>> {
        let answer = answer(rejection, now, response, parts);
        if let Some(rejection) = answer.extensions().get() {
            self.tell(Outcome::Refused(rejection));
        }
        answer
    }
}
