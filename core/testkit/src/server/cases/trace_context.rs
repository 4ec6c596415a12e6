//! What comes in from the caller, and what goes on to the next.

use opentracing_http::Span;
use opentracing_http::propagation::{B3, Propagation};

use crate::app::{Reply, injected as inject};
use crate::server::cases::{
    PARENT, TRACE, TRACEPARENT, UNSAMPLED, assert_current, injected, parent, trace, traceparent,
};
use crate::server::{Kit, Server};

/// A request without trace headers starts a trace, sampled and with a random id.
pub fn starts_a_root_span_without_headers<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/play").status, 200);
    let span = kit.span();
    assert_eq!(parent(&span), None);
    assert_eq!(span.references().count(), 0);
    assert!(span.context().flags().is_sampled() && span.context().flags().is_random());
}

/// Trace ids and span ids of our own are random in all their parts, and never zero.
pub fn ids_are_random_in_all_their_parts<S: Server>() {
    const REQUESTS: usize = 16;

    let kit = Kit::<S>::new();
    for _ in 0..REQUESTS {
        assert_eq!(kit.get("/play").status, 200);
    }
    let spans = kit.spans(REQUESTS);
    let parts = spans.iter().flat_map(|span| {
        let (trace, id) = (
            span.context().trace_id().get(),
            span.context().span_id().get(),
        );
        [(trace >> 64) as u64, trace as u64, id]
    });
    let parts: Vec<u64> = parts
        .flat_map(|part| [part >> 32, part & 0xffff_ffff])
        .collect();
    // Of so many numbers of 32 bits hardly two are the same, let alone three.
    let most = parts
        .iter()
        .map(|part| parts.iter().filter(|other| *other == part).count());
    assert!(most.max() <= Some(2), "{parts:x?}");
    assert!(
        parts.iter().filter(|part| **part == 0).count() < 2,
        "{parts:x?}"
    );
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
    assert_eq!(
        injected(&response, "tracestate").as_deref(),
        Some("vendor=1")
    );
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
        assert_eq!(kit.get_with("/play", headers).status, 200);
        assert_eq!(
            parent(&kit.span()).as_deref(),
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

/// Only the chosen formats are read and written.
pub fn reads_and_writes_the_formats_that_are_chosen<S: Server>() {
    let kit = Kit::<S>::with(|policy| {
        policy.propagation(Propagation::none().read(B3::single()).write(B3::multi()))
    });
    let b3 = format!("{TRACE}-{PARENT}-1");
    let response = kit.get_with(
        "/play",
        &[
            (
                "traceparent",
                "00-cccccccccccccccccccccccccccccccc-dddddddddddddddd-01",
            ),
            ("b3", &b3),
        ],
    );
    let span = kit.span();
    assert_eq!(parent(&span).as_deref(), Some(PARENT));
    assert_eq!(injected(&response, "traceparent"), None);
    let sent = ["x-b3-traceid", "x-b3-spanid", "x-b3-sampled"].map(|name| {
        let found = injected(&response, &name.to_ascii_lowercase());
        found.unwrap_or_else(|| panic!("{name} in {}", response.text()))
    });
    assert_eq!(
        sent,
        [
            TRACE.to_owned(),
            span.context().span_id().to_string(),
            "1".to_owned()
        ]
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
    assert_eq!(kit.get_with("/play", &headers).status, 200);
    assert_eq!(parent(&kit.span()), None);
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
    assert_eq!(
        injected(&response, "baggage").as_deref(),
        Some("tenant=blue,user=ada")
    );
    assert_eq!(kit.span().baggage().get("user"), Some("ada"));
}

/// A `+` is a `+`, in W3C's header and in Jaeger's, for readers that take it for a blank as well.
pub fn plus_in_baggage_goes_on_as_no_blank<S: Server>() {
    let kit = Kit::<S>::new();
    let response = kit.get_with("/play", &[("baggage", "sum=1+1%2B1")]);
    for (name, value) in [("baggage", "sum=1%2B1%2B1"), ("uberctx-sum", "1%2B1%2B1")] {
        assert_eq!(injected(&response, name).as_deref(), Some(value));
    }
    assert_eq!(kit.span().baggage().get("sum"), Some("1+1+1"));
}
