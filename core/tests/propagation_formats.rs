//! Formats together, lists of formats, and carriers. The grammar of each single format is tested by the tables of the contract.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use opentracing_http::propagation::{
    B3, Extraction, Field, IncomingHeaders, Jaeger, Outgoing, Propagation, Propagator, W3c,
};
use opentracing_http::propagation::{Carrier, HeaderView, KnownHeader};
use opentracing_http::server::Instrumentation;
use opentracing_http::{
    Baggage, HttpTracing, HttpTracingBuilder, InMemoryTracer, SpanContext, SpanId, TraceFlags,
    TraceId, TraceState, Trust,
};

const TRACEPARENT: (&str, &str) = (
    "traceparent",
    "00-12345678901234567890123456789012-1234567890123456-01",
);
const UBER_TRACE_ID: (&str, &str) = ("uber-trace-id", "abc:12:0:0");
const B3_SINGLE: (&str, &str) = ("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-d");

fn refusals(propagation: &Propagation) -> Vec<(&'static str, u64)> {
    propagation.refusals().collect()
}

fn trace_id(found: &Extraction) -> Option<u128> {
    Some(found.context()?.trace_id().get())
}

fn items(found: &Extraction) -> Vec<(&str, &str)> {
    found.baggage().iter().collect()
}

#[test]
fn the_first_format_with_ids_wins() {
    let propagation = Propagation::default();
    let all = [B3_SINGLE, UBER_TRACE_ID, TRACEPARENT];
    let w3c = 0x1234_5678_9012_3456_7890_1234_5678_9012;
    assert_eq!(trace_id(&propagation.extract(&all)), Some(w3c));
    assert_eq!(trace_id(&propagation.extract(&&all[..2])), Some(0xabc));
    let b3 = 0x80f1_98ee_5634_3ba8_64fe_8b2a_57d3_eff7;
    assert_eq!(trace_id(&propagation.extract(&&all[..1])), Some(b3));
    assert_eq!(
        refusals(&propagation),
        [("w3c", 0), ("jaeger", 0), ("b3", 0)]
    );

    let reversed = Propagation::none().read(B3::multi()).read(Jaeger).read(W3c);
    assert_eq!(trace_id(&reversed.extract(&all)), Some(b3));
}

#[test]
fn ids_that_are_not_needed_any_more_are_not_read() {
    let bad = |name| (name, "bad");
    let propagation = Propagation::default();
    let found = propagation.extract(&[TRACEPARENT, bad("uber-trace-id"), bad("b3")]);
    assert!(found.has_context());
    assert_eq!(
        refusals(&propagation),
        [("w3c", 0), ("jaeger", 0), ("b3", 0)]
    );

    let reversed = Propagation::none().read(B3::single()).read(W3c);
    let found = reversed.extract(&[B3_SINGLE, bad("traceparent")]);
    assert!(found.has_context());
    assert_eq!(refusals(&reversed), [("b3", 0), ("w3c", 0)]);
}

#[test]
fn a_format_that_refuses_leaves_the_next_one_to_be_read() {
    let propagation = Propagation::default();
    let found = propagation.extract(&[("traceparent", "bad"), UBER_TRACE_ID]);
    assert_eq!(trace_id(&found), Some(0xabc));
    assert_eq!(
        refusals(&propagation),
        [("w3c", 1), ("jaeger", 0), ("b3", 0)]
    );
}

#[test]
fn an_item_in_another_case_is_not_read_twice() {
    let propagation = Propagation::none().read(W3c).read(Jaeger);
    let found = propagation.extract(&[
        ("baggage", "userId=alice"),
        ("uberctx-userid", "alice"),
        ("uberctx-x", "1"),
    ]);
    assert_eq!(items(&found), [("userId", "alice"), ("x", "1")]);
}

#[test]
fn both_forms_of_b3_can_be_written() {
    let ids = (TraceId::new(1 << 64).unwrap(), SpanId::new(1).unwrap());
    let mut carrier = HeaderMap::new();
    let propagation = Propagation::none().write(B3::single()).write(B3::multi());
    for (flags, names) in [
        (
            TraceFlags::SAMPLED,
            &["b3", "x-b3-sampled", "x-b3-spanid", "x-b3-traceid"][..],
        ),
        (
            TraceFlags::DEBUG,
            &["b3", "x-b3-flags", "x-b3-spanid", "x-b3-traceid"],
        ),
        (TraceFlags::DEFERRED, &["b3", "x-b3-spanid", "x-b3-traceid"]),
    ] {
        let context = SpanContext::new(ids.0, ids.1, flags);
        propagation.inject(&Outgoing::new(&context), &mut carrier);
        let mut found: Vec<_> = carrier.keys().map(|name| name.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, names);
    }
    propagation.inject(&Outgoing::baggage_only(&Baggage::new()), &mut carrier);
    assert!(carrier.is_empty());
}

#[test]
fn tracestate_changes_come_first() {
    let mut list = TraceState::parse([&b"a=1,b=2"[..]]).unwrap();
    assert!(list.insert("b", "3") && list.insert("c", "4"));
    assert_eq!(list.as_str(), "c=4,b=3,a=1");
    assert!(
        !list.insert("C", "4")
            && !list.insert("c", "4,d=5")
            && !list.insert("c", "")
            && !list.insert("", "4")
    );
    assert_eq!(
        (list.as_str(), list.get("b"), list.get("d")),
        ("c=4,b=3,a=1", Some("3"), None)
    );
    for n in 0..40 {
        assert!(list.insert(&format!("k{n}"), "v"));
    }
    let members: Vec<_> = list.as_str().split(',').collect();
    assert_eq!(
        (members.len(), members[0]),
        (TraceState::MAX_MEMBERS, "k39=v")
    );
    assert!(TraceState::parse([&b"a=1"[..], b"b"]).is_none());
}

#[test]
fn carriers_can_have_a_header_beside_another() {
    let mut map = HeaderMap::new();
    map.set("a", "1");
    Carrier::append(&mut map, "a", "2");
    assert_eq!(map.get_all("a").iter().collect::<Vec<_>>(), ["1", "2"]);
    let mut pairs = Vec::new();
    pairs.set("a", "1");
    Carrier::append(&mut pairs, "a", "2");
    assert_eq!(pairs.len(), 2);

    // The position of a name is known only after it is set.
    let (mut sorted, mut hashed) = (BTreeMap::new(), HashMap::<String, String>::new());
    let mut told = Vec::new();
    for value in ["1", "2"] {
        Carrier::append(&mut sorted, "a", value);
        Carrier::append(&mut hashed, "a", value);
        Carrier::append(
            &mut |_: &str, value: &str| told.push(value.to_owned()),
            "a",
            value,
        );
    }
    assert_eq!((sorted["a"].as_str(), hashed["a"].as_str()), ("2", "2"));
    assert_eq!(told, ["1", "2"]);
}

#[test]
fn every_view_returns_the_same_headers() {
    let pairs = [
        ("Accept", "*/*"),
        ("b3", "0"),
        ("Baggage", "a=1"),
        ("baggage", "b=2"),
        ("uberctx-a", "1"),
        ("uberctx", "no"),
        ("x-b3-flag", "no"),
    ];
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_static(value),
        );
    }
    let slice = &pairs[..];
    let listed = pairs.to_vec();
    let views: [&dyn HeaderView; 5] = [&map, &pairs, &slice, &listed, &&map];
    for view in views {
        let values = |name: &str| {
            let mut values = Vec::new();
            view.header_values(name, &mut |value| values.push(value));
            assert_eq!(view.header(name), values.first().copied());
            values
        };
        assert_eq!(values("BAGGAGE"), [b"a=1", b"b=2"]);
        assert_eq!(values("accept"), [b"*/*"]);
        assert!(values("absent").is_empty());

        let mut known = Vec::new();
        let incoming = IncomingHeaders::read(view);
        for header in KnownHeader::NAMED {
            incoming.values(*header, &mut |value| known.push((*header, value)));
        }
        known.sort_by_key(|(header, _)| std::cmp::Reverse(header.name()));
        let expected: [(KnownHeader, &[u8]); 3] = [
            (KnownHeader::Baggage, b"a=1"),
            (KnownHeader::Baggage, b"b=2"),
            (KnownHeader::B3, b"0"),
        ];
        assert_eq!(known, expected);
        assert_eq!(incoming.single(KnownHeader::B3), Ok(Some(&b"0"[..])));
        let twice = incoming.single(KnownHeader::Baggage).unwrap_err();
        assert_eq!(twice.to_string(), "the header is present more than once");
        assert_eq!(incoming.single(KnownHeader::Traceparent), Ok(None));
        assert_eq!(incoming.first(KnownHeader::Baggage), Some(&b"a=1"[..]));
        assert!(incoming.contains(KnownHeader::UberCtx) && incoming.contains(KnownHeader::B3));
        assert!(!incoming.contains(KnownHeader::Traceparent));
        assert_eq!(incoming.single_named("Accept"), Ok(Some(&b"*/*"[..])));
        assert!(incoming.single_named("baggage").is_err());
        assert_eq!(incoming.single_named("absent"), Ok(None));
    }
}

/// A format that reads everything, wanted or not, from a header of its own, and has further headers.
#[derive(Debug)]
struct Greedy;

impl Propagator for Greedy {
    fn name(&self) -> &'static str {
        "greedy"
    }

    fn fields(&self) -> &[Field] {
        const FIELDS: &[Field] = &[
            Field::named("x-greedy"),
            Field::prefixed("x-greedy-item-"),
            Field::Known(KnownHeader::UberCtx),
        ];
        FIELDS
    }

    fn extract(&self, headers: &IncomingHeaders<'_>, found: &mut Extraction) {
        if let Ok(Some(id)) = headers.single_named("x-greedy") {
            let id = u128::from_str_radix(str::from_utf8(id).unwrap(), 16).unwrap();
            let ids = (TraceId::new(id).unwrap(), SpanId::new(1).unwrap());
            let mut baggage = Baggage::new();
            baggage.set("inside", "1");
            let list = TraceState::parse([&b"inside=1"[..]]).unwrap();
            let context = SpanContext::new(ids.0, ids.1, TraceFlags::DEBUG);
            found.set_context(context.with_baggage(baggage).with_tracestate(list));
            found.set_debug_id("find me");
            assert!(found.add_baggage("beside", "1", ""));
        }
    }

    fn inject(&self, _: &Outgoing<'_>, _: &mut dyn Carrier) {}
}

fn traced(
    policy: impl FnOnce(HttpTracingBuilder) -> HttpTracingBuilder,
) -> (Instrumentation, InMemoryTracer) {
    let tracer = InMemoryTracer::new();
    let propagation = Propagation::default().read(Greedy);
    let builder = HttpTracing::builder(tracer.clone()).propagation(propagation);
    let tracing = policy(builder).build().unwrap();
    (Instrumentation::new(&tracing, "test"), tracer)
}

fn served(instrumentation: &Instrumentation, headers: &[(&str, &str)]) {
    let mut request = http::Request::get("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(()).unwrap();
    instrumentation.begin(&request).fail(None, &"no matter");
}

#[test]
fn extra_data_of_an_untrusted_caller_is_discarded() {
    for trust in [Trust::nobody(), Trust::when(|_| false)] {
        let (instrumentation, tracer) =
            traced(|policy| policy.trust(trust.clone()).trust_debug(trust));
        served(&instrumentation, &[("x-greedy", "abc")]);
        let span = tracer.take().remove(0);
        let reference = span.references().next().unwrap();
        assert_eq!(reference.context.trace_id().get(), 0xabc);
        assert!(
            reference.context.baggage().is_empty() && reference.context.tracestate().is_empty()
        );
        assert!(span.baggage().is_empty() && span.tag("jaeger-debug-id").is_none());
        assert!(!span.context().flags().is_debug());
    }
    let (instrumentation, tracer) = traced(|policy| policy.trust_debug(Trust::everyone()));
    served(&instrumentation, &[("x-greedy", "abc")]);
    let span = tracer.take().remove(0);
    assert_eq!(span.tag("jaeger-debug-id").unwrap(), "find me");
    assert_eq!(span.baggage().get("beside"), Some("1"));
    assert_eq!(span.context().tracestate().as_str(), "inside=1");
}

#[test]
fn trust_is_asked_once_and_not_of_a_request_without_trace_headers() {
    let asked = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let counting = |n: usize, answer: bool| {
        let asked = asked.clone();
        Trust::when(move |_| {
            asked[n].fetch_add(1, Ordering::Relaxed);
            answer
        })
    };
    let debug = ("jaeger-debug-id", "find me");
    let flag = ("uber-trace-id", "abc:12:0:3");
    for (answer, headers, times) in [
        (true, &[][..], [0, 0]),
        (true, &[("accept", "*/*")], [0, 0]),
        (true, &[TRACEPARENT], [1, 0]),
        (true, &[TRACEPARENT, debug], [1, 1]),
        (true, &[flag], [1, 1]),
        (true, &[flag, debug], [1, 1]),
        (true, &[("x-greedy", "abc")], [1, 1]),
        (false, &[TRACEPARENT, debug], [1, 0]),
        (false, &[("x-greedy", "abc")], [1, 0]),
        (false, &[flag, ("x-greedy", "abc")], [1, 0]),
    ] {
        let (instrumentation, _tracer) = traced(|policy| {
            policy
                .trust(counting(0, answer))
                .trust_debug(counting(1, answer))
        });
        served(&instrumentation, headers);
        let counted = [0, 1].map(|n| asked[n].swap(0, Ordering::Relaxed));
        assert_eq!(counted, times, "{answer}: {headers:?}");
    }
}

#[test]
fn every_carrier_removes_exactly_the_fields_of_the_formats() {
    let propagation = Propagation::none()
        .read(Greedy)
        .read(B3::multi())
        .write(W3c);
    let others = [
        "x-greedy-id",
        "x-greedy-item",
        "uberctx",
        "tracestat",
        "accept",
        "jaeger-debug-id",
    ];
    let own = [
        "x-greedy",
        "x-greedy-item-a",
        "x-greedy-item-",
        "uberctx-a",
        "b3",
        "x-b3-flags",
        "tracestate",
        "baggage",
    ];
    let there: Vec<_> = (others.iter().chain(&own))
        .map(|name| ((*name).to_owned(), "copied".to_owned()))
        .collect();
    let ids = (TraceId::new(1).unwrap(), SpanId::new(1).unwrap());
    let context = SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED);
    let mut expected: Vec<_> = others.to_vec();
    expected.push("traceparent");
    expected.sort_unstable();

    let mut map = HeaderMap::new();
    for (name, value) in &there {
        map.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    let (mut sorted, mut hashed): (BTreeMap<_, _>, HashMap<_, _>) = (
        there.iter().cloned().collect(),
        there.iter().cloned().collect(),
    );
    let mut pairs = there.clone();
    let carriers: [&mut dyn Carrier; 4] = [&mut map, &mut sorted, &mut hashed, &mut pairs];
    for carrier in carriers {
        propagation.inject(&Outgoing::new(&context), carrier);
    }
    for view in [&map as &dyn HeaderView, &sorted, &hashed, &pairs] {
        let mut names = Vec::new();
        view.each_header(&mut |name, _| names.push(name.to_owned()));
        names.sort_unstable();
        assert_eq!(names, expected);
    }
}

#[test]
fn a_handle_without_a_context_changes_no_header() {
    let copied = vec![("b3".to_owned(), "0".to_owned())];
    let mut headers = copied.clone();
    opentracing_http::Span::none().inject(&mut headers);
    let tracing = HttpTracing::new(opentracing_http::NoopTracer);
    let request = http::Request::get("/").body(()).unwrap();
    let span = Instrumentation::new(&tracing, "test").begin(&request);
    span.span().inject(&mut headers);
    assert_eq!(headers, copied);
    // Only baggage is injected, and replaces the headers that were there.
    span.span().set_baggage_item("a", "1");
    span.span().inject(&mut headers);
    let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["baggage", "uberctx-a"]);
}
