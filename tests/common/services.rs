//! Inner services and guards that tell what they were asked.

use super::bodies::Passed;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tower::{Service, ServiceExt as _, service_fn};
use tower_fc::VerifiedCaller;
use tower_fc::replay::{AsyncReplayGuard, ReplayGuard};
use tower_fc::replay::{Claimed, ReplayClaim, ReplayGuardError};
use tower_fc::response::Outcome;

/// Calls a service that is not ready yet.
pub async fn call<S, R>(service: &mut S, request: R) -> Result<S::Response, S::Error>
where
    S: Service<R>,
{
    service.ready().await?.call(request).await
}

/// Counts its calls, and answers 200.
#[derive(Clone, Debug, Default)]
pub struct Counting(Arc<AtomicUsize>);

impl Counting {
    pub fn calls(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl<B> Service<Request<B>> for Counting {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        self.0.fetch_add(1, Ordering::SeqCst);
        ready(Ok(Response::new(String::new())))
    }
}

/// What an inner service that must not be called says if it is.
pub fn unreachable<B>()
-> impl Service<Request<B>, Response = Response<Passed>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static
where
    B: Send + 'static,
{
    service_fn(|_: Request<B>| async { panic!("the inner service was called") })
}

/// Answers 200 with the access key id of the caller, or `anonymous`.
pub fn greeter<B>()
-> impl Service<Request<B>, Response = Response<Passed>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static
where
    B: Send + 'static,
{
    service_fn(|request: Request<B>| {
        let caller = request.extensions().get::<VerifiedCaller>();
        let name = caller.map_or("anonymous", VerifiedCaller::access_key_id).to_owned();
        ready(Ok(Response::new(text(name))))
    })
}

/// A body of this text.
pub fn text(text: impl Into<Bytes>) -> Passed {
    Passed::unchanged(Full::new(text.into()))
}

/// What an observer was told, in words.
#[derive(Clone, Default)]
pub struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    pub fn observer(&self) -> impl Fn(Outcome<'_>) + Send + Sync + use<> {
        let told = Arc::clone(&self.0);
        move |outcome| {
            told.lock().unwrap().push(match outcome {
                Outcome::Verified(caller) => {
                    format!("{} {}", caller.access_key_id(), caller.key_position())
                }
                Outcome::Refused(rejection) => {
                    let id = rejection.claimed_access_key_id().unwrap_or("nobody");
                    format!("{:?} of {id}", rejection.kind())
                }
                other => format!("{other:?}"),
            });
        }
    }

    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A guard that has to be awaited: it decides at the second poll.
#[derive(Debug)]
pub struct Slow<G>(pub G);

impl<G: ReplayGuard + Sync> AsyncReplayGuard for Slow<G> {
    async fn claim(&self, claim: ReplayClaim) -> Result<Claimed, ReplayGuardError> {
        tokio::task::yield_now().await;
        self.0.claim(claim)
    }
}
