//! The hook that makes this library's current span visible in OpenTelemetry's current context.

use std::cell::RefCell;
use std::mem;

use opentelemetry::trace::{self as theirs, TraceContextExt as _};
use opentelemetry::{Context, ContextGuard};
use opentracing_http::scope::ScopeHook;
use opentracing_http::{Span, SpanContext, SpanId, TraceId};

use crate::context::{from_context, with_baggage, with_span};

/// Makes the current span of this library OpenTelemetry's active span, and the other way round.
///
/// Install it with [`scope_hook`](opentracing_http::HttpTracingBuilder::scope_hook). Then, on every thread:
///
/// - Within a scope of a span of this library (a traced handler, [`Span::scope`], [`Span::in_scope`], [`Span::enter`])
///   that span is active in OpenTelemetry's current [`Context`], so that spans that `tracer.start(..)` starts are its
///   children. Calls on the active span (`get_active_span(|span| span.set_attribute(..))`, events, errors, status,
///   name) apply to it while it is recorded. Links that are added to it are lost, and `end` does nothing, because its
///   owner ends it.
/// - Where no span of this library is current, OpenTelemetry's active span is the parent of spans that
///   [`HttpTracing::span`](opentracing_http::HttpTracing::span) starts, and they get its baggage.
///
/// Other values of the surrounding [`Context`] (baggage, the application's own) stay visible within these scopes. A
/// span that is not recorded is visible as the context that it propagates: with the sampled flag 0, or with the
/// caller's own context if the request is not traced at all. A request that is not traced and brought no context
/// changes nothing.
///
/// ```
/// use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
/// use opentelemetry_sdk::trace::SdkTracerProvider;
/// use opentracing_http::{HttpTracing, InMemoryTracer};
/// use opentracing_opentelemetry::OpenTelemetryScopes;
///
/// let tracing = HttpTracing::builder(InMemoryTracer::new())
///     .scope_hook(OpenTelemetryScopes::new())
///     .build()?;
/// let tracer = SdkTracerProvider::default().tracer("database");
///
/// let span = tracing.span("checkout").start();
/// let trace_id = span.context().unwrap().trace_id();
/// span.in_scope(|| {
///     let query = tracer.start("query");
///     assert_eq!(query.span_context().trace_id().to_string(), trace_id.to_string());
/// });
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
///
/// # Order
///
/// Scopes may be left in any order, and guards of OpenTelemetry and of this library may be mixed: each removes only its
/// own context, and the innermost remaining one is current. A guard of this library that is forgotten within the poll
/// of a future or a traced handler ends with that poll. For OpenTelemetry's own guards this is not possible: one that
/// is held across an `.await` makes its context visible to other tasks of the thread until it is dropped, except within
/// scopes of this library.
///
/// Enter no scope within the closure of [`Context::map_current`] or `get_active_span`, because OpenTelemetry has its
/// current context borrowed there. The scope is then not visible, and counted as a [caught
/// panic](opentracing_http::HttpTracing::caught_panics).
///
/// # Cost
///
/// A traced request enters a scope for the call of the handler, for each poll of it and for each poll of its body. With
/// this hook a scope costs about 0.2 µs instead of 0.03 µs (one thread of a virtual machine with 2 vCPUs), and two
/// allocations for a recorded span, one for a span that is not recorded, none within another scope of the same span. A
/// `tracestate` is copied, which costs four more allocations for each member, of which a caller can send 32; with two
/// members a scope costs 0.4 µs. Starting and ending a span costs the same as without the hook.
#[derive(Debug, Clone, Default)]
pub struct OpenTelemetryScopes {
    baggage: bool,
}

impl OpenTelemetryScopes {
    /// Creates the hook, without baggage; see [`OpenTelemetryScopes`] for an example.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Also makes the baggage of this library's spans visible in OpenTelemetry's [`Context`], in addition to the
    /// baggage that is there.
    ///
    /// Off by default, because OpenTelemetry's baggage is a map: each scope of a span with baggage costs about five
    /// allocations and three more for each pair, of which a caller can send 64. Baggage that is set within a scope
    /// becomes visible in the next scope. Baggage that code sets in OpenTelemetry's [`Context`] does not reach the
    /// current span, only spans that are started as children of that context: set it with [`Span::set_baggage_item`].
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    /// use opentracing_opentelemetry::OpenTelemetryScopes;
    ///
    /// let tracing = HttpTracing::builder(InMemoryTracer::new())
    ///     .scope_hook(OpenTelemetryScopes::new().with_baggage())
    ///     .build()?;
    /// # drop(tracing);
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_baggage(mut self) -> Self {
        self.baggage = true;
        self
    }
}

/// Identifies a span.
type Key = (TraceId, SpanId);

fn key(context: &SpanContext) -> Key {
    (context.trace_id(), context.span_id())
}

/// A scope that this thread has entered.
struct Scope {
    key: Key,
    /// `None` while it is being attached, and if that fails.
    guard: Option<ContextGuard>,
}

/// The scopes that a thread has entered, the innermost last. Guards belong to their thread, so they are stored here and
/// not with the span.
struct Scopes(Vec<Scope>);

impl Scopes {
    /// Removes the innermost scope of this span. If there are several, any will do: each makes the same span visible.
    fn take(&mut self, key: Key) -> Option<Scope> {
        let at = self.0.iter().rposition(|scope| scope.key == key)?;
        Some(self.0.remove(at))
    }
}

impl Drop for Scopes {
    // The thread ends. OpenTelemetry's own thread-local may already be gone; then its guards would panic.
    fn drop(&mut self) {
        self.0.drain(..).for_each(|scope| mem::forget(scope.guard));
    }
}

thread_local! {
    static SCOPES: RefCell<Scopes> = const { RefCell::new(Scopes(Vec::new())) };
}

/// Returns `true` if this is a span of this library in a scope that the thread has entered.
fn is_ours(context: &SpanContext) -> bool {
    let key = key(context);
    SCOPES
        .try_with(|scopes| scopes.borrow().0.iter().any(|scope| scope.key == key))
        .unwrap_or(false)
}

impl ScopeHook for OpenTelemetryScopes {
    fn enter(&self, span: &Span) {
        let Some(ours) = span.context() else {
            return;
        };
        // Stored first, because `exit` is also called if the code below panics.
        let noted = SCOPES.try_with(|scopes| {
            scopes.borrow_mut().0.push(Scope {
                key: key(&ours),
                guard: None,
            });
        });
        if noted.is_err() {
            return;
        }
        let context = Context::map_current(|current| match shows(current, &ours) {
            true => current.clone(),
            false => with_span(current, span, &ours),
        });
        let context = match self.baggage {
            true => with_baggage(context, ours.baggage()),
            false => context,
        };
        let guard = context.attach();
        let _ = SCOPES.try_with(|scopes| {
            if let Some(innermost) = scopes.borrow_mut().0.last_mut() {
                innermost.guard = Some(guard);
            }
        });
    }

    fn exit(&self, span: &Span) {
        let Some(ours) = span.context() else {
            return;
        };
        let scope = SCOPES.try_with(|scopes| scopes.borrow_mut().take(key(&ours)));
        // Dropped outside of the borrow, because a context may contain any value.
        drop(scope);
    }

    fn ambient_parent(&self) -> Option<SpanContext> {
        let theirs = Context::map_current(|current| match current.has_active_span() {
            true => from_context(current),
            false => None,
        })?;
        // Within `Span::none().in_scope(..)` there is deliberately no current span.
        (!is_ours(&theirs)).then_some(theirs)
    }
}

/// Returns `true` if this span is active already, as when a request is traced by several layers.
fn shows(current: &Context, ours: &SpanContext) -> bool {
    let span = current.span();
    let theirs: &theirs::SpanContext = span.span_context();
    theirs.span_id() == ours.span_id().get().into()
        && theirs.trace_id() == ours.trace_id().get().into()
        && theirs.trace_flags().to_u8() == ours.flags().w3c_bits()
}
