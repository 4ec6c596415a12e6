//! The life of a request, from its start to its one outcome.

use std::fmt::Display;
use std::mem;
use std::sync::atomic::Ordering;

use crate::http::{BodySize, Outcome, ResponseView, Route, SpanEnd};
use crate::propagation::{Carrier, HeaderView};
use crate::server::body_span::BodySpan;
use crate::server::guarded::Guarded;
use crate::server::request::Request;
use crate::server::request_scope::RequestScope;
use crate::span::{Mark, Span};

/// The right to end a request's span; held by the adapter from the request's arrival to its response head.
///
/// It ends exactly once: in [`head`](Self::head) it becomes a [`BodySpan`], in [`fail`](Self::fail) a handler's error, and
/// dropped it is a request that was [cancelled](Outcome::Cancelled), or [panicked](Outcome::Panicked) if one of its
/// [scopes](Self::scope) was left by a panic.
#[derive(Debug)]
#[must_use = "dropping it ends the request as cancelled"]
pub struct RequestSpan {
    request: Request,
}

impl RequestSpan {
    pub(super) fn new(request: Request) -> Self {
        Self { request }
    }

    /// The request's span.
    #[must_use]
    pub fn span(&self) -> &Span {
        self.request.span()
    }

    /// Runs a part of the request with its span current: the call of the handler, one poll of its future, its drop.
    ///
    /// A panic that leaves `f` is noted and goes on: on the stack is the only place where it can be told from a
    /// cancellation, when a panic is caught further out before the future is dropped.
    pub fn scope<R>(&mut self, f: impl FnOnce() -> R) -> R {
        self.request.scope(f)
    }

    /// Makes the request's span current until [`leave`](Self::leave), on this thread: a [scope](Self::scope) for a framework
    /// that does not let its futures be wrapped, but calls back before and after each poll.
    pub fn enter(&self) -> RequestScope {
        RequestScope::enter(self.span())
    }

    /// Leaves a scope that was [entered](Self::enter). Called while a panic unwinds that began in it, this is where the
    /// panic is noted.
    pub fn leave(&mut self, scope: RequestScope) {
        if scope.leave() {
            self.panicked();
        }
    }

    /// Notes that the handler panicked, where the framework catches the panic and goes on to a response.
    pub fn panicked(&mut self) {
        self.request.note_panic();
    }

    /// Returns the mark to leave with the request, by which an inner mount point knows that it has its span; see
    /// [`Instrumentation::begin_or_join`](crate::server::Instrumentation::begin_or_join). `None` where the policy has
    /// [no other mount point](crate::server::Instrumentation::mounted).
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        let policy = self.span().policy()?;
        let is_only_mount = policy.mounts.load(Ordering::Relaxed) == 1;
        (!is_only_mount).then(|| self.span().mark()).flatten()
    }

    /// Whether anyone wants to know of the request: its span is recorded, or a finish callback listens. An adapter need
    /// not ask for a route that is dear to get where this answers `false`.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.request.is_watched()
    }

    /// Notes the route, which many frameworks know only after the handler has run.
    pub fn set_route(&mut self, route: Route<'_>) {
        self.request.set_route(route);
    }

    /// Notes the route of a request that is gone before the framework could tell it, if it can still be found by the path.
    ///
    /// `find` answers the template. It is asked only if the request is recorded and its route is not known.
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
        // Not while the span is locked: a framework's way to its routes is not ours, and may be long.
        let found = cell.policy().guard(|| find(&path));
        if let Some(template) = found.flatten() {
            self.set_route(Route::Template(&template));
        }
    }

    /// Notes the error behind a response, for the error log of a request that failed.
    pub fn set_error(&mut self, error: &dyn Display) {
        self.request.set_error(error);
    }

    /// Writes the trace id into the response's headers, if the policy returns it to callers.
    pub fn write_response_headers(&self, headers: &mut dyn Carrier) {
        if let Some(policy) = self.span().policy()
            && let Some(header) = &policy.http.return_trace_id
            && let Some(context) = self.span().context()
        {
            policy.guard(|| header.write(&context, headers));
        }
    }

    /// Ends the request without a response of the handler's: an error reached the tracing layer.
    ///
    /// `status` is the one that the framework will make of the error, where that is known.
    pub fn fail(mut self, status: Option<u16>, error: &dyn Display) {
        self.request.set_status(status);
        self.request.set_error(error);
        self.request.end(Outcome::HandlerError, 0);
    }

    /// Gives the request up to whoever else takes it: its span ends without a report, and no finish callback is called.
    ///
    /// For an adapter that stands on single routes of a framework which can go on to another route afterwards.
    pub fn discard(mut self) {
        self.request.discard();
    }

    /// Notes the response head. Answers what follows the body, or nothing where the body needs no following: it can then
    /// be sent as it is.
    #[must_use]
    pub fn head(mut self, response: &ResponseView<'_>) -> Option<BodySpan> {
        let mut request = mem::replace(&mut self.request, Request::NONE);
        if !request.is_open() {
            return None;
        }
        let ends = request.read_head(response);
        let is_recorded = request.span().is_recorded();
        let streams = response.body == BodySize::Unknown;
        let is_bodyless = response.body == BodySize::Empty
            || response.upgrade
            || request.is_head
            || matches!(response.status, 100..200 | 204 | 304);
        if is_bodyless || (!is_recorded && !streams) {
            let body_bytes = match response.body {
                BodySize::Exact(size) if !is_bodyless => size,
                _ => 0,
            };
            request.end(Outcome::Completed, body_bytes);
            return None;
        }
        let Some(ends) = ends else {
            // Nobody wants to know when it ends. What runs while the body is made still sees its request.
            return streams.then(|| BodySpan::new(request, None));
        };
        let policy = request.span().policy()?;
        let headers = Guarded::new(response.headers, policy);
        let ends_here = match ends {
            SpanEnd::Head => true,
            SpanEnd::Body => streams && is_event_stream(&headers),
            SpanEnd::EventStream => false,
        };
        let declared = content_length(&headers, response.body);
        if ends_here {
            request.end(Outcome::Completed, 0);
            return streams.then(|| BodySpan::new(request, None));
        }
        Some(BodySpan::new(request, declared))
    }
}

impl Drop for RequestSpan {
    fn drop(&mut self) {
        self.request.end(Outcome::Cancelled, 0);
    }
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
