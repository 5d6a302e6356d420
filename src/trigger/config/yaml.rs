//! Configuration in YAML.

use super::value::Value;
use saphyr::{LoadableYamlNode, Scalar, Yaml};

/// The value that a text is.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let documents = Yaml::load_from_str(text)
        .map_err(|error| format!("is not YAML as it has to be: {error}"))?;
    match documents.as_slice() {
        [document] => value(document),
        [] => Ok(Value::Null),
        _ => Err("has more than one document".to_owned()),
    }
}

fn value(node: &Yaml<'_>) -> Result<Value, String> {
    Ok(match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => Value::Bool(*value),
        Yaml::Value(Scalar::Integer(number)) => Value::Number(number.to_string()),
        Yaml::Value(Scalar::FloatingPoint(number)) => Value::Number(number.to_string()),
        Yaml::Value(Scalar::String(text)) => Value::Text(text.to_string()),
        Yaml::Sequence(values) => Value::List(values.iter().map(value).collect::<Result<_, _>>()?),
        Yaml::Mapping(entries) => {
            let entries = entries.iter().map(|(name, node)| match name {
                Yaml::Value(Scalar::String(name)) => Ok((name.to_string(), value(node)?)),
                _ => Err("has a key that is not a text".to_owned()),
            });
            Value::Map(entries.collect::<Result<_, _>>()?)
        }
        _ => return Err("has a tag, or something else that is no plain value".to_owned()),
    })
}
