//! How other context systems see our spans, and we theirs.

use std::any::Any;
use std::sync::Arc;

use crate::context::SpanContext;
use crate::span::handle::Span;

/// Follows every scope of every span, so that another context system (OpenTelemetry's, `tracing`'s) can show the same.
///
/// All calls come on the thread that enters and leaves the scope. A panic in one loses that call's effect and is
/// [counted](crate::HttpTracing::caught_panics). Scopes of the [empty handle](Span::none) are not followed: it belongs to no
/// policy.
pub trait ScopeHook: Send + Sync {
    /// A span has become current on this thread.
    fn enter(&self, span: &Span);

    /// The span is about to stop being current on this thread. Scopes are left in the reverse order of entering, except where
    /// an application drops its [guards](Span::enter) in another.
    fn exit(&self, span: &Span);

    /// The parent that the other system would give a span started now. Asked when no span of ours is current.
    fn ambient_parent(&self) -> Option<SpanContext> {
        None
    }
}

macro_rules! hook_behind_a_pointer {
    ($($pointer:ident)*) => {$(
        impl<T: ScopeHook + ?Sized> ScopeHook for $pointer<T> {
            fn enter(&self, span: &Span) {
                (**self).enter(span);
            }

            fn exit(&self, span: &Span) {
                (**self).exit(span);
            }

            fn ambient_parent(&self) -> Option<SpanContext> {
                (**self).ambient_parent()
            }
        }
    )*};
}

hook_behind_a_pointer!(Box Arc);

/// What a [`ScopeHook`] keeps with a recorded span.
pub(crate) type HookSlot = std::sync::OnceLock<Box<dyn Any + Send + Sync>>;
