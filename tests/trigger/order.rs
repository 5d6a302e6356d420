//! Which rule answers when several are broken: always the first.

use crate::common::{Counting, at, clock, refusal, signer, verify_layer};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use tower::{Layer, Service, ServiceExt};
use tower_fc::error::BoxError;
use tower_fc::trigger::{Cors, CorsConfig, Domain, HttpTrigger, Methods};
use tower_fc::{RejectionKind, Scheme};

/// What can be wrong, in the order in which it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Target,
    Headers,
    Address,
    Method,
    Signature,
    Digest,
    Body,
    Function,
    ResponseHeaders,
    Content,
}

const IN_ORDER: [(Fault, RejectionKind, u16); 10] = [
    (Fault::Target, RejectionKind::LimitExceeded, 400),
    (Fault::Headers, RejectionKind::LimitExceeded, 400),
    (Fault::Address, RejectionKind::AddressDisabled, 403),
    (Fault::Method, RejectionKind::MethodNotAllowed, 405),
    (Fault::Signature, RejectionKind::MissingCredentials, 403),
    (Fault::Digest, RejectionKind::BodyDigestMismatch, 403),
    (Fault::Body, RejectionKind::LimitExceeded, 400),
    (Fault::Function, RejectionKind::FunctionUnreachable, 502),
    (Fault::ResponseHeaders, RejectionKind::ResponseLimitExceeded, 502),
    (Fault::Content, RejectionKind::ContentNotAllowed, 400),
];

/// A function with these faults.
#[derive(Clone)]
struct Function(Vec<Fault>, Counting);

impl<B> Service<Request<B>> for Function {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = Ready<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        drop(self.1.call(request));
        if self.0.contains(&Fault::Function) {
            return ready(Err("it crashed".into()));
        }
        let mut response = Response::new(Full::from("hello"));
        if self.0.contains(&Fault::ResponseHeaders) {
            response.headers_mut().insert("x-long", "a".repeat(9000).parse().unwrap());
        }
        if self.0.contains(&Fault::Content) {
            let apk = "application/vnd.android.package-archive".parse().unwrap();
            response.headers_mut().insert("content-type", apk);
        }
        ready(Ok(response))
    }
}

/// The answer to a request with these faults, and how often the function was called.
async fn answer(faults: &[Fault]) -> (Response<()>, usize) {
    ask(faults, false).await
}

/// The same of a request that is a configured preflight, too.
async fn ask(faults: &[Fault], is_preflight: bool) -> (Response<()>, usize) {
    let has = |fault| faults.contains(&fault);
    let target = if has(Fault::Target) { format!("/{}", "a".repeat(5000)) } else { "/".into() };
    let method = if has(Fault::Method) { Method::PUT } else { Method::POST };
    let body = if has(Fault::Body) { "longer" } else { "short" };
    let request = Request::builder().method(method).uri(target);
    let mut request = request.body(Full::<Bytes>::from(body)).unwrap();
    if has(Fault::Headers) {
        request.headers_mut().insert("x-long", "a".repeat(9000).parse().unwrap());
    }
    if has(Fault::Digest) {
        request.headers_mut().insert("content-md5", "no digest".parse().unwrap());
    }
    if !has(Fault::Signature) {
        signer(Scheme::Fc).sign_request_at(&mut request, at(0)).unwrap();
    }
    let domain = if has(Fault::Address) { Domain::BuiltInDisabled } else { Domain::BuiltIn };
    let calls = Counting::default();
    if is_preflight {
        *request.method_mut() = Method::OPTIONS;
        let asking = [("origin", "https://app.example"), ("access-control-request-method", "PUT")];
        for (name, value) in asking {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
    }
    let cors = CorsConfig::new(["https://app.example"]).and_then(Cors::configured).unwrap();
    let trigger = HttpTrigger::new(verify_layer())
        .with_clock(clock())
        .with_domain(domain)
        .with_cors(cors)
        .with_methods(Methods::new([Method::POST]).unwrap())
        .with_max_body_len(5)
        .layer(Function(faults.to_vec(), calls.clone()));
    (trigger.oneshot(request).await.unwrap().map(drop), calls.calls())
}

#[tokio::test]
async fn the_first_rule_that_is_broken_decides() {
    let (response, calls) = answer(&[]).await;
    assert_eq!((response.status().as_u16(), refusal(&response), calls), (200, None, 1));
    for (at, (first, kind, status)) in IN_ORDER.into_iter().enumerate() {
        let later = &IN_ORDER[at..];
        let pairs = later.iter().map(|(second, ..)| vec![*second, first]);
        let all = [later.iter().map(|(fault, ..)| *fault).collect()];
        for faults in pairs.chain(all) {
            let (response, calls) = answer(&faults).await;
            assert_eq!(refusal(&response), Some(kind), "{faults:?}");
            assert_eq!(response.status(), status, "{faults:?}");
            assert_eq!(calls, usize::from(first >= Fault::Function), "{faults:?}");
            assert!(response.headers().contains_key("x-fc-request-id"), "{faults:?}");
        }
    }
}

#[tokio::test]
async fn a_preflight_is_answered_before_the_method_is_looked_at_and_after_the_domain() {
    for (fault, kind, _) in IN_ORDER {
        let (response, calls) = ask(&[fault], true).await;
        let kind = (fault < Fault::Method).then_some(kind);
        assert_eq!(refusal(&response), kind, "{fault:?}");
        assert_eq!(response.status() == 204, kind.is_none(), "{fault:?}");
        assert_eq!(calls, 0, "{fault:?}");
    }
}
