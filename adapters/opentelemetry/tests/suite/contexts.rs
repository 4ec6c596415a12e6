//! Contexts and baggage, both ways.

use opentelemetry::baggage::{Baggage as TheirBaggage, BaggageMetadata};
use opentelemetry::trace as theirs;
use opentracing_http::{Baggage, SpanContext, TraceFlags, TraceState};
use opentracing_opentelemetry::{
    from_opentelemetry, from_opentelemetry_baggage, to_opentelemetry, to_opentelemetry_baggage,
};

fn ours(flags: TraceFlags) -> SpanContext {
    let trace_id = "fbf92f3577b34da6a3ce929d0e0e4736".parse().unwrap();
    SpanContext::new(trace_id, "f0f067aa0ba902b7".parse().unwrap(), flags)
}

fn with_tracestate(list: &str) -> SpanContext {
    let list = TraceState::parse([list.as_bytes()]).unwrap();
    ours(TraceFlags::SAMPLED).with_tracestate(list)
}

#[test]
fn ids_flags_and_tracestate_survive_both_ways() {
    for flags in [
        TraceFlags::NOT_SAMPLED,
        TraceFlags::SAMPLED,
        TraceFlags::SAMPLED.with_random(true),
        TraceFlags::NOT_SAMPLED.with_random(true),
    ] {
        let context = to_opentelemetry(&ours(flags));
        assert_eq!(context.trace_flags().to_u8(), flags.w3c_bits());
        let trace_id = context.trace_id().to_string();
        assert_eq!(trace_id, "fbf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.span_id().to_string(), "f0f067aa0ba902b7");
        assert!(!context.is_remote());
        assert_eq!(from_opentelemetry(&context), Some(ours(flags)));
    }
    let context = with_tracestate("congo=t61,rojo=00f0,a@vendor= x");
    assert_eq!(
        from_opentelemetry(&to_opentelemetry(&context)),
        Some(context)
    );
}

#[test]
fn debug_and_deferred_are_not_kept() {
    let flags = |flags| {
        from_opentelemetry(&to_opentelemetry(&ours(flags)))
            .unwrap()
            .flags()
    };
    assert_eq!(flags(TraceFlags::DEBUG), TraceFlags::SAMPLED);
    assert_eq!(flags(TraceFlags::DEFERRED), TraceFlags::NOT_SAMPLED);
}

#[test]
fn members_of_a_tracestate_that_theirs_refuses_are_left_out_alone() {
    // Level 2 allows `@` anywhere in a key, their check not.
    let context = with_tracestate("one=1,a@b@c=2,three=3");
    assert_eq!(
        to_opentelemetry(&context).trace_state().header(),
        "one=1,three=3"
    );
}

#[test]
fn tracestate_that_breaks_the_grammar_is_left_out() {
    // Their check of values lets through what cannot be a header.
    let list = theirs::TraceState::from_key_value([("key", "snöwman")]).unwrap();
    let ids = to_opentelemetry(&ours(TraceFlags::SAMPLED));
    let context =
        theirs::SpanContext::new(ids.trace_id(), ids.span_id(), ids.trace_flags(), true, list);
    assert_eq!(
        from_opentelemetry(&context),
        Some(ours(TraceFlags::SAMPLED))
    );
}

#[test]
fn context_that_is_not_valid_is_none() {
    assert_eq!(from_opentelemetry(&theirs::SpanContext::NONE), None);
    for (trace_id, span_id) in [(0_u128, 1_u64), (1, 0)] {
        let context = theirs::SpanContext::new(
            trace_id.into(),
            span_id.into(),
            theirs::TraceFlags::SAMPLED,
            false,
            theirs::TraceState::NONE,
        );
        assert_eq!(from_opentelemetry(&context), None);
    }
}

#[test]
fn baggage_survives_both_ways() {
    let mut baggage = Baggage::new();
    baggage.set("a", "snöwman, = and more");
    baggage.set_with_properties("b", "", "ttl=5;secret");
    assert_eq!(
        from_opentelemetry_baggage(&to_opentelemetry_baggage(&baggage)),
        baggage
    );
}

#[test]
fn what_no_header_can_carry_of_their_baggage_is_left_out() {
    let mut baggage = TheirBaggage::new();
    baggage.insert("kept", "x");
    baggage.insert_with_metadata("broken", "y", BaggageMetadata::from("not, a list"));
    baggage.insert_with_metadata("led", "z", BaggageMetadata::from(";a=b"));
    let converted = from_opentelemetry_baggage(&baggage);
    let items: Vec<_> = converted.iter_with_properties().collect();
    assert_eq!(
        items,
        [("broken", "y", ""), ("kept", "x", ""), ("led", "z", "a=b")]
    );
}
