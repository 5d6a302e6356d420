//! `Verifier::with_sdks`: whom to expect, by name.

use super::{get, kind, parts, verifier};
use crate::common::vectors::{VERIFIABLE, read};
use crate::common::{at, careless, signed_by};
use http::{HeaderName, HeaderValue};
use tower_fc::protocol::{Ambiguity, Sdk};
use tower_fc::{RejectionKind, Scheme};

/// What the recorded requests of an SDK are signed in.
const RECORDED: [(Sdk, &[&str]); 13] = [
    (Sdk::PythonFc2, &["fc/py-fc2", "fc/api"]),
    (Sdk::PythonGatewayFcUtil, &["fc/py-gateway"]),
    (Sdk::PythonFcOpen20210406, &["fc/py-gateway", "acs3/py"]),
    (Sdk::PythonOpenApiUtil, &["acs3/py", "acs3/py-doc", "acs/py"]),
    (Sdk::NodeFc2, &["fc/node-fc2", "fc/api"]),
    (Sdk::NodeOpenApiUtil, &["acs3/node", "acs3/node-doc", "acs/node"]),
    (Sdk::GoFc, &["fc/go-fc", "fc-presigned/go-fc"]),
    (Sdk::GoGatewayFcUtil, &["fc/go-gateway"]),
    (Sdk::GoFcOpen20210406, &["fc/go-gateway", "acs3/go"]),
    (Sdk::GoOpenApiUtil, &["acs3/go", "acs3/go-doc", "acs/go"]),
    (Sdk::JavaGatewayFcUtil, &["fc/java-gateway"]),
    (Sdk::JavaFcOpen20210406, &["fc/java-gateway", "acs3/java"]),
    (Sdk::JavaOpenApiUtil, &["acs3/java", "acs3/java-doc", "acs/java"]),
];

#[test]
fn what_verifies_in_the_dialects_of_an_sdk_verifies_under_its_name() {
    let vectors = read(VERIFIABLE);
    for (sdk, dialects) in RECORDED {
        let mut seen = 0;
        for vector in &vectors {
            let is_own = dialects.contains(&vector.dialect.as_str());
            if !is_own || vector.scheme.name() == "acs3-sm3" {
                continue;
            }
            seen += 1;
            let now = vector.verified_at();
            let own = vector.verifier(vector.own_dialect());
            let named = own.clone().with_sdks([sdk]);
            let (own, named) =
                (own.verify_at(&vector.parts, now), named.verify_at(&vector.parts, now));
            assert!(own.is_err() || named.is_ok(), "{sdk:?}: {}: {named:?}", vector.id);
        }
        assert!(seen > 3, "{sdk:?}: {seen}");
    }
}

#[test]
fn of_headers_that_are_left_unsigned_none_steers() {
    let refused = Some(RejectionKind::UnsignedHeader);
    let cases: [(&[(&str, &str)], _, _); 10] = [
        (&[], None, None),
        (&[("x-fc-invocation-type", "Sync")], None, refused),
        (&[("x-fc-log-type", "Tail"), ("x-fc-invocation-type", "Sync")], None, refused),
        (&[("x-fc-invocation-type", "Async")], refused, refused),
        (&[("x-fc-invocation-type", "sync")], refused, refused),
        (&[("x-fc-invocation-type", "")], refused, refused),
        (&[("x-fc-async-delay", "5"), ("x-fc-invocation-type", "Sync")], refused, refused),
        (&[("x-fc-async-task-id", "task-1")], refused, refused),
        (&[("x-fc-stateful-async-invocation-id", "task-1")], refused, refused),
        (&[("x-fc-trace-id", "t-1")], refused, refused),
    ];
    for (headers, expected, without) in cases {
        let by = careless(Scheme::Acs3HmacSha256);
        let mut request = signed_by(&by, get("/").body(()).unwrap(), at(0)).into_parts().0;
        for (name, value) in headers {
            let value = HeaderValue::from_static(value);
            request.headers.append(HeaderName::from_static(name), value);
        }
        let verdict = |sdk| kind(verifier().with_sdks([sdk]).verify_at(&request, at(0)));
        assert_eq!(verdict(Sdk::NodeFc20230330), expected, "{headers:?}");
        assert_eq!(verdict(Sdk::PythonFc20230330), without, "{headers:?}");
        // Named apart, they may be there.
        let named = headers.iter().fold(verifier().with_sdks([Sdk::NodeFc20230330]), |all, one| {
            all.with_insecure_unsigned_header(HeaderName::from_static(one.0))
        });
        assert_eq!(kind(named.verify_at(&request, at(0))), None, "{headers:?}");
    }
    // A second value, after one that is let through.
    let by = careless(Scheme::Acs3HmacSha256);
    let mut request = signed_by(&by, get("/").body(()).unwrap(), at(0)).into_parts().0;
    for value in ["Sync", "Async"] {
        request.headers.append("x-fc-invocation-type", HeaderValue::from_static(value));
    }
    let verdict = verifier().with_sdks([Sdk::NodeFc20230330]).verify_at(&request, at(0));
    assert_eq!(kind(verdict), refused);
}

#[test]
fn names_add_up_and_take_the_place_of_those_before() {
    let fc = signed_by(&careless(Scheme::Fc), get("/?a=1&b=2").body(()).unwrap(), at(0));
    let fc = fc.into_parts().0;
    let both = verifier().with_sdks([Sdk::PythonFc20230330, Sdk::GoGatewayFcUtil]);
    assert!(both.verify_at(&fc, at(0)).is_ok());
    let one = both.clone().with_sdks([Sdk::PythonFc20230330]);
    assert_eq!(kind(one.verify_at(&fc, at(0))), Some(RejectionKind::UnsupportedScheme));
    // Nobody is expected: all are refused.
    assert!(both.with_sdks([]).verify_at(&fc, at(0)).is_err());

    // The strict rules stay.
    let twin = parts(get("/a%2Fb"));
    let request = http::Request::from_parts(twin, ());
    let signed = signed_by(&careless(Scheme::Fc), request, at(0)).into_parts().0;
    for sdk in [Sdk::GoGatewayFcUtil, Sdk::PythonFcOpen20210406] {
        let rejection = verifier().with_sdks([sdk]).verify_at(&signed, at(0)).unwrap_err();
        assert_eq!(rejection.ambiguity(), Some(Ambiguity::PathSlash));
    }
}

#[test]
fn every_sdk_has_a_name_of_its_own() {
    let packages: std::collections::BTreeSet<_> =
        Sdk::ALL.iter().map(|sdk| sdk.package()).collect();
    assert_eq!(packages.len(), Sdk::ALL.len());
}
