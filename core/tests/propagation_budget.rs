//! The headers that one injection writes, and those that it leaves out.

#![allow(clippy::unwrap_used)]

use http::HeaderMap;
use opentracing_http::propagation::Carrier;
use opentracing_http::propagation::{
    B3, Extraction, Field, IncomingHeaders, Jaeger, Outgoing, Propagation, Propagator, W3c,
    W3cBaggage, W3cTraceContext,
};
use opentracing_http::{
    Baggage, HttpTracing, InMemoryTracer, SpanContext, SpanId, TraceFlags, TraceId, TraceState,
};

fn context() -> SpanContext {
    let ids = (TraceId::new(u128::MAX).unwrap(), SpanId::new(1).unwrap());
    SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED)
}

/// Items whose keys and values have this many bytes each.
fn baggage(items: usize, key: usize, value: usize) -> Baggage {
    let mut baggage = Baggage::new();
    for n in 0..items {
        assert!(baggage.set(&format!("{n:0key$}"), &"v".repeat(value)));
    }
    baggage
}

fn tracestate(members: usize, bytes: usize) -> TraceState {
    let value = (bytes - 3).min(256);
    let key = "k".repeat(bytes - 3 - value);
    let member = |n| format!("{n:02}{key}={}", "v".repeat(value));
    let list: Vec<_> = (0..members).map(member).collect();
    TraceState::parse([list.join(",").as_bytes()]).unwrap()
}

fn written(propagation: &Propagation, context: &SpanContext) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    propagation.inject(&Outgoing::new(context), &mut |name: &str, value: &str| {
        headers.push((name.to_owned(), value.to_owned()));
    });
    headers
}

fn names(headers: &[(String, String)]) -> Vec<&str> {
    headers.iter().map(|(name, _)| name.as_str()).collect()
}

/// As HTTP/1 has them.
fn bytes(headers: &[(String, String)]) -> usize {
    let bytes = |(name, value): &(String, String)| name.len() + value.len() + 4;
    headers.iter().map(bytes).sum()
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut headers = headers.iter();
    headers.find_map(|(found, value)| (found == name).then_some(value.as_str()))
}

fn omissions(propagation: &Propagation) -> Vec<(&'static str, u64)> {
    propagation.omissions().collect()
}

#[test]
fn headers_within_the_budget_are_complete_and_not_counted() {
    let propagation = Propagation::default();
    let context = context()
        .with_baggage(baggage(8, 8, 100))
        .with_tracestate(tracestate(8, 100));
    let headers = written(&propagation, &context);
    assert_eq!(headers.len(), 4 + 8);
    assert_eq!(propagation.extract(&headers).context(), Some(context));
    assert_eq!(omissions(&propagation), [("w3c", 0), ("jaeger", 0)]);
}

#[test]
fn eight_kilobytes_of_baggage_go_out_once() {
    let propagation = Propagation::default();
    // 64 members of 127 bytes and 63 commas, as the specification allows.
    let legal = baggage(64, 2, 124);
    let headers = written(&propagation, &context().with_baggage(legal.clone()));
    assert_eq!(value(&headers, "baggage").map(str::len), Some(64 * 128 - 1));
    assert!(bytes(&headers) <= Propagation::MAX_BYTES);
    assert_eq!(
        names(&headers)[..3],
        ["traceparent", "baggage", "uber-trace-id"]
    );
    // Jaeger's items use the bytes that are left, whole items only. The others are counted.
    let items = headers.len() - 3;
    assert!(items > 5, "{items}");
    let left_out = 64 - items as u64;
    assert_eq!(omissions(&propagation), [("w3c", 0), ("jaeger", left_out)]);
    let found = propagation.extract(&headers);
    assert_eq!(found.baggage(), &legal);

    // Clones count together.
    written(&propagation.clone(), &context().with_baggage(legal));
    assert_eq!(omissions(&propagation)[1], ("jaeger", 2 * left_out));
}

#[test]
fn many_small_items_do_not_become_many_headers() {
    let propagation = Propagation::default();
    let headers = written(&propagation, &context().with_baggage(baggage(64, 3, 1)));
    assert_eq!(headers.len(), Propagation::MAX_HEADERS);
    assert_eq!(value(&headers, "baggage").map(str::len), Some(64 * 6 - 1));
    assert_eq!(omissions(&propagation), [("w3c", 0), ("jaeger", 64 - 29)]);
}

#[test]
fn the_order_is_one_for_all_formats_whatever_order_they_are_named_in() {
    let context = context()
        .with_baggage(baggage(2, 1, 30))
        .with_tracestate(tracestate(1, 40));
    let all = || {
        Propagation::none()
            .write(B3::multi())
            .write(Jaeger)
            .write(B3::single())
            .write(W3c)
    };
    let complete = [
        "traceparent",
        "baggage",
        "tracestate",
        "uber-trace-id",
        "x-b3-traceid",
        "x-b3-spanid",
        "x-b3-sampled",
        "b3",
        "uberctx-0",
        "uberctx-1",
    ];
    let headers = written(&all(), &context);
    assert_eq!(names(&headers), complete);
    // With each byte less the last headers are left out first, and a format's ids all at once.
    let total = bytes(&headers);
    let mut seen = vec![complete.len()];
    for budget in (0..total).rev() {
        let propagation = all().max_bytes(budget);
        let headers = written(&propagation, &context);
        assert!(bytes(&headers) <= budget);
        assert!(omissions(&propagation).iter().any(|(_, count)| *count > 0));
        let ids = names(&headers);
        assert!(!ids.contains(&"tracestate") || ids.contains(&"baggage"));
        let multi = ids.iter().filter(|name| name.starts_with("x-b3-")).count();
        assert!(matches!(multi, 0 | 3), "{ids:?}");
        if ids == complete[..ids.len()] && seen.last() != Some(&ids.len()) {
            seen.push(ids.len());
        }
    }
    assert_eq!(seen, [10, 9, 8, 7, 4, 3, 2, 1, 0]);
    for headers in 0..complete.len() {
        let found = written(&all().max_headers(headers), &context);
        assert!(found.len() <= headers);
        assert_eq!(value(&found, "traceparent").is_some(), headers > 0);
    }
}

#[test]
fn a_long_tracestate_leaves_room_for_the_ids_and_keeps_512_bytes() {
    let propagation = Propagation::default().write(B3::multi());
    // As much as the grammar allows.
    let context = context()
        .with_baggage(baggage(64, 2, 124))
        .with_tracestate(tracestate(32, 512));
    let headers = written(&propagation, &context);
    let ids = [
        "traceparent",
        "tracestate",
        "uber-trace-id",
        "x-b3-traceid",
        "x-b3-sampled",
    ];
    for name in ids {
        assert!(value(&headers, name).is_some(), "{name}");
    }
    let kept = value(&headers, "tracestate").unwrap();
    assert!(
        context
            .tracestate()
            .as_str()
            .starts_with(&format!("{kept},"))
    );
    assert_eq!(kept.len(), 3 * 513 - 1);
    assert_eq!(omissions(&propagation)[0], ("w3c", 29));

    // Where there is less the 512 bytes come before other formats' ids.
    let small = Propagation::default().max_bytes(70 + 14 + 600);
    let short = self::context().with_tracestate(tracestate(10, 60));
    let headers = written(&small, &short);
    assert_eq!(names(&headers), ["traceparent", "tracestate"]);
    assert_eq!(
        value(&headers, "tracestate").map(str::len),
        Some(9 * 61 - 1)
    );
    assert_eq!(omissions(&small), [("w3c", 1), ("jaeger", 1)]);
}

#[test]
fn large_members_of_a_tracestate_are_left_out_first_then_the_last_ones() {
    let list = format!("a={0},b={1},c={0},d={1}", "v".repeat(98), "v".repeat(198));
    let list = TraceState::parse([list.as_bytes()]).unwrap();
    let sent = |bytes: usize| {
        let propagation = Propagation::none().write(W3c).max_bytes(70 + 14 + bytes);
        let headers = written(&propagation, &context().with_tracestate(list.clone()));
        let value = value(&headers, "tracestate").unwrap_or_default();
        let keys: String = value
            .split(',')
            .filter_map(|member| member.chars().next())
            .collect();
        (keys, propagation.omissions().map(|(_, count)| count).sum())
    };
    for (bytes, keys, omitted) in [
        (603, "abcd", 0),
        (602, "abc", 1),
        (401, "ac", 2),
        (200, "a", 3),
        (99, "", 4),
        (0, "", 4),
    ] {
        assert_eq!(sent(bytes), (keys.to_owned(), omitted), "{bytes}");
    }
}

/// A format of two headers, which belong together, and with a header for each item.
#[derive(Debug)]
struct Pair;

impl Propagator for Pair {
    fn name(&self) -> &'static str {
        "pair"
    }

    fn fields(&self) -> &[Field] {
        const FIELDS: &[Field] = &[
            Field::named("x-pair-trace"),
            Field::named("x-pair-span"),
            Field::prefixed("x-pair-item-"),
        ];
        FIELDS
    }

    fn extract(&self, _: &IncomingHeaders<'_>, _: &mut Extraction) {}

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
        if let Some(context) = outgoing.context() {
            carrier.set("x-pair-trace", &context.trace_id().to_string());
            carrier.set("x-pair-span", &context.span_id().to_string());
        }
    }

    fn inject_items(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
        for (key, value) in outgoing.baggage().iter() {
            carrier.set(&format!("x-pair-item-{key}"), value);
        }
    }
}

#[test]
fn a_custom_format_shares_the_budget() {
    let propagation = || Propagation::none().write(Pair).write(Jaeger);
    let context = context().with_baggage(baggage(2, 1, 10));
    let headers = written(&propagation(), &context);
    assert_eq!(
        names(&headers),
        [
            "uber-trace-id",
            "x-pair-trace",
            "x-pair-span",
            "uberctx-0",
            "uberctx-1",
            "x-pair-item-0",
            "x-pair-item-1"
        ]
    );
    // Half of the ids would be worse than none. Other headers that are small enough are still written.
    for less in 1..30 {
        let ids = bytes(&headers[..3]);
        let small = propagation().max_bytes(ids - less);
        let found = written(&small, &context);
        assert!(
            !names(&found)
                .iter()
                .any(|name| name.ends_with("trace") || name.ends_with("span"))
        );
        assert_eq!(omissions(&small)[1].0, "pair");
        assert!(omissions(&small)[1].1 > 0);
    }

    // Without a policy there is no limit.
    let (alone, mut pairs) = (Outgoing::new(&context), Vec::new());
    assert_eq!(alone.room_for("anything"), usize::MAX);
    alone.omit();
    Pair.inject(&alone, &mut pairs);
    Pair.inject_items(&alone, &mut pairs);
    assert_eq!(pairs.len(), 4);
}

#[test]
fn a_budget_without_room_for_the_ids_is_an_error() {
    let build = |propagation| {
        let tracing = HttpTracing::builder(InMemoryTracer::new()).propagation(propagation);
        tracing.build().map(drop).map_err(|error| error.to_string())
    };
    for propagation in [
        Propagation::default().max_bytes(0),
        Propagation::default().max_headers(0),
        Propagation::default().max_bytes(139),
        Propagation::default().max_headers(1),
        Propagation::default().write(Pair).max_headers(3),
        Propagation::default().write(B3::multi()).max_headers(4),
    ] {
        let error = build(propagation).unwrap_err();
        assert!(
            error.contains("propagation") && error.contains("max_bytes"),
            "{error}"
        );
    }
    for propagation in [
        Propagation::default(),
        Propagation::default().max_bytes(140).max_headers(2),
        Propagation::default().write(Pair).max_headers(4),
        Propagation::none().max_bytes(0),
        Propagation::none().read(W3c).max_headers(0),
    ] {
        assert_eq!(build(propagation), Ok(()));
    }
}

#[test]
fn a_policy_counts_what_it_left_out() {
    let tracing = HttpTracing::new(InMemoryTracer::new());
    let span = tracing.span("call").start();
    for n in 0..40 {
        span.set_baggage_item(&format!("k{n}"), "v");
    }
    let mut headers = HeaderMap::new();
    span.inject(&mut headers);
    tracing.inject(&span.context().unwrap(), &mut headers);
    assert_eq!(headers.len(), 32);
    let counted: Vec<_> = tracing.omissions().collect();
    assert_eq!(counted, [("w3c", 0), ("jaeger", 2 * (40 - 29))]);
}

#[test]
fn the_halves_of_w3c_are_written_before_other_formats() {
    let mut context = context().with_baggage(baggage(1, 4, 4));
    context = context.with_tracestate(tracestate(1, 10));
    let propagation = Propagation::none()
        .write(Jaeger)
        .write(W3cBaggage)
        .write(W3cTraceContext);
    assert_eq!(
        names(&written(&propagation, &context)),
        [
            "traceparent",
            "tracestate",
            "baggage",
            "uber-trace-id",
            "uberctx-0000"
        ]
    );
    // As with W3C as a whole, the rest is left out first.
    let tight = propagation.max_headers(3);
    assert_eq!(
        names(&written(&tight, &context)),
        ["traceparent", "tracestate", "baggage"]
    );
}
