//! Testing handlers and services behind [`VerifyLayer`], in memory.
//!
//! [`TestKey`] is an access key for tests. It signs requests, verifies them, and gives a
//! [`VerifiedCaller`] to whoever needs no more. Its time stands still. Each test below is one of a
//! program that has a handler and an app:
//!
//! ```
//! # use axum::{Router, routing::get};
//! # use tower_fc::{VerifiedCaller, VerifyLayer, Verifier, keys::KeyStore};
//! async fn hello(caller: VerifiedCaller) -> String {
//!     format!("hello {}", caller.access_key_id())
//! }
//!
//! fn app(keys: impl KeyStore + Send + Sync + 'static) -> Router {
//!     Router::new().route("/hello", get(hello)).layer(VerifyLayer::new(Verifier::new(keys)))
//! }
//! ```
//!
//! # A handler by itself
//!
//! It is a function, and takes a caller.
//!
//! ```
//! # use tower_fc::VerifiedCaller;
//! # async fn hello(caller: VerifiedCaller) -> String {
//! #     format!("hello {}", caller.access_key_id())
//! # }
//! use tower_fc::test_util::TestKey;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let caller = TestKey::new("LTAI5tExample")?.caller()?;
//! assert_eq!(hello(caller).await, "hello LTAI5tExample");
//! # Ok(())
//! # }
//! ```
//!
//! # Routes without the layer
//!
//! Where the layer is put around them elsewhere, a caller in the extensions stands in for it.
//!
//! ```
//! # use axum::{Router, routing::get};
//! # use tower_fc::VerifiedCaller;
//! # async fn hello(caller: VerifiedCaller) -> String {
//! #     format!("hello {}", caller.access_key_id())
//! # }
//! use axum::body::Body;
//! use http::Request;
//! use tower::ServiceExt;
//! use tower_fc::test_util::TestKey;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let routes: Router = Router::new().route("/hello", get(hello));
//! let request = TestKey::new("LTAI5tExample")?.call(Request::get("/hello").body(Body::empty())?)?;
//! assert_eq!(routes.oneshot(request).await?.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! # A whole app
//!
//! What it lets in, and what it does not.
//!
//! ```
//! # use axum::{Router, routing::get};
//! # use tower_fc::{VerifiedCaller, VerifyLayer, Verifier, keys::KeyStore};
//! # async fn hello(caller: VerifiedCaller) -> String {
//! #     format!("hello {}", caller.access_key_id())
//! # }
//! # fn app(keys: impl KeyStore + Send + Sync + 'static) -> Router {
//! #     Router::new().route("/hello", get(hello)).layer(VerifyLayer::new(Verifier::new(keys)))
//! # }
//! use axum::body::Body;
//! use http::Request;
//! use tower::ServiceExt;
//! use tower_fc::test_util::TestKey;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = TestKey::new("LTAI5tExample")?;
//! let request = || Request::get("/hello").body(Body::empty());
//! let signed = key.sign(request()?)?;
//! assert_eq!(app(key.keys()).oneshot(signed).await?.status(), 200);
//! assert_eq!(app(key.keys()).oneshot(request()?).await?.status(), 403);
//!
//! let stranger = TestKey::new("somebody-else")?;
//! let signed = stranger.sign(request()?)?;
//! assert_eq!(app(key.keys()).oneshot(signed).await?.status(), 403);
//! # Ok(())
//! # }
//! ```
//!
//! # As of another time, under another scheme, for a tenant
//!
//! ```
//! use axum::{Extension, Router, body::Body, routing::get};
//! use http::Request;
//! use std::time::{Duration, UNIX_EPOCH};
//! use tower::ServiceExt;
//! use tower_fc::test_util::TestKey;
//! use tower_fc::{RejectionKind, Rejection, Scheme};
//!
//! #[derive(Clone)]
//! struct Tenant(&'static str);
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = TestKey::new("LTAI5tExample")?
//!     .with_time(UNIX_EPOCH + Duration::from_secs(1_795_283_820))
//!     .with_scheme(Scheme::Acs3HmacSha256)?
//!     .with_value(Tenant("acme"));
//! let whose = async |Extension(tenant): Extension<Tenant>| tenant.0;
//! let app = Router::new().route("/", get(whose)).layer(key.verify_layer());
//!
//! let request = key.sign(Request::get("/").body(Body::empty())?)?;
//! let response = app.clone().oneshot(request).await?;
//! assert_eq!(axum::body::to_bytes(response.into_body(), 1024).await?, "acme");
//!
//! // Signed a day before:
//! let early = key.clone().with_time(UNIX_EPOCH + Duration::from_secs(1_795_197_420));
//! let request = early.sign(Request::get("/").body(Body::empty())?)?;
//! let response = app.oneshot(request).await?;
//! let rejection: &Rejection = response.extensions().get().unwrap();
//! assert_eq!(rejection.kind(), RejectionKind::RequestTimeTooSkewed);
//! # Ok(())
//! # }
//! ```

use crate::clock::{Clock, FixedClock, SystemClock};
use crate::error::{Error, ErrorKind};
use crate::keys::VerifyingKey;
use crate::keys::static_keys::StaticKeys;
use crate::protocol::verifier::caller::with_caller;
use crate::protocol::{Credentials, Scheme, Schemes, Signer, VerifiedCaller, Verifier};
use crate::response::FcResponse;
use crate::verify::layer::VerifyLayer;
use http::Request;
use http::header::HOST;
use std::time::SystemTime;

/// An access key for tests, with a secret of its own and a time that stands still.
///
/// What it gives is real: its requests are signed and its callers were verified, so that they have
/// nothing that no request could have. `Debug` prints the id and the time.
#[derive(Clone, Debug)]
pub struct TestKey {
    signer: Signer,
    id: Box<str>,
    key: VerifyingKey,
    clock: FixedClock,
}

impl TestKey {
    /// The access key of this id. Its time is that at which it was made, so that an app by the
    /// clock of the system takes what it signs for the next 15 minutes.
    ///
    /// # Errors
    /// As [`Credentials::new`] for the id.
    pub fn new(id: &str) -> Result<Self, Error> {
        let credentials = Credentials::new(id, format!("the-secret-of-{id}"))?;
        let key = credentials.key().clone();
        let clock = FixedClock::at(SystemClock.now());
        // What is called in memory has no host.
        let signer = Signer::new(credentials).with_insecure_unsigned_header(HOST);
        Ok(Self { signer, id: id.into(), key, clock })
    }

    /// Signs by this scheme, in place of [`Scheme::Fc`].
    ///
    /// # Errors
    /// As [`Signer::with_scheme`].
    pub fn with_scheme(mut self, scheme: Scheme) -> Result<Self, Error> {
        self.signer = self.signer.with_scheme(scheme)?;
        Ok(self)
    }

    /// Signs with a fresh nonce each time, so that no two requests are the same.
    #[must_use]
    pub fn with_nonce(mut self) -> Self {
        self.signer = self.signer.with_nonce();
        self
    }

    /// Signs and verifies as of this time.
    #[must_use]
    pub fn with_time(mut self, time: SystemTime) -> Self {
        self.clock = FixedClock::at(time);
        self
    }

    /// Keeps a value of the application's with the key: see [`VerifyingKey::with_value`].
    #[must_use]
    pub fn with_value<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.key = self.key.with_value(value);
        self
    }

    /// Its id.
    pub fn access_key_id(&self) -> &str {
        &self.id
    }

    /// The clock that stands still, for other layers.
    pub fn clock(&self) -> FixedClock {
        self.clock
    }

    /// A key store that knows this key and no other.
    pub fn keys(&self) -> StaticKeys {
        StaticKeys::new().with_key(&*self.id, self.key.clone())
    }

    /// A layer that verifies by this key, by its clock, under every scheme, and otherwise by the
    /// defaults.
    pub fn verify_layer(&self) -> VerifyLayer<StaticKeys, FcResponse, FixedClock> {
        VerifyLayer::new(self.verifier()).with_clock(self.clock)
    }

    fn verifier(&self) -> Verifier<StaticKeys> {
        Verifier::new(self.keys()).with_schemes(Schemes::all())
    }

    /// A request, signed.
    ///
    /// # Errors
    /// As [`Signer::sign_at`].
    pub fn sign<B>(&self, mut request: Request<B>) -> Result<Request<B>, Error> {
        self.signer.sign_request_at(&mut request, self.clock.now())?;
        Ok(request)
    }

    /// The caller of a `GET` of `/` that this key signed.
    ///
    /// # Errors
    /// As [`TestKey::sign`].
    pub fn caller(&self) -> Result<VerifiedCaller, Error> {
        self.caller_of(&Request::new(()))
    }

    /// The caller of this request, if this key signed it: for what depends on the request, such as
    /// [`VerifiedCaller::covers_body`].
    ///
    /// # Errors
    /// As [`TestKey::sign`], and [`ErrorKind::Refused`] for what is not let in however it is signed.
    pub fn caller_of<B>(&self, request: &Request<B>) -> Result<VerifiedCaller, Error> {
        let mut head = Request::new(());
        *head.method_mut() = request.method().clone();
        *head.uri_mut() = request.uri().clone();
        *head.headers_mut() = request.headers().clone();
        let verdict = self.verifier().verify_request_at(&self.sign(head)?, self.clock.now());
        verdict.map_err(|rejection| {
            Error::caused(ErrorKind::Refused, "the request is not let in", rejection)
        })
    }

    /// A request as it is inside of a layer that verified it: unsigned, with its caller and the
    /// value of the key in its extensions.
    ///
    /// # Errors
    /// As [`TestKey::caller_of`].
    pub fn call<B>(&self, mut request: Request<B>) -> Result<Request<B>, Error> {
        let caller = self.caller_of(&request)?;
        with_caller(request.extensions_mut(), caller);
        Ok(request)
    }
}
