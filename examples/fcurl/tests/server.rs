//! Servers: one that asks for signatures and one that does not, which are the same otherwise,
//! with and without TLS, over HTTP/1.1 and HTTP/2; and some that do not know how to behave.

use bytes::Bytes;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, LOCATION};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tower::util::BoxCloneService;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_fc::digest::{BodyPolicy, CheckDigestLayer};
use tower_fc::error::BoxError;
use tower_fc::keys::VerifyingKey;
use tower_fc::protocol::Schemes;
use tower_fc::{StaticKeys, Verifier, VerifyLayer};

pub const ID: &str = "LTAI5tExample";
pub const SECRET: &str = "canary-of-the-secret";
pub const TEMPORARY: &str = "STS.NExample";
/// The question for the key above.
const ROLE: &str = "RoleArn=acs%3Aram%3A%3A1%3Arole%2Fdemo&RoleSessionName=fcurl";
pub const TOKEN: &str = "canary/of+the=token";

/// Where a server listens.
pub struct Server {
    pub plain: SocketAddr,
    pub tls: SocketAddr,
}

pub struct Servers {
    pub open: Server,
    pub signed: Server,
    /// Where nobody listens.
    pub closed: SocketAddr,
    /// Where nobody answers.
    pub mute: SocketAddr,
    /// Where the connection ends after a request.
    pub gone: SocketAddr,
    /// Where it is broken off.
    pub reset: SocketAddr,
    /// Where it ends within an answer.
    pub half: SocketAddr,
    /// Where something else is spoken.
    pub garbage: SocketAddr,
    /// In PEM.
    pub certificate: String,
    _runtime: Runtime,
}

pub static SERVERS: LazyLock<Servers> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let config = TlsAcceptor::from(Arc::new(config));
    let (open, signed, closed, mute, gone, reset, half, garbage) = runtime.block_on(async {
        let keys = StaticKeys::from_secrets([(ID, SECRET)]).unwrap();
        let temporary = VerifyingKey::new(SECRET).and_then(|key| key.with_security_token(TOKEN));
        let keys = keys.with_key(TEMPORARY, temporary.unwrap());
        let verify = VerifyLayer::new(Verifier::new(keys).with_schemes(Schemes::all()));
        let digest = CheckDigestLayer::new().with_policy(BodyPolicy::Require).buffered(1 << 24);
        let signed = verify.layer(digest.layer(service_fn(answer)));
        let boxed = |response: Response<_>| response.map(boxed);
        let signed = signed.map_response(boxed).map_err(|error: Infallible| match error {});
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        (
            serve(&config, BoxCloneService::new(service_fn(answer))).await,
            serve(&config, BoxCloneService::new(signed)).await,
            closed,
            misbehave(Ending::Never).await,
            misbehave(Ending::Close(b"")).await,
            misbehave(Ending::Reset).await,
            misbehave(Ending::Close(b"HTTP/1.1 200 OK\r\ncontent-")).await,
            misbehave(Ending::Close(b"SSH-2.0-not what was asked for\r\n\r\n")).await,
        )
    });
    let certificate = made.cert.pem();
    Servers {
        open,
        signed,
        closed,
        mute,
        gone,
        reset,
        half,
        garbage,
        certificate,
        _runtime: runtime,
    }
});

type AnyBody = UnsyncBoxBody<Bytes, BoxError>;
type Service = BoxCloneService<Request<Incoming>, Response<AnyBody>, Infallible>;

fn boxed<B>(body: B) -> AnyBody
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    body.map_err(Into::into).boxed_unsync()
}

async fn serve(config: &TlsAcceptor, service: Service) -> Server {
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tls = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server { plain: plain.local_addr().unwrap(), tls: tls.local_addr().unwrap() };
    let (config, secured) = (config.clone(), service.clone());
    tokio::spawn(async move {
        loop {
            let (stream, _) = plain.accept().await.unwrap();
            tokio::spawn(serve_connection(stream, service.clone()));
        }
    });
    tokio::spawn(async move {
        loop {
            let (stream, _) = tls.accept().await.unwrap();
            let (config, service) = (config.clone(), secured.clone());
            tokio::spawn(async move {
                if let Ok(stream) = config.accept(stream).await {
                    serve_connection(stream, service).await;
                }
            });
        }
    });
    server
}

async fn serve_connection<S>(stream: S, service: Service)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = TowerToHyperService::new(service);
    let server = Builder::new(TokioExecutor::new());
    // Not all clients stay until the end.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

/// What becomes of a connection after a request.
#[derive(Clone, Copy)]
enum Ending {
    Never,
    Reset,
    /// After this.
    Close(&'static [u8]),
}

async fn misbehave(ending: Ending) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let speak = move |mut stream: TcpStream| async move {
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).await;
        match ending {
            Ending::Never => std::future::pending().await,
            Ending::Reset => stream.set_zero_linger().unwrap(),
            Ending::Close(answer) => drop(stream.write_all(answer).await),
        }
    };
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(speak(stream));
        }
    });
    address
}

/// What both servers do, by the path.
async fn answer<B>(request: Request<B>) -> Result<Response<AnyBody>, Infallible>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send,
{
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().unwrap().as_str().to_owned();
    let Ok(body) = body.collect().await.map(|body| body.to_bytes()) else {
        return Ok(text(StatusCode::BAD_REQUEST, "a body that breaks off"));
    };
    let mut response = match head.uri.path().trim_matches('/').split_once('/') {
        Some(("status", status)) => text(status.parse().unwrap(), "as was asked for\n"),
        Some(("redirect", status)) if status.parse::<StatusCode>().is_ok() => {
            let mut response = text(status.parse().unwrap(), "elsewhere\n");
            let to = head.uri.query().unwrap_or_default().parse().unwrap();
            response.headers_mut().insert(LOCATION, to);
            response
        }
        Some(("coded", coding)) => coded(coding),
        Some(("wait", "trickle")) => {
            let mut response = text(StatusCode::OK, "");
            *response.body_mut() = boxed(Trickle { left: 100, next: None });
            response
        }
        Some(("wait", _)) => {
            tokio::time::sleep(Duration::from_millis(2_500)).await;
            text(StatusCode::OK, "at last\n")
        }
        _ if head.uri.path() == "/sts" => sts(&head),
        _ => text(StatusCode::OK, echo(&head.method, &target, &head.headers, &body)),
    };
    if head.uri.path().starts_with("/cut") {
        if head.uri.path() == "/cut" {
            response.headers_mut().insert(CONTENT_LENGTH, "10".parse().unwrap());
        }
        *response.body_mut() = boxed(Cut(Some(Bytes::from("123"))));
    }
    if head.method == Method::HEAD {
        let len = response.body().size_hint().exact().unwrap_or_default();
        response.headers_mut().insert(CONTENT_LENGTH, len.into());
        *response.body_mut() = boxed(Full::default());
    }
    Ok(response)
}

/// What STS answers to AssumeRole. By whom it was asked the layers around have seen to.
fn sts(head: &Parts) -> Response<AnyBody> {
    let is_asked = head.method == Method::POST
        && head.headers["x-acs-action"] == "AssumeRole"
        && head.headers["x-acs-version"] == "2015-04-01"
        && head.headers.contains_key("x-acs-signature-nonce");
    match head.uri.query().unwrap_or_default() {
        ROLE if is_asked => {
            let key = format!(
                r#"{{"AccessKeyId": "{TEMPORARY}", "AccessKeySecret": "{SECRET}",
                    "SecurityToken": "{TOKEN}", "Expiration": "2026-11-21T17:57:00Z"}}"#
            );
            text(StatusCode::OK, format!(r#"{{"RequestId": "1", "Credentials": {key}}}"#))
        }
        "RoleArn=strange&RoleSessionName=fcurl" => text(StatusCode::OK, format!("[{SECRET:?}]")),
        query => {
            let answer = r#"{"Code": "NoPermission", "Message": "not you", "RequestId": "1"}"#;
            text(StatusCode::FORBIDDEN, answer.replace("you", query))
        }
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<AnyBody> {
    let mut response = Response::new(boxed(Full::new(text.into())));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    response
}

/// What was asked, but for what only one of the programs sends.
fn echo(method: &Method, target: &str, headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    let mut lines = vec![format!("{method} {target}")];
    let mut names: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    for name in names {
        let is_own = ["accept", "accept-encoding", "content-type", "user-agent"].contains(&name);
        if is_own
            || (name.starts_with("x-") && !name.starts_with("x-fc-") && !name.starts_with("x-acs-"))
        {
            let values: Vec<_> = headers.get_all(name).iter().collect();
            lines.push(format!("{name}: {values:?}"));
        }
    }
    [lines.join("\n").as_bytes(), b"\n\n", body, b"\n"].concat()
}

/// The same text in several codings, and one that nobody knows.
fn coded(coding: &str) -> Response<AnyBody> {
    let plain = b"a text that is long enough, long enough, long enough\n";
    let level = flate2::Compression::default();
    let (coding, bytes) = match coding {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), level);
            encoder.write_all(plain).unwrap();
            ("gzip", encoder.finish().unwrap())
        }
        "zlib" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(plain).unwrap();
            ("deflate", encoder.finish().unwrap())
        }
        "raw" => {
            let mut encoder = DeflateEncoder::new(Vec::new(), level);
            encoder.write_all(plain).unwrap();
            ("deflate", encoder.finish().unwrap())
        }
        "broken" => ("gzip", b"this is no gzip, whatever its header says".to_vec()),
        _ => ("compress", plain.to_vec()),
    };
    let mut response = text(StatusCode::OK, bytes);
    response.headers_mut().insert(CONTENT_ENCODING, coding.parse().unwrap());
    response
}

/// A body that fails after a piece.
struct Cut(Option<Bytes>);

impl Body for Cut {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let piece = self.0.take().map(Frame::data);
        Poll::Ready(Some(piece.ok_or_else(|| "cut off".into())))
    }
}

/// A body of many small pieces, that takes two seconds.
struct Trickle {
    left: u32,
    next: Option<Pin<Box<Sleep>>>,
}

impl Body for Trickle {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let pause = || Box::pin(tokio::time::sleep(Duration::from_millis(20)));
        ready!(self.next.get_or_insert_with(pause).as_mut().poll(cx));
        self.next = None;
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from("drop\n")))))
    }
}
