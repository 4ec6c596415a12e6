//! What is sent at all, and what is passed on.

use std::collections::HashMap;

use opentracing_http::sampler::{Always, Never};
use opentracing_http::server::Instrumentation;
use opentracing_http::{HttpTracing, SpanContext, TraceFlags, Trust};

use crate::agent::Agent;
use crate::thrift_batch::{Span, Value};
use crate::{SOON, builder, tracing};

fn caller(flags: TraceFlags) -> SpanContext {
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap();
    SpanContext::new(trace_id, "00f067aa0ba902b7".parse().unwrap(), flags)
}

/// Reports a span that is sampled for certain, and asserts that nothing came before it.
fn assert_nothing_sent(agent: &Agent, tracing: &HttpTracing) {
    tracing
        .span("last")
        .root()
        .tag("sampling.priority", 1)
        .start()
        .finish();
    assert!(tracing.flush(SOON).is_complete());
    let names: Vec<String> = agent
        .batch()
        .spans
        .into_iter()
        .map(|span| span.name)
        .collect();
    assert_eq!(names, ["last"]);
}

#[test]
fn a_caller_that_is_not_sampled_is_obeyed_and_passed_on() {
    let agent = Agent::start();
    let tracing = tracing(&agent);
    for _ in 0..1_000 {
        let span = tracing
            .span("below")
            .child_of(caller(TraceFlags::NOT_SAMPLED))
            .start();
        span.set_baggage_item("tenant", "blue");
        let child = span.child("child");

        let context = child.context().unwrap();
        assert_eq!(
            context.trace_id(),
            caller(TraceFlags::NOT_SAMPLED).trace_id()
        );
        assert!(!context.flags().is_sampled());
        assert_eq!(child.baggage_item("tenant").as_deref(), Some("blue"));
        let mut headers = HashMap::new();
        child.inject(&mut headers);
        let sent: &String = &headers["uber-trace-id"];
        assert!(
            sent.starts_with("4bf92f3577b34da6a3ce929d0e0e4736:") && sent.ends_with(":0"),
            "{sent}"
        );
        assert_eq!(headers["uberctx-tenant"], "blue");
    }
    assert_nothing_sent(&agent, &tracing);
    assert_eq!(tracing.dropped(), 0);
}

#[test]
fn a_caller_that_is_sampled_is_obeyed() {
    let agent = Agent::start();
    let tracing = HttpTracing::new(builder(&agent).build().unwrap());
    for flags in [TraceFlags::SAMPLED, TraceFlags::DEBUG] {
        tracing
            .span("below")
            .child_of(caller(flags))
            .start()
            .finish();
        assert!(tracing.flush(SOON).is_complete());
        let span = agent.span();
        assert_eq!(span.parent_span_id, 0x00f0_67aa_0ba9_02b7);
        assert_eq!(span.flags, if flags.is_debug() { 3 } else { 1 });
    }
}

#[test]
fn a_child_of_an_unsampled_span_keeps_its_place() {
    let agent = Agent::start();
    let tracing = tracing(&agent);
    let parent = tracing
        .span("parent")
        .child_of(caller(TraceFlags::NOT_SAMPLED))
        .start();
    let parent_id = parent.context().unwrap().span_id().get().cast_signed();
    parent
        .build_child("child")
        .tag("sampling.priority", 1)
        .start()
        .finish();
    assert!(tracing.flush(SOON).is_complete());
    let span = agent.span();
    assert_eq!(
        span.trace_id(),
        caller(TraceFlags::NOT_SAMPLED).trace_id().get()
    );
    assert_eq!(span.parent_span_id, parent_id);
    assert_eq!(span.references.len(), 1);
}

#[test]
fn the_tracers_sampler_decides_what_the_policys_leaves_open() {
    let agent = Agent::start();
    let tracing = HttpTracing::new(builder(&agent).sampler(Never).build().unwrap());
    tracing.span("dropped").start().finish();
    assert_nothing_sent(&agent, &tracing);

    let policy =
        HttpTracing::builder(builder(&agent).sampler(Never).build().unwrap()).sampler(Always);
    let tracing = policy.build().unwrap();
    tracing.span("kept").start().finish();
    assert!(tracing.flush(SOON).is_complete());
    let span = agent.span();
    assert_eq!(span.tag("sampler.type"), Some(&Value::from("const")));
    assert_eq!(span.tag("sampler.param"), Some(&Value::Bool(true)));
}

fn debug_request(tracing: &HttpTracing, headers: &[(&str, &str)]) -> String {
    let mut request = http::Request::get("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let span = Instrumentation::new(tracing, "suite").begin(&request.body(()).unwrap());
    let mut headers = HashMap::new();
    span.span().inject(&mut headers);
    span.fail(None, &"no luck");
    headers.remove("uber-trace-id").unwrap()
}

#[test]
fn a_debug_id_forces_a_debug_trace_that_can_be_found() {
    let agent = Agent::start();
    let policy = HttpTracing::builder(builder(&agent).sampler(Never).build().unwrap());
    let tracing = policy.trust_debug(Trust::everyone()).build().unwrap();
    let received = |headers: &[(&str, &str)]| -> Span {
        let sent_on = debug_request(&tracing, headers);
        assert!(sent_on.ends_with(":3"), "{sent_on}");
        assert!(tracing.flush(SOON).is_complete());
        agent.span()
    };

    let alone = received(&[("jaeger-debug-id", "find me")]);
    assert_eq!((alone.flags, alone.parent_span_id), (3, 0));
    assert!(alone.trace_id() != 0 && alone.span_id != 0);
    assert_eq!(alone.tag("jaeger-debug-id"), Some(&Value::from("find me")));

    let trace = "4bf92f3577b34da6a3ce929d0e0e4736:f067aa0ba902b7:0:1";
    let both = received(&[("uber-trace-id", trace), ("jaeger-debug-id", "find me")]);
    assert_eq!(both.flags, 3);
    assert_eq!(both.trace_id(), caller(TraceFlags::DEBUG).trace_id().get());
    assert_eq!(both.tag("jaeger-debug-id"), Some(&Value::from("find me")));

    let flag = received(&[(
        "uber-trace-id",
        "4bf92f3577b34da6a3ce929d0e0e4736:f067aa0ba902b7:0:3",
    )]);
    assert_eq!(
        (flag.flags, flag.parent_span_id),
        (3, 0x00f0_67aa_0ba9_02b7)
    );
}
