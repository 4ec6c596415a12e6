//! How the request ends, and that nobody notices.

use opentracing_http::{HttpTracing, InMemoryTracer, Outcome, Route, Value};

use crate::app::{App, CHUNK, CHUNKS, ERROR, Gate};
use crate::client::Connection;
use crate::server::cases::{TRACEPARENT, UNSAMPLED};
use crate::server::kit::assert_sound;
use crate::server::{HangUp, Kit, Panic, Server};

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
