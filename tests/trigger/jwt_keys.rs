//! Key sets: what is read, and what stops the start.

use crate::jwt_common::{ALGORITHMS, KEYS, base64, jwk, jwks};
use serde_json::{Value, json};
use tower_fc::error::ErrorKind;
use tower_fc::trigger::jwt::Jwks;

/// What is said of a set, whose text must not be in it.
fn error(set: &Value) -> String {
    let error = Jwks::from_json(&set.to_string()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    let text = format!("{error} {error:?}");
    assert!(!text.contains("canary"), "{text}");
    error.to_string()
}

/// The same of a set of one key, with these fields changed.
fn error_of(algorithm: &str, changes: &[(&str, Value)]) -> String {
    let mut key = jwk(algorithm, "one");
    for (name, value) in changes {
        match value {
            Value::Null => drop(key.as_object_mut().unwrap().remove(*name)),
            value => key[*name] = value.clone(),
        }
    }
    error(&json!({ "keys": [key] }))
}

#[test]
fn a_set_has_keys_that_can_be_told_apart() {
    let one = || jwk("HS256", "one");
    let mut unnamed = jwk("ES256", "");
    let unnamed_too = jwk("RS256", "");
    for (set, expected) in [
        (json!({ "keys": [] }), "JWKS: has no keys"),
        (json!({}), "JWKS.keys: is missing"),
        (json!([]), "JWKS: must be an object, not a list"),
        (json!(null), "JWKS: must be an object, not null"),
        (json!({ "keys": {} }), "JWKS.keys: must be a list, not an object"),
        (json!({ "keys": [one(), 1] }), "JWKS.keys[1]: must be an object, not a number"),
        (
            json!({ "keys": [one(), jwk("RS256", "two"), one()] }),
            "JWKS.keys[2]: its kid is that of another key",
        ),
        (
            json!({ "keys": [unnamed.clone(), one(), unnamed_too] }),
            "JWKS.keys[2]: has no kid, and neither has another key",
        ),
    ] {
        assert_eq!(error(&set), expected);
    }
    // One may be without a name, which an empty one is.
    jwks([unnamed.clone(), one()]);
    unnamed.as_object_mut().unwrap().remove("kid");
    jwks([unnamed, one()]);
    for text in ["", "{", "canary", r#"{"keys": [{"kty":"oct","k":"canary"]}"#] {
        let error = Jwks::from_json(text).unwrap_err().to_string();
        assert!(error.starts_with("JWKS: is not JSON"), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
    let twice = r#"{"keys":[{"kty":"oct","k":"AAAA","k":"AAAB"}]}"#;
    let error = Jwks::from_json(twice).unwrap_err().to_string();
    assert_eq!(error, "JWKS.keys[0].k: is there twice");
}

#[test]
fn every_algorithm_has_a_key_and_no_other_has_one() {
    for algorithm in ALGORITHMS {
        jwks([jwk(algorithm, "one")]);
        for other in
            ["none", "RSA-OAEP", "ES256K", "HS1", "RS1", "rs256", "", "A256GCM", "Ed25519", "ES521"]
        {
            let error = error_of(algorithm, &[("alg", json!(other))]);
            assert!(error.starts_with("JWKS.keys[0].alg: must be "), "{error}");
            assert!(error.contains(algorithm), "{error}");
        }
    }
    let error = error_of("ES512", &[("alg", json!("ES256"))]);
    assert_eq!(error, "JWKS.keys[0].alg: must be ES512 for this key");
    let error = error_of("HS256", &[("alg", json!("RS256"))]);
    assert_eq!(error, "JWKS.keys[0].alg: must be HS256 or HS384 or HS512 for this key");
    let error = error_of("RS256", &[("alg", json!(1))]);
    assert_eq!(error, "JWKS.keys[0].alg: must be a text, not a number");
}

#[test]
fn the_parts_of_a_key_are_those_of_its_type() {
    let short = aws_lc_rs::encoding::AsDer::as_der(
        &aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap(),
    );
    assert!(short.is_ok());
    let bytes = |len: usize| json!(base64(vec![0xff; len]));
    let rule = "n and e must be those of an RSA key of 2048 to 8192 bits";
    for (algorithm, changes, expected) in [
        ("HS256", vec![("kty", json!(null))], "JWKS.keys[0].kty: is missing"),
        ("HS256", vec![("kty", json!("OCT"))], "JWKS.keys[0].kty: must be RSA, EC, OKP or oct"),
        ("HS256", vec![("kty", json!(["oct"]))], "JWKS.keys[0].kty: must be a text, not a list"),
        ("HS256", vec![("k", json!(null))], "JWKS.keys[0].k: is missing"),
        ("HS256", vec![("k", json!(""))], "JWKS.keys[0]: k, the secret, must not be empty"),
        (
            "HS256",
            vec![("k", json!("canary-canary+"))],
            "JWKS.keys[0].k: must be base64url without padding",
        ),
        (
            "HS256",
            vec![("k", json!("Y2FuYXJ5Cg=="))],
            "JWKS.keys[0].k: must be base64url without padding",
        ),
        ("HS256", vec![("kid", json!(1))], "JWKS.keys[0].kid: must be a text, not a number"),
        ("RS256", vec![("n", json!(null))], "JWKS.keys[0].n: is missing"),
        ("RS256", vec![("e", json!(null))], "JWKS.keys[0].e: is missing"),
        ("RS256", vec![("n", json!(""))], &format!("JWKS.keys[0]: {rule}")),
        ("RS256", vec![("n", bytes(128))], &format!("JWKS.keys[0]: {rule}")),
        ("RS256", vec![("n", bytes(255))], &format!("JWKS.keys[0]: {rule}")),
        ("RS256", vec![("n", bytes(2000))], &format!("JWKS.keys[0]: {rule}")),
        ("RS256", vec![("n", json!(base64([0; 300])))], &format!("JWKS.keys[0]: {rule}")),
        ("RS256", vec![("e", json!(base64([1])))], &format!("JWKS.keys[0]: {rule}")),
        ("RS256", vec![("e", json!(base64([2])))], &format!("JWKS.keys[0]: {rule}")),
        ("RS256", vec![("e", json!(""))], &format!("JWKS.keys[0]: {rule}")),
        ("ES256", vec![("crv", json!(null))], "JWKS.keys[0].crv: is missing"),
        (
            "ES256",
            vec![("crv", json!("secp256k1"))],
            "JWKS.keys[0].crv: must be P-256, P-384 or P-521",
        ),
        (
            "ES256",
            vec![("crv", json!("P-384"))],
            "JWKS.keys[0]: x and y must be a point on the curve",
        ),
        ("ES256", vec![("x", bytes(32))], "JWKS.keys[0]: x and y must be a point on the curve"),
        ("ES384", vec![("y", bytes(47))], "JWKS.keys[0]: x and y must be a point on the curve"),
        ("ES512", vec![("y", bytes(66))], "JWKS.keys[0]: x and y must be a point on the curve"),
        ("EdDSA", vec![("crv", json!("Ed448"))], "JWKS.keys[0].crv: must be Ed25519"),
        ("EdDSA", vec![("crv", json!("X25519"))], "JWKS.keys[0].crv: must be Ed25519"),
        ("EdDSA", vec![("x", bytes(31))], "JWKS.keys[0]: x must have 32 bytes"),
    ] {
        assert_eq!(error_of(algorithm, &changes), expected, "{algorithm} {changes:?}");
    }
}

#[test]
fn a_key_is_for_verifying_signatures() {
    let error = error_of("RS256", &[("use", json!("enc"))]);
    assert_eq!(error, "JWKS.keys[0].use: must be sig: the key is not for signatures");
    let error = error_of("RS256", &[("key_ops", json!(["encrypt"]))]);
    assert_eq!(error, "JWKS.keys[0].key_ops: must have verify: the key is not for verifying");
    let mut key = jwk("RS256", "one");
    key["use"] = "sig".into();
    key["key_ops"] = json!(["sign", "verify"]);
    // What else a key has is not looked at: certificates, times, the private part.
    key["x5c"] = json!(["MII"]);
    key["iat"] = json!(1);
    key["d"] = json!("canary");
    jwks([key]);
}

#[test]
fn no_key_is_printed() {
    let keys = jwks([jwk("HS256", "named"), KEYS.jwk("RS256")]);
    let text = format!("{keys:?} {keys:#?}");
    assert!(text.contains("named") && text.contains("HS256"), "{text}");
    for secret in ["canary", &base64(crate::jwt_common::SECRET), "Y2Fu"] {
        assert!(!text.contains(secret), "{text}");
    }
}
