//! What a configuration file says, whatever it is written in, and reading it field by field.

use crate::error::{Error, ErrorKind};
use std::fmt;

/// A value of a configuration file.
#[derive(PartialEq)]
pub(in crate::trigger) enum Value {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
        }
    }
}

/// A value and where it stands.
#[derive(Clone)]
pub(in crate::trigger) struct Field<'a> {
    value: &'a Value,
    path: String,
}

impl<'a> Field<'a> {
    /// The whole of a file.
    ///
    /// # Errors
    /// A key is there twice in an object.
    pub(in crate::trigger) fn of_file(value: &'a Value) -> Result<Self, Error> {
        Self::named("", value)
    }

    /// The whole of a file, whose fields stand below this name.
    ///
    /// # Errors
    /// As for [`Field::of_file`].
    pub(in crate::trigger) fn named(name: &str, value: &'a Value) -> Result<Self, Error> {
        Self { value, path: name.to_owned() }.unique()
    }

    /// A value that is the text of this field.
    #[cfg(feature = "jwt")]
    pub(in crate::trigger) fn within<'v>(&self, value: &'v Value) -> Result<Field<'v>, Error> {
        Field { value, path: self.path.clone() }.unique()
    }

    fn unique(self) -> Result<Self, Error> {
        match self.value {
            Value::List(_) => {
                for field in self.list()? {
                    field.unique()?;
                }
            }
            Value::Map(entries) => {
                for (at, (name, value)) in entries.iter().enumerate() {
                    let field = Field { value, path: at_field(&self.path, name) };
                    if entries[..at].iter().any(|(other, _)| other == name) {
                        return Err(field.error("is there twice"));
                    }
                    field.unique()?;
                }
            }
            _ => {}
        }
        Ok(self)
    }

    #[cfg(feature = "jwt")]
    pub(super) fn is_text(&self) -> bool {
        matches!(self.value, Value::Text(_))
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(in crate::trigger) fn is_null(&self) -> bool {
        *self.value == Value::Null
    }

    /// What is wrong with it.
    pub(in crate::trigger) fn error(&self, rule: impl fmt::Display) -> Error {
        let path = if self.path.is_empty() { "the configuration" } else { &self.path };
        Error::new(ErrorKind::InvalidConfig, format!("{path}: {rule}"))
    }

    fn expected(&self, what: &str) -> Error {
        self.error(format_args!("must be {what}, not {}", self.value.kind()))
    }

    pub(in crate::trigger) fn text(&self) -> Result<&'a str, Error> {
        match self.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.expected("a text")),
        }
    }

    pub(in crate::trigger) fn bool(&self) -> Result<bool, Error> {
        match self.value {
            Value::Bool(value) => Ok(*value),
            _ => Err(self.expected("true or false")),
        }
    }

    pub(in crate::trigger) fn whole_number(&self) -> Result<u64, Error> {
        match self.value {
            Value::Number(text) => text.parse().map_err(|_| self.error("must be a whole number")),
            _ => Err(self.expected("a whole number")),
        }
    }

    pub(in crate::trigger) fn list(&self) -> Result<Vec<Field<'a>>, Error> {
        let Value::List(values) = self.value else { return Err(self.expected("a list")) };
        let fields = values.iter().enumerate().map(|(at, value)| {
            let path = format!("{}[{at}]", self.path);
            Field { value, path }
        });
        Ok(fields.collect())
    }

    /// The texts of a list, each with its place.
    pub(in crate::trigger) fn texts(&self) -> Result<Vec<&'a str>, Error> {
        self.list()?.iter().map(Field::text).collect()
    }

    pub(in crate::trigger) fn map(&self) -> Result<Fields<'a>, Error> {
        let Value::Map(entries) = self.value else { return Err(self.expected("an object")) };
        let path = self.path.clone();
        Ok(Fields { entries: entries.iter().collect(), known: Vec::new(), path })
    }
}

/// The fields of an object, taken out one by one.
pub(in crate::trigger) struct Fields<'a> {
    entries: Vec<&'a (String, Value)>,
    known: Vec<&'static str>,
    path: String,
}

/// Where a field of an object stands.
fn at_field(path: &str, name: &str) -> String {
    let name: String = name.chars().take(64).collect();
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

impl<'a> Fields<'a> {
    /// The field of this name, if it is there.
    pub(in crate::trigger) fn take(&mut self, name: &'static str) -> Option<Field<'a>> {
        self.known.push(name);
        let at = self.entries.iter().position(|(key, _)| key == name)?;
        let (_, value) = self.entries.swap_remove(at);
        Some(Field { value, path: at_field(&self.path, name) })
    }

    /// The field that has one of these spellings.
    #[cfg(feature = "jwt")]
    pub(in crate::trigger) fn take_either(
        &mut self,
        spellings: [&'static str; 2],
    ) -> Result<Option<Field<'a>>, Error> {
        match spellings.map(|name| self.take(name)) {
            [Some(_), Some(second)] => {
                Err(second.error(format_args!("is there already as {}", spellings[0])))
            }
            [one, other] => Ok(one.or(other)),
        }
    }

    /// A field that has to be there.
    pub(in crate::trigger) fn required(&mut self, name: &'static str) -> Result<Field<'a>, Error> {
        self.take(name).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidConfig,
                format!("{}: is missing", at_field(&self.path, name)),
            )
        })
    }

    /// All that is left.
    pub(in crate::trigger) fn all(self) -> Vec<Field<'a>> {
        let path = self.path;
        let field =
            |(name, value): &'a (String, Value)| Field { value, path: at_field(&path, name) };
        self.entries.into_iter().map(field).collect()
    }

    /// Refuses what is left.
    pub(in crate::trigger) fn end(self) -> Result<(), Error> {
        let Some((name, _)) = self.entries.first() else { return Ok(()) };
        let known = self.known.join(", ");
        let message =
            format!("{}: there is no such field, only {known}", at_field(&self.path, name));
        Err(Error::new(ErrorKind::InvalidConfig, message))
    }
}
