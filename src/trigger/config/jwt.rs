//! `authConfig` of the authType `jwt`.

use super::json;
use super::value::Field;
use crate::error::Error;
use crate::trigger::jwt::{ClaimPassBy, Jwks, JwtLayer, Paths, TokenLookup};
use std::str::FromStr;

/// Reads it as the service takes it, JSON in a text, or as an object, as `s.yaml` has it.
pub(super) fn read(field: &Field<'_>) -> Result<JwtLayer, Error> {
    if field.is_text() {
        let value = json::read(field.text()?).map_err(|rule| field.error(rule))?;
        return read_object(&field.within(&value)?);
    }
    read_object(field)
}

fn read_object(field: &Field<'_>) -> Result<JwtLayer, Error> {
    let mut fields = field.map()?;
    let jwks = fields.take_either(["JWKS", "jwks"])?;
    let jwks = jwks.ok_or_else(|| field.error("must have JWKS, the keys of tokens"))?;
    let mut layer = JwtLayer::new(Jwks::read(&jwks)?);
    if let Some(field) = fields.take_either(["TokenLookup", "tokenLookup"])? {
        let names = ["readPosition", "parameterName", "prefix"];
        layer = layer.with_token_lookup(entries::<TokenLookup>(&field, names)?);
    }
    if let Some(field) = fields.take_either(["ClaimPassBy", "claimPassBy"])? {
        let names = ["mappingParameterPosition", "claimName", "mappingParameterName"];
        layer = layer.with_claims(entries::<ClaimPassBy>(&field, names)?);
    }
    let free = fields.take_either(["whitelist", "whiteList"])?;
    let bound = fields.take_either(["blacklist", "blackList"])?;
    fields.end()?;
    let paths = match (free, bound) {
        (None, None) => return Ok(layer),
        (Some(_), Some(bound)) => return Err(bound.error("cannot stand beside a white list")),
        (Some(free), None) => Paths::all_but(free.texts()?).map_err(|error| free.error(error)),
        (None, Some(bound)) => Paths::only(bound.texts()?).map_err(|error| bound.error(error)),
    };
    paths.map(|paths| layer.with_paths(paths))
}

/// Reads a text `a:b:c,d:e:f`, or a list of objects with these fields, as Serverless Devs takes
/// it too.
fn entries<T: FromStr<Err = Error>>(
    field: &Field<'_>,
    names: [&'static str; 3],
) -> Result<T, Error> {
    let text = match field.is_text() {
        true => field.text()?.to_owned(),
        false => {
            let mut entries = Vec::new();
            for entry in field.list()? {
                entries.push(joined(&entry, names)?);
            }
            entries.join(",")
        }
    };
    text.parse().map_err(|error| field.error(error))
}

/// An object as `a:b:c`.
fn joined(entry: &Field<'_>, names: [&'static str; 3]) -> Result<String, Error> {
    let mut fields = entry.map()?;
    let mut parts = Vec::new();
    for name in names {
        let Some(field) = fields.take(name).filter(|field| !field.is_null()) else {
            // A claim without a name is that of the parameter.
            if name == "claimName" {
                parts.push("");
            }
            continue;
        };
        let part = field.text()?;
        // Only a header has a prefix; Serverless Devs ignores that of another place.
        if name == "prefix" && parts.first() != Some(&"header") {
            continue;
        }
        // A prefix is the last part, and may end in a colon.
        if part.contains(',') || name != "prefix" && part.contains(':') {
            return Err(field.error("cannot contain a comma or a colon"));
        }
        parts.push(part);
    }
    fields.end()?;
    Ok(parts.join(":"))
}
