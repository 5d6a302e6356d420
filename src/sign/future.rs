use super::error::SignError;
use crate::error::Error;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The response future of [`Sign`](super::Sign).
    #[derive(Debug)]
    pub struct SignFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[project = KindProj]
    #[derive(Debug)]
    enum Kind<F> {
        Sent { #[pin] future: F },
        // Boxed to keep the future of the service, which is the usual case, small.
        Failed { error: Option<Box<Error>> },
    }
}

impl<F> SignFuture<F> {
    pub(super) fn sent(future: F) -> Self {
        Self { kind: Kind::Sent { future } }
    }

    pub(super) fn failed(error: Error) -> Self {
        Self { kind: Kind::Failed { error: Some(Box::new(error)) } }
    }
}

impl<F, T, E> Future for SignFuture<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, SignError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProj::Sent { future } => future.poll(cx).map_err(SignError::Inner),
            KindProj::Failed { error } => match error.take() {
                Some(error) => Poll::Ready(Err(SignError::Signing(*error))),
                // Polled after completion, which a future may answer as it likes.
                None => Poll::Pending,
            },
        }
    }
}
