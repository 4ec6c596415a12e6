//! Middlewares of the framework's own, within the tracing and outside of it.

use std::sync::{Arc, Mutex};

use opentracing_http::Outcome;

use crate::app::{Position, injected as inject};
use crate::server::cases::{assert_tags, outcome, trace, with_status};
use crate::server::{Feature, Kit, Server};

/// A middleware within the tracing sees the request's span before the handler and after it; one outside sees none.
pub fn middleware_inside_sees_the_span<S: Server>() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kit = {
        let seen = seen.clone();
        Kit::<S>::setup()
            .middleware(move |position, status| {
                let mut seen = seen.lock().expect("no panic");
                seen.push((position, status, inject()));
                None
            })
            .start()
    };
    let response = kit.get("/play");
    assert_eq!(response.status, 200);
    let span = kit.span();
    let ours = response.text();
    assert!(ours.contains(&trace(&span)));
    let seen = seen.lock().expect("no panic").clone();
    let inside = if S::CAPABILITIES.has(Feature::CurrentSpanInMiddleware) {
        ours
    } else {
        "none\n".to_owned()
    };
    let mut expected = vec![
        (Position::Inside, None, inside.clone()),
        (Position::Inside, Some(200), inside),
    ];
    if S::CAPABILITIES.has(Feature::MiddlewareOutside) {
        let none = || "none\n".to_owned();
        expected.insert(0, (Position::Outside, None, none()));
        expected.push((Position::Outside, Some(200), none()));
    }
    assert_eq!(seen, expected);
}

/// A status that a middleware within the tracing rewrites is the span's; one outside is too late.
pub fn status_of_a_middleware_inside_counts<S: Server>() {
    for position in [Position::Inside, Position::Outside] {
        let kit = Kit::<S>::setup()
            .middleware(move |at, status| (at == position && status.is_some()).then_some(503))
            .start();
        let rewritten =
            position == Position::Inside || S::CAPABILITIES.has(Feature::MiddlewareOutside);
        let status = if rewritten { 503 } else { 200 };
        assert_eq!(kit.get("/play").status, status, "{position:?}");
        let span = kit.span();
        let expected = match position {
            Position::Inside => 503,
            Position::Outside => 200,
        };
        assert_eq!(outcome(&span), (Outcome::Completed, Some(expected)));
        assert_eq!(span.is_error(), expected == 503);
    }
}

/// A route that is traced once more within the tracing of everything, with a middleware between the two that changes its status: the
/// request has one span, named after the route, with the status that the client gets.
pub fn status_changed_between_mount_points_is_the_spans<S: Server>() {
    let kit = Kit::<S>::setup()
        .play(with_status)
        .middleware(|at, status| match (at, status) {
            (Position::Inside, Some(404 | 500)) => Some(418),
            (Position::Inside, Some(200)) => Some(503),
            _ => None,
        })
        .start();
    for route in ["/chosen", "/scope/chosen"] {
        for (returned, sent) in [(404, 418), (500, 418), (200, 503)] {
            let path = format!("{route}?{returned}");
            let response = kit.get_with(&path, &[("x-request-id", "r-1")]);
            assert_eq!(response.status, sent, "{path}");
            let span = kit.span();
            assert_eq!(outcome(&span), (Outcome::Completed, Some(sent)), "{path}");
            assert_eq!(span.is_error(), sent == 503, "{path}");
            assert_eq!(span.name(), S::CAPABILITIES.name("GET", route));
            // An attribute of the inner mount point's.
            assert_tags(&span, &[("http.request.header.x-request-id", "r-1")]);
        }
    }
}

/// A middleware within the tracing that responds by itself has a span, one outside has none.
pub fn middleware_inside_can_respond<S: Server>() {
    for position in [Position::Inside, Position::Outside] {
        let kit = Kit::<S>::setup()
            .middleware(move |at, status| (at == position && status.is_none()).then_some(401))
            .start();
        let intercepts = S::CAPABILITIES.has(Feature::MiddlewareThatResponds)
            && (position == Position::Inside || S::CAPABILITIES.has(Feature::MiddlewareOutside));
        let status = if intercepts { 401 } else { 200 };
        assert_eq!(kit.get("/play").status, status, "{position:?}");
        if intercepts && position == Position::Outside {
            continue;
        }
        assert_eq!(outcome(&kit.span()), (Outcome::Completed, Some(status)));
    }
}
