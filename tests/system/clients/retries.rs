//! `SignMiddleware` below reqwest-retry.

use crate::{Journal, SCHEMES, TOKEN, serve, signer, verify_layer};
use axum::Router;
use axum::extract::Request as AxumRequest;
use http::StatusCode;
use http_body_util::BodyExt as _;
use reqwest::redirect::Policy;
use reqwest::{Body, Client};
use reqwest_middleware::ClientBuilder;
use reqwest_retry::RetryTransientMiddleware;
use reqwest_retry::policies::ExponentialBackoff;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tower_fc::Scheme;
use tower_fc::adapters::reqwest::SignMiddleware;
use tower_fc::clock::Clock;
use tower_fc::digest::{BodyPolicy, CheckDigestLayer, SetDigestLayer};

/// Verifies signature and body, and answers every third request with 200, the others with 503.
async fn flaky_server() -> (String, Journal) {
    let journal = Journal::default();
    let noted = journal.clone();
    let flaky = async move |request: AxumRequest| {
        let third = noted.note(&request).is_multiple_of(3);
        let body = request.into_body().collect().await.unwrap().to_bytes();
        (if third { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, body)
    };
    let app = Router::new()
        .fallback(flaky)
        .layer(CheckDigestLayer::new().with_policy(BodyPolicy::Require))
        .layer(verify_layer());
    (serve(app).await, journal)
}

/// Soon, up to three times more.
fn retry() -> impl reqwest_middleware::Middleware {
    let soon = Duration::from_millis(1);
    let policy = ExponentialBackoff::builder().retry_bounds(soon, soon).build_with_max_retries(3);
    RetryTransientMiddleware::new_with_policy(policy)
}

/// The system's clock, with a minute between any two looks at it.
fn by_the_minute() -> impl Clock + Clone + Send + Sync {
    let minutes = Arc::new(AtomicU64::new(0));
    move || SystemTime::now() + Duration::from_secs(minutes.fetch_add(60, Ordering::SeqCst) % 600)
}

fn plain() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap()
}

#[tokio::test]
async fn below_reqwest_retry_every_attempt_has_a_fresh_date_and_a_signature_of_its_own() {
    let (origin, journal) = flaky_server().await;
    for scheme in SCHEMES {
        let date = if scheme == Scheme::Acs3HmacSha256 { "x-acs-date" } else { "date" };
        let sign = SignMiddleware::new(signer(scheme)).with_clock(by_the_minute()).with_digest();
        let different = async |builder: ClientBuilder| {
            let request = builder.build().post(&origin).header("accept", "text/plain");
            let response = request.body("hello").send().await.unwrap();
            assert_eq!(response.status(), 200, "{scheme}");
            assert_eq!(response.text().await.unwrap(), "hello", "{scheme}");
            let seen = journal.take();
            assert_eq!(seen.len(), 3, "{scheme}");
            assert!(seen.iter().all(|headers| headers.values().any(|value| value == TOKEN)));
            let count =
                |name: &str| seen.iter().map(|each| &each[name]).collect::<HashSet<_>>().len();
            [count(date), count("authorization")]
        };
        let right = ClientBuilder::new(plain()).with(retry()).with(sign.clone());
        assert_eq!(different(right).await, [3, 3], "{scheme}");
        // The other way round, one signature is used three times.
        let wrong = ClientBuilder::new(plain()).with(sign).with(retry());
        assert_eq!(different(wrong).await, [1, 1], "{scheme}");
    }
}

#[tokio::test]
async fn a_stream_is_sent_again_if_its_digest_is_set_above_the_retry() {
    let (origin, journal) = flaky_server().await;
    for scheme in SCHEMES {
        let signer = signer(scheme);
        let digest = SetDigestLayer::for_signer(&signer);
        let sign = SignMiddleware::new(signer);
        let send = async |builder: ClientBuilder| {
            let body =
                Body::wrap_stream(tokio_stream::iter(["he", "llo"].map(Ok::<_, std::io::Error>)));
            let request = builder.build().post(&origin).header("accept", "text/plain");
            request.body(body).send().await
        };
        let above = ClientBuilder::new(plain()).with(digest).with(retry()).with(sign.clone());
        let response = send(above).await.unwrap();
        assert_eq!(response.text().await.unwrap(), "hello", "{scheme}");
        assert_eq!(journal.take().len(), 3, "{scheme}");

        let below = ClientBuilder::new(plain()).with(retry()).with(sign.with_digest());
        let error = send(below).await.unwrap_err();
        assert!(error.to_string().contains("not cloneable"), "{error}");
        assert!(journal.take().is_empty(), "{scheme}");
    }
}
