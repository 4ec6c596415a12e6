//! The contract of tracers.
//!
//! The core owns ids, tags, logs, baggage and times, and a tracer owns the way out of the process. The cases look at what is
//! received at the other end: every span that the core hands over is [received](ReceivedSpan), nothing else is, and no request waits
//! for it.
//!
//! [`NoopTracer`](opentracing_http::NoopTracer) sends nothing, so there is nothing to assert.

mod capabilities;
pub mod cases;
mod kit;
mod list;
mod received;
mod sink;

use std::time::Duration;

use opentracing_http::Tracer;

pub use self::capabilities::{Capabilities, Delivery, Feature};
pub use self::list::{CASES, declare};
pub use self::received::{ReceivedLog, ReceivedReference, ReceivedSpan};
pub use self::sink::Sink;

/// How long a case waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A tracer under test, and the sink that receives its spans.
pub trait Backend: Sized {
    /// The tracer.
    type Tracer: Tracer + 'static;

    /// What the tracer can and cannot carry.
    const CAPABILITIES: Capabilities = Capabilities::ALL;

    /// Starts a sink, and a tracer that follows its callers, records everything else and delivers there.
    ///
    /// A tracer that sends batches must not send one by itself after some time, or a flush that does nothing passes: give
    /// it an interval of an hour.
    fn start() -> (Self, Self::Tracer);

    /// Returns all spans that were received since the start, in that order. Waits until they are at least `count`, but no longer
    /// than [`PATIENCE`].
    fn arrived(&self, count: usize) -> Vec<ReceivedSpan>;

    /// Stalls the exporter from its next span on, until [`release`](Self::release). It is only called if the tracer
    /// [queues](Delivery::Queued).
    ///
    /// # Panics
    ///
    /// If the tracer is declared to queue, and this is not implemented.
    fn stall(&self) {
        panic!("a tracer with a queue needs a sink that can be stalled: implement `Backend::stall`")
    }

    /// Lets the exporter go on.
    fn release(&self) {}
}
