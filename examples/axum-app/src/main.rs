//! An axum app with a public route, signed ones, one for administrators, and a WebSocket. Each
//! access key belongs to a tenant.
//!
//!     cargo run -p axum-app
//!
//! and in another terminal what it prints.

use axum::extract::Extension;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, http::StatusCode};
use tower_fc::adapters::axum::{Caller, original_uri, refuse_with};
use tower_fc::error::{BoxError, Error};
use tower_fc::keys::VerifyingKey;
use tower_fc::{Scheme, StaticKeys, VerifiedCaller, Verifier, VerifyLayer};
use tower_http::{compression::CompressionLayer, cors::CorsLayer, trace::TraceLayer};

#[cfg(test)]
mod tests;

/// Whom a key belongs to.
#[derive(Clone)]
struct Tenant(&'static str);

const ADMIN: &str = "LTAI5tAdmin";

/// The keys. In place of these yours, from any `KeyStore`; what has to be awaited goes with
/// `VerifyLayer::awaiting_keys`.
fn keys() -> Result<StaticKeys, Error> {
    let key = |secret, tenant| Ok(VerifyingKey::new(secret)?.with_value(Tenant(tenant)));
    Ok(StaticKeys::new()
        .with_key("LTAI5tAcme", key("secret-of-acme", "acme")?)
        .with_key(ADMIN, key("secret-of-admin", "operator")?))
}

fn app(keys: StaticKeys) -> Result<Router, Error> {
    // Browsers cannot set headers for a WebSocket: it may have its signature in the URL.
    let schemes = [Scheme::Fc, Scheme::Acs3HmacSha256, Scheme::FcPresigned];
    let verifier = Verifier::new(keys).with_schemes(schemes).with_other_schemes(["Bearer"])?;
    let verify = VerifyLayer::new(verifier)
        .with_original_target(original_uri)
        .with_rejection_response(refuse_with(|rejection, _| {
            (rejection.status(), Json(serde_json::json!({ "error": rejection.message() })))
        }));
    let signed = Router::new()
        .route("/me", get(me))
        .route("/purge", post(purge))
        .route("/either", get(either))
        .route("/socket", get(socket))
        .layer(verify);
    Ok(Router::new()
        .route("/", get(async || "hello, whoever\n"))
        .nest("/api", signed)
        // Outside, so that scripts of other origins may ask, and read why they were refused.
        .layer(CorsLayer::permissive())
        .layer(CompressionLayer::new())
        .layer(TraceLayer::new_for_http()))
}

async fn me(caller: VerifiedCaller, Extension(Tenant(tenant)): Extension<Tenant>) -> String {
    format!("you are {} of {tenant}\n", caller.access_key_id())
}

async fn purge(caller: VerifiedCaller) -> StatusCode {
    if caller.access_key_id() == ADMIN { StatusCode::NO_CONTENT } else { StatusCode::FORBIDDEN }
}

/// Signatures get in, and a token of this app's own.
async fn either(caller: Caller, headers: axum::http::HeaderMap) -> Response {
    match caller {
        Caller::Verified(caller) => caller.access_key_id().to_owned().into_response(),
        Caller::Other(_) if headers["authorization"] == "Bearer a-good-token" => {
            "by token".into_response()
        }
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn socket(
    _: VerifiedCaller,
    Extension(tenant): Extension<Tenant>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(async move |mut socket: WebSocket| {
        let text = format!("hello {}", tenant.0);
        // Whoever has gone is told nothing.
        let _ = socket.send(Message::Text(text.into())).await;
    })
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    println!("listening on {base}\n\ntry\n    curl {base}/\n    curl -i {base}/api/me");
    println!("    export ALIBABA_CLOUD_ACCESS_KEY_ID=LTAI5tAcme");
    println!("    export ALIBABA_CLOUD_ACCESS_KEY_SECRET=secret-of-acme");
    println!("    cargo run -p fcurl -- {base}/api/me");
    Ok(axum::serve(listener, app(keys()?)?).await?)
}
