use crate::protocol::date::to_unix;
use crate::random;
use http::header::HeaderValue;
use std::fmt;
use std::time::SystemTime;

/// Names one request, in the form of Function Compute: `1`, Unix seconds in hexadecimal and 20
/// random digits, e.g. `1-65d71219-15d63510-fecf237c590c`.
///
/// One in the extensions of a request is the `x-fc-request-id` of whatever answers it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// A fresh one, made at this time.
    pub fn new_at(time: SystemTime) -> Self {
        Self::of(to_unix(time))
    }

    pub(super) fn of(seconds: u64) -> Self {
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX).to_be_bytes();
        let number = random::unique().to_be_bytes();
        let mut text = *b"1-00000000-00000000-000000000000";
        for (at, bytes) in [(2..10, &seconds[..]), (11..19, &number[..4]), (20..32, &number[4..10])]
        {
            // There are two digits for each byte.
            let _ = base16ct::lower::encode(bytes, &mut text[at]);
        }
        let value = HeaderValue::from_bytes(&text);
        Self(value.unwrap_or(HeaderValue::from_static("1-0-0-0")))
    }

    /// One that was given out before, by its text.
    #[cfg(feature = "async-invocation")]
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        HeaderValue::from_str(text).ok().map(Self)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The value of an `x-fc-request-id` header.
    pub fn header_value(&self) -> &HeaderValue {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestId").field(&self.as_str()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_have_the_form_of_the_gateway_and_differ() {
        let ids: std::collections::HashSet<_> =
            (0..1000).map(|_| RequestId::new_at(SystemTime::now())).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            let lens: Vec<_> = id.as_str().split('-').map(str::len).collect();
            assert_eq!(lens, [1, 8, 8, 12], "{id:?}");
        }
        assert!(RequestId::of(0xa).as_str().starts_with("1-0000000a-"));
        assert!(RequestId::of(u64::MAX).as_str().starts_with("1-ffffffff-"));
    }
}
