//! `corsConfig`.

use super::value::Field;
use crate::error::Error;
use crate::trigger::{Cors, CorsConfig};

pub(super) fn read(field: &Field<'_>) -> Result<Cors, Error> {
    let mut fields = field.map()?;
    let about = |error: Error| error.within(field.path());
    let mut config = CorsConfig::new(fields.required("allowOrigins")?.texts()?).map_err(about)?;
    if let Some(field) = fields.take("allowMethods") {
        config = config.with_methods(field.texts()?).map_err(about)?;
    }
    if let Some(field) = fields.take("allowHeaders") {
        config = config.with_headers(field.texts()?).map_err(about)?;
    }
    if let Some(field) = fields.take("exposeHeaders") {
        config = config.with_exposed_headers(field.texts()?).map_err(about)?;
    }
    if let Some(field) = fields.take("allowCredentials")
        && field.bool()?
    {
        config = config.with_credentials();
    }
    if let Some(field) = fields.take("maxAge") {
        let seconds = u32::try_from(field.whole_number()?).unwrap_or(u32::MAX);
        config = config.with_max_age(seconds).map_err(about)?;
    }
    fields.end()?;
    Cors::configured(config).map_err(about)
}
