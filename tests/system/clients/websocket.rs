//! WebSocket handshakes of tungstenite, signed in their headers and presigned, verified before axum
//! upgrades: over HTTP/1.1, and over HTTP/2 as an extended CONNECT (RFC 8441).

use crate::{ID, SCHEMES, credentials, listen, signer, temporary_credentials, verify_layer};
use axum::extract::ws::{Message as AxumMessage, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{Method, Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, connect_async};
use tower_fc::{Credentials, Presigner, Signer, VerifiedCaller};

const MINUTE: Duration = Duration::from_secs(60);

/// Greets whoever was let in, then says everything back. Counts the upgrades.
async fn serve() -> (SocketAddr, Arc<AtomicUsize>) {
    let upgrades = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&upgrades);
    let chat =
        async move |caller: Extension<VerifiedCaller>, upgrade: WebSocketUpgrade| -> Response {
            counted.fetch_add(1, Ordering::SeqCst);
            upgrade.on_upgrade(async move |mut socket| {
                let greeting = AxumMessage::text(caller.access_key_id());
                socket.send(greeting).await.unwrap();
                while let Some(Ok(message)) = socket.recv().await {
                    let _ = socket.send(message).await;
                }
            })
        };
    let app = Router::new().route("/chat", any(chat)).layer(verify_layer());
    let (listener, address) = listen().await;
    tokio::spawn(async { axum::serve(listener, app).await });
    (address, upgrades)
}

async fn assert_talks<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocketStream<S>) {
    let mut read = async || socket.next().await.unwrap().unwrap();
    assert_eq!(read().await, Message::text(ID));
    for sent in [Message::text("hello"), Message::binary(vec![7; 100_000])] {
        socket.send(sent.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), sent);
    }
    socket.close(None).await.unwrap();
}

fn presign<B>(request: &Request<B>, credentials: Credentials) -> http::Uri {
    let presigner = Presigner::new(credentials);
    presigner.presign_request_at(request, MINUTE, SystemTime::now()).unwrap().into_uri()
}

#[tokio::test]
async fn a_handshake_over_http_1_is_signed_in_its_headers_or_presigned() {
    let (address, upgrades) = serve().await;
    let url = format!("ws://{address}/chat?room=a%20b");
    for scheme in SCHEMES {
        let mut request = url.as_str().into_client_request().unwrap();
        signer(scheme).sign_request_at(&mut request, SystemTime::now()).unwrap();
        assert_talks(connect_async(request).await.unwrap().0).await;
    }
    // Which a browser can open, from what knows the key.
    let page = Request::get(&url).body(()).unwrap();
    for credentials in [credentials(), temporary_credentials()] {
        let url = presign(&page, credentials);
        assert_talks(connect_async(url.to_string()).await.unwrap().0).await;
    }
    assert_eq!(upgrades.load(Ordering::SeqCst), SCHEMES.len() + 2);
}

#[tokio::test]
async fn a_handshake_that_is_not_signed_or_changed_is_refused_before_it_is_upgraded() {
    let (address, upgrades) = serve().await;
    let url = format!("ws://{address}/chat");
    let mut refused = vec![url.as_str().into_client_request().unwrap()];
    for scheme in SCHEMES {
        let mut request = url.as_str().into_client_request().unwrap();
        signer(scheme).sign_request_at(&mut request, SystemTime::now()).unwrap();
        *request.uri_mut() = format!("{url}?room=other").parse().unwrap();
        refused.push(request);
    }
    let presigned = presign(&Request::get(&url).body(()).unwrap(), credentials()).to_string();
    refused.push(presigned.replace("/chat?", "/chat?room=other&").into_client_request().unwrap());
    for request in refused {
        let uri = request.uri().clone();
        let error = connect_async(request).await.unwrap_err();
        let Error::Http(response) = error else { panic!("{uri}: {error:?}") };
        assert_eq!(response.status(), 403, "{uri}");
    }
    assert_eq!(upgrades.load(Ordering::SeqCst), 0);
}

/// A connection over HTTP/2 whose server has said that it takes extended CONNECTs.
async fn connection(address: SocketAddr) -> SendRequest<Empty<Bytes>> {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream);
    let (mut sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    // Its settings come before its first answer.
    let first = Request::get(format!("http://{address}/")).body(Empty::new()).unwrap();
    assert_eq!(sender.send_request(first).await.unwrap().status(), 403);
    sender
}

fn connect(address: SocketAddr) -> Request<Empty<Bytes>> {
    Request::connect(format!("http://{address}/chat?room=a%20b"))
        .extension(hyper::ext::Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .body(Empty::new())
        .unwrap()
}

async fn assert_talks_over_http_2(
    sender: &mut SendRequest<Empty<Bytes>>,
    request: Request<Empty<Bytes>>,
) {
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let upgraded = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    assert_talks(WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await).await;
}

#[tokio::test]
async fn an_extended_connect_over_http_2_is_signed_in_its_headers_or_presigned() {
    let (address, upgrades) = serve().await;
    let mut sender = connection(address).await;
    for scheme in SCHEMES {
        let mut request = connect(address);
        signer(scheme).sign_request_at(&mut request, SystemTime::now()).unwrap();
        assert_talks_over_http_2(&mut sender, request).await;
    }
    let mut request = connect(address);
    *request.uri_mut() = presign(&request, credentials());
    assert_talks_over_http_2(&mut sender, request).await;
    assert_eq!(upgrades.load(Ordering::SeqCst), SCHEMES.len() + 1);

    // Not signed; by another secret; and a URL that was presigned for a GET.
    let mut forged = connect(address);
    let wrong = Signer::new(Credentials::new(ID, "wrong").unwrap());
    wrong.sign_request_at(&mut forged, SystemTime::now()).unwrap();
    let mut of_get = connect(address);
    *of_get.method_mut() = Method::GET;
    *of_get.uri_mut() = presign(&of_get, credentials());
    *of_get.method_mut() = Method::CONNECT;
    for request in [connect(address), forged, of_get] {
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(upgrades.load(Ordering::SeqCst), SCHEMES.len() + 1);
}
