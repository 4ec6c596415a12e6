//! What a request's local cache keeps of its tracing.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use opentracing_http::Span;
use opentracing_http::server::{Instrumentation, RequestSpan};
use rocket::Request;

use crate::request::View;

/// The place in a request's local cache: empty for a request that is not traced.
///
/// rocket's cache keeps what it was given first. The clones of a request of the local client share it, so a clone that
/// is dispatched later finds the place taken, and its own is behind it.
#[derive(Default)]
pub(crate) struct Slot {
    traced: OnceLock<Traced>,
    next: OnceLock<Box<Self>>,
}

/// A traced request.
pub(crate) struct Traced {
    /// The one handle that guards lend and scopes make current: what is set on it, all of them see.
    span: Span,
    method: &'static str,
    owner: Owner,
    state: Mutex<State>,
}

/// Who started a request's span, and ends it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The fairing, which sees the whole request.
    Fairing,
    /// A traced route, which sees what runs within it.
    Route,
}

struct State {
    /// Empty once the request has ended, or its body is followed.
    request: Option<RequestSpan>,
    /// Whether the traced route that was tried last passed the request on.
    forwarded: bool,
}

impl Slot {
    pub(crate) fn of<'r>(request: &'r Request<'_>) -> &'r Self {
        request.local_cache(Self::default)
    }

    /// What was begun last.
    fn last(&self) -> Option<&Traced> {
        let mut last = self;
        while let Some(next) = last.next.get() {
            last = next;
        }
        last.traced.get()
    }

    /// The request's span: nothing before its start, nor where the route that started it passed the request on.
    pub(crate) fn span(&self) -> Option<&Span> {
        let traced = self.last()?;
        (!traced.state().forwarded).then_some(&traced.span)
    }

    /// The traced request that waits for its response.
    pub(crate) fn open(&self) -> Option<&Traced> {
        self.last()
            .filter(|traced| traced.state().request.is_some())
    }

    /// Starts the request's span or, where it has one, adds to that.
    pub(crate) fn begin_or_join(
        &self,
        request: &Request<'_>,
        instrumentation: &Instrumentation,
        owner: Owner,
    ) -> &Traced {
        if let Some(traced) = self.open() {
            traced.state().forwarded = false;
            instrumentation.join(&traced.span, &View::new(request, traced.method));
            return traced;
        }
        let method = request.method().as_str();
        let span = instrumentation.begin(&View::new(request, method));
        let traced = Traced {
            span: span.span().clone(),
            method,
            owner,
            state: Mutex::new(State {
                request: Some(span),
                forwarded: false,
            }),
        };
        let mut place = self;
        while place.traced.get().is_some() {
            place = place.next.get_or_init(Box::default);
        }
        place.traced.get_or_init(|| traced)
    }
}

impl Traced {
    // Nothing that is done under the lock leaves anything half done.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }

    /// Takes the right to end the request, once.
    pub(crate) fn take(&self) -> Option<RequestSpan> {
        let mut request = self.state().request.take()?;
        if !self.span.is_recording() {
            // Baggage that was set on a request which is not recorded is known to the handle that it was set on.
            request.scope(|| self.span.in_scope(|| ()));
        }
        Some(request)
    }

    /// Notes that the route passed the request on: what it started ends with another traced route, or without a report.
    pub(crate) fn forward(&self) {
        self.state().forwarded = true;
    }

    /// Runs a part of the route with the request's span current. A panic that leaves `f` is noted and goes on.
    pub(crate) fn scope<R>(&self, f: impl FnOnce() -> R) -> R {
        let mut guard = NotePanic(Some(self));
        let result = self.span.in_request_scope(f);
        guard.0 = None;
        result
    }

    /// rocket catches the panic and answers with the catcher for status 500.
    fn panicked(&self) {
        let mut state = self.state();
        let Some(request) = &mut state.request else {
            return;
        };
        request.panicked();
        if self.owner == Owner::Route {
            let request = state.request.take();
            drop(state);
            if let Some(request) = request {
                request.fail(Some(500), &"the handler panicked");
            }
        }
    }
}

/// On the stack while a part of a route runs: unwinding passes through it.
struct NotePanic<'a>(Option<&'a Traced>);

impl Drop for NotePanic<'_> {
    fn drop(&mut self) {
        if let Some(traced) = self.0 {
            traced.panicked();
        }
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(mut request) = state.request.take() else {
            return;
        };
        if state.forwarded && self.owner == Owner::Route {
            request.discard();
        } else if std::thread::panicking() {
            // A fairing of the application panicked, which ends rocket's task.
            request.panicked();
        }
    }
}
