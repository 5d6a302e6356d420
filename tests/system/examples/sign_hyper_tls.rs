//! Signs what a hyper-util client sends by TLS and HTTP/2: with credentials of STS that are awaited,
//! digests of bodies, and retries.
//!
//!     cargo run -p tower-fc-system --example sign_hyper_tls

use axum::{Router, http::Version, routing::post};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring};
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio_rustls::TlsAcceptor;
use tower::{ServiceBuilder, ServiceExt, retry::Policy};
use tower_fc::digest::{BodyPolicy, BufferedBody, CheckDigestLayer, SetDigestLayer};
use tower_fc::error::{BoxError, Error};
use tower_fc::{
    Credentials, Scheme, SignLayer, Signer, StaticKeys, VerifiedCaller, Verifier, VerifyLayer,
};

/// Stands in for a client of STS.
async fn assume_role() -> Result<Credentials, Error> {
    Credentials::new("LTAI5tExample", "example-secret")?.with_security_token("example-token")
}

/// Tries again once if the server is busy.
#[derive(Clone)]
struct Once(bool);

impl<R, E> Policy<Request<BufferedBody>, Response<R>, E> for Once {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<BufferedBody>,
        result: &mut Result<Response<R>, E>,
    ) -> Option<Ready<()>> {
        let status = result.as_ref().map(Response::status);
        let is_busy = matches!(status, Ok(StatusCode::SERVICE_UNAVAILABLE));
        (is_busy && !std::mem::replace(&mut self.0, true)).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<BufferedBody>) -> Option<Request<BufferedBody>> {
        Some(request.clone())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let (origin, certificate) = start_server().await?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate)?;
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http2();
    let hyper = Client::builder(TokioExecutor::new()).http2_only(true).build(connector.build());

    let signer = Signer::new(assume_role).with_scheme(Scheme::Acs3HmacSha256)?;
    let client = ServiceBuilder::new()
        .layer(SetDigestLayer::for_signer(&signer))
        .retry(Once(false))
        .layer(SignLayer::for_origins(signer, [&origin])?.awaiting_credentials())
        .service(hyper);

    for name in ["world", "again"] {
        let body = Full::new(Bytes::from(name));
        let request = Request::post(format!("{origin}/hello?name=you")).body(body)?;
        let response = client.clone().oneshot(request).await?;
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await?.to_bytes();
        println!("{}", String::from_utf8_lossy(&body));
        assert_eq!(body, format!("HTTP/2.0: hello {name}, says LTAI5tExample"));
    }
    Ok(())
}

/// Stands in for a function that is busy at first: starts a server, and returns its origin and its
/// certificate.
async fn start_server() -> Result<(String, CertificateDer<'static>), BoxError> {
    let busy = Arc::new(AtomicBool::new(true));
    let hello = async move |caller: VerifiedCaller, version: Version, body: String| match busy
        .swap(false, Ordering::SeqCst)
    {
        true => Err(StatusCode::SERVICE_UNAVAILABLE),
        false => Ok(format!("{version:?}: hello {body}, says {}", caller.access_key_id())),
    };
    let keys = StaticKeys::from_secrets([("LTAI5tExample", "example-secret")])?;
    let app = Router::new()
        .route("/hello", post(hello))
        .layer(CheckDigestLayer::new().with_policy(BodyPolicy::Require))
        .layer(VerifyLayer::new(Verifier::new(keys)));

    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let certificate = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let mut tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())?;
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("https://localhost:{}", listener.local_addr()?.port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, app) = (acceptor.clone(), TowerToHyperService::new(app.clone()));
            tokio::spawn(async move {
                let stream = TokioIo::new(acceptor.accept(stream).await?);
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                Ok::<_, BoxError>(server.serve_connection(stream, app).await?)
            });
        }
    });
    Ok((origin, certificate))
}
