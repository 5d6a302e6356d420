//! Frameworks and clients that are not plain tower services.
//!
//! | adapter | feature | what it is |
//! |---|---|---|
#![cfg_attr(
    feature = "axum",
    doc = "| [`axum`] | `axum` | [`VerifiedCaller`](crate::VerifiedCaller), and with `jwt` a verified token, as extractors; refusals made of axum's responses; the target as it was before `nest` |"
)]
#![cfg_attr(
    feature = "reqwest",
    doc = "| [`reqwest`] | `reqwest` | a request signed in one call; with `reqwest-middleware`, a middleware that signs what reqwest sends |",
    doc = "| [`redirect`] | `reqwest` | which redirects a client that signs is to hand back |"
)]
#![cfg_attr(
    feature = "tonic",
    doc = "| [`tonic`] | `tonic` | what could not be signed as a gRPC status |"
)]
//!
//! Most need none. hyper-util's client is a tower service of `http` requests, and
//! so is tonic's channel: [`SignLayer`](crate::SignLayer) wraps them as they are.
//! axum's router and tonic's server take [`VerifyLayer`](crate::VerifyLayer) in
//! their `layer`. For any other client, [`Signer`](crate::Signer) signs the parts of
//! a request.
//!
//! # hyper
//!
//! A client of hyper-util, for HTTP/1.1 and HTTP/2, in the clear or by TLS, is wrapped as it is. Send
//! by `oneshot`, on a clone, which shares its connections: under several layers `ready` cannot
//! tell the type of the request's body (the compiler says E0283), which `oneshot` is given.
//!
//! ```
//! use bytes::Bytes;
//! use http_body_util::Full;
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_fc::digest::SetDigestLayer;
//! use tower_fc::{Credentials, SignLayer, Signer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower_fc::error::BoxError> {
//! # let keys = tower_fc::StaticKeys::from_secrets([("LTAI5tExample", "secret")])?;
//! # let verify = tower_fc::VerifyLayer::new(tower_fc::Verifier::new(keys));
//! # let app = axum::Router::new().fallback(async || "hello").layer(verify);
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let origin = format!("http://{}", listener.local_addr()?);
//! # tokio::spawn(axum::serve(listener, app).into_future());
//! let signer = Signer::new(Credentials::new("LTAI5tExample", "secret")?);
//! let client = ServiceBuilder::new()
//!     .layer(SetDigestLayer::for_signer(&signer))
//!     .layer(SignLayer::for_origins(signer, [&origin])?)
//!     .service(Client::builder(TokioExecutor::new()).build_http());
//!
//! for body in ["hello", "again"] {
//!     let body = Full::new(Bytes::from(body));
//!     let request = http::Request::post(format!("{origin}/hello")).body(body)?;
//!     assert_eq!(client.clone().oneshot(request).await?.status(), 200);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # WebSocket
//!
//! What is signed is the handshake, an HTTP request, and no message after it. tungstenite makes one
//! from a URL, which is signed in its headers like any other:
//!
//! ```ignore (a dependency of its own: tests/system/examples/sign_websocket.rs is a whole program)
//! let mut request = "wss://demo.example/chat".into_client_request()?;
//! signer.sign_request_at(&mut request, SystemTime::now())?;
//! let (socket, _) = tokio_tungstenite::connect_async(request).await?;
//! ```
//!
//! A browser cannot set headers: give it the URL of a [`Presigner`](crate::Presigner). A server
//! verifies before it upgrades, with a [`VerifyLayer`](crate::VerifyLayer) around the route, over
//! HTTP/1.1 and HTTP/2 alike. Over HTTP/2 the method is CONNECT (RFC 8441), and the method is signed:
//! a URL that is presigned for a GET is refused there. Browsers use it on a connection that they
//! have over HTTP/2, if the server allows it.

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "reqwest")]
pub mod redirect;
#[cfg(feature = "reqwest")]
pub mod reqwest;
#[cfg(feature = "tonic")]
pub mod tonic;
