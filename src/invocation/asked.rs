//! What a request says about being carried out later.

use super::task::TaskId;
use crate::headers::{
    X_FC_ASYNC_DELAY, X_FC_ASYNC_TASK_ID, X_FC_INVOCATION_TYPE, X_FC_STATEFUL_INVOCATION_ID,
};
use crate::protocol::{Rejection, RejectionKind, VerifiedCaller};
use http::{Extensions, HeaderMap, HeaderName};
use std::time::Duration;

/// How a request is to be carried out later.
#[derive(Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) delay: Duration,
    pub(super) id: Option<TaskId>,
}

/// The longest delay, in seconds.
const LONGEST_DELAY: u64 = 3_600;

/// Every header that decides about it.
static NAMES: [&HeaderName; 4] =
    [&X_FC_INVOCATION_TYPE, &X_FC_ASYNC_DELAY, &X_FC_ASYNC_TASK_ID, &X_FC_STATEFUL_INVOCATION_ID];

impl Asked {
    /// `None` of a request that is to be carried out at once.
    pub(super) fn of(
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Result<Option<Self>, Rejection> {
        match only(headers, &X_FC_INVOCATION_TYPE)? {
            None | Some("Sync") => return Ok(None),
            Some("Async") => {}
            Some(_) => return Err(wrong(&X_FC_INVOCATION_TYPE, "must be Async or Sync")),
        }
        if let Some(caller) = extensions.get::<VerifiedCaller>() {
            let unsigned =
                |name: &&&HeaderName| headers.contains_key(**name) && !caller.covers_header(name);
            if let Some(name) = NAMES.iter().find(unsigned) {
                return Err(Rejection::unsigned(name.as_str()));
            }
        }
        let delay = match only(headers, &X_FC_ASYNC_DELAY)? {
            None => 0,
            Some(text) => seconds(text).ok_or_else(|| {
                wrong(&X_FC_ASYNC_DELAY, "must be whole seconds, over 0 and at most 3600")
            })?,
        };
        let names = [&X_FC_ASYNC_TASK_ID, &X_FC_STATEFUL_INVOCATION_ID];
        let mut id = None;
        for name in names {
            let Some(text) = only(headers, name)? else { continue };
            if id.is_some() {
                return Err(wrong(name, "is a second name of the task"));
            }
            id = Some(TaskId::new(text).map_err(|error| wrong(name, &error.to_string()))?);
        }
        Ok(Some(Self { delay: Duration::from_secs(delay), id }))
    }
}

/// The text of a header of which there can be one.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Rejection> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(wrong(name, "is there more than once"));
    }
    value.to_str().map(Some).map_err(|_| wrong(name, "is not text"))
}

fn seconds(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| is_number)?;
    (1..=LONGEST_DELAY).contains(&seconds).then_some(seconds)
}

fn wrong(name: &HeaderName, rule: &str) -> Rejection {
    Rejection::new(RejectionKind::InvalidInvocation, format!("the HTTP header {name} {rule}"))
}
