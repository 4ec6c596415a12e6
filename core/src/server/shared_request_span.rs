//! A request's span that is stored beside the request.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::server::request::note_panic;
use crate::server::request_scope::RequestScope;
use crate::server::request_span::RequestSpan;
use crate::span::Span;

/// A [`RequestSpan`] for a framework whose handlers cannot be wrapped, and that calls back at several moments of a request,
/// perhaps on several threads. The adapter stores it with the request.
///
/// ```
/// use opentracing_http::server::{Instrumentation, SharedRequestSpan};
/// use opentracing_http::{HttpTracing, InMemoryTracer, Route, Span};
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
/// // Where the framework reports a fact about the request:
/// shared.with(|span| span.set_route(Route::Template("/hello")));
/// assert!(shared.span().is_recording());
///
/// // When the response is known:
/// if let Some(span) = shared.take() {
///     drop(span.respond(&mut http::Response::new(())));
/// }
/// assert!(!shared.is_open());
/// assert_eq!(tracer.finished()[0].name(), "GET /hello");
/// ```
///
/// If it is dropped before [`take`](Self::take), the request ends as cancelled, or as panicked if a panic unwinds the thread at
/// that moment.
#[derive(Debug)]
pub struct SharedRequestSpan {
    span: Span,
    request: Mutex<Option<RequestSpan>>,
}

impl SharedRequestSpan {
    /// Wraps the span of a request. See [`SharedRequestSpan`] for an example.
    #[must_use]
    pub fn new(request: RequestSpan) -> Self {
        Self {
            span: request.span().clone(),
            request: Mutex::new(Some(request)),
        }
    }

    /// Returns the request's span, also after its end. See [`SharedRequestSpan`] for an example.
    #[must_use]
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Makes the request's span current on this thread until [`leave`](Self::leave). See [`SharedRequestSpan`] for an example.
    #[must_use = "the scope is left by `leave`"]
    pub fn enter(&self) -> RequestScope {
        RequestScope::enter(&self.span)
    }

    /// Leaves a scope that was [entered](Self::enter). If a panic that began in the scope is unwinding the thread, it is recorded as
    /// the request's outcome. See [`SharedRequestSpan`] for an example.
    pub fn leave(&self, scope: RequestScope) {
        if scope.leave() && self.is_open() {
            note_panic(&self.span);
        }
    }

    /// Calls `f` with the span and returns its result; `None` if the span was [taken](Self::take). While `f` runs, the span counts
    /// as taken. See [`SharedRequestSpan`] for an example.
    pub fn with<R>(&self, f: impl FnOnce(&mut RequestSpan) -> R) -> Option<R> {
        // Not locked while `f` runs, because it may call foreign code.
        let mut request = self.take()?;
        let result = f(&mut request);
        *self.lock() = Some(request);
        Some(result)
    }

    /// Returns `true` until the span is [taken](Self::take). See [`SharedRequestSpan`] for an example.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lock().is_some()
    }

    /// Returns the span, with the right to end the request; `None` if it was taken before. See [`SharedRequestSpan`] for an
    /// example.
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
