//! What a tracer does.
//!
//! The core owns ids, tags, logs, baggage and times, and a tracer owns the way out of the process. The cases look at the
//! far end of that way: everything that the core hands over [arrives](Arrived), nothing else does, and nobody waits for it.
//!
//! [`NoopTracer`](opentracing_http::NoopTracer) has no far end, and so nothing to be held to here.

mod arrived;
mod capabilities;
pub mod cases;
mod far_end;
mod kit;
mod list;

use std::time::Duration;

use opentracing_http::Tracer;

pub use self::arrived::{Arrived, ArrivedLog, ArrivedReference};
pub use self::capabilities::{Capabilities, Delivery, Feature};
pub use self::far_end::FarEnd;
pub use self::list::{CASES, declare};

/// How long a case waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A tracer under test, seen from its far end: where its spans arrive.
pub trait Backend: Sized {
    /// The tracer.
    type Tracer: Tracer + 'static;

    /// What the tracer can and cannot carry.
    const CAPABILITIES: Capabilities = Capabilities::ALL;

    /// Starts a far end, and a tracer that follows its callers, records everything else and delivers there.
    ///
    /// A tracer that sends batches must not send one by itself after some time, or a flush that does nothing passes: give
    /// it an interval of an hour.
    fn start() -> (Self, Self::Tracer);

    /// All that has arrived since the start, in that order. Waits until it is at least `count` spans, but no longer than
    /// [`PATIENCE`].
    fn arrived(&self, count: usize) -> Vec<Arrived>;

    /// Has the exporter hang from its next span on, until [`release`](Self::release). Only called of a tracer that
    /// [queues](Delivery::Queued).
    ///
    /// # Panics
    ///
    /// If the tracer says that it queues, and nobody has said how to hold it up.
    fn stall(&self) {
        panic!("a tracer with a queue needs a far end that can be stalled")
    }

    /// Has the exporter go on where it hung.
    fn release(&self) {}
}
