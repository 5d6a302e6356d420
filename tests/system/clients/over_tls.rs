//! hyper-util's client over HTTP/1.1 and HTTP/2, in the clear and by TLS.

use crate::{ID, SCHEMES, credentials, listen, serve, signer, verify_layer};
use axum::{Extension, Router};
use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tower::{ServiceBuilder, ServiceExt as _};
use tower_fc::digest::{BodyPolicy, BufferedBody, CheckDigestLayer, SetDigestLayer};
use tower_fc::{SignLayer, Signer, VerifiedCaller};

/// Says who called it, how, and with what.
fn app() -> Router {
    let echo = async |caller: Extension<VerifiedCaller>, version: Version, body: String| {
        format!("{} {version:?} {body}", caller.access_key_id())
    };
    Router::new()
        .fallback(echo)
        .layer(CheckDigestLayer::new().with_policy(BodyPolicy::Require))
        .layer(verify_layer())
}

/// Serves by TLS. Returns the origin, and the certificate that was made for it.
async fn serve_tls() -> (String, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (listener, address) = listen().await;
    let service = TowerToHyperService::new(app());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, service) = (acceptor.clone(), service.clone());
            tokio::spawn(async move {
                let stream = TokioIo::new(acceptor.accept(stream).await.unwrap());
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(stream, service).await;
            });
        }
    });
    (format!("https://localhost:{}", address.port()), certificate)
}

/// A connector that trusts this certificate alone.
fn connector(trusted: CertificateDer<'static>, version: Version) -> HttpsConnector<HttpConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let builder = HttpsConnectorBuilder::new().with_tls_config(config).https_only();
    match version {
        Version::HTTP_2 => builder.enable_http2().build(),
        _ => builder.enable_http1().build(),
    }
}

/// Sends a signed request by every scheme, and one that is not signed.
async fn send<C>(connector: C, origin: &str, version: Version)
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let mut builder = Client::builder(TokioExecutor::new());
    let client = builder.http2_only(version == Version::HTTP_2).build(connector);
    let post = || Request::post(format!("{origin}/a%20b?c=d")).header("accept", "text/plain");
    for scheme in SCHEMES {
        let signer = signer(scheme);
        let digest = SetDigestLayer::for_signer(&signer);
        let sign = SignLayer::for_origins(signer, [origin]).unwrap();
        let signing = ServiceBuilder::new().layer(digest).layer(sign).service(client.clone());
        let awaited = Signer::new(async || Ok(credentials())).with_scheme(scheme).unwrap();
        let sign = SignLayer::for_origins(awaited, [origin]).unwrap().awaiting_credentials();
        let awaiting = ServiceBuilder::new().layer(digest).layer(sign).service(client.clone());
        let request = || post().body(Full::<Bytes>::from("hello")).unwrap();
        for sent in [signing.oneshot(request()).await, awaiting.oneshot(request()).await] {
            let response = sent.unwrap();
            assert_eq!(response.status(), 200, "{scheme}");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, format!("{ID} {version:?} hello"), "{scheme}");
        }
    }
    let request = post().body(BufferedBody::default()).unwrap();
    assert_eq!(client.oneshot(request).await.unwrap().status(), 403);
}

#[tokio::test]
async fn hyper_signs_over_http_1_and_http_2_in_the_clear_and_by_tls() {
    let plain = serve(app()).await;
    let (secure, certificate) = serve_tls().await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        send(HttpConnector::new(), &plain, version).await;
        send(connector(certificate.clone(), version), &secure, version).await;
    }
}
