/// What every service that a layer makes has: it is an inner service and the layer's settings.
macro_rules! service {
    ($service:ident, $layer:ident $(, $param:ident)*) => {
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
