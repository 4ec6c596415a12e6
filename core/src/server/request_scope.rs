//! A request's scope in two calls.

use std::fmt;
use std::marker::PhantomData;
use std::thread;

use crate::span::{Kind, Span, current};

/// A scope of a request that is entered by one call and left by another; see [`RequestSpan::enter`].
///
/// Dropped, it brings back what was current before, and nothing more is noted.
///
/// [`RequestSpan::enter`]: crate::server::RequestSpan::enter
#[must_use = "dropping it leaves the scope"]
pub struct RequestScope {
    /// Its number; empty once it was left.
    scope: Option<u64>,
    /// Whether a panic was on its way already when the scope was entered.
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

    /// Leaves the scope; answers whether it is a panic that does so.
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
