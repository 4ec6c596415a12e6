//! The life of a request, from its start to its one outcome.

use std::fmt::Display;
use std::mem;
use std::sync::atomic::Ordering;

use crate::http::{Mark, Marked, Outcome, ResponseView, Route};
use crate::server::body_span::BodySpan;
use crate::server::request::Request;
use crate::server::request_scope::RequestScope;
use crate::span::Span;

/// The right to end a request's span, held by the adapter from the request's arrival to its response.
///
/// It ends exactly once: in [`respond`](Self::respond) it becomes a [`BodySpan`], in [`fail`](Self::fail) a handler's error, and
/// dropped it is a request that was [cancelled](Outcome::Cancelled), or [panicked](Outcome::Panicked) if a panic left one of its
/// [scopes](Self::scope). One of a request that has its span from an outer mount point [ends nothing](Self::is_outermost).
#[derive(Debug)]
#[must_use = "dropping it ends the request as cancelled"]
pub struct RequestSpan {
    request: Request,
}

impl RequestSpan {
    pub(super) fn new(request: Request) -> Self {
        Self { request }
    }

    /// Returns the request's span.
    #[must_use]
    pub fn span(&self) -> &Span {
        self.request.span()
    }

    /// Returns whether this is the outermost mount point of the request, which ends it. `false` where an outer one has begun the
    /// request: then [`set_route`](Self::set_route) notes the route, and the other methods that change the request do nothing.
    ///
    /// An adapter that turns a handler's error into a response does so only where this is `true`: error handlers of the service
    /// may stand between an inner mount point and the outermost one.
    #[must_use]
    pub fn is_outermost(&self) -> bool {
        self.request.is_open()
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

    /// Leaves the request's mark with it, by which an inner mount point [knows](crate::RequestView::has_mark) that it has its
    /// span. Returns whether it left one: nothing is left where the policy has no [other mount
    /// point](crate::server::Instrumentation::mounted), and where the request has its mark from an outer one.
    ///
    /// Where the framework keeps values by their type with each request, this is called for every request before its handler,
    /// recorded or not.
    #[allow(clippy::must_use_candidate, reason = "few adapters need to know")]
    pub fn leave_mark(&self, request: &mut impl Marked) -> bool {
        let mark = self.mark();
        if let Some(mark) = mark {
            mark.leave(request);
        }
        mark.is_some()
    }

    fn mark(&self) -> Option<Mark> {
        let policy = self.span().policy().filter(|_| self.request.is_open())?;
        let is_only_mount = policy.mounts.load(Ordering::Relaxed) == 1;
        (!is_only_mount).then(|| self.span().mark()).flatten()
    }

    /// Notes the route, for a framework that knows it neither when the request begins nor from its response; or only from a
    /// response that a middleware between an inner mount point and the outermost one may replace. Also an inner one notes it.
    ///
    /// [`Route::Unknown`] changes nothing, and [`Route::Unmatched`] nothing where a template is known.
    pub fn set_route(&mut self, route: Route<'_>) {
        self.request.set_route(route);
    }

    /// Notes the route of a request that is gone before the framework could tell it, if it can still be found by the path.
    ///
    /// `find` gets the path and returns the template. It is called only if the request is recorded and its route is not known.
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

    /// Notes the error behind a response before that is known, for the error log of a request that failed; see
    /// [`ResponseView::error`].
    pub fn set_error(&mut self, error: &dyn Display) {
        self.request.set_error(error);
    }

    /// Ends the request without a response: the handler returned an error that the framework makes a response of further out.
    ///
    /// `status` is that response's, where it is known: the request [failed](Outcome::is_failure) if it is 500 or above, or not
    /// known.
    pub fn fail(mut self, status: Option<u16>, error: &dyn Display) {
        self.request.set_status(status);
        self.request.set_error(error);
        self.request.end(Outcome::HandlerError, 0);
    }

    /// Gives the request up: its span ends without a report, and no finish callback is called.
    ///
    /// For an adapter that stands on single routes of a framework which can go on to another route afterwards.
    pub fn discard(mut self) {
        self.request.discard();
    }

    /// Ends the handler's part of the request with its response, at the outermost mount point: notes the route, the error, the status and the headers that
    /// are attributes, and writes the trace id into the response's headers if the policy returns it to callers.
    ///
    /// Returns what follows the body, for [`FollowedBody::new`](crate::server::FollowedBody::new): `None` where the body needs
    /// no following and can be sent as it is.
    #[must_use = "dropping it ends the request as an abandoned body"]
    pub fn respond(mut self, response: &mut dyn ResponseView) -> Option<BodySpan> {
        mem::replace(&mut self.request, Request::NONE).respond(response)
    }
}

impl Drop for RequestSpan {
    fn drop(&mut self) {
        self.request.end(Outcome::Cancelled, 0);
    }
}
