//! Redirects between two real servers: nothing of a signature reaches another origin, and within
//! one it is made anew or the redirect is handed back.

use crate::{Journal, SCHEMES, TOKEN, serve, signer, verify_layer};
use axum::Router;
use axum::extract::Request as AxumRequest;
use axum::response::Redirect;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use reqwest_middleware::ClientBuilder;
use tower::util::MapRequestLayer;
use tower::{ServiceBuilder, ServiceExt as _};
use tower_fc::SignLayer;
use tower_fc::adapters::redirect::policy_for_origins;
use tower_fc::adapters::reqwest::SignMiddleware;
use tower_http::follow_redirect::FollowRedirectLayer;

type Body = Full<Bytes>;

/// A server that verifies, and one of a stranger to which it redirects.
struct Servers {
    origin: String,
    /// Of the first.
    ours: Journal,
    /// Of the second.
    theirs: Journal,
}

async fn servers() -> Servers {
    let (ours, theirs) = (Journal::default(), Journal::default());
    let noted = theirs.clone();
    let stranger = serve(Router::new().fallback(async move |request: AxumRequest| {
        noted.note(&request);
        "collected"
    }))
    .await;
    let away = format!("{stranger}/collect");
    let noted = ours.clone();
    let app = Router::new()
        .route("/away", get(async move || Redirect::temporary(&away)))
        .route("/old", get(async || Redirect::permanent("/older?a=b%20c")))
        .route("/older", get(async || Redirect::temporary("/new")))
        .route("/new", get(async || "signed anew"))
        .layer(verify_layer())
        .layer(MapRequestLayer::new(move |request: AxumRequest| {
            noted.note(&request);
            request
        }));
    Servers { origin: serve(app).await, ours, theirs }
}

impl Servers {
    /// That the stranger was called once, and with nothing that has to do with a signature.
    fn assert_nothing_leaked(&self, what: &str) {
        let seen = self.theirs.take();
        assert_eq!(seen.len(), 1, "{what}");
        for (name, value) in &seen[0] {
            let name = name.as_str();
            assert!(!["authorization", "date", "referer"].contains(&name), "{what}: {name}");
            assert!(!name.starts_with("x-fc-") && !name.starts_with("x-acs-"), "{what}: {name}");
            assert!(!value.to_str().unwrap().contains(TOKEN), "{what}: {name}");
        }
    }

    /// That a request came so often, each time with another signature.
    fn assert_signed_anew(&self, times: usize, what: &str) {
        let seen = self.ours.take();
        let signature = |headers: &HeaderMap| headers["authorization"].to_str().unwrap().to_owned();
        let signatures: std::collections::HashSet<_> = seen.iter().map(signature).collect();
        assert_eq!((seen.len(), signatures.len()), (times, times), "{what}");
    }
}

#[tokio::test]
async fn tower_https_follow_redirect_around_signing_signs_anew_and_tells_a_stranger_nothing() {
    let servers = servers().await;
    let hyper = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let reqwest = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let reqwest = reqwest.build().unwrap();
    for scheme in SCHEMES {
        let signer = signer(scheme).with_nonce();
        let stack = ServiceBuilder::new()
            .layer(FollowRedirectLayer::new())
            .layer(SignLayer::for_origins(signer, [&servers.origin]).unwrap());
        let request = |path: &str| {
            let request = Request::get(format!("{}{path}", servers.origin));
            request.header("accept", "text/plain").body(Body::default()).unwrap()
        };
        let what = format!("hyper {scheme}");
        let client = stack.clone().service(hyper.clone());
        let response = client.clone().oneshot(request("/old")).await.unwrap();
        assert_eq!(response.status(), 200, "{what}");
        servers.assert_signed_anew(3, &what);
        assert_eq!(client.oneshot(request("/away")).await.unwrap().status(), 200, "{what}");
        servers.assert_nothing_leaked(&what);
        servers.assert_signed_anew(1, &what);

        // reqwest as a tower service, whose response is made one of `http`.
        let what = format!("reqwest {scheme}");
        let client = stack
            .filter(|request: Request<Body>| {
                reqwest::Request::try_from(request.map(reqwest::Body::wrap))
            })
            .map_response(http::Response::<reqwest::Body>::from)
            .service(reqwest.clone());
        let response = client.clone().oneshot(request("/old")).await.unwrap();
        assert_eq!(response.status(), 200, "{what}");
        servers.assert_signed_anew(3, &what);
        assert_eq!(client.oneshot(request("/away")).await.unwrap().status(), 200, "{what}");
        servers.assert_nothing_leaked(&what);
        servers.ours.take();
    }
}

#[tokio::test]
async fn reqwest_hands_back_what_our_policy_says_and_a_loop_above_it_follows() {
    let servers = servers().await;
    let origin = &servers.origin;
    for scheme in SCHEMES {
        let policy = policy_for_origins([origin]).unwrap();
        let inner = reqwest::Client::builder().redirect(policy).build().unwrap();
        let sign = SignMiddleware::for_origins(signer(scheme).with_nonce(), [origin]).unwrap();
        let client = ClientBuilder::new(inner).with(sign).build();
        for (path, times, end) in [("/old", 3, "signed anew"), ("/away", 1, "collected")] {
            let mut url = reqwest::Url::parse(&format!("{origin}{path}")).unwrap();
            let response = loop {
                let get = client.get(url.clone()).header("accept", "text/plain");
                let response = get.send().await.unwrap();
                let Some(location) = response.headers().get("location") else { break response };
                // Handed back, and nobody else was called.
                assert!(response.status().is_redirection() && servers.theirs.take().is_empty());
                url = url.join(location.to_str().unwrap()).unwrap();
            };
            assert_eq!(response.text().await.unwrap(), end, "{scheme}");
            servers.assert_signed_anew(times, path);
        }
        servers.assert_nothing_leaked("handed back");
    }
}
