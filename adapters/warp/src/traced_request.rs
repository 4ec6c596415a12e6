//! A request in a traced filter, from its start to its reply or rejection.

use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;
use opentracing_http::server::{Instrumentation, RequestSpan, SharedRequestSpan};
use opentracing_http::{Route, Span};
use opentracing_tower::follow;
use warp::reject::MethodNotAllowed;
use warp::{Rejection, Reply as _};

use crate::request::{Facts, Identity, View};

/// The part of the application that a traced filter covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// The whole application. warp replies to every rejection.
    App,
    /// One of several routes. After `404 Not Found` and `405 Method Not Allowed` warp tries another one.
    Route,
}

/// A request in a traced filter.
#[derive(Debug)]
pub(crate) struct TracedRequest {
    identity: Identity,
    facts: Facts,
    coverage: Coverage,
    role: Role,
    is_rejected: AtomicBool,
}

/// The role of a mount point for the request's span.
#[derive(Debug)]
enum Role {
    /// This mount point has begun the span, and ends it.
    Outermost(SharedRequestSpan),
    /// This mount point joins the span of an outer one if its route responds.
    Inner(Span, Instrumentation),
}

impl TracedRequest {
    pub(crate) fn begin(
        instrumentation: &Instrumentation,
        coverage: Coverage,
        info: &warp::trace::Info<'_>,
    ) -> Self {
        let facts = Facts::handed_over();
        let view = View {
            method: info.method(),
            path: info.path(),
            version: info.version(),
            headers: info.request_headers(),
            facts: &facts,
        };
        let role = match instrumentation.joinable(&view) {
            Some(span) => Role::Inner(span, instrumentation.clone()),
            None => Role::Outermost(SharedRequestSpan::new(instrumentation.begin(&view))),
        };
        Self {
            identity: view.identity(),
            facts,
            coverage,
            role,
            is_rejected: AtomicBool::new(false),
        }
    }

    /// Returns the request's span if this mount point has begun it. Otherwise returns `None`: the outer mount point that has
    /// begun it also makes it current.
    pub(crate) fn begun(&self) -> Option<&SharedRequestSpan> {
        match &self.role {
            Role::Outermost(span) => Some(span),
            Role::Inner(..) => None,
        }
    }

    /// Returns `true` if this mount point has begun this request.
    pub(crate) fn has_begun(&self, request: Identity) -> bool {
        self.identity == request && self.begun().is_some()
    }

    /// Records a rejection. Its status is known only in [`responded`](Self::responded).
    pub(crate) fn rejected(&self, rejection: &Rejection) {
        self.is_rejected.store(true, Ordering::Relaxed);
        let note = |span: &mut RequestSpan| {
            if rejection.is_not_found() {
                span.set_route(Route::Unmatched);
            } else if rejection.find::<MethodNotAllowed>().is_none() {
                span.set_error(&format_args!("{rejection:?}"));
            }
        };
        self.begun().and_then(|span| span.with(note));
    }

    /// Records the status of the reply or the rejection. It is called before the reply itself is available.
    pub(crate) fn responded(&self, info: &warp::log::Info<'_>) {
        let is_rejected = self.is_rejected.load(Ordering::Relaxed);
        let has_no_match =
            [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED].contains(&info.status());
        let is_other_routes = is_rejected && has_no_match && self.coverage == Coverage::Route;
        match &self.role {
            Role::Inner(span, instrumentation) if !is_other_routes => {
                let view = View {
                    method: info.method(),
                    path: info.path(),
                    version: info.version(),
                    headers: info.request_headers(),
                    facts: &self.facts,
                };
                drop(instrumentation.join(span, &view));
            }
            Role::Outermost(span) if is_rejected => match span.take() {
                Some(span) if is_other_routes => span.discard(),
                // warp creates the reply outside of all filters, with a body in memory.
                Some(span) => drop(follow(info.status().into_response(), span)),
                None => {}
            },
            _ => {}
        }
    }
}
