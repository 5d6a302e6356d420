use super::environment::ENV_ACCESS_KEY_ID;
use super::provider::ProvideCredentials;
use crate::error::{Error, ErrorKind};
use crate::headers::{X_FC_ACCESS_KEY_ID, X_FC_ACCESS_KEY_SECRET, X_FC_SECURITY_TOKEN};
use crate::protocol::Credentials;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::ffi::OsString;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

impl Credentials {
    /// Reads the headers by which Function Compute gives a custom runtime the credentials of the
    /// function's role with each request: `x-fc-access-key-id`, `x-fc-access-key-secret` and,
    /// where it is there and not empty, `x-fc-security-token`.
    ///
    /// Insecure unless the platform sets them: whoever else sends requests to the function could
    /// have it sign as them.
    ///
    /// # Errors
    /// [`ErrorKind::MissingHeader`] when one of the first two is missing or is not text, and the
    /// errors of [`Credentials::new`] and [`Credentials::with_security_token`], which name the
    /// header.
    pub fn from_runtime_headers(headers: &HeaderMap) -> Result<Self, Error> {
        let required =
            |name: &HeaderName| text(headers, name)?.ok_or_else(|| missing(name, "is not there"));
        let (id, secret) = (required(&X_FC_ACCESS_KEY_ID)?, required(&X_FC_ACCESS_KEY_SECRET)?);
        let (id_name, secret_name) = (X_FC_ACCESS_KEY_ID.as_str(), X_FC_ACCESS_KEY_SECRET.as_str());
        let credentials = Self::named(id_name, id, secret_name, secret)?;
        match text(headers, &X_FC_SECURITY_TOKEN)? {
            Some(token) if !token.is_empty() => {
                credentials.with_named_token(X_FC_SECURITY_TOKEN.as_str(), token)
            }
            _ => Ok(credentials),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Error> {
    let text = headers.get(name).map(|value| value.to_str());
    text.transpose().map_err(|_| missing(name, "is not text"))
}

fn missing(name: &HeaderName, what: &str) -> Error {
    Error::new(ErrorKind::MissingHeader, format!("the HTTP header {name} {what}"))
}

/// The credentials of the role of the function that this runs in, as its runtime has them: from
/// the environment, and only where there are none, from the headers of the latest request.
///
/// Runtimes on Debian 11 and later give them by `ALIBABA_CLOUD_ACCESS_KEY_ID` and its siblings, and
/// no longer by `x-fc-security-token` and its. On others, show it the headers of each request that
/// comes from the platform; [`from_runtime_headers`](Credentials::from_runtime_headers) says what
/// that is to be guarded against.
///
/// ```
/// use std::convert::Infallible;
/// use std::sync::Arc;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_fc::credentials::{ProvideCredentials, RuntimeCredentials};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let role = Arc::new(RuntimeCredentials::new()?);
/// let seen = Arc::clone(&role);
/// let function = ServiceBuilder::new()
///     .map_request(move |request: http::Request<()>| {
///         // Some requests come without, such as those of a health check.
///         let _ = seen.observe(request.headers());
///         request
///     })
///     .service(service_fn(async |_: http::Request<()>| Ok::<_, Infallible>("done")));
///
/// let request = http::Request::get("/")
///     .header("x-fc-access-key-id", "STS.example")
///     .header("x-fc-access-key-secret", "secret")
///     .header("x-fc-security-token", "token")
///     .body(())?;
/// function.oneshot(request).await?;
/// assert_eq!(role.credentials().await?.access_key_id(), "STS.example");
/// # Ok(())
/// # }
/// ```
pub struct RuntimeCredentials(Source);

enum Source {
    Environment(Credentials),
    Headers(Mutex<Option<Credentials>>),
}

impl RuntimeCredentials {
    /// Looks into the environment, once.
    ///
    /// # Errors
    /// As [`Credentials::from_env`], if `ALIBABA_CLOUD_ACCESS_KEY_ID` is there at all.
    pub fn new() -> Result<Self, Error> {
        Self::from_variables(|name| std::env::var_os(name))
    }

    fn from_variables(read: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        Ok(Self(match read(ENV_ACCESS_KEY_ID) {
            Some(_) => Source::Environment(Credentials::from_variables(read)?),
            None => Source::Headers(Mutex::default()),
        }))
    }

    /// Takes the credentials that a request came with, unless there are some in the environment.
    ///
    /// # Errors
    /// As [`Credentials::from_runtime_headers`]; those of the request before are kept then.
    pub fn observe(&self, headers: &HeaderMap) -> Result<(), Error> {
        let Source::Headers(latest) = &self.0 else { return Ok(()) };
        // The secret of an id does not change, and it costs something to make it ready.
        let are_same = |known: &Credentials| {
            let token = known.key().token().map_or(&[][..], HeaderValue::as_bytes);
            let is = |name, text: &[u8]| {
                headers.get(name).map_or(&[][..], HeaderValue::as_bytes) == text
            };
            is(&X_FC_ACCESS_KEY_ID, known.access_key_id().as_bytes())
                && is(&X_FC_SECURITY_TOKEN, token)
        };
        if !lock(latest).as_ref().is_some_and(are_same) {
            let credentials = Credentials::from_runtime_headers(headers)?;
            *lock(latest) = Some(credentials);
        }
        Ok(())
    }
}

fn lock<T>(latest: &Mutex<T>) -> MutexGuard<'_, T> {
    latest.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ProvideCredentials for RuntimeCredentials {
    async fn credentials(&self) -> Result<Credentials, Error> {
        match &self.0 {
            Source::Environment(credentials) => Ok(credentials.clone()),
            Source::Headers(latest) => {
                let latest = lock(latest).clone();
                latest.ok_or_else(|| missing(&X_FC_ACCESS_KEY_ID, "has not been there yet"))
            }
        }
    }
}

impl fmt::Debug for RuntimeCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RuntimeCredentials(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(given: &[(&'static str, &'static str)]) -> HeaderMap {
        given.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    const GIVEN: [(&str, &str); 3] = [
        ("x-fc-access-key-id", "STS.one"),
        ("x-fc-access-key-secret", "one"),
        ("x-fc-security-token", "token-one"),
    ];

    #[tokio::test]
    async fn the_environment_comes_first_and_then_the_headers_of_the_latest_request() {
        let variables = |name: &str| match name {
            "ALIBABA_CLOUD_ACCESS_KEY_ID" => Some("STS.environment".into()),
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET" => Some("secret".into()),
            _ => None,
        };
        let role = RuntimeCredentials::from_variables(variables).unwrap();
        role.observe(&headers(&GIVEN)).unwrap();
        assert_eq!(role.credentials().await.unwrap().access_key_id(), "STS.environment");

        // Half an environment is a fault, and no reason to look elsewhere.
        let half = |name: &str| (name == ENV_ACCESS_KEY_ID).then(|| "STS.half".into());
        let error = RuntimeCredentials::from_variables(half).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingVariable);

        let role = RuntimeCredentials::from_variables(|_| None).unwrap();
        assert_eq!(role.credentials().await.unwrap_err().kind(), ErrorKind::MissingHeader);
        role.observe(&headers(&GIVEN)).unwrap();
        let credentials = role.credentials().await.unwrap();
        assert_eq!(credentials.access_key_id(), "STS.one");
        assert_eq!(credentials.key().token().unwrap(), "token-one");
        // A request without any, and one with others.
        assert!(role.observe(&headers(&[])).is_err());
        assert_eq!(role.credentials().await.unwrap().access_key_id(), "STS.one");
        let others = [GIVEN[0], ("x-fc-access-key-secret", "two"), ("x-fc-security-token", "two")];
        role.observe(&headers(&others)).unwrap();
        assert_eq!(role.credentials().await.unwrap().key().token().unwrap(), "two");
    }

    #[test]
    fn what_is_wrong_with_the_headers_is_said_by_name_and_without_a_secret() {
        for (given, kind, name) in [
            (vec![GIVEN[0]], ErrorKind::MissingHeader, "x-fc-access-key-secret"),
            (vec![GIVEN[1]], ErrorKind::MissingHeader, "x-fc-access-key-id"),
            (
                vec![("x-fc-access-key-id", "a b"), GIVEN[1]],
                ErrorKind::InvalidAccessKeyId,
                "x-fc-access-key-id",
            ),
            (
                vec![GIVEN[0], ("x-fc-access-key-secret", "can ary")],
                ErrorKind::InvalidAccessKeySecret,
                "x-fc-access-key-secret",
            ),
            (
                vec![GIVEN[0], GIVEN[1], ("x-fc-security-token", "can ary")],
                ErrorKind::InvalidSecurityToken,
                "x-fc-security-token",
            ),
        ] {
            let error = Credentials::from_runtime_headers(&headers(&given)).unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains(name), "{error}");
            assert!(!error.to_string().contains("ary"), "{error}");
        }
    }
}
