//! `Signer`: what it signs and what it adds to a request.

use crate::common::{
    ACS_DATE, DATE, HEADER_SCHEMES, at, credentials, full_headers, get, only, signer, verifier,
};
use http::Request;
use std::time::SystemTime;
use tower_fc::error::ErrorKind;
use tower_fc::protocol::{Ambiguity, parse_acs_date};
use tower_fc::{Credentials, Scheme, Signer};

#[test]
fn the_documented_example_of_acs3_gives_the_documented_signature() {
    let request = http::Request::post(
        "/?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai",
    )
    .header("host", "ecs.cn-shanghai.aliyuncs.com")
    .header("x-acs-action", "RunInstances")
    .header(
        "x-acs-content-sha256",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    )
    .header("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d")
    .header("x-acs-version", "2014-05-26");
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let credentials = Credentials::new("YourAccessKeyId", "YourAccessKeySecret").unwrap();
    let signer = Signer::new(credentials).with_scheme(Scheme::Acs3HmacSha256).unwrap();
    signer.sign_at(&mut parts, parse_acs_date(b"2023-10-26T10:22:32Z").unwrap()).unwrap();
    assert_eq!(
        parts.headers["authorization"],
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;\
         x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,\
         Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    );
}

#[test]
fn the_documented_example_of_fc_gives_the_documented_resource() {
    let target = "/2016-08-15/proxy/service-name/func-name/path-with-%20-space/action\
                  ?x=1&a=2&x=3&with%20space=foo%20bar";
    let (parts, ()) = http::Request::get(target).body(()).unwrap().into_parts();
    let signer = Signer::new(Credentials::new("id", "secret").unwrap());
    let text = signer.string_to_sign_at(&parts, SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(
        String::from_utf8(text).unwrap(),
        "GET\n\n\nThu, 01 Jan 1970 00:00:00 GMT\n\
         /2016-08-15/proxy/service-name/func-name/path-with- -space/action\n\
         a=2\nwith space=foo bar\nx=1\nx=3"
    );
}

#[test]
fn a_target_that_is_an_authority_alone_has_the_path_of_a_slash() {
    let text = |scheme, target| {
        let parts = Request::connect(target).body(()).unwrap().into_parts().0;
        let signer = signer(scheme);
        let text = signer.canonical_request_at(&parts, at(0)).unwrap();
        let text = text.unwrap_or_else(|| signer.string_to_sign_at(&parts, at(0)).unwrap());
        String::from_utf8(text).unwrap()
    };
    let authority = "demo.example:443";
    assert_eq!(text(Scheme::Fc, authority), format!("CONNECT\n\n\n{DATE}\n/\n"));
    assert_eq!(text(Scheme::Acs, authority), format!("CONNECT\n\n\n\n{DATE}\n/"));
    let acs3 = format!("CONNECT\n/\n\nhost:{authority}\nx-acs-date:{ACS_DATE}\n\n");
    assert!(text(Scheme::Acs3HmacSha256, authority).starts_with(&acs3));
    for scheme in HEADER_SCHEMES {
        let mut request = Request::connect(authority).body(()).unwrap();
        signer(scheme).sign_request_at(&mut request, at(0)).unwrap();
        let verifier = verifier().with_schemes(scheme);
        assert!(verifier.verify_request_at(&request, at(0)).is_ok(), "{scheme}");
        // An asterisk is another target.
        *request.uri_mut() = "*".parse().unwrap();
        assert!(verifier.verify_request_at(&request, at(0)).is_err(), "{scheme}");
    }
    assert_eq!(text(Scheme::Fc, "*"), format!("CONNECT\n\n\n{DATE}\n*\n"));
}

#[test]
fn without_a_host_header_what_a_client_would_put_there_is_signed() {
    for (target, host) in [
        ("https://a:443/", "a"),
        ("http://a:80/", "a"),
        ("http://a:443/", "a:443"),
        ("wss://a/", "a"),
    ] {
        let signer = signer(Scheme::Acs3HmacSha256);
        let parts = get(target).into_parts().0;
        let text = signer.canonical_request_at(&parts, at(0)).unwrap().unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains(&format!("\nhost:{host}\n")), "{target}: {text}");
    }
}

#[test]
fn a_scheme_that_signs_no_headers_is_an_error() {
    let error = Signer::new(credentials()).with_scheme(Scheme::FcPresigned).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSetting);
}

#[test]
fn a_request_without_room_for_a_signature_is_left_as_it_was() {
    for scheme in HEADER_SCHEMES {
        let mut request = get("https://demo.example/");
        *request.headers_mut() = full_headers();
        let (mut parts, ()) = request.into_parts();
        let error = signer(scheme).sign_at(&mut parts, at(0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooManyHeaders, "{scheme}");
        assert_eq!(parts.headers, full_headers(), "{scheme}");
    }
}

#[test]
fn parts_and_a_whole_request_are_signed_alike() {
    for scheme in HEADER_SCHEMES {
        let request = || Request::post("https://demo.example/a%20b?c").header("accept", "a/b");
        let mut whole = request().body("a body").unwrap();
        signer(scheme).sign_request_at(&mut whole, at(0)).unwrap();
        let (mut parts, ()) = request().body(()).unwrap().into_parts();
        signer(scheme).sign_at(&mut parts, at(0)).unwrap();
        assert_eq!(whole.headers(), &parts.headers, "{scheme}");
        assert_eq!(whole.uri(), "https://demo.example/a%20b?c", "{scheme}");
        assert_eq!(whole.into_body(), "a body", "{scheme}");
    }
}

#[test]
fn a_scheme_that_signs_the_host_signs_no_request_without_one_unless_it_is_told_to() {
    let unlisted = |signer: &Signer, request: http::request::Builder| {
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        signer
            .sign_at(&mut parts, at(0))
            .map(|()| !only(&parts.headers, "authorization").contains("SignedHeaders=host;"))
    };
    let bare = || Request::get("/a");
    let acs3 = || signer(Scheme::Acs3HmacSha256);
    let error = unlisted(&acs3(), bare()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ambiguous);
    for cure in ["with_origin", "host header", "with_insecure_unsigned_header"] {
        assert!(error.to_string().contains(cure), "{error}");
    }
    assert!(!unlisted(&acs3(), bare().header("host", "demo.example")).unwrap());
    assert!(!unlisted(&acs3(), Request::get("https://demo.example/a")).unwrap());

    let header = acs3().with_insecure_unsigned_header(http::header::HOST);
    let allowed = acs3().with_insecure_allowance(Ambiguity::UnsignedHeader).unwrap();
    let refused = allowed.clone().with_refused(Ambiguity::UnsignedHeader);
    for signer in [&header, &allowed, &acs3().with_insecure_observation()] {
        assert!(unlisted(signer, bare()).unwrap());
        // What is there is signed all the same.
        assert!(!unlisted(signer, bare().header("host", "demo.example")).unwrap());
    }
    assert_eq!(unlisted(&refused, bare()).unwrap_err().kind(), ErrorKind::Ambiguous);
    for scheme in [Scheme::Fc, Scheme::Acs] {
        assert!(unlisted(&signer(scheme), bare()).is_ok(), "{scheme} signs no host");
    }
}
