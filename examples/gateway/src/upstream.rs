//! The function: an HTTP server, called as it is.

use crate::deadline::{self, Limited};
use crate::linger::Tunnel;
use crate::patient::Patient;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap};
use http::header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tower::util::MapResponse;
use tower::{Service, ServiceExt as _};
use tower_fc::error::BoxError;

type Body = UnsyncBoxBody<Bytes, BoxError>;
type Connector = MapResponse<HttpConnector, fn(TokioIo<TcpStream>) -> TokioIo<Patient>>;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Calls a server over HTTP/1.1, and gRPC over HTTP/2 by prior knowledge.
#[derive(Clone)]
pub(crate) struct Upstream {
    http1: Client<Connector, Body>,
    http2: Client<Connector, Body>,
    authority: Authority,
    grpc_timeout: Duration,
}

impl Upstream {
    /// `url` is `http://host:port`.
    pub(crate) fn new(url: &str, grpc_timeout: Duration) -> Result<Self, BoxError> {
        let uri: Uri = url.parse().map_err(|error| format!("{error}"))?;
        let is_plain = uri.scheme() == Some(&Scheme::HTTP)
            && uri.path_and_query().is_none_or(|target| target.as_str() == "/");
        let authority = uri.into_parts().authority.filter(|authority| {
            is_plain && !authority.host().is_empty() && !authority.as_str().contains('@')
        });
        let authority = authority.ok_or("must be of the form http://host:port")?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let patient: fn(_) -> _ =
            |io: TokioIo<TcpStream>| TokioIo::new(Patient::new(io.into_inner()));
        let connector = connector.map_response(patient);
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .pool_timer(TokioTimer::new())
            .set_host(false)
            // Of a connection that is used again it cannot be told whether the function has
            // closed it or died over the request.
            .pool_max_idle_per_host(0)
            // What a function may answer is the trigger's to say.
            .http1_max_headers(crate::MAX_HEADERS)
            .http1_max_buf_size(crate::MAX_HEAD)
            .http2_max_header_list_size(crate::MAX_HEAD as u32);
        let http1 = builder.build(connector.clone());
        let http2 = builder.http2_only(true).build(connector);
        Ok(Self { http1, http2, authority, grpc_timeout })
    }

    async fn call(self, mut request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let is_http2 = request.version() == Version::HTTP_2;
        let is_grpc = is_http2 && is_grpc(request.headers());
        let client_side = request.extensions_mut().remove::<OnUpgrade>();
        let tunnel = request.extensions_mut().remove::<Tunnel>();
        let over_http2 = request.extensions_mut().remove::<Protocol>();
        if let Some(protocol) = &over_http2 {
            into_upgrade(&mut request, protocol)?;
        }
        let client = match is_grpc {
            true => {
                // The authority stands for it.
                request.headers_mut().remove(HOST);
                *request.version_mut() = Version::HTTP_2;
                &self.http2
            }
            false => {
                into_http1(&mut request, &self.authority)?;
                &self.http1
            }
        };
        let mut target = http::uri::Parts::default();
        target.scheme = Some(Scheme::HTTP);
        target.authority = Some(self.authority);
        let path = request.uri().path_and_query().cloned();
        target.path_and_query = Some(path.unwrap_or(PathAndQuery::from_static("/")));
        *request.uri_mut() = Uri::from_parts(target)?;

        let called = client.request(request);
        if is_grpc {
            let deadline = Instant::now() + self.grpc_timeout;
            return match timeout_at(deadline, called).await {
                Ok(response) => Ok(response?.map(|body| {
                    let body = body.map_err(Into::into).boxed_unsync();
                    Limited::new(body, deadline).boxed_unsync()
                })),
                Err(_) => Ok(deadline::exceeded()),
            };
        }
        let mut response = called.await?;
        // The version is of this connection alone.
        *response.version_mut() = Version::HTTP_11;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let client_side = client_side.ok_or("an upgrade that nobody asked for")?;
            let function_side = hyper::upgrade::on(&mut response);
            if over_http2.is_some() {
                from_upgrade(&mut response);
            } else if let Some(tunnel) = tunnel {
                tunnel.begin();
            }
            tokio::spawn(connect(client_side, function_side));
        } else if over_http2.is_some() && response.status().is_success() {
            return Err("the function does not upgrade the connection".into());
        }
        Ok(response.map(|body: Incoming| body.map_err(Into::into).boxed_unsync()))
    }
}

/// Whether it is gRPC, which needs HTTP/2. gRPC-Web does not.
fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
    let rest = content_type.strip_prefix(b"application/grpc");
    matches!(rest, Some([] | [b'+' | b';' | b' ', ..]))
}

/// Adds what HTTP/2 and HTTP/1.0 say in another way, or need not say.
fn into_http1(request: &mut Request<Body>, upstream: &Authority) -> Result<(), BoxError> {
    *request.version_mut() = Version::HTTP_11;
    let authority = request.uri().authority().cloned();
    let is_of_unknown_len =
        !request.body().is_end_stream() && request.body().size_hint().exact().is_none();
    let headers = request.headers_mut();
    // What a target names counts more than a header (RFC 9112 §3.2.2, RFC 9113 §8.3.1).
    if authority.is_some() || !headers.contains_key(HOST) {
        let authority = authority.as_ref().unwrap_or(upstream).as_str();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        headers.insert(HOST, host.parse()?);
    }
    // Without it hyper sends no body with GET.
    if is_of_unknown_len && !headers.contains_key(CONTENT_LENGTH) {
        headers.entry(TRANSFER_ENCODING).or_insert(HeaderValue::from_static("chunked"));
    }
    Ok(())
}

/// The handshake over HTTP/1.1 for one over HTTP/2 (RFC 8441), which is a `CONNECT`.
fn into_upgrade(request: &mut Request<Body>, protocol: &Protocol) -> Result<(), BoxError> {
    *request.method_mut() = Method::GET;
    let mut key = [0; 16];
    getrandom::fill(&mut key).map_err(|error| error.to_string())?;
    let headers = request.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_str(protocol.as_str())?);
    headers.insert(SEC_WEBSOCKET_KEY, STANDARD.encode(key).parse()?);
    Ok(())
}

/// The answer over HTTP/2 for the 101 to such a handshake.
fn from_upgrade<B>(response: &mut Response<B>) {
    *response.status_mut() = StatusCode::OK;
    for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_ACCEPT] {
        response.headers_mut().remove(name);
    }
}

/// Passes bytes on, both ways, until both are at their end.
async fn connect(client: OnUpgrade, function: OnUpgrade) -> Result<(), BoxError> {
    let (client, function) = tokio::try_join!(client, function)?;
    let (mut client, mut function) = (TokioIo::new(client), TokioIo::new(function));
    tokio::io::copy_bidirectional(&mut client, &mut function).await?;
    Ok(())
}

impl<B> Service<Request<B>> for Upstream
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
        Box::pin(self.clone().call(request))
    }
}
