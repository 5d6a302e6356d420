use super::copy::CloneBody;
use super::correction::Correction;
use super::service::CorrectClock;
use crate::clock::{Clock, CorrectedClock, SystemClock};
use crate::sign::awaiting::AsyncSignLayer;
use crate::sign::layer::SignLayer;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tower_layer::Layer;

/// Believes servers about the time by default up to so much difference, either way: a day, which
/// is more than any time zone is off.
pub const DEFAULT_MAX_OFFSET: Duration = Duration::from_secs(24 * 60 * 60);

/// Signs every request on its way to a service, and once more by the server's time where it was
/// refused because the clock of this machine is wrong.
///
/// Made from a [`SignLayer`] with all its settings
/// ([`SignLayer::correcting_clock`], which has an example), and put where that would be.
///
/// - What is refused because of time, as Function Compute and the other services of Alibaba Cloud
///   say it, tells by its `Date` header how far the clock is off. The request is signed by that
///   time and sent once more; all later ones are signed by it at once. No other refusal is acted
///   upon, that of a wrong key for instance.
/// - The offset is taken for the middle between sending and receiving. An answer with an `Age`
///   header, which comes out of a cache, is not believed, nor one that differs by more than
///   [`DEFAULT_MAX_OFFSET`], nor that of an origin that is
///   [not signed for](SignLayer::for_origins).
/// - A body is sent a second time as a clone of it, or as
///   [`with_body_copy`](Self::with_body_copy) copies it. Where there is no copy, the offset is
///   learnt all the same, and the refusal handed back: trying again will do.
/// - Of a refusal up to 8 KiB are read to find out why, and handed on with the rest, where its
///   `Date` differs from the time that was signed. As long as that takes the answer is not handed
///   on: put a timeout outside. That of a `HEAD` request has no body to say why, and is handed back.
///
/// Whoever answers in the server's place can move the clock within that bound, and so have a
/// request signed that is valid at another time. With TLS nobody can.
#[derive(Clone)]
pub struct CorrectClockLayer<L, C = SystemClock, F = CloneBody> {
    sign: L,
    correction: Correction<C, F>,
}

impl<P, C: Clock + Clone> SignLayer<P, C> {
    /// Makes the layer that corrects a wrong clock by what servers say, which is off by default.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use std::time::{Duration, SystemTime};
    /// use tower::{Layer, Service, ServiceExt};
    /// use tower_fc::clock::Clock as _;
    /// use tower_fc::{Credentials, SignLayer, StaticKeys, Verifier, VerifyLayer};
    /// # use http_body_util::Full;
    /// # use tower_fc::protocol::format_http_date;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let keys = StaticKeys::from_secrets([("LTAI5tExample", "secret")])?;
    /// # let verify = VerifyLayer::new(Verifier::new(keys));
    /// # let server = tower::ServiceBuilder::new()
    /// #     // As every HTTP server does.
    /// #     .map_response(|mut response: Response<_>| {
    /// #         let date = format_http_date(SystemTime::now());
    /// #         response.headers_mut().insert("date", http::HeaderValue::from_bytes(&date).unwrap());
    /// #         response
    /// #     })
    /// #     .layer(verify)
    /// #     .service_fn(async |_: Request<String>| {
    /// #         Ok::<_, std::convert::Infallible>(Response::new(Full::<bytes::Bytes>::default()))
    /// #     });
    /// // `server` is reached over HTTP, and this clock is half an hour slow.
    /// let slow = || SystemTime::now() - Duration::from_secs(1_800);
    /// let credentials = Credentials::new("LTAI5tExample", "secret")?;
    /// let sign = SignLayer::for_origins(credentials, ["https://demo.example"])?.with_clock(slow);
    ///
    /// let request = || Request::get("https://demo.example/").body(String::new());
    /// let mut client = sign.clone().layer(server.clone());
    /// assert_eq!(client.ready().await?.call(request()?).await?.status(), 403);
    ///
    /// let sign = sign.correcting_clock();
    /// let mut client = sign.layer(server);
    /// assert_eq!(client.ready().await?.call(request()?).await?.status(), 200);
    /// let off = sign.clock().now().duration_since(SystemTime::now()).unwrap_or_default();
    /// assert!(off < Duration::from_secs(2));
    /// # Ok(())
    /// # }
    /// ```
    pub fn correcting_clock(self) -> CorrectClockLayer<SignLayer<P, CorrectedClock<C>>, C> {
        let clock = CorrectedClock::new(self.clock.clone());
        let correction = Correction {
            clock: clock.clone(),
            origins: self.origins.clone(),
            max_offset: DEFAULT_MAX_OFFSET,
            copy: CloneBody,
            observer: None,
        };
        CorrectClockLayer { sign: self.with_clock(clock), correction }
    }
}

impl<P, C, F> CorrectClockLayer<SignLayer<P, CorrectedClock<C>>, C, F> {
    /// Makes the layer for credentials that have to be awaited. See
    /// [`SignLayer::awaiting_credentials`].
    pub fn awaiting_credentials(
        self,
    ) -> CorrectClockLayer<AsyncSignLayer<P, CorrectedClock<C>>, C, F> {
        let Self { sign, correction } = self;
        CorrectClockLayer { sign: sign.awaiting_credentials(), correction }
    }
}

impl<L, C, F> CorrectClockLayer<L, C, F> {
    /// Believes servers about the time up to this much difference, either way, in place of
    /// [`DEFAULT_MAX_OFFSET`].
    #[must_use]
    pub fn with_max_offset(mut self, offset: Duration) -> Self {
        self.correction.max_offset = offset;
        self
    }

    /// Copies bodies by this in place of [`Clone`]: `|body: &Body| body.try_clone()`, or
    /// `|_: &Body| None` for those that cannot be sent twice.
    pub fn with_body_copy<T>(self, copy: T) -> CorrectClockLayer<L, C, T> {
        let Self { sign, correction } = self;
        let Correction { clock, origins, max_offset, observer, .. } = correction;
        let correction = Correction { clock, origins, max_offset, copy, observer };
        CorrectClockLayer { sign, correction }
    }

    /// Tells `observe` each time that the clock is corrected, by how much it is then, in
    /// milliseconds: positive where it is slow. It should do no more than count.
    #[must_use]
    pub fn with_observer(mut self, observe: impl Fn(i64) + Send + Sync + 'static) -> Self {
        self.correction.observer = Some(Arc::new(observe));
        self
    }

    /// The clock as it is corrected, for a
    /// [`CachedCredentials`](crate::credentials::CachedCredentials) and whatever else goes by the
    /// server's time.
    pub fn clock(&self) -> &CorrectedClock<C> {
        &self.correction.clock
    }
}

impl<S, L, C, F> Layer<S> for CorrectClockLayer<L, C, F>
where
    L: Layer<S>,
    C: Clone,
    F: Clone,
{
    type Service = CorrectClock<L::Service, C, F>;

    fn layer(&self, inner: S) -> Self::Service {
        CorrectClock::new(self.sign.layer(inner), self.correction.clone())
    }
}

impl<L: fmt::Debug, C, F> fmt::Debug for CorrectClockLayer<L, C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorrectClockLayer")
            .field("sign", &self.sign)
            .field("max_offset", &self.correction.max_offset)
            .finish_non_exhaustive()
    }
}
