//! Where the access key comes from. Nothing here prints a secret.

use crate::args::Args;
use crate::data;
use crate::exit::{Exit, Failure};
use crate::profiles::{self, Profile};
use crate::role::Role;
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use tower_fc::Credentials;
use zeroize::Zeroizing;

const VARIABLES: [&str; 3] = [
    "ALIBABA_CLOUD_ACCESS_KEY_ID",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    "ALIBABA_CLOUD_SECURITY_TOKEN",
];

/// An access key, and its token once more, to know it where it must not be shown.
pub(crate) struct Key {
    pub(crate) credentials: Credentials,
    pub(crate) token: Option<Zeroizing<String>>,
}

impl Key {
    pub(crate) fn new(id: &str, secret: &str, token: Option<&str>) -> Result<Self, Failure> {
        let credentials = Credentials::new(id, secret)?;
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return Ok(Self { credentials, token: None });
        };
        let credentials = credentials.with_security_token(token)?;
        Ok(Self { credentials, token: Some(Zeroizing::new(token.to_owned())) })
    }
}

/// The access key to sign with, for which STS is asked where it is that of a role.
pub(crate) async fn get(args: &Args) -> Result<Key, Failure> {
    let (key, role) = find(args)?;
    let role = match (&args.role_arn, role) {
        (None, None) => return Ok(key),
        (None, Some(role)) => role,
        (Some(arn), role) => Role { arn: arn.clone(), ..role.unwrap_or_default() },
    };
    let first = |given: Option<&String>, name: &str, own: String, default: &str| {
        let own = Some(own).filter(|own| !own.is_empty());
        given.cloned().or_else(|| own.or_else(|| variable(name))).unwrap_or(default.to_owned())
    };
    let session = args.role_session_name.as_ref();
    let session = first(session, "ALIBABA_CLOUD_ROLE_SESSION_NAME", role.session, "fcurl");
    let endpoint = args.sts_endpoint.as_ref();
    let endpoint = first(endpoint, "ALIBABA_CLOUD_STS_ENDPOINT", role.endpoint, "sts.aliyuncs.com");
    Role { session, endpoint, ..role }.assume(&key, args).await
}

/// The first of these: flags, a profile that is asked for, the environment, the default profile.
/// A profile may be for a role.
fn find(args: &Args) -> Result<(Key, Option<Role>), Failure> {
    if let (Some(id), Some(secret)) = (&args.access_key_id, &args.access_key_secret) {
        let secret = secret_of(secret)?;
        let token = args.security_token.as_deref().map(secret_of).transpose()?;
        let key = Key::new(id, &secret, token.as_ref().map(|token| token.as_str()))?;
        return Ok((key, None));
    }
    let name = args.profile.clone().or_else(|| variable("ALIBABA_CLOUD_PROFILE"));
    let given = args.credentials_file.clone();
    if given.is_none() && args.profile.is_none() && is_set(VARIABLES[0]) {
        let token = variable(VARIABLES[2]).map(Zeroizing::new);
        let token = token.filter(|token| !token.is_empty());
        return Ok((Key { credentials: Credentials::from_env()?, token }, None));
    }
    let is_asked_for = given.is_some();
    let given = given.or_else(|| variable("ALIBABA_CLOUD_CREDENTIALS_FILE").map(PathBuf::from));
    let mut looked = Vec::new();
    let mut known = Vec::new();
    for file in files(given) {
        looked.push(file.display().to_string());
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if is_asked_for || error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::unread(&file.display().to_string(), &error));
            }
            Err(_) => continue,
        };
        let profiles = profiles::read(&text).map_err(|why| about(&file, &why))?;
        let wanted = name.as_deref().or(profiles.current.as_deref()).unwrap_or("default");
        match profiles.all.iter().find(|profile| profile.name == wanted) {
            Some(profile) => {
                let key = key_of(profile).map_err(|why| about(&file, &why))?;
                return Ok((key, profile.role()));
            }
            None => known.extend(profiles.all.into_iter().map(|profile| profile.name)),
        }
    }
    Err(missing(name.as_deref(), &known, &looked))
}

fn key_of(profile: &Profile) -> Result<Key, String> {
    let key = profile.key()?;
    Key::new(key.id, key.secret, key.token)
        .map_err(|failure| format!("the profile {:?}: {}", profile.name, failure.message()))
}

fn about(file: &Path, why: &str) -> Failure {
    Failure::usage(format!("{}: {why}", file.display()))
}

/// The files to look into.
fn files(given: Option<PathBuf>) -> Vec<PathBuf> {
    match (given, env::home_dir()) {
        (Some(file), _) => vec![file],
        (None, Some(home)) => {
            vec![home.join(".alibabacloud/credentials"), home.join(".aliyun/config.json")]
        }
        (None, None) => Vec::new(),
    }
}

fn missing(name: Option<&str>, known: &[String], looked: &[String]) -> Failure {
    let looked = looked.join(" and ");
    let message = match (name, known) {
        (Some(name), [_, ..]) => {
            format!("there is no profile {name:?} in {looked}, but {}", known.join(", "))
        }
        (Some(name), []) => format!("there is no profile {name:?} in {looked}"),
        (None, _) => {
            let others = match known {
                [] => String::new(),
                known => format!(" (its profiles: {})", known.join(", ")),
            };
            format!(
                "there is no access key: set {} and {}, or use --profile NAME, or \
                 --access-key-id ID --access-key-secret @FILE; no default profile is in {looked}\
                 {others}",
                VARIABLES[0], VARIABLES[1]
            )
        }
    };
    Failure::usage(message)
}

/// A secret of the command line, or of the file that it names.
fn secret_of(text: &str) -> Result<Zeroizing<String>, Failure> {
    let Some(name) = text.strip_prefix('@') else { return Ok(Zeroizing::new(text.to_owned())) };
    let bytes = Zeroizing::new(data::read(name)?);
    let text = std::str::from_utf8(&bytes);
    let text = text.map_err(|_| Failure::new(Exit::Read, format!("{name} is not text")))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| value != OsStr::new(""))
}
