//! A tracer of a user's own under the contract: the example of the crate's page, with a line for each span.

#![allow(clippy::unwrap_used)]

use std::sync::mpsc::{Sender, channel};
use std::thread;

use opentracing_http::{FinishedSpan, Tracer};
use opentracing_testkit::tracer::{Arrived, Backend, Capabilities, FarEnd, Feature};
use opentracing_testkit::tracer_contract;

/// Sends each span to another thread.
struct Channel(Sender<FinishedSpan>);

impl Tracer for Channel {
    fn report(&self, span: FinishedSpan) {
        let _ = self.0.send(span);
    }
}

/// What that thread receives, all of it.
struct Receives(FarEnd);

impl Backend for Receives {
    type Tracer = Channel;

    fn start() -> (Self, Channel) {
        let (sender, receiver) = channel::<FinishedSpan>();
        let far_end = FarEnd::new();
        let arrives = far_end.clone();
        thread::spawn(move || receiver.iter().for_each(|span| arrives.receive(&span)));
        (Self(far_end), Channel(sender))
    }

    fn arrived(&self, count: usize) -> Vec<Arrived> {
        self.0.arrived(count)
    }
}

mod sends_everything {
    use super::*;

    tracer_contract!(Receives);
}

/// Keeps ids, names and times, as text would: a tracer that cannot carry much.
struct Modest(FarEnd);

struct Summarises(FarEnd);

impl Tracer for Summarises {
    fn report(&self, span: FinishedSpan) {
        let mut summary = Arrived::from(&span);
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
        self.0.receive(summary);
    }
}

impl Backend for Modest {
    type Tracer = Summarises;

    const CAPABILITIES: Capabilities = Capabilities {
        lacks: &[
            (Feature::TagTypes, "its format is text"),
            (Feature::References, "a line has one parent"),
            (Feature::LogTimes, "its format has no place for them"),
            (Feature::Baggage, "its format has no place for it"),
            (Feature::Tracestate, "its format has no place for it"),
            (Feature::Omitted, "its format has no place for it"),
        ],
        ..Capabilities::ALL
    };

    fn start() -> (Self, Summarises) {
        let far_end = FarEnd::new();
        (Self(far_end.clone()), Summarises(far_end))
    }

    fn arrived(&self, count: usize) -> Vec<Arrived> {
        self.0.arrived(count)
    }
}

mod sends_little {
    use super::*;

    tracer_contract!(Modest);
}
