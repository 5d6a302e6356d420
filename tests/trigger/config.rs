//! What is read of configuration files, and what is not.

use http::Method;
use tower_fc::error::ErrorKind;
use tower_fc::trigger::config::{AuthType, TriggerConfig};

fn json(text: &str) -> TriggerConfig {
    TriggerConfig::from_json(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn yaml(text: &str) -> TriggerConfig {
    TriggerConfig::from_serverless_devs(text, None).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn an_empty_configuration_is_a_signed_trigger() {
    for config in [json("{}"), TriggerConfig::default()] {
        assert_eq!(config.auth_type(), AuthType::Function);
        assert_eq!(config.methods().iter().count(), 7);
        assert!(!config.disable_url_internet());
    }
}

#[test]
fn what_the_service_takes_is_read() {
    let config = json(
        r#"{
            "authType": "anonymous",
            "methods": ["GET", "POST"],
            "disableURLInternet": true,
            "authConfig": null,
            "corsConfig": {
                "allowOrigins": ["https://app.example"],
                "allowMethods": ["GET", "OPTIONS"],
                "allowHeaders": ["content-type"],
                "exposeHeaders": ["date"],
                "allowCredentials": true,
                "maxAge": 86400
            }
        }"#,
    );
    assert_eq!(config.auth_type(), AuthType::Anonymous);
    assert!(config.methods().iter().eq([Method::GET, Method::POST]));
    assert!(config.disable_url_internet());
    let cors = format!("{:?}", config.cors());
    assert!(cors.contains("https://app.example") && cors.contains("86400"), "{cors}");
}

const S_YAML: &str = "
edition: 3.0.0
name: demo
access: default
vars:
  region: cn-hangzhou
resources:
  demo:
    component: fc3
    props:
      region: ${vars.region}
      functionName: demo
      triggers:
        - triggerName: timer
          triggerType: timer
          triggerConfig: { cronExpression: '@every 1m', enable: true }
        - triggerName: web
          triggerType: http
          description: the front
          qualifier: LATEST
          triggerConfig:
            authType: anonymous
            disableURLInternet: false
            methods:
              - GET
              - PUT
";

#[test]
fn the_http_trigger_of_an_s_yaml_is_read() {
    let config = yaml(S_YAML);
    assert_eq!(config.auth_type(), AuthType::Anonymous);
    assert!(config.methods().iter().eq([Method::GET, Method::PUT]));
    assert!(TriggerConfig::from_serverless_devs(S_YAML, Some("web")).is_ok());
    let error = TriggerConfig::from_serverless_devs(S_YAML, Some("other")).unwrap_err();
    assert!(error.to_string().contains("other"), "{error}");
    // The triggers by themselves.
    yaml("triggers: [{ triggerName: a, triggerType: http, triggerConfig: {} }]");
    let two = "triggers:
      - { triggerName: a, triggerType: http, triggerConfig: {} }
      - { triggerName: b, triggerType: http, triggerConfig: { authType: anonymous } }";
    let error = TriggerConfig::from_serverless_devs(two, None).unwrap_err().to_string();
    assert!(error.contains("a, b"), "{error}");
    let b = TriggerConfig::from_serverless_devs(two, Some("b")).unwrap();
    assert_eq!(b.auth_type(), AuthType::Anonymous);
}

#[test]
fn what_is_wrong_is_named_by_its_path_with_what_is_allowed() {
    for (text, path, rule) in [
        (r#"{"authtype": "function"}"#, "authtype", "authType"),
        (r#"{"authType": "anonymus"}"#, "authType", "anonymous, function or jwt"),
        (r#"{"authType": "Anonymous"}"#, "authType", "anonymous, function or jwt"),
        (r#"{"authType": ""}"#, "authType", "anonymous, function or jwt"),
        (r#"{"authType": null}"#, "authType", "a text"),
        (r#"{"authType": ["anonymous"]}"#, "authType", "a text"),
        (r#"{"authType": "function", "authType": "anonymous"}"#, "authType", "twice"),
        (r#"{"authType": "anonymous", "authConfig": "{}"}"#, "authConfig", "jwt"),
        (r#"{"authConfig": "{}"}"#, "authConfig", "jwt"),
        (r#"{"methods": ["GET", "TRACE"]}"#, "methods[1]", "PATCH"),
        (r#"{"methods": ["get"]}"#, "methods[0]", "GET"),
        (r#"{"methods": []}"#, "methods", "a method"),
        (r#"{"methods": "GET"}"#, "methods", "a list"),
        (r#"{"disableURLInternet": "false"}"#, "disableURLInternet", "true or false"),
        (r#"{"corsConfig": {}}"#, "corsConfig.allowOrigins", "missing"),
        (r#"{"corsConfig": {"allowOrigins": ["a"]}}"#, "corsConfig.allowOrigins[0]", "https://"),
        (r#"{"corsConfig": {"allowOrigins": []}}"#, "corsConfig.allowOrigins", "1 to 100"),
        (
            r#"{"corsConfig": {"allowOrigins": ["*"], "maxAge": 86401}}"#,
            "corsConfig.maxAge",
            "86400",
        ),
        (r#"{"corsConfig": {"allowOrigins": ["*"], "maxAge": 1.5}}"#, "corsConfig.maxAge", "whole"),
        (r#"{"corsConfig": {"allowOrigins": ["*"], "maxAge": -1}}"#, "corsConfig.maxAge", "whole"),
        (
            r#"{"corsConfig": {"allowOrigins": ["*"], "allowCredentials": true}}"#,
            "corsConfig.allowCredentials",
            "*",
        ),
        (
            r#"{"corsConfig": {"allowOrigins": ["*"], "allowHeader": []}}"#,
            "corsConfig.allowHeader",
            "allowHeaders",
        ),
        (
            r#"{"corsConfig": {"allowOrigins": ["*"], "maxAge": 1, "maxAge": 2}}"#,
            "corsConfig.maxAge",
            "twice",
        ),
        ("[]", "the configuration", "an object"),
        ("{", "the configuration", "JSON"),
        ("", "the configuration", "JSON"),
    ] {
        let error = TriggerConfig::from_json(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{text}");
        let error = error.to_string();
        let rest = error.strip_prefix(path).unwrap_or_else(|| panic!("{text}: {error}"));
        assert!(rest.starts_with(':') || rest.starts_with(' '), "{text}: {error}");
        assert!(rest.contains(rule), "{text}: {error}");
    }
}

#[test]
fn what_is_wrong_in_an_s_yaml_is_named_too() {
    let trigger = "resources.demo.props.triggers[1]";
    let config = format!("{trigger}.triggerConfig");
    for (from, to, path) in [
        ("authType: anonymous", "authType: anonymus", format!("{config}.authType")),
        ("authType: anonymous", "authtype: anonymous", format!("{config}.authtype")),
        ("- PUT", "- TRACE", format!("{config}.methods[1]")),
        ("qualifier", "qualifyer", format!("{trigger}.qualifyer")),
        ("triggerConfig:\n", "triggerconfig:\n", format!("{trigger}.triggerConfig")),
        (
            "disableURLInternet: false",
            "disableURLInternet: no",
            format!("{config}.disableURLInternet"),
        ),
        ("disableURLInternet: false", "authType: function", "the configuration".to_owned()),
        ("resources:", "resource:", "resources".to_owned()),
        ("triggerType: http", "triggerType: log", "the configuration".to_owned()),
    ] {
        let text = S_YAML.replacen(from, to, 1);
        assert_ne!(text, S_YAML, "{from}");
        let error = TriggerConfig::from_serverless_devs(&text, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().starts_with(&path), "{to}: {error}");
    }
}

/// A key set with one HMAC key, and tokens looked up and handed on.
#[cfg(feature = "jwt")]
mod jwt {
    use super::{json, yaml};
    use tower_fc::error::ErrorKind;
    use tower_fc::trigger::config::{AuthType, TriggerConfig};

    const KEYS: &str = r#"{"keys": [{"kty": "oct", "alg": "HS256", "kid": "a", "k": "c2VjcmV0LXRoYXQtaXMtbG9uZy1lbm91Z2gtZm9yLWl0"}]}"#;

    fn service(auth_config: &str) -> String {
        let text = serde_json::Value::from(auth_config);
        format!(r#"{{"authType": "jwt", "authConfig": {text}}}"#)
    }

    #[test]
    fn what_the_service_takes_is_read() {
        let config = json(&service(&format!(
            r#"{{"JWKS": {KEYS}, "TokenLookup": "header:Authorization:Bearer,cookie:token",
                "ClaimPassBy": "header:name:x-name,query:uid:uid"}}"#
        )));
        assert_eq!(config.auth_type(), AuthType::Jwt);
        let layer = format!("{:?}", config.jwt().unwrap());
        assert!(layer.contains("token") && layer.contains("x-name"), "{layer}");
        assert!(!layer.contains("c2VjcmV0"), "{layer}");
    }

    fn s_yaml(auth_config: &str) -> String {
        format!(
            "triggers: [{{ triggerName: a, triggerType: http, triggerConfig: {{ authType: jwt,
                authConfig: {{ jwks: {KEYS}, {auth_config} }} }} }}]"
        )
    }

    #[test]
    fn both_spellings_and_both_forms_of_an_s_yaml_are_read() {
        for auth_config in [
            "tokenLookup: 'header:Authorization:Bearer', claimPassBy: 'query:uid:uid'",
            "tokenLookup: [{ readPosition: header, parameterName: Authorization, prefix: Bearer },
                { readPosition: cookie, parameterName: token }],
             claimPassBy: [{ mappingParameterPosition: query, claimName: uid,
                mappingParameterName: uid }]",
            "tokenLookup: [{ readPosition: cookie, parameterName: token, prefix: Bearer },
                { readPosition: header, parameterName: X-Token, prefix: 'Bearer: ' }]",
            "whitelist: [/health, /public/*]",
            "whiteList: [/health]",
            "blacklist: [/admin/*]",
            "blackList: [/admin]",
        ] {
            assert_eq!(yaml(&s_yaml(auth_config)).auth_type(), AuthType::Jwt, "{auth_config}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        for (auth_config, path) in [
            ("whitelist: [/a], blacklist: [/b]", "blacklist"),
            ("whitelist: [/a], whiteList: [/b]", "whiteList"),
            ("blacklist: []", "blacklist"),
            ("tokenLookup: 'heder:a'", "tokenLookup"),
            ("tokenLookup: ''", "tokenLookup"),
            (
                "tokenLookup: [{ readPosition: cookie, parameterName: 'a:b' }]",
                "tokenLookup[0].parameterName",
            ),
            ("tokenLookup: [{ readPosition: cookie, name: a }]", "tokenLookup[0].name"),
            ("claimPassBy: 'header:a:content-length'", "claimPassBy"),
            ("tokenlookup: 'header:a'", "tokenlookup"),
            ("JWKS: {}", "jwks"),
        ] {
            let text = s_yaml(auth_config);
            let error = TriggerConfig::from_serverless_devs(&text, None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            let path = format!("triggers[0].triggerConfig.authConfig.{path}");
            assert!(error.to_string().starts_with(&path), "{auth_config}: {error}");
        }
        for (auth_config, path) in [
            ("{}", "authConfig"),
            ("", "authConfig"),
            (r#"{"JWKS": {"keys": []}}"#, "authConfig.JWKS"),
            (r#"{"JWKS": {"keys": [{"kty": "oct", "k": ""}]}}"#, "authConfig.JWKS.keys[0]"),
            (r#"{"JWKS": {"keys": [], "keys": []}}"#, "authConfig.JWKS.keys"),
        ] {
            let error = TriggerConfig::from_json(&service(auth_config)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.to_string().starts_with(path), "{auth_config}: {error}");
        }
        let error = TriggerConfig::from_json(r#"{"authType": "jwt"}"#).unwrap_err().to_string();
        assert!(error.starts_with("authConfig: is missing"), "{error}");
    }
}
