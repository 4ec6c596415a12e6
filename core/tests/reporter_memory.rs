//! If the backend has stopped, spans are dropped, and memory does not grow.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use opentracing_http::report::{ExportError, Exporter, Reporter};
use opentracing_http::{FinishedSpan, HttpTracing};

/// Hangs in its first batch until the test ends.
struct Stalled {
    entered: Sender<()>,
    release: Receiver<()>,
}

impl Exporter for Stalled {
    fn export(&mut self, _: &[FinishedSpan]) -> Result<(), ExportError> {
        let _ = self.entered.send(());
        let _ = self.release.recv();
        Ok(())
    }
}

const SPANS: u64 = 2_000_000;
const BOUND: usize = 64 << 20;

#[test]
fn two_million_spans_against_a_stalled_exporter_stay_within_the_bound() {
    let (entered, has_entered) = channel();
    let (_hold, release) = channel::<()>();
    let reporter = Reporter::builder()
        .shutdown_timeout(Duration::ZERO)
        .build(Stalled { entered, release })
        .unwrap();
    let tracing = HttpTracing::new(reporter.clone());
    let before = resident();
    let mut peak = 0;
    for number in 0..SPANS {
        let span = tracing.span("work").start();
        span.set_tag("number", number as i64);
        span.set_tag("text", "x".repeat(200));
        span.finish();
        if number % 10_000 == 0 {
            peak = peak.max(resident());
        }
    }
    has_entered.recv_timeout(Duration::from_secs(60)).unwrap();

    let queued = reporter.queued_spans();
    assert!(queued <= 2048, "{queued}");
    let bytes = reporter.queued_bytes();
    assert!(bytes <= 8 << 20, "{bytes}");
    // The spans that neither were dropped nor wait are the one batch that the exporter has.
    let in_hand = SPANS - tracing.dropped() - queued as u64;
    assert!((1..=512).contains(&in_hand), "{in_hand}");
    assert_eq!(reporter.drops().queue_full, tracing.dropped());
    let grown = peak.max(resident()).saturating_sub(before);
    println!(
        "grown by {} KiB, queued {queued} spans of {bytes} bytes",
        grown >> 10
    );
    assert!(grown < BOUND, "{grown}");
}

/// Returns the memory of this process in bytes; 0 if the operating system does not report it. Then only the queue's counts are
/// checked.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split(' ').nth(1)?.parse::<usize>().ok());
    // No page is smaller than this.
    pages.unwrap_or(0) * 4096
}
