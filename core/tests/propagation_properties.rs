//! Properties of every format, for any headers that a caller sends and any context that is injected.

use std::collections::{BTreeMap, HashMap};

use http::{HeaderMap, HeaderName, HeaderValue};
use opentracing_http::propagation::HeaderView;
use opentracing_http::propagation::{B3, Jaeger, Outgoing, Propagation, W3c};
use opentracing_http::{Baggage, SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const NAMES: &[&str] = &[
    "traceparent",
    "tracestate",
    "baggage",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "uber-trace-id",
    "uberctx-a",
    "Uberctx-B",
    "uberctx-",
    "jaeger-baggage",
    "jaeger-debug-id",
    "\u{fc}berctx-",
    "accept",
];

/// Bytes of every kind, with the grammars' own characters so often that some texts are valid.
fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..80),
        vec(select(&b"0123456789abcdefF-:;,=% \t\xffd"[..]), 0..80),
        "00-[0-9a-f]{31,33}-[0-9a-f]{16}-[0-9a-f]{2}".prop_map(String::into_bytes),
        "[0-9a-f]{16}([0-9a-f]{16})?-[0-9a-f]{16}(-[01d](-[0-9a-f]{16})?)?"
            .prop_map(String::into_bytes),
        "[0-9a-f]{1,33}(:|%3[aA])[0-9a-f]{1,17}:0:[0-9a-f]{1,3}".prop_map(String::into_bytes),
        "[01d]|[0-9a-f]{16}|[0-9a-f]{32}".prop_map(String::into_bytes),
        "([a-z]{1,3}(=| = )[!-~]{0,5}(;[a-z=]{0,3})?[, ]){0,70}".prop_map(String::into_bytes),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,20}",
        "[ -~]{0,20}",
        vec(any::<char>(), 0..20).prop_map(String::from_iter)
    ]
}

fn baggage(key: &'static str) -> impl Strategy<Value = Baggage> {
    vec((key, text(), "([a-z]{1,3}(=[!#-+a-z]{0,4})?)?"), 0..10).prop_map(|items| {
        let mut baggage = Baggage::new();
        for (key, value, properties) in items {
            assert!(baggage.set_with_properties(&key, &value, &properties));
        }
        baggage
    })
}

fn tracestate() -> impl Strategy<Value = TraceState> {
    vec(
        (
            "[a-z0-9][a-z0-9_*/@-]{0,20}",
            "[ -+.-<>-~]{0,20}[!-+.-<>-~]",
        ),
        0..32,
    )
    .prop_map(|members| {
        let mut list = TraceState::default();
        for (key, value) in members {
            assert!(list.insert(&key, &value));
        }
        list
    })
}

fn ids() -> impl Strategy<Value = (TraceId, SpanId)> {
    let trace = prop_oneof![1..=u128::MAX, 1..=u128::from(u64::MAX), 1..=0xffu128];
    (trace, 1..=u64::MAX).prop_map(|(trace, span)| {
        (
            TraceId::new(trace).expect("not zero"),
            SpanId::new(span).expect("not zero"),
        )
    })
}

fn flags() -> impl Strategy<Value = TraceFlags> {
    let decided = select(vec![
        TraceFlags::NOT_SAMPLED,
        TraceFlags::SAMPLED,
        TraceFlags::DEBUG,
        TraceFlags::NOT_SAMPLED.with_debug(),
        TraceFlags::DEFERRED,
    ]);
    (decided, any::<bool>()).prop_map(|(flags, random)| flags.with_random(random))
}

/// Returns the context after injection and extraction through every kind of carrier, which must agree.
fn round_trip(propagation: &Propagation, context: &SpanContext) -> SpanContext {
    let (mut map, mut hashed, mut sorted, mut pairs) = (
        HeaderMap::new(),
        HashMap::new(),
        BTreeMap::new(),
        Vec::new(),
    );
    let mut closed = Vec::new();
    let outgoing = Outgoing::new(context);
    propagation.inject(&outgoing, &mut map);
    propagation.inject(&outgoing, &mut hashed);
    propagation.inject(&outgoing, &mut sorted);
    propagation.inject(&outgoing, &mut pairs);
    propagation.inject(&outgoing, &mut |name: &str, value: &str| {
        closed.push((name.to_owned(), value.to_owned()))
    });
    for (name, value) in &closed {
        assert!(
            HeaderName::from_bytes(name.as_bytes()).is_ok_and(|found| found.as_str() == name),
            "{name:?}"
        );
        assert!(
            value
                .bytes()
                .all(|byte| byte == b' ' || byte.is_ascii_graphic()),
            "{value:?}"
        );
    }
    assert_eq!(map.len(), closed.len());
    assert_eq!(sorted.len(), closed.len());

    let read = |view: &dyn HeaderView| {
        let found = propagation.extract(view);
        assert_eq!(
            propagation.refusals().map(|(_, count)| count).sum::<u64>(),
            0
        );
        found.context().expect("what was written can be read")
    };
    let back = read(&closed);
    assert_eq!(read(&map), back);
    assert_eq!(read(&pairs), back);
    // Maps lose the order of Jaeger's baggage, which lies in the headers' order.
    for other in [read(&hashed), read(&sorted)] {
        assert_eq!(
            (other.trace_id(), other.span_id(), other.flags()),
            (back.trace_id(), back.span_id(), back.flags())
        );
        assert_eq!(sorted_items(other.baggage()), sorted_items(back.baggage()));
        assert_eq!(other.tracestate(), back.tracestate());
    }
    back
}

fn sorted_items(baggage: &Baggage) -> Vec<(&str, &str)> {
    let mut items: Vec<_> = baggage.iter().collect();
    items.sort_unstable();
    items
}

fn without_properties(baggage: &Baggage) -> Baggage {
    let mut plain = Baggage::new();
    for (key, value) in baggage.iter() {
        plain.set(key, value);
    }
    plain
}

/// A model of baggage: a list that is searched from its start. It gives the expected result of each operation.
#[derive(Default)]
struct Model(Vec<(String, String, String)>);

impl Model {
    fn bytes(&self) -> usize {
        let bytes =
            |(key, value, more): &(String, String, String)| key.len() + value.len() + more.len();
        self.0.iter().map(bytes).sum()
    }

    fn set(&mut self, key: &str, value: &str, properties: &str) -> bool {
        let item = (key.to_owned(), value.to_owned(), properties.to_owned());
        let bytes = key.len() + value.len() + properties.len();
        match self.0.iter().position(|(found, ..)| found == key) {
            Some(at) => {
                let old = &self.0[at];
                let freed = old.0.len() + old.1.len() + old.2.len();
                let fits = bytes <= freed || self.bytes() - freed + bytes <= Baggage::MAX_BYTES;
                if fits {
                    self.0[at] = item;
                }
                fits
            }
            None => {
                let fits =
                    self.0.len() < Baggage::MAX_ITEMS && self.bytes() + bytes <= Baggage::MAX_BYTES;
                if fits {
                    self.0.push(item);
                }
                fits
            }
        }
    }
}

proptest! {
    #[test]
    fn baggage_is_a_list_of_unique_keys(
        operations in vec(("[a-dA-D]{1,2}|k[0-9]{1,2}", 0..3usize, prop_oneof![0..20usize, 0..4_000usize], "(p(=1)?)?"), 0..200),
    ) {
        let (mut baggage, mut model) = (Baggage::new(), Model::default());
        for (key, operation, length, properties) in operations {
            match operation {
                0 => {
                    let was_there = model.0.iter().any(|(found, ..)| *found == key);
                    model.0.retain(|(found, ..)| *found != key);
                    prop_assert_eq!(baggage.remove(&key), was_there);
                }
                _ => {
                    let value = "\u{e4}".repeat(length / 2);
                    let set = baggage.set_with_properties(&key, &value, &properties);
                    prop_assert_eq!(set, model.set(&key, &value, &properties));
                }
            }
            let found: Vec<_> = baggage.iter_with_properties().collect();
            let expected = model.0.iter().map(|(key, value, more)| (key.as_str(), value.as_str(), more.as_str()));
            prop_assert_eq!(found, expected.collect::<Vec<_>>());
            let value = model.0.iter().find(|(found, ..)| *found == key).map(|(_, value, _)| value.as_str());
            prop_assert_eq!(baggage.get(&key), value);
            prop_assert_eq!(baggage.len(), model.0.len());
        }
        // Equal items make equal baggage, however it was built.
        let mut again = Baggage::new();
        again.merge(&baggage);
        prop_assert_eq!(again, baggage);
    }

    #[test]
    fn baggage_is_read_as_if_one_member_were_set_after_the_other(
        members in vec(("[a-dA-D]{1,2}|k[0-9]{1,2}", "[!#$&-+./0-:<-Z^-~-]{0,8}", 0..40usize), 0..200),
    ) {
        let mut model = Model::default();
        let mut list = Vec::new();
        for (key, value, more) in members {
            let value = value + &"v".repeat(more);
            list.push(format!("{key}={value}"));
            if list.iter().map(String::len).sum::<usize>() <= Baggage::MAX_BYTES
                && !model.0.iter().any(|(found, ..)| *found == key)
            {
                model.set(&key, &value, "");
            }
        }
        let headers = [("baggage", list.join(","))];
        let found = Propagation::none().read(W3c).extract(&headers);
        let found: Vec<_> = found.baggage().iter().collect();
        let expected = model.0.iter().map(|(key, value, _)| (key.as_str(), value.as_str()));
        if list.iter().map(String::len).sum::<usize>() <= Baggage::MAX_BYTES {
            prop_assert_eq!(found, expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn nothing_that_comes_in_panics(headers in vec((select(NAMES), value()), 0..12)) {
        let propagation = Propagation::default();
        let found = propagation.extract(&headers);
        prop_assert!(found.baggage().len() <= Baggage::MAX_ITEMS);
        prop_assert!(found.debug_id().is_none_or(|id| !id.is_empty()));

        let mut map = HeaderMap::new();
        for (name, value) in &headers {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value)) {
                map.append(name, value);
            }
        }
        let found = propagation.extract(&map);

        // A context that was read can be injected, and is read as the same again.
        if let Some(context) = found.context() {
            let w3c = Propagation::none().read(W3c).write(W3c);
            let back = round_trip(&w3c, &context);
            prop_assert_eq!(back.baggage(), context.baggage());
            prop_assert_eq!(back.tracestate(), context.tracestate());
        }
    }

    #[test]
    fn w3c_brings_back_what_it_sent(
        (trace, span) in ids(),
        flags in flags(),
        tracestate in tracestate(),
        baggage in baggage("[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,10}"),
    ) {
        let context = SpanContext::new(trace, span, flags).with_tracestate(tracestate).with_baggage(baggage);
        let back = round_trip(&Propagation::none().read(W3c).write(W3c), &context);
        let known = TraceFlags::from_w3c_bits(flags.w3c_bits());
        prop_assert_eq!(back, context.with_flags(known));
    }

    #[test]
    fn b3_brings_back_what_it_sent((trace, span) in ids(), flags in flags()) {
        let context = SpanContext::new(trace, span, flags);
        let decided = match flags.is_sampled() {
            true => flags,
            // B3's debug flag implies sampled, so this one is not injected.
            false => flags.without_debug(),
        };
        let known = context.clone().with_flags(decided.with_random(false));
        for format in [B3::single(), B3::multi()] {
            let back = round_trip(&Propagation::none().read(format).write(format), &context);
            prop_assert_eq!(&back, &known);
        }
    }

    #[test]
    fn jaeger_brings_back_what_it_sent(
        (trace, span) in ids(),
        flags in flags(),
        baggage in baggage("[a-z0-9!#$%&'*+.^_`|~-]{1,10}"),
    ) {
        let context = SpanContext::new(trace, span, flags).with_baggage(baggage);
        let back = round_trip(&Propagation::none().read(Jaeger).write(Jaeger), &context);
        let known = match flags {
            _ if flags.is_deferred() => TraceFlags::NOT_SAMPLED,
            _ => flags.with_random(false),
        };
        prop_assert_eq!((back.trace_id(), back.span_id(), back.flags()), (trace, span, known));
        let plain = without_properties(context.baggage());
        prop_assert_eq!(sorted_items(back.baggage()), sorted_items(&plain));
    }

    #[test]
    fn all_formats_together_bring_back_what_they_sent(
        (trace, span) in ids(),
        flags in flags(),
        baggage in baggage("[a-zA-Z]{1,10}"),
    ) {
        let context = SpanContext::new(trace, span, flags).with_baggage(baggage);
        let propagation = Propagation::default().write(B3::single()).write(B3::multi());
        let back = round_trip(&propagation, &context);
        prop_assert_eq!(back, context.with_flags(TraceFlags::from_w3c_bits(flags.w3c_bits())));
    }
}
