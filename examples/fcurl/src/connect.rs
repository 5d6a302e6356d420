//! Connecting: names, addresses, TLS.

use crate::exit::{Exit, Failure};
use crate::url::Url;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// What bytes go through.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

/// A connection, and how it came about.
pub(crate) struct Connection {
    pub(crate) stream: Pin<Box<dyn Stream>>,
    /// TLS settled on HTTP/2.
    pub(crate) is_http2: bool,
    pub(crate) remote: SocketAddr,
    pub(crate) local: SocketAddr,
    /// `TLSv1_3 / TLS13_AES_256_GCM_SHA384`, where it is by TLS.
    pub(crate) tls: Option<String>,
    pub(crate) resolved: Instant,
    pub(crate) connected: Instant,
    pub(crate) secured: Instant,
}

/// Connects to where a URL says, within a time.
pub(crate) async fn connect(
    url: &Url,
    config: Option<&Arc<ClientConfig>>,
    limit: Option<Duration>,
) -> Result<Connection, Failure> {
    let Some(limit) = limit else { return connect_to(url, config).await };
    let timed_out = |_| {
        let message = format!("Connection timed out after {} milliseconds", limit.as_millis());
        Failure::new(Exit::TimedOut, message)
    };
    timeout(limit, connect_to(url, config)).await.map_err(timed_out)?
}

async fn connect_to(url: &Url, config: Option<&Arc<ClientConfig>>) -> Result<Connection, Failure> {
    // Addresses have brackets where a name has none.
    let host = url.host.trim_start_matches('[').trim_end_matches(']');
    let unresolved = || Failure::new(Exit::Resolve, format!("Could not resolve host: {host}"));
    let addresses: Vec<_> =
        lookup_host((host, url.port)).await.map_err(|_| unresolved())?.collect();
    let resolved = Instant::now();
    let stream = reach(&addresses).await.map_err(|error| {
        let message = format!("Failed to connect to {host} port {}: {error}", url.port);
        Failure::new(Exit::Connect, message)
    })?;
    let connected = Instant::now();
    let unreachable = |error: std::io::Error| Failure::new(Exit::Connect, error.to_string());
    stream.set_nodelay(true).map_err(unreachable)?;
    let (remote, local) =
        (stream.peer_addr().map_err(unreachable)?, stream.local_addr().map_err(unreachable)?);
    let mut connection = Connection {
        stream: Box::pin(tokio::io::empty()),
        is_http2: false,
        remote,
        local,
        tls: None,
        resolved,
        connected,
        secured: connected,
    };
    let Some(config) = config else {
        connection.stream = Box::pin(stream);
        return Ok(connection);
    };
    let name = ServerName::try_from(host.to_owned()).map_err(|_| unresolved())?;
    let stream = TlsConnector::from(config.clone()).connect(name, stream).await;
    let stream = stream.map_err(|error| crate::tls::failure(&error))?;
    let (_, session) = stream.get_ref();
    connection.is_http2 = session.alpn_protocol() == Some(b"h2");
    let version = session.protocol_version().and_then(|version| version.as_str());
    let suite = session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
    connection.tls = Some(format!("{} / {}", version.unwrap_or("TLS"), suite.unwrap_or("?")));
    connection.secured = Instant::now();
    connection.stream = Box::pin(stream);
    Ok(connection)
}

/// The first of several addresses that can be reached.
async fn reach(addresses: &[SocketAddr]) -> Result<TcpStream, std::io::Error> {
    let mut last = std::io::Error::other("it has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
