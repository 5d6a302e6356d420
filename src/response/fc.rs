use super::{RejectionResponse, RequestId, grpc};
use crate::headers::X_FC_REQUEST_ID;
use crate::protocol::Rejection;
use crate::protocol::date::to_unix;
use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;

/// Answers as Function Compute does: the [status](crate::RejectionKind::status), a JSON
/// object with `ErrorCode` and `ErrorMessage`, and an `x-fc-request-id`: the [`RequestId`] in the
/// extensions of the request, or a fresh one.
///
/// A request whose `content-type` is `application/grpc`, or that with something added
/// (`+proto`, `-web`), is answered the gRPC way instead: status 200, `grpc-status` and
/// `grpc-message`.
#[derive(Clone, Copy, Debug, Default)]
pub struct FcResponse;

impl RejectionResponse for FcResponse {
    fn rejection_response(&self, rejection: &Rejection, parts: &Parts) -> Response<Bytes> {
        let mut response = match grpc::grpc_content_type(&parts.headers) {
            Some(content_type) => grpc::response(rejection, content_type),
            None => json(rejection),
        };
        let id = parts.extensions.get::<RequestId>().cloned();
        let id = id.unwrap_or_else(|| RequestId::of(rejection.time().map_or(0, to_unix)));
        response.headers_mut().insert(&X_FC_REQUEST_ID, id.header_value().clone());
        response
    }
}

fn json(rejection: &Rejection) -> Response<Bytes> {
    let mut body = String::with_capacity(128);
    body.push_str("{\"ErrorCode\":\"");
    escape_json(rejection.error_code(), &mut body);
    body.push_str("\",\"ErrorMessage\":\"");
    escape_json(rejection.message(), &mut body);
    body.push_str("\"}");
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = rejection.status();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn escape_json(text: &str, out: &mut String) {
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            char if char.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(char))),
            char => out.push(char),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::verifier::rejection::RejectionKind;

    fn answer(rejection: &Rejection, content_type: &str) -> Response<Bytes> {
        let request = http::Request::post("/").header(CONTENT_TYPE, content_type).body(());
        FcResponse.rejection_response(rejection, &request.unwrap().into_parts().0)
    }

    #[test]
    fn a_message_of_any_text_becomes_valid_json_and_a_valid_header() {
        let message = "\" \\ \n \u{7f} \u{0} é 你 %";
        let rejection = Rejection::new(RejectionKind::MalformedDate, message);
        let response = answer(&rejection, "text/plain");
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["ErrorCode"], "AccessDenied");
        assert_eq!(body["ErrorMessage"], message);

        let response = answer(&rejection, "application/grpc+proto");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["grpc-status"], "16");
        assert_eq!(
            response.headers()["grpc-message"],
            "AccessDenied: \" \\ %0A %7F %00 %C3%A9 %E4%BD%A0 %25"
        );
    }
}
