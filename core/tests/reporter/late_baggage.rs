//! Baggage that handles set after a span's end counts as memory of the queue.

use opentracing_http::{FanOut, Span};

use super::*;

const KIB: usize = 1024;

/// Returns a handle of a span that has ended.
fn ended(tracing: &HttpTracing) -> Span {
    let span = tracing.span("work").start();
    span.clone()
}

fn set_baggage_item(span: &Span, bytes: usize) {
    span.set_baggage_item("late", &"x".repeat(bytes));
}

/// Returns a reporter whose exporter is busy with a first span, so that later spans wait in the queue.
fn busy(builder: ReporterBuilder) -> (HttpTracing, Reporter, Backend) {
    let (tracing, reporter, backend) = start(builder);
    reporter.report(stray("first"));
    assert_eq!(backend.batch(), ["first"]);
    (tracing, reporter, backend)
}

#[test]
fn baggage_set_after_the_end_takes_room_in_the_queue_until_the_span_leaves_it() {
    let (tracing, reporter, backend) = busy(prompt().queue_bytes(256 * KIB));
    let spans: Vec<_> = (0..30).map(|_| ended(&tracing)).collect();
    let before = reporter.queued_bytes();
    for span in &spans {
        set_baggage_item(span, 1000);
        set_baggage_item(span, 6 * KIB);
    }
    let grown = reporter.queued_bytes() - before;
    assert!((180 * KIB..200 * KIB).contains(&grown), "{grown}");

    // There is less room for other spans.
    (0..200).for_each(|_| drop(ended(&tracing)));
    let full = reporter.drops().queue_full;
    assert!(full > 100, "{full} of 200 found no room");
    assert!(reporter.queued_bytes() <= 256 * KIB);
    // If the baggage shrinks, there is more room again, also in a full queue.
    spans.iter().for_each(|span| set_baggage_item(span, 1));
    assert!(reporter.queued_bytes() < before + 80 * KIB);

    drop(backend);
    let _ = reporter.flush(LONG);
    assert_eq!((reporter.queued_spans(), reporter.queued_bytes()), (0, 0));
    // A span that has left the queue is not counted any more.
    spans
        .iter()
        .for_each(|span| set_baggage_item(span, 6 * KIB));
    assert_eq!(reporter.queued_bytes(), 0);
}

#[test]
fn every_queue_of_a_fan_out_counts_what_its_spans_have_grown_by() {
    let (_one_policy, one, one_backend) = busy(prompt());
    let (_other_policy, other, _other_backend) = busy(prompt());
    let tracing = HttpTracing::new(FanOut::new().and(one.clone()).and(other.clone()));
    let span = ended(&tracing);
    let before = one.queued_bytes();
    set_baggage_item(&span, 6 * KIB);
    assert!(one.queued_bytes() > before + 6 * KIB);
    assert_eq!(one.queued_bytes(), other.queued_bytes());
    drop(one_backend);
    let _ = one.flush(LONG);
    assert_eq!(one.queued_bytes(), 0);
    assert!(other.queued_bytes() > 6 * KIB);
    // The span was dropped, not sent.
    other.shutdown(Duration::ZERO);
    assert_eq!(other.queued_bytes(), 0);
}
