//! Dates as they are written on the wire, both ways.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How a date is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DateForm {
    /// As an IMF-fixdate (RFC 9110 §5.6.7).
    Http,
    /// In ISO 8601, as `x-acs-date` is.
    Acs,
}

impl DateForm {
    /// A date of this form.
    pub(crate) const fn example(self) -> &'static str {
        match self {
            Self::Http => "Sat, 21 Nov 2026 17:57:00 GMT",
            Self::Acs => "2026-11-21T17:57:00Z",
        }
    }

    pub(crate) fn read(self, text: &[u8]) -> Option<SystemTime> {
        match self {
            Self::Http => parse_http_date(text),
            Self::Acs => parse_acs_date(text),
        }
    }

    /// Lends the text of a date.
    pub(crate) fn write<T>(self, time: SystemTime, lend: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Self::Http => lend(&format_http_date(time)),
            Self::Acs => lend(&format_acs_date(time)),
        }
    }
}

/// The time this many seconds after the Unix epoch; the epoch itself when the
/// system cannot represent that.
pub(crate) fn from_unix(seconds: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH)
}

/// Whole seconds since the Unix epoch, 0 before it.
pub(crate) fn to_unix(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// How far apart two times are, whichever is first.
pub(crate) fn distance(a: SystemTime, b: SystemTime) -> Duration {
    let (first, last) = if a < b { (a, b) } else { (b, a) };
    last.duration_since(first).unwrap_or_default()
}

/// The last second of the year 9999, beyond which neither format goes.
pub(crate) const LAST: u64 = 253_402_300_799;

const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// A time as an IMF-fixdate (RFC 9110 §5.6.7), e.g. `Sun, 06 Nov 1994 08:49:37 GMT`.
///
/// Fractions of a second are dropped; times outside 1970 to 9999 are clamped.
pub fn format_http_date(time: SystemTime) -> [u8; 29] {
    HTTP_FORMATTED.with(|last| last.text(to_unix(time).min(LAST), http_date))
}

fn http_date(seconds: u64) -> [u8; 29] {
    let civil = Civil::of(seconds);
    let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    text[..3].copy_from_slice(DAYS[(seconds / 86_400 % 7) as usize]);
    put_two(&mut text[5..7], civil.day);
    text[8..11].copy_from_slice(MONTHS[civil.month as usize - 1]);
    put_two(&mut text[12..14], civil.year / 100);
    put_two(&mut text[14..16], civil.year % 100);
    civil.put_time(&mut text[17..25]);
    text
}

/// Reads an IMF-fixdate, the only form of `Date` that may be sent (RFC 9110 §5.6.7).
///
/// `None` for anything else: other forms of dates, a wrong day of the week, a
/// day that does not exist, years before 1970.
pub fn parse_http_date(text: &[u8]) -> Option<SystemTime> {
    let text = text.try_into().ok()?;
    HTTP_PARSED.with(|last| last.seconds(text, http_seconds)).map(from_unix)
}

fn http_seconds(text: &[u8; 29]) -> Option<u64> {
    let fixed = [(3, b','), (4, b' '), (7, b' '), (11, b' '), (16, b' '), (19, b':'), (22, b':')];
    if &text[25..] != b" GMT" || fixed.iter().any(|(at, byte)| text[*at] != *byte) {
        return None;
    }
    let month = MONTHS.iter().position(|month| month.as_slice() == &text[8..11])? as u32 + 1;
    let civil = Civil {
        year: two(text, 12)? * 100 + two(text, 14)?,
        month,
        day: two(text, 5)?,
        hour: two(text, 17)?,
        minute: two(text, 20)?,
        second: two(text, 23)?,
    };
    let seconds = civil.to_unix()?;
    let day = DAYS[(seconds / 86_400 % 7) as usize];
    (&text[..3] == day).then_some(seconds)
}

/// A time as `x-acs-date` is written, e.g. `2026-11-21T17:57:00Z`.
///
/// Fractions of a second are dropped; times outside 1970 to 9999 are clamped.
pub fn format_acs_date(time: SystemTime) -> [u8; 20] {
    ACS_FORMATTED.with(|last| last.text(to_unix(time).min(LAST), acs_date))
}

fn acs_date(seconds: u64) -> [u8; 20] {
    let civil = Civil::of(seconds);
    let mut text = *b"1970-01-01T00:00:00Z";
    put_two(&mut text[0..2], civil.year / 100);
    put_two(&mut text[2..4], civil.year % 100);
    put_two(&mut text[5..7], civil.month);
    put_two(&mut text[8..10], civil.day);
    civil.put_time(&mut text[11..19]);
    text
}

/// Reads an `x-acs-date`: ISO 8601 in UTC with a `Z`, whole seconds or up to nine
/// digits of a fraction (Node's SDK sends three, Java's up to nine).
///
/// `None` for anything else, days that do not exist, and years before 1970.
pub fn parse_acs_date(text: &[u8]) -> Option<SystemTime> {
    let (whole, rest) = text.split_first_chunk()?;
    let seconds = ACS_PARSED.with(|last| last.seconds(whole, acs_seconds))?;
    from_unix(seconds).checked_add(Duration::from_nanos(fraction(rest)?))
}

/// Reads what precedes the fraction of an `x-acs-date`.
fn acs_seconds(whole: &[u8; 19]) -> Option<u64> {
    let fixed = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if fixed.iter().any(|(at, byte)| whole[*at] != *byte) {
        return None;
    }
    let civil = Civil {
        year: two(whole, 0)? * 100 + two(whole, 2)?,
        month: two(whole, 5)?,
        day: two(whole, 8)?,
        hour: two(whole, 11)?,
        minute: two(whole, 14)?,
        second: two(whole, 17)?,
    };
    civil.to_unix()
}

/// Reads what follows the seconds of an `x-acs-date`, as nanoseconds.
fn fraction(text: &[u8]) -> Option<u64> {
    match text {
        b"Z" => Some(0),
        [b'.', digits @ .., b'Z'] if (1..=9).contains(&digits.len()) => {
            let mut nanos = 0;
            for at in 0..9 {
                let digit = digits.get(at).copied().unwrap_or(b'0');
                let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
                nanos = nanos * 10 + u64::from(digit);
            }
            Some(nanos)
        }
        _ => None,
    }
}

thread_local! {
    static HTTP_FORMATTED: Last<29> = const { Last::new(EPOCH_HTTP) };
    static HTTP_PARSED: Last<29> = const { Last::new(EPOCH_HTTP) };
    static ACS_FORMATTED: Last<20> = const { Last::new(*b"1970-01-01T00:00:00Z") };
    static ACS_PARSED: Last<19> = const { Last::new(*b"1970-01-01T00:00:00") };
}

const EPOCH_HTTP: [u8; 29] = *b"Thu, 01 Jan 1970 00:00:00 GMT";

/// The last date that a thread came upon, as seconds since 1970 and as text: requests
/// within a second have the same.
struct Last<const N: usize>(RefCell<(u64, [u8; N])>);

impl<const N: usize> Last<N> {
    const fn new(epoch: [u8; N]) -> Self {
        Self(RefCell::new((0, epoch)))
    }

    fn text(&self, seconds: u64, format: impl FnOnce(u64) -> [u8; N]) -> [u8; N] {
        let mut last = self.0.borrow_mut();
        if last.0 != seconds {
            *last = (seconds, format(seconds));
        }
        last.1
    }

    fn seconds(&self, text: &[u8; N], parse: impl FnOnce(&[u8; N]) -> Option<u64>) -> Option<u64> {
        let mut last = self.0.borrow_mut();
        if last.1 != *text {
            *last = (parse(text)?, *text);
        }
        Some(last.0)
    }
}

/// A date and a time of day in the Gregorian calendar.
struct Civil {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
}

impl Civil {
    /// From seconds since 1970, up to [`LAST`].
    ///
    /// Counts in years that begin in March, so that the leap day comes last.
    fn of(seconds: u64) -> Self {
        let time = (seconds % 86_400) as u32;
        // Days since 0000-03-01; 400 years have 146 097 days.
        let days = (seconds / 86_400) as u32 + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        Self {
            year: era * 400 + year_of_era + u32::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted + 2) / 5 + 1,
            hour: time / 3_600,
            minute: time / 60 % 60,
            second: time % 60,
        }
    }

    /// Seconds since 1970; `None` when it does not exist or is before that.
    fn to_unix(&self) -> Option<u64> {
        let every = |years| self.year.is_multiple_of(years);
        let leap = every(4) && (!every(100) || every(400));
        let days_of_month = match self.month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => return None,
        };
        let exists = (1..=days_of_month).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60;
        if self.year < 1970 || !exists {
            return None;
        }
        let year = self.year - u32::from(self.month <= 2);
        let shifted = (self.month + 9) % 12;
        let day_of_year = (153 * shifted + 2) / 5 + self.day - 1;
        let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
        let time = self.hour * 3_600 + self.minute * 60 + self.second;
        Some(u64::from(days) * 86_400 + u64::from(time))
    }

    fn put_time(&self, text: &mut [u8]) {
        put_two(&mut text[0..2], self.hour);
        put_two(&mut text[3..5], self.minute);
        put_two(&mut text[6..8], self.second);
    }
}

/// Two decimal digits.
fn two<const N: usize>(text: &[u8; N], at: usize) -> Option<u32> {
    let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| u32::from(tens * 10 + ones))
}

fn put_two(text: &mut [u8], value: u32) {
    text[0] = b'0' + (value / 10 % 10) as u8;
    text[1] = b'0' + (value % 10) as u8;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_survive_writing_and_reading() {
        let day_and_a_bit = 86_400 + 12_345;
        for seconds in
            (0..LAST).step_by(day_and_a_bit * 97).chain([0, 951_782_399, 951_782_400, LAST])
        {
            let time = from_unix(seconds);
            assert_eq!(parse_http_date(&format_http_date(time)), Some(time), "{seconds}");
            assert_eq!(parse_acs_date(&format_acs_date(time)), Some(time), "{seconds}");
            assert_eq!(httpdate::fmt_http_date(time).as_bytes(), format_http_date(time));
        }
    }

    #[test]
    fn times_that_cannot_be_written_are_clamped() {
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(&format_acs_date(before), b"1970-01-01T00:00:00Z");
        let after = UNIX_EPOCH + Duration::from_secs(LAST + 10);
        assert_eq!(&format_acs_date(after), b"9999-12-31T23:59:59Z");
    }

    #[test]
    fn fractions_of_an_acs_date_count() {
        for (text, nanos) in [
            ("2023-04-28T08:11:48.120Z", 120_000_000),
            ("2023-04-28T08:11:48.1Z", 100_000_000),
            ("2023-04-28T08:11:48.123456789Z", 123_456_789),
        ] {
            let whole = parse_acs_date(b"2023-04-28T08:11:48Z").unwrap();
            let expected = whole + Duration::from_nanos(nanos);
            assert_eq!(parse_acs_date(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not_dates() {
        for text in [
            "",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 31 Feb 2021 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:49:60 GMT",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
        ] {
            assert_eq!(parse_http_date(text.as_bytes()), None, "{text}");
        }
        for text in [
            "",
            "2023-04-28T08:11:48",
            "2023-04-28T08:11:48+00:00",
            "2023-04-28 08:11:48Z",
            "2023-04-28T08:11:48.Z",
            "2023-04-28T08:11:48.1234567890Z",
            "2023-04-28T08:11:48.12a4Z",
            "2023-04-28T08:11:48.-1Z",
            "2023-04-28T08:11:48. 1Z",
            "2023-02-29T08:11:48Z",
            "2023-13-01T08:11:48Z",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(parse_acs_date(text.as_bytes()), None, "{text}");
        }
    }
}
