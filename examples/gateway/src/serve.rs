//! The server in front of a trigger.

use crate::linger::{Lingering, Tunnel};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::time::Duration;
use tokio::net::TcpListener;
use tower::ServiceExt as _;
use tower::util::BoxCloneService;
use tower_fc::error::BoxError;

/// The body of a response, whatever it is.
pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;
/// A trigger, whatever its layers.
pub(crate) type Trigger = BoxCloneService<Request<Incoming>, Response<Body>, Failed>;

/// An error of a trigger, by a name of its own: as a box, what becomes of it cannot be told in a
/// task (rust-lang/rust#64552).
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) BoxError);

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Failed {}

/// How long open connections have to end.
const GRACE: Duration = Duration::from_secs(10);

/// Serves HTTP/1.1 and HTTP/2, until it is told to end and what is open has ended.
pub(crate) async fn serve(listener: TcpListener, trigger: Trigger, end: impl Future<Output = ()>) {
    let mut server = auto::Builder::new(TokioExecutor::new());
    // The limits are the trigger's: what reaches it can be longer.
    server
        .http1()
        .timer(TokioTimer::new())
        .max_headers(crate::MAX_HEADERS)
        .max_buf_size(crate::MAX_HEAD);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(crate::MAX_HEAD as u32)
        .enable_connect_protocol();
    let graceful = GracefulShutdown::new();
    let mut end = std::pin::pin!(end);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Too many open files, say: others may be closed meanwhile.
                Err(error) => {
                    eprintln!("fc-gateway: cannot accept a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = &mut end => break,
        };
        let _ = stream.set_nodelay(true);
        let tunnel = Tunnel::default();
        let io = TokioIo::new(Lingering::new(stream, tunnel.clone()));
        let service = trigger.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(tunnel.clone());
            request
        });
        let service = TowerToHyperService::new(service);
        let connection = server.serve_connection_with_upgrades(io, service);
        let connection = graceful.watch(connection.into_owned());
        tokio::spawn(async move {
            // What clients do wrong is not this program's to report.
            let _ = connection.await;
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}
