use super::rule::{Refusal, sealed};
use crate::error::{Error, ErrorKind};
use crate::protocol::{Rejection, RejectionKind};
use http::header::ALLOW;
use http::{HeaderValue, Method, Request, Response};
use std::fmt;
use std::time::SystemTime;

/// The methods that a trigger can allow (seed document, "HTTP/HTTPS").
const ALL: [Method; 7] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::HEAD,
    Method::PATCH,
    Method::OPTIONS,
];

/// Lets some methods pass and no others: a [rule](super::RuleLayer).
///
/// Others are answered with 405, `MethodNotAllowed` and an `allow` header. What Function Compute
/// answers is documented nowhere; a [`RejectionResponse`](crate::response::RejectionResponse)
/// of one's own does it in another way.
///
/// A WebSocket handshake over HTTP/2, which is a `CONNECT` with a path (RFC 8441), counts as
/// the `GET` that it is over HTTP/1.1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Methods(u8);

impl Methods {
    /// All that a trigger can allow: GET, POST, PUT, DELETE, HEAD, PATCH and OPTIONS.
    pub const ALL: Self = Self((1 << ALL.len()) - 1);

    /// These methods and no others.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for a method that a trigger cannot allow, and for none.
    pub fn new(methods: impl IntoIterator<Item = Method>) -> Result<Self, Error> {
        let mut set = 0;
        for method in methods {
            set |= bit(&method).ok_or_else(|| {
                let names = ALL.map(|method| method.to_string()).join(", ");
                let message = format!("a trigger cannot allow the method {method}, only {names}");
                Error::new(ErrorKind::InvalidSetting, message)
            })?;
        }
        if set == 0 {
            return Err(Error::new(ErrorKind::InvalidSetting, "no method is allowed"));
        }
        Ok(Self(set))
    }

    /// Returns whether a method is one of them.
    pub fn contains(self, method: &Method) -> bool {
        bit(method).is_some_and(|bit| self.0 & bit != 0)
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Method> {
        ALL.into_iter().filter(move |method| self.contains(method))
    }
}

fn bit(method: &Method) -> Option<u8> {
    ALL.iter().position(|each| each == method).map(|at| 1 << at)
}

impl Default for Methods {
    fn default() -> Self {
        Self::ALL
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl sealed::Rule for Methods {
    type Kept = ();

    fn request<B>(
        &self,
        request: &mut Request<B>,
        _: SystemTime,
        (): &mut (),
    ) -> Result<(), Refusal> {
        let method = match *request.method() {
            Method::CONNECT if request.uri().path().starts_with('/') => &Method::GET,
            _ => request.method(),
        };
        if self.contains(method) {
            return Ok(());
        }
        // As short as any that is allowed: it may be of any length.
        let name: String = request.method().as_str().chars().take(16).collect();
        let message = format!("the method {name:?} is not allowed");
        Err(Rejection::new(RejectionKind::MethodNotAllowed, message).into())
    }

    fn response<B>(&self, (): &(), response: &mut Response<B>) -> Result<(), Rejection> {
        let kind = response.extensions().get::<Rejection>().map(Rejection::kind);
        if kind == Some(RejectionKind::MethodNotAllowed) {
            let names: Vec<_> = self.iter().map(|method| method.to_string()).collect();
            if let Ok(names) = HeaderValue::from_str(&names.join(", ")) {
                // A refusal has few.
                let _ = response.headers_mut().try_insert(ALLOW, names);
            }
        }
        Ok(())
    }
}
