//! The tracer contract, for the lines that the tracer prints.

#![allow(clippy::unwrap_used)]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use example_custom_tracer::PrintTracer;
use opentracing_testkit::tracer::{Backend, Capabilities, Feature, ReceivedSpan};
use opentracing_testkit::tracer_contract;

/// What was printed.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Backend for Paper {
    type Tracer = PrintTracer<Self>;

    const CAPABILITIES: Capabilities = Capabilities {
        resolution: Duration::from_micros(1),
        lacks: &[
            (Feature::TagTypes, "a line is text"),
            (Feature::References, "a line has one parent"),
            (Feature::LogTimes, "a line has fields only"),
            (Feature::Baggage, "left out to keep lines short"),
            (Feature::Tracestate, "left out to keep lines short"),
            (Feature::Omitted, "left out to keep lines short"),
        ],
        ..Capabilities::ALL
    };

    fn start() -> (Self, PrintTracer<Self>) {
        let paper = Self::default();
        (paper.clone(), PrintTracer::to(paper, "shop"))
    }

    fn arrived(&self, _: usize) -> Vec<ReceivedSpan> {
        let printed = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = printed.split_terminator('\n');
        let printed = lines.map(|line| example_contract::printed(line).unwrap().unwrap());
        printed
            .inspect(|printed| assert_eq!(printed.service, "shop"))
            .map(|printed| printed.span)
            .collect()
    }
}

tracer_contract!(Paper);
