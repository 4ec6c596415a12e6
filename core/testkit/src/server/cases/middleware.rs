//! Middlewares of the framework's own, within the tracing and outside of it.

use std::sync::{Arc, Mutex};

use opentracing_http::Outcome;

use crate::app::{Place, injected as inject};
use crate::server::cases::{outcome, trace};
use crate::server::{Feature, Kit, Server};

/// A middleware within the tracing sees the request's span before the handler and after it; one outside sees none.
pub fn middleware_inside_sees_the_span<S: Server>() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kit = {
        let seen = seen.clone();
        Kit::<S>::setup()
            .middleware(move |place, status| {
                let mut seen = seen.lock().expect("no panic");
                seen.push((place, status, inject()));
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
        (Place::Inside, None, inside.clone()),
        (Place::Inside, Some(200), inside),
    ];
    if S::CAPABILITIES.has(Feature::MiddlewareOutside) {
        let none = || "none\n".to_owned();
        expected.insert(0, (Place::Outside, None, none()));
        expected.push((Place::Outside, Some(200), none()));
    }
    assert_eq!(seen, expected);
}

/// A status that a middleware within the tracing rewrites is the span's; one outside is too late.
pub fn status_of_a_middleware_inside_counts<S: Server>() {
    for place in [Place::Inside, Place::Outside] {
        let kit = Kit::<S>::setup()
            .middleware(move |at, status| (at == place && status.is_some()).then_some(503))
            .start();
        let rewritten = place == Place::Inside || S::CAPABILITIES.has(Feature::MiddlewareOutside);
        let status = if rewritten { 503 } else { 200 };
        assert_eq!(kit.get("/play").status, status, "{place:?}");
        let span = kit.span();
        let expected = match place {
            Place::Inside => 503,
            Place::Outside => 200,
        };
        assert_eq!(outcome(&span), (Outcome::Completed, Some(expected)));
        assert_eq!(span.is_error(), expected == 503);
    }
}

/// A middleware within the tracing that responds by itself has a span, one outside has none.
pub fn middleware_inside_can_answer<S: Server>() {
    for place in [Place::Inside, Place::Outside] {
        let kit = Kit::<S>::setup()
            .middleware(move |at, status| (at == place && status.is_none()).then_some(401))
            .start();
        let intercepts = S::CAPABILITIES.has(Feature::MiddlewareThatAnswers)
            && (place == Place::Inside || S::CAPABILITIES.has(Feature::MiddlewareOutside));
        let status = if intercepts { 401 } else { 200 };
        assert_eq!(kit.get("/play").status, status, "{place:?}");
        if intercepts && place == Place::Outside {
            continue;
        }
        assert_eq!(outcome(&kit.span()), (Outcome::Completed, Some(status)));
    }
}
