//! A request from its start to its response head.

use std::fmt::Display;
use std::mem;
use std::sync::atomic::Ordering;

use crate::http::{Mark, Marked, Outcome, ResponseView, Route};
use crate::server::body_span::BodySpan;
use crate::server::request::Request;
use crate::span::Span;

/// The right to end a request's span, held by the adapter from the request's arrival to its response.
///
/// It is used up exactly once:
///
/// - [`respond`](Self::respond) turns it into a [`BodySpan`], or ends the request if there is no body to follow.
/// - [`fail`](Self::fail) ends the request as a [handler's error](Outcome::HandlerError).
/// - [`discard`](Self::discard) ends the span without a report.
/// - If it is dropped, the request ends as [cancelled](Outcome::Cancelled), or as [panicked](Outcome::Panicked) if one of its
///   [scopes](Self::scope) panicked.
///
/// At an inner mount point of a request it [ends nothing](Self::is_outermost).
///
/// ```
/// use opentracing_http::server::Instrumentation;
/// use opentracing_http::{HttpTracing, InMemoryTracer, Route, Span};
///
/// let tracer = InMemoryTracer::new();
/// let instrumentation = Instrumentation::new(&HttpTracing::new(tracer.clone()), "my-framework");
///
/// let mut request = http::Request::get("/users/7").body(()).unwrap();
/// let mut span = instrumentation.begin(&request);
/// assert!(span.is_outermost());
/// span.leave_mark(request.extensions_mut());
///
/// // The handler runs in the scope of the request.
/// let mut response = span.scope(|| {
///     Span::current().set_tag("user.kind", "guest");
///     http::StatusCode::SERVICE_UNAVAILABLE
/// });
///
/// // Facts that this framework knows only now, and that its `ResponseView` does not return.
/// span.set_route(Route::Template("/users/{id}"));
/// span.set_error(&"the database is not available");
/// assert!(span.span().is_recording());
/// drop(span.respond(&mut response));
///
/// let finished = &tracer.finished()[0];
/// assert_eq!(finished.name(), "GET /users/{id}");
/// assert!(finished.is_error());
/// ```
#[derive(Debug)]
#[must_use = "dropping it ends the request as cancelled"]
pub struct RequestSpan {
    request: Request,
}

impl RequestSpan {
    pub(super) fn new(request: Request) -> Self {
        Self { request }
    }

    /// Returns the request's span. See [`RequestSpan`] for an example.
    #[must_use]
    pub fn span(&self) -> &Span {
        self.request.span()
    }

    /// Returns `true` if this is the outermost mount point of the request, which ends it. See [`RequestSpan`] for an example.
    ///
    /// If it is `false`, an outer mount point has begun the request. Then [`set_route`](Self::set_route) sets the route, and the
    /// other methods that change the request do nothing.
    ///
    /// An adapter that turns a handler's error into a response should do so only if this is `true`: the service may have error
    /// handlers between an inner mount point and the outermost one.
    #[must_use]
    pub fn is_outermost(&self) -> bool {
        self.request.is_open()
    }

    /// Runs `f`, a part of the request, with its span current on this thread: the call of the handler, one poll of its future, or
    /// the drop of its future. See [`RequestSpan`] for an example.
    ///
    /// A panic of `f` is recorded as the request's outcome and continues to the caller. It has to be recorded here: if the
    /// framework catches the panic before it drops the future, the drop looks like a cancellation.
    pub fn scope<R>(&mut self, f: impl FnOnce() -> R) -> R {
        self.request.scope(f)
    }

    /// Records that the handler panicked, for a framework that catches the panic and sends a response.
    ///
    /// ```
    /// use opentracing_http::server::Instrumentation;
    /// use opentracing_http::{HttpTracing, InMemoryTracer, Outcome};
    ///
    /// let tracer = InMemoryTracer::new();
    /// let instrumentation = Instrumentation::new(&HttpTracing::new(tracer.clone()), "my-framework");
    /// let mut span = instrumentation.begin(&http::Request::new(()));
    /// span.panicked();
    /// let mut response = http::StatusCode::INTERNAL_SERVER_ERROR;
    /// drop(span.respond(&mut response));
    /// assert_eq!(tracer.finished()[0].http().unwrap().outcome(), Outcome::Panicked);
    /// ```
    pub fn panicked(&mut self) {
        self.request.note_panic();
    }

    /// Stores the request's mark with the request, so that an inner mount point [recognizes](crate::RequestView::has_mark) it and
    /// uses the same span. See [`RequestSpan`] for an example.
    ///
    /// Returns `true` if a mark was stored. None is stored if the policy has no
    /// [other mount point](crate::server::Instrumentation::mounted), or if an outer mount point has stored one.
    ///
    /// An adapter whose framework stores values by type with each request calls this for every request before its handler,
    /// recorded or not.
    #[allow(clippy::must_use_candidate, reason = "few adapters need to know")]
    pub fn leave_mark(&self, request: &mut impl Marked) -> bool {
        let mark = self.mark();
        if let Some(mark) = mark {
            mark.leave(request);
        }
        mark.is_some()
    }

    /// Returns the mark to store, if one is needed.
    fn mark(&self) -> Option<Mark> {
        let policy = self.span().policy().filter(|_| self.request.is_open())?;
        let is_only_mount = policy.mounts.load(Ordering::Relaxed) == 1;
        (!is_only_mount).then(|| self.span().mark()).flatten()
    }

    /// Sets the route, for a framework that knows it neither when the request begins nor from its response. See [`RequestSpan`]
    /// for an example.
    ///
    /// It has an effect at every mount point. An adapter whose route comes with the response calls it at an inner mount point, if
    /// a middleware further out can replace that response.
    ///
    /// [`Route::Unknown`] changes nothing. [`Route::Unmatched`] changes nothing if a template is known.
    pub fn set_route(&mut self, route: Route<'_>) {
        self.request.set_route(route);
    }

    /// Notes whether a router of the framework has seen the request. `remedy` returns `None` if one has. Otherwise it returns what
    /// the service has to change, and if the response comes while the route is still unknown, the policy reports
    /// [`Diagnostic::RouteUnknown`](crate::Diagnostic::RouteUnknown) with it, once.
    ///
    /// For frameworks whose routers leave a trace in the requests that they have seen. Without one, the service has the mount point
    /// outside of the router, or a router of another version of the framework. `remedy` is called only if the request is recorded
    /// and nothing has been reported yet.
    ///
    /// ```
    /// use opentracing_http::server::Instrumentation;
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracing = HttpTracing::builder(InMemoryTracer::new())
    ///     .on_diagnostic(|diagnostic| eprintln!("{diagnostic}"))
    ///     .build()?;
    /// let instrumentation = Instrumentation::new(&tracing, "my-framework");
    /// let mut span = instrumentation.begin(&http::Request::new(()));
    /// span.expect_route(|| Some("add the middleware to the router, not around it"));
    /// drop(span.respond(&mut http::StatusCode::OK));
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    pub fn expect_route(&mut self, remedy: impl FnOnce() -> Option<&'static str>) {
        let recorded = self.span().cell().filter(|cell| cell.is_recorded());
        let Some(policy) = recorded.map(|cell| cell.policy()) else {
            return;
        };
        if !policy.reported.route.is_told()
            && let Some(remedy) = policy.guard(remedy).flatten()
        {
            // Stored there, because a request is no larger than it has to be.
            policy.reported.route_remedy.get_or_init(|| remedy);
            self.request.expects_route = true;
        }
    }

    /// Looks up the route by the request's path, for a request that ends before the framework has reported its route.
    ///
    /// `find` receives the path and returns the template. It is called only if the request is recorded and its route is not
    /// known.
    ///
    /// ```
    /// use opentracing_http::server::Instrumentation;
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracer = InMemoryTracer::new();
    /// let instrumentation = Instrumentation::new(&HttpTracing::new(tracer.clone()), "my-framework");
    /// let request = http::Request::get("/users/7").body(()).unwrap();
    /// let mut span = instrumentation.begin(&request);
    /// span.find_route(|path| path.starts_with("/users/").then(|| "/users/{id}".to_owned()));
    /// drop(span); // the client has closed the connection
    /// assert_eq!(tracer.finished()[0].name(), "GET /users/{id}");
    /// ```
    pub fn find_route(&mut self, find: impl FnOnce(&str) -> Option<String>) {
        if !self.request.is_open() {
            return;
        }
        let Some(cell) = self.span().cell() else {
            return;
        };
        let path = cell.change(|record| {
            let http = record.http()?.shown();
            http.template().is_none().then(|| http.path().to_owned())
        });
        let Some(path) = path.flatten() else {
            return;
        };
        // Called while the span is not locked, because a framework's look-up is foreign code and can take long.
        let found = cell.policy().guard(|| find(&path));
        if let Some(template) = found.flatten() {
            self.set_route(Route::Template(&template));
        }
    }

    /// Sets the error that caused a response, before the response is known. It becomes the message in the error log of a request
    /// that failed, as [`ResponseView::error`] does. See [`RequestSpan`] for an example.
    pub fn set_error(&mut self, error: &dyn Display) {
        self.request.set_error(error);
    }

    /// Ends the request without a response: the handler returned an error, which the framework turns into a response outside of
    /// this mount point.
    ///
    /// `status` is the status of that response, if it is known. The request counts as [failed](Outcome::is_failure) if it is 500
    /// or above, or not known. The policy can have [another rule](crate::HttpTracingBuilder::failure_when) for known statuses.
    ///
    /// ```
    /// use opentracing_http::server::Instrumentation;
    /// use opentracing_http::{HttpTracing, InMemoryTracer, Outcome};
    ///
    /// let tracer = InMemoryTracer::new();
    /// let instrumentation = Instrumentation::new(&HttpTracing::new(tracer.clone()), "my-framework");
    /// instrumentation.begin(&http::Request::new(())).fail(Some(404), &"no such user");
    ///
    /// let span = &tracer.finished()[0];
    /// assert_eq!(span.http().unwrap().outcome(), Outcome::HandlerError);
    /// assert!(!span.is_error());
    /// ```
    pub fn fail(mut self, status: Option<u16>, error: &dyn Display) {
        self.request.set_status(status);
        self.request.set_error(error);
        self.request.end(Outcome::HandlerError, None);
    }

    /// Ends the span without a report. No finish callback is called.
    ///
    /// For an adapter that is mounted on single routes of a framework that can try another route after this one.
    ///
    /// ```
    /// use opentracing_http::server::Instrumentation;
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracer = InMemoryTracer::new();
    /// let instrumentation = Instrumentation::new(&HttpTracing::new(tracer.clone()), "my-framework");
    /// instrumentation.begin(&http::Request::new(())).discard();
    /// assert!(tracer.finished().is_empty());
    /// ```
    pub fn discard(mut self) {
        self.request.discard();
    }

    /// Ends the handler's part of the request with its response. See [`RequestSpan`] for an example.
    ///
    /// Records the route, the error, the status and the headers that are attributes. Writes the trace id into the response's
    /// headers if the policy returns it to callers.
    ///
    /// Returns the [`BodySpan`] that follows the body, for [`FollowedBody::new`](crate::server::FollowedBody::new), or `None`
    /// if the body can be sent as it is. Then the request has ended, or an outer mount point ends it.
    #[must_use = "dropping it ends the request as an abandoned body"]
    pub fn respond(mut self, response: &mut dyn ResponseView) -> Option<BodySpan> {
        mem::replace(&mut self.request, Request::NONE).respond(response)
    }
}

impl Drop for RequestSpan {
    fn drop(&mut self) {
        self.request.end(Outcome::Cancelled, None);
    }
}
