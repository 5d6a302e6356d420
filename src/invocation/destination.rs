//! Telling what came of a task.

use super::task::{Task, Tries};
use crate::error::BoxError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body_util::Full;
use serde_json::json;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tower_service::Service;

/// Where it is told what came of tasks: any tower service.
///
/// It is sent a POST with the JSON object that Function Compute sends (WIRE §5): `timestamp` (in
/// milliseconds), `requestContext` with `requestId`, `functionArn`, `condition` and
/// `approximateInvokeCount`, `requestPayload`, `responseContext` with `statusCode` and
/// `functionError`, and `responsePayload`. Payloads that are not UTF-8 are in base64.
#[derive(Clone)]
pub struct Destination {
    send: Arc<Send_>,
    uri: Uri,
}

type Sending = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;
type Send_ = dyn Fn(Request<Full<Bytes>>) -> Sending + Send + Sync;

impl Destination {
    /// Sends to this URL by this service. An answer of 300 and above counts as not delivered.
    pub fn new<S, B>(uri: Uri, service: S) -> Self
    where
        S: Service<Request<Full<Bytes>>, Response = Response<B>, Error: Into<BoxError>>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
        B: Send,
    {
        let send = move |request| -> Sending {
            let mut service = service.clone();
            Box::pin(async move {
                std::future::poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
                let response = service.call(request).await.map_err(Into::into)?;
                match response.status() {
                    status if status.is_success() => Ok(()),
                    status => Err(format!("the destination answered {status}").into()),
                }
            })
        };
        Self { send: Arc::new(send), uri }
    }

    /// Delivers once.
    pub(super) fn deliver(&self, outcome: &Outcome<'_>) -> Sending {
        let mut request = Request::new(Full::from(outcome.to_json()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        (self.send)(request)
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination").finish_non_exhaustive()
    }
}

/// What came of a task.
pub(super) struct Outcome<'a> {
    pub(super) task: &'a Task,
    pub(super) tries: Tries,
    pub(super) function_arn: &'a str,
    pub(super) condition: &'a str,
    /// The last answer of the function, if it gave one.
    pub(super) answer: Option<&'a (u16, Bytes)>,
    pub(super) error: Option<&'a str>,
    pub(super) time: SystemTime,
}

impl Outcome<'_> {
    fn to_json(&self) -> String {
        let since = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let status = self.answer.map(|(status, _)| status);
        let payload = self.answer.map(|(_, body)| text(body)).unwrap_or_default();
        json!({
            "timestamp": since.as_millis() as u64,
            "requestContext": {
                "requestId": self.task.request_id(),
                "functionArn": self.function_arn,
                "condition": self.condition,
                "approximateInvokeCount": self.tries.taken,
            },
            "requestPayload": text(&self.task.request.body),
            "responseContext": {
                "statusCode": status,
                "functionError": self.error.unwrap_or_default(),
            },
            "responsePayload": payload,
        })
        .to_string()
    }
}

fn text(bytes: &Bytes) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => STANDARD.encode(bytes),
    }
}
