//! The server under load: answers with the body of the request, behind `VerifyLayer` or not.
//!
//! `serve plain`, `serve verified`, or `serve identity` behind a layer that does nothing, prints
//! its address and runs until it is killed.

#![allow(clippy::unwrap_used)]

#[path = "../../../shapes/mod.rs"]
mod shapes;

use axum::Router;
use axum::body::Bytes;
use axum::routing::any;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tower::layer::util::Identity;
use tower_fc::VerifyLayer;

#[tokio::main]
async fn main() {
    let echo = Router::new().route("/{*path}", any(|body: Bytes| async { body }));
    let app = match std::env::args().nth(1).as_deref() {
        Some("plain") => echo,
        // The router boxes the service anew for any layer.
        Some("identity") => echo.layer(Identity::new()),
        Some("verified") => echo.layer(VerifyLayer::new(shapes::verifier())),
        _ => panic!("usage: serve plain|identity|verified"),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
    axum::serve(listener, app).await.unwrap();
}
