//! What the tests share: one access key, one time, a server and its clients.

#![allow(dead_code, reason = "each test crate uses a part of it")]
#![allow(unreachable_pub, reason = "a module of test crates, which have no public items")]

pub mod vectors;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
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
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncRead, ReadBuf};
use tower::{Service, ServiceExt as _};
use tower_fc::{
    BoxError, Clock, Credentials, FixedClock, Scheme, Signer, SigningKey, StaticKeys, Verifier,
    VerifyLayer,
};

pub const ID: &str = "LTAI5tExample";
pub const SECRET: &str = "an-example-secret";
pub const TOKEN: &str = "an-example-sts-token";

/// The time of all tests that have a clock: Sat, 21 Nov 2026 17:57:00 GMT.
pub const NOW: u64 = 1_795_283_820;

/// So many seconds after [`NOW`], or before it.
pub fn at(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW.saturating_add_signed(seconds))
}

pub fn clock() -> FixedClock {
    FixedClock::at_unix(NOW)
}

/// A clock that is one second further each time it is read, from [`NOW`] on.
pub fn ticking() -> impl Clock + Clone + Send + Sync {
    let seconds = Arc::new(AtomicU64::new(NOW));
    move || UNIX_EPOCH + Duration::from_secs(seconds.fetch_add(1, Ordering::SeqCst))
}

pub fn credentials() -> Credentials {
    Credentials::new(ID, SECRET).unwrap()
}

pub fn temporary_credentials() -> Credentials {
    credentials().with_security_token(TOKEN).unwrap()
}

pub fn signer(scheme: Scheme) -> Signer {
    Signer::new(credentials()).with_scheme(scheme).unwrap()
}

pub fn key() -> SigningKey {
    SigningKey::new(SECRET).unwrap()
}

pub fn keys() -> StaticKeys {
    StaticKeys::new().with_key(ID, key())
}

pub fn verifier() -> Verifier<StaticKeys> {
    Verifier::new(keys())
}

/// Verifies as of [`NOW`].
pub fn verify_layer() -> VerifyLayer<StaticKeys, tower_fc::FcResponse, FixedClock> {
    VerifyLayer::new(verifier()).with_clock(clock())
}

/// Signs a request as of [`NOW`] by scheme `FC`.
pub fn signed<B>(request: Request<B>) -> Request<B> {
    signed_at(request, Scheme::Fc, at(0))
}

pub fn signed_at<B>(mut request: Request<B>, scheme: Scheme, now: SystemTime) -> Request<B> {
    signer(scheme).sign_request_at(&mut request, now).unwrap();
    request
}

/// The bytes of a body.
pub async fn read<B>(response: Response<B>) -> Bytes
where
    B: http_body::Body<Error: std::fmt::Debug>,
{
    response.into_body().collect().await.unwrap().to_bytes()
}

/// The `ErrorCode` and `ErrorMessage` of an answer.
pub async fn read_error<B>(response: Response<B>) -> (String, String)
where
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let body = read(response).await;
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (text("ErrorCode"), text("ErrorMessage"))
}

/// The one value of a header, which has to be there exactly once.
pub fn only<'a>(headers: &'a http::HeaderMap, name: &str) -> &'a str {
    let all: Vec<_> = headers.get_all(name).iter().collect();
    assert_eq!(all.len(), 1, "{name} is there {} times", all.len());
    all[0].to_str().unwrap()
}

/// Serves HTTP/1.1 and HTTP/2 on a loopback port for as long as the runtime lives.
pub async fn serve<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<hyper::body::Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    serve_counting(service).await.0
}

/// The same, counting the bytes that the server takes from its sockets: also those that it
/// reads ahead of the service.
pub async fn serve_counting<S, B>(service: S) -> (SocketAddr, Arc<AtomicU64>)
where
    S: Service<Request<hyper::body::Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
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

type Body = http_body_util::Full<Bytes>;
type Client =
    hyper_util::client::legacy::Client<hyper_util::client::legacy::connect::HttpConnector, Body>;

/// hyper-util's client: HTTP/1.1, or HTTP/2 by prior knowledge.
pub fn client(http2: bool) -> Client {
    hyper_util::client::legacy::Client::builder(TokioExecutor::new()).http2_only(http2).build_http()
}

/// Calls a service that is not ready yet.
pub async fn call<S, R>(service: &mut S, request: R) -> Result<S::Response, S::Error>
where
    S: Service<R>,
{
    service.ready().await?.call(request).await
}

/// splitmix64.
#[derive(Clone, Copy)]
pub struct Random(u64);

impl Random {
    /// Of `SEED`, or of the time. The seed is printed with a test that fails.
    pub fn seeded() -> Self {
        let time = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = std::env::var("SEED").map_or_else(|_| time(), |seed| seed.parse().unwrap());
        println!("SEED={seed}");
        Self(seed)
    }

    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// As good as a signature.
    pub fn key(&mut self) -> [u8; 32] {
        let mut key = [0; 32];
        for part in key.as_chunks_mut::<8>().0 {
            *part = self.next().to_ne_bytes();
        }
        key
    }
}
