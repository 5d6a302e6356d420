//! The function behind the program: a server that takes down what reaches it.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// A call of the function.
#[derive(Debug)]
pub struct Call {
    pub version: Version,
    pub method: Method,
    pub target: String,
    pub headers: HeaderMap,
    /// What of the body has come.
    pub body: watch::Sender<Got>,
}

/// What has come of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Got {
    pub len: usize,
    pub end: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Whole,
    Broken,
}

impl Call {
    /// What came of the body in the end.
    pub async fn got(&self) -> (usize, End) {
        let mut body = self.body.subscribe();
        let got = body.wait_for(|got| got.end.is_some()).await.unwrap();
        (got.len, got.end.unwrap())
    }

    /// Waits until so much of the body has come.
    pub async fn has_got(&self, len: usize) {
        self.body.subscribe().wait_for(|got| got.len >= len).await.unwrap();
    }

    /// Reads the body to its end.
    pub async fn read(&self, mut body: Incoming) {
        loop {
            let end = match body.frame().await {
                None => End::Whole,
                Some(Err(_)) => End::Broken,
                Some(Ok(frame)) => {
                    let len = frame.data_ref().map_or(0, Bytes::len);
                    self.body.send_modify(|got| got.len += len);
                    continue;
                }
            };
            return self.body.send_modify(|got| got.end = Some(end));
        }
    }
}

/// A running function.
pub struct Function {
    pub url: String,
    calls: Arc<Mutex<Vec<Arc<Call>>>>,
}

pub fn body(text: impl Into<Bytes>) -> UnsyncBoxBody<Bytes, Infallible> {
    Full::new(text.into()).boxed_unsync()
}

impl Function {
    /// One that reads every body to its end and says hello.
    pub async fn hello() -> Self {
        Self::answering(async |request, call| {
            call.read(request.into_body()).await;
            Response::new(body("hello"))
        })
        .await
    }

    /// One that answers in this way.
    pub async fn answering<F, A>(answer: F) -> Self
    where
        F: Fn(Request<Incoming>, Arc<Call>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        let calls = Arc::<Mutex<Vec<Arc<Call>>>>::default();
        let noted = Arc::clone(&calls);
        let service = service_fn(move |request: Request<Incoming>| {
            let call = Arc::new(Call {
                version: request.version(),
                method: request.method().clone(),
                target: request.uri().path_and_query().unwrap().to_string(),
                headers: request.headers().clone(),
                body: watch::Sender::default(),
            });
            noted.lock().unwrap().push(Arc::clone(&call));
            let answer = answer(request, call);
            async { Ok::<_, Infallible>(answer.await) }
        });
        let url = listen(move |stream| {
            let service = service.clone();
            async move {
                let mut server = auto::Builder::new(TokioExecutor::new());
                server.http1().max_headers(10_000).max_buf_size(1 << 20);
                // So that the headers of answers are those of the test.
                server.http2().max_header_list_size(1 << 20).auto_date_header(false);
                let io = TokioIo::new(stream);
                let _ = server.serve_connection_with_upgrades(io, service).await;
            }
        })
        .await;
        Self { url, calls }
    }

    pub fn calls(&self) -> Vec<Arc<Call>> {
        self.calls.lock().unwrap().clone()
    }

    /// The only call there was since the last time that this was asked.
    pub fn call(&self) -> Arc<Call> {
        let mut calls = self.calls.lock().unwrap();
        assert_eq!(calls.len(), 1, "{calls:?}");
        calls.remove(0)
    }
}

/// Lets a task have each connection to a new port. Returns its URL.
async fn listen<A>(serve: impl Fn(TcpStream) -> A + Send + 'static) -> String
where
    A: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    url
}

/// A function that answers the head of every request, whatever it is, with these bytes over
/// HTTP/1.1, and closes the connection. Returns its URL.
pub async fn raw(answer: impl AsRef<[u8]> + Clone + Send + 'static) -> String {
    listen(move |mut stream| {
        let answer = answer.clone();
        async move {
            head(&mut stream).await;
            let _ = stream.write_all(answer.as_ref()).await;
        }
    })
    .await
}

/// Reads up to the empty line behind a head.
pub async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}
