use crate::error::{BoxError, Error};

/// Says why a service that signs has no response.
///
/// It converts into a [`BoxError`] for every inner error that does, by handing that on as
/// itself: so what looks for a cause, as tonic does for a refused connection, finds it. It is
/// no [`std::error::Error`] itself, because Rust does not allow both.
///
/// ```
/// use tower_fc::error::BoxError;
/// use tower_fc::sign::SignError;
///
/// let inner: BoxError = std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into();
/// let error: BoxError = SignError::Inner(inner).into();
/// assert!(error.is::<std::io::Error>());
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum SignError<E> {
    /// The request could not be signed, or there were no credentials. It was not sent.
    Signing(Error),
    /// The inner service failed.
    Inner(E),
}

impl<E> From<Error> for SignError<E> {
    fn from(error: Error) -> Self {
        Self::Signing(error)
    }
}

impl<E: Into<BoxError>> From<SignError<E>> for Box<dyn std::error::Error> {
    fn from(error: SignError<E>) -> Self {
        BoxError::from(error)
    }
}

impl<E: Into<BoxError>> From<SignError<E>> for BoxError {
    fn from(error: SignError<E>) -> Self {
        match error {
            SignError::Signing(error) => error.into(),
            SignError::Inner(error) => error.into(),
        }
    }
}
