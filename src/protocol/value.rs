//! What an application keeps with a key, and finds in the requests that the key verifies.

use http::Extensions;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// A value of any type. Clones share it.
///
/// Nothing here changes it, so that a panic elsewhere leaves it as it was.
pub(crate) struct AppValue(AssertUnwindSafe<Arc<dyn Kept>>);

impl Clone for AppValue {
    fn clone(&self) -> Self {
        Self(AssertUnwindSafe(Arc::clone(&self.0)))
    }
}

trait Kept: Any + Send + Sync {
    fn put(&self, extensions: &mut Extensions);
    fn take(&self, extensions: &mut Extensions);
    fn as_any(&self) -> &dyn Any;
}

impl<T: Clone + Send + Sync + 'static> Kept for T {
    fn put(&self, extensions: &mut Extensions) {
        extensions.insert(self.clone());
    }

    fn take(&self, extensions: &mut Extensions) {
        extensions.remove::<T>();
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl AppValue {
    pub(crate) fn new<T: Clone + Send + Sync + 'static>(value: T) -> Self {
        Self(AssertUnwindSafe(Arc::new(value)))
    }

    /// The value, if it is of this type.
    pub(crate) fn get<T: 'static>(&self) -> Option<&T> {
        (**self.0).as_any().downcast_ref()
    }

    /// Puts a clone of it where its type is looked for.
    pub(crate) fn put(&self, extensions: &mut Extensions) {
        (**self.0).put(extensions);
    }

    /// Takes out what is of its type.
    pub(crate) fn take(&self, extensions: &mut Extensions) {
        (**self.0).take(extensions);
    }
}
