//! What a traced filter does with a request: at its start, when it has an answer, and when it has none.

use std::fmt;

use http::{HeaderMap, StatusCode};
use opentracing_http::server::{BodySize, Instrumentation, RequestSpan, ResponseView};
use opentracing_http::{Route, Span};
use warp::reject::MethodNotAllowed;
use warp::reply::Response;
use warp::{Rejection, Reply};

use crate::request::{Facts, Identity, View};
use crate::{body, bridge, request};

/// A place in the filters where requests are traced.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) instrumentation: Instrumentation,
    pub(crate) covers: Covers,
}

/// What a rejection means there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Covers {
    /// The request's answer: warp makes a reply of it.
    App,
    /// Perhaps that another route is tried.
    Route,
}

/// A request on its way through a place.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) identity: Identity,
    /// Until there is an answer; none where an outer place holds it.
    pub(crate) request: Option<RequestSpan>,
    /// The request's span, where an outer place holds it.
    pub(crate) joins: Option<Span>,
    pub(crate) facts: Facts,
    pub(crate) rejected: bool,
}

impl Place {
    /// Starts the request's span, or notes which one is to be joined. Answers the hook for the polls.
    pub(crate) fn begin(&self, info: &warp::trace::Info<'_>) -> tracing::Span {
        let facts = request::handed_over();
        let identity = Identity::of(info.path(), info.request_headers());
        let is_marked = facts.marked || bridge::is_in(identity);
        let joins = self.instrumentation.joinable(|_| is_marked);
        let request = joins.is_none().then(|| {
            self.instrumentation.begin(&View {
                method: info.method(),
                path: info.path(),
                version: info.version(),
                headers: info.request_headers(),
                facts: &facts,
            })
        });
        bridge::open(Visit {
            identity,
            request,
            joins,
            facts,
            rejected: false,
        })
    }

    /// Is called when there is a reply or a rejection, with its status.
    pub(crate) fn answered(&self, info: &warp::log::Info<'_>) {
        bridge::with_visit(|visit| {
            let unmatched = visit.rejected
                && self.covers == Covers::Route
                && matches!(
                    info.status(),
                    StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
                );
            if let (Some(span), false) = (&visit.joins, unmatched) {
                // Not before: until now another route could have been the one.
                let view = View {
                    method: info.method(),
                    path: info.path(),
                    version: info.version(),
                    headers: info.request_headers(),
                    facts: &visit.facts,
                };
                self.instrumentation.join(span, &view);
            }
            if visit.rejected
                && let Some(request) = visit.request.take()
            {
                if unmatched {
                    request.discard();
                } else {
                    end_rejected(request, info.status());
                }
            }
        });
    }
}

/// warp makes the reply of a rejection outside of all filters, without a stream in it.
fn end_rejected(request: RequestSpan, status: StatusCode) {
    let body = request.head(&ResponseView {
        status: status.as_u16(),
        headers: &HeaderMap::new(),
        body: BodySize::Empty,
        upgrade: false,
    });
    debug_assert!(body.is_none(), "an empty body needs no following");
}

/// Notes a rejection, before its status is known.
pub(crate) fn rejected(rejection: &Rejection) {
    /// What warp prints of a rejection as well.
    struct Shown<'a>(&'a Rejection);

    impl fmt::Display for Shown<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            fmt::Debug::fmt(self.0, f)
        }
    }

    bridge::with_visit(|visit| {
        visit.rejected = true;
        let Some(request) = &mut visit.request else {
            return;
        };
        if rejection.is_not_found() {
            request.set_route(Route::Unmatched);
        } else if rejection.find::<MethodNotAllowed>().is_none() {
            request.set_error(&Shown(rejection));
        }
    });
}

/// Follows a reply.
pub(crate) fn replied(reply: impl Reply) -> Response {
    let response = reply.into_response();
    match bridge::with_visit(|visit| visit.request.take()).flatten() {
        Some(request) => body::follow(response, request),
        None => response,
    }
}
