use super::{RejectionResponse, grpc};
use crate::headers::X_FC_REQUEST_ID;
use crate::protocol::Rejection;
use crate::protocol::date::to_unix;
use crate::random;
use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use std::time::SystemTime;

/// Answers as Function Compute does: the [status](crate::RejectionKind::status), a JSON
/// object with `ErrorCode` and `ErrorMessage`, and an `x-fc-request-id`.
///
/// A request whose `content-type` is `application/grpc`, or that with something added
/// (`+proto`, `-web`), is answered the gRPC way instead: status 200, `grpc-status` and
/// `grpc-message`.
#[derive(Clone, Copy, Debug, Default)]
pub struct FcResponse;

impl RejectionResponse for FcResponse {
    fn rejection_response(&self, rejection: &Rejection, parts: &Parts) -> Response<Bytes> {
        let mut response =
            match parts.headers.get(CONTENT_TYPE).filter(|value| grpc::is_content_type(value)) {
                Some(content_type) => grpc::response(rejection, content_type),
                None => json(rejection),
            };
        response.headers_mut().insert(&X_FC_REQUEST_ID, request_id(rejection.time()));
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

/// A fresh request id in the form of the gateway: `1`, Unix seconds in
/// hexadecimal and 20 random digits, e.g. `1-65d71219-15d63510-fecf237c590c`. Zeros stand
/// for what is not to be had.
fn request_id(time: Option<SystemTime>) -> HeaderValue {
    let seconds = time.map(to_unix).unwrap_or_default();
    let number = random::number().unwrap_or_default();
    let (head, tail) = (number >> 96, number & 0xffff_ffff_ffff);
    HeaderValue::from_str(&format!("1-{seconds:08x}-{head:08x}-{tail:012x}"))
        .unwrap_or(HeaderValue::from_static("1-0-0-0"))
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

    #[test]
    fn request_ids_have_the_form_of_the_gateway_and_differ() {
        let ids: std::collections::HashSet<_> =
            (0..1000).map(|_| request_id(Some(SystemTime::now()))).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            let lens: Vec<_> = id.to_str().unwrap().split('-').map(str::len).collect();
            assert_eq!(lens, [1, 8, 8, 12], "{id:?}");
        }
    }
}
