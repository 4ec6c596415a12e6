//! The tracing state of a request, in Rocket's local cache.

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
/// Rocket's cache keeps the first value of a type, and the clones of a local client's request share one cache. So a clone can find
/// the dispatch of an earlier clone there. Its own dispatch is then the `next` of that one.
pub(crate) struct Dispatch {
    /// The method that the client sent. Rocket replaces `HEAD` with `GET` while it looks for a route.
    method: &'static str,
    /// Set when the fairing or the first traced route begins the request. `None` if the response came before that.
    span: OnceLock<Option<SharedRequestSpan>>,
    /// If only traced routes are recorded: the traced route that was tried last. Otherwise null. It is compared, never read.
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

    /// Returns the current dispatch of the request.
    pub(crate) fn of<'r>(request: &'r Request<'_>) -> &'r Self {
        let mut last: &Self = request.local_cache(|| Self::new(request));
        while let Some(next) = last.next.get() {
            last = next;
        }
        last
    }

    /// Returns the dispatch of a request that has just arrived: a new one if the last one in the cache is over.
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

    /// Begins the request with the fairing's policy. If another fairing has begun it, adds only the options of this fairing.
    pub(crate) fn begin(&self, request: &Request<'_>, fairing: &Instrumentation) {
        let view = View::new(request, self.method);
        let begin = || Some(SharedRequestSpan::new(fairing.begin(&view)));
        match self.span.get() {
            Some(Some(span)) => drop(fairing.join(span.span(), &view)),
            _ => drop(self.span.set(begin())),
        }
    }

    /// Adds the options of the traced route that is tried now, and returns a handle to the request's span.
    ///
    /// If only traced routes are recorded, the first one also begins the request. Returns `None` if no fairing is attached.
    pub(crate) fn join(
        &self,
        request: &Request<'_>,
        route: &Instrumentation,
    ) -> Option<RequestSpan> {
        let only_traced_routes = match self.span.get() {
            Some(_) => !self.traced_route.load(Ordering::Relaxed).is_null(),
            None => {
                let attached: &Attached = request.rocket().state()?;
                self.begin(request, &attached.instrumentation);
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

    /// Returns `true` if the route that was tried last is recorded.
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

    /// Returns the value that ends the request, for its response.
    ///
    /// Returns it once. If the route that responded is not recorded, discards the span and returns `None`.
    pub(crate) fn take(&self, request: &Request<'_>) -> Option<RequestSpan> {
        let span = self.span.get_or_init(|| None).as_ref()?.take()?;
        if self.is_recorded(request) {
            return Some(span);
        }
        span.discard();
        None
    }
}
