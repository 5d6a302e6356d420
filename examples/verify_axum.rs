//! An axum application that knows who calls it.
//!
//!     cargo run --example verify_axum --features axum
//!
//! and in another terminal what it prints.

use axum::{Router, routing::get};
use clap::Parser;
use tower_fc::adapters::axum::original_uri;
use tower_fc::error::BoxError;
use tower_fc::verify::Mode;
use tower_fc::{StaticKeys, VerifiedCaller, Verifier, VerifyLayer};

/// Serves /api/hello to everyone and /api/me to those who sign, until it is interrupted.
#[derive(Parser)]
struct Args {}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    Args::parse();
    let keys = StaticKeys::from_secrets([("LTAI5tExample", "example-secret")])?;
    let verify = VerifyLayer::new(Verifier::new(keys))
        // Requests without credentials get in as well; those with bad ones never do.
        .with_mode(Mode::Optional)
        // `nest` takes "/api" away, and it is signed.
        .with_original_target(original_uri);
    let api = Router::new().route("/hello", get(hello)).route("/me", get(me)).layer(verify);
    let app = Router::new().nest("/api", api);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    println!("listening on {base}\n\ntry\n    curl {base}/api/hello\n    curl -i {base}/api/me");
    println!("    export ALIBABA_CLOUD_ACCESS_KEY_ID=LTAI5tExample");
    println!("    export ALIBABA_CLOUD_ACCESS_KEY_SECRET=example-secret");
    println!("    cargo run -p fcurl -- {base}/api/me");
    Ok(axum::serve(listener, app).await?)
}

async fn hello(caller: Option<VerifiedCaller>) -> String {
    format!("hello {}\n", caller.as_ref().map_or("stranger", VerifiedCaller::access_key_id))
}

async fn me(caller: VerifiedCaller) -> String {
    format!("you are {}, by scheme {}\n", caller.access_key_id(), caller.scheme())
}
