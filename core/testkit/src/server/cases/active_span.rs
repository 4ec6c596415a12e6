//! The span in the handler.

use std::thread;

use opentracing_http::Value;

use crate::app::{App, CHILD, Gate};
use crate::client::Connection;
use crate::server::cases::{PARENT, TRACEPARENT, injected, parent, trace, traceparent};
use crate::server::kit::assert_sound;
use crate::server::{Kit, Server};

/// The request's span is the current one in the handler.
pub fn handler_sees_the_active_span<S: Server>() {
    let kit = Kit::<S>::new();
    let response = kit.get("/inject");
    let span = kit.span();
    assert_eq!(injected(&response, "traceparent"), Some(traceparent(&span)));
    assert_eq!(response.header("traceparent"), None);
}

/// The request's span is the current one after the handler has waited.
pub fn active_span_survives_an_await<S: Server>() {
    let kit = Kit::<S>::new();
    let response = kit.get("/async");
    assert_eq!(
        injected(&response, "traceparent"),
        Some(traceparent(&kit.span()))
    );
}

/// Without tracing a handler that looks for its span finds an empty one.
pub fn handler_gets_an_empty_span_when_untraced<S: Server>() {
    let server = S::start(App {
        tracing: None,
        gate: Gate::default(),
    });
    let mut connection = Connection::open(server.addr());
    for (path, body) in [("/inject", "none\n"), ("/baggage", "none\n")] {
        connection.request("GET", path, &[("traceparent", TRACEPARENT)]);
        let response = connection.response("GET").expect("the server answers");
        assert_eq!((response.status, response.text().as_str()), (200, body));
    }
}

/// A child that the handler starts has the request's span as its parent, and lies within it.
pub fn child_of_the_active_span_is_a_child<S: Server>() {
    let kit = Kit::<S>::new();
    let _ = kit.get("/child");
    let spans = kit.spans(2);
    let (child, request) = (&spans[0], &spans[1]);
    assert_eq!(child.name(), CHILD);
    assert_eq!(child.parent_id(), Some(request.context().span_id()));
    assert_eq!(trace(child), trace(request));
    assert!(request.start() <= child.start() && child.end() <= request.end());
}

/// Requests that are served at the same time do not see each other's spans.
pub fn concurrent_requests_keep_their_own_spans<S: Server>() {
    const CLIENTS: usize = 20;
    const EACH: usize = 25;

    let kit = Kit::<S>::new();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let kit = &kit;
            let mut connection = kit.connect();
            scope.spawn(move || {
                for request in 0..EACH {
                    let trace = (client * EACH + request + 1) as u128;
                    let header = format!("00-{trace:032x}-{PARENT}-01");
                    connection.request("GET", "/async", &[("traceparent", &header)]);
                    let response = connection.response("GET").expect("the server answers");
                    let sent = injected(&response, "traceparent").expect("a span is current");
                    assert_eq!(sent[..36], header[..36]);
                }
            });
        }
    });
    let mut traces: Vec<_> = kit.spans(CLIENTS * EACH).iter().map(trace).collect();
    traces.sort_unstable();
    traces.dedup();
    assert_eq!(traces.len(), CLIENTS * EACH);
}

/// Traced everywhere and on its route, a request has one span, with the attributes of both.
pub fn stacked_twice_makes_one_span<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.attribute_names(["method", "user_agent"]));
    let headers = [
        ("x-request-id", "r-1"),
        ("user-agent", "kit"),
        ("traceparent", TRACEPARENT),
    ];
    assert_eq!(kit.get_with("/chosen?secret=1", &headers).status, 200);
    let span = kit.span();
    assert_sound(&span);
    assert_eq!(parent(&span).as_deref(), Some(PARENT));
    for (key, value) in [
        ("method", "GET"),
        ("user_agent", "kit"),
        ("url", "http://test.example/chosen?secret=REDACTED"),
        ("http.request.header.x-request-id", "r-1"),
    ] {
        assert_eq!(span.tag(key), Some(Value::from(value)), "{key}");
    }
}
