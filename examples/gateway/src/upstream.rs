//! The function: an HTTP server, called as it is.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::Service;
use tower_fc::error::BoxError;

type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Calls a server over HTTP/1.1, and gRPC over HTTP/2 by prior knowledge.
#[derive(Clone)]
pub(crate) struct Upstream {
    http1: Client<HttpConnector, Body>,
    http2: Client<HttpConnector, Body>,
    authority: Authority,
}

impl Upstream {
    /// `url` is `http://host:port`.
    pub(crate) fn new(url: &str) -> Result<Self, BoxError> {
        let uri: Uri = url.parse().map_err(|error| format!("{error}"))?;
        let is_plain = uri.scheme() == Some(&Scheme::HTTP)
            && uri.path_and_query().is_none_or(|target| target.as_str() == "/");
        let authority = uri.into_parts().authority.filter(|_| is_plain);
        let authority = authority.ok_or("must be of the form http://host:port")?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .pool_timer(TokioTimer::new())
            // Whether a request reached the function is not known then.
            .retry_canceled_requests(false)
            .set_host(false)
            // What a function may answer is the trigger's to say.
            .http1_max_headers(crate::MAX_HEADERS)
            .http1_max_buf_size(crate::MAX_HEAD)
            .http2_max_header_list_size(crate::MAX_HEAD as u32);
        let http1 = builder.build(connector.clone());
        let http2 = builder.http2_only(true).build(connector);
        Ok(Self { http1, http2, authority })
    }

    async fn call(self, mut request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let client_side = request.extensions_mut().remove::<hyper::upgrade::OnUpgrade>();
        let is_grpc = request.version() == Version::HTTP_2
            && request
                .headers()
                .get(CONTENT_TYPE)
                .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
        if !request.headers().contains_key(HOST)
            && let Some(authority) = request.uri().authority()
        {
            let host = HeaderValue::from_str(authority.as_str())?;
            request.headers_mut().insert(HOST, host);
        }
        let mut target = http::uri::Parts::default();
        target.scheme = Some(Scheme::HTTP);
        target.authority = Some(self.authority.clone());
        let path = request.uri().path_and_query().cloned();
        target.path_and_query = Some(path.unwrap_or(PathAndQuery::from_static("/")));
        *request.uri_mut() = Uri::from_parts(target)?;
        let client = if is_grpc { &self.http2 } else { &self.http1 };
        *request.version_mut() = if is_grpc { Version::HTTP_2 } else { Version::HTTP_11 };
        let mut response = client.request(request).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS
            && let Some(client_side) = client_side
        {
            let function_side = hyper::upgrade::on(&mut response);
            tokio::spawn(async move {
                let (client, function) = tokio::try_join!(client_side, function_side)?;
                let (mut client, mut function) = (TokioIo::new(client), TokioIo::new(function));
                tokio::io::copy_bidirectional(&mut client, &mut function).await?;
                Ok::<_, BoxError>(())
            });
        }
        Ok(response.map(|body: Incoming| body.map_err(Into::into).boxed_unsync()))
    }
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
