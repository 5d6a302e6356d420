//! Dates, read the plain way.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second of the year 9999.
pub const LAST: u64 = 253_402_300_799;

/// An IMF-fixdate, if the text is exactly what the time it says is written as.
pub fn http_date(text: &[u8]) -> Option<SystemTime> {
    let text = std::str::from_utf8(text).ok()?;
    let time = httpdate::parse_http_date(text).ok()?;
    (httpdate::fmt_http_date(time) == text).then_some(time)
}

/// `YYYY-MM-DDThh:mm:ssZ`, with up to nine digits of a fraction.
pub fn acs_date(text: &[u8]) -> Option<SystemTime> {
    let text = std::str::from_utf8(text).ok()?;
    if !text.is_ascii() || text.len() < 20 {
        return None;
    }
    let (whole, fraction) = text.strip_suffix('Z')?.split_at(19);
    let nanos = match fraction.strip_prefix('.') {
        Some(digits) if (1..=9).contains(&digits.len()) => number(&format!("{digits:0<9}"), 9)?,
        None if fraction.is_empty() => 0,
        _ => return None,
    };

    // What the same time would be as an IMF-fixdate, whichever day of the week it is.
    let (date, time) = whole.split_once('T')?;
    let fields: Vec<&str> = date.split('-').collect();
    let [year, month, day] = fields.as_slice() else { return None };
    let fields: Vec<&str> = time.split(':').collect();
    let [hour, minute, second] = fields.as_slice() else { return None };
    number(year, 4)?;
    for field in [day, hour, minute, second] {
        number(field, 2)?;
    }
    let months =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.get((number(month, 2)? as usize).checked_sub(1)?)?;
    ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
        .into_iter()
        .find_map(|week_day| {
            http_date(format!("{week_day}, {day} {month} {year} {time} GMT").as_bytes())
        })
        .map(|time| time + Duration::from_nanos(nanos))
}

/// The number of a text of at least `len` digits and nothing else.
fn number(text: &str, len: usize) -> Option<u64> {
    if text.len() < len || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// A time after 1970.
pub fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}
