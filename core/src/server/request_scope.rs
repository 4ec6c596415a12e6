//! A request's scope that is entered and left by two calls.

use std::fmt;
use std::marker::PhantomData;
use std::thread;

use crate::span::{Kind, Span, current};

/// A scope of a request that one call enters and another leaves; see [`SharedRequestSpan::enter`] for an example.
///
/// If it is dropped instead, the span that was current before becomes current again, and a panic is not recorded. It belongs to
/// its thread: it is not [`Send`].
///
/// [`SharedRequestSpan::enter`]: crate::server::SharedRequestSpan::enter
#[must_use = "dropping it leaves the scope"]
pub struct RequestScope {
    /// The number of the scope; `None` after it was left.
    scope: Option<u64>,
    /// Whether the thread was already panicking when the scope was entered.
    unwinding: bool,
    // A scope belongs to its thread.
    not_send: PhantomData<*const ()>,
}

impl RequestScope {
    pub(crate) fn enter(span: &Span) -> Self {
        Self {
            scope: Some(current::enter(span.clone(), Kind::Request)),
            unwinding: thread::panicking(),
            not_send: PhantomData,
        }
    }

    /// Leaves the scope. Returns `true` if a panic that began within it is unwinding the thread.
    pub(crate) fn leave(mut self) -> bool {
        if let Some(scope) = self.scope.take() {
            current::leave(scope);
        }
        thread::panicking() && !self.unwinding
    }
}

impl Drop for RequestScope {
    fn drop(&mut self) {
        if let Some(scope) = self.scope.take() {
            current::leave(scope);
        }
    }
}

impl fmt::Debug for RequestScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestScope").field(&self.scope).finish()
    }
}
