use super::anonymous::AnonymousLayer;
use super::body_limit::{BodyLimit, BodyLimitLayer};
use super::composed::{Inside, Outside};
use super::config::TriggerConfig;
use super::cors::Cors;
use super::domain::Domain;
use super::headers::FunctionHeaders;
use super::limits::{RequestLimits, ResponseLimits};
use super::methods::Methods;
use super::rule::{RuleLayer, Ruled};
use crate::clock::{Clock, SystemClock};
use crate::digest::{BodyPolicy, CheckDigest, CheckDigestLayer};
use crate::response::{FcResponse, RejectionResponse};
use tower_layer::{Identity, Layer};

/// Does what an HTTP trigger does in front of a function: all rules of
/// [this module](crate::trigger) in their order.
///
/// `A` is the layer that authenticates: [`AnonymousLayer`],
/// [`VerifyLayer`](crate::VerifyLayer) or its awaiting twin, or one of `jwt`.
#[derive(Clone, Debug)]
pub struct HttpTrigger<A, R = FcResponse, C = SystemClock, I = Identity> {
    authentication: A,
    invocation: I,
    outside: Outside,
    digest: BodyPolicy,
    body_limit: u64,
    inside: Inside,
    response: R,
    clock: C,
}

impl HttpTrigger<AnonymousLayer> {
    /// A trigger that lets everybody call its function: anyone who knows the URL.
    pub fn anonymous() -> Self {
        Self::new(AnonymousLayer)
    }
}

impl<A> HttpTrigger<A> {
    /// A trigger that lets those call its function who pass this layer.
    pub fn new(authentication: A) -> Self {
        Self {
            authentication,
            invocation: Identity::new(),
            outside: Outside::default(),
            digest: BodyPolicy::default(),
            body_limit: super::DEFAULT_MAX_BODY_LEN,
            inside: Inside::default(),
            response: FcResponse,
            clock: SystemClock,
        }
    }
}

impl<A, R, C, I> HttpTrigger<A, R, C, I> {
    /// Allows the methods of a configuration, and lets scripts read by its CORS. Who may call, and
    /// what kind of name it is called by, are not for this to say: see [`TriggerConfig`].
    #[must_use]
    pub fn with_config(self, config: &TriggerConfig) -> Self {
        self.with_methods(config.methods()).with_cors(config.cors().clone())
    }

    /// Allows these methods, in place of all seven.
    #[must_use]
    pub fn with_methods(mut self, methods: Methods) -> Self {
        self.outside.methods = methods;
        self
    }

    /// Says by what kind of name the trigger is reached, in place of a custom domain.
    #[must_use]
    pub fn with_domain(mut self, domain: Domain) -> Self {
        (self.outside.domain, self.inside.domain) = (domain, domain);
        self
    }

    /// Lets scripts of other origins read responses by these rules, in place of the default
    /// ones.
    #[must_use]
    pub fn with_cors(mut self, cors: Cors) -> Self {
        self.outside.cors = cors;
        self
    }

    /// Limits the headers and the target of requests in another way.
    #[must_use]
    pub fn with_request_limits(mut self, limits: RequestLimits) -> Self {
        self.outside.limits = limits;
        self
    }

    /// Refuses bodies of more than so many bytes, in place of those over 32 MB.
    #[must_use]
    pub fn with_max_body_len(mut self, len: u64) -> Self {
        self.body_limit = len;
        self
    }

    /// Chooses which bodies are compared with their signed digest, in place of those that have
    /// one.
    #[must_use]
    pub fn with_body_policy(mut self, policy: BodyPolicy) -> Self {
        self.digest = policy;
        self
    }

    /// Gives the function these headers of the platform, in place of the request id alone.
    #[must_use]
    pub fn with_function_headers(mut self, headers: FunctionHeaders) -> Self {
        self.inside.headers = headers;
        self
    }

    /// Limits the headers of responses in another way.
    #[must_use]
    pub fn with_response_limits(mut self, limits: ResponseLimits) -> Self {
        self.inside.limits = limits;
        self
    }

    /// Accepts requests that are to be carried out later by this layer, say an
    /// `InvocationLayer`. Its worker calls the function by [`HttpTrigger::function`].
    pub fn with_invocation<T>(self, invocation: T) -> HttpTrigger<A, R, C, T> {
        let Self { authentication, outside, digest, body_limit, inside, response, clock, .. } =
            self;
        HttpTrigger {
            authentication,
            invocation,
            outside,
            digest,
            body_limit,
            inside,
            response,
            clock,
        }
    }

    /// Answers refusals of the trigger in another way than [`FcResponse`]. The layer that
    /// authenticates has a setting of its own.
    pub fn with_rejection_response<T: RejectionResponse>(
        self,
        response: T,
    ) -> HttpTrigger<A, T, C, I> {
        let Self { authentication, invocation, outside, digest, body_limit, inside, clock, .. } =
            self;
        HttpTrigger {
            authentication,
            invocation,
            outside,
            digest,
            body_limit,
            inside,
            response,
            clock,
        }
    }

    /// Tells the time by another clock than the system's.
    pub fn with_clock<T: Clock>(self, clock: T) -> HttpTrigger<A, R, T, I> {
        let Self {
            authentication, invocation, outside, digest, body_limit, inside, response, ..
        } = self;
        HttpTrigger {
            authentication,
            invocation,
            outside,
            digest,
            body_limit,
            inside,
            response,
            clock,
        }
    }
}

/// A function behind the rules that surround it directly.
pub type Function<S, R, C> = Ruled<S, Inside, R, C>;
/// What may answer in place of a function.
pub type Limited<S, R, C> = BodyLimit<Function<S, R, C>, R, C>;

impl<A, R: RejectionResponse + Clone, C: Clock + Clone, I> HttpTrigger<A, R, C, I> {
    /// The function behind the rules that surround it directly, without those that ask who
    /// calls: what a worker calls with requests that were accepted before.
    pub fn function<S>(&self, function: S) -> Function<S, R, C> {
        RuleLayer::new(self.inside.clone())
            .with_rejection_response(self.response.clone())
            .with_clock(self.clock.clone())
            .layer(function)
    }
}

impl<S, A, R, C, I> Layer<S> for HttpTrigger<A, R, C, I>
where
    A: Layer<CheckDigest<I::Service, R>>,
    I: Layer<Limited<S, R, C>>,
    R: RejectionResponse + Clone,
    C: Clock + Clone,
{
    type Service = Ruled<A::Service, Outside, R, C>;

    fn layer(&self, function: S) -> Self::Service {
        let function = BodyLimitLayer::new(self.body_limit)
            .with_rejection_response(self.response.clone())
            .with_clock(self.clock.clone())
            .layer(self.function(function));
        let function = CheckDigestLayer::new()
            .with_policy(self.digest)
            .with_rejection_response(self.response.clone())
            .layer(self.invocation.layer(function));
        RuleLayer::new(self.outside.clone())
            .with_rejection_response(self.response.clone())
            .with_clock(self.clock.clone())
            .layer(self.authentication.layer(function))
    }
}
