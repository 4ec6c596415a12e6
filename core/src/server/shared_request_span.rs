//! A request's span beside the request.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::server::request::note_panic;
use crate::server::request_scope::RequestScope;
use crate::server::request_span::RequestSpan;
use crate::span::Span;

/// A request's span for a framework that calls back at several moments of a request, perhaps on several threads, instead of
/// letting its handler be wrapped. It is kept where that framework keeps state with a request.
///
/// ```
/// use opentracing_http::server::{Instrumentation, SharedRequestSpan};
/// use opentracing_http::{HttpTracing, InMemoryTracer, Outcome, Span};
///
/// let tracer = InMemoryTracer::new();
/// let instrumentation = Instrumentation::new(&HttpTracing::new(tracer.clone()), "my-framework");
///
/// // When the request comes in:
/// let request = http::Request::new(());
/// let shared = SharedRequestSpan::new(instrumentation.begin(&request));
///
/// // Before and after each part of the handler:
/// let scope = shared.enter();
/// Span::current().set_tag("greeting", "hello");
/// shared.leave(scope);
///
/// // When the response is known:
/// if let Some(span) = shared.take() {
///     drop(span.respond(&mut http::Response::new(())));
/// }
/// assert_eq!(tracer.finished()[0].tag("greeting").unwrap(), "hello");
/// ```
///
/// Dropped with the span still in it, it ends the request as cancelled, or as panicked where the drop is a part of a panic.
#[derive(Debug)]
pub struct SharedRequestSpan {
    span: Span,
    request: Mutex<Option<RequestSpan>>,
}

impl SharedRequestSpan {
    /// Shares the span.
    #[must_use]
    pub fn new(request: RequestSpan) -> Self {
        Self {
            span: request.span().clone(),
            request: Mutex::new(Some(request)),
        }
    }

    /// Returns the request's span, also after its end.
    #[must_use]
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Makes the request's span current until [`leave`](Self::leave), on this thread.
    #[must_use = "the scope is left by `leave`"]
    pub fn enter(&self) -> RequestScope {
        RequestScope::enter(&self.span)
    }

    /// Leaves a scope that was [entered](Self::enter). Called while a panic unwinds that began in it, this is where the panic is
    /// noted.
    pub fn leave(&self, scope: RequestScope) {
        if scope.leave() && self.is_open() {
            note_panic(&self.span);
        }
    }

    /// Calls `f` with the span, unless it was [taken](Self::take). Nobody else can take it meanwhile.
    pub fn with<R>(&self, f: impl FnOnce(&mut RequestSpan) -> R) -> Option<R> {
        // Not locked while `f` runs: it may call what is not ours.
        let mut request = self.take()?;
        let result = f(&mut request);
        *self.lock() = Some(request);
        Some(result)
    }

    /// Returns whether the span was not [taken](Self::take) yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lock().is_some()
    }

    /// Takes the right to end the request, once.
    #[must_use = "dropping it ends the request as cancelled"]
    pub fn take(&self) -> Option<RequestSpan> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<RequestSpan>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SharedRequestSpan {
    fn drop(&mut self) {
        if thread::panicking() && self.is_open() {
            note_panic(&self.span);
        }
    }
}
