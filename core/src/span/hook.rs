//! The connection to other context systems: they follow our scopes, and we use their parents.

use std::any::Any;
use std::sync::Arc;

use crate::context::SpanContext;
use crate::span::handle::Span;

/// A hook that is called for every scope of every span, so that another context system (OpenTelemetry's, `tracing`'s) has the
/// same current span.
///
/// Add it with [`HttpTracingBuilder::scope_hook`](crate::HttpTracingBuilder::scope_hook). All methods are called on the thread that
/// enters and leaves the scope. A panic in one is [counted](crate::HttpTracing::caught_panics) and changes nothing else. Scopes of
/// the [empty handle](Span::none) are not followed, because it belongs to no policy.
///
/// ```
/// use std::cell::Cell;
///
/// use opentracing_http::scope::ScopeHook;
/// use opentracing_http::{HttpTracing, InMemoryTracer, Span, SpanContext};
///
/// thread_local! {
///     static DEPTH: Cell<usize> = const { Cell::new(0) };
/// }
///
/// /// Counts the scopes that a thread is in.
/// struct CountScopes;
///
/// impl ScopeHook for CountScopes {
///     fn enter(&self, _: &Span) {
///         DEPTH.set(DEPTH.get() + 1);
///     }
///     fn exit(&self, _: &Span) {
///         DEPTH.set(DEPTH.get() - 1);
///     }
///     fn ambient_parent(&self) -> Option<SpanContext> {
///         None // this hook knows no spans of its own
///     }
/// }
///
/// let tracing = HttpTracing::builder(InMemoryTracer::new()).scope_hook(CountScopes).build()?;
/// tracing.span("import").start().in_scope(|| assert_eq!(DEPTH.get(), 1));
/// assert_eq!(DEPTH.get(), 0);
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
pub trait ScopeHook: Send + Sync {
    /// Called after a span has become current on this thread. See [`ScopeHook`] for an example.
    fn enter(&self, span: &Span);

    /// Called before the span stops being current on this thread. See [`ScopeHook`] for an example.
    ///
    /// Scopes are left in the reverse order of entering, unless an application drops its [guards](Span::enter) in another order.
    fn exit(&self, span: &Span);

    /// Returns the parent that the other system has for a span that starts now. The default is `None`. See [`ScopeHook`] for an
    /// example.
    ///
    /// Called when a span starts that was given no parent, if no span of this crate is current.
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

/// The slot in which a [`ScopeHook`] can store one value with a recorded span.
pub(crate) type HookSlot = std::sync::OnceLock<Box<dyn Any + Send + Sync>>;
