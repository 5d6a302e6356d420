//! WebSockets for those who sign: the handshake has a signature in its headers, or in its URL, as a
//! browser needs it.
//!
//!     cargo run -p tower-fc-system --example sign_websocket

use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::{Router, response::Response, routing::any};
use futures_util::{SinkExt, StreamExt};
use std::time::{Duration, SystemTime};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{Error, Message, client::IntoClientRequest};
use tower_fc::protocol::Schemes;
use tower_fc::{Credentials, Presigner, Signer, StaticKeys, VerifiedCaller, Verifier, VerifyLayer};

/// Verified by then: nothing of this happens for a handshake that is refused.
async fn chat(caller: VerifiedCaller, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |mut socket: WebSocket| {
        while let Some(Ok(message)) = socket.recv().await {
            let Ok(text) = message.to_text() else { return };
            let answer = format!("{text}, says {}", caller.access_key_id());
            if socket.send(answer.into()).await.is_err() {
                return;
            }
        }
    })
}

/// Starts a server, and returns a URL of it.
async fn start_server() -> Result<String, Box<dyn std::error::Error>> {
    let keys = StaticKeys::from_secrets([("LTAI5tExample", "example-secret")])?;
    let verifier = Verifier::new(keys).with_schemes(Schemes::all());
    let app = Router::new().route("/chat", any(chat)).layer(VerifyLayer::new(verifier));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/chat", listener.local_addr()?);
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(url)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = start_server().await?;
    let credentials = Credentials::new("LTAI5tExample", "example-secret")?;

    // In its headers.
    let signer = Signer::new(credentials.clone());
    let mut request = url.as_str().into_client_request()?;
    signer.sign_request_at(&mut request, SystemTime::now())?;
    let (mut socket, _) = connect_async(request).await?;
    socket.send(Message::text("hello")).await?;
    assert_eq!(socket.next().await.transpose()?, Some(Message::text("hello, says LTAI5tExample")));

    // In its URL, which lets a browser in for a minute.
    let presigner = Presigner::new(credentials);
    let request = http::Request::get(&url).body(())?;
    let minute = Duration::from_secs(60);
    let presigned = presigner.presign_request_at(&request, minute, SystemTime::now())?;
    let (mut socket, _) = connect_async(presigned.uri().to_string()).await?;
    socket.send(Message::text("hello")).await?;
    assert_eq!(socket.next().await.transpose()?, Some(Message::text("hello, says LTAI5tExample")));

    // Not at all.
    let Err(Error::Http(refused)) = connect_async(url).await else { return Err("let in".into()) };
    println!("not signed: {}", refused.status());
    assert_eq!(refused.status(), 403);
    Ok(())
}
