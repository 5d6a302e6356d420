//! What an answer says about the clock that its request was signed by.

use crate::protocol::parse_http_date;
use http::header::{AGE, DATE, HeaderMap};
use http::{Response, StatusCode};
use memchr::memmem;
use std::time::{Duration, SystemTime};

/// When a request was sent and its answer received, by the clock that may be wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trip {
    pub(super) sent: SystemTime,
    pub(super) received: SystemTime,
}

impl Trip {
    /// How far the clock is behind the server's, in milliseconds, by the `Date` of an answer; `None`
    /// where it does not say, or came out of a cache.
    pub(super) fn offset(self, headers: &HeaderMap) -> Option<i64> {
        if headers.contains_key(AGE) {
            return None;
        }
        let mut dates = headers.get_all(DATE).iter();
        let (date, None) = (dates.next()?, dates.next()) else { return None };
        let date = parse_http_date(date.as_bytes())?;
        // It is cut off to the second, and written between the two.
        let theirs = date.checked_add(Duration::from_millis(500))?;
        let there = self.received.duration_since(self.sent).unwrap_or_default() / 2;
        let ours = self.sent.checked_add(there)?;
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).ok();
        match theirs.duration_since(ours) {
            Ok(behind) => millis(behind),
            Err(ahead) => Some(-millis(ahead.duration())?),
        }
    }
}

/// Whether an answer may be a refusal because of time.
pub(super) enum Refusal {
    No,
    Yes,
    /// Its body says so, or not.
    InBody,
}

impl Refusal {
    pub(super) fn of<B>(response: &Response<B>) -> Self {
        match response.status() {
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Self::InBody
            }
            StatusCode::OK => {
                let message = response.headers().get("grpc-message");
                match message.is_some_and(|message| is_about_time(message.as_bytes())) {
                    true => Self::Yes,
                    false => Self::No,
                }
            }
            _ => Self::No,
        }
    }
}

/// Whether a text says that the date of a request is too far off: by the message of Function
/// Compute's gateway and of OSS, which have one code for all that is denied, or by a code of
/// Alibaba Cloud's APIs.
pub(super) fn is_about_time(text: &[u8]) -> bool {
    let text = text.to_ascii_lowercase();
    [
        &b"difference between the request time"[..],
        b"requesttimetooskewed",
        b"invalidtimestamp.expired",
    ]
    .iter()
    .any(|words| memmem::find(&text, words).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::format_http_date;
    use http::HeaderValue;

    fn random(state: &mut u64) -> u64 {
        *state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *state >> 20
    }

    #[test]
    fn the_offset_is_known_to_half_a_second_and_half_the_way_there_and_back() {
        let mut state = 7;
        for _ in 0..10_000 {
            let base = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_283_820);
            let ours = base + Duration::from_millis(random(&mut state) % 10_000_000);
            let wrong = (random(&mut state) % 200_000_000).cast_signed() - 100_000_000;
            let (there, back) = (random(&mut state) % 9_000, random(&mut state) % 9_000);
            let received = ours + Duration::from_millis(there + back);
            // The server's clock is right: ours is behind by `wrong`.
            let ours_then = ours + Duration::from_millis(there);
            let theirs = match wrong {
                0.. => ours_then + Duration::from_millis(wrong.unsigned_abs()),
                _ => ours_then - Duration::from_millis(wrong.unsigned_abs()),
            };
            let date = HeaderValue::from_bytes(&format_http_date(theirs)).unwrap();
            let headers = HeaderMap::from_iter([(DATE, date)]);
            let offset = Trip { sent: ours, received }.offset(&headers).unwrap();
            let error = (offset - wrong).unsigned_abs();
            assert!(error <= 501 + there.abs_diff(back) / 2, "{error} {there} {back}");
        }
    }

    #[test]
    fn answers_that_do_not_say_when_they_were_made_say_nothing() {
        let trip = Trip { sent: SystemTime::UNIX_EPOCH, received: SystemTime::UNIX_EPOCH };
        let date = "Sat, 21 Nov 2026 17:57:00 GMT";
        for headers in [
            vec![],
            vec![("date", "yesterday")],
            vec![("date", date), ("age", "0")],
            vec![("date", date), ("date", date)],
            vec![("date", date), ("age", "")],
        ] {
            let headers = headers
                .into_iter()
                .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
            let headers = HeaderMap::from_iter(headers);
            assert_eq!(trip.offset(&headers), None, "{headers:?}");
        }
    }

    #[test]
    fn refusals_because_of_time_are_told_from_others() {
        for text in [
            r#"{"ErrorCode":"AccessDenied","ErrorMessage":"the difference between the request time 'Thu, 30 Jul 2020 16:25:45 GMT' and the current time 'Thu, 30 Jul 2020 08:27:35 GMT' is too large"}"#,
            "<Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and the current time is too large.</Message>",
            r#"{"Code":"InvalidTimeStamp.Expired","Message":"Specified time stamp or date value is expired."}"#,
        ] {
            assert!(is_about_time(text.as_bytes()), "{text}");
        }
        for text in [
            r#"{"ErrorCode":"InvalidAccessKeyID","ErrorMessage":"invalid access key ID 'LTAI5tExample'"}"#,
            r#"{"ErrorCode":"SignatureNotMatch","ErrorMessage":"The request signature we calculated does not match"}"#,
            r#"{"ErrorCode":"AccessDenied","ErrorMessage":"the presigned URL has expired"}"#,
            r#"{"Code":"InvalidTimeStamp.Format"}"#,
            "",
        ] {
            assert!(!is_about_time(text.as_bytes()), "{text}");
        }
    }
}
