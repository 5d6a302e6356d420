use crate::clock::{Clock, SystemClock};
use crate::protocol::Verifier;
use crate::response::{FcResponse, Observer, Outcome, RejectionResponse};
use http::{Extensions, HeaderMap, Method, Uri};
use std::fmt;
use std::sync::Arc;

/// Lets a service see only requests whose signature verifies.
///
/// What the [`Verifier`] accepts goes to the inner service with a
/// [`VerifiedCaller`](crate::VerifiedCaller) in its extensions; what it refuses is
/// answered at once, with the [`Rejection`](crate::Rejection) in the extensions of
/// the response. The error of the inner service passes through unchanged.
/// [The module](crate::verify) has an example.
///
/// Put it inside layers that observe (tracing, metrics) and outside all that
/// rewrite the target, signed headers or the body; [the order](crate::verify#order) is written
/// the other way round in axum.
///
/// A request that is refused leaves the inner service ready, with what it holds for that: see
/// [`release`](crate::release) for where that matters.
pub struct VerifyLayer<K, R = FcResponse, C = SystemClock> {
    pub(super) verifier: Arc<Verifier<K>>,
    pub(super) response: Arc<R>,
    pub(super) clock: C,
    pub(super) settings: Settings,
}

/// What a verifying service does around its verifier.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) mode: Mode,
    pub(super) strip: bool,
    pub(super) exempt: Exempt,
    pub(super) original: Option<Original>,
    pub(super) observer: Observer,
}

/// Which requests pass unverified.
#[derive(Clone, Default)]
pub(super) struct Exempt(Option<Arc<IsExempt>>);

type IsExempt = dyn Fn(&Method, &Uri, &HeaderMap) -> bool + Send + Sync;

impl Exempt {
    pub(super) fn contains(&self, method: &Method, target: &Uri, headers: &HeaderMap) -> bool {
        self.0.as_ref().is_some_and(|is_exempt| is_exempt(method, target, headers))
    }

    /// Whether there can be any.
    pub(super) fn is_any(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Debug for Exempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_any() { "Some(..)" } else { "None" })
    }
}

/// Finds the target that was signed.
#[derive(Clone)]
pub(super) struct Original(Arc<FindOriginal>);

type FindOriginal = dyn Fn(&Extensions) -> Option<&Uri> + Send + Sync;

impl Original {
    pub(super) fn find<'a>(&self, extensions: &'a Extensions) -> Option<&'a Uri> {
        (self.0)(extensions)
    }
}

impl fmt::Debug for Original {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// Decides about requests without any credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// They are refused.
    #[default]
    Required,
    /// They pass as anonymous: without a [`VerifiedCaller`](crate::VerifiedCaller).
    /// Credentials that are there still have to verify: bad ones never pass, and neither does
    /// what is left of some when a proxy took `authorization` away.
    ///
    /// So a request is anonymous that has none of these headers: `authorization`,
    /// `x-fc-security-token`, `x-acs-security-token`, `x-fc-signature-nonce`,
    /// `x-acs-signature-nonce`, `x-acs-date`; and none of these query parameters, in any
    /// spelling: `x-fc-access-key-id`, `x-fc-expires`, `x-fc-security-token`, `x-fc-signature`.
    /// Others belong to no credentials, such as `date`, a digest, or `x-fc-invocation-type`.
    Optional,
}

impl<K, R, C: Clone> Clone for VerifyLayer<K, R, C> {
    fn clone(&self) -> Self {
        Self {
            verifier: Arc::clone(&self.verifier),
            response: Arc::clone(&self.response),
            clock: self.clock.clone(),
            settings: self.settings.clone(),
        }
    }
}

impl<K> VerifyLayer<K> {
    /// Verifies with `verifier`, and requires credentials.
    pub fn new(verifier: Verifier<K>) -> Self {
        Self {
            verifier: Arc::new(verifier),
            response: Arc::new(FcResponse),
            clock: SystemClock,
            settings: Settings::default(),
        }
    }
}

impl<K, R, C> VerifyLayer<K, R, C> {
    /// Decides about requests without any credentials. They are refused by default.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.settings.mode = mode;
        self
    }

    /// Takes the client's credentials out of what the inner service sees:
    /// `authorization` and the security token headers. They stay by default. The
    /// parameters of a presigned URL stay in any case, the target being signed. Of
    /// `x-fc-security-token` it does not matter who set it: behind a
    /// [platform](Verifier::with_platform_headers) the token of the function's role goes too.
    #[must_use]
    pub fn with_stripped_credentials(mut self) -> Self {
        self.settings.strip = true;
        self
    }

    /// Lets requests pass unverified for which `is_exempt` is true, say those to a
    /// health check. Credentials they carry are not looked at, and no
    /// [`VerifiedCaller`](crate::VerifiedCaller) is put into them.
    ///
    /// It is asked with method, target and headers. All of them are what anyone can write: exempt
    /// by a header, and whoever sends it is let in.
    ///
    /// The target is the one the client sent, where
    /// [`with_original_target`](Self::with_original_target) says what that is. Compare
    /// whole paths, not beginnings:
    /// `/health/../admin` begins like a health check too.
    #[must_use]
    pub fn with_exemption(
        mut self,
        is_exempt: impl Fn(&Method, &Uri, &HeaderMap) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.settings.exempt = Exempt(Some(Arc::new(is_exempt)));
        self
    }

    /// Verifies against the target that `original` finds in the extensions of a
    /// request, where it finds one: the target as it arrived, before a
    /// router changed it. With the feature `axum`,
    /// `adapters::axum::original_uri` is such a function. For what a proxy changed there is
    /// [`Verifier::with_external_base`].
    #[must_use]
    pub fn with_original_target(
        mut self,
        original: impl Fn(&Extensions) -> Option<&Uri> + Send + Sync + 'static,
    ) -> Self {
        self.settings.original = Some(Original(Arc::new(original)));
        self
    }

    /// Tells `observe` what becomes of every request, once: when it is refused, or when it is
    /// over, with what the layers inside made of it. It should do no more than count.
    ///
    /// A request is over when it is dropped, and its body with it if that is checked while it
    /// streams: whatever keeps the extensions of a request keeps it open.
    #[must_use]
    pub fn with_observer(mut self, observe: impl Fn(Outcome<'_>) + Send + Sync + 'static) -> Self {
        self.settings.observer = Observer::new(observe);
        self
    }

    /// Answers refusals in another way than [`FcResponse`].
    pub fn with_rejection_response<T: RejectionResponse>(
        self,
        response: T,
    ) -> VerifyLayer<K, T, C> {
        let Self { verifier, clock, settings, .. } = self;
        VerifyLayer { verifier, response: Arc::new(response), clock, settings }
    }

    /// Tells the time by another clock than the system's.
    pub fn with_clock<T: Clock>(self, clock: T) -> VerifyLayer<K, R, T> {
        let Self { verifier, response, settings, .. } = self;
        VerifyLayer { verifier, response, clock, settings }
    }
}

impl<K, R, C> fmt::Debug for VerifyLayer<K, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyLayer")
            .field("verifier", &self.verifier)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::headers::{
        OF_CREDENTIALS, QUERY_ACCESS_KEY_ID, QUERY_EXPIRES, QUERY_SECURITY_TOKEN, QUERY_SIGNATURE,
    };
    use crate::protocol::scheme::Schemes;
    use crate::{RejectionKind, StaticKeys, Verifier};
    use http::Request;
    use http::header::AUTHORIZATION;
    use std::collections::BTreeSet;
    use std::time::UNIX_EPOCH;

    /// The names in the documentation of `Mode::Optional` between two of its words.
    fn documented<'a>(from: &str, to: &str) -> BTreeSet<&'a str> {
        let text = include_str!("layer.rs").split("    Optional,").next().unwrap();
        let text = text.rsplit_once(from).unwrap().1.split(to).next().unwrap();
        text.split('`').skip(1).step_by(2).collect()
    }

    #[test]
    fn the_documentation_lists_all_that_belongs_to_credentials_and_nothing_of_it_is_anonymous() {
        let headers = documented("none of these headers:", "none of these query");
        let parameters = documented("none of these query", "Others");
        let known = OF_CREDENTIALS.into_iter().chain([&AUTHORIZATION]);
        assert_eq!(headers, known.map(|name| name.as_str()).collect());
        let known = [QUERY_ACCESS_KEY_ID, QUERY_EXPIRES, QUERY_SECURITY_TOKEN, QUERY_SIGNATURE];
        assert_eq!(parameters, known.into());

        let verifier = Verifier::new(StaticKeys::new()).with_schemes(Schemes::all());
        let is_anonymous = |request: http::request::Builder| {
            let rejection = verifier.verify_request_at(&request.body(()).unwrap(), UNIX_EPOCH);
            rejection.unwrap_err().kind() == RejectionKind::MissingCredentials
        };
        for value in ["", "1"] {
            for name in &headers {
                assert!(!is_anonymous(Request::get("/").header(*name, value)), "{name}: {value}");
            }
            for name in &parameters {
                let escaped = name.replacen('-', "%2D", 1);
                for uri in [format!("/?{name}={value}"), format!("/?a&{escaped}")] {
                    assert!(!is_anonymous(Request::get(&uri)), "{uri}");
                }
            }
            for name in ["date", "content-md5", "x-acs-content-sha256", "x-fc-invocation-type"] {
                assert!(is_anonymous(Request::get("/?x=1").header(name, value)), "{name}");
            }
        }
    }
}
