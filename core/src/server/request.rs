//! What is common to a request before its response head and after.

use std::fmt::Display;
use std::mem;

use crate::http::{End, HeaderValues, Outcome, ResponseView, Route, Wanted};
use crate::server::guarded::Guarded;
use crate::span::{Kind, Policy, RequestEnd, Span, SpanCell, current};
use crate::text::BoundedText;

/// The right to end a request, once. All that is known of it is in its span's cell.
#[derive(Debug)]
pub(super) struct Request {
    span: Span,
    is_open: bool,
    /// Whether its end matters to anybody: it is recorded, or finish callbacks are called.
    is_watched: bool,
    calls_back: bool,
    pub(super) is_head: bool,
}

impl Request {
    /// No request, or none any more.
    pub(super) const NONE: Self = Self {
        span: Span::none(),
        is_open: false,
        is_watched: false,
        calls_back: false,
        is_head: false,
    };

    pub(super) fn new(span: Span, calls_back: bool, method: &str) -> Self {
        Self {
            is_open: true,
            is_watched: calls_back || span.is_recorded(),
            calls_back,
            is_head: method == "HEAD",
            span,
        }
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// The span's cell and policy, while the request is open and watched.
    fn watched(&self) -> Option<(&SpanCell, &Policy)> {
        let cell = self.span.cell().filter(|_| self.is_watched())?;
        Some((cell, cell.policy()))
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    pub(super) fn is_watched(&self) -> bool {
        self.is_open && self.is_watched
    }

    /// Runs a part of the request with its span current; notes a panic that leaves `f`.
    pub(super) fn scope<R>(&mut self, f: impl FnOnce() -> R) -> R {
        current::lend(&mut self.span, Kind::Request, f, note_panic)
    }

    pub(super) fn note_panic(&self) {
        if self.is_watched() {
            note_panic(&self.span);
        }
    }

    pub(super) fn set_route(&self, route: Route<'_>) {
        if let Some((cell, policy)) = self.watched() {
            let limit = policy.limits.value_bytes;
            cell.change_facts(|http| {
                http.set_route(route, limit);
                Some(())
            });
        }
    }

    pub(super) fn set_error(&self, error: &dyn Display) {
        if let Some((cell, policy)) = self.watched()
            && cell.is_recorded()
        {
            let limit = policy.limits.value_bytes;
            let error = policy.guard(|| BoundedText::of(error, limit));
            cell.change_facts(|http| {
                let error = error?;
                http.cut_values += u32::from(error.is_cut);
                http.error = Some(error.text);
                Some(())
            });
        }
    }

    pub(super) fn set_status(&self, status: Option<u16>) {
        if let Some((cell, _)) = self.watched() {
            cell.change_facts(|http| {
                http.status = status;
                Some(())
            });
        }
    }

    /// Notes the response head, and reads what the policy and every mount point that joined want of it. Returns when the span
    /// is to end; `None` where nobody is interested.
    pub(super) fn read_head(&self, response: &ResponseView<'_>) -> Option<End> {
        let (cell, policy) = self.watched()?;
        let (settings, limit) = (&policy.http, policy.limits.value_bytes);
        let now = policy.monotonic();
        let mut wanted = Wanted::default();
        let (mut header, ends) = cell.change_request(|record| {
            let head = now.saturating_sub(record.started);
            let http = record.http_mut()?;
            http.status = Some(response.status);
            http.head = Some(head);
            let header = http.next_header(&mut wanted, settings);
            Some((header, http.innermost(|options| options.ends)))
        })??;
        // The headers are looked up while the span is not locked: they are shown by code that is not ours.
        let headers = Guarded::new(response.headers, policy);
        while let Some(name) = header {
            let values = HeaderValues::read(&headers, &name);
            header = cell.change_facts(|http| {
                http.add_header(&wanted, &name, &values, settings, limit);
                http.next_header(&mut wanted, settings)
            });
        }
        Some(ends.unwrap_or(settings.ends))
    }

    /// Ends the request, once: callbacks first, then the span. Its handle stays, for what still runs.
    pub(super) fn end(&mut self, outcome: Outcome, body_bytes: u64) {
        let is_over = !mem::replace(&mut self.is_open, false) || !self.is_watched;
        let Some(cell) = self.span.cell().filter(|_| !is_over) else {
            return;
        };
        let policy = cell.policy();
        let now = policy.monotonic();
        let calls_back = self.calls_back;
        let ended = cell.change_request(|record| {
            let at = record.panicked.unwrap_or(now);
            let outcome = record.panicked.map_or(outcome, |_| Outcome::Panicked);
            let started = record.started;
            let http = record.http_mut()?;
            // The body of a response to a panic ends after the panic itself.
            let duration = at.saturating_sub(started);
            let duration = duration.max(http.head.unwrap_or_default());
            http.outcome = Some(outcome);
            http.body_bytes = body_bytes;
            let cut_values = mem::take(&mut http.cut_values);
            let seen = calls_back.then(|| {
                // A copy, because callbacks may change the span while they read it.
                let template = http.shown().template().map(Box::<str>::from);
                (http.method(), http.status, http.head, template)
            });
            record.omitted.cut_values += cut_values;
            Some((outcome, duration, seen))
        });
        let Some(Some((outcome, duration, seen))) = ended else {
            return;
        };
        if let Some((method, status, time_to_head, template)) = seen {
            let end = RequestEnd {
                span: &self.span,
                method,
                route: template.as_deref().map_or(Route::Unknown, Route::Template),
                status,
                outcome,
                duration,
                time_to_head,
                body_bytes,
            };
            for on_finish in &policy.callbacks.on_finish {
                policy.suppressed(|| on_finish(&end));
            }
        }
        policy.name_by_rule(cell);
        self.span.end(|_| duration);
    }

    /// Gives the request up: its span ends without a report, and no callback is called.
    pub(super) fn discard(&mut self) {
        self.is_open = false;
        if let Some(cell) = self.span.cell() {
            cell.close(|_| Default::default());
        }
    }
}

/// Notes the moment of the first panic.
fn note_panic(span: &Span) {
    if let Some(cell) = span.cell() {
        let now = cell.policy().monotonic();
        cell.change_request(|record| record.panicked.get_or_insert(now).to_owned());
    }
}
