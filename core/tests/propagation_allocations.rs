//! A request without tracestate and baggage costs propagation no allocation.

use allocation_counter::measure;
use http::{HeaderMap, HeaderValue};
use opentracing_http::propagation::{B3, Extraction, Jaeger, Outgoing, Propagation, W3c};
use opentracing_http::{Baggage, SpanContext, SpanId, TraceFlags, TraceId};

const CONTEXTS: &[&[(&str, &str)]] = &[
    &[],
    &[(
        "traceparent",
        "00-12345678901234567890123456789012-1234567890123456-01",
    )],
    &[
        (
            "traceparent",
            "00-12345678901234567890123456789012-1234567890123456-01",
        ),
        ("tracestate", ""),
        ("baggage", ""),
    ],
    &[("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1")],
    &[
        ("x-b3-traceid", "80f198ee56343ba864fe8b2a57d3eff7"),
        ("x-b3-spanid", "e457b5a2e4d86bd1"),
        ("x-b3-sampled", "0"),
    ],
    &[(
        "uber-trace-id",
        "80f198ee56343ba864fe8b2a57d3eff7:e457b5a2e4d86bd1:0:1",
    )],
    &[("uber-trace-id", "abc%3a12%3a0%3a1")],
    // Refusing is free, too.
    &[
        ("traceparent", "00-bad"),
        ("b3", "bad"),
        ("x-b3-sampled", "bad"),
        ("uber-trace-id", "bad"),
    ],
    &[
        ("traceparent", "00-bad"),
        ("tracestate", "a=1"),
        ("baggage", "bad, also bad"),
        ("jaeger-baggage", "bad"),
    ],
];

#[test]
fn extraction_without_tracestate_and_baggage_allocates_nothing() {
    let propagation = Propagation::default();
    for headers in CONTEXTS {
        let mut map = HeaderMap::new();
        map.insert("accept", HeaderValue::from_static("*/*"));
        map.insert("x-request-id", HeaderValue::from_static("1"));
        for (name, value) in *headers {
            map.insert(*name, HeaderValue::from_static(value));
        }
        let mut found = Extraction::default();
        let counted = measure(|| found = propagation.extract(&map));
        assert_eq!(counted.count_total, 0, "{headers:?}");
        let counted = measure(|| drop(found.context()));
        assert_eq!(counted.count_total, 0, "{headers:?}");
        let counted = measure(|| drop(propagation.extract(headers)));
        assert_eq!(counted.count_total, 0, "{headers:?}");
    }
}

#[test]
fn injection_without_tracestate_and_baggage_allocates_nothing() {
    let propagation = Propagation::none()
        .write(W3c)
        .write(Jaeger)
        .write(B3::single())
        .write(B3::multi());
    let ids = (TraceId::new(1).unwrap(), SpanId::new(1).unwrap());
    let context = SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED);
    let mut written = 0;
    let mut carrier = |name: &str, value: &str| written += name.len() + value.len();
    let counted = measure(|| propagation.inject(&Outgoing::new(&context), &mut carrier));
    assert_eq!(counted.count_total, 0);
    let counted =
        measure(|| propagation.inject(&Outgoing::baggage_only(&Baggage::new()), &mut carrier));
    assert_eq!(counted.count_total, 0);
    assert!(written > 200);

    // A header map needs its own copy of each value, but none of the names, which are prepared.
    let mut map = HeaderMap::with_capacity(16);
    propagation.inject(&Outgoing::new(&context), &mut map);
    let counted = measure(|| propagation.inject(&Outgoing::new(&context), &mut map));
    assert_eq!((map.len(), counted.count_total), (6, 6));
}

#[test]
fn tracestate_is_copied_once() {
    let mut map = HeaderMap::new();
    let traceparent = "00-12345678901234567890123456789012-1234567890123456-01";
    map.insert("traceparent", HeaderValue::from_static(traceparent));
    map.insert(
        "tracestate",
        HeaderValue::from_static("rojo=00f067aa0ba902b7, congo=t61rcWkgMzE"),
    );
    let propagation = Propagation::default();
    // The text, and the place behind the context's pointer.
    assert_eq!(measure(|| drop(propagation.extract(&map))).count_total, 2);

    // The longest list that the grammar allows, too; and blanks beyond it take no place.
    let member = |n| format!("{n:02}{}={}", "k".repeat(254), "v".repeat(256));
    let longest: Vec<_> = (0..32).map(member).collect();
    let longest = longest.join(",");
    let blanks = " ".repeat(1_000_000);
    for list in [longest.clone(), blanks.clone() + &longest + &blanks] {
        map.insert("tracestate", HeaderValue::from_str(&list).unwrap());
        let counted = measure(|| drop(propagation.extract(&map)));
        assert_eq!(counted.count_total, 2);
        assert!(counted.bytes_max < 20_000, "{} bytes", counted.bytes_max);
    }
}
