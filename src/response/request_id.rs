use crate::protocol::date::to_unix;
use crate::random;
use http::header::HeaderValue;
use std::fmt::{self, Write};
use std::time::SystemTime;

/// Names one request, in the form of Function Compute: `1`, Unix seconds in hexadecimal and 20
/// random digits, e.g. `1-65d71219-15d63510-fecf237c590c`.
///
/// One in the extensions of a request is the `x-fc-request-id` of whatever answers it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// A fresh one, made at this time. Zeros stand for what is not to be had.
    pub fn new_at(time: SystemTime) -> Self {
        Self::of(to_unix(time))
    }

    pub(super) fn of(seconds: u64) -> Self {
        let number = random::number().unwrap_or_default();
        let (head, tail) = (number >> 96, number & 0xffff_ffff_ffff);
        let mut text = Text { bytes: [0; LONGEST], len: 0 };
        // It is as long as the longest one.
        let _ = write!(text, "1-{seconds:08x}-{head:08x}-{tail:012x}");
        let value = HeaderValue::from_bytes(&text.bytes[..text.len]);
        Self(value.unwrap_or(HeaderValue::from_static("1-0-0-0")))
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

/// The longest id: that of the largest number of seconds.
const LONGEST: usize = "1-ffffffffffffffff-00000000-000000000000".len();

/// Text without an allocation.
struct Text {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        let room = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
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
        assert_eq!(RequestId::of(u64::MAX).as_str().len(), LONGEST);
    }
}
