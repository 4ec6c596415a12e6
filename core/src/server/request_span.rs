//! The life of a request, from its start to its one outcome.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::http::{
    BodySize, End, HeaderValues, Outcome, RequestView, ResponseView, Route, Wanted, known_method,
};
use crate::propagation::{Carrier, HeaderView};
use crate::server::body_span::BodySpan;
use crate::server::guarded::Guarded;
use crate::server::request_scope::RequestScope;
use crate::span::{Kind, Mark, Policy, RequestEnd, Span, current};
use crate::text::{BoundedText, prefix};

/// The right to end a request's span; held by the adapter from the request's arrival to its response head.
///
/// It ends exactly once: in [`head`](Self::head) it becomes a [`BodySpan`], in [`fail`](Self::fail) a handler's error, and
/// dropped it is a request that was [cancelled](Outcome::Cancelled), or [panicked](Outcome::Panicked) if one of its
/// [scopes](Self::scope) was left by a panic.
#[derive(Debug)]
#[must_use = "dropping it ends the request as cancelled"]
pub struct RequestSpan {
    open: Option<OpenRequest>,
    span: Span,
}

/// A request that has not ended yet.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    pub(crate) span: Span,
    pub(crate) policy: Arc<Policy>,
    /// Whether finish callbacks are called: there are some, and this is not a request of theirs.
    calls_back: bool,
    started: Duration,
    method: &'static str,
    /// Kept for finish callbacks of requests that are not recorded.
    route: Option<Box<str>>,
    pub(crate) status: Option<u16>,
    head: Option<Duration>,
    pub(crate) body_bytes: u64,
    error: Option<BoundedText>,
    /// When a scope was left by a panic: the request's true end, whatever is called later.
    panicked: Option<Duration>,
}

impl RequestSpan {
    pub(crate) fn new(span: Span, policy: Arc<Policy>, view: &dyn RequestView) -> Self {
        let calls_back = !policy.callbacks.on_finish.is_empty() && !policy.is_suppressed();
        let mut open = OpenRequest {
            calls_back,
            started: match span.record() {
                Some(record) => record.started,
                None if calls_back => policy.monotonic(),
                None => Duration::ZERO,
            },
            span: span.clone(),
            method: known_method(view.method()).unwrap_or("_OTHER"),
            route: None,
            status: None,
            head: None,
            body_bytes: 0,
            error: None,
            panicked: None,
            policy,
        };
        if span.record().is_none() && open.is_watched() {
            open.set_route(view.route());
        }
        Self {
            open: Some(open),
            span,
        }
    }

    /// The request's span.
    #[must_use]
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Runs a part of the request with its span current: the call of the handler, one poll of its future, its drop.
    ///
    /// A panic that leaves `f` is noted and goes on: on the stack is the only place where it can be told from a
    /// cancellation, when a panic is caught further out before the future is dropped.
    pub fn scope<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let Self { open, span } = self;
        match open {
            Some(open) => open.scope(span, f),
            None => current::in_scope(span, Kind::Request, f),
        }
    }

    /// Makes the request's span current until [`leave`](Self::leave), on this thread: a [scope](Self::scope) for a framework
    /// that does not let its futures be wrapped, but calls back before and after each poll.
    pub fn enter(&self) -> RequestScope {
        RequestScope::enter(&self.span)
    }

    /// Leaves a scope that was [entered](Self::enter). Called while a panic unwinds that began in it, this is where the
    /// panic is noted.
    pub fn leave(&mut self, scope: RequestScope) {
        if scope.leave(&self.span) {
            self.panicked();
        }
    }

    /// Notes that the handler panicked, where the framework catches the panic and goes on to a response.
    pub fn panicked(&mut self) {
        if let Some(open) = &mut self.open {
            open.note_panic();
        }
    }

    /// Returns the mark to leave with the request, by which an inner mount point knows that it has its span; see
    /// [`Instrumentation::begin_or_join`](crate::server::Instrumentation::begin_or_join). `None` where the policy has
    /// [no other mount point](crate::server::Instrumentation::mounted).
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        let policy = self.span.policy()?;
        let is_only_mount = policy.mounts.load(Ordering::Relaxed) == 1;
        (!is_only_mount).then(|| self.span.mark())
    }

    /// Whether anyone wants to know of the request: its span is recorded, or a finish callback listens. An adapter need
    /// not ask for a route that is dear to get where this answers `false`.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.open.as_ref().is_some_and(OpenRequest::is_watched)
    }

    /// Notes the route, which many frameworks know only after the handler has run.
    pub fn set_route(&mut self, route: Route<'_>) {
        if let Some(open) = &mut self.open {
            open.set_route(route);
        }
    }

    /// Notes the route of a request that is gone before the framework could tell it, if it can still be found by the path.
    ///
    /// `find` answers the template. It is asked only if the request is recorded and its route is not known.
    pub fn find_route(&mut self, find: impl FnOnce(&str) -> Option<String>) {
        let record = self.open.as_ref().and_then(|open| open.span.record());
        let path = record.and_then(|record| {
            record.change(|data| {
                let http = data.http.as_ref()?;
                http.template().is_none().then(|| http.path().to_owned())
            })
        });
        let Some(path) = path.flatten() else {
            return;
        };
        // Not while the span is locked: a framework's way to its routes is not ours, and may be long.
        let found = self
            .span
            .policy()
            .and_then(|policy| policy.guard(|| find(&path)));
        if let Some(template) = found.flatten() {
            self.set_route(Route::Template(&template));
        }
    }

    /// Notes the error behind a response, for the error log of a request that failed.
    pub fn set_error(&mut self, error: &dyn Display) {
        if let Some(open) = &mut self.open {
            open.set_error(error);
        }
    }

    /// Writes the trace id into the response's headers, if the policy returns it to callers.
    pub fn write_response_headers(&self, headers: &mut dyn Carrier) {
        if let Some(policy) = self.span.policy()
            && let Some(header) = &policy.http.return_trace_id
            && let Some(context) = self.span.context()
        {
            policy.guard(|| header.write(&context, headers));
        }
    }

    /// Ends the request without a response of the handler's: an error reached the tracing layer.
    ///
    /// `status` is the one that the framework will make of the error, where that is known.
    pub fn fail(mut self, status: Option<u16>, error: &dyn Display) {
        if let Some(mut open) = self.take_open() {
            open.status = status;
            open.set_error(error);
            open.end(Outcome::HandlerError);
        }
    }

    /// Gives the request up to whoever else takes it: its span ends without a report, and no finish callback is called.
    ///
    /// For an adapter that stands on single routes of a framework which can go on to another route afterwards.
    pub fn discard(mut self) {
        if let Some(record) = self
            .open
            .take()
            .as_ref()
            .and_then(|open| open.span.record())
        {
            record.discard();
        }
    }

    /// Notes the response head. Answers what follows the body, or nothing where the body needs no following: it can then
    /// be sent as it is.
    #[must_use]
    pub fn head(mut self, response: &ResponseView<'_>) -> Option<BodySpan> {
        let mut open = self.take_open()?;
        open.status = Some(response.status);
        let recorded = open.span.record().is_some();
        if open.is_watched() {
            open.head = Some(open.policy.monotonic().saturating_sub(open.started));
        }
        let end = open.read_head(response);
        let headers = Guarded::new(response.headers, &open.policy);
        let bodyless = response.body == BodySize::Empty
            || response.upgrade
            || open.method == "HEAD"
            || matches!(response.status, 100..200 | 204 | 304);
        let streams = response.body == BodySize::Unknown;
        let at_head = match end {
            End::Head => true,
            End::Body => streams && is_event_stream(&headers),
            End::EventStream => false,
        };
        if bodyless || (!recorded && !streams) {
            if let (BodySize::Exact(size), false) = (response.body, bodyless || recorded) {
                open.body_bytes = size;
            }
            open.end(Outcome::Completed);
            return None;
        }
        if at_head || !open.is_watched() {
            open.end(Outcome::Completed);
            // What runs while the body is made still sees its request.
            return streams.then(|| BodySpan::new(None, std::mem::take(&mut self.span), None));
        }
        let declared = content_length(&headers, response.body);
        Some(BodySpan::new(
            Some(open),
            std::mem::take(&mut self.span),
            declared,
        ))
    }
}

impl RequestSpan {
    fn take_open(&mut self) -> Option<OpenRequest> {
        let open = self.open.take()?;
        // What a handler changes it changes on the copy that a scope made current; that scope may not have been left yet.
        current::with_current(|copy| self.span.adopt_late_changes(copy));
        open.span.adopt_late_changes(&self.span);
        Some(open)
    }
}

impl Drop for RequestSpan {
    fn drop(&mut self) {
        if let Some(open) = self.take_open() {
            open.end(Outcome::Cancelled);
        }
    }
}

impl OpenRequest {
    /// Whether anyone wants to know how it ends.
    fn is_watched(&self) -> bool {
        self.span.record().is_some() || self.calls_back
    }

    /// Runs a part of the request with its span current, by the handle that is lent for it; notes a panic that leaves `f`.
    pub(crate) fn scope<R>(&mut self, lent: &mut Span, f: impl FnOnce() -> R) -> R {
        let Self {
            span,
            policy,
            panicked,
            ..
        } = self;
        on_panic(
            || current::lend(lent, span, f),
            || {
                panicked.get_or_insert_with(|| policy.monotonic());
            },
        )
    }

    pub(crate) fn note_panic(&mut self) {
        let now = self.policy.monotonic();
        self.panicked.get_or_insert(now);
    }

    pub(crate) fn set_error(&mut self, error: &dyn Display) {
        if self.span.record().is_some() {
            let limit = self.policy.limits.value_bytes;
            self.error = self.policy.guard(|| BoundedText::of(error, limit));
        }
    }

    fn set_route(&mut self, route: Route<'_>) {
        match self.span.record() {
            Some(record) => {
                let limit = self.policy.limits.value_bytes;
                record.change(|data| data.http.as_mut().map(|http| http.set_route(route, limit)));
            }
            None if self.is_watched() => {
                if let Route::Template(template) = route {
                    let limit = self.policy.limits.value_bytes;
                    self.route = Some(prefix(template, limit).into());
                }
            }
            None => {}
        }
    }

    /// Reads what the policy and every place that joined want of the response; answers when the span is to end.
    fn read_head(&self, response: &ResponseView<'_>) -> End {
        let settings = &self.policy.http;
        let Some(record) = self.span.record() else {
            return settings.ends;
        };
        let limit = self.policy.limits.value_bytes;
        let headers = Guarded::new(response.headers, &self.policy);
        let mut wanted = Wanted::default();
        // The headers are looked up while the span is not locked: they are shown by code that is not ours.
        while let Some(Some(header)) =
            record.change(|data| data.http.as_ref()?.next_header(&mut wanted, settings))
        {
            let values = HeaderValues::read(&headers, &header);
            record.change(|data| {
                let http = data.http.as_mut()?;
                http.add_header(&wanted, &header, &values, settings, limit);
                Some(())
            });
        }
        let end = record.change(|data| data.http.as_ref()?.innermost(|options| options.ends));
        end.flatten().unwrap_or(settings.ends)
    }

    /// Ends the request, once: callbacks first, then the span.
    pub(crate) fn end(self, outcome: Outcome) {
        if !self.is_watched() {
            return;
        }
        let outcome = if self.panicked.is_some() {
            Outcome::Panicked
        } else {
            outcome
        };
        let at = self.panicked.unwrap_or_else(|| self.policy.monotonic());
        let duration = at.saturating_sub(self.started);
        // The body of a response to a panic ends after the panic itself.
        let duration = duration.max(self.head.unwrap_or_default());
        let record = self.span.record();
        let calls_back = self.calls_back;
        let template = record.and_then(|record| {
            record.change(|data| {
                let http = data.http.as_mut()?;
                http.status = self.status;
                http.outcome = Some(outcome);
                http.head = self.head;
                http.body_bytes = self.body_bytes;
                if let Some(error) = self.error {
                    http.cut_values += u32::from(error.is_cut);
                    http.error = Some(error.text);
                }
                data.omitted.cut_values += std::mem::take(&mut http.cut_values);
                http.template().filter(|_| calls_back).map(Box::<str>::from)
            })
        });
        if calls_back {
            // A copy, because callbacks may change the span while they read it.
            let template = template.flatten();
            let late_route = self.span.late_route();
            let route = template
                .as_deref()
                .or(late_route.as_deref())
                .or(self.route.as_deref());
            let end = RequestEnd {
                span: &self.span,
                method: self.method,
                route: route.map_or(Route::Unknown, Route::Template),
                status: self.status,
                outcome,
                duration,
                time_to_head: self.head,
                body_bytes: self.body_bytes,
            };
            for on_finish in &self.policy.callbacks.on_finish {
                self.policy.suppressed(|| on_finish(&end));
            }
        }
        if let Some(record) = record {
            self.policy.name_by_rule(record);
            record.clone().finish(duration);
        }
    }
}

/// Runs `f`; if a panic leaves it, runs `then` before the panic goes on.
pub(crate) fn on_panic<R>(f: impl FnOnce() -> R, then: impl FnOnce()) -> R {
    struct OnUnwind<F: FnOnce()>(Option<F>);
    impl<F: FnOnce()> Drop for OnUnwind<F> {
        fn drop(&mut self) {
            if let Some(then) = self.0.take() {
                then();
            }
        }
    }
    // Disarmed on the ordinary way out, so that it runs on no other way than unwinding.
    let mut guard = OnUnwind(Some(then));
    let result = f();
    guard.0 = None;
    result
}

fn is_event_stream(headers: &dyn HeaderView) -> bool {
    let content_type = headers.header("content-type").unwrap_or_default();
    content_type
        .get(..17)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"text/event-stream"))
}

/// How many bytes the client was promised.
fn content_length(headers: &dyn HeaderView, body: BodySize) -> Option<u64> {
    let mut header = None;
    let name = http::header::CONTENT_LENGTH;
    headers.named_header_values(&name, &mut |value| header = header.or(Some(value)));
    let declared = header.and_then(|value| std::str::from_utf8(value).ok()?.trim().parse().ok());
    match body {
        BodySize::Empty => Some(0),
        BodySize::Exact(size) => declared.or(Some(size)),
        BodySize::Unknown => declared,
    }
}
