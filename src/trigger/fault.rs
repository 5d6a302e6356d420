//! What turns out to be wrong with the body of a request while a function reads it.

use crate::protocol::Rejection;
use std::sync::{Arc, OnceLock};

/// Tells whoever answers a request what its body turned out to be.
#[derive(Clone, Debug, Default)]
pub(super) struct Fault(Arc<OnceLock<Rejection>>);

impl Fault {
    /// The first one counts.
    pub(super) fn set(&self, rejection: Rejection) {
        let _ = self.0.set(rejection);
    }

    pub(super) fn get(&self) -> Option<&Rejection> {
        self.0.get()
    }
}
