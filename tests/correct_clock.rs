//! `SignLayer::correcting_clock`: clients whose clocks are wrong, against real servers.

use crate::common::bodies::Pieces;
use crate::common::{
    HEADER_SCHEMES, ID, Random, call, client, credentials, read, read_error, serve, signer,
    verifier,
};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt as _, Full};
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};
use tower::{Layer as _, Service as _, ServiceBuilder, ServiceExt as _, service_fn};
use tower_fc::clock::Clock;
use tower_fc::credentials::CachedCredentials;
use tower_fc::error::Error;
use tower_fc::protocol::{Schemes, format_http_date};
use tower_fc::{Credentials, Scheme, SignLayer, Signer, VerifiedCaller, VerifyLayer};

/// The system's clock, and some seconds off.
#[derive(Clone)]
struct Off(Arc<AtomicI64>);

impl Off {
    fn by(seconds: i64) -> Self {
        Self(Arc::new(AtomicI64::new(seconds)))
    }

    fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for Off {
    fn now(&self) -> SystemTime {
        let off = self.0.load(Ordering::SeqCst);
        let distance = Duration::from_secs(off.unsigned_abs());
        let now = SystemTime::now();
        if off < 0 { now - distance } else { now + distance }
    }
}

const HALF_AN_HOUR: i64 = 1_800;

/// Starts a server that verifies, and counts what arrives.
async fn server() -> (SocketAddr, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let verify = VerifyLayer::new(verifier().with_schemes(Schemes::all()));
    let server = ServiceBuilder::new()
        .map_request(move |request: Request<hyper::body::Incoming>| {
            counted.fetch_add(1, Ordering::SeqCst);
            request
        })
        .layer(verify)
        .service(service_fn(|request: Request<hyper::body::Incoming>| async move {
            let caller = request.extensions().get::<VerifiedCaller>().unwrap().clone();
            assert_eq!(caller.access_key_id(), ID);
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Ok::<_, Infallible>(Response::new(Full::new(body)))
        }));
    (serve(server).await, count)
}

fn post(address: SocketAddr, text: &'static str) -> Request<Full<Bytes>> {
    Request::post(format!("http://{address}/pay?a=b")).body(Full::from(text)).unwrap()
}

fn took(count: &AtomicUsize) -> usize {
    count.swap(0, Ordering::SeqCst)
}

#[tokio::test]
async fn a_client_half_an_hour_off_sends_two_requests_and_later_one() {
    for scheme in HEADER_SCHEMES {
        for off in [-HALF_AN_HOUR, HALF_AN_HOUR] {
            for http2 in [false, true] {
                let (address, count) = server().await;
                let sign = SignLayer::new(signer(scheme)).with_clock(Off::by(off));
                let sign = sign.correcting_clock();
                let mut service = sign.layer(client(http2));
                for expected in [2, 1, 1] {
                    let response = call(&mut service, post(address, "money")).await.unwrap();
                    assert_eq!(response.status(), 200, "{scheme} {off}");
                    assert_eq!(read(response).await, "money");
                    assert_eq!(took(&count), expected, "{scheme} {off}");
                }
                let corrected = sign.clock().offset_millis();
                assert!((corrected + off * 1_000).abs() < 2_000, "{corrected}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_first_calls_at_once_all_succeed() {
    let (address, count) = server().await;
    let sign = SignLayer::new(credentials()).with_clock(Off::by(-HALF_AN_HOUR)).correcting_clock();
    let service = sign.layer(client(false));
    let calls: Vec<_> =
        (0..100).map(|_| tokio::spawn(service.clone().oneshot(post(address, "money")))).collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    let requests = took(&count);
    assert!((101..=200).contains(&requests), "{requests}");
}

#[tokio::test]
async fn a_wrong_key_is_never_tried_again() {
    let (address, count) = server().await;
    for (id, code) in [(ID, "SignatureNotMatch"), ("stranger", "InvalidAccessKeyID")] {
        // By the right time at once; by a wrong one once that is known.
        for (off, expected) in [(0, [1, 1]), (-HALF_AN_HOUR, [2, 1])] {
            let wrong = Credentials::new(id, "guess").unwrap();
            let sign = SignLayer::new(wrong).with_clock(Off::by(off)).correcting_clock();
            let mut service = sign.layer(client(false));
            for expected in expected {
                let response = call(&mut service, post(address, "money")).await.unwrap();
                assert_eq!(read_error(response).await.0, code);
                assert_eq!(took(&count), expected, "{code} {off}");
            }
        }
    }
}

#[tokio::test]
async fn where_a_body_cannot_be_sent_twice_the_offset_is_learnt_and_the_refusal_handed_back() {
    let (address, count) = server().await;
    let sign = SignLayer::new(credentials()).with_clock(Off::by(-HALF_AN_HOUR)).correcting_clock();
    let mut service = sign.with_body_copy(|_: &Full<Bytes>| None).layer(client(false));
    let response = call(&mut service, post(address, "money")).await.unwrap();
    assert_eq!(response.status(), 403);
    let exact = response.body().size_hint().exact();
    let body = read(response).await;
    assert_eq!(exact, Some(body.len() as u64));
    let (code, message) = read_error(Response::new(Full::new(body))).await;
    assert_eq!(code, "AccessDenied");
    assert!(message.contains("is too large"), "{message}");
    assert_eq!(took(&count), 1);
    let response = call(&mut service, post(address, "money")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(took(&count), 1);
}

#[tokio::test]
async fn a_clock_that_is_set_right_is_corrected_once_more() {
    let (address, count) = server().await;
    let clock = Off::by(-HALF_AN_HOUR);
    let sign = SignLayer::new(credentials()).with_clock(clock.clone()).correcting_clock();
    let mut service = sign.layer(client(false));
    for (off, expected) in [(-HALF_AN_HOUR, 2), (0, 2), (0, 1), (2 * HALF_AN_HOUR, 2)] {
        clock.set(off);
        let response = call(&mut service, post(address, "money")).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(took(&count), expected, "{off}");
    }
}

/// Starts a server that refuses everything because of time, with these headers besides.
async fn refusing(headers: &[(&'static str, String)]) -> (SocketAddr, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let (counted, headers) = (Arc::clone(&count), headers.to_vec());
    let server = service_fn(move |_: Request<hyper::body::Incoming>| {
        counted.fetch_add(1, Ordering::SeqCst);
        let mut response = Response::builder().status(403);
        for (name, value) in &headers {
            response = response.header(*name, value);
        }
        std::future::ready(Ok::<_, Infallible>(
            response.body(Full::<Bytes>::from(TOO_LARGE)).unwrap(),
        ))
    });
    (serve(server).await, count)
}

/// What it is, the headers of a refusal, the bound in seconds, whether it is a stranger's, and by
/// how many seconds it moves the clock.
type Case = (&'static str, Vec<(&'static str, String)>, Option<u64>, bool, i64);

const TOO_LARGE: &str = r#"{"ErrorCode":"AccessDenied","ErrorMessage":"the difference between the request time 'a' and the current time 'b' is too large"}"#;

fn date(off: i64) -> String {
    String::from_utf8(format_http_date(Off::by(off).now()).to_vec()).unwrap()
}

#[tokio::test]
async fn nobody_moves_the_clock_beyond_the_bound_or_out_of_a_cache_or_without_a_signature() {
    let day = 24 * 60 * 60;
    let stranger = "http://demo.example:1/".to_owned();
    let cases: [Case; 11] = [
        ("a day and more", vec![("date", date(day + 10))], None, false, 0),
        ("a day and more back", vec![("date", date(-day - 10))], None, false, 0),
        ("ages", vec![("date", date(100 * 365 * day))], None, false, 0),
        ("near a day", vec![("date", date(day - 10))], None, false, day - 10),
        ("near a day back", vec![("date", date(10 - day))], None, false, 10 - day),
        ("a bound of a minute", vec![("date", date(70))], Some(60), false, 0),
        ("within it", vec![("date", date(50))], Some(60), false, 50),
        ("from a cache", vec![("date", date(500)), ("age", "3".to_owned())], None, false, 0),
        ("no time", vec![("date", "soon".to_owned())], None, false, 0),
        ("the same time", vec![("date", date(0))], None, false, 0),
        ("to a stranger", vec![("date", date(500))], None, true, 0),
    ];
    for (name, headers, bound, to_stranger, expected) in cases {
        let (address, count) = refusing(&headers).await;
        let own = format!("http://{address}");
        let origin = if to_stranger { &stranger } else { &own };
        let sign = SignLayer::for_origins(credentials(), [origin]).unwrap().correcting_clock();
        let sign = match bound {
            Some(seconds) => sign.with_max_offset(Duration::from_secs(seconds)),
            None => sign,
        };
        let mut service = sign.layer(client(false));
        let response = call(&mut service, post(address, "money")).await.unwrap();
        assert_eq!(response.status(), 403, "{name}");
        assert_eq!(read(response).await, TOO_LARGE, "{name}");
        let offset = sign.clock().offset_millis();
        assert!((offset - expected * 1_000).abs() < 3_000, "{name}: {offset}");
        assert_eq!(expected == 0, offset == 0, "{name}: {offset}");
        // One more, where it may help, and no third.
        assert_eq!(took(&count), if expected == 0 { 1 } else { 2 }, "{name}");
    }
}

/// However often and by whatever dates servers refuse, the clock stays within its bound, and no
/// call sends more than two requests.
#[tokio::test]
async fn no_sequence_of_answers_moves_the_clock_beyond_its_bound() {
    let mut random = Random::seeded();
    for _ in 0..50 {
        let bound = random.next() % 5_000;
        let theirs = Arc::new(AtomicI64::new(0));
        let (count, off) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&theirs));
        let counted = Arc::clone(&count);
        let server = service_fn(move |_: Request<Full<Bytes>>| {
            counted.fetch_add(1, Ordering::SeqCst);
            let response =
                Response::builder().status(403).header("date", date(off.load(Ordering::SeqCst)));
            std::future::ready(Ok::<_, Infallible>(
                response.body(Full::<Bytes>::from(TOO_LARGE)).unwrap(),
            ))
        });
        let sign = SignLayer::new(credentials()).correcting_clock();
        let sign = sign.with_max_offset(Duration::from_secs(bound));
        let mut service = sign.layer(server);
        for _ in 0..40 {
            let off = (random.next() % 20_000).cast_signed() - 10_000;
            theirs.store(off, Ordering::SeqCst);
            let request = Request::get("http://demo.example/").body(Full::default()).unwrap();
            let response = call(&mut service, request).await.unwrap();
            assert_eq!(read(response).await, TOO_LARGE);
            let offset = sign.clock().offset_millis().unsigned_abs();
            assert!(offset <= bound * 1_000, "{offset} of {bound} s");
            assert!((1..=2).contains(&took(&count)));
        }
    }
}

#[tokio::test]
async fn a_grpc_call_is_sent_again_too() {
    let (address, count) = server().await;
    let sign = SignLayer::new(credentials()).with_clock(Off::by(-HALF_AN_HOUR)).correcting_clock();
    let mut service = sign.layer(client(true));
    for expected in [2, 1] {
        let mut request = post(address, "money");
        request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        let response = call(&mut service, request).await.unwrap();
        assert!(!response.headers().contains_key("grpc-status"));
        assert_eq!(read(response).await, "money");
        assert_eq!(took(&count), expected);
    }
}

#[tokio::test]
async fn credentials_can_be_awaited_by_the_same_clock() {
    let (address, count) = server().await;
    let slow = Off::by(-HALF_AN_HOUR);
    // They end in ten minutes, which are over already by this clock once it is right.
    let provider = async || {
        let end = SystemTime::now() + Duration::from_secs(600);
        Ok::<_, Error>(credentials().with_expires_at(end))
    };
    let signer = Signer::new(CachedCredentials::new(provider)).with_scheme(Scheme::Acs3HmacSha256);
    let sign = SignLayer::new(signer.unwrap()).with_clock(slow);
    let sign = sign.correcting_clock().awaiting_credentials();
    let mut service = ServiceBuilder::new()
        .buffer::<Request<Full<Bytes>>>(1)
        .concurrency_limit(1)
        .layer(sign)
        .buffer(1)
        .concurrency_limit(1)
        .service(client(false));
    for expected in [2, 1] {
        let response = service.ready().await.unwrap().call(post(address, "money")).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(took(&count), expected);
    }
}

/// The frames of a body, in words.
async fn frames<B>(body: B) -> Vec<String>
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let (mut body, mut frames) = (pin!(body), Vec::new());
    loop {
        let hint = body.size_hint();
        let is_end = body.is_end_stream();
        let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await else { break };
        assert!(!is_end, "{frames:?}");
        frames.push(match frame.map(Frame::into_data) {
            Ok(Ok(data)) => {
                assert!(hint.upper().is_none_or(|upper| upper >= data.len() as u64));
                format!("{data:?}")
            }
            Ok(Err(other)) => format!("{:?}", other.into_trailers().unwrap()),
            Err(error) => {
                frames.push(format!("{error:?}"));
                break;
            }
        });
    }
    frames
}

/// Whatever a refusal looks like, it is handed on as it was.
#[tokio::test]
async fn an_answer_is_handed_on_unharmed() {
    let mut random = Random::seeded();
    for _ in 0..500 {
        let pieces: Vec<Result<Frame<Bytes>, &'static str>> = (0..random.below(6))
            .map(|_| match random.below(8) {
                0 => Err("broken off"),
                1 => Ok(Frame::trailers(HeaderMap::from_iter([(
                    http::header::ETAG,
                    "x".parse().unwrap(),
                )]))),
                2 => Ok(Frame::data(vec![b'x'; 6_000].into())),
                3 => Ok(Frame::data(TOO_LARGE.into())),
                4 => Ok(Frame::data(Bytes::new())),
                _ => Ok(Frame::data("some text".into())),
            })
            .collect();
        let copy = |pieces: &[Result<Frame<Bytes>, &'static str>]| {
            let copy = pieces.iter().map(|piece| match piece {
                Ok(frame) => Ok(match (frame.data_ref(), frame.trailers_ref()) {
                    (Some(data), _) => Frame::data(data.clone()),
                    (_, Some(trailers)) => Frame::trailers(trailers.clone()),
                    _ => unreachable!(),
                }),
                Err(error) => Err(*error),
            });
            Pieces::from_frames(copy)
        };
        let expected = frames(copy(&pieces)).await;
        let body = Arc::new(std::sync::Mutex::new(Some(copy(&pieces))));
        let status =
            [StatusCode::FORBIDDEN, StatusCode::BAD_REQUEST, StatusCode::OK][random.below(3)];
        let server = service_fn(move |_: Request<()>| {
            let body = body.lock().unwrap().take().unwrap();
            let response = Response::builder().status(status).header("date", date(5_000));
            std::future::ready(Ok::<_, Infallible>(response.body(body).unwrap()))
        });
        let sign = SignLayer::new(credentials()).correcting_clock().with_body_copy(|(): &()| None);
        let request = Request::get("http://demo.example/").body(()).unwrap();
        let response = sign.layer(server).oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(frames(response.into_body()).await, expected);
    }
}

#[tokio::test]
async fn no_more_of_an_answer_is_read_than_is_needed() {
    let body = Pieces::from_frames(
        (0..100).map(|_| Ok::<_, &'static str>(Frame::data(Bytes::from(vec![b'x'; 1_000])))),
    );
    let (polled, body) = (Arc::clone(&body.polls), std::sync::Mutex::new(Some(body)));
    let server = |_: Request<()>| {
        let body = body.lock().unwrap().take().unwrap();
        let response = Response::builder().status(403).header("date", date(5_000));
        std::future::ready(Ok::<_, Infallible>(response.body(body).unwrap()))
    };
    let sign = SignLayer::new(credentials()).correcting_clock();
    let request = Request::get("http://demo.example/").body(()).unwrap();
    let response = sign.layer(service_fn(server)).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(polled.load(Ordering::SeqCst), 9);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), 100_000);
}
