//! What a signature has to cover: headers that steer, what is required, and every bit of it.

use super::{get, kind, set, signed, verifier};
use crate::common::{
    self, EMPTY_MD5_RFC_1864, EMPTY_SHA256, HEADER_SCHEMES, at, credentials, presigned, signed_by,
    signer, with_another_bit,
};
use http::{HeaderName, Request, Uri};
use tower_fc::protocol::Ambiguity;
use tower_fc::{RejectionKind, Scheme, Signer};

#[test]
fn a_header_that_steers_the_trigger_must_be_signed_under_acs3() {
    for name in ["x-fc-invocation-type", "x-fc-async-delay", "x-acs-action", "x-acs-security-token"]
    {
        let name = HeaderName::from_static(name);
        let mut parts = signed(Scheme::Acs3HmacSha256, get("/"));
        parts.headers.insert(&name, "Async".parse().unwrap());
        let rejection = verifier().verify_at(&parts, at(0)).unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::UnsignedHeader);
        assert!(rejection.message().contains(name.as_str()), "{rejection}");

        let exempt = verifier().with_insecure_unsigned_header(name.clone());
        assert_eq!(kind(exempt.verify_at(&parts, at(0))), None, "{name}");
        let observing = verifier().with_insecure_observation();
        let caller = observing.verify_at(&parts, at(0)).unwrap();
        assert_eq!(caller.ambiguities().collect::<Vec<_>>(), [Ambiguity::UnsignedHeader]);
        assert!(!caller.covers_header(&name));

        // What the signer signs is covered.
        let parts = signed(Scheme::Acs3HmacSha256, get("/").header(&name, "Async"));
        if name != "x-acs-security-token" {
            assert!(verifier().verify_at(&parts, at(0)).unwrap().covers_header(&name), "{name}");
        }
    }
}

#[test]
fn the_payload_hash_needs_no_place_in_the_list_but_is_signed_all_the_same() {
    let hash = EMPTY_SHA256;
    let mut parts = signed(Scheme::Acs3HmacSha256, get("/").header("x-acs-content-sha256", hash));
    let caller = verifier().verify_at(&parts, at(0)).unwrap();
    assert!(caller.covers_body());
    parts.headers.insert("x-acs-content-sha256", hash.replace('e', "f").parse().unwrap());
    assert_eq!(kind(verifier().verify_at(&parts, at(0))), Some(RejectionKind::SignatureMismatch));
    // Added to a request that was signed without one, it changes the payload line.
    let mut parts = signed(Scheme::Acs3HmacSha256, get("/"));
    parts.headers.insert("x-acs-content-sha256", hash.parse().unwrap());
    assert_eq!(kind(verifier().verify_at(&parts, at(0))), Some(RejectionKind::SignatureMismatch));
}

#[test]
fn an_x_fc_header_goes_unsigned_under_acs_and_is_refused() {
    let parts = signed(Scheme::Acs, get("/").header("x-fc-invocation-type", "Async"));
    let rejection = verifier().verify_at(&parts, at(0)).unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::UnsignedHeader);
    assert!(rejection.message().contains("x-fc-invocation-type"), "{rejection}");

    // An x-acs- header beside it is signed, and needs no exemption.
    let parts = signed(Scheme::Acs, get("/").header("x-acs-a", "b"));
    assert_eq!(kind(verifier().verify_at(&parts, at(0))), None);
    let mut parts = parts;
    set(&mut parts, "x-fc-a", "b");
    let rejection = verifier().verify_at(&parts, at(0)).unwrap_err();
    assert!(rejection.message().contains("x-fc-a "), "{rejection}");
    let exempt = verifier().with_insecure_unsigned_header(HeaderName::from_static("x-fc-a"));
    assert_eq!(kind(exempt.verify_at(&parts, at(0))), None);
    let other = verifier().with_insecure_unsigned_header(HeaderName::from_static("x-fc-b"));
    assert_eq!(kind(other.verify_at(&parts, at(0))), Some(RejectionKind::UnsignedHeader));
}

#[test]
fn headers_can_be_required_to_be_signed() {
    let required =
        || verifier().with_required_headers([http::header::HOST, http::header::CONTENT_TYPE]);
    let both = signed(Scheme::Acs3HmacSha256, get("/").header("content-type", "text/plain"));
    assert_eq!(kind(required().verify_at(&both, at(0))), None);
    // Content-Type added on the way.
    let mut added = signed(Scheme::Acs3HmacSha256, get("/"));
    assert_eq!(kind(required().verify_at(&added, at(0))), None);
    added.headers.insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(kind(verifier().verify_at(&added, at(0))), None);
    assert_eq!(kind(required().verify_at(&added, at(0))), Some(RejectionKind::UnsignedHeader));
    // Signed without a host, for whichever host it is sent to.
    let mut hostless = signed(Scheme::Acs3HmacSha256, Request::get("/"));
    hostless.headers.insert("host", "demo.example".parse().unwrap());
    assert_eq!(kind(verifier().verify_at(&hostless, at(0))), None);
    assert_eq!(kind(required().verify_at(&hostless, at(0))), Some(RejectionKind::UnsignedHeader));
}

#[test]
fn a_nonce_that_is_required_is_there_and_signed_and_not_empty() {
    let required = verifier().with_required_nonce();
    let judge = |parts| kind(required.verify_at(&parts, at(0)));
    let by = |signer: Signer| signed_by(&signer, get("/").body(()).unwrap(), at(0)).into_parts().0;
    let missing = Some(RejectionKind::MissingNonce);
    for scheme in HEADER_SCHEMES {
        let name = if scheme == Scheme::Fc { "x-fc-signature-nonce" } else { ACS_NONCE };
        assert_eq!(judge(by(signer(scheme).with_nonce())), None, "{scheme}");
        for (nonce, expected) in [("n", None), ("", missing)] {
            let parts = signed(scheme, get("/").header(name, nonce));
            assert_eq!(judge(parts), expected, "{scheme} {nonce:?}");
        }
        assert_eq!(judge(by(signer(scheme))), missing, "{scheme}");
    }
    let url = presigned(common::get("/"), credentials(), 60).into_parts().0;
    assert_eq!(judge(url), missing);

    let mut added = signed(Scheme::Acs3HmacSha256, get("/"));
    set(&mut added, ACS_NONCE, "n");
    let unsigned = Some(RejectionKind::UnsignedHeader);
    assert_eq!(judge(added.clone()), unsigned);
    // Not even where that header may otherwise be unsigned.
    let exempt = required.clone().with_insecure_unsigned_header(HeaderName::from_static(ACS_NONCE));
    assert_eq!(kind(exempt.verify_at(&added, at(0))), unsigned);
    let mut changed = by(signer(Scheme::Fc).with_nonce());
    set(&mut changed, "x-fc-signature-nonce", "1");
    assert_eq!(judge(changed), Some(RejectionKind::SignatureMismatch));
}

const ACS_NONCE: &str = "x-acs-signature-nonce";

#[test]
fn a_signature_covers_every_bit_of_what_it_says_it_covers() {
    let request = |scheme| {
        let request = get("/2016-08-15/proxy/svc/a%20b?name=x&other=y%2Fz")
            .header("content-type", "text/plain")
            .header("content-md5", EMPTY_MD5_RFC_1864)
            .header("x-fc-log-type", "Tail");
        match scheme {
            Scheme::Fc => request,
            _ => request.header("x-acs-action", "Invoke"),
        }
    };
    for scheme in [Scheme::Fc, Scheme::Acs3HmacSha256] {
        let good = signed(scheme, request(scheme));
        let caller = verifier().verify_at(&good, at(0)).unwrap();
        let mut changed = 0;
        let names: Vec<HeaderName> = good.headers.keys().cloned().collect();
        for name in names.iter().filter(|name| caller.covers_header(name)) {
            for other in with_another_bit(good.headers[name].as_bytes()) {
                let Ok(other) = other.as_slice().try_into() else { continue };
                let mut parts = good.clone();
                parts.headers.insert(name, other);
                let value = &parts.headers[name];
                assert!(verifier().verify_at(&parts, at(0)).is_err(), "{scheme} {name} {value:?}");
                changed += 1;
            }
        }
        for other in with_another_bit(good.uri.to_string().as_bytes()) {
            let Ok(uri) = Uri::try_from(other) else { continue };
            // Upper and lower case of an escape are the same request.
            if uri.to_string().eq_ignore_ascii_case(&good.uri.to_string())
                && uri.to_string().contains("%2f")
            {
                continue;
            }
            let mut parts = good.clone();
            parts.uri = uri;
            assert!(verifier().verify_at(&parts, at(0)).is_err(), "{scheme} {}", parts.uri);
            changed += 1;
        }
        assert!(changed > 500, "{scheme}: {changed}");
    }
}
