use super::origin::Origins;
use crate::error::{Error, ErrorKind};
use crate::trigger::methods::Methods;
use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderValue, Method};

/// Which scripts may call a function and read its responses: `corsConfig` of a trigger.
///
/// | field | by default | bounds |
/// |---|---|---|
/// | `allowOrigins` | | 1 to 100: `https://app.example`, `https://*` for all of a scheme, `*` |
/// | `allowMethods` | all seven of a trigger | at least one of GET, POST, PUT, DELETE, HEAD, PATCH, OPTIONS |
/// | `allowHeaders` | none but those that need no asking | names, and `*` for all but `authorization` |
/// | `exposeHeaders` | none but those that are always readable | names, and `*` without credentials |
/// | `allowCredentials` | false | not with the origin `*` |
/// | `maxAge` | 3600 | 0 to 86400, in seconds |
///
/// An error names the field and the number of the entry, from 0, as in `allowOrigins[2]`. An
/// empty list of headers is as none.
#[derive(Clone, Debug)]
pub struct CorsConfig {
    origins: Vec<Origins>,
    methods: Methods,
    headers: Vec<HeaderName>,
    exposes_any: bool,
    pub(super) exposed: Option<HeaderValue>,
    pub(super) credentials: bool,
    pub(super) max_age: u32,
}

pub(super) static ANY: HeaderValue = HeaderValue::from_static("*");
/// The most origins.
const MOST_ORIGINS: usize = 100;
/// How long a browser may keep the answer to a preflight, in seconds.
const DEFAULT_MAX_AGE: u32 = 3_600;
const LONGEST_MAX_AGE: u32 = 86_400;

/// Of a field that has a wrong value, which is not quoted: in the wrong place, it may be a secret.
fn invalid(field: &str, rule: &str) -> Error {
    Error::new(ErrorKind::InvalidSetting, format!("{field}: {rule}"))
}

/// The entries of a list, each read; the error of one names it.
fn read_each<I, T>(
    field: &str,
    rule: &str,
    list: I,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, Error>
where
    I: IntoIterator<Item: AsRef<str>>,
{
    let read = |(at, entry): (usize, I::Item)| {
        read(entry.as_ref()).ok_or_else(|| invalid(&format!("{field}[{at}]"), rule))
    };
    list.into_iter().enumerate().map(read).collect()
}

impl CorsConfig {
    /// Allows scripts of these origins: `https://app.example`, `https://*` for all of a scheme,
    /// `*` for all.
    ///
    /// An origin is a scheme, a host and, where it is not the usual one, a port. It is compared
    /// as browsers write it; `null`, which they write for sandboxed pages and for files, is only
    /// one of `*`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for what is no origin, for none, and for more than 100.
    pub fn new<I>(origins: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let field = "allowOrigins";
        let rule = "must be of the form https://host, https://host:port, https://* or *";
        let origins = read_each(field, rule, origins, Origins::read)?;
        if !(1..=MOST_ORIGINS).contains(&origins.len()) {
            return Err(invalid(field, &format!("must be 1 to {MOST_ORIGINS} origins")));
        }
        Ok(Self {
            origins,
            methods: Methods::ALL,
            headers: Vec::new(),
            exposes_any: false,
            exposed: None,
            credentials: false,
            max_age: DEFAULT_MAX_AGE,
        })
    }

    /// Allows these methods, in place of all seven of a trigger.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for what is none of those, and for no method.
    pub fn with_methods<I>(mut self, methods: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let field = "allowMethods";
        let rule = "must be GET, POST, PUT, DELETE, HEAD, PATCH or OPTIONS";
        let methods = read_each(field, rule, methods, |name| {
            Method::from_bytes(name.as_bytes()).ok().filter(|method| Methods::ALL.contains(method))
        })?;
        self.methods = Methods::new(methods).map_err(|error| error.about(field))?;
        Ok(self)
    }

    /// Allows requests to have these headers: names, and `*` for all but `authorization`, which
    /// has to be named (Fetch, "CORS non-wildcard request-header name").
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for what is no name of a header.
    pub fn with_headers<I>(mut self, names: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.headers = read_names("allowHeaders", names)?;
        Ok(self)
    }

    /// Lets scripts read these headers of responses: names, and `*` for all but `authorization`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for what is no name of a header.
    pub fn with_exposed_headers<I>(mut self, names: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let names = read_names("exposeHeaders", names)?;
        self.exposes_any = has_any(&names);
        self.exposed = joined(names);
        Ok(self)
    }

    /// Lets browsers send cookies and client certificates along.
    #[must_use]
    pub fn with_credentials(mut self) -> Self {
        self.credentials = true;
        self
    }

    /// Lets browsers keep the answer to a preflight for so many seconds, in place of 3600.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] for more than 86400.
    pub fn with_max_age(mut self, seconds: u32) -> Result<Self, Error> {
        if seconds > LONGEST_MAX_AGE {
            return Err(invalid("maxAge", &format!("must be 0 to {LONGEST_MAX_AGE} seconds")));
        }
        self.max_age = seconds;
        Ok(self)
    }

    /// What its fields say together.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.credentials && self.allows_any_origin() {
            return Err(invalid("allowCredentials", "cannot be true where allowOrigins has *"));
        }
        if self.credentials && self.exposes_any {
            let rule = "cannot have * where allowCredentials is true: name the headers";
            return Err(invalid("exposeHeaders", rule));
        }
        Ok(())
    }

    pub(super) fn allows_any_origin(&self) -> bool {
        self.origins.contains(&Origins::Any)
    }

    pub(super) fn allows_origin(&self, origin: &HeaderValue) -> bool {
        let origin = origin.to_str().ok();
        origin.is_some_and(|origin| self.origins.iter().any(|allowed| allowed.contain(origin)))
    }

    pub(super) fn allows_method(&self, method: &HeaderValue) -> bool {
        Method::from_bytes(method.as_bytes()).is_ok_and(|method| self.methods.contains(&method))
    }

    /// Whether requests may have a header of this name.
    pub(super) fn allows_header(&self, name: &HeaderName) -> bool {
        self.headers.contains(name) || has_any(&self.headers) && *name != AUTHORIZATION
    }

    pub(super) fn methods(&self) -> Option<HeaderValue> {
        joined(self.methods.iter())
    }

    /// The names of allowed headers, among which all that a request asks for are.
    pub(super) fn headers(&self, asked: &[HeaderName]) -> Option<HeaderValue> {
        // No `*`, which browsers do not take for one beside credentials.
        joined(if has_any(&self.headers) { asked } else { &self.headers })
    }
}

fn read_names<I>(field: &str, list: I) -> Result<Vec<HeaderName>, Error>
where
    I: IntoIterator<Item: AsRef<str>>,
{
    let name = |name: &str| HeaderName::from_bytes(name.as_bytes()).ok();
    read_each(field, "must be the name of a header, or *", list, name)
}

/// Whether `*` is among names, which it could be one of.
fn has_any(names: &[HeaderName]) -> bool {
    names.iter().any(|name| name == "*")
}

/// Names with commas between, `None` of none.
fn joined<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Option<HeaderValue> {
    let mut list = String::new();
    for name in names {
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(name.as_ref());
    }
    (!list.is_empty()).then(|| HeaderValue::try_from(list).ok()).flatten()
}
