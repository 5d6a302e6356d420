/// Copies the body of a request, so that it can be sent a second time.
///
/// Implemented for closures `Fn(&B) -> Option<B>`.
pub trait CopyBody<B> {
    /// The copy, or `None` for a body that cannot be sent twice.
    fn copy_body(&self, body: &B) -> Option<B>;
}

/// Clones bodies.
#[derive(Clone, Copy, Debug, Default)]
pub struct CloneBody;

impl<B: Clone> CopyBody<B> for CloneBody {
    fn copy_body(&self, body: &B) -> Option<B> {
        Some(body.clone())
    }
}

impl<B, F: Fn(&B) -> Option<B>> CopyBody<B> for F {
    fn copy_body(&self, body: &B) -> Option<B> {
        self(body)
    }
}
