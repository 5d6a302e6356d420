//! Clients, which have a connection of their own for each request.

use crate::gateway::Gateway;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use http_body::Body;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::error::Error;
use tokio::net::TcpStream;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    Http1,
    Http2,
}

impl Over {
    /// Sends a request with an origin-form target, and with the headers that it has, but for the
    /// host and the length of the body.
    pub async fn send<B>(
        self,
        gateway: &Gateway,
        mut request: Request<B>,
    ) -> Result<Response<Incoming>, hyper::Error>
    where
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
    {
        let stream = TcpStream::connect(&gateway.address).await.unwrap();
        let io = TokioIo::new(stream);
        match self {
            Self::Http1 => {
                let mut client = http1::Builder::new();
                client.max_headers(10_000).max_buf_size(1 << 20);
                let (mut sender, connection) = client.handshake(io).await.unwrap();
                tokio::spawn(connection.with_upgrades());
                let host = gateway.address.parse().unwrap();
                request.headers_mut().insert("host", host);
                sender.send_request(request).await
            }
            Self::Http2 => {
                let mut client = http2::Builder::new(TokioExecutor::new());
                client.max_header_list_size(1 << 20);
                let (mut sender, connection) = client.handshake(io).await.unwrap();
                tokio::spawn(connection);
                let target = request.uri().path_and_query().unwrap().as_str();
                *request.uri_mut() = gateway.url(target).parse::<Uri>().unwrap();
                sender.send_request(request).await
            }
        }
    }

    pub async fn get(self, gateway: &Gateway, target: &str) -> Response<Incoming> {
        let request = Request::get(target).body(Empty::<Bytes>::new()).unwrap();
        self.send(gateway, request).await.unwrap()
    }

    /// How many bytes of headers a request without a body has that were not given.
    pub fn own_headers(self, gateway: &Gateway) -> usize {
        match self {
            Self::Http1 => "host".len() + gateway.address.len(),
            Self::Http2 => 0,
        }
    }
}

/// So many fields, with so many bytes of names and values.
pub fn fields(number: usize, len: usize) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for at in 1..number {
        fields.append(name(at), "".parse().unwrap());
    }
    let rest = len - fields.keys().map(|name| name.as_str().len()).sum::<usize>() - "x-long".len();
    fields.append("x-long", "v".repeat(rest).parse().unwrap());
    fields
}

/// A name of its own, as short as there are enough of.
fn name(at: usize) -> http::HeaderName {
    const DIGITS: &[u8] = b"abcdfghijkmnopqrsvwxyz0123456789";
    let mut name = String::from("z");
    let mut rest = at;
    while rest > 0 {
        name.push(DIGITS[rest % DIGITS.len()].into());
        rest /= DIGITS.len();
    }
    name.parse().unwrap()
}

/// The text of an answer, which is refused by the trigger.
#[track_caller]
pub fn assert_id(headers: &HeaderMap) -> String {
    let id = headers["x-fc-request-id"].to_str().unwrap().to_owned();
    let lens: Vec<_> = id.split('-').map(str::len).collect();
    assert_eq!(lens, [1, 8, 8, 12], "{id}");
    id
}

/// What a refused request is told.
pub async fn refusal(response: Response<Incoming>) -> String {
    assert_id(response.headers());
    assert_eq!(response.headers()["content-type"], "application/json");
    let text = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(text.to_vec()).unwrap()
}
