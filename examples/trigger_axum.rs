//! An axum app behind all that an HTTP trigger does: signatures, limits, request ids, CORS.
//!
//!     cargo run --example trigger_axum --features axum,trigger
//!     curl -i http://127.0.0.1:3000/hello                                     (refused)
//!     export ALIBABA_CLOUD_ACCESS_KEY_ID=LTAI5tExample ALIBABA_CLOUD_ACCESS_KEY_SECRET=secret
//!     cargo run -p fcurl -- http://127.0.0.1:3000/hello                       (in another terminal)

use axum::{Router, routing::get};
use tower_fc::trigger::{Cors, CorsConfig, HttpTrigger};
use tower_fc::{StaticKeys, VerifiedCaller, Verifier, VerifyLayer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let keys = StaticKeys::from_secrets([("LTAI5tExample", "secret")])?;
    let trigger = HttpTrigger::new(VerifyLayer::new(Verifier::new(keys)))
        .with_cors(Cors::configured(CorsConfig::new(["https://app.example"])?)?);
    let hello = async |caller: VerifiedCaller| format!("hello {}\n", caller.access_key_id());
    let app = Router::new().route("/hello", get(hello)).layer(trigger);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
