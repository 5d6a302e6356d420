//! Tokens and scripts of other origins, by their flags.

use crate::Over;
use crate::client::assert_id;
use crate::function::Function;
use crate::gateway::{ANONYMOUS, File, Gateway, output};
use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use jsonwebtoken::{EncodingKey, Header, encode};
use std::time::SystemTime;

const SECRET: &[u8] = b"a secret that is long enough for HS256";
/// The same as a key set.
const KEYS: &str = r#"{"keys": [{"kty": "oct", "alg": "HS256",
    "k": "YSBzZWNyZXQgdGhhdCBpcyBsb25nIGVub3VnaCBmb3IgSFMyNTY"}]}"#;

fn token(secret: &[u8]) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let claims = serde_json::json!({ "sub": "alice", "exp": now + 600 });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(secret)).unwrap()
}

#[tokio::test]
async fn tokens_are_asked_for_by_a_key_set_or_by_the_configuration() {
    let function = Function::hello().await;
    let keys = File::new("json", KEYS);
    let auth_config = format!(
        r#"{{"JWKS": {KEYS}, "TokenLookup": "header:Authorization:Bearer",
            "ClaimPassBy": "header:sub:x-user"}}"#
    );
    let config = serde_json::json!({ "authType": "jwt", "authConfig": auth_config });
    let config = File::new("json", &config.to_string());
    for (args, user) in [
        (["--auth", "jwt", "--jwks", keys.path()].to_vec(), "mallory"),
        // Its claims are handed on.
        (["--config", config.path()].to_vec(), "alice"),
    ] {
        let gateway = Gateway::start(&function.url, &args);
        for (secret, status) in [(SECRET, 200), (&b"another secret that is as long as it"[..], 403)]
        {
            let request = Request::get("/")
                .header("authorization", format!("Bearer {}", token(secret)))
                .header("x-user", "mallory")
                .body(Empty::<Bytes>::new())
                .unwrap();
            let calls = function.calls().len();
            let response = Over::Http1.send(&gateway, request).await.unwrap();
            assert_eq!(response.status(), status, "{args:?}");
            let calls = &function.calls()[calls..];
            assert_eq!(calls.len(), usize::from(status == 200));
            assert!(calls.iter().all(|call| call.headers["x-user"] == user), "{args:?}");
        }
        assert_eq!(Over::Http1.get(&gateway, "/").await.status(), 403);
    }
}

#[test]
fn what_tokens_need_is_named() {
    let keys = File::new("json", KEYS);
    let odd = File::new("json", r#"{"keys": [{"kty": "oct", "k": ""}]}"#);
    let access = File::new("json", r#"{ "LTAI5tExample": "secret" }"#);
    for (args, text) in [
        (vec!["--auth", "jwt"], "--auth jwt: needs --jwks"),
        (vec!["--auth", "jwt", "--jwks", "/nowhere.json"], "--jwks: /nowhere.json: "),
        (vec!["--auth", "jwt", "--jwks", odd.path()], "JWKS.keys[0]"),
        (vec!["--auth", "anonymous", "--jwks", keys.path()], "--jwks: is for tokens"),
        (vec!["--auth", "function", "--jwks", keys.path()], "--jwks: is for tokens"),
        (vec!["--auth", "jwt", "--keys", access.path()], "--keys: is for signatures"),
        (vec!["--auth", "anonymous", "--cors", "/nowhere.json"], "--cors: /nowhere.json: "),
        (vec!["--auth", "anonymous", "--cors", odd.path()], "corsConfig.allowOrigins"),
    ] {
        let args = [&["--upstream", "http://127.0.0.1:1"], &args[..]].concat();
        let error = String::from_utf8(output(&args).stderr).unwrap();
        assert!(error.contains(text), "{args:?}: {error}");
    }
}

#[tokio::test]
async fn scripts_of_other_origins_are_let_in_as_the_flag_says() {
    let function = Function::hello().await;
    let cors = File::new("json", r#"{ "allowOrigins": ["https://app.example"] }"#);
    let args = [ANONYMOUS, &["--cors", cors.path()]].concat();
    let gateway = Gateway::start(&function.url, &args);
    for (origin, status) in [("https://app.example", 204), ("https://evil.example", 200)] {
        let request = Request::options("/")
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .body(Empty::<Bytes>::new())
            .unwrap();
        let response = Over::Http1.send(&gateway, request).await.unwrap();
        assert_eq!(response.status(), status);
        assert_id(response.headers());
        let is_allowed = response.headers().contains_key("access-control-allow-origin");
        assert_eq!(is_allowed, status == 204);
    }
}
