//! The configuration of a trigger as its users have it: what the service takes as JSON, and the
//! `s.yaml` of Serverless Devs.

mod cors;
pub(super) mod json;
#[cfg(feature = "jwt")]
mod jwt;
pub(super) mod value;
mod yaml;

use super::cors::Cors;
#[cfg(feature = "jwt")]
use super::jwt::JwtLayer;
use super::methods::Methods;
use crate::error::{Error, ErrorKind};
use http::Method;
use value::{Field, Fields};

/// What an HTTP trigger is told to do, from a file or made in code.
///
/// ```
/// use tower_fc::trigger::config::{AuthType, TriggerConfig};
/// use tower_fc::trigger::HttpTrigger;
/// use tower_fc::{StaticKeys, Verifier, VerifyLayer};
///
/// let config = TriggerConfig::from_json(r#"{ "authType": "function", "methods": ["GET"] }"#)?;
/// // What authenticates is another type for each way.
/// assert_eq!(config.auth_type(), AuthType::Function);
/// let keys = StaticKeys::from_secrets([("LTAI5tExample", "secret")])?;
/// let trigger = HttpTrigger::new(VerifyLayer::new(Verifier::new(keys))).with_config(&config);
///
/// let error = TriggerConfig::from_json(r#"{ "authType": "anonymus" }"#).unwrap_err();
/// assert_eq!(error.to_string(), "authType: must be anonymous, function or jwt");
/// # drop(trigger);
/// # Ok::<(), tower_fc::error::Error>(())
/// ```
///
/// A field that is not known, a key that is there twice, or a value that cannot be, is an error
/// that names the field by its path and says what is allowed.
#[derive(Clone, Debug)]
pub struct TriggerConfig {
    methods: Methods,
    disable_url_internet: bool,
    auth: Auth,
    cors: Cors,
}

/// How a trigger authenticates, with what that takes.
#[derive(Clone, Debug)]
enum Auth {
    Anonymous,
    Function,
    #[cfg(feature = "jwt")]
    Jwt(Box<JwtLayer>),
}

/// How a trigger authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthType {
    /// `anonymous`: everybody may call.
    Anonymous,
    /// `function`: signed requests may. The default of the service.
    Function,
    /// `jwt`: requests with a token may. Needs the feature `jwt`.
    Jwt,
}

impl Default for TriggerConfig {
    /// What the service does with an empty configuration: every method, and signed requests
    /// alone.
    fn default() -> Self {
        Self {
            methods: Methods::ALL,
            disable_url_internet: false,
            auth: Auth::Function,
            cors: Cors::default(),
        }
    }
}

impl TriggerConfig {
    /// Reads the configuration of an HTTP trigger as the service takes it (`triggerConfig` of
    /// the API 2023-03-30): `authType`, `methods`, `disableURLInternet`, `authConfig`,
    /// `corsConfig`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`], with the path of the field and what is allowed.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let value = json::read(text).map_err(|rule| invalid(&rule))?;
        Self::read(&Field::of_file(&value)?)
    }

    /// Reads the HTTP trigger in an `s.yaml` of Serverless Devs (component `fc3`): that of this
    /// name (`triggerName`), or the only one there is.
    ///
    /// Of the file only `triggers` is looked at, below `resources.*.props` or by itself.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`], with the path of the field and what is allowed; also if
    /// there is no such trigger, or more than one.
    pub fn from_serverless_devs(text: &str, name: Option<&str>) -> Result<Self, Error> {
        let value = yaml::read(text).map_err(|rule| invalid(&rule))?;
        let mut found = Vec::new();
        for triggers in triggers(&Field::of_file(&value)?)? {
            for trigger in triggers.list()? {
                let mut trigger = trigger.map()?;
                if trigger.required("triggerType")?.text()? != "http" {
                    continue;
                }
                let trigger_name = trigger.required("triggerName")?.text()?;
                for other in ["description", "qualifier", "invocationRole", "sourceArn"] {
                    trigger.take(other);
                }
                let config = trigger.required("triggerConfig")?;
                trigger.end()?;
                if name.is_none_or(|name| name == trigger_name) {
                    found.push((trigger_name, config));
                }
            }
        }
        let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        let config = match (found.pop(), name) {
            (Some((_, config)), _) if found.is_empty() => config,
            (Some(_), _) => {
                return Err(invalid(&format!("has more than one HTTP trigger: {names}")));
            }
            (None, Some(name)) => {
                return Err(invalid(&format!("has no HTTP trigger named {name:?}")));
            }
            (None, None) => return Err(invalid("has no HTTP trigger")),
        };
        Self::read(&config)
    }

    fn read(config: &Field<'_>) -> Result<Self, Error> {
        let mut fields = config.map()?;
        let methods = match fields.take("methods") {
            Some(field) => methods(&field)?,
            None => Methods::ALL,
        };
        let disable_url_internet =
            fields.take("disableURLInternet").map_or(Ok(false), |field| field.bool())?;
        let auth = auth(&mut fields)?;
        let cors = fields.take("corsConfig").filter(|field| !field.is_null());
        let cors = cors.map_or(Ok(Cors::default()), |field| cors::read(&field))?;
        fields.end()?;
        Ok(Self { methods, disable_url_internet, auth, cors })
    }

    /// The methods that are allowed.
    pub fn methods(&self) -> Methods {
        self.methods
    }

    /// How it authenticates.
    pub fn auth_type(&self) -> AuthType {
        match self.auth {
            Auth::Anonymous => AuthType::Anonymous,
            Auth::Function => AuthType::Function,
            #[cfg(feature = "jwt")]
            Auth::Jwt(_) => AuthType::Jwt,
        }
    }

    /// The layer that authenticates by tokens, where that is how it does.
    #[cfg(feature = "jwt")]
    pub fn jwt(&self) -> Option<&JwtLayer> {
        match &self.auth {
            Auth::Jwt(layer) => Some(layer),
            _ => None,
        }
    }

    /// What scripts of other origins may read: everything, unless there is a `corsConfig`.
    pub fn cors(&self) -> &Cors {
        &self.cors
    }

    /// Returns whether the public built-in address is switched off.
    pub fn disable_url_internet(&self) -> bool {
        self.disable_url_internet
    }
}

/// An error about a whole file.
fn invalid(rule: &str) -> Error {
    Error::new(ErrorKind::InvalidConfig, format!("the configuration {rule}"))
}

/// Every `triggers` of an `s.yaml`.
fn triggers<'a>(file: &Field<'a>) -> Result<Vec<Field<'a>>, Error> {
    let mut file = file.map()?;
    if let Some(triggers) = file.take("triggers") {
        return Ok(vec![triggers]);
    }
    let mut found = Vec::new();
    for resource in file.required("resources")?.map()?.all() {
        let Some(props) = resource.map()?.take("props") else { continue };
        found.extend(props.map()?.take("triggers"));
    }
    Ok(found)
}

fn methods(field: &Field<'_>) -> Result<Methods, Error> {
    let mut methods = Vec::new();
    for name in field.list()? {
        let method = Method::from_bytes(name.text()?.as_bytes()).ok();
        let method = method.filter(|method| Methods::ALL.contains(method)).ok_or_else(|| {
            let all: Vec<_> = Methods::ALL.iter().map(|method| method.to_string()).collect();
            name.error(format_args!("must be one of {}", all.join(", ")))
        })?;
        methods.push(method);
    }
    Methods::new(methods).map_err(|_| field.error("must name a method"))
}

fn auth(fields: &mut Fields<'_>) -> Result<Auth, Error> {
    let auth_config = fields.take("authConfig").filter(|field| !field.is_null());
    let auth_type = fields.take("authType");
    let auth = match auth_type.as_ref().map(|field| field.text()).transpose()? {
        Some("anonymous") => Auth::Anonymous,
        None | Some("function") => Auth::Function,
        #[cfg(feature = "jwt")]
        Some("jwt") => {
            let config = auth_config.ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidConfig,
                    "authConfig: is missing, the authType being jwt",
                )
            })?;
            return jwt::read(&config).map(|layer| Auth::Jwt(Box::new(layer)));
        }
        #[cfg(not(feature = "jwt"))]
        Some("jwt") => return Err(auth_error(auth_type, "jwt needs the feature jwt")),
        Some(_) => return Err(auth_error(auth_type, "must be anonymous, function or jwt")),
    };
    match auth_config {
        Some(field) => Err(field.error("is for the authType jwt alone")),
        None => Ok(auth),
    }
}

fn auth_error(field: Option<Field<'_>>, rule: &str) -> Error {
    field.map_or_else(|| invalid(rule), |field| field.error(rule))
}
