//! What a verifier can be told, one thing at a time.

use super::Verifier;
use crate::error::Error;
use crate::protocol::dialect::Dialects;
use crate::protocol::external::Base;
use crate::protocol::host::Hosts;
use crate::protocol::others::Others;
use crate::protocol::scheme::Schemes;
use crate::protocol::sdk::{Accepted, Sdk};
use http::header::HeaderName;
use std::time::Duration;

impl<K> Verifier<K> {
    /// Accepts these schemes and no others.
    #[must_use]
    pub fn with_schemes(mut self, schemes: impl Into<Schemes>) -> Self {
        self.schemes = schemes.into();
        self
    }

    /// Accepts these dialects and no others. Presigned URLs are always read in
    /// [`Dialect::Standard`](crate::protocol::Dialect::Standard), the only one there is for them.
    ///
    /// Dialects whose strings-to-sign coincide on a request cost nothing; each one
    /// that differs costs one more HMAC before a request is refused.
    #[must_use]
    pub fn with_dialects(mut self, dialects: impl Into<Dialects>) -> Self {
        self.forms = dialects.into().into();
        self
    }

    /// Accepts the requests of these SDKs and no others: what they sign by, in their dialects.
    ///
    /// Takes the place of [`with_schemes`](Self::with_schemes) and
    /// [`with_dialects`](Self::with_dialects), and of an earlier call. The strict rules stay: what
    /// an SDK signs in a way that could be meant otherwise is refused, as are the management calls
    /// of `@alicloud/fc2` with parameters, which it leaves unsigned.
    ///
    /// | SDKs | sign by | what that opens |
    /// |---|---|---|
    /// | `PythonFc20230330` | `ACS3` as documented | nothing |
    /// | `NodeFc20230330` | `ACS3` as documented | the headers below |
    /// | `GoFc20230330`, `JavaFc20230330` | `ACS3` | names of parameters are signed unencoded in Go; the headers below |
    /// | `…FcOpen20210406` | `FC` and `ACS3` | what `FC` opens; in Python parameters in the order of their URL; in Go and Java the headers below |
    /// | `…Fc2`, `GoFc`, `…GatewayFcUtil` | `FC`, and presigned URLs in Go | neither host nor body are signed, and what a careless signer meant cannot be told |
    /// | `…OpenApiUtil` | `ACS3` in general and as in the samples for HTTP triggers, `acs` | the samples sign no body, no host, and one of the values of a parameter; but in Python, the headers below |
    ///
    /// `SECURITY.md` counts, by [dialect](crate::protocol::Dialect), what each signs that could be
    /// meant otherwise.
    ///
    /// The headers: Go's, Java's and Node's `ACS3` leave `x-fc-` headers unsigned that a call sets.
    /// Of them two may be there, as they steer nothing: `x-fc-log-type`, and
    /// `x-fc-invocation-type` if it is `Sync`. `Async`, a delay, the id of a task, and all others
    /// stay refused, unless they are named by
    /// [`with_insecure_unsigned_header`](Self::with_insecure_unsigned_header).
    ///
    /// ```
    /// use tower_fc::protocol::Sdk;
    /// use tower_fc::{StaticKeys, Verifier};
    ///
    /// let keys = StaticKeys::from_secrets([("LTAI5tExample", "secret")])?;
    /// let verifier = Verifier::new(keys).with_sdks([Sdk::NodeFc20230330, Sdk::PythonFc20230330]);
    /// # let _ = verifier;
    /// # Ok::<(), tower_fc::error::Error>(())
    /// ```
    #[must_use]
    pub fn with_sdks(mut self, sdks: impl IntoIterator<Item = Sdk>) -> Self {
        let none = Accepted {
            schemes: Schemes::empty(),
            dialects: Dialects::empty(),
            plain_invocation: false,
        };
        let all = sdks.into_iter().map(Sdk::accepted).fold(none, |all, one| Accepted {
            schemes: all.schemes | one.schemes,
            dialects: all.dialects | one.dialects,
            plain_invocation: all.plain_invocation || one.plain_invocation,
        });
        self.strict.required.plain_invocation = all.plain_invocation;
        self.with_schemes(all.schemes).with_dialects(all.dialects)
    }

    /// Refuses requests with credentials that name another host than one of these, or none, as
    /// [`ForeignHost`](crate::RejectionKind::ForeignHost). By default any host will do.
    ///
    /// No signature says for whom it is until someone compares: a request that was signed for
    /// another server which knows the same access key verifies here too. Under the `ACS3` schemes
    /// the host is signed, so this settles it, with
    /// [`with_required_headers([HOST])`](Self::with_required_headers) for those who leave it out
    /// of `SignedHeaders`. `FC`, presigned URLs and `acs` sign no host: there it keeps out what is
    /// relayed by mistake, and not an attacker, who can write another `Host`.
    ///
    /// - The host is that of the `host` header, or of the target if there is none. If both are
    ///   there they have to agree, whatever the setting.
    /// - `demo.example` is that host and no other. `*.demo.example` is every host below it,
    ///   `a.demo.example` and `a.b.demo.example`, and not `demo.example` itself.
    /// - Case makes no difference, and neither does a dot at the end. IPv6 addresses stand in
    ///   brackets, and are compared as addresses.
    /// - Without a port, any will do. With one, as in `demo.example:8443`, it has to be that one; a
    ///   request that names no port has the one that its scheme implies, and where it does not say
    ///   its scheme either, as in HTTP/1.1, 80 or 443.
    /// - Requests without any credentials are not asked, being refused or
    ///   [anonymous](crate::verify::Mode::Optional) wherever they go.
    ///
    /// ```
    /// use tower_fc::{Credentials, RejectionKind, Scheme, Signer, StaticKeys, Verifier};
    ///
    /// let keys = StaticKeys::from_secrets([("id", "secret")])?;
    /// let verifier = Verifier::new(keys).with_hosts(["demo.example", "*.demo.example"])?;
    /// let signer =
    ///     Signer::new(Credentials::new("id", "secret")?).with_scheme(Scheme::Acs3HmacSha256)?;
    /// let now = std::time::SystemTime::now();
    /// let verdict = |host: &str| {
    ///     let mut request = http::Request::get("/").header("host", host).body(())?;
    ///     signer.sign_request_at(&mut request, now)?;
    ///     let verdict = verifier.verify_request_at(&request, now);
    ///     Ok::<_, Box<dyn std::error::Error>>(verdict.map_err(|rejection| rejection.kind()).err())
    /// };
    /// assert_eq!(verdict("api.demo.example:8443")?, None);
    /// assert_eq!(verdict("other.example")?, Some(RejectionKind::ForeignHost));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`](crate::error::ErrorKind::InvalidSetting) for no host at all,
    /// and for what is none: a URL, an `*` elsewhere, an address without brackets, or letters
    /// beyond ASCII, of which the encoded form (`xn--…`) is on the wire. The text tells its
    /// number, from 1.
    pub fn with_hosts<I>(mut self, hosts: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.hosts = Hosts::read(hosts)?;
        Ok(self)
    }

    /// Accepts this clock difference, either way, in place of 15 minutes.
    #[must_use]
    pub fn with_max_skew(mut self, skew: Duration) -> Self {
        self.window.max_skew = skew;
        self
    }

    /// Accepts presigned URLs that end at the most this far ahead, in place of 7 days.
    #[must_use]
    pub fn with_max_lifetime(mut self, lifetime: Duration) -> Self {
        self.window.max_lifetime = lifetime;
        self
    }

    /// Refuses longer targets (path and query), in bytes, in place of those over 16 KiB.
    ///
    /// A query has 1 024 parameters at the most, which are as many as fit into the 4 KiB that an
    /// HTTP trigger takes with a name and a value; or one for 16 bytes of a longer limit.
    #[must_use]
    pub fn with_max_target_len(mut self, len: usize) -> Self {
        self.limits.target_len = len;
        self
    }

    /// Refuses requests whose header names and values are longer together, in bytes,
    /// in place of those over 32 KiB.
    #[must_use]
    pub fn with_max_headers_len(mut self, len: usize) -> Self {
        self.limits.headers_len = len;
        self
    }

    /// Refuses longer `SignedHeaders` lists, in names, in place of those over 100.
    #[must_use]
    pub fn with_max_signed_headers(mut self, count: usize) -> Self {
        self.limits.signed_headers = count;
        self
    }

    /// Refuses requests under the `ACS3` schemes that have one of these headers
    /// without signing it. A request without a `host` header has one in its target.
    ///
    /// Concerns the `ACS3` schemes alone, which list what they sign. Under the others a header is
    /// signed or not by its name, and requests pass whatever is asked for here:
    /// [`Scheme`](crate::Scheme) says which are. Leave those schemes out by
    /// [`with_schemes`](Self::with_schemes) where that will not do.
    ///
    /// By default `host` and `content-type` may go unsigned, because the documented
    /// samples for HTTP triggers do not sign them.
    #[must_use]
    pub fn with_required_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.strict.required.headers.extend(names);
        self
    }

    /// Refuses requests that carry no signed nonce: `x-acs-signature-nonce`, or
    /// `x-fc-signature-nonce` under [`Scheme::Fc`](crate::Scheme::Fc). Presigned URLs have none, and so
    /// are refused. Off by default.
    #[must_use]
    pub fn with_required_nonce(mut self) -> Self {
        self.strict.required.nonce = true;
        self
    }

    /// Takes the headers that Function Compute adds to each request for a custom runtime for what
    /// they are: not the client's.
    ///
    /// Insecure unless the platform sets them: whoever else passes requests on can then set, change
    /// and remove these headers, as no signature covers them. So use it in a function, behind its
    /// HTTP trigger, and nowhere else. By default every `x-fc-` header is the client's, and a
    /// request to which the platform added some is refused.
    ///
    /// There are two readings and no more, of which one has to verify: the request as it was
    /// received, with all its `x-fc-` headers, and as if it had none of these, which are left out
    /// together: `x-fc-request-id`, `x-fc-access-key-id`, `x-fc-access-key-secret`,
    /// `x-fc-security-token`, `x-fc-function-name`, `x-fc-function-handler`, `x-fc-function-memory`,
    /// `x-fc-region`, `x-fc-account-id`, `x-fc-qualifier`, `x-fc-version-id`,
    /// `x-fc-service-logproject`, `x-fc-service-logstore`, `x-fc-control-path`.
    ///
    /// - What is left out is covered by no signature
    ///   ([`VerifiedCaller::covers_header`](crate::VerifiedCaller::covers_header) is false), is no security token of the client's, and does
    ///   not keep a request from being [anonymous](crate::verify::Mode::Optional).
    /// - Any other `x-fc-` header has to be signed in either reading.
    /// - No key is looked up twice, unless by a security token, which may be another in either
    ///   reading. A refusal is that of the latter reading where the two differ, and costs twice as
    ///   much.
    ///
    /// # What cannot work
    ///
    /// The platform drops `x-fc-` headers of the client, or puts its own in their place. So behind it
    /// nobody gets in who signs one:
    ///
    /// | who | instead |
    /// |---|---|
    /// | `FC` with an STS token, in `x-fc-security-token` | `ACS3`, or a presigned URL: its token is in the query |
    /// | `FC` with a nonce, in `x-fc-signature-nonce`; so [`with_required_nonce`](Self::with_required_nonce) refuses all of `FC` | `ACS3` |
    /// | any scheme with an `x-fc-` header of its own, which `FC` always signs and `ACS3` if it is listed | another name |
    ///
    /// `ACS3` is the scheme to prefer here: it lists what it signs, and has token and nonce in
    /// `x-acs-` headers.
    ///
    /// # Secrets
    ///
    /// Among these headers are the access key, the secret and the token of the function's role. This
    /// crate prints none of them; see that nothing else logs them.
    ///
    /// ```
    /// use tower_fc::{Credentials, Scheme, Signer, StaticKeys, Verifier};
    ///
    /// let verifier = Verifier::new(StaticKeys::from_secrets([("id", "secret")])?);
    /// let now = std::time::SystemTime::now();
    /// let mut request = http::Request::get("/").body(())?;
    /// Signer::new(Credentials::new("id", "secret")?).sign_request_at(&mut request, now)?;
    ///
    /// // On the way to the function:
    /// request.headers_mut().insert("x-fc-request-id", "1-65d71219-15d63510".parse()?);
    /// request.headers_mut().insert("x-fc-region", "cn-hangzhou".parse()?);
    ///
    /// assert!(verifier.verify_request_at(&request, now).is_err());
    /// assert!(verifier.with_platform_headers().verify_request_at(&request, now).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_platform_headers(mut self) -> Self {
        self.platform = true;
        self
    }

    /// Verifies requests as what clients called, where a proxy passes them on under another host or
    /// without the front of their path: below this URL, `https://api.example/v2`.
    ///
    /// A request that arrives as `/p` is verified as `/v2/p` of the host `api.example`, whatever
    /// host it arrives with. So all of them have to come by that proxy, or one that does the same.
    /// What the client called is taken from here alone: `X-Forwarded-Host`, `X-Forwarded-Prefix` and
    /// `Forwarded` are what anyone may write, and are not looked at.
    ///
    /// - The base is put in front of every target as it is, one that begins with `/v2` as well: what
    ///   the proxy leaves alone needs none. No two targets become one, so what is signed is still
    ///   what is served, below the prefix.
    /// - The `host` that arrived is not what was signed, unless it is that of the base:
    ///   [`VerifiedCaller::covers_header`](crate::VerifiedCaller::covers_header) says so. Do not go by it.
    ///   [`with_hosts`](Self::with_hosts) is asked about that of the base.
    /// - A target that is no path, as in `OPTIONS *` and in `CONNECT` of HTTP/1.1, is refused. So is
    ///   a `host` that differs from the authority it arrived with.
    /// - A [target that was kept](crate::VerifyLayer::with_original_target), as `nest` of axum does,
    ///   is what arrived: the base is put in front of that.
    /// - Write the host as clients do. Exemptions see the target that arrived.
    ///
    /// What common proxies do, and how to set them up, is said in
    /// [the module](crate::verify#behind-a-proxy).
    ///
    /// ```
    /// use tower_fc::{Credentials, Scheme, Signer, StaticKeys, Verifier};
    ///
    /// let verifier = Verifier::new(StaticKeys::from_secrets([("id", "secret")])?)
    ///     .with_external_base("https://api.example/v2")?;
    /// let signer =
    ///     Signer::new(Credentials::new("id", "secret")?).with_scheme(Scheme::Acs3HmacSha256)?;
    /// let now = std::time::SystemTime::now();
    /// let mut request = http::Request::get("https://api.example/v2/p?q=1").body(())?;
    /// signer.sign_request_at(&mut request, now)?;
    ///
    /// // On the way:
    /// *request.uri_mut() = "/p?q=1".parse()?;
    /// request.headers_mut().insert("host", "10.0.0.7:8080".parse()?);
    /// assert!(verifier.verify_request_at(&request, now).is_ok());
    ///
    /// *request.uri_mut() = "/v2/p?q=1".parse()?;
    /// assert!(verifier.verify_request_at(&request, now).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`](crate::error::ErrorKind::InvalidSetting) for what is no URL of
    /// `http` or `https`, or has a query, a fragment or user information.
    pub fn with_external_base(mut self, base: impl AsRef<str>) -> Result<Self, Error> {
        self.base = Some(Base::read(base.as_ref())?);
        Ok(self)
    }

    /// Leaves credentials of these schemes to others: `Authorization: Bearer …`, say, where tokens
    /// get in beside signatures. By default an unknown scheme is refused.
    ///
    /// [`VerifyLayer`](crate::VerifyLayer) lets such a request pass with all its headers, with an
    /// [`OtherScheme`](crate::verify::OtherScheme) in its extensions and no
    /// [`VerifiedCaller`](crate::VerifiedCaller). *Nothing of it is verified*: whatever is inside has to check it, and to
    /// tell it from an anonymous request. In axum, `Caller` of the adapter tells all three apart, and
    /// neither `VerifiedCaller` nor `Option<VerifiedCaller>` accepts it. A verifier by itself refuses
    /// it as [`RejectionKind::OtherScheme`](crate::RejectionKind::OtherScheme).
    ///
    /// It is refused if it has anything of a signature besides: in a second `Authorization` header
    /// or the same one, in a header that belongs to credentials, or in its query. Case makes no
    /// difference in the name.
    ///
    /// ```
    /// use tower_fc::{RejectionKind, StaticKeys, Verifier};
    ///
    /// let verifier = Verifier::new(StaticKeys::new()).with_other_schemes(["Bearer"])?;
    /// let now = std::time::SystemTime::now();
    /// let request = http::Request::get("/").header("authorization", "bearer abc").body(())?;
    /// let rejection = verifier.verify_request_at(&request, now).unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::OtherScheme);
    /// assert_eq!(rejection.other_scheme().unwrap().name(), "Bearer");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`](crate::error::ErrorKind::InvalidSetting) for what cannot be the
    /// name of a scheme, and for those of signatures. The text tells its number, from 1.
    pub fn with_other_schemes<I>(mut self, names: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.others = Others::read(names)?;
        Ok(self)
    }

    strictness!(strict);
}
