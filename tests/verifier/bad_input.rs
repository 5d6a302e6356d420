//! Garbage in every place where there can be some: the right refusal, never a panic.

use crate::common::services::unreachable;
use crate::common::{ACS_DATE, DATE, ID, at, call, clock, keys, read_error, signed_at, verifier};
use http::header::{HeaderName, HeaderValue};
use http::{Request, Response};
use std::convert::Infallible;
use tower::Layer as _;
use tower_fc::protocol::Schemes;
use tower_fc::{Rejection, RejectionKind, Scheme, Verifier, VerifyLayer};

use RejectionKind::{
    Ambiguous, ConflictingCredentials, Expired, ExpiresTooLate, HostMismatch,
    IncompleteCredentials, LimitExceeded, MalformedCredentials, MalformedDate, MalformedTarget,
    MissingCredentials, MissingDate, RepeatedHeader, RequestTimeTooSkewed, SignatureMismatch,
    UnknownAccessKey, UnsignedHeader, UnsupportedScheme,
};

/// 43 characters and a padding: base64 of 32 bytes.
pub(super) const SIGNATURE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fn request(target: &str, headers: &[(&str, &[u8])]) -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = target.parse().unwrap();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
    }
    request
}

/// The refusal of a request as of [`common::NOW`](crate::common::NOW), all schemes being
/// accepted.
async fn refusal(
    name: &str,
    request: Request<()>,
) -> (RejectionKind, Response<impl http_body::Body<Error = Infallible>>) {
    let verifier = Verifier::new(keys()).with_schemes(Schemes::all());
    let mut service = VerifyLayer::new(verifier).with_clock(clock()).layer(unreachable());
    let response = call(&mut service, request).await.unwrap();
    let rejection: Option<&Rejection> = response.extensions().get();
    let kind = rejection.unwrap_or_else(|| panic!("{name}: it was let through")).kind();
    (kind, response)
}

/// What is wrong in each row decides the kind, and the kind all else.
async fn assert_refused(rows: Vec<(&str, Request<()>, RejectionKind)>) {
    for (name, request, expected) in rows {
        let (kind, response) = refusal(name, request).await;
        assert_eq!(kind, expected, "{name}");
        let (status, code) = match expected {
            MissingCredentials | IncompleteCredentials | MissingDate => {
                (403, "MissingRequiredHeader")
            }
            UnknownAccessKey => (403, "InvalidAccessKeyID"),
            SignatureMismatch => (403, "SignatureNotMatch"),
            HostMismatch | LimitExceeded | MalformedTarget => (400, "InvalidArgument"),
            _ => (403, "AccessDenied"),
        };
        assert_eq!(response.status(), status, "{name}");
        assert_eq!(response.headers()["content-type"], "application/json", "{name}");
        assert!(response.headers().contains_key("x-fc-request-id"), "{name}");
        let (got, message) = read_error(response).await;
        assert_eq!(got, code, "{name}");
        assert!(!message.is_empty() && message.len() < 1000, "{name}: {message}");
    }
}

#[tokio::test]
async fn garbage_in_authorization() {
    let with = |value: &[u8]| {
        // FC would have to sign a header of ACS3.
        let date = match value.starts_with(b"ACS3") {
            true => ("x-acs-date", ACS_DATE.as_bytes()),
            false => ("date", DATE.as_bytes()),
        };
        request("/", &[("authorization", value), date])
    };
    let fc = |rest: &str| with(format!("FC {rest}").as_bytes());
    let acs3 = |rest: &str| with(format!("ACS3-HMAC-SHA256 {rest}").as_bytes());
    let long_id = "x".repeat(257);
    assert_refused(vec![
        ("absent", request("/", &[("date", DATE.as_bytes())]), MissingCredentials),
        ("empty", with(b""), UnsupportedScheme),
        ("blank", with(b"  "), UnsupportedScheme),
        ("not text", with(b"\xff\xfe\x80"), UnsupportedScheme),
        ("another scheme", with(b"Bearer eyJhbGciOiJub25lIn0.e30."), UnsupportedScheme),
        ("the name of a scheme in another case", with(b"Fc a:b"), UnsupportedScheme),
        ("the name of a scheme and more", with(b"FCX a:b"), UnsupportedScheme),
        ("two spaces", with(format!("FC  {ID}:{SIGNATURE}").as_bytes()), SignatureMismatch),
        ("a tab", with(format!("FC\t{ID}:{SIGNATURE}").as_bytes()), UnsupportedScheme),
        ("our own scheme of the query", with(b"presigned a:b"), UnsupportedScheme),
        ("FC alone", with(b"FC"), MalformedCredentials),
        ("FC and a space", with(b"FC "), MalformedCredentials),
        ("FC without a colon", fc("abc"), MalformedCredentials),
        ("FC without an id", fc(":abc"), MalformedCredentials),
        ("FC with a blank id", fc(" :abc"), MalformedCredentials),
        ("FC with an id that is not text", with(b"FC \xe4\xbd\xa0:abc"), MalformedCredentials),
        ("FC with a space in the id", fc("a b:abc"), MalformedCredentials),
        ("FC with a comma in the id", fc("a,b:abc"), MalformedCredentials),
        ("FC with a long id", fc(&format!("{long_id}:{SIGNATURE}")), MalformedCredentials),
        ("FC with the longest id", fc(&format!("{}:{SIGNATURE}", &long_id[1..])), UnknownAccessKey),
        ("FC with quotes in the id", fc(&format!("\"\\<b>:{SIGNATURE}")), UnknownAccessKey),
        ("FC without a signature", fc(&format!("{ID}:")), SignatureMismatch),
        ("FC with a short signature", fc(&format!("{ID}:AAAA")), SignatureMismatch),
        (
            "FC with a longer signature",
            fc(&format!("{ID}:{}", "A".repeat(6_000))),
            SignatureMismatch,
        ),
        ("FC with a signature in hex", fc(&format!("{ID}:{}", "0".repeat(64))), SignatureMismatch),
        (
            "FC with a signature without padding",
            fc(&format!("{ID}:{}", &SIGNATURE[..43])),
            SignatureMismatch,
        ),
        (
            "FC with a signature not base64",
            fc(&format!("{ID}:{}!", &SIGNATURE[..43])),
            SignatureMismatch,
        ),
        ("FC with a signature and more", fc(&format!("{ID}:{SIGNATURE} x")), SignatureMismatch),
        ("FC with two signatures", fc(&format!("{ID}:{SIGNATURE}:{SIGNATURE}")), SignatureMismatch),
        ("FC with a zero signature", fc(&format!("{ID}:{SIGNATURE}")), SignatureMismatch),
        (
            "acs with a signature of SHA-256",
            with(format!("acs {ID}:{SIGNATURE}").as_bytes()),
            SignatureMismatch,
        ),
        ("acs alone", with(b"acs"), MalformedCredentials),
        ("ACS3 alone", with(b"ACS3-HMAC-SHA256"), MalformedCredentials),
        ("ACS3 as FC", acs3(&format!("{ID}:{SIGNATURE}")), MalformedCredentials),
        (
            "FC as ACS3",
            fc(&format!("Credential={ID},SignedHeaders=host,Signature=00")),
            MalformedCredentials,
        ),
        (
            "ACS3 without a credential",
            acs3("SignedHeaders=x-acs-date,Signature=00"),
            MalformedCredentials,
        ),
        (
            "ACS3 with an empty id",
            acs3("Credential=,SignedHeaders=x-acs-date,Signature=00"),
            MalformedCredentials,
        ),
        (
            "ACS3 without headers",
            acs3(&format!("Credential={ID},Signature=00")),
            MalformedCredentials,
        ),
        (
            "ACS3 without a signature",
            acs3(&format!("Credential={ID},SignedHeaders=x-acs-date")),
            MalformedCredentials,
        ),
        (
            "ACS3 in another order",
            acs3(&format!("SignedHeaders=x-acs-date,Credential={ID},Signature=00")),
            MalformedCredentials,
        ),
        (
            "ACS3 with a field twice",
            acs3(&format!("Credential={ID},SignedHeaders=x-acs-date,Signature=00,Signature=01")),
            SignatureMismatch,
        ),
        (
            "ACS3 with another separator",
            acs3(&format!("Credential={ID};SignedHeaders=x-acs-date;Signature=00")),
            MalformedCredentials,
        ),
        (
            "ACS3 with a short signature",
            acs3(&format!("Credential={ID},SignedHeaders=x-acs-date,Signature=00")),
            SignatureMismatch,
        ),
        (
            "ACS3 with an empty signature",
            acs3(&format!("Credential={ID},SignedHeaders=x-acs-date,Signature=")),
            SignatureMismatch,
        ),
        (
            "ACS3 with a signature not hex",
            acs3(&format!("Credential={ID},SignedHeaders=x-acs-date,Signature={}", "z".repeat(64))),
            SignatureMismatch,
        ),
        (
            "ACS3 with an unknown id",
            acs3("Credential=other,SignedHeaders=x-acs-date,Signature=00"),
            UnknownAccessKey,
        ),
        ("a scheme of a later version", with(b"ACS4-HMAC-SHA256 Credential=a"), UnsupportedScheme),
    ])
    .await;
}

#[tokio::test]
async fn garbage_in_signed_headers() {
    let with = |list: &str, more: &[(&str, &[u8])]| {
        let value = format!(
            "ACS3-HMAC-SHA256 Credential={ID},SignedHeaders={list},Signature={}",
            "0".repeat(64)
        );
        let date: (&str, &[u8]) = ("x-acs-date", ACS_DATE.as_bytes());
        let value: (&str, &[u8]) = ("authorization", value.as_bytes());
        request("/", &[&[value, date], more].concat())
    };
    let many: Vec<_> = (0..5_000).map(|each| format!("h{each:05}")).collect();
    let many = format!("{};x-acs-date", many.join(";"));
    assert_refused(vec![
        ("none", with("", &[]), MalformedCredentials),
        ("a semicolon", with(";", &[]), MalformedCredentials),
        ("a semicolon at the end", with("x-acs-date;", &[]), MalformedCredentials),
        ("an empty name", with("host;;x-acs-date", &[]), MalformedCredentials),
        ("a space", with("host; x-acs-date", &[]), MalformedCredentials),
        ("upper case", with("X-Acs-Date", &[]), MalformedCredentials),
        ("not in order", with("x-acs-date;host", &[]), MalformedCredentials),
        ("twice", with("x-acs-date;x-acs-date", &[]), MalformedCredentials),
        ("without the date", with("host", &[]), UnsignedHeader),
        ("a name that begins like the date", with("x-acs-date2", &[]), UnsignedHeader),
        ("no header by that name", with("content-type;x-acs-date", &[]), MalformedCredentials),
        ("nothing that is a name", with("(;x-acs-date", &[]), MalformedCredentials),
        ("no host to sign", with("host;x-acs-date", &[]), MalformedCredentials),
        ("thousands of names", with(&many, &[]), LimitExceeded),
        (
            "an unsigned x-acs- header",
            with("x-acs-date", &[("x-acs-action", b"a")]),
            UnsignedHeader,
        ),
        (
            "an unsigned x-fc- header",
            with("x-acs-date", &[("x-fc-invocation-type", b"Async")]),
            UnsignedHeader,
        ),
        (
            "an unsigned token",
            with("x-acs-date", &[("x-acs-security-token", b"t")]),
            UnsignedHeader,
        ),
        (
            "the hash of the payload may be unlisted",
            with("x-acs-date", &[("x-acs-content-sha256", b"00")]),
            SignatureMismatch,
        ),
        (
            "a signed header twice",
            with("x-acs-date;x-acs-z", &[("x-acs-z", b"1"), ("x-acs-z", b"2")]),
            Ambiguous,
        ),
        (
            "a signed header that is not text",
            with("x-acs-date;x-acs-z", &[("x-acs-z", b"\xff\x80")]),
            SignatureMismatch,
        ),
    ])
    .await;
}

#[tokio::test]
async fn garbage_in_dates() {
    let fc = |dates: &[&[u8]]| {
        let value = format!("FC {ID}:{SIGNATURE}");
        let dates = dates.iter().map(|date| ("date", *date));
        let headers: Vec<_> = dates.chain([("authorization", value.as_bytes())]).collect();
        request("/", &headers)
    };
    let acs3 = |dates: &[&[u8]]| {
        let value = format!(
            "ACS3-HMAC-SHA256 Credential={ID},SignedHeaders=x-acs-date,Signature={}",
            "0".repeat(64)
        );
        let dates = dates.iter().map(|date| ("x-acs-date", *date));
        let headers: Vec<_> = dates.chain([("authorization", value.as_bytes())]).collect();
        request("/", &headers)
    };
    let nonces = |mut request: Request<()>, name: &'static str, count: usize| {
        for _ in 0..count {
            request.headers_mut().append(name, HeaderValue::from_static("n"));
        }
        request
    };
    let (fc_nonce, acs_nonce) = ("x-fc-signature-nonce", "x-acs-signature-nonce");
    let (fc_now, acs3_now) = (|| fc(&[DATE.as_bytes()]), || acs3(&[ACS_DATE.as_bytes()]));
    assert_refused(vec![
        ("none", fc(&[]), MissingDate),
        ("empty", fc(&[b""]), MalformedDate),
        ("not text", fc(&[b"\xff"]), MalformedDate),
        ("twice the same", fc(&[DATE.as_bytes(), DATE.as_bytes()]), RepeatedHeader),
        ("a number", fc(&[b"1795283820"]), MalformedDate),
        ("of another form", fc(&[ACS_DATE.as_bytes()]), MalformedDate),
        ("of RFC 850", fc(&[b"Saturday, 21-Nov-26 17:57:00 GMT"]), MalformedDate),
        ("of asctime", fc(&[b"Sat Nov 21 17:57:00 2026"]), MalformedDate),
        ("of another day of the week", fc(&[b"Sun, 21 Nov 2026 17:57:00 GMT"]), MalformedDate),
        ("of another zone", fc(&[b"Sat, 21 Nov 2026 17:57:00 CST"]), MalformedDate),
        ("with an offset", fc(&[b"Sat, 21 Nov 2026 17:57:00 +0000"]), MalformedDate),
        ("of a day that is not", fc(&[b"Mon, 30 Feb 2026 17:57:00 GMT"]), MalformedDate),
        ("of a leap second", fc(&[b"Sat, 21 Nov 2026 17:57:60 GMT"]), MalformedDate),
        ("of the year 0", fc(&[b"Sat, 01 Jan 0000 00:00:00 GMT"]), MalformedDate),
        ("before 1970", fc(&[b"Wed, 31 Dec 1969 23:59:59 GMT"]), MalformedDate),
        ("of the epoch", fc(&[b"Thu, 01 Jan 1970 00:00:00 GMT"]), RequestTimeTooSkewed),
        ("of the last year", fc(&[b"Fri, 31 Dec 9999 23:59:59 GMT"]), RequestTimeTooSkewed),
        ("with a year of five digits", fc(&[b"Sat, 21 Nov 20260 17:57:00 GMT"]), MalformedDate),
        ("with white space around", fc(&[b" Sat, 21 Nov 2026 17:57:00 GMT "]), Ambiguous),
        ("very long", fc(&[&[b'9'; 60_000]]), LimitExceeded),
        ("two nonces", nonces(fc_now(), fc_nonce, 2), RepeatedHeader),
        ("one nonce", nonces(fc_now(), fc_nonce, 1), SignatureMismatch),
        ("two nonces of another scheme", nonces(fc_now(), acs_nonce, 2), UnsignedHeader),
        ("ACS3: two nonces", nonces(acs3_now(), acs_nonce, 2), RepeatedHeader),
        ("ACS3: an unsigned nonce", nonces(acs3_now(), acs_nonce, 1), UnsignedHeader),
        ("ACS3: none", acs3(&[]), MissingDate),
        ("ACS3: empty", acs3(&[b""]), MalformedDate),
        ("ACS3: not text", acs3(&[b"\x80"]), MalformedDate),
        ("ACS3: twice", acs3(&[ACS_DATE.as_bytes(), ACS_DATE.as_bytes()]), RepeatedHeader),
        ("ACS3: of another form", acs3(&[DATE.as_bytes()]), MalformedDate),
        ("ACS3: with an offset", acs3(&[b"2026-11-21T17:57:00+00:00"]), MalformedDate),
        ("ACS3: without a zone", acs3(&[b"2026-11-21T17:57:00"]), MalformedDate),
        ("ACS3: of a month that is not", acs3(&[b"2026-13-21T17:57:00Z"]), MalformedDate),
        ("ACS3: of a day that is not", acs3(&[b"2026-02-29T17:57:00Z"]), MalformedDate),
        ("ACS3: signs for digits", acs3(&[b"2026-11-21T17:57:-1Z"]), MalformedDate),
        ("ACS3: an endless fraction", acs3(&[b"2026-11-21T17:57:00.0000000000Z"]), MalformedDate),
        ("ACS3: not ASCII digits", acs3(&["２０26-11-21T17:57:0Z".as_bytes()]), MalformedDate),
        (
            "ACS3: a fraction beyond the limit",
            acs3(&[b"2026-11-21T18:12:00.000000001Z"]),
            RequestTimeTooSkewed,
        ),
        ("ACS3: the last moment", acs3(&[b"9999-12-31T23:59:59.999999999Z"]), RequestTimeTooSkewed),
    ])
    .await;
}

#[tokio::test]
async fn garbage_in_targets() {
    let fc = |target: &str| signed_at(request(target, &[]), Scheme::Fc, at(0));
    // Nothing signs these.
    let later = |target: &str| {
        let mut request = fc("/");
        *request.uri_mut() = target.parse().unwrap();
        request
    };
    let host = |target: &str, hosts: &[&str]| {
        let hosts: Vec<_> = hosts.iter().map(|host| ("host", host.as_bytes())).collect();
        request(target, &hosts)
    };
    let long = format!("/{}?{}", "a%2F".repeat(8_000), "%0A=&".repeat(6_000));
    assert_refused(vec![
        ("a line feed in the path", fc("/a%0Ab"), Ambiguous),
        ("a line feed in the path in lower case", fc("/a%0ab"), Ambiguous),
        ("a slash in the path", fc("/a%2Fb"), Ambiguous),
        ("half an escape", fc("/a%2"), Ambiguous),
        ("no escape", fc("/a%zz"), Ambiguous),
        ("a percent sign alone", fc("/%"), Ambiguous),
        ("a line feed in the query", fc("/?a=1%0Ab=2"), Ambiguous),
        ("an equals sign in a key", fc("/?a%3Db=c"), Ambiguous),
        ("an ampersand in a key", fc("/?a%26b=c"), Ambiguous),
        ("a semicolon in the query", fc("/?a=1;b=2"), Ambiguous),
        ("half an escape in the query", fc("/?a=%4"), Ambiguous),
        ("an end of validity in the query", fc("/?x-fc-expires=1795283820"), Ambiguous),
        ("another signature in the query", later("/?x-fc-signature=x"), ConflictingCredentials),
        ("another id in the query", later("/?x-fc-access-key-id=x"), ConflictingCredentials),
        ("another token in the query", later("/?x-fc-security-token=x"), ConflictingCredentials),
        ("the same in other spelling", later("/?%78-fc-signature"), ConflictingCredentials),
        ("longer than is looked at", fc(&long), LimitExceeded),
        ("two hosts", host("/", &["a", "a"]), HostMismatch),
        ("another host", host("http://a/", &["b"]), HostMismatch),
        ("no host", host("http://a/", &[""]), HostMismatch),
        ("the same host", host("http://a/", &["A"]), MissingCredentials),
        ("the same host and user information", host("http://u:p@a/", &["a"]), MalformedTarget),
        ("an asterisk", host("*", &["a"]), MissingCredentials),
        ("an authority alone", host("a:1", &["a:1"]), MissingCredentials),
    ])
    .await;
    // By ACS3, what is ambiguous by FC alone is not.
    for target in ["/a%2Fb", "/%25", "/a%20b?c=%25&d=%26", "/?a=1%0Ab=2", "/?a%3Db=c&d%26e=f"] {
        let request = signed_at(request(target, &[]), Scheme::Acs3HmacSha256, at(0));
        let parts = request.into_parts().0;
        assert!(verifier().verify_at(&parts, at(0)).is_ok(), "{target}");
    }
}

#[tokio::test]
async fn garbage_in_presigned_parameters() {
    let with = |query: &str| request(&format!("/a?{query}"), &[]);
    let id = format!("x-fc-access-key-id={ID}");
    let expires = "x-fc-expires=1795283880";
    let signature = "x-fc-signature=AAAA";
    let end = |end: &str| with(&format!("{id}&x-fc-expires={end}&{signature}"));
    let signed_by = |id: &str| with(&format!("x-fc-access-key-id={id}&{expires}&{signature}"));
    let huge = "9".repeat(60_000);
    assert_refused(vec![
        ("all but the id", with(&format!("{expires}&{signature}")), MalformedCredentials),
        ("all but the end", with(&format!("{id}&{signature}")), MalformedCredentials),
        ("all but the signature", with(&format!("{id}&{expires}")), MalformedCredentials),
        ("the end alone", with(expires), IncompleteCredentials),
        ("the token alone", with("x-fc-security-token=t"), IncompleteCredentials),
        ("two ids", with(&format!("{id}&{id}&{expires}&{signature}")), MalformedCredentials),
        ("two ends", with(&format!("{id}&{expires}&{expires}&{signature}")), MalformedCredentials),
        (
            "two signatures",
            with(&format!("{id}&{expires}&{signature}&{signature}")),
            MalformedCredentials,
        ),
        (
            "two tokens",
            with(&format!(
                "{id}&{expires}&x-fc-security-token=a&x-fc-security-token=a&{signature}"
            )),
            MalformedCredentials,
        ),
        (
            "the second in other spelling",
            with(&format!("{id}&{expires}&{signature}&x%2Dfc%2Dexpires=1")),
            MalformedCredentials,
        ),
        ("an empty id", signed_by(""), MalformedCredentials),
        ("an id of two words", signed_by("a+b"), MalformedCredentials),
        ("an id with a colon", signed_by("a%3Ab"), MalformedCredentials),
        ("an id that is not text", signed_by("%FF"), MalformedCredentials),
        ("an unknown id", signed_by("other"), UnknownAccessKey),
        ("an id of markup", signed_by("%3Cscript%3E%22%5C"), UnknownAccessKey),
        ("no end", end(""), MalformedCredentials),
        ("a signed end", end("%2B1795283880"), MalformedCredentials),
        ("an end below zero", end("-1"), MalformedCredentials),
        ("an end in hex", end("0x6B01"), MalformedCredentials),
        ("an end with a fraction", end("1795283880.5"), MalformedCredentials),
        ("an end with an exponent", end("1e9"), MalformedCredentials),
        ("an end with a space", end("+1795283880"), MalformedCredentials),
        ("an end in other digits", end("%EF%BC%91"), MalformedCredentials),
        ("an end beyond 64 bits", end("18446744073709551616"), MalformedCredentials),
        ("an end of many digits", end(&huge[..10_000]), MalformedCredentials),
        ("an end of too many digits", end(&huge), LimitExceeded),
        ("an end at 64 bits", end("18446744073709551615"), MalformedCredentials),
        ("an end at 63 bits", end("9223372036854775807"), ExpiresTooLate),
        ("an end far off", end("99999999999"), ExpiresTooLate),
        ("an end in the past", end("0"), Expired),
        ("an end now", end("1795283820"), Expired),
        ("zeros before the end", end("0001795283880"), SignatureMismatch),
        ("an empty signature", with(&format!("{id}&{expires}&x-fc-signature=")), SignatureMismatch),
        (
            "a signature without a value",
            with(&format!("{id}&{expires}&x-fc-signature")),
            SignatureMismatch,
        ),
        (
            "a signature not base64",
            with(&format!("{id}&{expires}&x-fc-signature=%FF%00")),
            SignatureMismatch,
        ),
        ("a line feed elsewhere", with(&format!("{id}&{expires}&{signature}&a=%0A")), Ambiguous),
        ("a semicolon", with(&format!("{id};{expires}&{signature}")), MalformedCredentials),
    ])
    .await;
}
