use super::body::FormBody;
use super::form::Form;
use super::future::{Decide, JwtFuture};
use super::layer::JwtLayer;
use crate::awaiting::take_ready;
use crate::clock::{Clock, SystemClock};
use crate::protocol::Rejection;
use crate::protocol::verifier::caller::without_caller;
use crate::response::{FcResponse, RejectionResponse, ResponseBody, answer, leave};
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use std::task::{Context, Poll};
use tower_service::Service;

/// The service of [`JwtLayer`].
pub struct Jwt<S, R = FcResponse, C = SystemClock> {
    inner: S,
    layer: JwtLayer<R, C>,
}

service!(Jwt, JwtLayer, R, C);

impl<S, R, C, B, ResBody> Service<Request<B>> for Jwt<S, R, C>
where
    S: Service<Request<FormBody<B>>, Response = Response<ResBody>> + Clone,
    R: RejectionResponse + Send + Sync + 'static,
    C: Clock + Clone + Send + Sync + 'static,
    B: Body<Data: Send> + Send + 'static,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = JwtFuture<S, S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        JwtFuture::deciding(take_ready(&mut self.inner), request, self.layer.clone())
    }
}

impl<R, C, B> Decide<B> for JwtLayer<R, C>
where
    R: RejectionResponse + Send + Sync + 'static,
    C: Clock + Send + Sync,
    B: Body<Data: Send> + Send,
{
    async fn decide(
        &self,
        parts: &mut Parts,
        form: &mut Form<B>,
    ) -> Result<(), Box<Response<Bytes>>> {
        let passes = self.pass(parts, form).await;
        let now = self.clock.now();
        passes.map_err(|rejection| answer(rejection, now, &*self.response, parts))?;
        leave(&mut parts.extensions, &self.response, now);
        Ok(())
    }
}

impl<R, C: Clock> JwtLayer<R, C> {
    /// Lets a request pass that has a valid token, or needs none.
    async fn pass<B: Body>(&self, parts: &mut Parts, form: &mut Form<B>) -> Result<(), Rejection> {
        let settings = &self.settings;
        let mut token = None;
        if !settings.frees(parts) {
            let found = settings.lookup.find(parts, form).await?;
            token = Some(settings.verify(found, &self.clock).await?);
        }
        settings.hand_on(parts, form, token).await?;
        without_caller(&mut parts.extensions);
        Ok(())
    }
}
