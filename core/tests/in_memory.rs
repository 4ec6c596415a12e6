//! The tracer for tests.

#![allow(clippy::unwrap_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use opentracing_http::sampler::Never;
use opentracing_http::sampler::SamplingResult;
use opentracing_http::sampler::{Sampler, SamplingParams};
use opentracing_http::{FinishedSpan, HttpTracing, InMemoryTracer, SpanContext};
use opentracing_http::{SpanId, TraceFlags, TraceId};

/// A timeout that is longer than any step takes.
const LONG: Duration = Duration::from_secs(20);

fn tracing() -> (InMemoryTracer, HttpTracing) {
    let tracer = InMemoryTracer::new();
    (tracer.clone(), HttpTracing::new(tracer))
}

fn names(spans: &[FinishedSpan]) -> Vec<&str> {
    spans.iter().map(FinishedSpan::name).collect()
}

#[test]
fn spans_are_found_by_name_and_by_tag() {
    let (tracer, tracing) = tracing();
    tracing.span("a").tag("n", 1).start().finish();
    tracing.span("b").tag("n", 2).start().finish();
    tracing.span("a").tag("n", "1").start().finish();
    assert_eq!(names(&tracer.finished()), ["a", "b", "a"]);
    assert_eq!(names(&tracer.named("a")), ["a", "a"]);
    assert_eq!(names(&tracer.named("c")), [""; 0]);
    assert_eq!(names(&tracer.tagged("n", 2)), ["b"]);
    assert_eq!(tracer.tagged("n", 1).len(), 1);
    assert_eq!(tracer.take().len(), 3);
    assert_eq!(tracer.take().len(), 0);
}

#[test]
fn a_trace_is_drawn_in_the_order_of_its_starts() {
    let (tracer, tracing) = tracing();
    let root = tracing.span("root").start();
    let first = root.child("first");
    let second = root.child("second");
    second.child("below second").finish();
    first.child("below first").finish();
    drop((second, first));
    tracing.span("another trace").root().start().finish();
    let trace_id = root.context().unwrap().trace_id();
    root.finish();
    let tree = "root\n  first\n    below first\n  second\n    below second\n";
    assert_eq!(tracer.tree(trace_id), tree);
    assert_eq!(tracer.tree(TraceId::new(1).unwrap()), "");
}

#[test]
fn a_span_without_its_parent_is_not_indented() {
    let (tracer, tracing) = tracing();
    let (trace_id, parent) = (TraceId::new(1).unwrap(), SpanId::new(2).unwrap());
    let caller = SpanContext::new(trace_id, parent, TraceFlags::SAMPLED);
    tracing
        .span("below")
        .child_of(caller)
        .start()
        .child("part")
        .finish();
    assert_eq!(tracer.tree(trace_id), "below\n  part\n");
}

#[test]
fn a_span_that_is_its_own_parent_is_drawn_once() {
    #[derive(Debug)]
    struct Same;
    impl opentracing_http::IdSource for Same {
        fn trace_id(&self) -> TraceId {
            TraceId::new(1).unwrap()
        }
        fn span_id(&self) -> SpanId {
            SpanId::new(2).unwrap()
        }
    }
    let tracer = InMemoryTracer::new();
    let policy = HttpTracing::builder(tracer.clone()).ids(Same).build();
    let root = policy.unwrap().span("root").start();
    root.child("loop").finish();
    root.finish();
    // Of two spans with the same id, the one without a parent comes first.
    assert!(
        tracer
            .tree(TraceId::new(1).unwrap())
            .starts_with("root\n  loop\n    loop\n")
    );
}

#[test]
fn open_spans_are_counted_and_named() {
    let (tracer, tracing) = tracing();
    tracer.assert_nothing_unfinished();
    let (one, other) = (tracing.span("one").start(), tracing.span("other").start());
    assert_eq!(tracer.unfinished(), 2);
    let told = catch_unwind(AssertUnwindSafe(|| tracer.assert_nothing_unfinished()));
    assert!(told.is_err());
    one.finish();
    assert_eq!(tracer.unfinished(), 1);
    other.finish();
    assert_eq!(tracer.unfinished(), 0);
    tracer.assert_nothing_unfinished();
}

#[test]
fn spans_that_end_without_a_report_are_not_open() {
    #[derive(Debug)]
    struct Local;
    impl Sampler for Local {
        fn sample(&self, _: &SamplingParams<'_>) -> SamplingResult {
            SamplingResult::record_only()
        }
    }
    let tracer = InMemoryTracer::new();
    let policy = HttpTracing::builder(tracer.clone()).sampler(Local).build();
    let span = policy.unwrap().span("local").start();
    assert_eq!(tracer.unfinished(), 1);
    span.finish();
    assert_eq!(tracer.unfinished(), 0);
    tracer.assert_nothing_unfinished();

    let policy = HttpTracing::builder(tracer.clone()).sampler(Never).build();
    let _dropped = policy.unwrap().span("dropped").start();
    assert_eq!(tracer.unfinished(), 0);
}

#[test]
fn waiting_ends_with_the_last_span_or_with_the_time() {
    let (tracer, tracing) = tracing();
    assert!(tracer.wait_for(0, Duration::ZERO).is_empty());
    let waits = thread::spawn({
        let tracer = tracer.clone();
        move || {
            let began = Instant::now();
            (tracer.wait_for(2, 3 * LONG).len(), began.elapsed())
        }
    });
    tracing.span("one").start().finish();
    tracing.span("other").start().finish();
    let (spans, took) = waits.join().unwrap();
    assert_eq!(spans, 2);
    assert!(took < LONG, "{took:?}");
    // There can be more spans than were waited for.
    assert_eq!(tracer.wait_for(1, LONG).len(), 2);

    let _open = tracing.span("still open").start();
    let (patience, began) = (Duration::from_millis(20), Instant::now());
    let told = catch_unwind(AssertUnwindSafe(|| tracer.wait_for(3, patience)));
    let told = *told.unwrap_err().downcast::<String>().unwrap();
    assert!(
        told.contains("2 of 3") && told.contains("open: ["),
        "{told}"
    );
    assert!((patience..LONG).contains(&began.elapsed()));
}
