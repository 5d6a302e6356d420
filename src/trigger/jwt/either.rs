use super::body::FormBody;
use super::form::Form;
use super::future::{Decide, JwtFuture};
use super::layer::JwtLayer;
use crate::awaiting::take_ready;
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, ErrorKind};
use crate::protocol::scheme::authorization::scheme_of;
use crate::protocol::{Rejection, RejectionKind, VerifiedCaller};
use crate::response::{FcResponse, RejectionResponse, ResponseBody};
use crate::verify::Verifying;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use std::borrow::Cow;
use std::fmt;
use std::task::{Context, Poll};
use tower_service::Service;

/// Lets a service see only requests that are signed, or have a valid token.
///
/// A request says which it is. One that has anything of a signature, a presigned URL and the
/// remains of credentials included, goes the way of the layer that verifies; `authorization` of
/// another scheme, such as `Bearer`, is nothing of one. Another goes the way of the [`JwtLayer`],
/// and is refused without a token. One that has both, wherever, is refused as
/// [conflicting](RejectionKind::ConflictingCredentials). Requests of the paths that need no token
/// need no signature either.
///
/// The inner service finds a [`VerifiedCaller`](crate::VerifiedCaller) in the extensions, or a
/// [`VerifiedToken`](super::VerifiedToken), and never both. What clients put in the place of
/// claims is taken out of signed requests too, after they were verified.
pub struct SignatureOrJwtLayer<V, R = FcResponse, C = SystemClock> {
    verify: V,
    jwt: JwtLayer<R, C>,
}

impl<V: Verifying, R, C> SignatureOrJwtLayer<V, R, C> {
    /// Lets those pass that either layer does. Each answers those that it refuses.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for a layer that lets requests pass which it did not verify,
    /// by its [mode](crate::verify::Mode) or its exemption: they would need no token either.
    pub fn new(verify: V, jwt: JwtLayer<R, C>) -> Result<Self, Error> {
        if verify.layer().lets_unverified_pass() {
            let message = "the layer that verifies signatures lets others pass too: give free \
                           paths to the JwtLayer";
            return Err(Error::new(ErrorKind::InvalidSetting, message));
        }
        Ok(Self { verify, jwt })
    }
}

impl<V: Clone, R, C: Clone> Clone for SignatureOrJwtLayer<V, R, C> {
    fn clone(&self) -> Self {
        Self { verify: self.verify.clone(), jwt: self.jwt.clone() }
    }
}

impl<V: fmt::Debug, R, C> fmt::Debug for SignatureOrJwtLayer<V, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureOrJwtLayer")
            .field("verify", &self.verify)
            .field("jwt", &self.jwt)
            .finish()
    }
}

/// The service of [`SignatureOrJwtLayer`].
pub struct SignatureOrJwt<S, V, R = FcResponse, C = SystemClock> {
    inner: S,
    layer: SignatureOrJwtLayer<V, R, C>,
}

service!(SignatureOrJwt, SignatureOrJwtLayer, V, R, C);

impl<S, V, R, C, B, ResBody> Service<Request<B>> for SignatureOrJwt<S, V, R, C>
where
    S: Service<Request<FormBody<B>>, Response = Response<ResBody>> + Clone,
    V: Verifying + Clone + Send + Sync + 'static,
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

impl<V, R, C, B> Decide<B> for SignatureOrJwtLayer<V, R, C>
where
    V: Verifying + Send + Sync,
    R: RejectionResponse + Send + Sync + 'static,
    C: Clock + Send + Sync,
    B: Body<Data: Send> + Send,
{
    async fn decide(
        &self,
        parts: &mut Parts,
        form: &mut Form<B>,
    ) -> Result<(), Box<Response<Bytes>>> {
        if self.jwt.settings.frees(parts) {
            return self.jwt.decide(parts, form).await;
        }
        let verdict = self.verify.verdict(parts, &without_others(&parts.headers)).await;
        if verdict.as_ref().is_err_and(|why| why.kind() == RejectionKind::MissingCredentials) {
            return self.jwt.decide(parts, form).await;
        }
        let passes = self.pass(parts, form, verdict).await;
        passes.map_err(|rejection| self.verify.layer().refuse_now(rejection, parts))
    }
}

impl<V: Verifying, R, C> SignatureOrJwtLayer<V, R, C> {
    /// Lets a request pass that has something of a signature, as decided.
    async fn pass<B: Body>(
        &self,
        parts: &mut Parts,
        form: &mut Form<B>,
        verdict: Result<VerifiedCaller, Rejection>,
    ) -> Result<(), Rejection> {
        let settings = &self.jwt.settings;
        if settings.lookup.find(parts, form).await?.is_some() {
            let message = "the request has a token beside a signature, or what is left of one";
            return Err(Rejection::new(RejectionKind::ConflictingCredentials, message));
        }
        self.verify.layer().pass(parts, verdict)?;
        settings.hand_on(parts, form, None).await
    }
}

/// The headers without an `authorization` that is of no signature.
fn without_others(headers: &HeaderMap) -> Cow<'_, HeaderMap> {
    let mut values = headers.get_all(AUTHORIZATION).iter().peekable();
    if values.peek().is_none() || values.any(|value| scheme_of(value.as_bytes()).is_some()) {
        return Cow::Borrowed(headers);
    }
    let mut others = headers.clone();
    others.remove(AUTHORIZATION);
    Cow::Owned(others)
}
