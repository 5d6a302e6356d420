use super::layer::{Mode, VerifyLayer};
use crate::clock::{Clock, SystemClock};
use crate::headers::{X_ACS_SECURITY_TOKEN, X_FC_SECURITY_TOKEN};
use crate::protocol::request::RequestRef;
use crate::protocol::verifier::caller::{with_caller, with_other, without_caller};
use crate::protocol::{KeyStore, Rejection, RejectionKind, VerifiedCaller};
use crate::response::{
    FcResponse, Passed, RejectionResponse, ResponseBody, ResponseFuture, Undecided, leave,
};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap};
use http::request::Parts;
use http::{Extensions, Request, Response, Uri};
use std::task::{Context, Poll};
use std::time::SystemTime;
use tower_service::Service;

/// The service of [`VerifyLayer`].
pub struct Verify<S, K, R = FcResponse, C = SystemClock> {
    pub(super) inner: S,
    pub(super) layer: VerifyLayer<K, R, C>,
}

service!(Verify, VerifyLayer, K, R, C);

impl<S, K, R, C, B, ResBody> Service<Request<B>> for Verify<S, K, R, C>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    K: KeyStore,
    R: RejectionResponse + Send + Sync + 'static,
    C: Clock,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let layer = &self.layer;
        if layer.exempts(&mut request) {
            return ResponseFuture::inner(self.inner.call(request));
        }
        let uri = layer.target(request.uri(), request.extensions());
        let now = layer.clock.now();
        let verdict = layer.verifier.check(RequestRef { uri, ..(&request).into() }, now);
        // In place, because requests are large to move.
        match layer.admit(request.extensions_mut(), verdict, now) {
            Ok(credentials) => {
                layer.strip(credentials, request.headers_mut());
                ResponseFuture::inner(self.inner.call(request))
            }
            Err(rejection) => {
                ResponseFuture::refused(layer.refuse(rejection, now, &request.into_parts().0))
            }
        }
    }
}

/// Whose credentials a request has that passes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Credentials {
    /// Of a scheme of ours, or none.
    Ours,
    /// Of another scheme.
    Others,
}

impl<K, R, C> VerifyLayer<K, R, C>
where
    R: RejectionResponse + Send + Sync + 'static,
{
    /// Whether a request is exempt; one that is can go on as it is left.
    pub(super) fn exempts<B>(&self, request: &mut Request<B>) -> bool
    where
        C: Clock,
    {
        let target = self.target(request.uri(), request.extensions());
        let is_exempt = self.settings.exempt.contains(request.method(), target, request.headers());
        if is_exempt {
            let observer = &self.settings.observer;
            Undecided::put(observer, request.extensions_mut(), || Passed::Exempt);
            without_caller(request.extensions_mut());
            leave(request.extensions_mut(), &self.response, self.clock.now());
            self.strip(Credentials::Ours, request.headers_mut());
        }
        is_exempt
    }

    /// Lets a request pass with its caller, if it has one, or refuses it.
    pub(super) fn admit(
        &self,
        extensions: &mut Extensions,
        verdict: Result<VerifiedCaller, Rejection>,
        now: SystemTime,
    ) -> Result<Credentials, Rejection> {
        let observer = &self.settings.observer;
        let rejection = match verdict {
            Ok(caller) => {
                Undecided::put(observer, extensions, || Passed::Verified(caller.clone()));
                with_caller(extensions, caller);
                return Ok(Credentials::Ours);
            }
            Err(rejection) => rejection,
        };
        let credentials = match rejection.other_scheme() {
            Some(other) => {
                Undecided::put(observer, extensions, || Passed::Other(other.clone()));
                with_other(extensions, other.clone());
                Credentials::Others
            }
            None if self.lets_pass(&rejection) => {
                Undecided::put(observer, extensions, || Passed::Anonymous);
                without_caller(extensions);
                Credentials::Ours
            }
            None => return Err(rejection),
        };
        leave(extensions, &self.response, now);
        Ok(credentials)
    }

    /// The response to a refused request.
    pub(super) fn refuse(
        &self,
        rejection: Rejection,
        now: SystemTime,
        parts: &Parts,
    ) -> Box<Response<Bytes>> {
        self.settings.observer.answer(rejection, now, &*self.response, parts)
    }
}

impl<K, R, C> VerifyLayer<K, R, C> {
    /// The target as it was signed.
    pub(super) fn target<'a>(&self, uri: &'a Uri, extensions: &'a Extensions) -> &'a Uri {
        let original = self.settings.original.as_ref();
        original.and_then(|original| original.find(extensions)).unwrap_or(uri)
    }

    /// Takes out the client's credentials, where they are not to be seen and are not another's to
    /// check.
    pub(super) fn strip(&self, credentials: Credentials, headers: &mut HeaderMap) {
        if self.settings.strip && credentials == Credentials::Ours {
            for name in [&AUTHORIZATION, &X_FC_SECURITY_TOKEN, &X_ACS_SECURITY_TOKEN] {
                headers.remove(name);
            }
        }
    }

    fn lets_pass(&self, rejection: &Rejection) -> bool {
        self.settings.mode == Mode::Optional
            && rejection.kind() == RejectionKind::MissingCredentials
    }
}
