//! Signs what a reqwest client sends.
//!
//!     cargo run --example sign_reqwest --features reqwest-middleware

use axum::{Router, routing::get};
use clap::Parser;
use reqwest::redirect::Policy;
use reqwest_middleware::ClientBuilder;
use tower_fc::adapters::reqwest::SignMiddleware;
use tower_fc::error::BoxError;
use tower_fc::{Credentials, Scheme, Signer, StaticKeys, Verifier, VerifyLayer};

/// Signs what a reqwest client sends, to a server that it starts on loopback.
#[derive(Parser)]
struct Args {}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    Args::parse();
    let url = start_server().await?;

    let credentials = Credentials::new("LTAI5tExample", "example-secret")?;
    let signer = Signer::new(credentials).with_scheme(Scheme::Acs3HmacSha256)?;
    // A redirect would need a signature of its own, so it is not followed.
    let client = reqwest::Client::builder().redirect(Policy::none()).build()?;
    // A middleware that retries goes before this one: each attempt is signed anew.
    let client = ClientBuilder::new(client).with(SignMiddleware::new(signer)).build();

    let response = client.get(url).send().await?;
    println!("{} {}", response.status(), response.text().await?);
    Ok(())
}

/// Stands in for a function: starts a server, and returns a URL of it.
async fn start_server() -> Result<String, BoxError> {
    let keys = StaticKeys::from_secrets([("LTAI5tExample", "example-secret")])?;
    let app = Router::new()
        .route("/hello", get(|| async { "let in" }))
        .layer(VerifyLayer::new(Verifier::new(keys)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/hello?name=you", listener.local_addr()?);
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(url)
}
