//! Requests that are signed by this crate.

use crate::client::refusal;
use crate::function::Function;
use crate::gateway::{File, Gateway};
use crate::{EVERY_WAY, Over};
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::Full;
use std::time::{Duration, SystemTime};
use tower_fc::{Credentials, Presigner, Scheme, Signer};

fn credentials() -> Credentials {
    Credentials::new("LTAI5tExample", "the-secret").unwrap()
}

/// A request as the client will send it, for signing.
fn request(over: Over, gateway: &Gateway, method: &str) -> Request<Full<Bytes>> {
    let mut request = Request::builder()
        .method(method)
        .uri("/path%20with/space?b=2&a=1&c=%E5%80%BC")
        .header("content-type", "text/plain")
        .body(Full::from("anything"))
        .unwrap();
    // HTTP/2 has it in its authority.
    let host = gateway.address.parse().unwrap();
    request.headers_mut().insert("host", host);
    if over == Over::Http2 {
        *request.uri_mut() = gateway.url(&request.uri().to_string()).parse().unwrap();
        request.headers_mut().remove("host");
    }
    request
}

#[tokio::test]
async fn signed_requests_pass_and_others_do_not() {
    let function = Function::hello().await;
    let keys = File::new("json", r#"{ "LTAI5tExample": "the-secret" }"#);
    let gateway = Gateway::start(&function.url, &["--keys", keys.path()]);
    for over in EVERY_WAY {
        for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256] {
            for method in ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"] {
                let case = format!("{method}, {scheme}, {over:?}");
                let signer = Signer::new(credentials()).with_scheme(scheme).unwrap();
                let mut signed = request(over, &gateway, method);
                signer.sign_request_at(&mut signed, SystemTime::now()).unwrap();
                let mut changed = signed.clone();
                let response = over.send(&gateway, signed).await.unwrap();
                assert_eq!(response.status(), 200, "{case}");
                let call = function.call();
                assert_eq!(call.target, "/path%20with/space?b=2&a=1&c=%E5%80%BC", "{case}");
                assert!(is_without_platform(&call.headers), "{case}: {:?}", call.headers);

                changed.headers_mut().insert("content-type", "text/html".parse().unwrap());
                let response = over.send(&gateway, changed).await.unwrap();
                assert_eq!(response.status(), 403, "{case}");
                if method != "HEAD" {
                    assert!(refusal(response).await.contains("SignatureNotMatch"), "{case}");
                }
                assert!(function.calls().is_empty(), "{case}");
            }
        }
    }
}

fn is_without_platform(headers: &HeaderMap) -> bool {
    let own = |name: &str| name == "x-fc-request-id" || !name.starts_with("x-fc-");
    headers.keys().all(|name| own(name.as_str()))
}

#[tokio::test]
async fn presigned_urls_pass_until_they_end() {
    let function = Function::hello().await;
    let keys = File::new("json", r#"{ "LTAI5tExample": "the-secret" }"#);
    let gateway = Gateway::start(&function.url, &["--keys", keys.path()]);
    let presigner = Presigner::new(credentials());
    let now = SystemTime::now();
    let hour = Duration::from_secs(3_600);
    for over in EVERY_WAY {
        for (at, status) in [(now, 200), (now - 2 * hour, 403)] {
            let head = Request::get(gateway.url("/file?name=a")).body(()).unwrap().into_parts().0;
            let uri = presigner.presign_at(&head, hour, at).unwrap().into_uri();
            let target = uri.path_and_query().unwrap().as_str();
            let response = over.get(&gateway, target).await;
            assert_eq!(response.status(), status, "{over:?}");
        }
        assert_eq!(function.call().target.split('&').next(), Some("/file?name=a"));
    }
}

#[tokio::test]
async fn a_body_that_is_not_the_signed_one_is_refused_and_broken_for_the_function() {
    let function = Function::hello().await;
    let keys = File::new("json", r#"{ "LTAI5tExample": "the-secret" }"#);
    let gateway = Gateway::start(&function.url, &["--keys", keys.path()]);
    for over in EVERY_WAY {
        let mut signed = request(over, &gateway, "POST");
        let md5 = &tower_fc::headers::CONTENT_MD5;
        // Of "anything".
        signed.headers_mut().insert(md5, "8OFm3DTRTWwij/rFdsmkPA==".parse().unwrap());
        let signer = Signer::new(credentials());
        signer.sign_request_at(&mut signed, SystemTime::now()).unwrap();
        let changed = signed.clone().map(|_| Full::<Bytes>::from("anythinG"));
        let response = over.send(&gateway, changed).await.unwrap();
        assert_eq!(response.status(), 403, "{over:?}");
        assert!(refusal(response).await.contains("AccessDenied"));
        for call in function.calls() {
            assert_eq!(call.got().await.1, crate::function::End::Broken);
            function.call();
        }
    }
}

#[tokio::test]
async fn keys_are_read_again_when_their_file_changes() {
    let function = Function::hello().await;
    let keys = File::new("json", r#"{ "LTAI5tOther": "other" }"#);
    let gateway = Gateway::start(&function.url, &["--keys", keys.path()]);
    let send = async || {
        let mut signed = request(Over::Http1, &gateway, "GET");
        let signer = Signer::new(credentials());
        signer.sign_request_at(&mut signed, SystemTime::now()).unwrap();
        Over::Http1.send(&gateway, signed).await.unwrap()
    };
    let response = send().await;
    assert_eq!(response.status(), 403);
    assert!(refusal(response).await.contains("InvalidAccessKeyID"));
    std::fs::write(keys.path(), r#"{ "LTAI5tExample": "the-secret", "LTAI5tOther": "o" }"#)
        .unwrap();
    while send().await.status() != 200 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The handshake is what is signed.
#[tokio::test]
async fn a_signed_handshake_passes() {
    let function = Function::hello().await;
    let keys = File::new("json", r#"{ "LTAI5tExample": "the-secret" }"#);
    let gateway = Gateway::start(&function.url, &["--keys", keys.path()]);
    let signer = Signer::new(credentials());
    for over in EVERY_WAY {
        let mut handshake = request(over, &gateway, "GET");
        match over {
            Over::Http1 => {
                handshake.headers_mut().insert("connection", "upgrade".parse().unwrap());
                handshake.headers_mut().insert("upgrade", "websocket".parse().unwrap());
            }
            Over::Http2 => {
                *handshake.method_mut() = Method::CONNECT;
                let websocket = hyper::ext::Protocol::from_static("websocket");
                handshake.extensions_mut().insert(websocket);
            }
        }
        signer.sign_request_at(&mut handshake, SystemTime::now()).unwrap();
        *handshake.body_mut() = Full::default();
        let _ = over.send(&gateway, handshake).await.unwrap();
        // It is for the function to answer it.
        assert_eq!(function.call().method, Method::GET, "{over:?}");
    }
}
