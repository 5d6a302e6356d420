//! The digests of the bodies that the real SDKs sent.

use super::full;
use crate::common::{refusal, vectors};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use std::collections::BTreeMap;
use tower::{ServiceBuilder, ServiceExt as _, service_fn};
use tower_fc::clock::FixedClock;
use tower_fc::digest::{BodyPolicy, CheckDigestLayer};
use tower_fc::error::BoxError;
use tower_fc::{RejectionKind, VerifyLayer};

#[tokio::test]
async fn the_bodies_that_the_real_sdks_signed_have_the_digests_they_signed() {
    let mut checked: BTreeMap<String, usize> = BTreeMap::new();
    for vector in vectors::read(vectors::VERIFIABLE) {
        let names = ["content-md5", "x-acs-content-sha256"];
        let mut digests = names.into_iter().filter_map(|name| vector.parts.headers.get(name));
        let digest = digests.next_back().map_or(0, |digest| digest.len());
        if digest == 0 {
            continue;
        }
        let sm3 = vector.scheme.name() == "acs3-sm3";
        let request = Request::from_parts(vector.parts.clone(), full(vector.body.clone()));
        let verifier = vector.verifier(vector.own_dialect()).with_insecure_observation();
        let clock = FixedClock::at(vector.verified_at());
        let service = ServiceBuilder::new()
            .layer(VerifyLayer::new(verifier).with_clock(clock))
            .layer(CheckDigestLayer::new().with_policy(BodyPolicy::Require).buffered(1 << 20))
            .service(service_fn(echo_bytes));
        let response = service.oneshot(request).await.unwrap();

        // Go's older SDK hashes another text than it sends, and a client did not send the
        // body of this DELETE.
        let signs_another = vector.dialect == "fc/go-fc" || vector.id == "d-nodeoa-acs3gen-0414";
        let expected = signs_another.then_some(RejectionKind::BodyDigestMismatch);
        assert_eq!(refusal(&response), expected, "{}", vector.id);
        let form = match digest {
            _ if signs_another => "of another body".to_owned(),
            24 => "base64".to_owned(),
            32 => "hex".to_owned(),
            44 => "base64 of hex".to_owned(),
            64 if sm3 => "sm3".to_owned(),
            len => format!("{len} digits"),
        };
        *checked.entry(format!("{}, {form}", vector.dialect)).or_default() += 1;
    }
    for (row, count) in &checked {
        println!("{count:3}  {row}");
    }
    for (row, count) in [
        ("fc/py-gateway, base64", 7),
        ("fc/py-gateway, hex", 6),
        ("fc/py-gateway, base64 of hex", 9),
        ("fc/go-gateway, hex", 29),
        ("fc/node-fc2, base64 of hex", 12),
        ("fc/api, base64 of hex", 1),
        ("fc/go-fc, of another body", 3),
    ] {
        assert_eq!(checked.get(row), Some(&count), "{row}");
    }
    let sm3 = checked.iter().filter(|(row, _)| row.ends_with("sm3")).map(|(_, count)| count);
    assert_eq!(sm3.sum::<usize>(), if cfg!(feature = "sm3") { 11 } else { 0 });
}

async fn echo_bytes<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, BoxError>
where
    B: Body<Error = BoxError>,
{
    Ok(Response::new(Full::new(request.into_body().collect().await?.to_bytes())))
}
