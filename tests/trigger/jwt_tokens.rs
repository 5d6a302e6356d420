//! Which tokens are valid: every algorithm, and whatever is not one.

use crate::common::{NOW, Random, clock, read_error};
use crate::jwt_common::{
    ALGORITHMS, Body, KEYS, Keys, base64, bearer, claims, jwk, jwks, layer, send, token, token_of,
};
use http::Request;
use jsonwebtoken::{Header, encode};
use serde_json::{Value, json};
use std::time::Duration;
use tower::{Layer, ServiceExt};
use tower_fc::trigger::jwt::{DEFAULT_MAX_TOKEN_LEN, JwtLayer, VerifiedToken};
use tower_fc::{RejectionKind, VerifiedCaller};

/// The message that a token is refused with.
async fn refused(token: &str) -> String {
    refused_by(&layer(), token).await
}

async fn refused_by(
    layer: &JwtLayer<tower_fc::response::FcResponse, tower_fc::clock::FixedClock>,
    token: &str,
) -> String {
    let rejection = send(layer, bearer(token)).await.unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::InvalidToken, "{rejection}");
    for part in token.split('.').filter(|part| part.len() > 10) {
        assert!(!rejection.to_string().contains(part), "{rejection}");
    }
    rejection.message().to_owned()
}

#[tokio::test]
async fn tokens_that_jsonwebtoken_makes_by_every_algorithm_are_valid() {
    let keys = ALGORITHMS.map(|algorithm| jwk(algorithm, algorithm));
    let layer = JwtLayer::new(jwks(keys)).with_clock(clock());
    for algorithm in ALGORITHMS {
        let token = if algorithm == "ES512" {
            KEYS.sign("ES512", &json!({ "alg": "ES512", "kid": "ES512" }), &claims())
        } else {
            let mut header = Header::new(algorithm.parse().unwrap());
            header.kid = Some(algorithm.into());
            encode(&header, &claims(), &KEYS.encoding(algorithm)).unwrap()
        };
        let seen = send(&layer, bearer(&token)).await.unwrap_or_else(|why| {
            panic!("{algorithm}: {why}");
        });
        let verified: &VerifiedToken = seen.parts.extensions.get().unwrap();
        assert_eq!(verified.subject(), Some("alice"));
        assert_eq!(verified.key_id(), Some(algorithm));
        assert_eq!(verified.get("exp"), Some(&(NOW + 300).into()));
        assert_eq!(verified.claims().len(), 2);
        assert_eq!(verified.expires_at(), Some(crate::common::at(300)));
        // Whatever it says, the token reaches the function.
        assert!(seen.parts.headers.contains_key("authorization"));
        assert!(seen.parts.extensions.get::<VerifiedCaller>().is_none());

        // One bit of the signature, of the claims and of the header.
        let bytes = token.as_bytes();
        for at in [bytes.len() - 3, token.find('.').unwrap() + 5] {
            let mut other = bytes.to_vec();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            refused_by(&layer, &other).await;
        }
    }
}

#[tokio::test]
async fn every_algorithm_takes_its_own_keys_alone() {
    for of_key in ALGORITHMS {
        let layer = JwtLayer::new(jwks([jwk(of_key, "one")])).with_clock(clock());
        // Without `alg`, the type of the key says which.
        let mut without = KEYS.jwk(of_key);
        without["kid"] = "one".into();
        let by_type = JwtLayer::new(jwks([without])).with_clock(clock());
        for algorithm in ALGORITHMS {
            let header = json!({ "alg": algorithm, "kid": "one" });
            let token = KEYS.sign(algorithm, &header, &claims());
            let passes = send(&layer, bearer(&token)).await.is_ok();
            assert_eq!(passes, algorithm == of_key, "{algorithm} by a key of {of_key}");
            let family = |name: &str| match &name[..2] {
                "RS" | "PS" => "RSA".to_owned(),
                "HS" => "oct".to_owned(),
                _ => name.to_owned(),
            };
            let passes = send(&by_type, bearer(&token)).await.is_ok();
            assert_eq!(passes, family(algorithm) == family(of_key), "{algorithm} by {of_key}");
            if algorithm != of_key {
                // As if it were of the key's algorithm.
                let header = json!({ "alg": of_key, "kid": "one" });
                let token = KEYS.sign(algorithm, &header, &claims());
                assert_eq!(
                    refused_by(&layer, &token).await,
                    "the signature of the token does not match",
                    "{algorithm} by a key of {of_key}"
                );
            }
        }
    }
}

/// A public key that is no secret: whoever has the set has it too.
#[tokio::test]
async fn a_public_key_is_no_secret_of_hmac() {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::signature::KeyPair as _;
    let layer = JwtLayer::new(jwks([jwk("RS256", "one")])).with_clock(clock());
    let public = KEYS.rsa.public_key();
    let der = public.as_der().unwrap();
    let pkcs1 = public.as_ref();
    let n = KEYS.jwk("RS256")["n"].as_str().unwrap().to_owned();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der.as_ref())
    );
    for (secret, algorithm) in [
        (der.as_ref(), "HS256"),
        (pkcs1, "HS256"),
        (n.as_bytes(), "HS256"),
        (pem.as_bytes(), "HS256"),
        (der.as_ref(), "HS512"),
    ] {
        for alg in [algorithm, "RS256"] {
            let message = format!(
                "{}.{}",
                base64(json!({ "alg": alg, "kid": "one" }).to_string()),
                base64(claims().to_string())
            );
            let key = jsonwebtoken::EncodingKey::from_secret(secret);
            let parsed = algorithm.parse().unwrap();
            let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, parsed).unwrap();
            refused_by(&layer, &format!("{message}.{signature}")).await;
        }
    }
}

#[tokio::test]
async fn a_token_without_algorithm_or_of_none_is_refused() {
    for alg in [json!("none"), json!("None"), json!("NONE"), json!("hs256"), json!(""), json!(1)] {
        let message = format!(
            "{}.{}",
            base64(json!({ "alg": alg, "kid": "one" }).to_string()),
            base64(claims().to_string())
        );
        refused(&format!("{message}.")).await;
        let right = KEYS.sign("HS256", &json!({ "alg": alg, "kid": "one" }), &claims());
        refused(&right).await;
    }
    let header = json!({ "kid": "one" });
    let message = refused(&KEYS.sign("HS256", &header, &claims())).await;
    assert_eq!(message, "the token names no algorithm");
}

#[tokio::test]
async fn a_header_with_crit_is_refused_whatever_it_lists() {
    for crit in [json!(["b64"]), json!(["exp"]), json!([]), json!("exp"), json!(null)] {
        let header = json!({ "alg": "HS256", "kid": "one", "crit": crit, "b64": true });
        let message = refused(&KEYS.sign("HS256", &header, &claims())).await;
        assert!(message.contains("crit"), "{message}");
    }
    // What is not critical is ignored, keys and addresses of keys too.
    let header = json!({
        "alg": "HS256", "kid": "one", "typ": "at+jwt", "jku": "https://evil.example/keys",
        "jwk": Keys::generate().jwk("ES256"), "x5u": "https://evil.example", "unknown": [1],
    });
    assert!(send(&layer(), bearer(&KEYS.sign("HS256", &header, &claims()))).await.is_ok());
}

#[tokio::test]
async fn a_key_is_chosen_by_the_kid_of_the_token() {
    let claims = claims();
    let sign = |algorithm: &str, kid: Option<Value>| {
        let mut header = json!({ "alg": algorithm });
        if let Some(kid) = kid {
            header["kid"] = kid;
        }
        KEYS.sign(algorithm, &header, &claims)
    };
    let unnamed = {
        let mut unnamed = jwk("ES256", "");
        unnamed.as_object_mut().unwrap().remove("kid");
        unnamed
    };
    let named = || [jwk("HS256", "one"), jwk("ES384", "two")];
    let many = JwtLayer::new(jwks(named())).with_clock(clock());
    let with_unnamed =
        JwtLayer::new(jwks(named().into_iter().chain([unnamed.clone()]))).with_clock(clock());
    let only_unnamed = JwtLayer::new(jwks([unnamed])).with_clock(clock());

    for (kid, algorithm) in [("one", "HS256"), ("two", "ES384")] {
        let token = sign(algorithm, Some(kid.into()));
        assert!(send(&many, bearer(&token)).await.is_ok());
        assert!(send(&with_unnamed, bearer(&token)).await.is_ok());
        let unknown = "there is no key for the token";
        assert_eq!(refused_by(&only_unnamed, &token).await, unknown);
        assert_eq!(refused_by(&many, &sign(algorithm, None)).await, unknown);
        assert_eq!(refused_by(&many, &sign(algorithm, Some("One".into()))).await, unknown);
    }
    // The key without a name takes those without; an empty one is none.
    for kid in [None, Some("".into())] {
        assert!(send(&with_unnamed, bearer(&sign("ES256", kid.clone()))).await.is_ok());
        assert!(send(&only_unnamed, bearer(&sign("ES256", kid.clone()))).await.is_ok());
        // And the only key there is, named or not.
        assert!(send(&layer(), bearer(&sign("HS256", kid))).await.is_ok());
    }
    // A key of one name is not taken for another's.
    refused_by(&many, &sign("HS256", Some("two".into()))).await;
    for kid in [json!(1), json!(null), json!(["one"])] {
        let message = refused_by(&many, &sign("HS256", Some(kid))).await;
        assert_eq!(message, "the kid of the token is not a text");
    }
}

#[tokio::test]
async fn exp_and_nbf_are_compared_with_the_clock_of_the_layer() {
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        token_of(&claims)
    };
    let minute = |seconds: u64| layer().with_leeway(Duration::from_secs(seconds));
    let (expired, early) = ("the token has expired", "the token is not valid yet");
    for (claim, value, leeway, expected) in [
        // The leeway is a minute unless set.
        ("exp", json!(NOW - 59), 60, None),
        ("exp", json!(NOW - 60), 60, Some(expired)),
        ("exp", json!(NOW), 0, Some(expired)),
        ("exp", json!(NOW + 1), 0, None),
        ("exp", json!(NOW as f64 + 0.5), 0, None),
        ("exp", json!(NOW as f64 - 59.5), 60, None),
        ("exp", json!(0), 60, Some(expired)),
        ("exp", json!(-1), 60, Some(expired)),
        ("exp", json!(u64::MAX), 60, None),
        ("exp", json!((NOW + 9).to_string()), 60, Some("the exp of the token is not a number")),
        ("exp", json!(null), 60, Some("the exp of the token is not a number")),
        ("exp", json!([NOW + 9]), 60, Some("the exp of the token is not a number")),
        ("nbf", json!(NOW + 60), 60, None),
        ("nbf", json!(NOW + 61), 60, Some(early)),
        ("nbf", json!(NOW), 0, None),
        ("nbf", json!(NOW + 1), 0, Some(early)),
        ("nbf", json!(u64::MAX), 60, Some(early)),
        ("nbf", json!("9999999999"), 60, Some("the nbf of the token is not a number")),
        ("nbf", json!(null), 60, Some("the nbf of the token is not a number")),
        // Nobody asks when it was made.
        ("iat", json!(NOW + 999), 60, None),
        ("iat", json!("whenever"), 60, None),
    ] {
        let token = with(claim, value.clone());
        let answer = send(&minute(leeway), bearer(&token)).await.map_err(|why| {
            assert_eq!(why.kind(), RejectionKind::InvalidToken);
            why.message().to_owned()
        });
        assert_eq!(answer.err().as_deref(), expected, "{claim} {value} {leeway}");
    }
    assert!(send(&layer(), bearer(&with("exp", json!(NOW - 59)))).await.is_ok());
    assert!(send(&layer(), bearer(&with("exp", json!(NOW - 60)))).await.is_err());
}

#[tokio::test]
async fn a_token_without_exp_is_refused_unless_that_is_switched_off() {
    let endless = token_of(&json!({ "sub": "alice" }));
    assert_eq!(refused(&endless).await, "the token has no exp");
    let lenient = layer().with_insecure_endless_tokens();
    let seen = send(&lenient, bearer(&endless)).await.unwrap();
    let verified: &VerifiedToken = seen.parts.extensions.get().unwrap();
    assert_eq!(verified.expires_at(), None);
    // One that has it still ends.
    assert!(send(&lenient, bearer(&token_of(&json!({ "exp": NOW - 60 })))).await.is_err());
}

#[tokio::test]
async fn iss_and_aud_are_compared_where_they_are_set() {
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        token_of(&claims)
    };
    for (claim, value, passes) in [
        ("iss", json!("https://a.example"), true),
        ("iss", json!("https://b.example"), true),
        ("iss", json!("https://a.example/"), false),
        ("iss", json!("https://A.example"), false),
        ("iss", json!(["https://a.example"]), false),
        ("iss", json!(null), false),
        ("aud", json!("a"), true),
        ("aud", json!(["x", "a"]), true),
        ("aud", json!([]), false),
        ("aud", json!(["x", 1]), false),
        ("aud", json!("x"), false),
        ("aud", json!({ "a": "a" }), false),
        ("aud", json!(null), false),
    ] {
        let token = with(claim, value.clone());
        let layer = match claim {
            "iss" => layer().with_issuers(["https://a.example", "https://b.example"]),
            _ => layer().with_audiences(["a", "b"]),
        };
        let answer = send(&layer, bearer(&token)).await;
        assert_eq!(answer.is_ok(), passes, "{claim} {value}");
        // Not looked at unless set.
        assert!(send(&self::layer(), bearer(&token)).await.is_ok());
        assert!(send(&layer, bearer(&self::token())).await.is_err(), "without {claim}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused() {
    let token = token();
    let parts: Vec<_> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!() };
    let good_header = r#"{"alg":"HS256","kid":"one"}"#;
    let good_claims = claims().to_string();
    let mut texts = vec![
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        "a".to_owned(),
        "a.b".to_owned(),
        format!("{token}."),
        format!(".{token}"),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{token}="),
        format!("{token}A"),
        format!("{header}.{payload}.{signature}.{signature}.{signature}"),
        format!("{header}.{payload} .{signature}"),
        format!("{header}.{payload}.{}", signature.to_lowercase()),
    ];
    // Well signed, and not to be read in one way.
    for (header, claims) in [
        ("", &*good_claims),
        ("[]", &good_claims),
        ("null", &good_claims),
        (r#"{"alg":"HS256","kid":"one"} "x""#, &good_claims),
        (r#"{"alg":"HS256","alg":"HS256","kid":"one"}"#, &good_claims),
        (r#"{"alg":"none","kid":"one","alg":"HS256"}"#, &good_claims),
        (r#"{"alg":"HS256","kid":"two","kid":"one"}"#, &good_claims),
        (good_header, ""),
        (good_header, "[]"),
        (good_header, "\"sub\""),
        (good_header, "{"),
        (good_header, r#"{"exp":9999999999,"sub":"a","sub":"b"}"#),
        (good_header, r#"{"exp":1,"exp":9999999999}"#),
        (good_header, r#"{"exp":9999999999,"x":{"a":1,"a":2}}"#),
        (good_header, r#"{"exp":9999999999,"id":123456789012345678901234567890}"#),
        (good_header, r#"{"exp":1e999}"#),
    ] {
        texts.push(KEYS.sign_text("HS256", header, claims));
    }
    for text in &texts {
        refused(text).await;
    }
    // The texts themselves are right.
    let right = KEYS.sign_text("HS256", good_header, &good_claims);
    assert!(send(&layer(), bearer(&right)).await.is_ok());
}

#[tokio::test]
async fn a_token_is_at_most_as_long_as_is_set() {
    let padded = |len: usize| {
        let mut claims = claims();
        claims["x"] = "".into();
        let empty = token_of(&claims).len();
        // Three bytes become four.
        claims["x"] = "x".repeat((len - empty) * 3 / 4).into();
        token_of(&claims)
    };
    let (short, long) = (padded(DEFAULT_MAX_TOKEN_LEN - 8), padded(DEFAULT_MAX_TOKEN_LEN + 8));
    assert!((DEFAULT_MAX_TOKEN_LEN - 16..=DEFAULT_MAX_TOKEN_LEN).contains(&short.len()));
    assert!(send(&layer(), bearer(&short)).await.is_ok());
    assert_eq!(refused(&long).await, "the token is too long");
    let layer = layer().with_max_token_len(short.len() - 1);
    assert_eq!(refused_by(&layer, &short).await, "the token is too long");
    assert!(send(&layer.with_max_token_len(100_000), bearer(&long)).await.is_ok());

    // A megabyte of one part, of dots, of brackets.
    for text in ["A".repeat(1 << 20), ".".repeat(1 << 20), base64("[".repeat(700_000)) + ".e30.e30"]
    {
        assert_eq!(refused(&text).await, "the token is too long");
    }
}

/// Nothing panics, nothing passes, and nothing grows with what came before.
#[tokio::test]
async fn a_hundred_thousand_tokens_of_garbage_are_refused() {
    let layer =
        JwtLayer::new(jwks([jwk("RS256", "one"), jwk("ES256", "two"), jwk("HS256", "three")]))
            .with_clock(clock())
            .layer(crate::jwt_common::Recorder::default());
    let mut random = Random::of(7);
    let good = [("RS256", "one"), ("ES256", "two"), ("HS256", "three")].map(|(algorithm, kid)| {
        KEYS.sign(algorithm, &json!({ "alg": algorithm, "kid": kid }), &claims())
    });
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.= {}\",:";
    let mut kinds = 0;
    for number in 0..100_000_u32 {
        let token = match number % 4 {
            // Whatever bytes,
            0 | 1 => {
                let len = random.below(60);
                (0..len).map(|_| char::from(alphabet[random.below(alphabet.len())])).collect()
            }
            // a good one with something changed,
            2 => {
                let mut bytes = good[random.below(3)].clone().into_bytes();
                let at = random.below(bytes.len());
                bytes[at] = alphabet[random.below(alphabet.len())];
                String::from_utf8(bytes).unwrap()
            }
            // and headers that can be read.
            _ => format!("{}.{}.{}", base64(r#"{"alg":"RS256"}"#), base64("{}"), "A".repeat(340)),
        };
        let Ok(request) = Request::get("/")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::default())
        else {
            continue;
        };
        let response = layer.clone().oneshot(request).await.unwrap();
        // Changing a character to itself changes nothing.
        if good.contains(&token) {
            continue;
        }
        assert_eq!(response.status(), 403, "{token}");
        kinds += 1;
    }
    assert!(kinds > 90_000, "{kinds}");
}

#[tokio::test]
async fn a_refusal_is_answered_as_the_gateway_does() {
    let service = layer().layer(crate::jwt_common::Recorder::default());
    for (request, message) in [
        (
            Request::new(Body::default()),
            "a token is required, and there is none in header:authorization:Bearer",
        ),
        (bearer("a.b.c"), "the token cannot be read"),
    ] {
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 403);
        assert!(response.headers().contains_key("x-fc-request-id"));
        let (code, said) = read_error(response).await;
        assert_eq!((&*code, &*said), ("AccessDenied", message));
    }
}
