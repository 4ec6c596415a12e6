//! Tracers of a user's own under the contract: the example of the crate's page, one that cannot carry much, one with the
//! shortest queue, and ones that are broken, which fail in the cases for what is broken.

#![allow(clippy::unwrap_used)]

use std::panic::catch_unwind;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use opentracing_http::report::{ExportError, Exporter, Reporter};
use opentracing_http::{FinishedSpan, Flushed, Tag, Tracer};
use opentracing_testkit::tracer::{
    Backend, Capabilities, Delivery, Feature, ReceivedSpan, Sink, cases, declare,
};
use opentracing_testkit::{for_each_tracer_case, tracer_contract};

/// Sends each span to another thread.
struct Channel(Sender<FinishedSpan>);

impl Tracer for Channel {
    fn report(&self, span: FinishedSpan) {
        let _ = self.0.send(span);
    }
}

/// What that thread receives, all of it.
struct Receives(Sink);

impl Backend for Receives {
    type Tracer = Channel;

    fn start() -> (Self, Channel) {
        let (sender, receiver) = channel::<FinishedSpan>();
        let sink = Sink::new();
        let arrives = sink.clone();
        thread::spawn(move || receiver.iter().for_each(|span| arrives.receive(&span)));
        (Self(sink), Channel(sender))
    }

    fn arrived(&self, count: usize) -> Vec<ReceivedSpan> {
        self.0.arrived(count)
    }
}

mod sends_everything {
    use super::*;

    tracer_contract!(Receives);
}

/// Keeps ids, names and times, as text would: a tracer that cannot carry much.
struct Modest(Sink);

struct Summarises(Sink);

impl Tracer for Summarises {
    fn report(&self, span: FinishedSpan) {
        let mut summary = ReceivedSpan::from(&span);
        summary.references.clear();
        summary.baggage.clear();
        summary.tracestate.clear();
        summary.omitted = Default::default();
        let logs = summary.logs.iter_mut();
        let fields = logs.flat_map(|log| {
            log.time = None;
            &mut log.fields
        });
        for tag in summary.tags.iter_mut().chain(fields) {
            tag.value = tag.value.to_string().into();
        }
        let by_key = |one: &Tag, other: &Tag| one.key.cmp(&other.key);
        summary.tags.sort_by(by_key);
        for log in &mut summary.logs {
            log.fields.sort_by(by_key);
        }
        self.0.receive(summary);
    }
}

impl Backend for Modest {
    type Tracer = Summarises;

    const CAPABILITIES: Capabilities = Capabilities {
        lacks: &[
            (Feature::TagTypes, "its format is text"),
            (Feature::TagOrder, "its format sorts them by their keys"),
            (Feature::References, "a line has one parent"),
            (Feature::LogTimes, "its format has no place for them"),
            (Feature::Baggage, "its format has no place for it"),
            (Feature::Tracestate, "its format has no place for it"),
            (Feature::Omitted, "its format has no place for it"),
        ],
        ..Capabilities::ALL
    };

    fn start() -> (Self, Summarises) {
        let sink = Sink::new();
        (Self(sink.clone()), Summarises(sink))
    }

    fn arrived(&self, count: usize) -> Vec<ReceivedSpan> {
        self.0.arrived(count)
    }
}

mod sends_little {
    use super::*;

    tracer_contract!(Modest);
}

/// A reporter that holds so many spans, and may return anything from a flush.
struct Queues<const SPANS: usize, const TRUTHFUL: bool>(Sink);

struct Flushes<const TRUTHFUL: bool>(Reporter);

impl<const TRUTHFUL: bool> Tracer for Flushes<TRUTHFUL> {
    fn report(&self, span: FinishedSpan) {
        self.0.report(span);
    }

    fn flush(&self, timeout: Duration) -> Flushed {
        let flushed = self.0.flush(timeout);
        match TRUTHFUL {
            true => flushed,
            false => flushed.with_lost(1),
        }
    }

    fn dropped(&self) -> u64 {
        self.0.dropped()
    }
}

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

impl<const SPANS: usize, const TRUTHFUL: bool> Backend for Queues<SPANS, TRUTHFUL> {
    type Tracer = Flushes<TRUTHFUL>;

    const CAPABILITIES: Capabilities = Capabilities {
        delivery: Delivery::Queued { spans: SPANS },
        ..Capabilities::ALL
    };

    fn start() -> (Self, Flushes<TRUTHFUL>) {
        let sink = Sink::new();
        let reporter = Reporter::builder()
            .queue_spans(SPANS)
            .batch_spans(SPANS)
            .batch_interval(Duration::from_secs(3600))
            .build(Delivers(sink.clone()))
            .unwrap();
        (Self(sink), Flushes(reporter))
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

mod holds_little {
    use super::*;

    tracer_contract!(Queues<{ Delivery::SHORTEST_QUEUE }, true>);
}

/// Sends its fourth span twice instead of its fifth.
struct Repeats(Sink);

struct Doubles(Sink);

impl Tracer for Doubles {
    fn report(&self, span: FinishedSpan) {
        if span.name() == "span 3" {
            self.0.receive(&span);
        }
        if span.name() != "span 4" {
            self.0.receive(&span);
        }
    }
}

impl Backend for Repeats {
    type Tracer = Doubles;

    fn start() -> (Self, Doubles) {
        let sink = Sink::new();
        (Self(sink.clone()), Doubles(sink))
    }

    fn arrived(&self, count: usize) -> Vec<ReceivedSpan> {
        self.0.arrived(count)
    }
}

macro_rules! functions {
    ([$backend:ty] $($group:literal { $($case:ident)* })*) => {
        [$($((stringify!($case), cases::$case::<$backend> as fn())),*),*]
    };
}

/// The cases that fail, with their messages.
fn failures(cases: &[(&'static str, fn())]) -> Vec<(&'static str, String)> {
    let message = |case: fn()| {
        let panic = catch_unwind(case).err()?;
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
    };
    let cases = cases.iter();
    cases
        .filter_map(|(name, case)| Some((*name, message(*case)?)))
        .collect()
}

#[test]
fn flush_that_is_never_complete_fails_only_the_cases_of_the_flush() {
    let failures = failures(&for_each_tracer_case!(functions, Queues<200, false>));
    let names: Vec<_> = failures.iter().map(|(name, _)| *name).collect();
    let of_the_flush = [
        "flush_delivers",
        "flush_with_a_stuck_exporter_returns_in_time",
    ];
    assert_eq!(names, of_the_flush);
    assert!(failures[0].1.contains("is complete"), "{failures:?}");
}

#[test]
fn missing_and_repeated_spans_are_named() {
    let [(name, message)] = &*failures(&for_each_tracer_case!(functions, Repeats)) else {
        panic!("one case is about each span");
    };
    assert_eq!(*name, "each_span_arrives_once");
    let said = r#"missing: ["span 4"]; more than once: ["span 3"]; unexpected: none"#;
    assert!(message.ends_with(said), "{message}");
}

#[test]
fn queue_that_is_too_short_is_reported_before_anything_is_sent() {
    type Short = Queues<{ Delivery::SHORTEST_QUEUE - 1 }, true>;
    let mut all = for_each_tracer_case!(functions, Short).to_vec();
    all.push(("declares_its_capabilities", declare::<Short>));
    let failures = failures(&all);
    assert_eq!(failures.len(), all.len());
    for (name, message) in failures {
        let said = "a queue of 31 is too short for the kit: at least 32";
        assert_eq!(message, said, "{name}");
    }
}
