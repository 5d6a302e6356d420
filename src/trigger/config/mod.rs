//! The configuration of a trigger as its users have it: what the service takes as JSON, and the
//! `s.yaml` of Serverless Devs.

mod json;
mod value;
mod yaml;

use super::methods::Methods;
use crate::error::{Error, ErrorKind};
use http::Method;
use value::{Field, Fields};

/// What an HTTP trigger is told to do, from a file or made in code.
///
/// A field that is not known, a key that is there twice, or a value that cannot be, is an error
/// that names the field by its path and says what is allowed.
#[derive(Clone, Debug)]
pub struct TriggerConfig {
    methods: Methods,
    disable_url_internet: bool,
    auth: AuthType,
}

/// How a trigger authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthType {
    /// `anonymous`: everybody may call.
    Anonymous,
    /// `function`: signed requests may. The default of the service.
    Function,
}

impl Default for TriggerConfig {
    /// What the service does with an empty configuration: every method, and signed requests
    /// alone.
    fn default() -> Self {
        Self { methods: Methods::ALL, disable_url_internet: false, auth: AuthType::Function }
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
        let value = json::read(text).map_err(invalid)?;
        Self::read(Field::of_file(&value)?)
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
        let value = yaml::read(text).map_err(invalid)?;
        let mut found = Vec::new();
        for triggers in triggers(Field::of_file(&value)?)? {
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
        match (found.as_slice(), name) {
            ([_], _) => {}
            ([], Some(name)) => return Err(invalid(format!("has no HTTP trigger named {name:?}"))),
            ([], None) => return Err(invalid("has no HTTP trigger".to_owned())),
            (several, _) => {
                let names: Vec<_> = several.iter().map(|(name, _)| *name).collect();
                let names = names.join(", ");
                return Err(invalid(format!("has more than one HTTP trigger: {names}")));
            }
        }
        let config = found.pop().map(|(_, config)| config);
        config.map_or_else(|| Err(invalid(String::new())), Self::read)
    }

    fn read(config: Field<'_>) -> Result<Self, Error> {
        let mut fields = config.map()?;
        let methods = match fields.take("methods") {
            Some(field) => methods(&field)?,
            None => Methods::ALL,
        };
        let disable_url_internet =
            fields.take("disableURLInternet").map_or(Ok(false), |field| field.bool())?;
        let auth = auth(&mut fields)?;
        fields.end()?;
        Ok(Self { methods, disable_url_internet, auth })
    }

    /// The methods that are allowed.
    pub fn methods(&self) -> Methods {
        self.methods
    }

    /// How it authenticates.
    pub fn auth_type(&self) -> AuthType {
        self.auth
    }

    /// Returns whether the public built-in address is switched off.
    pub fn disable_url_internet(&self) -> bool {
        self.disable_url_internet
    }
}

/// An error about a whole file.
fn invalid(rule: String) -> Error {
    Error::new(ErrorKind::InvalidConfig, format!("the configuration {rule}"))
}

/// Every `triggers` of an `s.yaml`.
fn triggers(file: Field<'_>) -> Result<Vec<Field<'_>>, Error> {
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

fn auth(fields: &mut Fields<'_>) -> Result<AuthType, Error> {
    let auth_config = fields.take("authConfig").filter(|field| !field.is_null());
    let auth = match fields.take("authType") {
        None => AuthType::Function,
        Some(field) => match field.text()? {
            "anonymous" => AuthType::Anonymous,
            "function" => AuthType::Function,
            _ => return Err(field.error("must be anonymous, function or jwt")),
        },
    };
    match auth_config {
        Some(field) => Err(field.error("is for the authType jwt alone")),
        None => Ok(auth),
    }
}
