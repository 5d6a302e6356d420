//! Signed, or with a token, and never both.

use crate::common::services::Slow;
use crate::common::{
    ACS_DATE, HEADER_SCHEMES, ID, at, careless, clock, credentials, keys, presigned, signed_at,
    signed_by, verifier, verify_layer,
};
use crate::jwt_common::{Body, Seen, bearer, layer, send, token};
use RejectionKind as Kind;
use http::Request;
use tower_fc::digest::CheckDigestLayer;
use tower_fc::error::ErrorKind;
use tower_fc::protocol::Schemes;
use tower_fc::trigger::HttpTrigger;
use tower_fc::trigger::jwt::{Paths, SignatureOrJwtLayer, VerifiedToken};
use tower_fc::verify::Mode;
use tower_fc::{Rejection, RejectionKind, Scheme, VerifiedCaller, Verifier, VerifyLayer};

fn get() -> Request<Body> {
    Request::get("/a?b=c").body(Body::default()).unwrap()
}

fn with_token(mut request: Request<Body>) -> Request<Body> {
    let value = format!("Bearer {}", token()).parse().unwrap();
    request.headers_mut().append("authorization", value);
    request
}

fn with(mut request: Request<Body>, name: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

/// What became of a request: by whom it was let in, or why not.
fn outcome(answer: Result<Seen, Rejection>) -> Result<&'static str, Kind> {
    let extensions = answer.map_err(|rejection| rejection.kind())?.parts.extensions;
    let caller = extensions.get::<VerifiedCaller>();
    match (caller, extensions.get::<VerifiedToken>()) {
        (Some(caller), None) if caller.access_key_id() == ID => Ok("signature"),
        (None, Some(token)) if token.subject() == Some("alice") => Ok("token"),
        (None, None) => Ok("free"),
        other => panic!("{other:?}"),
    }
}

/// Each request, and what becomes of it.
fn cases() -> Vec<(&'static str, Request<Body>, Result<&'static str, Kind>)> {
    let bad = |mut request: Request<Body>| {
        *request.uri_mut() = "/a?b=d".parse().unwrap();
        request
    };
    let signed = |scheme| signed_at(get(), scheme, at(0));
    let in_url = || presigned(get(), credentials(), 60);
    let mut cases = vec![
        ("a token", with_token(get()), Ok("token")),
        ("a presigned URL", in_url(), Ok("signature")),
        ("nothing", get(), Err(Kind::MissingToken)),
        ("another scheme", with(get(), "authorization", "Basic YTpi"), Err(Kind::MissingToken)),
        ("a bad token", with(get(), "authorization", "Bearer a.b.c"), Err(Kind::InvalidToken)),
        ("a bad signature", bad(signed(Scheme::Fc)), Err(Kind::SignatureMismatch)),
        (
            "a bad presigned URL",
            {
                let mut request = in_url();
                let target = request.uri().to_string().replace("b=c", "b=d");
                *request.uri_mut() = target.parse().unwrap();
                request
            },
            Err(Kind::SignatureMismatch),
        ),
        // What a proxy leaves that takes `authorization` away.
        ("x-acs-date", with(get(), "x-acs-date", ACS_DATE), Err(Kind::IncompleteCredentials)),
        ("a nonce", with(get(), "x-fc-signature-nonce", "1"), Err(Kind::IncompleteCredentials)),
        (
            "a security token",
            with(get(), "x-fc-security-token", "1"),
            Err(Kind::IncompleteCredentials),
        ),
        (
            "another scheme and remains",
            { with(with(get(), "authorization", "Basic YTpi"), "x-acs-date", ACS_DATE) },
            Err(Kind::IncompleteCredentials),
        ),
        (
            "half a presigned URL",
            { Request::get("/?x-fc-signature=1").body(Body::default()).unwrap() },
            Err(Kind::MalformedCredentials),
        ),
        (
            "two signatures",
            {
                let mut request = signed(Scheme::Fc);
                let value = request.headers()["authorization"].clone();
                request.headers_mut().append("authorization", value);
                request
            },
            Err(Kind::ConflictingCredentials),
        ),
        (
            "a signature and another scheme",
            {
                let mut request = signed(Scheme::Fc);
                request.headers_mut().append("authorization", "Basic YTpi".parse().unwrap());
                request
            },
            Err(Kind::ConflictingCredentials),
        ),
        // Both.
        ("a token and a presigned URL", with_token(in_url()), Err(Kind::ConflictingCredentials)),
        (
            "a token in the cookie and a signature",
            { with(signed(Scheme::Fc), "cookie", &format!("session={}", token())) },
            Err(Kind::ConflictingCredentials),
        ),
        (
            "a bad token in the cookie and a signature",
            { with(signed(Scheme::Fc), "cookie", "session=nonsense") },
            Err(Kind::ConflictingCredentials),
        ),
        (
            "a token and a bad signature",
            { bad(with(signed(Scheme::Fc), "cookie", &format!("session={}", token()))) },
            Err(Kind::ConflictingCredentials),
        ),
        (
            "a token and remains",
            { with_token(with(get(), "x-acs-date", ACS_DATE)) },
            Err(Kind::ConflictingCredentials),
        ),
        (
            "a token and half a presigned URL",
            { with_token(Request::get("/?x-fc-expires=1").body(Body::default()).unwrap()) },
            Err(Kind::ConflictingCredentials),
        ),
    ];
    for scheme in HEADER_SCHEMES {
        cases.push(("a signature", signed(scheme), Ok("signature")));
        let beside = with_token(signed(scheme));
        cases.push(("a signature beside a token", beside, Err(Kind::ConflictingCredentials)));
        let mut before = with_token(get());
        let signed = signed(scheme);
        for (name, value) in signed.headers() {
            before.headers_mut().append(name, value.clone());
        }
        cases.push(("a token beside a signature", before, Err(Kind::ConflictingCredentials)));
    }
    cases
}

fn all_schemes()
-> VerifyLayer<tower_fc::StaticKeys, tower_fc::response::FcResponse, tower_fc::clock::FixedClock> {
    VerifyLayer::new(verifier().with_schemes(Schemes::all()).with_insecure_observation())
        .with_clock(clock())
}

#[tokio::test]
async fn a_request_says_which_way_it_goes() {
    let lookup = "header:authorization:Bearer,cookie:session";
    let jwt = || layer().with_token_lookup(lookup.parse().unwrap());
    let at_once = SignatureOrJwtLayer::new(all_schemes(), jwt()).unwrap();
    let store = |id: String| async move {
        tokio::task::yield_now().await;
        (id == ID).then(crate::common::key)
    };
    let verify = VerifyLayer::new(
        Verifier::new(store).with_schemes(Schemes::all()).with_insecure_observation(),
    );
    let verify = verify.with_clock(clock()).awaiting_keys();
    let awaiting = SignatureOrJwtLayer::new(verify, jwt()).unwrap();
    // Whatever is in `authorization` is a token, but a signature.
    let lookup = "header:authorization:Bearer,cookie:session,header:authorization";
    let any =
        SignatureOrJwtLayer::new(all_schemes(), layer().with_token_lookup(lookup.parse().unwrap()));
    let any = any.unwrap();
    for at in 0..cases().len() {
        let case = || cases().swap_remove(at);
        let (name, request, expected) = case();
        assert_eq!(outcome(send(&at_once, request).await), expected, "{name}");
        assert_eq!(outcome(send(&awaiting, case().1).await), expected, "{name}, awaited");
        let answer = outcome(send(&any, case().1).await);
        match name.contains("another scheme") {
            true => assert!(answer.is_err(), "{name}"),
            false => assert_eq!(answer, expected, "{name}, without a prefix"),
        }
    }
}

#[tokio::test]
async fn free_paths_need_neither_and_nothing_is_looked_at() {
    let jwt = layer().with_paths(Paths::all_but(["/a"]).unwrap());
    let either = SignatureOrJwtLayer::new(all_schemes(), jwt).unwrap();
    for (name, request, _) in cases() {
        if request.uri().path() == "/a" {
            assert_eq!(outcome(send(&either, request).await), Ok("free"), "{name}");
        }
    }
    // Not even a caller that a layer outside has put there.
    let mut request = signed_at(get(), Scheme::Fc, at(0));
    let caller = verifier().verify_request_at(&request, at(0)).unwrap();
    request.extensions_mut().insert(caller);
    assert_eq!(outcome(send(&either, request).await), Ok("free"));
}

#[tokio::test]
async fn a_layer_that_lets_others_pass_is_refused() {
    for verify in
        [verify_layer().with_mode(Mode::Optional), verify_layer().with_exemption(|_, _, _| false)]
    {
        let error = SignatureOrJwtLayer::new(verify, layer()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSetting);
    }
    assert!(SignatureOrJwtLayer::new(verify_layer(), layer()).is_ok());
}

#[tokio::test]
async fn claims_are_taken_out_of_signed_requests_after_they_were_verified() {
    let jwt = layer().with_claims("header:sub:x-sub,query:sub:sub".parse().unwrap());
    let either = SignatureOrJwtLayer::new(all_schemes(), jwt).unwrap();
    let request = Request::get("/?a=1&sub=mallory").header("x-sub", "mallory");
    let signer = careless(Scheme::Fc);
    let request = signed_by(&signer, request.body(Body::default()).unwrap(), at(0));
    let seen = send(&either, request).await.unwrap();
    assert_eq!(seen.parts.uri, "/?a=1");
    assert_eq!(seen.header("x-sub"), None);
    assert!(seen.parts.extensions.get::<VerifiedCaller>().is_some());
}

#[tokio::test]
async fn what_is_inside_can_tell_that_requests_were_looked_at() {
    use tower::{ServiceExt, layer::util::Stack};
    let _ = (Slow(()), keys());
    for request in [with_token(get()), signed_at(get(), Scheme::Fc, at(0))] {
        // A digest layer answers with 500 where none looked.
        let either = SignatureOrJwtLayer::new(all_schemes(), layer()).unwrap();
        let stack = Stack::new(CheckDigestLayer::new(), either);
        let recorder = crate::jwt_common::Recorder::default();
        let service = tower::Layer::layer(&stack, recorder.clone());
        assert_eq!(service.oneshot(request).await.unwrap().status(), 200);
        recorder.take();
    }
    // And a whole trigger takes it.
    for (request, expected) in [
        (with_token(get()), 200),
        (signed_at(get(), Scheme::Fc, at(0)), 200),
        (get(), 403),
        (bearer("x"), 403),
    ] {
        let either = SignatureOrJwtLayer::new(all_schemes(), layer()).unwrap();
        let trigger = HttpTrigger::new(either).with_clock(clock());
        let service = tower::Layer::layer(&trigger, crate::jwt_common::Recorder::default());
        assert_eq!(service.oneshot(request).await.unwrap().status(), expected);
    }
}
