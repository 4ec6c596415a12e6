//! What Flask-OpenTracing promises in its README, a case for each promise, and one for each way in which it does not keep
//! it.

use std::sync::{Arc, Mutex};

use opentracing_http::{FinishedSpan, InMemoryTracer, NoopTracer, Span, Tag, Tracer};

use crate::app::{Gate, Reply, injected as inject};
use crate::client::Connection;
use crate::server::cases::outcomes::logged;
use crate::server::cases::{
    PARENT, TRACE, TRACEPARENT, assert_current, assert_tags, in_chunks, injected, outcome, parent,
    span_of_unmatched, text, trace, traceparent,
};
use crate::server::{Kit, Server};

/// `FlaskTracer(tracer, True, app)`: every request is traced, whatever its route.
pub fn flask_traces_all_requests<S: Server>() {
    let kit = Kit::<S>::new();
    for path in ["/play", "/items/7", "/nested/items/7", "/no/such/path"] {
        let status = kit.get(path).status;
        let span = match path {
            "/no/such/path" => span_of_unmatched(&kit),
            _ => Some(kit.span()),
        };
        let Some(span) = span else {
            continue;
        };
        assert_eq!(outcome(&span).1, Some(status), "{path}");
        assert_tags(
            &span,
            &[
                ("component", S::CAPABILITIES.component),
                ("span.kind", "server"),
                ("http.method", "GET"),
            ],
        );
        assert_eq!(
            text(&span, "http.url"),
            Some(format!("http://test.example{path}"))
        );
    }
}

/// `@tracer.trace()`: the decorated route is traced, the others are not.
pub fn flask_traces_individual_requests<S: Server>() {
    let kit = Kit::<S>::setup().only_places().start();
    assert_eq!(kit.get("/play").text(), "none\n");
    assert_eq!(kit.get("/items/7").text(), "7");
    let response = kit.get("/chosen");
    assert_current(&response, &kit.span());
}

/// Views answer with text, a status, headers, a stream: whatever it is, the span has the status and is left behind. (There
/// a decorated view that returned a string was answered with 500, and its span stayed active for the next request.)
pub fn flask_traces_views_of_every_return_type<S: Server>() {
    let kit = Kit::<S>::setup()
        .only_places()
        .play(|query| {
            let query = query.to_owned();
            async move {
                match query.as_str() {
                    "status" => Reply::status(202),
                    "tuple" => Reply::text("made")
                        .with_status(201)
                        .header("location", "/items/8"),
                    "stream" => in_chunks("").await,
                    _ => Reply::text("text"),
                }
            }
        })
        .start();
    for (query, status, spans) in [
        ("text", 200, 1),
        ("status", 202, 1),
        ("tuple", 201, 1),
        ("stream", 200, 4),
    ] {
        assert_eq!(kit.get(&format!("/chosen?{query}")).status, status);
        let spans = kit.spans(spans);
        let request = spans.iter().find(|span| span.http().is_some());
        let request = request.expect("the request's span");
        assert_eq!(outcome(request).1, Some(status), "{query}");
        assert!(!request.is_error());
        assert_eq!(kit.get("/extracted").text(), "none\n", "after {query}");
    }
}

/// `optional_args`: any number of attributes of the request, by their names as text, become tags of all requests. (Those
/// of the response could not be had there.)
pub fn flask_attributes_become_tags<S: Server>() {
    let kit = Kit::<S>::setup()
        .policy(|policy| {
            policy.attribute_names(["url", "method", "user_agent", "response.header:x-cache"])
        })
        .play(|_| async { Reply::text("").header("x-cache", "hit") })
        .start();
    assert_eq!(kit.get_with("/play", &[("user-agent", "kit")]).status, 200);
    assert_tags(
        &kit.span(),
        &[
            ("url", "http://test.example/play"),
            ("method", "GET"),
            ("user_agent", "kit"),
            ("http.response.header.x-cache", "hit"),
        ],
    );
}

/// `@tracer.trace("url", …)` chooses the attributes of one route, also where all requests are traced. (There the list was
/// ignored without a word.)
pub fn flask_attributes_of_a_route_count_when_all_are_traced<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/chosen").status, 200);
    assert_tags(&kit.span(), &[("url", "http://test.example/chosen")]);
    assert_eq!(kit.get("/play").status, 200);
    assert_eq!(kit.span().tag("url"), None);
}

/// `get_span(request)` and `get_span()` give the request's span, in the handler.
pub fn flask_get_span_with_and_without_the_request<S: Server>() {
    let kit = Kit::<S>::new();
    for path in ["/extracted", "/play"] {
        let response = kit.get(path);
        assert_current(&response, &kit.span());
    }
}

/// `get_span()` gives a span "if it exists and is not finished": an ended one takes nothing more.
pub fn flask_get_span_gives_nothing_after_the_end<S: Server>() {
    let kept = Arc::new(Mutex::new(Span::none()));
    let kit = {
        let kept = kept.clone();
        Kit::<S>::playing(move |_| {
            *kept.lock().expect("no panic") = Span::current();
            async { Reply::text("") }
        })
    };
    assert_eq!(kit.get("/play").status, 200);
    let span = kit.span();
    let handle = kept.lock().expect("no panic").clone();
    assert!(!handle.is_recording());
    handle.set_tag("late", true);
    assert_eq!(span.tag("late"), None);
    assert!(Span::current().is_none());
}

/// The span in the handler logs events, takes tags, and has children.
pub fn flask_span_takes_tags_logs_and_children<S: Server>() {
    let kit = Kit::<S>::playing(|_| async {
        let span = Span::current();
        span.set_tag("user.id", 7);
        span.log([Tag::new("event", "priced")]);
        span.child("pricing").finish();
        Reply::text("")
    });
    assert_eq!(kit.get("/play").status, 200);
    let spans = kit.spans(2);
    assert_eq!(spans[0].name(), "pricing");
    assert_eq!(spans[0].parent_id(), Some(spans[1].context().span_id()));
    assert_tags(&spans[1], &[("user.id", 7)]);
    assert_eq!(logged(&spans[1], "event").as_deref(), Some("priced"));
}

/// An RPC with the current span injected continues the trace across the wire.
pub fn flask_rpc_continues_the_trace<S: Server>() {
    let callee = Kit::<S>::new();
    let address = callee.addr();
    let caller = Kit::<S>::playing(move |_| {
        let mut headers = Vec::new();
        Span::current().inject(&mut |name: &str, value: &str| {
            headers.push((name.to_owned(), value.to_owned()));
        });
        // A blocking call has no place in a handler: it gets a thread.
        let (answer, gate) = (Arc::new(Mutex::new(String::new())), Gate::default());
        std::thread::spawn({
            let (answer, gate) = (answer.clone(), gate.clone());
            move || {
                let headers: Vec<_> = headers
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect();
                let mut connection = Connection::open(address);
                connection.request("GET", "/play", &headers);
                let response = connection.response("GET").expect("the callee answers");
                *answer.lock().expect("no panic") = response.text();
                gate.open();
            }
        });
        async move {
            gate.wait().await;
            let answer = answer.lock().expect("no panic").clone();
            Reply::text(answer)
        }
    });
    let response = caller.get_with("/play", &[("traceparent", TRACEPARENT)]);
    assert_eq!(response.status, 200);
    let (called, calling) = (callee.span(), caller.span());
    assert_eq!(trace(&calling), TRACE);
    assert_eq!(trace(&called), TRACE);
    assert_eq!(parent(&calling).as_deref(), Some(PARENT));
    assert_eq!(called.parent_id(), Some(calling.context().span_id()));
    assert_eq!(
        injected(&response, "traceparent"),
        Some(traceparent(&called))
    );
    // Spans of two services of one machine lie within each other.
    assert!(calling.start() <= called.start());
}

/// `start_span_cb` is called with the span and the request, and a failure in it is nobody's.
pub fn flask_start_span_callback_is_called<S: Server>() {
    let kit = Kit::<S>::setup()
        .policy(|policy| {
            policy
                .on_start(|span, request| {
                    span.set_tag("callback", request.path().to_owned());
                })
                .on_start(|_, _| panic!("a callback fails"))
        })
        .caught_panics(1)
        .start();
    assert_eq!(kit.get("/play").status, 200);
    assert_tags(&kit.span(), &[("callback", "/play")]);
}

/// A view that raises has an error tag and a log, also where all requests are traced, and a 5xx is an error. (There both
/// were lost: the span was closed before the exception was seen.)
pub fn flask_exception_is_tagged_and_logged<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/error").status, 503);
    let span = kit.span();
    assert_tags(&span, &[("error", true)]);
    assert_eq!(logged(&span, "event").as_deref(), Some("error"));
}

/// A request that matches no route has a name. (There it was `None`.)
pub fn flask_unmatched_route_has_a_name<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/no/such/path").status, 404);
    if let Some(span) = span_of_unmatched(&kit) {
        assert_eq!(span.name(), "GET");
    }
}

/// A caller's context that is corrupted starts a new trace.
pub fn flask_corrupted_context_is_ignored<S: Server>() {
    let kit = Kit::<S>::new();
    let headers = [("traceparent", "corrupted"), ("uber-trace-id", "corrupted")];
    assert_eq!(kit.get_with("/play", &headers).status, 200);
    assert_eq!(parent(&kit.span()), None);
}

/// A tracer that fails in whatever it does fails no request. (There all but two kinds of exceptions answered with 500.)
pub fn flask_failing_tracer_fails_no_request<S: Server>() {
    struct Failing;
    impl Tracer for Failing {
        fn started(&self, _: &Span) {
            panic!("a tracer fails");
        }

        fn report(&self, _: FinishedSpan) {
            panic!("a tracer fails");
        }
    }
    let kit = Kit::<S>::setup()
        .tracer(Failing)
        .policy(|policy| policy.on_finish(|_| {}))
        .play(|_| async { Reply::text(inject()) })
        .caught_panics(2)
        .start();
    let response = kit.get("/play");
    assert_eq!(response.status, 200);
    assert!(injected(&response, "traceparent").is_some());
    kit.wait_for_caught_panics();
}

/// The tracer is swapped with one line; nothing else of the service changes.
pub fn flask_tracer_is_swapped_with_one_line<S: Server>() {
    let other = InMemoryTracer::new();
    let with = Kit::<S>::setup().tracer(other.clone()).start();
    let without = Kit::<S>::setup().tracer(NoopTracer).start();
    let headers = [("traceparent", TRACEPARENT)];
    assert_eq!(with.get_with("/items/7", &headers).text(), "7");
    assert_eq!(without.get_with("/items/7", &headers).text(), "7");
    let spans = other.wait_for(1, std::time::Duration::from_secs(30));
    assert_eq!(parent(&spans[0]).as_deref(), Some(PARENT));
}
