use crate::error::{Error, ErrorKind};
use crate::protocol::host::{Host, default_port};
use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderValue, Method, Uri};

/// Which scripts may call a function and read its responses (`corsConfig` of a trigger).
///
/// | | by default | bounds |
/// |---|---|---|
/// | `allowOrigins` | | 1 to 100: `https://app.example`, `*`, or all of a scheme, `https://*` |
/// | `allowMethods` | GET, POST, PUT, DELETE, HEAD, PATCH, OPTIONS | |
/// | `allowHeaders` | none but those that need no asking | names, or `*` for all but `authorization` |
/// | `exposeHeaders` | none but those that need no asking | names |
/// | `allowCredentials` | false | not with the origin `*` |
/// | `maxAge` | 3600 | 0 to 86400 seconds |
#[derive(Clone, Debug)]
pub struct CorsConfig {
    pub(super) origins: Vec<Origin>,
    pub(super) methods: Vec<Method>,
    pub(super) headers: Names,
    pub(super) expose: Option<HeaderValue>,
    pub(super) credentials: bool,
    pub(super) max_age: u32,
}

/// An origin that is allowed, or many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Any,
    /// As browsers write it.
    Exact(String),
    /// Those that begin so: a scheme.
    Of(String),
}

/// Names of request headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Names {
    Any,
    These(Vec<HeaderName>),
}

/// The most origins.
const MOST_ORIGINS: usize = 100;
/// The longest time that a browser may keep the answer to a preflight, in seconds.
const LONGEST_AGE: u32 = 86_400;

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidSetting, message)
}

impl CorsConfig {
    /// Allows scripts of these origins: `https://app.example`, `*` for all, `https://*` for all
    /// of a scheme.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for what is no origin, for none, and for more than 100.
    pub fn new<I>(origins: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let origins = origins.into_iter().enumerate().map(|(at, text)| {
            let rule = "must be of the form https://host, https://host:port, https://* or *";
            Origin::read(text.as_ref())
                .ok_or_else(|| invalid(format!("allowOrigins[{at}]: {rule}")))
        });
        let origins = origins.collect::<Result<Vec<_>, _>>()?;
        if !(1..=MOST_ORIGINS).contains(&origins.len()) {
            let count = origins.len();
            return Err(invalid(format!("allowOrigins: must be 1 to 100 origins, not {count}")));
        }
        Ok(Self {
            origins,
            methods: crate::trigger::Methods::ALL.iter().collect(),
            headers: Names::These(Vec::new()),
            expose: None,
            credentials: false,
            max_age: 3_600,
        })
    }

    /// Allows these methods, in place of all seven of a trigger.
    #[must_use]
    pub fn with_methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods = methods.into_iter().collect();
        self
    }

    /// Allows requests to have these headers: names, or `*` for all but `authorization`, which
    /// has to be named (Fetch, "CORS-preflight fetch").
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for what is no name of a header.
    pub fn with_headers<I>(mut self, names: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let mut any = false;
        let mut these = Vec::new();
        for (at, name) in names.into_iter().enumerate() {
            match name.as_ref() {
                "*" => any = true,
                name => these.push(header(name, "allowHeaders", at)?),
            }
        }
        // Beside `*` only what that does not cover makes a difference.
        self.headers =
            match any && !these.contains(&AUTHORIZATION) {
                true => Names::Any,
                false if any => return Err(invalid(
                    "allowHeaders: must be * alone, or names: authorization cannot stand beside *"
                        .to_owned(),
                )),
                false => Names::These(these),
            };
        Ok(self)
    }

    /// Lets scripts read these headers of responses.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for what is no name of a header.
    pub fn with_exposed_headers<I>(mut self, names: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let names = names.into_iter().enumerate();
        let names: Result<Vec<_>, _> =
            names.map(|(at, name)| header(name.as_ref(), "exposeHeaders", at)).collect();
        self.expose = joined(&names?);
        Ok(self)
    }

    /// Lets browsers send cookies and client certificates along.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] where every origin is allowed.
    pub fn with_credentials(mut self) -> Result<Self, Error> {
        if self.origins.contains(&Origin::Any) {
            let rule = "allowCredentials: cannot be true where allowOrigins has *";
            return Err(invalid(rule.to_owned()));
        }
        self.credentials = true;
        Ok(self)
    }

    /// Lets browsers keep the answer to a preflight for so many seconds, in place of 3600.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for more than 86400.
    pub fn with_max_age(mut self, seconds: u32) -> Result<Self, Error> {
        if seconds > LONGEST_AGE {
            return Err(invalid(format!("maxAge: must be 0 to 86400 seconds, not {seconds}")));
        }
        self.max_age = seconds;
        Ok(self)
    }

    /// Whether scripts of an origin are allowed.
    pub(super) fn allows_origin(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        self.origins.iter().any(|allowed| match allowed {
            Origin::Any => true,
            Origin::Exact(text) => text == origin,
            Origin::Of(scheme) => origin.strip_prefix(scheme.as_str()).is_some_and(is_host),
        })
    }

    pub(super) fn allows_any_origin(&self) -> bool {
        self.origins.contains(&Origin::Any)
    }

    pub(super) fn allows_method(&self, method: &[u8]) -> bool {
        self.methods.iter().any(|allowed| allowed.as_str().as_bytes() == method)
    }

    /// Whether requests may have a header of this name, in whatever case.
    pub(super) fn allows_header(&self, name: &[u8]) -> bool {
        let Ok(name) = HeaderName::from_bytes(name) else { return false };
        match &self.headers {
            Names::Any => name != AUTHORIZATION,
            Names::These(names) => names.contains(&name),
        }
    }
}

fn header(name: &str, list: &str, at: usize) -> Result<HeaderName, Error> {
    let read = HeaderName::from_bytes(name.as_bytes());
    read.map_err(|_| invalid(format!("{list}[{at}]: must be the name of a header")))
}

/// Names with commas between, `None` of none.
pub(super) fn joined<T: AsRef<str>>(names: &[T]) -> Option<HeaderValue> {
    let names: Vec<_> = names.iter().map(AsRef::as_ref).collect();
    (!names.is_empty()).then(|| HeaderValue::from_str(&names.join(",")).ok()).flatten()
}

impl Origin {
    fn read(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let (scheme, rest) = text.split_once("://")?;
        if rest == "*" {
            let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
            let fits = !scheme.is_empty() && scheme.bytes().all(is_scheme);
            return fits.then(|| Self::Of(format!("{}://", scheme.to_ascii_lowercase())));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let uri = format!("{scheme}://{rest}").parse::<Uri>().ok()?;
        let fits = is_host(rest) && Host::of(&uri).is_some();
        let (scheme, rest) = (scheme.to_ascii_lowercase(), rest.to_ascii_lowercase());
        // Browsers leave out the port that the scheme implies.
        let implied = default_port(Some(&scheme)).map(|port| format!(":{port}"));
        let host = implied.and_then(|port| rest.strip_suffix(&port)).unwrap_or(&rest);
        fits.then(|| Self::Exact(format!("{scheme}://{host}")))
    }
}

/// Whether a text is no more than a host and a port.
fn is_host(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    !text.is_empty() && text.bytes().all(fits)
}
