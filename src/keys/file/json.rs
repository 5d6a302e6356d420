//! What is in a key file.

use super::Table;
use crate::protocol::VerifyingKey;
use crate::protocol::date::parse_acs_date;
use crate::protocol::key::access_key_id;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Makes keys of the text of a file; the error is the rule it breaks, without the file.
///
/// What serde_json says of values is not passed on: it quotes them.
pub(super) fn parse(text: &[u8]) -> Result<Table, String> {
    // A byte order mark, as some editors write it.
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let json = serde_json::from_slice(text).map_err(|error| {
        let what = if error.is_eof() { "ends too early" } else { "is not JSON" };
        format!("{what}: line {}, column {}", error.line(), error.column())
    })?;
    let Json::Object(access_keys) = json else {
        return Err("must be an object of access key ids and their secrets".to_owned());
    };
    let mut table = Table::default();
    for ((id, value), number) in access_keys.into_iter().zip(1..) {
        if access_key_id(id.as_bytes()).is_none() {
            // It may be the secret, in the place of an id.
            let rule =
                "an id must be 1 to 256 visible ASCII characters other than ':', ',' and '='";
            return Err(format!("access key {number}: {rule}"));
        }
        match table.entry(id) {
            Entry::Occupied(entry) => {
                return Err(format!("access key {:?}: is in the file twice", entry.key()));
            }
            Entry::Vacant(entry) => {
                let keys = secrets(value).map_err(|(number, rule)| {
                    let number = number.map_or(String::new(), |number| format!(", entry {number}"));
                    format!("access key {:?}{number}: {rule}", entry.key())
                })?;
                entry.insert(keys);
            }
        }
    }
    Ok(table)
}

/// The error has the number of the entry in a list, from 1.
fn secrets(value: Json) -> Result<Arc<[VerifyingKey]>, (Option<usize>, String)> {
    match value {
        Json::List(list) if list.is_empty() => Err((None, "has no secret".to_owned())),
        Json::List(list) => {
            let numbered = list.into_iter().zip(1..);
            numbered
                .map(|(json, number)| secret(json).map_err(|rule| (Some(number), rule)))
                .collect()
        }
        one => Ok(Arc::new([secret(one).map_err(|rule| (None, rule))?])),
    }
}

fn secret(value: Json) -> Result<VerifyingKey, String> {
    let fields = match value {
        Json::Text(secret) => {
            return VerifyingKey::prepared_when_used(&secret).map_err(|error| error.to_string());
        }
        Json::Object(fields) => fields,
        Json::List(_) | Json::Other => {
            return Err("must be a secret as text, an object, or a list of these".to_owned());
        }
    };
    let names = ["secret", "security_token", "not_after"];
    let mut found: [Option<Zeroizing<String>>; 3] = [None, None, None];
    for (name, value) in fields {
        // It is not quoted: it may be a secret, where a name should be.
        let Some(at) = names.iter().position(|known| *known == name) else {
            return Err(format!("has a field other than {}", names.join(", ")));
        };
        let Json::Text(text) = value else {
            return Err(format!("{name} must be text"));
        };
        if found[at].replace(text).is_some() {
            return Err(format!("has {name} twice"));
        }
    }
    let [secret, token, not_after] = found;
    let secret = secret.ok_or("has no secret")?;
    let mut key = VerifyingKey::prepared_when_used(&secret).map_err(|error| error.to_string())?;
    if let Some(token) = token {
        key = key.with_security_token(&*token).map_err(|error| error.to_string())?;
    }
    if let Some(time) = not_after {
        let time = parse_acs_date(time.as_bytes())
            .ok_or("not_after must be a time in UTC, as 2026-11-21T17:57:00Z is")?;
        key = key.with_not_after(time);
    }
    Ok(key)
}

/// Any JSON, with the names of objects as often as they are there.
enum Json {
    Text(Zeroizing<String>),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
    Other,
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyJson)
    }
}

struct AnyJson;

impl<'de> Visitor<'de> for AnyJson {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = access.next_element()? {
            list.push(value);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = access.next_entry()? {
            fields.push(field);
        }
        Ok(Json::Object(fields))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Other)
    }
}
