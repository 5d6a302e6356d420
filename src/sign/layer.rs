use crate::clock::{Clock, SystemClock};
use crate::protocol::{Credentials, Signer};

/// Signs every request on its way to a service.
///
/// Adds the headers of a [`Signer`] and touches nothing else: the body keeps its
/// type and is not looked at, errors and responses pass through unchanged.
/// [The module](crate::sign) has an example.
///
/// Put it *inside* a retry layer, so that every attempt gets a date of its own, and
/// outside (before) nothing that changes the target, the host, or a signed header.
/// A request that already has as many headers as `http` allows (some 24 000) cannot be
/// signed; it goes out unsigned, for the server to refuse.
#[derive(Clone, Debug)]
pub struct SignLayer<P = Credentials, C = SystemClock> {
    pub(super) signer: Signer<P>,
    pub(super) clock: C,
}

impl<P> SignLayer<P> {
    /// Signs with a [`Signer`], or with [`Credentials`] by
    /// [`Scheme::Fc`](crate::Scheme::Fc).
    pub fn new(signer: impl Into<Signer<P>>) -> Self {
        Self { signer: signer.into(), clock: SystemClock }
    }
}

impl<P, C> SignLayer<P, C> {
    /// Tells the time by another clock than the system's.
    pub fn with_clock<T: Clock>(self, clock: T) -> SignLayer<P, T> {
        SignLayer { signer: self.signer, clock }
    }
}
