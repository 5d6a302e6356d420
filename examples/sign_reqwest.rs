//! Signs what a reqwest client sends, with the digest of each body.
//!
//!     cargo run --example sign_reqwest --features reqwest-middleware

use axum::{Router, routing::post};
use clap::Parser;
use reqwest_middleware::ClientBuilder;
use tower_fc::adapters::{redirect, reqwest::SignMiddleware};
use tower_fc::digest::{self, BodyPolicy, CheckDigestLayer};
use tower_fc::error::BoxError;
use tower_fc::{Credentials, Scheme, Signer, StaticKeys, Verifier, VerifyLayer};

/// Signs what a reqwest client sends, to a server that it starts on loopback.
#[derive(Parser)]
struct Args {}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    Args::parse();
    let origin = start_server().await?;
    let url = format!("{origin}/hello?name=you");

    let credentials = Credentials::new("LTAI5tExample", "example-secret")?;
    let signer = Signer::new(credentials).with_scheme(Scheme::Acs3HmacSha256)?;
    // A redirect would need a signature of its own, so one of this server is handed back.
    let policy = redirect::policy_for_origins([&origin])?;
    let plain = reqwest::Client::builder().redirect(policy).build()?;
    let client = ClientBuilder::new(plain.clone())
        // A middleware that retries goes here: each attempt is signed anew.
        .with(SignMiddleware::for_origins(signer.clone(), [&origin])?.with_digest())
        .build();

    let response = client.post(&url).body("world").send().await?;
    println!("{}", response.status());
    assert_eq!(response.text().await?, "let in: hello world");

    // Without a middleware: a request by itself.
    let digest = digest::content_sha256(b"world");
    let post = plain.post(&url).header("x-acs-content-sha256", digest).body("world");
    let mut request = post.build()?;
    signer.sign_reqwest(&mut request)?;
    assert_eq!(plain.execute(request).await?.status(), 200);

    // And one that is not signed.
    assert_eq!(plain.post(&url).body("world").send().await?.status(), 403);
    Ok(())
}

/// Stands in for a function that takes no body without a digest: starts a server, and returns its
/// origin.
async fn start_server() -> Result<String, BoxError> {
    let keys = StaticKeys::from_secrets([("LTAI5tExample", "example-secret")])?;
    let app = Router::new()
        .route("/hello", post(|body: String| async move { format!("let in: hello {body}") }))
        .layer(CheckDigestLayer::new().with_policy(BodyPolicy::Require))
        .layer(VerifyLayer::new(Verifier::new(keys)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(origin)
}
