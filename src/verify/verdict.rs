//! What layers that verify have in common, for what asks them on a condition.

use super::awaiting::AsyncVerifyLayer;
use super::layer::{Mode, VerifyLayer};
use crate::clock::Clock;
use crate::keys::AsyncKeyStore;
use crate::protocol::request::RequestRef;
use crate::protocol::{KeyStore, Rejection, VerifiedCaller};
use crate::response::{RejectionResponse, leave};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Response};
use std::future::{Future, ready};

/// A layer that verifies signatures: a [`VerifyLayer`] or its awaiting twin.
pub trait Verifying: sealed::Verifying {}

impl<T: sealed::Verifying> Verifying for T {}

mod sealed {
    use super::{
        Clock, Future, HeaderMap, Parts, Rejection, RejectionResponse, VerifiedCaller, VerifyLayer,
    };

    pub trait Verifying {
        type Keys;
        type Response: RejectionResponse + Send + Sync + 'static;
        type Clock: Clock;

        fn layer(&self) -> &VerifyLayer<Self::Keys, Self::Response, Self::Clock>;

        /// What it decides about a request with these headers.
        fn verdict(
            &self,
            parts: &Parts,
            headers: &HeaderMap,
        ) -> impl Future<Output = Result<VerifiedCaller, Rejection>> + Send;
    }
}

impl<K, R, C> sealed::Verifying for VerifyLayer<K, R, C>
where
    K: KeyStore,
    R: RejectionResponse + Send + Sync + 'static,
    C: Clock,
{
    type Keys = K;
    type Response = R;
    type Clock = C;

    fn layer(&self) -> &Self {
        self
    }

    fn verdict(
        &self,
        parts: &Parts,
        headers: &HeaderMap,
    ) -> impl Future<Output = Result<VerifiedCaller, Rejection>> + Send {
        ready(self.verifier.check(self.request(parts, headers), self.clock.now()))
    }
}

impl<K, R, C> sealed::Verifying for AsyncVerifyLayer<K, R, C>
where
    K: AsyncKeyStore + Send + Sync,
    R: RejectionResponse + Send + Sync + 'static,
    C: Clock + Send + Sync,
{
    type Keys = K;
    type Response = R;
    type Clock = C;

    fn layer(&self) -> &VerifyLayer<K, R, C> {
        &self.0
    }

    fn verdict(
        &self,
        parts: &Parts,
        headers: &HeaderMap,
    ) -> impl Future<Output = Result<VerifiedCaller, Rejection>> + Send {
        let layer = &self.0;
        async move {
            let request = layer.request(parts, headers);
            layer.verifier.check_async(request, || layer.clock.now()).await
        }
    }
}

impl<K, R, C> VerifyLayer<K, R, C> {
    /// The request that is judged.
    fn request<'a>(&self, parts: &'a Parts, headers: &'a HeaderMap) -> RequestRef<'a> {
        let uri = self.target(&parts.uri, &parts.extensions);
        RequestRef { method: &parts.method, uri, headers }
    }

    /// Lets a request pass as decided.
    pub(crate) fn pass(
        &self,
        parts: &mut Parts,
        verdict: Result<VerifiedCaller, Rejection>,
    ) -> Result<(), Rejection>
    where
        R: RejectionResponse + Send + Sync + 'static,
        C: Clock,
    {
        let now = self.clock.now();
        let credentials = self.admit(&mut parts.extensions, verdict, now)?;
        self.strip(credentials, &mut parts.headers);
        // For what demands a token.
        leave(&mut parts.extensions, &self.response, now);
        Ok(())
    }

    /// The response to a request that is refused now.
    pub(crate) fn refuse_now(&self, rejection: Rejection, parts: &Parts) -> Box<Response<Bytes>>
    where
        R: RejectionResponse + Send + Sync + 'static,
        C: Clock,
    {
        self.refuse(rejection, self.clock.now(), parts)
    }

    /// Whether some requests pass it that it did not verify.
    pub(crate) fn lets_unverified_pass(&self) -> bool {
        self.settings.mode != Mode::Required || self.settings.exempt.is_any()
    }
}
