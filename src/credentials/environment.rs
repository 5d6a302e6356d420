//! Credentials from environment variables.

use crate::error::{Error, ErrorKind};
use crate::protocol::Credentials;
use std::ffi::OsString;
use zeroize::Zeroizing;

impl Credentials {
    /// Reads `ALIBABA_CLOUD_ACCESS_KEY_ID`, `ALIBABA_CLOUD_ACCESS_KEY_SECRET` and,
    /// where it is set and not empty, `ALIBABA_CLOUD_SECURITY_TOKEN`.
    ///
    /// # Errors
    /// [`ErrorKind::MissingVariable`] when one of the first two is missing or is not
    /// text, and the errors of [`Credentials::new`] and
    /// [`Credentials::with_security_token`], which name the variable.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_variables(|name| std::env::var_os(name))
    }

    pub(super) fn from_variables(read: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let variable = |name: &str| match read(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(Zeroizing::new(value))),
            Some(Err(_)) => Err(missing(name, "is not text")),
        };
        let required = |name| variable(name)?.ok_or_else(|| missing(name, "is not set"));
        let id = required(ENV_ACCESS_KEY_ID)?;
        let secret = required(ENV_ACCESS_KEY_SECRET)?;
        let credentials = Self::named(ENV_ACCESS_KEY_ID, &id, ENV_ACCESS_KEY_SECRET, &secret)?;
        match variable(ENV_SECURITY_TOKEN)? {
            Some(token) if !token.is_empty() => {
                credentials.with_named_token(ENV_SECURITY_TOKEN, &token)
            }
            _ => Ok(credentials),
        }
    }
}

pub(super) const ENV_ACCESS_KEY_ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const ENV_ACCESS_KEY_SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
const ENV_SECURITY_TOKEN: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";

fn missing(name: &str, what: &str) -> Error {
    Error::new(ErrorKind::MissingVariable, format!("the environment variable {name} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<Credentials, Error> {
        Credentials::from_variables(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
        })
    }

    #[test]
    fn what_is_wrong_with_the_environment_is_said_by_name() {
        let good = [(ENV_ACCESS_KEY_ID, "id"), (ENV_ACCESS_KEY_SECRET, "secret")];
        assert!(!from(&good).unwrap().has_security_token());
        let with_token = [good[0], good[1], (ENV_SECURITY_TOKEN, "token")];
        assert!(from(&with_token).unwrap().has_security_token());
        let with_empty_token = [good[0], good[1], (ENV_SECURITY_TOKEN, "")];
        assert!(!from(&with_empty_token).unwrap().has_security_token());

        for (variables, kind, name) in [
            (vec![], ErrorKind::MissingVariable, ENV_ACCESS_KEY_ID),
            (vec![good[0]], ErrorKind::MissingVariable, ENV_ACCESS_KEY_SECRET),
            (
                vec![(ENV_ACCESS_KEY_ID, "a b"), good[1]],
                ErrorKind::InvalidAccessKeyId,
                ENV_ACCESS_KEY_ID,
            ),
            (
                vec![good[0], (ENV_ACCESS_KEY_SECRET, "canary\n")],
                ErrorKind::InvalidAccessKeySecret,
                ENV_ACCESS_KEY_SECRET,
            ),
            (
                vec![good[0], good[1], (ENV_SECURITY_TOKEN, "canary\r\n")],
                ErrorKind::InvalidSecurityToken,
                ENV_SECURITY_TOKEN,
            ),
        ] {
            let error = from(&variables).unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains(name), "{error}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }
}
