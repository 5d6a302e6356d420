//! Scripts of other origins: what is allowed, and the headers that say so.

mod config;
mod origin;

pub use config::CorsConfig;

use super::rule::{Refusal, sealed};
use crate::error::Error;
use crate::protocol::Rejection;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, ORIGIN,
    VARY,
};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use std::sync::Arc;
use std::time::SystemTime;

/// Lets scripts of other origins read responses: a [rule](super::RuleLayer).
///
/// ```
/// use http::{Request, Response};
/// use std::convert::Infallible;
/// use tower::{Layer, ServiceExt, service_fn};
/// use tower_fc::trigger::{Cors, CorsConfig, RuleLayer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = CorsConfig::new(["https://app.example"])?
///     .with_methods(["GET", "PUT"])?
///     .with_headers(["authorization", "content-type", "x-acs-date"])?
///     .with_exposed_headers(["x-fc-request-id"])?;
/// let service = RuleLayer::new(Cors::configured(config)?).layer(service_fn(
///     async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::from("hello"))),
/// ));
///
/// // A browser asks before it sends a signed request. The service is not called.
/// let preflight = Request::options("/")
///     .header("origin", "https://app.example")
///     .header("access-control-request-method", "PUT")
///     .header("access-control-request-headers", "authorization,x-acs-date")
///     .body(())?;
/// let response = service.clone().oneshot(preflight).await?;
/// assert_eq!(response.status(), 204);
/// assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example");
///
/// // Then the script can read the response.
/// let request = Request::put("/").header("origin", "https://app.example").body(())?;
/// let response = service.clone().oneshot(request).await?;
/// assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example");
/// assert_eq!(response.headers()["access-control-expose-headers"], "x-fc-request-id");
///
/// // A script of another origin reads nothing.
/// let request = Request::get("/").header("origin", "https://evil.example").body(())?;
/// let response = service.oneshot(request).await?;
/// assert!(!response.headers().contains_key("access-control-allow-origin"));
/// assert_eq!(response.headers()["vary"], "origin");
/// # Ok(())
/// # }
/// ```
///
/// | | by default | configured | off |
/// |---|---|---|---|
/// | `access-control-allow-origin` | the `origin` of the request | the same, if it is allowed; `*` where all are | |
/// | `access-control-allow-credentials` | `true` | `true`, if configured | |
/// | `access-control-expose-headers` | `Date,x-fc-request-id` | as configured | |
/// | a preflight that is allowed | goes on to the function | answered with 204, before authentication | goes on |
/// | any other preflight | the same | goes on, and has no such headers in its response | goes on |
/// | `vary: origin` | always | always | |
///
/// The defaults are those of the service (seed document, "CORS"): scripts of *every* origin can
/// call a function as the user whose cookies the browser has, and read what it answers. A
/// function that goes by cookies, and not by signatures, wants a [`CorsConfig`].
///
/// * Refusals carry the headers too, so that scripts can read them.
/// * What the function sets itself stays. Where it sets `access-control-allow-origin`, nothing
///   is added to what it allows.
/// * Without an `origin`, or with several, no origin is allowed. `null`, the origin of sandboxed
///   pages, is one by default and under `*`.
/// * `vary` is added to, and says for caches what a response depends on, also where an origin is
///   not allowed.
/// * A preflight for a private network (`access-control-request-private-network`) is answered as
///   any other, and so not allowed that.
///
/// It keeps scripts from reading, not requests from being carried out: what needs no preflight,
/// such as a form or a WebSocket handshake, reaches the function from any page.
#[derive(Clone, Debug, Default)]
pub struct Cors(Kind);

#[derive(Clone, Debug, Default)]
enum Kind {
    #[default]
    Echo,
    Configured(Arc<CorsConfig>),
    Off,
}

/// What scripts can read by default: of what the service has in its list, what is set here.
static EXPOSED: HeaderValue = HeaderValue::from_static("Date,x-fc-request-id");
static TRUE: HeaderValue = HeaderValue::from_static("true");

impl Cors {
    /// Lets those read that a configuration allows.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`](crate::error::ErrorKind::InvalidSetting) where credentials
    /// are allowed beside the origin `*`, or beside the exposed header `*`, neither of which
    /// browsers take.
    pub fn configured(config: CorsConfig) -> Result<Self, Error> {
        config.check()?;
        Ok(Self(Kind::Configured(Arc::new(config))))
    }

    /// Adds nothing to what the function says, and answers nothing in its place.
    pub fn off() -> Self {
        Self(Kind::Off)
    }

    /// Notes what the answer to a request depends on.
    pub(super) fn note<B>(&self, request: &Request<B>, asking: &mut Asking) {
        asking.allowed = only(request.headers(), &ORIGIN).and_then(|origin| match &self.0 {
            Kind::Off => None,
            Kind::Echo => Some(origin.clone()),
            Kind::Configured(config) if config.allows_any_origin() => Some(config::ANY.clone()),
            Kind::Configured(config) => config.allows_origin(origin).then(|| origin.clone()),
        });
    }

    /// Answers a preflight that is allowed.
    pub(super) fn preflight<B>(
        &self,
        request: &Request<B>,
        asking: &mut Asking,
    ) -> Result<(), Refusal> {
        let Kind::Configured(config) = &self.0 else { return Ok(()) };
        let headers = request.headers();
        asking.is_preflight = request.method() == Method::OPTIONS
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asking.is_preflight {
            return Ok(());
        }
        let method = only(headers, &ACCESS_CONTROL_REQUEST_METHOD);
        let names = asked_names(headers)
            .filter(|names| names.iter().all(|name| config.allows_header(name)))
            .filter(|_| method.is_some_and(|method| config.allows_method(method)))
            .filter(|_| asking.allowed.is_some());
        let Some(names) = names else {
            // No browser may take what the function answers for a yes.
            asking.allowed = None;
            return Ok(());
        };
        let mut response = Response::new(bytes::Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let max_age = HeaderValue::from(config.max_age);
        for (name, value) in [
            (ACCESS_CONTROL_ALLOW_METHODS, config.methods()),
            (ACCESS_CONTROL_ALLOW_HEADERS, config.headers(&names)),
            (ACCESS_CONTROL_MAX_AGE, Some(max_age)),
        ] {
            response.headers_mut().extend(value.map(|value| (name, value)));
        }
        Err(Refusal::Answered(Box::new(response)))
    }
}

/// A header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// The headers that a preflight asks for, or `None` if one has no name of a header.
fn asked_names(headers: &HeaderMap) -> Option<Vec<HeaderName>> {
    let lists = headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter();
    let names = lists.flat_map(items).filter(|name| !name.is_empty());
    names.map(|name| HeaderName::from_bytes(name).ok()).collect()
}

/// What stands between commas.
fn items(list: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    list.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// What CORS has to know of a request for the headers of its answer.
#[derive(Debug, Default)]
pub struct Asking {
    /// Which origin is allowed: the one of the request, or all.
    allowed: Option<HeaderValue>,
    is_preflight: bool,
}

impl sealed::Rule for Cors {
    type Kept = Asking;

    fn request<B>(
        &self,
        request: &mut Request<B>,
        _: SystemTime,
        asking: &mut Asking,
    ) -> Result<(), Refusal> {
        self.note(request, asking);
        self.preflight(request, asking)
    }

    fn response<B>(&self, asking: &Asking, response: &mut Response<B>) -> Result<(), Rejection> {
        let (credentials, exposed) = match &self.0 {
            Kind::Off => return Ok(()),
            Kind::Echo => (true, Some(&EXPOSED)),
            Kind::Configured(config) => (config.credentials, config.exposed.as_ref()),
        };
        let headers = response.headers_mut();
        vary(headers, &ORIGIN);
        if asking.is_preflight {
            vary(headers, &ACCESS_CONTROL_REQUEST_METHOD);
            vary(headers, &ACCESS_CONTROL_REQUEST_HEADERS);
        }
        if asking.allowed.is_none() || headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return Ok(());
        }
        // A preflight has nothing to read.
        let exposed = exposed.filter(|_| !asking.is_preflight);
        for (name, value) in [
            (ACCESS_CONTROL_ALLOW_ORIGIN, asking.allowed.as_ref()),
            (ACCESS_CONTROL_ALLOW_CREDENTIALS, credentials.then_some(&TRUE)),
            (ACCESS_CONTROL_EXPOSE_HEADERS, exposed),
        ] {
            if let (Some(value), Ok(entry)) = (value, headers.try_entry(name)) {
                // Without room for one, it is not allowed.
                let _ = entry.or_try_insert_with(|| value.clone());
            }
        }
        Ok(())
    }
}

/// Says that a response depends on a header of the request, if it does not say so yet.
fn vary(headers: &mut HeaderMap, name: &HeaderName) {
    let is_meant = |said: &[u8]| said == b"*" || said.eq_ignore_ascii_case(name.as_ref());
    if !headers.get_all(VARY).iter().flat_map(items).any(is_meant) {
        let _ = headers.try_append(VARY, HeaderValue::from(name.clone()));
    }
}
