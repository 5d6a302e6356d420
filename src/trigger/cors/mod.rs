//! Scripts of other origins.
//!
//! ```
//! use http::{HeaderName, Request, Response};
//! use std::convert::Infallible;
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_fc::trigger::{Cors, CorsConfig, RuleLayer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = CorsConfig::new(["https://app.example"])?.with_headers(["content-type"])?;
//! let service = RuleLayer::new(Cors::configured(config)).layer(service_fn(
//!     async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::from("hello"))),
//! ));
//!
//! // A browser asks first, and the service is not called.
//! let asking = Request::options("/")
//!     .header("origin", "https://app.example")
//!     .header("access-control-request-method", "POST")
//!     .header("access-control-request-headers", "content-type");
//! let response = service.clone().oneshot(asking.body(())?).await?;
//! assert_eq!(response.status(), 204);
//! assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example");
//!
//! // A script of another origin reads nothing.
//! let request = Request::get("/").header("origin", "https://evil.example").body(())?;
//! let response = service.oneshot(request).await?;
//! assert!(!response.headers().contains_key("access-control-allow-origin"));
//! # Ok(())
//! # }
//! ```

mod config;

pub use config::CorsConfig;

use super::rule::{Refusal, sealed};
use crate::protocol::Rejection;
use config::{Names, joined};
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
/// Without a configuration it does what the service does by default (seed document, "CORS"):
/// every origin may read every response, and send cookies along. Preflights go on to the
/// function. With one, a preflight that it allows is answered with 204, and every other goes on.
///
/// What the function says itself wins: a header that it sets stays, and where it sets
/// `access-control-allow-origin`, nothing is added to what it allows. Refusals carry the headers
/// too, so that scripts can read them. Whatever depends on the origin says so
/// (`vary: origin`), also where an origin is not allowed, or none is sent.
#[derive(Clone, Debug, Default)]
pub struct Cors(Kind);

#[derive(Clone, Debug, Default)]
enum Kind {
    #[default]
    Echo,
    Configured(Arc<CorsConfig>),
    Off,
}

impl Cors {
    /// Lets those read that a configuration allows.
    pub fn configured(config: CorsConfig) -> Self {
        Self(Kind::Configured(Arc::new(config)))
    }

    /// Adds nothing to what the function says.
    pub fn off() -> Self {
        Self(Kind::Off)
    }

    /// Notes what the answer to a request depends on.
    pub(super) fn note<B>(&self, request: &Request<B>, asking: &mut Asking) {
        if matches!(self.0, Kind::Off) {
            return;
        }
        let mut origins = request.headers().get_all(ORIGIN).iter();
        // Browsers send one.
        asking.origin = origins.next().filter(|_| origins.next().is_none()).cloned();
    }

    /// Answers a preflight that is allowed.
    pub(super) fn preflight<B>(
        &self,
        request: &Request<B>,
        asking: &mut Asking,
    ) -> Result<(), Refusal> {
        let Kind::Configured(config) = &self.0 else { return Ok(()) };
        let Some(method) = request.headers().get(ACCESS_CONTROL_REQUEST_METHOD) else {
            return Ok(());
        };
        let Some(origin) = asking.origin.as_ref().filter(|_| request.method() == Method::OPTIONS)
        else {
            return Ok(());
        };
        let lists = request.headers().get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter();
        let names = lists.flat_map(|list| list.as_bytes().split(|byte| *byte == b','));
        let mut names = names.map(<[u8]>::trim_ascii).filter(|name| !name.is_empty());
        asking.is_preflight = true;
        if !config.allows_origin(origin)
            || !config.allows_method(method.as_bytes())
            || !names.all(|name| config.allows_header(name))
        {
            // It goes on, and no browser may take what the function answers for a yes.
            asking.origin = None;
            return Ok(());
        }
        let mut response = Response::new(bytes::Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        let methods: Vec<_> = config.methods.iter().map(Method::as_str).collect();
        let allowed = match &config.headers {
            Names::These(names) => joined(names),
            Names::Any => request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS).cloned(),
        };
        let max_age = HeaderValue::from(config.max_age);
        for (name, value) in [
            (ACCESS_CONTROL_ALLOW_METHODS, joined(&methods)),
            (ACCESS_CONTROL_ALLOW_HEADERS, allowed),
            (ACCESS_CONTROL_MAX_AGE, Some(max_age)),
        ] {
            headers.extend(value.map(|value| (name, value)));
        }
        Err(Refusal::Answered(Box::new(response)))
    }
}

/// What CORS has to know of a request for the headers of its answer.
#[derive(Debug, Default)]
pub struct Asking {
    origin: Option<HeaderValue>,
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
        let headers = response.headers_mut();
        let (origin, credentials, expose) = match &self.0 {
            Kind::Off => return Ok(()),
            Kind::Echo => {
                let exposed = HeaderValue::from_static("Date,x-fc-request-id");
                (asking.origin.as_ref(), true, Some(exposed))
            }
            Kind::Configured(config) => {
                let allowed = asking.origin.as_ref().filter(|origin| config.allows_origin(origin));
                (allowed, config.credentials, config.expose.clone())
            }
        };
        vary(headers, &ORIGIN);
        if asking.is_preflight {
            vary(headers, &ACCESS_CONTROL_REQUEST_METHOD);
            vary(headers, &ACCESS_CONTROL_REQUEST_HEADERS);
        }
        let Some(origin) = origin else { return Ok(()) };
        if headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return Ok(());
        }
        let is_any = matches!(&self.0, Kind::Configured(config) if config.allows_any_origin());
        let origin = if is_any { HeaderValue::from_static("*") } else { origin.clone() };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if credentials && !headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS) {
            let yes = HeaderValue::from_static("true");
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        if let Some(names) = expose.filter(|_| !asking.is_preflight)
            && !headers.contains_key(ACCESS_CONTROL_EXPOSE_HEADERS)
        {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, names);
        }
        Ok(())
    }
}

/// Says that a response depends on a header of the request, if it does not say so yet.
fn vary(headers: &mut HeaderMap, name: &HeaderName) {
    let is_said = headers.get_all(VARY).iter().any(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .any(|said| said == b"*" || said.eq_ignore_ascii_case(name.as_str().as_bytes()))
    });
    if !is_said {
        headers.append(VARY, HeaderValue::from(name.clone()));
    }
}
