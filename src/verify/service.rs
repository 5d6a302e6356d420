use super::layer::{Mode, Settings};
use super::outcome::Outcome;
use super::{KeyStore, ResponseBody, ResponseFuture};
use crate::caller::VerifiedCaller;
use crate::clock::{Clock, SystemClock};
use crate::headers::{X_ACS_SECURITY_TOKEN, X_FC_SECURITY_TOKEN};
use crate::rejection::{FcResponse, Rejection, RejectionKind, RejectionResponse};
use crate::verifier::Verifier;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Extensions, Request, Response, Uri};
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_service::Service;

/// The service of [`VerifyLayer`](super::VerifyLayer).
pub struct Verify<S, K, R = FcResponse, C = SystemClock> {
    pub(super) inner: S,
    pub(super) verifier: Arc<Verifier<K>>,
    pub(super) settings: Settings<R, C>,
}

impl<S, K, R, C> Verify<S, K, R, C> {
    inner_accessors!();
}

impl<S, K, R, C, B, ResBody> Service<Request<B>> for Verify<S, K, R, C>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    K: KeyStore,
    R: RejectionResponse,
    C: Clock,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let settings = &self.settings;
        if settings.is_exempt(&request) {
            settings.pass(&mut request);
            return ResponseFuture::inner(self.inner.call(request));
        }
        let target = settings.target(request.uri(), request.extensions());
        let (method, headers) = (request.method(), request.headers());
        let verdict = self.verifier.check(method, target, headers, settings.clock.now());
        match settings.admit(&mut request, verdict) {
            Ok(()) => ResponseFuture::inner(self.inner.call(request)),
            Err(rejection) => ResponseFuture::refused(settings.refuse(request, rejection)),
        }
    }
}

impl<R, C> Settings<R, C> {
    pub(super) fn is_exempt<B>(&self, request: &Request<B>) -> bool {
        self.exempt.as_ref().is_some_and(|exempt| {
            exempt(request.method(), self.target(request.uri(), request.extensions()))
        })
    }

    /// The target as it was signed.
    pub(super) fn target<'a>(&self, uri: &'a Uri, extensions: &'a Extensions) -> &'a Uri {
        self.original.and_then(|original| original(extensions)).unwrap_or(uri)
    }

    /// Makes a request what the inner service is to see, unless it is refused. In place,
    /// because requests are large to move.
    pub(super) fn admit<B>(
        &self,
        request: &mut Request<B>,
        verdict: Result<VerifiedCaller, Rejection>,
    ) -> Result<(), Rejection> {
        match verdict {
            Ok(caller) => {
                self.observer.tell(Outcome::Verified(&caller));
                request.extensions_mut().insert(caller);
            }
            Err(rejection) if self.lets_pass(&rejection) => {
                self.observer.tell(Outcome::Anonymous);
            }
            Err(rejection) => {
                self.observer.tell(Outcome::Refused(&rejection));
                return Err(rejection);
            }
        }
        self.strip(request);
        Ok(())
    }

    /// The response to a refused request.
    #[cold]
    pub(super) fn refuse<B>(
        &self,
        request: Request<B>,
        rejection: Rejection,
    ) -> Box<Response<Bytes>>
    where
        R: RejectionResponse,
    {
        rejection.answer(&self.response, &request.into_parts().0)
    }

    /// Makes an exempt request what the inner service is to see.
    pub(super) fn pass<B>(&self, request: &mut Request<B>) {
        self.observer.tell(Outcome::Exempt);
        self.strip(request);
    }

    /// Takes out the client's credentials, where they are not to be seen.
    fn strip<B>(&self, request: &mut Request<B>) {
        if self.strip {
            for name in [&AUTHORIZATION, &X_FC_SECURITY_TOKEN, &X_ACS_SECURITY_TOKEN] {
                request.headers_mut().remove(name);
            }
        }
    }

    fn lets_pass(&self, rejection: &Rejection) -> bool {
        self.mode == Mode::Optional && rejection.kind() == RejectionKind::MissingCredentials
    }
}

impl<S: fmt::Debug, K, R, C> fmt::Debug for Verify<S, K, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.debug("Verify", &self.verifier, f)
    }
}

impl<S: Clone, K, R: Clone, C: Clone> Clone for Verify<S, K, R, C> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            verifier: Arc::clone(&self.verifier),
            settings: self.settings.clone(),
        }
    }
}
