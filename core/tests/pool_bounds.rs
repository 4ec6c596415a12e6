//! The amount of memory that is kept for later spans. Alone in its process, because all policies share one stock.

use std::time::Duration;

use allocation_counter::measure;
use opentracing_http::report::{ExportError, Exporter, Reporter};
use opentracing_http::{FinishedSpan, HttpTracing, Tracer};

struct Discard;

impl Tracer for Discard {
    fn report(&self, _: FinishedSpan) {}
}

/// Returns the bytes that are kept after this many spans, all alive at once, were dropped.
fn kept(pooled: usize, spans: usize) -> i64 {
    let tracing = HttpTracing::builder(Discard)
        .pooled_spans(pooled)
        .build()
        .expect("the policy is right");
    let flood = || {
        let spans: Vec<_> = (0..spans).map(|_| tracing.span("work").start()).collect();
        drop(spans);
    };
    let kept = measure(flood).bytes_current;
    // The same however often it is repeated.
    let more = measure(|| (0..10).for_each(|_| flood())).bytes_current;
    assert!(more <= 0, "{more} more bytes");
    let freed = measure(|| drop(tracing)).bytes_current;
    // The lists themselves stay.
    assert!(
        freed <= 4096 - kept,
        "{kept} bytes kept, {freed} at the end"
    );
    kept
}

#[test]
fn what_is_kept_is_bounded_and_used() {
    what_is_kept_of_one_span_is_bounded();
    what_is_kept_is_bounded_by_the_option();
    memory_of_spans_returns_from_a_reporters_thread();
}

fn what_is_kept_of_one_span_is_bounded() {
    let tracing = HttpTracing::new(Discard);
    let kept = kept_of_a_large_one(&tracing);
    assert!((500..6 << 10).contains(&kept), "{kept}");
    // The memory is used again, whatever the next span records.
    let more = kept_of_a_large_one(&tracing);
    assert!(more <= 0, "{more}");
}

fn what_is_kept_is_bounded_by_the_option() {
    let without = kept(0, 5000);
    assert!(without <= 0, "{without} bytes are kept without a pool");
    let of_a_thread = kept(1, 5000);
    assert!((10_000..200_000).contains(&of_a_thread), "{of_a_thread}");
    let all = kept(5000, 5000);
    assert!(all > 10 * of_a_thread, "{all} against {of_a_thread}");
    let by_default = kept(2048, 5000);
    assert!(by_default < 4 << 20, "{by_default}");
}

/// Returns the bytes that are kept of a span that held as much as the limits allow.
fn kept_of_a_large_one(tracing: &HttpTracing) -> i64 {
    let large = "x".repeat(4000);
    let made = measure(|| {
        let span = tracing.span(large.clone()).start();
        for number in 0..1000 {
            span.set_tag(format!("tag {number}"), large.clone());
            span.log([(format!("field {number}"), large.clone())]);
            span.set_baggage_item(&format!("item{number}"), &large);
        }
    });
    assert!(made.bytes_max > 100_000);
    made.bytes_current
}

struct DiscardBatches;

impl Exporter for DiscardBatches {
    fn export(&mut self, _: &[FinishedSpan]) -> Result<(), ExportError> {
        Ok(())
    }
}

fn memory_of_spans_returns_from_a_reporters_thread() {
    let reporter = Reporter::with_defaults(DiscardBatches).expect("a thread starts");
    let tracing = HttpTracing::new(reporter);
    let some = || {
        (0..400).for_each(|_| tracing.span("work").start().finish());
        tracing.flush(Duration::from_secs(60));
    };
    some();
    let allocations = measure(some).count_total;
    // No allocation for each span; only for the few that stay with the reporter's thread, and for their list.
    assert!(allocations < 200, "{allocations}");
}
