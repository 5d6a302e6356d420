use super::limits::no_room;
use super::rule::{Refusal, sealed};
use crate::protocol::{Rejection, RejectionKind};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, Request, Response};
use std::time::SystemTime;

/// The name that a trigger is reached by, and what that brings with it: a
/// [rule](super::RuleLayer).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Domain {
    /// The address that every trigger is given, `<trigger>.<region>.fcapp.run`. Responses are
    /// downloads (`content-disposition: attachment`), whatever the function says, and Android
    /// packages (`application/vnd.android.package-archive`) are answered with 400 (seed
    /// document, "HTTP Response" and the note of 2024-06-10).
    BuiltIn,
    /// The same with access from the internet switched off (`disableURLInternet`): every
    /// request is answered with 403.
    BuiltInDisabled,
    /// A name of one's own, to which none of this applies.
    #[default]
    Custom,
}

/// The media type of Android packages.
const APK: &[u8] = b"application/vnd.android.package-archive";

impl sealed::Rule for Domain {
    type Kept = ();

    fn request<B>(&self, _: &mut Request<B>, _: SystemTime, (): &mut ()) -> Result<(), Refusal> {
        if *self != Self::BuiltInDisabled {
            return Ok(());
        }
        let message = "the public address of the trigger is disabled: use a custom domain";
        Err(Rejection::new(RejectionKind::AddressDisabled, message).into())
    }

    fn response<B>(&self, (): &(), response: &mut Response<B>) -> Result<(), Rejection> {
        if *self == Self::Custom {
            return Ok(());
        }
        let types = response.headers().get_all(CONTENT_TYPE);
        if types.iter().any(|value| media_type(value).eq_ignore_ascii_case(APK)) {
            let message = "responses of the type application/vnd.android.package-archive are not \
                           served from the built-in domain: use a custom domain";
            return Err(Rejection::new(RejectionKind::ContentNotAllowed, message));
        }
        let attachment = HeaderValue::from_static("attachment");
        let set = response.headers_mut().try_insert(CONTENT_DISPOSITION, attachment);
        // What cannot be made a download is not served.
        set.map(drop).map_err(|_| no_room(RejectionKind::ResponseLimitExceeded))
    }
}

/// The type without its parameters.
fn media_type(value: &HeaderValue) -> &[u8] {
    value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}
