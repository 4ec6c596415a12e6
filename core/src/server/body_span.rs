//! The life of a response body.

use std::fmt::Display;

use crate::http::Outcome;
use crate::server::request_span::OpenRequest;
use crate::span::{Kind, Span, current};

/// Follows a response body to its end; held by the adapter's body wrapper.
///
/// Dropped before the body's end it is [abandoned](Outcome::BodyAbandoned), unless all the bytes that were declared had
/// been sent: servers drop such a body without polling it once more.
#[derive(Debug)]
#[must_use = "dropping it ends the request"]
pub struct BodySpan {
    /// Empty once the request has ended: an event stream's ends with its head, and its body still runs in scope.
    open: Option<OpenRequest>,
    span: Span,
    declared: Option<u64>,
}

impl BodySpan {
    pub(crate) fn new(open: Option<OpenRequest>, span: Span, declared: Option<u64>) -> Self {
        Self {
            open,
            span,
            declared,
        }
    }

    /// The request's span.
    #[must_use]
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Runs a part of the body with the request's span current: one poll, its drop. A panic that leaves `f` is noted and
    /// goes on.
    pub fn scope<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let Self { open, span, .. } = self;
        match open {
            Some(open) => open.scope(span, f),
            None => current::in_scope(span, Kind::Request, f),
        }
    }

    /// Counts bytes handed to the server.
    pub fn sent(&mut self, bytes: usize) {
        if let Some(open) = &mut self.open {
            open.body_bytes = open.body_bytes.saturating_add(bytes as u64);
        }
    }

    /// Ends the request: the body has come to its end. Later calls do nothing.
    pub fn end(&mut self) {
        if let Some(open) = self.take_open() {
            open.end(Outcome::Completed);
        }
    }

    /// Ends the request: the body failed. Later calls do nothing.
    pub fn fail(&mut self, error: &dyn Display) {
        if let Some(mut open) = self.take_open() {
            open.set_error(error);
            open.end(Outcome::BodyFailed);
        }
    }
}

impl BodySpan {
    fn take_open(&mut self) -> Option<OpenRequest> {
        let open = self.open.take()?;
        open.span.adopt_late_changes(&self.span);
        Some(open)
    }
}

impl Drop for BodySpan {
    fn drop(&mut self) {
        if let Some(open) = self.take_open() {
            let complete = self
                .declared
                .is_some_and(|declared| open.body_bytes >= declared);
            open.end(if complete {
                Outcome::Completed
            } else {
                Outcome::BodyAbandoned
            });
        }
    }
}
