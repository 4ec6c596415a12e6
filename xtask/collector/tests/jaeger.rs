//! What this project's Jaeger tracer sends, read by Apache's codec.

use std::sync::Arc;
use std::time::Duration;

use opentracing_http::{HttpTracing, Tag};
use opentracing_jaeger::JaegerTracer;
use xtask_collector::{Agent, SpanStore, TraceId, Value};

#[test]
fn a_span_arrives_whole() {
    let store = Arc::new(SpanStore::default());
    let agent = Agent::start(store.clone()).unwrap();
    let tracer = JaegerTracer::builder("shop")
        .agent(agent.address())
        .build()
        .unwrap();
    let tracing = HttpTracing::new(tracer);

    let parent = tracing.span("parent").start();
    let child = parent.child("child");
    child.set_tag("text", "größe");
    child.set_tag("long", i64::MIN);
    child.set_tag("double", 0.1);
    child.set_tag("bool", true);
    child.log([Tag::new("event", "seen")]);
    let trace_id =
        u128::from_str_radix(&child.context().unwrap().trace_id().to_string(), 16).unwrap();
    drop(child);
    drop(parent);

    let spans = store.wait_for(TraceId(trace_id), 2, Duration::from_secs(10));
    assert_eq!(store.problems(), Vec::<String>::new());
    let spans = spans.unwrap();
    let [parent, child] =
        ["parent", "child"].map(|name| spans.iter().find(|span| span.name == name).unwrap());
    assert_eq!(
        (child.service.as_str(), child.parent_id, child.flags),
        ("shop", parent.id, Some(1))
    );
    assert_eq!(child.tag("text"), Some(&Value::from("größe")));
    assert_eq!(child.tag("long"), Some(&Value::Long(i64::MIN)));
    assert_eq!(child.tag("double"), Some(&Value::Double(0.1)));
    assert_eq!(child.tag("bool"), Some(&Value::Bool(true)));
    assert_eq!(
        child.logs.first().and_then(|log| log.field("event")),
        Some(&Value::from("seen"))
    );
    assert!(
        child.start_micros >= parent.start_micros
            && child.end_micros() <= parent.end_micros().map(|end| end + 1)
    );
}
