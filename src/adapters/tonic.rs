//! What could not be signed as a [`Status`] of tonic 0.14.
//!
//! tonic's channel is a tower service, and so is its server: [`SignLayer`](crate::SignLayer) and
//! [`VerifyLayer`](crate::VerifyLayer) fit as they are, for calls of one message and for streams.
//! A call that the server refuses ends as
//! [`RejectionKind::grpc_status`](crate::RejectionKind::grpc_status) says.
//! A call that the client cannot sign is not sent, and would end in `Unknown`; as a [`Status`] it
//! ends in `Unauthenticated`:
//!
//! ```
//! use tonic::transport::Channel;
//! use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
//! use tower::ServiceBuilder;
//! use tower_fc::{Credentials, Scheme, SignLayer, Signer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let channel = Channel::from_static("http://127.0.0.1:1").connect_lazy();
//! let signer = Signer::new(Credentials::new("LTAI5tExample", "secret")?)
//!     .with_scheme(Scheme::Acs3HmacSha256)?;
//! let signing = ServiceBuilder::new()
//!     .map_err(tonic::Status::from)
//!     .layer(SignLayer::new(signer))
//!     .service(channel);
//!
//! // Nothing says which host is called, which this scheme signs.
//! let mut client = HealthClient::new(signing.clone());
//! let status = client.check(HealthCheckRequest::default()).await.unwrap_err();
//! assert_eq!(status.code(), tonic::Code::Unauthenticated);
//! assert!(status.message().contains("with_origin"));
//!
//! // As it is meant; here nobody listens.
//! let mut client = HealthClient::with_origin(signing, "http://127.0.0.1:1".parse()?);
//! let status = client.check(HealthCheckRequest::default()).await.unwrap_err();
//! assert_eq!(status.code(), tonic::Code::Unavailable);
//! # Ok(())
//! # }
//! ```
//!
//! # The origin
//!
//! A client of tonic hands on a path alone. Its channel knows scheme and host, but is
//! below what signs. `with_origin` tells the client, so that [`SignLayer::for_origins`] knows for whom
//! it signs, and the `ACS3` schemes sign the host. Under `FC`, which signs no host, and with
//! [`SignLayer::new`], it can be left out.
//!
//! # Bodies
//!
//! A digest needs the whole body before the first byte is sent, which a stream does not have. So set
//! none for gRPC: a signature then covers the method that is called and its headers, and not the
//! messages. TLS guards these.
//!
//! [`SignLayer::new`]: crate::SignLayer::new
//! [`SignLayer::for_origins`]: crate::SignLayer::for_origins

use crate::error::{BoxError, Error};
use crate::sign::SignError;
use std::sync::Arc;
use tonic::Status;

/// What could not be signed, or for want of credentials, is `Unauthenticated`. The error is the
/// source of the status.
impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let mut status = Self::unauthenticated(error.to_string());
        status.set_source(Arc::new(error));
        status
    }
}

/// What the inner service failed by is what tonic makes of it.
impl<E: Into<BoxError>> From<SignError<E>> for Status {
    fn from(error: SignError<E>) -> Self {
        match error {
            SignError::Signing(error) => error.into(),
            SignError::Inner(error) => Self::from_error(error.into()),
        }
    }
}
