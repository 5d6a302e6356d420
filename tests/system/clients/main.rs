//! Real clients against real servers, in the ways of their libraries: hyper over TLS, tower-http and
//! reqwest with redirects, reqwest with retries, tonic with generated code, tungstenite.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod grpc;
mod over_tls;
mod redirects;
mod retries;
mod websocket;

use axum::Router;
use axum::extract::Request;
use http::HeaderMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tower_fc::protocol::Schemes;
use tower_fc::{Credentials, Scheme, Signer, StaticKeys, Verifier, VerifyLayer};

const ID: &str = "LTAI5tExample";
const SECRET: &str = "an-example-secret";
const TOKEN: &str = "an-example-sts-token";

/// The schemes that sign in headers.
const SCHEMES: [Scheme; 3] = [Scheme::Fc, Scheme::Acs3HmacSha256, Scheme::Acs];

fn credentials() -> Credentials {
    Credentials::new(ID, SECRET).unwrap()
}

fn temporary_credentials() -> Credentials {
    credentials().with_security_token(TOKEN).unwrap()
}

fn signer(scheme: Scheme) -> Signer {
    Signer::new(temporary_credentials()).with_scheme(scheme).unwrap()
}

/// Takes every scheme, and under those that sign the host only what signs it.
fn verify_layer() -> VerifyLayer<StaticKeys> {
    let keys = StaticKeys::from_secrets([(ID, SECRET)]).unwrap();
    let verifier = Verifier::new(keys).with_schemes(Schemes::all());
    VerifyLayer::new(verifier.with_required_headers([http::header::HOST]))
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Serves over HTTP/1.1 and HTTP/2 in the clear. Returns the origin.
async fn serve(app: Router) -> String {
    let (listener, address) = listen().await;
    tokio::spawn(async { axum::serve(listener, app).await });
    format!("http://{address}")
}

/// Keeps the headers of every request that comes to it.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<HeaderMap>>>);

impl Journal {
    fn note<B>(&self, request: &Request<B>) -> usize {
        let mut all = self.0.lock().unwrap();
        all.push(request.headers().clone());
        all.len()
    }

    fn take(&self) -> Vec<HeaderMap> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}
