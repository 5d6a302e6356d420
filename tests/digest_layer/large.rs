//! Large bodies take no memory but that of what is buffered.

use super::{Way, kept, post};
use crate::common::bodies::{Generated, Pieces, drain};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use std::convert::Infallible;
use std::io;
use std::task::{Context, Waker};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_fc::Scheme;
use tower_fc::digest::Md5Encoding;
use tower_fc::digest::{BodyDigestMismatch, BufferedBody};
use tower_fc::digest::{BodyPolicy, SetDigestLayer};

/// 1 GiB with optimisations; a sixteenth of it without, where hashing is slow.
const LARGE: u64 = if cfg!(debug_assertions) { 1 << 26 } else { 1 << 30 };

#[tokio::test]
async fn a_large_body_is_checked_in_constant_memory() {
    let [md5, sha256] = match LARGE {
        0x4000_0000 => [
            "cd573cfaace07e7949bc0c46028904ff",
            "49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14",
        ],
        _ => [
            "7f614da9329cd3aebf59b91aadc30bf0",
            "3b6a07d0d404fab4e23b6d34bc6696a6a312dd92821332385e5af7c01c421351",
        ],
    };
    for (scheme, header, value) in
        [(Scheme::Fc, "content-md5", md5), (Scheme::Acs3HmacSha256, "x-acs-content-sha256", sha256)]
    {
        for (len, right) in [(LARGE, true), (LARGE - 1, false)] {
            let request = post(scheme, &[(header, value)], Generated::of(len));
            let body = kept(Way::Streaming, BodyPolicy::Require, request).await;
            let mut result = None;
            let used = allocation_counter::measure(|| result = Some(drain(body)));
            match result.unwrap() {
                Ok(read) => assert!(right && read == len),
                Err(error) => assert!(!right && error.is::<BodyDigestMismatch>()),
            }
            // Of all of it, only the error is ever allocated.
            assert!(used.bytes_max <= 64, "{header}: {} bytes at once", used.bytes_max);
            assert!(used.count_total <= 1, "{header}: {} allocations", used.count_total);
        }
    }
}

#[tokio::test]
async fn a_buffer_grows_with_what_comes_and_not_with_what_is_said_or_in_small_pieces() {
    // 4 000 pieces of one byte take little more than their bytes.
    let pieces = || {
        let piece = || Ok(Frame::data(Bytes::from_static(b"a")));
        Pieces::<Infallible>::from_frames(std::iter::repeat_with(piece).take(4000))
    };
    let mut future = Box::pin(
        SetDigestLayer::new(Md5Encoding::default())
            .layer(service_fn(answer))
            .oneshot(Request::new(pieces())),
    );
    let cx = &mut Context::from_waker(Waker::noop());
    let used = allocation_counter::measure(|| assert!(future.as_mut().poll(cx).is_ready()));
    assert!(used.bytes_max < 16_384, "{} bytes", used.bytes_max);
    // What claims to be large has not taken memory before it comes.
    let body = Pieces::of(["a"]).claiming(30 << 20).then(Err(io::ErrorKind::TimedOut.into()));
    let future = SetDigestLayer::new(Md5Encoding::default())
        .layer(service_fn(answer))
        .oneshot(Request::new(body));
    let mut future = Box::pin(future);
    let used = allocation_counter::measure(|| assert!(future.as_mut().poll(cx).is_ready()));
    assert!(used.bytes_max < 1024, "{} bytes", used.bytes_max);
}

async fn answer(request: Request<BufferedBody>) -> Result<Response<()>, Infallible> {
    drop(request);
    Ok(Response::new(()))
}
