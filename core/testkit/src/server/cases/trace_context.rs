//! What comes in and what goes on.

use opentracing_http::{HttpTracing, InMemoryTracer, NoopTracer};

use crate::app::CHUNKS;
use crate::server::cases::{PARENT, TRACE, TRACEPARENT, UNSAMPLED, injected, parent, trace};
use crate::server::kit::assert_sound;
use crate::server::{Kit, Server};

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

/// What a handler starts below a skipped request is not recorded either, whatever its caller decided.
pub fn records_nothing_below_what_it_skips<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.skip("GET /child").skip("GET /stream"));
    assert_eq!(
        kit.get_with("/child", &[("traceparent", TRACEPARENT)])
            .status,
        200
    );
    let streamed = kit.get_with("/stream", &[("traceparent", TRACEPARENT)]);
    assert_eq!(streamed.text(), CHUNKS.concat());
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
