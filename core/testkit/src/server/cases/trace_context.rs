//! What comes in from the caller, and what goes on to the next.

use opentracing_http::Span;

use crate::app::{Reply, injected as inject};
use crate::server::cases::{
    PARENT, TRACE, TRACEPARENT, UNSAMPLED, assert_current, assert_injected, injected, parent,
    trace, traceparent,
};
use crate::server::{Kit, Server};

/// A request without trace headers starts a trace, sampled and with a random id.
pub fn starts_a_root_span_without_headers<S: Server>() {
    let kit = Kit::<S>::new();
    let span = kit.span_of("/play");
    assert_eq!(parent(&span), None);
    assert_eq!(span.references().count(), 0);
    assert!(span.context().flags().is_sampled() && span.context().flags().is_random());
}

/// A request with a `traceparent` continues its trace, as its child.
pub fn continues_the_incoming_trace<S: Server>() {
    let kit = Kit::<S>::new();
    let headers = [("traceparent", TRACEPARENT), ("tracestate", "vendor=1")];
    let response = kit.get_with("/play", &headers);
    let span = kit.span();
    assert_eq!(
        (trace(&span), parent(&span)),
        (TRACE.to_owned(), Some(PARENT.to_owned()))
    );
    assert_eq!(span.context().tracestate().as_str(), "vendor=1");
    assert_current(&response, &span);
    assert_injected(&response, &[("tracestate", "vendor=1")]);
}

/// The first valid one of W3C's, Jaeger's and B3's contexts is the parent.
pub fn reads_w3c_then_jaeger_then_b3<S: Server>() {
    let kit = Kit::<S>::new();
    let jaeger = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:bbbbbbbbbbbbbbbb:0:1";
    let b3 = "cccccccccccccccccccccccccccccccc-dddddddddddddddd-1";
    for (headers, expected) in [
        (
            &[
                ("b3", b3),
                ("uber-trace-id", jaeger),
                ("traceparent", TRACEPARENT),
            ][..],
            PARENT,
        ),
        (&[("b3", b3), ("uber-trace-id", jaeger)], "bbbbbbbbbbbbbbbb"),
        (&[("b3", b3)], "dddddddddddddddd"),
        (
            &[
                ("x-b3-traceid", TRACE),
                ("x-b3-spanid", "eeeeeeeeeeeeeeee"),
                ("x-b3-sampled", "1"),
            ],
            "eeeeeeeeeeeeeeee",
        ),
        // A context that is malformed leaves the turn to the next.
        (
            &[("traceparent", "00-0-0-01"), ("uber-trace-id", jaeger)],
            "bbbbbbbbbbbbbbbb",
        ),
    ] {
        assert_eq!(
            parent(&kit.span_of_with("/play", headers)).as_deref(),
            Some(expected),
            "{headers:?}"
        );
    }
}

/// W3C's and Jaeger's headers go on, and no others.
pub fn writes_w3c_and_jaeger<S: Server>() {
    let kit = Kit::<S>::new();
    let response = kit.get("/play");
    let span = kit.span();
    let (trace, id) = (trace(&span), span.context().span_id());
    let jaeger = format!("uber-trace-id: {trace}:{id}:0:1");
    let mut lines: Vec<_> = response.text().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(
        lines,
        [format!("traceparent: {}", traceparent(&span)), jaeger]
    );
}

/// A malformed header is no parent and no error, and is counted.
pub fn ignores_a_malformed_trace_header<S: Server>() {
    let kit = Kit::<S>::new();
    for malformed in [
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ] {
        let response = kit.get_with("/play", &[("traceparent", malformed)]);
        assert_eq!(response.status, 200);
        let span = kit.span();
        assert_eq!(parent(&span), None, "{malformed}");
        assert_ne!(trace(&span), TRACE, "{malformed}");
        assert!(span.context().flags().is_sampled());
    }
    let headers = [("traceparent", "corrupted"), ("uber-trace-id", "corrupted")];
    assert_eq!(parent(&kit.span_of_with("/play", &headers)), None);
    let refused: u64 = kit.tracing().refusals().map(|(_, count)| count).sum();
    assert_eq!(refused, 3 + 2);
}

/// Baggage without a trace arrives in the handler.
pub fn reads_baggage_of_a_new_trace<S: Server>() {
    reads_baggage::<S>(&[], 1);
}

/// Baggage of the caller's trace arrives in the handler.
pub fn reads_baggage_of_an_existing_trace<S: Server>() {
    reads_baggage::<S>(&[("traceparent", TRACEPARENT)], 1);
}

/// Baggage arrives in the handler of a request that is not sampled.
pub fn reads_baggage_when_not_sampled<S: Server>() {
    reads_baggage::<S>(&[("traceparent", UNSAMPLED)], 0);
}

fn reads_baggage<S: Server>(trace: &[(&str, &str)], spans: usize) {
    let kit = Kit::<S>::playing(|_| async {
        let found = ["tenant", "city", "none"].map(|key| Span::current().baggage_item(key));
        Reply::text(format!("{found:?}"))
    });
    let mut headers = vec![("baggage", "tenant=blue;ttl=1,city=K%C3%B6ln")];
    headers.extend(trace);
    let response = kit.get_with("/play", &headers);
    assert_eq!(response.text(), r#"[Some("blue"), Some("Köln"), None]"#);
    for span in kit.spans(spans) {
        assert_eq!(span.baggage().get("tenant"), Some("blue"));
    }
}

/// Baggage of W3C's and of Jaeger's headers comes together; the first of a name wins.
pub fn merges_the_baggage_of_all_formats<S: Server>() {
    let kit = Kit::<S>::new();
    let response = kit.get_with(
        "/play",
        &[
            ("traceparent", TRACEPARENT),
            ("uberctx-tenant", "red"),
            ("uberctx-cart", "c1"),
            ("jaeger-baggage", "shop=s1"),
            ("baggage", "tenant=blue"),
        ],
    );
    let sent = injected(&response, "baggage").expect("baggage goes on");
    let mut items: Vec<_> = sent.split(',').collect();
    items.sort_unstable();
    assert_eq!(items, ["cart=c1", "shop=s1", "tenant=blue"]);
    assert_eq!(kit.span().baggage().len(), 3);
}

/// Baggage that the handler sets goes on beside the caller's, and stands in the span.
pub fn baggage_set_in_the_handler_goes_on<S: Server>() {
    let kit = Kit::<S>::playing(|_| async {
        Span::current().set_baggage_item("user", "ada");
        Reply::text(inject())
    });
    let response = kit.get_with("/play", &[("baggage", "tenant=blue")]);
    assert_injected(&response, &[("baggage", "tenant=blue,user=ada")]);
    assert_eq!(kit.span().baggage().get("user"), Some("ada"));
}
