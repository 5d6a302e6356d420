//! Files that have profiles: the INI of the SDKs, and the JSON of the command line interface aliyun.

use crate::role::Role;
use serde::Deserialize;
use zeroize::Zeroizing;

/// What is in a file.
#[derive(Debug, Default)]
pub(crate) struct Profiles {
    /// The one that is used when none is asked for, if that is not `default`.
    pub(crate) current: Option<String>,
    pub(crate) all: Vec<Profile>,
}

/// A profile, whatever its file.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Profile {
    pub(crate) name: String,
    /// One of [`KINDS`].
    #[serde(rename = "mode")]
    kind: String,
    access_key_id: String,
    access_key_secret: Zeroizing<String>,
    #[serde(rename = "sts_token")]
    token: Zeroizing<String>,
    #[serde(rename = "ram_role_arn")]
    role_arn: String,
    #[serde(rename = "ram_session_name")]
    session: String,
    #[serde(rename = "expired_seconds")]
    seconds: u64,
    sts_region: String,
}

/// An access key as its profile has it.
pub(crate) struct Parts<'a> {
    pub(crate) id: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) token: Option<&'a str>,
}

/// The kinds of profiles that have an access key in them, and what it is; in INI, and in JSON.
const KINDS: [(&str, Kind); 7] = [
    ("access_key", Kind::Plain),
    ("sts", Kind::Temporary),
    ("ram_role_arn", Kind::OfRole),
    ("AK", Kind::Plain),
    ("StsToken", Kind::Temporary),
    ("RamRoleArn", Kind::OfRole),
    ("", Kind::Plain),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Temporary,
    /// To ask for that of a role with.
    OfRole,
}

impl Profile {
    /// Its access key.
    pub(crate) fn key(&self) -> Result<Parts<'_>, String> {
        let name = &self.name;
        let Some((_, kind)) = KINDS.iter().find(|(kind, _)| *kind == self.kind) else {
            let known: Vec<_> =
                KINDS.iter().map(|(kind, _)| *kind).filter(|it| !it.is_empty()).collect();
            let known = known.join(", ");
            return Err(format!(
                "the profile {name:?} has to ask someone for its access key, which fcurl does \
                 not; the types it reads are {known}"
            ));
        };
        for (field, value) in [
            ("access_key_id", self.access_key_id.as_str()),
            ("access_key_secret", self.access_key_secret.as_str()),
            ("security token", if *kind == Kind::Temporary { self.token.as_str() } else { "-" }),
            ("role_arn", if *kind == Kind::OfRole { self.role_arn.as_str() } else { "-" }),
        ] {
            if value.is_empty() {
                return Err(format!("the profile {name:?} has no {field}"));
            }
        }
        let token = (!self.token.is_empty()).then_some(self.token.as_str());
        Ok(Parts { id: &self.access_key_id, secret: &self.access_key_secret, token })
    }

    /// The role that it is for, without what the profile leaves open.
    pub(crate) fn role(&self) -> Option<Role> {
        let is_of_role =
            KINDS.iter().any(|(name, kind)| *name == self.kind && *kind == Kind::OfRole);
        let endpoint = match self.sts_region.as_str() {
            "" => String::new(),
            region => format!("sts.{region}.aliyuncs.com"),
        };
        is_of_role.then(|| Role {
            arn: self.role_arn.clone(),
            session: self.session.clone(),
            seconds: self.seconds,
            endpoint,
        })
    }
}

/// Says nothing of secrets.
impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profile").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Reads a file of either form.
pub(crate) fn read(text: &str) -> Result<Profiles, String> {
    match text.trim_start().starts_with('{') {
        true => json(text),
        false => ini(text),
    }
}

fn json(text: &str) -> Result<Profiles, String> {
    #[derive(Deserialize)]
    struct Config {
        current: Option<String>,
        #[serde(default)]
        profiles: Vec<Profile>,
    }
    // What serde says may quote a secret.
    let config: Config = serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("is no configuration of aliyun: line {line}, column {column}")
    })?;
    let current = config.current.filter(|name| !name.is_empty());
    Ok(Profiles { current, all: config.profiles })
}

fn ini(text: &str) -> Result<Profiles, String> {
    let mut profiles = Profiles::default();
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            profiles.all.push(Profile { name: name.trim().to_owned(), ..Profile::default() });
            continue;
        }
        let Some((field, value)) = line.split_once('=') else {
            return Err(format!("line {number} is neither [PROFILE] nor NAME = VALUE"));
        };
        let Some(profile) = profiles.all.last_mut() else {
            return Err(format!("line {number} stands before the first [PROFILE]"));
        };
        let value = value.trim().to_owned();
        match field.trim() {
            "type" => profile.kind = value,
            "access_key_id" => profile.access_key_id = value,
            "access_key_secret" => profile.access_key_secret = value.into(),
            "security_token" => profile.token = value.into(),
            "role_arn" => profile.role_arn = value,
            "role_session_name" => profile.session = value,
            _ => {}
        }
    }
    Ok(profiles)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INI: &str = "# of the SDKs\n[default]\ntype = access_key\naccess_key_id = a\n\
        access_key_secret = canary-1\nenable = true\n\n[temporary]\ntype=sts\naccess_key_id=b\n\
        access_key_secret=canary=2\nsecurity_token=canary-3\n[machine]\ntype = ecs_ram_role\n\
        access_key_id=c\naccess_key_secret=canary-4\n[half]\naccess_key_id=d\n[tokenless]\n\
        type=sts\naccess_key_id=e\naccess_key_secret=canary-5\n";

    const JSON: &str = r#"{"current": "work", "profiles": [
        {"name": "work", "mode": "AK", "access_key_id": "a", "access_key_secret": "canary-1",
         "sts_token": "", "region_id": "cn-hangzhou", "retry_count": 0},
        {"name": "temporary", "mode": "StsToken", "access_key_id": "b",
         "access_key_secret": "canary=2", "sts_token": "canary-3"},
        {"name": "machine", "mode": "EcsRamRole", "access_key_id": "c"},
        {"name": "half", "mode": "AK", "access_key_id": "d"}]}"#;

    #[test]
    fn profiles_are_read_from_either_form() {
        for text in [INI, JSON] {
            let profiles = read(text).unwrap();
            assert_eq!(profiles.current.as_deref(), (text == JSON).then_some("work"));
            let key = profiles.all[0].key().ok().unwrap();
            assert_eq!((key.id, key.secret, key.token), ("a", "canary-1", None));
            let key = profiles.all[1].key().ok().unwrap();
            assert_eq!((key.id, key.secret, key.token), ("b", "canary=2", Some("canary-3")));
            let error = profiles.all[2].key().err().unwrap();
            assert!(
                error.contains("are access_key, sts, ram_role_arn, AK, StsToken, RamRoleArn"),
                "{error}"
            );
            for profile in &profiles.all[3..] {
                let error = profile.key().err().unwrap();
                assert!(error.contains(" has no ") && !error.contains("canary"), "{error}");
            }
            assert!(!format!("{profiles:?}").contains("canary"));
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_by_its_place() {
        for (text, place) in [
            ("canary", "line 1 is neither"),
            ("a = canary", "line 1 stands before"),
            ("[a]\n\ncanary", "line 3 is neither"),
            ("{\"profiles\": [\"canary\"]}", "line 1, column"),
            ("{\"profiles\": \n canary}", "line 2, column"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(place) && !error.contains("canary"), "{error}");
        }
    }
}
