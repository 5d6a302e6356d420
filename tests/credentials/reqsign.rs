//! The credential chain of reqsign-aliyun-oss, against a server that plays the metadata service and
//! STS.

use crate::common::{at, client, serve};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use reqsign_core::{Context, FileRead, HttpSend, StaticEnv};
use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tower::service_fn;
use tower_fc::Credentials;
use tower_fc::credentials::{CachedCredentials, ProvideCredentials as _, ReqsignCredentials};
use tower_fc::error::ErrorKind;

/// Sends by hyper-util's client.
#[derive(Debug)]
struct Http;

impl HttpSend for Http {
    async fn http_send(&self, request: Request<Bytes>) -> reqsign_core::Result<Response<Bytes>> {
        let sent = client(false).request(request.map(Full::new)).await;
        let sent = sent.map_err(|error| reqsign_core::Error::unexpected(error.to_string()))?;
        let (parts, body) = sent.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Ok(Response::from_parts(parts, body))
    }
}

#[derive(Debug)]
struct Files;

impl FileRead for Files {
    async fn file_read(&self, path: &str) -> reqsign_core::Result<Vec<u8>> {
        std::fs::read(path).map_err(|error| reqsign_core::Error::unexpected(error.to_string()))
    }
}

/// What it was asked, and the JSON by which it gives credentials.
#[derive(Clone, Default)]
struct Service {
    asked: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<(StatusCode, String)>>,
}

impl Service {
    async fn start(&self) -> SocketAddr {
        let service = self.clone();
        serve(service_fn(move |request: Request<Incoming>| {
            let response = service.respond(&request);
            async move { Ok::<_, Infallible>(response.map(Full::<Bytes>::from)) }
        }))
        .await
    }

    fn respond(&self, request: &Request<Incoming>) -> Response<String> {
        let query = request.uri().query().unwrap_or_default();
        let action = query.split('&').find(|part| part.starts_with("Action="));
        let what = action.unwrap_or(request.uri().path()).to_owned();
        self.asked.lock().unwrap().push(format!("{} {what}", request.method()));
        let roles = "/latest/meta-data/ram/security-credentials/";
        let text = match &*what {
            "/latest/api/token" => "metadata-token".to_owned(),
            path if path == roles => "the-role".to_owned(),
            path if path.starts_with(roles) => {
                assert_eq!(request.headers()["x-aliyun-ecs-metadata-token"], "metadata-token");
                assert!(path.ends_with("the-role"));
                return self.answer();
            }
            _ => return self.answer(),
        };
        assert!(request.method() == Method::PUT || what != "/latest/api/token");
        Response::new(text)
    }

    fn answer(&self) -> Response<String> {
        let (status, text) = self.answer.lock().unwrap().clone();
        Response::builder().status(status).body(text).unwrap()
    }

    fn gives(&self, status: u16, text: impl Into<String>) {
        *self.answer.lock().unwrap() = (StatusCode::from_u16(status).unwrap(), text.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// A folder of its own, as home.
fn home(name: &str) -> PathBuf {
    let home = std::env::temp_dir().join(format!("tower-fc-{name}-{}", std::process::id()));
    std::fs::create_dir_all(home.join(".aliyun")).unwrap();
    home
}

fn chain(home: Option<PathBuf>, variables: &[(&str, String)]) -> ReqsignCredentials {
    let envs: HashMap<_, _> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let context = Context::new().with_env(StaticEnv { home_dir: home, envs });
    ReqsignCredentials::new(context.with_http_send(Http).with_file_read(Files))
}

/// An end that is written in seconds.
fn end() -> SystemTime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    UNIX_EPOCH + Duration::from_secs(now.as_secs() + 3_600)
}

fn json(end: SystemTime) -> String {
    let end = String::from_utf8(tower_fc::protocol::format_acs_date(end).to_vec()).unwrap();
    format!(
        r#"{{"AccessKeyId": "STS.role", "AccessKeySecret": "canary", "SecurityToken": "a-token",
            "Expiration": "{end}", "Code": "Success"}}"#
    )
}

fn is_of_role(credentials: &Credentials, end: SystemTime) {
    assert_eq!(credentials.access_key_id(), "STS.role");
    assert!(credentials.has_security_token());
    assert_eq!(credentials.expires_at(), Some(end));
}

#[tokio::test]
async fn the_ram_role_of_an_instance_is_asked_for_once_for_many_calls() {
    let service = Service::default();
    let address = service.start().await;
    let endpoint = ("ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT", format!("http://{address}"));
    let cached = CachedCredentials::new(chain(None, &[endpoint]));

    // The metadata service is away at first: an error, which is not remembered.
    service.gives(500, "canary");
    let error = cached.credentials().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Provider);
    assert!(error.source().is_some());
    service.take();

    let end = end();
    service.gives(200, json(end));
    for _ in 0..100 {
        is_of_role(&cached.credentials().await.unwrap(), end);
    }
    let roles = "/latest/meta-data/ram/security-credentials/";
    let expected = [
        "PUT /latest/api/token".to_owned(),
        format!("GET {roles}"),
        format!("GET {roles}the-role"),
    ];
    assert_eq!(service.take(), expected);

    // What has ended already is an error.
    service.gives(200, json(at(-1_000_000)));
    cached.invalidate();
    assert_eq!(cached.credentials().await.unwrap_err().kind(), ErrorKind::Provider);
}

#[tokio::test]
async fn a_role_is_assumed_with_an_access_key_and_by_oidc() {
    let service = Service::default();
    let address = service.start().await;
    let end = end();
    service.gives(200, format!(r#"{{"Credentials": {}}}"#, json(end)));
    let sts = ("ALIBABA_CLOUD_STS_ENDPOINT", format!("http://{address}"));
    let role = ("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/example".to_owned());
    let id = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tExample".to_owned());
    let secret = ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "canary".to_owned());
    let assume = chain(None, &[sts.clone(), role.clone(), id, secret]);
    is_of_role(&assume.credentials().await.unwrap(), end);
    assert_eq!(service.take(), ["GET Action=AssumeRole"]);

    let home = home("oidc");
    let token = home.join("oidc-token");
    std::fs::write(&token, "an-oidc-token").unwrap();
    let file = ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", token.to_str().unwrap().to_owned());
    let provider = ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "acs:ram::1:oidc-provider/x".to_owned());
    let nobody = ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true".to_owned());
    let oidc = chain(Some(home.clone()), &[sts, role, file, provider, nobody]);
    is_of_role(&oidc.credentials().await.unwrap(), end);
    assert_eq!(service.take(), ["GET Action=AssumeRoleWithOIDC"]);
    std::fs::remove_dir_all(home).unwrap();
}

#[tokio::test]
async fn the_environment_and_files_are_read_in_their_order_and_no_chain_has_none_in_silence() {
    let home = home("files");
    let nobody = ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true".to_owned());
    let none = chain(Some(home.clone()), std::slice::from_ref(&nobody));
    let error = none.credentials().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Provider);
    assert_eq!(error.source().unwrap().to_string(), "no source of the chain has any");

    let id = async |chain: &ReqsignCredentials| {
        let credentials = chain.credentials().await.unwrap();
        assert_eq!(credentials.expires_at(), None);
        credentials.access_key_id().to_owned()
    };
    let config = r#"{"current": "default", "profiles": [{"name": "default", "mode": "AK",
        "access_key_id": "of-config", "access_key_secret": "canary"}]}"#;
    std::fs::write(home.join(".aliyun/config.json"), config).unwrap();
    assert_eq!(id(&none).await, "of-config");
    let ini = "[default]\ntype = access_key\naccess_key_id = of-file\naccess_key_secret = canary\n";
    std::fs::write(home.join(".aliyun/credentials.ini"), ini).unwrap();
    assert_eq!(id(&none).await, "of-file");
    let variables = [
        nobody,
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "of-environment".to_owned()),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "canary".to_owned()),
    ];
    assert_eq!(id(&chain(Some(home.clone()), &variables)).await, "of-environment");
    std::fs::remove_dir_all(home).unwrap();
}

/// The texts of an error and of all its causes.
fn texts(error: &dyn std::error::Error) -> String {
    let mut texts = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        texts += &format!(" {error} {error:?}");
        cause = error.source();
    }
    texts
}

#[tokio::test]
async fn answers_that_cannot_be_used_are_told_without_their_secrets() {
    let service = Service::default();
    let address = service.start().await;
    let endpoint = ("ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT", format!("http://{address}"));
    let chain = chain(None, &[endpoint]);
    for answer in [
        r#"{"AccessKeyId": "STS.role", "AccessKeySecret": "canary", "SecurityToken": "canary"}"#,
        r#"{"AccessKeyId": "STS.role", "AccessKeySecret": "canary", "SecurityToken": "canary"#,
        r#"{"AccessKeyId": "STS.role", "AccessKeySecret": "can ary", "SecurityToken": "canary",
            "Expiration": "2096-01-01T00:00:00Z"}"#,
        r#"{"AccessKeyId": "STS.role", "AccessKeySecret": "secret", "SecurityToken": "can ary",
            "Expiration": "2096-01-01T00:00:00Z"}"#,
    ] {
        service.gives(200, answer);
        let texts = texts(&chain.credentials().await.unwrap_err());
        assert!(!texts.contains("canary") && !texts.contains("can ary"), "{texts}");
    }
    assert!(!format!("{chain:?}").contains("canary"));
}
