/// What every service around another one has: the ways to that one.
macro_rules! inner {
    ($service:ident $(, $param:ident)*) => {
        impl<S $(, $param)*> $service<S $(, $param)*> {
            /// The inner service.
            pub fn get_ref(&self) -> &S {
                &self.inner
            }

            /// The inner service, to change.
            pub fn get_mut(&mut self) -> &mut S {
                &mut self.inner
            }

            /// The inner service, for good.
            pub fn into_inner(self) -> S {
                self.inner
            }
        }
    };
}

/// What every service that a layer makes has: it is an inner service and the layer's settings.
macro_rules! service {
    ($service:ident, $layer:ident $(, $param:ident)*) => {
        inner!($service $(, $param)*);

        impl<S $(, $param)*> Clone for $service<S $(, $param)*>
        where
            S: Clone,
            $layer<$($param),*>: Clone,
        {
            fn clone(&self) -> Self {
                Self { inner: self.inner.clone(), layer: self.layer.clone() }
            }
        }

        impl<S $(, $param)*> std::fmt::Debug for $service<S $(, $param)*>
        where
            S: std::fmt::Debug,
            $layer<$($param),*>: std::fmt::Debug,
        {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($service))
                    .field("inner", &self.inner)
                    .field("layer", &self.layer)
                    .finish()
            }
        }

        impl<S $(, $param)*> tower_layer::Layer<S> for $layer<$($param),*>
        where
            $layer<$($param),*>: Clone,
        {
            type Service = $service<S $(, $param)*>;

            fn layer(&self, inner: S) -> Self::Service {
                $service { inner, layer: self.clone() }
            }
        }
    };
}

/// What signers and verifiers can be told to let through or to refuse: `$strict` is their
/// [`Strict`](crate::protocol::scheme::strict::Strict).
macro_rules! strictness {
    ($strict:ident) => {
        /// Lets requests through that are ambiguous in this one way.
        ///
        /// Insecure: see [`Ambiguity`](crate::protocol::Ambiguity) for what that opens.
        ///
        /// # Errors
        /// [`ErrorKind::InvalidSetting`](crate::error::ErrorKind::InvalidSetting) for those that
        /// are always refused,
        /// [`Ambiguity::QueryCredentials`](crate::protocol::Ambiguity::QueryCredentials) and
        /// [`Ambiguity::AbsentHeader`](crate::protocol::Ambiguity::AbsentHeader).
        pub fn with_insecure_allowance(
            mut self,
            ambiguity: crate::protocol::Ambiguity,
        ) -> Result<Self, crate::error::Error> {
            self.$strict.ambiguity.allow(ambiguity)?;
            Ok(self)
        }

        /// Refuses requests that are ambiguous in this one way, whatever the dialect:
        /// [`Ambiguity::ValueOrder`](crate::protocol::Ambiguity::ValueOrder), which is let
        /// through by default, or any other.
        #[must_use]
        pub fn with_refused(mut self, ambiguity: crate::protocol::Ambiguity) -> Self {
            self.$strict.ambiguity.refuse(ambiguity);
            self
        }

        /// Lets a header of this name go unsigned that would have to be signed, being an
        /// `x-acs-` or `x-fc-` header. A signer lets `host` go unsigned so where a request does
        /// not name it, as the documented samples for HTTP triggers do.
        ///
        /// Insecure: whoever passes a request on can set, change and remove it.
        /// `x-acs-content-sha256` needs no exemption under the `ACS3` schemes: it is signed as
        /// the payload line.
        #[must_use]
        pub fn with_insecure_unsigned_header(mut self, name: http::HeaderName) -> Self {
            self.$strict.required.exempt.push(name);
            self
        }

        /// Lets every request through that would be refused for being ambiguous.
        ///
        /// Insecure for as long as it is on. A verifier reports what was ambiguous
        /// ([`VerifiedCaller::ambiguities`](crate::VerifiedCaller::ambiguities)): for finding
        /// out which clients strictness would lock out.
        #[must_use]
        pub fn with_insecure_observation(mut self) -> Self {
            self.$strict.ambiguity.allow_all();
            self
        }
    };
}
