//! The tracer contract, for the tracers of the core and their parts.
//!
//! `NoopTracer` is not among them, because it has no backend that receives spans. It is tested in `tracers.rs`.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::time::Duration;

use opentracing_http::report::{ExportError, Exporter, Reporter};
use opentracing_http::{FanOut, FinishedSpan, InMemoryTracer};
use opentracing_testkit::tracer::{Backend, Capabilities, Delivery, PATIENCE, ReceivedSpan, Sink};
use opentracing_testkit::tracer_contract;

/// The largest number of spans in the queues of the reporters here.
const QUEUE: usize = 200;

const QUEUED: Capabilities = Capabilities {
    delivery: Delivery::Queued { spans: QUEUE },
    ..Capabilities::ALL
};

mod in_memory {
    use super::*;

    struct Memory(InMemoryTracer);

    impl Backend for Memory {
        type Tracer = InMemoryTracer;

        fn start() -> (Self, InMemoryTracer) {
            let tracer = InMemoryTracer::new();
            (Self(tracer.clone()), tracer)
        }

        fn arrived(&self, count: usize) -> Vec<ReceivedSpan> {
            let spans = self.0.wait_for(count, PATIENCE);
            spans.iter().map(ReceivedSpan::from).collect()
        }
    }

    tracer_contract!(Memory);
}

/// An exporter that delivers to the list of received spans.
struct Delivers(Sink);

impl Exporter for Delivers {
    fn export(&mut self, batch: &[FinishedSpan]) -> Result<(), ExportError> {
        for span in batch {
            self.0.pass();
            self.0.receive(span);
        }
        Ok(())
    }
}

/// A reporter that sends when it is full or asked to.
fn reporter(sink: &Sink) -> Reporter {
    Reporter::builder()
        .queue_spans(QUEUE)
        .batch_spans(QUEUE / 4)
        .batch_interval(Duration::from_secs(3600))
        .build(Delivers(sink.clone()))
        .unwrap()
}

mod background_reporter {
    use super::*;

    struct Reports(Sink);

    impl Backend for Reports {
        type Tracer = Reporter;

        const CAPABILITIES: Capabilities = QUEUED;

        fn start() -> (Self, Reporter) {
            let sink = Sink::new();
            let reporter = reporter(&sink);
            (Self(sink), reporter)
        }

        fn arrived(&self, count: usize) -> Vec<ReceivedSpan> {
            self.0.arrived(count)
        }

        fn stall(&self) {
            self.0.stall();
        }

        fn release(&self) {
            self.0.release();
        }
    }

    tracer_contract!(Reports);
}

mod fan_out_of_two {
    use super::*;

    /// A reporter, and beside it a tracer that keeps everything.
    struct Two(Sink, InMemoryTracer);

    impl Backend for Two {
        type Tracer = FanOut;

        const CAPABILITIES: Capabilities = QUEUED;

        fn start() -> (Self, FanOut) {
            let (sink, memory) = (Sink::new(), InMemoryTracer::new());
            let tracer = FanOut::new().and(memory.clone()).and(reporter(&sink));
            (Self(sink, memory), tracer)
        }

        /// Returns the spans that arrived behind the reporter. The other tracer must have received the same; more only while the
        /// reporter holds spans back or has dropped some.
        fn arrived(&self, count: usize) -> Vec<ReceivedSpan> {
            let spans = self.0.arrived(count);
            // Compared as text, in which NaN is equal to itself.
            let text = |span: &ReceivedSpan| format!("{span:?}");
            let kept = self.1.finished();
            let kept: HashSet<String> = kept
                .iter()
                .map(ReceivedSpan::from)
                .map(|it| text(&it))
                .collect();
            for span in &spans {
                assert!(kept.contains(&text(span)), "{span:#?}");
            }
            spans
        }

        fn stall(&self) {
            self.0.stall();
        }

        fn release(&self) {
            self.0.release();
        }
    }

    tracer_contract!(Two);
}
