//! Which rule answers when several are broken: always the first, through all layers.
//! `SECURITY.md` has the order.

use crate::common::{Counting, ID, at, call, key, refusal, signer};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tower::{Layer, Service, ServiceBuilder};
use tower_fc::clock::Clock;
use tower_fc::digest::CheckDigest;
use tower_fc::digest::{BodyPolicy, CheckDigestLayer};
use tower_fc::keys::{KeyStoreError, VerifyingKey};
use tower_fc::replay::Replay;
use tower_fc::replay::{MemoryReplayGuard, ReplayLayer};
use tower_fc::response::FcResponse;
use tower_fc::{RejectionKind, Scheme, Verifier, VerifyLayer};

type Body = Full<Bytes>;

/// What can be wrong with a request, in the order in which it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Size,
    Shape,
    Host,
    Time,
    Coverage,
    /// The key store is down.
    Store,
    Ambiguity,
    Key,
    Signature,
    Again,
    Body,
}

use Fault::{
    Again, Ambiguity, Body as OtherBody, Coverage, Host, Key, Shape, Signature, Size, Store, Time,
};

const IN_ORDER: [(Fault, RejectionKind); 11] = [
    (Size, RejectionKind::LimitExceeded),
    (Shape, RejectionKind::ConflictingCredentials),
    (Host, RejectionKind::ForeignHost),
    (Time, RejectionKind::RequestTimeTooSkewed),
    (Coverage, RejectionKind::MissingNonce),
    (Store, RejectionKind::KeyStoreUnavailable),
    (Ambiguity, RejectionKind::Ambiguous),
    (Key, RejectionKind::UnknownAccessKey),
    (Signature, RejectionKind::SignatureMismatch),
    (Again, RejectionKind::Replayed),
    (OtherBody, RejectionKind::BodyDigestMismatch),
];

/// The id of a key that cannot be looked up, and of one that is not there.
const UNREACHABLE: &str = "unreachable";
const STRANGER: &str = "stranger";

fn look_up(id: &str) -> Result<Option<VerifyingKey>, KeyStoreError> {
    match id {
        UNREACHABLE => Err(KeyStoreError::new("the store is down")),
        _ => Ok((id == ID).then(key)),
    }
}

/// Names another access key.
fn rename(headers: &mut HeaderMap, id: &str) {
    let value = headers["authorization"].to_str().unwrap();
    let value = value.replacen(ID, id, 1).replacen(STRANGER, id, 1);
    headers.insert("authorization", value.parse().unwrap());
}

/// A good request.
fn good(scheme: Scheme) -> Request<Body> {
    let request = Request::post("/pay?to=alice").header("host", "demo.example");
    let mut request = request.body(Body::from("10")).unwrap();
    let (name, digest) = match scheme {
        Scheme::Fc => ("content-md5", "09lEaAKkQll1XTjm0WPoIA=="),
        _ => (
            "x-acs-content-sha256",
            "4a44dc15364204a80fe80e9039455cc1608281820fe2b24f1e5233ade6af1dd5",
        ),
    };
    request.headers_mut().insert(name, digest.parse().unwrap());
    signer(scheme).with_nonce().sign_request_at(&mut request, at(0)).unwrap();
    request
}

/// Breaks a rule in a good request. That its time is over, and that it was sent before,
/// is not in the request itself.
fn break_rule(request: &mut Request<Body>, fault: Fault) {
    let headers = request.headers_mut();
    match fault {
        Size => drop(headers.insert("x-long", "a".repeat(40_000).parse().unwrap())),
        Shape => drop(headers.append("authorization", "FC a:b".parse().unwrap())),
        Host => drop(headers.insert("host", "evil.example".parse().unwrap())),
        Coverage => {
            headers.remove("x-fc-signature-nonce");
            headers.remove("x-acs-signature-nonce");
        }
        Store => rename(headers, UNREACHABLE),
        Ambiguity => *request.uri_mut() = "/pay?to=alice;to=bob".parse().unwrap(),
        Key => rename(headers, STRANGER),
        Signature => *request.method_mut() = http::Method::PUT,
        OtherBody => *request.body_mut() = Body::default(),
        Time | Again => {}
    }
}

/// A clock of the tests, and the calls of the inner service.
#[derive(Clone, Default)]
struct Seen {
    seconds: Arc<AtomicI64>,
    inner: Counting,
}

impl Seen {
    fn clock(&self) -> impl Clock + Clone + Send + Sync + 'static {
        let seconds = Arc::clone(&self.seconds);
        move || at(seconds.load(Ordering::SeqCst))
    }

    /// A verifying layer, and all layers inside of it.
    fn stack<V: Layer<Guarded<C>>, C: Clock + Clone>(&self, verify: V, clock: C) -> V::Service {
        ServiceBuilder::new()
            .layer(verify)
            .layer(ReplayLayer::new(MemoryReplayGuard::new(1_000)).with_clock(clock))
            .layer(CheckDigestLayer::new().with_policy(BodyPolicy::Require))
            .service(self.inner.clone())
    }
}

type Guarded<C> = Replay<CheckDigest<Counting>, MemoryReplayGuard, FcResponse, C>;

/// Breaks each rule alone, with each later one, and with all later ones: the answer has
/// to be that of the first.
async fn assert_order<S, B>(mut service: S, seen: &Seen)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
{
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256] {
        for (first, (fault, expected)) in IN_ORDER.iter().enumerate() {
            let later: Vec<Fault> = IN_ORDER[first + 1..].iter().map(|(fault, _)| *fault).collect();
            let pairs = later.iter().map(|other| vec![*other]);
            for mut others in pairs.chain([vec![], later.clone()]) {
                others.insert(0, *fault);
                let mut request = good(scheme);
                if others.contains(&Again) {
                    let response = call(&mut service, request.clone()).await.unwrap();
                    assert_eq!(response.status(), 200, "{scheme}");
                }
                // The first one last, where two want the same place.
                for fault in others.iter().rev() {
                    break_rule(&mut request, *fault);
                }
                let seconds = if others.contains(&Time) { 901 } else { 0 };
                seen.seconds.store(seconds, Ordering::SeqCst);
                let before = seen.inner.calls();
                let response = call(&mut service, request).await.unwrap();
                assert_eq!(refusal(&response), Some(*expected), "{scheme}: {others:?}");
                assert_eq!(seen.inner.calls(), before, "{scheme}: {others:?}");
                seen.seconds.store(0, Ordering::SeqCst);
            }
        }
    }
}

/// Asks for what it does not by default.
fn strict<K>(verifier: Verifier<K>) -> Verifier<K> {
    verifier.with_required_nonce().with_hosts(["demo.example"]).unwrap()
}

#[tokio::test]
async fn of_several_broken_rules_the_first_is_the_answer() {
    let seen = Seen::default();
    let verifier = strict(Verifier::new(look_up));
    let verify = VerifyLayer::new(verifier).with_clock(seen.clock());
    assert_order(seen.stack(verify, seen.clock()), &seen).await;
}

#[tokio::test]
async fn the_order_is_the_same_where_keys_are_awaited() {
    let seen = Seen::default();
    let verifier = strict(Verifier::new(async |id: String| look_up(&id)));
    let verify = VerifyLayer::new(verifier).with_clock(seen.clock()).awaiting_keys();
    assert_order(seen.stack(verify, seen.clock()), &seen).await;
}
