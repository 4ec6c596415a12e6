//! Many spans, and big ones.

use std::collections::HashSet;

use opentracing_http::{HttpTracing, Limits, Tag};

use crate::agent::Agent;
use crate::thrift_batch::{Batch, Value};
use crate::{SOON, builder, tracing};

/// What Jaeger's receivers take.
const LIMIT: usize = 65_000;

fn names(batches: &[Batch]) -> Vec<&str> {
    batches
        .iter()
        .flat_map(|batch| &batch.spans)
        .map(|span| span.name.as_str())
        .collect()
}

#[test]
fn a_batch_too_big_for_a_packet_is_sent_in_several() {
    let agent = Agent::start();
    let tracing = tracing(&agent);
    for n in 0..400 {
        let span = tracing.span(format!("span {n}")).start();
        span.set_tag("http.url", "http://example.com/".repeat(10));
        span.set_tag("http.status_code", 200);
    }
    assert!(tracing.flush(SOON).is_complete());
    let batches = agent.batches(400);
    assert!((2..=3).contains(&batches.len()), "{}", batches.len());
    for batch in &batches {
        assert!(batch.bytes <= LIMIT, "{}", batch.bytes);
        assert_eq!(batch.service, "suite");
    }
    // Packets are filled: only the last, and the one before a batch's end, have room.
    assert!(
        batches
            .iter()
            .filter(|batch| batch.bytes < LIMIT - 500)
            .count()
            <= 2
    );
    let expected: Vec<String> = (0..400).map(|n| format!("span {n}")).collect();
    assert_eq!(names(&batches), expected);
}

#[test]
fn packets_are_never_too_big_whatever_spans_are_in_them() {
    let agent = Agent::start();
    // Slow enough for a reader that gets no processor for a while.
    let builder = builder(&agent)
        .packet_bytes(4_000)
        .bytes_per_second(1_000_000);
    let tracing = HttpTracing::new(builder.build().unwrap());
    for n in 0..300_u32 {
        let span = tracing.span("sized").start();
        span.set_tag("length", n);
        span.set_tag("text", "x".repeat(n as usize * 7));
    }
    assert!(tracing.flush(SOON).is_complete());
    let batches = agent.batches(300);
    assert!(batches.iter().all(|batch| batch.bytes <= 4_000));
    let lengths: Vec<_> = batches
        .iter()
        .flat_map(|batch| &batch.spans)
        .map(|span| span.tag("length").cloned())
        .collect();
    assert_eq!(
        lengths,
        (0..300).map(|n| Some(Value::I64(n))).collect::<Vec<_>>()
    );
}

#[test]
fn a_span_too_big_for_a_packet_loses_its_largest_values_and_says_so() {
    let agent = Agent::start();
    let mut limits = Limits::default();
    limits.value_bytes = 1_000_000;
    let policy = HttpTracing::builder(builder(&agent).build().unwrap()).limits(limits);
    let tracing = policy.build().unwrap();

    tracing.span("before").start().finish();
    let big = tracing.span("big").start();
    big.set_tag("small", "kept");
    big.set_tag("big", "é".repeat(35_000));
    big.log([
        Tag::new("event", "query"),
        Tag::new("bigger", "x".repeat(100_000)),
    ]);
    big.finish();
    tracing.span("after").start().finish();
    assert!(tracing.flush(SOON).is_complete());

    let batches = agent.batches(3);
    assert_eq!(names(&batches), ["before", "big", "after"]);
    assert!(batches.iter().all(|batch| batch.bytes <= LIMIT));
    let big = batches
        .iter()
        .flat_map(|batch| &batch.spans)
        .find(|span| span.name == "big")
        .unwrap();
    assert_eq!(big.tag("small"), Some(&Value::from("kept")));
    assert!(
        matches!(big.tag("big"), Some(Value::Str(text)) if text.starts_with('é') && text.len() < 70_000)
    );
    assert!(
        matches!(&big.logs[0].fields[1].value, Value::Str(text) if text.starts_with('x') && text.len() < 100_000)
    );
    assert_eq!(
        big.tag("opentracing.truncated"),
        Some(&Value::from(
            "values: 2, logs: 0, tags: 0; cut: bigger, big"
        ))
    );
}

#[test]
fn spans_share_a_packet_and_nothing_sends_none() {
    let agent = Agent::start();
    let tracing = tracing(&agent);
    assert!(tracing.flush(SOON).is_complete());
    for _ in 0..50 {
        tracing.span("x").start().finish();
    }
    assert!(tracing.flush(SOON).is_complete());
    assert!(tracing.flush(SOON).is_complete());
    tracing.span("last").start().finish();
    assert!(tracing.flush(SOON).is_complete());
    assert_eq!(agent.batch().spans.len(), 50);
    assert_eq!(names(&[agent.batch()]), ["last"]);
}

#[test]
fn a_burst_reaches_a_receiver_that_reads() {
    const SPANS: usize = 5_000;
    let agent = Agent::start();
    // More than twice what the receiver's buffer holds, slow enough for a reader that gets no processor for a while.
    let builder = builder(&agent)
        .queue_spans(SPANS)
        .bytes_per_second(1_000_000);
    let tracing = HttpTracing::new(builder.build().unwrap());
    for _ in 0..SPANS {
        tracing
            .span("burst")
            .tag("http.url", "http://example.com/users/42")
            .start()
            .finish();
    }
    assert!(tracing.flush(SOON).is_complete());
    let ids: HashSet<i64> = agent.spans(SPANS).iter().map(|span| span.span_id).collect();
    assert_eq!(ids.len(), SPANS);
    assert_eq!(tracing.dropped(), 0);
}
