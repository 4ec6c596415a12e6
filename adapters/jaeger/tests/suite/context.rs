//! Contexts of `rustracing_jaeger`, and its spans together with those of this library.

use std::collections::HashMap;

use opentracing_http::{Baggage, HttpTracing, InMemoryTracer, SpanContext, TraceFlags};
use opentracing_jaeger::{from_rustracing, to_rustracing};
use rustracing::sampler::AllSampler;
use rustracing::span::BaggageItem;
use rustracing_jaeger::Tracer;
use rustracing_jaeger::span::{SpanContext as Theirs, SpanContextState, SpanContextStateBuilder};

fn ours(flags: TraceFlags) -> SpanContext {
    let trace_id = "fbf92f3577b34da6a3ce929d0e0e4736".parse().unwrap();
    SpanContext::new(trace_id, "f0f067aa0ba902b7".parse().unwrap(), flags)
}

fn theirs(text: &str) -> Theirs {
    let state: SpanContextState = text.parse().unwrap();
    Theirs::new(state, Vec::new())
}

#[test]
fn ids_and_flags_survive_both_ways() {
    for (flags, bits) in [
        (TraceFlags::NOT_SAMPLED, 0),
        (TraceFlags::SAMPLED, 1),
        (TraceFlags::DEBUG, 3),
    ] {
        let context = to_rustracing(&ours(flags));
        assert_eq!(context.state().flags(), bits);
        assert_eq!(context.state().trace_id().high, 0xfbf9_2f35_77b3_4da6);
        assert_eq!(context.state().trace_id().low, 0xa3ce_929d_0e0e_4736);
        assert_eq!(context.state().span_id(), 0xf0f0_67aa_0ba9_02b7);
        assert_eq!(from_rustracing(&context), Some(ours(flags)));
    }
    // A short id, and one whose lower half begins with zeros.
    for id in [
        "00000000000000000000000000000001",
        "00000000000000010000000000000000",
    ] {
        let context = SpanContext::new(
            id.parse().unwrap(),
            "0000000000000001".parse().unwrap(),
            TraceFlags::SAMPLED,
        );
        assert_eq!(from_rustracing(&to_rustracing(&context)), Some(context));
    }
}

#[test]
fn baggage_survives_both_ways() {
    let mut baggage = Baggage::new();
    baggage.set("tenant", "blue");
    baggage.set("user", "ä");
    let context = ours(TraceFlags::SAMPLED).with_baggage(baggage);
    assert_eq!(from_rustracing(&to_rustracing(&context)), Some(context));

    let state: SpanContextState = "1:1:0:1".parse().unwrap();
    let context = Theirs::new(
        state,
        vec![
            BaggageItem::new("no token", "x"),
            BaggageItem::new("token", "y"),
        ],
    );
    let baggage = from_rustracing(&context).unwrap().baggage().clone();
    assert_eq!(baggage.iter().collect::<Vec<_>>(), [("token", "y")]);
}

#[test]
fn debug_is_kept_and_only_a_debug_id_makes_it_sampled() {
    for (text, flags) in [
        ("1:1:0:2", TraceFlags::NOT_SAMPLED.with_debug()),
        ("1:1:0:3", TraceFlags::DEBUG),
    ] {
        let ours = from_rustracing(&theirs(text)).unwrap();
        assert_eq!(ours.flags(), flags);
        assert_eq!(to_rustracing(&ours).state().to_string(), text);
    }
    let state = SpanContextStateBuilder::new()
        .debug_id("find me".to_owned())
        .finish();
    assert_eq!(
        from_rustracing(&Theirs::new(state, vec![]))
            .unwrap()
            .flags(),
        TraceFlags::DEBUG
    );
}

#[test]
fn zero_ids_are_no_context() {
    for text in ["0:0:0:1", "0:1:0:1", "1:0:0:1"] {
        assert_eq!(from_rustracing(&theirs(text)), None, "{text}");
    }
    let headers = HashMap::from([("jaeger-debug-id".to_owned(), "find me".to_owned())]);
    let lone_debug_id = Theirs::extract_from_text_map(&headers).unwrap().unwrap();
    assert_eq!(from_rustracing(&lone_debug_id), None);
}

#[test]
fn one_trace_runs_through_their_spans_and_ours() {
    let (library, receiver) = Tracer::new(AllSampler);
    let service = InMemoryTracer::new();
    let tracing = HttpTracing::new(service.clone());

    let request = tracing.span("request").start();
    let query = library
        .span("query")
        .child_of(&to_rustracing(&request.context().unwrap()))
        .start();
    let below = from_rustracing(query.context().unwrap()).unwrap();
    tracing.span("row").child_of(below).start().finish();
    drop(query);
    request.finish();

    let theirs = receiver.try_recv().unwrap();
    let ours = service.finished();
    let trace_id = ours[1].context().trace_id();
    assert_eq!(
        from_rustracing(theirs.context()).unwrap().trace_id(),
        trace_id
    );
    assert_eq!(
        theirs.references()[0].span().span_id(),
        ours[1].context().span_id().get()
    );
    assert_eq!(
        ours[0].parent_id().unwrap().get(),
        theirs.context().state().span_id()
    );
    assert_eq!(ours[0].context().trace_id(), trace_id);
}
