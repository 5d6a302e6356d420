//! One outcome for each request, and what is written down and counted of it.

#[cfg(all(feature = "metrics", feature = "tracing"))]
mod operate;
#[cfg(feature = "metrics")]
mod recorder;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod requests;
#[cfg(feature = "tracing")]
mod writer;

use crate::common::bodies::Pieces;
use crate::common::{Told, at, call, clock, credentials, get, signed, signed_by, verify_layer};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tower::{Layer as _, ServiceBuilder, ServiceExt as _, service_fn};
use tower_fc::Signer;
use tower_fc::digest::{CheckDigestLayer, CheckedBody};
use tower_fc::replay::{MemoryReplayGuard, ReplayLayer};
use tower_fc::verify::Mode;

/// `abc` in hexadecimal MD5.
const MD5: &str = "900150983cd24fb0d6963f7d28e17f72";

fn post(text: &[&'static str], number: usize) -> Request<Pieces> {
    let body = Pieces::from_frames(
        text.iter().map(|piece| Ok(http_body::Frame::data(Bytes::from_static(piece.as_bytes())))),
    );
    let request = Request::post(format!("/{number}")).header("content-md5", MD5).body(body);
    signed_by(&Signer::new(credentials()), request.unwrap(), at(0))
}

#[tokio::test]
async fn a_request_has_one_outcome_which_is_decided_at_its_end() {
    for buffered in [false, true] {
        let told = Told::default();
        let verify = verify_layer()
            .with_mode(Mode::Optional)
            .with_exemption(|_, uri, _| uri.path() == "/health")
            .with_observer(told.observer());
        let replay = ReplayLayer::new(MemoryReplayGuard::new(100)).with_clock(clock());
        // Whatever it thinks of a body, it answers 200; and some it does not read.
        let service = service_fn(|request: Request<CheckedBody<Pieces>>| async move {
            if request.uri().path() != "/unread" {
                let _ = request.into_body().collect().await;
            }
            Ok::<_, Infallible>(Response::new(String::new()))
        });
        let check = CheckDigestLayer::new();
        let mut service = if buffered {
            let inner = check.buffered(100).layer(service).map_response(drop_body).boxed_clone();
            verify.layer(replay.layer(inner)).map_response(drop_body).boxed_clone()
        } else {
            let inner = check.layer(service).map_response(drop_body).boxed_clone();
            verify.layer(replay.layer(inner)).map_response(drop_body).boxed_clone()
        };
        let mut outcome = async |request: Request<Pieces>| {
            call(&mut service, request).await.unwrap();
            told.take().join(", ")
        };
        let id = crate::common::ID;
        assert_eq!(outcome(post(&["a", "bc"], 1)).await, format!("{id} 0"));
        assert_eq!(outcome(post(&["a", "bc"], 1)).await, format!("Replayed of {id}"));
        assert_eq!(outcome(post(&["a", "bd"], 2)).await, format!("BodyDigestMismatch of {id}"));
        let plain = |path: &str| get(path).map(|()| Pieces::of([]));
        assert_eq!(outcome(signed(plain("/unread"))).await, format!("{id} 0"));
        assert_eq!(outcome(plain("/")).await, "Anonymous");
        assert_eq!(outcome(plain("/health")).await, "Exempt");
        let mut changed = post(&["a", "bc"], 3);
        *changed.uri_mut() = "/4".parse().unwrap();
        assert_eq!(outcome(changed).await, format!("SignatureMismatch of {id}"));
    }
}

fn drop_body<B>(response: Response<B>) -> Response<()> {
    response.map(|_| ())
}

#[tokio::test]
async fn a_body_that_outlives_the_answer_is_waited_for() {
    let told = Told::default();
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let service = service_fn(move |request: Request<CheckedBody<Pieces>>| {
        *keep.lock().unwrap() = Some(request.into_body());
        std::future::ready(Ok::<_, Infallible>(Response::new(String::new())))
    });
    let verify = verify_layer().with_observer(told.observer());
    let service = verify.layer(CheckDigestLayer::new().layer(service));
    for (text, expected) in
        [(["a", "bc"], "LTAI5tExample 0"), (["a", "bd"], "BodyDigestMismatch of LTAI5tExample")]
    {
        service.clone().oneshot(post(&text, 1)).await.unwrap();
        assert_eq!(told.take(), [""; 0]);
        let body = kept.lock().unwrap().take().unwrap();
        let _ = body.collect().await;
        assert_eq!(told.take(), [expected]);
    }
    // One that is never read.
    service.oneshot(post(&["a", "bd"], 1)).await.unwrap();
    drop(kept.lock().unwrap().take());
    assert_eq!(told.take(), ["LTAI5tExample 0"]);
}

#[tokio::test]
async fn layers_around_each_other_are_each_told_once() {
    let (outer, inner) = (Told::default(), Told::default());
    let around = verify_layer().with_observer(outer.observer());
    let within = verify_layer().with_observer(inner.observer());
    let replay = ReplayLayer::new(MemoryReplayGuard::new(100)).with_clock(clock());
    let service = ServiceBuilder::new()
        .layer(around)
        .layer(within)
        .layer(replay)
        .service(crate::common::Counting::default());
    let request = signed(get("/"));
    for expected in ["LTAI5tExample 0", "Replayed of LTAI5tExample"] {
        service.clone().oneshot(request.clone()).await.unwrap();
        assert_eq!(inner.take(), [expected]);
        assert_eq!(outer.take(), [expected]);
    }
}

#[cfg(feature = "metrics")]
#[test]
fn what_becomes_of_requests_is_counted_by_labels_of_a_fixed_number() {
    use tower_fc::observe;
    let recorder = recorder::Recorder::default();
    metrics::with_local_recorder(&recorder, || {
        observe::describe();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(requests::send(observe::count));
        observe::count_credentials(Ok(&credentials()));
        observe::count_credentials(Err(&tower_fc::error::Error::provider("away")));
        observe::count_clock(1_800_250);
    });
    let refused = |kind: &str| {
        format!(
            "tower_fc_requests_total outcome=refused kind={kind} scheme=none dialect=none key=none"
        )
    };
    let expected = [
        ("tower_fc_clock_corrections_total".to_owned(), 1),
        ("tower_fc_credentials_total outcome=failed".to_owned(), 1),
        ("tower_fc_credentials_total outcome=obtained".to_owned(), 1),
        (
            "tower_fc_requests_total outcome=anonymous kind=none scheme=none dialect=none key=none"
                .to_owned(),
            1,
        ),
        (refused("key_store_unavailable"), 1),
        (refused("replayed"), 1),
        (refused("request_time_too_skewed"), 1),
        (
            "tower_fc_requests_total outcome=verified kind=none scheme=fc dialect=standard key=second"
                .to_owned(),
            2,
        ),
        ("tower_fc_store_failures_total kind=key_store_unavailable".to_owned(), 1),
    ];
    assert_eq!(recorder.counters(), expected.into());
    assert_eq!(recorder.gauge("tower_fc_clock_offset_seconds"), Some(1_800.25));
    assert_eq!(recorder.recorded("tower_fc_signature_age_seconds scheme=fc"), [0.0, 60.0]);
    assert_eq!(recorder.described(), 6);
}

#[cfg(feature = "tracing")]
#[test]
fn what_becomes_of_requests_is_written_down_with_its_causes() {
    use tower_fc::observe;
    let writer = writer::Writer::default();
    tracing::subscriber::with_default(writer.clone(), || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(requests::send(observe::trace));
        let until = credentials().with_expires_at(at(60));
        observe::trace_credentials(Ok(&until));
        observe::trace_credentials(Err(&tower_fc::error::Error::provider("STS is away")));
        observe::trace_clock(-5_000);
    });
    let id = crate::common::ID;
    let end = crate::common::NOW + 60;
    let verified = |age: &str| {
        format!(
            "DEBUG request verified access_key_id=\"{id}\" scheme=\"fc\" dialect=\"standard\" \
             key=1 age_seconds={age}"
        )
    };
    let expected = [
        verified("0.0"),
        verified("60.0"),
        format!(
            "INFO request refused kind=\"replayed\" access_key_id=\"{id}\" reason=\"the same \
             signed request has been received before\""
        ),
        "DEBUG request passed outcome=\"anonymous\"".to_owned(),
        "ERROR request could not be decided kind=\"key_store_unavailable\" \
         access_key_id=\"down\" reason=\"access keys cannot be looked up at the moment\" \
         error=access keys could not be looked up: no route to the vault"
            .to_owned(),
        format!(
            "INFO request refused kind=\"request_time_too_skewed\" access_key_id=\"{id}\" \
             reason=\"the difference between the request time 'Sat, 21 Nov 2026 17:40:20 GMT' and \
             the current time 'Sat, 21 Nov 2026 17:57:00 GMT' is too large\""
        ),
        format!("INFO credentials obtained access_key_id=\"{id}\" expires_at={end}"),
        "WARN credentials could not be obtained error=credentials could not be obtained: STS is away"
            .to_owned(),
        "WARN clock corrected offset_millis=-5000".to_owned(),
    ];
    assert_eq!(writer.take(), expected);
}
