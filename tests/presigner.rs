//! `Presigner`: URLs that carry their signature.

use crate::common::{ID, NOW, TOKEN, at, credentials, temporary_credentials};
use http::Request;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tower_fc::error::ErrorKind;
use tower_fc::protocol::PresignedUrl;
use tower_fc::{Credentials, Presigner};

/// Presigns a `GET` for so long.
fn presign(
    by: Credentials,
    uri: &str,
    lifetime: Duration,
    now: SystemTime,
) -> Result<PresignedUrl, ErrorKind> {
    let request = Request::get(uri).body(()).unwrap();
    let url = Presigner::new(by).presign_request_at(&request, lifetime, now);
    url.map_err(|error| error.kind())
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn what_was_there_stays_and_the_parameters_of_the_signature_follow() {
    let end = NOW + 60;
    for (uri, signed) in [
        ("https://demo.example", "https://demo.example/?"),
        ("https://demo.example/?", "https://demo.example/?"),
        ("/a%5e//b?q=%7e+x&&=", "/a%5e//b?q=%7e+x&&=&"),
    ] {
        let url = presign(temporary_credentials(), uri, MINUTE, at(0)).unwrap();
        let expected = format!(
            "{signed}x-fc-access-key-id={ID}&x-fc-expires={end}&x-fc-security-token={TOKEN}\
             &x-fc-signature="
        );
        let text = url.uri().to_string();
        assert!(text.starts_with(&expected), "{text}");
        assert_eq!(url.expires_at(), at(60));
        assert_eq!(url.into_uri().to_string(), text);
    }
    let without = presign(credentials(), "/", MINUTE, at(0)).unwrap();
    assert!(!without.uri().to_string().contains("token"), "{}", without.uri());
}

#[test]
fn a_lifetime_is_one_second_at_the_least_and_ends_before_the_year_10000() {
    let last = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    let second = Duration::from_secs(1);
    for (lifetime, now, expected) in [
        (second, at(0), Ok(at(1))),
        // In whole seconds, rounded up.
        (second * 2 - Duration::from_nanos(1), at(0), Ok(at(2))),
        (second, at(0) + Duration::from_nanos(1), Ok(at(2))),
        (second - Duration::from_nanos(1), at(0), Err(ErrorKind::InvalidLifetime)),
        (Duration::ZERO, at(0), Err(ErrorKind::InvalidLifetime)),
        (second, last - second, Ok(last)),
        (second, last, Err(ErrorKind::InvalidLifetime)),
        (Duration::MAX, at(0), Err(ErrorKind::InvalidLifetime)),
    ] {
        let got = presign(credentials(), "/", lifetime, now).map(|url| url.expires_at());
        assert_eq!(got, expected, "{lifetime:?} from {now:?} on");
    }
}

#[test]
fn a_url_cannot_outlive_the_credentials_it_is_signed_with() {
    let until = |end| temporary_credentials().with_expires_at(end);
    for (end, expected) in [
        (at(60), Ok(at(60))),
        (at(61), Ok(at(60))),
        (at(59), Err(ErrorKind::InvalidLifetime)),
        (at(0), Err(ErrorKind::InvalidLifetime)),
        (at(60) - Duration::from_nanos(1), Err(ErrorKind::InvalidLifetime)),
    ] {
        let got = presign(until(end), "/", MINUTE, at(0)).map(|url| url.expires_at());
        assert_eq!(got, expected, "{end:?}");
    }
    // Ends are in whole seconds, rounded up.
    let half = Duration::from_millis(500);
    let got = presign(until(at(60) + half), "/", MINUTE, at(0) + half);
    assert_eq!(got.unwrap_err(), ErrorKind::InvalidLifetime);
    let request = Request::get("/").body(()).unwrap().into_parts().0;
    let error = Presigner::new(until(at(59))).presign_at(&request, MINUTE, at(0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a presigned URL cannot outlive the credentials it is signed with"
    );
}

#[test]
fn a_url_that_is_presigned_already_is_not_presigned_again() {
    let once = presign(credentials(), "/a", MINUTE, at(0)).unwrap().into_uri().to_string();
    for uri in [
        &*once,
        "/?x-fc-access-key-id=a",
        "/?a=b&x-fc-expires",
        "/?x-fc-security-token=",
        "/?x%2Dfc%2Dsignature=c",
    ] {
        let error = presign(credentials(), uri, MINUTE, at(0)).unwrap_err();
        assert_eq!(error, ErrorKind::AlreadyPresigned, "{uri}");
    }
    for uri in ["/x-fc-expires=1", "/?a=x-fc-expires", "/?x-fc-expires2=1"] {
        assert!(presign(credentials(), uri, MINUTE, at(0)).is_ok(), "{uri}");
    }
}

#[test]
fn a_url_that_would_be_too_long_is_an_error() {
    let error = presign(credentials(), &format!("/{}", "a".repeat(65_500)), MINUTE, at(0));
    assert_eq!(error.unwrap_err(), ErrorKind::UriTooLong);
}

#[test]
fn a_target_without_a_query_is_an_error_that_says_what_it_is() {
    for (uri, what) in [
        ("demo.example", "an authority alone"),
        ("demo.example:443", "an authority alone"),
        ("*", "an asterisk"),
    ] {
        let request = Request::get(uri).body(()).unwrap();
        let (parts, ()) = request.into_parts();
        let presigner = Presigner::new(credentials());
        let error = presigner.presign_at(&parts, MINUTE, at(0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidUri, "{uri}");
        assert!(error.to_string().contains(what), "{uri}: {error}");
        let error = presigner.string_to_sign_at(&parts, MINUTE, at(0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidUri, "{uri}");
    }
}
