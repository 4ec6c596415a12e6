//! The life of a response body.

use std::fmt::Display;

use crate::http::Outcome;
use crate::server::request::Request;
use crate::span::Span;

/// Follows a response body to its end; held by the adapter's body wrapper.
///
/// Dropped before the body's end it is [abandoned](Outcome::BodyAbandoned), unless all the bytes that were declared had
/// been sent: servers drop such a body without polling it once more.
#[derive(Debug)]
#[must_use = "dropping it ends the request"]
pub struct BodySpan {
    /// It may have ended: an event stream's ends with its head, and its body still runs in scope.
    request: Request,
    declared: Option<u64>,
    sent: u64,
}

impl BodySpan {
    pub(super) fn new(request: Request, declared: Option<u64>) -> Self {
        Self {
            request,
            declared,
            sent: 0,
        }
    }

    /// The request's span.
    #[must_use]
    pub fn span(&self) -> &Span {
        self.request.span()
    }

    /// Runs a part of the body with the request's span current: one poll, its drop. A panic that leaves `f` is noted and
    /// goes on.
    pub fn scope<R>(&mut self, f: impl FnOnce() -> R) -> R {
        self.request.scope(f)
    }

    /// Counts bytes handed to the server.
    pub fn sent(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(bytes as u64);
    }

    /// Ends the request: the body has come to its end. Later calls do nothing.
    pub fn end(&mut self) {
        self.request.end(Outcome::Completed, self.sent);
    }

    /// Ends the request: the body failed. Later calls do nothing.
    pub fn fail(&mut self, error: &dyn Display) {
        self.request.set_error(error);
        self.request.end(Outcome::BodyFailed, self.sent);
    }
}

impl Drop for BodySpan {
    fn drop(&mut self) {
        let is_complete = self.declared.is_some_and(|declared| self.sent >= declared);
        let outcome = match is_complete {
            true => Outcome::Completed,
            false => Outcome::BodyAbandoned,
        };
        self.request.end(outcome, self.sent);
    }
}
