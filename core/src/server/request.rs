//! The state of a request that its part before the response head and its part after it share.

use std::fmt::Display;
use std::mem;
use std::time::Duration;

use crate::http::{Outcome, Route};
use crate::span::{Kind, Policy, Record, RequestEnd, Span, SpanCell, current};
use crate::text::BoundedText;

/// The right to end a request, once. The facts about the request are in its span's cell.
#[derive(Debug)]
pub(super) struct Request {
    span: Span,
    /// Whether this value still has to end the request.
    is_open: bool,
    /// Whether finish callbacks are called at the end.
    calls_back: bool,
    /// Whether the method is `HEAD`, so that the response has no body.
    pub(super) is_head: bool,
    /// Whether this thread is already in the scope of an outer mount point with the same span.
    is_in_scope: bool,
    /// Whether no router had seen the request when it began.
    pub(super) expects_route: bool,
}

impl Request {
    /// A value that ends no request.
    pub(super) const NONE: Self = Self {
        span: Span::none(),
        is_open: false,
        calls_back: false,
        is_head: false,
        is_in_scope: true,
        expects_route: false,
    };

    pub(super) fn new(span: Span, calls_back: bool, method: &str) -> Self {
        Self {
            is_open: true,
            calls_back,
            is_head: method == "HEAD",
            is_in_scope: false,
            expects_route: false,
            span,
        }
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// Returns the span's cell and policy, while the request is open and watched.
    pub(super) fn watched(&self) -> Option<(&SpanCell, &Policy)> {
        let cell = self.span.cell().filter(|_| self.is_watched())?;
        Some((cell, cell.policy()))
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Returns `true` if the request is open, and is recorded or has finish callbacks.
    pub(super) fn is_watched(&self) -> bool {
        self.is_open && (self.calls_back || self.span.is_recorded())
    }

    /// Creates the request of an inner mount point: the outer one, which has the same span, ends it. `is_in_scope` is `true` if
    /// this thread is in the scope of the outer one.
    pub(super) fn joined(span: Span, is_in_scope: bool) -> Self {
        Self {
            span,
            is_in_scope,
            ..Self::NONE
        }
    }

    /// Runs `f` with the request's span current. Records a panic of `f`, which continues.
    pub(super) fn scope<R>(&mut self, f: impl FnOnce() -> R) -> R {
        if self.is_in_scope {
            return f();
        }
        current::lend(&mut self.span, Kind::Request, f, note_panic)
    }

    /// Records that a part of the request has panicked now.
    pub(super) fn note_panic(&self) {
        if self.is_watched() {
            note_panic(&self.span);
        }
    }

    /// Sets the route, also after [`joined`](Self::joined): an inner mount point may be the only one that knows it.
    pub(super) fn set_route(&self, route: Route<'_>) {
        if let Some(cell) = self.span.cell().filter(|_| route != Route::Unknown) {
            let limit = cell.policy().limits.value_bytes;
            cell.change_facts(|http| {
                http.set_route(route, limit);
                Some(())
            });
        }
    }

    /// Sets the error that the log of a failed request shows.
    pub(super) fn set_error(&self, error: &dyn Display) {
        if let Some((cell, policy)) = self.watched()
            && cell.is_recorded()
        {
            let limit = policy.limits.value_bytes;
            let error = policy.guard(|| BoundedText::of(error, limit));
            cell.change_facts(|http| {
                http.set_error(error?);
                Some(())
            });
        }
    }

    /// Sets the response's status, if the request is open.
    pub(super) fn set_status(&self, status: Option<u16>) {
        if let Some((cell, _)) = self.watched() {
            cell.change_facts(|http| {
                http.status = status;
                Some(())
            });
        }
    }

    /// Ends the request, once: calls the callbacks first, then ends the span. The handle stays usable for code that still runs.
    pub(super) fn end(&mut self, outcome: Outcome, body_bytes: u64) {
        let is_watched = self.is_watched();
        self.is_open = false;
        if let Some(cell) = self.span.cell().filter(|_| is_watched) {
            let policy = cell.policy();
            let end = Ending {
                outcome,
                body_bytes,
                now: policy.monotonic(),
            };
            if self.calls_back || policy.callbacks.naming.is_some() {
                self.call_back(cell, &end);
            }
            self.span.end(|record| end.note(record));
        }
    }

    /// Calls the finish callbacks and the naming rule, while the span can still be changed.
    #[cold]
    fn call_back(&self, cell: &SpanCell, end: &Ending) {
        let policy = cell.policy();
        let seen = cell.change_request(|record| {
            let duration = end.note(record);
            let http = record.http()?;
            // A copy, because callbacks may change the span while they read it.
            let template = http.shown().template().map(Box::<str>::from);
            let outcome = http.outcome.unwrap_or(end.outcome);
            let (method, status, head) = (http.method(), http.status, http.head);
            Some((method, template, status, outcome, duration, head))
        });
        if let Some(Some((method, template, status, outcome, duration, time_to_head))) = seen
            && self.calls_back
        {
            let end = RequestEnd {
                span: &self.span,
                method,
                route: template.as_deref().map_or(Route::Unknown, Route::Template),
                status,
                outcome,
                duration,
                time_to_head,
                body_bytes: end.body_bytes,
            };
            for on_finish in &policy.callbacks.on_finish {
                policy.suppressed(|| on_finish(&end));
            }
        }
        policy.name_by_rule(cell);
    }

    /// Ends the span without a report and without callbacks.
    pub(super) fn discard(&mut self) {
        if let Some(cell) = self.span.cell().filter(|_| self.is_open) {
            cell.close(|_| Duration::ZERO);
        }
        self.is_open = false;
    }
}

/// The outcome and the time of a request's end, as its adapter knows them.
struct Ending {
    outcome: Outcome,
    body_bytes: u64,
    now: Duration,
}

impl Ending {
    /// Stores the end in the record. Returns the duration of the request.
    fn note(&self, record: &mut Record) -> Duration {
        let (at, outcome) = match record.panicked {
            Some(at) => (at, Outcome::Panicked),
            None => (self.now, self.outcome),
        };
        let duration = at.saturating_sub(record.started);
        let Some(http) = record.http_mut() else {
            return duration;
        };
        http.outcome = Some(outcome);
        http.body_bytes = self.body_bytes;
        // The body of a response to a panic ends after the panic itself.
        let duration = duration.max(http.head.unwrap_or_default());
        record.omitted.cut_values += mem::take(&mut http.cut_values);
        duration
    }
}

/// Stores the time of the first panic.
pub(super) fn note_panic(span: &Span) {
    if let Some(cell) = span.cell() {
        let now = cell.policy().monotonic();
        cell.change_request(|record| record.panicked.get_or_insert(now).to_owned());
    }
}
