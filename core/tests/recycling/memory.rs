//! Memory that is kept for later spans is limited, and freed if it is not used.

use std::sync::mpsc::{Receiver, Sender, channel};

use allocation_counter::measure;
use opentracing_http::report::{ExportError, Exporter, Reporter};
use opentracing_http::server::Instrumentation;
use opentracing_http::{FinishedSpan, HttpTracing, InMemoryTracer, Tracer};

use crate::{SAMPLED, UNSAMPLED, request, serve};

struct Discard;

impl Tracer for Discard {
    fn report(&self, _: FinishedSpan) {}
}

struct DiscardBatches;

impl Exporter for DiscardBatches {
    fn export(&mut self, _: &[FinishedSpan]) -> Result<(), ExportError> {
        Ok(())
    }
}

#[test]
fn two_million_requests_take_no_more_memory() {
    const REQUESTS: usize = 2_000_000;
    let tracing = HttpTracing::new(Reporter::with_defaults(DiscardBatches).unwrap());
    let instrumentation = Instrumentation::new(&tracing, "test");
    let requests = [SAMPLED, UNSAMPLED].map(|traceparent| request("/users/7", traceparent));
    let serve_some = |count: usize| {
        for number in 0..count {
            // Three of four are recorded.
            let request = &requests[usize::from(number % 4 == 3)];
            serve(&instrumentation, request, || ());
        }
    };
    serve_some(REQUESTS / 20);
    let before = resident();
    serve_some(REQUESTS);
    let grown = resident().saturating_sub(before);
    println!("grown by {} KiB", grown >> 10);
    // The queue, full at one of the two moments and empty at the other, is the greatest difference there can be.
    assert!(grown < 16 << 20, "{grown}");
}

/// Returns the memory of this process in bytes; 0 if the operating system does not report it.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split(' ').nth(1)?.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}

#[test]
fn without_a_pool_every_span_is_allocated_anew() {
    let count = |pooled| {
        let tracing = HttpTracing::builder(Discard)
            .pooled_spans(pooled)
            .build()
            .unwrap();
        tracing.span("work").start().finish();
        measure(|| tracing.span("work").start().finish()).count_total
    };
    assert_eq!((count(0), count(1)), (2, 0));
}

/// An exporter that hangs in its first batch until the test releases it.
struct Held {
    entered: Sender<()>,
    release: Receiver<()>,
}

impl Exporter for Held {
    fn export(&mut self, _: &[FinishedSpan]) -> Result<(), ExportError> {
        let _ = self.entered.send(());
        let _ = self.release.recv();
        Ok(())
    }
}

#[test]
fn spans_that_a_full_queue_refuses_are_used_again_at_once() {
    let (entered, has_entered) = channel();
    let (release, released) = channel();
    let reporter = Reporter::builder().queue_spans(16).batch_spans(1);
    let reporter = reporter
        .build(Held {
            entered,
            release: released,
        })
        .unwrap();
    let tracing = HttpTracing::new(reporter);
    tracing.span("first").start().finish();
    has_entered.recv().unwrap();
    (0..100).for_each(|_| tracing.span("fills").start().finish());
    let refused = || tracing.span("refused").start().finish();
    let allocations = measure(|| (0..1000).for_each(|_| refused())).count_total;
    assert_eq!(allocations, 0);
    assert!(tracing.dropped() >= 1000);
    drop(release);
}

#[test]
fn a_tracer_that_keeps_its_spans_keeps_their_memory() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    for _ in 0..1000 {
        tracing.span("work").start().finish();
    }
    let spans = tracer.finished();
    let mut ids: Vec<_> = spans.iter().map(|span| span.context().span_id()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 1000);
}
