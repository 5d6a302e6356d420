//! When a request is too early or too late.

use super::{get, kind, presigned_for, signed, verifier};
use crate::common::{self, ACS_DATE, DATE, HEADER_SCHEMES, at, credentials, presigned};
use std::time::{Duration, SystemTime};
use tower_fc::{RejectionKind, Scheme};

#[test]
fn the_clock_may_differ_by_fifteen_minutes_and_no_more() {
    let (nano, milli) = (Duration::from_nanos(1), Duration::from_millis(1));
    for scheme in HEADER_SCHEMES {
        let parts = signed(scheme, get("/"));
        // It says when the request was signed, as that scheme writes times.
        let date = if scheme == Scheme::Acs3HmacSha256 { ACS_DATE } else { DATE };
        for (name, now, passes) in [
            ("exactly 15 minutes late", at(900), true),
            ("a second later", at(901), false),
            ("a millisecond later", at(900) + milli, false),
            ("a moment later", at(900) + nano, false),
            ("exactly 15 minutes early", at(-900), true),
            ("a second earlier", at(-901), false),
            ("a millisecond earlier", at(-900) - milli, false),
            ("a moment earlier", at(-900) - nano, false),
            ("at the epoch", SystemTime::UNIX_EPOCH, false),
        ] {
            let verdict = verifier().verify_at(&parts, now);
            if let Err(rejection) = &verdict {
                let message = rejection.message();
                assert!(message.contains(&format!("'{date}'")), "{scheme}, {name}: {message}");
            }
            let expected = (!passes).then_some(RejectionKind::RequestTimeTooSkewed);
            assert_eq!(kind(verdict), expected, "{scheme}, {name}");
        }
    }
}

#[test]
fn another_difference_of_clocks_can_be_allowed() {
    let parts = signed(Scheme::Fc, get("/"));
    let judge = |skew, now| common::verifier().with_max_skew(skew).verify_at(&parts, now).is_ok();
    assert!(judge(Duration::from_secs(5), at(5)));
    assert!(!judge(Duration::from_secs(5), at(6)));
    assert!(judge(Duration::ZERO, at(0)));
    assert!(!judge(Duration::ZERO, at(1)));
    assert!(judge(Duration::MAX, SystemTime::UNIX_EPOCH));
}

#[test]
fn a_presigned_url_works_until_it_expires_and_ends_within_a_week() {
    let week = 7 * 86_400;
    let (expired, too_late) = (Some(RejectionKind::Expired), Some(RejectionKind::ExpiresTooLate));
    for (lifetime, verified_at, expected) in [
        (60, 0, None),
        (60, 59, None),
        (60, 60, expired),
        (60, 3_600, expired),
        (600, 0, None),
        (600, 599, None),
        (600, 600, expired),
        (600, 601, expired),
        (600, 600 - week, None),
        (600, 599 - week, too_late),
        (week, 0, None),
        (week + 1, 0, too_late),
        (week + 1, 1, None),
    ] {
        let parts = presigned_for("/report?month=5", lifetime.try_into().unwrap());
        let got = kind(verifier().verify_at(&parts, at(verified_at)));
        assert_eq!(got, expected, "for {lifetime} s, after {verified_at} s");
    }
    let longer = verifier().with_max_lifetime(Duration::from_secs(14 * 86_400));
    assert_eq!(kind(longer.verify_at(&presigned_for("/a", 14 * 86_400), at(0))), None);
}

#[test]
fn a_presigned_url_that_is_not_switched_on_says_so() {
    let whole = presigned(common::get("/"), credentials(), 600);
    let part = common::get(&format!("/?x-fc-access-key-id={}", common::ID));
    for request in [whole, part] {
        let rejection = common::verifier().verify_request_at(&request, at(0)).unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::UnsupportedScheme);
    }
}
