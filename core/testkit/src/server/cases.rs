//! The cases of the server contract, each a plain function. [`for_each_server_case`](crate::for_each_server_case) lists
//! them.

use std::thread;

use opentracing_http::{
    FinishedSpan, HttpTracing, InMemoryTracer, NoopTracer, Outcome, Route, Value,
};

use crate::app::{App, CHILD, CHUNK, CHUNKS, ERROR, Gate};
use crate::client::{Connection, Response};
use crate::server::kit::assert_sound;
use crate::server::{Capabilities, HangUp, Kit, Panic, Server};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn parent(span: &FinishedSpan) -> Option<String> {
    span.parent_id().map(|id| id.to_string())
}

fn trace(span: &FinishedSpan) -> String {
    span.context().trace_id().to_string()
}

/// A header that the handler's span injected.
fn injected(response: &Response, name: &str) -> Option<String> {
    let text = response.text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.map(str::to_owned)
}

/// The `traceparent` that a span injects.
fn traceparent(span: &FinishedSpan) -> String {
    format!(
        "00-{}-{}-{:02x}",
        trace(span),
        span.context().span_id(),
        span.context().flags().w3c_bits()
    )
}

/// A request without trace headers starts a trace.
pub fn starts_a_root_span_without_headers<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/foo").text(), "bar");
    let span = kit.span();
    assert_sound(&span);
    assert_eq!(parent(&span), None);
    assert!(span.context().flags().is_sampled() && span.context().flags().is_random());
    assert!(!span.is_error());
}

/// A request with a `traceparent` continues its trace.
pub fn continues_the_incoming_trace<S: Server>() {
    let kit = Kit::<S>::new();
    let _ = kit.get_with(
        "/foo",
        &[("traceparent", TRACEPARENT), ("tracestate", "vendor=1")],
    );
    let span = kit.span();
    assert_sound(&span);
    assert_eq!(
        (trace(&span), parent(&span)),
        (TRACE.to_owned(), Some(PARENT.to_owned()))
    );
    assert_eq!(span.context().tracestate().as_str(), "vendor=1");
}

/// W3C, Jaeger and B3 headers are read, in this order.
pub fn reads_every_format<S: Server>() {
    let kit = Kit::<S>::new();
    let jaeger = format!("{TRACE}:{PARENT}:0:1");
    let b3 = format!("{TRACE}-{PARENT}-1");
    for headers in [
        &[("uber-trace-id", jaeger.as_str())][..],
        &[("b3", b3.as_str())],
        &[
            ("x-b3-traceid", TRACE),
            ("x-b3-spanid", PARENT),
            ("x-b3-sampled", "1"),
        ],
        &[
            ("b3", "ffffffffffffffff-ffffffffffffffff-1"),
            ("traceparent", TRACEPARENT),
        ],
    ] {
        let _ = kit.get_with("/foo", headers);
        let span = kit.span();
        assert_eq!(
            (trace(&span), parent(&span)),
            (TRACE.to_owned(), Some(PARENT.to_owned())),
            "{headers:?}"
        );
    }
}

/// A malformed header is no parent, and no error.
pub fn ignores_a_malformed_trace_header<S: Server>() {
    let kit = Kit::<S>::new();
    for malformed in [
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "",
    ] {
        assert_eq!(
            kit.get_with("/foo", &[("traceparent", malformed)]).status,
            200
        );
        let span = kit.span();
        assert_eq!(parent(&span), None, "{malformed}");
        assert_ne!(trace(&span), TRACE, "{malformed}");
    }
    let refused: u64 = kit.tracing().refusals().map(|(_, count)| count).sum();
    assert!(refused >= 3, "refusals are counted: {refused}");
}

/// What the caller does not sample is not recorded, and what is called from here is told so.
pub fn keeps_an_unsampled_decision<S: Server>() {
    let kit = Kit::<S>::new();
    let headers = [
        ("traceparent", UNSAMPLED),
        ("tracestate", "vendor=1"),
        ("baggage", "user=bob"),
    ];
    let response = kit.get_with("/inject", &headers);
    let sent = injected(&response, "traceparent").expect("the decision goes on");
    assert!(
        sent.starts_with(&UNSAMPLED[..36]) && sent.ends_with("-00"),
        "{sent}"
    );
    assert!(!sent.contains(PARENT), "the span id is our own: {sent}");
    assert_eq!(
        injected(&response, "tracestate").as_deref(),
        Some("vendor=1")
    );
    assert_eq!(injected(&response, "baggage").as_deref(), Some("user=bob"));
}

/// Baggage arrives in the handler, sampled or not, and what the handler sets goes on.
pub fn baggage_reaches_the_handler_and_goes_on<S: Server>() {
    let kit = Kit::<S>::new();
    for (headers, spans) in [
        (&[("baggage", "tenant=blue")][..], 1),
        (
            &[("traceparent", TRACEPARENT), ("baggage", "tenant=blue")],
            1,
        ),
        (&[("traceparent", UNSAMPLED), ("baggage", "tenant=blue")], 0),
        (
            &[
                ("traceparent", UNSAMPLED),
                ("jaeger-baggage", "tenant=blue"),
            ],
            0,
        ),
    ] {
        let response = kit.get_with("/baggage", headers);
        let sent = injected(&response, "baggage");
        assert_eq!(
            sent.as_deref(),
            Some("tenant=blue,user=ada"),
            "{headers:?}: {}",
            response.text()
        );
        for span in kit.spans(spans) {
            assert_eq!(span.baggage().get("user"), Some("ada"));
        }
    }
    let response = kit.get_with("/baggage", &[("traceparent", UNSAMPLED)]);
    assert_eq!(injected(&response, "baggage").as_deref(), Some("user=ada"));
}

/// A request that a rule leaves out is not traced, and its caller's context goes on unchanged.
pub fn passes_on_what_it_skips<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.skip("GET /untraced"));
    let response = kit.get_with(
        "/untraced",
        &[("traceparent", TRACEPARENT), ("tracestate", "vendor=1")],
    );
    assert_eq!(
        injected(&response, "traceparent").as_deref(),
        Some(TRACEPARENT)
    );
    assert_eq!(
        injected(&response, "tracestate").as_deref(),
        Some("vendor=1")
    );
    let response = kit.get("/untraced");
    assert_eq!(
        (response.status, injected(&response, "traceparent")),
        (200, None)
    );
}

/// The no-op tracer passes everything on.
pub fn reports_nothing_with_a_noop_tracer<S: Server>() {
    let kit = Kit::<S>::start(InMemoryTracer::new(), HttpTracing::new(NoopTracer));
    let response = kit.get_with("/inject", &[("traceparent", TRACEPARENT)]);
    assert_eq!(
        injected(&response, "traceparent").as_deref(),
        Some(TRACEPARENT)
    );
    assert_eq!(kit.get("/stream").text(), CHUNKS.concat());
}

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

/// The tags that every request has.
pub fn tags_server_kind_component_and_request<S: Server>() {
    let kit = Kit::<S>::new();
    let _ = kit.get("/foo?page=2");
    let span = kit.span();
    for (key, value) in [
        ("span.kind", Value::from("server")),
        ("component", Value::from(S::CAPABILITIES.component)),
        ("http.method", Value::from("GET")),
        ("http.url", Value::from("http://test.example/foo")),
        ("http.status_code", Value::from(200)),
    ] {
        assert_eq!(span.tag(key), Some(value), "{key}");
    }
    assert_eq!((span.tag("error"), span.tag("http.outcome")), (None, None));
    assert!(span.tag("http.time_to_head_us").is_some());
}

/// A request's span is named after its method and its route's template.
pub fn route_names_the_span<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/items/7").text(), "7");
    let span = kit.span();
    assert_eq!(span.name(), Capabilities::name(S::CAPABILITIES.item));
    assert_eq!(
        span.tag("http.route"),
        S::CAPABILITIES.item.map(Value::from)
    );
}

/// A nested route's template is the whole one.
pub fn nested_route_is_joined_with_single_slashes<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/nested/items/7").text(), "7");
    assert_eq!(
        kit.span().name(),
        Capabilities::name(S::CAPABILITIES.nested_item)
    );
}

/// Where no route matches, the name is the method, never the path.
pub fn not_found_has_a_bounded_name<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/no/such/path").status, 404);
    let span = kit.span();
    assert_eq!(span.name(), "GET");
    assert_eq!(span.tag("http.route"), None);
    assert_eq!(span.tag("http.status_code"), Some(Value::from(404)));
    assert!(!span.is_error());
}

/// The address of the connection's other end is tagged where the framework tells it.
pub fn reports_the_peer_address<S: Server>() {
    let kit = Kit::<S>::new();
    let mut connection = kit.connect();
    connection.request("GET", "/foo", &[("x-forwarded-for", "6.6.6.6")]);
    let _ = connection.response("GET").expect("the server answers");
    let span = kit.span();
    let peer = S::CAPABILITIES.peer.then(|| connection.local_addr());
    assert_eq!(
        span.tag("peer.ipv4"),
        peer.map(|_| Value::from("127.0.0.1"))
    );
    assert_eq!(
        span.tag("peer.port"),
        peer.map(|peer| Value::from(peer.port()))
    );
}

/// A bad request is tagged with its status, and is no error of the server's.
pub fn status_tag_matches_a_bad_request<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/badrequest").status, 400);
    let span = kit.span();
    assert_eq!(span.tag("http.status_code"), Some(Value::from(400)));
    assert_eq!((span.is_error(), span.tag("error")), (false, None));
}

/// A handler's error is tagged with the status that the client got, and logged.
pub fn error_decides_its_own_status<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/error").status, 503);
    let span = kit.span();
    assert_sound(&span);
    assert_eq!(span.tag("http.status_code"), Some(Value::from(503)));
    assert_eq!(span.tag("error"), Some(Value::from(true)));
    assert_eq!(
        span.http().map(|http| http.outcome()),
        Some(Outcome::Completed)
    );
    let logs = span.logs();
    assert_eq!(logs.len(), 1, "{logs:?}");
    let field = |key: &str| {
        let field = logs[0].fields.iter().find(|field| field.key == key)?;
        Some(field.value.to_string())
    };
    assert_eq!(field("event").as_deref(), Some("error"));
    assert_eq!(field("error.kind").as_deref(), Some("503"));
    if S::CAPABILITIES.error_message {
        assert_eq!(field("message").as_deref(), Some(ERROR));
    }
}

/// A panic ends the span, and is told from a cancellation.
pub fn panic_finishes_the_span_with_an_error<S: Server>() {
    let kit = Kit::<S>::new();
    let mut connection = kit.connect();
    connection.request("GET", "/panic", &[]);
    let response = connection.response("GET");
    let span = kit.span();
    assert_sound(&span);
    let http = span.http().expect("a request's span");
    assert_eq!(http.outcome(), Outcome::Panicked);
    assert_eq!(span.tag("http.outcome"), Some(Value::from("panicked")));
    assert!(span.is_error());
    let status = match S::CAPABILITIES.panic {
        Panic::ClosesTheConnection => None,
        Panic::Answers500 => Some(500),
    };
    assert_eq!(response.map(|response| response.status), status);
    assert_eq!(http.status(), status);
}

/// A client that hangs up ends the span as cancelled, or lets the handler run to its end.
pub fn hang_up_finishes_the_span<S: Server>() {
    let kit = Kit::<S>::new();
    let mut connection = kit.connect();
    connection.request("GET", "/hang", &[]);
    kit.gate().wait_for_arrivals(1);
    connection.hang_up();
    if S::CAPABILITIES.hang_up == HangUp::RunsOn {
        kit.gate().open();
    }
    let span = kit.span();
    let outcome = span.http().map(|http| http.outcome());
    match S::CAPABILITIES.hang_up {
        HangUp::Cancels => {
            assert_eq!(outcome, Some(Outcome::Cancelled));
            assert!(span.is_error());
            assert_eq!(span.tag("http.status_code"), None);
        }
        // Whether the server finds the connection gone before it has written the response is a race of its own.
        HangUp::RunsOn => assert!(
            matches!(
                outcome,
                Some(Outcome::Completed | Outcome::BodyAbandoned | Outcome::Cancelled)
            ),
            "{outcome:?}"
        ),
    }
}

/// The span ends with the last byte of a streamed body, and is current while the body is made.
pub fn streamed_body_finishes_once<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/stream").text(), CHUNKS.concat());
    let spans = kit.spans(1 + CHUNKS.len());
    let (request, chunks) = spans
        .split_last()
        .expect("the request's span is the last to end");
    assert_sound(request);
    assert_eq!(
        request.http().map(|http| http.outcome()),
        Some(Outcome::Completed)
    );
    assert_eq!(
        request.http().map(|http| http.body_bytes()),
        Some(CHUNKS.concat().len() as u64)
    );
    for chunk in chunks {
        assert_eq!(
            (chunk.name(), chunk.parent_id()),
            (CHUNK, Some(request.context().span_id()))
        );
    }
}

/// The span of an event stream ends with its head, and is current while the events are made all the same.
pub fn event_stream_ends_at_its_head<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/events").text(), CHUNKS.concat());
    let spans = kit.spans(1 + CHUNKS.len());
    let (request, chunks) = spans
        .split_first()
        .expect("the request's span is the first to end");
    assert_sound(request);
    for chunk in chunks {
        assert_eq!(
            (chunk.name(), chunk.parent_id()),
            (CHUNK, Some(request.context().span_id()))
        );
    }
}

/// A client that leaves in the middle of the body is told from one that got all of it.
pub fn abandoned_body_is_told_apart<S: Server>() {
    let kit = Kit::<S>::new();
    let mut connection = kit.connect();
    connection.request("GET", "/endless", &[]);
    assert_eq!(connection.head().map(|head| head.status), Some(200));
    assert_eq!(
        connection.chunk().flatten().as_deref(),
        Some(CHUNKS[0].as_bytes())
    );
    kit.gate().wait_for_arrivals(1);
    connection.hang_up();
    if S::CAPABILITIES.hang_up == HangUp::RunsOn {
        // Such a framework finds out when it has more to send.
        kit.gate().open();
    }
    let span = kit.span();
    assert_sound(&span);
    let http = span.http().expect("a request's span");
    assert_eq!(
        (http.outcome(), http.status()),
        (Outcome::BodyAbandoned, Some(200))
    );
    assert!(span.is_error());
    match S::CAPABILITIES.hang_up {
        HangUp::Cancels => assert_eq!(http.body_bytes(), CHUNKS[0].len() as u64),
        HangUp::RunsOn => assert!(http.body_bytes() >= CHUNKS[0].len() as u64),
    }
}

/// Responses without a body are complete with their heads.
pub fn head_and_empty_responses_complete<S: Server>() {
    let kit = Kit::<S>::new();
    for (method, path) in [("HEAD", "/foo"), ("HEAD", "/stream"), ("GET", "/empty")] {
        let mut connection = kit.connect();
        connection.request(method, path, &[]);
        let response = connection.response(method).expect("the server answers");
        let span = kit.span();
        assert_eq!(
            span.http().map(|http| http.outcome()),
            Some(Outcome::Completed),
            "{method} {path}"
        );
        assert_eq!(
            span.http().and_then(|http| http.status()),
            Some(response.status)
        );
        assert_eq!(span.tag("http.method"), Some(Value::from(method)));
    }
}

/// A callback that panics loses its own effect, nothing else.
pub fn a_failing_callback_does_not_fail_the_request<S: Server>() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::builder(tracer.clone())
        .on_start(|_, _| panic!("a callback fails"))
        .on_start(|span, request| {
            span.set_tag("started", request.path().to_owned());
        })
        .on_finish(|_| panic!("a callback fails"))
        .on_finish(|end| {
            let route = match end.route {
                Route::Template(template) => template.to_owned(),
                _ => String::new(),
            };
            end.span.set_tag(
                "finished",
                format!("{} {route} {:?}", end.method, end.status),
            );
        })
        .build()
        .expect("the policy is right");
    // A kit of its own kind: it expects no caught panic, and here are two.
    let server = S::start(App {
        tracing: Some(tracing.clone()),
        gate: Gate::default(),
    });
    let mut connection = Connection::open(server.addr());
    connection.request("GET", "/items/7", &[]);
    assert_eq!(
        connection.response("GET").map(|response| response.status),
        Some(200)
    );
    let span = tracer
        .wait_for(1, std::time::Duration::from_secs(30))
        .remove(0);
    assert_eq!(span.tag("started"), Some(Value::from("/items/7")));
    let finished = format!("GET {} Some(200)", S::CAPABILITIES.item.unwrap_or_default());
    assert_eq!(span.tag("finished"), Some(Value::from(finished)));
    assert_eq!(tracing.caught_panics(), 2);
    drop(server);
    tracer.assert_nothing_unfinished();
}

/// A traced response is, byte for byte, the untraced one.
pub fn response_is_the_same_untraced<S: Server>() {
    let traced = Kit::<S>::new();
    let untraced = S::start(App {
        tracing: None,
        gate: Gate::default(),
    });
    let requests = [
        ("GET", "/foo"),
        ("HEAD", "/foo"),
        ("POST", "/foo"),
        ("GET", "/items/7"),
        ("GET", "/nested/items/7"),
        ("GET", "/badrequest"),
        ("GET", "/error"),
        ("GET", "/empty"),
        ("GET", "/stream"),
        ("HEAD", "/stream"),
        ("GET", "/events"),
        ("GET", "/chosen"),
        ("GET", "/no/such/path"),
    ];
    for (method, path) in requests {
        let answer = |mut connection: Connection| {
            connection.request(method, path, &[("traceparent", UNSAMPLED)]);
            let unsampled = connection.response(method);
            connection.request(method, path, &[("traceparent", TRACEPARENT)]);
            [unsampled, connection.response(method)].map(|response| {
                let mut response = response.expect("the server answers");
                response.headers.retain(|(name, _)| name != "date");
                response
            })
        };
        let expected = answer(Connection::open(untraced.addr()));
        assert_eq!(answer(traced.connect()), expected, "{method} {path}");
        let streams = method == "GET" && matches!(path, "/stream" | "/events");
        let spans = traced.spans(if streams { 1 + CHUNKS.len() } else { 1 });
        assert!(
            spans.iter().any(|span| span.http().is_some()),
            "{method} {path}"
        );
    }
}
