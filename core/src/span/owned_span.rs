//! The right to end a span.

use std::fmt;
use std::ops::Deref;
use std::time::SystemTime;

use crate::span::handle::Span;

/// A span that its holder ends: by [`finish`](Self::finish), or by dropping it, also while a panic unwinds.
///
/// Derefs to [`Span`]; not `Clone`, because a span ends once. Clone the [`Span`] to use it elsewhere.
#[must_use = "the span ends when it is dropped"]
pub struct OwnedSpan {
    span: Span,
}

impl OwnedSpan {
    pub(crate) fn new(span: Span) -> Self {
        Self { span }
    }

    /// Ends the span now.
    pub fn finish(self) {
        drop(self);
    }

    /// Ends the span at another time; one before its start counts as its start.
    pub fn finish_at(self, time: SystemTime) {
        self.span
            .end(|record| time.duration_since(record.start).unwrap_or_default());
    }
}

impl Deref for OwnedSpan {
    type Target = Span;

    fn deref(&self) -> &Span {
        &self.span
    }
}

impl Drop for OwnedSpan {
    fn drop(&mut self) {
        self.span.end_now();
    }
}

impl fmt::Debug for OwnedSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedSpan").field(&self.span).finish()
    }
}
