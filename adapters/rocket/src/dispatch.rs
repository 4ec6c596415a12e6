//! What a request's local cache keeps of its tracing.

use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use opentracing_http::Span;
use opentracing_http::server::{Instrumentation, RequestSpan, SharedRequestSpan};
use rocket::{Request, Route};

use crate::fairing::Attached;
use crate::request::View;

/// One dispatch of a request: from the request fairings to the response fairings.
///
/// Rocket's cache keeps what it was given first, and the clones of a local client's request share it. So a clone finds the
/// dispatch of an earlier one there, and its own comes behind that.
pub(crate) struct Dispatch {
    /// The method that the request came with: Rocket turns a `HEAD` into a `GET` when it looks for a route.
    method: &'static str,
    /// Set when the request is begun, by the fairing or by the first traced route; `None` if it got its response before.
    span: OnceLock<Option<SharedRequestSpan>>,
    /// Where only traced routes are recorded, the one that was tried last. Only compared; null where every route is recorded.
    traced_route: AtomicPtr<Route>,
    next: OnceLock<Box<Self>>,
}

impl Dispatch {
    fn new(request: &Request<'_>) -> Self {
        Self {
            method: request.method().as_str(),
            span: OnceLock::new(),
            traced_route: AtomicPtr::default(),
            next: OnceLock::new(),
        }
    }

    /// Returns the dispatch that the request is in.
    pub(crate) fn of<'r>(request: &'r Request<'_>) -> &'r Self {
        let mut last: &Self = request.local_cache(|| Self::new(request));
        while let Some(next) = last.next.get() {
            last = next;
        }
        last
    }

    /// Returns the dispatch of a request that has just come in.
    pub(crate) fn start<'r>(request: &'r Request<'_>) -> &'r Self {
        let last = Self::of(request);
        let is_over = |span: &Option<SharedRequestSpan>| {
            !span.as_ref().is_some_and(SharedRequestSpan::is_open)
        };
        match last.span.get().is_some_and(is_over) {
            true => last.next.get_or_init(|| Box::new(Self::new(request))),
            false => last,
        }
    }

    /// Begins the request by a fairing's policy, or joins it where another fairing has begun it.
    pub(crate) fn begin(&self, request: &Request<'_>, fairing: &Instrumentation) {
        let view = View::new(request, self.method);
        let begin = || Some(SharedRequestSpan::new(fairing.begin(&view)));
        match self.span.get() {
            Some(Some(span)) => drop(fairing.join(span.span(), &view)),
            _ => drop(self.span.set(begin())),
        }
    }

    /// Joins the request for the traced route that is tried now; begins it before that, where the fairing has left it to the
    /// traced routes. `None` if there is no fairing.
    pub(crate) fn join(
        &self,
        request: &Request<'_>,
        route: &Instrumentation,
    ) -> Option<RequestSpan> {
        let only_traced_routes = match self.span.get() {
            Some(_) => !self.traced_route.load(Ordering::Relaxed).is_null(),
            None => {
                let Attached(fairing) = request.rocket().state()?;
                self.begin(request, fairing);
                true
            }
        };
        if only_traced_routes {
            let tried = request.route().map_or(ptr::null(), ptr::from_ref);
            self.traced_route.store(tried.cast_mut(), Ordering::Relaxed);
        }
        let span = self.span.get()?.as_ref()?.span();
        Some(route.join(span, &View::new(request, self.method)))
    }

    /// Whether the route that was tried last is recorded.
    fn is_recorded(&self, request: &Request<'_>) -> bool {
        let traced_route = self.traced_route.load(Ordering::Relaxed);
        let route = request.route();
        traced_route.is_null() || route.is_some_and(|route| ptr::eq(route, traced_route))
    }

    /// Returns the request's span, if it has begun and the route that was tried last is recorded.
    pub(crate) fn span(&self, request: &Request<'_>) -> Option<&Span> {
        let span = self.span.get()?.as_ref()?;
        self.is_recorded(request).then(|| span.span())
    }

    /// Takes the right to end the request, for its response: once, and only if the route that responded is recorded.
    pub(crate) fn take(&self, request: &Request<'_>) -> Option<RequestSpan> {
        let span = self.span.get_or_init(|| None).as_ref()?.take()?;
        if self.is_recorded(request) {
            return Some(span);
        }
        span.discard();
        None
    }
}
