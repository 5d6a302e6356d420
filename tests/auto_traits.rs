//! What every public type can do across threads and tasks, at compile time.

use std::fmt::Debug;
use std::panic::{RefUnwindSafe, UnwindSafe};
use tower_fc::clock::{FixedClock, SystemClock};
use tower_fc::error::{Error, ErrorKind};
use tower_fc::keys::{KeyStoreError, Keys, VerifyingKey};
use tower_fc::protocol::{Ambiguity, Dialect, Dialects, PresignedUrl, Schemes};
use tower_fc::release::{Release, ReleaseLayer};
use tower_fc::replay::{AsyncReplay, AsyncReplayLayer, MemoryReplayGuard, Replay, ReplayLayer};
use tower_fc::response::FcResponse;
use tower_fc::response::{AwaitingFuture, ResponseBody, ResponseFuture};
use tower_fc::sign::AsyncSignLayer;
use tower_fc::sign::{AsyncSign, AsyncSignFuture, Sign};
use tower_fc::verify::{AsyncVerify, Verify};
use tower_fc::verify::{AsyncVerifyLayer, Mode};
use tower_fc::{
    Credentials, Presigner, Rejection, RejectionKind, Scheme, SignLayer, Signer, StaticKeys,
    VerifiedCaller, Verifier, VerifyLayer,
};

/// A service, key store or body that can do nothing but be moved between threads.
struct Bare;

/// One that can do all that is asked for.
#[derive(Clone, Debug)]
struct Rich;

/// The future of a service.
type Future = std::future::Ready<Result<http::Response<Bare>, Bare>>;

/// Compiles when each type has every trait of its row.
macro_rules! matrix {
    ($([$($bound:tt)+] $($type:ty),+;)+) => {
        $({
            fn check<T: $($bound)+>() {}
            $(check::<$type>();)+
        })+
    };
}

/// Compiles when the type lacks the trait: were it there, the call would be ambiguous.
macro_rules! lacks {
    ($type:ty : $bound:path) => {{
        trait Ambiguous<A> {
            fn check() {}
        }
        impl<T: ?Sized> Ambiguous<()> for T {}
        #[allow(dead_code)]
        struct Has;
        impl<T: ?Sized + $bound> Ambiguous<Has> for T {}
        let _ = <$type as Ambiguous<_>>::check;
    }};
}

#[test]
fn every_public_type_has_the_traits_it_should_have() {
    matrix! {
        // Values that are handed around.
        [Send + Sync + Unpin + Clone + Debug + 'static]
            Credentials, Signer, Presigner, PresignedUrl, VerifyingKey, StaticKeys, VerifiedCaller;
        [Send + Sync + Unpin + Clone + Debug + 'static] Keys<'static>, Rejection;
        // Settings and names.
        [Send + Sync + Unpin + Copy + Debug + Eq + std::hash::Hash + 'static]
            Scheme, Dialect, Ambiguity, ErrorKind, RejectionKind, Mode;
        [Send + Sync + Unpin + Copy + Debug + Eq + 'static] Schemes, Dialects;
        [Send + Sync + Unpin + Copy + Debug + Default + 'static] SystemClock, FcResponse, ReleaseLayer;
        [Send + Sync + Unpin + Copy + Debug + 'static] FixedClock;
        // Errors.
        [std::error::Error + Send + Sync + Unpin + 'static] Error, KeyStoreError, Rejection;
        // Layers ask nothing of what they are made with, Clone where it has to be.
        [Send + Sync + Unpin + Clone + Debug + 'static]
            SignLayer, SignLayer<Rich, Rich>, AsyncSignLayer<Bare>, AsyncSignLayer<Bare, Rich>;
        [Send + Sync + Unpin + Clone + Debug + 'static] Verifier<Rich>;
        [Send + Sync + Unpin + Debug + 'static] Verifier<Bare>;
        [Send + Sync + Unpin + Clone + Debug + 'static]
            VerifyLayer<Bare>, VerifyLayer<Bare, Rich, Rich>, AsyncVerifyLayer<Bare>,
            ReplayLayer<Bare>, ReplayLayer<Bare, Rich, Rich>, AsyncReplayLayer<Bare>;
        [Send + Sync + Unpin + Debug + 'static] MemoryReplayGuard;
        // Services are what their inner service is.
        [Send + Sync + Unpin + Clone + Debug + 'static]
            Sign<Rich>, AsyncSign<Rich, Bare>, Verify<Rich, Bare>, Replay<Rich, Bare>,
            AsyncReplay<Rich, Bare>, Release<Rich>;
        [Send + Sync + Unpin + 'static]
            Sign<Bare>, AsyncSign<Bare, Bare>, Verify<Bare, Bare>, AsyncVerify<Bare, Bare>,
            Replay<Bare, Bare>, AsyncReplay<Bare, Bare>, Release<Bare>;
        [Send + Sync + Unpin + Clone + Debug + 'static] AsyncVerify<Rich, Bare>;
        // Futures and bodies.
        [Send + Sync + Unpin + 'static] ResponseFuture<Future>;
        [Send + Sync + Unpin + Debug + 'static] ResponseFuture<Rich>, ResponseBody<Rich>;
        [Send + Unpin + Debug + 'static]
            AwaitingFuture<Bare, Future, Bare>, AsyncSignFuture<Bare, Future, Bare>;
        [Send + Sync + Unpin + 'static] ResponseBody<Bare>;
    }
}

#[test]
fn so_have_providers_of_credentials_and_key_stores() {
    use tower_fc::credentials::{CachedCredentials, RuntimeCredentials};
    use tower_fc::credentials::{DynProvideCredentials, ProvideCredentials};
    use tower_fc::keys::{AsyncKeyStore, ByRequest, DynAsyncKeyStore, KeyQuery};
    matrix! {
        [Send + Sync + Unpin + Clone + Debug + 'static]
            CachedCredentials<Bare>, CachedCredentials<Bare, Rich>;
        [Send + Sync + Unpin + Debug + 'static] RuntimeCredentials, ByRequest<Bare>;
        [Send + Sync + Unpin + Debug + 'static] KeyQuery<'static>;
        [Send + Sync + ProvideCredentials] std::sync::Arc<dyn DynProvideCredentials>;
        [Send + Sync + AsyncKeyStore] std::sync::Arc<dyn DynAsyncKeyStore>;
        [Clone + std::error::Error] Error;
    }
}

#[test]
fn so_have_those_that_correct_a_clock() {
    use tower_fc::clock::CorrectedClock;
    use tower_fc::sign::{
        AnswerBody, CloneBody, CorrectClock, CorrectClockFuture, CorrectClockLayer,
    };
    type Body = http_body_util::Full<bytes::Bytes>;
    matrix! {
        [Send + Sync + Unpin + Clone + Debug + 'static]
            CorrectedClock, CorrectedClock<Rich>, CorrectClockLayer<Rich>,
            CorrectClockLayer<Rich, Rich, Rich>, CorrectClock<Rich, Rich, Rich>;
        [Send + Sync + Unpin + 'static] CorrectClockLayer<Bare, Bare, Bare>, CorrectClock<Bare>;
        [Send + Sync + Unpin + Copy + Debug + Default + 'static] CloneBody;
        [Send + Sync + Unpin + Debug + 'static] AnswerBody<Body>;
        [Send + Sync + Unpin + Debug + 'static]
            CorrectClockFuture<Bare, Future, Bare, Bare, Body>;
    }
}

#[test]
fn so_have_those_that_digest_bodies() {
    use tower_fc::digest::{
        BodyDigestMismatch, BodyTooLarge, BufferedBody, BufferedCheckDigest,
        BufferedCheckDigestLayer, BufferedCheckFuture, CheckDigest, CheckedBody, SetDigest,
        SetDigestFuture,
    };
    use tower_fc::digest::{
        BodyPolicy, CheckDigestLayer, DigestHeader, Md5Encoding, SetDigestLayer,
    };
    type Future = std::future::Ready<()>;

    matrix! {
        [Send + Sync + Unpin + Clone + Debug + 'static]
            SetDigestLayer, CheckDigestLayer<Rich>, BufferedCheckDigestLayer<Rich>;
        [Send + Sync + Unpin + Clone + Debug + 'static]
            SetDigest<Rich>, CheckDigest<Rich, Rich>, BufferedCheckDigest<Rich, Rich>, BufferedBody;
        [Copy + Eq + std::hash::Hash + Debug + Send + Sync + 'static]
            BodyPolicy, DigestHeader, Md5Encoding;
        [std::error::Error + Clone + Send + Sync + 'static] BodyDigestMismatch, BodyTooLarge;
        [Send + Sync + Unpin + 'static]
            CheckDigestLayer<Bare>, SetDigest<Bare>, CheckDigest<Bare, Bare>,
            BufferedCheckDigest<Bare, Bare>, CheckedBody<Bare>, ResponseBody<CheckedBody<Bare>>,
            SetDigestFuture<Bare, Future, Bare>, BufferedCheckFuture<Bare, Future, Bare, Bare>;
    }
    assert_eq!(BodyPolicy::default(), BodyPolicy::CheckWhenSigned);
    assert_eq!(DigestHeader::default(), DigestHeader::ContentMd5(Md5Encoding::Rfc1864));
}

#[test]
fn nothing_secret_can_be_compared_copied_or_printed_by_accident() {
    lacks!(Credentials: PartialEq);
    lacks!(Credentials: Copy);
    lacks!(Credentials: std::fmt::Display);
    lacks!(VerifyingKey: PartialEq);
    lacks!(VerifyingKey: Copy);
    lacks!(VerifyingKey: std::fmt::Display);
    lacks!(PresignedUrl: PartialEq);
}

#[test]
fn services_are_no_more_than_their_inner_service() {
    type NotSend = std::rc::Rc<()>;
    lacks!(Sign<NotSend>: Send);
    lacks!(Verify<NotSend, Bare>: Send);
    lacks!(Sign<Bare>: Clone);
    lacks!(Verify<Bare, Bare>: Clone);
    lacks!(Replay<NotSend, Bare>: Send);
    lacks!(Replay<Bare, Bare>: Clone);
    lacks!(ResponseFuture<std::marker::PhantomPinned>: Unpin);
    lacks!(ResponseBody<std::marker::PhantomPinned>: Unpin);
}

#[test]
fn a_panic_elsewhere_leaves_the_core_usable() {
    matrix! {
        [UnwindSafe + RefUnwindSafe]
            Credentials, Signer, Presigner, VerifyingKey, StaticKeys, Verifier<StaticKeys>;
        [UnwindSafe + RefUnwindSafe] VerifiedCaller, RejectionKind;
    }
}

#[cfg(feature = "axum")]
#[test]
fn the_axum_adapter_too() {
    use axum::extract::{FromRequestParts, OptionalFromRequestParts};
    use axum::response::IntoResponse;
    use tower_fc::adapters::axum::NotVerified;
    matrix! {
        [Send + Sync + Unpin + std::error::Error + IntoResponse + 'static] NotVerified;
        [FromRequestParts<()> + OptionalFromRequestParts<()>] VerifiedCaller;
    }
}

#[cfg(feature = "reqwest-middleware")]
#[test]
fn the_reqwest_adapter_too() {
    use reqwest_middleware::Middleware;
    use tower_fc::adapters::reqwest::SignMiddleware;
    use tower_fc::digest::SetDigestLayer;
    type Provider = fn() -> std::future::Ready<Result<Credentials, Error>>;
    matrix! {
        [Send + Sync + Unpin + Clone + Debug + Middleware + 'static]
            SignMiddleware, SignMiddleware<Credentials, FixedClock>, SignMiddleware<Provider>,
            SetDigestLayer;
    }
}

#[cfg(all(feature = "key-cache", feature = "key-file", feature = "redis"))]
#[test]
fn key_stores_and_guards_with_a_feature_too() {
    use tower_fc::keys::{CachedKeys, KeyFile};
    use tower_fc::replay::RedisReplayGuard;
    matrix! {
        [Send + Sync + Unpin + Clone + Debug + 'static] KeyFile, CachedKeys<Rich>;
        [Send + Sync + Unpin + Debug + 'static] CachedKeys<Bare>, RedisReplayGuard;
    }
}
