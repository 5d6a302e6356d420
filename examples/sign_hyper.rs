//! Signs what a hyper-util client sends. It is a tower service, so `SignLayer` fits as it is.
//!
//!     cargo run --example sign_hyper
//!
//! tests/system/examples/sign_hyper_tls.rs does so by TLS and HTTP/2, with retries and STS.

use axum::{Router, routing::post};
use bytes::Bytes;
use clap::Parser;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{ServiceBuilder, ServiceExt};
use tower_fc::error::BoxError;
use tower_fc::{Credentials, SignLayer, StaticKeys, Verifier, VerifyLayer};

/// Signs what a hyper-util client sends, to a server that it starts on loopback.
#[derive(Parser)]
struct Args {}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    Args::parse();
    let origin = start_server().await?;

    // A retry layer goes above SignLayer: each attempt is signed anew.
    let credentials = Credentials::new("LTAI5tExample", "example-secret")?;
    let client = ServiceBuilder::new()
        .layer(SignLayer::for_origins(credentials, [&origin])?)
        .service(Client::builder(TokioExecutor::new()).build_http());

    for name in ["world", "again"] {
        let body = Full::new(Bytes::from(name));
        let request = Request::post(format!("{origin}/hello?name=you")).body(body)?;
        // A clone has the same connections.
        let response = client.clone().oneshot(request).await?;
        println!("{}", response.status());
        let body = response.into_body().collect().await?.to_bytes();
        assert_eq!(body, format!("let in: hello {name}"));
    }
    Ok(())
}

/// Stands in for a function: starts a server, and returns its origin.
async fn start_server() -> Result<String, BoxError> {
    let keys = StaticKeys::from_secrets([("LTAI5tExample", "example-secret")])?;
    let app = Router::new()
        .route("/hello", post(|body: String| async move { format!("let in: hello {body}") }))
        .layer(VerifyLayer::new(Verifier::new(keys)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(origin)
}
