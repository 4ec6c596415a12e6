//! A request without tracestate and baggage costs propagation no allocation.

#![allow(clippy::unwrap_used)]

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
    // Headers that are refused cost no allocation either.
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
    // The text, and the structure that the context points to.
    assert_eq!(measure(|| drop(propagation.extract(&map))).count_total, 2);

    // The same for the longest list that the grammar allows; more blanks need no more room.
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

/// As many members of three bytes, with their commas, as fit into 8 KB.
fn many_members() -> String {
    (0..2_048)
        .map(|n| {
            char::from(
                b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'"[n % 68],
            )
        })
        .map(|key| format!("{key}=1"))
        .collect::<Vec<_>>()
        .join(",")
}

fn with_baggage(traceparent: &str, baggage: &str) -> HeaderMap {
    let mut map = HeaderMap::new();
    map.insert("traceparent", HeaderValue::from_str(traceparent).unwrap());
    map.insert("baggage", HeaderValue::from_str(baggage).unwrap());
    map
}

const SAMPLED: &str = "00-12345678901234567890123456789012-1234567890123456-01";

#[test]
fn baggage_costs_the_same_few_allocations_however_many_members_it_has() {
    let propagation = Propagation::default();
    let escaped: Vec<_> = (0..64).map(|n| format!("k{n}=%41%ff;p = 1;q")).collect();
    for (baggage, members, most) in [
        // The text, and the lengths of its parts.
        ("a=1".to_owned(), 1, 2),
        // Memory that was reserved for refused members is freed.
        (many_members(), 64, 3),
        // Decoding needs one buffer, whatever the number of values.
        (escaped.join(","), 64, 3),
    ] {
        let map = with_baggage(SAMPLED, &baggage);
        let mut found = Extraction::default();
        let counted = measure(|| found = propagation.extract(&map));
        assert_eq!(found.baggage().len(), members);
        assert!(
            counted.count_total <= most,
            "{}: {}",
            members,
            counted.count_total
        );
        assert!(counted.bytes_max < 20_000, "{} bytes", counted.bytes_max);
    }
}

#[test]
fn jaegers_baggage_costs_the_same_few_allocations_however_many_items_it_has() {
    let propagation = Propagation::default();
    let mut map = HeaderMap::new();
    for n in 0..100 {
        let name: http::HeaderName = format!("uberctx-key{n}").parse().unwrap();
        map.insert(name, HeaderValue::from_static("a+b%20c"));
    }
    let list: Vec<_> = (0..100).map(|n| format!("own{n}=a+b%20c")).collect();
    map.insert(
        "jaeger-baggage",
        HeaderValue::from_str(&list.join(",")).unwrap(),
    );
    let mut found = Extraction::default();
    let counted = measure(|| found = propagation.extract(&map));
    assert_eq!(found.baggage().len(), 64);
    // Texts and lengths grow a few times, and there is one buffer to decode in.
    assert!(counted.count_total <= 16, "{}", counted.count_total);
}

#[test]
fn refused_baggage_and_tracestate_reserve_nothing() {
    let propagation = Propagation::default();
    for (name, value) in [
        ("tracestate", "=".repeat(16_000)),
        ("tracestate", format!("a=1,{},=", " ".repeat(16_000))),
        ("baggage", "bad,".repeat(2_000)),
        ("baggage", " ".repeat(8_000)),
        ("baggage", format!("k={}\"", "%zz".repeat(2_000))),
        ("jaeger-baggage", "bad,".repeat(2_000)),
    ] {
        let mut map = HeaderMap::new();
        map.insert("traceparent", HeaderValue::from_static(SAMPLED));
        map.insert(name, HeaderValue::from_str(&value).unwrap());
        let counted = measure(|| drop(propagation.extract(&map)));
        assert_eq!(counted.count_total, 0, "{name}: {}", value.len());
    }
}
