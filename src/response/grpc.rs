use crate::protocol::Rejection;
use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

/// The type of a gRPC request, `None` of others.
pub(crate) fn grpc_content_type(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(CONTENT_TYPE).filter(|value| is_content_type(value))
}

fn is_content_type(content_type: &HeaderValue) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let (begins, rest) = content_type.as_bytes().split_at_checked(GRPC.len()).unwrap_or_default();
    begins.eq_ignore_ascii_case(GRPC) && matches!(rest, [] | [b'+' | b'-' | b';' | b' ', ..])
}

/// A refusal the gRPC way: status 200, and the outcome in headers.
pub(super) fn response(rejection: &Rejection, content_type: &HeaderValue) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type.clone());
    headers.insert("grpc-status", HeaderValue::from(u16::from(rejection.kind().grpc_status())));
    // Percent-encoded, as the gRPC protocol asks for.
    let mut message = String::new();
    for byte in rejection.to_string().bytes() {
        match byte {
            b'%' | ..b' ' | 0x7f.. => message.push_str(&format!("%{byte:02X}")),
            byte => message.push(char::from(byte)),
        }
    }
    if let Ok(message) = HeaderValue::from_str(&message) {
        headers.insert("grpc-message", message);
    }
    response
}
