use super::origins::Origins;
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::protocol::{Credentials, Signer};

/// Signs every request on its way to a service.
///
/// Adds the headers of a [`Signer`] and touches nothing else: the body keeps its
/// type and is not looked at, responses pass through unchanged.
/// [The module](crate::sign) has an example.
///
/// Put it *inside* a retry layer, so that every attempt gets a date of its own, and
/// outside (before) nothing that changes the target, the host, or a signed header.
///
/// A request that [cannot be signed](Signer::sign_at) is not sent: see
/// [`SignError`](super::SignError). It leaves the inner service ready, with what it holds for
/// that: see [`release`](crate::release) for where that matters.
#[derive(Clone, Debug)]
pub struct SignLayer<P = Credentials, C = SystemClock> {
    pub(crate) signer: Signer<P>,
    pub(crate) origins: Origins,
    pub(crate) clock: C,
}

impl<P> SignLayer<P> {
    /// Signs for whatever origin a request names, a stranger's included if something below
    /// follows redirects or takes URLs from others: under `FC` and `acs`, which do not cover the
    /// host, a stranger can pass such a signature on to the server it was meant for. Use
    /// [`for_origins`](Self::for_origins) unless requests can go to one server only.
    ///
    /// Takes a [`Signer`], or [`Credentials`] to sign by [`Scheme::Fc`](crate::Scheme::Fc).
    pub fn new(signer: impl Into<Signer<P>>) -> Self {
        Self { signer: signer.into(), origins: Origins::default(), clock: SystemClock }
    }

    /// Signs requests to these origins, such as `https://demo.example`: scheme, host and port
    /// have to be the same. Where the target of a request has no authority, its `host` header
    /// says where it goes.
    ///
    /// Requests to others pass as they are, less the headers of a signature from an earlier
    /// attempt. One that does not say where it goes is an error.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`](crate::error::ErrorKind::InvalidSetting) for what is no
    /// origin, and for none at all.
    pub fn for_origins<I>(signer: impl Into<Signer<P>>, origins: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let origins = Origins::read(origins)?;
        Ok(Self { signer: signer.into(), origins, clock: SystemClock })
    }
}

impl<P, C> SignLayer<P, C> {
    /// Tells the time by another clock than the system's.
    pub fn with_clock<T: Clock>(self, clock: T) -> SignLayer<P, T> {
        SignLayer { signer: self.signer, origins: self.origins, clock }
    }
}
