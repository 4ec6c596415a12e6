//! The state of a request that its part before the response head and its part after it share.

use std::any::Any;
use std::fmt::Display;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use crate::http::{Outcome, Route, is_failure};
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
    pub(super) method: Method,
    /// Whether the response was seen to its end.
    pub(super) is_whole: bool,
    /// Whether this thread is already in the scope of an outer mount point with the same span.
    is_in_scope: bool,
    /// Whether no router had seen the request when it began.
    pub(super) expects_route: bool,
}

/// The method, as far as the end of the request depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// An event stream in response to it is open-ended.
    Get,
    /// The response has no body.
    Head,
    Other,
}

impl Request {
    /// A value that ends no request.
    pub(super) const NONE: Self = Self {
        span: Span::none(),
        is_open: false,
        calls_back: false,
        method: Method::Other,
        is_whole: false,
        is_in_scope: true,
        expects_route: false,
    };

    pub(super) fn new(span: Span, calls_back: bool, method: &str) -> Self {
        Self {
            is_open: true,
            calls_back,
            method: match method {
                "GET" => Method::Get,
                "HEAD" => Method::Head,
                _ => Method::Other,
            },
            is_whole: false,
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
        if self.records_panic_messages() {
            return self.scope_with_message(f);
        }
        current::lend(&mut self.span, Kind::Request, f, note_panic)
    }

    fn records_panic_messages(&self) -> bool {
        let cell = self.span.cell();
        cell.is_some_and(|cell| cell.policy().http.records_panic_messages && cell.is_recorded())
    }

    /// Runs `f` as [`scope`](Self::scope) does, and records the message of its panic. The panic continues with its own payload. Its
    /// hook has been called before, and is not called again.
    #[cold]
    fn scope_with_message<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let run = || current::lend(&mut self.span, Kind::Request, f, note_panic);
        match panic::catch_unwind(AssertUnwindSafe(run)) {
            Ok(result) => result,
            Err(payload) => {
                note_panic_message(&self.span, &*payload);
                panic::resume_unwind(payload)
            }
        }
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
    ///
    /// `body_bytes` is the number of bytes of the body, if the body ends before the request.
    pub(super) fn end(&mut self, outcome: Outcome, body_bytes: Option<u64>) {
        let is_watched = self.is_watched();
        self.is_open = false;
        if let Some(cell) = self.span.cell().filter(|_| is_watched) {
            let policy = cell.policy();
            let end = Ending {
                outcome,
                body_bytes,
                is_whole: self.is_whole,
                now: policy.monotonic(),
            };
            if self.calls_back || policy.callbacks.decide_at_end() {
                self.call_back(cell, &end);
            }
            self.span.end(|record| end.note(record));
        }
    }

    /// Calls the rule for failures, the finish callbacks and the naming rule, while the span can still be changed.
    #[cold]
    fn call_back(&self, cell: &SpanCell, end: &Ending) {
        let policy = cell.policy();
        let seen = cell.change_request(|record| {
            let duration = end.note(record);
            let http = record.http()?;
            // Copies, because callbacks may change the span while they read it.
            let shown = http.shown();
            let template = shown.template().map(Box::<str>::from);
            let rpc_method = shown.rpc_method().map(Box::<str>::from);
            let rpc = (rpc_method, http.grpc.status_name());
            let outcome = http.outcome.unwrap_or(end.outcome);
            let (method, status, head) = (http.method(), http.status, http.head);
            Some((method, template, status, outcome, duration, head, rpc))
        });
        if let Some(Some((method, template, status, outcome, duration, time_to_head, rpc))) = seen {
            let (span, method) = (&self.span, method.as_str());
            let route = template.as_deref().map_or(Route::Unknown, Route::Template);
            // Every other outcome is a failure, whatever the status is.
            let decides = matches!(outcome, Outcome::Completed | Outcome::HandlerError);
            let judged = status.filter(|_| decides);
            let judged = judged.and_then(|status| policy.status_fails(method, route, status));
            let is_failure = cell.change_facts(|http| {
                http.status_fails = judged;
                Some(is_failure(http))
            });
            let callbacks = policy
                .callbacks
                .on_finish
                .iter()
                .filter(|_| self.calls_back);
            for on_finish in callbacks {
                policy.suppressed(|| {
                    on_finish(&RequestEnd {
                        span,
                        method,
                        route,
                        status,
                        outcome,
                        is_failure: is_failure.unwrap_or_default(),
                        duration,
                        time_to_head,
                        body_bytes: end.body_bytes.unwrap_or_default(),
                        rpc_method: rpc.0.as_deref(),
                        rpc_status: rpc.1,
                    });
                });
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
    body_bytes: Option<u64>,
    is_whole: bool,
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
        if self.is_whole {
            http.grpc.end_body();
        }
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

/// Stores the message of a panic, cut to the limit of values. A payload that is no text has none.
fn note_panic_message(span: &Span, payload: &(dyn Any + Send)) {
    let literal = payload.downcast_ref::<&'static str>().copied();
    let message = literal.or_else(|| Some(payload.downcast_ref::<String>()?.as_str()));
    if let (Some(cell), Some(message)) = (span.cell(), message) {
        let message = BoundedText::of(&message, cell.policy().limits.value_bytes);
        cell.change_facts(|http| {
            http.set_panic_message(message);
            Some(())
        });
    }
}
