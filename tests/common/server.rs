//! A real server on a loopback port, and a client of it.

use bytes::{Buf as _, Bytes};
use http::{Request, Response};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};
use tower::util::BoxCloneService;
use tower::{Service, ServiceExt as _};
use tower_fc::error::BoxError;

/// Serves HTTP/1.1 and HTTP/2 on a loopback port for as long as the runtime lives.
pub async fn serve<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    serve_counting(service).await.0
}

/// The same, counting the bytes that the server takes from its sockets: also those that it
/// reads ahead of the service.
pub async fn serve_counting<S, B>(service: S) -> (SocketAddr, Arc<AtomicU64>)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    // Of one type, so that the server is compiled once.
    let boxed = |response: Response<B>| {
        response.map(|body| {
            let body = body.map_err(Into::into);
            let bytes = |mut data: B::Data| data.copy_to_bytes(data.remaining());
            body.map_frame(move |frame| frame.map_data(bytes)).boxed_unsync()
        })
    };
    serve_boxed(service.map_response(boxed).boxed_clone()).await
}

type Boxed =
    BoxCloneService<Request<Incoming>, Response<UnsyncBoxBody<Bytes, BoxError>>, Infallible>;

async fn serve_boxed(service: Boxed) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            let (inner, writer) = stream.into_split();
            let stream = tokio::io::join(Counted { inner, count: Arc::clone(&counted) }, writer);
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    (address, count)
}

/// Counts the bytes that are read.
struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Counted<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        self.count.fetch_add((buffer.filled().len() - before) as u64, Ordering::SeqCst);
        polled
    }
}

type Client = legacy::Client<legacy::connect::HttpConnector, Full<Bytes>>;

/// hyper-util's client: HTTP/1.1, or HTTP/2 by prior knowledge.
pub fn client(http2: bool) -> Client {
    legacy::Client::builder(TokioExecutor::new()).http2_only(http2).build_http()
}
